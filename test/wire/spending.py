"""Providers that say what a request took, and clients that ask for it in three protocols."""
from __future__ import annotations

import json

import provider
import raw
from provider import DONE, chat_chunk, event

DOORS = {"chat": "/v1/chat/completions", "messages": "/v1/messages",
         "responses": "/v1/responses"}


def ask_bytes(door: str, model: str, text: str = "hello", most: int | None = 10,
              stream: bool = False, key: str | None = raw.KEY, **members) -> bytes:
    """A request through one of the doors, for an answer of at most so many tokens."""
    body: dict = {"model": model, "stream": stream}
    if door == "responses":
        body |= {"input": text} | ({} if most is None else {"max_output_tokens": most})
    else:
        body |= {"messages": [{"role": "user", "content": text}]}
        body |= {} if most is None else {"max_tokens": most}
    return raw.request_bytes("POST", DOORS[door], json.dumps(body | members).encode(), key=key)


def used(prompt: int, completion: int) -> dict:
    return {"prompt_tokens": prompt, "completion_tokens": completion,
            "total_tokens": prompt + completion}


def spending(prompt: int, completion: int, gate=None):
    """An answer that took so many tokens; with a gate, once that is open."""
    async def script(x):
        body = x.request.json
        answer = provider.chat_completion(body) | {"usage": used(prompt, completion)}
        if not body.get("stream"):
            if gate is not None:
                await gate.wait()
            await x.reply(200, provider.compact(answer))
            return
        await x.stream_head()
        await x.chunk(event(chat_chunk(body, {"role": "assistant", "content": ""})))
        await x.chunk(event(chat_chunk(body, {"content": "one"})))
        if gate is not None:
            await gate.wait()
        await x.chunk(event(chat_chunk(body, {"content": " two"})))
        await x.chunk(event(chat_chunk(body, {}, "stop")))
        await x.chunk(event(chat_chunk(body, {}) | {"choices": [],
                                                    "usage": used(prompt, completion)}))
        await x.chunk(DONE)
        await x.last_chunk()
    return script


def assert_refused(answer: raw.Response, door: str, status: int, kind: str) -> str:
    """The shape of a refusal in the door's own words; returns its message."""
    anthropics = {429: "rate_limit_error", 402: "billing_error"}
    assert answer.status == status, (answer.status, answer.body)
    body = answer.json
    if door == "messages":
        assert body["type"] == "error" and body["error"]["type"] == anthropics[status], body
    else:
        assert body["error"]["type"] == kind, body
    assert body["error"]["code"] == status and body["error"]["reason"] == kind.upper(), body
    assert body["request_id"] == answer.headers["x-request-id"]
    if status == 429:
        # What was taken in this minute leaves the window in the course of the next.
        assert 1 <= int(answer.headers["retry-after"]) <= 120, answer.head
    else:
        assert answer.headers["x-should-retry"] == "false", answer.head
        assert "retry-after" not in answer.headers
    return body["error"]["message"]
