"""Golden invoices: one usage, whatever a provider calls its counts, is one cost to the pico-dollar, in every
client's protocol, streamed or not (docs/metering.md, contract 2.5)."""
from __future__ import annotations

import json
from decimal import Decimal

import pytest

import provider
import provider_converse
import provider_gemini
import provider_messages
import provider_responses
import raw
from gateway import Gateway

AWS = {"region": provider_converse.REGION, "access_key": provider_converse.KEY_ID,
       "secret_key": provider_converse.SECRET}
UPSTREAMS = ["openai", "anthropic", "responses", "gemini", "bedrock"]
CLIENTS = {"chat": "/v1/chat/completions", "completions": "/v1/completions",
           "messages": "/v1/messages", "responses": "/v1/responses"}
PRICE = {"input": "2", "output": "10", "cache_read": "0.5", "cache_write": "2.5",
         "cache_write_1h": "4", "search": "0.01"}
USD = Decimal("0.000001")
# Of 1000 tokens read 300 were cached and 200 written, 80 of them for an hour; of 500 written 100 were
# reasoning. Gemini does not tell of writing.
DETAILS = {"prompt_cost", "prompt_cache_read_cost", "prompt_cache_write_5_min",
           "prompt_cache_write_1_h", "prompt_cache_write_cost", "completion_cost",
           "reasoning_cost", "image_cost", "audio_cost", "video_cost", "native_web_search_cost",
           "plugin_web_search_cost", "tools_cost", "byok_cost", "discount_rate", "is_byok"}
NO_PARTS = {"prompt_cache_write_5_min", "prompt_cache_write_1_h", "byok_cost", "discount_rate",
            "is_byok"}


class Counts:
    """What all providers say from now on; `hour` of what was written."""
    written = hour = searches = 0
    said = True

    def chat(self, body, completion):
        return {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500,
                "prompt_tokens_details": {"cached_tokens": 300, "cache_write_tokens": self.written},
                "completion_tokens_details": {"reasoning_tokens": 100}}

    def messages(self, body):
        return {"input_tokens": 700 - self.written, "cache_read_input_tokens": 300,
                "cache_creation_input_tokens": self.written, "output_tokens": 500,
                "cache_creation": {"ephemeral_5m_input_tokens": self.written - self.hour,
                                   "ephemeral_1h_input_tokens": self.hour},
                "server_tool_use": {"web_search_requests": self.searches},
                "output_tokens_details": {"thinking_tokens": 100}}

    def responses(self, body):
        return {"input_tokens": 1000, "output_tokens": 500, "total_tokens": 1500,
                "input_tokens_details": {"cached_tokens": 300, "cache_write_tokens": self.written},
                "output_tokens_details": {"reasoning_tokens": 100}}

    def gemini(self, body):
        return {"promptTokenCount": 900, "toolUsePromptTokenCount": 100, "totalTokenCount": 1500,
                "cachedContentTokenCount": 300, "candidatesTokenCount": 400,
                "thoughtsTokenCount": 100}

    def converse(self, body):
        return {"inputTokens": 700 - self.written, "outputTokens": 500, "totalTokens": 1500,
                "cacheReadInputTokens": 300, "cacheWriteInputTokens": self.written,
                "cacheDetails": [{"ttl": "1h", "inputTokens": self.hour},
                                 {"ttl": "5m", "inputTokens": self.written - self.hour}]}


@pytest.fixture
def counts(monkeypatch):
    made = Counts()
    monkeypatch.setattr(provider, "usage", made.chat)
    monkeypatch.setattr(provider_messages, "usage", made.messages)
    monkeypatch.setattr(provider_responses, "usage", made.responses)
    monkeypatch.setattr(provider_gemini, "usage", made.gemini)
    monkeypatch.setattr(provider_converse, "usage", made.converse)
    return made


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    providers = {name: {"protocol": name, "base_url": upstream.base_url, "api_key": "sk-up"}
                 | ({"aws": AWS, "api_key": None} if name == "bedrock" else {})
                 for name in UPSTREAMS}
    models = {name: {"endpoints": [{"provider": name, "upstream_model": "good", "price": PRICE}]}
              for name in UPSTREAMS}
    gw = Gateway(tmp_path_factory.mktemp("gateway"), upstream.base_url, providers=providers,
                 models=models).start()
    yield gw
    gw.stop()


def body_of(client: str, model: str, **more) -> dict:
    said = {"chat": {"messages": [{"role": "user", "content": "hi"}]},
            "completions": {"prompt": "hi"},
            "messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 900},
            "responses": {"input": "hi"}}[client]
    return {"model": model, "usage": {"include": True}} | said | more


def ask(gw, client: str, model: str, **more) -> raw.Response:
    answer = gw.ask(raw.request_bytes(
        "POST", CLIENTS[client], json.dumps(body_of(client, model, **more)).encode()))
    assert answer.status == 200, answer.body
    return answer


def exact(text: bytes | str):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def bill_of(client: str, answer: raw.Response, stream: bool) -> dict:
    """The object that tells the cost; there is one."""
    if not stream:
        return exact(answer.body)
    events = [exact(line[6:]) for line in answer.body.decode().split("\n")
              if line.startswith("data: {")]
    hosts = [e.get("response", e) if client == "responses" else e for e in events]
    bills = [h for h in hosts if "cost" in h]
    assert len(bills) == 1
    if client in ("chat", "completions"):
        assert bills[0]["choices"] == [] and bills[0] is hosts[-1]
    return bills[0]


def shape_of(client: str, u: dict, reasoning: int) -> dict:
    """Of each protocol's words for them: what was read, cached, written to the cache, and said."""
    if client == "messages":
        kept = u["cache_creation_input_tokens"]
        split = u.get("cache_creation", {})
        assert not split or sum(split.values()) == kept
        return {"P": u["input_tokens"] + u["cache_read_input_tokens"] + kept,
                "R": u["cache_read_input_tokens"], "W": kept, "C": u["output_tokens"]}
    name = "input" if client == "responses" else "prompt"
    said = "output" if client == "responses" else "completion"
    details = u[f"{name}_tokens_details"]
    assert u["total_tokens"] == u[f"{name}_tokens"] + u[f"{said}_tokens"]
    assert u[f"{said}_tokens_details"]["reasoning_tokens"] == reasoning
    return {"P": u[f"{name}_tokens"], "R": details["cached_tokens"],
            "W": details["cache_write_tokens"], "C": u[f"{said}_tokens"]}


def assert_invoice(gw, client, model, answer, stream, written=0, hour=0, searches=0):
    bill = bill_of(client, answer, stream)
    parts = bill["cost_details"]
    assert set(parts) == DETAILS and parts["is_byok"] is False and parts["discount_rate"] == 1
    assert sum(v for k, v in parts.items() if k not in NO_PARTS) == bill["cost"]
    assert parts["prompt_cost"] == (700 - written) * 2 * USD
    assert parts["prompt_cache_read_cost"] == 300 * Decimal("0.5") * USD
    assert parts["prompt_cache_write_5_min"] == (written - hour) * Decimal("2.5") * USD
    assert parts["prompt_cache_write_1_h"] == hour * 4 * USD
    assert parts["completion_cost"] == 500 * 10 * USD and parts["reasoning_cost"] == 0
    assert parts["native_web_search_cost"] == searches * Decimal("0.01")
    record = gw.record_of(answer.headers["x-request-id"])
    assert Decimal(record["cost_pd"]) == bill["cost"] * 10 ** 12
    assert record["usage_source"] == "provider" and "insured" not in record
    return bill


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("upstream_protocol", UPSTREAMS)
def test_cost_is_the_same_everywhere(gateway, counts, upstream_protocol, client, stream):
    answer = ask(gateway, client, upstream_protocol, stream=stream)
    bill = assert_invoice(gateway, client, upstream_protocol, answer, stream)
    usage = bill["usage"]
    reasoning = 0 if upstream_protocol == "bedrock" else 100  # it does not tell
    if client == "messages" and stream and upstream_protocol == "anthropic":
        assert usage["output_tokens"] == 500  # the rest was told at the beginning
    else:
        assert shape_of(client, usage, reasoning) == {"P": 1000, "R": 300, "W": 0, "C": 500}
    assert usage["ttft"] >= 0 and usage["server_tool_use"]["web_search_requests"] == 0
    if client != "responses":
        assert usage["output_tokens"] == 500
    if client in ("chat", "completions"):
        assert usage["input_tokens"] == 700
        if upstream_protocol != "openai":  # else the words are the provider's
            assert usage["prompt_tokens_details"]["text_tokens"] == 1000


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("client", ["chat", "messages"])
@pytest.mark.parametrize("upstream_protocol", ["openai", "anthropic", "responses", "bedrock"])
def test_what_goes_into_a_cache_is_charged_by_how_long_it_stays(gateway, counts, upstream_protocol,
                                                                client, stream):
    counts.written = 200
    counts.hour = 80 if upstream_protocol in ("anthropic", "bedrock") else 0
    answer = ask(gateway, client, upstream_protocol, stream=stream)
    assert_invoice(gateway, client, upstream_protocol, answer, stream, 200, counts.hour)


@pytest.mark.parametrize("client", ["chat", "messages", "responses"])
def test_searches_of_the_providers_are_charged_each(gateway, counts, client):
    counts.searches = 3
    answer = ask(gateway, client, "anthropic")
    bill = assert_invoice(gateway, client, "anthropic", answer, False, searches=3)
    assert bill["usage"]["server_tool_use"]["web_search_requests"] == 3
    assert gateway.record_of(answer.headers["x-request-id"])["searches"] == 3


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("upstream_protocol", UPSTREAMS)
def test_nobody_is_told_of_costs_who_did_not_ask(gateway, counts, upstream_protocol, client, stream):
    answer = ask(gateway, client, upstream_protocol, stream=stream, usage={"include": False})
    assert b"cost_details" not in answer.body and b"ttft" not in answer.body
    record = gateway.record_of(answer.headers["x-request-id"])
    assert record["cost_pd"] == 700 * 2_000_000 + 300 * 500_000 + 500 * 10_000_000


def test_tokens_are_counted_by_what_they_are(gateway, counts):
    counts.written, counts.hour = 200, 80

    def figures():
        return {t: gateway.metric("sluice_tokens_total", provider="anthropic", type=t,
                                  source="provider")
                for t in ("input", "output", "cache_read", "cache_write", "cache_write_1h",
                          "reasoning")}
    before = figures()
    answer = ask(gateway, "messages", "anthropic")
    gateway.record_of(answer.headers["x-request-id"])
    assert {t: n - before[t] for t, n in figures().items()} == {
        "input": 1000, "output": 500, "cache_read": 300, "cache_write": 200, "cache_write_1h": 80,
        "reasoning": 100}
