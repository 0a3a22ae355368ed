"""An HTTP client that keeps every byte, says when it came, and lets a test send anything at all."""
from __future__ import annotations

import json
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field
from typing import Iterator

KEY = "sk-wire-dev-key-0123456789"


class Closed(Exception):
    """The peer ended the connection before what was asked for had come."""


@dataclass
class Response:
    status: int
    reason: str
    header_list: list[tuple[str, str]]
    body: bytes
    head: bytes
    trailer: bytes = b""
    complete: bool = True  # the framing ended as it should

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.header_list)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self) -> dict:
        return self.json["error"]


@dataclass
class Arrival:
    """Bytes of a body as one chunk or one read brought them."""

    data: bytes
    at: float = field(default_factory=time.monotonic)


def head_bytes(method: str, target: str, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"{method} {target} HTTP/1.1"] + [f"{n}: {v}" for n, v in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def request_bytes(method: str, target: str, body: bytes | None = None,
                  headers: tuple[tuple[str, str], ...] = (), key: str | None = KEY) -> bytes:
    """An ordinary request: Host, the key, JSON, counted."""
    names = [("Host", "sluice.test")]
    if key is not None:
        names.append(("Authorization", f"Bearer {key}"))
    if body is not None:
        names += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return head_bytes(method, target, names + list(headers)) + (body or b"")


def chat_body(model: str, text: str = "hello", **members) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}
                      | members).encode()


def chat_bytes(model: str, text: str = "hello", headers=(), key=KEY, **members) -> bytes:
    return request_bytes("POST", "/v1/chat/completions", chat_body(model, text, **members),
                         headers, key)


class Client:
    """One connection. `address` is (host, port) or the path of a unix socket."""

    def __init__(self, address, tls: ssl.SSLContext | None = None, server_name: str = "localhost",
                 timeout: float = 10, receive_buffer: int | None = None):
        unix = isinstance(address, str)
        family = socket.AF_UNIX if unix else \
            socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer is not None:  # has to be said before the window is agreed on
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        if not unix:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=server_name)
        self.received = bytearray()
        self.ended = False

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # Sending.

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def try_send(self, data: bytes) -> bool:
        """For peers that may refuse in the middle: False when they closed."""
        try:
            self.sock.sendall(data)
            return True
        except OSError:
            return False

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # Receiving.

    def more(self) -> None:
        if self.ended:
            raise Closed(bytes(self.received[:2000]))
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            data = b""
        if not data:
            self.ended = True
            raise Closed(bytes(self.received[:2000]))
        self.received += data

    def take(self, size: int) -> bytes:
        taken = bytes(self.received[:size])
        del self.received[:size]
        return taken

    def read_until(self, mark: bytes) -> bytes:
        while (at := self.received.find(mark)) < 0:
            self.more()
        return self.take(at + len(mark))

    def read_exactly(self, size: int) -> bytes:
        while len(self.received) < size:
            self.more()
        return self.take(size)

    def read_head(self) -> Response:
        head = self.read_until(b"\r\n\r\n")
        lines = head[:-4].decode("latin-1").split("\r\n")
        version, status, reason = (lines[0].split(" ", 2) + [""])[:3]
        assert version in ("HTTP/1.1", "HTTP/1.0"), head
        pairs = [(n.lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines[1:])]
        return Response(int(status), reason, pairs, b"", head)

    def arrivals(self, response: Response, method: str = "POST") -> Iterator[Arrival]:
        """The body, piece by piece as it comes; sets `complete` and `trailer`."""
        names = response.headers
        response.complete = False
        if method == "HEAD" or response.status in (204, 304) or response.status < 200:
            response.complete = True
        elif names.get("transfer-encoding", "").lower() == "chunked":
            yield from self._chunks(response)
        elif "content-length" in names:
            left = int(names["content-length"])
            while left > 0:
                if not self.received:
                    self.more()
                piece = self.take(min(left, len(self.received)))
                left -= len(piece)
                yield Arrival(piece)
            response.complete = True
        else:
            while True:
                try:
                    if not self.received:
                        self.more()
                except Closed:
                    break
                yield Arrival(self.take(len(self.received)))
            response.complete = True

    def _chunks(self, response: Response) -> Iterator[Arrival]:
        while True:
            size = int(self.read_until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            data = self.read_exactly(size + 2)
            assert data.endswith(b"\r\n"), data[-10:]
            yield Arrival(data[:-2])
        while (line := self.read_until(b"\r\n")) != b"\r\n":
            response.trailer += line
        response.complete = True

    def response(self, method: str = "POST") -> Response:
        """The next final response, whole. A broken body raises Closed."""
        response = self.read_head()
        while 100 <= response.status < 200:
            response = self.read_head()
        response.body = b"".join(a.data for a in self.arrivals(response, method))
        return response

    def ask(self, data: bytes, method: str | None = None) -> Response:
        self.send(data)
        return self.response(method or data.split(b" ", 1)[0].decode())

    def chat(self, model: str, text: str = "hello", **more) -> Response:
        return self.ask(chat_bytes(model, text, **more))

    def stream(self, model: str, text: str = "hello", **more) -> "Stream":
        self.send(chat_bytes(model, text, stream=True, **more))
        return Stream(self)

    def is_closed(self, within: float = 3) -> bool:
        """Whether the peer closes without sending anything more."""
        if self.received:
            return False
        if self.ended:
            return True
        self.sock.settimeout(within)
        try:
            data = self.sock.recv(1)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            return True
        except TimeoutError:
            return False
        self.received += data
        return data == b""


class Stream:
    """A streamed answer, read event by event. Every event keeps its bytes and its time."""

    def __init__(self, client: Client):
        self.client = client
        self.response = client.read_head()
        while 100 <= self.response.status < 200:
            self.response = client.read_head()
        self.pieces = client.arrivals(self.response)
        self.body = b""
        self.pending = b""
        self.last_arrival = 0.0

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def headers(self) -> dict[str, str]:
        return self.response.headers

    def frames(self) -> Iterator[bytes]:
        """Blank-line separated blocks, comments included, as bytes."""
        while True:
            while (at := self.pending.find(b"\n\n")) >= 0:
                frame, self.pending = self.pending[:at + 2], self.pending[at + 2:]
                yield frame
            piece = next(self.pieces, None)
            if piece is None:
                return
            self.last_arrival = piece.at
            self.body += piece.data
            self.pending += piece.data

    def next(self) -> bytes:
        """The next frame that is not a comment."""
        for frame in self.frames():
            if not frame.startswith(b":"):
                return frame
        raise Closed(self.body[-500:])

    def rest(self) -> bytes:
        """Everything to the end of the response; returns the whole body."""
        for _ in self.frames():
            pass
        return self.body

    def data(self) -> list:
        """The JSON of all events to the end, with the string "[DONE]" where it was sent."""
        return events_of(self.rest())


def events_of(body: bytes) -> list:
    """Reads a stream as the standard says, for bodies in LF, CRLF or CR."""
    text = body.decode("utf-8").removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    events, data = [], []
    for line in lines:
        if line == "" and data:
            joined = "\n".join(data)
            events.append(joined if joined == "[DONE]" else json.loads(joined))
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    return events


def content_of(events: list) -> str:
    """The assistant's text of a chat stream."""
    return "".join(c["delta"].get("content") or "" for e in events if e != "[DONE]"
                   for c in e.get("choices", []))
