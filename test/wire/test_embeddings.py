"""Embeddings: what is refused, what is added, and answers so large that others would have to wait."""
from __future__ import annotations

import base64
import json
import random
import signal
import socket
import struct
import threading
import time

import pytest

import raw
from promises import assert_envelope
from upstream import until

ITEMS, DIMENSIONS = 256, 3072  # with 2048 items the same, eight times slower
VECTOR = [random.Random(7).uniform(-0.1, 0.1) for _ in range(DIMENSIONS)]
PACKED = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *VECTOR)).decode()
NUMBERS = list(struct.unpack(f"<{DIMENSIONS}f", base64.b64decode(PACKED)))


def request(model: str = "good", **members) -> bytes:
    return raw.request_bytes("POST", "/v1/embeddings",
                             json.dumps({"model": model, "input": "x"} | members).encode())


def huge(vector: str) -> bytes:
    rows = ",".join(f'{{"object":"embedding","index":{n},"embedding":{vector}}}'
                    for n in range(ITEMS))
    return (f'{{"object":"list","data":[{rows}],"model":"m",'
            '"usage":{"prompt_tokens":5,"total_tokens":5}}').encode()


AS_NUMBERS = huge(json.dumps(VECTOR))
AS_BASE64 = huge(f'"{PACKED}"')


def answering(body: bytes, **more):
    async def script(x):
        await x.reply(200, body, **more)
    return script


def numbers_of(item) -> list[float]:
    if isinstance(item, str):
        return list(struct.unpack(f"<{DIMENSIONS}f", base64.b64decode(item)))
    return list(struct.unpack(f"<{DIMENSIONS}f", struct.pack(f"<{DIMENSIONS}f", *item)))


# The request.

@pytest.mark.parametrize("members, param", [
    ({"input": None}, "input"), ({"input": 5}, "input"), ({"input": False}, "input"),
    ({"input": ["x"] * 2049}, "input"), ({"input": ["a", "b", "c", 4]}, "input[3]"),
    ({"input": ["a", None]}, "input[1]"), ({"input": [1, 2, "c"]}, "input[2]"),
    ({"input": [[1], [2, 3.5]]}, "input[1][1]"), ({"input": [1, -1]}, "input[1]"),
    ({"encoding_format": "int8"}, "encoding_format"), ({"encoding_format": 1}, "encoding_format"),
    ({"dimensions": 0}, "dimensions"), ({"dimensions": "8"}, "dimensions"),
    ({"dimensions": 1.5}, "dimensions"), ({"stream": True}, "stream")])
def test_what_is_wrong_for_certain_is_refused(gateway, upstream, members, param):
    before = len(upstream.requests)
    assert_envelope(gateway.ask(request(**members)), 400, "invalid_request_error", param)
    assert len(upstream.requests) == before


def test_no_input_is_refused(gateway):
    answer = gateway.ask(raw.request_bytes("POST", "/v1/embeddings", b'{"model":"good"}'))
    assert_envelope(answer, 400, "invalid_request_error", "input")


@pytest.mark.parametrize("given", [
    "", [], ["x"] * 2048, list(range(9000)), [[1, 2], [3]], {"image": "AAAA"},
    ["a", {"type": "image_url", "image_url": {"url": "data:,"}}], [[{"text": "a"}]]])
def test_what_may_be_right_is_the_providers_to_judge(gateway, upstream, given):
    model = upstream.play(answering(b'{"data":[]}'))
    assert gateway.ask(request(model, input=given)).status == 200
    assert upstream.seen(model)[0].json["input"] == given


def test_path_may_fix_the_model(gateway, upstream):
    body = b'{"input":[1,2,3]}'
    answer = gateway.ask(raw.request_bytes("POST", "/api/v1/good/embeddings", body))
    assert answer.status == 200 and upstream.requests[-1].json["model"] == "good"


def test_large_request_reaches_the_provider_byte_for_byte(gateway, upstream):
    tokens = json.dumps([[n * k % 100_000 for n in range(4000)] for k in range(200)]).encode()
    body = b'{"input": %s ,"provider":{},"model":"good"}' % tokens
    answer = gateway.ask(raw.request_bytes("POST", "/v1/embeddings", body), timeout=60)
    assert answer.status == 200, answer.body
    assert upstream.requests[-1].body == body.replace(b',"provider":{}', b"")
    worse = body.replace(b"[0, 7, ", b"[0, null, ", 1)
    assert_envelope(gateway.ask(raw.request_bytes("POST", "/v1/embeddings", worse), timeout=60),
                    400, param="input[7][1]")


# The answer.

def test_answer_gains_what_it_lacks_and_no_other_byte_changes(gateway, upstream):
    odd = '[-0.0069292834,1e-05,0.10,-0.0,1.0E+2,123456789012345678901234567890]'
    sent = f'{{ "data" : [{{"embedding": {odd}}}],"usage": {{"total_tokens" : 7}},"x":1.50}}'
    answer = gateway.ask(request(upstream.play(answering(sent.encode()))))
    said = answer.json
    own = (f'"request_id":"{said["request_id"]}","provider":"up","id":"{said["id"]}",'
           f'"object":"list","model":"{said["model"]}",')
    expected = sent.replace("{ ", "{" + own + " ", 1).replace(
        '{"total', '{"prompt_tokens":7,"completion_tokens":0,"total')
    assert answer.body.decode() == expected
    assert said["id"] == "gen-" + answer.headers["x-request-id"]
    record = gateway.record_of(said["request_id"])
    assert record["tokens_in"] == 7 and record["usage_source"] == "provider"


def test_answer_that_lacks_nothing_gains_only_our_members(gateway, upstream):
    sent = ('{"id":"e-1","object":"list","data":[],"model":"m","usage":'
            '{"prompt_tokens":1,"completion_tokens":0,"total_tokens":1}}')
    answer = gateway.ask(request(upstream.play(answering(sent.encode()))))
    own = f'"request_id":"{answer.json["request_id"]}","provider":"up",'
    assert answer.body.decode() == "{" + own + sent[1:]


def test_cost_is_told_when_asked_for(gateway):
    answer = gateway.ask(request(usage={"include": True})).json
    assert "cost" in answer and answer["usage"]["completion_tokens"] == 0


@pytest.mark.parametrize("body", [
    b"", b"garbage", b"<html>Bad day</html>", b"[]", b'{"data":[{"embedding":[1,2', b'{"detail":"no"}',
    b'{"data":{}}', b'{"data":[]} {}', b'{"error":{"message":"none left"}}',
    AS_NUMBERS[:-2], AS_NUMBERS + b"x", AS_BASE64.replace(b"prompt_tokens\"", b"prompt_tokens", 1)],
    ids=lambda body: body[:12].decode() + str(len(body)))
@pytest.mark.parametrize("form", ["float", "base64"])
def test_what_is_no_list_of_embeddings_is_a_502(gateway, upstream, body, form):
    model = upstream.play(answering(body))
    answer = gateway.ask(request(model, encoding_format=form), timeout=60)
    assert_envelope(answer, 502, "upstream_error")


def test_after_a_bad_answer_another_provider_is_asked(start, upstream):
    bad, good = upstream.play(answering(AS_NUMBERS[:-2])), upstream.play(answering(AS_BASE64))
    gw = start(models={"bad": {"provider": "up", "upstream_model": bad},
                       "fine": {"provider": "up", "upstream_model": good},
                       "two": {"alias": ["bad", "fine"]}})
    answer = gw.ask(request("two"), timeout=60)
    assert answer.status == 200 and answer.headers["x-sluice-attempts"] == "2"
    assert numbers_of(answer.json["data"][-1]["embedding"]) == NUMBERS


# Size.

@pytest.mark.parametrize("form", ["float", "base64"])
@pytest.mark.parametrize("sent", [AS_NUMBERS, AS_BASE64], ids=["numbers", "packed"])
def test_huge_answer_comes_in_the_form_asked_for(gateway, upstream, sent, form):
    model = upstream.play(answering(sent))
    answer = gateway.ask(request(model, encoding_format=form), timeout=60)
    rows = answer.json["data"]
    assert [r["index"] for r in rows] == list(range(ITEMS))
    assert all(isinstance(r["embedding"], str if form == "base64" else list) for r in rows)
    assert all(numbers_of(r["embedding"]) == NUMBERS for r in (rows[0], rows[-1]))
    assert answer.headers["content-length"] == str(len(answer.body))
    if (form == "float") == (sent is AS_NUMBERS):
        assert answer.body.endswith(sent[1:].partition(b'"usage":{')[0][-5000:] +
                                    b'"usage":{"completion_tokens":0,' +
                                    sent.partition(b'"usage":{')[2])


def test_slow_client_gets_all_of_a_huge_answer(gateway, upstream):
    model = upstream.play(answering(AS_NUMBERS))
    with gateway.client(receive_buffer=16 << 10, timeout=60) as client:
        client.send(request(model))
        head = client.read_head()
        time.sleep(0.5)
        body = b"".join(a.data for a in client.arrivals(head))
        assert json.loads(body)["data"][-1]["embedding"] == VECTOR
        assert client.ask(request()).status == 200  # the connection goes on


class Metronome(threading.Thread):
    """A client of a stream whose events come in even time; remembers the longest pause."""

    def __init__(self, gateway, model: str):
        super().__init__()
        self.client = gateway.client(timeout=60)
        self.stream = self.client.stream(model)
        self.stream.next()
        self.longest = 0.0
        self.start()

    def run(self) -> None:
        last = time.monotonic()
        for frame in self.stream.frames():
            self.longest = max(self.longest, self.stream.last_arrival - last)
            last = self.stream.last_arrival

    def stop(self) -> float:
        self.join(60)
        self.client.close()
        return self.longest


def ticking(stopped: threading.Event):
    async def script(x):
        await x.stream_head()
        while not stopped.is_set():
            await x.chunk(b'data: {"choices":[{"index":0,"delta":{"content":"tick"}}]}\n\n')
            await x.sleep(0.005)
        await x.chunk(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n')
        await x.chunk(b"data: [DONE]\n\n")
        await x.last_chunk()
    return script


def longest_pause(gateway, upstream, work) -> tuple[float, float]:
    """Of a stream, while `work` is done; and how long that took."""
    stopped = threading.Event()
    metronome = Metronome(gateway, upstream.play(ticking(stopped)))
    began = time.monotonic()
    work()
    took = time.monotonic() - began
    stopped.set()
    return metronome.stop(), took


@pytest.mark.parametrize("sent, form", [(AS_NUMBERS, "base64"), (AS_BASE64, "float"),
                                        (AS_NUMBERS, "float")], ids=["pack", "unpack", "pass"])
def test_huge_answer_keeps_nobody_else_waiting(gateway, upstream, sent, form):
    def ask() -> None:
        with gateway.client(timeout=60) as client:
            client.send(request(upstream.play(answering(sent)), encoding_format=form))
            head = client.read_head()
            assert head.status == 200
            for _ in client.arrivals(head):
                pass

    unloaded, _ = longest_pause(gateway, upstream, lambda: time.sleep(0.5))
    loaded, took = longest_pause(gateway, upstream, ask)
    assert loaded < max(20 * unloaded, took / 4), (unloaded, loaded, took)


# Leaving in the middle: a sanitizer looks on, and each gateway is looked over when it stops.

def ask_for_several(gw, upstream, n: int = 5) -> list[raw.Client]:
    """More than are read at a time: some of them wait in line. All have been answered."""
    model = upstream.play(answering(AS_BASE64))
    clients = [gw.client(timeout=60) for _ in range(n)]
    for client in clients:
        client.send(request(model))
    until(lambda: sum(e.ended is not None for e in upstream.exchanges_of(model)) == n, 20, "answers")
    return clients


def test_clients_may_leave_while_their_answers_are_read(start, upstream):
    gw = start()
    for client in ask_for_several(gw, upstream):
        client.reset()
    until(lambda: len(gw.records()) == 5, 20, "records")
    assert [r["outcome"] for r in gw.records()].count("client_gone") >= 3
    assert gw.ask(request(upstream.play(answering(AS_BASE64))), timeout=60).status == 200


def test_client_may_leave_while_it_is_sent(start, upstream):
    gw = start()
    with gw.client(receive_buffer=16 << 10, timeout=60) as client:
        client.send(request(upstream.play(answering(AS_NUMBERS))))
        assert client.read_head().status == 200
        client.reset()
    until(lambda: gw.records(), 20, "the record")
    assert gw.records()[0]["outcome"] == "client_gone" and gw.records()[0]["status"] == 200


def test_reload_changes_nothing_for_what_is_being_read(start, upstream):
    gw = start()
    clients = ask_for_several(gw, upstream)
    for _ in range(3):
        gw.reload()
        time.sleep(0.02)
    for client in clients:
        assert numbers_of(client.response().json["data"][3]["embedding"]) == NUMBERS
        client.close()


def test_drain_waits_for_what_is_being_read(start, upstream):
    gw = start(server={"drain": {"timeout": "60s"}})
    clients = ask_for_several(gw, upstream)
    gw.signal(signal.SIGTERM)
    for client in clients:
        assert numbers_of(client.response().json["data"][3]["embedding"]) == NUMBERS
        client.close()
    gw.wait_exit(60)


def test_drain_limit_ends_what_is_being_read(start, upstream):
    gw = start(server={"drain": {"timeout": "20ms"}})
    clients = ask_for_several(gw, upstream, 8)
    gw.signal(signal.SIGTERM)
    statuses = []
    for client in clients:
        try:
            statuses.append(client.response().status)
        except raw.Closed:
            statuses.append(0)  # cut off while it was sent
        client.close()
    assert set(statuses) <= {0, 200, 503} and 503 in statuses, statuses
    gw.wait_exit(60)


@pytest.mark.parametrize("leave", ["reset", "drain"])
def test_client_may_leave_while_its_request_is_read(start, upstream, leave):
    gw = start(server={"drain": {"timeout": "20ms"}})
    body = b'{"model":"good","input":[%s]}' % b",".join([b"%d" % n for n in range(4_000_000)])
    client = gw.client(timeout=60)
    client.send(raw.request_bytes("POST", "/v1/embeddings", body))
    if leave == "reset":
        client.reset()
        until(lambda: gw.records(), 20, "the record")
    else:
        gw.signal(signal.SIGTERM)
        client.close()
        gw.wait_exit(60)


class Hasty(threading.Thread):
    """A provider that answers before it has read the request, and then waits."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.accepted = 0
        self.ends: list[bytes] = []
        self.start()

    def run(self) -> None:
        body = b'{"error":{"message":"too long for us","type":"invalid_request_error"}}'
        while True:
            connection, _ = self.listening.accept()
            self.accepted += 1
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 400 No\r\ncontent-type: application/json\r\n"
                               b"content-length: %d\r\n\r\n%s" % (len(body), body))
            threading.Thread(target=self.drain, args=(connection,), daemon=True).start()

    def drain(self, connection: socket.socket) -> None:
        time.sleep(0.3)
        total = 0
        try:
            while data := connection.recv(1 << 20):
                total += len(data)
        except OSError:
            pass
        self.ends.append(total)


def test_connection_of_a_request_that_was_answered_too_early_is_not_used_again(start):
    hasty = Hasty()
    gw = start(f"http://127.0.0.1:{hasty.port}/v1")
    body = b'{"model":"good","input":[%s]}' % b",".join([b"%d" % n for n in range(3_000_000)])
    for n in (1, 2):
        answer = gw.ask(raw.request_bytes("POST", "/v1/embeddings", body), timeout=60)
        assert answer.status == 400 and b"too long for us" in answer.body
        assert hasty.accepted == n
    until(lambda: len(hasty.ends) == 2, 10, "both connections to close")
    assert max(hasty.ends) < len(body)  # what nobody wanted any more was not sent


# Counting.

@pytest.mark.parametrize("content, least, most", [
    ([{"type": "text", "text": "abcdefg" * 1_000_000}], 2_000_000, 2_000_100),
    ([{"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                   "data": "A" * 6_000_000}}] * 2, 3200, 3300),
    ([{"type": "document", "source": {"type": "base64", "media_type": "application/pdf",
                                      "data": "A" * 6_000_000}}], 150_000, 150_100),
    ([{"type": "text", "text": "short"}], 5, 15)], ids=["text", "images", "document", "small"])
def test_tokens_of_any_body_are_counted_by_the_same_rules(gateway, content, least, most):
    body = json.dumps({"model": "good", "messages": [{"role": "user", "content": content}]})
    answer = gateway.ask(raw.request_bytes("POST", "/v1/messages/count_tokens", body.encode()),
                         timeout=60)
    assert answer.status == 200, answer.body
    assert least <= answer.json["input_tokens"] <= most and answer.json["estimated"] is True


def test_large_body_that_is_no_conversation_is_not_counted(gateway):
    body = json.dumps({"model": "good", "messages": [{"role": "user", "content": 5}], "x": "y" * 5_000_000})
    answer = gateway.ask(raw.request_bytes("POST", "/v1/messages/count_tokens", body.encode()),
                         timeout=60)
    assert_envelope(answer, 400)


def test_client_may_leave_while_its_tokens_are_counted(start):
    gw = start()
    body = json.dumps({"model": "good", "messages": [
        {"role": "user", "content": "abcdefg" * 1_000_000}] * 6}).encode()
    for _ in range(4):
        client = gw.client(timeout=60)
        client.send(raw.request_bytes("POST", "/v1/messages/count_tokens", body))
        time.sleep(0.05)
        client.reset()
    until(lambda: len(gw.records()) == 4, 20, "records")
