"""The fleet's test bed is the wire tests', and a proxy that breaks what lies between."""
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "wire")]

from bed import bed, make_bed  # noqa: E402,F401
from fixtures import authority, redis  # noqa: E402,F401
