"""The provider on its good days, speaking Anthropic's Messages. Says what `provider` says in Chat."""
from __future__ import annotations

import json
from typing import Iterator

REQUIRED = ("model", "messages", "max_tokens")


def blocks_of(content) -> list[dict]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def last_user_text(body: dict) -> str:
    for message in reversed(body["messages"]):
        texts = [b["text"] for b in blocks_of(message["content"]) if b["type"] == "text"]
        if message["role"] == "user" and texts:
            return " ".join(texts)
    return ""


def has_result(body: dict) -> bool:
    return any(b["type"] == "tool_result" for b in blocks_of(body["messages"][-1]["content"]))


def answer_blocks(body: dict) -> list[dict]:
    thinking = [{"type": "thinking", "thinking": "hm, let me see", "signature": "c2lnbmF0dXJl"}] \
        if body.get("thinking", {}).get("type") in ("adaptive", "enabled") else []
    if body.get("tools") and not has_result(body) and \
            body.get("tool_choice", {}).get("type") != "none":
        name = body.get("tool_choice", {}).get("name", body["tools"][0]["name"])
        return thinking + [{"type": "tool_use", "id": "toolu_wire0001", "name": name,
                            "input": {"city": "Tromsø"}}]
    return thinking + [{"type": "text", "text": "You said: " + last_user_text(body)}]


def usage(body: dict) -> dict:
    return {"input_tokens": len(json.dumps(body["messages"])) // 4, "cache_read_input_tokens": 3,
            "cache_creation_input_tokens": 0, "output_tokens": 3}


def stop_reason(body: dict) -> str:
    return "tool_use" if answer_blocks(body)[-1]["type"] == "tool_use" else "end_turn"


def message(body: dict) -> dict:
    return {"id": "msg_wire", "type": "message", "role": "assistant",
            "model": body["model"] + "-2026-11-01", "content": answer_blocks(body),
            "stop_reason": stop_reason(body), "stop_sequence": None, "usage": usage(body)}


def event(kind: str, **members) -> bytes:
    text = json.dumps({"type": kind} | members, separators=(",", ":"), ensure_ascii=False)
    return f"event: {kind}\ndata: {text}\n\n".encode()


def deltas(block: dict) -> Iterator[dict]:
    if block["type"] == "text":
        words = block["text"].split(" ")
        for i, word in enumerate(words):
            yield {"type": "text_delta", "text": word if i == 0 else " " + word}
    elif block["type"] == "thinking":
        for piece in ("hm, ", "let me see"):
            yield {"type": "thinking_delta", "thinking": piece}
        yield {"type": "signature_delta", "signature": block["signature"]}
    else:
        text = json.dumps(block["input"], ensure_ascii=False)
        for piece in ("", text[:4], text[4:]):
            yield {"type": "input_json_delta", "partial_json": piece}


def empty(block: dict) -> dict:
    blank = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {k: blank.get(k, v) for k, v in block.items()}


def events(body: dict) -> Iterator[bytes]:
    start = message(body) | {"content": [], "stop_reason": None}
    yield event("message_start", message=start | {"usage": usage(body) | {"output_tokens": 1}})
    for i, block in enumerate(answer_blocks(body)):
        yield event("content_block_start", index=i, content_block=empty(block))
        yield event("ping")
        for delta in deltas(block):
            yield event("content_block_delta", index=i, delta=delta)
        yield event("content_block_stop", index=i)
    yield event("message_delta", delta={"stop_reason": stop_reason(body), "stop_sequence": None},
                usage={k: v for k, v in usage(body).items() if k.startswith("output_tokens")})
    yield event("message_stop")


def error(message: str, kind: str = "invalid_request_error") -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


def problem_of(body: dict) -> str | None:
    """What the real one would refuse: roles in turn, results right behind their calls."""
    for name in REQUIRED:
        if name not in body:
            return f"{name}: Field required"
    calls: set[str] = set()
    for i, message in enumerate(body["messages"]):
        blocks = blocks_of(message["content"])
        if not blocks or any(b["type"] == "text" and not b["text"].strip() for b in blocks):
            return f"messages.{i}: text content blocks must be non-empty"
        results = {b["tool_use_id"] for b in blocks if b["type"] == "tool_result"}
        if calls != results:
            return f"messages.{i}: tool_use ids without tool_result blocks right after: {calls}"
        calls = {b["id"] for b in blocks if b["type"] == "tool_use"}
    return None
