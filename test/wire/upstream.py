"""A model provider on the raw socket, which does exactly what a test tells it to.

It is written against bytes, not against an HTTP library, because half of its work is to be wrong:
to stop in the middle of a chunk, to lie about a length, to reset. What it does for one request is a
*script*, an async function that gets an `Exchange`; `provider.py` holds the well-behaved one and
`misbehaviour.py` the others.

    up = Upstream().start()
    model = up.play(my_script)        # a model name nobody used yet, answered by my_script
    ... send a request for that model through the gateway ...
    up.requests[-1].body              # what arrived, byte for byte
    up.stop()

The server runs its own event loop in a thread. Tests are ordinary blocking code; they look at the
records (`requests`, `connections`), which are only appended to, and wait with `until`.
"""
from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Awaitable, Callable

import misbehaviour
import provider
import provider_media

HEAD_MAX = 1 << 20
SLOTS = 300  # model names a gateway is configured with, one for each play()


def slot_name(number: int) -> str:
    return f"slot-{number:03d}"


@dataclass
class Request:
    """One request as it arrived. `head` and `body` are the bytes between the framing."""

    head: bytes
    body: bytes
    raw_body: bytes
    connection: "Connection"
    number_on_connection: int
    at: float = field(default_factory=time.monotonic)

    @property
    def method(self) -> str:
        return self.head.split(b" ", 2)[0].decode()

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    @property
    def header_list(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [(n.lower(), v.strip()) for n, _, v in (l.partition(":") for l in lines if l)]

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.header_list)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def parts(self) -> list:
        """Of a form."""
        return provider_media.parts_of(self.headers["content-type"], self.body)

    @property
    def model(self) -> str:
        if self.headers.get("content-type", "").startswith("multipart/"):
            return next((p.value.decode() for p in self.parts if p.name == "model"), "")
        try:
            return str(self.json.get("model", ""))
        except (ValueError, AttributeError, RecursionError):
            return ""


class Gone(Exception):
    """The peer closed the connection while the script was still at work."""


class Gate:
    """Lets a test release a script step by step: the script waits, the test opens."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self.loop = loop
        self.steps = asyncio.Semaphore(0)

    def open(self, steps: int = 1) -> None:
        for _ in range(steps):
            self.loop.call_soon_threadsafe(self.steps.release)

    async def wait(self) -> None:
        await self.steps.acquire()


class Exchange:
    """What a script works with: the request, and verbs that put bytes on the wire."""

    def __init__(self, upstream: "Upstream", connection: "Connection", request: Request):
        self.upstream = upstream
        self.connection = connection
        self.request = request
        self.keep_alive = True
        self.sent = 0
        self.started = time.monotonic()
        self.ended: float | None = None
        self.aborted: float | None = None  # when the peer went away under us
        self.failure: BaseException | None = None  # a script's own mistake, for a test's report

    @property
    def model(self) -> str:
        return self.request.model

    async def send(self, data: bytes) -> None:
        """Write, and wait until the kernel has taken all of it: this is how a slow reader shows."""
        await self.connection.send(data)
        self.sent += len(data)

    async def head(self, status: int = 200, *headers: tuple[str, str], reason: str = "OK") -> None:
        lines = [f"HTTP/1.1 {status} {reason}"] + [f"{n}: {v}" for n, v in headers]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def last_chunk(self) -> None:
        await self.send(b"0\r\n\r\n")

    async def reply(self, status: int, body: bytes, *headers: tuple[str, str],
                    content_type: str = "application/json") -> None:
        """A whole counted response in one write."""
        head = [f"HTTP/1.1 {status} Because", f"content-type: {content_type}",
                f"content-length: {len(body)}"]
        head += [f"{n}: {v}" for n, v in headers]
        await self.send(("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + body)

    async def stream_head(self, *headers: tuple[str, str],
                          content_type: str = "text/event-stream; charset=utf-8") -> None:
        await self.head(200, ("content-type", content_type),
                        ("transfer-encoding", "chunked"), *headers)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def until_gone(self) -> None:
        """Stay silent until the peer closes (then the script ends by cancellation)."""
        await asyncio.sleep(3600)

    def close(self) -> None:
        """End the connection in order: everything sent so far, then FIN."""
        self.keep_alive = False
        self.connection.close()

    def reset(self) -> None:
        """End the connection with RST."""
        self.keep_alive = False
        self.connection.reset()


Script = Callable[[Exchange], Awaitable[None]]


class Connection(asyncio.Protocol):
    """One accepted connection. Requests are answered one after the other, as HTTP/1.1 asks."""

    def __init__(self, upstream: "Upstream"):
        self.upstream = upstream
        self.opened = time.monotonic()
        self.closed: float | None = None
        self.closed_by: str | None = None  # "peer", "peer reset", "us"
        self.requests: list[Request] = []
        self.received = bytearray()
        self.arrived = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.transport: asyncio.Transport | None = None
        self.task: asyncio.Task | None = None
        self.exchange: Exchange | None = None
        self.ours = False
        self.tls_version: str | None = None
        self.tls_resumed: bool | None = None
        self.server_name: str | None = None

    # Events of the transport.

    def connection_made(self, transport) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=1, low=0)  # asyncio's TLS never resumes from 0, 0
        sock = transport.get_extra_info("socket")
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.tls_version = tls.version()
            self.tls_resumed = tls.session_reused
        self.upstream.connections.append(self)
        self.task = asyncio.ensure_future(self.serve())

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.arrived.set()

    def eof_received(self) -> bool:
        self.mark_closed("peer")
        return False

    def connection_lost(self, why: BaseException | None) -> None:
        self.mark_closed("us" if self.ours else "peer" if why is None else "peer reset")

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def mark_closed(self, by: str) -> None:
        if self.closed is None:
            self.closed = time.monotonic()
            self.closed_by = by
            if self.exchange is not None and self.exchange.ended is None and by != "us":
                self.exchange.aborted = self.closed
        if self.task is not None and not self.ours:
            self.task.cancel()
        self.arrived.set()
        self.writable.set()

    # Verbs.

    async def send(self, data: bytes) -> None:
        if self.closed is not None or self.transport.is_closing():
            raise Gone
        self.transport.write(data)
        await self.writable.wait()
        if self.closed is not None:
            raise Gone

    def close(self) -> None:
        self.ours = True
        self.transport.close()

    def reset(self) -> None:
        self.ours = True
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    # Reading requests.

    async def more(self) -> None:
        if self.closed is not None:
            raise Gone
        self.arrived.clear()
        await self.arrived.wait()
        if self.closed is not None and not self.received:
            raise Gone

    async def read_until(self, mark: bytes) -> bytes:
        while (at := self.received.find(mark)) < 0:
            if len(self.received) > HEAD_MAX:
                raise Gone
            await self.more()
        return self.take(at + len(mark))

    async def read_exactly(self, size: int) -> bytes:
        while len(self.received) < size:
            await self.more()
        return self.take(size)

    def take(self, size: int) -> bytes:
        taken = bytes(self.received[:size])
        del self.received[:size]
        return taken

    async def read_request(self) -> Request:
        head = await self.read_until(b"\r\n\r\n")
        head = head[:-4]
        names = {}
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            names[name.strip().lower()] = value.strip()
        raw = body = b""
        if b"chunked" in names.get(b"transfer-encoding", b"").lower():
            while True:
                line = await self.read_until(b"\r\n")
                size = int(line.split(b";")[0], 16)
                data = await self.read_exactly(size + 2)
                raw += line + data
                body += data[:-2]
                if size == 0:
                    break
        elif b"content-length" in names:
            raw = body = await self.read_exactly(int(names[b"content-length"]))
        return Request(head, body, raw, self, len(self.requests))

    async def serve(self) -> None:
        try:
            if self.upstream.on_connect is not None:
                await self.upstream.on_connect(self)
            while self.closed is None and not self.ours:
                await self.answer(await self.read_request())
        except (Gone, asyncio.CancelledError, ConnectionError):
            pass

    async def answer(self, request: Request) -> None:
        self.requests.append(request)
        exchange = Exchange(self.upstream, self, request)
        self.exchange = exchange
        self.upstream.exchanges.append(exchange)
        self.upstream.requests.append(request)
        try:
            await self.upstream.script_for(request)(exchange)
        except (Gone, asyncio.CancelledError, ConnectionError):
            if not self.ours and exchange.aborted is None:  # a write noticed it first
                exchange.aborted = time.monotonic()
            raise
        except Exception as mistake:
            exchange.failure = mistake
            exchange.reset()
        finally:
            exchange.ended = time.monotonic()
            self.exchange = None
        if not exchange.keep_alive and not self.ours:
            self.close()


class Upstream:
    """The listening provider. Everything it saw is in `connections`, `requests`, `exchanges`."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1",
                 send_buffer: int = 64 << 10, path: str | None = None):
        self.host = host
        self.path = path  # of a unix socket, instead of a host and port
        self.tls = tls
        self.send_buffer = send_buffer
        self.port = 0
        self.scripts: dict[str, Script] = {}
        self.next_slot = 0
        self.connections: list[Connection] = []
        self.requests: list[Request] = []
        self.exchanges: list[Exchange] = []
        self.on_connect: Callable[[Connection], Awaitable[None]] | None = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True, name="upstream")
        self.server: asyncio.Server | None = None

    @property
    def base_url(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}:/v1"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}/v1"

    def start(self) -> "Upstream":
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(self._bind()), self.loop).result(10)
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def play(self, script: Script) -> str:
        """Answer one model name, which nothing used before, with this script."""
        assert self.next_slot < SLOTS, "more scripts than model names: raise SLOTS"
        model = slot_name(self.next_slot)
        self.next_slot += 1
        self.scripts[model] = script
        return model

    def gate(self) -> Gate:
        return Gate(self.loop)

    def script_for(self, request: Request) -> Script:
        model = request.model
        return self.scripts.get(model) or misbehaviour.SCRIPTS.get(model) or provider.behave

    def seen(self, model: str) -> list[Request]:
        return [r for r in self.requests if r.model == model]

    def exchanges_of(self, model: str) -> list[Exchange]:
        return [e for e in self.exchanges if e.model == model]

    def exchange_of(self, model: str, timeout: float = 5) -> Exchange:
        """The one exchange of a played model, as soon as it has arrived."""
        until(lambda: self.exchanges_of(model), timeout, f"a request for {model}")
        return self.exchanges_of(model)[-1]

    def open_connections(self) -> list[Connection]:
        return [c for c in self.connections if c.closed is None]

    def drop_idle(self) -> None:
        """Close every connection that is between requests, as a provider's idle timeout does."""
        def close_all() -> None:
            for connection in self.open_connections():
                if connection.exchange is None:
                    connection.close()
        self.loop.call_soon_threadsafe(close_all)

    def _bind(self) -> socket.socket:
        unix, v6 = self.path is not None, ":" in self.host
        family = socket.AF_UNIX if unix else socket.AF_INET6 if v6 else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        # A bound on what the kernel hides: accepted sockets inherit it.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_buffer)
        if unix:
            listening.bind(self.path)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self.host, self.port))
            self.port = listening.getsockname()[1]
        return listening

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _listen(self, listening: socket.socket) -> None:
        create = self.loop.create_server if self.path is None else self.loop.create_unix_server
        self.server = await create(lambda: Connection(self), sock=listening, ssl=self.tls,
                                   backlog=1024)

    async def _shut(self) -> None:
        self.server.close()
        for connection in self.open_connections():
            connection.reset()
        await asyncio.sleep(0)


def until(condition: Callable[[], object], timeout: float = 5, what: str = "it") -> object:
    """Poll until the condition is true, and say what was waited for when it never is."""
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s for {what}")
        time.sleep(0.005)
