"""The provider on its good days, speaking Bedrock's Converse. Says what `provider` says in Chat.

Requests have to be signed with the key below; the binary framing is AWS's event stream.
"""
from __future__ import annotations

import hashlib
import hmac
import json
import struct
import zlib
from typing import Iterator

KEY_ID, SECRET, REGION = "AKIDWIRETEST", "wire-test-secret-key", "eu-north-1"
API_KEY = "bedrock-api-key-wire"  # instead of a signature


def last_user_text(body: dict) -> str:
    for message in reversed(body["messages"]):
        texts = [c["text"] for c in message["content"] if "text" in c]
        if message["role"] == "user" and texts:
            return " ".join(texts)
    return ""


def content(body: dict) -> list[dict]:
    answered = any("toolResult" in c for c in body["messages"][-1]["content"])
    thinking = [{"reasoningContent": {"reasoningText": {"text": "hm, let me see",
                                                        "signature": "YmVkcm9jaw=="}}}] \
        if body.get("additionalModelRequestFields", {}).get("thinking") else []
    if body.get("toolConfig") and not answered:
        chosen = body["toolConfig"].get("toolChoice", {}).get("tool") or \
            body["toolConfig"]["tools"][0]["toolSpec"]
        name = chosen["name"]
        return thinking + [{"toolUse": {"toolUseId": "tooluse_wire0001", "name": name,
                                        "input": {"city": "Tromsø"}}}]
    return thinking + [{"text": "You said: " + last_user_text(body)}]


def usage(body: dict) -> dict:
    prompt = len(json.dumps(body["messages"])) // 4
    return {"inputTokens": prompt, "outputTokens": 3, "cacheReadInputTokens": 3,
            "totalTokens": prompt + 6}


def stop_reason(body: dict) -> str:
    return "tool_use" if "toolUse" in content(body)[-1] else "end_turn"


def whole(body: dict) -> dict:
    return {"output": {"message": {"role": "assistant", "content": content(body)}},
            "stopReason": stop_reason(body), "usage": usage(body),
            "metrics": {"latencyMs": 1}}


def frame(kind: str, payload: dict) -> bytes:
    return message({":event-type": kind, ":content-type": "application/json",
                    ":message-type": "event"}, payload)


def exception(kind: str, text: str) -> bytes:
    return message({":exception-type": kind, ":content-type": "application/json",
                    ":message-type": "exception"}, {"message": text})


def message(fields: dict[str, str], payload: dict) -> bytes:
    headers = b""
    for name, value in fields.items():
        headers += bytes([len(name)]) + name.encode() + b"\x07" + \
            struct.pack(">H", len(value)) + value.encode()
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    head = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    text = head + struct.pack(">I", zlib.crc32(head)) + headers + body
    return text + struct.pack(">I", zlib.crc32(text))


def deltas(block: dict) -> Iterator[dict]:
    if "text" in block:
        for i, word in enumerate(block["text"].split(" ")):
            yield {"text": word if i == 0 else " " + word}
    elif "reasoningContent" in block:
        reasoning = block["reasoningContent"]["reasoningText"]
        yield {"reasoningContent": {"text": reasoning["text"]}}
        yield {"reasoningContent": {"signature": reasoning["signature"]}}
    else:
        text = json.dumps(block["toolUse"]["input"], ensure_ascii=False)
        for piece in (text[:4], text[4:]):
            yield {"toolUse": {"input": piece}}


def events(body: dict) -> Iterator[bytes]:
    yield frame("messageStart", {"role": "assistant"})
    for i, block in enumerate(content(body)):
        if "toolUse" in block:
            start = {k: block["toolUse"][k] for k in ("toolUseId", "name")}
            yield frame("contentBlockStart", {"contentBlockIndex": i, "start": {"toolUse": start}})
        for delta in deltas(block):
            yield frame("contentBlockDelta", {"contentBlockIndex": i, "delta": delta,
                                              "p": "abcdef"})
        yield frame("contentBlockStop", {"contentBlockIndex": i})
    yield frame("messageStop", {"stopReason": stop_reason(body)})
    yield frame("metadata", {"usage": usage(body), "metrics": {"latencyMs": 1}})


def error(message: str) -> bytes:
    return json.dumps({"message": message}).encode()


def sign(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def problem_with_signature(request) -> str | None:
    """AWS's own check (Signature Version 4), from what came over the wire."""
    fields = {k.lower(): v for k, v in request.headers.items()}
    given = fields.get("authorization", "")
    if given == f"Bearer {API_KEY}":
        return None
    if not given.startswith("AWS4-HMAC-SHA256 "):
        return "Missing Authentication Token"
    said = dict(p.split("=", 1) for p in given.split(" ", 1)[1].replace(" ", "").split(","))
    names = said["SignedHeaders"].split(";")
    path = request.target.replace("%", "%25")  # each segment is encoded twice
    canonical = "\n".join(["POST", path, "", *(f"{n}:{fields[n]}" for n in names), "",
                           said["SignedHeaders"], hashlib.sha256(request.body).hexdigest()])
    date, day = fields["x-amz-date"], fields["x-amz-date"][:8]
    scope = f"{day}/{REGION}/bedrock/aws4_request"
    key = f"AWS4{SECRET}".encode()
    for step in (day, REGION, "bedrock", "aws4_request"):
        key = sign(key, step)
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    if said["Credential"] != f"{KEY_ID}/{scope}" or said["Signature"] != sign(key, text).hex():
        return "The request signature we calculated does not match the signature you provided."
    return None


def problem_of(body: dict) -> str | None:
    """What the real one would refuse: sides in turn, results right behind their calls."""
    calls: set[str] = set()
    for i, message in enumerate(body["messages"]):
        results = {c["toolResult"]["toolUseId"] for c in message["content"] if "toolResult" in c}
        if results != calls:
            return f"messages.{i}: toolResult blocks do not match toolUse blocks"
        calls = {c["toolUse"]["toolUseId"] for c in message["content"] if "toolUse" in c}
    return None
