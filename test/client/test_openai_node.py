"""Runs the official OpenAI SDK for node (openai.test.mjs), the two newest major versions."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import npm
import raw
from conftest import LIMITED
from upstream import until

HERE = Path(__file__).resolve().parent / "node"


@pytest.fixture(scope="module")
def packages():
    """The SDKs as the lock file pins them."""
    return npm.installed(HERE)


@pytest.mark.parametrize("sdk,oldest_node", [("openai-6", 18), ("openai-7", 20)])
def test_official_node_sdk(gateway, demo, upstream, packages, sdk, oldest_node):
    if npm.node_version() < oldest_node:
        pytest.skip(f"{sdk} needs node {oldest_node}")
    env = os.environ | {"SDK": sdk, "BASE_URL": gateway.base_url, "API_KEY": raw.KEY,
                        "LIMITED_KEY": LIMITED, "DEMO_URL": demo.base_url}
    done = subprocess.run(["node", "--test", "openai.test.mjs"], cwd=HERE, env=env, text=True,
                          capture_output=True, timeout=120)
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]
    for model in ("endless", "silent"):  # what the SDK aborted was cancelled at the provider
        for exchange in upstream.exchanges_of(model):
            until(lambda e=exchange: e.aborted, 5, f"the cancel of {model}")
