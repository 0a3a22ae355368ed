"""/v1/byok (contract BYOK-1 to BYOK-5): credentials that callers bring while the gateway runs: encrypted in
the store, in use at once and everywhere, shown to nobody."""
from __future__ import annotations

import base64
import json
import re
import sqlite3
import threading
import time

import pytest

import provider
import raw
from free_port import free_port
from gateway import Gateway
from promises import assert_envelope
from upstream import until

ADMIN = "sk-admin-of-the-gateway"
OWN = "sk-canary-9c3d5a1e-brought-by-a-caller"
OTHER = "sk-canary-1f7b2204-its-replacement"
SHARED = "sk-shared-of-the-gateway"
MASTER = base64.b64encode(bytes(range(32))).decode()
SECOND = bytes(range(32, 64)).hex()
PRICES = {"input": "2.00", "output": "8.00"}


def configuration(**more) -> dict:
    return {
        "providers": {"up": {"api_key": SHARED}},
        "models": {
            "dear": {"provider": "up", "upstream_model": "dear",
                     "price": {"input": "20.00", "output": "80.00"}},
            "m": {"provider": "up", "upstream_model": "m", "price": PRICES}},
        "keys": [{"name": "dev", "secret": raw.KEY},
                 {"name": "other", "secret": "sk-other"},
                 {"name": "boss", "secret": ADMIN, "scope": "admin"}],
        "secrets": {"master_key": MASTER}} | more


@pytest.fixture
def gateway(start):
    return start(**configuration())


@pytest.fixture
def answering(upstream):
    def set_to(script):
        upstream.script_for = script
    yield set_to
    vars(upstream).pop("script_for", None)


def call(gw, method: str, path: str = "", body=None, key: str | None = ADMIN) -> raw.Response:
    text = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return gw.ask(raw.request_bytes(method, "/v1/byok" + path, text, key=key))


def add(gw, credential=OWN, **more) -> dict:
    answer = call(gw, "POST", "", {"provider": "up", "credential": credential, "test": False} | more)
    assert answer.status == 201, answer.body
    return answer.json


def carried(upstream) -> str:
    return upstream.requests[-1].headers["authorization"].removeprefix("Bearer ")


def ask(gw, upstream, key: str = raw.KEY) -> str:
    """The credential a request of this key goes out with."""
    answer = gw.chat("m", key=key)
    assert answer.status == 200, answer.body
    return carried(upstream)


def test_credential_is_in_use_at_once_and_gone_at_once(gateway, upstream):
    assert ask(gateway, upstream) == SHARED
    made = add(gateway, label="team A")
    assert re.fullmatch(r"[0-9a-f]{32}", made["id"]) and made["object"] == "byok"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["created_at"])
    assert {k: made[k] for k in ("provider", "label", "enabled", "keys", "state", "last_test")} == \
        {"provider": "up", "label": "team A", "enabled": True, "keys": None, "state": "ready",
         "last_test": None}
    assert made["credential"] == "sk-…ller"
    assert ask(gateway, upstream) == OWN and ask(gateway, upstream, "sk-other") == OWN
    listed = call(gateway, "GET").json
    assert listed == {"object": "list", "data": [made], "total_count": 1}

    changed = call(gateway, "PATCH", "/" + made["id"], {"enabled": False, "label": "off"})
    assert changed.status == 200, changed.body
    assert changed.json == made | {"enabled": False, "label": "off", "state": "disabled"}
    assert ask(gateway, upstream) == SHARED
    changed = call(gateway, "PATCH", "/" + made["id"],
                   {"enabled": True, "credential": OTHER, "test": False})
    assert changed.json["credential"] == "sk-…ment"
    assert ask(gateway, upstream) == OTHER

    gone = call(gateway, "DELETE", "/" + made["id"])
    assert gone.status == 200
    assert gone.json == {"id": made["id"], "object": "byok", "deleted": True}
    assert ask(gateway, upstream) == SHARED
    for method, path in (("DELETE", ""), ("PATCH", ""), ("POST", "/test")):
        answer = call(gateway, method, "/" + made["id"] + path, {})
        assert_envelope(answer, 404, "not_found")


def test_credential_of_certain_keys(gateway, upstream):
    made = add(gateway, keys=["other"])
    assert made["keys"] == ["other"]
    assert ask(gateway, upstream) == SHARED and ask(gateway, upstream, "sk-other") == OWN
    add(gateway, OTHER)  # for everybody: behind the key's own
    assert ask(gateway, upstream) == OTHER and ask(gateway, upstream, "sk-other") == OWN
    assert call(gateway, "PATCH", "/" + made["id"], {"keys": None}).json["keys"] is None
    assert ask(gateway, upstream) == OTHER  # the newest first


def test_attempt_on_it_is_not_billed(gateway, upstream):
    add(gateway)
    answer = gateway.chat("m", usage={"include": True})
    assert answer.json["cost"] == 0 and answer.json["cost_details"]["is_byok"] is True
    assert answer.json["cost_details"]["byok_cost"] > 0


# --- the live test

def test_credential_is_tried_before_it_is_stored(gateway, upstream, answering):
    seen = []

    def script_for(request):
        seen.append((request.json, request.headers["authorization"]))
        return provider.behave

    answering(script_for)
    answer = call(gateway, "POST", "", {"provider": "up", "credential": OWN})
    assert answer.status == 201, answer.body
    assert len(seen) == 1 and seen[0][1] == "Bearer " + OWN
    assert seen[0][0]["model"] == "m"  # the cheaper one
    assert seen[0][0]["max_tokens"] == 1
    last = answer.json["last_test"]
    assert last["ok"] is True and last["model"] == "m" and last["status"] == 200
    assert last["latency_ms"] >= 0 and "error" not in last


@pytest.mark.parametrize("status,message", [
    (401, "it refused the caller's own credential"), (429, "slow down"), (500, "broken")])
def test_credential_that_fails_its_test_is_not_stored(gateway, upstream, answering, status, message):
    async def refuse(x):
        await x.reply(status, json.dumps({"error": {
            "message": f"slow down, broken, {OWN}", "type": "x"}}).encode())

    answering(lambda request: refuse)
    before = len(upstream.requests)
    answer = call(gateway, "POST", "", {"provider": "up", "credential": OWN})
    error = assert_envelope(answer, 400, "invalid_request_error", "credential")
    assert message in error["message"] and OWN not in answer.body.decode()
    assert len(upstream.requests) == before + 1  # the gateway's own was not tried instead
    assert call(gateway, "GET").json["total_count"] == 0


def test_test_row_says_how_it_went(gateway, upstream, answering):
    made = add(gateway)

    async def refuse(x):
        await x.reply(403, b'{"error":{"message":"not for you","type":"permission_error"}}')

    answer = call(gateway, "POST", f"/{made['id']}/test")
    assert answer.status == 200 and answer.json["ok"] is True and answer.json["model"] == "m"
    answering(lambda request: refuse)
    answer = call(gateway, "POST", f"/{made['id']}/test", {})
    assert answer.status == 200
    assert answer.json["ok"] is False and answer.json["status"] == 403
    assert "not for you" in answer.json["error"]
    last = call(gateway, "GET").json["data"][0]["last_test"]
    assert last["ok"] is False and last["status"] == 403 and "at" in last


def test_long_words_of_a_provider_are_cut_between_characters(gateway, upstream, answering):
    made = add(gateway)
    for n in range(4):
        async def refuse(x):
            await x.reply(400, json.dumps({"error": {
                "message": "x" * n + "ü€𝄞" * 300, "type": "x"}}, ensure_ascii=False).encode())

        answering(lambda request: refuse)
        said = call(gateway, "POST", f"/{made['id']}/test").json["error"]
        assert "ü€𝄞" in said and len(said.encode()) < 256
        assert call(gateway, "GET").json["data"][0]["last_test"]["error"] == said


def test_client_that_leaves_ends_the_test(gateway, upstream, answering):
    began = threading.Event()

    async def hang(x):
        began.set()
        await x.until_gone()

    answering(lambda request: hang)
    with gateway.client() as client:
        client.send(raw.request_bytes("POST", "/v1/byok", json.dumps(
            {"provider": "up", "credential": OWN}).encode(), key=ADMIN))
        assert began.wait(5)
    until(lambda: upstream.exchanges[-1].ended is not None)
    assert call(gateway, "GET").json["total_count"] == 0


def test_provider_without_a_model_cannot_be_tried(start, upstream):
    changes = configuration()
    changes["providers"]["idle"] = {"protocol": "openai", "base_url": upstream.base_url,
                                    "api_key": "x"}
    gw = start(**changes)
    answer = call(gw, "POST", "", {"provider": "idle", "credential": OWN})
    assert "no chat or embedding model" in assert_envelope(answer, 400, param="credential")["message"]


# --- who may, and what is said wrong

def test_only_keys_that_manage_may(gateway):
    for method, path in (("GET", ""), ("POST", ""), ("PATCH", "/x"), ("DELETE", "/x"),
                         ("POST", "/x/test")):
        body = None if method == "GET" else {}
        assert_envelope(call(gateway, method, path, body, key=raw.KEY), 403, "key_scope")
        assert_envelope(call(gateway, method, path, body, key="sk-unknown"), 401, "invalid_api_key")
        assert_envelope(call(gateway, method, path, body, key=None), 401, "invalid_api_key")


def test_admin_listener_asks_for_its_token(start, upstream):
    api, admin = free_port(), free_port()
    gw = start(port=api, **configuration(admin={"token": "admin-token-x"}, listeners=[
        {"name": "api", "address": f"127.0.0.1:{api}", "serves": ["api", "health"]},
        {"name": "admin", "address": f"127.0.0.1:{admin}", "serves": ["admin"]}]))
    with raw.Client(("127.0.0.1", admin)) as client:
        assert client.ask(raw.request_bytes("GET", "/v1/byok", key=ADMIN)).status == 401
        assert client.ask(raw.request_bytes("GET", "/v1/byok", key=None)).status == 401
        assert client.ask(raw.request_bytes("GET", "/v1/byok", key="admin-token-x")).status == 200
    assert call(gw, "GET", key="admin-token-x").status == 401  # no key of the api's


@pytest.mark.parametrize("body,param", [
    (b"{", None), (b"[]", None), (b"", None),
    ({"credential": OWN}, "provider"),
    ({"provider": "nobody", "credential": OWN}, "provider"),
    ({"provider": 7, "credential": OWN}, "provider"),
    ({"provider": "up"}, "credential"),
    ({"provider": "up", "credential": ""}, "credential"),
    ({"provider": "up", "credential": "two\nlines"}, "credential"),
    ({"provider": "up", "credential": "x" * 20000}, "credential"),
    ({"provider": "up", "credential": ["x"]}, "credential"),
    ({"provider": "up", "credential": {"accessKeyId": "a", "secretAccessKey": "b", "region": "c"}},
     "credential"),
    ({"provider": "up", "credential": OWN, "label": 1}, "label"),
    ({"provider": "up", "credential": OWN, "label": "x" * 201}, "label"),
    ({"provider": "up", "credential": OWN, "enabled": "yes"}, "enabled"),
    ({"provider": "up", "credential": OWN, "test": 1}, "test"),
    ({"provider": "up", "credential": OWN, "keys": []}, "keys"),
    ({"provider": "up", "credential": OWN, "keys": ["nobody"]}, "keys"),
])
def test_bad_field_is_named(gateway, upstream, body, param):
    before = len(upstream.requests)
    answer = call(gateway, "POST", "", body)
    assert_envelope(answer, 400, "invalid_request_error", param or "")
    assert OWN not in answer.body.decode() and len(upstream.requests) == before
    assert call(gateway, "GET").json["total_count"] == 0


def test_bedrock_and_vertex_credentials_are_objects(start, upstream):
    root = upstream.base_url
    gw = start(**configuration(providers={
        "up": {"api_key": SHARED},
        "rock": {"protocol": "bedrock", "base_url": root, "api_key": "x"},
        "vertex": {"protocol": "vertex", "base_url": root, "api_key": "x"}}))
    aws = {"accessKeyId": "AKIDEXAMPLE7777", "secretAccessKey": OWN, "region": "eu-north-1"}
    made = add(gw, aws, provider="rock")
    assert made["credential"] == "AKI…7777"
    account = {"type": "service_account", "project_id": "p", "private_key_id": "0123456789abcdef",
               "private_key": "not PEM", "client_email": "a@b"}
    answer = call(gw, "POST", "", {"provider": "vertex", "credential": account, "test": False})
    assert "private_key" in assert_envelope(answer, 400, param="credential")["message"]


def test_account_of_googles_may_not_point_the_gateway_at_other_hosts(start, upstream):
    from token_endpoint import TokenEndpoint
    endpoint = TokenEndpoint()  # never started: its key is all that is needed
    endpoint.port = 1
    gw = start(**configuration(providers={
        "up": {"api_key": SHARED},
        "vertex": {"protocol": "vertex", "base_url": upstream.base_url, "api_key": "x"}}))
    answer = call(gw, "POST", "", {"provider": "vertex", "test": False,
                                   "credential": json.loads(endpoint.credentials())})
    assert "token_uri" in assert_envelope(answer, 400, param="credential")["message"]


def test_list_comes_in_pages(gateway):
    ids = [add(gateway, f"{OWN}-{n}")["id"] for n in range(25)][::-1]
    first = call(gateway, "GET").json
    assert [e["id"] for e in first["data"]] == ids[:20] and first["total_count"] == 25
    second = call(gateway, "GET", "?cursor=" + first["next_cursor"]).json
    assert [e["id"] for e in second["data"]] == ids[20:] and "next_cursor" not in second
    pages, query = [], "?limit=10"
    while query:
        page = call(gateway, "GET", query).json
        pages += [e["id"] for e in page["data"]]
        query = f"?limit=10&cursor={page['next_cursor']}" if "next_cursor" in page else ""
    assert pages == ids
    assert len(call(gateway, "GET", "?limit=1000").json["data"]) == 25
    cursor = first["next_cursor"]
    for bad in ("x", cursor[:-1], cursor[:-1] + ("A" if cursor[-1] != "A" else "B"), "A" * 64):
        assert_envelope(call(gateway, "GET", "?cursor=" + bad), 400, "invalid_cursor", "cursor")
    for bad in ("0", "x", "-1"):
        assert_envelope(call(gateway, "GET", "?limit=" + bad), 400, param="limit")


# --- at rest

def test_without_a_master_key_it_says_what_to_set(start):
    gw = start(**configuration(secrets=None))
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/x")):
        answer = call(gw, method, path, None if method == "GET" else {})
        assert "secrets.master_key" in assert_envelope(answer, 503)["message"]


def test_bad_master_key_is_refused(tmp_path):
    import gateway as bed
    file = tmp_path / "sluice.yaml"
    for key, said in (("short", "secrets.master_key: not a key of 32 bytes"),
                      ([], "1 to 4 keys"), ([MASTER, "x"], r"secrets.master_key\[1\]: not a key")):
        file.write_text(json.dumps(bed.configuration(4000, None, secrets={"master_key": key})))
        done = bed.run("check", "--config", str(file))
        assert done.returncode == 78 and re.search(said, done.stdout + done.stderr)


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_restart_keeps_them_encrypted(start, upstream, redis, tmp_path, store):
    file = tmp_path / "store.db"
    url = f"sqlite://{file}" if store == "sqlite" else f"redis://127.0.0.1:{redis.port}/0"
    gw = start(**configuration(store={"url": url}))
    until(lambda: call(gw, "GET").status == 200)
    made = add(gw, label="kept")
    assert ask(gw, upstream) == OWN
    gw.stop()
    if store == "sqlite":
        stored = b"".join(p.read_bytes() for p in tmp_path.glob("store.db*"))
        assert sqlite3.connect(file).execute("SELECT count(*) FROM record").fetchone() == (1,)
    else:
        stored = repr(redis.command("HGETALL", "sluice:records:byok")).encode()
    assert b"kept" in stored and OWN.encode() not in stored
    assert base64.b64encode(OWN.encode()) not in stored
    gw.start()
    until(lambda: call(gw, "GET").json.get("data") == [made])
    assert ask(gw, upstream) == OWN


def test_other_master_key_leaves_them_unreadable_until_it_is_back(start, upstream, tmp_path):
    url = {"url": f"sqlite://{tmp_path}/store.db"}
    gw = start(**configuration(store=url))
    made = add(gw)
    gw.reload(gw.config | {"secrets": {"master_key": SECOND}})
    until(lambda: call(gw, "GET").json["data"][0]["state"] == "unreadable")
    assert ask(gw, upstream) == SHARED
    answer = call(gw, "POST", f"/{made['id']}/test", {})
    assert "master_key" in assert_envelope(answer, 400)["message"]
    assert gw.log().count("credentials unreadable") == 1

    gw.reload(gw.config | {"secrets": {"master_key": [SECOND, MASTER]}})  # rotation
    until(lambda: ask(gw, upstream) == OWN)
    assert call(gw, "PATCH", "/" + made["id"], {"label": "sealed anew"}).status == 200
    gw.reload(gw.config | {"secrets": {"master_key": SECOND}})
    until(lambda: "sealed anew" in gw.get("/v1/byok", key=ADMIN).body.decode())
    time.sleep(0.3)
    assert ask(gw, upstream) == OWN
    assert call(gw, "GET").json["data"][0]["state"] == "ready"


def test_replicas_hear_of_it_within_a_second(start, upstream, redis):
    url = {"url": f"redis://127.0.0.1:{redis.port}/0"}
    one, two = start(**configuration(store=url)), start(**configuration(store=url))
    for gw in (one, two):
        until(lambda: call(gw, "GET").status == 200)

    def soon(credential: str) -> None:
        began = time.monotonic()
        until(lambda: ask(two, upstream) == credential, timeout=3)
        assert time.monotonic() - began < 1.5  # and this machine is busy

    made = add(one)
    soon(OWN)
    call(one, "PATCH", "/" + made["id"], {"credential": OTHER, "test": False})
    soon(OTHER)
    assert call(two, "DELETE", "/" + made["id"]).status == 200
    until(lambda: ask(one, upstream) == SHARED, timeout=3)


def test_redis_that_is_away_is_told_and_what_is_known_stays(start, upstream, redis):
    gw = start(**configuration(store={"url": f"redis://127.0.0.1:{redis.port}/0"}))
    until(lambda: call(gw, "GET").status == 200)
    made = add(gw)
    redis.kill()
    answer = call(gw, "POST", "", {"provider": "up", "credential": OTHER, "test": False})
    assert_envelope(answer, 503)
    assert_envelope(call(gw, "DELETE", "/" + made["id"]), 503)
    assert ask(gw, upstream) == OWN


def test_nobody_sees_a_credential(start, upstream, answering):
    api, admin = free_port(), free_port()
    gw = start(port=api, **configuration(
        observability={"access_log": "stdout", "log": {"level": "debug", "format": "json"}},
        listeners=[
            {"name": "api", "address": f"127.0.0.1:{api}", "serves": ["api", "health", "metrics"]},
            {"name": "admin", "address": f"127.0.0.1:{admin}", "serves": ["admin"]}]))

    async def repeat(x):
        await x.reply(401, json.dumps({"error": {"message": f"bad key {OWN}", "type": "x"}}).encode(),
                      ("X-Echo", OWN))

    made = add(gw)
    answering(lambda request: repeat)
    shown = [call(gw, "POST", "", {"provider": "up", "credential": OWN}),
             call(gw, "POST", f"/{made['id']}/test"), call(gw, "GET"), gw.chat("m"),
             call(gw, "PATCH", "/" + made["id"], {"credential": OWN + "\x01"})]
    with raw.Client(("127.0.0.1", admin)) as client:
        shown.append(client.ask(raw.request_bytes("GET", "/admin/v1/config")))
    said = b"".join(a.head.encode() if isinstance(a.head, str) else a.head for a in shown) + \
        b"".join(a.body for a in shown)
    for text in (said, gw.get("/metrics", key=None).body, gw.output().encode()):
        assert OWN.encode() not in text
    for secret in (MASTER, bytes(range(32)).hex(), SHARED):
        assert secret.encode() not in said + gw.output().encode()
