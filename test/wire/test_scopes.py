"""What a key may be used for, and paths that fix the model (contract 0.3, PIPE-1 to PIPE-7)."""
from __future__ import annotations

import json
import re

import pytest

import raw
from gateway import Gateway, run
from promises import assert_envelope

WORKSPACE, BOT, TEAM, ADMIN, FEW = (f"sk-wire-scope-{n}-0123456789" for n in range(5))

MODELS = {
    "lab/fast": {"provider": "up", "upstream_model": "good"},
    "lab/deep": {"provider": "up", "upstream_model": "deep"},
    "my-bot": {"alias": ["lab/fast"]},
    "the-team": {"alias": ["lab/fast", "lab/deep"]},
    "other-bot": {"alias": ["lab/deep"]},
}
KEYS = [
    {"name": "workspace", "secret": WORKSPACE},
    {"name": "bot", "secret": BOT, "scope": "pipeline", "pipeline": "my-bot"},
    {"name": "team", "secret": TEAM, "scope": "pipeline", "pipeline": "the-team"},
    {"name": "admin", "secret": ADMIN, "scope": "admin"},
    {"name": "few", "secret": FEW, "models": ["other-bot"]},
]
BODIES = {
    "chat/completions": {"messages": [{"role": "user", "content": "hello"}]},
    "embeddings": {"input": "x"},
    "images/generations": {"prompt": "x"},
    "audio/speech": {"input": "x", "voice": "a"},
}


@pytest.fixture(scope="module")
def scoped(upstream, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("scoped"), upstream.base_url, models=MODELS, keys=KEYS)
    yield gw.start()
    gw.stop()


def ask(gw, key: str, path: str, **members) -> raw.Response:
    row = "/".join(path.split("/")[-2:])
    body = BODIES.get(row) or BODIES[path.split("/")[-1]]
    data = json.dumps(members | body).encode()
    return gw.ask(raw.request_bytes("POST", path, data, key=key))


CHAT = "/v1/chat/completions"
BOT_CHAT = "/v1/my-bot/chat/completions"


@pytest.mark.parametrize("key,path,model,status,kind", [
    # A pipeline's key on another pipeline's path, which may as well not exist.
    (BOT, "/v1/other-bot/chat/completions", None, 404, "model_not_found"),
    (BOT, "/v1/the-team/chat/completions", None, 404, "model_not_found"),
    (BOT, "/v1/no-such-bot/chat/completions", None, 404, "model_not_found"),
    (BOT, "/v1/other-bot/chat/completions", "my-bot", 404, "model_not_found"),
    # On its own, with another model in the body.
    (BOT, BOT_CHAT, "other-bot", 404, "model_not_found"),
    (BOT, BOT_CHAT, "lab/deep", 404, "model_not_found"),
    (BOT, BOT_CHAT, "no-such-model", 404, "model_not_found"),
    (WORKSPACE, BOT_CHAT, "lab/deep", 404, "model_not_found"),
    # On the paths of all.
    (BOT, CHAT, "other-bot", 403, "key_scope"),
    (BOT, CHAT, "lab/deep", 403, "key_scope"),
    (BOT, CHAT, "no-such-model", 403, "key_scope"),
    (BOT, CHAT, None, 400, "invalid_request_error"),
    (ADMIN, CHAT, "my-bot", 403, "key_scope"),
    (ADMIN, BOT_CHAT, None, 403, "key_scope"),
    (FEW, BOT_CHAT, None, 403, "key_scope"),
    # What is allowed.
    (BOT, BOT_CHAT, None, 200, None),
    (BOT, BOT_CHAT, "my-bot", 200, None),
    (BOT, BOT_CHAT, "lab/fast", 200, None),
    (BOT, BOT_CHAT, "up/fast", 200, None),
    (BOT, "/api" + BOT_CHAT, "fast", 200, None),
    (BOT, CHAT, "my-bot", 200, None),
    (BOT, CHAT, "lab/fast", 200, None),
    (TEAM, "/v1/the-team/chat/completions", "lab/deep", 200, None),
    (TEAM, BOT_CHAT, None, 200, None),  # a part of its own
    (WORKSPACE, BOT_CHAT, None, 200, None),
    (WORKSPACE, BOT_CHAT, "my-bot", 200, None),
    (WORKSPACE, CHAT, "other-bot", 200, None),
    (FEW, "/v1/other-bot/chat/completions", None, 200, None),
])
def test_key_is_held_to_its_scope(scoped, upstream, key, path, model, status, kind):
    before = len(upstream.requests)
    answer = ask(scoped, key, path, **({} if model is None else {"model": model}))
    assert answer.status == status, answer.body
    assert len(upstream.requests) - before == (status == 200)
    if status != 200:
        assert_envelope(answer, status, kind)


@pytest.mark.parametrize("row", BODIES)
@pytest.mark.parametrize("prefix", ["/v1", "/api/v1"])
def test_path_fixes_the_model_of_every_kind(scoped, upstream, row, prefix):
    assert ask(scoped, BOT, f"{prefix}/my-bot/{row}").status == 200
    assert (upstream.requests[-1].target, upstream.requests[-1].json["model"]) == (f"/v1/{row}", "good")
    assert_envelope(ask(scoped, BOT, f"{prefix}/other-bot/{row}"), 404, "model_not_found")
    assert_envelope(ask(scoped, BOT, f"{prefix}/{row}", model="other-bot"), 403, "key_scope", "model")


def test_list_of_models_may_not_lead_out_of_the_pipeline(scoped, upstream):
    for models in (["other-bot"], ["my-bot", "lab/deep"], "no-such-model"):
        before = len(upstream.requests)
        answer = ask(scoped, BOT, CHAT, models=models)
        assert_envelope(answer, 403, "key_scope", "models")
        assert_envelope(ask(scoped, BOT, BOT_CHAT, models=models), 403, "key_scope", "models")
        assert len(upstream.requests) == before
    assert ask(scoped, BOT, CHAT, models=["my-bot"]).status == 200


def test_other_pipelines_cannot_be_told_from_none(scoped):
    def said(name: str) -> str:
        answer = ask(scoped, BOT, f"/v1/{name}/chat/completions")
        return re.sub(r"[0-9a-f]{32}", "ID", answer.body.decode()).replace(name, "NAME")
    assert said("other-bot") == said("nothing-x")


def test_refusal_is_in_the_words_of_the_protocol(scoped):
    body = {"model": "other-bot", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    answer = scoped.ask(raw.request_bytes("POST", "/v1/messages", json.dumps(body).encode(), key=BOT))
    assert answer.status == 403 and answer.json["type"] == "error"
    assert answer.json["error"]["type"] == "permission_error"
    body = {"model": "other-bot", "input": "x"}
    answer = scoped.ask(raw.request_bytes("POST", "/v1/responses", json.dumps(body).encode(), key=BOT))
    assert_envelope(answer, 403, "key_scope", "model")


# The lists.

def listed(gw, key: str, path: str = "/v1/models") -> list[str]:
    answer = gw.get(path, key=key)
    assert answer.status == 200, answer.body
    said = answer.json
    ids = [m["id"] for m in said["data"]]
    assert (said["first_id"], said["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))
    return ids


def test_list_holds_what_the_key_calls(scoped):
    assert set(MODELS) <= set(listed(scoped, WORKSPACE))
    assert listed(scoped, BOT) == ["my-bot"] and listed(scoped, TEAM) == ["the-team"]
    assert listed(scoped, FEW) == ["other-bot"]
    assert listed(scoped, BOT, "/v1/models?q=other") == []


def test_list_of_a_pipeline_holds_its_model(scoped):
    for key in (BOT, WORKSPACE):
        for prefix in ("/v1", "/api/v1"):
            assert listed(scoped, key, f"{prefix}/my-bot/models") == ["my-bot"]
    assert listed(scoped, WORKSPACE, "/v1/my-bot/models/") == ["my-bot"]
    head = scoped.ask(raw.request_bytes("HEAD", "/v1/my-bot/models", key=BOT))
    assert head.status == 200 and head.body == b""
    card = scoped.get("/v1/my-bot/models", key=BOT).json["data"][0]
    everywhere = {m["id"]: m for m in scoped.get("/v1/models", key=WORKSPACE).json["data"]}
    assert card == everywhere["my-bot"]


@pytest.mark.parametrize("key,name", [
    (WORKSPACE, "no-such-bot"), (BOT, "other-bot"), (BOT, "no-such-bot"), (FEW, "my-bot")])
def test_list_of_what_is_no_pipeline_of_the_keys_is_not_there(scoped, key, name):
    assert_envelope(scoped.get(f"/v1/{name}/models", key=key), 404, "model_not_found")


def test_list_of_a_pipeline_is_only_read(scoped):
    answer = scoped.ask(raw.request_bytes("POST", "/v1/my-bot/models", b"{}", key=BOT))
    assert_envelope(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD"
    assert_envelope(scoped.get("/v1/my-bot/models/lab/fast", key=BOT), 404, "not_found")


def test_one_model_is_shown_to_who_calls_it(scoped):
    for name in ("my-bot", "lab/fast"):
        assert scoped.get(f"/v1/models/{name}", key=BOT).json["id"] == name
    for name in ("other-bot", "lab/deep", "the-team"):
        assert_envelope(scoped.get(f"/v1/models/{name}", key=BOT), 404, "model_not_found")
    assert scoped.get("/v1/models/other-bot", key=FEW).status == 200


# The command line.

def test_key_for_one_pipeline_is_made_with_its_lines(start):
    made = run("keys", "create", "-n", "bot", "--pipeline", "my-bot")
    lines = made.stderr.partition("keys:\n")[2]
    assert "    scope: pipeline\n    pipeline: \"my-bot\"\n" in lines and "models" not in lines
    digest = re.search(r"sha256:[0-9a-f]{64}", lines).group()
    gw = start(models=MODELS, keys=[
        {"name": "bot", "hash": digest, "scope": "pipeline", "pipeline": "my-bot"}])
    assert ask(gw, made.stdout.strip(), BOT_CHAT).status == 200


@pytest.mark.parametrize("args", [["--pipeline", "a/b"], ["--pipeline", "models"], ["--pipeline", "ab"],
                                  ["--pipeline", "my-bot", "--admin"]])
def test_key_for_what_cannot_be_is_wrong_usage(args):
    done = run("keys", "create", *args)
    assert done.returncode == 2 and done.stdout == ""
