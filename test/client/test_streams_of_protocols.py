"""What goes over the wire in streams of Messages and Responses: signs of life, failures, ends."""
from __future__ import annotations

import json

import pytest

import provider_messages
import raw
from conftest import PROTOCOLS
from gateway import Gateway

BODIES = {"messages": {"max_tokens": 5, "messages": [{"role": "user", "content": "hello"}]},
          "responses": {"input": "hello"},
          "chat/completions": {"messages": [{"role": "user", "content": "hello"}]}}


@pytest.fixture(scope="module")
def patient(upstream, tmp_path_factory):
    """A gateway that shows signs of life after a fifth of a second."""
    providers = {name: {"protocol": protocol, "base_url": upstream.base_url, "api_key": "sk-up"}
                 for name, protocol in PROTOCOLS.items() if name in ("chat", "messages")}
    gw = Gateway(tmp_path_factory.mktemp("patient"), upstream.base_url, providers=providers,
                 server={"sse_keepalive": "200ms"},
                 models={f"{p}/{m}": {"provider": p, "upstream_model": m}
                         for p in providers for m in ("pausing", "breaking", "overloaded")}).start()
    yield gw
    gw.stop()


def stream(gw, path: str, model: str) -> str:
    body = json.dumps(BODIES[path] | {"model": model, "stream": True}).encode()
    answer = gw.ask(raw.request_bytes("POST", f"/v1/{path}", body))
    assert answer.status == 200, answer.body
    return answer.body.decode()


def chat_chunk(content: str, finish=None) -> bytes:
    return b"data: " + json.dumps({"id": "c", "choices": [
        {"index": 0, "delta": {"content": content}, "finish_reason": finish}]}).encode() + b"\n\n"


async def pausing(x) -> None:
    await x.stream_head()
    if "/messages" in x.request.target:
        events = list(provider_messages.events(x.request.json))
        for each in events[:-2]:
            await x.chunk(each)
        await x.sleep(0.7)
        for each in events[-2:]:
            await x.chunk(each)
    else:
        await x.chunk(chat_chunk("You said: hello"))
        await x.sleep(0.7)
        await x.chunk(chat_chunk("", "stop") + b"data: [DONE]\n\n")
    await x.last_chunk()


@pytest.mark.parametrize("provider", ["chat", "messages"])
def test_messages_client_hears_pings_in_a_silence(patient, upstream, provider):
    """Claude Code gives up on streams without events; comments do not count."""
    upstream.scripts["pausing"] = pausing
    text = stream(patient, "messages", f"{provider}/pausing")
    assert "\0" not in text and text.count('event: ping\ndata: {"type": "ping"}\n\n') >= 2
    assert "SLUICE" not in text
    assert text.index("message_start") < text.index("event: ping")
    assert text.endswith('event: message_stop\ndata: {"type":"message_stop"}\n\n')


def test_responses_client_hears_an_event_in_a_silence(patient, upstream):
    upstream.scripts["pausing"] = pausing
    text = stream(patient, "responses", "chat/pausing")
    numbers = [json.loads(line[6:])["sequence_number"] for line in text.splitlines()
               if line.startswith("data: ")]
    assert "event: keepalive" in text and numbers == list(range(len(numbers)))


def test_response_says_when_it_was_complete(patient, upstream):
    async def slow(x) -> None:
        await x.stream_head()
        await x.chunk(chat_chunk("You said: hello"))
        await x.sleep(1.1)
        await x.chunk(chat_chunk("", "stop") + b"data: [DONE]\n\n")
        await x.last_chunk()

    upstream.scripts["pausing"] = slow
    text = stream(patient, "responses", "chat/pausing")
    last = json.loads(text.rpartition("data: ")[2])["response"]
    assert last["status"] == "completed"
    assert 1 <= last["completed_at"] - last["created_at"] <= 5


async def breaking(x) -> None:
    await x.stream_head()
    if "/messages" in x.request.target:
        for each in list(provider_messages.events(x.request.json))[:4]:
            await x.chunk(each)
    else:
        await x.chunk(chat_chunk("You said"))
    x.reset()


@pytest.mark.parametrize("provider", ["chat", "messages"])
@pytest.mark.parametrize("path,end", [("messages", "event: error\n"),
                                      ("responses", "event: response.failed\n"),
                                      ("chat/completions", "data: [DONE]\n\n")])
def test_broken_stream_ends_in_an_error(patient, upstream, provider, path, end):
    upstream.scripts["breaking"] = breaking
    text = stream(patient, path, f"{provider}/breaking")
    assert end in text and '"error"' in text
    assert "message_stop" not in text and "response.completed" not in text


async def overloaded(x) -> None:
    if "/messages" in x.request.target:
        await x.reply(529, provider_messages.error("Overloaded", "overloaded_error"))
    else:
        await x.reply(400, json.dumps({"error": {"message": "too long", "type": "x"}}).encode())


def test_errors_of_a_provider_reach_each_client_in_its_form(patient, upstream):
    upstream.scripts["overloaded"] = overloaded
    for path in BODIES:
        for provider, status in (("messages", 503), ("chat", 400)):
            body = json.dumps(BODIES[path] | {"model": f"{provider}/overloaded"}).encode()
            answer = patient.ask(raw.request_bytes("POST", f"/v1/{path}", body))
            assert answer.status == status, (path, provider, answer.body)
            error = answer.json["error"]
            assert ("Overloaded" if provider == "messages" else "too long") in error["message"]
            if path == "messages":
                assert answer.json["type"] == "error"
                assert error["type"] == {503: "overloaded_error",
                                         400: "invalid_request_error"}[status]


def test_claude_code_is_told_that_the_prompt_is_too_long(patient, upstream):
    """It looks for the words, whoever the provider is, and shortens the conversation."""
    async def too_long(x):
        await x.reply(400, json.dumps({"error": {
            "message": "This model's maximum context length is 8192 tokens.",
            "code": "context_length_exceeded"}}).encode())

    upstream.scripts["overloaded"] = too_long
    body = json.dumps(BODIES["messages"] | {"model": "chat/overloaded"}).encode()
    answer = patient.ask(raw.request_bytes("POST", "/v1/messages", body))
    assert answer.status == 400 and answer.json["error"]["message"].startswith("prompt is too long")
