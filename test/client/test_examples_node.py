"""The examples for node run here, with the SDK that these tests install."""
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import npm
from test_examples import EXAMPLES, demo, finish, snippet  # noqa: F401

PACKAGES = Path(__file__).resolve().parent / "node"


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """The examples beside the newest SDK that this node can run."""
    sdk = "openai-7" if npm.node_version() >= 20 else "openai-6"
    made = tmp_path_factory.mktemp("node")
    for file in (EXAMPLES / "node").glob("*.mjs"):
        shutil.copy(file, made)
    (made / "node_modules").mkdir()
    (made / "node_modules/openai").symlink_to(npm.installed(PACKAGES) / sdk)
    return made


@pytest.mark.parametrize("script,expected", [
    ("chat.mjs", "built-in demo model"), ("tools.mjs", "get_weather({}) is"),
    ("cancel.mjs", "left after 5 chunks")])
def test_scripts(demo, directory, script, expected):  # noqa: F811
    assert expected in finish(demo, "node", script, cwd=directory)


def test_snippet_of_the_readme(demo, directory):  # noqa: F811
    assert "built-in demo model" in finish(demo, "node", snippet("js", demo, directory))
