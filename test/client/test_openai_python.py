"""The official OpenAI SDK for Python, unmodified, against a gateway and a scripted provider."""
from __future__ import annotations

import asyncio
import json
import re

import openai
import pytest

import raw
from certificates import Authority
from conftest import LIMITED
from free_port import free_port
from gateway import Gateway
from redis_server import RedisServer
from upstream import Upstream, until

HELLO = [{"role": "user", "content": "hello"}]
WEATHER = [{"type": "function", "function": {
    "name": "weather", "parameters": {"type": "object",
                                      "properties": {"city": {"type": "string"}}}}}]


@pytest.fixture
def sdk(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=raw.KEY, max_retries=0) as client:
        yield client


def text_of(chunks) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def test_whole_answer(sdk):
    answer = sdk.chat.completions.create(model="good", messages=HELLO)
    assert answer.choices[0].message.content == "You said: hello"
    assert re.fullmatch("[0-9a-f]{32}", answer._request_id)


def test_streamed_answer(sdk):
    chunks = list(sdk.chat.completions.create(model="good", messages=HELLO, stream=True))
    assert text_of(chunks) == "You said: hello"
    assert all(c.choices for c in chunks)


def test_streamed_answer_with_usage(sdk):
    chunks = list(sdk.chat.completions.create(model="good", messages=HELLO, stream=True,
                                              stream_options={"include_usage": True}))
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 3


def test_stream_helper(sdk):
    with sdk.chat.completions.stream(model="good", messages=HELLO) as stream:
        kinds = {event.type for event in stream}
        assert stream.get_final_completion().choices[0].message.content == "You said: hello"
    assert "content.delta" in kinds and "content.done" in kinds


def test_tools_whole_and_streamed(sdk):
    whole = sdk.chat.completions.create(model="good", messages=HELLO, tools=WEATHER)
    with sdk.chat.completions.stream(model="good", messages=HELLO, tools=WEATHER) as stream:
        streamed = stream.get_final_completion()
    for answer in (whole, streamed):
        call = answer.choices[0].message.tool_calls[0]
        assert call.function.name == "weather"
        assert json.loads(call.function.arguments) == {"city": "Tromsø"}
    messages = HELLO + [whole.choices[0].message.model_dump(exclude_none=True),
                        {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    final = sdk.chat.completions.create(model="good", messages=messages, tools=WEATHER)
    assert final.choices[0].message.content == "You said: hello"


def test_legacy_completions(sdk):
    whole = sdk.completions.create(model="good", prompt="once")
    streamed = sdk.completions.create(model="good", prompt="once", stream=True)
    assert whole.choices[0].text == "You said: once"
    assert "".join(c.choices[0].text for c in streamed if c.choices) == "You said: once"


def test_embeddings_of_every_kind_of_input(sdk, upstream):
    """Tokens go on as they are: LangChain sends nothing else."""
    for given in ("a text", ["a", "b"], [1, 2, 3], [[1, 2], [100257]]):
        answer = sdk.embeddings.create(model="good", input=given)
        assert upstream.requests[-1].json["input"] == given
        assert answer.object == "list" and answer.usage.prompt_tokens == answer.usage.total_tokens
        assert answer.usage.completion_tokens == 0 and answer.id == "gen-" + answer.request_id


@pytest.mark.parametrize("wrong, param", [
    ({"input": ["a"] * 2049}, "input"), ({"input": ["a", 1]}, "input[1]"),
    ({"input": [[1], ["b"]]}, "input[1][0]"), ({"dimensions": 0}, "dimensions"),
    ({"encoding_format": "int8"}, "encoding_format"), ({"extra_body": {"stream": True}}, "stream")])
def test_what_is_wrong_in_a_request_for_embeddings_is_named(sdk, wrong, param):
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.embeddings.create(**{"model": "good", "input": "x"} | wrong)
    assert caught.value.param == param and caught.value.type == "invalid_request_error"


def test_embeddings_that_are_none_raise(sdk, upstream):
    async def other(x):
        await x.reply(200, b'{"detail":"moved"}')

    with pytest.raises(openai.InternalServerError) as caught:
        sdk.embeddings.create(model=upstream.play(other), input="x")
    assert caught.value.status_code == 502


def test_embeddings_in_base64_and_as_numbers(sdk):
    packed = sdk.embeddings.create(model="good", input=["a", "b"])
    plain = sdk.embeddings.create(model="good", input=["a", "b"], encoding_format="float")
    tokens = sdk.embeddings.create(model="good", input=[[1, 2, 3]], dimensions=4)
    assert [d.embedding for d in packed.data] == [d.embedding for d in plain.data]
    assert len(tokens.data[0].embedding) == 4


def test_models(sdk):
    assert "good" in [m.id for m in sdk.models.list()]
    assert sdk.models.retrieve("good").id == "good"
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("absent")


def test_extra_members_and_headers_go_through(sdk):
    answer = sdk.chat.completions.create(
        model="echo", messages=HELLO, extra_body={"x_custom": [1, None]},
        extra_headers={"x-custom": "kept"})
    heard = json.loads(answer.choices[0].message.content)
    assert heard["body"]["x_custom"] == [1, None]
    assert heard["headers"]["x-custom"] == "kept"


def test_gateway_members_are_answered_by_the_gateway(sdk):
    answer = sdk.chat.completions.create(model="good", messages=HELLO,
                                         extra_body={"usage": {"include": True}})
    assert answer.cost == 0 or answer.cost > 0
    assert answer.provider == "up"
    assert answer.request_id == answer._request_id


def test_leaving_a_stream_cancels_it(sdk, upstream):
    with sdk.chat.completions.create(model="endless", messages=HELLO, stream=True) as stream:
        for _ in range(5):
            next(iter(stream))
    exchange = upstream.exchanges_of("endless")[-1]
    until(lambda: exchange.aborted, what="the cancel")


def test_timeout_of_the_client(sdk, upstream):
    with pytest.raises(openai.APITimeoutError):
        sdk.with_options(timeout=0.3).chat.completions.create(model="silent", messages=HELLO)
    exchange = upstream.exchanges_of("silent")[-1]
    until(lambda: exchange.aborted, what="the cancel")


@pytest.mark.parametrize("model", ["reset-mid-stream", "error-mid-stream", "no-finish"])
def test_error_in_the_middle_of_a_stream(sdk, model):
    chunks = []
    with pytest.raises(openai.APIError):
        for chunk in sdk.chat.completions.create(model=model, messages=HELLO, stream=True):
            chunks.append(chunk)
    assert text_of(chunks).startswith("You said:")


CLASSES = {
    "status-400": openai.BadRequestError, "status-403": openai.PermissionDeniedError,
    "status-404": openai.NotFoundError, "status-409": openai.ConflictError,
    "status-422": openai.UnprocessableEntityError, "status-429": openai.RateLimitError,
    "status-500": openai.InternalServerError, "status-502": openai.InternalServerError,
    "status-503": openai.InternalServerError, "html": openai.InternalServerError,
    "garbage": openai.InternalServerError, "reset-before-head": openai.InternalServerError,
    "no-such-model": openai.NotFoundError,
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", CLASSES)
def test_class_of_the_error(sdk, model, stream):
    with pytest.raises(CLASSES[model]) as caught:
        sdk.chat.completions.create(model=model, messages=HELLO, stream=stream)
    assert caught.value.message and caught.value.request_id


def test_code_clients_switch_on(sdk):
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.chat.completions.create(model="status-400", messages=HELLO)
    assert caught.value.code == "context_length_exceeded"


def test_wrong_key(gateway):
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=gateway.base_url, api_key="sk-wrong", max_retries=0).models.list()


def test_limit_of_requests_per_minute(gateway):
    limited = openai.OpenAI(base_url=gateway.base_url, api_key=LIMITED, max_retries=0)
    with pytest.raises(openai.RateLimitError) as caught:
        for _ in range(3):
            limited.chat.completions.create(model="good", messages=HELLO)
    assert int(caught.value.response.headers["retry-after"]) >= 1


@pytest.mark.parametrize("model", ["flaky-429", "flaky-500", "flaky-503"])
def test_retries_of_the_sdk_reach_the_provider_again(sdk, model):
    messages = [{"role": "user", "content": f"python {model}"}]
    answer = sdk.with_options(max_retries=2).chat.completions.create(model=model, messages=messages)
    assert answer.choices[0].finish_reason == "stop"


def test_many_at_once(gateway):
    async def one(client, number):
        stream = await client.chat.completions.create(
            model="good", messages=[{"role": "user", "content": f"number {number}"}], stream=True)
        return text_of([chunk async for chunk in stream])

    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key=raw.KEY) as client:
            return await asyncio.gather(*(one(client, n) for n in range(40)))
    assert asyncio.run(all_of_them()) == [f"You said: number {n}" for n in range(40)]


def test_chat_with_tls_on_both_sides_and_redis_counting(tmp_path):
    """The whole way at once: SDK, TLS, gateway with Redis, TLS, provider."""
    if not RedisServer.available():
        pytest.fail("redis-server is not installed; scripts/test installs it")
    authority = Authority(tmp_path, "client-test-ca")
    pair = authority.issue("both-sides")
    up, redis = Upstream(tls=pair.server_context()).start(), RedisServer(tmp_path).start()
    port, tls_port = free_port(), free_port()
    gw = Gateway(
        tmp_path / "gateway", up.base_url.replace("127.0.0.1", "localhost"), port=port,
        listeners=[
            {"name": "ops", "address": f"127.0.0.1:{port}", "serves": ["health", "metrics"]},
            {"name": "api", "address": f"127.0.0.1:{tls_port}", "serves": ["api"],
             "tls": {"cert": str(pair.cert), "key": str(pair.key)}}],
        keys=[{"name": "dev", "secret": raw.KEY, "limits": {"rpm": 20}}],
        providers={"up": {"tls": {"ca": str(authority.file)}}},
        store={"url": f"redis://127.0.0.1:{redis.port}"})
    try:
        gw.start()
        gw.connected()
        secure = openai.DefaultHttpxClient(verify=authority.client_context())
        with openai.OpenAI(base_url=f"https://localhost:{tls_port}/v1", api_key=raw.KEY,
                           max_retries=0, http_client=secure) as client:
            for _ in range(20):
                stream = client.chat.completions.create(model="good", messages=HELLO, stream=True)
                assert text_of(stream) == "You said: hello"
            with pytest.raises(openai.RateLimitError):
                client.chat.completions.create(model="good", messages=HELLO)
        assert redis.keys()
        gw.stop()
    finally:
        gw.kill()
        redis.stop()
        up.stop()


def test_demo_with_no_configuration_at_all(demo):
    client = openai.OpenAI(base_url=demo.base_url, api_key="none needed", max_retries=0)
    whole = client.chat.completions.create(model="sluice/demo", messages=HELLO)
    with client.chat.completions.stream(model="sluice/demo", messages=HELLO) as stream:
        streamed = stream.get_final_completion()
    assert "demo" in whole.choices[0].message.content.lower()
    assert streamed.choices[0].message.content == whole.choices[0].message.content
    assert whole.usage.total_tokens > 0
    with client.chat.completions.stream(model="sluice/demo", messages=HELLO,
                                        tools=WEATHER) as stream:
        called = stream.get_final_completion()
    assert called.choices[0].message.tool_calls[0].function.name == "weather"
