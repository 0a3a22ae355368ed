"""Tokens and costs before anybody is asked: TOK-1, COST-1, COST-2 (contract 2.5, 2.18)."""
from __future__ import annotations

import json
import socket
from decimal import Decimal

import pytest

import raw
from gateway import CANARY, Gateway
from test_openapi import check
from upstream import until

USD = Decimal("0.000001")  # of a price for a million: of one token
AROUND = 3 + 3 + 1         # before the answer, before a message, its role


TEXTS = ["gpt-4o-mini", "gpt-4-turbo", "pair", "acme-cache", "acme-half", "acme-free", "tiny-window", "mine"]


def provider(upstream, **more) -> dict:
    return {"protocol": "openai", "base_url": upstream.base_url, "api_key": CANARY, **more}


def configuration(upstream) -> dict:
    def one(price: dict, name: str = "up", **more) -> dict:
        return {"provider": name, "price": price, **more}
    return {
        "providers": {"up": provider(upstream),
                      "near": provider(upstream, data_policy={"region": "eu"}),
                      "own": provider(upstream)},
        "models": {
            "gpt-4o-mini": one({"input": "0.20", "output": "0.50", "cache_read": "0.05"}),
            "pair": {"endpoints": [
                one({"input": "3", "output": "3"}, upstream_model="a"),
                one({"input": "1", "output": "1"}, "near", upstream_model="b", variant="fp8")]},
            "acme-cache": one({"input": "4", "output": "10", "cache_write": "5",
                               "cache_write_1h": "8", "long_context": True}),
            "gpt-4-turbo": one({"input": "10", "output": "30"}),
            "acme-half": one({"input": "4"}),
            "acme-free": {"provider": "up"},
            "tiny-window": one({"input": "1", "output": "1"}, context=50),
            "vectors": one({"input": "1"}, category="embedding"),
            "mine": one({"input": "1", "output": "2"}, "own"),
            "best": {"alias": ["pair"]},
        },
        "routing": {"tasks": {"general": ["gpt-4o-mini"]}},
        "keys": [{"name": "dev", "secret": raw.KEY, "models": ["*"], "limits": {"rpm": 1}},
                 {"name": "narrow", "secret": "sk-narrow-key-of-the-test", "models": ["pair"]},
                 {"name": "by-alias", "secret": "sk-alias-key-of-the-test", "models": ["best"]},
                 {"name": "one", "secret": "sk-pipeline-key-of-the-test", "scope": "pipeline",
                  "pipeline": "best"},
                 {"name": "byok", "secret": "sk-byok-key-of-the-test",
                  "models": [*TEXTS, "vectors", "best"], "byok": {"own": "sk-of-the-caller"}}],
    }


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("cost"), upstream.base_url, **configuration(upstream))
    gw.start()
    yield gw
    gw.stop()


@pytest.fixture
def unasked(upstream):
    before = len(upstream.requests)
    yield
    assert len(upstream.requests) == before


def post(gateway, what: str, body, key: str = raw.KEY, path: str = "/v1/ai") -> raw.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return gateway.ask(raw.request_bytes("POST", f"{path}/{what}", data, key=key), timeout=30)


def exactly(answer: raw.Response) -> dict:
    """Its numbers as they are written."""
    assert answer.status == 200, answer.body
    return json.loads(answer.body, parse_float=Decimal, parse_int=Decimal)


def count(gateway, messages="hello world", **more) -> dict:
    answer = post(gateway, "tokens/count", {"messages": messages, **more})
    assert answer.status == 200, answer.body
    return answer.json


def cost(gateway, messages="hello world", key: str = raw.KEY, **more) -> dict:
    return exactly(post(gateway, "cost/estimate", {"messages": messages, **more}, key))


def compare(gateway, key: str = raw.KEY, **more) -> list[dict]:
    body = {"messages": "hello world", **more}
    return exactly(post(gateway, "cost/compare", body, key))["estimates"]


# Tokens.

@pytest.mark.parametrize("messages", [
    "hello world", [{"role": "user", "content": "hello world"}],
    [{"role": "user", "content": [{"type": "text", "text": "hello world"}]}]])
def test_text_is_counted_exactly_and_nobody_is_asked(gateway, unasked, messages):
    answer = post(gateway, "tokens/count", {"messages": messages, "model": "gpt-4o-mini"})
    assert answer.status == 200
    assert answer.json == {"prompt_tokens": AROUND + 2, "model": "gpt-4o-mini", "exact": True,
                           "request_id": answer.headers["x-request-id"]}


@pytest.mark.parametrize("more", [
    {"model": "pair"}, {"tools": [{"type": "function", "function": {"name": "f"}}]}])
def test_what_nobody_says_is_an_estimate(gateway, unasked, more):
    got = count(gateway, **more)
    assert got["exact"] is False and got["prompt_tokens"] > AROUND


def test_model_left_out_is_the_one_of_the_general_task(gateway):
    assert count(gateway)["model"] == "gpt-4o-mini" == cost(gateway)["model"]


def test_model_left_out_and_none_configured_says_what_to_do(start, upstream):
    gw = start(models={"one": {"provider": "up"}})
    answer = post(gw, "tokens/count", {"messages": "x"})
    assert answer.status == 400 and answer.json["error"]["param"] == "model"
    assert "routing.tasks" in answer.json["error"]["message"]


def test_longer_than_the_model_reads_is_counted_all_the_same(gateway):
    assert count(gateway, "word " * 1000, model="tiny-window")["prompt_tokens"] > 1000
    answer = post(gateway, "cost/estimate", {"messages": "word " * 1000, "model": "tiny-window"})
    assert answer.status == 400  # nobody would be asked


def test_large_prompts_are_counted_on_the_side(gateway):
    got = count(gateway, "the quick brown fox " * 50_000, model="gpt-4o-mini")
    assert got["prompt_tokens"] == 200_000 + AROUND + 1 and got["exact"] is True


def test_client_may_leave_while_its_prompt_is_counted(gateway):
    body = json.dumps({"model": "gpt-4o-mini", "messages": "the quick brown fox " * 100_000}).encode()
    last = post(gateway, "tokens/count", {"messages": "x", "model": "gpt-4o-mini"})
    gateway.record_of(last.headers["x-request-id"])  # the records before it are written, too
    before = len(gateway.records())
    for _ in range(3):
        with socket.create_connection(gateway.address) as s:
            s.sendall(raw.request_bytes("POST", "/v1/ai/cost/compare", body))
    until(lambda: len(gateway.records()) >= before + 3, timeout=20)
    assert {r["status"] for r in gateway.records()[before:]} <= {200, 499}  # before it was through, or after
    assert count(gateway)["prompt_tokens"] == AROUND + 2


def test_key_and_its_limits(gateway):
    """Its one request a minute is still there afterwards."""
    for _ in range(3):
        count(gateway)
        cost(gateway)
    assert gateway.chat("gpt-4o-mini").status == 200
    narrow = "sk-narrow-key-of-the-test"
    assert post(gateway, "tokens/count", {"messages": "x", "model": "pair"}, narrow).status == 200
    for what in ("tokens/count", "cost/estimate"):
        answer = post(gateway, what, {"messages": "x", "model": "mine"}, narrow)
        assert answer.status == 403
        assert post(gateway, what, {"messages": "x"}, "sk-nobody").status == 401


@pytest.mark.parametrize("what", ["tokens/count", "cost/estimate", "cost/compare"])
@pytest.mark.parametrize("body, status, param", [
    ({}, 400, "messages"), ({"messages": ""}, 400, "messages"), ({"messages": []}, 400, "messages"),
    ({"messages": 5}, 400, "messages"), ({"messages": None}, 400, "messages"),
    ({"messages": [{"role": "nobody", "content": "x"}]}, 400, "messages[0].role"),
    ({"messages": "x", "tools": 5}, 400, "tools"),
    ({"messages": "x", "provider": {"sort": "no"}}, 400, "provider.sort"),
    (b"[]", 400, ""), (b"{", 400, "")])
def test_bad_bodies_are_told_what_is_wrong(gateway, unasked, what, body, status, param):
    answer = post(gateway, what, body if isinstance(body, bytes) else
                  body | ({"model": "pair"} if what != "cost/compare" else {}))
    assert (answer.status, answer.json["error"]["param"]) == (status, param)


@pytest.mark.parametrize("what", ["tokens/count", "cost/estimate"])
def test_unknown_model_is_a_404(gateway, what):
    answer = post(gateway, what, {"messages": "x", "model": "nope"})
    assert answer.status == 404 and answer.json["error"]["type"] == "model_not_found"


# Costs.

def test_estimate_is_exact_and_itemised(gateway, unasked):
    got = cost(gateway, model="gpt-4o-mini", expected_output_tokens=450)
    parts = got.pop("breakdown")
    assert got.pop("request_id")
    assert got == {"model": "gpt-4o-mini", "vendor": "up", "prompt_tokens": AROUND + 2,
                   "exact": True, "expected_output_tokens": 450}
    assert parts == {
        "input_cost_usd": (AROUND + 2) * Decimal("0.20") * USD,
        "output_cost_usd": Decimal("0.000225"), "cache_read_cost_usd": 0,
        "cache_write_cost_usd": 0, "tools_cost_usd": 0, "batch_discount_usd": 0,
        "long_context_multiplier": {"input": 1, "output": 1}, "discount_rate": 1,
        "is_byok": False, "currency": "USD",
        "total_cost_usd": (AROUND + 2) * Decimal("0.20") * USD + Decimal("0.000225")}


@pytest.mark.parametrize("more, tokens", [
    ({}, 256), ({"max_tokens": 9}, 9), ({"max_completion_tokens": 8}, 8),
    ({"expected_output_tokens": 0}, 0), ({"expected_output_tokens": 3, "max_tokens": 9}, 3)])
def test_answer_is_as_long_as_the_request_says(gateway, more, tokens):
    got = cost(gateway, model="gpt-4o-mini", **more)
    assert got["expected_output_tokens"] == tokens
    assert got["breakdown"]["output_cost_usd"] == tokens * Decimal("0.50") * USD


def test_vendor_is_who_would_be_asked_first(gateway):
    cheap = cost(gateway, model="pair", provider={"sort": "price"})
    assert (cheap["vendor"], cheap["vendor_region"]) == ("near/fp8", "eu")
    dear = cost(gateway, model="pair", provider={"only": ["up"]})
    assert dear["vendor"] == "up" and "vendor_region" not in dear
    assert dear["breakdown"]["total_cost_usd"] == 3 * cheap["breakdown"]["total_cost_usd"]


def test_batches_cost_half(gateway):
    whole = cost(gateway, model="gpt-4o-mini")["breakdown"]
    half = cost(gateway, model="gpt-4o-mini", batch_mode=True)["breakdown"]
    assert half["total_cost_usd"] * 2 == whole["total_cost_usd"]
    assert half["batch_discount_usd"] == half["total_cost_usd"]
    assert half["input_cost_usd"] == whole["input_cost_usd"]


def cached(ttl: str | None = None) -> list[dict]:
    control = {"type": "ephemeral", **({} if ttl is None else {"ttl": ttl})}
    return [{"role": "system", "content": [
                {"type": "text", "text": "x" * 7000, "cache_control": control}]},
            {"role": "user", "content": "y" * 35}]


@pytest.mark.parametrize("ttl, price", [(None, 5), ("5m", 5), ("1h", 8)])
def test_what_a_cache_is_asked_to_keep_is_written_once(gateway, ttl, price):
    got = cost(gateway, cached(ttl), model="acme-cache")
    parts, kept = got["breakdown"], 3 + 4 + 2000
    assert got["prompt_tokens"] == kept + 4 + 10
    assert parts["cache_write_cost_usd"] == kept * price * USD
    assert parts["input_cost_usd"] == 14 * 4 * USD
    assert parts["cache_read_cost_usd"] == 0


@pytest.mark.parametrize("model, more", [
    ("acme-cache", {"cache_strategy": "none"}), ("gpt-4o-mini", {})])
def test_nothing_is_written_where_nothing_is_kept(gateway, model, more):
    got = cost(gateway, cached(), model=model, **more)
    plain = [{"role": m["role"], "content": "x" * 7000 if m["role"] == "system" else m["content"]}
             for m in cached()]
    assert got["breakdown"] == cost(gateway, plain, model=model)["breakdown"]
    assert got["breakdown"]["cache_write_cost_usd"] == 0


@pytest.mark.parametrize("more, factors", [(0, (1, 1)), (1, (2, Decimal("1.5")))])
def test_long_prompts_cost_more_beyond_the_limit(gateway, more, factors):
    """200,000 tokens exactly are not long yet."""
    text = "x" * (7 * (200_000 - 3 - 4 + more) // 2)
    got = cost(gateway, text, model="acme-cache", expected_output_tokens=10)
    parts = got["breakdown"]
    assert got["prompt_tokens"] == 200_000 + more
    assert parts["long_context_multiplier"] == {"input": factors[0], "output": factors[1]}
    assert parts["input_cost_usd"] == got["prompt_tokens"] * 4 * factors[0] * USD
    assert parts["output_cost_usd"] == 10 * 10 * factors[1] * USD


@pytest.mark.parametrize("model, missing", [("acme-free", "price.input"), ("acme-half", "price.output")])
def test_price_that_is_missing_is_named(gateway, model, missing):
    answer = post(gateway, "cost/estimate", {"messages": "x", "model": model})
    assert answer.status == 400 and answer.json["error"]["param"] == "model"
    assert missing in answer.json["error"]["message"]
    assert cost(gateway, model="acme-half", expected_output_tokens=0)["breakdown"]["input_cost_usd"] > 0


def test_own_credentials_cost_nothing_here(gateway):
    parts = cost(gateway, key="sk-byok-key-of-the-test", model="mine")["breakdown"]
    assert parts["is_byok"] is True and parts["total_cost_usd"] == 0 < parts["input_cost_usd"]


@pytest.mark.parametrize("what", ["cost/estimate", "cost/compare"])
@pytest.mark.parametrize("member, value", [
    ("expected_output_tokens", -1), ("expected_output_tokens", 1.5), ("expected_output_tokens", "9"),
    ("cache_strategy", "some"), ("batch_mode", "yes")])
def test_bad_options_are_named(gateway, unasked, what, member, value):
    answer = post(gateway, what, {"messages": "x", member: value})
    assert (answer.status, answer.json["error"]["param"]) == (400, member)


# Several models.

def test_models_are_compared_in_their_order(gateway, unasked):
    got = compare(gateway, models=["mine", "nope", "gpt-4o-mini", "acme-free", "best"])
    assert [e["model"] for e in got] == ["mine", "nope", "gpt-4o-mini", "acme-free", "pair"]
    assert got[1]["error"]["code"] == 404 and got[1]["error"]["type"] == "model_not_found"
    assert got[3]["error"]["code"] == 400 and "price.input" in got[3]["error"]["message"]
    assert set(got[1]) == {"model", "error"}
    alone = cost(gateway, model="gpt-4o-mini")
    del alone["request_id"]
    assert got[2] == alone


def test_all_models_for_text_are_compared_the_cheapest_first(gateway, unasked):
    got = compare(gateway, key="sk-byok-key-of-the-test")
    good = [e for e in got if "breakdown" in e]
    totals = [e["breakdown"]["total_cost_usd"] for e in good]
    assert totals == sorted(totals) and got[:len(good)] == good
    assert {e["model"] for e in got} == set(TEXTS)
    assert got[0]["model"] == "mine" and got[0]["breakdown"]["is_byok"] is True
    assert len(compare(gateway)) == 50  # of all there are


@pytest.mark.parametrize("key", ["narrow", "alias", "pipeline"])
def test_all_are_those_the_key_reaches(gateway, key):
    assert [e["model"] for e in compare(gateway, key=f"sk-{key}-key-of-the-test")] == ["pair"]
    [other] = compare(gateway, key=f"sk-{key}-key-of-the-test", models=["mine"])
    assert other["error"]["code"] in (403, 404) and "vendor" not in other


def test_path_may_fix_the_model(gateway):
    assert count(gateway, model="pair")["model"] == "pair"
    answer = post(gateway, "tokens/count", {"messages": "x"}, path="/v1/best/ai")
    assert answer.status == 200 and answer.json["model"] == "pair"
    answer = post(gateway, "cost/compare", {"messages": "x"}, path="/v1/best/ai")
    assert [e["model"] for e in answer.json["estimates"]] == ["pair"]
    answer = post(gateway, "cost/compare", {"messages": "x", "models": ["mine"]}, path="/v1/best/ai")
    assert answer.json["estimates"][0]["error"]["code"] == 404


@pytest.mark.parametrize("models", ["pair", [], [""], [5], ["pair"] * 51, {"a": 1}])
def test_bad_lists_of_models_are_refused(gateway, models):
    answer = post(gateway, "cost/compare", {"messages": "x", "models": models})
    assert (answer.status, answer.json["error"]["param"]) == (400, "models")
    assert len(compare(gateway, models=["pair"] * 50)) == 50


def test_each_model_counts_in_its_own_vocabulary(gateway):
    models, text = ["gpt-4o-mini", "gpt-4-turbo", "pair"], "\u4f60\u597d\uff0c\u4e16\u754c" * 9
    got = compare(gateway, messages=text, models=models)
    tokens = [e["prompt_tokens"] for e in got]
    assert len(set(tokens)) == 3 and [e["exact"] for e in got] == [True, True, False]
    assert tokens == [count(gateway, text, model=m)["prompt_tokens"] for m in models]


def test_tools_are_kept_before_messages(gateway):
    tool = {"type": "function", "function": {"name": "f", "description": "x" * 7000},
            "cache_control": {"type": "ephemeral"}}
    parts = cost(gateway, "y" * 35, model="acme-cache", tools=[tool])["breakdown"]
    assert parts["cache_write_cost_usd"] == (3 + 12 + 1 + 2000) * 5 * USD
    assert parts["input_cost_usd"] == 14 * 4 * USD


def test_names_that_are_no_names_are_errors_of_their_own(gateway):
    got = compare(gateway, models=["a\n", "\ud800", "x" * 600, "pair"])
    assert [e.get("error", {}).get("code") for e in got] == [400, 404, 400, None]


def test_works_with_every_circuit_open(start, upstream):
    gw = start(models={"sick": {"provider": "up", "price": {"input": "1", "output": "1"}}})

    async def refuse(x) -> None:
        await x.reply(500, b"{}")
    upstream.scripts["sick"] = refuse
    try:
        for _ in range(8):
            assert gw.chat("sick").status >= 500
    finally:
        upstream.scripts.clear()
    assert count(gw, model="sick")["prompt_tokens"] > 0
    assert cost(gw, model="sick")["vendor"] == "up"


def test_answers_are_what_the_document_says(gateway):
    document = gateway.get("/v1/openapi.json").json
    check(document, "TokensAnswer", count(gateway))
    for what, name in (("estimate", "CostEstimate"), ("compare", "CostEstimates")):
        check(document, name, post(gateway, f"cost/{what}", {"messages": "x"}).json)


def test_records_say_what_it_was(gateway):
    answer = post(gateway, "cost/estimate", {"messages": "x"})
    record = gateway.record_of(answer.headers["x-request-id"])
    assert record["api"] == "cost" and record["status"] == 200 and record["attempts"] == []
