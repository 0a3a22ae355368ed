"""The front doors of Azure OpenAI and Vertex AI: who may come in, and which model is meant by a path.

Behind them stand the protocols the provider speaks anyway.
"""
from __future__ import annotations

import re
from typing import NamedTuple

AZURE_VERSION = "2024-10-21"
AZURE = re.compile(r"/openai/(?:deployments/([^/]+)/(chat/completions|embeddings|completions)|(responses))")
VERTEX_ROOT = "/v1/projects/wire-project/locations/europe-north1"
VERTEX_VERSION = "vertex-2023-10-16"
VERTEX = re.compile(VERTEX_ROOT + r"/publishers/(google|anthropic)/models/([^/:]+):(\w+)")
VERTEX_OPENAI = VERTEX_ROOT + "/endpoints/openapi/chat/completions"
TOKEN = "ya29.wire-"


class Door(NamedTuple):
    """What is asked of which protocol: `path` and `body` as its own server would get them."""

    path: str
    body: object
    status: int = 200
    problem: str | None = None


def is_cloud(path: str) -> bool:
    return path.startswith((VERTEX_ROOT, "/openai/"))


def enter_azure(request, path: str, body) -> Door:
    found = AZURE.fullmatch(path)
    if found is None or request.target.partition("?")[2] != f"api-version={AZURE_VERSION}":
        return Door(path, body, 404, "Resource not found")
    if "api-key" not in request.headers or "authorization" in request.headers:
        return Door(path, body, 401, "Access denied due to invalid subscription key.")
    return Door("/v1/" + (found[2] or found[3]), body)


def enter_claude(model: str, verb: str, body) -> Door:
    if model == "count-tokens":
        return Door("/v1/messages/count_tokens", body)
    if "model" in body:
        return Door("", body, 400, "model: Extra inputs are not permitted")
    if body.get("anthropic_version") != VERTEX_VERSION:
        return Door("", body, 400, "anthropic_version: Field required")
    if (verb == "streamRawPredict") != bool(body.get("stream")):
        return Door("", body, 400, f"stream does not fit {verb}")
    return Door("/v1/messages", body | {"model": model})


def enter_vertex(request, path: str, body) -> Door:
    if not request.headers.get("authorization", "").startswith("Bearer " + TOKEN):
        return Door(path, body, 401, "Request had invalid authentication credentials.")
    if path == VERTEX_OPENAI:
        return Door("/v1/chat/completions", body)
    found = VERTEX.fullmatch(path)
    if found is None:
        return Door(path, body, 404, f"Not found: {path}")
    if found[1] == "anthropic":
        return enter_claude(found[2], found[3], body)
    return Door(f"/v1/models/{found[2]}:{found[3]}", body)


def enter(request, path: str, body) -> Door:
    return (enter_azure if path.startswith("/openai/") else enter_vertex)(request, path, body)
