"""What goes over the wire in streams of Messages and Responses: signs of life, failures, ends."""
from __future__ import annotations

import json

import pytest

import provider
import provider_messages
import provider_responses
import raw
from conftest import PROTOCOLS
from gateway import Gateway

BODIES = {"messages": {"max_tokens": 5, "messages": [{"role": "user", "content": "hello"}]},
          "responses": {"input": "hello"},
          "chat/completions": {"messages": [{"role": "user", "content": "hello"}]}}


@pytest.fixture(scope="module")
def patient(upstream, tmp_path_factory):
    """A gateway that shows signs of life after a tenth of a second."""
    providers = {name: {"protocol": protocol, "base_url": upstream.base_url, "api_key": "sk-up"}
                 for name, protocol in PROTOCOLS.items() if name in ("chat", "messages", "responses")}
    gw = Gateway(tmp_path_factory.mktemp("patient"), upstream.base_url, providers=providers,
                 server={"sse_keepalive": "100ms"},
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
    protocol = {"messages": provider_messages, "responses": provider_responses}.get(
        x.request.target.rpartition("/")[2])
    if protocol is not None:
        events = list(protocol.events(x.request.json))
        for each in events[:-2]:
            await x.chunk(each)
        await x.sleep(1.05)
        for each in events[-2:]:
            await x.chunk(each)
    else:
        await x.chunk(chat_chunk("You said: hello"))
        await x.sleep(1.05)
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


@pytest.mark.parametrize("provider", ["chat", "responses"])
def test_responses_client_hears_an_event_in_a_long_silence(patient, upstream, provider):
    """Codex counts events only, but the one there is for this is in no grammar: five comments first."""
    upstream.scripts["pausing"] = pausing
    text = stream(patient, "responses", f"{provider}/pausing")
    assert text.count("event: keepalive\n") == 1
    before, _, after = text.partition("event: keepalive\n")
    assert before.endswith(5 * ": SLUICE PROCESSING\n\n")
    event, *rest = [json.loads(line[6:]) for line in after.splitlines() if line.startswith("data: ")]
    assert event["type"] == "keepalive"
    # a provider's own events keep the numbers it gave them
    assert rest[0]["sequence_number"] == event["sequence_number"] + 1
    assert rest[-1]["type"] == "response.completed"


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


TOO_LONG = {
    "OpenAI": {"error": {"message": "This model's maximum context length is 8192 tokens.",
                         "code": "context_length_exceeded"}},
    "vLLM": {"error": {"message": "maximum context length is 8192 tokens, you asked for 9000"}},
    "Anthropic": {"type": "error", "error": {
        "type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"}},
    "Google": {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message":
               "The input token count (9) exceeds the maximum number of tokens allowed (8)."}},
    "AWS": {"message": "Input is too long for requested model."},
}


@pytest.mark.parametrize("whose", TOO_LONG)
def test_clients_are_told_that_the_prompt_is_too_long(patient, upstream, whose):
    """They look for words or for a code, whoever the provider is, and shorten the conversation."""
    async def too_long(x):
        await x.reply(400, json.dumps(TOO_LONG[whose]).encode())

    upstream.scripts["overloaded"] = too_long
    body = json.dumps(BODIES["messages"] | {"model": "chat/overloaded"}).encode()
    answer = patient.ask(raw.request_bytes("POST", "/v1/messages", body))
    assert answer.status == 400 and "prompt is too long" in answer.json["error"]["message"]
    assert answer.json["error"]["type"] == "invalid_request_error"
    body = json.dumps(BODIES["responses"] | {"model": "chat/overloaded"}).encode()
    answer = patient.ask(raw.request_bytes("POST", "/v1/responses", body))
    assert answer.status == 400 and answer.json["error"]["code"] == "context_length_exceeded"


def test_stream_that_fails_for_its_length_says_so(patient, upstream):
    async def too_long(x):
        await x.stream_head()
        await x.chunk(chat_chunk("You said"))
        await x.chunk(b"data: " + json.dumps(TOO_LONG["vLLM"]).encode() + b"\n\n")
        await x.last_chunk()

    upstream.scripts["breaking"] = too_long
    assert "prompt is too long: " in stream(patient, "messages", "chat/breaking")
    assert '"code":"context_length_exceeded"' in stream(patient, "responses", "chat/breaking")


def test_prompt_is_counted_before_anybody_knows(patient, upstream):
    """Chat upstreams tell usage at the end; a Messages client wants it at the start."""
    upstream.scripts.pop("pausing", None)
    text = stream(patient, "messages", "chat/pausing")
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert 1 <= events[0]["message"]["usage"]["input_tokens"] <= 20


BILLING = "x-anthropic-billing-header: cc_version=2; cch=%d;"


@pytest.mark.parametrize("system,kept", [
    (BILLING + "\nBe brief.", "Be brief."),
    ([{"type": "text", "text": BILLING}, {"type": "text", "text": "Be brief."}], "Be brief."),
    (BILLING, ""),
])
def test_billing_line_stays_with_anthropic(protocols, upstream, system, kept):
    """It changes with each request, which no cache of a prefix survives; the rest must stay."""
    for model in ("chat/good", "responses/good", "gemini/good", "bedrock/good"):
        body = json.dumps(BODIES["messages"] | {"model": model, "system": system}).encode()
        answer = protocols.ask(raw.request_bytes("POST", "/v1/messages", body))
        assert answer.status == 200, answer.body
        sent = upstream.requests[-1].body.decode()
        assert "billing" not in sent and kept in sent, sent
        assert kept or "system" not in sent and '"instructions"' not in sent, sent
    body = json.dumps(BODIES["messages"] | {"model": "messages/good", "system": system}).encode()
    assert protocols.ask(raw.request_bytes("POST", "/v1/messages", body)).status == 200
    assert "billing" in upstream.requests[-1].body.decode()


def test_tokens_are_counted_where_the_provider_cannot(protocols, upstream):
    async def no_counter(x):
        await x.reply(404, b'{"error":{"message":"Not Found"}}')

    upstream.scripts["good"] = no_counter
    try:
        body = json.dumps({"model": "messages/good", "messages": BODIES["messages"]["messages"]})
        answer = protocols.ask(raw.request_bytes("POST", "/v1/messages/count_tokens",
                                                 body.encode()))
    finally:
        del upstream.scripts["good"]
    assert answer.status == 200 and answer.json["estimated"] is True, answer.body
    assert 5 <= answer.json["input_tokens"] <= 15


def test_provider_that_wants_to_be_paid_is_not_the_clients_fault(patient, upstream):
    async def unpaid(x):
        await x.reply(402, b'{"error":{"message":"Insufficient Balance","type":"unknown_error"}}')

    upstream.scripts["overloaded"] = unpaid
    for path in BODIES:
        body = json.dumps(BODIES[path] | {"model": "chat/overloaded"}).encode()
        answer = patient.ask(raw.request_bytes("POST", f"/v1/{path}", body))
        assert answer.status == 502 and "check the account" in answer.json["error"]["message"]


def test_long_ids_of_users_are_hashed(protocols, upstream):
    """Claude Code's are longer than OpenAI takes; the same one is always the same."""
    ids = []
    for _ in range(2):
        body = BODIES["messages"] | {"model": "chat/good", "metadata": {"user_id": "u" * 150}}
        answer = protocols.ask(raw.request_bytes("POST", "/v1/messages", json.dumps(body).encode()))
        assert answer.status == 200, answer.body
        sent = upstream.requests[-1].json
        ids += [sent["user"], sent["prompt_cache_key"]]
    assert len(ids[0]) == 64 and len(set(ids)) == 1


def test_endpoint_that_cannot_be_told_leaves_it_to_the_next(start, upstream):
    """Bedrock's Converse has no JSON schema; the next model has."""
    providers = {
        "bedrock": {"protocol": "bedrock", "base_url": upstream.base_url, "api_key": "k"},
        "claude": {"protocol": "anthropic", "base_url": upstream.base_url, "api_key": "k"}}
    ends = {f"at/{name}": {"provider": name, "upstream_model": "good"} for name in providers}
    gw = start(providers=providers, models=ends | {
        "both": {"alias": list(ends)}, "one": {"alias": ["at/bedrock"]}})
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    answer = gw.chat("both", response_format=schema)
    assert answer.status == 200 and answer.headers["x-sluice-provider"] == "claude"
    assert answer.headers["x-sluice-attempts"] == "2"
    answer = gw.chat("one", response_format=schema)
    assert answer.status == 400 and answer.json["error"]["param"] == "response_format"
    assert gw.metric("sluice_upstream_attempts_total", result="unsupported") == 2


CREATED = {"type": "response.created", "sequence_number": 0, "response": {
    "id": "resp_own", "object": "response", "created_at": 1, "status": "in_progress",
    "error": None, "model": "m", "output": [], "tools": [], "metadata": {"a": "b"}}}
DELTA = {"type": "response.output_text.delta", "sequence_number": 1, "item_id": "i",
         "output_index": 0, "content_index": 0, "delta": "You said"}
FLAT_ERROR = {"type": "error", "sequence_number": 2, "code": "server_error", "message": "it broke"}


def named(event: dict) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


@pytest.mark.parametrize("end", ["reset", "error", "eof"])
def test_passing_response_always_ends_as_one(protocols, upstream, end):
    """The provider broke off, or stopped behind an error: the response that began is told its end."""
    async def broken(x):
        await x.stream_head()
        await x.chunk(named(CREATED) + named(DELTA))
        if end == "error":
            await x.chunk(named(FLAT_ERROR))
        if end == "reset":
            await x.sleep(0.1)
            x.reset()
        else:
            await x.last_chunk()

    upstream.scripts["good"] = broken
    try:
        text = stream(protocols, "responses", "responses/good")
    finally:
        del upstream.scripts["good"]
    last = json.loads(text.rpartition("data: ")[2])
    assert text.count("event: response.failed\n") == 1 and last["type"] == "response.failed"
    assert last["sequence_number"] == (3 if end == "error" else 2)
    response = last["response"]
    assert response == CREATED["response"] | {"status": "failed", "error": response["error"]}
    assert response["error"]["code"] == "server_error"
    if end == "error":
        assert response["error"]["message"] == "it broke"


async def other_form(x) -> None:
    """Streams what was to be whole, and the other way around."""
    body, target = x.request.json, x.request.target
    protocol = provider_messages if "/messages" in target else \
        provider_responses if "/responses" in target else provider
    if not body.get("stream"):
        events = provider.chat_events if protocol is provider else protocol.events
        await x.stream_head()
        for each in events(body):
            await x.chunk(each)
        await x.last_chunk()
    else:
        whole = {provider: provider.chat_completion, provider_messages: provider_messages.message,
                 provider_responses: provider_responses.response}[protocol]
        await x.reply(200, json.dumps(whole(body)).encode())


@pytest.mark.parametrize("upstream_protocol", ["chat", "messages", "responses"])
@pytest.mark.parametrize("path", BODIES)
def test_client_gets_the_form_it_asked_for(protocols, upstream, path, upstream_protocol):
    upstream.scripts["good"] = other_form
    model = f"{upstream_protocol}/good"
    try:
        text = stream(protocols, path, model)
        answer = protocols.ask(raw.request_bytes("POST", f"/v1/{path}", json.dumps(
            BODIES[path] | {"model": model}).encode()))
    finally:
        del upstream.scripts["good"]
    end = {"messages": "event: message_stop\n", "responses": "event: response.completed\n",
           "chat/completions": "data: [DONE]\n\n"}[path]
    assert end in text and "hello" in text, text
    assert answer.status == 200 and "You said: hello" in answer.body.decode(), answer.body
    assert answer.headers["content-type"] == "application/json"
