"""Checks that several test files make in the same words."""
from __future__ import annotations

import re

import raw

REQUEST_ID = re.compile(r"^[0-9a-f]{32}$")


def assert_envelope(response: raw.Response, status: int | tuple[int, ...],
                    kind: str | None = None, param: str | None = None) -> dict:
    """Contract 0.4: the one shape of every error of ours. Returns the error object."""
    allowed = (status,) if isinstance(status, int) else status
    assert response.status in allowed, (response.status, response.body[:500])
    assert response.headers["content-type"].startswith("application/json"), response.head
    body = response.json
    error = body["error"]
    assert isinstance(error["message"], str) and error["message"], body
    assert isinstance(error["type"], str) and isinstance(error["param"], str), body
    assert error["code"] == response.status, body
    assert_request_id(response)
    assert body["request_id"] == response.headers["x-request-id"], body
    if kind is not None:
        assert error["type"] == kind, body
    if param is not None:
        assert error["param"] == param, body
    return error


def assert_request_id(response: raw.Response) -> None:
    assert REQUEST_ID.match(response.headers.get("x-request-id", "")), response.head


def assert_in_band_error(events: list) -> dict:
    """Contract 0.6 on chat: an error chunk, then [DONE], then nothing. Returns the error."""
    assert events[-1] == "[DONE]", events[-3:]
    chunk = events[-2]
    assert chunk["choices"][0]["finish_reason"] == "error", chunk
    assert chunk["choices"][0]["delta"] == {}, chunk
    assert chunk["error"]["message"] and chunk["error"]["type"], chunk
    return chunk["error"]


def assert_whole(events: list, text: str = "You said: hello") -> None:
    """A chat stream that came complete and in order."""
    assert events[-1] == "[DONE]", events[-3:]
    assert raw.content_of(events) == text
    assert any(c.get("finish_reason") == "stop" for e in events[:-1] for c in e["choices"])
