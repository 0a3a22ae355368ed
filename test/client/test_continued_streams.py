"""Streams that another endpoint went on with, as the official SDKs read them: each parses with its own
accumulators, and what they put together is the answer of a provider that never broke."""
from __future__ import annotations

import contextlib
import itertools
import random

import anthropic
import openai
import pytest

import clients
import mangling
import provider_story
from gateway import Gateway
from provider_story import STORY, WORDS

TELLERS = {"breaks-chat": "openai", "breaks-messages": "anthropic", "breaks-responses": "responses"}
FOLLOWERS = {"claude": "claude-sonnet-4-5", "vllm": "vllm", "mistral": "mistral"}
# An endpoint that breaks time and again is asked last: of each model a few requests are all.
MODELS, USES = 500, 4
numbers = itertools.count()


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    url = {"base_url": upstream.base_url, "api_key": "sk-up"}
    providers = {name: url | {"protocol": protocol} for name, protocol in TELLERS.items()} | {
        "claude": url | {"protocol": "anthropic"},
        "vllm": url | {"preset": "vllm", "auth": "bearer"}, "mistral": url | {"preset": "mistral"}}
    endpoints = [{"provider": name, "upstream_model": FOLLOWERS.get(name, name)}
                 for name in providers]
    gw = Gateway(tmp_path_factory.mktemp("continued"), upstream.base_url, providers=providers,
                 models={f"story-{i}": {"endpoints": endpoints} for i in range(MODELS)},
                 routing={"continue_streams": True}).start()
    normal, upstream.script_for = upstream.script_for, script_for
    yield gw
    upstream.script_for = normal
    gw.stop()


def script_for(request):
    return mangled if b"mangle-" in request.body else provider_story.behave


def wish(first: str, second: str) -> tuple[str, dict]:
    order = [first, second]
    return f"story-{next(numbers) // USES}", {"provider": {"order": order, "only": order}}


def chat(client, first: str, second: str, text: str) -> str:
    model, more = wish(first, second)
    with client.chat.completions.stream(
            model=model, messages=[{"role": "user", "content": text}], extra_body=more,
            stream_options={"include_usage": True}) as stream:
        for _ in stream:
            pass
        answer = stream.get_final_completion()
    assert answer.choices[0].finish_reason is not None and answer.usage.completion_tokens >= 0
    return answer.choices[0].message.content


def messages(client, first: str, second: str, text: str) -> str:
    model, more = wish(first, second)
    with client.messages.stream(model=model, max_tokens=3000, extra_body=more,
                                messages=[{"role": "user", "content": text}]) as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_message()
    assert kinds[-1] == "message_stop" and answer.stop_reason is not None
    return "".join(block.text for block in answer.content)


def responses(client, first: str, second: str, text: str) -> str:
    model, more = wish(first, second)
    with client.responses.stream(model=model, input=text, extra_body=more) as stream:
        kinds = [event.type for event in stream]
        assert kinds[-1] != "response.failed" or "mangle" in text
        return stream.get_final_response().output_text if kinds[-1] == "response.completed" else ""


CLIENTS = {"chat": (openai, chat), "messages": (anthropic, messages),
           "responses": (openai, responses)}


@pytest.mark.parametrize("second", FOLLOWERS)
@pytest.mark.parametrize("protocol", CLIENTS)
def test_story_is_whole_for_the_sdk_wherever_it_breaks(gateway, protocol, second):
    module, use = CLIENTS[protocol]
    with clients.sdk(module, gateway) as client:
        for cut in range(1, len(WORDS) + 4, 5):
            assert use(client, f"breaks-{protocol}", second, f"cut {cut} reset") == STORY, cut


# Who has lost his mind.

def mangled_seed(request) -> int:
    return int(request.body.partition(b"mangle-")[2].split(b" ")[0])


async def mangled(x) -> None:
    """The first teller as no provider should be, and the second one wherever that leads."""
    body = x.request.json
    chance = random.Random(f"{body['model']} {mangled_seed(x.request)}")
    begun = provider_story.begun_in(body)
    rest = STORY[len(begun):] if STORY.startswith(begun) else " and so on."
    events = list(provider_story.teller_of(x.request)(body, [rest[:9], rest[9:40], rest[40:99]]))
    if "breaks" in body["model"] or (begun and chance.random() < 0.3):  # what passes is its own
        events = mangling.mangled(events, chance, True)
    await x.stream_head()
    for piece in mangling.cut_anywhere(b"".join(events), chance):
        await x.chunk(piece)
    if chance.random() < 0.5:
        await x.last_chunk()
    else:
        x.reset()


@pytest.mark.parametrize("second", ["claude", "vllm"])
@pytest.mark.parametrize("protocol", CLIENTS)
def test_sdks_can_read_what_follows_a_mangled_stream(gateway, protocol, second):
    module, use = CLIENTS[protocol]
    with clients.sdk(module, gateway) as client:
        for seed in range(60):
            with contextlib.suppress(module.APIError):
                try:
                    use(client, f"breaks-{protocol}", second, f"mangle-{seed} ")
                except module.APIError:
                    raise
                except Exception as unexpected:
                    raise AssertionError(f"seed {seed}: {unexpected!r}") from unexpected
    assert gateway.process.poll() is None, gateway.log()[-4000:]
