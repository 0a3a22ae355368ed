"""Runs the official SDKs and frameworks for node (protocols.test.mjs) against every protocol."""
from __future__ import annotations

import os
import subprocess

import pytest

import npm
import raw
from conftest import DOORS
from test_openai_node import HERE, packages  # noqa: F401


def run(gateway, model: str) -> None:
    if npm.node_version() < 20:
        pytest.skip("these SDKs need node 20")
    env = os.environ | {"BASE_URL": gateway.base_url, "API_KEY": raw.KEY, "MODEL": model}
    done = subprocess.run(["node", "--test", "protocols.test.mjs"], cwd=HERE, env=env, text=True,
                          capture_output=True, timeout=180)
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]


@pytest.mark.parametrize("model", [f"{name}/good" for name in DOORS])
def test_node_clients(protocols, packages, model):  # noqa: F811
    run(protocols, model)


def test_node_clients_with_every_choice_made_the_other_way(otherwise, packages):  # noqa: F811
    run(otherwise, "messages/good")
