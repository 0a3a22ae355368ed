"""The provider on its good days, speaking OpenAI's Responses. Says what `provider` says in Chat."""
from __future__ import annotations

import json
from typing import Iterator

CREATED = 1_790_000_000


def items_of(body: dict) -> list[dict]:
    given = body["input"]
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


def text_of(content) -> str:
    if isinstance(content, str):
        return content
    return " ".join(p.get("text", "") for p in content)


def last_user_text(body: dict) -> str:
    for item in reversed(items_of(body)):
        if item.get("role") == "user":
            return text_of(item["content"])
    return ""


def answer_items(body: dict) -> list[dict]:
    asks = "reasoning.encrypted_content" in (body.get("include") or [])
    proof = {"encrypted_content": "ZW5jcnlwdGVk"} if asks else {}
    reasoning = [{"type": "reasoning", "id": "rs_wire", **proof,
                  "summary": [{"type": "summary_text", "text": "hm, let me see"}]}] \
        if body.get("reasoning") else []
    last = items_of(body)[-1].get("type", "")
    if body.get("tools") and not last.endswith("_output") and body.get("tool_choice") != "none":
        tool = body["tools"][0]
        call = {"type": "function_call", "id": "fc_wire", "call_id": "call_wire0001",
                "name": tool.get("name", tool["type"]), "arguments": '{"city":"Tromsø"}', "status": "completed"}
        if tool["type"] == "custom":
            call = {"type": "custom_tool_call", "id": "ctc_wire", "call_id": "call_wire0001",
                    "name": tool.get("name", tool["type"]), "input": 'say "hi"\n', "status": "completed"}
        return reasoning + [call]
    return reasoning + [{"type": "message", "id": "msg_wire", "role": "assistant",
                         "status": "completed", "content": [
                             {"type": "output_text", "text": "You said: " + last_user_text(body),
                              "annotations": [],
                              "logprobs": weighed(body, words_of(body))}]}]


def words_of(body: dict) -> list[str]:
    words = ("You said: " + last_user_text(body)).split(" ")
    return [w if i == 0 else " " + w for i, w in enumerate(words)]


def weighed(body: dict, words: list[str]) -> list[dict]:
    """How probable the words were, each a token; deltas tell no bytes."""
    if "message.output_text.logprobs" not in body.get("include", []):
        return []
    return [{"token": w, "logprob": -0.25, "top_logprobs": [{"token": w, "logprob": -0.25}
                                                            ][:body.get("top_logprobs", 0)]}
            for w in words]


def usage(body: dict) -> dict:
    prompt = len(json.dumps(body["input"])) // 4
    return {"input_tokens": prompt, "input_tokens_details": {"cached_tokens": 3},
            "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + 3}


def response(body: dict, status: str = "completed") -> dict:
    done = status == "completed"
    return {"id": "resp_wire", "object": "response", "created_at": CREATED, "status": status,
            "model": body["model"] + "-2026-11-01", "output": answer_items(body) if done else [],
            "usage": usage(body) if done else None, "error": None, "incomplete_details": None,
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": body.get("tools", []),
            "temperature": 1.0, "top_p": 1.0, "metadata": {}, "instructions": None}


def inside(item: dict) -> Iterator[tuple[str, dict]]:
    if item["type"] == "message":
        text = item["content"][0]["text"]
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        at = {"item_id": item["id"], "content_index": 0}
        yield "content_part.added", at | {"part": part}
        logprobs = item["content"][0]["logprobs"]
        for i, word in enumerate(text.split(" ")):
            yield "output_text.delta", at | {"delta": word if i == 0 else " " + word,
                                             "logprobs": logprobs[i:i + 1]}
        yield "output_text.done", at | {"text": text, "logprobs": logprobs}
        yield "content_part.done", at | {"part": part | {"text": text, "logprobs": logprobs}}
    elif item["type"] == "reasoning":
        at = {"item_id": item["id"], "summary_index": 0}
        yield "reasoning_summary_part.added", at | {"part": {"type": "summary_text", "text": ""}}
        for piece in ("hm, ", "let me see"):
            yield "reasoning_summary_text.delta", at | {"delta": piece}
        yield "reasoning_summary_text.done", at | {"text": "hm, let me see"}
        yield "reasoning_summary_part.done", at | {"part": item["summary"][0]}
    else:
        custom = item["type"] == "custom_tool_call"
        kind = "custom_tool_call_input" if custom else "function_call_arguments"
        member = "input" if custom else "arguments"
        text = item[member]
        for piece in (text[:4], text[4:]):
            yield f"{kind}.delta", {"item_id": item["id"], "delta": piece}
        yield f"{kind}.done", {"item_id": item["id"], member: text}


def begun(item: dict) -> dict:
    blank = {"content": [], "summary": [], "arguments": "", "input": "", "status": "in_progress"}
    return {k: blank.get(k, v) for k, v in item.items() if k != "encrypted_content"}


def events(body: dict) -> Iterator[bytes]:
    number = 0

    def event(kind: str, **members) -> bytes:
        nonlocal number
        kind = "response." + kind
        data = {"type": kind, "sequence_number": number} | members
        number += 1
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        return f"event: {kind}\ndata: {text}\n\n".encode()

    yield event("created", response=response(body, "in_progress"))
    yield event("in_progress", response=response(body, "in_progress"))
    for index, item in enumerate(answer_items(body)):
        yield event("output_item.added", output_index=index, item=begun(item))
        for kind, members in inside(item):
            yield event(kind, output_index=index, **members)
        yield event("output_item.done", output_index=index, item=item)
    yield event("completed", response=response(body))


def problem_of(body: dict) -> str | None:
    """What the real one would refuse."""
    if "input" not in body:
        return "Missing required parameter: 'input'."
    calls = set()
    for item in items_of(body):
        kind = item.get("type", "message")
        if kind.endswith("_call"):
            calls.add(item["call_id"])
        elif kind.endswith("_output") and item["call_id"] not in calls:
            return f"No tool call found for function call output with call_id {item['call_id']}."
    return None
