"""/v1/keys (contract KEY-1 to KEY-6): keys that are made while the gateway runs: known at once and
everywhere, shown once, and held to what they may."""
from __future__ import annotations

import json
import re
import sqlite3
import time
from datetime import datetime, timedelta, timezone

import pytest

import raw
from free_port import free_port
from promises import assert_envelope
from upstream import until

ADMIN = "sk-admin-of-the-gateway"
PRICES = {"input": "2.00", "output": "8.00"}


def configuration(**more) -> dict:
    return {
        "models": {"my-bot": {"provider": "up", "upstream_model": "m", "price": PRICES},
                   "m": {"provider": "up", "upstream_model": "m", "price": PRICES}},
        "keys": [{"name": "dev", "secret": raw.KEY, "limits": {"rpm": 9000}},
                 {"name": "boss", "secret": ADMIN, "scope": "admin"}]} | more


@pytest.fixture
def gateway(start):
    return start(**configuration())


def call(gw, method: str, path: str = "", body=None, key: str | None = ADMIN) -> raw.Response:
    text = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return gw.ask(raw.request_bytes(method, "/v1/keys" + path, text, key=key))


def make(gw, **more) -> dict:
    answer = call(gw, "POST", "", {"name": "ci"} | more)
    assert answer.status == 201, answer.body
    return answer.json


def change(gw, made: dict, **what) -> dict:
    answer = call(gw, "PATCH", "/" + made["id"], what)
    assert answer.status == 200, answer.body
    return answer.json


def works(gw, key: str, model: str = "m") -> bool:
    answer = gw.chat(model, key=key)
    if answer.status == 401:
        assert_envelope(answer, 401, "invalid_api_key")
        return False
    assert answer.status == 200, answer.body
    return True


def ahead(**much) -> str:
    return (datetime.now(timezone.utc) + timedelta(**much)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def shown(made: dict) -> dict:
    return {k: v for k, v in made.items() if k != "key"}


# --- what becomes of a key

def test_key_works_at_once_and_ends_at_once(gateway):
    made = make(gateway)
    assert re.fullmatch(r"key_[0-9a-f]{32}", made["id"])
    assert re.fullmatch(r"sl_live_[0-9A-Za-z]{28}", made["key"])
    assert made["prefix"] == made["key"][:12] and made["last4"] == made["key"][-4:]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["created_at"])
    assert {k: made[k] for k in ("object", "name", "source", "scope", "pipeline_id", "enabled",
                                 "models", "plan", "rate_limit", "effective_rate_limit", "tpm",
                                 "concurrency", "budget_usd", "budget_period", "expires_at",
                                 "last_used_at", "previous_valid_until")} == \
        {"object": "key", "name": "ci", "source": "managed", "scope": "workspace",
         "pipeline_id": None, "enabled": True, "models": ["*"], "plan": None, "rate_limit": None,
         "effective_rate_limit": None, "tpm": None, "concurrency": None, "budget_usd": None,
         "budget_period": None, "expires_at": None, "last_used_at": None,
         "previous_valid_until": None}
    assert call(gateway, "GET", "/" + made["id"]).json == shown(made)
    assert works(gateway, made["key"])
    assert call(gateway, "GET", "/" + made["id"]).json["last_used_at"] is not None

    gone = call(gateway, "DELETE", "/" + made["id"])
    assert gone.status == 200
    assert gone.json == {"id": made["id"], "object": "key", "deleted": True}
    assert not works(gateway, made["key"])
    for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/rotate"), ("DELETE", "")):
        body = None if method == "GET" else {}
        assert_envelope(call(gateway, method, f"/{made['id']}{path}", body), 404, "not_found")


def test_all_that_was_asked_for_is_kept(gateway):
    until_then = ahead(days=1)[:23] + "Z"
    settings = {"rate_limit": 7, "tpm": 9000, "concurrency": 3, "models": ["m", "my-bot"],
                "budget_usd": 12.345678901234, "budget_period": "week", "expires_at": until_then,
                "enabled": False, "nobody_knows": 1}
    made = make(gateway, **settings)
    settings.pop("nobody_knows")
    assert {k: made[k] for k in settings} == settings and made["effective_rate_limit"] == 7
    assert b'"budget_usd":12.345678901234,' in call(gateway, "GET", "/" + made["id"]).body
    made = change(gateway, made, rate_limit=None, tpm=None, concurrency=None, models=None,
                  budget_usd=None, expires_at=None, enabled=True, name="other")
    assert {k: made[k] for k in settings} == \
        dict.fromkeys(settings) | {"models": ["*"], "enabled": True}
    assert made["name"] == "other"
    assert change(gateway, made, budget_usd="5")["budget_period"] == "month"
    assert change(gateway, made, budget_period="total")["budget_usd"] == 5


def test_disabled_and_expired_keys_are_refused(gateway):
    made = make(gateway, expires_at=ahead(seconds=2))
    assert works(gateway, made["key"])
    change(gateway, made, enabled=False)
    assert not works(gateway, made["key"])
    change(gateway, made, enabled=True)
    assert works(gateway, made["key"])
    until(lambda: not works(gateway, made["key"]), timeout=5)
    change(gateway, made, expires_at=None)
    assert works(gateway, made["key"])


def test_replaced_secret_works_as_long_as_was_said(gateway):
    made = make(gateway)
    rotated = call(gateway, "POST", f"/{made['id']}/rotate", {"overlap_seconds": 2}).json
    assert rotated["id"] == made["id"] and rotated["key"] != made["key"]
    assert rotated["previous_valid_until"] is not None
    same = ("name", "scope", "models", "created_at", "rate_limit")
    assert [rotated[k] for k in same] == [made[k] for k in same]
    assert works(gateway, made["key"]) and works(gateway, rotated["key"])
    until(lambda: not works(gateway, made["key"]), timeout=5)
    assert works(gateway, rotated["key"])
    assert call(gateway, "GET", "/" + made["id"]).json["previous_valid_until"] is None


def test_rotated_key_is_answered_what_it_was_before(gateway):
    def ask(key: str) -> raw.Response:
        return gateway.ask(raw.request_bytes("POST", "/v1/chat/completions", raw.chat_body("m"),
                                             (("Idempotency-Key", "order-1"),), key))

    made = make(gateway)
    first = ask(made["key"])
    rotated = call(gateway, "POST", f"/{made['id']}/rotate", {}).json
    again = ask(rotated["key"])
    assert again.headers.get("idempotency-replayed") == "true" and again.body == first.body
    assert ask(make(gateway)["key"]).headers.get("idempotency-replayed") is None


@pytest.mark.parametrize("body", [None, b"", {}, {"overlap_seconds": 0}])
def test_rotation_without_overlap_ends_every_earlier_secret(gateway, body):
    made = make(gateway)
    first = call(gateway, "POST", f"/{made['id']}/rotate", {"overlap_seconds": 86400}).json
    assert works(gateway, made["key"])
    last = call(gateway, "POST", f"/{made['id']}/rotate", body).json
    assert [works(gateway, k["key"]) for k in (made, first, last)] == [False, False, True]


def test_fifth_overlap_is_a_conflict(gateway):
    made = make(gateway)
    keys = [made["key"]]
    for _ in range(4):
        keys.append(call(gateway, "POST", f"/{made['id']}/rotate",
                         {"overlap_seconds": 60}).json["key"])
    answer = call(gateway, "POST", f"/{made['id']}/rotate", {"overlap_seconds": 60})
    assert_envelope(answer, 409, "state_conflict", "overlap_seconds")
    assert all(works(gateway, key) for key in keys)


def test_scope_of_a_key_holds(gateway):
    bot = make(gateway, scope="pipeline", pipeline_id="my-bot")["key"]
    boss = make(gateway, scope="admin")["key"]
    assert works(gateway, bot, "my-bot")
    assert_envelope(gateway.chat("m", key=bot), 403, "key_scope")
    assert_envelope(gateway.chat("m", key=boss), 403, "key_scope")
    assert call(gateway, "GET", key=boss).status == 200
    assert_envelope(call(gateway, "GET", key=bot), 403, "key_scope")
    only = make(gateway, models=["my-bot"])["key"]
    assert works(gateway, only, "my-bot")
    assert gateway.chat("m", key=only).status in (403, 404)


def test_key_that_is_deleted_while_its_request_runs_ends_nothing(gateway):
    made = make(gateway)
    with gateway.client() as client:
        stream = client.stream("drip", key=made["key"])
        stream.next()
        assert call(gateway, "DELETE", "/" + made["id"]).status == 200
        make(gateway)  # the table is another one
        assert not works(gateway, made["key"])
        assert stream.data()[-1] == "[DONE]"
    assert gateway.record_of(stream.headers["x-request-id"])["key"] == "ci"


def test_requests_of_a_managed_key_are_counted_and_recorded(gateway):
    made = make(gateway, rate_limit=2)
    answers = [gateway.chat("m", key=made["key"]) for _ in range(3)]
    assert [a.status for a in answers] == [200, 200, 429]
    assert answers[0].headers["x-ratelimit-limit"] == "2"
    assert answers[0].headers["x-ratelimit-tier"] == "config"
    assert gateway.record_of(answers[0].headers["x-request-id"])["key"] == "ci"
    rotated = call(gateway, "POST", f"/{made['id']}/rotate", {}).json
    assert gateway.chat("m", key=rotated["key"]).status == 429  # the same key, and its counters
    change(gateway, made, rate_limit=50)
    assert works(gateway, rotated["key"])  # the next request knows


def test_credential_may_be_for_a_managed_key(start, upstream):
    gw = start(**configuration(secrets={"master_key": "ab" * 32}))
    made, other = make(gw), make(gw)
    body = {"provider": "up", "credential": "sk-own-of-the-team", "keys": [made["id"]],
            "test": False}
    answer = gw.ask(raw.request_bytes("POST", "/v1/byok", json.dumps(body).encode(), key=ADMIN))
    assert answer.status == 201, answer.body
    assert works(gw, made["key"])
    assert upstream.requests[-1].headers["authorization"] == "Bearer sk-own-of-the-team"
    rotated = call(gw, "POST", f"/{made['id']}/rotate").json
    assert works(gw, rotated["key"])
    assert upstream.requests[-1].headers["authorization"] == "Bearer sk-own-of-the-team"
    assert works(gw, other["key"])
    assert upstream.requests[-1].headers["authorization"] != "Bearer sk-own-of-the-team"


# --- plans

def test_limit_is_the_keys_or_the_plans_and_within_the_ceiling(start):
    gw = start(**configuration(account={"plan": "pro"}))
    made = make(gw)
    answer = gw.chat("m", key=made["key"])
    assert answer.headers["x-ratelimit-limit"] == "500"
    assert answer.headers["x-ratelimit-tier"] == "pro"
    assert made["plan"] == "pro" and made["effective_rate_limit"] == 500
    assert gw.chat("m").headers["x-ratelimit-limit"] == "1000"  # 9000 in the configuration
    for method, path in (("POST", ""), ("PATCH", "/" + made["id"])):
        answer = call(gw, method, path, {"name": "x", "rate_limit": 1001})
        assert_envelope(answer, 400, "rate_limit_above_ceiling", "rate_limit")
    assert change(gw, made, rate_limit=1000)["effective_rate_limit"] == 1000

    gw.reload(gw.config | {"plans": {"pro": {"ceiling": 30, "rpm": 20}}})
    until(lambda: gw.chat("m", key=made["key"]).headers["x-ratelimit-limit"] == "30")
    assert call(gw, "GET", "/" + made["id"]).json["rate_limit"] == 1000
    gw.reload(gw.config | {"account": {"plan": "team"}})
    until(lambda: gw.chat("m", key=made["key"]).headers["x-ratelimit-limit"] == "1000")
    assert gw.chat("m", key=made["key"]).headers["x-ratelimit-tier"] == "team"


def test_plan_without_access_refuses_every_call(start):
    gw = start(**configuration(account={"plan": "starter"}, keys=[
        {"name": "dev", "secret": raw.KEY}, {"name": "boss", "secret": ADMIN, "scope": "admin"},
        {"name": "paid", "secret": "sk-paid", "plan": "pro"}]))
    assert_envelope(gw.chat("m"), 403, "plan_required")
    assert_envelope(gw.get("/v1/models"), 403, "plan_required")
    assert_envelope(call(gw, "GET"), 403, "plan_required")
    assert gw.chat("m", key="sk-paid").headers["x-ratelimit-tier"] == "pro"
    assert_envelope(gw.chat("m", key="sk-unknown"), 401, "invalid_api_key")
    gw.reload(gw.config | {"account": {"plan": "pro"}})
    until(lambda: gw.chat("m").status == 200)


# --- the list

def test_list_has_the_newest_first_and_the_configurations_last(gateway):
    ids = [make(gateway, name=f"k{n}")["id"] for n in range(23)][::-1]
    first = call(gateway, "GET").json
    assert first["object"] == "list" and first["total_count"] == 25
    assert [e["id"] for e in first["data"]] == ids[:20]
    second = call(gateway, "GET", "?cursor=" + first["next_cursor"]).json
    assert [e["name"] for e in second["data"]] == ["k2", "k1", "k0", "dev", "boss"]
    assert "next_cursor" not in second
    dev = second["data"][3]
    assert dev["source"] == "config" and re.fullmatch("[0-9a-f]{32}", dev["id"])
    assert dev["rate_limit"] == 9000 and dev["prefix"] is None and dev["last4"] is None
    assert call(gateway, "GET", "/" + dev["id"]).json == dev
    names, query = [], "?limit=6"
    while query:
        page = call(gateway, "GET", query).json
        names += [e["name"] for e in page["data"]]
        query = f"?limit=6&cursor={page['next_cursor']}" if "next_cursor" in page else ""
    assert names == [f"k{n}" for n in range(22, -1, -1)] + ["dev", "boss"]
    assert_envelope(call(gateway, "GET", "?cursor=x"), 400, "invalid_cursor", "cursor")
    assert_envelope(call(gateway, "GET", "?limit=0"), 400, param="limit")


def test_key_of_the_configuration_is_changed_there(gateway):
    dev = [e for e in call(gateway, "GET").json["data"] if e["name"] == "dev"][0]
    for method, path in (("PATCH", ""), ("POST", "/rotate"), ("DELETE", "")):
        answer = call(gateway, method, f"/{dev['id']}{path}", {})
        assert "configuration" in assert_envelope(answer, 409, "state_conflict")["message"]
    assert works(gateway, raw.KEY)


# --- who may, and what is said wrong

def test_only_keys_that_manage_may(gateway):
    for method, path in (("GET", ""), ("POST", ""), ("GET", "/x"), ("PATCH", "/x"),
                         ("DELETE", "/x"), ("POST", "/x/rotate")):
        body = None if method == "GET" else {}
        assert_envelope(call(gateway, method, path, body, key=raw.KEY), 403, "key_scope")
        assert_envelope(call(gateway, method, path, body, key="sk-unknown"), 401, "invalid_api_key")
        assert_envelope(call(gateway, method, path, body, key=None), 401, "invalid_api_key")


def test_admin_listener_asks_for_its_token(start):
    api, admin = free_port(), free_port()
    gw = start(port=api, **configuration(admin={"token": "admin-token-x"}, listeners=[
        {"name": "api", "address": f"127.0.0.1:{api}", "serves": ["api", "health"]},
        {"name": "admin", "address": f"127.0.0.1:{admin}", "serves": ["admin"]}]))
    with raw.Client(("127.0.0.1", admin)) as client:
        assert client.ask(raw.request_bytes("GET", "/v1/keys", key=ADMIN)).status == 401
        made = client.ask(raw.request_bytes("POST", "/v1/keys", b'{"name":"x"}',
                                            key="admin-token-x"))
    assert made.status == 201 and works(gw, made.json["key"])


@pytest.mark.parametrize("body,param", [
    (b"{", ""), (b"[]", ""), (b"", ""), (b"null", ""),
    ({}, "name"), ({"name": ""}, "name"), ({"name": 7}, "name"), ({"name": "x" * 101}, "name"),
    ({"name": "two\nlines"}, "name"), ({"name": None}, "name"),
    ({"scope": "root"}, "scope"), ({"scope": 1}, "scope"), ({"scope": None}, "scope"),
    ({"scope": "pipeline"}, "pipeline_id"),
    ({"scope": "pipeline", "pipeline_id": "nobody"}, "pipeline_id"),
    ({"scope": "pipeline", "pipeline_id": 7}, "pipeline_id"),
    ({"scope": "pipeline", "pipeline_id": "m"}, "pipeline_id"),  # too short for a path
    ({"pipeline_id": "my-bot"}, "pipeline_id"),
    ({"rate_limit": 0}, "rate_limit"), ({"rate_limit": -1}, "rate_limit"),
    ({"rate_limit": 1.5}, "rate_limit"), ({"rate_limit": "7"}, "rate_limit"),
    ({"rate_limit": 2 ** 32}, "rate_limit"),
    ({"tpm": 0}, "tpm"), ({"tpm": True}, "tpm"), ({"concurrency": 0}, "concurrency"),
    ({"expires_at": "tomorrow"}, "expires_at"), ({"expires_at": 1900000000}, "expires_at"),
    ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ({"budget_usd": -1}, "budget_usd"), ({"budget_usd": "much"}, "budget_usd"),
    ({"budget_usd": [5]}, "budget_usd"), ({"budget_usd": 1e300}, "budget_usd"),
    ({"budget_usd": 0.0000000000001}, "budget_usd"),
    ({"budget_period": "day"}, "budget_period"),
    ({"budget_usd": 5, "budget_period": "year"}, "budget_period"),
    ({"budget_usd": 5, "budget_period": 1}, "budget_period"),
    ({"models": []}, "models"), ({"models": "m"}, "models"), ({"models": ["nobody"]}, "models"),
    ({"models": [7]}, "models"), ({"models": ["m"] * 201}, "models"),
    ({"scope": "pipeline", "pipeline_id": "my-bot", "models": ["m"]}, "models"),
    ({"enabled": "yes"}, "enabled"), ({"enabled": None}, "enabled"),
])
def test_bad_field_is_named(gateway, body, param):
    full = {"name": "ci"} | body if isinstance(body, dict) and param != "name" else body
    assert_envelope(call(gateway, "POST", "", full), 400, "invalid_request_error", param)
    assert call(gateway, "GET").json["total_count"] == 2
    made = make(gateway)
    if isinstance(body, dict) and body and "scope" not in body:
        answer = call(gateway, "PATCH", "/" + made["id"], body)
        assert_envelope(answer, 400, "invalid_request_error", param)
        assert call(gateway, "GET", "/" + made["id"]).json == shown(made)


def test_scope_is_fixed_at_birth(gateway):
    made = make(gateway, scope="pipeline", pipeline_id="my-bot")
    assert change(gateway, made, scope="pipeline", pipeline_id="my-bot") == shown(made)
    for body in ({"scope": "admin"}, {"scope": "workspace"}, {"pipeline_id": "other"}):
        answer = call(gateway, "PATCH", "/" + made["id"], body)
        assert_envelope(answer, 400, "invalid_request_error", next(iter(body)))


@pytest.mark.parametrize("body", [b"[]", b"{", {"overlap_seconds": -1}, {"overlap_seconds": 86401},
                                  {"overlap_seconds": "1"}, {"overlap_seconds": 1.5}])
def test_bad_overlap_changes_nothing(gateway, body):
    made = make(gateway)
    param = "overlap_seconds" if isinstance(body, dict) else ""
    answer = call(gateway, "POST", f"/{made['id']}/rotate", body)
    assert_envelope(answer, 400, "invalid_request_error", param)
    assert works(gateway, made["key"])


# --- kept, and heard of

def store_of(store: str, redis, tmp_path) -> dict:
    return {"url": f"sqlite://{tmp_path}/store.db" if store == "sqlite"
            else f"redis://127.0.0.1:{redis.port}/0"}


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_restart_keeps_keys_and_never_had_their_secrets(start, redis, tmp_path, store):
    gw = start(**configuration(store=store_of(store, redis, tmp_path)))
    until(lambda: call(gw, "GET").status == 200)
    made = make(gw, name="kept", rate_limit=5)
    first = made["key"]
    made = call(gw, "POST", f"/{made['id']}/rotate", {"overlap_seconds": 600}).json
    gw.stop()
    if store == "sqlite":
        kept = b"".join(p.read_bytes() for p in tmp_path.glob("store.db*"))
        assert sqlite3.connect(tmp_path / "store.db").execute(
            "SELECT count(*) FROM record").fetchone() == (1,)
    else:
        kept = repr(redis.command("HGETALL", "sluice:records:keys")).encode()
    assert b"kept" in kept and made["prefix"].encode() in kept
    for secret in (first, made["key"]):
        assert secret.encode() not in kept and secret[12:].encode() not in kept
    gw.start()
    assert works(gw, made["key"]) and works(gw, first)  # ready means that they are known
    assert call(gw, "GET", "/" + made["id"]).json["rate_limit"] == 5
    assert gw.chat("m", key=made["key"]).headers["x-ratelimit-limit"] == "5"


@pytest.mark.parametrize("store", ["memory", "sqlite", "redis"])
def test_change_is_made_though_who_asked_has_left(start, redis, tmp_path, store):
    url = {"url": "memory:"} if store == "memory" else store_of(store, redis, tmp_path)
    gw = start(**configuration(store=url))
    for _ in range(5):
        made = make(gw)
        with gw.client() as client:
            client.send(raw.request_bytes("DELETE", "/v1/keys/" + made["id"], None, key=ADMIN))
            client.reset()
        until(lambda: not works(gw, made["key"]), timeout=3)


def test_memory_forgets(start):
    gw = start(**configuration())
    made = make(gw)
    gw.stop()
    gw.start()
    assert not works(gw, made["key"])


def test_replicas_hear_of_it_within_a_second(start, redis):
    url = {"url": f"redis://127.0.0.1:{redis.port}/0"}
    one, two = start(**configuration(store=url)), start(**configuration(store=url))

    def soon(gw, key: str, expected: bool) -> None:
        began = time.monotonic()
        until(lambda: works(gw, key) == expected, timeout=3)
        assert time.monotonic() - began < 1.5  # and this machine is busy

    made = make(one)
    soon(two, made["key"], True)
    change(two, made, enabled=False)
    assert not works(two, made["key"])
    soon(one, made["key"], False)
    change(one, made, enabled=True)
    soon(two, made["key"], True)
    rotated = call(two, "POST", f"/{made['id']}/rotate").json
    assert not works(two, made["key"])
    soon(one, rotated["key"], True)
    assert not works(one, made["key"])
    assert call(one, "DELETE", "/" + made["id"]).status == 200
    assert not works(one, rotated["key"])
    soon(two, rotated["key"], False)


def test_deleted_key_is_not_brought_back_by_a_change(start, redis):
    url = {"url": f"redis://127.0.0.1:{redis.port}/0"}
    one, two = start(**configuration(store=url)), start(**configuration(store=url))
    for path, body in (("", {"name": "again"}), ("/rotate", {})):
        made = make(one)
        until(lambda: works(two, made["key"]), timeout=3)
        assert call(one, "DELETE", "/" + made["id"]).status == 200
        answer = call(two, "POST" if path else "PATCH", f"/{made['id']}{path}", body)  # at once
        assert_envelope(answer, 404, "not_found")
        assert not works(two, made["key"]) and not works(one, made["key"])
        assert redis.command("HGET", "sluice:records:keys", made["id"]) is None


def test_store_that_is_away_lets_known_keys_in_and_nobody_else(start, redis):
    gw = start(**configuration(store={"url": f"redis://127.0.0.1:{redis.port}/0"}))
    made = make(gw)
    redis.kill()
    assert works(gw, made["key"])
    assert not works(gw, "sl_live_unknown")
    assert_envelope(call(gw, "POST", "", {"name": "x"}), 503)
    assert_envelope(call(gw, "DELETE", "/" + made["id"]), 503)
    assert works(gw, made["key"])
    assert call(gw, "GET", "/" + made["id"]).status == 200


def test_redis_that_comes_back_empty_is_told_the_keys(start, redis):
    url = {"url": f"redis://127.0.0.1:{redis.port}/0"}
    one, two = start(**configuration(store=url)), start(**configuration(store=url))
    made, gone = [make(one, name=f"k{n}", rate_limit=1000 + n) for n in range(70)], make(one)
    call(one, "DELETE", "/" + gone["id"])
    until(lambda: call(two, "GET").json["total_count"] == 72 and works(two, made[-1]["key"]))
    redis.kill()
    assert works(one, made[0]["key"])
    redis.start()
    until(lambda: len(redis.command("HKEYS", "sluice:records:keys")) >= 71, timeout=10)
    time.sleep(1)
    for gw in (one, two):
        assert call(gw, "GET").json["total_count"] == 72
        for key in (made[0], made[-1]):
            assert works(gw, key["key"])
            assert call(gw, "GET", "/" + key["id"]).json["rate_limit"] == key["rate_limit"]
        assert not works(gw, gone["key"])
    assert one.log().count("store has forgotten") == 1
    late = start(**configuration(store=url))
    assert works(late, made[33]["key"])
    assert call(two, "DELETE", "/" + made[0]["id"]).status == 200  # and it goes on as ever
    until(lambda: not works(one, made[0]["key"]), timeout=3)
    time.sleep(1)
    assert not works(two, made[0]["key"]) and not works(late, made[0]["key"])


def test_store_that_was_never_there_leaves_unknown_keys_undecided(start):
    gw = start(**configuration(store={"url": f"redis://127.0.0.1:{free_port()}/0"}))
    assert works(gw, raw.KEY)  # the configuration's
    assert_envelope(gw.chat("m", key="sl_live_perhaps"), 503)
    assert_envelope(call(gw, "GET"), 503)


def test_damaged_record_is_skipped_with_one_line(start, redis):
    gw = start(**configuration(store={"url": f"redis://127.0.0.1:{redis.port}/0"}))
    made = make(gw, name="whole")
    record = redis.command("HGET", "sluice:records:keys", made["id"])
    damaged = ["", "{", "[]", "\x00\xff", record[:-20], record.replace('"*"', ""),
               record.replace("workspace", "root"), record[:-1] + ',"expires":"never"}', "9" * 30000]
    words = [word for n, text in enumerate(damaged) for word in (f"key_damaged{n}", text)]
    redis.command("HSET", "sluice:records:keys", *words)  # all at once: it may be looking
    redis.command("HINCRBY", "sluice:records:keys", "", "1")
    until(lambda: "records damaged" in gw.log(), timeout=3)
    redis.command("HINCRBY", "sluice:records:keys", "", "1")
    time.sleep(1.2)
    assert gw.log().count("records damaged") == 1
    assert call(gw, "GET").json["total_count"] == 3
    assert works(gw, made["key"])


# --- what a key was used for

@pytest.mark.parametrize("store", ["memory", "sqlite", "redis"])
def test_last_call_and_what_is_spent_are_told(start, redis, tmp_path, store):
    url = {"url": "memory:"} if store == "memory" else store_of(store, redis, tmp_path)
    gw = start(**configuration(store=url))
    until(lambda: call(gw, "GET").status == 200)
    made = make(gw, budget_usd=1, budget_period="day")
    assert made["spent_usd"] == 0 and made["last_used_at"] is None
    began = datetime.now(timezone.utc)
    usage = gw.chat("m", key=made["key"]).json["usage"]
    assert gw.chat("m").status == 200
    cost = (2 * usage["prompt_tokens"] + 8 * usage["completion_tokens"]) / 1e6

    def known() -> dict:
        return call(gw, "GET", "/" + made["id"]).json

    until(lambda: known()["spent_usd"] == pytest.approx(cost, rel=0.3))
    listed = {k["name"]: k for k in call(gw, "GET").json["data"]}
    assert listed["ci"] == known() and 0 < known()["spent_usd"] <= cost
    assert listed["dev"]["spent_usd"] is None and listed["boss"]["last_used_at"] is None
    for name in ("ci", "dev"):
        at = datetime.fromisoformat(listed[name]["last_used_at"].replace("Z", "+00:00"))
        assert timedelta(seconds=-1) < at - began < timedelta(seconds=10)
    assert change(gw, made, name="ci") == known()
    assert shown(call(gw, "POST", f"/{made['id']}/rotate").json) == known()
    assert change(gw, made, budget_usd=None)["spent_usd"] is None
    if store != "memory":
        gw.stop()
        gw.start()
        assert change(gw, made, budget_usd=2, budget_period="total")["spent_usd"] == listed["ci"]["spent_usd"]
        assert known()["last_used_at"] is not None


def test_used_in_one_replica_is_seen_in_the_other(start, redis):
    url = {"url": f"redis://127.0.0.1:{redis.port}/0"}
    one, two = start(**configuration(store=url)), start(**configuration(store=url))
    until(lambda: call(one, "GET").status == call(two, "GET").status == 200)
    made = make(one, budget_usd=1)
    assert works(one, made["key"])
    until(lambda: call(two, "GET", "/" + made["id"]).json.get("spent_usd"), timeout=3)
    seen = call(two, "GET", "/" + made["id"]).json
    assert seen["last_used_at"] is not None and seen == call(two, "GET").json["data"][0]
    assert change(two, made, name="other")["spent_usd"] == seen["spent_usd"]
    redis.stop()  # each shows what it knows itself
    assert call(one, "GET", "/" + made["id"]).json["last_used_at"] is not None
    assert call(two, "GET").status == 200


def test_pages_longer_than_one_look_have_every_use(start, redis):
    gw = start(**configuration(store={"url": f"redis://127.0.0.1:{redis.port}/0"}))
    until(lambda: call(gw, "GET").status == 200)
    made = [make(gw, name=f"k{n}", budget_usd=1) for n in range(70)]
    used = {made[n]["id"] for n in (0, 31, 32, 33, 69)}
    for k in made:
        if k["id"] in used:
            assert works(gw, k["key"])

    def page() -> list[dict]:
        return call(gw, "GET", "?limit=100").json["data"]

    until(lambda: {k["id"] for k in page() if k["spent_usd"]} == used, timeout=3)
    assert {k["name"] for k in page()} == {f"k{n}" for n in range(70)} | {"dev", "boss"}
    assert {k["id"] for k in page() if k["last_used_at"]} == used
    for _ in range(20):  # and whoever asks may leave
        with gw.client() as client:
            client.send(raw.request_bytes("GET", "/v1/keys?limit=100", key=ADMIN))
            client.reset()
    assert len(page()) == 72


def test_nobody_sees_a_key(start, redis, upstream):
    gw = start(**configuration(
        store={"url": f"redis://127.0.0.1:{redis.port}/0"},
        observability={"access_log": "stdout", "log": {"level": "debug", "format": "json"}}))
    made = make(gw)
    rotated = call(gw, "POST", f"/{made['id']}/rotate", {"overlap_seconds": 60}).json
    for key in (made["key"], rotated["key"]):
        assert works(gw, key)
        gw.chat("nobody", key=key)
    shown_since = [call(gw, "GET"), call(gw, "GET", "/" + made["id"]),
                   call(gw, "PATCH", "/" + made["id"], {"name": "y", "key": "x"}),
                   gw.get("/metrics", key=None), gw.get("/readyz?verbose", key=None)]
    dump = "".join(repr(redis.command("HGETALL", key)) if redis.command("TYPE", key) == "hash"
                   else key for key in redis.keys())
    for text in (b"".join(a.body for a in shown_since), gw.output().encode(), dump.encode(),
                 b"".join(r.body + repr(r.headers).encode() for r in upstream.requests)):
        for key in (made["key"], rotated["key"]):
            assert key.encode() not in text and key[12:].encode() not in text


def test_answers_are_what_the_document_says(gateway):
    from test_openapi import check
    document = gateway.get("/v1/openapi.json", key=None).json
    made = make(gateway, budget_usd=5, expires_at=ahead(days=1))
    check(document, "KeyMade", made)
    check(document, "KeyMade", call(gateway, "POST", f"/{made['id']}/rotate").json)
    check(document, "Key", call(gateway, "GET", "/" + made["id"]).json)
    check(document, "Key", change(gateway, made, name="x"))
    check(document, "KeyList", call(gateway, "GET").json)
    check(document, "KeyRemoved", call(gateway, "DELETE", "/" + made["id"]).json)


def test_prefix_is_the_operators(start):
    gw = start(**configuration(key_prefix="acme_"))
    made = make(gw)
    assert re.fullmatch(r"acme_[0-9A-Za-z]{31}", made["key"]) and works(gw, made["key"])
