"""GET /v1/models: what callers may name, what it can do, and ways to look for it (META-1, META-3);
who answers for it, and how they do (META-4, META-5)."""
from __future__ import annotations

import json

import pytest

import raw
from gateway import Gateway

MODELS = {
    "lab/seer": {"name": "Seer One", "context": 200000, "input": ["text", "image"],
                 "distillable": True, "created": 1_700_000_000, "endpoints": [
                     {"provider": "up", "upstream_model": "seer", "params": ["tools", "seed"],
                      "max_output": 8000, "price": {"input": "3.00", "output": "15.00"}},
                     {"provider": "up", "variant": "fast", "upstream_model": "seer-fast",
                      "params": ["temperature"], "max_output": 4000,
                      "price": {"input": "1.00", "output": "2.00", "cache_read": "0.10"}}]},
    "lab/vectors": {"provider": "up", "upstream_model": "v", "category": "embedding",
                    "output": ["embedding"], "params": []},
    "gpt-4o": {"provider": "up", "upstream_model": "gpt-4o"},
    "gone": {"provider": "up", "upstream_model": "x", "enabled": False},
    "best": {"alias": ["lab/seer"]},
}


@pytest.fixture(scope="module")
def listing(upstream, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("listing"), upstream.base_url, models=MODELS).start()
    yield gw
    gw.stop()


def ids(gw, query: str = "") -> list[str]:
    """Of ours: the bed offers others, too."""
    return [m["id"] for m in gw.get(f"/v1/models{query}").json["data"] if m["id"] in MODELS]


def test_models_tell_what_they_can_do(listing):
    seer = listing.get("/v1/models/lab/seer").json
    assert seer == {
        "id": "lab/seer", "object": "model", "type": "model", "created": 1_700_000_000,
        "created_at": "2023-11-14T22:13:20Z", "owned_by": "up", "display_name": "Seer One",
        "category": "llm", "context_length": 200000, "max_input_tokens": 200000,
        "max_output_tokens": 8000, "max_tokens": 8000, "input_modalities": ["text", "image"],
        "output_modalities": ["text"], "supported_parameters": ["tools", "temperature", "seed"],
        "pricing": {"prompt": "0.000001", "completion": "0.000002", "cache_read": "0.0000001"},
        "distillable": True, "endpoints_count": 2}


def test_alias_tells_what_its_first_model_can_do(listing):
    best = {m["id"]: m for m in listing.get("/v1/models").json["data"]}["best"]
    assert best["display_name"] == "best" and listing.get("/v1/models/best").json["id"] == "best"
    assert best["context_length"] == 200000 and best["supported_parameters"][0] == "tools"


def test_undescribed_model_is_taken_for_what_its_name_says(listing):
    gpt = listing.get("/v1/models/gpt-4o").json
    assert {"tools", "temperature", "structured_outputs"} <= set(gpt["supported_parameters"])
    assert "reasoning" not in gpt["supported_parameters"]
    assert gpt["input_modalities"] == ["text"] and "pricing" not in gpt


@pytest.mark.parametrize("query,wanted", [
    ("", ["best", "gpt-4o", "lab/seer", "lab/vectors"]),
    ("?client_version=1.2&limit=5", ["best", "gpt-4o", "lab/seer", "lab/vectors"]),
    ("?category=Embedding", ["lab/vectors"]),
    ("?category=LLM&q=seer", ["lab/seer"]),
    ("?q=SEER%20one", ["lab/seer"]),
    ("?q=seer+one", ["lab/seer"]),
    ("?supported_parameters=tools", ["best", "gpt-4o", "lab/seer"]),
    ("?supported_parameters=tools,%20top_k", ["gpt-4o"]),
    ("?supported_parameters=flying", []),
    ("?q=%zz", []),
    ("?category=", ["best", "gpt-4o", "lab/seer", "lab/vectors"]),
])
def test_models_can_be_looked_for(listing, query, wanted):
    assert sorted(ids(listing, query)) == wanted


def test_model_nobody_answers_for_is_not_offered(listing):
    assert "gone" not in ids(listing)
    assert listing.chat("gone").status == 503


# Endpoints and providers, META-4 and META-5.

def described(upstream) -> dict:
    at_upstream = {"protocol": "openai", "base_url": upstream.base_url, "api_key": "sk-up-secret"}
    return {
        "providers": {"gemini": at_upstream | {"data_policy": {"zdr": True}},
                      "other": at_upstream | {"data_policy": {"retention": "36h", "region": "eu"}}},
        "models": {
            "lab/seer": {"context": 1000, "endpoints": [
                {"provider": "gemini", "variant": "fp8", "quantization": "fp8", "upstream_model": "good",
                 "params": ["seed"], "max_output": 50, "price": {"input": "1.00"}},
                {"provider": "other", "upstream_model": "good"}]},
            "lab/idle": {"provider": "other", "upstream_model": "good", "enabled": False},
            "pair": {"alias": ["lab/seer", "lab/idle"]}},
        "keys": [{"name": "all", "secret": "sl_all_0123456789", "models": ["*"]},
                 {"name": "one", "secret": "sl_one_0123456789", "models": ["pair"]}],
        "auth": "required"}


def test_endpoints_tell_what_they_are_and_how_they_do(start, upstream):
    gw = start(**described(upstream))
    key = "sl_all_0123456789"
    before = gw.get("/v1/models/lab/seer/endpoints", key=key).json
    assert before["id"] == "lab/seer"
    assert before["endpoints"][0] == {
        "provider": "gemini", "slug": "google-ai-studio/fp8", "quantization": "fp8",
        "context_length": 1000, "max_output": 50, "pricing": {"prompt": "0.000001"},
        "supported_parameters": ["seed"], "data_collection": "deny", "zdr": True, "status": "closed",
        "stats": {"latency": None, "throughput": None, "success_rate": None, "samples": 0}}
    assert before["endpoints"][1]["data_collection"] == "allow"
    assert before["endpoints"][1]["max_output"] is None
    for _ in range(3):
        answer = gw.ask(raw.request_bytes("POST", "/v1/chat/completions", json.dumps({
            "model": "lab/seer", "stream": True, "seed": 1, "provider": {"only": ["google-ai-studio"]},
            "messages": [{"role": "user", "content": "x"}]}).encode(), key=key))
        assert answer.status == 200
    stats = gw.get("/api/v1/models/seer/endpoints", key=key).json["endpoints"][0]["stats"]
    assert stats["samples"] == 3 and stats["success_rate"] == 1
    latency = stats["latency"]
    assert 0 <= latency["p50"] <= latency["p75"] <= latency["p90"] <= latency["p99"] < 60
    assert "sk-up-secret" not in json.dumps(before) and upstream.base_url not in json.dumps(before)


def test_endpoints_are_those_the_key_reaches(start, upstream):
    gw = start(**described(upstream))
    alias = gw.get("/v1/models/pair/endpoints", key="sl_one_0123456789").json
    assert [e["slug"] for e in alias["endpoints"]] == ["google-ai-studio/fp8", "other", "other"]
    assert alias["endpoints"][2]["status"] == "disabled"
    assert gw.get("/v1/models/pair", key="sl_one_0123456789").json["id"] == "pair"
    for path in ("lab/seer", "nobody", "", "nobody/endpoints"):
        answer = gw.get(f"/v1/models/{path}/endpoints", key="sl_one_0123456789")
        assert answer.status == 404, path
        assert answer.json["error"]["type"] == "model_not_found"
    assert gw.get("/v1/models/pair/endpoints", key=None).status == 401


def test_providers_are_listed_by_the_names_requests_use(start, upstream):
    gw = start(**described(upstream))
    listed = gw.get("/v1/providers", key="sl_all_0123456789")
    found = {p["slug"]: p for p in listed.json["data"]}
    assert found["google-ai-studio"] == {
        "slug": "google-ai-studio", "name": "gemini", "aliases": ["gemini", "google-ai"],
        "protocol": "openai", "models": 1, "any_model": False, "status": "up",
        "data_policy": {"stores": False, "trains": False, "zdr": True}}
    assert found["other"]["models"] == 1 and found["other"]["aliases"] == []
    assert found["other"]["data_policy"] == {"stores": True, "trains": True, "zdr": False,
                                             "retention_days": 2, "region": "eu"}
    assert {"x-ai", "tavily", "weights-biases", "fireworks"} <= set(listed.json["known"])
    assert len(listed.json["known"]) == len(set(listed.json["known"])) > 107
    assert b"sk-up-secret" not in listed.body and upstream.base_url.encode() not in listed.body
    assert gw.get("/v1/providers", key="sl_one_0123456789").json["data"] == []
    assert gw.get("/v1/providers", key=None).status == 401
