"""Whatever a provider sends, the official SDKs can read what the gateway makes of it.

Each parses with its own accumulators, which are strict about order, indices and types. A stream ends
properly or in an error of the SDK's own kind; anything else an SDK raises is a sequence that should
not have left the gateway.
"""
from __future__ import annotations

import contextlib
import os
import subprocess

import anthropic
import openai
import pytest

import clients
import mangling
import npm
import raw
from conftest import DOORS
from test_openai_node import HERE, packages  # noqa: F401

SEEDS = int(os.environ.get("MANGLED_SEEDS", "60"))
# A model may write arguments that are no JSON, and they are passed on as they are.
BROKEN_ARGUMENTS = "Unable to parse tool parameter JSON"
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.fixture(scope="module")
def mangler(protocols, upstream):
    """The gateway of all protocols, whose provider has lost its mind."""
    normal = upstream.script_for
    upstream.script_for = lambda request: \
        mangling.behave if b"mangle-" in request.body else normal(request)
    yield protocols
    del upstream.script_for


def text_of(seed: int) -> str:
    return f"mangle-{seed} and a few more words"


def chat(client, model: str, seed: int) -> None:
    ask = dict(model=model, messages=[{"role": "user", "content": text_of(seed)}])
    if seed % 3 == 1:
        ask["tools"] = [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]
    if seed % 3 == 2:
        ask["reasoning_effort"] = "high"
    if seed % 4 == 3:
        answer = client.chat.completions.create(**ask)
        assert answer.choices[0].finish_reason is not None
        return
    with client.chat.completions.stream(**ask, stream_options={"include_usage": True}) as stream:
        for _ in stream:
            pass
        answer = stream.get_final_completion()
    assert answer.choices[0].finish_reason is not None, "an end without a reason"


def messages(client, model: str, seed: int) -> None:
    ask = dict(model=model, max_tokens=3000,
               messages=[{"role": "user", "content": text_of(seed)}])
    if seed % 3 == 1:
        ask["tools"] = [{"name": "weather", "input_schema": TOOL}]
    if seed % 3 == 2:
        ask["thinking"] = {"type": "enabled", "budget_tokens": 2000}
    if seed % 4 == 3:
        assert client.messages.create(**ask).stop_reason is not None
        return
    with client.messages.stream(**ask) as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_message()
    assert kinds[-1] == "message_stop" and answer.stop_reason is not None


def responses(client, model: str, seed: int) -> None:
    ask = dict(model=model, input=text_of(seed), store=False)
    if seed % 3 == 1:
        ask["tools"] = [{"type": "function", "name": "weather", "parameters": TOOL,
                         "strict": False}]
    if seed % 3 == 2:
        ask |= {"reasoning": {"effort": "high", "summary": "auto"},
                "include": ["reasoning.encrypted_content"]}
    if seed % 4 == 3:
        assert client.responses.create(**ask).status in ("completed", "incomplete")
        return
    with client.responses.stream(**ask) as stream:
        kinds = [event.type for event in stream]
    assert kinds[-1] in ("response.completed", "response.incomplete", "response.failed")


CLIENTS = {"chat": (openai, chat), "messages": (anthropic, messages),
           "responses": (openai, responses)}


PASS = {"chat": ("chat",), "messages": ("messages", "claude-on-bedrock"),
        "responses": ("responses",)}


@pytest.mark.parametrize("upstream_protocol", DOORS)
@pytest.mark.parametrize("client_protocol", CLIENTS)
def test_python_sdks_can_read_it(mangler, client_protocol, upstream_protocol):
    if upstream_protocol in PASS[client_protocol]:
        pytest.skip("passes as it is: what is in it is the provider's own")
    module, use = CLIENTS[client_protocol]
    with clients.sdk(module, mangler) as client:
        for seed in range(SEEDS):
            with contextlib.suppress(module.APIError):
                try:
                    use(client, f"{upstream_protocol}/good", seed)
                except module.APIError:
                    raise
                except Exception as unexpected:
                    if BROKEN_ARGUMENTS in str(unexpected):
                        continue
                    raise AssertionError(f"seed {seed}: {unexpected!r}") from unexpected
    assert mangler.process.poll() is None, mangler.log()[-4000:]


def test_node_sdks_can_read_it(mangler, packages):  # noqa: F811
    if npm.node_version() < 20:
        pytest.skip("these SDKs need node 20")
    env = os.environ | {"BASE_URL": mangler.base_url, "API_KEY": raw.KEY, "SEEDS": str(SEEDS),
                        "MODELS": ",".join(f"{name}/good" for name in DOORS)}
    done = subprocess.run(["node", "--test", "mangled.test.mjs"], cwd=HERE, env=env, text=True,
                          capture_output=True, timeout=300)
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]
