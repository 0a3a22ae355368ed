"""A provider that keeps books: every answer has a usage of its own, and what it charged is added up here, so that
somebody else's ledger can be held against this one. Speaks Chat, streamed or not; a process of its own.

    python counting_provider.py

Prints its port. Each line on its standard input is answered by one of JSON: `totals`, or `hold MS` (every
answer waits so long from now on). Ends with its standard input.

What a request costs follows from its text alone, "… in=I out=O cached=C": so a client knows it, too.
"""
from __future__ import annotations

import asyncio
import json
import re
import sys

WANTED = re.compile(rb"in=(\d+) out=(\d+) cached=(\d+)")
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%s\r\n"


class Books:
    def __init__(self):
        self.answered = self.prompt = self.cached = self.completion = 0
        self.now = self.most = 0  # at the same time
        self.hold_s = 0.0

    def shown(self) -> dict:
        return {name: value for name, value in vars(self).items() if name not in ("now", "hold_s")}


class Provider(asyncio.Protocol):
    def __init__(self, books: Books):
        self.books, self.held = books, b""

    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            length = int(re.search(rb"(?i)content-length: (\d+)", self.held[:end])[1])
            if len(self.held) < end + 4 + length:
                return
            body, self.held = self.held[end + 4:end + 4 + length], self.held[end + 4 + length:]
            self.begin(body)

    def begin(self, body: bytes) -> None:
        books = self.books
        books.now += 1
        books.most = max(books.most, books.now)
        if books.hold_s > 0:
            asyncio.get_running_loop().call_later(books.hold_s, self.answer, body)
        else:
            self.answer(body)

    def answer(self, body: bytes) -> None:
        books = self.books
        books.now -= 1
        if self.transport.is_closing():
            return  # nobody is there: nothing was made, nothing is charged
        prompt, completion, cached = map(int, WANTED.search(body).groups())
        usage = {"prompt_tokens": prompt, "completion_tokens": completion,
                 "total_tokens": prompt + completion, "prompt_tokens_details": {"cached_tokens": cached}}
        is_stream = b'"stream": true' in body or b'"stream":true' in body
        self.transport.write((streamed if is_stream else whole)(usage))
        books.answered += 1
        books.prompt += prompt
        books.cached += cached
        books.completion += completion


def whole(usage: dict) -> bytes:
    body = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "counted"}, "finish_reason": "stop"}],
        "usage": usage})
    return (HEAD % ("application/json", f"Content-Length: {len(body)}\r\n") + body).encode()


def streamed(usage: dict) -> bytes:
    def event(choices: list, **more) -> str:
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                 "choices": choices} | more
        return f"data: {json.dumps(chunk)}\n\n"

    text = (event([{"index": 0, "delta": {"role": "assistant", "content": "counted"},
                    "finish_reason": None}]) +
            event([{"index": 0, "delta": {}, "finish_reason": "stop"}]) +
            event([], usage=usage) + "data: [DONE]\n\n")
    return (HEAD % ("text/event-stream", "Transfer-Encoding: chunked\r\n") +
            f"{len(text):x}\r\n{text}\r\n0\r\n\r\n").encode()


async def main() -> None:
    books, loop = Books(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Provider(books), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := (await lines.readline()).decode().split():
        if line[0] == "hold":
            books.hold_s = int(line[1]) / 1000
            books.most = books.now
        print(json.dumps(books.shown()), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
