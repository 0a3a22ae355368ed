"""A second attempt beside a slow one (routing.hedge): the first of the two with content answers, and the
other one's connection is closed at once."""
from __future__ import annotations

import json
import random
import threading
import time

import pytest

import misbehaviour
import provider
import raw
from gateway import Gateway
from provider import chat_events
from test_fallback import DOORS, PROTOCOLS, openers, text_of
from upstream import until

AFTER = 0.2


def configuration(upstream, protocols=PROTOCOLS, **hedge) -> dict:
    """P: a model at two providers that speak one protocol, first and second; P/three: at one more."""
    key = {"base_url": upstream.base_url, "api_key": "sk-up"}
    price = {"price": {"input": "1.00", "output": "2.00"}}
    names = ("first", "second", "third")
    return {
        "routing": {"hedge": {"enabled": True, "after": f"{int(AFTER * 1000)}ms",
                              "max_share": 1} | hedge},
        "providers": {f"{n}-{p}": {"protocol": PROTOCOLS[p]} | key
                      for p in protocols for n in names},
        "models": {name: {"endpoints": [{"provider": f"{n}-{p}", "upstream_model": f"{n}-m"} | price
                                        for n in names[:many]]}
                   for p in protocols for name, many in ((p, 2), (f"{p}/three", 3))}}


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("hedge"), upstream.base_url,
                 **configuration(upstream)).start()
    yield gw
    gw.stop()


@pytest.fixture
def plays(upstream):
    """plays(first=script, …): how these answer for the time of the test."""
    def play(**scripts) -> None:
        upstream.scripts.update({f"{n}-m": script for n, script in scripts.items()})
    yield play
    for n in ("first", "second", "third"):
        upstream.scripts.pop(f"{n}-m", None)


@pytest.fixture
def fresh(start, upstream):
    """One whose endpoints are well, whatever failed in other tests."""
    return start(**configuration(upstream, ["chat"]))


def request_of(door: str, model: str, stream: bool, provider: dict | None = None, **more) -> bytes:
    said = {"input": "hello", "store": False} if door == "responses" else \
        {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 50}
    protocol = model.partition("/")[0]
    order = {"order": [f"{n}-{protocol}" for n in ("first", "second", "third")]}
    body = {"model": model, "stream": stream, "provider": order | (provider or {})} | said | more
    return raw.request_bytes("POST", DOORS[door], json.dumps(body).encode())


def ask(gateway, door: str = "chat", model: str = "chat", stream: bool = True, **more):
    return gateway.ask(request_of(door, model, stream, **more), timeout=10)


def results(gateway, answer) -> list[tuple[str, str]]:
    record = gateway.record_of(answer.headers["x-request-id"])
    return [(a["endpoint"].partition("-")[0], a["result"]) for a in record["attempts"]]


def last_of(upstream, name: str):
    return upstream.exchange_of(f"{name}-m")


def assert_let_go(upstream, name: str, since: float) -> None:
    """Its connection was closed by us, as soon as the other one had content."""
    exchange = last_of(upstream, name)
    until(lambda: exchange.aborted is not None, what="the other's connection to close")
    assert exchange.aborted - since < 1


def after(seconds: float, script=provider.behave):
    async def waiting(x):
        await x.sleep(seconds)
        await script(x)
    return waiting


async def opens_and_stalls(x):
    """As much as opens an answer, in the protocol it was asked in; and no more."""
    await x.stream_head()
    path = x.request.target
    body = x.request.json
    name = "messages" if path.endswith("messages") else "responses"
    opened = [next(chat_events(body))] if path.endswith("completions") else openers(name, body)
    for each in opened:
        await x.chunk(each)
    await x.until_gone()


both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
lanes = pytest.mark.parametrize("door,model", [
    ("chat", "chat"), ("messages", "messages"), ("responses", "responses"), ("messages", "chat"),
    ("chat", "messages"), ("responses", "chat")], ids=lambda name: name)


@both
@lanes
def test_second_attempt_answers_where_the_first_is_slow(gateway, upstream, plays, door, model, stream):
    plays(first=misbehaviour.silent)
    won = gateway.metric("sluice_hedges_total", result="won")
    began = time.monotonic()
    answer = ask(gateway, door, model, stream)
    took = time.monotonic() - began
    assert answer.status == 200 and text_of(door, answer, stream) == "You said: hello"
    assert answer.headers["x-sluice-provider"] == f"second-{model}"
    assert answer.headers["x-sluice-attempts"] == "2"
    assert AFTER <= took < 5
    assert_let_go(upstream, "first", upstream.seen("second-m")[-1].at)
    assert results(gateway, answer) == [("first", "cancelled"), ("second", "ok")]
    assert gateway.metric("sluice_hedges_total", result="won") == won + 1
    assert gateway.metric("sluice_upstream_attempts_total", endpoint=f"first-{model}",
                          result="cancelled") >= 1


@both
@lanes
def test_first_attempt_answers_where_it_is_quicker_after_all(gateway, upstream, plays, door, model,
                                                            stream):
    plays(first=after(2.5 * AFTER), second=misbehaviour.silent)
    lost = gateway.metric("sluice_hedges_total", result="lost")
    answer = ask(gateway, door, model, stream)
    assert answer.status == 200 and text_of(door, answer, stream) == "You said: hello"
    assert answer.headers["x-sluice-provider"] == f"first-{model}"
    assert_let_go(upstream, "second", last_of(upstream, "first").ended or time.monotonic())
    assert results(gateway, answer) == [("second", "cancelled"), ("first", "ok")]
    assert gateway.metric("sluice_hedges_total", result="lost") == lost + 1


@lanes
def test_opening_an_answer_is_no_content(gateway, upstream, plays, door, model):
    """The client sees one beginning: that of the one who answers."""
    plays(first=opens_and_stalls)
    answer = ask(gateway, door, model)
    assert text_of(door, answer, True) == "You said: hello"
    assert results(gateway, answer) == [("first", "cancelled"), ("second", "ok")]
    if door == "chat":
        events = raw.events_of(answer.body)[:-1]
        assert sum("role" in c["delta"] for e in events for c in e["choices"]) == 1


@both
def test_who_is_quick_has_no_rival(gateway, upstream, plays, stream):
    before = len(upstream.seen("second-m"))
    answer = ask(gateway, stream=stream)
    assert answer.status == 200 and results(gateway, answer) == [("first", "ok")]
    time.sleep(2 * AFTER)
    assert len(upstream.seen("second-m")) == before


def fails(status: int = 500, wait: float = 0.0):
    async def script(x):
        await x.sleep(wait)
        await x.reply(status, provider.error("not now"))
    return script


@both
def test_rival_goes_on_when_the_first_fails(fresh, upstream, plays, stream):
    plays(first=fails(wait=2 * AFTER), second=after(4 * AFTER))
    before = len(upstream.seen("third-m"))
    answer = ask(fresh, model="chat/three", stream=stream)
    assert answer.status == 200 and answer.headers["x-sluice-provider"] == "second-chat"
    assert results(fresh, answer) == [("first", "5xx"), ("second", "ok")]
    assert len(upstream.seen("third-m")) == before, "nobody else is asked meanwhile"


@both
@pytest.mark.parametrize("status", [400, 500])
def test_rival_that_fails_concerns_nobody(fresh, upstream, plays, stream, status):
    """Not even when it says that the request is at fault: the first has not said so."""
    plays(first=after(4 * AFTER), second=fails(status))
    answer = ask(fresh, stream=stream)
    assert answer.status == 200 and answer.headers["x-sluice-provider"] == "first-chat"
    assert results(fresh, answer) == [("second", f"{status // 100}xx"), ("first", "ok")]


@both
@pytest.mark.parametrize("first,second", [(2, 4), (4, 1)],
                         ids=["first fails first", "rival fails first"])
def test_when_both_fail_the_next_is_asked(fresh, upstream, plays, stream, first, second):
    plays(first=fails(wait=first * AFTER), second=fails(503, (second - 1) * AFTER))
    answer = ask(fresh, model="chat/three", stream=stream)
    assert answer.status == 200 and answer.headers["x-sluice-provider"] == "third-chat"
    answer = ask(fresh, model="chat", stream=stream)
    assert answer.status in (502, 503)
    tried = answer.error["metadata"]["attempts"]
    assert sorted(a["provider"] for a in tried) == ["first-chat", "second-chat"]


def test_fault_of_the_request_ends_both(fresh, upstream, plays):
    plays(first=fails(400, 2 * AFTER), second=misbehaviour.silent)
    answer = ask(fresh)
    assert answer.status == 400
    assert_let_go(upstream, "second", last_of(upstream, "first").started + 2 * AFTER)
    assert results(fresh, answer) == [("second", "cancelled"), ("first", "4xx")]


@both
def test_client_that_leaves_ends_both(gateway, upstream, plays, stream):
    plays(first=misbehaviour.silent, second=misbehaviour.silent)
    before = len(upstream.seen("second-m"))
    with gateway.client() as client:
        client.send(request_of("chat", "chat", stream))
        until(lambda: len(upstream.seen("second-m")) > before, what="the rival")
        left = time.monotonic()
    for name in ("first", "second"):
        assert_let_go(upstream, name, left)
    record = until(lambda: [r for r in gateway.records() if r["outcome"] == "client_gone"
                            and len(r["attempts"]) == 2][-1:], what="the record")[0]
    assert [a["result"] for a in record["attempts"]] == ["cancelled"] * 2


def test_drain_ends_both(start, upstream, plays):
    gw = start(server={"drain": {"timeout": "300ms"}}, **configuration(upstream, ["chat"]))
    plays(first=misbehaviour.silent, second=opens_and_stalls)
    before = len(upstream.seen("second-m"))
    with gw.client() as client:
        client.send(request_of("chat", "chat", True))
        until(lambda: len(upstream.seen("second-m")) > before, what="the rival")
        gw.stop()
        assert client.response().status == 503


def test_request_has_its_deadline_whoever_is_asked(start, upstream, plays):
    gw = start(server={"request_timeout": f"{int(AFTER * 4000)}ms"},
               **configuration(upstream, ["chat"]))
    plays(first=misbehaviour.silent, second=misbehaviour.silent)
    answer = ask(gw)
    assert answer.status == 408
    assert {r for _, r in results(gw, answer)} == {"cancelled", "timeout"}


def test_comments_keep_a_stream_alive_while_both_run(start, upstream, plays):
    gw = start(server={"sse_keepalive": "100ms"}, **configuration(upstream, ["chat"]))
    plays(first=misbehaviour.silent, second=after(4 * AFTER))
    answer = ask(gw)
    assert answer.body.startswith(b":") and text_of("chat", answer, True) == "You said: hello"


# Who is not hedged.

@pytest.mark.parametrize("door,model,more", [
    ("chat", "chat", {"provider": {"hedge": False}}),
    ("chat", "chat", {"provider": {"allow_fallbacks": False, "order": ["first-chat"]}}),
    ("responses", "responses", {"store": True}),
    ("responses", "responses", {"store": None}),
    ("chat", "chat", {"user": "x" * (300 << 10)}),
], ids=["forbidden", "no fallbacks", "stored", "stored by default", "large"])
def test_request_that_is_not_to_be_sent_twice_is_not(gateway, upstream, plays, door, model, more):
    plays(first=after(3 * AFTER))
    before = len(upstream.seen("second-m"))
    answer = ask(gateway, door, model, **more)
    assert answer.status == 200 and len(upstream.seen("second-m")) == before


def test_nobody_is_hedged_unless_the_operator_says_so(start, upstream, plays):
    gw = start(**configuration(upstream, ["chat"], enabled=False))
    plays(first=after(3 * AFTER))
    before = len(upstream.seen("second-m"))
    assert ask(gw, provider={"hedge": True}).status == 200
    assert len(upstream.seen("second-m")) == before


def test_other_model_is_no_rival(start, upstream, plays):
    """What stands behind a model for when it fails is not what was asked for."""
    config = configuration(upstream, ["chat"])
    config["models"] = {"big": {"provider": "first-chat", "upstream_model": "first-m"},
                        "small": {"provider": "second-chat", "upstream_model": "second-m"},
                        "chat": {"alias": ["big", "small"]}}
    gw = start(**config)
    plays(first=after(3 * AFTER))
    before = len(upstream.seen("second-m"))
    assert ask(gw, provider={"order": []}).status == 200
    assert len(upstream.seen("second-m")) == before


def test_endpoint_that_is_not_well_is_no_rival(start, upstream, plays):
    gw = start(**configuration(upstream, ["chat"]))
    plays(second=fails())
    for _ in range(5):
        ask(gw, provider={"only": ["second-chat"]})
    plays(first=after(3 * AFTER))
    before = len(upstream.seen("second-m"))
    assert ask(gw).status == 200 and len(upstream.seen("second-m")) == before


@pytest.mark.parametrize("works", [True, False])
def test_rival_that_would_have_to_fetch_files_is_asked_later_if_at_all(start, upstream, plays, works):
    """Another protocol, which has no words for a URL: as a fallback it gets the file, as a rival not."""
    config = configuration(upstream, ["chat"])
    config["providers"]["second-chat"] |= {"protocol": "gemini"}
    gw = start(**config)
    plays(first=after(3 * AFTER) if works else fails(wait=3 * AFTER))
    said = [{"role": "user", "content": [
        {"type": "text", "text": "hello"},
        {"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/x.png"}}]}]
    answer = ask(gw, stream=False, messages=said)
    if works:
        assert answer.status == 200 and answer.headers["x-sluice-attempts"] == "1"
        assert results(gw, answer) == [("first", "ok")]
    else:
        assert answer.status == 400 and "could not be fetched" in answer.error["message"]
        assert results(gw, answer) == [("first", "5xx"), ("second", "unsupported")]
    assert gw.metric("sluice_hedges_total", result="lost") == 1


# When, how often, and what it costs.

@both
def test_patience_is_what_the_endpoint_usually_takes(start, upstream, plays, stream):
    """p95 of its own times; as long as too few were seen, nobody knows."""
    gw = start(**configuration(upstream, ["chat"], after="p95"))
    before = len(upstream.seen("second-m"))
    plays(first=after(0.5))
    assert ask(gw, stream=stream).status == 200
    assert len(upstream.seen("second-m")) == before, "one sample is none"
    plays(first=after(0.02))
    for _ in range(24):
        ask(gw, stream=stream)
    plays(first=misbehaviour.silent)
    answer = ask(gw, stream=stream)
    assert answer.status == 200 and answer.headers["x-sluice-provider"] == "second-chat"


def test_one_in_twenty_is_slow_and_nobody_waits(start, upstream, plays):
    """The tail goes for six per cent more attempts, which is all it may cost."""
    count = 0

    async def seldom_slow(x):
        nonlocal count
        count += 1
        await x.sleep(3 if count % 20 == 0 else 0)
        await provider.behave(x)
    gw = start(**configuration(upstream, ["chat"], max_share=0.06, after="400ms"))
    gw_times, before = [], len(upstream.requests)
    plays(first=seldom_slow)
    for _ in range(100):
        began = time.monotonic()
        assert ask(gw).status == 200
        gw_times.append(time.monotonic() - began)
    assert sorted(gw_times)[98] < 2, "p99"
    assert len(upstream.requests) - before <= 106
    assert gw.metric("sluice_hedges_total", result="won") >= 4


def test_share_of_second_attempts_is_limited(start, upstream, plays):
    """Everybody is slow at once: that is no tail."""
    gw = start(**configuration(upstream, ["chat"], max_share=0.1, after="20ms"))
    plays(first=after(0.1))
    before = len(upstream.seen("second-m"))
    for _ in range(30):
        assert ask(gw).status == 200
    assert 1 <= len(upstream.seen("second-m")) - before <= 3


def test_what_was_cancelled_is_shown_and_charged_to_nobody(gateway, upstream, plays):
    plays(first=misbehaviour.silent)
    spent = gateway.metric("sluice_hedge_cost_usd_total")
    answer = ask(gateway)
    record = gateway.record_of(answer.headers["x-request-id"])
    lost, won = record["attempts"]
    assert lost["estimated_cost_pd"] > 0 and "estimated_cost_pd" not in won
    usage = record["tokens_in"] * 1_000_000 + record["tokens_out"] * 2_000_000
    usage -= record["tokens_cached"] * 750_000  # a quarter, where the price does not say
    assert record["cost_pd"] == usage, "the answer's own"
    assert gateway.metric("sluice_hedge_cost_usd_total") == \
        pytest.approx(spent + lost["estimated_cost_pd"] * 1e-12)


def test_nothing_is_left_of_a_crowd(start, upstream, plays):
    """Slow, quick and broken providers, and clients some of whom leave: each answer is one of a few, and
    then the gateway is empty (and its sanitizer silent)."""
    gw = start(server={"sse_keepalive": "100ms", "request_timeout": "1500ms"},
               **configuration(upstream, after="30ms"))
    dice, statuses, end = random.Random(5), set(), time.monotonic() + 3

    async def anyhow(x):
        await x.sleep(dice.choice([0, 0.01, 0.03, 0.05, 0.1, 0.3]))
        await dice.choice([provider.behave] * 5 + [fails(500), fails(400), opens_and_stalls,
                                                   misbehaviour.reset_before_head,
                                                   misbehaviour.reset_after_head])(x)

    def client(seed: int) -> None:
        own = random.Random(seed)
        while time.monotonic() < end:
            model = own.choice(list(PROTOCOLS)) + own.choice(["", "/three"])
            with gw.client() as c:
                c.send(request_of(own.choice(list(DOORS)), model, own.random() < 0.6))
                if own.random() < 0.25:
                    time.sleep(own.choice([0, 0.02, 0.05, 0.1]))
                else:
                    statuses.add(c.response().status)
    plays(first=anyhow, second=anyhow, third=anyhow)
    clients = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    assert {200} <= statuses <= {200, 400, 408, 502, 503, 504}
    until(lambda: gw.metric("sluice_inflight_requests") == 0, what="the last to be gone")
    assert gw.metric("sluice_hedges_total") > 10
