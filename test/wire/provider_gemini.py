"""The provider on its good days, speaking Gemini's generateContent. Says what `provider` says."""
from __future__ import annotations

import json
from typing import Iterator

MARK = "Z2VtaW5pLXNpZ25hdHVyZQ=="
DUMMY = "skip_thought_signature_validator"


def last_user_text(body: dict) -> str:
    for content in reversed(body["contents"]):
        texts = [p["text"] for p in content["parts"] if "text" in p]
        if content.get("role") == "user" and texts:
            return " ".join(texts)
    return ""


def parts(body: dict) -> Iterator[dict]:
    config = body.get("generationConfig", {})
    if config.get("thinkingConfig", {}).get("includeThoughts"):
        for piece in ("hm, ", "let me see"):
            yield {"text": piece, "thought": True}
    answered = any("functionResponse" in p for p in body["contents"][-1]["parts"])
    choice = body.get("toolConfig", {}).get("functionCallingConfig", {}).get("mode")
    functions = [f for t in body.get("tools", []) for f in t.get("functionDeclarations", [])]
    if functions and not answered and choice != "NONE":
        name = functions[0]["name"]
        yield {"functionCall": {"name": name, "args": {"city": "Tromsø"}},
               "thoughtSignature": MARK}
        return
    for i, word in enumerate(("You said: " + last_user_text(body)).split(" ")):
        yield {"text": word if i == 0 else " " + word}


def usage(body: dict) -> dict:
    prompt = len(json.dumps(body["contents"])) // 4
    return {"promptTokenCount": prompt, "cachedContentTokenCount": 3,
            "candidatesTokenCount": 3, "totalTokenCount": prompt + 3}


def response(body: dict, some: list[dict], finish: str | None) -> dict:
    candidate = {"content": {"role": "model", "parts": some}, "index": 0}
    if body.get("generationConfig", {}).get("responseLogprobs"):
        words = [p["text"] for p in some if "text" in p and not p.get("thought")]
        each = [{"token": w, "tokenId": 7, "logProbability": -0.25} for w in words]
        candidate["logprobsResult"] = {"chosenCandidates": each,
                                       "topCandidates": [{"candidates": [e]} for e in each]}
    return {"candidates": [candidate | ({"finishReason": finish} if finish else {})],
            "usageMetadata": usage(body),
            "modelVersion": "good-2026-11-01", "responseId": "gemini-wire"}


def whole(body: dict) -> dict:
    return response(body, list(parts(body)), "STOP")


def events(body: dict) -> Iterator[bytes]:
    said = list(parts(body))
    for i, part in enumerate(said):
        chunk = response(body, [part], "STOP" if i == len(said) - 1 else None)
        yield b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\r\n\r\n"


def error(message: str) -> bytes:
    return json.dumps({"error": {"code": 400, "message": message,
                                 "status": "INVALID_ARGUMENT"}}).encode()


def problem_of(body: dict) -> str | None:
    """What the real one would refuse: sides in turn, signatures on calls of its own."""
    for i, content in enumerate(body["contents"]):
        if content.get("role") not in ("user", "model"):
            return f"contents[{i}]: Please use a valid role: user, model."
        calls = [p for p in content["parts"] if "functionCall" in p]
        if calls and calls[0].get("thoughtSignature") not in (MARK, DUMMY):
            return f"Function call in contents[{i}] is missing a thought_signature."
    return None
