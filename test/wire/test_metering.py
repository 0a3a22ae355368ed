"""What is charged for answers that came to nothing, that were cut short, or that are no text
(docs/metering.md, contract 2.5)."""
from __future__ import annotations

import json
from decimal import Decimal

import pytest

import provider_messages
import raw
from gateway import Gateway

TEXT = "It was a dark and stormy night; the rain fell in torrents. "
PRICE = {"input": "2", "output": "10"}


def sse(value) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(delta: dict, finish=None, **more) -> dict:
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]} | more


def document(content, finish, usage=None, **more):
    async def script(x) -> None:
        said = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": content},
                             "finish_reason": finish}]} | more
        await x.reply(200, json.dumps(said | ({"usage": usage} if usage else {})).encode())
    return script


def usage(prompt: int, completion: int) -> dict:
    return {"prompt_tokens": prompt, "completion_tokens": completion,
            "total_tokens": prompt + completion}


async def breaks(x) -> None:
    await x.stream_head()
    await x.chunk(sse(chunk({"role": "assistant", "content": ""})))
    for _ in range(4):
        await x.chunk(sse(chunk({"content": TEXT})))
    x.reset()


async def stays(x) -> None:
    """As long as the client does."""
    await x.stream_head()
    await x.chunk(sse(chunk({"role": "assistant", "content": ""})))
    for _ in range(4):
        await x.chunk(sse(chunk({"content": TEXT})))
    await x.sleep(60)


async def stays_in_messages(x) -> None:
    body = x.request.json
    start = provider_messages.message(body) | {"content": [], "stop_reason": None}
    await x.stream_head()
    await x.chunk(provider_messages.event("message_start", message=start | {
        "usage": {"input_tokens": 50, "cache_read_input_tokens": 7, "output_tokens": 1}}))
    await x.chunk(provider_messages.event("content_block_start", index=0,
                                          content_block={"type": "text", "text": ""}))
    for _ in range(4):
        await x.chunk(provider_messages.event("content_block_delta", index=0,
                                              delta={"type": "text_delta", "text": TEXT}))
    await x.sleep(60)


async def counts_nothing(x) -> None:
    """A whole stream without usage."""
    await x.stream_head()
    await x.chunk(sse(chunk({"role": "assistant", "content": ""})))
    for _ in range(4):
        await x.chunk(sse(chunk({"content": TEXT})))
    await x.chunk(sse(chunk({}, "stop")))
    await x.chunk(b"data: [DONE]\n\n")
    await x.last_chunk()


async def counts_at_the_end(x) -> None:
    """On the chunk that finishes, as DeepSeek and Mistral do."""
    await x.stream_head()
    await x.chunk(sse(chunk({"role": "assistant", "content": ""})))
    await x.chunk(sse(chunk({"content": TEXT})))
    await x.chunk(sse(chunk({}, "stop", usage=usage(100, 15))))
    await x.chunk(b"data: [DONE]\n\n")
    await x.last_chunk()


def json_of(value):
    async def script(x) -> None:
        await x.reply(200, json.dumps(value).encode())
    return script


async def sound(x) -> None:
    await x.reply(200, b"\x00" * 100, content_type="audio/mpeg")


SCRIPTS = {
    "blank": (document("", None, usage(100, 0)), PRICE),
    "wordless": (document("", "stop", usage(100, 0)), PRICE),
    "mistaken": (document("half an ans", "error", usage(100, 5)), PRICE),
    "uncounted": (document(TEXT, "stop"), PRICE),
    "gpt-4o": (document(TEXT, "stop"), PRICE),
    "breaks": (breaks, PRICE),
    "stays": (stays, PRICE),
    "stays-in-messages": (stays_in_messages, PRICE),
    "counts-nothing": (counts_nothing, PRICE),
    "counts-at-the-end": (counts_at_the_end, PRICE),
    "dear": (document("x", "stop", usage(100, 0)), PRICE | {"request": "0.005"}),
    "pictures": (json_of({"created": 1, "data": [{"b64_json": "AAAA"}, {"b64_json": "BBBB"}]}),
                 {"image": "0.04"}),
    "tokens-of-pictures": (json_of({"created": 1, "data": [{"b64_json": "AAAA"}], "usage": {
        "input_tokens": 50, "output_tokens": 40, "total_tokens": 90,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}}}),
        {"input": "5", "image_input": "10", "image_output": "40"}),
    "speaks": (sound, {"character": "15"}),
    "listens": (json_of({"text": "hm", "usage": {"type": "duration", "seconds": 90}}),
                {"second": "0.0001"}),
    "listens-at-length": (json_of({"text": "hm", "duration": "8.4700002670", "language": "english"}),
                          {"second": "0.0001"}),
}


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    known = upstream.script_for
    upstream.script_for = lambda request: SCRIPTS[request.model][0] \
        if request.model in SCRIPTS else known(request)
    models = {name: {"endpoints": [{
        "provider": "claude" if "messages" in name else "up",
        "upstream_model": name, "price": price}]}
        for name, (script, price) in SCRIPTS.items()}
    providers = {name: {"protocol": protocol, "base_url": upstream.base_url, "api_key": "sk-up"}
                 for name, protocol in (("up", "openai"), ("claude", "anthropic"))}
    gw = Gateway(tmp_path_factory.mktemp("gateway"), upstream.base_url, providers=providers,
                 models=models).start()
    yield gw
    gw.stop()
    del upstream.script_for


def post(path: str, body: dict) -> bytes:
    return raw.request_bytes("POST", path, json.dumps(body).encode())


def chat(gw, model: str, **more) -> raw.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    return gw.ask(post("/v1/chat/completions", body | more))


def record(gw, answer) -> dict:
    return gw.record_of(answer.headers["x-request-id"])


# Insurance.

@pytest.mark.parametrize("model,cost", [("blank", 0), ("mistaken", 0), ("wordless", 200 * 10 ** 6)])
def test_what_came_to_nothing_is_not_charged(gateway, model, cost):
    answer = chat(gateway, model, usage={"include": True})
    said = json.loads(answer.body, parse_float=Decimal)
    log = record(gateway, answer)
    assert said["cost"] * 10 ** 12 == cost == log["cost_pd"]
    assert log["tokens_in"] == 100  # what was used is told all the same
    assert (log.get("insured"), log.get("insured_pd")) == (
        (None, None) if cost else (True, 200 * 10 ** 6 + log["tokens_out"] * 10 ** 7))


def test_stream_that_its_provider_breaks_off_is_not_charged(gateway):
    answer = chat(gateway, "breaks", stream=True)
    assert b'"finish_reason":"error"' in answer.body
    log = record(gateway, answer)
    assert (log["cost_pd"], log["insured"], log["usage_source"]) == (0, True, "estimated")
    assert log["tokens_out"] == len(TEXT)  # four times a quarter of a token a byte


# Streams cut short.

def leave(gw, path: str, body: dict, marks: int) -> dict:
    """Reads so many pieces of the text, and leaves."""
    with gw.client() as client:
        client.send(post(path, body))
        seen = b""
        while seen.count(TEXT.strip().encode()) < marks:
            seen += client.sock.recv(65536)
    head = seen.split(b"\r\n\r\n", 1)[0].decode().lower()
    number = next(line.split(": ")[1] for line in head.split("\r\n")
                  if line.startswith("x-request-id"))
    return gw.record_of(number)


@pytest.mark.parametrize("client,path", [("chat", "/v1/chat/completions"),
                                         ("messages", "/v1/messages")])
@pytest.mark.parametrize("model", ["stays", "stays-in-messages"])
def test_client_that_leaves_pays_for_what_it_got(gateway, model, client, path):
    log = leave(gateway, path, {"model": model, "stream": True, "max_tokens": 900, "messages": [
        {"role": "user", "content": "hi"}]}, 4)
    assert log["outcome"] == "client_gone" and "insured" not in log
    assert log["usage_source"] == "estimated" and log["tokens_out"] == len(TEXT)
    if model == "stays-in-messages":
        assert (log["tokens_in"], log["tokens_cached"]) == (57, 7)  # told at the beginning
    else:
        assert 0 < log["tokens_in"] < 60
    assert log["cost_pd"] >= log["tokens_out"] * 10 ** 7 + (log["tokens_in"] - 7) * 2 * 10 ** 6


def test_whole_stream_nobody_counted_is_estimated(gateway):
    log = record(gateway, chat(gateway, "counts-nothing", stream=True))
    assert abs(log["tokens_out"] - len(TEXT)) <= 2 and log["usage_source"] == "estimated"
    assert "insured" not in log


def test_client_that_asked_is_told_the_estimate(gateway):
    answer = chat(gateway, "counts-nothing", stream=True, usage={"include": True})
    events = raw.events_of(answer.body)
    assert events[-1] == "[DONE]" and sum("cost" in e for e in events) == 1
    last, log = events[-2], record(gateway, answer)
    assert last["choices"] == [] and {e["id"] for e in events[:-1]} == {"c1"}
    assert last["usage"]["completion_tokens"] == log["tokens_out"] > 0
    assert last["cost"] == pytest.approx(log["cost_pd"] * 1e-12) and log["cost_pd"] > 0


def test_picture_in_a_prompt_is_not_read_as_text(gateway):
    picture = "data:image/png;base64," + "iVBORw0KGgo" * 20000
    log = leave(gateway, "/v1/chat/completions", {
        "model": "stays", "stream": True, "messages": [{"role": "user", "content": [
            {"type": "text", "text": "hi"},
            {"type": "image_url", "image_url": {"url": picture}}]}]}, 4)
    assert log["bytes_in"] > 200_000 and 0 < log["tokens_in"] < 200


@pytest.mark.parametrize("model,source", [("uncounted", "estimated"), ("gpt-4o", "counted")])
def test_whole_answer_nobody_counted_is_counted_here(gateway, model, source):
    """As OpenAI counts it: 3 + 3 + 1 around the one token of the prompt."""
    answer = chat(gateway, model, usage={"include": True})
    log = record(gateway, answer)
    assert answer.json["choices"][0]["message"]["content"] == TEXT
    assert log["usage_source"] == source and log["outcome"] == "ok"
    assert answer.json["cost"] == pytest.approx(log["cost_pd"] * 1e-12) and log["cost_pd"] > 0
    if source == "counted":
        assert log["tokens_in"] == 8 and 12 <= log["tokens_out"] <= 17


# What is told.

def test_cost_is_told_on_the_chunk_that_finishes_where_usage_is(gateway):
    answer = chat(gateway, "counts-at-the-end", stream=True, usage={"include": True})
    told = [e for e in raw.events_of(answer.body) if isinstance(e, dict) and "cost" in e]
    assert len(told) == 1 and told[0]["choices"][0]["finish_reason"] == "stop"
    assert told[0]["cost"] == pytest.approx(350e-6)
    assert told[0]["usage"]["ttft"] >= 0 and told[0]["usage"]["prompt_tokens"] == 100


def test_a_request_may_have_a_price(gateway):
    log = record(gateway, chat(gateway, "dear"))
    assert log["cost_pd"] == 200 * 10 ** 6 + 5 * 10 ** 9


# Other things than text.

def test_pictures_are_charged_each(gateway):
    answer = gateway.ask(post("/v1/images/generations", {"model": "pictures", "prompt": "x", "n": 2,
                                                         "usage": {"include": True}}))
    log = record(gateway, answer)
    assert (log["images"], log["cost_pd"]) == (2, 8 * 10 ** 10)
    assert answer.json["cost_details"]["image_cost"] == answer.json["cost"] == 0.08


def test_tokens_of_pictures_have_their_price(gateway):
    log = record(gateway, gateway.ask(post("/v1/images/generations", {
        "model": "tokens-of-pictures", "prompt": "x"})))
    assert log["cost_pd"] == (10 * 5 + 40 * 10 + 40 * 40) * 10 ** 6
    assert (log["tokens_image_in"], log["tokens_image_out"]) == (40, 40)


@pytest.mark.parametrize("text,characters", [("hello", 5), ("h\u00e9llo \U0001f600\n", 8)])
def test_speech_is_charged_by_the_character(gateway, text, characters):
    answer = gateway.ask(post("/v1/audio/speech", {"model": "speaks", "input": text, "voice": "a"}))
    log = record(gateway, answer)
    assert (log["characters"], log["cost_pd"]) == (characters, characters * 15 * 10 ** 6)
    assert log["usage_source"] == "counted"


@pytest.mark.parametrize("model,ms", [("listens", 90_000), ("listens-at-length", 8_470)])
def test_sound_is_charged_by_the_second(gateway, model, ms):
    form = (b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n' + model.encode() +
            b'\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF'
            b'\r\n--b--\r\n')
    answer = gateway.ask(raw.head_bytes("POST", "/v1/audio/transcriptions", [
        ("Host", "sluice.test"), ("Authorization", f"Bearer {raw.KEY}"),
        ("Content-Type", "multipart/form-data; boundary=b"),
        ("Content-Length", str(len(form)))]) + form)
    assert answer.status == 200, answer.body
    log = record(gateway, answer)
    assert (log["audio_ms"], log["cost_pd"]) == (ms, ms * 10 ** 5)
