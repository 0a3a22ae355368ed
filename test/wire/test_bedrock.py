"""Claude on Bedrock is asked in its own protocol: bytes pass, but for where Bedrock wants them."""
from __future__ import annotations

import contextlib
import json
import struct
import urllib.parse
import zlib

import pytest

import provider_converse
import provider_invoke
import provider_messages
import raw

CLAUDE = "eu.anthropic.claude-opus-4-6-v1:0"
EVENT_STREAM = "application/vnd.amazon.eventstream"
HELLO = {"max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]}
AWS = {"region": provider_converse.REGION, "access_key": provider_converse.KEY_ID,
       "secret_key": provider_converse.SECRET}
ARN = "arn:aws:bedrock:eu-north-1:123456789012:"


def bedrock(**more) -> dict:
    """The changes that make `up` Amazon Bedrock; `m` is Claude there."""
    return {"providers": {"up": {"protocol": "bedrock", "api_key": None, "aws": AWS} | more},
            "models": {"m": {"provider": "up", "upstream_model": CLAUDE}}}


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    from gateway import Gateway
    gw = Gateway(tmp_path_factory.mktemp("gateway"), upstream.base_url, **bedrock()).start()
    yield gw
    gw.stop()


def ask(gateway, body: dict | bytes = b"", *headers, path: str = "messages", **more):
    text = body if isinstance(body, bytes) and body else \
        json.dumps({"model": "m"} | HELLO | (body or {}) | more).encode()
    return gateway.ask(raw.request_bytes("POST", f"/v1/{path}", text, headers))


@contextlib.contextmanager
def answering(upstream, script):
    upstream.script_for = lambda request: script
    try:
        yield
    finally:
        del upstream.script_for


def streaming(*pieces: bytes, cut: int | None = None, whole: bool = True):
    """A script that sends these frames, cut into pieces of one size."""
    async def script(x):
        await x.stream_head(content_type=EVENT_STREAM)
        data = b"".join(pieces)
        step = cut or len(data) or 1
        for at in range(0, len(data), step):
            await x.chunk(data[at:at + step])
        if whole:
            await x.last_chunk()
        else:
            x.reset()
    return script


def frames() -> list[bytes]:
    return list(provider_invoke.events(HELLO | {"model": CLAUDE}))


EXPECTED = provider_invoke.sse(HELLO | {"model": CLAUDE})


def events_of(answer) -> list[dict]:
    return [json.loads(line[6:]) for line in answer.body.decode().splitlines()
            if line.startswith("data: ")]


# What Bedrock gets.

def test_body_passes_but_for_what_stands_elsewhere(gateway, upstream):
    body = '{ "max_tokens":50, "new_field": [1.50, {"x":null}],"model" : "m", "stream":false,' \
           '"messages":[{"role":"user","content":"h\\u0065llo"}] }'
    answer = ask(gateway, body.encode(), ("anthropic-version", "2026-10-21"))
    assert answer.status == 200, answer.body
    sent = upstream.requests[-1]
    assert sent.body.decode() == body.replace(
        '"model" : "m"', '"anthropic_version":"bedrock-2023-05-31"').replace(' "stream":false,', "")
    assert sent.target == "/v1/model/" + urllib.parse.quote(CLAUDE, safe="") + "/invoke"
    assert answer.json["content"] == [{"type": "text", "text": "You said: hello"}]


def test_betas_move_into_the_body(gateway, upstream):
    answer = ask(gateway, {"stream": True}, ("anthropic-beta", "one-2026-01-01, two"),
                 ("Anthropic-Beta", 'nobody-"knows"'))
    assert answer.status == 200 and "x-sluice-dropped" not in answer.headers, answer.body
    sent = upstream.requests[-1]
    assert sent.json["anthropic_beta"] == ["one-2026-01-01", "two", 'nobody-"knows"']
    assert "anthropic-beta" not in sent.headers and "stream" not in sent.json
    assert sent.target.endswith("/invoke-with-response-stream")


def test_members_of_bedrocks_own_are_not_said_twice(gateway, upstream):
    ask(gateway, {"anthropic_version": "2023-06-01", "anthropic_beta": ["mine"]},
        ("anthropic-beta", "other"))
    sent = upstream.requests[-1]
    assert sent.body.count(b"anthropic_version") == sent.body.count(b"anthropic_beta") == 1
    assert sent.json["anthropic_beta"] == ["other", "mine"]
    assert sent.json["anthropic_version"] == "bedrock-2023-05-31"


@pytest.mark.parametrize("size", [1000, 3_000_000])
def test_signature_covers_what_is_sent(gateway, upstream, size):
    """The double checks it; what is large is signed off the loop."""
    answer = ask(gateway, messages=[{"role": "user", "content": "x" * size}])
    assert answer.status == 200, answer.body
    assert upstream.requests[-1].headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
    assert len(answer.json["content"][0]["text"]) == size + len("You said: ")


def test_client_that_leaves_while_its_request_is_signed(gateway):
    for _ in range(5):
        with gateway.client() as leaving:
            body = json.dumps({"model": "m"} | HELLO | {"x": "y" * 4_000_000}).encode()
            leaving.send(raw.request_bytes("POST", "/v1/messages", body))
    assert ask(gateway).status == 200


def test_api_key_does_instead_of_a_signature(start, upstream):
    gateway = start(**bedrock(api_key=provider_converse.API_KEY, aws=None))
    for streamed in (False, True):
        answer = ask(gateway, {"stream": streamed}, ("anthropic-beta", "one"))
        assert answer.status == 200 and b"hello" in answer.body, answer.body
    sent = upstream.requests[-1]
    assert sent.headers["authorization"] == f"Bearer {provider_converse.API_KEY}"
    assert sent.headers["content-type"] == "application/json"
    assert sent.json["anthropic_beta"] == ["one"]


def test_keys_of_amazons_sign_for_bedrock_only(start, upstream):
    """Elsewhere they have no effect, as the check of the configuration says."""
    gateway = start(**bedrock(protocol="anthropic", api_key="sk-up"))
    assert ask(gateway).status == 200
    assert ask(gateway, path="chat/completions").status == 200
    for sent in upstream.requests[-2:]:
        assert sent.target == "/v1/messages" and "x-amz-date" not in sent.headers


MODELS = {"anthropic.claude-3-haiku-20240307-v1:0": "invoke",
          "us.anthropic.claude-opus-4-6-v1": "invoke",
          "apac.anthropic.claude-sonnet-4-5-20250929-v1:0": "invoke",
          "global.anthropic.claude-haiku-4-5-20251001-v1:0": "invoke",
          ARN[:-13] + ":foundation-model/anthropic.claude-3-haiku-20240307-v1:0": "invoke",
          ARN + "inference-profile/us.anthropic.claude-opus-4-6-v1": "invoke",
          ARN + "application-inference-profile/abc123": "converse",
          ARN + "provisioned-model/abc123": "converse",
          "notanthropic.claude-7": "converse",
          "amazon.nova-pro-v1:0": "converse",
          "us.meta.llama3-3-70b-instruct-v1:0": "converse"}


def test_other_models_are_conversed_with(start, upstream):
    changes = bedrock()
    changes["models"] = {f"m{i}": {"provider": "up", "upstream_model": model}
                         for i, model in enumerate(MODELS)}
    gateway = start(**changes)
    for i, (model, verb) in enumerate(MODELS.items()):
        answer = ask(gateway, {"model": f"m{i}"})
        assert answer.status == 200 and b"You said: hello" in answer.body, (model, answer.body)
        assert upstream.requests[-1].target == \
            f"/v1/model/{urllib.parse.quote(model, safe='')}/{verb}"


def test_request_of_another_protocol_is_invoked_too(gateway, upstream):
    tool = {"type": "web_search"}
    for path, body in (("chat/completions", {}), ("responses", {"input": "hello", "tools": [tool]})):
        for streamed in (False, True):
            answer = ask(gateway, body | {"stream": streamed}, path=path)
            assert answer.status == 200 and b"hello" in answer.body, answer.body
            sent = upstream.requests[-1]
            assert "stream" not in sent.json and "tools" not in sent.json
            assert sent.json["anthropic_version"] == "bedrock-2023-05-31"
            assert sent.target.endswith("-stream" if streamed else "/invoke")
    assert "web search" in answer.headers["x-sluice-dropped"]  # Bedrock has none


def test_proof_of_another_model_is_taken_out_on_the_way(gateway, upstream):
    history = HELLO["messages"] + [
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sluice1.openai.AAAA"},
            {"type": "text", "text": "hi"}]}, {"role": "user", "content": "go on"}]
    answer = ask(gateway, {"messages": history, "stream": True}, ("anthropic-beta", "one"))
    assert answer.status == 200 and b" on" in answer.body, answer.body
    sent = upstream.requests[-1]
    assert [b["type"] for b in sent.json["messages"][1]["content"]] == ["text"]
    assert sent.json["anthropic_beta"] == ["one"] and "stream" not in sent.json


def test_tokens_are_estimated(gateway):
    answer = ask(gateway, path="messages/count_tokens")
    assert answer.status == 200 and answer.json["estimated"]


# What the client gets.

@pytest.mark.parametrize("cut", [None, 1, 7, 300])
def test_stream_is_the_events_inside_byte_for_byte(gateway, upstream, cut):
    with answering(upstream, streaming(*frames(), cut=cut)):
        answer = ask(gateway, stream=True)
    assert answer.status == 200 and answer.body == EXPECTED
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert b"amazon-bedrock-invocationMetrics" in answer.body


def test_stream_is_metered(gateway):
    answer = ask(gateway, stream=True)
    record = gateway.record_of(answer.headers["x-request-id"])
    usage = provider_messages.usage(HELLO)
    assert record["tokens_out"] == usage["output_tokens"]
    assert record["tokens_cached"] == usage["cache_read_input_tokens"]
    assert record["finish_reason"] == "end_turn" and record["outcome"] == "ok"


def test_whole_events_go_on_in_the_turn_they_arrive(gateway, upstream):
    gate = upstream.gate()
    all_frames, texts = frames(), list(provider_invoke.texts(HELLO | {"model": CLAUDE}))

    async def step_by_step(x):
        await x.stream_head(content_type=EVENT_STREAM)
        for before, after in zip([b""] + all_frames, all_frames + [b""]):
            half = len(after) // 2
            await x.chunk(before[len(before) // 2:] + after[:half])
            await gate.wait()
        await x.last_chunk()

    with answering(upstream, step_by_step), gateway.client() as client:
        body = json.dumps({"model": "m", "stream": True} | HELLO).encode()
        client.send(raw.request_bytes("POST", "/v1/messages", body))
        for text in texts:
            gate.open()
            if b"message_start" not in text and b'"text":""' not in text and b"ping" not in text:
                client.read_until(text + b"\n\n")  # what only opens the answer waits
        gate.open()


def test_text_over_several_lines_stays_one_event(gateway, upstream):
    """JSON may hold line breaks between its tokens; an event may not."""
    odd = b'{"type":"ping",\r\n\n"x":"a\\nb"\r}'
    some = frames()
    with answering(upstream, streaming(some[0], provider_invoke.chunk(odd), *some[1:])):
        answer = ask(gateway, stream=True)
    assert b'\n\nevent: ping\ndata: {"type":"ping",\ndata: \ndata: \ndata: "x":"a\\nb"\n' \
        b'data: }\n\n' in answer.body


def test_frames_of_other_kinds_are_passed_over(gateway, upstream):
    other = provider_converse.frame("initial-response", {})
    with answering(upstream, streaming(other, *frames()[:3], other, *frames()[3:])):
        assert ask(gateway, stream=True).body == EXPECTED


def damaged(frame: bytes) -> bytes:
    return frame[:-6] + bytes([frame[-6] ^ 1]) + frame[-5:]


def oversized() -> bytes:
    prelude = struct.pack(">II", 25 << 20, 0)
    return prelude + struct.pack(">I", zlib.crc32(prelude)) + b"x" * 100


UNREADABLE = {
    "damaged": (damaged(frames()[4]), "wrong checksum"),
    "oversized": (oversized(), "too large"),
    "half": (frames()[4][:-9], "inside an event"),
    "no base64": (provider_converse.frame("chunk", {"bytes": "e30*"}), "cannot be decoded"),
    "nothing": (provider_converse.frame("chunk", {"bytes": ""}), "cannot be decoded"),
    "no bytes": (provider_converse.frame("chunk", {"p": "x"}), "cannot be decoded"),
    "no JSON": (provider_invoke.chunk(b"[1]"), "not a JSON object"),
    "none": (b"", "ended before the answer did"),
}


@pytest.mark.parametrize("mistake", UNREADABLE)
@pytest.mark.parametrize("path", ["messages", "chat/completions"])
def test_stream_that_cannot_be_read_further_ends_in_an_error(gateway, upstream, mistake, path):
    bad, words = UNREADABLE[mistake]
    with answering(upstream, streaming(*frames()[:4], bad)):
        answer = ask(gateway, path=path, stream=True)
    assert answer.status == 200 and b"You" in answer.body and answer.complete
    if path != "messages":
        assert b'"finish_reason":"error"' in answer.body
        return
    last = events_of(answer)[-1]
    assert last["type"] == "error" and words in last["error"]["message"], last
    assert b"message_stop" not in answer.body
    assert answer.body.startswith(b"".join(EXPECTED.partition(b'"You"')[:2]))


@pytest.mark.parametrize("mistake", UNREADABLE)
def test_stream_that_cannot_be_read_at_all_is_no_answer(gateway, upstream, mistake):
    bad, _ = UNREADABLE[mistake]
    with answering(upstream, streaming(bad)):
        answer = ask(gateway, stream=True)
    assert answer.status == 502 and answer.json["type"] == "error", answer.body


def test_stream_that_breaks_off_ends_in_an_error(gateway, upstream):
    with answering(upstream, streaming(*frames()[:5], whole=False)):
        answer = ask(gateway, stream=True)
    assert events_of(answer)[-1]["type"] == "error" and b"message_stop" not in answer.body


def test_only_the_end_is_missing(gateway, upstream):
    """All content was there: as with any other stream of the protocol."""
    with answering(upstream, streaming(*frames()[:-1])):
        answer = ask(gateway, stream=True)
    assert answer.body.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')


EXCEPTIONS = {
    "throttlingException": "rate_limit_error",
    "serviceUnavailableException": "overloaded_error",
    "internalServerException": "api_error",
    "modelStreamErrorException": "api_error",
    "modelTimeoutException": "timeout_error",
    "validationException": "invalid_request_error",
}


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_exception_in_the_stream_is_said_in_anthropics_words(gateway, upstream, kind):
    bad = provider_converse.exception(kind, 'no "more"')
    with answering(upstream, streaming(*frames()[:4], bad)):
        answer = ask(gateway, stream=True)
        other = ask(gateway, path="chat/completions", stream=True)
    last = events_of(answer)[-1]
    assert last["type"] == "error" and last["error"]["type"] == EXCEPTIONS[kind], last
    assert last["error"]["message"] == 'no "more"'
    assert gateway.record_of(answer.headers["x-request-id"])["outcome"] == "upstream_error"
    assert b'no \\"more\\"' in other.body and b'"finish_reason":"error"' in other.body


def test_error_in_the_framing_is_told(gateway, upstream):
    bad = provider_converse.message({":message-type": "error", ":error-code": "InternalError",
                                     ":error-message": "lost it"}, {})
    with answering(upstream, streaming(*frames()[:4], bad)):
        answer = ask(gateway, stream=True)
    assert events_of(answer)[-1]["error"]["message"] == "InternalError: lost it"


def test_exception_instead_of_an_answer_is_no_answer(gateway, upstream):
    bad = provider_converse.exception("throttlingException", "slow down")
    with answering(upstream, streaming(bad)):
        answer = ask(gateway, stream=True)
    assert answer.status >= 429 and "slow down" in answer.json["error"]["message"]


REFUSALS = [(400, "ValidationException", "messages: field required", 400, "invalid_request_error"),
            (400, "ValidationException", "Input is too long for requested model.", 400,
             "invalid_request_error"),
            (403, "AccessDeniedException", "no access to the model", 403, "permission_error"),
            (404, "ResourceNotFoundException", "no such model", 404, "not_found_error"),
            (429, "ThrottlingException", "Too many requests", 429, "rate_limit_error"),
            (503, "ServiceUnavailableException", "busy", 503, "overloaded_error")]


@pytest.mark.parametrize("status, kind, message, expected, word", REFUSALS)
@pytest.mark.parametrize("streamed", [False, True])
def test_refusal_is_said_in_anthropics_words(gateway, upstream, status, kind, message, expected,
                                             word, streamed):
    async def refuse(x):
        await x.reply(status, provider_converse.error(message),
                      ("x-amzn-ErrorType", f"{kind}:http://internal.amazon.com/coral/"))

    with answering(upstream, refuse):
        answer = ask(gateway, stream=streamed)
    assert answer.status == expected and answer.json["type"] == "error", answer.body
    assert answer.json["error"]["type"] == word and message in answer.json["error"]["message"]
    if "too long" in message:
        assert "prompt is too long" in answer.json["error"]["message"]


@pytest.mark.parametrize("path", ["messages", "chat/completions"])
def test_answer_in_the_other_form_is_made_the_one_asked_for(gateway, upstream, path):
    async def in_one_piece(x):
        await x.reply(200, json.dumps(provider_messages.message(
            HELLO | {"model": CLAUDE})).encode())

    with answering(upstream, streaming(*frames(), cut=11)):
        answer = ask(gateway, path=path)
    assert answer.status == 200 and "You said: hello" in json.dumps(answer.json), answer.body
    with answering(upstream, in_one_piece):
        answer = ask(gateway, path=path, stream=True)
    assert answer.status == 200 and answer.body.count(b"data: ") > 3, answer.body


def test_compressed_frames_are_read(gateway, upstream):
    async def compressed(x):
        data = zlib.compressobj(wbits=31)
        text = data.compress(b"".join(frames())) + data.flush()
        await x.stream_head(("content-encoding", "gzip"), content_type=EVENT_STREAM)
        for at in range(0, len(text), 50):
            await x.chunk(text[at:at + 50])
        await x.last_chunk()

    with answering(upstream, compressed):
        assert ask(gateway, stream=True).body == EXPECTED


def test_large_events_pass(gateway, upstream):
    """A tool's whole input in one event, larger than any read."""
    large = json.dumps({"type": "content_block_delta", "index": 0,
                        "delta": {"type": "text_delta", "text": "y" * 3_000_000}}).encode()
    some = frames()
    with answering(upstream, streaming(*some[:3], provider_invoke.chunk(large), *some[3:])):
        answer = ask(gateway, stream=True)
    assert b"data: " + large + b"\n\n" in answer.body and b"message_stop" in answer.body
