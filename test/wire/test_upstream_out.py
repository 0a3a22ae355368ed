"""Towards the provider: connections that are reused, deadlines that are named, headers by a
deny-list, and a credential nobody else ever sees."""
from __future__ import annotations

import base64
import json
import re
import time

import pytest

import misbehaviour
import provider
import raw
from gateway import CANARY, Gateway
from promises import assert_envelope, assert_in_band_error, assert_whole
from upstream import Upstream, until


@pytest.fixture
def own_upstream():
    up = Upstream().start()
    yield up
    up.stop()


# The pool.

def test_connection_to_the_provider_is_reused(start, own_upstream):
    gw = start(own_upstream.base_url)
    for _ in range(10):
        assert gw.chat("good").status == 200
        assert_whole(gw.client().stream("good").data())
    assert len(own_upstream.connections) == 1


def test_requests_at_once_get_connections_of_their_own_and_keep_them(start, own_upstream):
    gw = start(own_upstream.base_url)
    for _ in range(3):
        clients = [gw.client() for _ in range(8)]
        for client in clients:
            client.send(raw.chat_bytes("drip", stream=True))
        for client in clients:
            assert raw.Stream(client).data()[-1] == "[DONE]"
            client.close()
    assert 8 <= len(own_upstream.connections) <= 9


def test_idle_connection_is_closed_after_a_while(start, own_upstream):
    gw = start(own_upstream.base_url, providers={"up": {"pool": {"idle_timeout": "300ms"}}})
    assert gw.chat("good").status == 200
    until(lambda: not own_upstream.open_connections(), 3, "the close")
    assert own_upstream.connections[0].closed_by == "peer"
    assert gw.chat("good").status == 200


def test_small_pool_serves_everybody_in_turn(start, own_upstream):
    gw = start(own_upstream.base_url, providers={"up": {"pool": {"max": 2}}})
    model = own_upstream.play(misbehaviour.drip(4, 0.03))
    clients = [gw.client() for _ in range(8)]
    for client in clients:
        client.send(raw.chat_bytes(model, stream=True))
    for client in clients:
        assert raw.Stream(client).data()[-1] == "[DONE]"
        client.close()
    until(lambda: len(own_upstream.open_connections()) <= 2, what="no more than two kept")


def test_idle_connection_that_the_provider_closes_is_dropped(start, own_upstream):
    gw = start(own_upstream.base_url)
    assert gw.chat("good").status == 200
    own_upstream.drop_idle()
    until(lambda: not own_upstream.open_connections(), what="the close")
    assert gw.chat("good").status == 200
    assert len(own_upstream.connections) == 2


@pytest.mark.parametrize("death", ["reset", "close"])
@pytest.mark.parametrize("stream", [False, True])
def test_reused_connection_that_dies_is_retried_invisibly(start, own_upstream, death, stream):
    make = {"reset": misbehaviour.reset_after_requests, "close": misbehaviour.close_after_requests}
    own_upstream.scripts["good"] = make[death](1)
    gw = start(own_upstream.base_url)
    for _ in range(6):
        with gw.client() as client:
            if stream:
                assert_whole(client.stream("good").data())
            else:
                assert client.chat("good").status == 200


def test_fresh_connection_that_dies_is_not_retried_for_ever(gateway, upstream):
    model = upstream.play(misbehaviour.reset_before_head)
    assert_envelope(gateway.chat(model), 502, "upstream_error")
    assert len(upstream.seen(model)) <= 2


def test_reused_connection_that_dies_after_the_head_is_not_retried(start, own_upstream):
    async def script(x):
        if x.request.number_on_connection == 0:
            await provider.behave(x)
        else:
            await misbehaviour.whole_reset_midway(x)
    own_upstream.scripts["good"] = script
    gw = start(own_upstream.base_url)
    assert gw.chat("good").status == 200
    with gw.client() as client:
        client.send(raw.chat_bytes("good"))
        try:
            assert_envelope(client.response(), 502, "upstream_error")
        except raw.Closed:
            pass  # the head was out already: then only a broken end is honest
    assert len(own_upstream.requests) == 2


def test_bytes_after_a_body_never_become_the_next_answer(gateway, upstream):
    model = upstream.play(misbehaviour.extra_bytes_after_body)
    for _ in range(4):
        answer = gateway.chat(model)
        assert answer.status == 200 and b"EVIL" not in answer.body
        assert answer.json["choices"][0]["message"]["content"] == "You said: hello"


def test_cancelled_upstream_connection_is_not_reused(gateway, upstream):
    model = upstream.play(misbehaviour.drip(50, 0.02))
    with gateway.client() as client:
        client.stream(model).next()
    exchange = upstream.exchange_of(model)
    until(lambda: exchange.aborted, what="the cancel")
    assert gateway.chat("good").json["choices"][0]["message"]["content"] == "You said: hello"


# Framing of what comes back.

@pytest.mark.parametrize("name", ["body_until_close", "informational_first"])
def test_unusual_but_right_bodies(gateway, upstream, name):
    model = upstream.play(getattr(misbehaviour, name))
    answer = gateway.chat(model)
    assert answer.status == 200
    assert answer.json["choices"][0]["message"]["content"] == "You said: hello"


@pytest.mark.parametrize("name", ["stream_until_close", "informational_first", "byte_by_byte",
                                  "one_write", "chunk_extensions_and_trailers"])
def test_unusual_but_right_streams(gateway, upstream, name):
    model = upstream.play(getattr(misbehaviour, name))
    with gateway.client() as client:
        assert_whole(client.stream(model).data())


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_body_is_decoded_for_client_and_meter(gateway, upstream, coding):
    model = upstream.play(misbehaviour.compressed(coding))
    answer = gateway.chat(model)
    assert answer.json["choices"][0]["message"]["content"] == "You said: hello"
    assert "content-encoding" not in answer.headers
    assert gateway.record_of(answer.headers["x-request-id"])["tokens_out"] == 3


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_stream_is_decoded_event_by_event(gateway, upstream, coding):
    model = upstream.play(misbehaviour.compressed(coding, streamed=True))
    with gateway.client() as client:
        stream = client.stream(model)
        assert "content-encoding" not in stream.headers
        assert_whole(stream.data())


def test_a_head_as_large_as_the_operator_lets_it_be_goes_on(start, upstream):
    gw = start(server={"header_max": "1MiB"})
    model = upstream.play(provider.behave)
    long = "a" * 500_000
    assert gw.chat(model, headers=(("x-long", long),)).status == 200
    assert upstream.exchange_of(model).request.headers["x-long"] == long


def test_identity_is_asked_for(gateway, upstream):
    model = upstream.play(provider.behave)
    gateway.chat(model, headers=(("Accept-Encoding", "gzip, br"),))
    assert upstream.seen(model)[0].headers.get("accept-encoding", "identity") == "identity"


def test_decompression_is_bounded(gateway, upstream):
    """A few kB that unpack to a gigabyte do not become a gigabyte of memory."""
    import zlib

    async def bomb(x):
        pack = zlib.compressobj(9, wbits=31)
        data = b"".join(pack.compress(b" " * (1 << 20)) for _ in range(256)) + pack.flush()
        await x.reply(200, data, ("content-encoding", "gzip"))
    model = upstream.play(bomb)
    before = gateway.peak_kb
    with gateway.client() as client:
        client.send(raw.chat_bytes(model))
        try:
            client.response()
        except raw.Closed:
            pass
    # What a whole answer may hold, while it is moved to a larger place; a sanitizer keeps both.
    assert gateway.peak_kb - before < (400 << 10 if gateway.sanitized() else 160 << 10)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirects_are_not_followed(gateway, upstream, code):
    async def script(x):
        await x.reply(code, b"", ("location", x.upstream.base_url + "/elsewhere"))
    model = upstream.play(script)
    answer = gateway.chat(model)
    assert_envelope(answer, 502, "upstream_error")
    assert "location" not in answer.headers
    assert len(upstream.seen(model)) == 1


# What goes wrong before the first byte.

BROKEN_BEFORE = {
    "reset": misbehaviour.reset_before_head, "close": misbehaviour.close_before_head,
    "garbage": misbehaviour.garbage, "half a head": misbehaviour.half_a_head,
    "huge head": misbehaviour.raw(b"HTTP/1.1 200 OK\r\nx: " + b"a" * (2 << 20)),
    "endless head": misbehaviour.raw(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000),
    "negative length": misbehaviour.raw(
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}"),
    "two lengths": misbehaviour.raw(
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}X"),
    "length and coding": misbehaviour.raw(
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n"
        b"2\r\n{}\r\n0\r\n\r\n"),
    "bad status": misbehaviour.raw(b"HTTP/1.1 2x0 OK\r\ncontent-length: 2\r\n\r\n{}"),
    "status 999": misbehaviour.raw(b"HTTP/1.1 999 No\r\ncontent-length: 2\r\n\r\n{}"),
    "switching protocols": misbehaviour.raw(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n"),
    "bare CR in a header": misbehaviour.raw(
        b"HTTP/1.1 200 OK\r\nx: a\rset-cookie: b\r\ncontent-length: 2\r\n\r\n{}"),
    "endless informational": misbehaviour.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 5000),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", BROKEN_BEFORE)
def test_broken_provider_before_the_first_byte_is_a_502(gateway, upstream, name, stream):
    model = upstream.play(BROKEN_BEFORE[name])
    answer = gateway.chat(model, stream=stream)
    assert_envelope(answer, 502, "upstream_error")


@pytest.mark.parametrize("name", ["html_error", "html_success"])
def test_html_instead_of_json_is_an_envelope(gateway, upstream, name):
    model = upstream.play(getattr(misbehaviour, name))
    answer = gateway.chat(model)
    if answer.status == 200:  # the pass lane's body is the provider's, whatever it is
        assert name == "html_success" and b"captive portal" in answer.body
        return
    error = assert_envelope(answer, 502, "upstream_error")
    assert all(c.isprintable() for c in error["message"])


@pytest.mark.parametrize("name", ["whole_truncated", "whole_reset_midway"])
def test_truncated_whole_body_never_looks_complete(gateway, upstream, name):
    model = upstream.play(getattr(misbehaviour, name))
    with gateway.client() as client:
        client.send(raw.chat_bytes(model))
        try:
            answer = client.response()
        except raw.Closed:
            return  # cut off inside the framing: the client sees that it is broken
        assert_envelope(answer, 502, "upstream_error")


def test_body_past_its_length_is_cut_at_its_length(gateway, upstream):
    body = b'{"id":"x","object":"chat.completion","choices":[]}'
    model = upstream.play(misbehaviour.raw(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s%s"
        % (len(body), body, b"trailing garbage")))
    answer = gateway.chat(model)
    assert answer.status == 200 and b"garbage" not in answer.body


# Errors a provider reports.

@pytest.mark.parametrize("code", sorted(misbehaviour.ERRORS))
@pytest.mark.parametrize("stream", [False, True])
def test_providers_error_keeps_its_words(gateway, upstream, code, stream):
    message, kind, param, word = misbehaviour.ERRORS[code]
    answer = gateway.chat(f"status-{code}", stream=stream)
    if code in (401, 403):
        # The provider refused *our* credential: to the client that is no 401 of its own key.
        assert answer.status in (code, 502)
        return
    if code >= 500:
        assert answer.status in (502, 503, 504) or answer.status == code
    else:
        assert answer.status == code
        assert answer.error["message"] == message
        assert answer.error["type"] == kind
        if word is not None:
            assert answer.error["code"] == word
    assert answer.headers["x-request-id"]


def test_providers_retry_after_reaches_the_client(gateway):
    assert gateway.chat("status-429").headers["retry-after"] == "1"


# Deadlines.

@pytest.fixture(scope="module")
def impatient(upstream, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("impatient"), upstream.base_url, providers={"up": {
        "timeouts": {"connect": "400ms", "first_byte": "500ms", "idle": "500ms",
                     "total": "1500ms"}}}).start()
    yield gw
    gw.stop()


def test_first_byte_deadline_is_a_504_that_names_it(impatient, upstream):
    model = upstream.play(misbehaviour.silent)
    began = time.monotonic()
    error = assert_envelope(impatient.chat(model), 504)
    assert 0.3 < time.monotonic() - began < 3
    assert re.search(r"first.byte", error["message"]), error
    until(lambda: upstream.exchange_of(model).aborted, what="the cancelled request")


def test_idle_deadline_ends_a_stream_in_band_and_names_it(impatient, upstream):
    model = upstream.play(misbehaviour.events_then(3, "stall"))
    with impatient.client() as client:
        error = assert_in_band_error(client.stream(model).data())
    assert re.search(r"idle|silent|between", error["message"]), error


def test_activity_keeps_the_idle_deadline_away(impatient, upstream):
    model = upstream.play(misbehaviour.drip(8, 0.12))
    with impatient.client() as client:
        assert client.stream(model).data()[-1] == "[DONE]"


def test_comments_of_the_provider_count_as_activity(impatient, upstream):
    async def script(x):
        await x.stream_head()
        for _ in range(4):
            await x.chunk(b": thinking\n\n")
            await x.sleep(0.25)
        for each in provider.chat_events(x.request.json):
            await x.chunk(each)
        await x.last_chunk()
    model = upstream.play(script)
    with impatient.client() as client:
        assert_whole(client.stream(model).data())


def test_total_deadline_ends_even_a_lively_stream(impatient, upstream):
    model = upstream.play(misbehaviour.drip(100, 0.1))
    with impatient.client() as client:
        error = assert_in_band_error(client.stream(model).data())
    assert "total" in error["message"], error


def test_connect_deadline_is_a_504_that_names_it(start):
    # A port that accepts nothing: its backlog is full, so the handshake never finishes.
    import socket
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    full = []
    for _ in range(4):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(listening.getsockname())
        full.append(s)
    try:
        gw = start(f"http://127.0.0.1:{listening.getsockname()[1]}/v1",
                   providers={"up": {"timeouts": {"connect": "400ms"}}})
        error = assert_envelope(gw.chat("good"), (502, 504))
        assert "connect" in error["message"], error
    finally:
        for s in full + [listening]:
            s.close()


def test_refused_connection_is_a_502_that_says_so(start):
    from free_port import free_port
    gw = start(f"http://127.0.0.1:{free_port()}/v1")
    error = assert_envelope(gw.chat("good"), 502, "upstream_error")
    assert "connect" in error["message"] or "refused" in error["message"], error


def test_unknown_host_is_a_502_that_says_so(start):
    gw = start("http://no-such-host.invalid:1/v1")
    error = assert_envelope(gw.chat("good"), (502, 504))
    assert re.search(r"no-such-host|resolve|name|DNS|host", error["message"], re.I), error


def test_second_address_of_a_name_is_tried(start, own_upstream):
    """localhost is ::1 and 127.0.0.1 on most machines; the provider listens on only one."""
    gw = start(own_upstream.base_url.replace("127.0.0.1", "localhost"))
    assert gw.chat("good").status == 200


def test_provider_on_ipv6(start):
    up = Upstream(host="::1").start()
    try:
        gw = start(up.base_url)
        assert gw.chat("good").status == 200
        assert up.requests[-1].headers["host"] == f"[::1]:{up.port}"
    finally:
        up.stop()


def test_provider_on_a_unix_socket(start, tmp_path):
    up = Upstream(path=str(tmp_path / "provider.sock")).start()
    try:
        gw = start(up.base_url)
        assert gw.chat("good").status == 200
        with gw.client() as client:
            assert_whole(client.stream("good").data())
        assert up.requests[-1].target == "/v1/chat/completions"
        assert len(up.connections) == 1
    finally:
        up.stop()


# Request headers.

def test_end_to_end_headers_pass_and_private_ones_do_not(gateway, upstream):
    model = upstream.play(provider.behave)
    passed = (("X-Stainless-Lang", "python"), ("OpenAI-Beta", "assistants=v2"),
              ("X-Custom", "kept"), ("User-Agent", "test/1"))
    private = (("Cookie", "session=secret"), ("X-Api-Key", "client-secret"),
               ("OpenAI-Organization", "belongs to the client's own account"),
               ("Proxy-Authorization", "Basic secret"), ("Proxy-Connection", "keep-alive"),
               ("Keep-Alive", "timeout=5"), ("TE", "trailers"), ("Upgrade", "h2c"),
               ("Connection", "X-Hop, keep-alive"), ("X-Hop", "named by Connection"))
    assert gateway.chat(model, headers=passed + private).status == 200
    got = upstream.seen(model)[0]
    for name, value in passed:
        assert got.headers[name.lower()] == value
    for name, _ in private:
        assert name.lower() not in got.headers or name == "Connection", name
    assert got.headers.get("connection", "keep-alive").lower() == "keep-alive"
    assert raw.KEY.encode() not in got.head and b"client-secret" not in got.head


def test_provider_sees_its_own_host_credential_and_length(gateway, upstream):
    model = upstream.play(provider.behave)
    gateway.chat(model)
    got = upstream.seen(model)[0]
    names = [n for n, _ in got.header_list]
    assert got.headers["host"] == f"127.0.0.1:{upstream.port}"
    assert got.headers["authorization"] == f"Bearer {CANARY}"
    assert int(got.headers["content-length"]) == len(got.body)
    for once in ("host", "authorization", "content-length", "content-type"):
        assert names.count(once) == 1, names


def test_base_url_may_have_any_path(start, own_upstream):
    async def script(x):
        await x.reply(200, provider.compact(provider.chat_completion(x.request.json)))
    own_upstream.scripts["good"] = script
    gw = start(own_upstream.base_url.removesuffix("/v1") + "/deep/er/v7/")
    assert gw.chat("good").status == 200
    assert own_upstream.requests[-1].target == "/deep/er/v7/chat/completions"


def test_response_headers_pass_but_for_hop_by_hop_and_cookies(gateway, upstream):
    async def script(x):
        await x.reply(200, provider.compact(provider.chat_completion(x.request.json)),
                      ("openai-processing-ms", "12"), ("x-ratelimit-remaining-tokens", "77"),
                      ("set-cookie", "__cf_bm=secret"), ("keep-alive", "timeout=5"),
                      ("connection", "keep-alive, x-hop"), ("x-hop", "1"),
                      ("x-request-id", "req_provider"))
    model = upstream.play(script)
    answer = gateway.chat(model)
    assert answer.headers["openai-processing-ms"] == "12"
    for name in ("set-cookie", "x-hop", "keep-alive"):
        assert name not in answer.headers, name
    assert [v for n, v in answer.header_list if n == "x-request-id"] != ["req_provider"]
    record = gateway.record_of(answer.headers["x-request-id"])
    assert record["upstream_request_id"] == "req_provider"


# The credential.

def test_credential_never_shows_anywhere(start, own_upstream):
    """Every error path at once; then every output, answer and metric is searched for it."""
    async def tells(x):
        """A provider that repeats the key it got, as some do in their 401."""
        key = x.request.headers["authorization"]
        body = provider.error(f"Incorrect API key provided: {key}.", code="invalid_api_key")
        await x.reply(401, body, ("www-authenticate", f'Bearer error="{key}"'),
                      ("x-echo", key))

    async def tells_in_stream(x):
        key = x.request.headers["authorization"]
        await x.stream_head()
        await x.chunk(provider.event({"error": {"message": f"bad key {key}", "type": "e"}}))
        await x.last_chunk()

    gw = start(own_upstream.base_url, observability={"log": {"level": "debug"}})
    said = b""
    for script in (tells, tells_in_stream, misbehaviour.garbage, misbehaviour.reset_before_head,
                   misbehaviour.html_error, misbehaviour.whole_truncated, misbehaviour.redirect,
                   misbehaviour.events_then(2, "garbage"), provider.behave):
        model = own_upstream.play(script)
        for stream in (False, True):
            with gw.client() as client:
                client.send(raw.chat_bytes(model, stream=stream))
                try:
                    while True:
                        client.sock.settimeout(0.3)
                        client.more()
                except (raw.Closed, TimeoutError):
                    pass
                said += bytes(client.received)
    for target in ("/metrics", "/v1/models", "/readyz?verbose", "/healthz"):
        answer = gw.get(target)
        said += answer.head + answer.body
    gw.reload(json.dumps(gw.config) + " nonsense: [")
    time.sleep(0.3)
    everything = said + gw.output().encode()
    for secret in (CANARY, raw.KEY):
        shapes = [secret.encode(), base64.b64encode(secret.encode()), secret[8:-3].encode()]
        for shape in shapes:
            at = everything.find(shape)
            assert at < 0, everything[max(0, at - 300):at + 300]
