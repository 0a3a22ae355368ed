"""How much a key and the account may: requests and tokens a minute, requests and tasks at a time
(contract 0.3), in every protocol, streamed or not, over every store."""
from __future__ import annotations

import json
import time

import pytest

import raw
from spending import DOORS, ask_bytes, assert_refused, spending
from upstream import until

KEY = "sk-wire-limited-0002"
OTHER = "sk-wire-limited-0003"
STREAMED = [False, True]


@pytest.fixture
def limited(store, start):
    """A gateway whose key, or account, has these limits; `other` has none of its own."""
    def make(scope: str, limits: dict, **more):
        keys = [{"name": "limited", "secret": KEY}, {"name": "other", "secret": OTHER}]
        account: dict = {}
        if scope == "key":
            keys[0]["limits"] = limits
        else:
            account["limits"] = limits
        gw = start(store=store, keys=keys, account=account, **more)
        return gw.connected()
    return make


def whole(gw, door: str, model: str, stream: bool = False, key: str = KEY, **more) -> raw.Response:
    return gw.ask(ask_bytes(door, model, stream=stream, key=key, **more))


def quota(gw, key: str = KEY) -> dict:
    answer = gw.get("/v1/quota", key=key)
    assert answer.status == 200, answer.body
    return answer.json


def idle(gw, key: str = KEY) -> None:
    """Until everything that ended is settled."""
    until(lambda: quota(gw, key)["concurrency"]["used"] == 0, 5, "everything to be settled")


WHOSE = {"key": "this key", "account": "the account"}
SCOPES = list(WHOSE)


@pytest.mark.pairwise
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("stream", STREAMED)
def test_requests_a_minute(limited, upstream, scope, door, stream):
    gw = limited(scope, {"rpm": 2})
    model = upstream.play(spending(5, 1))
    for left in (1, 0):
        answer = whole(gw, door, model, stream)
        assert answer.status == 200, answer.body
        assert answer.headers["x-ratelimit-limit"] == "2"
        assert answer.headers["x-ratelimit-remaining"] == str(left)
        assert answer.headers["x-ratelimit-tier"] == "config"
    refused = whole(gw, door, model, stream)
    said = assert_refused(refused, door, 429, "rate_limit_exceeded")
    assert said.startswith(f"{WHOSE[scope]}'s limit of 2 requests per minute")
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert whole(gw, door, model, key=OTHER).status == (200 if scope == "key" else 429)
    assert len(upstream.seen(model)) == (3 if scope == "key" else 2)
    assert gw.metric("sluice_ratelimit_rejections_total", limit="requests") == \
        (1 if scope == "key" else 2)


@pytest.mark.pairwise
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("stream", STREAMED)
def test_tokens_a_minute(limited, upstream, scope, door, stream):
    """What was reserved is corrected by what was used: 600 each time, and not the 10 asked for."""
    gw = limited(scope, {"tpm": 1000})
    model = upstream.play(spending(500, 100))
    for used in (600, 1200):
        assert whole(gw, door, model, stream).status == 200
        idle(gw)
        told = quota(gw)["tokens"] if scope == "key" else quota(gw)["account"]["tokens"]
        assert told == {"limit": 1000, "remaining": max(0, 1000 - used), "window_s": 60}
    refused = whole(gw, door, model, stream)
    said = assert_refused(refused, door, 429, "rate_limit_exceeded")
    assert said.startswith(f"{WHOSE[scope]}'s limit of 1000 tokens per minute is used up")
    assert whole(gw, door, model, key=OTHER).status == (200 if scope == "key" else 429)
    assert gw.metric("sluice_ratelimit_rejections_total", limit="tokens") >= 1


@pytest.mark.pairwise
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("stream", STREAMED)
def test_requests_at_a_time(limited, upstream, scope, door, stream):
    gw = limited(scope, {"concurrency": 2})
    gate = upstream.gate()
    model = upstream.play(spending(5, 1, gate))
    clients = [gw.client() for _ in range(2)]
    for client in clients:
        client.send(ask_bytes(door, model, stream=stream, key=KEY))
    until(lambda: len(upstream.seen(model)) == 2, 5, "both requests")
    refused = whole(gw, door, model, stream)
    said = assert_refused(refused, door, 429, "rate_limit_exceeded")
    assert said.startswith(f"{WHOSE[scope]} may have 2 requests under way at the same time")
    assert quota(gw)["concurrency"]["used"] == 2
    gate.open(2)
    assert [client.response().status for client in clients] == [200, 200]
    idle(gw)
    gate.open()
    assert whole(gw, door, model, stream).status == 200
    assert gw.metric("sluice_ratelimit_rejections_total", limit="concurrency") == 1


@pytest.mark.pairwise
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("path,body", [
    ("/v1/images/generations", {"prompt": "a bird"}),
    ("/v1/audio/speech", {"input": "hello", "voice": "alloy"})])
def test_tasks_at_a_time(limited, upstream, scope, path, body):
    gw = limited(scope, {"tasks": 1})
    gate = upstream.gate()

    async def script(x):
        await gate.wait()
        await x.reply(200, b'{"created":1,"data":[]}')
    model = upstream.play(script)
    request = raw.request_bytes("POST", path, json.dumps({"model": model} | body).encode(),
                                key=KEY)
    with gw.client() as client:
        client.send(request)
        until(lambda: upstream.seen(model), 5, "the task")
        refused = gw.ask(request)
        said = assert_refused(refused, "chat", 429, "concurrent_tasks")
        assert said.startswith(f"{WHOSE[scope]} may have 1 tasks (pictures and sound) under way")
        assert gw.chat("good", key=KEY).status == 200  # is none
        assert quota(gw)["concurrent_tasks"] == {"limit": 1, "used": 1}
        gate.open()
        assert client.response().status == 200
    until(lambda: quota(gw)["concurrent_tasks"]["used"] == 0, 5, "the end of the task")
    gate.open()
    assert gw.ask(request).status == 200
    assert gw.metric("sluice_ratelimit_rejections_total", limit="tasks") == 1


# What is reserved, and what comes back.

@pytest.mark.parametrize("stream", STREAMED)
def test_what_may_be_needed_is_reserved_and_given_back(limited, upstream, stream):
    gw = limited("key", {"tpm": 1000})
    gate = upstream.gate()
    model = upstream.play(spending(10, 5, gate))
    with gw.client() as client:
        client.send(ask_bytes("chat", model, most=900, stream=stream, key=KEY))
        until(lambda: upstream.seen(model), 5, "the request")
        assert_refused(whole(gw, "chat", model, most=200), "chat", 429, "rate_limit_exceeded")
        gate.open()
        assert client.response().status == 200
    idle(gw)
    assert quota(gw)["tokens"]["remaining"] == 985
    gate.open()
    assert whole(gw, "chat", model, most=900).status == 200


@pytest.mark.pairwise
@pytest.mark.parametrize("stream", STREAMED)
@pytest.mark.parametrize("script", ["status-500", "reset-before-head", "garbage"])
def test_nothing_is_taken_for_a_failure_before_any_token(limited, upstream, script, stream):
    gw = limited("key", {"tpm": 1000, "concurrency": 1})
    for _ in range(3):
        assert whole(gw, "chat", script, stream, most=900).status == 502
        idle(gw)
    assert quota(gw)["tokens"]["remaining"] == 1000
    assert quota(gw)["rate_limit"] == {"limit": None, "remaining": None, "ceiling": None,
                                       "window_s": 60}


def test_a_client_that_leaves_gives_its_place_back(limited, upstream):
    gw = limited("key", {"concurrency": 1})
    gate = upstream.gate()
    model = upstream.play(spending(5, 1, gate))
    for stream in (True, False):
        with gw.client() as client:
            seen = len(upstream.seen(model))
            client.send(ask_bytes("chat", model, stream=stream, key=KEY))
            until(lambda: len(upstream.seen(model)) > seen, 5, "the request")
        idle(gw)
    gate.open(3)
    assert whole(gw, "chat", model).status == 200


@pytest.mark.parametrize("door", DOORS)
def test_more_than_a_minute_holds_is_refused_when_it_was_asked_for(limited, upstream, door):
    gw = limited("key", {"tpm": 1000})
    said = assert_refused(whole(gw, door, "good", most=1000), door, 429, "rate_limit_exceeded")
    assert "is more than this key's limit of 1000 tokens per minute" in said
    assert "max_tokens" in said


def test_a_guess_is_no_reason_to_refuse(limited, upstream):
    """Nobody said how long the answer may be: it gets what a minute holds, and uses less."""
    gw = limited("key", {"tpm": 100})
    model = upstream.play(spending(10, 5))
    for used in (15, 30):
        assert whole(gw, "chat", model, most=None).status == 200 or used > 15
        idle(gw)
    assert quota(gw)["tokens"]["remaining"] >= 70


def test_an_endpoint_that_says_little_is_reserved_little(start, upstream):
    gate = upstream.gate()
    model = upstream.play(spending(10, 5, gate))
    gw = start(keys=[{"name": "limited", "secret": KEY, "limits": {"tpm": 200}}],
               models={"brief": {"provider": "up", "upstream_model": model, "max_output": 50}})
    clients = [gw.client() for _ in range(3)]
    for client in clients:
        client.send(ask_bytes("chat", "brief", most=None, key=KEY))
        time.sleep(0.05)
    until(lambda: len(upstream.seen(model)) == 2, 5, "two requests")
    gate.open(2)
    assert [client.response().status for client in clients] == [200, 200, 429]


def test_several_answers_reserve_several_times(limited, upstream):
    gw = limited("key", {"tpm": 1000})
    refused = whole(gw, "chat", "good", most=100, n=10)
    assert_refused(refused, "chat", 429, "rate_limit_exceeded")
    assert whole(gw, "chat", "good", most=100, n=2).status == 200


def test_places_are_exact_for_requests_at_once(limited, upstream):
    gw = limited("account", {"concurrency": 10})
    gate = upstream.gate()
    model = upstream.play(spending(5, 1, gate))
    clients = [gw.client() for _ in range(30)]
    for number, client in enumerate(clients):
        client.send(ask_bytes("chat", model, key=(KEY, OTHER)[number % 2]))
    until(lambda: len(upstream.seen(model)) == 10, 5, "ten requests")
    gate.open(10)
    statuses = [client.response().status for client in clients]
    assert sorted(statuses) == [200] * 10 + [429] * 20
    idle(gw)
    assert quota(gw)["account"]["concurrency"] == {"limit": 10, "used": 0}


def test_refused_by_one_scope_counts_in_none(limited, upstream):
    gw = limited("account", {"rpm": 2})
    assert [whole(gw, "chat", "good", key=OTHER).status for _ in range(4)] == [200, 200, 429, 429]
    counted = quota(gw, OTHER)
    assert counted["account"]["rate_limit"]["remaining"] == 0
    assert gw.metric("sluice_ratelimit_rejections_total") == 2


def test_the_attempt_that_lost_gives_nothing_back_twice(start, upstream):
    """A hedge is one request: one place, and the tokens of the answer that came."""
    gate = upstream.gate()
    slow, quick = upstream.play(spending(500, 100, gate)), upstream.play(spending(10, 5))
    gw = start(keys=[{"name": "limited", "secret": KEY, "limits": {"tpm": 1000, "concurrency": 1}}],
               routing={"hedge": {"enabled": True, "after": "30ms", "max_share": 1}},
               providers={"two": {"protocol": "openai", "base_url": upstream.base_url,
                                  "api_key": "sk-two"}},
               models={"both": {"endpoints": [{"provider": "up", "upstream_model": slow},
                                              {"provider": "two", "upstream_model": quick}]}})
    order = {"provider": {"order": ["up", "two"]}}
    for number in range(1, 4):
        assert whole(gw, "chat", "both", **order).status == 200
        idle(gw)
        assert quota(gw)["tokens"]["remaining"] == 1000 - 15 * number
    assert len(upstream.seen(slow)) == 3
    gate.open(3)


def test_a_client_that_leaves_while_the_store_is_asked_holds_nothing(start, upstream, redis):
    gw = start(store={"url": f"redis://127.0.0.1:{redis.port}", "timeout": "2s"},
               keys=[{"name": "limited", "secret": KEY, "limits": {"concurrency": 2}}])
    gw.connected()
    assert whole(gw, "chat", "good").status == 200
    redis.freeze()
    for stream in (False, True):
        with gw.client() as client:
            client.send(ask_bytes("chat", "good", stream=stream, key=KEY))
            time.sleep(0.1)
    redis.thaw()
    idle(gw)
    assert len(upstream.seen("good")) >= 1
    assert [whole(gw, "chat", "good").status for _ in range(3)] == [200] * 3


def test_a_process_that_ends_gives_back_what_its_streams_held(start, upstream, redis):
    """SIGTERM in the middle of a stream: it ends in an error, which is insured, and its place is free again."""
    gate = upstream.gate()
    model = upstream.play(spending(100, 50, gate))
    config = {"store": {"url": f"redis://127.0.0.1:{redis.port}", "timeout": "2s"},
              "server": {"drain": {"timeout": "100ms"}},
              "models": {model: {"provider": "up", "upstream_model": model,
                                 "price": {"input": "1", "output": "1"}}},
              "keys": [{"name": "limited", "secret": KEY,
                        "limits": {"concurrency": 1}, "budget": {"usd": 1}}]}
    one, two = start(**config), start(**config)
    for gw in (one, two):
        gw.connected()
    with one.client() as client:
        client.send(ask_bytes("chat", model, stream=True, key=KEY))
        stream = raw.Stream(client)
        stream.next()
        assert whole(two, "chat", model).status == 429
        one.stop()
    idle(two)
    told = quota(two)["budget"]
    assert told["reserved"] == 0 and told["spent"] == 0
    gate.open()
    assert whole(two, "chat", model).status == 200


# Who is asked.

def test_without_keys_the_account_is_limited(start, upstream):
    gw = start(auth="none", keys=None, account={"limits": {"rpm": 1}})
    assert gw.chat("good", key=None).headers["x-ratelimit-remaining"] == "0"
    refused = gw.chat("good", key=None)
    assert assert_refused(refused, "chat", 429, "rate_limit_exceeded").startswith("the account's")


def test_what_tells_of_the_account_answers_like_every_row(start):
    gw = start()
    for path in ("/v1/quota", "/v1/balance", "/api/v1/quota", "/v1/quota/", "/v1/balance?x=1"):
        assert gw.get(path).status == 200, path
    refused = gw.ask(raw.request_bytes("POST", "/v1/quota", b"{}"))
    assert refused.status == 405 and refused.headers["allow"] == "GET, HEAD"
    with gw.client() as client:
        head = client.ask(raw.request_bytes("HEAD", "/v1/balance"), "HEAD")
        assert head.status == 200 and head.body == b""
        assert client.ask(raw.request_bytes("GET", "/v1/balance")).status == 200


def test_without_keys_and_limits_nobody_counts(start):
    gw = start(auth="none", keys=None)
    answer = gw.chat("good", key=None)
    assert answer.status == 200 and "x-ratelimit-limit" not in answer.headers


@pytest.mark.parametrize("path,body", [
    ("/v1/ai/tokens/count", {"messages": "hello"}),
    ("/v1/route/explain", {"model": "good", "messages": [{"role": "user", "content": "x"}]})])
def test_what_asks_nobody_takes_nothing(start, path, body):
    gw = start(keys=[{"name": "one", "secret": KEY, "limits": {"rpm": 1}}],
               routing={"tasks": {"general": ["good"]}})
    for _ in range(3):
        data = json.dumps(body).encode()
        assert gw.ask(raw.request_bytes("POST", path, data, key=KEY)).status == 200
    assert gw.chat("good", key=KEY).headers["x-ratelimit-remaining"] == "0"


def test_every_answer_to_a_key_tells_of_its_limit(store, start):
    gw = start(store=store, keys=[
        {"name": "one", "secret": KEY, "limits": {"rpm": 5}},
        {"name": "past", "secret": OTHER, "limits": {"rpm": 5}, "enabled": False}])
    gw.connected()
    assert gw.get("/v1/models", key=KEY).headers["x-ratelimit-remaining"] == "5"
    assert gw.chat("good", key=KEY).status == 200
    for answer in (gw.get("/v1/models", key=KEY), gw.get("/v1/quota", key=KEY),
                   gw.ask(raw.request_bytes("POST", "/v1/chat/completions", b"{", key=KEY))):
        assert answer.headers["x-ratelimit-limit"] == "5", answer.head
        assert answer.headers["x-ratelimit-remaining"] == "4", answer.head
        assert answer.headers["x-ratelimit-tier"] == "config", answer.head
    for key in ("wrong", OTHER):
        assert "x-ratelimit-limit" not in gw.get("/v1/models", key=key).headers


def test_a_reload_changes_the_limits_of_the_next_request(start):
    gw = start(keys=[{"name": "one", "secret": KEY, "limits": {"rpm": 1}}])
    assert [gw.chat("good", key=KEY).status for _ in range(2)] == [200, 429]
    config = gw.config | {"keys": [{"name": "one", "secret": KEY, "limits": {"rpm": 3}}]}
    gw.reload(config)
    until(lambda: gw.chat("good", key=KEY).status == 200, 5, "the new limit")
