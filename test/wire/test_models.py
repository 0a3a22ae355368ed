"""GET /v1/models: what callers may name, what it can do, and ways to look for it (META-1, META-3)."""
from __future__ import annotations

import pytest

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
