"""Packages from npm, as a lock file pins them, installed once by whoever comes first."""
from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest


def installed(directory: Path) -> Path:
    """The node_modules of this directory. Tests of several workers may ask at the same time."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    modules, wanted = directory / "node_modules", directory / "package-lock.json"
    with open(wanted) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = modules / ".package-lock.json"
        if not mark.exists() or mark.stat().st_mtime < wanted.stat().st_mtime:
            subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                           cwd=directory, check=True, timeout=300)
    return modules


def node_version() -> int:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    return int(subprocess.check_output(["node", "-p", "process.versions.node.split('.')[0]"]))
