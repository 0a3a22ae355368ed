"""The relay: bytes go through as they came, at once, bounded, and an end is never made up."""
from __future__ import annotations

import json
import time

import pytest

import misbehaviour
import provider
import raw
from gateway import Gateway
from promises import assert_envelope, assert_in_band_error, assert_whole
from upstream import until

SPELLINGS = [
    '{"model":"%s","messages":[{"role":"user","content":"plain"}]}',
    ' \t\r\n{ "messages" : [ { "role":"user" , "content" : "late model" } ] ,\n "model"\t:"%s" }\n',
    '{"model":"%s","messages":[{"role":"user","content":"\\u00e9é\\ud83d\\ude00😀"}],"x":1.0e+3}',
    '{"x":1,"x":2,"model":"%s","messages":[{"role":"user","content":"duplicates"}],"x":3}',
    '{"model":"%s","messages":[{"role":"user","content":"nested"}],'
    '"metadata":{"model":"not me","stream":true,"provider":{"a":1}}}',
    '{"model":"%s","messages":[{"role":"user","content":"{\\"model\\":\\"nor me\\"}"}]}',
    '{"model":"%s","messages":[{"role":"user","content":"big"}],"seed":123456789012345678901234}',
    '{"model":"%s","messages":[{"role":"user","content":"odd"}],"a":[],"b":{},"c":"","d":null,'
    '"e":[[[{}]]],"f":-0.0,"g":true}',
]


# The request.

@pytest.mark.parametrize("spelling", SPELLINGS)
def test_request_changes_only_in_its_model(start_renaming, upstream, spelling):
    """Every other byte reaches the provider as the client wrote it."""
    gw, name, upstream_name = start_renaming
    body = (spelling % name).encode()
    answer = gw.ask(raw.request_bytes("POST", "/v1/chat/completions", body))
    assert answer.status == 200, answer.body
    assert upstream.requests[-1].body == (spelling % upstream_name).encode()


@pytest.fixture(scope="module")
def start_renaming(upstream, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("renaming"), upstream.base_url, models={
        "lab/public-name": {"provider": "up", "upstream_model": "the-providers-name"}}).start()
    yield gw, "lab/public-name", "the-providers-name"
    gw.stop()


def test_model_written_with_escapes_is_understood(gateway, upstream):
    model = upstream.play(provider.behave)
    body = raw.chat_body(model).replace(b"slot", b"\\u0073lot")
    assert gateway.ask(raw.request_bytes("POST", "/v1/chat/completions", body)).status == 200
    assert len(upstream.seen(model)) == 1


@pytest.mark.parametrize("members", [
    '"provider":{"order":["up"]},', '"usage":{"include":true},', '"models":["good"],',
    '"usage":{"include":false},"provider":{},'])
def test_gateway_members_are_removed_and_nothing_else(gateway, upstream, members):
    rest = '"messages":[{"role":"user","content":"x"}],"temperature":0.50}'
    body = '{"model":"good",' + members + rest
    answer = gateway.ask(raw.request_bytes("POST", "/v1/chat/completions", body.encode()))
    assert answer.status == 200, answer.body
    assert upstream.requests[-1].body == ('{"model":"good",' + rest).encode()


def test_include_usage_is_added_when_the_client_did_not_ask(gateway, upstream):
    for members, expected in [
            ("", {"include_usage": True}),
            (',"stream_options":{}', {"include_usage": True}),
            (',"stream_options":null', {"include_usage": True}),
            (',"stream_options":{"include_usage":false}', {"include_usage": True}),
            (',"stream_options":{"include_obfuscation":false}',
             {"include_usage": True, "include_obfuscation": False}),
            (',"stream_options":{"include_usage":true}', {"include_usage": True})]:
        body = ('{"model":"good","messages":[{"role":"user","content":"é"}],"stream":true'
                + members + ',"z" : 1}').encode()
        with gateway.client() as client:
            client.send(raw.request_bytes("POST", "/v1/chat/completions", body))
            assert_whole(raw.Stream(client).data(), "You said: é")
        got = upstream.requests[-1]
        assert got.json["stream_options"] == expected, members
        assert b'"z" : 1}' in got.body


def test_include_usage_is_not_added_to_whole_answers(gateway, upstream):
    gateway.chat("good", stream=False)
    assert "stream_options" not in upstream.requests[-1].json


# The response.

def direct_stream(upstream, model, **members) -> bytes:
    """What the provider sends for this very request without a gateway."""
    with raw.Client((upstream.host, upstream.port)) as client:
        return client.stream(model, **members).rest()


@pytest.mark.parametrize("name", ["crlf", "lone_cr", "commented", "no_space", "named",
                                  "multi_data", "byte_order_mark", "byte_by_byte", "one_write"])
def test_stream_reaches_the_client_byte_for_byte(gateway, upstream, name):
    model = upstream.play(getattr(misbehaviour, name))
    asked = {"stream_options": {"include_usage": True}}
    expected = direct_stream(upstream, model, **asked)
    with gateway.client() as client:
        assert client.stream(model, **asked).rest() == expected


def test_model_of_the_answer_is_the_providers(gateway):
    answer = gateway.chat("good")
    assert answer.json["model"] == "good-2026-11-01"
    assert answer.headers["x-sluice-model"] == "good"
    assert answer.headers["x-sluice-provider"] == "up"


def test_whole_answer_gains_two_members_and_keeps_every_other_byte(gateway, upstream):
    theirs = b' {"id" : "a", "n":1.0 ,"choices":[ ] ,"\\u00e9":"\xc3\xa9"}\n'

    async def script(x):
        await x.reply(200, theirs)
    model = upstream.play(script)
    answer = gateway.chat(model)
    assert answer.json["request_id"] == answer.headers["x-request-id"]
    assert answer.json["provider"] == "up"
    assert answer.body.startswith(b' {"')
    assert answer.body.endswith(theirs.partition(b"{")[2])


def test_usage_chunk_is_withheld_unless_asked_for(gateway):
    with gateway.client() as client:
        events = client.stream("good").data()
        assert_whole(events)
        assert all(e["choices"] for e in events[:-1])
        asked = client.stream("good", stream_options={"include_usage": True}).data()
        assert asked[-2]["choices"] == [] and asked[-2]["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("name", ["crlf", "lone_cr", "multi_data", "byte_by_byte", "one_write",
                                  "no_space", "commented"])
def test_usage_chunk_is_withheld_however_it_is_spelled(gateway, upstream, name):
    model = upstream.play(getattr(misbehaviour, name))
    with gateway.client() as client:
        events = client.stream(model).data()
    assert_whole(events)
    assert all(e["choices"] for e in events[:-1])


def test_usage_on_the_finish_chunk_is_left_alone_and_counted(gateway, upstream):
    model = upstream.play(misbehaviour.usage_on_finish_chunk)
    expected = direct_stream(upstream, model)
    with gateway.client() as client:
        stream = client.stream(model)
        assert stream.rest() == expected
    assert gateway.record_of(stream.headers["x-request-id"])["tokens_out"] == 7


def test_stream_without_usage_is_complete_and_said_to_be_counted(gateway, upstream):
    model = upstream.play(misbehaviour.no_usage)
    with gateway.client() as client:
        stream = client.stream(model)
        assert_whole(stream.data())
    record = gateway.record_of(stream.headers["x-request-id"])
    assert record["usage_source"] != "provider"


def test_stream_without_done_but_with_finish_is_a_normal_end(gateway, upstream):
    model = upstream.play(misbehaviour.no_done)
    with gateway.client() as client:
        events = client.stream(model).data()
    text = [e for e in events if e != "[DONE]"]
    assert raw.content_of(text) == "You said: hello"
    assert not any("error" in e for e in text)


def test_cost_is_given_when_asked_for(start):
    gw = start(models={"priced": {"endpoints": [
        {"provider": "up", "upstream_model": "good",
         "price": {"input": "2.00", "output": "8.00", "cache_read": "0.50"}}]}})
    whole = gw.chat("priced", usage={"include": True}).json
    u = whole["usage"]
    expected = ((u["prompt_tokens"] - 3) * 2e-6 + 3 * 0.5e-6 + u["completion_tokens"] * 8e-6)
    assert abs(whole["cost"] - expected) < 1e-12
    assert abs(whole["cost_details"]["completion_cost"] - u["completion_tokens"] * 8e-6) < 1e-12
    assert "cost" not in gw.chat("priced").json
    with gw.client() as client:
        stream = client.stream("priced", usage={"include": True})
        last = stream.data()[-2]
    assert last["choices"] == [] and last["usage"]["completion_tokens"] == 3
    assert abs(last["cost"] - expected) < 1e-12
    assert last["request_id"] == stream.headers["x-request-id"]
    assert gw.record_of(last["request_id"])["cost_pd"] == round(expected * 1e12)


def test_stream_has_the_headers_streams_need(gateway, upstream):
    with gateway.client() as client:
        stream = client.stream(upstream.play(misbehaviour.drip(2, 0.02)))
        stream.rest()
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "no-cache" in stream.headers["cache-control"]
    assert stream.headers["x-accel-buffering"] == "no"
    assert "content-length" not in stream.headers


def test_legacy_completions_pass(gateway, upstream):
    body = json.dumps({"model": "good", "prompt": "once"}).encode()
    answer = gateway.ask(raw.request_bytes("POST", "/v1/completions", body))
    assert answer.json["object"] == "text_completion"
    assert upstream.requests[-1].target == "/v1/completions"
    with gateway.client() as client:
        client.send(raw.request_bytes("POST", "/v1/completions", body[:-1] + b',"stream":true}'))
        events = raw.Stream(client).data()
    assert "".join(e["choices"][0]["text"] for e in events[:-1]) == "You said: once"
    assert events[-1] == "[DONE]"


@pytest.mark.parametrize("given", ["one text", ["a", "b"], [1, 2, 3], [[1, 2], [3]]])
@pytest.mark.parametrize("form", ["float", "base64", None])
def test_embeddings_pass(gateway, upstream, given, form):
    body = {"model": "good", "input": given} | ({"encoding_format": form} if form else {})
    answer = gateway.ask(raw.request_bytes("POST", "/v1/embeddings", json.dumps(body).encode()))
    assert answer.status == 200, answer.body
    assert isinstance(answer.json["data"][0]["embedding"], str if form == "base64" else list)
    assert upstream.requests[-1].json == body


def test_streamed_embeddings_are_refused(gateway):
    body = b'{"model":"good","input":"x","stream":true}'
    assert_envelope(gateway.ask(raw.request_bytes("POST", "/v1/embeddings", body)), 400)


# Time.

def test_each_chunk_arrives_before_the_next_is_sent(gateway, upstream):
    """The provider waits for the client: any buffering at all would stop both for ever."""
    gate = upstream.gate()
    model = upstream.play(misbehaviour.stepped(gate, 20))
    with gateway.client(timeout=3) as client:
        client.send(raw.chat_bytes(model, stream=True))
        gate.open(2)  # the role waits for the first word
        stream = raw.Stream(client)
        stream.next()
        for number in range(20):
            if number > 0:
                gate.open()
            assert f'"{number} "'.encode() in stream.next()
        stream.rest()


def test_head_goes_out_before_the_first_event(gateway, upstream):
    gate = upstream.gate()

    async def script(x):
        await x.stream_head()
        await gate.wait()
        for each in provider.chat_events(x.request.json):
            await x.chunk(each)
        await x.last_chunk()
    model = upstream.play(script)
    with gateway.client(timeout=3) as client:
        client.send(raw.chat_bytes(model, stream=True))
        upstream.exchange_of(model)
        time.sleep(0.05)
        gate.open()
        assert_whole(raw.Stream(client).data())


def test_half_an_event_is_not_held_back_for_long(gateway, upstream):
    """An event split over two reads comes whole, in order, with nothing else in between."""
    async def script(x):
        await x.stream_head()
        for each in provider.chat_events(x.request.json):
            half = len(each) // 2
            await x.chunk(each[:half])
            await x.sleep(0.01)
            await x.chunk(each[half:])
        await x.last_chunk()
    model = upstream.play(script)
    with gateway.client() as client:
        assert_whole(client.stream(model).data())


@pytest.fixture(scope="module")
def chatty(upstream, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("chatty"), upstream.base_url,
                 server={"sse_keepalive": "200ms"}).start()
    yield gw
    gw.stop()


def test_comments_keep_a_silent_stream_alive_before_its_first_event(chatty, upstream):
    async def script(x):
        await x.sleep(0.9)
        await provider.behave(x)
    model = upstream.play(script)
    with chatty.client() as client:
        stream = client.stream(model)
        frames = list(stream.frames())
    comments = [f for f in frames if f.startswith(b":")]
    assert 2 <= len(comments) <= 6, frames[:8]
    assert all(b"{" not in c for c in comments)
    assert_whole(raw.events_of(b"".join(frames)))


def test_comments_keep_a_silent_stream_alive_between_events(chatty, upstream):
    gate = upstream.gate()
    model = upstream.play(misbehaviour.stepped(gate, 2))
    with chatty.client(timeout=3) as client:
        client.send(raw.chat_bytes(model, stream=True))
        gate.open(2)
        stream = raw.Stream(client)
        stream.next()
        stream.next()
        frames = stream.frames()
        assert next(frames).startswith(b":") and next(frames).startswith(b":")
        gate.open()
        stream.rest()
    assert raw.events_of(stream.body)[-1] == "[DONE]"


def test_comments_never_split_an_event(chatty, upstream):
    """The provider pauses in the middle of an event for longer than the keep-alive interval."""
    async def script(x):
        await x.stream_head()
        for each in provider.chat_events(x.request.json):
            half = len(each) // 2
            await x.chunk(each[:half])
            await x.sleep(0.3)
            await x.chunk(each[half:])
        await x.last_chunk()
    model = upstream.play(script)
    with chatty.client() as client:
        assert_whole(client.stream(model).data())


def test_lively_stream_carries_no_comments(chatty, upstream):
    model = upstream.play(misbehaviour.drip(10, 0.05))
    with chatty.client() as client:
        assert b"\n:" not in b"\n" + client.stream(model).rest()


def test_error_after_comments_is_in_band(chatty, upstream):
    async def script(x):
        await x.sleep(0.5)
        x.reset()
    model = upstream.play(script)
    with chatty.client() as client:
        stream = client.stream(model)
        assert stream.status == 200
        assert_in_band_error(stream.data())


def test_no_comments_in_whole_answers(chatty, upstream):
    async def script(x):
        await x.sleep(0.6)
        await provider.behave(x)
    model = upstream.play(script)
    assert chatty.chat(model).json["choices"][0]["message"]["content"] == "You said: hello"


# Ends.

BROKEN_AFTER = ["reset", "close", "mid event", "mid event, framing complete", "mid chunk",
                "bad chunk size", "overlong chunk size", "negative chunk size",
                "chunk without its line end", "garbage", "no finish and no [DONE]"]


@pytest.mark.parametrize("how", BROKEN_AFTER)
@pytest.mark.parametrize("count", [2, 3])
def test_stream_that_breaks_ends_with_an_error_event_and_done(gateway, upstream, how, count):
    model = upstream.play(misbehaviour.events_then(count, how))
    with gateway.client() as client:
        stream = client.stream(model)
        assert stream.status == 200
        events = stream.data()
        assert_in_band_error(events)
        assert not any(c.get("finish_reason") in ("stop", "length") for e in events[:-2]
                       for c in e["choices"])
        assert client.chat("good").status == 200  # the framing towards the client stayed whole
    record = gateway.record_of(stream.headers["x-request-id"])
    assert record["outcome"] == "upstream_error", record


def test_stream_that_breaks_before_its_first_event_is_an_error(gateway, upstream):
    for script in (misbehaviour.reset_after_head, misbehaviour.events_then(0, "close"),
                   misbehaviour.events_then(1, "close")):
        model = upstream.play(script)
        with gateway.client() as client:
            stream = client.stream(model)
            if stream.status == 200:  # the head had gone out with the provider's
                assert_in_band_error(stream.data())
            else:
                assert stream.status == 502


def test_error_event_of_the_provider_reaches_the_client(gateway, upstream):
    model = upstream.play(misbehaviour.events_then(3, "error event"))
    with gateway.client() as client:
        events = client.stream(model).data()
    errors = [e["error"] for e in events if e != "[DONE]" and e.get("error")]
    assert errors[0]["message"] == "The server had an error while streaming."
    assert len(errors) == 1, "one fault is told once"


def test_huge_event_passes(gateway, upstream):
    model = upstream.play(misbehaviour.huge_event(6 << 20))
    with gateway.client() as client:
        events = client.stream(model).data()
    assert len(raw.content_of(events)) == 6 << 20


# Clients that leave or are slow.

LEAVING = {
    "before the head": (misbehaviour.silent, False, False),
    "before the head of a stream": (misbehaviour.silent, True, False),
    "after the head": (misbehaviour.head_then_silence, True, False),
    "after the head of a whole answer": (misbehaviour.whole_head_then_silence, False, False),
    "in a quiet stream": (misbehaviour.events_then(3, "stall"), True, True),
    "in a lively stream": (misbehaviour.drip(200, 0.02), True, True),
    "in a stream as fast as it goes": (misbehaviour.endless(), True, True),
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("when", LEAVING)
def test_leaving_client_cancels_the_provider_within_100_ms(gateway, upstream, when, how):
    """The best of a few tries: other work on the machine may delay one, not all."""
    script, stream, read = LEAVING[when]
    delays = []
    while len(delays) < 5 and (not delays or min(delays) > 0.1):
        model = upstream.play(script)
        client = gateway.client()
        client.send(raw.chat_bytes(model, stream=stream))
        exchange = upstream.exchange_of(model)
        if read:
            raw.Stream(client).next()
        else:
            time.sleep(0.03)
        left = time.monotonic()
        getattr(client, how)()
        until(lambda: exchange.aborted, 5, "the close at the provider")
        delays.append(exchange.aborted - left)
    assert min(delays) <= 0.1, delays


def test_cancelled_request_is_recorded_as_such(gateway, upstream):
    model = upstream.play(misbehaviour.drip(100, 0.02))
    with gateway.client() as client:
        stream = client.stream(model)
        for _ in range(3):
            stream.next()
        request_id = stream.headers["x-request-id"]
    record = gateway.record_of(request_id)
    assert record["outcome"] == "client_gone", record


def test_slow_client_pauses_the_provider(gateway, upstream):
    """What the provider could send stops at socket buffers, and our memory stays where it was."""
    model = upstream.play(misbehaviour.endless(16384))
    before = gateway.rss_kb
    with gateway.client(receive_buffer=16384) as client:
        stream = client.stream(model)
        stream.next()
        exchange = upstream.exchange_of(model)
        sent = -1
        deadline = time.monotonic() + 10
        while exchange.sent != sent and time.monotonic() < deadline:
            sent = exchange.sent
            time.sleep(0.4)
        assert exchange.sent == sent, "the provider is never paused"
        assert sent < 24 << 20  # kernel buffers on two connections, ours being small beside them
        assert gateway.rss_kb - before < 8 << 10
        assert gateway.metric("sluice_stream_stalls_total") >= 1
        read = 0  # and it goes on when the client does
        while read < sent + (1 << 20):
            read += len(stream.next())
    until(lambda: exchange.aborted, what="the cancel")


def test_slow_client_misses_nothing(gateway, upstream):
    count, size = 300, 20_000

    async def script(x):
        body = x.request.json
        await x.stream_head()
        for number in range(count):
            text = f"{number:08d}" + "z" * size
            await x.chunk(provider.event(provider.chat_chunk(body, {"content": text})))
        await x.chunk(provider.event(provider.chat_chunk(body, {}, "stop")))
        await x.chunk(provider.DONE)
        await x.last_chunk()
    model = upstream.play(script)
    with gateway.client(receive_buffer=8192) as client:
        stream = client.stream(model)
        time.sleep(0.3)
        text = raw.content_of(stream.data())
    assert text == "".join(f"{n:08d}" + "z" * size for n in range(count))


def test_client_that_takes_nothing_at_all_is_given_up(start, upstream):
    gw = start(server={"write_timeout": "500ms"})
    model = upstream.play(misbehaviour.endless(16384))
    with gw.client(receive_buffer=8192) as client:
        client.stream(model).next()
        exchange = upstream.exchange_of(model)
        until(lambda: exchange.aborted, 6, "the cancelled upstream request")
    until(lambda: gw.records(), what="the record")
    assert gw.records()[0]["outcome"] == "client_gone"


def test_slow_client_is_not_a_dead_one(start, upstream):
    """It reads a little every now and then, for longer than the write timeout."""
    gw = start(server={"write_timeout": "600ms"})
    model = upstream.play(misbehaviour.endless(16384))
    with gw.client(receive_buffer=8192) as client:
        stream = client.stream(model)
        exchange = upstream.exchange_of(model)
        until_then = time.monotonic() + 2.5
        while time.monotonic() < until_then:
            stream.next()
            stream.next()
            time.sleep(0.1)
        assert exchange.aborted is None


def test_one_slow_client_does_not_hold_up_another(gateway, upstream):
    model = upstream.play(misbehaviour.endless(16384))
    with gateway.client(receive_buffer=16384) as slow:
        slow.stream(model).next()
        time.sleep(0.3)
        with gateway.client() as other:
            began = time.monotonic()
            for _ in range(10):
                assert_whole(other.stream("good").data())
            assert time.monotonic() - began < 3


def test_many_streams_at_once_come_whole_and_in_order(gateway, upstream):
    model = upstream.play(misbehaviour.drip(20, 0.02))
    clients = [gateway.client() for _ in range(100)]
    for client in clients:
        client.send(raw.chat_bytes(model, stream=True))
    for client in clients:
        events = raw.Stream(client).data()
        assert raw.content_of(events) == "".join(f"{n} " for n in range(20))
        assert events[-1] == "[DONE]"
        client.close()


def test_nothing_remains_when_all_is_done(gateway):
    def idle():
        return gateway.metric("sluice_active_streams") == 0 \
            and gateway.metric("sluice_inflight_requests") <= 1 \
            and gateway.metric("sluice_stream_buffer_bytes") == 0
    until(idle, 5, "all streams gone from the metrics")
