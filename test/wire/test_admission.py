"""Who is it, may it: keys in three forms, expiry, requests per minute; with the embedded store and
with a real Redis in every way it can be reached, be slow, die and come back."""
from __future__ import annotations

import hashlib
import re
import threading
import time

import pytest

import raw
from gateway import Gateway
from promises import assert_envelope, assert_whole
from redis_server import RedisServer
from upstream import until

LIMITED = "sk-wire-limited-0001"


def keys(*more: dict) -> list[dict]:
    return [{"name": "dev", "secret": raw.KEY, "models": ["*"]}, *more]


def limited(rpm: int) -> dict:
    return {"name": "limited", "secret": LIMITED, "models": ["*"], "limits": {"rpm": rpm}}


def asked(gw, *headers: tuple[str, str], model: str = "good") -> raw.Response:
    return gw.chat(model, headers=headers, key=None)


# Keys.

@pytest.mark.parametrize("header", [
    ("Authorization", f"Bearer {raw.KEY}"), ("authorization", f"bearer {raw.KEY}"),
    ("Authorization", f"BEARER   {raw.KEY}"), ("Authorization", raw.KEY),
    ("x-api-key", raw.KEY), ("X-API-KEY", raw.KEY)])
def test_key_is_accepted_in_three_forms(gateway, header):
    assert asked(gateway, header).status == 200


@pytest.mark.parametrize("headers", [
    (), (("Authorization", ""),), (("Authorization", "Bearer"),), (("Authorization", "Bearer "),),
    (("Authorization", "Bearer wrong"),), (("Authorization", "Basic " + raw.KEY),),
    (("x-api-key", "wrong"),), (("x-api-key", ""),),
    (("Authorization", f"Bearer {raw.KEY}x"),), (("Authorization", f"Bearer {raw.KEY[:-1]}"),),
    (("Authorization", f"Bearer {raw.KEY} {raw.KEY}"),),
    (("Authorization", "Bearer " + "k" * 5000),),
    (("Authorization", "Bearer wrong"), ("x-api-key", raw.KEY))])
def test_anything_else_is_401(gateway, upstream, headers):
    before = len(upstream.requests)
    answer = asked(gateway, *headers)
    assert_envelope(answer, 401, "invalid_api_key")
    assert b"k" * 100 not in answer.body and raw.KEY.encode() not in answer.body
    assert len(upstream.requests) == before


def test_authorization_beats_x_api_key(gateway):
    assert asked(gateway, ("x-api-key", "wrong"),
                 ("Authorization", f"Bearer {raw.KEY}")).status == 200


def test_two_authorizations_are_no_choice(gateway):
    answer = asked(gateway, ("Authorization", "Bearer wrong"),
                   ("Authorization", f"Bearer {raw.KEY}"))
    assert answer.status in (400, 401)


def test_models_need_a_key_and_health_needs_none(gateway):
    assert_envelope(gateway.get("/v1/models", key=None), 401, "invalid_api_key")
    for target in ("/healthz", "/livez", "/readyz"):
        assert gateway.get(target, key=None).status == 200


def test_key_is_checked_before_the_body(gateway):
    bad = raw.request_bytes("POST", "/v1/chat/completions", b"{not json", key="wrong")
    assert_envelope(gateway.ask(bad), 401)


def test_401_keeps_the_connection_or_says_that_it_does_not(client):
    refused = client.ask(raw.request_bytes("GET", "/v1/models", key="wrong"))
    assert refused.status == 401
    assert client.ask(raw.request_bytes("GET", "/v1/models")).status == 200
    refused = client.ask(raw.chat_bytes("good", key="wrong"))  # its body was not read
    assert refused.status == 401
    if refused.headers.get("connection", "").lower() == "close":
        assert client.is_closed()
    else:
        assert client.chat("good").status == 200


@pytest.fixture(scope="module")
def with_keys(upstream, tmp_path_factory):
    digest = hashlib.sha256(b"sk-hashed-key").hexdigest()
    gw = Gateway(tmp_path_factory.mktemp("keys"), upstream.base_url, keys=keys(
        {"name": "hashed", "hash": f"sha256:{digest}", "models": ["*"]},
        {"name": "past", "secret": "sk-past", "models": ["*"], "expires": "2020-01-01T00:00:00Z"},
        {"name": "future", "secret": "sk-future", "models": ["*"],
         "expires": "2099-01-01T00:00:00Z"},
        {"name": "off", "secret": "sk-off", "models": ["*"], "enabled": False},
        {"name": "narrow", "secret": "sk-narrow", "models": ["good"]})).start()
    yield gw
    gw.stop()


@pytest.mark.parametrize("key,status", [("sk-hashed-key", 200), ("sk-future", 200),
                                        ("sk-past", 401), ("sk-off", 401)])
def test_hash_expiry_and_disabling(with_keys, key, status):
    assert with_keys.chat("good", key=key).status == status


def test_key_reaches_only_its_models(with_keys):
    assert with_keys.chat("good", key="sk-narrow").status == 200
    assert_envelope(with_keys.chat("drip", key="sk-narrow"), (403, 404))
    listed = with_keys.get("/v1/models", key="sk-narrow").json["data"]
    assert [m["id"] for m in listed] == ["good"]


def test_without_auth_no_key_is_asked_for(start):
    gw = start(auth="none", keys=None)
    assert gw.chat("good", key=None).status == 200
    assert gw.chat("good", key="sk-anything").status == 200


# Requests per minute, the same with every store.

@pytest.fixture(params=["memory", "sqlite", "redis", "redis unix", "redis database",
                        "redis password", "redis tls"])
def store(request, tmp_path, authority):
    """(store section, the RedisServer or None, its database)"""
    kind = request.param
    if kind == "memory":
        yield {"url": "memory:"}, None, 0
        return
    if kind == "sqlite":
        yield {"url": f"sqlite://{tmp_path}/sluice.db"}, None, 0
        return
    options, section, database = {}, {}, 0
    if kind == "redis password":
        options["password"] = "redis-pass-7731"
    if kind == "redis tls":
        options |= {"tls": authority.issue("redis"), "ca": authority.file}
        section["tls"] = {"ca": str(authority.file)}
    server = RedisServer(tmp_path, **options).start()
    where = f"127.0.0.1:{server.port}"
    if kind == "redis unix":
        section["url"] = f"redis+unix://{server.socket_path}"
    elif kind == "redis database":
        section["url"], database = f"redis://{where}/5", 5
    elif kind == "redis password":
        section["url"] = f"redis://:redis-pass-7731@{where}"
    elif kind == "redis tls":
        section["url"] = f"rediss://localhost:{server.port}"
    else:
        section["url"] = f"redis://{where}"
    yield section, server, database
    server.stop()


def test_requests_per_minute_are_counted_shown_and_enforced(start, store):
    section, server, database = store
    gw = start(store=section, keys=keys(limited(3)))
    gw.connected()
    for left in (2, 1, 0):
        answer = gw.chat("good", key=LIMITED)
        assert answer.status == 200, answer.body
        assert answer.headers["x-ratelimit-limit"] == "3"
        assert answer.headers["x-ratelimit-remaining"] == str(left)
        assert answer.headers["x-ratelimit-tier"]
    for _ in range(3):
        refused = gw.chat("good", key=LIMITED)
        assert_envelope(refused, 429, "rate_limit_exceeded")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["x-ratelimit-remaining"] == "0"
    assert gw.chat("good").status == 200  # another key is another budget
    assert gw.metric("sluice_ratelimit_rejections_total") == 3
    if server is not None:
        assert server.keys(database), "nothing was written to this Redis database"
        assert "redis-pass" not in gw.output()


def test_streams_show_the_limits_too(start):
    gw = start(keys=keys(limited(5)))
    with gw.client() as client:
        stream = client.stream("good", key=LIMITED)
        assert stream.headers["x-ratelimit-limit"] == "5"
        assert_whole(stream.data())


def test_refused_requests_never_reach_the_provider(start, upstream):
    import provider
    gw = start(keys=keys(limited(2)))
    model = upstream.play(provider.behave)
    assert [gw.chat(model, key=LIMITED).status for _ in range(6)] == [200, 200] + [429] * 4
    assert len(upstream.seen(model)) == 2


def test_limit_is_exact_for_requests_at_once(start):
    gw = start(keys=keys(limited(10)))
    clients = [gw.client() for _ in range(40)]
    for client in clients:
        client.send(raw.chat_bytes("good", key=LIMITED))
    statuses = [client.response().status for client in clients]
    assert sorted(statuses) == [200] * 10 + [429] * 30


# Redis.

def test_replicas_share_one_budget(start, redis):
    section = {"url": f"redis://127.0.0.1:{redis.port}"}
    one = start(store=section, keys=keys(limited(6)))
    two = start(store=section, keys=keys(limited(6)))
    statuses = [gw.chat("good", key=LIMITED).status for _ in range(5) for gw in (one, two)]
    assert statuses == [200] * 6 + [429] * 4


def command_counts(redis: RedisServer) -> dict[str, int]:
    info = redis.command("INFO", "commandstats")
    return {n: int(c) for n, c in re.findall(r"cmdstat_([\w|-]+):calls=(\d+)", info)}


def test_one_request_is_one_round_trip(start, redis):
    gw = start(store={"url": f"redis://127.0.0.1:{redis.port}"}, keys=keys(limited(1000)),
               history={"enabled": False})
    assert gw.chat("good", key=LIMITED).status == 200
    before = command_counts(redis)
    for _ in range(20):
        assert gw.chat("good", key=LIMITED).status == 200
    after = command_counts(redis)
    beats = 3  # every two seconds; what was settled is told besides, and nobody waits for that
    assert after["evalsha"] - before["evalsha"] <= 2 * 20 + beats
    assert after.get("eval", 0) == before.get("eval", 0)


def test_flushed_scripts_are_sent_again(start, redis):
    gw = start(store={"url": f"redis://127.0.0.1:{redis.port}"}, keys=keys(limited(100)))
    assert gw.chat("good", key=LIMITED).headers["x-ratelimit-remaining"] == "99"
    redis.command("SCRIPT", "FLUSH")
    assert gw.chat("good", key=LIMITED).headers["x-ratelimit-remaining"] == "98"


def test_keys_of_a_limit_expire(start, redis):
    gw = start(store={"url": f"redis://127.0.0.1:{redis.port}"}, keys=keys(limited(100)))
    gw.chat("good", key=LIMITED)
    until(lambda: any("sum:" in key for key in redis.keys()), 5, "what was settled")
    written = {key: redis.command("TTL", key) for key in redis.keys()}
    sums = [key for key in written if "sum:" in key]
    assert [written.pop(key) for key in sums] == [-1, -1]  # money is not forgotten
    rate = next(key for key in written if "rate:" in key)
    until(lambda: 0 < redis.command("TTL", rate) <= 120, 5, "the end of what it held")
    assert all(0 < ttl <= 7 * 86400 for ttl in written.values()), written
    assert not any(LIMITED in key for key in [*written, *sums])


class Load:
    """A few clients asking all the time; remembers every answer that was not 200."""

    def __init__(self, gw, clients: int = 6, key: str = LIMITED):
        self.gw, self.key = gw, key
        self.wrong: list = []
        self.served = 0
        self.slowest = 0.0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self) -> None:
        try:
            with self.gw.client(timeout=15) as client:
                while not self.stopping.is_set():
                    began = time.monotonic()
                    answer = client.chat("good", key=self.key)
                    self.slowest = max(self.slowest, time.monotonic() - began)
                    self.served += 1
                    if answer.status != 200:
                        self.wrong.append((answer.status, answer.body[:200]))
        except Exception as problem:
            self.wrong.append(repr(problem))

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(20)


def lines_about_the_store(gw) -> list[str]:
    return [line for line in gw.log().splitlines()
            if re.search(r"redis|store", line, re.I) and re.search(r"warn|error", line, re.I)]


def test_redis_that_dies_under_load_breaks_no_request_and_says_so_once(start, redis):
    gw = start(store={"url": f"redis://127.0.0.1:{redis.port}"}, keys=keys(limited(1_000_000)))
    load = Load(gw)
    try:
        until(lambda: load.served > 50, 10, "load")
        before = len(lines_about_the_store(gw))
        redis.kill()
        at_death = load.served
        until(lambda: load.served > at_death + 200, 15, "requests without Redis")
        assert len(lines_about_the_store(gw)) - before == 1, lines_about_the_store(gw)
        assert gw.metric("sluice_store_errors_total") >= 1
        redis.start()
        until(lambda: redis.keys(), 15, "the reconnect")
    finally:
        load.stop()
    assert load.wrong == []
    assert gw.chat("good", key=LIMITED).status == 200


def test_redis_that_hangs_delays_no_request_for_long(start, redis):
    gw = start(store={"url": f"redis://127.0.0.1:{redis.port}"}, keys=keys(limited(1_000_000)))
    assert gw.chat("good", key=LIMITED).status == 200
    redis.freeze()
    try:
        load = Load(gw)
        time.sleep(1.5)
        load.stop()
    finally:
        redis.thaw()
    assert load.wrong == []
    assert load.served > 20
    assert load.slowest < 1.0


def test_limits_stay_limits_without_redis(start, redis):
    gw = start(store={"url": f"redis://127.0.0.1:{redis.port}"}, keys=keys(limited(5)))
    redis.kill()
    statuses = [gw.chat("good", key=LIMITED).status for _ in range(20)]
    assert statuses.count(200) <= 6 and statuses.count(429) >= 14, statuses


def test_fail_closed_refuses_when_redis_is_gone(start, redis):
    gw = start(store={"url": f"redis://127.0.0.1:{redis.port}", "on_error": "reject"},
               keys=keys(limited(1000)))
    assert gw.chat("good", key=LIMITED).status == 200
    redis.kill()
    refused = gw.chat("good", key=LIMITED)
    assert_envelope(refused, 503)
    redis.start()
    until(lambda: gw.chat("good", key=LIMITED).status == 200, 15, "the reconnect")


def test_gateway_starts_without_its_redis(start, redis):
    redis.kill()
    gw = start(store={"url": f"redis://127.0.0.1:{redis.port}"}, keys=keys(limited(1000)),
               wait=False)

    def serves() -> bool:
        try:
            return gw.chat("good", key=LIMITED).status == 200
        except OSError:
            return False
    until(serves, 10, "requests without Redis")
    redis.start()
    until(lambda: gw.chat("good", key=LIMITED) and redis.keys(), 15, "the connect")


def test_wrong_redis_password_is_said_and_harms_no_request(start, tmp_path):
    server = RedisServer(tmp_path, password="right").start()
    try:
        gw = start(store={"url": f"redis://:wrong-pass-991@127.0.0.1:{server.port}"},
                   keys=keys(limited(1000)), wait=False)

        def serves() -> bool:
            try:
                return gw.chat("good", key=LIMITED).status == 200
            except OSError:
                return False
        until(serves, 10, "requests")
        until(lambda: re.search(r"WRONGPASS|password|AUTH", gw.log()), 5, "the reason in the log")
        assert "wrong-pass-991" not in gw.output()
    finally:
        server.stop()
