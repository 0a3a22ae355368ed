"""The provider on its good days: OpenAI's chat, completions and embeddings, as clients know them.

Deterministic. The answer repeats the last user text, so a test knows what must come back; `model`
in answers is the provider's own dated name, so a test sees whether the gateway left it alone.
"""
from __future__ import annotations

import base64
import json
import struct
from typing import Iterator

import provider_clouds
import provider_converse
import provider_gemini
import provider_invoke
import provider_media
import provider_messages
import provider_responses

CREATED = 1_790_000_000


def dated(model: str) -> str:
    return f"{model}-2026-11-01"


def compact(value) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def event(value) -> bytes:
    return b"data: " + compact(value) + b"\n\n"


DONE = b"data: [DONE]\n\n"


def text_of(content) -> str:
    if isinstance(content, str):
        return content
    return " ".join(p.get("text", "") for p in content or [] if isinstance(p, dict))


def last_user_text(body: dict) -> str:
    for message in reversed(body.get("messages", [])):
        if message.get("role") == "user":
            return text_of(message.get("content"))
    return ""


def answer_words(body: dict) -> list[str]:
    text = "You said: " + (last_user_text(body) or str(body.get("prompt", "")))
    words = text.split(" ")
    return [w if i == 0 else " " + w for i, w in enumerate(words)]


def usage(body: dict, completion: int) -> dict:
    prompt = len(json.dumps(body.get("messages", body.get("prompt", body.get("input", ""))))) // 4
    return {"prompt_tokens": prompt, "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 0}}


def tool_call(body: dict) -> dict | None:
    """A call of the first tool, unless its result is already in the conversation."""
    messages = body.get("messages", [])
    if not body.get("tools") or body.get("tool_choice") == "none":
        return None
    if messages and messages[-1].get("role") == "tool":
        return None
    choice = body.get("tool_choice")
    chosen = choice["function"] if isinstance(choice, dict) and "function" in choice \
        else body["tools"][0]["function"]
    name = chosen["name"]
    call = {"id": "call_wire0001", "type": "function",
            "function": {"name": name, "arguments": '{"city":"Tromsø"}'}}
    return call | ({"extra_content": signed(provider_gemini.MARK)} if is_gemini(body) else {})


def is_gemini(body: dict) -> bool:
    """Google's own endpoint for OpenAI's clients: it lays its signatures on calls, and wants them back."""
    return body["model"].startswith("gemini")


def signed(mark: str) -> dict:
    return {"google": {"thought_signature": mark}}


def lost_signature(body: dict) -> bool:
    known = [signed(provider_gemini.MARK), signed(provider_gemini.DUMMY)]
    return is_gemini(body) and any(
        m["tool_calls"][0].get("extra_content") not in known
        for m in body["messages"] if m.get("tool_calls"))


def weighed(body: dict, words: list[str]) -> dict | None:
    """How probable the words were, each a token."""
    if not body.get("logprobs"):
        return None
    return {"refusal": None, "content": [
        {"token": w, "logprob": -0.25, "bytes": list(w.encode()), "top_logprobs": [
            {"token": w, "logprob": -0.25, "bytes": list(w.encode())}
        ][:body.get("top_logprobs", 0)]} for w in words]}


def chat_completion(body: dict) -> dict:
    words = answer_words(body)
    call = tool_call(body)
    message = {"role": "assistant", "content": None if call else "".join(words), "refusal": None}
    if call:
        message["tool_calls"] = [call]
    return {"id": "chatcmpl-wire", "object": "chat.completion", "created": CREATED,
            "model": dated(body["model"]),
            "choices": [{"index": 0, "message": message,
                         "logprobs": None if call else weighed(body, words),
                         "finish_reason": "tool_calls" if call else "stop"}],
            "usage": usage(body, len(words)), "system_fingerprint": "fp_wire"}


def chat_chunk(body: dict, delta: dict, finish: str | None = None) -> dict:
    word = delta.get("content")
    return {"id": "chatcmpl-wire", "object": "chat.completion.chunk", "created": CREATED,
            "model": dated(body["model"]), "system_fingerprint": "fp_wire",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish,
                         "logprobs": weighed(body, [word]) if word else None}]}


def usage_chunk(body: dict, completion: int) -> dict:
    chunk = chat_chunk(body, {})
    return chunk | {"choices": [], "usage": usage(body, completion)}


def wants_usage(body: dict) -> bool:
    return bool((body.get("stream_options") or {}).get("include_usage"))


def chat_events(body: dict) -> Iterator[bytes]:
    """The events of a chat stream, one at a time, with [DONE] last."""
    words = answer_words(body)
    call = tool_call(body)
    tail = {"usage": None} if wants_usage(body) else {}
    yield event(chat_chunk(body, {"role": "assistant", "content": None if call else "",
                                  "refusal": None}) | tail)
    if call:
        start = {"index": 0} | call | {"function": {"name": call["function"]["name"],
                                                    "arguments": ""}}
        yield event(chat_chunk(body, {"tool_calls": [start]}) | tail)
        for piece in ('{"ci', 'ty":"Tro', 'msø"}'):
            delta = {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
            yield event(chat_chunk(body, delta) | tail)
    else:
        for word in words:
            yield event(chat_chunk(body, {"content": word}) | tail)
    yield event(chat_chunk(body, {}, "tool_calls" if call else "stop") | tail)
    if wants_usage(body):
        yield event(usage_chunk(body, len(words)))
    yield DONE


def text_completion(body: dict) -> dict:
    words = answer_words(body)
    return {"id": "cmpl-wire", "object": "text_completion", "created": CREATED,
            "model": dated(body["model"]),
            "choices": [{"index": 0, "text": "".join(words), "logprobs": None,
                         "finish_reason": "stop"}],
            "usage": usage(body, len(words))}


def text_events(body: dict) -> Iterator[bytes]:
    base = {k: v for k, v in text_completion(body).items() if k not in ("choices", "usage")}
    words = answer_words(body)
    for word in words:
        yield event(base | {"choices": [{"index": 0, "text": word, "logprobs": None,
                                         "finish_reason": None}]})
    yield event(base | {"choices": [{"index": 0, "text": "", "logprobs": None,
                                     "finish_reason": "stop"}]})
    if wants_usage(body):
        yield event(base | {"choices": [], "usage": usage(body, len(words))})
    yield DONE


def vector(index: int, dimensions: int) -> list[float]:
    """Numbers that survive 32-bit floats, so that base64 and JSON can be compared exactly."""
    return [(index + 1) * (i + 1) / 64 for i in range(dimensions)]


def embeddings(body: dict) -> dict:
    given = body["input"]
    items = given if isinstance(given, list) and not all(isinstance(i, int) for i in given) \
        else [given]
    rows = []
    for index, _ in enumerate(items):
        numbers = vector(index, body.get("dimensions", 8))
        packed = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
        rows.append({"object": "embedding", "index": index,
                     "embedding": packed if body.get("encoding_format") == "base64" else numbers})
    tokens = len(json.dumps(given)) // 4
    return {"object": "list", "data": rows, "model": dated(body["model"]),
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def error(message: str, kind: str = "invalid_request_error", param: str | None = None,
          code: str | None = None) -> bytes:
    return compact({"error": {"message": message, "type": kind, "param": param, "code": code}})


def is_list_of(kind: type, value) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, kind) for v in value)


def is_proper(path: str, body) -> bool:
    """As much as a real provider would insist on."""
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        return False
    if path == "/v1/chat/completions":
        return is_list_of(dict, body.get("messages")) and not lost_signature(body)
    return "input" in body if path == "/v1/embeddings" else True


OTHERS = {"/v1/messages": provider_messages, "/v1/responses": provider_responses}


async def behave_as(protocol, x, body: dict, own_id) -> None:
    """An endpoint of another protocol than Chat, each in a module of its own."""
    problem = protocol.problem_of(body)
    whole = protocol.message if protocol is provider_messages else protocol.response
    if problem is not None:
        say = protocol.error if protocol is provider_messages else error
        await x.reply(400, say(problem), own_id)
    elif body.get("stream"):
        await x.stream_head(own_id)
        for each in protocol.events(body):
            await x.chunk(each)
        await x.last_chunk()
    else:
        await x.reply(200, compact(whole(body)), own_id)


async def behave_by_path(x, path: str, body: dict) -> None:
    """Gemini and Bedrock name the model, and whether to stream, in the path."""
    kind, streams = "application/vnd.amazon.eventstream", path.endswith("-stream")
    if provider_invoke.PATH.fullmatch(path):
        protocol = provider_invoke
        problem = protocol.problem_with_signature(x.request) or \
            protocol.problem_of(x.request, body)
        body = protocol.as_anthropics(path, body)
    elif path.startswith("/v1/model/"):
        protocol = provider_converse
        problem = protocol.problem_with_signature(x.request) or protocol.problem_of(body)
    else:
        protocol, problem = provider_gemini, provider_gemini.problem_of(body)
        streams, kind = ":streamGenerateContent" in path, "text/event-stream"
    if problem is not None:
        await x.reply(400, protocol.error(problem))
    elif streams:
        await x.stream_head(content_type=kind)
        for each in protocol.events(body):
            await x.chunk(each)
        await x.last_chunk()
    else:
        await x.reply(200, compact(protocol.whole(body)))


async def behave(x) -> None:
    """The default script."""
    path = x.request.target.partition("?")[0]
    own_id = ("x-request-id", "req_provider_0001")
    if path in provider_media.PATHS:
        await provider_media.behave(x, path)
        return
    try:
        body = x.request.json
    except (ValueError, RecursionError):
        await x.reply(400, error("We could not parse the JSON body of your request."), own_id)
        return
    if provider_clouds.is_cloud(path):
        path, body, status, problem = provider_clouds.enter(x.request, path, body)
        if problem is not None:
            await x.reply(status, error(problem), own_id)
            return
    if x.request.method == "POST" and (":" in path or path.startswith("/v1/model/")):
        await behave_by_path(x, path, body)
        return
    if path == "/v1/messages/count_tokens":
        await x.reply(200, compact({"input_tokens": 42}), own_id)
        return
    if x.request.method == "POST" and path in OTHERS:
        await behave_as(OTHERS[path], x, body, own_id)
        return
    whole = {"/v1/chat/completions": chat_completion, "/v1/completions": text_completion,
             "/v1/embeddings": embeddings}.get(path)
    if x.request.method != "POST" or whole is None:
        await x.reply(404, error(f"Invalid URL ({x.request.method} {path})"), own_id)
    elif not is_proper(path, body):
        await x.reply(400, error("Your request is not what this endpoint takes."), own_id)
    elif body.get("stream"):
        await x.stream_head(own_id)
        for each in (chat_events if whole is chat_completion else text_events)(body):
            await x.chunk(each)
        await x.last_chunk()
    else:
        await x.reply(200, compact(whole(body)), own_id)
