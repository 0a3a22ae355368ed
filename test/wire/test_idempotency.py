"""A request that says which one it is is answered once (contract 0.5): whatever row, store and replica."""
from __future__ import annotations

import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import misbehaviour
import provider
import raw
from gateway import merged
from promises import assert_envelope, assert_request_id
from test_transcriptions import FILE, field, form, request as form_request
from upstream import until

ADMIN = "sk-admin-of-the-gateway"
MASTER = base64.b64encode(bytes(range(32))).decode()
CANARY = "canary-of-a-prompt-51c0"
LEASE_S = 10
MIB = 1 << 20


def keyed(key: str) -> tuple:
    return (("Idempotency-Key", key),)


def on_store(kind: str, tmp_path, redis=None, **more) -> dict:
    url = {"memory": "memory:", "sqlite": f"sqlite://{tmp_path}/store.db",
           "redis": f"redis://127.0.0.1:{redis.port}" if redis else ""}[kind]
    return merged({"store": {"url": url, "timeout": "2s"}, "secrets": {"master_key": MASTER},
                   "keys": [{"name": "dev", "secret": raw.KEY, "models": ["*"]},
                            {"name": "other", "secret": "sk-other"},
                            {"name": "boss", "secret": ADMIN, "scope": "admin"}]}, more)


@pytest.fixture(params=["memory", "sqlite", "redis"])
def gateway(request, start, tmp_path):
    server = request.getfixturevalue("redis") if request.param == "redis" else None
    gw = start(**on_store(request.param, tmp_path, server))
    return gw.connected()


@pytest.fixture
def plain(start, tmp_path):
    return start(**on_store("memory", tmp_path))


def post(gw, path: str, body: dict | bytes, headers=(), key: str = raw.KEY) -> raw.Response:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return gw.ask(raw.request_bytes("POST", path, text, headers, key))


def chat(gw, model: str, key: str, text: str = "hello", api_key: str = raw.KEY, **more):
    return gw.chat(model, text, headers=keyed(key), key=api_key, **more)


def is_replay(answer: raw.Response) -> bool:
    return answer.headers.get("idempotency-replayed") == "true"


def assert_replayed(first: raw.Response, again: raw.Response) -> None:
    assert not is_replay(first) and is_replay(again), (first.head, again.head)
    assert (again.status, again.body) == (first.status, first.body)
    assert_request_id(again)
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    for name in ("content-type", "x-sluice-model", "x-sluice-provider"):
        assert again.headers.get(name) == first.headers.get(name), name


# Rows.

ROWS = {
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
    "completions": ("/v1/completions", {"prompt": "hi"}),
    "messages": ("/v1/messages", {"messages": [{"role": "user", "content": "hi"}],
                                  "max_tokens": 9}),
    "responses": ("/v1/responses", {"input": "hi"}),
    "embeddings": ("/v1/embeddings", {"input": "hi"}),
    "speech": ("/v1/audio/speech", {"input": "hi", "voice": "alloy"}),
    "count": ("/v1/messages/count_tokens", {"messages": [{"role": "user", "content": "hi"}]}),
    "tokens": ("/v1/ai/tokens/count", {"messages": "hi"}),
    "explain": ("/v1/route/explain", {"messages": [{"role": "user", "content": "hi"}]}),
}


@pytest.mark.parametrize("where", ["header", "body"])
@pytest.mark.parametrize("row", ROWS)
def test_row_is_answered_once(plain, upstream, row, where):
    path, members = ROWS[row]
    body = {"model": "good"} | members | ({"idempotency_key": "k"} if where == "body" else {})
    headers = keyed("k") if where == "header" else ()
    first = post(plain, path, body, headers)
    assert first.status == 200, first.body
    asked = len(upstream.requests)
    again = post(plain, path, body, headers)
    assert_replayed(first, again)
    assert len(upstream.requests) == asked
    if asked and upstream.requests[-1].headers.get("content-type") == "application/json":
        assert "idempotency_key" not in upstream.requests[-1].json
        assert "idempotency-key" not in upstream.requests[-1].headers
    other = post(plain, path, body | {"user": "another"}, headers)
    assert_conflict(other, path)


def assert_conflict(answer: raw.Response, path: str = "") -> None:
    assert answer.status == 409, answer.body
    assert answer.headers["x-should-retry"] == "false"
    if "messages" in path:
        assert answer.error["type"] == "invalid_request_error"
        assert answer.error["reason"] == "IDEMPOTENCY_CONFLICT"
    else:
        assert_envelope(answer, 409, "idempotency_conflict", "idempotency_key")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_stream_is_given_again_event_by_event(gateway, upstream, path):
    model = upstream.play(provider.behave)
    members = {"input": "hi"} if "responses" in path else \
        {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 99}
    body = {"model": model, "stream": True} | members
    first = post(gateway, path, body, keyed("s"))
    assert first.status == 200 and first.complete
    again = post(gateway, path, body, keyed("s"))
    assert_replayed(first, again)
    assert again.headers["content-type"].startswith("text/event-stream")
    assert again.headers["cache-control"] == "no-cache"
    assert len(upstream.seen(model)) == 1


def test_form_is_compared_part_by_part(gateway, upstream):
    parts = (field("model", "good"), field("idempotency_key", "f"), FILE)
    first = gateway.ask(form_request(form(*parts)))
    assert first.status == 200, first.body
    assert "idempotency_key" not in [p.name for p in upstream.requests[-1].parts]
    asked = len(upstream.requests)
    kind = "multipart/form-data; boundary=another-9"
    again = gateway.ask(form_request(form(*parts).replace(b"edge-7f3a", b"another-9"), kind=kind))
    assert_replayed(first, again)
    assert len(upstream.requests) == asked
    other = form(field("model", "good"), field("language", "de"), FILE)
    answer = gateway.ask(with_header(form_request(other), "f"))
    assert_conflict(answer)


def with_header(request: bytes, key: str) -> bytes:
    return request.replace(b"\r\n", f"\r\nIdempotency-Key: {key}\r\n".encode(), 1)


def test_management_is_done_once(gateway):
    body = {"provider": "up", "credential": "sk-canary-of-a-caller", "test": False}
    first = post(gateway, "/v1/byok", body, keyed("add"), ADMIN)
    assert first.status == 201, first.body
    again = post(gateway, "/v1/byok", body | {"idempotency_key": "add"}, (), ADMIN)
    assert_replayed(first, again)
    listed = gateway.get("/v1/byok", ADMIN).json
    assert listed["total_count"] == 1
    path = "/v1/byok/" + first.json["id"]
    gone = gateway.ask(raw.request_bytes("DELETE", path + "?idempotency_key=rm%2F1", key=ADMIN))
    assert gone.status == 200
    again = gateway.ask(raw.request_bytes("DELETE", path, None, keyed("rm/1"), ADMIN))
    assert_replayed(gone, again)
    plain = gateway.ask(raw.request_bytes("DELETE", path, key=ADMIN))
    assert plain.status == 404
    other = gateway.ask(raw.request_bytes("DELETE", path + "0", None, keyed("rm/1"), ADMIN))
    assert other.status == 404 and not is_replay(other), "another id is another request"


# The key.

@pytest.mark.parametrize("headers,body,query", [
    (keyed("a"), {"idempotency_key": "b"}, ""),
    (keyed(""), {}, ""),
    (keyed("k" * 256), {}, ""),
    ((), {"idempotency_key": ""}, ""),
    ((), {"idempotency_key": "k" * 256}, ""),
    ((), {"idempotency_key": 7}, ""),
    (keyed("a") + keyed("b"), {}, ""),
])
def test_bad_key_is_refused(plain, upstream, headers, body, query):
    asked = len(upstream.requests)
    answer = plain.chat("good", headers=headers, **body)
    assert_envelope(answer, 400, "invalid_request_error", "idempotency_key")
    answer = post(plain, "/v1/byok", {"provider": "up", "credential": "x", "test": False} | body,
                  headers, ADMIN)
    assert_envelope(answer, 400, "invalid_request_error", "idempotency_key")
    assert len(upstream.requests) == asked


@pytest.mark.parametrize("key", ["k", "k" * 255, "ä €"])
def test_key_in_both_places_is_one(plain, upstream, key):
    model = upstream.play(provider.behave)
    as_field = key.encode().decode("latin-1")
    first = plain.chat(model, headers=keyed(as_field), idempotency_key=key)
    assert first.status == 200, first.body
    assert_replayed(first, plain.chat(model, headers=keyed(as_field)))
    assert_replayed(first, plain.chat(model, idempotency_key=key))
    assert len(upstream.seen(model)) == 1


def test_key_says_nothing_of_other_callers_paths_and_bodies(plain, upstream):
    model = upstream.play(provider.behave)
    assert chat(plain, model, "k").status == 200
    assert not is_replay(chat(plain, model, "k", api_key="sk-other"))
    body = {"model": model, "prompt": "hello"}
    assert not is_replay(post(plain, "/v1/completions", body, keyed("k")))
    assert_conflict(chat(plain, model, "k", "another text"))
    assert_conflict(chat(plain, model, "k", temperature=0.5))
    assert len(upstream.seen(model)) == 3


def test_spelling_makes_no_difference(plain, upstream):
    model = upstream.play(provider.behave)
    spellings = [
        '{"model":"%s","messages":[{"role":"user","content":"é"}],"seed":1}',
        '{ "seed" : 1,\n"messages":[{"content":"\\u00e9","role":"user"}],"model":"%s"}',
        '{"idempotency_key":"k","seed":1,"model":"%s","messages":[{"role":"user","content":"é"}]}']
    answers = [post(plain, "/v1/chat/completions", (s % model).encode(), keyed("k"))
               for s in spellings]
    assert_replayed(answers[0], answers[1])
    assert_replayed(answers[0], answers[2])
    assert_conflict(post(plain, "/v1/chat/completions",
                         (spellings[0] % model).replace('"seed":1', '"seed":1.0').encode(),
                         keyed("k")))


def test_large_body_is_compared_too(plain, upstream):
    model = upstream.play(provider.behave)
    text = "x" * (3 * MIB)
    first = chat(plain, model, "large", text)
    assert first.status == 200
    assert_replayed(first, chat(plain, model, "large", text))
    assert_conflict(chat(plain, model, "large", text[:-1] + "y"))
    assert len(upstream.seen(model)) == 1


# What is kept.

def answering(status: int):
    async def script(x):
        await x.reply(status, provider.error("no", "invalid_request_error"))
    return script


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_fault_of_the_request_is_given_again(gateway, upstream, status):
    model = upstream.play(answering(status))
    first = chat(gateway, model, "k")
    assert first.status == status
    asked = len(upstream.seen(model))
    assert_replayed(first, chat(gateway, model, "k"))
    assert len(upstream.seen(model)) == asked


@pytest.mark.parametrize("body", [{"model": "good"}, {"model": "nobody/knows-it", "messages": [
    {"role": "user", "content": "hi"}]}, b'{"model"', {"model": "good", "stream": 7}])
def test_fault_we_find_is_given_again(plain, body):
    first = post(plain, "/v1/chat/completions", body, keyed("k"))
    assert first.status in (400, 404)
    assert_replayed(first, post(plain, "/v1/chat/completions", body, keyed("k")))
    good = {"model": "good", "messages": [{"role": "user", "content": "hi"}]}
    assert_conflict(post(plain, "/v1/chat/completions", good, keyed("k")))


@pytest.mark.parametrize("status", [401, 402, 408, 409, 429, 500, 503])
def test_what_may_pass_is_not_kept(gateway, upstream, status):
    model = upstream.play(answering(status))
    first = chat(gateway, model, "k")
    assert first.status >= 400
    asked = len(upstream.seen(model))
    again = chat(gateway, model, "k")
    assert not is_replay(again)
    assert len(upstream.seen(model)) > asked


def test_rate_limit_of_ours_is_not_kept_and_replays_do_not_count(start, tmp_path, upstream):
    over = on_store("memory", tmp_path)
    over["keys"][0]["limits"] = {"rpm": 2}
    gw = start(**over)
    model = upstream.play(provider.behave)
    first = chat(gw, model, "a")
    for _ in range(5):
        assert_replayed(first, chat(gw, model, "a"))
    assert chat(gw, model, "b").status == 200
    refused = chat(gw, model, "c")
    assert refused.status == 429
    assert chat(gw, model, "c").status == 429 and not is_replay(chat(gw, model, "c"))
    assert_replayed(first, chat(gw, model, "a"))


@pytest.mark.parametrize("then", ["reset", "mid event", "close"])
def test_broken_stream_is_not_kept(gateway, upstream, then):
    model = upstream.play(misbehaviour.events_then(3, then))
    with gateway.client() as client:
        stream = client.stream(model, headers=keyed("k"))
        stream.rest()
    upstream.scripts[model] = provider.behave
    again = until(lambda: not_in_flight(chat(gateway, model, "k", stream=True)))
    assert not is_replay(again) and b"[DONE]" in again.body
    assert_replayed(again, chat(gateway, model, "k", stream=True))


def not_in_flight(answer: raw.Response):
    return None if answer.status == 409 else answer


def test_stream_whose_client_left_is_not_kept(gateway, upstream):
    gate = upstream.gate()

    async def script(x):
        await x.stream_head()
        for each in provider.chat_events(x.request.json):
            await x.chunk(each)
            await gate.wait()
        await x.last_chunk()
    model = upstream.play(script)
    gate.open(2)
    with gateway.client() as client:
        client.stream(model, headers=keyed("k")).next()
    until(lambda: upstream.exchanges_of(model)[0].aborted is not None, what="the cancellation")
    upstream.scripts[model] = provider.behave
    again = until(lambda: not_in_flight(chat(gateway, model, "k", stream=True)))
    assert again.status == 200 and not is_replay(again)


def test_signs_of_life_are_not_given_again(start, tmp_path, upstream):
    gw = start(**on_store("memory", tmp_path, server={"sse_keepalive": "50ms"}))

    async def script(x):
        await x.sleep(0.4)
        await provider.behave(x)
    model = upstream.play(script)
    first = chat(gw, model, "k", stream=True)
    assert b": SLUICE" in first.body
    again = chat(gw, model, "k", stream=True)
    assert is_replay(again) and b": SLUICE" not in again.body
    assert raw.events_of(again.body) == raw.events_of(first.body)


def sized(size: int):
    async def script(x):
        await x.reply(200, b'{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,'
                      b'"message":{"role":"assistant","content":"' + b"y" * size +
                      b'"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,'
                      b'"completion_tokens":9,"total_tokens":10}}')
    return script


@pytest.mark.parametrize("size", [60_000, 300_000, 700_000, 7 * MIB])
def test_large_answers_are_kept(gateway, upstream, size):
    model = upstream.play(sized(size))
    first = chat(gateway, model, "k")
    assert first.status == 200 and len(first.body) > size
    again = until(lambda: not_in_flight(chat(gateway, model, "k")))
    assert_replayed(first, again)
    assert int(again.headers["content-length"]) == len(first.body)
    assert len(upstream.seen(model)) == 1


def test_too_large_an_answer_is_not_made_twice(gateway, upstream):
    model = upstream.play(sized(9 * MIB))
    assert chat(gateway, model, "k").status == 200
    again = until(lambda: (lambda a: a if "could not be kept" in a.error["message"] else None)(
        chat(gateway, model, "k")))
    assert_conflict(again)
    assert len(upstream.seen(model)) == 1


def test_slow_client_gets_all_of_a_replay(plain, upstream):
    model = upstream.play(sized(7 * MIB))
    first = chat(plain, model, "k")
    with plain.client(receive_buffer=8192, timeout=30) as client:
        client.send(raw.chat_bytes(model, headers=keyed("k")))
        time.sleep(0.5)
        assert plain.chat("good").status == 200, "others are served meanwhile"
        again = client.response()
    assert again.complete and again.body == first.body
    for _ in range(3):  # who leaves in the middle leaves nothing behind
        with plain.client(receive_buffer=8192) as client:
            client.send(raw.chat_bytes(model, headers=keyed("k")))
            client.read_head()
            client.reset()
    until(lambda: plain.metric("sluice_inflight_requests") == 0, what="them to be gone")


# At the same time.

def test_of_many_at_once_one_is_answered(gateway, upstream):
    async def script(x):
        await x.sleep(0.5)
        await provider.behave(x)
    model = upstream.play(script)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: chat(gateway, model, "k"), range(50)))
    good = [a for a in answers if a.status == 200 and not is_replay(a)]
    assert len(good) == 1 and len(upstream.seen(model)) == 1
    for other in answers:
        if other is good[0] or is_replay(other):
            continue
        assert_envelope(other, 409, "idempotency_in_flight", "idempotency_key")
        assert other.headers["retry-after"] == "1"
        assert "x-should-retry" not in other.headers
    with ThreadPoolExecutor(10) as pool:  # replays are in nobody's way
        for again in pool.map(lambda _: chat(gateway, model, "k"), range(10)):
            assert_replayed(good[0], again)


def test_running_request_conflicts_with_another_of_its_key(gateway, upstream):
    gate = upstream.gate()

    async def script(x):
        await gate.wait()
        await provider.behave(x)
    model = upstream.play(script)
    answers = []
    one = threading.Thread(target=lambda: answers.append(chat(gateway, model, "k")))
    one.start()
    upstream.exchange_of(model)
    assert_envelope(chat(gateway, model, "k"), 409, "idempotency_in_flight")
    assert_conflict(chat(gateway, model, "k", "another"))
    gate.open()
    one.join()
    assert answers[0].status == 200


# Stores, replicas, crashes.

def test_replicas_are_one(start, tmp_path, redis, upstream):
    one, two = (start(**on_store("redis", tmp_path, redis)).connected() for _ in range(2))
    model = upstream.play(sized(700_000))
    first = chat(one, model, "k")
    again = until(lambda: not_in_flight(chat(two, model, "k")))
    assert_replayed(first, again)
    assert_conflict(chat(two, model, "k", "another"))

    async def slow(x):
        await x.sleep(0.5)
        await provider.behave(x)
    model = upstream.play(slow)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda i: chat((one, two)[i % 2], model, "many"), range(20)))
    assert len(upstream.seen(model)) == 1
    assert {a.status for a in answers} == {200, 409}


def test_answers_outlive_the_process(start, tmp_path, upstream):
    over = on_store("sqlite", tmp_path)
    one = start(**over)
    model = upstream.play(sized(300_000))
    first = chat(one, model, "k")
    one.stop()
    two = start(**over)
    assert_replayed(first, chat(two, model, "k"))
    assert_conflict(chat(two, model, "k", "another"))
    assert len(upstream.seen(model)) == 1


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_claim_of_a_process_that_crashed_lapses(request, start, tmp_path, upstream, kind):
    server = request.getfixturevalue("redis") if kind == "redis" else None
    over = on_store(kind, tmp_path, server)
    one = start(**over)
    if server:
        one.connected()
    model = upstream.play(misbehaviour.silent)
    client = one.client()
    client.send(raw.chat_bytes(model, headers=keyed("k")))
    upstream.exchange_of(model)
    time.sleep(LEASE_S * 1.2 if server else 0.2)  # it is renewed as long as its owner lives
    if server:
        claim, = server.command("KEYS", "*answer:*")
        assert 0 < server.command("PTTL", claim) <= LEASE_S * 1000
    one.kill()
    client.close()
    upstream.scripts[model] = provider.behave
    two = start(**over)
    if server:
        two.connected()
        assert chat(two, model, "k").status == 409
    again = until(lambda: not_in_flight(chat(two, model, "k")), LEASE_S + 3, "the lease to end")
    assert again.status == 200 and not is_replay(again)


def test_claims_go_on_without_redis(start, tmp_path, redis, upstream):
    gw = start(**on_store("redis", tmp_path, redis)).connected()
    redis.kill()
    until(lambda: "store lost" in gw.log(), what="the loss to be noticed")
    model = upstream.play(provider.behave)
    first = chat(gw, model, "k")
    assert first.status == 200
    assert_replayed(first, chat(gw, model, "k"))
    assert len(upstream.seen(model)) == 1
    redis.start()


def test_redis_hears_of_a_claim_made_without_it(start, tmp_path, redis, upstream):
    one, two = (start(**on_store("redis", tmp_path, redis)).connected() for _ in range(2))
    redis.kill()
    until(lambda: "store lost" in one.log(), what="the loss to be noticed")
    gate = upstream.gate()

    async def script(x):
        await gate.wait()
        await provider.behave(x)
    model = upstream.play(script)
    answers = []
    first = threading.Thread(target=lambda: answers.append(chat(one, model, "k")))
    first.start()
    upstream.exchange_of(model)
    redis.start()
    until(lambda: "store back" in two.log(), 10, "Redis to be back")
    until(lambda: redis.command("KEYS", "*answer:*"), LEASE_S, "the claim to be told")
    assert_envelope(chat(two, model, "k"), 409, "idempotency_in_flight")
    gate.open()
    first.join(20)
    again = until(lambda: not_in_flight(chat(two, model, "k")))
    assert_replayed(answers[0], again)
    assert len(upstream.seen(model)) == 1


def test_nothing_is_claimed_without_redis_where_that_is_refused(start, tmp_path, redis, upstream):
    gw = start(**on_store("redis", tmp_path, redis, store={"on_error": "reject"})).connected()
    redis.kill()
    until(lambda: "store lost" in gw.log(), what="the loss to be noticed")
    assert_envelope(chat(gw, "good", "k"), 503, "overloaded")
    redis.start()


# What is written down.

def found_in(kind: str, tmp_path, redis) -> bytes:
    if kind == "sqlite":
        return b"".join(f.read_bytes() for f in tmp_path.glob("store.db*"))
    return redis.command("EVAL", SEARCH, "0", CANARY).encode()


SEARCH = ("local found = '' for _, k in ipairs(redis.call('KEYS', '*')) do "
          "if redis.call('TYPE', k).ok == 'hash' then "
          "for _, v in ipairs(redis.call('HVALS', k)) do "
          "if string.find(v, ARGV[1], 1, true) then found = found .. ARGV[1] end end end end "
          "return found")


async def echo(x):
    await x.reply(200, provider.compact(provider.chat_completion(x.request.json)).replace(
        b'"finish_reason"', b'"echo":"' + CANARY.encode() + b'","finish_reason"', 1))


@pytest.mark.parametrize("master", ["with", "without"])
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_no_text_is_written_in_the_clear(request, start, tmp_path, upstream, kind, master):
    server = request.getfixturevalue("redis") if kind == "redis" else None
    over = on_store(kind, tmp_path, server)
    if master == "without":
        del over["secrets"]
    one = start(**over)
    if server:
        one.connected()
    model = upstream.play(echo)
    first = chat(one, model, CANARY + "-key", CANARY)
    assert CANARY.encode() in first.body
    assert_replayed(first, chat(one, model, CANARY + "-key", CANARY))
    assert ("answers stay in memory" in one.log()) == (master == "without")
    assert CANARY not in one.output()
    one.stop()
    assert CANARY.encode() not in found_in(kind, tmp_path, server)
    two = start(**over)
    if server:
        two.connected()
    again = chat(two, model, CANARY + "-key", CANARY)
    if master == "with":
        assert_replayed(first, again)
    else:
        assert_conflict(again)  # it was answered, and nobody knows how any more
    assert len(upstream.seen(model)) == 1


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_zero_data_retention_stays_in_memory(request, start, tmp_path, upstream, kind):
    server = request.getfixturevalue("redis") if kind == "redis" else None
    over = on_store(kind, tmp_path, server, providers={"up": {"data_policy": {"zdr": True}}})
    one = start(**over)
    if server:
        one.connected()
    model = upstream.play(echo)
    first = chat(one, model, "k", provider={"zdr": True})
    assert first.status == 200, first.body
    assert_replayed(first, chat(one, model, "k", provider={"zdr": True}))
    assert "answers stay in memory" not in one.log()
    one.stop()
    two = start(**over)
    if server:
        two.connected()
    assert_conflict(chat(two, model, "k", provider={"zdr": True}))
    assert len(upstream.seen(model)) == 1


def test_another_master_key_opens_nothing(start, tmp_path, upstream):
    one = start(**on_store("sqlite", tmp_path))
    model = upstream.play(provider.behave)
    first = chat(one, model, "k")
    one.stop()
    second = base64.b64encode(bytes(range(32, 64))).decode()
    two = start(**on_store("sqlite", tmp_path, secrets={"master_key": second}))
    assert_conflict(chat(two, model, "k"))
    two.stop()
    three = start(**on_store("sqlite", tmp_path, secrets={"master_key": [second, MASTER]}))
    assert_replayed(first, chat(three, model, "k"))


# What is told.

def test_record_and_metrics_tell_of_replays(plain, upstream):
    model = upstream.play(provider.behave)
    first = chat(plain, model, "k")
    again = chat(plain, model, "k")
    assert chat(plain, model, "k", "another").status == 409
    one = plain.record_of(first.headers["x-request-id"])
    two = plain.record_of(again.headers["x-request-id"])
    assert "replayed" not in one and one["tokens_out"] > 0
    assert two["replayed"] is True and two["status"] == 200 and two["outcome"] == "ok"
    streamed = [chat(plain, model, "s", stream=True) for _ in range(2)][1]
    assert plain.record_of(streamed.headers["x-request-id"])["stream"] is True
    assert two["attempts"] == [] and two["cost_pd"] == 0 and two["tokens_out"] == 0
    for result, n in (("first", 2), ("replayed", 2), ("conflict", 1), ("in_flight", 0)):
        assert plain.metric("sluice_idempotency_total", result=result) == n, result


def test_request_without_a_key_is_not_kept(gateway, upstream):
    model = upstream.play(provider.behave)
    for _ in range(2):
        answer = gateway.chat(model)
        assert answer.status == 200 and "idempotency-replayed" not in answer.headers
    assert len(upstream.seen(model)) == 2
    assert gateway.metric("sluice_idempotency_total") == 0
