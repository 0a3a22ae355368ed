"""What is no proper request is refused, closed, and never reaches a provider.

Every row would let two parties disagree on where a request ends, or is a way of using up memory or
time. The smuggling rows carry a second request inside, for a model only they name: the provider
must never see it.
"""
from __future__ import annotations

import contextlib
import time

import pytest

import misbehaviour
import provider
import raw
from gateway import Gateway
from promises import assert_envelope
from upstream import until

AUTH = b"Authorization: Bearer " + raw.KEY.encode() + b"\r\n"
LINE = b"POST /v1/chat/completions HTTP/1.1\r\n"
HOST = b"Host: sluice.test\r\n"


def with_headers(*lines: bytes, body: bytes = b"") -> bytes:
    return LINE + HOST + AUTH + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


BODY = raw.chat_body("refused")
COUNTED = b"Content-Length: %d" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

# name: (bytes, statuses that may answer it)
REFUSED = {
    # lengths
    "both length and coding": (with_headers(COUNTED, CHUNKED, body=CHUNKS), (400,)),
    "coding and then length": (with_headers(CHUNKED, COUNTED, body=CHUNKS), (400,)),
    "two equal lengths": (with_headers(COUNTED, COUNTED, body=BODY), (400,)),
    "two different lengths": (with_headers(COUNTED, b"Content-Length: 3", body=BODY), (400,)),
    "length as a list": (with_headers(b"Content-Length: 5, 5", body=BODY), (400,)),
    "length with a plus": (with_headers(b"Content-Length: +5", body=BODY), (400,)),
    "negative length": (with_headers(b"Content-Length: -5", body=BODY), (400,)),
    "hexadecimal length": (with_headers(b"Content-Length: 0x5", body=BODY), (400,)),
    "length with a space": (with_headers(b"Content-Length: 5 5", body=BODY), (400,)),
    "empty length": (with_headers(b"Content-Length:", body=BODY), (400,)),
    "length past 64 bits": (with_headers(b"Content-Length: 99999999999999999999", body=BODY),
                            (400, 413)),
    # codings
    "unknown coding": (with_headers(b"Transfer-Encoding: gzip", body=CHUNKS), (400, 501)),
    "coding before chunked": (with_headers(b"Transfer-Encoding: gzip, chunked", body=CHUNKS),
                              (400, 501)),
    "chunked twice": (with_headers(b"Transfer-Encoding: chunked, chunked", body=CHUNKS),
                      (400, 501)),
    "chunked twice in two lines": (with_headers(CHUNKED, CHUNKED, body=CHUNKS), (400, 501)),
    "chunked not last": (with_headers(b"Transfer-Encoding: chunked, identity", body=CHUNKS),
                         (400, 501)),
    "identity": (with_headers(b"Transfer-Encoding: identity", body=BODY), (400, 501)),
    "nearly chunked": (with_headers(b"Transfer-Encoding: xchunked", body=CHUNKS), (400, 501)),
    "chunked with a control byte": (with_headers(b"Transfer-Encoding: \x0bchunked", body=CHUNKS),
                                    (400, 501)),
    "coding in HTTP/1.0": (with_headers(CHUNKED, body=CHUNKS).replace(b"1.1", b"1.0", 1),
                           (400, 501)),
    # header lines
    "space before the colon": (with_headers(b"Content-Length : 5", body=BODY), (400,)),
    "tab before the colon": (with_headers(b"X-A\t: 5", COUNTED, body=BODY), (400,)),
    "space inside a name": (with_headers(b"X A: 5", COUNTED, body=BODY), (400,)),
    "empty name": (with_headers(b": 5", COUNTED, body=BODY), (400,)),
    "no colon": (with_headers(b"nonsense", COUNTED, body=BODY), (400,)),
    "folded line": (with_headers(b"X-A: 1\r\n 2", COUNTED, body=BODY), (400,)),
    "folded with a tab": (with_headers(b"X-A: 1\r\n\t2", COUNTED, body=BODY), (400,)),
    "space before the first line": (LINE + b" " + HOST + AUTH + b"\r\n", (400,)),
    "bare CR in a value": (with_headers(b"X-A: 1\r2", COUNTED, body=BODY), (400,)),
    "bare CR as a line end": (with_headers(b"X-A: 1\rContent-Length: 3", COUNTED, body=BODY),
                              (400,)),
    "bare LF as a line end": (with_headers(b"X-A: 1\nX-B: 2", COUNTED, body=BODY), (400,)),
    "NUL in a value": (with_headers(b"X-A: 1\x002", COUNTED, body=BODY), (400,)),
    "control byte in a value": (with_headers(b"X-A: 1\x012", COUNTED, body=BODY), (400,)),
    "DEL in a value": (with_headers(b"X-A: 1\x7f2", COUNTED, body=BODY), (400,)),
    "NUL in a name": (with_headers(b"X\x00A: 1", COUNTED, body=BODY), (400,)),
    "byte above 127 in a name": (with_headers(b"X\xe9: 1", COUNTED, body=BODY), (400,)),
    "no Host": (LINE + AUTH + COUNTED + b"\r\n\r\n" + BODY, (400,)),
    "two Hosts": (with_headers(b"Host: other.test", COUNTED, body=BODY), (400,)),
    "line too long": (with_headers(b"X-A: " + b"a" * (1 << 20), COUNTED, body=BODY), (431,)),
    "too many lines": (with_headers(*[b"X-%d: 1" % n for n in range(2000)], COUNTED, body=BODY),
                       (431,)),
    "name too long": (with_headers(b"a" * (1 << 20) + b": 1", COUNTED, body=BODY), (431, 400)),
    # request lines
    "target too long": (b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\n" + HOST + b"\r\n",
                        (414, 431)),
    "no version": (b"GET /v1/models\r\n\r\n", (400, 505)),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
    "unknown version": (b"GET /v1/models HTTP/3.7\r\n" + HOST + b"\r\n", (400, 505)),
    "lower-case version": (b"GET /v1/models http/1.1\r\n" + HOST + b"\r\n", (400,)),
    "unknown method": (b"BREW /v1/models HTTP/1.1\r\n" + HOST + b"\r\n", (400, 405, 501)),
    "control byte in the target": (b"GET /v1/\x01 HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    "tab in the target": (b"GET /v1/\tmodels HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    "TLS on a clear port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
                            (400, 501)),
    "garbage": (b"\xff\xfe\xfd\r\n\r\n", (400, 501)),
    # chunks
    "chunk size is no number": (with_headers(CHUNKED, body=b"zz\r\n{}\r\n0\r\n\r\n"), (400,)),
    "negative chunk size": (with_headers(CHUNKED, body=b"-2\r\n{}\r\n0\r\n\r\n"), (400,)),
    "prefixed chunk size": (with_headers(CHUNKED, body=b"0x2\r\n{}\r\n0\r\n\r\n"), (400,)),
    "empty chunk size": (with_headers(CHUNKED, body=b"\r\n{}\r\n0\r\n\r\n"), (400,)),
    "chunk size past 64 bits": (with_headers(CHUNKED, body=b"fffffffffffffffff\r\n{}"),
                                (400, 413)),
    "chunk longer than its size": (with_headers(CHUNKED, body=b"2\r\n{}XX\r\n0\r\n\r\n"), (400,)),
    "chunk without its CR": (with_headers(CHUNKED, body=b"2\n{}\r\n0\r\n\r\n"), (400,)),
    "bare CR in an extension": (with_headers(CHUNKED, body=b"2;a\rb\r\n{}\r\n0\r\n\r\n"), (400,)),
    "endless chunk extension": (with_headers(CHUNKED, body=b"2;" + b"a" * (1 << 20) + b"\r\n{}"),
                                (400, 413, 431)),
    "endless trailer": (with_headers(CHUNKED, body=CHUNKS[:-2] + b"X-A: 1\r\n" * 50_000 + b"\r\n"),
                        (400, 431)),
}


def read_refusal(client: raw.Client) -> raw.Response:
    answer = client.response()
    assert answer.headers.get("connection", "").lower() == "close", answer.head
    assert client.is_closed(), "the connection stays open after a refusal"
    return answer


@pytest.mark.parametrize("name", REFUSED)
def test_improper_request_is_refused_and_closed(upstream, client, name):
    data, statuses = REFUSED[name]
    before = len(upstream.requests)
    client.try_send(data)
    assert_envelope(read_refusal(client), statuses)
    assert len(upstream.requests) == before


@pytest.mark.parametrize("name", [n for n, (data, _) in REFUSED.items() if len(data) < 2000])
def test_refusal_is_the_same_byte_by_byte(upstream, client, name):
    data, statuses = REFUSED[name]
    before = len(upstream.requests)
    for byte in data:
        if not client.try_send(bytes([byte])):
            break
    try:
        assert_envelope(read_refusal(client), statuses)
    except raw.Closed:  # our late bytes made the kernel reset what it had sent
        pass
    assert len(upstream.requests) == before


def smuggled(model: str) -> bytes:
    return raw.chat_bytes(model)


def smuggling_rows(inner: bytes) -> dict[str, bytes]:
    """Requests whose end depends on the reader, with `inner` after one of the ends."""
    size = len(inner)
    hidden = b"0\r\n\r\n" + inner
    return {
        "CL.TE": with_headers(b"Content-Length: %d" % len(hidden), CHUNKED, body=hidden),
        "TE.CL": with_headers(CHUNKED, b"Content-Length: 4",
                              body=b"%x\r\n" % size + inner + b"\r\n0\r\n\r\n"),
        "TE with a space": with_headers(b"Transfer-Encoding : chunked", COUNTED, body=hidden),
        "TE with a tab": with_headers(b"Transfer-Encoding:\tchunked", b"Content-Length: 3",
                                      body=hidden),
        "TE with a CR": with_headers(b"Transfer-Encoding: chunked\r", b"Content-Length: 3",
                                     body=hidden),
        "TE behind a bare LF": with_headers(b"X: y\nTransfer-Encoding: chunked",
                                            b"Content-Length: %d" % len(hidden), body=hidden),
        "TE folded": with_headers(b"Transfer-Encoding:\r\n chunked",
                                  b"Content-Length: %d" % len(hidden), body=hidden),
        "TE misspelt": with_headers(b"Transfer_Encoding: chunked", b"Transfer-Encoding: cow",
                                    b"Content-Length: 5", body=hidden),
        "TE in quotes": with_headers(b'Transfer-Encoding: "chunked"', b"Content-Length: 5",
                                     body=hidden),
        "CL.CL": with_headers(b"Content-Length: 0", b"Content-Length: %d" % size, body=inner),
        "CL list": with_headers(b"Content-Length: 0, %d" % size, body=inner),
        "CL with a NUL": with_headers(b"Content-Length: 0\x00%d" % size, body=inner),
        "CL with leading space": with_headers(b"Content-Length:  ", b"Content-Length: 0",
                                              body=inner),
        "chunk size overflow": with_headers(CHUNKED, body=b"1" + b"0" * 16 + b"\r\n\r\n" + hidden),
        "chunk size and CR": with_headers(CHUNKED, body=b"0\r\r\n\r\n" + inner),
        "bare LF chunk lines": with_headers(CHUNKED, body=b"0\n\n" + inner),
        "chunk extension line": with_headers(CHUNKED, body=b"0;x\n\r\n" + inner),
        "trailer with lengths": with_headers(
            CHUNKED, body=b"2\r\n{}\r\n0\r\nContent-Length: %d\r\nBad Name: x\r\n\r\n" % size
            + inner),
    }


@pytest.mark.parametrize("name", smuggling_rows(b""))
def test_nothing_is_smuggled(upstream, client, name):
    model = upstream.play(provider.behave)
    client.try_send(smuggling_rows(smuggled(model))[name])
    assert_envelope(read_refusal(client), (400, 413, 501))
    assert upstream.seen(model) == []


@pytest.mark.parametrize("coding", ["counted", "chunked"])
@pytest.mark.parametrize("method,target,key", [
    ("GET", "/v1/models", raw.KEY), ("GET", "/healthz", None), ("POST", "/v1/nowhere", raw.KEY),
    ("PUT", "/v1/chat/completions", raw.KEY), ("POST", "/v1/chat/completions", "sk-wrong"),
    ("OPTIONS", "/v1/chat/completions", None), ("HEAD", "/v1/models", raw.KEY)])
def test_body_nobody_reads_is_never_taken_for_a_request(upstream, client, method, target, key,
                                                        coding):
    model = upstream.play(provider.behave)
    inner = smuggled(model)
    framing = ("Content-Length", str(len(inner))) if coding == "counted" \
        else ("Transfer-Encoding", "chunked")
    body = inner if coding == "counted" else b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner)
    client.send(raw.request_bytes(method, target, None, (framing,), key) + body)
    client.response(method)
    client.try_send(raw.request_bytes("GET", "/livez", key=None))
    with contextlib.suppress(raw.Closed):
        assert client.response("GET").status == 200  # and not an answer to the inner one
        assert not client.received
    assert upstream.seen(model) == []


def test_trailers_never_become_headers(upstream, client):
    head = with_headers(CHUNKED)
    body = raw.chat_body("good")
    client.send(head + b"%x\r\n%s\r\n0\r\nX-Late: 1\r\nContent-Length: 9\r\n\r\n"
                % (len(body), body))
    answer = client.response()
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert "x-late" not in upstream.requests[-1].headers


def test_refusal_comes_after_the_answers_before_it(upstream, client):
    client.send(raw.chat_bytes("good", "first") + b"nonsense\r\n\r\n" + raw.chat_bytes("good"))
    assert client.response().json["choices"][0]["message"]["content"] == "You said: first"
    assert_envelope(read_refusal(client), (400, 501))


def test_connect_opens_no_tunnel(upstream, client):
    before = len(upstream.connections)
    client.send(b"CONNECT sluice.test:443 HTTP/1.1\r\n" + HOST + b"\r\n" + raw.chat_bytes("good"))
    assert client.response("CONNECT").status in (400, 404, 405, 501)
    assert len(upstream.connections) == before


def test_client_that_leaves_while_sending_its_body_reaches_no_provider(upstream, gateway):
    model = upstream.play(provider.behave)
    with gateway.client() as client:
        client.send(raw.chat_bytes(model)[:-10])
        time.sleep(0.05)
    time.sleep(0.1)
    assert upstream.seen(model) == []


# Limits and deadlines.

@pytest.fixture(scope="module")
def strict(upstream, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("strict"), upstream.base_url, server={
        "body_max": "64KiB", "bodies_in_flight_max": "160KiB", "header_timeout": "500ms",
        "body_timeout": "500ms", "idle_timeout": "800ms", "request_timeout": "1500ms",
        "connections_max": 12}).start()
    yield gw
    gw.stop()


def test_counted_body_over_the_cap_is_413_before_it_is_sent(strict):
    with strict.client() as client:
        client.send(raw.request_bytes("POST", "/v1/chat/completions", None,
                                      (("Content-Length", str(65 << 10)),)))
        assert_envelope(read_refusal(client), 413, "payload_too_large")


def test_chunked_body_over_the_cap_is_413(strict, upstream):
    before = len(upstream.requests)
    with strict.client() as client:
        client.try_send(with_headers(CHUNKED))
        for _ in range(70):
            if not client.try_send(b"400\r\n" + b"x" * 1024 + b"\r\n"):
                break
        with contextlib.suppress(raw.Closed):
            assert_envelope(client.response(), 413, "payload_too_large")
    assert len(upstream.requests) == before


def test_body_just_under_the_cap_is_taken(strict):
    assert strict.chat("good", "x" * (63 << 10)).status == 200


def test_bodies_in_flight_are_bounded_for_the_process(strict):
    """Two half-sent bodies leave no room for a third; when one is done, there is room again."""
    body = raw.chat_body("good", "x" * (60 << 10))
    data = raw.request_bytes("POST", "/v1/chat/completions", body)
    with strict.client() as one, strict.client() as two:
        one.send(data[:-1])
        two.send(data[:-1])
        time.sleep(0.1)
        refused = strict.chat("good", "x" * (60 << 10))
        assert_envelope(refused, (429, 503))
        assert int(refused.headers["retry-after"]) >= 1
        one.send(data[-1:])
        assert one.response().status == 200
        until(lambda: strict.chat("good", "x" * (60 << 10)).status == 200, 2, "room again")


def test_head_that_does_not_come_is_timed_out(strict):
    with strict.client() as client:
        client.send(b"POST /v1/chat/comp")
        began = time.monotonic()
        assert_envelope(read_refusal(client), 408, "timeout")
        assert 0.3 < time.monotonic() - began < 3


def test_dripping_head_does_not_extend_its_deadline(strict):
    with strict.client() as client:
        began = time.monotonic()
        for byte in raw.chat_bytes("good")[:100]:
            if not client.try_send(bytes([byte])) or time.monotonic() - began > 4:
                break
            time.sleep(0.05)
        assert time.monotonic() - began < 4


def test_body_that_does_not_come_is_timed_out(strict, upstream):
    model = upstream.play(provider.behave)
    with strict.client() as client:
        client.send(raw.chat_bytes(model)[:-5])
        assert_envelope(read_refusal(client), 408, "timeout")
    assert upstream.seen(model) == []


def test_idle_connection_is_closed_silently(strict):
    with strict.client() as client:
        assert client.chat("good").status == 200
        assert client.is_closed(4)


def test_new_connection_that_says_nothing_is_closed(strict):
    with strict.client() as client:
        assert client.is_closed(4)


def test_request_deadline_is_408_and_cancels_the_upstream(strict, upstream):
    model = upstream.play(misbehaviour.silent)
    with strict.client() as client:
        began = time.monotonic()
        answer = client.chat(model)
        assert_envelope(answer, 408, "timeout")
        assert 1 < time.monotonic() - began < 4
    until(lambda: upstream.exchange_of(model).aborted, what="the cancelled upstream request")


def test_connections_are_bounded_and_come_back(strict):
    """Whether one too many is told so, closed, or left in the kernel's queue, it is not served."""
    clients = []
    try:
        refused = False
        for _ in range(14):
            client = strict.client(timeout=0.5)
            clients.append(client)
            try:
                answer = client.ask(raw.request_bytes("GET", "/healthz", key=None))
                refused = refused or answer.status == 503
            except (raw.Closed, OSError):
                refused = True
        assert refused, "14 connections where 12 are allowed"
    finally:
        for client in clients:
            client.close()

    def served() -> bool:
        with contextlib.suppress(raw.Closed, OSError):
            return strict.get("/healthz").status == 200
        return False
    until(served, 3, "room for connections again")


def test_nothing_of_a_refusal_remains(strict):
    """After everything above: no request in flight, no body counted."""
    assert strict.metric("sluice_inflight_requests") <= 1
