"""cache_strategy: infrai (contract 2.7, D-14): who asks for it gets the answer that was given before."""
from __future__ import annotations

import json
import time

import pytest

import misbehaviour
import provider
import raw
from gateway import merged
from promises import assert_envelope
from test_idempotency import CANARY, MASTER, found_in, gateway, is_replay, keyed, on_store, plain, sized  # noqa: F401
from upstream import until

PRICE = {"price": {"input": "2.00", "output": "8.00"}}


def ask(gw, model: str, text: str = "hello", headers=(), key: str = raw.KEY, **more):
    return gw.chat(model, text, headers=headers, key=key, **({"cache_strategy": "infrai"} | more))


def cached(answer: raw.Response) -> str | None:
    return answer.headers.get("x-sluice-cache")


def hit(gw, model: str, first: raw.Response, **more) -> raw.Response:
    """What is written to the store is there a moment after the answer."""
    again = until(lambda: (lambda a: a if cached(a) == "hit" else None)(ask(gw, model, **more)))
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    for name in ("content-type", "x-sluice-model", "x-sluice-provider"):
        assert again.headers.get(name) == first.headers.get(name)
    return again


@pytest.mark.parametrize("stream", [False, True])
def test_same_question_is_answered_from_the_store(gateway, upstream, stream):
    model = upstream.play(provider.behave)
    first = ask(gateway, model, stream=stream)
    assert first.status == 200 and cached(first) == "miss", first.head
    hit(gateway, model, first, stream=stream)
    assert len(upstream.seen(model)) == 1
    assert "cache_strategy" not in upstream.seen(model)[0].json
    other = ask(gateway, model, stream=not stream)
    assert cached(other) == "miss" and len(upstream.seen(model)) == 2


def test_hit_costs_nothing_and_says_so(start, tmp_path, upstream):
    gw = start(**on_store("memory", tmp_path, models={"priced": {
        "provider": "up", "upstream_model": "good"} | PRICE}))
    first = ask(gw, "priced")
    again = hit(gw, "priced", first)
    assert again.json["usage"] == first.json["usage"]
    one, two = (gw.record_of(a.headers["x-request-id"]) for a in (first, again))
    assert one["cache"] == "miss" and one["cost_pd"] > 0
    assert two["cache"] == "hit" and two["cost_pd"] == 0 and two["attempts"] == []
    assert gw.metric("sluice_response_cache_total", result="hit") == 1
    assert gw.metric("sluice_response_cache_total", result="miss") == 1


@pytest.mark.parametrize("path,members", [
    ("/v1/messages", {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9}),
    ("/v1/responses", {"input": "hi"}),
    ("/v1/completions", {"prompt": "hi"}),
    ("/v1/embeddings", {"input": "hi"}),
    ("/v1/audio/speech", {"input": "hi", "voice": "alloy"})])
def test_other_rows_too(plain, upstream, path, members):
    body = json.dumps({"model": "good", "cache_strategy": "gateway"} | members).encode()
    answers = [plain.ask(raw.request_bytes("POST", path, body)) for _ in range(2)]
    assert [cached(a) for a in answers] == ["miss", "hit"], answers[0].body
    assert answers[0].body == answers[1].body


@pytest.mark.parametrize("change", [
    {"text": "hello "}, {"temperature": 1}, {"seed": 2}, {"n": 2}, {"stream": True},
    {"provider": {"order": ["up"]}},
    {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}])
def test_any_difference_is_another_question(plain, upstream, change):
    model = upstream.play(provider.behave)
    assert cached(ask(plain, model)) == "miss"
    assert cached(ask(plain, model, **change)) == "miss"
    assert cached(ask(plain, model)) == "hit"
    assert cached(ask(plain, model, **change)) == "hit"


def test_spelling_keys_and_conversation_make_no_difference(plain, upstream):
    model = upstream.play(provider.behave)
    assert cached(ask(plain, model)) == "miss"
    text = '{ "session_id":"s", "messages":[{"content":"hello","role":"user"}],' \
           '"cache_strategy":"sluice","model":"%s"}' % model
    answer = plain.ask(raw.request_bytes("POST", "/v1/chat/completions", text.encode(),
                                         keyed("k"), "sk-other"))
    assert cached(answer) == "hit" and not is_replay(answer)
    again = plain.ask(raw.request_bytes("POST", "/v1/chat/completions", text.encode(),
                                        keyed("k"), "sk-other"))
    assert is_replay(again) and cached(again) is None and again.body == answer.body


def test_who_may_not_ask_the_model_does_not_get_its_answer(start, tmp_path, upstream):
    over = on_store("memory", tmp_path)
    over["keys"][1]["models"] = ["good"]
    gw = start(**over)
    model = upstream.play(provider.behave)
    assert cached(ask(gw, model)) == "miss"
    assert ask(gw, model, key="sk-other").status in (403, 404)
    assert cached(ask(gw, model)) == "hit"


@pytest.mark.parametrize("strategy", [None, "vendor", "none"])
def test_nobody_gets_what_nobody_asked_for(plain, upstream, strategy):
    model = upstream.play(provider.behave)
    more = {} if strategy is None else {"cache_strategy": strategy}
    for _ in range(2):
        assert cached(plain.chat(model, **more)) is None
    assert len(upstream.seen(model)) == 2
    assert cached(ask(plain, model)) == "miss", "and theirs was not kept for others"


@pytest.mark.parametrize("value", ["always", "", 1, True, {}])
def test_bad_strategy_is_refused(plain, value):
    answer = plain.chat("good", cache_strategy=value)
    assert_envelope(answer, 400, "invalid_request_error", "cache_strategy")


@pytest.mark.parametrize("script", [misbehaviour.status(400), misbehaviour.status(500),
                                    misbehaviour.status(429), misbehaviour.events_then(3, "reset")])
def test_failures_are_not_kept(plain, upstream, script):
    model = upstream.play(script)
    ask(plain, model, stream=True)
    upstream.scripts[model] = provider.behave
    again = ask(plain, model, stream=True)
    assert again.status == 200 and cached(again) == "miss"


def test_never_with_zero_data_retention_nor_with_costs(start, tmp_path, upstream):
    gw = start(**on_store("memory", tmp_path, providers={"up": {"data_policy": {"zdr": True}}}))
    for wish in ({"provider": {"zdr": True}}, {"usage": {"include": True}}):
        model = upstream.play(provider.behave)
        for _ in range(2):
            answer = ask(gw, model, **wish)
            assert answer.status == 200 and cached(answer) == "bypass", answer.head
        assert len(upstream.seen(model)) == 2
    assert gw.metric("sluice_response_cache_total", result="bypass") == 4
    everywhere = start(**on_store("memory", tmp_path, routing={"zdr_only": True},
                                  providers={"up": {"data_policy": {"zdr": True}}}))
    assert cached(ask(everywhere, "good")) == cached(ask(everywhere, "good")) == "bypass"


def test_no_cache_asks_anew_and_is_kept(plain, upstream):
    model = upstream.play(provider.behave)
    first = ask(plain, model)
    fresh = ask(plain, model, headers=(("Cache-Control", "no-cache"),))
    assert cached(fresh) == "miss" and fresh.body != first.body
    assert cached(ask(plain, model)) == "hit" and ask(plain, model).body == fresh.body
    assert len(upstream.seen(model)) == 2


def test_answer_is_forgotten_in_time(start, tmp_path, upstream):
    gw = start(**on_store("memory", tmp_path, cache={"ttl": "300ms"}))
    model = upstream.play(provider.behave)
    ask(gw, model)
    assert cached(ask(gw, model)) == "hit"
    time.sleep(0.4)
    assert cached(ask(gw, model)) == "miss"


def test_large_answers_are_not_kept(start, tmp_path, upstream):
    gw = start(**on_store("memory", tmp_path, cache={"max_size": "64KiB"}))
    for size, second in ((60_000, "hit"), (66_000, "miss")):
        model = upstream.play(sized(size))
        assert cached(ask(gw, model)) == "miss" and cached(ask(gw, model)) == second


def test_it_can_be_switched_off(start, tmp_path, upstream):
    gw = start(**on_store("memory", tmp_path, cache={"enabled": False}))
    model = upstream.play(provider.behave)
    for _ in range(2):
        assert cached(ask(gw, model)) is None
    assert len(upstream.seen(model)) == 2


def test_other_routing_is_another_question(start, tmp_path, upstream):
    over = on_store("memory", tmp_path)
    gw = start(**over, models={"fast": {"alias": ["good"]}})
    first = ask(gw, "fast")
    assert cached(ask(gw, "fast")) == "hit"
    gw.reload(merged(gw.config, {"models": {"fast": {"alias": ["slot-299"]}}}))
    again = until(lambda: (lambda a: a if cached(a) == "miss" else None)(ask(gw, "fast")))
    assert again.headers["x-sluice-model"] != first.headers["x-sluice-model"]


def test_replicas_share_it(start, tmp_path, redis, upstream):
    one, two = (start(**on_store("redis", tmp_path, redis)).connected() for _ in range(2))
    model = upstream.play(provider.behave)
    first = ask(one, model)
    until(lambda: any(key.startswith("sluice:answer:") for key in redis.keys()))
    hit(two, model, first)
    assert len(upstream.seen(model)) == 1


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_no_text_is_written_in_the_clear(request, start, tmp_path, upstream, kind):
    server = request.getfixturevalue("redis") if kind == "redis" else None
    gw = start(**on_store(kind, tmp_path, server))
    if server:
        gw.connected()
    model = upstream.play(provider.behave)
    hit(gw, model, ask(gw, model, CANARY), text=CANARY)
    gw.stop()
    assert CANARY.encode() not in found_in(kind, tmp_path, server)
