"""Streams as no provider should send them: what each protocol's provider says, mangled by a seed.

The text of the request names the seed ("mangle-17"), so that a failure can be played again; the same
seed mangles the same way.
"""
from __future__ import annotations

import json
import random
import re

import provider
import provider_converse
import provider_gemini
import provider_invoke
import provider_messages
import provider_responses

JUNK = [b"", b"\n\n", b"data: {\n\n", b"data: [DONE]\n\n", b"event: error\n\n", b": comment\n\n",
        b"data: null\n\n", b"data: []\n\n", b"data: 7\n\n", b'data: "text"\n\n', b"data: {}\n\n",
        b'event: ping\ndata: {"type":"ping"}\n\n', b"\xff\xfe\x00garbage\r\n\r\n",
        b'data: {"type":"response.completed"}\n\n', b'data: {"type":"message_stop"}\n\n',
        b'data: {"error":{"message":"broken","type":"server_error"}}\n\n', b"id: 3\nretry: 5\n\n"]
VALUES = [None, True, False, 0, -1, 7, 1e9, "", "x", "\ud800", [], {}, [None], {"a": 1}, "[DONE]"]


def upstream_protocol(target: str):
    """The provider's module, by the path it is asked under."""
    path = target.partition("?")[0]
    if "converse" in path:
        return provider_converse
    if provider_invoke.PATH.fullmatch(path):
        return provider_invoke
    if "enerateContent" in path:
        return provider_gemini
    return {"/v1/messages": provider_messages, "/v1/responses": provider_responses}.get(
        path, provider)


def with_other_value(value, chance: random.Random):
    """One leaf or branch of a JSON value replaced by something of any type, or taken away."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(sorted(value))
        if chance.random() < 0.15:
            return {k: v for k, v in value.items() if k != key}
        return value | {key: with_other_value(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.85:
        i = chance.randrange(len(value))
        return value[:i] + [with_other_value(value[i], chance)] + value[i + 1:]
    return chance.choice(VALUES)


def with_other_json(event: bytes, chance: random.Random) -> bytes:
    head, sep, rest = event.partition(b"data: ")
    try:
        told = json.loads(rest)
    except ValueError:
        return event
    return head + sep + json.dumps(with_other_value(told, chance)).encode() + b"\n\n"


def mangled(events: list[bytes], chance: random.Random, is_text: bool) -> list[bytes]:
    """One to three accidents."""
    for _ in range(chance.randint(1, 3)):
        i = chance.randrange(len(events)) if events else 0
        accident = chance.choice(["cut", "cut inside", "drop", "twice", "swap", "junk", "value",
                                  "value", "value", "flip"])
        if not events or accident == "cut":
            events = events[:i]
        elif accident == "cut inside":
            events = events[:i] + [events[i][:chance.randrange(len(events[i]))]]
        elif accident == "drop":
            events = events[:i] + events[i + 1:]
        elif accident == "twice":
            events = events[:i + 1] + events[chance.randrange(i + 1):]
        elif accident == "swap":
            j = chance.randrange(len(events))
            events[i], events[j] = events[j], events[i]
        elif accident == "junk" and is_text:
            events = events[:i] + [chance.choice(JUNK)] + events[i:]
        elif accident == "value" and is_text:
            events[i] = with_other_json(events[i], chance)
        else:
            broken = bytearray(events[i] or b"x")
            broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
            events[i] = bytes(broken)
    return events


def cut_anywhere(data: bytes, chance: random.Random) -> list[bytes]:
    pieces = []
    while data:
        n = chance.choice([1, 2, 7, 40, 300, len(data)])
        pieces.append(data[:n])
        data = data[n:]
    return pieces


def framed(events: list[bytes], chance: random.Random) -> list[bytes]:
    """Of Claude's events as they are in Bedrock's frames, which may suffer themselves."""
    frames = [provider_invoke.chunk(e.partition(b"data: ")[2].strip()) for e in events]
    return mangled(frames, chance, False) if chance.random() < 0.4 else frames


async def stream(x, protocol, body: dict, chance: random.Random) -> None:
    is_text = protocol not in (provider_converse, provider_invoke)
    if protocol is provider_invoke:
        events = framed(mangled(list(provider_messages.events(body)), chance, True), chance)
    else:
        make = protocol.chat_events if protocol is provider else protocol.events
        events = mangled(list(make(body)), chance, is_text)
    await x.stream_head(content_type="text/event-stream" if is_text
                        else "application/vnd.amazon.eventstream")
    for piece in cut_anywhere(b"".join(events), chance):
        await x.chunk(piece)
    if chance.random() < 0.8:
        await x.last_chunk()
    else:
        x.reset()


async def whole(x, protocol, body: dict, chance: random.Random) -> None:
    make = {provider: provider.chat_completion, provider_messages: provider_messages.message,
            provider_responses: provider_responses.response}.get(protocol)
    told = (make or protocol.whole)(body)
    for _ in range(chance.randint(1, 3)):
        told = with_other_value(told, chance)
    text = json.dumps(told).encode()
    if chance.random() < 0.1:
        text = text[:chance.randrange(len(text))]
    await x.reply(200, text)


async def behave(x) -> None:
    """Instead of `provider.behave`, for requests that name a seed."""
    seed = re.search(rb"mangle-(\d+)", x.request.body)
    protocol, body = upstream_protocol(x.request.target), x.request.json
    if protocol is provider_invoke:
        body = protocol.as_anthropics(x.request.target, body)
    chance = random.Random(f"{protocol.__name__} {int(seed[1])}")
    streams = body.get("stream") or "treamGenerate" in x.request.target or \
        x.request.target.endswith("-stream")
    await (stream if streams else whole)(x, protocol, body, chance)
