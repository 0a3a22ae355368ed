"""Which endpoint is asked, from outside: what a request wishes, what endpoints are able to do, how they
do, and where a conversation was before (contract 2.1 to 2.4)."""
from __future__ import annotations

import json
from collections import Counter

import pytest

import raw
from gateway import Gateway
from redis_server import RedisServer
from upstream import until

PROVIDERS = ["alpha", "beta", "gamma"]


def configuration(upstream) -> dict:
    """Three providers that are one upstream; each calls the model by its own name, so that it can be told
    who was asked."""
    return {
        "providers": {p: {"protocol": "openai", "base_url": upstream.base_url, "api_key": "sk-up"}
                      for p in PROVIDERS},
        "models": {
            "trio": {"endpoints": [
                {"provider": p, "upstream_model": f"{p}-trio",
                 "price": {"input": price, "output": price}}
                for p, price in zip(PROVIDERS, ["3.00", "1.00", "2.00"])]},
            "able": {"endpoints": [
                {"provider": "alpha", "upstream_model": "alpha-able", "params": ["tools"],
                 "max_output": 100, "data_policy": {"zdr": True}},
                {"provider": "beta", "upstream_model": "beta-able", "params": ["seed"],
                 "input": ["text"], "quantization": "fp8"}]},
            "backup": {"provider": "gamma", "upstream_model": "gamma-backup"},
        }}


@pytest.fixture(scope="module")
def fleet(upstream, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("fleet"), upstream.base_url,
                 **configuration(upstream)).start()
    yield gw
    gw.stop()


def ask(gw, upstream, model: str = "trio", headers=(), **members) -> tuple[raw.Response, list[str]]:
    """The answer, and who was asked, in order."""
    before = len(upstream.requests)
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]} | members
    answer = gw.ask(raw.request_bytes("POST", "/v1/chat/completions", json.dumps(body).encode(),
                                      headers=tuple(headers)))
    return answer, [r.model.partition("-")[0] for r in upstream.requests[before:]]


@pytest.mark.parametrize("provider,first", [
    ({"sort": "price"}, "beta"),
    ({"order": ["gamma"]}, "gamma"),
    ({"order": ["nobody", "Alpha"]}, "alpha"),
    ({"only": ["alpha"]}, "alpha"),
    ({"ignore": ["alpha", "beta"]}, "gamma"),
    ({"sort": {"by": "price"}, "ignore": ["beta"]}, "gamma"),
])
def test_wish_decides_who_is_asked(fleet, upstream, provider, first):
    for _ in range(3):
        answer, asked = ask(fleet, upstream, provider=provider)
        assert answer.status == 200 and asked == [first]
        assert answer.headers["x-sluice-provider"] == first
    sent = upstream.requests[-1].json
    assert "provider" not in sent


@pytest.mark.parametrize("members,status,param", [
    ({"provider": {"sort": "cheapest"}}, 400, "provider.sort"),
    ({"provider": {"order": "alpha"}}, 400, "provider.order"),
    ({"provider": []}, 400, "provider"),
    ({"models": {}}, 400, "models"),
    ({"models": ["absent"]}, 404, "models"),
    ({"provider": {"only": ["nobody"]}}, 503, None),
    ({"provider": {"zdr": True}}, 503, None),
])
def test_wish_that_cannot_be_met_says_why(fleet, upstream, members, status, param):
    answer, asked = ask(fleet, upstream, **members)
    assert answer.status == status and not asked
    if param is not None:
        assert answer.json["error"]["param"] == param
    else:
        assert f"provider.{next(iter(members['provider']))} (3)" in answer.json["error"]["message"]
        assert answer.json["error"]["type"] == "no_provider_available"


def test_request_goes_to_who_can_do_it(fleet, upstream):
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    picture = [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}]}]
    for members, who in [({"tools": tools}, "alpha"), ({"seed": 1}, "beta"),
                         ({"max_tokens": 500}, "beta"), ({"messages": picture}, "alpha"),
                         ({"provider": {"zdr": True}}, "alpha"),
                         ({"provider": {"quantizations": ["fp8"]}}, "beta"),
                         ({"provider": {"data_collection": "deny"}}, "alpha")]:
        answer, asked = ask(fleet, upstream, "able", **members)
        assert (answer.status, asked) == (200, [who]), members
    answer, asked = ask(fleet, upstream, "able", seed=1, tools=tools)
    assert answer.status == 400 and not asked
    assert answer.json["error"]["type"] == "unsupported_parameter"


def test_lenient_request_goes_without_what_its_endpoint_does_not_take(start, upstream):
    """require_parameters: false, D-01: dropped and said so, in both lanes; never tools nor length."""
    gw = start(
        providers={"alpha": {"protocol": "openai", "base_url": upstream.base_url, "api_key": "sk-up"},
                   "delta": {"protocol": "anthropic", "base_url": upstream.base_url,
                             "api_key": "sk-up"}},
        models={"passed": {"provider": "alpha", "upstream_model": "alpha-passed",
                           "params": ["temperature"], "max_output": 100},
                "translated": {"provider": "delta", "upstream_model": "messages-simple",
                               "params": ["temperature"]}})
    lenient = {"require_parameters": False}
    wishes = {"seed": 7, "temperature": 0.5, "stop": ["x"], "top_p": 0.9, "reasoning_effort": "low",
              "response_format": {"type": "json_object"}}
    for model in ("passed", "translated"):
        assert ask(gw, upstream, model, **wishes)[0].status == 400
        answer, _ = ask(gw, upstream, model, provider=lenient, **wishes)
        assert answer.status == 200, answer.body
        assert answer.headers["x-sluice-dropped"] == "response_format, reasoning, top_p, seed, stop"
        assert answer.headers["x-sluice-warning"].startswith("response_format ignored; ")
        sent = upstream.requests[-1].json
        assert sent["temperature"] == 0.5
        assert not {"seed", "stop", "stop_sequences", "top_p", "reasoning_effort", "thinking",
                    "response_format", "output_config", "provider"} & set(sent), sent
        answer, _ = ask(gw, upstream, model, provider=lenient, temperature=0.5)
        assert answer.status == 200 and "x-sluice-dropped" not in answer.headers
        tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
        answer, asked = ask(gw, upstream, model, provider=lenient, tools=tools)
        assert answer.status == 400 and answer.json["error"]["param"] == "tools" and not asked
    assert ask(gw, upstream, "passed", provider=lenient, max_tokens=500)[0].status == 400


def refuse(status: int):
    async def script(x) -> None:
        await x.reply(status, b'{"error":{"message":"not now","type":"server_error"}}')
    return script


def test_failing_provider_hands_over(fleet, upstream):
    upstream.scripts["beta-trio"] = refuse(500)
    try:
        answer, asked = ask(fleet, upstream, provider={"sort": "price"})
        assert (answer.status, asked) == (200, ["beta", "gamma"])
        assert answer.headers["x-sluice-attempts"] == "2"
        answer, asked = ask(fleet, upstream, provider={"sort": "price", "allow_fallbacks": False})
        assert (answer.status, asked) == (502, ["beta"])
        answer, asked = ask(fleet, upstream, provider={
            "order": ["beta", "alpha"], "allow_fallbacks": False})
        assert (answer.status, asked) == (200, ["beta", "alpha"])
    finally:
        del upstream.scripts["beta-trio"]


def test_models_follow_each_other(fleet, upstream):
    for provider in PROVIDERS:
        upstream.scripts[f"{provider}-trio"] = refuse(503)
    try:
        before = len(upstream.requests)
        answer, asked = ask(fleet, upstream, models=["backup"], provider={"sort": "price"})
        assert answer.status == 200 and asked == ["beta", "gamma", "alpha", "gamma"]
        assert answer.headers["x-sluice-model"] == "backup"
        assert upstream.requests[-1].model == "gamma-backup" and len(upstream.requests) == before + 4
    finally:
        for provider in PROVIDERS:
            del upstream.scripts[f"{provider}-trio"]
    body = json.dumps({"models": "backup", "messages": [{"role": "user", "content": "x"}]})
    assert fleet.ask(raw.request_bytes("POST", "/v1/chat/completions", body.encode())).status == 200


def test_endpoint_that_keeps_failing_is_asked_last(start, upstream):
    """Five in a row open its circuit: it stays in the plan, behind the others."""
    gw = start(**configuration(upstream))
    upstream.scripts["beta-trio"] = refuse(500)
    try:
        for _ in range(5):
            assert ask(gw, upstream, provider={"sort": "price"})[1] == ["beta", "gamma"]
        assert ask(gw, upstream, provider={"sort": "price"})[1] == ["gamma"]
        assert ask(gw, upstream, provider={"only": ["beta"]})[1] == ["beta"]
        assert '"endpoint":"trio at beta as beta-trio","state":"open"' in gw.log()
    finally:
        del upstream.scripts["beta-trio"]
    # nobody's fault but the request's
    upstream.scripts["gamma-trio"] = refuse(400)
    try:
        for _ in range(7):
            assert ask(gw, upstream, provider={"order": ["gamma"]})[1] == ["gamma"]
    finally:
        del upstream.scripts["gamma-trio"]


def test_model_whose_only_endpoint_keeps_failing_is_asked_behind_the_next(start, upstream):
    gw = start(**configuration(upstream))
    upstream.scripts["gamma-backup"] = refuse(500)
    try:
        wish = {"models": ["trio"], "provider": {"sort": "price"}}
        for _ in range(5):
            assert ask(gw, upstream, "backup", **wish)[1] == ["gamma", "beta"]
        assert ask(gw, upstream, "backup", **wish)[1] == ["beta"]
        assert ask(gw, upstream, "backup")[1] == ["gamma"]
    finally:
        del upstream.scripts["gamma-backup"]


def test_provider_that_says_when_to_come_back_is_left_alone_until_then(start, upstream):
    async def busy(x) -> None:
        await x.reply(429, b'{"error":{"message":"slow down","type":"rate_limit_error"}}',
                      ("Retry-After", "1"))

    gw = start(**configuration(upstream))
    upstream.scripts["beta-trio"] = busy
    try:
        assert ask(gw, upstream, provider={"sort": "price"})[1] == ["beta", "gamma"]
        assert ask(gw, upstream, provider={"sort": "price"})[1] == ["gamma"]
        assert ask(gw, upstream, provider={"only": ["beta"]})[0].status == 429
    finally:
        del upstream.scripts["beta-trio"]
    until(lambda: ask(gw, upstream, provider={"sort": "price"})[1] == ["beta"], what="it to be asked")


def test_load_is_shared(start, upstream):
    """Nobody said whom: all are asked, by the squares of their scores, which are prices only here."""
    gw = start(routing={"weights": {"price": 1, "throughput": 0, "latency": 0, "reliability": 0}},
               **configuration(upstream))
    asked = Counter(ask(gw, upstream)[1][0] for _ in range(150))
    assert set(asked) == set(PROVIDERS)
    assert asked["beta"] > 2 * asked["alpha"]  # nine times as much, on the average


CONVERSATIONS = {
    "its head (Codex)": ([("session_id", "c-{n}")], {}),
    "its head (Claude Code)": ([("X-Claude-Code-Session-Id", "c-{n}")], {}),
    "session_id": ([], {"session_id": "c-{n}"}),
    "prompt_cache_key": ([], {"prompt_cache_key": "c-{n}"}),
    "user": ([], {"user": "c-{n}"}),
    "its first words": ([], {"messages": [
        {"role": "user", "content": "question {n}"}, {"role": "assistant", "content": "answer"},
        {"role": "user", "content": "go on"}]}),
}


@pytest.mark.parametrize("named_by", CONVERSATIONS)
def test_conversation_stays_where_it_was(fleet, upstream, named_by):
    headers, members = CONVERSATIONS[named_by]
    homes = set()
    for n in range(20):  # all at one home by chance: one in a million
        text = json.dumps([headers, members]).replace("{n}", f"{named_by} {n}")
        head, body = json.loads(text)
        homes_of_one = {ask(fleet, upstream, headers=[tuple(h) for h in head], **body)[1][0]
                        for _ in range(3)}
        assert len(homes_of_one) == 1, "it moved"
        homes |= homes_of_one
    assert len(homes) > 1, "all conversations share one home"


def test_conversation_moves_when_its_home_fails(fleet, upstream):
    talk = {"session_id": "a moving one"}
    home = ask(fleet, upstream, **talk)[1][0]
    upstream.scripts[f"{home}-trio"] = refuse(500)
    try:
        asked = ask(fleet, upstream, **talk)[1]
        assert asked[0] == home and len(asked) == 2
    finally:
        del upstream.scripts[f"{home}-trio"]
    for _ in range(5):
        assert ask(fleet, upstream, **talk)[1] == [asked[1]]
    # an explicit wish goes first, and moves it again
    assert ask(fleet, upstream, provider={"order": [home]}, **talk)[1] == [home]
    assert ask(fleet, upstream, **talk)[1] == [home]


def test_replicas_know_each_others_conversations(start, upstream, tmp_path):
    redis = RedisServer(tmp_path).start()
    try:
        store = {"url": f"redis://127.0.0.1:{redis.port}"}
        one = start(store=store, **configuration(upstream))
        two = start(store=store, **configuration(upstream))
        for gw in (one, two):
            gw.connected()
        for n in range(8):
            talk = {"session_id": f"shared {n}"}
            home = ask(one, upstream, **talk)[1]
            until(lambda: sum("sticky:" in key for key in redis.keys()) == n + 1,
                  what="the store to be told")
            assert {ask(two, upstream, **talk)[1][0] for _ in range(3)} == set(home)
    finally:
        redis.stop()
    assert ask(two, upstream, session_id="without a memory")[0].status == 200


def test_figures_of_endpoints_outlive_a_reload(start, upstream):
    gw = start(**configuration(upstream))
    upstream.scripts["beta-trio"] = refuse(500)
    try:
        for _ in range(5):
            ask(gw, upstream, provider={"sort": "price"})
        config = gw.config
        config["models"]["fresh"] = {"provider": "gamma", "upstream_model": "gamma-fresh"}
        gw.reload(config)
        until(lambda: gw.chat("fresh").status == 200, what="the reload")
        assert ask(gw, upstream, provider={"sort": "price"})[1] == ["gamma"]
    finally:
        del upstream.scripts["beta-trio"]


# What a request is for, and what holds for all of them.

def test_model_is_found_by_what_it_is_for(start, upstream):
    config = configuration(upstream)
    for name, provider in (("tiny", "alpha"), ("usual", "beta"), ("wise", "gamma")):
        config["models"][name] = {"provider": provider, "upstream_model": f"{provider}-{name}"}
    config["providers"]["delta"] = {"protocol": "anthropic", "base_url": upstream.base_url,
                                    "api_key": "sk-up"}
    config["models"]["told"] = {"provider": "delta", "upstream_model": "messages-simple"}
    gw = start(routing={"tasks": {"general": ["tiny", "usual", "wise"], "coding": ["told"]}}, **config)
    for provider, model in [({"task": "general"}, "usual"), ({"prefer": "balanced"}, "usual"),
                            ({"prefer": "cheapest"}, "tiny"), ({"prefer": "smartest"}, "wise"),
                            ({"prefer": "smartest", "vendor": "alpha"}, "tiny"),
                            ({"task": "coding", "prefer": "cheapest"}, "told")]:
        body = {"messages": [{"role": "user", "content": "hello"}], "provider": provider}
        answer = gw.ask(raw.request_bytes("POST", "/v1/chat/completions", json.dumps(body).encode()))
        assert answer.status == 200, (provider, answer.body)
        assert answer.headers["x-sluice-model"] == model
        assert upstream.requests[-1].json["model"].split("-")[0] in (*PROVIDERS, "messages")
    # a model that is named is the model
    answer, asked = ask(gw, upstream, "wise", provider={"task": "general", "prefer": "cheapest"})
    assert asked == ["gamma"]
    for provider, status, param in [({"task": "reasoning"}, 404, "model"),
                                    ({"task": 5}, 400, "model"), ({"sort": "price"}, 400, "model"),
                                    ({"task": "sleeping"}, 400, "provider.task")]:
        body = {"messages": [{"role": "user", "content": "hello"}], "provider": provider}
        answer = gw.ask(raw.request_bytes("POST", "/v1/chat/completions", json.dumps(body).encode()))
        assert (answer.status, answer.json["error"]["param"]) == (status, param), answer.body


def test_fallback_that_costs_too_much_is_not_tried(fleet, upstream):
    upstream.scripts["beta-trio"] = refuse(500)
    try:
        for multiplier, who in [(1, ["beta"]), (2, ["beta", "gamma"]), (3, ["beta", "gamma"])]:
            wish = {"sort": "price", "max_cost_multiplier": multiplier}
            assert ask(fleet, upstream, provider=wish)[1] == who
        upstream.scripts["gamma-trio"] = refuse(500)
        for multiplier, who in [(2, ["beta", "gamma"]), (3, ["beta", "gamma", "alpha"])]:
            wish = {"sort": "price", "max_cost_multiplier": multiplier}
            assert ask(fleet, upstream, provider=wish)[1] == who
    finally:
        upstream.scripts.pop("beta-trio", None)
        upstream.scripts.pop("gamma-trio", None)


@pytest.mark.parametrize("setting,filter_name", [("train_opt_out", "provider.data_collection"),
                                                 ("zdr_only", "provider.zdr")])
def test_workspace_keeps_prompts_where_they_are_safe(start, upstream, setting, filter_name):
    """Contract 2.26: a request cannot weaken it."""
    gw = start(routing={setting: True}, **configuration(upstream))
    for provider in ({}, {"zdr": False, "data_collection": "allow"}, {"only": ["beta"]}):
        answer, asked = ask(gw, upstream, provider=provider)
        assert answer.status == 503 and not asked
        assert filter_name in answer.json["error"]["message"]
    answer, asked = ask(gw, upstream, "able", provider={"zdr": False})
    assert (answer.status, asked) == (200, ["alpha"])


def test_endpoint_is_named_by_its_slug(start, upstream):
    """Not only by its provider: in the record, in the error and in metrics; the provider stays beside it."""
    gw = start(**configuration(upstream) | {"models": {"two": {"endpoints": [
        {"provider": "alpha", "upstream_model": "alpha-two", "variant": "fp8"},
        {"provider": "alpha", "upstream_model": "alpha-two", "variant": "turbo"}]}}})
    wish = {"order": ["alpha/turbo", "alpha/fp8"]}
    answer, asked = ask(gw, upstream, "two", provider=wish)
    assert (answer.status, asked) == (200, ["alpha"])
    assert answer.headers["x-sluice-provider"] == "alpha"
    record = gw.record_of(answer.headers["x-request-id"])
    assert record["endpoint"] == "alpha/turbo"
    assert [a["endpoint"] for a in record["attempts"]] == ["alpha/turbo"]

    upstream.scripts["alpha-two"] = refuse(500)
    try:
        answer, asked = ask(gw, upstream, "two", provider=wish)
    finally:
        del upstream.scripts["alpha-two"]
    assert answer.status == 502 and asked == ["alpha", "alpha"]
    named = [(a["provider"], a["endpoint"]) for a in answer.json["error"]["metadata"]["attempts"]]
    assert named == [("alpha", "alpha/turbo"), ("alpha", "alpha/fp8")]
    record = gw.record_of(answer.headers["x-request-id"])
    assert [a["endpoint"] for a in record["attempts"]] == ["alpha/turbo", "alpha/fp8"]
    counts = [gw.metric("sluice_upstream_attempts_total", endpoint=e, result=r)
              for e in ("alpha/turbo", "alpha/fp8", "alpha") for r in ("ok", "5xx")]
    assert counts == [1, 1, 0, 1, 0, 0]
