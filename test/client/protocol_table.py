"""The tables of docs/protocols.md, made by asking: each member in a request to a model of each protocol.

test_protocols_doc.py compares them with the page, or writes them there.
"""
from __future__ import annotations

import json

import raw

# Which model stands for its protocol: Claude Opus 4.6, Gemini 3, Nova Pro, and two nobody has heard of.
MODELS = {"chat": "chat/good", "messages": "messages/known", "responses": "responses/good",
          "gemini": "gemini/known", "bedrock": "bedrock/known"}
TARGETS = list(MODELS)

TEXT = {"type": "object", "properties": {"x": {"type": "string"}}}
PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="
MP4 = "data:video/mp4;base64,AAAAGGZ0eXBtcDQy"
FILES = "https://files.example.org"  # whoever asks puts a server of files there


def ask(*parts) -> list:
    return [{"role": "user", "content": list(parts)}]


def function(**more) -> list:
    return [{"type": "function", "function": {"name": "f", "parameters": TEXT} | more}]


SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": TEXT}}

CALLED = [{"role": "user", "content": "go"},
          {"role": "assistant", "content": None, "tool_calls": [
              {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}]

BAD = CALLED[:1] + [{"role": "assistant", "content": None, "tool_calls": [
    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "[1]"}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "r"}]

CITED = ask({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"},
             "citations": {"enabled": True}})

CLIENTS = {
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "go"}]}, {
        "`max_tokens`": {"max_tokens": 2000},
        "`temperature`": {"temperature": 0.5},
        "`temperature` above 1": {"temperature": 1.5},
        "`top_p`": {"top_p": 0.5},
        "`top_k`": {"top_k": 5},
        "`stop`": {"stop": ["END"]},
        "`seed`": {"seed": 7},
        "`presence_penalty`": {"presence_penalty": 1},
        "`frequency_penalty`": {"frequency_penalty": 1},
        "`logit_bias`": {"logit_bias": {"5": 1}},
        "`logprobs`": {"logprobs": True},
        "`logprobs`, `top_logprobs`": {"logprobs": True, "top_logprobs": 2},
        "`n` above 1": {"n": 2},
        "`user`": {"user": "me"},
        "`metadata`": {"metadata": {"a": "b"}},
        "`prompt_cache_key`": {"prompt_cache_key": "k"},
        "`service_tier`": {"service_tier": "flex"},
        "`verbosity`": {"verbosity": "low"},
        "`prediction`": {"prediction": {"type": "content", "content": "x"}},
        "`modalities` with audio": {"modalities": ["text", "audio"]},
        "`reasoning_effort`": {"reasoning_effort": "high"},
        "`response_format` json_schema": {"response_format": SCHEMA},
        "`response_format` of a type nobody knows": {"response_format": {"type": "CalendarEvent"}},
        "`response_format` json_object": {"response_format": {"type": "json_object"}},
        "`tools`": {"tools": function()},
        "`tools`, custom": {"tools": [{"type": "custom", "custom": {"name": "f"}}]},
        "`tool_choice` required": {"tools": function(), "tool_choice": "required"},
        "`tool_choice` allowed_tools": {"tools": function(), "tool_choice": {
            "type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
                {"type": "function", "function": {"name": "f"}}]}}},
        "`parallel_tool_calls` false": {"tools": function(), "parallel_tool_calls": False},
        "`web_search_options`": {"web_search_options": {"search_context_size": "low"}},
        "`web_fetch_options`": {"web_fetch_options": {"max_uses": 2}},
        "`name` of a message": {"messages": [{"role": "user", "name": "me", "content": "go"}]},
        "a member nobody knows": {"frobnicate": {"x": 1}},
        "a system message": {"messages": [{"role": "system", "content": "s"}] + ask(
            {"type": "text", "text": "go"})},
        "a system message in the middle": {"messages": ask({"type": "text", "text": "go"}) + [
            {"role": "assistant", "content": "a"}, {"role": "system", "content": "s"},
            {"role": "user", "content": "go"}]},
        "an image, inline": {"messages": ask({"type": "image_url", "image_url": {"url": PNG}})},
        "an image, by URL": {"messages": ask(
            {"type": "image_url", "image_url": {"url": FILES + "/x.png"}})},
        "a PDF, inline": {"messages": ask(
            {"type": "file", "file": {"filename": "f.pdf", "file_data": PDF}})},
        "a PDF, by URL": {"messages": ask(
            {"type": "file", "file": {"filename": "f.pdf", "file_data": FILES + "/x.pdf"}})},
        "a file by id": {"messages": ask({"type": "file", "file": {"file_id": "file-1"}})},
        "audio": {"messages": ask(
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}})},
        "a video, inline": {"messages": ask({"type": "video_url", "video_url": {"url": MP4}})},
        "a video, by URL": {"messages": ask(
            {"type": "video_url", "video_url": {"url": FILES + "/x.mp4"}})},
        "`cache_control` on a part": {"messages": ask(
            {"type": "text", "text": "go", "cache_control": {"type": "ephemeral"}})},
        "a call without a result": {"messages": CALLED},
        "arguments that are no object": {"messages": BAD, "tools": function()},
    }),
    "messages": ("/v1/messages", {"max_tokens": 2000, "messages": [
        {"role": "user", "content": "go"}]}, {
        "`system`": {"system": "s"},
        "`temperature`": {"temperature": 0.5},
        "`top_k`": {"top_k": 5},
        "`stop_sequences`": {"stop_sequences": ["END"]},
        "`metadata.user_id`": {"metadata": {"user_id": "me"}},
        "`service_tier`": {"service_tier": "standard_only"},
        "`thinking` enabled": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "`thinking` adaptive": {"thinking": {"type": "adaptive"}},
        "`thinking` disabled": {"thinking": {"type": "disabled"}},
        "`output_config.effort`": {"output_config": {"effort": "high"}},
        "`output_config.format`": {"output_config": {
            "format": {"type": "json_schema", "schema": TEXT}}},
        "`tools`": {"tools": [{"name": "f", "input_schema": TEXT}]},
        "`tools`, web search": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        "`tools`, web search but for `blocked_domains`": {"tools": [{
            "type": "web_search_20250305", "name": "web_search",
            "blocked_domains": ["example.org"]}]},
        "`tools`, web fetch": {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]},
        "`tools`, others of Anthropic's": {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        "`tool_choice` any": {"tools": [{"name": "f", "input_schema": TEXT}],
                              "tool_choice": {"type": "any"}},
        "`disable_parallel_tool_use`": {"tools": [{"name": "f", "input_schema": TEXT}],
                                        "tool_choice": {"type": "auto",
                                                        "disable_parallel_tool_use": True}},
        "`context_management`": {"context_management": {"edits": []}},
        "`mcp_servers`": {"mcp_servers": [{"type": "url", "url": "https://example.org"}]},
        "`container`": {"container": "c"},
        "an image, inline": {"messages": ask({"type": "image", "source": {
            "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}})},
        "an image, by URL": {"messages": ask({"type": "image", "source": {
            "type": "url", "url": FILES + "/x.png"}})},
        "a PDF, inline": {"messages": ask({"type": "document", "source": {
            "type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}})},
        "a PDF, by URL": {"messages": ask({"type": "document", "source": {
            "type": "url", "url": FILES + "/x.pdf"}})},
        "a file by id": {"messages": ask({"type": "image", "source": {
            "type": "file", "file_id": "file_1"}})},
        "a document with `citations`": {"messages": CITED},
        "`cache_control` of the request": {"cache_control": {"type": "ephemeral"}},
        "`cache_control` on a block": {"messages": ask(
            {"type": "text", "text": "go", "cache_control": {"type": "ephemeral"}})},
    }),
    "responses": ("/v1/responses", {"input": "go"}, {
        "`instructions`": {"instructions": "s"},
        "`max_output_tokens`": {"max_output_tokens": 2000},
        "`temperature`": {"temperature": 0.5},
        "`top_logprobs`": {"top_logprobs": 2},
        "`include` of logprobs": {"include": ["message.output_text.logprobs"]},
        "`user`": {"user": "me"},
        "`prompt_cache_key`": {"prompt_cache_key": "k"},
        "`service_tier`": {"service_tier": "flex"},
        "`metadata`": {"metadata": {"a": "b"}},
        "`truncation` auto": {"truncation": "auto"},
        "`reasoning.effort`": {"reasoning": {"effort": "high"}},
        "`text.format` json_schema": {"text": {"format": {
            "type": "json_schema", "name": "n", "schema": TEXT}}},
        "`text.format` json_object": {"text": {"format": {"type": "json_object"}}},
        "`text.verbosity`": {"text": {"verbosity": "low"}},
        "`tools`": {"tools": [{"type": "function", "name": "f", "parameters": TEXT}]},
        "`tools`, custom": {"tools": [{"type": "custom", "name": "f"}]},
        "`tools`, custom with a grammar": {"tools": [{"type": "custom", "name": "f", "format": {
            "type": "grammar", "syntax": "lark", "definition": "start: X"}}]},
        "`tools`, web search": {"tools": [{"type": "web_search"}]},
        "`tools`, web search of what is stored": {"tools": [{
            "type": "web_search", "external_web_access": False}]},
        "`tools`, web fetch": {"tools": [{"type": "web_fetch"}]},
        "`tools`, others of OpenAI's": {"tools": [{"type": "code_interpreter"}]},
        "`tool_choice` required": {"tools": [{"type": "function", "name": "f"}],
                                   "tool_choice": "required"},
        "`max_tool_calls`": {"max_tool_calls": 3},
        "`previous_response_id`": {"previous_response_id": "resp_1"},
        "`background`": {"background": True},
        "`conversation`": {"conversation": "conv_1"},
        "an `item_reference`": {"input": [{"type": "item_reference", "id": "x"}]},
        "an image, by URL": {"input": [{"role": "user", "content": [
            {"type": "input_image", "image_url": FILES + "/x.png"}]}]},
        "a file, inline": {"input": [{"role": "user", "content": [
            {"type": "input_file", "filename": "f.pdf", "file_data": PDF}]}]},
        "a file, by URL": {"input": [{"role": "user", "content": [
            {"type": "input_file", "file_url": FILES + "/x.pdf"}]}]},
    }),
}


# What `translation` decides: each option with its two words, the default first, and requests that show
# the difference, as client, upstream, name and members.
CHOICES = {
    "unknown_tools": ("reject", "drop", [
        ("messages", "chat", "`tools`, of Anthropic's own",
         {"tools": [{"type": "bash_20250124", "name": "bash"}]}),
        ("responses", "messages", "`tools`, of OpenAI's own",
         {"tools": [{"type": "code_interpreter"}]}),
        ("chat", "gemini", "`tools`, of a type nobody knows", {"tools": [{"type": "retrieval"}]})]),
    "deferred_tools": ("offer", "reject", [
        ("messages", "chat", "`defer_loading` of a tool",
         {"tools": [{"name": "f", "input_schema": TEXT, "defer_loading": True}]}),
        ("messages", "responses", "`allowed_callers` of a tool, without `direct`",
         {"tools": [{"name": "f", "input_schema": TEXT,
                     "allowed_callers": ["code_execution_20250825"]}]})]),
    "json_object": ("reject", "instruct", [
        ("chat", "messages", "`response_format` json_object",
         {"response_format": {"type": "json_object"}}),
        ("responses", "bedrock", "`text.format` json_object",
         {"text": {"format": {"type": "json_object"}}})]),
    "schemas": ("reject", "tool", [
        ("chat", "messages/old", "`response_format` json_schema", {"response_format": SCHEMA}),
        ("messages", "bedrock/old", "`output_config.format`", {"output_config": {
            "format": {"type": "json_schema", "schema": TEXT}}}),
        ("responses", "chat/old", "`text.format` json_schema", {"text": {"format": {
            "type": "json_schema", "name": "n", "schema": TEXT}}}),
        ("chat", "messages/old", "`response_format` json_schema and `tools`",
         {"response_format": SCHEMA, "tools": function()})]),
    "custom_tools": ("wrap", "reject", [
        ("responses", "messages", "`tools`, custom with a grammar", {"tools": [
            {"type": "custom", "name": "f", "format": {
                "type": "grammar", "syntax": "lark", "definition": "start: X"}}]})]),
    "bad_arguments": ("reject", "wrap", [
        ("chat", "messages", "arguments that are no object", {"messages": BAD, "tools": function()}),
        ("responses", "gemini", "arguments that are no object", {"input": [
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "[1]"},
            {"type": "function_call_output", "call_id": "c", "output": "r"}]})]),
    "missing_results": ("reject", "synthesise", [
        ("chat", "messages", "a call without a result", {"messages": CALLED}),
        ("messages", "responses", "a call without a result", {"messages": [
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
            {"role": "user", "content": "go on"}]})]),
    "citations": ("drop", "reject", [
        ("messages", "chat", "a document with `citations`", {"messages": CITED})]),
}
# Those that show in answers are tested there.
OTHER_WORDS = {option: other for option, (_, other, _) in CHOICES.items()} | {
    "reasoning_text": "raw"}


def outcome(gw, upstream, files, path: str, base: dict, members: dict, target: str) -> str:
    """What became of the members: "→ `name`" (where they arrived), "dropped", "400 `param`"."""
    def send(body: dict):
        before = len(upstream.requests)
        text = json.dumps({"model": MODELS.get(target, target)} | body)
        text = text.replace(FILES, files.url(""))
        answer = gw.ask(raw.request_bytes("POST", path, text.encode()))
        sent = upstream.requests[before:]
        return answer, sent[-1].json if sent else {}

    _, plain = send(base)
    answer, sent = send(base | members)
    dropped = answer.headers.get("x-sluice-dropped", "")
    assert answer.headers.get("x-sluice-warning", "") == "; ".join(
        f"{name} ignored" for name in dropped.split(", ") if name)
    if answer.status == 400 and not sent:
        return f"**400** `{answer.json['error']['param']}`"
    new = [k for k in sent if k not in plain or sent[k] != plain[k]]
    parts = (["→ " + ", ".join(f"`{k}`" for k in new)] if new else []) + \
        ([f"dropped: {dropped}"] if dropped else [])
    return "; ".join(parts) or "no effect"


def tables(gw, upstream, files) -> str:
    out = []
    for client, (path, base, rows) in CLIENTS.items():
        others = [t for t in TARGETS if t != client]
        out.append(f"| {client} | " + " | ".join(f"to {t}" for t in others) + " |")
        out.append("|---" * (1 + len(others)) + "|")
        for name, members in rows.items():
            cells = [outcome(gw, upstream, files, path, base, members, t) for t in others]
            out.append(f"| {name} | " + " | ".join(cells) + " |")
        out.append("")
    return "\n".join(out)


def choices(gw, otherwise, upstream, files) -> str:
    """The table of `translation`: the same requests through a gateway of either word."""
    out = ["| `translation` | a request | by default | otherwise |", "|---|---|---|---|"]
    for option, (word, other, requests) in CHOICES.items():
        for client, target, name, members in requests:
            path, base, _ = CLIENTS[client]
            words = [f"`{w}`: {outcome(g, upstream, files, path, base, members, target)}"
                     for w, g in ((word, gw), (other, otherwise))]
            to = target.replace("/old", ", an older model")
            out.append(f"| `{option}` | {client} to {to}, {name} | {' | '.join(words)} |")
    return "\n".join(out)
