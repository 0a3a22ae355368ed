"""The test bed itself, without a gateway: the provider must be right before it may be wrong."""
from __future__ import annotations

import time

import openai
import pytest

import misbehaviour
import raw
from redis_server import RedisServer
from upstream import until


@pytest.fixture
def sdk(upstream):
    return openai.OpenAI(base_url=upstream.base_url, api_key="unused", max_retries=0)


def test_official_sdk_accepts_the_providers_chat(sdk):
    answer = sdk.chat.completions.create(model="good", messages=[{"role": "user", "content": "hi"}])
    assert answer.choices[0].message.content == "You said: hi"
    assert answer.model == "good-2026-11-01"


def test_official_sdk_accepts_the_providers_stream(sdk):
    with sdk.chat.completions.stream(
            model="good", messages=[{"role": "user", "content": "a b c"}],
            stream_options={"include_usage": True}) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == "You said: a b c"
    assert final.usage.completion_tokens == 5


def test_official_sdk_accepts_the_providers_tool_calls(sdk):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    with sdk.chat.completions.stream(
            model="good", messages=[{"role": "user", "content": "x"}], tools=tools) as stream:
        final = stream.get_final_completion()
    call = final.choices[0].message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("weather", '{"city":"Tromsø"}')


def test_official_sdk_decodes_the_providers_embeddings(sdk):
    packed = sdk.embeddings.create(model="good", input=["a", "b"])
    floats = sdk.embeddings.create(model="good", input=["a", "b"], encoding_format="float")
    assert [d.embedding for d in packed.data] == [d.embedding for d in floats.data]


def test_errors_have_openais_shape(sdk):
    with pytest.raises(openai.RateLimitError) as caught:
        sdk.chat.completions.create(model="status-429",
                                    messages=[{"role": "user", "content": "x"}])
    assert caught.value.code == "rate_limit_exceeded"


def direct(upstream, model, **more):
    client = raw.Client((upstream.host, upstream.port))
    client.send(raw.chat_bytes(model, **more))
    return client


def test_reset_is_a_reset(upstream):
    model = upstream.play(misbehaviour.reset_before_head)
    with direct(upstream, model) as client, pytest.raises(ConnectionResetError):
        client.sock.recv(1)


def test_truncated_stream_ends_inside_a_chunk(upstream):
    model = upstream.play(misbehaviour.events_then(2, "mid chunk"))
    with direct(upstream, model, stream=True) as client, pytest.raises(raw.Closed):
        raw.Stream(client).rest()


@pytest.mark.parametrize("name", ["crlf", "lone_cr", "commented", "no_space", "named",
                                  "multi_data", "byte_order_mark", "byte_by_byte", "one_write",
                                  "chunk_extensions_and_trailers"])
def test_unusual_spellings_say_the_same(upstream, name):
    model = upstream.play(getattr(misbehaviour, name))
    with direct(upstream, model, stream=True) as client:
        events = raw.events_of(raw.Stream(client).rest())
    assert raw.content_of(events) == "You said: hello"
    assert events[-1] == "[DONE]"


def test_leaving_client_is_recorded_with_its_time(upstream):
    model = upstream.play(misbehaviour.silent)
    client = direct(upstream, model)
    exchange = upstream.exchange_of(model)
    left = time.monotonic()
    client.close()
    until(lambda: exchange.aborted, what="the abort")
    assert 0 <= exchange.aborted - left < 0.5


def test_slow_reader_holds_the_script(upstream):
    model = upstream.play(misbehaviour.endless(65536))
    with direct(upstream, model, stream=True):
        exchange = upstream.exchange_of(model)
        time.sleep(0.3)
        sent = exchange.sent
        time.sleep(0.3)
        assert exchange.sent == sent < 16 << 20


def test_body_arrives_byte_for_byte(upstream):
    body = '{"model":"good" , "x":1e3,\t"messages":[{"role":"user","content":"\\u00e9é"}],"x":2}'
    with raw.Client((upstream.host, upstream.port)) as client:
        client.ask(raw.request_bytes("POST", "/v1/chat/completions", body.encode()))
    assert upstream.requests[-1].body == body.encode()


def test_redis_starts_on_port_and_socket(tmp_path):
    server = RedisServer(tmp_path, password="secret").start()
    try:
        server.command("SET", "a", "1")
        assert server.keys() == ["a"]
    finally:
        server.stop()
