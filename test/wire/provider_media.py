"""OpenAI's endpoints for pictures and sound on their good days: what goes in is told in what comes out."""
from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
SOUND = bytes(range(256)) * 64
TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav", "opus": "audio/opus", "pcm": "audio/pcm"}
USAGE = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18,
         "input_tokens_details": {"text_tokens": 11, "image_tokens": 0}}


def compact(value) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def event(kind: str, **members) -> bytes:
    return f"event: {kind}\n".encode() + b"data: " + compact({"type": kind} | members) + b"\n\n"


@dataclass
class Part:
    name: str
    filename: str | None
    value: bytes


def parts_of(head_type: str, body: bytes) -> list[Part]:
    """A multipart body, read as strictly as it can be; raises ValueError."""
    boundary = re.search(r'boundary="?([^";]+)"?', head_type)
    if boundary is None:
        raise ValueError("no boundary")
    mark = b"\r\n--" + boundary.group(1).encode()
    first, *rest, last = (b"\r\n" + body.removeprefix(b"\r\n")).split(mark)
    if first or not last.startswith(b"--"):
        raise ValueError("does not begin and end with its boundary")
    parts = []
    for each in rest:
        head, _, value = each.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'[; ]name="([^"]*)"', head)
        filename = re.search(rb'filename="([^"]*)"', head)
        parts.append(Part(name.group(1).decode(), filename and filename.group(1).decode(), value))
    return parts


async def give_events(x, *events: bytes) -> None:
    await x.stream_head()
    for each in events:
        await x.chunk(each)
    await x.last_chunk()


async def images(x, body: dict) -> None:
    picture = base64.b64encode(PICTURE).decode()
    if body.get("stream"):
        await give_events(
            x, event("image_generation.partial_image", b64_json=picture, partial_image_index=0),
            event("image_generation.completed", b64_json=picture, usage=USAGE))
        return
    data = [{"b64_json": picture, "revised_prompt": body["prompt"]}] * (body.get("n") or 1)
    await x.reply(200, compact({"created": 1_790_000_000, "data": data, "usage": USAGE}))


async def speech(x, body: dict) -> None:
    if body.get("stream_format") == "sse":
        audio = base64.b64encode(SOUND[:512]).decode()
        await give_events(x, event("speech.audio.delta", audio=audio),
                          event("speech.audio.done", usage=USAGE))
        return
    await x.stream_head(content_type=TYPES[body.get("response_format", "mp3")])
    for at in range(0, len(SOUND), 4096):
        await x.chunk(SOUND[at:at + 4096])
    await x.last_chunk()


def heard(form: dict) -> str:
    return f"{len(form['file'])} bytes in {form.get('language', 'some language')}"


async def transcriptions(x, form: dict) -> None:
    """What was said is how much was said."""
    text, kind = heard(form), form.get("response_format", "json")
    usage = {"type": "tokens"} | USAGE
    if form.get("stream") == "true":
        await give_events(x, event("transcript.text.delta", delta=text[:2]),
                          event("transcript.text.delta", delta=text[2:]),
                          event("transcript.text.done", text=text, usage=usage))
    elif kind == "json":
        await x.reply(200, compact({"text": text, "usage": usage}))
    elif kind == "verbose_json":
        await x.reply(200, compact({"text": text, "task": "transcribe", "language": "norwegian",
                                    "duration": 1.5, "segments": [], "words": [],
                                    "usage": {"type": "duration", "seconds": 2}}))
    else:
        body = {"text": f"{text}\n", "vtt": f"WEBVTT\n\n00:00.000 --> 00:01.500\n{text}\n",
                "srt": f"1\n00:00:00,000 --> 00:00:01,500\n{text}\n"}[kind]
        await x.reply(200, body.encode(), content_type="text/plain; charset=utf-8")


PATHS = {"/v1/images/generations": images, "/v1/audio/speech": speech,
         "/v1/audio/transcriptions": transcriptions, "/v1/audio/translations": transcriptions}


def error(message: str) -> bytes:
    return compact({"error": {"message": message, "type": "invalid_request_error", "param": None,
                              "code": None}})


async def behave(x, path: str) -> None:
    if PATHS[path] is not transcriptions:
        await PATHS[path](x, x.request.json)
        return
    try:
        parts = x.request.parts
    except (ValueError, AttributeError, KeyError):
        await x.reply(400, error("The form cannot be read."))
        return
    form = {p.name: p.value if p.name == "file" else p.value.decode() for p in parts}
    if "file" not in form or "model" not in form:
        await x.reply(400, error("file and model are required."))
        return
    await transcriptions(x, form)
