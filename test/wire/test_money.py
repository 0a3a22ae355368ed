"""Money (contract 0.3, 0.4, 2.3, 2.5, 2.24): budgets and the balance are never passed, what failed costs
nothing, what was delivered costs exactly what the price says; and who may see and change it."""
from __future__ import annotations

import datetime
import json
import time
from decimal import Decimal

import pytest

import raw
from free_port import free_port
from gateway import CANARY, environment, run
from promises import assert_envelope
from redis_server import RedisServer
from spending import DOORS, ask_bytes, assert_refused, spending
from test_openapi import check
from upstream import until

KEY, ADMIN, BOT = "sk-money-key-0001", "sk-money-admin-01", "sk-money-bot-0001"
OWN = "sk-canary-own-of-the-caller"
PD = Decimal("0.000000000001")
PRICE = {"input": "1.00", "output": "2.00"}  # a million pico-dollars a token, and two
STREAMED = [False, True]


def keys(**more) -> list[dict]:
    return [{"name": "dev", "secret": KEY} | more,
            {"name": "boss", "secret": ADMIN, "scope": "admin"},
            {"name": "bot", "secret": BOT, "scope": "pipeline", "pipeline": "bot"}]


@pytest.fixture
def paid(start, upstream):
    """A gateway that asks a price for one model, which plays the script."""
    def make(script, *, store: dict | None = None, account: dict | None = None,
             price: dict | None = None, key: dict | None = None, **more):
        model = upstream.play(script)
        gw = start(store=store or {"url": "memory:"}, keys=keys(**key or {}),
                   account=account or {},
                   models={model: {"provider": "up", "upstream_model": model,
                                   "price": price or PRICE},
                           "bot": {"alias": [model]}}, **more)
        gw.connected()
        return gw, model
    return make


def post(gw, path: str, body, key: str | None = ADMIN) -> raw.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return gw.ask(raw.request_bytes("POST", path, data, key=key))


def credit(gw, amount, **more) -> dict:
    answer = post(gw, "/v1/account/credit", {"amount_usd": amount} | more)
    assert answer.status == 200, answer.body
    check(gw.get("/v1/openapi.json").json, "Credit", answer.json)
    return exactly(answer)


def exactly(answer: raw.Response) -> dict:
    assert answer.status == 200, answer.body
    return json.loads(answer.body, parse_float=Decimal, parse_int=Decimal)


def balance(gw, key: str = KEY) -> dict:
    return exactly(gw.get("/v1/balance", key=key))


def settled(gw) -> dict:
    """The balance once nothing is reserved any more."""
    def look():
        now = exactly(gw.get("/v1/quota", key=KEY))
        return now["account"]["concurrency"]["used"] == 0
    until(look, 5, "everything to be settled")
    return balance(gw)


def chat(gw, model: str, key: str = KEY, **more) -> raw.Response:
    return gw.ask(ask_bytes("chat", model, key=key, **more))


# What it costs.

@pytest.mark.pairwise
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("stream", STREAMED)
@pytest.mark.parametrize("rate,total", [("1", 1_300_000_000), ("0.9", 1_170_000_000),
                                        ("0.333333", 433_332_900)])
def test_one_number_is_charged_told_and_written_down(store, paid, door, stream, rate, total):
    gw, model = paid(spending(1000, 150), store=store, account={"discount_rate": rate})
    credit(gw, "1.50")
    answer = gw.ask(ask_bytes(door, model, stream=stream, key=KEY, usage={"include": True}))
    assert answer.status == 200
    record = gw.record_of(answer.headers["x-request-id"])
    assert record["cost_pd"] == total
    now = settled(gw)
    assert now == {"account_name": "default", "credit_balance": Decimal("1.5") - total * PD,
                   "currency": "USD", "reserved": 0, "spent": total * PD, "prepaid": False}
    if door == "chat":
        assert f'"cost":{format((total * PD).normalize(), "f")},'.encode() in answer.body
        assert f'"discount_rate":{rate},'.encode() in answer.body


def test_estimates_have_the_discount(paid):
    gw, model = paid(spending(1, 1), account={"discount_rate": "0.5"})
    body = {"messages": "hello", "model": model, "expected_output_tokens": 100}
    told = exactly(post(gw, "/v1/ai/cost/estimate", body, KEY))["breakdown"]
    assert told["discount_rate"] == Decimal("0.5")
    assert told["output_cost_usd"] == Decimal("0.0002")
    assert told["total_cost_usd"] == (told["input_cost_usd"] + told["output_cost_usd"]) / 2


@pytest.mark.pairwise
@pytest.mark.parametrize("stream", STREAMED)
@pytest.mark.parametrize("script", ["status-500", "reset-before-head", "garbage"])
def test_a_failure_before_any_token_costs_nothing(store, start, script, stream):
    gw = start(store=store, keys=keys(), account={"prepaid": True},
               models={script: {"provider": "up", "price": PRICE, "upstream_model": script},
                       "bot": {"alias": [script]}})
    gw.connected()
    credit(gw, 1)
    assert chat(gw, script, stream=stream).status == 502
    assert settled(gw)["credit_balance"] == 1
    assert balance(gw)["reserved"] == 0


def test_a_client_that_leaves_pays_for_what_was_delivered(paid, upstream):
    gate = upstream.gate()
    gw, model = paid(spending(1000, 150, gate))
    with gw.client() as client:
        client.send(ask_bytes("chat", model, stream=True, key=KEY))
        stream = raw.Stream(client)
        stream.next()
    record = gw.record_of(stream.headers["x-request-id"])
    assert record["outcome"] == "client_gone" and record["cost_pd"] > 0
    assert settled(gw)["spent"] == record["cost_pd"] * PD


def test_what_is_reserved_is_shown_until_it_is_settled(paid, upstream):
    gate = upstream.gate()
    gw, model = paid(spending(1000, 150, gate), account={"prepaid": True})
    credit(gw, 1)
    with gw.client() as client:
        client.send(ask_bytes("chat", model, most=1000, key=KEY))
        until(lambda: upstream.seen(model), 5, "the request")
        now = balance(gw)
        assert now["credit_balance"] == 1 and Decimal("0.002") <= now["reserved"] < Decimal("0.003")
        gate.open()
        assert client.response().status == 200
    assert settled(gw)["reserved"] == 0


# A balance.

@pytest.mark.pairwise
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("stream", STREAMED)
def test_without_credit_nothing_is_bought(store, paid, upstream, door, stream):
    gw, model = paid(spending(1000, 150), store=store, account={"prepaid": True})
    refused = gw.ask(ask_bytes(door, model, stream=stream, key=KEY))
    said = assert_refused(refused, door, 402, "insufficient_credit")
    assert "POST /v1/account/topup" in said
    assert not upstream.seen(model)
    credit(gw, "0.0015")
    assert gw.ask(ask_bytes(door, model, stream=stream, key=KEY)).status == 200
    assert settled(gw)["credit_balance"] == Decimal("0.0002")
    assert gw.ask(ask_bytes(door, model, stream=stream, most=1000, key=KEY)).status == 402
    assert gw.metric("sluice_ratelimit_rejections_total", limit="balance") == 2
    assert not [r for r in gw.records() if r["status"] == 402 and r["outcome"] != "client_error"]


def test_what_asks_no_provider_needs_no_credit(paid):
    gw, model = paid(spending(1, 1), account={"prepaid": True})
    body = {"messages": "hello", "model": model}
    for path in ("/v1/ai/tokens/count", "/v1/ai/cost/estimate"):
        assert post(gw, path, body, KEY).status == 200
    counted = gw.ask(raw.request_bytes("POST", "/v1/messages/count_tokens", json.dumps(
        {"model": model, "messages": [{"role": "user", "content": "x"}]}).encode(), key=KEY))
    assert counted.status == 200, counted.body


def test_the_dearest_endpoint_of_the_plan_is_reserved(paid, start, upstream):
    """Who answers is not known before: the request must be affordable with any of them."""
    cheap, dear = upstream.play(spending(1, 1)), upstream.play(spending(1, 1))
    gw = start(keys=keys(), account={"prepaid": True}, models={"bot": {"endpoints": [
        {"provider": "up", "upstream_model": cheap, "price": PRICE},
        {"provider": "two", "upstream_model": dear, "price": {"input": "9", "output": "90"}}]}},
        providers={"two": {"protocol": "openai", "base_url": upstream.base_url,
                           "api_key": CANARY}})
    credit(gw, "0.01")
    assert chat(gw, "bot", most=1000).status == 402  # 0.09 at the dear one
    only = {"provider": {"only": ["up"]}}
    assert chat(gw, "bot", most=1000, **only).status == 200


IMAGES, SPEECH = "/v1/images/generations", "/v1/audio/speech"


@pytest.mark.parametrize("path,price,fits,too_much", [
    (IMAGES, {"image": "0.04"}, {"prompt": "a bird", "n": 2}, {"prompt": "a bird", "n": 3}),
    (IMAGES, {"image": "0.06"}, {"prompt": "a bird"}, {"prompt": "a bird", "n": 2}),
    (IMAGES, {"input": "0", "image_output": "15"}, {"prompt": "a bird", "n": None},
     {"prompt": "a bird", "n": 2}),
    (SPEECH, {"character": "1000"}, {"voice": "a", "input": "é" * 99},
     {"voice": "a", "input": "é" * 101}),
    (SPEECH, {"request": "0.1"}, {"voice": "a", "input": "hello"}, None)])
def test_pictures_and_speech_are_reserved_as_they_are_priced(start, upstream, path, price, fits,
                                                              too_much):
    """A tenth of a dollar is there."""
    gw = start(keys=keys(budget={"usd": "0.1", "period": "total"})[:2],
               models={"maker": {"provider": "up", "upstream_model": "good", "price": price}})
    if too_much is not None:
        asked = len(upstream.requests)
        refused = post(gw, path, {"model": "maker"} | too_much, KEY)
        assert_refused(refused, "chat", 402, "budget_exceeded")
        assert len(upstream.requests) == asked
    answer = post(gw, path, {"model": "maker"} | fits, KEY)
    assert answer.status == 200, answer.body
    left = settled(gw)
    assert left["reserved"] == 0 and 0 < left["spent"] <= Decimal("0.1")
    if too_much is None:
        assert_refused(post(gw, path, {"model": "maker"} | fits, KEY), "chat", 402, "budget_exceeded")


# Budgets.

def renewal(period: str) -> str:
    today = datetime.datetime.now(datetime.timezone.utc).date()
    if period == "day":
        return str(today + datetime.timedelta(days=1))
    if period == "week":
        return str(today + datetime.timedelta(days=7 - today.weekday()))
    return str((today.replace(day=1) + datetime.timedelta(days=32)).replace(day=1))


@pytest.mark.pairwise
@pytest.mark.parametrize("scope", ["key", "account"])
@pytest.mark.parametrize("period", ["day", "week", "month", "total"])
@pytest.mark.parametrize("door", DOORS)
def test_a_budget_ends_and_says_when_it_begins_again(store, paid, upstream, scope, period, door):
    budget = {"budget": {"usd": "0.003", "period": period}}
    gw, model = paid(spending(1000, 150), store=store,
                     **{"key" if scope == "key" else "account": budget})
    for _ in range(2):
        assert gw.ask(ask_bytes(door, model, key=KEY)).status == 200
        settled(gw)
    refused = gw.ask(ask_bytes(door, model, most=500, key=KEY))
    said = assert_refused(refused, door, 402, "budget_exceeded")
    whose = "this key's" if scope == "key" else "the account's"
    assert said.startswith(f"{whose} budget of $0.003 ")
    assert "does not renew" in said if period == "total" else renewal(period) in said
    told = exactly(gw.get("/v1/quota", key=KEY))
    check(gw.get("/v1/openapi.json").json, "Quota", gw.get("/v1/quota", key=KEY).json)
    told = told if scope == "key" else told["account"]
    assert told["budget"] == {"usd": Decimal("0.003"), "period": period,
                              "spent": Decimal("0.0026"), "reserved": 0,
                              "remaining": Decimal("0.0004")}
    assert gw.metric("sluice_ratelimit_rejections_total", limit="budget") == 1


@pytest.mark.parametrize("stream", STREAMED)
def test_fifty_clients_at_once_never_pass_a_budget(store, paid, upstream, stream):
    """Each takes what it reserved at most; the sum is what the provider counted, and within."""
    gw, model = paid(spending(10, 100), store=store,
                     account={"budget": {"usd": "0.005", "period": "total"}})
    served, rounds = 0, 0
    while rounds < 3:
        clients = [gw.client() for _ in range(50)]
        for client in clients:
            client.send(ask_bytes("chat", model, most=100, stream=stream, key=KEY))
        statuses = [client.response().status for client in clients]
        assert set(statuses) <= {200, 402}
        served += statuses.count(200)
        spent = settled(gw)["spent"]
        assert spent == served * 210 * 1_000_000 * PD
        assert spent <= Decimal("0.005")
        rounds += 1
    assert served == len(upstream.seen(model)) and served >= 21


# Several processes.

@pytest.fixture
def replicas(start, upstream, redis):
    """Two gateways over one Redis, with this account, and a model that plays the script."""
    def make(script, **account):
        model = upstream.play(script)
        config = {"store": {"url": f"redis://127.0.0.1:{redis.port}", "timeout": "2s"},
                  "keys": keys(), "account": account,
                  "models": {model: {"provider": "up", "upstream_model": model, "price": PRICE},
                             "bot": {"alias": [model]}}}
        two = start(**config), start(**config)
        for gw in two:
            gw.connected()
        return two, model
    return make


def at_once(gateways, model: str, count: int, most: int = 100) -> list[int]:
    clients = [gw.client() for _ in range(count) for gw in gateways]
    for client in clients:
        client.send(ask_bytes("chat", model, most=most, key=KEY))
    return [client.response().status for client in clients]


def test_replicas_never_pass_a_budget_together(replicas, upstream):
    two, model = replicas(spending(10, 100), budget={"usd": "0.005", "period": "month"})
    statuses = [s for _ in range(3) for s in at_once(two, model, 25)]
    assert set(statuses) == {200, 402}
    spent = [settled(gw)["spent"] for gw in two]
    assert spent[0] == spent[1] == len(upstream.seen(model)) * 210 * 1_000_000 * PD
    assert statuses.count(200) == len(upstream.seen(model)) and spent[0] <= Decimal("0.005")


def test_what_redis_forgot_is_told_to_it_and_what_was_spent_without_it(replicas, redis, upstream):
    """Credit and costs survive a Redis that dies and comes back empty; meanwhile nobody overspends."""
    two, model = replicas(spending(10, 100), prepaid=True)
    credit(two[0], "0.01", credit_id="once")
    assert set(at_once(two, model, 5)) == {200}
    before = settled(two[0])
    assert before["spent"] == 10 * 210 * 1_000_000 * PD == settled(two[1])["spent"]
    time.sleep(2.5)  # a replica hears of another with the next heartbeat
    redis.kill()
    away = [s for _ in range(3) for s in at_once(two, model, 25)]
    assert set(away) <= {200, 402} and away.count(200) > 0
    redis.start()
    for gw in two:
        until(lambda gw=gw: gw.log().count("store back") == 1, 10, "the return of Redis")
    total = len(upstream.seen(model)) * 210 * 1_000_000 * PD
    for gw in two:
        until(lambda gw=gw: balance(gw)["spent"] == total, 10, f"the sum of both, {total}")
        assert balance(gw)["credit_balance"] == Decimal("0.01") - total >= 0


# Credentials of callers' own.

@pytest.mark.pairwise
@pytest.mark.parametrize("money", ["balance", "budget"])
@pytest.mark.parametrize("stream", STREAMED)
def test_own_credentials_need_no_money(store, paid, upstream, money, stream):
    account = {"prepaid": True} if money == "balance" else {"budget": {"usd": "0"}}
    gw, model = paid(spending(1000, 150), store=store, account=account, key={"byok": {"up": OWN}})
    for _ in range(2):
        assert chat(gw, model, stream=stream).status == 200
    assert [r.headers["authorization"] for r in upstream.seen(model)] == [f"Bearer {OWN}"] * 2
    assert settled(gw)["spent"] == 0


def test_nobody_pays_for_a_fallback_there_is_no_money_for(paid, upstream):
    async def refuse(x):
        own = x.request.headers["authorization"] == f"Bearer {OWN}"
        await (x.reply(503, b'{"error":{"message":"later"}}') if own else spending(10, 5)(x))
    gw, model = paid(refuse, account={"prepaid": True}, key={"byok": {"up": OWN}})
    assert chat(gw, model).status == 503
    assert [r.headers["authorization"] for r in upstream.seen(model)] == [f"Bearer {OWN}"]
    credit(gw, 1)
    assert chat(gw, model).status == 200
    assert len(upstream.seen(model)) == 3
    assert settled(gw)["spent"] == Decimal("0.00002")


def test_own_credentials_for_somebody_else_are_no_money(paid, upstream):
    gw, model = paid(spending(1, 1), account={"prepaid": True}, key={"byok": {"two": OWN}},
                     providers={"two": {"protocol": "openai", "base_url": upstream.base_url,
                                        "api_key": CANARY}})
    assert_refused(chat(gw, model), "chat", 402, "insufficient_credit")
    assert not upstream.seen(model)


# Credit, and who may give it.

def test_credit_is_given_once_an_id(store, paid):
    gw, _ = paid(spending(1, 1), store=store)
    first = credit(gw, "12.34", credit_id="invoice 7", note="cash")
    assert first == {"account_name": "default", "amount_usd": Decimal("12.34"),
                     "credit_balance": Decimal("12.34"), "currency": "USD",
                     "credit_id": "invoice 7", "repeated": False}
    again = credit(gw, "12.34", credit_id="invoice 7")
    assert again["repeated"] is True and again["credit_balance"] == Decimal("12.34")
    assert credit(gw, "-2.345", credit_id="x" * 255)["credit_balance"] == Decimal("9.995")
    assert credit(gw, "0.000000000001")["credit_balance"] == Decimal("9.995000000001")
    assert balance(gw)["credit_balance"] == Decimal("9.995000000001")
    assert gw.log().count("account credited") == 3 and "invoice 7" in gw.log()


def test_credit_survives_a_restart(paid, tmp_path):
    gw, model = paid(spending(1000, 150), store={"url": f"sqlite://{tmp_path}/sluice.db"},
                     key={"budget": {"usd": 1, "period": "month"}})
    credit(gw, 10, credit_id="one")
    assert chat(gw, model).status == 200
    before = settled(gw)
    gw.stop()
    gw.start()
    assert balance(gw) == before
    assert credit(gw, 10, credit_id="one")["repeated"] is True
    assert exactly(gw.get("/v1/quota", key=KEY))["budget"]["spent"] == Decimal("0.0013")


WHO_MAY = [
    ("/v1/balance", None, 401, "invalid_api_key"), ("/v1/balance", BOT, 403, "key_scope"),
    ("/v1/balance", KEY, 200, None), ("/v1/balance", ADMIN, 200, None),
    ("/v1/quota", None, 401, "invalid_api_key"), ("/v1/quota", BOT, 403, "key_scope"),
    ("/v1/quota", KEY, 200, None), ("/v1/quota", ADMIN, 200, None),
    ("/v1/account/topup", None, 401, "invalid_api_key"),
    ("/v1/account/topup", BOT, 403, "key_scope"), ("/v1/account/topup", KEY, 200, None),
    ("/v1/account/topup", ADMIN, 200, None), ("/v1/account/credit", None, 401, "invalid_api_key"),
    ("/v1/account/credit", BOT, 403, "key_scope"), ("/v1/account/credit", KEY, 403, "key_scope"),
    ("/v1/account/credit", ADMIN, 200, None)]


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_who_may(paid, prefix):
    gw, _ = paid(spending(1, 1), account={"topup_url": "https://pay.example.org/{amount}"})
    for path, key, status, kind in WHO_MAY:
        answer = gw.get(prefix + path, key=key) if path in ("/v1/balance", "/v1/quota") \
            else post(gw, prefix + path, {"amount_usd": 5}, key)
        if kind is None:
            assert answer.status == status, (path, key, answer.body)
        else:
            assert_envelope(answer, status, kind)


BAD = [
    (b"{", ""), (b"[]", ""), (b"5", ""), ({}, "amount_usd"), ({"amount_usd": None}, "amount_usd"),
    ({"amount_usd": "ten"}, "amount_usd"), ({"amount_usd": "1e3"}, "amount_usd"),
    (b'{"amount_usd":1e3}', "amount_usd"), ({"amount_usd": [10]}, "amount_usd"),
    ({"amount_usd": 1000000.01}, "amount_usd"), ({"amount_usd": "7.0000000000001"}, "amount_usd"),
    ({"amount_usd": 7, "idempotency_key": ""}, "idempotency_key"),
    ({"amount_usd": 7, "idempotency_key": 7}, "idempotency_key"),
    ({"amount_usd": "7\x00"}, "amount_usd"), ({"amount_usd": {}}, "amount_usd"),
    ({"amount_usd": 7, "idempotency_key": "x" * 256}, "idempotency_key"),
]


@pytest.mark.parametrize("path,more", [
    ("/v1/account/topup", [({"amount_usd": 4.99}, "amount_usd"), ({"amount_usd": 0}, "amount_usd"),
                           ({"amount_usd": -10}, "amount_usd"),
                           ({"amount_usd": "5.001"}, "amount_usd")]),
    ("/v1/account/credit", [({"amount_usd": 0}, "amount_usd"), ({"amount_usd": "-0"}, "amount_usd"),
                            ({"amount_usd": 7, "credit_id": ""}, "credit_id"),
                            ({"amount_usd": 7, "credit_id": "x" * 256}, "credit_id"),
                            ({"amount_usd": 7, "note": "x" * 201}, "note"),
                            ({"amount_usd": 7, "note": ["x"]}, "note")])])
def test_what_cannot_be_used_is_named(paid, path, more):
    gw, _ = paid(spending(1, 1), account={"topup_url": "https://pay.example.org/{amount}"})
    for body, param in BAD + more:
        assert_envelope(post(gw, path, body), 400, "invalid_request_error", param)
    assert balance(gw)["credit_balance"] == 0


def test_topup_says_where_to_pay_and_how_much(paid):
    url = "https://pay.example.org/{account}?a={amount}&f={fee}&t={total}&id={id}"
    gw, _ = paid(spending(1, 1), account={"name": "Team A", "topup_url": url})
    answer = post(gw, "/v1/account/topup", {"amount_usd": 50, "idempotency_key": "a&b"}, KEY)
    check(gw.get("/v1/openapi.json").json, "Topup", answer.json)
    assert exactly(answer) == {
        "checkout_url": "https://pay.example.org/Team%20A?a=50&f=2.85&t=52.85&id=a%26b",
        "amount_usd": 50, "fee_usd": Decimal("2.85"), "total_usd": Decimal("52.85")}
    other = post(gw, "/v1/account/topup", {"amount_usd": "50.00"}, KEY)
    assert exactly(other)["checkout_url"].endswith(f"id={other.headers['x-request-id']}")


def test_topup_without_a_page_is_503(paid):
    gw, _ = paid(spending(1, 1))
    error = assert_envelope(post(gw, "/v1/account/topup", {"amount_usd": 50}, KEY), 503)
    assert "account.topup_url" in error["message"]


def test_quota_of_nobody_in_particular_is_the_accounts(start):
    gw = start(auth="none", keys=None, account={"limits": {"rpm": 7, "tasks": 2}})
    assert gw.chat("good", key=None).status == 200
    told = exactly(gw.get("/v1/quota", key=None))
    assert told["rate_limit"] == {"limit": 7, "remaining": 6, "ceiling": None, "window_s": 60}
    assert told["concurrent_tasks"] == {"limit": 2, "used": 0}
    assert told["assets"] == {"limit": 1000, "used": 0} and told["plan"] is None
    assert "budget" not in told


# The command line.

def command(gw, *args: str, key: str = ADMIN, **env: str):
    return run("credit", *args, env=environment(SLUICE_BASE_URL=gw.base_url, SLUICE_API_KEY=key,
                                                **env))


def test_sluice_credit_prints_the_new_balance(paid):
    gw, _ = paid(spending(1, 1))
    assert command(gw, "12.50", "--note", "invoice 7").stdout == "balance  $12.5\n"
    assert command(gw, "-2.505", "--id", "seven").stdout == "balance  $9.995\n"
    again = command(gw, "--id", "seven", "--", "-2.505")
    assert again.returncode == 0 and again.stdout == "balance  $9.995\n"
    assert "credited before under the id seven" in again.stderr
    told = json.loads(command(gw, "1", "--json").stdout)
    assert told["credit_balance"] == 10.995 and len(told["credit_id"]) == 32
    assert '"note":"invoice 7"' in gw.log()


@pytest.mark.parametrize("args,key,code,says", [
    ((), ADMIN, 2, "something is missing"), (("ten",), ADMIN, 2, "is no amount"),
    (("0",), ADMIN, 2, "is no amount"), (("1e3",), ADMIN, 2, "is no amount"),
    (("1000001",), ADMIN, 2, "a million dollars"), (("5", "6"), ADMIN, 2, "one argument too many"),
    (("5", "--id", "x" * 256), ADMIN, 2, "longer than 255 bytes"),
    (("5", "--note", "x" * 201), ADMIN, 2, '"note" must be text'),
    (("5",), KEY, 77, "may not manage"), (("5",), "wrong", 77, "not known here")])
def test_sluice_credit_explains_what_went_wrong(paid, args, key, code, says):
    gw, _ = paid(spending(1, 1))
    done = command(gw, *args, key=key)
    assert done.returncode == code and says in done.stderr, done.stderr
    assert done.stdout == "" and balance(gw)["credit_balance"] == 0


def test_sluice_credit_can_be_repeated_when_nobody_answered():
    done = run("credit", "5", "--id", "mine",
               env=environment(SLUICE_BASE_URL=f"http://127.0.0.1:{free_port()}/v1"))
    assert done.returncode == 69 and "Again with --id mine" in done.stderr


def test_the_admin_token_credits_through_an_admin_listener(start):
    port = free_port()
    gw = start(keys=keys()[:2], admin={"token": "the-admin-token"}, listeners=[
        {"address": f"127.0.0.1:{port}", "serves": ["admin", "health"]}], port=port)
    env = {"SLUICE_BASE_URL": gw.base_url, "SLUICE_ADMIN_TOKEN": "the-admin-token"}
    assert run("credit", "5", env=environment(**env)).stdout == "balance  $5\n"
    assert gw.get("/v1/quota", key="the-admin-token").json["balance"] == 5
    assert_envelope(gw.get("/v1/balance", key=KEY), 401, "invalid_api_key")


# One round trip.

def test_admission_of_both_scopes_with_money_is_one_round_trip(paid, tmp_path):
    server = RedisServer(tmp_path).start()
    try:
        section = {"url": f"redis://127.0.0.1:{server.port}", "timeout": "2s"}
        gw, model = paid(spending(10, 5), store=section,
                         account={"prepaid": True, "limits": {"rpm": 1000, "tpm": 10 ** 9}},
                         key={"budget": {"usd": 1}, "limits": {"rpm": 1000, "concurrency": 9}})
        credit(gw, 100)

        def calls() -> int:
            info = server.command("INFO", "commandstats")
            return sum(int(line.split("calls=")[1].split(",")[0]) for line in info.splitlines()
                       if line.startswith(("cmdstat_evalsha:", "cmdstat_eval:")))
        with gw.client() as client:
            client.ask(ask_bytes("chat", model, key=KEY))
            settled(gw)
            before = calls()
            for _ in range(20):
                assert client.ask(ask_bytes("chat", model, key=KEY)).status == 200
        # Settling tells Redis, too, and nobody waits for it: 20 to admit, 20 to settle at most, and
        # what looks after instances meanwhile.
        assert 20 <= calls() - before <= 44
    finally:
        server.stop()
