"""Providers that all tell the same story, word for word, and go on from wherever somebody else stopped.

What one does is in its name for the model: `breaks` stops in the way and after as many events as the user
asks for ("cut 17 reset"); the others tell the story to its end, or the rest of it when the conversation
ends in its beginning. Each is as strict as the real one about how that beginning is told.
"""
from __future__ import annotations

import json
import re
from typing import Iterator

import misbehaviour
import provider
import provider_invoke
import provider_messages

PLACES = ["a wood", "the sea", 'a "house"', "C:\\temp\\new", "Tromsø", "東京", "the moon 🌙", "a line\n"]
WORDS = ["Once", " upon", " a", " time,", "\n\n", "there"] + [
    word for i in range(23) for word in
    (" was", f" {PLACES[i % 8]}", " far", " away,", " and", "\t", " ", "behind it")] + [
    " was", " the", " end", "."]
STORY = "".join(WORDS)
TOOL = {"city": "Tromsø"}


def pieces_of(text: str) -> list[str]:
    """The words of what is left, cut where the whole story is."""
    pieces, at, skip = [], 0, len(STORY) - len(text)
    for word in WORDS:
        left = word[max(0, skip - at):]
        at += len(word)
        if left and at > skip:
            pieces.append(left)
    return pieces


class Refusal(Exception):
    """What the provider answers with a 400."""


# What the conversation ends in.

def texts_of(content) -> str:
    return content if isinstance(content, str) else "".join(b["text"] for b in content)


def begun_in(body: dict) -> str:
    last = (body.get("messages") or [{}])[-1]
    return texts_of(last["content"]) if last.get("role") == "assistant" else ""


def check_beginning(body: dict) -> str:
    text, model = begun_in(body), body["model"]
    last = (body.get("messages") or [{}])[-1]
    if text and not STORY.startswith(text):
        raise Refusal(f"no beginning of the story: {text[-40:]!r}")
    if text != text.rstrip():
        raise Refusal("messages: final assistant content cannot end with trailing whitespace")
    if "mistral" in model and text and last.get("prefix") is not True:
        raise Refusal("Expected last role User or Tool (or Assistant with prefix True) for serving")
    if "vllm" in model and text and (body.get("continue_final_message") is not True
                                     or body.get("add_generation_prompt") is not False):
        raise Refusal("it would begin a message of its own")
    return text


# How each protocol tells it.

def chat_event(body: dict, delta: dict, finish=None, ascii_only=False) -> bytes:
    chunk = provider.chat_chunk(body, delta, finish)
    return b"data: " + json.dumps(chunk, ensure_ascii=ascii_only).encode() + b"\n\n"


def chat_events(body: dict, pieces: list[str], usage=(40, 30)) -> Iterator[bytes]:
    spelt = "breaks" in body["model"]  # others escape less
    yield chat_event(body, {"role": "assistant", "content": ""})
    for piece in pieces:
        yield chat_event(body, {"content": piece}, ascii_only=spelt)
    yield chat_event(body, {}, "stop")
    if provider.wants_usage(body):
        yield provider.event(provider.usage_chunk(body, 0) | {"usage": {
            "prompt_tokens": usage[0], "completion_tokens": usage[1],
            "total_tokens": sum(usage)}})
    yield provider.DONE


def messages_events(body: dict, pieces: list[str], usage=(40, 30)) -> Iterator[bytes]:
    event = provider_messages.event
    yield event("message_start", message={
        "id": "msg_story", "type": "message", "role": "assistant", "model": body["model"],
        "content": [], "stop_reason": None, "stop_sequence": None,
        "usage": {"input_tokens": usage[0], "output_tokens": 1}})
    if pieces:
        yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        yield event("ping")
        for piece in pieces:
            yield event("content_block_delta", index=0,
                        delta={"type": "text_delta", "text": piece})
        yield event("content_block_stop", index=0)
    yield event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None},
                usage={"output_tokens": usage[1]})
    yield event("message_stop")


def responses_events(body: dict, pieces: list[str], usage=(40, 30)) -> Iterator[bytes]:
    number = 0
    text = "".join(pieces)
    place = {"item_id": "msg_story", "output_index": 0, "content_index": 0}

    def event(kind: str, **members) -> bytes:
        nonlocal number
        number += 1
        data = {"type": f"response.{kind}", "sequence_number": number - 1} | members
        return f"event: response.{kind}\ndata: {json.dumps(data)}\n\n".encode()

    def part(said: str) -> dict:
        return {"type": "output_text", "text": said, "annotations": [], "logprobs": []}

    def item(status: str) -> dict:
        return {"id": "msg_story", "type": "message", "role": "assistant", "status": status,
                "content": [part(text)] if status == "completed" else []}

    def response(status: str) -> dict:
        done = status == "completed"
        return {"id": "resp_story", "object": "response", "created_at": provider.CREATED,
                "status": status, "model": body["model"], "output": [item(status)] if done else [],
                "error": None, "incomplete_details": None, "parallel_tool_calls": True,
                "tool_choice": "auto", "tools": [], "temperature": 1.0, "top_p": 1.0,
                "metadata": {}, "instructions": None, "usage": {
                    "input_tokens": usage[0], "input_tokens_details": {"cached_tokens": 0},
                    "output_tokens": usage[1], "output_tokens_details": {"reasoning_tokens": 0},
                    "total_tokens": sum(usage)} if done else None}

    yield event("created", response=response("in_progress"))
    yield event("in_progress", response=response("in_progress"))
    yield event("output_item.added", output_index=0, item=item("in_progress"))
    yield event("content_part.added", **place, part=part(""))
    for piece in pieces:
        yield event("output_text.delta", **place, delta=piece, logprobs=[])
    yield event("output_text.done", **place, text=text, logprobs=[])
    yield event("content_part.done", **place, part=part(text))
    yield event("output_item.done", output_index=0, item=item("completed"))
    yield event("completed", response=response("completed"))


def invoked_events(body: dict, pieces: list[str], usage=(40, 30)) -> Iterator[bytes]:
    """Claude's on Bedrock: the same in AWS's frames."""
    for event in messages_events(body, pieces, usage):
        yield provider_invoke.chunk(event.partition(b"data: ")[2].strip())


TELLERS = {"/v1/chat/completions": chat_events, "/v1/messages": messages_events,
           "/v1/responses": responses_events}


def invoked(request) -> str | None:
    """The path, where it is Bedrock's."""
    path = request.target.partition("?")[0]
    return path if provider_invoke.PATH.fullmatch(path) else None


def teller_of(request):
    return invoked_events if invoked(request) else TELLERS[request.target]


def body_of(request) -> dict:
    path = invoked(request)
    return provider_invoke.as_anthropics(path, request.json) if path else request.json


# What they do.

def cut_of(request) -> tuple[int, str]:
    found = re.search(rb"cut (\d+) (\w+)", request.body)
    return (int(found[1]), found[2].decode()) if found else (10 ** 9, "")


async def error_event(x) -> None:
    told = {"message": "The server had an error while streaming.", "type": "server_error"}
    if x.request.target == "/v1/messages":
        await x.chunk(provider_messages.event("error", error=told | {"type": "overloaded_error"}))
    elif x.request.target == "/v1/responses":
        await x.chunk(b'event: error\ndata: ' + json.dumps(
            {"type": "error", "sequence_number": 9, "code": "server_error", "param": None,
             "message": told["message"]}).encode() + b"\n\n")
    else:
        await x.chunk(provider.event({"error": told}))
    await x.last_chunk()


AFTER = {"reset": misbehaviour._reset, "close": misbehaviour._close, "stall": misbehaviour._stall,
         "ends": misbehaviour._ends_without_finish, "error": error_event}


async def send(x, events, until: int, after: str) -> None:
    """At once what is to come at all, so that a cut is where it was meant to be."""
    await x.stream_head(content_type="application/vnd.amazon.eventstream" if invoked(x.request)
                        else "text/event-stream")
    events = list(events)
    for each in events[:until]:
        await x.chunk(each)
    if until < len(events) and after == "half":
        await x.chunk(events[until][:len(events[until]) // 2])
        x.close()
    elif until < len(events):
        await x.sleep(0.001)
        await AFTER[after](x)
    else:
        await x.last_chunk()


async def behave(x) -> None:
    body = body_of(x.request)
    model = body["model"]
    try:
        begun = check_beginning(body)
        if invoked(x.request) and provider_invoke.problem_with_signature(x.request):
            raise Refusal(provider_invoke.problem_with_signature(x.request))
    except Refusal as why:
        await x.reply(400, provider_messages.error(str(why)) if "claude" in model
                      else provider.error(str(why)))
        return
    rest = STORY[len(begun):]
    if "stranger" in model:
        rest = "And now for something else."
    pieces = pieces_of(rest) if rest in STORY else [rest]
    if "mistral" in model and begun:
        pieces = [begun[:5], begun[5:], *pieces] if len(begun) > 5 else [begun, *pieces]
    until, after = cut_of(x.request)
    if "breaks" not in model:
        until = 10 ** 9
    if "again" in model:
        until, after = 6, "reset"
    await send(x, teller_of(x.request)(body, pieces), until, after)
