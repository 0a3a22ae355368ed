"""The provider on its good days: Claude on Bedrock, invoked in Anthropic's own protocol.

Signed and framed as `provider_converse` has it; what is inside is `provider_messages`.
"""
from __future__ import annotations

import base64
import json
import re
import urllib.parse
from typing import Iterator

import provider_converse
import provider_messages
from provider_converse import error, problem_with_signature  # noqa: F401

VERSION = "bedrock-2023-05-31"
PATH = re.compile(r"/v1/model/([^/]+)/(invoke|invoke-with-response-stream)")
METRICS = {"inputTokenCount": 7, "outputTokenCount": 3, "invocationLatency": 9,
           "firstByteLatency": 5}


def as_anthropics(path: str, body: dict) -> dict:
    """The body as Anthropic's own server would get it."""
    rest = {k: v for k, v in body.items() if k not in ("anthropic_version", "anthropic_beta")}
    return rest | {"model": urllib.parse.unquote(PATH.fullmatch(path)[1])}


def problem_of(request, body: dict) -> str | None:
    """What the real one would refuse."""
    for name in ("model", "stream", "cache_control"):
        if name in body:
            return f"{name}: Extra inputs are not permitted"
    if body.get("anthropic_version") != VERSION:
        return "anthropic_version: Field required"
    if any(name.startswith("anthropic-") for name in request.headers):
        return "Betas and versions belong into the body"
    betas = body.get("anthropic_beta", [])
    if not isinstance(betas, list) or not all(isinstance(b, str) for b in betas):
        return "anthropic_beta: Input should be a valid list"
    path = request.target.partition("?")[0]
    return provider_messages.problem_of(as_anthropics(path, body))


def chunk(text: bytes) -> bytes:
    return provider_converse.frame("chunk", {"bytes": base64.b64encode(text).decode(), "p": "abcd"})


def with_metrics(text: bytes) -> bytes:
    return text[:-1] + b',"amazon-bedrock-invocationMetrics":' + json.dumps(METRICS).encode() + b"}"


def texts(body: dict) -> Iterator[bytes]:
    """The JSON of each event; what Bedrock adds stands in the last."""
    for event in provider_messages.events(body):
        text = event.partition(b"data: ")[2].removesuffix(b"\n\n")
        yield with_metrics(text) if b'"message_stop"' in text else text


def events(body: dict) -> Iterator[bytes]:
    return map(chunk, texts(body))


def sse(body: dict) -> bytes:
    """The same as a client of Anthropic's has to see it."""
    return b"".join(b"event: %s\ndata: %s\n\n" % (json.loads(t)["type"].encode(), t)
                    for t in texts(body))


whole = provider_messages.message
