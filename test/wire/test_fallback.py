"""The fallback loop, item by item (contract 2.1): whatever the first endpoint does wrong before the first
content, the next one answers and the client sees nothing of it; what is the request's own fault is
told as it is."""
from __future__ import annotations

import json
import socket
import time

import pytest

import misbehaviour
import provider
import provider_messages
import provider_responses
import raw
from free_port import free_port
from gateway import Gateway
from provider import DONE, chat_chunk, chat_events, event
from upstream import SLOTS, slot_name, until

DOORS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
PROTOCOLS = {"chat": "openai", "messages": "anthropic", "responses": "responses"}
UNREACHABLE = ("refused", "unknown", "no-tls", "unanswered")


@pytest.fixture(scope="module")
def deaf():
    """A port whose queue is full: a connection to it is never made."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    address = listening.getsockname()
    waiting = [socket.socket() for _ in range(4)]
    for each in waiting:
        each.setblocking(False)
        each.connect_ex(address)
    yield address[1]
    for each in waiting + [listening]:
        each.close()


@pytest.fixture(scope="module")
def gateway(upstream, deaf, tmp_path_factory):
    """P/slot asks a slot in one protocol, and whoever behaves in the same one after it; P/refused and
    its like begin with a provider nobody can reach."""
    key = {"api_key": "sk-up"}
    hasty = {"timeouts": {"connect": "400ms", "first_byte": "400ms", "idle": "400ms"}}
    lost = {"refused": f"http://127.0.0.1:{free_port()}/v1",
            "unknown": "http://nobody.invalid/v1",
            "no-tls": f"https://127.0.0.1:{upstream.port}/v1",
            "unanswered": f"http://127.0.0.1:{deaf}/v1"}
    providers, models = {}, {}
    for name, protocol in PROTOCOLS.items():
        speaks = {"protocol": protocol} | key
        providers[f"bad-{name}"] = speaks | {"base_url": upstream.base_url} | hasty
        providers[f"good-{name}"] = speaks | {"base_url": upstream.base_url}
        models[f"good-{name}"] = {"provider": f"good-{name}", "upstream_model": "good"}
        for slot in (slot_name(n) for n in range(SLOTS)):
            models[f"bad-{name}-{slot}"] = {"provider": f"bad-{name}", "upstream_model": slot}
            models[f"{name}/{slot}"] = {"alias": [f"bad-{name}-{slot}", f"good-{name}"]}
        for how, url in lost.items():
            providers[f"{how}-{name}"] = speaks | {"base_url": url} | hasty
            models[f"{how}-{name}"] = {"provider": f"{how}-{name}", "upstream_model": "m"}
            models[f"{name}/{how}"] = {"alias": [f"{how}-{name}", f"good-{name}"]}
    gw = Gateway(tmp_path_factory.mktemp("fallback"), upstream.base_url, providers=providers,
                 models=models).start()
    yield gw
    gw.stop()


def ask(gateway, door: str, model: str, stream: bool = False) -> raw.Response:
    said = {"input": "hello"} if door == "responses" else \
        {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 50}
    body = json.dumps({"model": model, "stream": stream} | said).encode()
    return gateway.ask(raw.request_bytes("POST", DOORS[door], body), timeout=20)


def text_of(door: str, answer: raw.Response, stream: bool) -> str:
    if not stream:
        said = answer.json
        return {"chat": lambda: said["choices"][0]["message"]["content"],
                "messages": lambda: said["content"][0]["text"],
                "responses": lambda: said["output"][0]["content"][0]["text"]}[door]()
    events = raw.events_of(answer.body)
    if door == "chat":
        assert events[-1] == "[DONE]" and not any("error" in e for e in events[:-1])
        return raw.content_of(events)
    kinds = [e["type"] for e in events if isinstance(e, dict)]
    first, last, delta = {
        "messages": ("message_start", "message_stop", "content_block_delta"),
        "responses": ("response.created", "response.completed", "response.output_text.delta"),
    }[door]
    assert kinds[0] == first and kinds.count(first) == 1 and kinds[-1] == last, kinds
    deltas = [e["delta"] for e in events if e["type"] == delta]
    return "".join(d["text"] if door == "messages" else d for d in deltas)


def assert_next_answered(gateway, upstream, door: str, model: str, stream: bool) -> dict:
    before = len(upstream.seen("good"))
    answer = ask(gateway, door, model, stream)
    assert answer.status == 200 and answer.complete, answer.body
    assert text_of(door, answer, stream) == "You said: hello"
    assert len(upstream.seen("good")) == before + 1
    record = gateway.record_of(answer.headers["x-request-id"])
    assert [a["result"] for a in record["attempts"]][1:] == ["ok"] and record["outcome"] == "ok"
    assert record["endpoint"].startswith("good-")
    return record["attempts"][0]


both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@both
@pytest.mark.parametrize("how", UNREACHABLE)
def test_provider_that_cannot_be_reached_hands_over(gateway, upstream, how, stream):
    failed = assert_next_answered(gateway, upstream, "chat", f"chat/{how}", stream)
    assert failed["result"] == ("timeout" if how in ("unanswered", "no-tls") else "connect_failed")


# What the first does: a script, by the form of the answer that was asked for.

def says(status: int, body: bytes, *headers):
    async def script(x):
        await x.reply(status, body, *headers)
    return script


def wrong(status: int, kind: str = "server_error", code: str | None = None):
    return says(status, provider.error("not now", kind, None, code))


def streams(*events: bytes, then: str = "no finish and no [DONE]"):
    async def script(x):
        await x.stream_head()
        for each in events:
            await x.chunk(each)
        await misbehaviour.AFTER[then](x)
    return script


def in_a_200(kind: str, code: str | None = None):
    """The error's own words, where a good answer was announced."""
    async def script(x):
        said = provider.error("the model is overloaded", kind, None, code)
        if x.request.json.get("stream"):
            await x.stream_head()
            await x.chunk(b"data: " + said + b"\n\n")
            await x.last_chunk()
        else:
            await x.reply(200, said)
    return script


async def role_then_error(x):
    await x.stream_head()
    await x.chunk(next(chat_events(x.request.json)))
    await misbehaviour.AFTER["error event"](x)


def role_then(how: str):
    return misbehaviour.events_then(1, how)


async def many_openers(x):
    """As some write it: what comes first is named, and empty; a comment; a chunk without choices."""
    body = x.request.json
    await x.stream_head()
    await x.chunk(b": PROCESSING\n\n")
    await x.chunk(event(chat_chunk(body, {}) | {"choices": []}))
    await x.chunk(event(chat_chunk(body, {"role": "assistant", "content": "", "tool_calls": None,
                                          "reasoning_content": None})))
    x.close()


def played(events: list[bytes]):
    async def script(x):
        await x.stream_head()
        for each in events:
            await x.chunk(each)
        await x.last_chunk()
    return script


EITHER = {
    **{f"answers {s}": wrong(s) for s in (401, 402, 403, 404, 408, 409, 424, 425, 429, 500, 501, 502,
                                          503, 504, 505, 507, 520, 524, 529, 599)},
    "has no such model": wrong(404, "invalid_request_error", "model_not_found"),
    "has no such model, and says 400": wrong(400, "invalid_request_error", "model_not_found"),
    "is used up": wrong(429, "insufficient_quota", "insufficient_quota"),
    "resets": misbehaviour.reset_before_head,
    "closes": misbehaviour.close_before_head,
    "says nothing": misbehaviour.silent,
    "speaks another language": misbehaviour.garbage,
    "breaks off in its head": misbehaviour.half_a_head,
    "redirects": says(302, b"", ("Location", "http://127.0.0.1:1/")),
    "is overloaded, in a 200": in_a_200("overloaded_error"),
    "is limited, in a 200": in_a_200("requests", "rate_limit_exceeded"),
    "answers with a page": says(200, b"<html>busy</html>"),
    "answers with nothing": says(200, b""),
}
WHOLE = {
    "answers with half": says(200, b'{"id":"x","choices":[{"index":0,'),
    "answers with a list": says(200, b"[]"),
    "answers with an empty stream": streams(),
    "falls silent": misbehaviour.whole_head_then_silence,
}
STREAM = {
    "has no event": streams(),
    "closes after the head": streams(then="close"),
    "resets after the head": misbehaviour.reset_after_head,
    "falls silent after the head": misbehaviour.head_then_silence,
    "only says [DONE]": streams(DONE),
    "sends garbage": streams(b"data: {not json\n\n"),
    "sends half an event": streams(then="mid event"),
    "names its role, and closes": role_then("close"),
    "names its role, and resets": role_then("reset"),
    "names its role, and stalls": role_then("stall"),
    "names its role, and ends": role_then("no finish and no [DONE]"),
    "names its role, and is done": streams(
        event(chat_chunk({"model": "m"}, {"role": "assistant", "content": ""})), DONE),
    "names its role, and reports an error": role_then_error,
    "opens at length, and closes": many_openers,
}
WAYS = [(how, script, stream) for stream, scripts in
        [(False, EITHER | WHOLE), (True, EITHER | STREAM)] for how, script in scripts.items()]


@pytest.mark.parametrize("how,script,stream", [pytest.param(
    *way, id=f"{way[0]}-{'stream' if way[2] else 'whole'}") for way in WAYS])
def test_provider_that_fails_before_content_hands_over(gateway, upstream, how, script, stream):
    model = upstream.play(script)
    assert_next_answered(gateway, upstream, "chat", f"chat/{model}", stream)
    fresh = [r for r in upstream.seen(model) if r.number_on_connection == 0]
    assert len(fresh) <= 1, "one attempt an endpoint, and one more when a kept connection was dead"


@pytest.mark.parametrize("how,script", [pytest.param(s, STREAM[s], id=s) for s in STREAM])
def test_translated_stream_that_fails_before_content_hands_over(gateway, upstream, how, script):
    model = upstream.play(script)
    assert_next_answered(gateway, upstream, "messages", f"chat/{model}", True)


def openers(name: str, body: dict) -> list[bytes]:
    protocol, content = {"messages": (provider_messages, b"content_block_delta"),
                         "responses": (provider_responses, b".delta")}[name]
    out = []
    for each in protocol.events(body):
        if content in each:
            return out
        out.append(each)
    raise AssertionError("no content")


FAILED = {
    "messages": b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error",'
                b'"message":"Overloaded"}}\n\n',
    "responses": b'event: response.failed\ndata: {"type":"response.failed","sequence_number":9,'
                 b'"response":{"status":"failed","error":{"code":"server_error","message":"m"}}}\n\n',
}


@pytest.mark.parametrize("fails", [False, True], ids=["breaks", "fails"])
@pytest.mark.parametrize("door", ["chat", "messages", "responses"])
@pytest.mark.parametrize("name", ["messages", "responses"])
def test_answer_that_was_only_opened_is_another_endpoints(gateway, upstream, name, door, fails):
    """message_start, response.created and their like: nothing that could not be said again."""
    async def script(x):
        await x.stream_head()
        for each in openers(name, x.request.json):
            await x.chunk(each)
        if fails:
            await x.chunk(FAILED[name])
            await x.last_chunk()
        else:
            x.close()
    model = upstream.play(script)
    assert_next_answered(gateway, upstream, door, f"{name}/{model}", True)


@both
@pytest.mark.parametrize("script,status", [
    (wrong(400, "invalid_request_error"), 400),
    (wrong(413, "invalid_request_error"), 413),
    (wrong(422, "invalid_request_error"), 422),
    (wrong(400, "invalid_request_error", "content_policy_violation"), 400),
    (wrong(403, "content_filter", "content_filter"), 403),
    (wrong(400, "invalid_request_error", "context_length_exceeded"), 400),
    (in_a_200("content_filter", "content_filter"), 403),
    (in_a_200("invalid_request_error"), 400),
], ids=["400", "413", "422", "policy", "policy-403", "length", "policy-in-200", "invalid-in-200"])
def test_fault_of_the_request_is_told_as_it_is(gateway, upstream, script, status, stream):
    model, before = upstream.play(script), len(upstream.seen("good"))
    for _ in range(6):  # and says nothing of how the endpoint does
        answer = ask(gateway, "chat", f"chat/{model}", stream)
        assert answer.status == status, answer.body
    assert len(upstream.seen(model)) == 6 and len(upstream.seen("good")) == before
    assert f'"endpoint":"bad-chat-{model}' not in gateway.log()


def test_answer_without_a_word_is_an_answer(gateway, upstream):
    """A stop and no text: the model had nothing to say."""
    body = {"model": "m"}
    model = upstream.play(played([event(chat_chunk(body, {"role": "assistant", "content": ""})),
                                  event(chat_chunk(body, {}, "stop")), DONE]))
    answer = ask(gateway, "chat", f"chat/{model}", True)
    assert answer.headers["x-sluice-attempts"] == "1"
    assert len(raw.events_of(answer.body)) == 3


def test_opening_goes_out_with_the_first_content(gateway, upstream):
    """Nothing of the answer is held that brings a word, and what was held comes first."""
    gate = upstream.gate()
    model = upstream.play(misbehaviour.stepped(gate, 2))
    with gateway.client(timeout=5) as client:
        client.send(raw.chat_bytes(f"chat/{model}", stream=True))
        gate.open()
        client.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.more()
        client.sock.settimeout(5)
        gate.open()
        stream = raw.Stream(client)
        assert b'"role"' in stream.next() and b'"0 "' in stream.next()
        gate.open()
        stream.rest()


@pytest.mark.parametrize("door", ["chat", "messages"])
def test_answer_that_breaks_with_its_first_content_was_opened_once(gateway, upstream, door):
    async def script(x):
        role, word = list(chat_events(x.request.json))[:2]
        await x.stream_head()
        await x.chunk(role)
        await x.sleep(0.05)
        await x.chunk(word + b"data: {not json\n\n")
        await x.last_chunk()
    answer = ask(gateway, door, f"chat/{upstream.play(script)}", True)
    opening = b'"role"' if door == "chat" else b'{"type":"message_start"'
    assert answer.status == 200 and b'"error"' in answer.body
    assert answer.body.count(opening) == 1 and answer.body.count(b"You") == 1, answer.body


@pytest.mark.parametrize("door,opens", [("chat", False), ("messages", True)])
def test_client_that_counts_events_is_not_kept_waiting(start, upstream, door, opens):
    """Claude Code takes silence for a stall, and comments for silence: what has been held for as long as
    a sign of life is due is the sign. Others get comments."""
    gate = upstream.gate()

    async def script(x):
        await x.stream_head()
        for number, each in enumerate(chat_events(x.request.json)):
            if number == 1:
                await gate.wait()
            await x.chunk(each)
        await x.last_chunk()
    gw = start(server={"sse_keepalive": "200ms"})
    said = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 5, "stream": True}
    with gw.client(timeout=5) as client:
        body = json.dumps({"model": upstream.play(script)} | said).encode()
        client.send(raw.request_bytes("POST", DOORS[door], body))
        stream = raw.Stream(client)
        frame = next(stream.frames())
        assert frame.startswith(b"event: message_start") if opens else frame.startswith(b":")
        gate.open()
        stream.rest()


@both
def test_no_endpoint_is_asked_once_the_time_is_up(start, upstream, stream):
    """The deadline is the request's, whoever of the plan is being asked."""
    gw = start(server={"request_timeout": "700ms"}, models={
        "m": {"alias": ["slow-1", "slow-2", "slow-3"]},
        **{f"slow-{n}": {"provider": f"p{n}", "upstream_model": f"slow-{n}"} for n in (1, 2, 3)}},
        providers={f"p{n}": {"protocol": "openai", "base_url": upstream.base_url, "api_key": "k",
                             "timeouts": {"first_byte": "400ms"}} for n in (1, 2, 3)})
    for n in (1, 2, 3):
        upstream.scripts[f"slow-{n}"] = misbehaviour.silent
    began = time.monotonic()
    try:
        answer = ask(gw, "chat", "m", stream)
    finally:
        for n in (1, 2, 3):
            del upstream.scripts[f"slow-{n}"]
    assert answer.status == 408 and time.monotonic() - began < 3
    assert not upstream.seen("slow-3")


def test_eight_attempts_are_the_most(start, upstream):
    names = [f"dead-{n}" for n in range(10)]
    gw = start(models={"m": {"alias": names}} | {
        n: {"provider": f"p-{n}", "upstream_model": n} for n in names},
        providers={f"p-{n}": {"protocol": "openai", "base_url": upstream.base_url, "api_key": "k"}
                   for n in names})
    for n in names:
        upstream.scripts[n] = wrong(500)
    answer = ask(gw, "chat", "m")
    assert answer.status == 502
    assert [len(upstream.seen(n)) for n in names] == [1] * 8 + [0] * 2
    for n in names:
        del upstream.scripts[n]


# How often those are asked who are not well.

def fleet(upstream, names: str, **routing) -> dict:
    """One model at several providers, each with a name of its own for it."""
    return {"routing": routing,
            "providers": {n: {"protocol": "openai", "base_url": upstream.base_url, "api_key": "k",
                              "timeouts": {"first_byte": "500ms"}} for n in names.split()},
            "models": {"m": {"endpoints": [{"provider": n, "upstream_model": f"{n}-m"}
                                           for n in names.split()]}}}


@pytest.fixture
def failing(upstream):
    """failing(name=script, …): how these providers answer for the time of the test."""
    def play(**scripts) -> None:
        upstream.scripts.update({f"{n}-m": script for n, script in scripts.items()})
        played.extend(scripts)
    played: list[str] = []
    yield play
    for n in played:
        upstream.scripts.pop(f"{n}-m", None)


def test_outage_of_all_is_not_multiplied(start, upstream, failing):
    gw = start(**fleet(upstream, "one two three",
                       retry_budget={"ratio": 0.2, "min_per_second": 0}))
    failing(one=wrong(503), two=wrong(500), three=wrong(502))
    order = {"provider": {"order": ["one", "two", "three"]}}
    for _ in range(5):  # all are thought to be well, and all are asked
        assert gw.chat("m", **order).status == 502
    before, refused = len(upstream.requests), 0
    for _ in range(40):
        answer = gw.chat("m", **order)
        assert answer.status in (502, 503)
        refused += "retry budget" in answer.error["message"]
        if "retry budget" in answer.error["message"]:
            assert answer.status == 503 and "provider one" in answer.error["message"], \
                "it says what the first said"
    assert 40 <= len(upstream.requests) - before <= 40 + 9, "40 and a fifth, and what five earned"
    assert 30 <= refused == gw.metric("sluice_retry_budget_exhausted_total")
    # and when one of them is back, a request in time finds it
    del upstream.scripts["two-m"]
    answers = [gw.chat("m", provider={"order": ["two", "one"]}).status for _ in range(3)]
    assert answers == [200] * 3


def test_small_installation_may_always_try_all(start, upstream, failing):
    gw = start(**fleet(upstream, "one two"))
    failing(one=wrong(503), two=wrong(500))
    for _ in range(25):
        answer = gw.chat("m")
        assert answer.headers["x-sluice-attempts"] == "2"
    assert gw.metric("sluice_retry_budget_exhausted_total") == 0


@pytest.mark.parametrize("ways", [("answers 500", "resets"), ("answers 429", "answers with nothing"),
                                  ("answers 401", "is overloaded, in a 200")])
def test_no_request_fails_while_somebody_is_well(start, upstream, failing, ways):
    """Not even without any budget: falling over to who is well costs none."""
    gw = start(**fleet(upstream, "one two three four five",
                       retry_budget={"ratio": 0, "min_per_second": 0}))
    failing(one=EITHER[ways[0]], four=EITHER[ways[1]])
    answers = [gw.chat("m", stream=n % 2 == 0, provider={"order": ["one", "four", "two"]}
                       if n % 3 == 0 else {}) for n in range(30)]
    assert {a.status for a in answers} == {200}


def test_who_fell_ill_since_the_plan_was_made_is_passed_over(start, upstream, failing):
    """Both were well when the plan was made; while the first kept the request waiting, the second's
    circuit opened: the third is asked."""
    gw = start(**fleet(upstream, "one two three"))
    failing(one=misbehaviour.silent, two=wrong(500))
    with gw.client() as waiting:
        waiting.send(raw.chat_bytes("m", provider={"order": ["one", "two", "three"]}))
        until(lambda: upstream.seen("one-m"), what="the first to be asked")
        for _ in range(5):
            assert gw.chat("m", provider={"only": ["two"]}).status == 502
        answer = waiting.response()
    assert answer.status == 200 and answer.headers["x-sluice-provider"] == "three"
    assert answer.headers["x-sluice-attempts"] == "2"
