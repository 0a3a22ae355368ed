"""GET /v1/openapi.json (META-2): a document that tools can use, and the same paths the router has."""
from __future__ import annotations

import json
import re

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import raw
from free_port import free_port
from gateway import ROOT

ROWS = re.findall(r'\{METHOD_(\w+), "([^"]+)", (\w+), (&?\w+), (\w+)([^{}]*)\}',
                  (ROOT / "src/api/table.c").read_text())
KINDS = {name: made for file in (ROOT / "src/api").glob("*.c") for name, made in
         re.findall(r"struct exchange_kind (\w+) = (\{[^}]*\})", file.read_text())}


def serving(start, *what: str):
    port = free_port()
    return start(port=port, listeners=[{"address": f"127.0.0.1:{port}", "serves": list(what)}])


@pytest.fixture
def document(start) -> dict:
    gw = serving(start, "api", "admin", "health", "metrics")
    answer = gw.get("/v1/openapi.json", key=None)
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    return answer.json


def routed() -> set[tuple[str, str]]:
    """What the table of rows serves, as a document writes it."""
    found = set()
    for method, path, _, kind, answer, _ in ROWS:
        path = path.replace("*", "{id}")
        found.add((method.lower(), path))
        if answer == "NULL" and ".take" not in KINDS[kind.strip("&")]:
            found.add((method.lower(), path.replace("/v1/", "/v1/{pipeline}/")))
    return found


def operations(document: dict) -> dict[tuple[str, str], dict]:
    return {(method, path): operation for path, methods in document["paths"].items()
            for method, operation in methods.items()}


def test_document_is_valid(document):
    OpenAPIV31SpecValidator(document).validate()
    ids = [o["operationId"] for o in operations(document).values()]
    assert len(ids) == len(set(ids)) and "post_chat_completions" in ids


def test_document_has_the_rows_of_the_router(document):
    assert len(ROWS) > 15
    assert set(operations(document)) == routed()


def test_every_row_says_what_it_does(document):
    """rows.h: behind the function that answers stands the summary, then the bodies' schemas."""
    without = sorted(f"{method} {path}" for (method, path), o in operations(document).items()
                     if len(o.get("summary", "")) < 5)
    assert not without, f"rows of src/api/table.c without a summary: {without}"


def test_key_is_asked_for_where_the_router_does(document):
    for (_, path), o in operations(document).items():
        wanted = [] if path in ("/v1/openapi.json", "/healthz", "/livez", "/readyz", "/metrics") else \
            [{"adminToken": []}] if path.startswith("/admin") else None
        assert o.get("security") == wanted, path


def test_listener_tells_of_what_it_serves(start):
    gw = serving(start, "api")
    paths = gw.get("/api/v1/openapi.json", key=None).json["paths"]
    assert "/v1/chat/completions" in paths and "/healthz" in paths
    assert "/metrics" not in paths and not any(p.startswith("/admin") for p in paths)


def check(document: dict, name: str, value) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)


def test_answers_are_what_the_document_says(document, gateway):
    answer = gateway.chat("good")
    check(document, "ChatAnswer", answer.json)
    for data in raw.events_of(gateway.chat("good", stream=True).body):
        if data != "[DONE]":
            check(document, "ChatChunk", data)
    check(document, "Error", gateway.chat("nobody").json)
    check(document, "ModelList", gateway.get("/v1/models").json)
    check(document, "Model", gateway.get("/v1/models/good").json)
    check(document, "EndpointList", gateway.get("/v1/models/good/endpoints").json)
    check(document, "ProviderList", gateway.get("/v1/providers").json)
    check(document, "Balance", gateway.get("/v1/balance").json)
    check(document, "Quota", gateway.get("/v1/quota").json)
    with pytest.raises(jsonschema.ValidationError):
        check(document, "ChatRequest", {"model": "x"})


def test_preferences_are_those_the_reader_knows(document):
    known = set(re.findall(r'IS\("(\w+)"\)', (ROOT / "src/route/preferences.c").read_text()))
    assert set(document["components"]["schemas"]["Preferences"]["properties"]) == known
    assert "sort" in known
    assert json.dumps(document).count("#/components/schemas/Preferences") > 5
