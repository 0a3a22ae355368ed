"""Makes the test bed importable and hands its fixtures to pytest."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fixtures import authority, client, gateway, redis, start, upstream  # noqa: E402,F401
