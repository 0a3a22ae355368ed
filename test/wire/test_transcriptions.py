"""Sound in, text out: a form whose model is changed and no other byte, and whatever answer comes."""
from __future__ import annotations

import json
import random
import re

import pytest

import raw
from gateway import Gateway
from promises import assert_envelope
from provider_media import USAGE, compact, event
from upstream import until

PATH, TRANSLATIONS = "/v1/audio/transcriptions", "/v1/audio/translations"
SOUND = bytes(range(256)) * 40 + b"--edge\r\n--\r\n\r\nname=\"model\""
BOUNDARY = "edge-7f3a"


def field(name: str, value: str | bytes, filename: str | None = None) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    file = "" if filename is None else f'; filename="{filename}"\r\nContent-Type: audio/mpeg'
    return (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() +
            value + b"\r\n")


FILE = field("file", SOUND, "a b.mp3")
END = f"--{BOUNDARY}--\r\n".encode()


def form(*fields: bytes) -> bytes:
    return b"".join(fields) + END


def request(body: bytes, path: str = PATH, kind: str = f"multipart/form-data; boundary={BOUNDARY}",
            key: str = raw.KEY) -> bytes:
    return raw.head_bytes("POST", path, [
        ("Host", "sluice.test"), ("Authorization", f"Bearer {key}"), ("Content-Type", kind),
        ("Content-Length", str(len(body)))]) + body


def with_model(model: str = "good", *fields: bytes) -> bytes:
    return form(field("model", model), *fields, FILE)


# The request.

@pytest.mark.parametrize("body,says", [
    (b"", "begin with its boundary"),
    (b'{"model":"good"}', "begin with its boundary"),
    (with_model()[:-4], "goes on"),
    (with_model()[:-40], "ends too early"),
    (with_model() + b"more", "behind its last boundary"),
    (b"before\r\n" + with_model(), "begin with its boundary"),
    (with_model().replace(b"\r\n", b"\n"), "goes on"),
    (form(FILE.replace(b' name="file";', b""), field("model", "good")), "no name"),
    (form(field("model", "good").replace(b"form-data", b"attachment"), FILE), "not form-data"),
    (with_model().replace(b"\r\n\r\ngood", b"\r\nContent-Transfer-Encoding: base64\r\n\r\ngood"),
     "encoded"),
    (form(*[field("x", "")] * 300), "too many parts"),
])
def test_malformed_form_is_refused_with_what_is_wrong(gateway, upstream, body, says):
    before = len(upstream.requests)
    error = assert_envelope(gateway.ask(request(body)), 400, "invalid_request_error")
    assert says in error["message"] and re.search(r"at byte \d+$", error["message"])
    assert len(upstream.requests) == before


@pytest.mark.parametrize("fields,param,says", [
    ([FILE], "model", "is missing"),
    ([field("model", ""), FILE], "model", "1 to 512"),
    ([field("model", "a\r\nX: y"), FILE], "model", "control"),
    ([field("model", "good", "model.txt"), FILE], "model", "not a file"),
    ([field("model", "good"), field("model", "good"), FILE], "model", "twice"),
    ([field("model", "good"), FILE, field("model", "deep", "x")], "model", "twice"),
    ([field("model", "good")], "file", "is missing"),
    ([field("model", "good"), field("stream", "maybe"), FILE], "stream", "true or false"),
    ([field("model", "good"), field("provider", "up"), FILE], "provider", "holds JSON"),
    ([field("model", "good"), field("provider[only][]", "up"), FILE], "provider", "holds JSON"),
    ([field("model", "good"), field("models[]", "up"), FILE], "models", "holds JSON"),
    ([field("model", "good"), field("provider", '{"only":5}'), FILE], "provider.only", ""),
])
def test_bad_field_is_named(gateway, upstream, fields, param, says):
    before = len(upstream.requests)
    error = assert_envelope(gateway.ask(request(form(*fields))), 400, "invalid_request_error", param)
    assert says in error["message"] and len(upstream.requests) == before


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/mixed; boundary=edge",
                                  "application/x-www-form-urlencoded"])
def test_other_bodies_are_not_taken(gateway, kind):
    assert_envelope(gateway.ask(request(b"{}", kind=kind)), 415, "unsupported_media_type")


def test_form_is_taken_where_it_belongs_only(gateway):
    answer = gateway.ask(request(with_model(), "/v1/chat/completions"))
    assert_envelope(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["multipart/form-data", 'multipart/form-data; boundary=""',
                                  "multipart/form-data; boundary=a; boundary=b"])
def test_form_without_one_boundary_is_refused(gateway, kind):
    error = assert_envelope(gateway.ask(request(with_model(), kind=kind)), 400)
    assert "boundary" in error["message"]


def test_second_content_type_is_refused(gateway):
    data = request(with_model()).replace(
        b"Content-Length", b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length")
    assert gateway.ask(data).status in (400, 415)


ODD = field("temperature", "0.20") + field("timestamp_granularities[]", "word") + \
    field("timestamp_granularities[]", "segment") + field("language", "nø") + field("prompt", "")


@pytest.mark.parametrize("before,after", [
    (field("model", "lab/ear") + FILE + ODD, field("model", "ear-2") + FILE + ODD),
    (FILE + ODD + field("model", "lab/ear"), FILE + ODD + field("model", "ear-2")),
    (b"\r\n" + ODD + field("model", "ear") + FILE, b"\r\n" + ODD + field("model", "ear-2") + FILE),
    (field("provider", ' {"only": ["up"]} ') + field("model", "lab/ear") + field("usage", "x") + FILE +
     field("session_id", "s"), field("model", "ear-2") + FILE),
    (field("models", '["lab/ear"]') + FILE, field("model", "ear-2") + FILE),
])
def test_form_changes_only_in_its_model(start, upstream, before, after):
    gw = start(models={"lab/ear": {"provider": "up", "upstream_model": "ear-2"}})
    answer = gw.ask(request(before + END))
    assert answer.status == 200, answer.body
    seen = upstream.requests[-1]
    assert seen.target == PATH and seen.body == after + END
    assert seen.headers["content-type"] == f"multipart/form-data; boundary={BOUNDARY}"


@pytest.mark.parametrize("path", [PATH, TRANSLATIONS])
@pytest.mark.parametrize("fields", [[FILE], [field("model", "good"), FILE]])
def test_path_may_fix_the_model(gateway, upstream, path, fields):
    answer = gateway.ask(request(form(*fields), path.replace("/v1", "/v1/good")))
    assert answer.status == 200, answer.body
    assert upstream.requests[-1].target == path
    assert [p.value for p in upstream.requests[-1].parts if p.name == "model"] == [b"good"]
    other = gateway.ask(request(with_model("deep"), path.replace("/v1", "/v1/good")))
    assert_envelope(other, 404, "model_not_found", "model")


def test_large_upload_in_chunks_reaches_the_provider_byte_for_byte(gateway, upstream):
    sound = random.Random(3).randbytes(9 << 20)
    body = form(field("file", sound, "long.wav"), field("model", "good"))
    head = request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with gateway.client(timeout=60) as client:
        client.send(head)
        for at in range(0, len(body), 100_003):
            piece = body[at:at + 100_003]
            client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        client.send(b"0\r\n\r\n")
        answer = client.response()
    assert answer.status == 200 and answer.json["text"] == f"{9 << 20} bytes in some language"
    assert upstream.requests[-1].body == body


def test_bad_end_of_a_large_upload_is_found(gateway, upstream):
    body = form(field("model", "good"), field("file", bytes(2 << 20), "long.wav"))
    error = assert_envelope(gateway.ask(request(body[:-10]), timeout=60), 400)
    assert "ends too early" in error["message"]


def test_file_may_not_be_larger_than_the_limit(start):
    gw = start(server={"file_max": "64KiB"})
    small = form(field("model", "good"), field("file", bytes(64 << 10), "a"))
    large = form(field("model", "good"), field("file", bytes((64 << 10) + 1), "a"))
    assert gw.ask(request(small)).status == 200
    assert_envelope(gw.ask(request(large)), 413, "payload_too_large", "file")


# The answer.

def test_json_is_an_answer_like_others(gateway):
    answer = gateway.ask(request(with_model()))
    said = answer.json
    assert said["text"] == f"{len(SOUND)} bytes in some language" and said["provider"] == "up"
    assert said["request_id"] == answer.headers["x-request-id"]
    record = gateway.record_of(said["request_id"])
    assert (record["api"], record["tokens_in"], record["tokens_out"]) == ("transcriptions", 11, 7)
    verbose = gateway.ask(request(with_model("good", field("response_format", "verbose_json"))))
    assert verbose.json["duration"] == 1.5
    record = gateway.record_of(verbose.json["request_id"])
    assert (record["usage_source"], record["audio_ms"]) == ("provider", 2000)


@pytest.mark.parametrize("kind,begin", [("text", b"10"), ("srt", b"1\n00"), ("vtt", b"WEBVTT\n")])
def test_text_is_passed_on_as_it_is(gateway, kind, begin):
    answer = gateway.ask(request(with_model("good", field("response_format", kind))))
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.body.startswith(begin) and b"request_id" not in answer.body
    assert answer.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize("body,kind", [(b"", "text/plain"), (b'"just a string"', "application/json")])
def test_text_may_be_anything(gateway, upstream, body, kind):
    async def script(x):
        await x.reply(200, body, content_type=kind)
    model = upstream.play(script)
    answer = gateway.ask(request(with_model(model, field("response_format", "text"))))
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, body, kind)


@pytest.mark.parametrize("yes", ["true", "True", "1"])
def test_stream_passes_byte_for_byte(gateway, yes):
    answer = gateway.ask(request(with_model("good", field("stream", yes))))
    if yes == "true":
        text = f"{len(SOUND)} bytes in some language"
        assert answer.body == event("transcript.text.delta", delta=text[:2]) + \
            event("transcript.text.delta", delta=text[2:]) + \
            event("transcript.text.done", text=text, usage={"type": "tokens"} | USAGE)
    else:  # which this provider does not know
        assert answer.json["text"]
    record = gateway.record_of(answer.headers["x-request-id"])
    assert record["stream"] == (yes == "true") and record["tokens_out"] == 7


def test_stream_may_end_as_chats_do(gateway, upstream):
    async def script(x):
        await x.stream_head()
        await x.chunk(b'data: {"object":"transcription.chunk","choices":[]}\n\ndata: [DONE]\n\n')
        await x.last_chunk()
    answer = gateway.ask(request(with_model(upstream.play(script), field("stream", "true"))))
    assert answer.body.endswith(b"data: [DONE]\n\n") and b"error" not in answer.body


async def busy(x):
    await x.reply(503, compact({"error": {"message": "busy"}}))


async def half(x):
    await x.reply(200, b'{"text":"cut')


@pytest.mark.parametrize("broken", [busy, half])
def test_next_endpoint_gets_the_form_too(start, upstream, broken):
    first = upstream.play(broken)
    gw = start(models={"pair": {"alias": ["one", "other"]},
                       "one": {"provider": "up", "upstream_model": first},
                       "other": {"provider": "up", "upstream_model": "good"}})
    answer = gw.ask(request(form(FILE, field("model", "pair"))))
    assert answer.status == 200 and answer.headers["x-sluice-attempts"] == "2"
    assert upstream.requests[-1].body == form(FILE, field("model", "good"))


def test_provider_says_what_is_wrong(gateway, upstream):
    said = compact({"error": {"message": "no sound in it", "type": "invalid_request_error"}})

    async def script(x):
        await x.reply(400, said)
    answer = gateway.ask(request(with_model(upstream.play(script))))
    assert (answer.status, answer.body) == (400, said)


def test_client_that_leaves_cancels_it(gateway, upstream):
    async def script(x):
        await x.until_gone()
    model = upstream.play(script)
    with gateway.client() as client:
        client.send(request(with_model(model)))
        exchange = upstream.exchange_of(model)
    until(lambda: exchange.aborted, 5, "the cancel")


# Who can do it, and who may.

MODELS = {
    "reader": {"provider": "up", "upstream_model": "good", "input": ["text"]},
    "talker": {"provider": "up", "upstream_model": "good", "output": ["audio"]},
    "ear": {"provider": "up", "upstream_model": "good", "category": "audio"},
    "listener": {"provider": "up", "upstream_model": "good", "input": ["audio"], "output": ["text"],
                 "context": 1000},
}


@pytest.fixture(scope="module")
def described(upstream, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("described"), upstream.base_url, models=MODELS, keys=[
        {"name": "dev", "secret": raw.KEY},
        {"name": "ear", "secret": "sk-only-the-ear", "scope": "pipeline", "pipeline": "ear"}]).start()
    yield gw
    gw.stop()


@pytest.mark.parametrize("model,param", [("reader", "file"), ("talker", "model"), ("ear", None),
                                         ("listener", None), ("good", None)])
def test_only_models_that_can_hear_are_asked(described, model, param):
    answer = described.ask(request(with_model(model)))
    if param is None:
        assert answer.status == 200, answer.body
    else:
        assert_envelope(answer, 400, "unsupported_parameter", param)


def test_key_of_a_pipeline_is_held_to_it(described):
    def ask(model: str | None, path: str = PATH) -> raw.Response:
        fields = [] if model is None else [field("model", model)]
        return described.ask(request(form(*fields, FILE), path, key="sk-only-the-ear"))
    assert ask("ear").status == 200 and ask(None, "/v1/ear/audio/transcriptions").status == 200
    assert_envelope(ask("listener"), 403, "key_scope", "model")
    assert_envelope(ask("listener", "/v1/ear/audio/transcriptions"), 404, "model_not_found")
    assert_envelope(ask(None, "/v1/listener/audio/transcriptions"), 404, "model_not_found")


def test_form_without_a_file_is_no_chat(gateway):
    body = json.dumps({"model": "good", "file": "x"}).encode()
    answer = gateway.ask(raw.request_bytes("POST", PATH, body))
    assert_envelope(answer, 415, "unsupported_media_type")
