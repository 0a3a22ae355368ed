"""Clients of three protocols, as many at once as a test wants, who look at every word of their answers.

What the providers say repeats what they were asked, and no two requests ask the same: text that was lost,
doubled, or another request's is noticed.
"""
from __future__ import annotations

import asyncio
import json
import random
import socket
import time
from collections import Counter
from dataclasses import dataclass, field

import bed

PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
PATIENCE_S = 20  # no answer may take longer than this


@dataclass
class Ask:
    api: str = "chat"
    stream: bool = False
    text: str = "hello"
    padding: int = 0  # bytes of instructions before it
    manner: str = "reads"  # or "dawdles", or "leaves"
    model: str = bed.MODELS[0]
    members: dict = field(default_factory=dict)
    key: str = bed.KEY

    def body(self) -> bytes:
        said = [{"role": "user", "content": self.text}]
        body = {"model": self.model, "stream": self.stream}
        padding = "Be kind. \"Quote\" nobody.\n" * (self.padding // 24)
        if self.api == "chat":
            system = [{"role": "system", "content": padding}] if padding else []
            body |= {"messages": system + said}
        elif self.api == "messages":
            body |= {"messages": said, "max_tokens": 1000} | ({"system": padding} if padding else {})
        else:
            body |= {"input": said} | ({"instructions": padding} if padding else {})
        return json.dumps(body | self.members).encode()

    def bytes(self) -> bytes:
        body = self.body()
        return (f"POST {PATHS[self.api]} HTTP/1.1\r\nHost: fleet\r\nAuthorization: Bearer {self.key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body

    @property
    def wanted(self) -> str:
        return "You said: " + self.text

    def __str__(self) -> str:
        kind = "stream" if self.stream else "whole"
        return f"{self.model} by {self.api}, {kind}, {self.manner}, {self.padding} bytes before {self.text[:40]!r}"


@dataclass
class Answer:
    ask: Ask
    status: int = 0
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0
    cut: str = ""  # how the connection ended in the middle

    @property
    def provider(self) -> str:
        return self.headers.get("x-sluice-provider", "")

    @property
    def attempts(self) -> int:
        return int(self.headers.get("x-sluice-attempts", 0))

    def text(self) -> str:
        return (streamed if self.ask.stream else whole)[self.ask.api](self.body)

    def problem(self) -> str | None:
        """None: complete, and word for word what it should be."""
        if self.cut or self.status != 200:
            return f"status {self.status} {self.cut}: {self.body[:500]!r}"
        try:
            said = self.text()
        except (Unfinished, ValueError, KeyError, IndexError, TypeError) as why:
            return f"{type(why).__name__} {why}: …{self.body[-300:]!r}"
        return None if said == self.ask.wanted else f"said {said[:200]!r}…"


# What an answer says: each raises when it is not complete in its protocol's grammar.

class Unfinished(Exception):
    """It has text, but not an end; `error` is what stands there instead."""

    def __init__(self, text: str, error):
        super().__init__(error)
        self.text, self.error = text, error


def events_of(body: bytes) -> list[tuple[str, str]]:
    """(name, data) of each event; only whole ones count."""
    found = []
    *frames, rest = body.decode().replace("\r\n", "\n").split("\n\n")
    if rest:
        raise ValueError(f"half an event: {rest!r}")
    for frame in frames:
        lines = [line.partition(":")[::2] for line in frame.split("\n")]
        data = [v.removeprefix(" ") for n, v in lines if n == "data"]
        name = [v.removeprefix(" ") for n, v in lines if n == "event"]
        if data:
            found.append((name[-1] if name else "", "\n".join(data)))
    return found


def chat_stream(body: bytes) -> str:
    text, finish, error = [], None, None
    events = events_of(body)
    for _, data in events[:-1]:
        chunk = json.loads(data)
        error = chunk.get("error", error)
        for choice in chunk.get("choices", []):
            text.append(choice["delta"].get("content") or "")
            finish = choice["finish_reason"] or finish
    if finish != "stop" or events[-1][1] != "[DONE]":
        is_said = error is not None and finish == "error" and events[-1][1] == "[DONE]"
        raise Unfinished("".join(text), error if is_said else None)
    return "".join(text)


def messages_stream(body: bytes) -> str:
    text, kinds, error = [], [], None
    for name, data in events_of(body):
        event = json.loads(data)
        assert event["type"] == name
        kinds.append(name)
        if name == "content_block_delta" and event["delta"]["type"] == "text_delta":
            text.append(event["delta"]["text"])
        if name == "error":
            error = event["error"]
    if kinds[-1] != "message_stop" or error:
        raise Unfinished("".join(text), error if kinds[-1] == "error" else None)
    if kinds[0] != "message_start" or kinds.count("message_start") != 1:
        raise ValueError(kinds)
    return "".join(text)


def responses_stream(body: bytes) -> str:
    text, last, error, numbers = [], {}, None, []
    for name, data in events_of(body):
        last = json.loads(data)
        numbers.append(last["sequence_number"])
        if last["type"] == "response.output_text.delta":
            text.append(last["delta"])
        if last["type"] == "response.failed":
            error = last["response"]["error"]
    if numbers != sorted(set(numbers)):
        raise ValueError(f"sequence numbers {numbers}")
    if last.get("type") != "response.completed":
        raise Unfinished("".join(text), error)
    if output_text(last["response"]) != "".join(text):
        raise ValueError("the end says something else than the deltas")
    return "".join(text)


def output_text(response: dict) -> str:
    return "".join(part["text"] for item in response["output"] if item["type"] == "message"
                   for part in item["content"])


def chat_whole(body: bytes) -> str:
    choice, = json.loads(body)["choices"]
    assert choice["finish_reason"] == "stop", choice
    return choice["message"]["content"]


def messages_whole(body: bytes) -> str:
    message = json.loads(body)
    assert message["stop_reason"] == "end_turn", message
    return "".join(block["text"] for block in message["content"])


def responses_whole(body: bytes) -> str:
    response = json.loads(body)
    assert response["status"] == "completed", response
    return output_text(response)


streamed = {"chat": chat_stream, "messages": messages_stream, "responses": responses_stream}
whole = {"chat": chat_whole, "messages": messages_whole, "responses": responses_whole}


# Asking.

class Connection:
    """One keep-alive connection to a gateway."""

    def __init__(self, port: int, receive_buffer: int = 0):
        self.port, self.receive_buffer = port, receive_buffer
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        if self.receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        limit = self.receive_buffer or 1 << 20
        self.reader, self.writer = await asyncio.open_connection(sock=sock, limit=max(limit, 1 << 14))

    def close(self) -> None:
        if self.writer is not None:
            self.writer.transport.abort()
        self.reader = self.writer = None

    async def ask(self, ask: Ask) -> Answer:
        answer, begun = Answer(ask), time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._ask(ask, answer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as why:
            answer.cut = f"{type(why).__name__} {why}"
            self.close()
        answer.seconds = time.monotonic() - begun
        return answer

    async def _ask(self, ask: Ask, answer: Answer) -> None:
        if self.writer is None:
            await self.open()
        self.writer.write(ask.bytes())
        if ask.manner == "leaves":
            await asyncio.sleep(random.uniform(0, 0.15))
            self.close()
            return
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        answer.status = int(first.split()[1])
        answer.headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
        if ask.manner == "dawdles":
            await asyncio.sleep(random.uniform(0.2, 0.8))
        pieces = []
        if answer.headers.get("transfer-encoding") == "chunked":
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                pieces.append((await self.reader.readexactly(size + 2))[:-2])
                answer.body = b"".join(pieces) if ask.manner == "dawdles" else b""
            await self.reader.readexactly(2)
        else:
            pieces.append(await self.reader.readexactly(int(answer.headers["content-length"])))
        answer.body = b"".join(pieces)
        if answer.headers.get("connection") == "close":
            self.close()


class Load:
    """So many clients, each asking again as soon as it was answered. `make(n)` is the n-th request."""

    def __init__(self, ports: list[int], clients: int, make, judge=None):
        self.ports, self.clients, self.make = ports, clients, make
        self.judge = Answer.problem if judge is None else judge
        self.asked = 0
        self.seconds: list[float] = []
        self.attempts: Counter = Counter()
        self.problems: list[str] = []
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True

    async def run(self, requests: int = 1 << 60) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(self.clients):
                group.create_task(self.client(self.ports[number % len(self.ports)], requests))

    async def client(self, port: int, requests: int) -> None:
        connection = Connection(port)
        while not self.stopped and self.asked < requests and len(self.problems) < 20:
            self.asked += 1
            ask = self.make(self.asked)
            slow = Connection(port, receive_buffer=4096) if ask.manner == "dawdles" else None
            answer = await (slow or connection).ask(ask)
            if slow is not None:
                slow.close()
            if ask.manner == "leaves":
                continue
            self.seconds.append(answer.seconds)
            self.attempts[answer.attempts] += 1
            problem = self.judge(answer)
            if problem is not None:
                request = answer.headers.get("x-request-id", "none")
                self.problems.append(f"[{request}] {ask} after {answer.seconds:.2f} s: {problem}")
        connection.close()

    def percentile(self, p: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * p))] if ordered else 0.0


def requests_of_all_kinds(rng: random.Random):
    """make() for Load: as mixed as can be, every text its own."""
    words = ["fog", "Nebel", "туман", "霧", "\\\"lamp\\\"", "💡", "\t\"keeper\"\n", "—"]

    def make(number: int) -> Ask:
        length = rng.choice([2, 5, 20]) if rng.random() < 0.97 else 1200
        text = f"#{number} " + " ".join(rng.choices(words, k=length)) + f" #{number}"
        manner = rng.choices(["reads", "leaves", "dawdles"], [90, 5, 5])[0]
        padding = rng.choices([0, 3000, 200_000, 1_500_000], [70, 25, 4, 1])[0]
        members = {}
        if rng.random() < 0.3:  # a conversation that may have a home
            members["metadata"] = {"user_id": f"user {rng.randrange(30)}"}
        return Ask(rng.choice(list(PATHS)), rng.random() < 0.6, text, padding, manner,
                   rng.choice(bed.MODELS), members)

    return make
