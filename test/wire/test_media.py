"""Pictures and sound: JSON goes in, and what comes out is passed on whatever it is, as it comes."""
from __future__ import annotations

import base64
import json
import time

import pytest

import provider_media
import raw
from gateway import Gateway
from promises import assert_envelope
from provider_media import PICTURE, SOUND, USAGE, compact, event
from upstream import until

SPEECH, IMAGES = "/v1/audio/speech", "/v1/images/generations"
SUBJECT = {SPEECH: {"input": "hello", "voice": "alloy"}, IMAGES: {"prompt": "a bird"}}


def request(path: str, model: str | None = "good", **members) -> bytes:
    subject = next(s for p, s in SUBJECT.items() if path.endswith(p[3:]))
    named = {} if model is None else {"model": model}
    return raw.request_bytes("POST", path, json.dumps(named | subject | members).encode())


def sounding(*pieces: bytes, kind: str = "audio/mpeg"):
    async def script(x):
        await x.stream_head(content_type=kind)
        for piece in pieces:
            await x.chunk(piece)
        await x.last_chunk()
    return script


# The request.

@pytest.mark.parametrize("path,subject", [(SPEECH, "input"), (IMAGES, "prompt")])
def test_what_it_is_about_must_be_there(gateway, path, subject):
    body = b'{"model":"good","voice":"x"}'
    answer = gateway.ask(raw.request_bytes("POST", path, body))
    assert_envelope(answer, 400, "invalid_request_error", subject)


@pytest.mark.parametrize("path", [SPEECH, IMAGES])
def test_request_changes_only_in_its_model(start, upstream, path):
    gw = start(models={"lab/artist": {"provider": "up", "upstream_model": "brush-2"}})
    about = f'"{"input" if path == SPEECH else "prompt"}" : "\\u00e9 é"'
    body = ('{ %s,\n"model":"%s","x":1.0e+3,"n":1 ,"provider":{"order":["up"]},"voice":"a"}')
    answer = gw.ask(raw.request_bytes("POST", path, (body % (about, "lab/artist")).encode()))
    assert answer.status == 200, answer.body
    seen = upstream.requests[-1]
    assert seen.target == path
    assert seen.body.decode() == (body % (about, "brush-2")).replace(
        ',"provider":{"order":["up"]}', "")


@pytest.mark.parametrize("path", [SPEECH, IMAGES])
def test_path_may_fix_the_model(gateway, upstream, path):
    for prefix in ("/v1/", "/api/v1/"):
        answer = gateway.ask(request(prefix + "good" + path[3:], None))
        assert answer.status == 200 and upstream.requests[-1].json["model"] == "good"
        assert upstream.requests[-1].target == path


def test_azure_names_the_deployment_in_the_path(start, upstream):
    async def script(x):
        await x.reply(200, SOUND, content_type="audio/mpeg")
    gw = start(providers={"az": {"preset": "azure", "base_url": upstream.base_url, "api_key": "x",
                                 "api_version": "2024-10-21"}},
               models={"voice": {"provider": "az", "upstream_model": upstream.play(script)}})
    assert gw.ask(request(SPEECH, "voice")).body == SOUND
    target = upstream.requests[-1].target
    assert target.endswith("/audio/speech?api-version=2024-10-21") and "/openai/deployments/slot" in target


def test_picture_later_is_refused_and_now_is_not(gateway, upstream):
    refused = gateway.ask(request(IMAGES, **{"async": True}))
    assert_envelope(refused, 400, "unsupported_parameter", "async")
    for path, model, member in ((IMAGES, "good", False), ("/v1/good/images/generations", None, True)):
        assert gateway.ask(request(path, model, **{"async": member})).status == 200
        assert "async" not in upstream.requests[-1].json
    wrong = gateway.ask(request(IMAGES, **{"async": 1}))
    assert_envelope(wrong, 400, "invalid_request_error", "async")


# The answer.

def test_picture_is_an_answer_like_others(gateway):
    answer = gateway.ask(request(IMAGES, n=2))
    said = answer.json
    assert said["request_id"] == answer.headers["x-request-id"] and said["provider"] == "up"
    assert len(said["data"]) == 2
    assert base64.b64decode(said["data"][0]["b64_json"]) == PICTURE
    assert said["usage"] == USAGE
    record = gateway.record_of(said["request_id"])
    assert (record["api"], record["tokens_in"], record["tokens_out"]) == ("images", 11, 7)
    assert record["usage_source"] == "provider"


def test_large_picture_is_passed_on_whole(gateway, upstream):
    huge = base64.b64encode(bytes(6 << 20)).decode()
    sent = compact({"created": 1, "data": [{"b64_json": huge}]})

    async def script(x):
        await x.reply(200, sent)
    answer = gateway.ask(request(IMAGES, upstream.play(script)), timeout=60)
    assert answer.body.endswith(sent[1:]) and answer.json["data"][0]["b64_json"] == huge


def test_streamed_pictures_pass_byte_for_byte(gateway, upstream):
    answer = gateway.ask(request(IMAGES, stream=True))
    assert answer.headers["content-type"].startswith("text/event-stream")
    picture = base64.b64encode(PICTURE).decode()
    assert answer.body == event("image_generation.partial_image", b64_json=picture,
                                partial_image_index=0) + \
        event("image_generation.completed", b64_json=picture, usage=USAGE)
    record = gateway.record_of(answer.headers["x-request-id"])
    assert record["stream"] and record["tokens_out"] == 7 and record["finish_reason"] == "stop"


def test_each_of_several_streamed_pictures_arrives(gateway, upstream):
    async def script(x):
        await x.stream_head()
        await x.chunk(event("image_generation.completed", b64_json="AAAA"))
        await x.sleep(1.5)  # longer than we would wait behind an end
        await x.chunk(event("image_generation.completed", b64_json="BBBB"))
        await x.last_chunk()
    answer = gateway.ask(request(IMAGES, upstream.play(script), stream=True, n=2))
    assert answer.body.count(b"image_generation.completed") == 4 and b"BBBB" in answer.body


def test_sound_is_passed_on_as_it_is(gateway):
    answer = gateway.ask(request(SPEECH, response_format="wav"))
    assert answer.status == 200 and answer.body == SOUND
    assert answer.headers["content-type"] == "audio/wav"
    record = gateway.record_of(answer.headers["x-request-id"])
    assert record["api"] == "speech" and record["outcome"] == "ok" and record["ttft_ms"] >= 0
    assert record["usage_source"] == "counted" and record["bytes_out"] == len(SOUND)


def test_length_of_sound_is_kept(gateway, upstream):
    async def script(x):
        await x.reply(200, SOUND, content_type="audio/flac")
    answer = gateway.ask(request(SPEECH, upstream.play(script)))
    assert answer.headers["content-length"] == str(len(SOUND)) and answer.body == SOUND


def test_sound_flows_at_once(gateway, upstream):
    gate = upstream.gate()

    async def script(x):
        await x.stream_head(content_type="audio/mpeg")
        for n in range(4):
            await x.chunk(bytes([n]) * 10)
            await gate.wait()
        await x.last_chunk()
    with gateway.client() as client:
        client.send(request(SPEECH, upstream.play(script)))
        head = client.read_head()
        pieces = client.arrivals(head)
        for n in range(4):
            assert next(pieces).data == bytes([n]) * 10
            gate.open()
        assert next(pieces, None) is None and head.complete


@pytest.mark.parametrize("asked", [{}, {"stream_format": "sse"}])
def test_pause_leaves_no_trace_in_sound(start, upstream, asked):
    """Comments that keep streams alive are for streams."""
    gw = start(server={"sse_keepalive": "300ms"})

    async def script(x):
        await x.stream_head(content_type="audio/mpeg")
        for n in range(3):
            await x.chunk(SOUND[n * 100:n * 100 + 100])
            await x.sleep(0.5)
        await x.last_chunk()
    answer = gw.ask(request(SPEECH, upstream.play(script), **asked))
    assert answer.body == SOUND[:300]


@pytest.mark.parametrize("size", [1, 65 << 20])
def test_pause_leaves_no_trace_in_json(start, upstream, size):
    gw = start(server={"sse_keepalive": "300ms"})
    sent = b'{"data":[{"b64_json":"%s"}]}' % (b"A" * size)

    async def script(x):
        await x.stream_head(content_type="application/json")
        await x.chunk(sent[:-10])
        await x.sleep(0.8)
        await x.chunk(sent[-10:])
        await x.last_chunk()
    answer = gw.ask(request(IMAGES, upstream.play(script), stream=True), timeout=60)
    assert answer.body.endswith(sent[1:]) and b"PROCESSING" not in answer.body
    assert answer.headers["content-type"] == "application/json"


def test_silence_before_events_is_filled(start, upstream):
    gw = start(server={"sse_keepalive": "300ms"})

    async def script(x):
        await x.sleep(1)
        await provider_media.images(x, x.request.json)
    answer = gw.ask(request(IMAGES, upstream.play(script), stream=True))
    assert answer.body.startswith(b": SLUICE PROCESSING\n\n")
    assert raw.events_of(answer.body)[-1]["type"] == "image_generation.completed"


def test_streamed_sound_passes_byte_for_byte(gateway):
    answer = gateway.ask(request(SPEECH, stream_format="sse"))
    audio = base64.b64encode(SOUND[:512]).decode()
    assert answer.body == event("speech.audio.delta", audio=audio) + \
        event("speech.audio.done", usage=USAGE)
    record = gateway.record_of(answer.headers["x-request-id"])
    assert (record["tokens_in"], record["tokens_out"]) == (11, 7)


def test_stream_of_sound_without_usage_is_not_counted_by_its_events(gateway, upstream):
    async def script(x):
        await x.stream_head()
        await x.chunk(event("speech.audio.delta", audio="AAAA"))
        await x.chunk(event("speech.audio.done"))
        await x.last_chunk()
    answer = gateway.ask(request(SPEECH, upstream.play(script), stream_format="sse"))
    assert gateway.record_of(answer.headers["x-request-id"])["usage_source"] == "counted"


def test_model_that_cannot_stream_answers_as_it_can(gateway, upstream):
    model = upstream.play(sounding(SOUND))
    answer = gateway.ask(request(SPEECH, model, stream_format="sse"))
    assert answer.headers["content-type"] == "audio/mpeg" and answer.body == SOUND


# Failing.

async def nothing(x):
    await x.reply(200, b"", content_type="audio/mpeg")


async def busy(x):
    await x.reply(503, compact({"error": {"message": "busy"}}))


async def error_inside(x):
    await x.reply(200, compact({"error": {"message": "overloaded", "type": "server_error"}}))


async def head_only(x):
    await x.stream_head(content_type="audio/mpeg")
    x.reset()


@pytest.mark.parametrize("broken", [nothing, busy, error_inside, head_only])
def test_next_endpoint_is_asked_before_the_first_byte(start, upstream, broken):
    first = upstream.play(broken)
    gw = start(models={first: None, "pair": {"alias": ["one", "other"]},
                       "one": {"provider": "up", "upstream_model": first},
                       "other": {"provider": "up", "upstream_model": "good"}})
    answer = gw.ask(request(SPEECH, "pair"))
    assert answer.status == 200 and answer.body == SOUND
    assert answer.headers["x-sluice-attempts"] == "2"


def test_sound_that_breaks_off_does_not_look_complete(gateway, upstream):
    async def script(x):
        await x.stream_head(content_type="audio/mpeg")
        await x.chunk(SOUND)
        x.reset()
    with gateway.client() as client:
        client.send(request(SPEECH, upstream.play(script)))
        head = client.read_head()
        with pytest.raises(raw.Closed):
            for _ in client.arrivals(head):
                pass
        assert not head.complete


def test_stream_of_pictures_that_breaks_off_ends_in_an_error(gateway, upstream):
    async def script(x):
        await x.stream_head()
        await x.chunk(event("image_generation.partial_image", b64_json="AAAA"))
        x.reset()
    answer = gateway.ask(request(IMAGES, upstream.play(script), stream=True))
    last = raw.events_of(answer.body)[-1]
    assert last["type"] == "error" and last["error"]["type"] == "upstream_error"
    assert last["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", [SPEECH, IMAGES])
def test_provider_says_what_is_wrong(gateway, upstream, path):
    said = compact({"error": {"message": "no such voice", "type": "invalid_request_error",
                              "param": "voice", "code": None}})

    async def script(x):
        await x.reply(400, said)
    answer = gateway.ask(request(path, upstream.play(script)))
    assert answer.status == 400 and answer.body == said


def test_client_that_leaves_cancels_the_sound(gateway, upstream):
    async def script(x):
        await x.stream_head(content_type="audio/mpeg")
        await x.chunk(SOUND)
        await x.until_gone()
    model = upstream.play(script)
    with gateway.client() as client:
        client.send(request(SPEECH, model))
        next(client.arrivals(client.read_head()))
    until(lambda: upstream.exchange_of(model).aborted, 5, "the cancel")


def test_slow_listener_pauses_the_provider(gateway, upstream):
    total, piece = 32 << 20, bytes(64 << 10)

    async def script(x):
        await x.stream_head(content_type="audio/pcm")
        for _ in range(total // len(piece)):
            await x.chunk(piece)
        await x.last_chunk()
    model = upstream.play(script)
    with gateway.client(receive_buffer=16 << 10, timeout=60) as client:
        client.send(request(SPEECH, model))
        head = client.read_head()
        exchange = upstream.exchange_of(model)
        until(lambda: exchange.sent > 0, 5, "the first bytes")
        time.sleep(0.7)
        stuck = exchange.sent
        time.sleep(0.3)
        assert exchange.sent == stuck < total // 2
        assert sum(len(a.data) for a in client.arrivals(head)) == total


# Who can do it.

MODELS = {
    "writer": {"provider": "up", "upstream_model": "good", "output": ["text"]},
    "talker": {"provider": "up", "upstream_model": "good", "category": "audio"},
    "painter": {"provider": "up", "upstream_model": "good", "category": "image"},
    "both": {"provider": "up", "upstream_model": "good", "output": ["text", "image"]},
    "claude": {"provider": "messages", "upstream_model": "good"},
    "mixed": {"alias": ["claude", "good"]},
}


@pytest.fixture(scope="module")
def described(upstream, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("described"), upstream.base_url, models=MODELS, providers={
        "messages": {"protocol": "anthropic", "base_url": upstream.base_url, "api_key": "x"}}).start()
    yield gw
    gw.stop()


@pytest.mark.parametrize("path,model,status", [
    (SPEECH, "writer", 400), (SPEECH, "painter", 400), (SPEECH, "both", 400),
    (SPEECH, "talker", 200), (SPEECH, "good", 200),
    (IMAGES, "writer", 400), (IMAGES, "talker", 400), (IMAGES, "painter", 200),
    (IMAGES, "both", 200), (IMAGES, "mixed", 200), (IMAGES, "claude", 503), (IMAGES, "sluice/demo", 503)])
def test_only_models_that_can_are_asked(described, upstream, path, model, status):
    before = len(upstream.requests)
    answer = described.ask(request(path, model))
    assert answer.status == status, answer.body
    assert len(upstream.requests) - before == (status == 200)
    if status == 400:
        assert_envelope(answer, 400, "unsupported_parameter", "model")
    if status == 503:
        assert_envelope(answer, 503, "no_provider_available")
    if status == 200:
        assert answer.headers["x-sluice-attempts"] == "1"


def test_what_a_model_makes_is_listed(described):
    made = {m["id"]: m["output_modalities"] for m in described.get("/v1/models").json["data"]}
    assert made["talker"] == ["text", "audio"] and made["painter"] == ["image"]
    assert made["both"] == ["text", "image"] and made["good"] == ["text"]
