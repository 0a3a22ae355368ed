"""Traces (observability.tracing): which spans a request becomes, whose trace it is a part of, and that a
collector's troubles are nobody else's."""
from __future__ import annotations

import json
import re
import time

import pytest

import misbehaviour
import provider_story
import raw
import test_continuation
from collector import Collector
from free_port import free_port
from gateway import CANARY, Gateway, run
from upstream import until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
PROMPT = "canary-prompt-5b1e2f"
TOKEN = "collector-token-11aa22bb"


def traceparent(flags: str = "01", version: str = "00", trace: str = TRACE,
                parent: str = PARENT) -> str:
    return f"{version}-{trace}-{parent}-{flags}"


def configuration(upstream, url: str, **tracing) -> dict:
    """`two`: a model of two endpoints, which answer in this order; `one`: the second alone."""
    provider = {"protocol": "openai", "base_url": upstream.base_url, "api_key": CANARY}
    price = {"price": {"input": "1.00", "output": "2.00"}}
    return {
        "providers": {"first": provider, "second": provider},
        "models": {"two": {"endpoints": [{"provider": n, "upstream_model": f"{n}-traced"} | price
                                         for n in ("first", "second")]},
                   "one": {"endpoints": [{"provider": "second",
                                          "upstream_model": "second-traced"} | price]}},
        "observability": {"tracing": {"otlp": url} | tracing}}


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shared():
    made = Collector()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def gateway(upstream, shared, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("traced"), upstream.base_url,
                 **configuration(upstream, shared.url, headers={"x-collector-key": TOKEN})).start()
    yield gw
    gw.stop()


@pytest.fixture(scope="module")
def many(upstream, shared, tmp_path_factory):
    """One model for each protocol a provider may speak."""
    names = ("openai", "anthropic", "responses")
    config = configuration(upstream, shared.url) | {
        "providers": {n: {"protocol": n, "base_url": upstream.base_url, "api_key": CANARY}
                      for n in names},
        "models": {n: {"provider": n, "upstream_model": "traced-m"} for n in names}}
    gw = Gateway(tmp_path_factory.mktemp("many"), upstream.base_url, **config).start()
    yield gw
    gw.stop()


@pytest.fixture
def plays(upstream):
    def play(**scripts) -> None:
        upstream.scripts.update({f"{n}-traced": script for n, script in scripts.items()})
    yield play
    for n in ("first", "second"):
        upstream.scripts.pop(f"{n}-traced", None)


def ask(gw, model: str = "one", headers=(), stream: bool = False, **more):
    body = {"model": model, "stream": stream, "max_tokens": 50,
            "messages": [{"role": "user", "content": PROMPT}]} | more
    if model == "two":
        body["provider"] = {"order": ["first", "second"]}
    return gw.ask(raw.request_bytes("POST", "/v1/chat/completions", json.dumps(body).encode(),
                                    headers), timeout=10)


def trace_of(shared, answer):
    return shared.trace_of(answer.headers["x-request-id"])


def asked(upstream, name: str = "second") -> dict:
    return upstream.seen(f"{name}-traced")[-1].headers


# What a request becomes.

def test_a_request_is_a_server_span_with_a_client_span_for_its_attempt(gateway, upstream, shared):
    before = time.time_ns()
    answer = ask(gateway)
    trace = trace_of(shared, answer)
    server, (client,) = trace.server, trace.attempts
    assert (server.kind, server.name, server.parent, server.failed) == \
        ("server", "POST chat", "", False)
    assert (client.kind, client.name, client.parent, client.failed) == \
        ("client", "chat second-traced", server.id, False)
    assert client.trace == server.trace and len({server.id, client.id, server.trace[:16]}) == 3
    assert before <= server.start <= client.start <= client.end <= server.end
    assert server.end <= time.time_ns()
    assert {k: server[k] for k in (
        "http.request.method", "url.path", "http.response.status_code", "sluice.api", "sluice.key",
        "sluice.model", "sluice.endpoint", "sluice.attempts", "sluice.outcome",
        "sluice.stream")} == {
        "http.request.method": "POST", "url.path": "/v1/chat/completions",
        "http.response.status_code": 200, "sluice.api": "chat", "sluice.key": "dev",
        "sluice.model": "one", "sluice.endpoint": "second", "sluice.attempts": 1,
        "sluice.outcome": "ok", "sluice.stream": False}
    assert server.get("error.type") is None
    usage = answer.json["usage"]
    host, port = upstream.base_url.split("/")[2].split(":")
    assert {k: v for k, v in client.attributes.items()
            if not k.startswith("sluice.") or k == "sluice.routing.reason"} == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "second-traced", "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.model": answer.json["model"],
        "gen_ai.usage.input_tokens": usage["prompt_tokens"],
        "gen_ai.usage.cache_read.input_tokens": usage["prompt_tokens_details"]["cached_tokens"],
        "gen_ai.usage.output_tokens": usage["completion_tokens"],
        "server.address": host, "server.port": int(port), "http.response.status_code": 200,
        "sluice.routing.reason": "only"}
    cached = usage["prompt_tokens_details"]["cached_tokens"]  # at a quarter, where no price is said
    cost = (usage["prompt_tokens"] - cached * 3 / 4 + usage["completion_tokens"] * 2) / 1e6
    assert client["sluice.cost_usd"] == server["sluice.cost_usd"] == pytest.approx(cost)


def test_the_resource_says_who_sends(gateway, shared):
    server = trace_of(shared, ask(gateway)).server
    assert server.resource["service.name"] == server.scope.name == "sluice"
    assert re.fullmatch(r"[0-9a-f]{32}", server.resource["service.instance.id"])
    build = next(n for n in gateway.metrics() if n.startswith("sluice_build_info"))
    assert f'"{server.resource["service.version"]}"' in build


def test_batches_go_where_otlp_wants_them_with_the_operators_headers(gateway, shared):
    trace_of(shared, ask(gateway))
    call = shared.calls[-1]
    assert call.path == "/v1/traces"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["x-collector-key"] == TOKEN


def test_many_spans_travel_together_and_over_one_connection(gateway, shared):
    trace_of(shared, ask(gateway))
    before = len(shared.calls)
    answers = [ask(gateway) for _ in range(20)]
    for each in answers:
        trace_of(shared, each)
    assert len(shared.calls) - before <= 4
    assert len({c.port for c in shared.calls[before:]}) == 1


def test_the_first_token_of_a_stream_is_an_event(gateway, shared):
    trace = trace_of(shared, ask(gateway, stream=True))
    (client,) = trace.attempts
    (event,) = client.events
    assert event.name == "sluice.first_token"
    assert client.start <= event.at <= client.end
    assert client["gen_ai.request.stream"] is True and trace.server["sluice.stream"] is True
    assert 0 < client["gen_ai.response.time_to_first_chunk"] < 5
    assert trace.server["sluice.time_to_first_token_seconds"] == \
        client["gen_ai.response.time_to_first_chunk"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("door", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
@pytest.mark.parametrize("protocol", ["openai", "anthropic", "responses"])
def test_every_protocol_is_told_of_alike(many, shared, protocol, door, stream):
    said = {"input": PROMPT, "store": False} if door.endswith("responses") else \
        {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 50}
    answer = many.ask(raw.request_bytes("POST", door, json.dumps(
        {"model": protocol, "stream": stream} | said).encode()), timeout=10)
    assert answer.status == 200
    (client,) = trace_of(shared, answer).attempts
    assert client["gen_ai.operation.name"] == "chat"
    assert client["gen_ai.provider.name"] == \
        ("anthropic" if protocol == "anthropic" else "openai")
    assert client["gen_ai.request.model"] == "traced-m"
    assert client["gen_ai.response.model"].startswith("traced-m")
    assert client["gen_ai.usage.input_tokens"] > 0 and client["gen_ai.usage.output_tokens"] > 0
    assert len(client["gen_ai.response.finish_reasons"]) == 1
    assert [e.name for e in client.events] == (["sluice.first_token"] if stream else [])


def test_a_fallback_is_two_attempts_and_an_event_that_says_why(gateway, upstream, shared, plays):
    plays(first=misbehaviour.status(500))
    trace = trace_of(shared, ask(gateway, "two"))
    failed, answered = sorted(trace.attempts, key=lambda s: s.start)
    assert failed["sluice.endpoint"] == "first" and answered["sluice.endpoint"] == "second"
    assert failed.failed and not answered.failed and not trace.server.failed
    assert failed["error.type"] == "500" and failed["http.response.status_code"] == 500
    assert failed["sluice.attempt.result"] == "5xx" and failed.get("gen_ai.usage.input_tokens") is None
    assert failed["sluice.routing.reason"] == answered["sluice.routing.reason"] == "order"
    (event,) = trace.server.events
    assert (event.name, event.attributes) == \
        ("sluice.fallback", {"sluice.endpoint": "second", "error.type": "5xx"})
    assert failed.end <= event.at == answered.start
    assert trace.server["sluice.attempts"] == 2


def test_who_hangs_up_is_an_error_with_a_name(gateway, shared, plays):
    plays(first=misbehaviour.close_before_head)
    trace = trace_of(shared, ask(gateway, "two"))
    failed = min(trace.attempts, key=lambda s: s.start)
    assert failed["error.type"] == "broken" and failed.get("http.response.status_code") is None


def test_when_all_fail_the_server_span_has_failed_too(gateway, shared, plays):
    plays(first=misbehaviour.status(503), second=misbehaviour.status(500))
    answer = ask(gateway, "two")
    trace = trace_of(shared, answer)
    assert answer.status >= 500 and trace.server.failed
    assert trace.server["http.response.status_code"] == answer.status
    assert trace.server["sluice.outcome"] == "upstream_error"
    assert [s.failed for s in trace.attempts] == [True, True]


def test_a_clients_mistake_is_no_failure_of_the_servers(gateway, shared):
    unknown = gateway.chat("nobody-has-this")
    trace = trace_of(shared, unknown)
    assert (unknown.status, trace.server.failed, trace.attempts) == (404, False, [])
    assert trace.server["error.type"] == unknown.error["type"]
    refused = gateway.ask(raw.chat_bytes("one", key="sk-wrong"))
    assert trace_of(shared, refused).server["http.response.status_code"] == 401


def test_a_hedge_is_an_attempt_beside_the_slow_one(upstream, start, shared, plays):
    plays(first=misbehaviour.silent)
    gw = start(**configuration(upstream, shared.url), routing={"hedge": {
        "enabled": True, "after": "100ms", "max_share": 1}})
    trace = trace_of(shared, ask(gw, "two"))
    slow, quick = sorted(trace.attempts, key=lambda s: s.start)
    assert slow["sluice.attempt.result"] == "cancelled" and not slow.failed
    assert slow.get("error.type") is None and quick["sluice.attempt.result"] == "ok"
    assert quick.start < slow.end, "they ran beside each other"
    (event,) = trace.server.events
    assert (event.name, event.attributes) == ("sluice.hedge", {"sluice.endpoint": "second"})


def test_a_stream_that_another_goes_on_with_says_so(upstream, start, collector):
    upstream.script_for = lambda request: provider_story.behave
    try:
        gw = start(**test_continuation.configuration(upstream, models=1, continue_streams=True) | {
            "observability": {"tracing": {"otlp": collector.url}}})
        answer = test_continuation.stream(gw, "chat", ["breaks-chat", "claude"], "cut 20 reset",
                                          model="story-0")
        trace = collector.trace_of(answer.headers["x-request-id"])
    finally:
        del upstream.script_for
    broken, whole = sorted(trace.attempts, key=lambda s: s.start)
    assert broken.failed and broken["error.type"] == "broken" and not whole.failed
    assert broken.events[0].name == "sluice.first_token"
    (event,) = trace.server.events
    assert (event.name, event.attributes) == \
        ("sluice.continuation", {"sluice.endpoint": "claude", "error.type": "broken"})
    assert trace.server["sluice.continuation"] == "continued" and not trace.server.failed


def test_a_client_that_leaves_is_said_to_have_left(gateway, upstream, shared, plays):
    plays(second=misbehaviour.endless())
    known = {s.id for s in shared.spans()}
    with gateway.client() as client:
        stream = client.stream("one")
        stream.next()
        stream.next()
    server = until(lambda: [s for s in shared.spans() if s.kind == "server" and s.id not in known],
                   what="its span")[0]
    (client_span,) = [s for s in shared.spans() if s.parent == server.id]
    assert server["error.type"] == "client_gone" and not server.failed
    assert server["sluice.outcome"] == "client_gone"
    assert client_span["sluice.attempt.result"] == "cancelled" and not client_span.failed
    assert client_span["gen_ai.usage.output_tokens"] > 0
    assert client_span["sluice.usage.source"] == "estimated"


def test_a_stream_that_breaks_has_failed_although_its_status_was_200(gateway, shared, plays):
    plays(second=misbehaviour.events_then(3, "close"))
    answer = ask(gateway, stream=True)
    trace = trace_of(shared, answer)
    assert answer.status == 200 and trace.server.failed
    assert trace.server["http.response.status_code"] == 200
    assert trace.attempts[0]["error.type"] == "broken"


def test_other_requests_are_spans_too(gateway, shared):
    trace = trace_of(shared, gateway.get("/v1/models"))
    assert trace.server.name == "GET models" and trace.attempts == []


# Whose trace it is.

def test_the_callers_trace_goes_on_to_the_provider_with_spans_of_our_own(gateway, upstream, shared):
    answer = ask(gateway, headers=(("Traceparent", traceparent("01")), ("Tracestate", "a=1,b=2"),
                                   ("Tracestate", "c=3"), ("Baggage", "user=me")))
    trace = trace_of(shared, answer)
    assert (trace.server.trace, trace.server.parent) == (TRACE, PARENT)
    assert trace.server.flags & 0x300 == 0x300, "its parent is elsewhere"
    assert trace.attempts[0].flags & 0x300 == 0x100
    sent = asked(upstream)
    assert sent["traceparent"] == f"00-{TRACE}-{trace.attempts[0].id}-01"
    assert sent["tracestate"] == "a=1,b=2,c=3" == trace.server.state
    assert "baggage" not in sent
    assert gateway.record_of(answer.headers["x-request-id"])["trace_id"] == TRACE


def test_each_attempt_has_a_parent_of_its_own(gateway, upstream, shared, plays):
    plays(first=misbehaviour.status(500))
    trace = trace_of(shared, ask(gateway, "two", headers=(("traceparent", traceparent()),)))
    spans = {s["sluice.endpoint"]: s.id for s in trace.attempts}
    for name in ("first", "second"):
        assert asked(upstream, name)["traceparent"] == f"00-{TRACE}-{spans[name]}-01"


def test_without_a_caller_a_trace_begins_here_and_the_record_names_it(gateway, upstream, shared):
    answer = ask(gateway)
    trace = trace_of(shared, answer)
    assert asked(upstream)["traceparent"] == f"00-{trace.server.trace}-{trace.attempts[0].id}-03"
    assert gateway.record_of(answer.headers["x-request-id"])["trace_id"] == trace.server.trace


def test_what_the_caller_does_not_sample_is_not_sampled(gateway, upstream, shared):
    answer = ask(gateway, headers=(("traceparent", traceparent("00")), ("tracestate", "a=1")))
    later = trace_of(shared, ask(gateway))
    assert later and TRACE not in {s.trace for s in shared.spans()
                                   if s.get("sluice.request_id") == answer.headers["x-request-id"]}
    sent = upstream.seen("second-traced")[-2].headers
    found = re.fullmatch(rf"00-{TRACE}-([0-9a-f]{{16}})-00", sent["traceparent"])
    assert found and found[1] != PARENT and sent["tracestate"] == "a=1"
    assert gateway.record_of(answer.headers["x-request-id"])["trace_id"] == TRACE


@pytest.mark.parametrize("said", [
    traceparent(trace="0" * 32), traceparent(parent="0" * 16), traceparent(version="ff"),
    traceparent(trace=TRACE.upper()), traceparent() + "-more", traceparent()[:-1],
    traceparent(trace=TRACE[:-1] + "g"), traceparent("zz"), "garbage"])
def test_what_is_no_traceparent_is_as_good_as_none(gateway, upstream, shared, said):
    answer = ask(gateway, headers=(("traceparent", said), ("tracestate", "a=1")))
    trace = trace_of(shared, answer)
    assert trace.server.trace != TRACE and trace.server.parent == "" and trace.server.state == ""
    assert "tracestate" not in asked(upstream)
    record = gateway.record_of(answer.headers["x-request-id"])
    assert record["trace_id"] == trace.server.trace


def test_two_traceparents_are_none_and_a_later_version_is_one(gateway, shared):
    for pair in ((traceparent(), traceparent(trace="1" * 32)), ("garbage", traceparent()),
                 (traceparent(), "garbage"), (traceparent(), traceparent())):
        both = ask(gateway, headers=[("traceparent", each) for each in pair])
        assert trace_of(shared, both).server.parent == ""
    later = ask(gateway, headers=(("traceparent", traceparent(version="01") + "-what"),))
    assert trace_of(shared, later).server.trace == TRACE


@pytest.mark.parametrize("state", ["no equals sign", "UPPER=1", "a=" + "x" * 600, "a=1=2"])
def test_a_tracestate_nobody_can_read_goes_no_further(gateway, upstream, shared, state):
    answer = ask(gateway, headers=(("traceparent", traceparent()), ("tracestate", state)))
    assert trace_of(shared, answer).server.trace == TRACE
    assert "tracestate" not in asked(upstream)


def test_providers_need_not_be_told(start, upstream, collector):
    gw = start(**configuration(upstream, collector.url, propagate=False))
    trace = collector.trace_of(ask(gw, headers=(("traceparent", traceparent()),))
                               .headers["x-request-id"])
    assert trace.server.trace == TRACE and "traceparent" not in asked(upstream)


def test_without_tracing_the_record_has_the_callers_trace_and_providers_nothing(start, upstream):
    gw = start(**configuration(upstream, "http://127.0.0.1:9") | {
        "observability": {"access_log": "stdout"}})
    headers = (("traceparent", traceparent()), ("tracestate", "a=1"))
    answer = ask(gw, headers=headers)
    assert gw.record_of(answer.headers["x-request-id"])["trace_id"] == TRACE
    assert not {"traceparent", "tracestate"} & set(asked(upstream))
    bad = ask(gw, headers=(("traceparent", traceparent(trace=TRACE.upper())),))
    assert "trace_id" not in gw.record_of(bad.headers["x-request-id"])
    assert "trace_id" not in gw.record_of(ask(gw).headers["x-request-id"])


def test_a_share_of_the_requests_is_sampled_and_the_rest_says_so(start, upstream, collector):
    gw = start(**configuration(upstream, collector.url, sample=0.5))
    answers = [ask(gw) for _ in range(60)]
    flags = [r.headers["traceparent"][-2:] for r in upstream.seen("second-traced")[-60:]]
    sampled = flags.count("03")
    assert flags.count("02") == 60 - sampled and 10 < sampled < 50
    until(lambda: len(collector.spans()) == 2 * sampled, what="all of them")
    with_id = [a for a in answers if "trace_id" in gw.record_of(a.headers["x-request-id"])]
    assert len(with_id) == sampled


def test_with_a_share_of_nothing_callers_still_decide(start, upstream, collector):
    gw = start(**configuration(upstream, collector.url, sample=0))
    ask(gw)
    collector.trace_of(ask(gw, headers=(("traceparent", traceparent()),)).headers["x-request-id"])
    assert {s.trace for s in collector.spans()} == {TRACE}


# What nobody may read there.

def test_no_span_holds_a_prompt_an_answer_or_a_key(gateway, shared, plays, upstream):
    answer = ask(gateway, headers=(("traceparent", traceparent()), ("x-my-secret", PROMPT)))
    ask(gateway, stream=True, user=PROMPT)
    plays(first=misbehaviour.echo, second=misbehaviour.status(400))
    trace_of(shared, ask(gateway, "two"))
    said = answer.json["choices"][0]["message"]["content"]
    sent = b"".join(c.body for c in shared.calls).decode()
    assert "sluice.request_id" in sent and said
    for secret in (PROMPT, raw.KEY, CANARY, TOKEN, said):
        assert secret not in sent
    assert TOKEN not in gateway.output()


def test_headers_for_the_collector_are_shown_masked(gateway):
    shown = run("config", "show", "--config", str(gateway.file)).stdout
    assert "x-collector-key" in shown and TOKEN not in shown


# A collector's troubles.

def dropped(gw) -> float:
    return gw.metric("sluice_trace_spans_dropped_total")


def exported(gw) -> float:
    return gw.metric("sluice_trace_spans_exported_total")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_be_tried_again_is(start, upstream, collector, status):
    collector.answers = [status]
    gw = start(**configuration(upstream, collector.url))
    collector.trace_of(ask(gw).headers["x-request-id"])
    assert [c.body for c in collector.calls[:1]] == [c.body for c in collector.calls[1:2]]
    assert (dropped(gw), exported(gw)) == (0, 2)
    assert "spans are not delivered" in gw.log() and "spans are delivered again" in gw.log()


def test_a_collector_that_names_a_wait_gets_it(start, upstream, collector):
    collector.answers = [(429, {"retry-after": "2"})]
    gw = start(**configuration(upstream, collector.url))
    collector.trace_of(ask(gw).headers["x-request-id"])
    first, second = collector.calls[:2]
    assert 1.9 < second.at - first.at < 3.5


@pytest.mark.parametrize("status", [400, 401, 413, 500])
def test_what_is_refused_for_good_is_dropped_and_counted(start, upstream, collector, status):
    collector.answers = [status]
    gw = start(**configuration(upstream, collector.url))
    ask(gw)
    until(lambda: dropped(gw) == 2, what="the spans to be dropped")
    assert f"the collector answered {status}" in gw.log()
    collector.trace_of(ask(gw).headers["x-request-id"])
    assert len(collector.calls) == 2 and dropped(gw) == 2


def test_rejected_spans_are_counted(start, upstream, collector):
    collector.answers = [(200, {}, b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}')]
    gw = start(**configuration(upstream, collector.url))
    ask(gw)
    until(lambda: dropped(gw) == 1, what="one to be dropped")
    assert exported(gw) == 1


def test_a_collector_that_hangs_up_is_asked_again(start, upstream, collector):
    collector.answers = ["drop"]
    gw = start(**configuration(upstream, collector.url))
    collector.trace_of(ask(gw).headers["x-request-id"])
    assert dropped(gw) == 0


def test_a_collector_that_comes_back_gets_what_has_waited(start, upstream):
    port = free_port()
    gw = start(**configuration(upstream, f"http://127.0.0.1:{port}"))
    answers = [ask(gw) for _ in range(5)]
    until(lambda: "spans are not delivered" in gw.log(), what="the log to say so")
    back = Collector(port=port)
    try:
        for each in answers:
            back.trace_of(each.headers["x-request-id"], timeout=15)
    finally:
        back.stop()


def test_requests_do_not_wait_for_a_slow_collector(start, upstream, collector):
    collector.otherwise = 3
    gw = start(**configuration(upstream, collector.url))
    ask(gw)
    until(lambda: collector.calls, what="a batch on its way")
    before = time.monotonic()
    for _ in range(10):
        ask(gw)
    assert time.monotonic() - before < 2
    collector.otherwise = 200


def test_the_queue_is_bounded_and_says_what_it_dropped(start, upstream):
    """2,048 spans wait; requests go on."""
    gw = start(**configuration(upstream, f"http://127.0.0.1:{free_port()}"))
    with gw.client() as client:
        for _ in range(2100):
            client.ask(raw.request_bytes("GET", "/v1/models"))
    until(lambda: dropped(gw) == 52, what="the rest to be dropped")


def test_over_tls_with_the_operators_authority(start, upstream, authority):
    secure = Collector(tls=authority.issue("collector").server_context())
    try:
        gw = start(**configuration(upstream, secure.url, ca=str(authority.file)))
        secure.trace_of(ask(gw).headers["x-request-id"])
    finally:
        secure.stop()


def test_a_collector_nobody_vouches_for_gets_nothing(start, upstream, authority):
    secure = Collector(tls=authority.issue("collector").server_context())
    try:
        gw = start(**configuration(upstream, secure.url))
        ask(gw)
        until(lambda: "spans are not delivered" in gw.log(), what="the log to say so")
        assert not secure.calls
    finally:
        secure.stop()


def test_what_waits_leaves_at_the_end(upstream, collector, tmp_path):
    gw = Gateway(tmp_path, upstream.base_url, **configuration(upstream, collector.url)).start()
    answers = [ask(gw) for _ in range(3)]
    gw.stop()
    ids = {s.get("sluice.request_id") for s in collector.spans()}
    assert {a.headers["x-request-id"] for a in answers} <= ids


def test_requests_that_the_drain_limit_ends_are_spans_too(upstream, collector, tmp_path, plays):
    plays(second=misbehaviour.silent)
    gw = Gateway(tmp_path, upstream.base_url,
                 **configuration(upstream, collector.url) | {
                     "server": {"drain": {"timeout": "300ms"}}}).start()
    with gw.client() as client:
        client.send(raw.chat_bytes("one"))
        until(lambda: gw.metric("sluice_inflight_requests") == 1, what="the request")
        gw.stop()
    server = next(s for s in collector.spans() if s.kind == "server")
    assert server["http.response.status_code"] == 503 and server.failed


@pytest.mark.parametrize("answers", [[503] * 9, [(429, {"retry-after": "60"})] * 9, [9] * 9],
                         ids=["503", "429", "silent"])
def test_a_collector_that_takes_nothing_does_not_hold_up_the_end(upstream, collector, tmp_path,
                                                                 answers):
    collector.answers = answers
    gw = Gateway(tmp_path, upstream.base_url, **configuration(upstream, collector.url)).start()
    ask(gw)
    before = time.monotonic()
    gw.stop()
    assert time.monotonic() - before < 4


def test_a_dead_collector_does_not_hold_up_the_end(upstream, tmp_path):
    gw = Gateway(tmp_path, upstream.base_url,
                 **configuration(upstream, f"http://127.0.0.1:{free_port()}")).start()
    ask(gw)
    before = time.monotonic()
    gw.stop()
    assert time.monotonic() - before < 2


# Reload.

def test_a_reload_moves_the_spans_that_wait_to_another_collector(start, upstream, collector):
    gw = start(**configuration(upstream, f"http://127.0.0.1:{free_port()}"))
    answer = ask(gw)
    until(lambda: "spans are not delivered" in gw.log(), what="the log to say so")
    config = gw.config
    config["observability"]["tracing"]["otlp"] = collector.url
    gw.reload(config)
    collector.trace_of(answer.headers["x-request-id"])
    config["observability"].pop("tracing")
    gw.reload(config)
    until(lambda: gw.log().count("configuration loaded") == 2, what="the reload")
    before = len(collector.spans())
    ask(gw, headers=(("traceparent", traceparent()),))
    time.sleep(1.5)
    assert len(collector.spans()) == before


def test_a_reload_that_fails_keeps_the_spans_coming(start, upstream, collector, tmp_path):
    gw = start(**configuration(upstream, collector.url))
    good = gw.config
    gw.reload(json.loads(json.dumps(good)) | {"observability": {
        "tracing": {"otlp": "https://127.0.0.1:1", "ca": str(tmp_path / "missing.pem")}}})
    until(lambda: "reload failed" in gw.log(), what="the refusal")
    collector.trace_of(ask(gw).headers["x-request-id"])
