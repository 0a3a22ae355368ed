"""Coding agents, unmodified and headless: Claude Code and Codex, on models of every protocol.

Both run a whole turn of theirs: the provider asks for the first tool they offer, they run or refuse
it, and send the result back. What is checked is what a user would see.
"""
from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

import pytest

import npm
import raw
from conftest import PROTOCOLS

HERE = Path(__file__).resolve().parent / "agents"
MODELS = [f"{name}/good" for name in PROTOCOLS]


@pytest.fixture(scope="module")
def agents():
    """The packages as the lock file pins them; they are binaries for some platforms only."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("these agents are pinned for Linux on x86_64")
    return npm.installed(HERE)


def run(command: list[str], home: Path, **env: str) -> str:
    done = subprocess.run(command, cwd=home, text=True, capture_output=True, timeout=90,
                          stdin=subprocess.DEVNULL,
                          env={"PATH": os.environ["PATH"], "HOME": str(home)} | env)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.parametrize("model", MODELS)
def test_claude_code(protocols, upstream, agents, tmp_path, model):
    before = len(upstream.requests)
    out = run([str(agents / "@anthropic-ai/claude-code-linux-x64/claude"), "-p", "hello",
               "--output-format", "json"], tmp_path,
              ANTHROPIC_BASE_URL=protocols.base_url.removesuffix("/v1"),
              ANTHROPIC_AUTH_TOKEN=raw.KEY, ANTHROPIC_MODEL=model,
              ANTHROPIC_SMALL_FAST_MODEL=model, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
              DISABLE_AUTOUPDATER="1")
    answer = json.loads(out)
    assert answer["is_error"] is False and answer["result"].startswith("You said: "), out
    assert answer["num_turns"] == 2, "the tool's result went back"
    assert answer["usage"]["output_tokens"] > 0 and answer["usage"]["input_tokens"] > 0
    asked = [r.json for r in upstream.requests[before:] if "tools" in r.body.decode()]
    assert len(asked) >= 2, "one request to ask, one to tell what the tool said"


@pytest.mark.parametrize("model", MODELS)
def test_codex(protocols, agents, tmp_path, model):
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex/config.toml").write_text(f"""
model = "{model}"
model_provider = "sluice"
[model_providers.sluice]
name = "sluice"
base_url = "{protocols.base_url}"
env_key = "SLUICE_KEY"
wire_api = "responses"
stream_max_retries = 0
request_max_retries = 0
""")
    out = run([str(agents / ".bin/codex"), "exec", "--skip-git-repo-check", "--json", "hello"],
              tmp_path, SLUICE_KEY=raw.KEY)
    events = [json.loads(line) for line in out.splitlines()]
    kinds = [e["type"] for e in events]
    said = [e["item"]["text"] for e in events
            if e["type"] == "item.completed" and e["item"]["type"] == "agent_message"]
    assert len(said) == 1, out  # Messages join what Codex sends as two messages of the user
    assert said[0].startswith("You said: ") and said[0].endswith("hello"), out
    assert kinds[-1] == "turn.completed", out
    assert events[-1]["usage"]["output_tokens"] > 0
