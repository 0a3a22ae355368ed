"""Credentials of callers' own (BYOK, contract 2.3): whose credential goes along, in which order they are
tried, what it costs, and that nobody ever sees one."""
from __future__ import annotations

import json
import re

import pytest

import provider_clouds
import provider_converse
import raw
from token_endpoint import TokenEndpoint
from upstream import until

OWN = "sk-canary-own-4b1e77f0-of-a-caller"
SHARED = "sk-shared-of-the-gateway"
OWN_AWS = {"accessKeyId": provider_converse.KEY_ID, "secretAccessKey": provider_converse.SECRET,
           "region": provider_converse.REGION}
CLAUDE = "claude-good"
PRICES = {"input": "2.00", "output": "8.00"}


@pytest.fixture(scope="module")
def tokens():
    endpoint = TokenEndpoint().start()
    yield endpoint
    endpoint.stop()


def root_of(upstream) -> str:
    return upstream.base_url.removesuffix("/v1")


def clouds(upstream, tokens) -> dict:
    """Claude at three clouds and Gemini at two: one upstream in five roles."""
    root = root_of(upstream)
    vertex = {"protocol": "vertex", "base_url": root + provider_clouds.VERTEX_ROOT,
              "google": {"credentials": tokens.credentials()}}
    return {
        "providers": {
            "amazon-bedrock": {"protocol": "bedrock", "base_url": upstream.base_url, "aws": {
                "region": "us-west-2", "access_key": "AKIDSHARED", "secret_key": SHARED}},
            "google-vertex": vertex,
            "anthropic": {"protocol": "anthropic", "base_url": upstream.base_url,
                          "api_key": SHARED},
            "google-ai-studio": {"protocol": "gemini", "base_url": root + "/v1beta",
                                 "api_key": SHARED},
        },
        "models": {
            "claude": {"endpoints": [
                {"provider": "amazon-bedrock", "upstream_model": "anthropic." + CLAUDE,
                 "price": {"input": "2.00", "output": "2.00"}},
                {"provider": "google-vertex", "upstream_model": CLAUDE,
                 "price": {"input": "1.00", "output": "1.00"}},
                {"provider": "anthropic", "upstream_model": CLAUDE,
                 "price": {"input": "3.00", "output": "3.00"}}]},
            "gemini": {"endpoints": [
                {"provider": "google-vertex", "upstream_model": "gemini-good"},
                {"provider": "google-ai-studio", "upstream_model": "gemini-good"}]},
        }}


def credentials(tokens) -> dict:
    return {
        "amazon-bedrock": json.dumps(OWN_AWS),
        "google-vertex": tokens.credentials(project_id="own-project", region="europe-west4"),
        "anthropic": OWN,
    }


def who_asks(request) -> str:
    """Which provider is meant, and a star where the caller's own credential came along."""
    names, target = request.headers, request.target
    if "authorization" in names and "AWS4-HMAC" in names["authorization"]:
        own = f"Credential={provider_converse.KEY_ID}/" in names["authorization"]
        assert own or "Credential=AKIDSHARED/" in names["authorization"]
        return "bedrock*" if own else "bedrock"
    if "/projects/" in target:
        own = "/projects/own-project/locations/europe-west4/" in target
        assert own or target.startswith(provider_clouds.VERTEX_ROOT)
        return "vertex*" if own else "vertex"
    if "x-goog-api-key" in names:
        assert names["x-goog-api-key"] == SHARED
        return "studio"
    assert names["x-api-key"] in (OWN, SHARED)
    return "anthropic*" if names["x-api-key"] == OWN else "anthropic"


async def refuse(x):
    await x.reply(503, b'{"error":{"type":"overloaded_error","message":"later"}}')


def asked(upstream, gw, model: str, key: str = raw.KEY, **members) -> list[str]:
    """Who was asked, in order, when all of them refuse."""
    before = len(upstream.requests)
    upstream.script_for = lambda request: refuse
    try:
        answer = gw.chat(model, key=key, **members)
    finally:
        del upstream.script_for
    assert answer.status >= 500, answer.body
    assert OWN.encode() not in answer.body
    return [who_asks(r) for r in upstream.requests[before:]]


CASES = [
    ("all three", ["amazon-bedrock", "google-vertex", "anthropic"], "claude",
     {"order": ["amazon-bedrock", "google-vertex", "anthropic"]},
     ["bedrock*", "vertex*", "anthropic*", "bedrock", "vertex", "anthropic"]),
    ("vertex alone", ["google-vertex"], "claude",
     {"order": ["amazon-bedrock", "google-vertex"], "allow_fallbacks": False},
     ["vertex*", "bedrock", "vertex"]),
    ("vertex, no order", ["google-vertex"], "gemini", None, ["vertex*", "vertex", "studio"]),
    ("anthropic, no order", ["anthropic"], "claude", None, ["anthropic*", "anthropic"]),
    ("two, by price", ["amazon-bedrock", "anthropic"], "claude", {"sort": "price"},
     ["bedrock*", "anthropic*", "vertex", "bedrock", "anthropic"]),
    ("no fallbacks", ["anthropic"], "claude", {"allow_fallbacks": False, "only": ["anthropic"]},
     ["anthropic*", "anthropic"]),
    ("hard filters hold", ["anthropic"], "claude", {"ignore": ["anthropic"], "sort": "price"},
     ["vertex", "bedrock"]),
]


@pytest.mark.parametrize("own,model,provider,expected", [c[1:] for c in CASES],
                         ids=[c[0] for c in CASES])
def test_own_credentials_go_first(start, upstream, tokens, own, model, provider, expected):
    mine = {p: c for p, c in credentials(tokens).items() if p in own}
    gw = start(**clouds(upstream, tokens), keys=[
        {"name": "dev", "secret": raw.KEY, "byok": mine},
        {"name": "other", "secret": "sk-other"}])
    members = {"provider": provider} if provider is not None else {}
    seen = asked(upstream, gw, model, **members)
    if provider is None:  # the rest by chance
        assert seen[:len(expected)] == expected
        assert len(set(seen)) == len(seen) == (4 if model == "claude" else 3)
    else:
        assert seen == expected
    assert not [s for s in asked(upstream, gw, model, key="sk-other", **members) if "*" in s]


@pytest.mark.parametrize("provider", ["amazon-bedrock", "google-vertex", "anthropic"])
def test_own_credential_works(start, upstream, tokens, provider):
    """The signature of a key of Amazon's, the token of an account of Google's, a key as it is."""
    changes = clouds(upstream, tokens)
    own = credentials(tokens)[provider]
    if provider == "google-vertex":  # the scripted Vertex knows one project
        own = tokens.credentials(region="europe-north1")
        changes["providers"][provider]["google"]["credentials"] = tokens.credentials(
            client_email="nobody@example.org")
    gw = start(**changes, byok={provider: own}, auth="none", keys=[])
    for _ in range(2):
        answer = gw.chat("claude", provider={"only": [provider], "allow_fallbacks": False})
        assert answer.status == 200 and b"hello" in answer.body, answer.body
        assert answer.headers["x-sluice-attempts"] == "1"


def plain(upstream, **more) -> dict:
    """One provider, one model, a caller with a key of its own and one without."""
    return {"providers": {"up": {"api_key": SHARED}},
            "models": {"m": {"provider": "up", "upstream_model": "m", "price": PRICES}},
            "keys": [{"name": "dev", "secret": raw.KEY, "byok": {"up": OWN}},
                     {"name": "other", "secret": "sk-other"}]} | more


def keys_seen(upstream, count: int) -> list[str]:
    names = {OWN: "own", SHARED: "shared"}
    return [names[r.headers["authorization"].removeprefix("Bearer ")]
            for r in upstream.requests[-count:]]


@pytest.mark.parametrize("streamed", [False, True])
def test_attempt_on_an_own_credential_costs_nothing_here(start, upstream, streamed):
    gw = start(**plain(upstream))
    answer = gw.chat("m", stream=streamed, usage={"include": True})
    assert answer.status == 200 and keys_seen(upstream, 1) == ["own"]
    said = raw.events_of(answer.body)[-2] if streamed else answer.json
    usage = said["usage"]
    details = (usage if "cost_details" in usage else said)["cost_details"]
    cost = (usage if "cost" in usage else said)["cost"]
    cached = usage["prompt_tokens_details"]["cached_tokens"]  # at a quarter, as nobody says
    list_price = (usage["prompt_tokens"] * 2 - cached * 1.5 + usage["completion_tokens"] * 8) * 1e-6
    assert cost == 0 and details["is_byok"] is True
    assert details["byok_cost"] == pytest.approx(list_price)
    record = gw.record_of(answer.headers["x-request-id"])
    assert record["cost_pd"] == 0 and record["is_byok"] is True
    assert record["byok_cost_pd"] == round(list_price * 1e12)
    answer = gw.chat("m", key="sk-other", usage={"include": True})
    assert answer.status == 200 and keys_seen(upstream, 1) == ["shared"]
    record = gw.record_of(answer.headers["x-request-id"])
    assert record["cost_pd"] > 0 and "is_byok" not in record


def fail_own(status: int, *headers, body: bytes = b'{"error":{"message":"no","type":"x"}}'):
    """Answers the caller's own credential so, and the gateway's as ever."""
    import provider

    async def refuse_own(x):
        await x.reply(status, body, *headers)

    return lambda request: refuse_own if OWN in request.headers["authorization"] else provider.behave


@pytest.fixture
def answering(upstream):
    def set_to(script):
        upstream.script_for = script
    yield set_to
    vars(upstream).pop("script_for", None)


@pytest.mark.parametrize("status", [401, 402, 403, 429, 500, 503])
def test_own_credential_that_fails_is_followed_by_the_gateways(start, upstream, answering, status):
    gw = start(**plain(upstream))
    answering(fail_own(status))
    answer = gw.chat("m", usage={"include": True})
    assert answer.status == 200, answer.body
    assert keys_seen(upstream, 2) == ["own", "shared"]
    assert answer.headers["x-sluice-attempts"] == "2"
    record = gw.record_of(answer.headers["x-request-id"])
    assert record["cost_pd"] > 0 and "is_byok" not in record
    assert answer.json["cost_details"]["is_byok"] is False


def test_bad_request_is_not_tried_again_with_another_credential(start, upstream, answering):
    gw = start(**plain(upstream))
    answering(fail_own(400, body=b'{"error":{"message":"no such field","type":"invalid_request_error"}}'))
    before = len(upstream.requests)
    assert gw.chat("m").status == 400 and len(upstream.requests) == before + 1


def test_used_up_credential_cools_itself_and_not_the_endpoint(start, upstream, answering):
    gw = start(**plain(upstream))
    answering(fail_own(429, ("Retry-After", "60")))
    assert gw.chat("m").status == 200 and keys_seen(upstream, 2) == ["own", "shared"]
    assert gw.chat("m").status == 200 and keys_seen(upstream, 1) == ["shared"]  # behind, now
    answer = gw.chat("m", key="sk-other")
    assert answer.status == 200 and answer.headers["x-sluice-attempts"] == "1"


def test_used_up_gateway_credential_does_not_cool_a_callers(start, upstream, answering):
    async def refuse_it(x):
        await x.reply(429, b'{"error":{"message":"no","type":"x"}}', ("Retry-After", "60"))

    import provider
    gw = start(**plain(upstream))
    answering(lambda r: refuse_it if SHARED in r.headers["authorization"] else provider.behave)
    assert gw.chat("m", key="sk-other").status == 429
    for _ in range(3):
        assert gw.chat("m").status == 200 and keys_seen(upstream, 1) == ["own"]


def test_key_s_own_goes_before_everybody_s(start, upstream):
    gw = start(**plain(upstream), byok={"up": "sk-of-everybody"})
    assert gw.chat("m").status == 200 and keys_seen(upstream, 1) == ["own"]
    assert gw.chat("m", key="sk-other").status == 200
    assert upstream.requests[-1].headers["authorization"] == "Bearer sk-of-everybody"


def test_nobody_sees_an_own_credential(start, upstream, answering):
    """Not in what a provider repeats of it, not in answers, log, records, metrics or configuration."""
    from free_port import free_port
    admin = free_port()
    port = free_port()
    gw = start(port=port, **plain(upstream), listeners=[
        {"name": "api", "address": f"127.0.0.1:{port}", "serves": ["api", "health", "metrics"]},
        {"name": "admin", "address": f"127.0.0.1:{admin}", "serves": ["admin"]}])

    async def repeat(x):
        await x.reply(400, json.dumps({"error": {
            "message": f"bad key {OWN}", "type": "invalid_request_error"}}).encode(),
            ("X-Echo", OWN))

    answering(lambda request: repeat)
    answer = gw.chat("m")
    assert answer.status == 400 and OWN.encode() not in answer.head + answer.body
    answering(fail_own(401, body=json.dumps({"error": {"message": f"unknown key {OWN}"}}).encode()))
    gw.chat("m")
    with raw.Client(("127.0.0.1", admin)) as client:
        shown = client.ask(raw.request_bytes("GET", "/admin/v1/config"))
    assert shown.status == 200 and b"byok" in shown.body
    metrics = gw.get("/metrics", key=None).body
    for text in (shown.body, metrics, gw.output().encode()):
        assert OWN.encode() not in text


def test_reload_changes_own_credentials(start, upstream):
    gw = start(**plain(upstream))
    assert gw.chat("m").status == 200 and keys_seen(upstream, 1) == ["own"]
    config = json.loads(json.dumps(gw.config))
    del config["keys"][0]["byok"]
    gw.reload(config)
    until(lambda: gw.chat("m").status == 200 and keys_seen(upstream, 1) == ["shared"])


@pytest.mark.parametrize("byok,said", [
    ({"nobody": "sk-x"}, r"byok.nobody: no provider named \"nobody\""),
    ({"up": "two words"}, r"byok.up: not a key"),
    ({"up": '{"accessKeyId":"a","secretAccessKey":"b","region":"eu-north-1"}'},
     r"byok.up: a key of Amazon's is for providers of the protocol bedrock"),
    ({"up": '{"type":"service_account"}'}, r"byok.up: .* of the protocol vertex"),
    ({"up": '{"user":"x"}'}, r"byok.up: neither"),
    ({"up": "{"}, r"byok.up: not JSON"),
    ("sk-x", r"byok: a map was expected"),
])
def test_bad_own_credential_is_named(tmp_path, byok, said):
    from gateway import configuration, run
    file = tmp_path / "sluice.yaml"
    file.write_text(json.dumps(configuration(4000, "http://127.0.0.1:9/v1", keys=[
        {"name": "dev", "secret": raw.KEY, "byok": byok}])))
    done = run("check", "--config", str(file))
    assert done.returncode == 78 and re.search(r"keys\[0\]\." + said, done.stdout + done.stderr), \
        done.stdout + done.stderr
