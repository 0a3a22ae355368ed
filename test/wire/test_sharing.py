"""Replicas that share a Redis know how endpoints did at each other (contract 2.2)."""
from __future__ import annotations

import asyncio

import pytest

from redis_server import RedisServer
from test_routing import PROVIDERS, ask, configuration
from upstream import until

CHANNEL = "sluice:told:endpoints"
SOON_S = 30  # a slice of ten seconds, and the six until it is told at the latest, and until it is heard


@pytest.fixture
def redis(tmp_path):
    server = RedisServer(tmp_path).start()
    yield server
    if server.process is not None:
        server.stop()


def on(redis: RedisServer, upstream) -> dict:
    return configuration(upstream) | {"store": {"url": f"redis://127.0.0.1:{redis.port}"}}


def samples(gw, endpoint: str) -> float:
    return gw.metric("sluice_endpoint_samples", model="trio", endpoint=endpoint)


async def slow(x) -> None:
    await asyncio.sleep(0.4)
    await x.reply(200, b'{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,'
                       b'"message":{"role":"assistant","content":"late"},"finish_reason":"stop"}],'
                       b'"usage":{"prompt_tokens":1,"completion_tokens":9,"total_tokens":10}}')


def talk(gw, upstream, provider: str, times: int) -> None:
    for _ in range(times):
        answer, asked = ask(gw, upstream, provider={"only": [provider]})
        assert (answer.status, asked) == (200, [provider])


def test_new_replica_routes_by_what_others_saw(start, upstream, redis):
    one = start(**on(redis, upstream))
    one.connected()
    upstream.scripts["beta-trio"] = slow  # the cheapest
    try:
        talk(one, upstream, "beta", 3)
    finally:
        del upstream.scripts["beta-trio"]
    talk(one, upstream, "gamma", 4)
    until(lambda: redis.command("EXISTS", CHANNEL) == 1, SOON_S, what="it to be told")
    assert 0 < redis.command("PTTL", CHANNEL) <= 6 * 60 * 1000

    two = start(**on(redis, upstream))
    # told in two notes where a slice ended between beta and gamma
    until(lambda: (samples(two, "beta"), samples(two, "gamma")) == (3, 4), SOON_S,
          what="it to be heard")
    assert two.metric("sluice_endpoint_latency_seconds", model="trio", endpoint="beta",
                      quantile="0.5") > 0.3
    for _ in range(3):
        assert ask(two, upstream, provider={"sort": "latency"})[1] == ["gamma"]
        wish = {"sort": "price", "preferred_max_latency": 0.2}
        assert ask(two, upstream, provider=wish)[1] == ["gamma"]
    assert two.metric("sluice_replicas") == 1

    # and back; each counts once, however often the notes go round
    talk(two, upstream, "beta", 2)
    until(lambda: samples(one, "beta") == 5, SOON_S, what="the first to hear of the second")
    until(lambda: samples(one, "gamma") == 10, SOON_S, what="the first to hear of the second")
    three = start(**on(redis, upstream))
    until(lambda: (samples(three, "beta"), samples(three, "gamma")) == (5, 10), SOON_S,
          what="the third to hear of both")
    assert three.metric("sluice_replicas") == 2
    assert [samples(gw, "beta") for gw in (one, two)] == [5, 5]
    assert [samples(gw, "gamma") for gw in (one, two)] == [10, 10]


def test_notes_that_are_none_of_ours_are_ignored(start, upstream, redis):
    for words in (["n", "garbage"], ["n", ""], ["other", "\x01" + "x" * 24 + "y" * 30],
                  ["n", "\x01" + "r" * 16 + "\x00" * 8 + "i" * 16 + "\x7f\x7f"], ["n", "\x02" * 40]):
        redis.command("XADD", CHANNEL, "*", *words)
    gw = start(**on(redis, upstream))
    gw.connected()
    talk(gw, upstream, "alpha", 1)
    until(lambda: redis.command("XLEN", CHANNEL) == 6, SOON_S, what="its own note")
    assert samples(gw, "alpha") == 1 and samples(gw, "beta") == 0
    redis.command("DEL", CHANNEL)
    redis.command("SET", CHANNEL, "of another type")
    talk(gw, upstream, "alpha", 1)
    until(lambda: "store call failed" in gw.log(), SOON_S, what="the one line")
    assert samples(gw, "alpha") == 2 and gw.log().count("store call failed") == 1
    assert "store lost" not in gw.log()


def test_without_redis_each_has_its_own_figures(start, upstream, redis):
    gw = start(**on(redis, upstream))
    gw.connected()
    talk(gw, upstream, "alpha", 2)
    redis.kill()
    until(lambda: "store lost" in gw.log(), what="the loss")
    talk(gw, upstream, "alpha", 2)
    assert samples(gw, "alpha") == 4
    assert gw.metric("sluice_endpoint_state", model="trio", endpoint="alpha") == 0
    redis.start()  # nothing is lost that was seen meanwhile
    until(lambda: redis.command("EXISTS", CHANNEL) == 1, SOON_S, what="it to be told afterwards")
    two = start(**on(redis, upstream))
    until(lambda: samples(two, "alpha") == 4, SOON_S, what="it to be heard")
    assert gw.log().count("store lost") == 1


def test_endpoint_that_is_gone_has_no_figures(start, upstream):
    gw = start(**configuration(upstream))
    talk(gw, upstream, "beta", 1)
    assert samples(gw, "beta") == 1
    assert {gw.metric("sluice_endpoint_state", model="trio", endpoint=p) for p in PROVIDERS} == {0}
    config = gw.config
    del config["models"]["trio"]
    gw.reload(config)
    until(lambda: gw.chat("trio").status == 404, what="the reload")
    assert samples(gw, "beta") != samples(gw, "beta")  # NaN


def test_state_of_an_endpoint_is_told(start, upstream):
    async def fail(x) -> None:
        await x.reply(500, b"{}")

    async def busy(x) -> None:
        await x.reply(429, b"{}", ("Retry-After", "60"))

    gw = start(**configuration(upstream))
    upstream.scripts |= {"beta-trio": fail, "gamma-trio": busy}
    try:
        for _ in range(5):
            ask(gw, upstream, provider={"only": ["beta"]})
        ask(gw, upstream, provider={"only": ["gamma"]})
    finally:
        del upstream.scripts["beta-trio"], upstream.scripts["gamma-trio"]
    states = [gw.metric("sluice_endpoint_state", model="trio", endpoint=p) for p in PROVIDERS]
    assert states == [0, 2, 3]
