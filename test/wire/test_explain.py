"""Why a request goes where it goes: told in the answer's head, by POST /v1/route/explain and by
`sluice route explain`; and decisions that are recorded and made again (contract 2.1, peers §4)."""
from __future__ import annotations

import json
import random
import re
import time

import pytest

import raw
from gateway import CANARY, Gateway, run
from upstream import until

PROVIDERS = ["alpha", "beta", "gamma"]
SEED = 20261121


def configuration(upstream) -> dict:
    return {
        "providers": {p: {"protocol": "openai", "base_url": upstream.base_url, "api_key": CANARY}
                      for p in PROVIDERS},
        "models": {
            "trio": {"endpoints": [
                {"provider": p, "upstream_model": f"{p}-trio", "price": {"input": n, "output": n}}
                for p, n in zip(PROVIDERS, ["3.00", "1.00", "2.00"])]},
            "able": {"endpoints": [
                {"provider": "alpha", "upstream_model": "alpha-able", "params": ["tools"],
                 "max_output": 100, "data_policy": {"zdr": True}},
                {"provider": "beta", "upstream_model": "beta-able", "params": ["seed"],
                 "variant": "fp8", "input": ["text"], "quantization": "fp8"}]},
            "many": {"endpoints": [
                {"provider": p, "upstream_model": f"{p}-many", "variant": f"number-{n}-of-a-long-list"}
                for n in range(10) for p in PROVIDERS]},
            "backup": {"provider": "gamma", "upstream_model": "gamma-backup"},
            "best": {"alias": ["able", "trio"]},
        },
        "keys": [{"name": "dev", "secret": raw.KEY, "models": ["*"]},
                 {"name": "narrow", "secret": "sk-narrow-key-of-the-test", "models": ["backup"]},
                 {"name": "slow", "secret": "sk-slow-key-of-the-test", "models": ["*"],
                  "limits": {"rpm": 1}}],
    }


@pytest.fixture(scope="module")
def fleet(upstream, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("fleet"), upstream.base_url,
                 **configuration(upstream)).start()
    yield gw
    gw.stop()


def post(gw, path: str, body, headers=(), key: str | None = None) -> raw.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return gw.ask(raw.request_bytes("POST", path, data, tuple(headers),
                                    **({} if key is None else {"key": key})))


def chat(gw, model: str = "trio", headers=(("X-Sluice-Explain", "1"),), **members) -> raw.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]} | members
    return post(gw, "/v1/chat/completions", body, headers)


def told(answer: raw.Response) -> dict[str, list[tuple[str, list[str]]]]:
    """The field as lists of (endpoint, parameters); `cut` is a number."""
    field, out = answer.headers["x-sluice-explain"], {}
    assert len(field) <= 512
    whole = re.fullmatch(r'(\w+=(\((?:[^()"]|"[^"]*")*\)|\d+))(, \w+=(\((?:[^()"]|"[^"]*")*\)|\d+))*',
                         field)
    assert whole, field
    for name, value in re.findall(r'(\w+)=(\((?:[^()"]|"[^"]*")*\)|\d+)(?=, |$)', field):
        if value[0] != "(":
            out[name] = int(value)
            continue
        out[name] = [(entry[0], entry[1].split(";")[1:]) for entry in
                     re.findall(r'"([^"]*)"((?:;[a-z_]\w*(?:=(?:"[^"]*"|\d+))?)*)', value)]
    return out


def explain(gw, body, **more) -> dict:
    answer = post(gw, "/v1/route/explain", body, **more)
    assert answer.status == 200, answer.body
    return answer.json


# The field of an answer.

def test_answer_says_why_when_asked(fleet, upstream):
    before = len(upstream.requests)
    answer = chat(fleet, provider={"sort": "price", "ignore": ["alpha"]})
    got = told(answer)
    assert got["plan"] == [("beta", ["price"]), ("gamma", ["price"])]
    assert got["dropped"] == [("alpha", ["ignore"])]
    [(who, (status, ms))] = got["tried"]
    assert who == "beta" and status == "s=200" and re.fullmatch(r"ms=\d+", ms)
    assert "x-sluice-explain" not in {n.lower() for n in upstream.requests[before].headers}


def test_streams_say_it_too(fleet):
    got = told(chat(fleet, stream=True, provider={"order": ["gamma"]}))
    assert got["plan"][0] == ("gamma", ["order"]) and got["plan"][1][1] == ["unnamed"]
    assert got["tried"][0][0] == "gamma"


@pytest.mark.parametrize("value", [None, "0", "false", "", "2", "yes", "1, 1", "x" * 300])
def test_nothing_is_said_unasked(fleet, value):
    headers = () if value is None else (("X-Sluice-Explain", value),)
    answer = chat(fleet, headers=headers)
    assert answer.status == 200 and "x-sluice-explain" not in answer.headers


def refuse(status: int):
    async def script(x) -> None:
        await x.reply(status, b'{"error":{"message":"not now","type":"server_error"}}')
    return script


def test_each_attempt_is_told_with_what_came_of_it(fleet, upstream):
    upstream.scripts["beta-trio"] = refuse(500)
    upstream.scripts["gamma-trio"] = refuse(429)
    try:
        answer = chat(fleet, provider={"sort": "price"})
        assert answer.status == 200
        assert [(who, p[0]) for who, p in told(answer)["tried"]] == [
            ("beta", "s=500"), ("gamma", "s=429"), ("alpha", "s=200")]
        answer = chat(fleet, provider={"order": ["beta", "gamma"], "allow_fallbacks": False})
        assert answer.status >= 429
        assert [(who, p[0]) for who, p in told(answer)["tried"]] == [
            ("beta", "s=500"), ("gamma", "s=429")]
        assert told(answer)["dropped"] == [("alpha", ["allow_fallbacks"])]
    finally:
        upstream.scripts.clear()


def test_error_says_what_took_everybody_out(fleet):
    answer = chat(fleet, "able", provider={"only": ["beta"]}, seed=1, max_tokens=5,
                  tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}])
    assert answer.status == 400  # nobody has both
    got = told(answer)
    assert "plan" not in got and "tried" not in got
    assert got["dropped"] == [("alpha", ["only"]), ("beta/fp8", ['parameters="tools"'])]


def test_nothing_was_planned_and_nothing_is_said(fleet):
    for members in ({"model": "nope"}, {"provider": {"sort": "no"}}):
        assert "x-sluice-explain" not in chat(fleet, **members).headers


def test_long_plan_is_cut_at_a_whole_entry(fleet):
    got = told(chat(fleet, "many", provider={"ignore": ["alpha"]}))
    entries = sum(len(v) for v in got.values() if isinstance(v, list))
    assert got["cut"] > 0 and entries + got["cut"] == 1 + 30
    assert got["tried"] and got["plan"]


def test_models_are_told_apart(fleet):
    got = told(chat(fleet, "best", provider={"sort": "price"}, seed=1))
    assert got["plan"] == [("beta/fp8", ["only"]), ("beta", ["price", 'model="trio"']),
                           ("gamma", ["price"]), ("alpha", ["price"])]


def test_configuration_can_ask_for_it(start, upstream):
    gw = start(routing={"explain": True}, **configuration(upstream))
    assert told(chat(gw, headers=()))["plan"]
    assert "x-sluice-explain" not in chat(gw, headers=(("X-Sluice-Explain", "0"),)).headers


def test_browser_may_read_it(start, upstream):
    config = configuration(upstream)
    gw = start(**config)
    listeners = gw.config["listeners"]
    listeners[0]["cors"] = {"origins": ["https://app.example"]}
    gw.reload(gw.config)
    origin = (("Origin", "https://app.example"), ("X-Sluice-Explain", "1"))
    until(lambda: "x-sluice-explain" in chat(gw, headers=origin).headers.get(
        "access-control-expose-headers", "").lower(), what="the reload")


def test_no_secret_is_told(fleet):
    for text in (chat(fleet).headers["x-sluice-explain"], json.dumps(explain(fleet, {"model": "trio"}))):
        assert CANARY not in text and raw.KEY not in text
        assert "alpha-trio" not in text  # what the provider calls it


# POST /v1/route/explain.

def names(entries: list[dict]) -> list[str]:
    return [e["endpoint"] for e in entries]


def test_explanation_asks_nobody(fleet, upstream):
    before = len(upstream.requests)
    got = explain(fleet, {"model": "trio", "provider": {"sort": "price", "only": ["alpha", "beta"]}})
    assert names(got["plan"]) == ["beta", "alpha"] and names(got["dropped"]) == ["gamma"]
    assert got["plan"][0]["place"] == "price" and got["dropped"][0]["by"] == "only"
    assert all(e["reason"] for e in got["plan"] + got["dropped"])
    assert got["provider"] == {"only": ["alpha", "beta"], "sort": "price"}
    assert "error" not in got and len(upstream.requests) == before


CHAT = {"messages": [{"role": "user", "content": "hello"}], "tools": [
    {"type": "function", "function": {"name": "f", "parameters": {}}}]}
BODIES = {
    "chat": CHAT,
    "messages": {"max_tokens": 9, "messages": CHAT["messages"], "tools": [
        {"name": "f", "input_schema": {"type": "object"}}]},
    "responses": {"input": "hello", "tools": [{"type": "function", "name": "f", "parameters": {}}]},
    "completions": {"prompt": "hello", "seed": 1},
    "embeddings": {"input": "hello"},
}


@pytest.mark.parametrize("api", BODIES)
def test_request_of_any_api_is_explained(fleet, api):
    got = explain(fleet, {"model": "able", "api": api} | BODIES[api])
    uses = {"completions": ["seed"], "embeddings": []}.get(api, ["tools"])
    assert got["uses"] == uses
    if uses == ["tools"]:
        assert names(got["plan"]) == ["alpha"] and got["dropped"][0]["missing"] == ["tools"]


def test_real_body_is_explained_as_it_is(fleet):
    body = {"model": "able"} | CHAT
    assert explain(fleet, body)["plan"] == explain(fleet, body | {"api": "chat"})["plan"]


def test_figures_are_told(start, upstream):
    gw = start(**configuration(upstream))
    for _ in range(3):
        assert chat(gw, provider={"order": ["beta"]}).status == 200
    upstream.scripts["gamma-trio"] = refuse(500)
    try:
        for _ in range(5):
            chat(gw, provider={"order": ["gamma"], "allow_fallbacks": False})
    finally:
        upstream.scripts.clear()
    got = explain(gw, {"model": "trio", "prompt_tokens": 1000, "max_tokens": 100,
                       "provider": {"sort": "price"}})
    beta, alpha, gamma = got["plan"]
    assert names(got["plan"]) == ["beta", "alpha", "gamma"]
    assert beta["cost_usd"] == pytest.approx(0.0011) and beta["ok"] == 3 and beta["reliability"] == 1
    assert 1 <= beta["latency_s"]["samples"] <= 3 and 0 < beta["latency_s"]["p50"] < 30
    assert gamma["place"] == "open" and gamma["circuit_open"] and gamma["failed"] == 5
    assert "latency_s" not in alpha and got["prompt_tokens"] == 1000 and got["max_tokens"] == 100
    # the only one left has figures, too
    assert explain(gw, {"model": "trio", "provider": {"only": ["beta"]}})["plan"][0]["ok"] == 3


def test_conversation_is_remembered_as_for_the_real_request(fleet, upstream):
    talk = {"session_id": "explained"}
    before = len(upstream.requests)
    assert chat(fleet, **talk).status == 200
    home = upstream.requests[before].model.partition("-")[0]
    got = explain(fleet, {"model": "trio"} | CHAT | talk)
    assert got["conversation_at"] == home and names(got["plan"])[0] == home
    assert got["plan"][0]["place"] == "conversation"
    head = post(fleet, "/v1/route/explain", {"model": "trio"}, (("session_id", "nobody"),)).json
    assert "conversation_at" not in head


@pytest.mark.parametrize("body,status,by", [
    ({"provider": {"zdr": True}}, 503, ["zdr", "zdr", "zdr"]),
    ({"provider": {"only": ["nobody"]}}, 503, ["only", "only", "only"]),
    ({"model": "able", "seed": 1, "tools": [{}]}, 400, ["parameters", "parameters"]),
    ({"model": "nope"}, 404, []),
    ({"models": ["nope"]}, 404, None),
])
def test_impossible_request_is_explained_with_its_error(fleet, body, status, by):
    body = {"model": "trio"} | body
    got = explain(fleet, body)
    assert got["error"]["status"] == status and got["error"]["message"]
    if by is not None:
        assert [e["by"] for e in got["dropped"]] == by
    real = chat(fleet, headers=(), **body)
    assert real.status == status
    assert real.json["error"]["message"] == got["error"]["message"]


@pytest.mark.parametrize("body,param", [
    (b"", None), (b"{", None), (b"[]", None), (b'{"model":"trio"', None), (b"null", None),
    (b'{"model":5}', "model"), (b"{}", "model"),
    (b'{"model":"trio","api":"soap"}', "api"), (b'{"model":"trio","api":5}', "api"),
    (b'{"model":"trio","prompt_tokens":"many"}', "prompt_tokens"),
    (b'{"model":"trio","prompt_tokens":-1}', "prompt_tokens"),
    (b'{"model":"trio","provider":5}', "provider"),
    (b'{"model":"trio","provider":{"sort":"cheapest"}}', "provider.sort"),
    (b'{"model":"trio","provider":{"order":"alpha"}}', "provider.order"),
    (b'{"model":"trio","models":{}}', "models"),
])
def test_malformed_body_is_a_400_as_the_real_one(fleet, body, param):
    answer = post(fleet, "/v1/route/explain", body)
    assert answer.status == 400, answer.body
    if param is not None:
        assert answer.json["error"]["param"] == param


def test_members_nobody_knows_are_passed_over(fleet):
    assert explain(fleet, {"model": "trio", "x": [{}], "provider": {"y": 1}})["plan"]


def test_key_is_told_of_its_own_models_only(fleet):
    narrow = "sk-narrow-key-of-the-test"
    got = explain(fleet, {"model": "trio"}, key=narrow)
    assert got["error"]["status"] == 403 and got["plan"] == got["dropped"] == got["resolved"] == []
    assert names(explain(fleet, {"model": "backup"}, key=narrow)["plan"]) == ["gamma"]
    assert post(fleet, "/v1/route/explain", {"model": "trio"}, key="sk-nobody").status == 401
    body = {"model": "trio", "messages": [{"role": "user", "content": "x"}]}
    answer = post(fleet, "/v1/chat/completions", body, (("X-Sluice-Explain", "1"),), narrow)
    assert answer.status == 403 and "alpha" not in answer.headers.get("x-sluice-explain", "")


def test_explaining_is_not_counted_against_limits(fleet):
    slow = "sk-slow-key-of-the-test"
    for _ in range(5):
        explain(fleet, {"model": "trio"}, key=slow)
    body = {"model": "trio", "messages": [{"role": "user", "content": "x"}]}
    assert post(fleet, "/v1/chat/completions", body, key=slow).status == 200
    assert post(fleet, "/v1/chat/completions", body, key=slow).status == 429


def test_large_request_is_explained(fleet):
    big = {"model": "trio", "api": "messages", "max_tokens": 5,
           "messages": [{"role": "user", "content": "x" * 600_000}]}
    got = explain(fleet, big)
    assert got["prompt_tokens"] > 100_000 and len(got["plan"]) == 3
    assert post(fleet, "/v1/route/explain", json.dumps(big).encode()[:-1]).status == 400


# sluice route explain.

def route(gw, *args: str, env: dict | None = None):
    return run("route", "explain", *args, "-c", str(gw.file), env=env)


def test_command_explains_from_the_file(fleet, upstream):
    before = len(upstream.requests)
    done = route(fleet, "trio", "--prefs", '{"sort":"price","ignore":["alpha"]}')
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].split()[:2] == ["1", "beta"] and "the cheapest first" in lines[1]
    assert lines[3].split()[:2] == ["-", "alpha"] and "provider.ignore" in lines[3]
    assert CANARY not in done.stdout and len(upstream.requests) == before


def test_command_has_the_answer_of_the_api(fleet):
    done = route(fleet, "able", "--tools", "--tokens", "5000", "--max-tokens", "7", "--json")
    got = json.loads(done.stdout)
    assert got["prompt_tokens"] == 5000 and got["max_tokens"] == got["output_tokens"] == 7
    there = run("route", "explain", "able", "--tools", "--tokens", "5000", "--max-tokens", "7",
                "--json", "--url", f"http://127.0.0.1:{fleet.port}/v1",
                env=fleet.env | {"SLUICE_API_KEY": raw.KEY})
    assert there.returncode == 0, there.stderr
    online = json.loads(there.stdout)
    for member in ("plan", "dropped", "uses", "resolved"):
        drop = {"ok", "failed", "latency_s", "tokens_per_s", "reliability", "score"}
        strip = (lambda v: [{k: x for k, x in e.items() if k not in drop} for e in v]) \
            if member in ("plan", "dropped") else (lambda v: v)
        assert strip(online[member]) == strip(got[member])


@pytest.mark.parametrize("args,code,says", [
    (("trio", "--prefs", "{"), 2, "--prefs"),
    (("trio", "--prefs", "[]"), 2, '"provider" must be an object'),
    (("trio", "--prefs", '{"sort":"x"}'), 2, "provider.sort"),
    (("trio", "--prefs", '{"zdr":true}'), 1, "provider.zdr (3)"),
    (("trio", "--tokens", "many"), 2, "--tokens"),
    (("nope",), 1, "no model is named"),
    ((), 2, "something is missing"),
])
def test_command_says_what_is_wrong(fleet, args, code, says):
    done = route(fleet, *args)
    assert done.returncode == code and says in done.stderr, done.stderr


def test_command_tells_what_the_gateway_says(fleet):
    url = ("--url", f"http://127.0.0.1:{fleet.port}/v1")
    wrong = run("route", "explain", "trio", *url, env=fleet.env | {"SLUICE_API_KEY": "sk-wrong"})
    assert wrong.returncode == 77
    bad = run("route", "explain", "trio", "--prefs", '{"sort":1}', *url,
              env=fleet.env | {"SLUICE_API_KEY": raw.KEY})
    assert bad.returncode == 2 and "provider.sort" in bad.stderr
    assert run("route", "explain", "trio", "--url", "http://127.0.0.1:1/v1").returncode == 69


# Recording and replaying.

def wish(rng: random.Random) -> dict:
    some = lambda: rng.sample([*PROVIDERS, "nobody", "beta/fp8"], rng.randint(0, 3))  # noqa: E731
    members = {"order": some, "only": some, "ignore": some,
               "sort": lambda: rng.choice(["price", "latency", "throughput"]),
               "zdr": lambda: rng.random() < 0.5,
               "allow_fallbacks": lambda: rng.random() < 0.5,
               "require_parameters": lambda: rng.random() < 0.5,
               "quantizations": lambda: ["fp8", "none"],
               "preferred_max_latency": lambda: {"p90": rng.random() / 10},
               "preferred_min_throughput": lambda: rng.random() * 1000}
    return {m: members[m]() for m in rng.sample(list(members), rng.choice([0, 0, 1, 1, 2, 3]))}


def anything(rng: random.Random) -> dict:
    body = {"model": rng.choice(["trio", "trio", "able", "many", "backup", "best", "gamma/trio", "nope"]),
            "messages": [{"role": "user", "content": "the secret word is swordfish " * rng.randint(1, 9)}],
            "stream": rng.random() < 0.3}
    if rng.random() < 0.7:
        body["provider"] = wish(rng)
    if rng.random() < 0.2:
        body["models"] = rng.sample(["backup", "trio", "able"], 2)
    if rng.random() < 0.2:
        body["session_id"] = f"s{rng.randint(0, 5)}"
    if rng.random() < 0.2:
        body["max_tokens"] = rng.choice([5, 50, 500])
    if rng.random() < 0.2:
        body["seed"] = 1
    return body


def flaky(rng: random.Random):
    async def script(x) -> None:
        if rng.random() < 0.5:
            await refuse(rng.choice([500, 503, 429, 400]))(x)
        else:
            await x.reply(200, json.dumps({
                "id": "x", "object": "chat.completion", "model": "x", "usage": {
                    "prompt_tokens": 5, "completion_tokens": 50, "total_tokens": 55},
                "choices": [{"index": 0, "finish_reason": "stop",
                             "message": {"role": "assistant", "content": "hi"}}]}).encode())
    return script


@pytest.fixture(scope="module")
def recorded(upstream, tmp_path_factory):
    """Some hundred varied requests at endpoints that fail now and then, recorded."""
    directory = tmp_path_factory.mktemp("recorded")
    file, rng = directory / "decisions.jsonl", random.Random(SEED)
    gw = Gateway(directory, upstream.base_url, routing={"record": str(file)},
                 **configuration(upstream)).start()
    upstream.scripts["beta-trio"] = refuse(500)
    asked = 0
    try:
        for n in range(305):
            body = anything(rng)
            if n < 5:  # which opens beta's circuit
                body = {"model": "beta/trio", "messages": CHAT["messages"]}
            elif n == 5:
                upstream.scripts["beta-trio"] = upstream.scripts["gamma-trio"] = flaky(rng)
                upstream.scripts["alpha-able"] = upstream.scripts["beta-many"] = flaky(rng)
            answer = post(gw, "/v1/chat/completions", body)
            asked += answer.status != 400 or "provider." not in answer.json["error"].get("param", "")
        explain(gw, {"model": "trio"})  # no decision: nobody is asked
        until(lambda: file.read_text().count("\n") >= asked, what="the lines to be written")
    finally:
        upstream.scripts.clear()
        gw.stop()
    return gw, file, asked


def test_every_decision_is_recorded(recorded):
    _, file, asked = recorded
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == asked
    assert {p["place"] for d in lines for p in d["plan"]} >= {"drawn", "score", "order", "price", "only"}
    assert any("latency" in e for d in lines for e in d["endpoints"])
    assert any(e.get("open") for d in lines for e in d["endpoints"])
    assert any("error" in d for d in lines) and any("sticky" in d for d in lines)


def test_record_has_no_prompt_and_no_secret(recorded):
    _, file, _ = recorded
    text = file.read_text()
    assert "swordfish" not in text and CANARY not in text and raw.KEY not in text
    assert file.stat().st_mode & 0o027 == 0


def test_replay_finds_no_difference(recorded):
    gw, file, asked = recorded
    done = run("replay", str(file), "-c", str(gw.file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == f"{asked} decisions made again, {asked} the same\n" and not done.stderr
    # a file without the keys the gateway has is the same to it
    stdin = run("replay", "-", "-c", str(gw.file), stdin=file.read_bytes())
    assert stdin.returncode == 0 and stdin.stdout == done.stdout


def test_replay_under_another_file_shows_what_it_would_change(recorded, tmp_path):
    gw, file, asked = recorded
    config = json.loads(gw.file.read_text())
    other = tmp_path / "other.yaml"
    config["observability"]["log"]["level"] = "debug"  # nothing that routing reads
    other.write_text(json.dumps(config))
    assert run("replay", str(file), "-c", str(other)).returncode == 0
    config["models"]["trio"]["endpoints"][1]["enabled"] = False
    other.write_text(json.dumps(config))
    done = run("replay", str(file), "-c", str(other))
    assert done.returncode == 1
    assert f"{asked} of {asked} decisions were made under another configuration" in done.stdout
    assert re.search(r"^\d+ \(\d+\.\d %\) go elsewhere$", done.stdout, re.M)
    assert re.search(rf"^{re.escape(str(file))}:\d+: was .*beta.*; is .*; beta was kept, is disabled",
                     done.stdout, re.M)
    short = run("replay", str(file), "-c", str(other), "--summary")
    assert ": was " not in short.stdout and "go elsewhere" in short.stdout
    # weights are the other file's, too
    config["models"]["trio"]["endpoints"][1]["enabled"] = True
    config["routing"]["weights"] = {"price": 0, "latency": 0, "throughput": 0, "reliability": 1}
    other.write_text(json.dumps(config))
    assert run("replay", str(file), "-c", str(other), "--summary").returncode == 1


def test_changed_decision_is_found(recorded, tmp_path):
    gw, file, asked = recorded
    lines = file.read_text().splitlines()
    number, line = next((i, x) for i, x in enumerate(lines) if '"place":"price"' in x)
    changed = tmp_path / "changed.jsonl"
    lines[number] = line.replace('"place":"price"', '"place":"score"', 1)
    changed.write_text("\n".join(lines) + "\n")
    done = run("replay", str(changed), "-c", str(gw.file))
    assert done.returncode == 1 and done.stdout.startswith(f"{changed}:{number + 1}: was ")
    assert "1 (0." in done.stdout and "for other reasons" in done.stdout


def test_damaged_lines_are_told_with_their_numbers(recorded, tmp_path):
    gw, file, _ = recorded
    good = file.read_text().splitlines()[0]
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(b"\n".join([
        good.encode(), b"", b"{}", good[:200].encode(), b"\x00\xff", b'{"v":9}', b"x" * 300_000,
        good.encode()]) + b"\n" + good[:-1].encode())
    done = run("replay", str(bad), "-c", str(gw.file))
    assert done.returncode == 1
    told_of = [int(n) for n in re.findall(rf"{re.escape(str(bad))}:(\d+): ", done.stderr)]
    assert told_of == [3, 4, 5, 6, 7, 9], done.stderr
    assert "2 decisions made again" in done.stdout and "6 lines could not be read" in done.stdout
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    assert run("replay", str(empty), "-c", str(gw.file)).returncode == 0
    assert run("replay", str(tmp_path / "none"), "-c", str(gw.file)).returncode == 1


def test_recording_follows_the_configuration_and_the_file(start, upstream, tmp_path):
    gw = start(**configuration(upstream))
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"

    def lines(path):
        return path.read_text().count("\n") if path.exists() else 0

    def record_to(path):
        gw.config["routing"] = {} if path is None else {"record": str(path)}
        gw.reload(gw.config)

    chat(gw)
    record_to(first)
    until(lambda: chat(gw) and lines(first) > 0, what="the reload")
    first.rename(tmp_path / "a.1.jsonl")  # as logrotate does
    gw.reload(gw.config)
    until(lambda: chat(gw) and lines(first) > 0, what="the file to be opened again")
    record_to(second)
    until(lambda: chat(gw) and lines(second) > 0, what="the other file")
    record_to(tmp_path / "no such directory" / "c.jsonl")
    until(lambda: "routing.record" in gw.log(), what="the reload to fail")
    before = lines(second)
    until(lambda: chat(gw) and lines(second) > before, what="the old file to go on")
    record_to(None)

    def is_over() -> bool:
        n = lines(second)
        chat(gw)
        time.sleep(0.2)  # lines leave after 50 ms
        return lines(second) == n
    until(is_over, what="recording to end")


def test_record_that_cannot_be_opened_stops_the_start(tmp_path, upstream):
    gw = Gateway(tmp_path, upstream.base_url,
                 **configuration(upstream) | {"routing": {"record": str(tmp_path / "no" / "x")}})
    gw.start(wait=False)
    assert gw.process.wait(20) == 1 and "routing.record" in gw.stderr_file.read_text()
