"""Vertex AI's access tokens: bought when needed, once, renewed in time, and seen by nobody else."""
from __future__ import annotations

import contextlib
import json
import threading
import time

import pytest

import provider_clouds
import raw
from free_port import free_port
from token_endpoint import TokenEndpoint
from upstream import Upstream, until

CLAUDE, GEMINI = "claude-good@20261101", "gemini-good"


@pytest.fixture
def tokens():
    endpoint = TokenEndpoint().start()
    yield endpoint
    endpoint.stop()
    mistakes = [e.failure for e in endpoint.exchanges if e.failure is not None]
    assert not mistakes, mistakes


def vertex(upstream, tokens, **google) -> dict:
    """The changes that make `up` a Vertex AI with this account."""
    root = upstream.base_url.removesuffix("/v1") + provider_clouds.VERTEX_ROOT
    return {"providers": {"up": {"protocol": "vertex", "base_url": root, "api_key": None,
                                 "google": {"credentials": tokens.credentials()} | google}},
            "models": {m: {"provider": "up", "upstream_model": m} for m in (CLAUDE, GEMINI)}}


@pytest.fixture
def gateway(start, upstream, tokens):
    return start(**vertex(upstream, tokens))


def messages_bytes(model: str, text: str = "hello", **more) -> bytes:
    return raw.request_bytes("POST", "/v1/messages", json.dumps({
        "model": model, "max_tokens": 50, "messages": [{"role": "user", "content": text}]} | more
    ).encode())


def carried(upstream) -> list[str]:
    """The tokens of all requests so far."""
    return [r.headers["authorization"].removeprefix("Bearer ") for r in upstream.requests
            if r.headers.get("authorization", "").startswith("Bearer " + provider_clouds.TOKEN)]


@contextlib.contextmanager
def answering(upstream, script):
    """Every request to the provider is answered by this script for a while."""
    upstream.script_for = lambda request: script
    try:
        yield
    finally:
        del upstream.script_for


async def broken_off(x):
    x.reset()


def test_nobody_asks_for_a_token_before_it_is_needed(gateway, tokens):
    assert gateway.get("/v1/models").status == 200
    assert not tokens.requests


@pytest.mark.parametrize("model", [CLAUDE, GEMINI])
@pytest.mark.parametrize("streamed", [False, True])
def test_one_token_serves_many_requests(gateway, tokens, upstream, model, streamed):
    for _ in range(3):
        answer = gateway.chat(model, stream=streamed)
        assert answer.status == 200 and b"hello" in answer.body, answer.body
    assert tokens.issued == 1
    assert carried(upstream)[-3:] == [provider_clouds.TOKEN + "1"] * 3


def test_claude_passes_untranslated_but_for_its_name(gateway, upstream):
    """The model goes into the path, the version into its place; nothing else is touched."""
    body = '{ "max_tokens":50, "new_field": [1.50, {"x":null}],"model" : "%s",' \
           '"messages":[{"role":"user","content":"hello"}] }' % CLAUDE
    answer = gateway.ask(raw.request_bytes("POST", "/v1/messages", body.encode(),
                                           [("anthropic-beta", "new-thing-2026-11-01")]))
    assert answer.status == 200, answer.body
    sent = upstream.requests[-1]
    assert sent.body.decode() == body.replace(f'"model" : "{CLAUDE}"',
                                              '"anthropic_version":"vertex-2023-10-16"')
    assert sent.headers["anthropic-beta"] == "new-thing-2026-11-01"
    assert sent.target.endswith(f"/publishers/anthropic/models/{CLAUDE}:rawPredict")
    answer = gateway.ask(messages_bytes(CLAUDE, stream=True))
    assert answer.status == 200 and answer.body.endswith(b'data: {"type":"message_stop"}\n\n')
    assert upstream.requests[-1].target.endswith(":streamRawPredict")


def test_model_in_the_path_of_a_pipeline(start, upstream, tokens):
    changes = vertex(upstream, tokens)
    changes["models"]["my-claude"] = {"alias": [CLAUDE]}
    gateway = start(**changes)
    body = {"max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]}
    answer = gateway.ask(raw.request_bytes("POST", "/v1/my-claude/messages",
                                           json.dumps(body).encode()))
    assert answer.status == 200, answer.body
    assert upstream.requests[-1].json == body | {"anthropic_version": "vertex-2023-10-16"}


def test_requests_that_come_together_wait_for_one_token(gateway, tokens):
    gate = tokens.gate()

    async def slow(x):
        await gate.wait()
        await tokens.grant(x)

    tokens.answer = slow
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(gateway.chat(GEMINI).status))
               for _ in range(20)]
    for each in threads:
        each.start()
    until(lambda: gateway.metric("sluice_inflight_requests") >= 20, what="all 20 to wait")
    until(lambda: tokens.requests, what="the signed request for a token")
    assert len(tokens.requests) == 1 and not answers
    gate.open()
    for each in threads:
        each.join(20)
    assert answers == [200] * 20 and tokens.issued == 1


def test_client_that_leaves_while_the_token_is_awaited(gateway, tokens):
    gate = tokens.gate()

    async def slow(x):
        await gate.wait()
        await tokens.grant(x)

    tokens.answer = slow
    with gateway.client() as leaving:
        leaving.send(raw.chat_bytes(GEMINI, "hello"))
        until(lambda: tokens.requests, what="the request for a token")
    until(lambda: gateway.metric("sluice_inflight_requests") == 0, what="it to be let go")
    gate.open()
    assert gateway.chat(GEMINI).status == 200
    assert tokens.issued == 1


def test_token_is_renewed_while_the_old_one_still_serves(gateway, tokens, upstream):
    tokens.lifetime = 2
    assert gateway.chat(GEMINI).status == 200
    tokens.answer = broken_off
    time.sleep(1.65)  # beyond four fifths
    assert gateway.chat(GEMINI).status == 200, "the old token lives"
    until(lambda: len(tokens.requests) == 2, what="the attempt to renew")
    tokens.answer = tokens.grant
    time.sleep(0.4)
    until(lambda: gateway.chat(GEMINI).status == 200 and tokens.issued == 2, what="a new token")
    until(lambda: gateway.chat(GEMINI).status == 200 and
          carried(upstream)[-1] == provider_clouds.TOKEN + "2", what="its use")


def test_token_the_provider_refuses_is_replaced(gateway, tokens, upstream):
    async def refuse(x):
        await x.reply(401, b'{"error":{"code":401,"message":"revoked","status":"UNAUTHENTICATED"}}')

    with answering(upstream, refuse):
        assert gateway.chat(GEMINI).status in (401, 502)
        again = gateway.chat(GEMINI)  # not a token for each refusal
        assert again.status == 502 and "refused the last one" in again.json["error"]["message"]
    until(lambda: gateway.chat(GEMINI).status == 200, what="a new token")
    assert tokens.issued == 2


ENDINGS = {
    "refusing": (400, b'{"error":"invalid_grant","error_description":"Invalid JWT Signature."}',
                 "answered 400, invalid_grant: Invalid JWT Signature."),
    "erring": (503, b"<html>busy</html>", "answered 503"),
    "no token": (200, b'{"expires_in":3600}', "holds no token"),
    "odd token": (200, b'{"access_token":"a b\\r\\nX: y","expires_in":3600}', "holds no token"),
    "garbage": (200, b"\x00\xff{", "holds no token"),
    "endless": (200, b" " * 100_000, "too long"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_token_endpoint_that_gives_none(gateway, tokens, upstream, ending):
    status, body, words = ENDINGS[ending]
    asked = len(upstream.requests)

    async def fail(x):
        await x.reply(status, body)

    tokens.answer = fail
    answer = gateway.chat(GEMINI)
    assert answer.status == 502, answer.body
    message = answer.json["error"]["message"]
    assert "provider up" in message and words in message, message
    assert len(upstream.requests) == asked
    again = gateway.chat(GEMINI)  # at once: the endpoint is left alone for a second
    assert again.status == 502 and words in again.json["error"]["message"]
    assert len(tokens.requests) == 1
    tokens.answer = tokens.grant
    until(lambda: gateway.chat(GEMINI).status == 200, what="a token at last")
    assert gateway.log().count("access token lost") == 1
    assert gateway.log().count("access token regained") == 1


def test_token_endpoint_that_cannot_be_reached(start, upstream, tokens):
    nowhere = tokens.credentials(token_uri=f"http://127.0.0.1:{free_port()}/token")
    gateway = start(**vertex(upstream, tokens, credentials=nowhere))
    answer = gateway.chat(GEMINI)
    assert answer.status == 502
    assert "cannot be reached" in answer.json["error"]["message"], answer.body


def test_token_endpoint_that_breaks_off(gateway, tokens):
    tokens.answer = broken_off
    answer = gateway.chat(GEMINI)
    assert answer.status == 502
    assert "token endpoint" in answer.json["error"]["message"], answer.body


def test_gateway_that_ends_while_a_token_is_awaited(start, upstream, tokens):
    async def silent(x):
        await x.until_gone()

    tokens.answer = silent
    gateway = start(**vertex(upstream, tokens), server={"drain": {"timeout": "200ms"}})
    with gateway.client() as waiting:
        waiting.send(raw.chat_bytes(GEMINI, "hello"))
        until(lambda: tokens.requests, what="the request for a token")
        gateway.stop()


def test_reload_keeps_the_token_of_an_account_that_stays(start, upstream, tokens):
    changes = vertex(upstream, tokens)
    gateway = start(**changes)
    assert gateway.chat(GEMINI).status == 200
    gateway.config["models"]["another"] = {"provider": "up", "upstream_model": GEMINI}
    gateway.reload(gateway.config)
    until(lambda: gateway.chat("another").status == 200, what="the new model")
    assert tokens.issued == 1
    gateway.config["providers"]["up"]["google"]["credentials"] = tokens.credentials(client_id="2")
    gateway.config["models"]["third"] = {"provider": "up", "upstream_model": GEMINI}
    gateway.reload(gateway.config)
    until(lambda: gateway.chat("third").status == 200, what="the third model")
    assert tokens.issued == 2


def test_nobody_sees_the_token(gateway, tokens, upstream):
    """Not a client whose provider sends it back, nor a log, a metric or the configuration."""
    secret = provider_clouds.TOKEN + "1"

    async def tell(x):
        await x.reply(400, json.dumps({"error": {
            "code": 400, "message": f"bad token {secret}", "status": "INVALID_ARGUMENT"}}).encode(),
            ("x-goog-debug", secret))

    with answering(upstream, tell):
        answers = [gateway.chat(GEMINI), gateway.ask(messages_bytes(CLAUDE)),
                   gateway.chat(GEMINI, stream=True)]
    for answer in answers:
        assert answer.status == 400 and secret.encode() not in answer.body + answer.head
    seen = gateway.output() + json.dumps(gateway.metrics())
    assert secret not in seen and "PRIVATE KEY" not in seen


def test_credentials_of_a_file_and_of_a_variable(start, upstream, tokens, tmp_path):
    key = tmp_path / "key.json"
    key.write_text(tokens.credentials())
    key.chmod(0o600)
    gateway = start(**vertex(upstream, tokens, credentials={"file": str(key)}))
    assert gateway.chat(GEMINI).status == 200
    gateway = start(**vertex(upstream, tokens, credentials={"env": "GOOGLE_KEY"}),
                    env={"GOOGLE_KEY": tokens.credentials()})
    assert gateway.chat(GEMINI).status == 200


def test_access_token_of_ones_own(start, upstream, tokens):
    """Whoever has a token from elsewhere writes it as the key."""
    changes = vertex(upstream, tokens)
    changes["providers"]["up"] |= {"google": {"project": "p"},
                                   "api_key": provider_clouds.TOKEN + "own"}
    gateway = start(**changes)
    assert gateway.ask(messages_bytes(CLAUDE)).status == 200
    assert carried(upstream)[-1] == provider_clouds.TOKEN + "own" and not tokens.requests


def test_token_endpoint_with_a_certificate(start, authority):
    """The provider's tls settings are those of its token endpoint, which has a name of its own."""
    both = authority.issue("tokens").server_context()
    tokens, up = TokenEndpoint(tls=both).start(), Upstream(tls=both).start()
    changes = vertex(up, tokens)
    gateway = start(**changes)
    assert "certificate" in gateway.chat(GEMINI).json["error"]["message"]
    changes["providers"]["up"]["tls"] = {"ca": str(authority.file)}
    gateway = start(**changes)
    assert gateway.chat(GEMINI).status == 200 and tokens.issued == 1
    tokens.stop()
    up.stop()
