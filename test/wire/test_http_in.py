"""The ordinary ways of speaking HTTP/1.1 to the gateway: every one of them works."""
from __future__ import annotations

import json
import time

import pytest

import misbehaviour
import raw
from free_port import free_port
from promises import assert_envelope, assert_request_id, assert_whole
from upstream import until


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def chunked_chat(model: str, size: int = 7, **members) -> bytes:
    head = raw.head_bytes("POST", "/v1/chat/completions", [
        ("Host", "sluice.test"), ("Authorization", f"Bearer {raw.KEY}"),
        ("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])
    return head + chunked(raw.chat_body(model, **members), size)


# Connections.

def test_connection_serves_many_requests(upstream, client):
    for number in range(20):
        answer = client.chat("good", f"number {number}")
        assert answer.status == 200
        assert answer.json["choices"][0]["message"]["content"] == f"You said: number {number}"


def test_every_answer_has_its_own_request_id(client):
    ids = {client.chat("good").headers["x-request-id"] for _ in range(5)}
    ids |= {client.ask(raw.request_bytes("GET", "/nowhere")).headers["x-request-id"]}
    assert len(ids) == 6


def test_connection_close_is_honoured(client):
    answer = client.chat("good", headers=(("Connection", "close"),))
    assert answer.status == 200
    assert answer.headers.get("connection", "").lower() == "close"
    assert client.is_closed()


def test_http_1_0_gets_an_answer_and_the_end(client):
    body = raw.chat_body("good")
    client.send(b"POST /v1/chat/completions HTTP/1.0\r\nAuthorization: Bearer " + raw.KEY.encode()
                + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    answer = client.response()
    assert answer.status == 200 and answer.json["object"] == "chat.completion"
    assert client.is_closed()


def test_http_1_0_stream_is_not_chunked(client):
    body = raw.chat_body("good", stream=True)
    client.send(b"POST /v1/chat/completions HTTP/1.0\r\nAuthorization: Bearer " + raw.KEY.encode()
                + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    stream = raw.Stream(client)
    assert "transfer-encoding" not in stream.headers
    assert_whole(stream.data())


def test_pipelined_requests_are_answered_in_order(upstream, client):
    slow = upstream.play(misbehaviour.drip(3, 0.05))
    client.send(raw.chat_bytes(slow, stream=True) + raw.chat_bytes("good", "second")
                + raw.request_bytes("GET", "/v1/models") + raw.chat_bytes("good", "fourth"))
    assert raw.Stream(client).data()[-1] == "[DONE]"
    assert client.response().json["choices"][0]["message"]["content"] == "You said: second"
    assert client.response("GET").json["object"] == "list"
    assert client.response().json["choices"][0]["message"]["content"] == "You said: fourth"


def test_many_small_pipelined_requests(client):
    client.send(raw.request_bytes("GET", "/healthz", key=None) * 200)
    assert [client.response("GET").status for _ in range(200)] == [200] * 200


def test_what_a_client_pipelines_is_bounded(upstream, gateway):
    model = upstream.play(misbehaviour.silent)
    with gateway.client(timeout=2) as client:
        client.send(raw.chat_bytes(model))
        upstream.exchange_of(model)
        before, sent = gateway.rss_kb, 0
        more = raw.request_bytes("GET", "/v1/models") * 400
        try:
            while sent < 64 << 20:
                client.sock.sendall(more)
                sent += len(more)
        except OSError:  # it stopped reading, or it closed: both bound what it holds
            pass
        assert sent < 64 << 20
        assert gateway.rss_kb - before < 16 << 10
        client.reset()  # an end of file would wait behind what the gateway does not read


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_client_that_pipelined_too_much_and_leaves_is_noticed(upstream, gateway, how):
    """What it pipelined, more than is read ahead, stands unread in front of its end of file."""
    model = upstream.play(misbehaviour.silent)
    with gateway.client(timeout=1) as client:
        client.send(raw.chat_bytes(model))
        exchange = upstream.exchange_of(model)
        client.send(raw.request_bytes("GET", "/v1/models") * 1000)
        getattr(client, how)()
        until(lambda: exchange.aborted, 4, "the cancelled upstream request")


def test_half_closed_client_never_hangs(upstream, gateway):
    """Its end of file may be taken for leaving; what may not happen is that something stays."""
    model = upstream.play(misbehaviour.drip(10, 0.05))
    with gateway.client() as client:
        client.send(raw.chat_bytes(model, stream=True))
        exchange = upstream.exchange_of(model)
        client.half_close()
        try:
            assert_request_id(raw.Stream(client).response)
        except raw.Closed:
            pass
        until(lambda: exchange.ended, 5, "the end of the upstream request")


# Bodies.

@pytest.mark.parametrize("size", [1, 7, 4096])
def test_chunked_request_body(upstream, client, size):
    answer = client.ask(chunked_chat("good", size))
    assert answer.status == 200
    assert upstream.requests[-1].json["messages"][0]["content"] == "hello"


def test_chunk_extensions_and_trailers_are_read_over(client):
    body = raw.chat_body("good")
    head = chunked_chat("good").split(b"\r\n\r\n")[0] + b"\r\n\r\n"
    answer = client.ask(head + b"%x;a=b\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(body), body))
    assert answer.status == 200
    assert client.chat("good").status == 200


def test_request_may_come_byte_by_byte(client):
    for byte in raw.chat_bytes("good"):
        client.send(bytes([byte]))
    assert client.response().status == 200


def test_request_may_be_split_anywhere(client):
    data = raw.chat_bytes("good")
    for at in range(1, len(data), 11):
        client.send(data[:at])
        time.sleep(0.001)
        client.send(data[at:])
        assert client.response().status == 200, f"split at {at}"


def test_large_body_goes_through_whole(upstream, client):
    text = "x" * (8 << 20)
    answer = client.chat("good", text)
    assert answer.status == 200
    assert len(upstream.requests[-1].json["messages"][0]["content"]) == len(text)


def test_expect_100_continue(client):
    body = raw.chat_body("good")
    head = raw.request_bytes("POST", "/v1/chat/completions", body,
                             (("Expect", "100-continue"),))[:-len(body)]
    client.send(head)
    assert client.read_head().status == 100
    client.send(body)
    assert client.read_head().status == 200


def test_expect_is_refused_without_asking_for_the_body(client):
    client.send(raw.request_bytes("POST", "/v1/chat/completions", None, (
        ("Expect", "100-continue"), ("Content-Length", str(1 << 40)))))
    assert client.read_head().status == 413


def test_body_with_expect_may_come_at_once(client):
    answer = client.chat("good", headers=(("Expect", "100-continue"),))
    assert answer.status == 200


# Paths and methods.

@pytest.mark.parametrize("target", [
    "/v1/chat/completions", "/api/v1/chat/completions", "/v1/chat/completions/",
    "/v1/chat/completions?beta=true&x=%00", "/api/v1/chat/completions/?api-version=1"])
def test_every_spelling_of_the_path(client, target):
    answer = client.ask(raw.request_bytes("POST", target, raw.chat_body("good")))
    assert answer.status == 200


def test_absolute_form_of_the_target(client):
    answer = client.ask(raw.request_bytes("GET", "http://sluice.test/v1/models"))
    assert answer.status == 200


@pytest.mark.parametrize("target", ["/v1/models", "/healthz", "/readyz"])
def test_head_is_get_without_a_body(client, target):
    got = client.ask(raw.request_bytes("GET", target))
    head = client.ask(raw.request_bytes("HEAD", target))
    assert (head.status, head.body) == (got.status, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert client.chat("good").status == 200  # nothing of a body is left on the connection


def test_head_of_the_root_gets_an_answer(client):
    assert client.ask(raw.request_bytes("HEAD", "/")).status < 500


def test_unknown_path_is_404(client):
    assert_envelope(client.ask(raw.request_bytes("GET", "/v1/nothing/here")), 404, "not_found")
    assert client.chat("good").status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_wrong_method_is_405_and_names_the_right_one(client, method):
    answer = client.ask(raw.request_bytes(method, "/v1/chat/completions"))
    assert_envelope(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]


def test_upgrade_is_not_taken(client):
    answer = client.ask(raw.request_bytes("GET", "/v1/models", None, (
        ("Connection", "Upgrade"), ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))))
    assert answer.status == 200 or 400 <= answer.status < 500


def test_content_type_may_be_missing(client):
    body = raw.chat_body("good")
    answer = client.ask(raw.request_bytes(
        "POST", "/v1/chat/completions", None, (("Content-Length", str(len(body))),)) + body)
    assert answer.status == 200


@pytest.mark.parametrize("header", [("Content-Encoding", "br"), ("Content-Encoding", "x-unknown")])
def test_unsupported_content_encoding_is_415(client, header):
    answer = client.chat("good", headers=(header,))
    assert_envelope(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("body,param", [
    (b"", None), (b"{", None), (b"[]", None), (b"null", None), (b"{}", "model"),
    (b'{"model":7,"messages":[]}', "model"), (b'{"model":"good"} trailing', None),
    (b'{"model":"good","messages":[]}', "messages"),
    (b'{"model":"good","messages":"hi"}', "messages"),
    (b'{"model":"good","messages":[{}],"stream":"yes"}', "stream"),
    (b"\x00" * 100, None), (b"[" * 200_000, None)])
def test_malformed_bodies_are_400_and_keep_the_connection(client, body, param):
    answer = client.ask(raw.request_bytes("POST", "/v1/chat/completions", body))
    assert_envelope(answer, 400, "invalid_request_error", param)
    assert client.chat("good").status == 200


@pytest.mark.parametrize("body", [
    b'{"model":"good"}', b'{"model":"good","messages":[{"role":"user","content":"\xff\xfe"}]}'])
def test_what_only_the_provider_can_judge_gets_its_400(client, body):
    answer = client.ask(raw.request_bytes("POST", "/v1/chat/completions", body))
    assert answer.status == 400 and answer.error["type"] == "invalid_request_error"
    assert client.chat("good").status == 200


def test_deep_nesting_in_unknown_members_is_no_danger(client):
    deep = "[" * 100_000 + "]" * 100_000
    body = raw.chat_body("good")[:-1] + b',"x":' + deep.encode() + b"}"
    assert client.ask(raw.request_bytes("POST", "/v1/chat/completions", body)).status in (200, 400)


def test_unknown_model_is_404(client):
    assert_envelope(client.chat("no-such-model"), 404, "model_not_found", "model")


# Models.

def test_models_are_listed_for_both_kinds_of_reader(client):
    listed = client.ask(raw.request_bytes("GET", "/v1/models")).json
    assert listed["object"] == "list" and listed["has_more"] is False
    model = next(m for m in listed["data"] if m["id"] == "good")
    assert model["object"] == "model" and model["type"] == "model"
    assert isinstance(model["created"], int) and isinstance(model["owned_by"], str)


def test_one_model_is_retrieved(client):
    model = client.ask(raw.request_bytes("GET", "/v1/models/good")).json
    assert (model["id"], model["object"]) == ("good", "model")
    assert_envelope(client.ask(raw.request_bytes("GET", "/v1/models/none")), 404, "model_not_found")


def test_model_ids_may_contain_slashes(start):
    gw = start(models={"lab/tiny": {"provider": "up", "upstream_model": "good"}})
    for target in ("/v1/models/lab/tiny", "/v1/models/lab%2Ftiny"):
        assert gw.get(target).json["id"] == "lab/tiny", target
    assert gw.chat("lab/tiny").status == 200


# CORS.

PREFLIGHT = (("Origin", "https://chat.example"), ("Access-Control-Request-Method", "POST"),
             ("Access-Control-Request-Headers", "authorization,content-type"))


def test_preflight_is_refused_unless_configured(client):
    answer = client.ask(raw.request_bytes("OPTIONS", "/v1/chat/completions", None, PREFLIGHT, None))
    assert_envelope(answer, 400)
    assert "access-control-allow-origin" not in answer.headers


def test_answers_say_nothing_about_cors_unless_configured(client):
    answer = client.chat("good", headers=(("Origin", "https://chat.example"),))
    assert answer.status == 200 and "access-control-allow-origin" not in answer.headers


def cors_listener(port, origins):
    return [{"name": "api", "address": f"127.0.0.1:{port}", "serves": ["api", "health", "metrics"],
             "cors": {"origins": origins}}]


def test_browser_of_an_allowed_origin_can_chat(start):
    port = free_port()
    gw = start(port=port, listeners=cors_listener(port, ["https://chat.example"]))
    preflight = raw.request_bytes("OPTIONS", "/v1/chat/completions", None, PREFLIGHT, None)
    allowed = gw.ask(preflight)
    assert allowed.status in (200, 204)
    assert allowed.headers["access-control-allow-origin"] == "https://chat.example"
    assert "POST" in allowed.headers["access-control-allow-methods"]
    assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
    assert "origin" in allowed.headers.get("vary", "").lower()
    for model in ("good", "no-such-model"):  # scripts may read errors too
        answer = gw.chat(model, headers=(PREFLIGHT[0],))
        assert answer.headers["access-control-allow-origin"] == "https://chat.example"
        assert "x-request-id" in answer.headers.get("access-control-expose-headers", "").lower()
    other = gw.ask(preflight.replace(b"https://chat.example", b"https://evil.example"))
    assert_envelope(other, 400)
    assert "access-control-allow-origin" not in other.headers


def test_star_allows_every_origin(start):
    port = free_port()
    gw = start(port=port, listeners=cors_listener(port, ["*"]))
    answer = gw.ask(raw.request_bytes("OPTIONS", "/v1/chat/completions", None, PREFLIGHT, None))
    assert answer.headers["access-control-allow-origin"] in ("*", "https://chat.example")


def test_content_length_is_right_in_every_counted_answer(client):
    """A wrong length would show as a broken next answer on the same connection."""
    for data in (raw.request_bytes("GET", "/v1/models"), raw.chat_bytes("good"),
                 raw.chat_bytes("status-429"), raw.chat_bytes("no-such-model"),
                 raw.request_bytes("GET", "/healthz"), raw.request_bytes("GET", "/metrics")):
        answer = client.ask(data)
        assert answer.complete
    assert json.loads(client.chat("good").body)["object"] == "chat.completion"
