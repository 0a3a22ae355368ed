"""Official SDKs for Python, unmodified, each against models of every protocol."""
from __future__ import annotations

import base64
import json

import anthropic
import openai
import pytest

import provider
import provider_gemini
import raw
from conftest import CLOUDS, PROTOCOLS
from file_server import PDF, PNG

MODELS = [f"{name}/good" for name in [*PROTOCOLS, *CLOUDS]]
PASS_CHAT = ("chat/good", "azure/good", "llama-on-vertex/good")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def oai(protocols):
    with openai.OpenAI(base_url=protocols.base_url, api_key=raw.KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def claude(protocols):
    url = protocols.base_url.removesuffix("/v1")
    with anthropic.Anthropic(base_url=url, api_key=raw.KEY, max_retries=0) as client:
        yield client


def city_of(arguments: str) -> str:
    return json.loads(arguments)["city"]


# Chat Completions.

DATA_ONLY = ("bedrock/good", "gemini/good", "claude-on-vertex/good", "gemini-on-vertex/good")


@pytest.mark.parametrize("model", DATA_ONLY)
def test_chat_image_by_url_is_sent_as_data(oai, upstream, files, model):
    answer = oai.chat.completions.create(model=model, messages=[{"role": "user", "content": [
        {"type": "text", "text": "hello"},
        {"type": "image_url", "image_url": {"url": files.url("/x.png")}}]}])
    assert answer.choices[0].message.content == "You said: hello"
    sent = upstream.requests[-1].body.decode()
    assert base64.b64encode(PNG).decode() in sent and "/x.png" not in sent


@pytest.mark.parametrize("model", DATA_ONLY)
def test_messages_document_by_url_is_sent_as_data(claude, upstream, files, model):
    answer = claude.messages.create(model=model, max_tokens=100, messages=[
        {"role": "user", "content": [
            {"type": "text", "text": "hello"},
            {"type": "document", "source": {"type": "url", "url": files.url("/x.pdf")}}]}])
    assert answer.content[0].text == "You said: hello"
    assert base64.b64encode(PDF).decode() in upstream.requests[-1].body.decode()


@pytest.mark.parametrize("model", DATA_ONLY)
def test_responses_image_by_url_that_is_not_there_names_the_part(oai, upstream, files, model):
    with pytest.raises(openai.BadRequestError) as caught:
        oai.responses.create(model=model, input=[{"role": "user", "content": [
            {"type": "input_image", "detail": "auto", "image_url": files.url("/none.png")}]}])
    assert caught.value.param == "input[0].content[0]"
    assert "status 404" in caught.value.message


CHAT_TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]


@pytest.mark.parametrize("model", MODELS)
def test_chat_whole(oai, model):
    answer = oai.chat.completions.create(model=model, messages=HELLO)
    assert answer.choices[0].message.content == "You said: hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == 3
    assert answer.usage.prompt_tokens_details.cached_tokens == 3
    assert answer.usage.prompt_tokens > 3


@pytest.mark.parametrize("model", MODELS)
def test_chat_streamed(oai, model):
    with oai.chat.completions.stream(model=model, messages=HELLO,
                                     stream_options={"include_usage": True}) as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_completion()
    assert answer.choices[0].message.content == "You said: hello"
    assert answer.usage.completion_tokens == 3
    assert kinds.count("content.delta") >= 3, "tokens came together"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_chat_tools_round_trip(oai, model, streamed):
    ask = dict(model=model, tools=CHAT_TOOLS)
    if streamed:
        with oai.chat.completions.stream(messages=HELLO, **ask) as stream:
            answer = stream.get_final_completion()
    else:
        answer = oai.chat.completions.create(messages=HELLO, **ask)
    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "tool_calls"
    assert city_of(message.tool_calls[0].function.arguments) == "Tromsø"
    history = HELLO + [message.model_dump(exclude_none=True, exclude={"parsed"}),
                       {"role": "tool", "tool_call_id": message.tool_calls[0].id,
                        "content": "rain"}]
    for call in history[1]["tool_calls"]:
        call["function"].pop("parsed_arguments", None)
    final = oai.chat.completions.create(messages=history, **ask)
    assert final.choices[0].message.content == "You said: hello"


def chat_answer(oai, how: str, **ask) -> dict:
    """An assistant's message as three kinds of clients keep it: told whole, put together by the SDK's helper,
    and with the pieces of its details in a row."""
    if how == "whole":
        message = oai.chat.completions.create(**ask).choices[0].message
        return message.model_dump(exclude_none=True)
    if how == "helped":
        with oai.chat.completions.stream(**ask) as stream:
            message = stream.get_final_completion().choices[0].message
        kept = message.model_dump(exclude_none=True, exclude={"parsed"})
        for call in kept.get("tool_calls", []):
            call["function"].pop("parsed_arguments", None)
        return kept
    kept = chat_answer(oai, "helped", **ask)
    kept["reasoning_details"] = [
        detail for chunk in oai.chat.completions.create(stream=True, **ask) for c in chunk.choices
        for detail in (c.delta.model_extra or {}).get("reasoning_details", [])]
    return kept


FORMATS = {"messages/good": "anthropic-claude-v1", "responses/good": "openai-responses-v1",
           "gemini/good": "google-gemini-v1", "bedrock/good": "unknown"}


@pytest.mark.parametrize("how", ["whole", "helped", "pieces"])
@pytest.mark.parametrize("model", FORMATS)
def test_chat_reasoning_comes_back(oai, upstream, model, how):
    ask = dict(model=model, tools=CHAT_TOOLS, reasoning_effort="high")
    message = chat_answer(oai, how, messages=HELLO, **ask)
    assert message["reasoning"] == message["reasoning_content"] == "hm, let me see"
    details = message["reasoning_details"]
    assert all(d["format"].startswith(FORMATS[model]) for d in details)
    assert sorted({d["index"] for d in details}) == list(range(details[-1]["index"] + 1))
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "rain"}
    final = oai.chat.completions.create(messages=HELLO + [message, result], **ask)
    assert final.choices[0].message.content == "You said: hello"
    sent = upstream.requests[-1].body.decode()
    proof = PROOFS.get(model, provider_gemini.MARK)
    assert sent.count(proof) == 1 and "sluice1." not in sent
    if model in ("messages/good", "bedrock/good"):
        assert "hm, let me see" in sent, "Anthropic's signature covers the whole of the text"


SPELLINGS = {"extra_content": ("tool_calls", "extra_content"),
             "thought_signature": ("tool_calls", "thought_signature"),
             "reasoning_details": ("reasoning_details",), "nothing": ()}


@pytest.mark.parametrize("streamed", ["whole", "helped"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_chat_brings_geminis_signature_back_in_any_spelling(oai, upstream, spelling, streamed):
    ask = dict(model="gemini/good", tools=CHAT_TOOLS)
    message = chat_answer(oai, streamed, messages=HELLO, **ask)
    call = message["tool_calls"][0]
    assert call["thought_signature"] == provider_gemini.MARK
    assert call["extra_content"] == provider.signed(provider_gemini.MARK)
    kept = SPELLINGS[spelling]
    call = {k: v for k, v in call.items() if k in ("id", "type", "function", *kept[1:])}
    history = {"role": "assistant", "content": None, "tool_calls": [call]} | \
        {k: v for k, v in message.items() if k in kept and k != "tool_calls"}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "rain"}
    answer = oai.chat.completions.with_raw_response.create(
        messages=HELLO + [history, result], **ask)
    assert answer.parse().choices[0].message.content == "You said: hello"
    sent = [p for c in upstream.requests[-1].json["contents"] for p in c["parts"]
            if "functionCall" in p]
    is_lost = spelling == "nothing"
    assert sent[0]["thoughtSignature"] == (provider_gemini.DUMMY if is_lost else provider_gemini.MARK)
    assert answer.headers.get("x-sluice-dropped") == ("thought signature" if is_lost else None)


@pytest.mark.parametrize("model", ["responses/good", "gemini/good"])
def test_chat_tells_probabilities(oai, model):
    ask = dict(model=model, messages=HELLO, logprobs=True, top_logprobs=1)
    whole = oai.chat.completions.create(**ask).choices[0].logprobs.content
    with oai.chat.completions.stream(**ask) as stream:
        streamed = stream.get_final_completion().choices[0].logprobs.content
    assert [t.token for t in streamed] == ["You", " said:", " hello"]
    assert whole == streamed
    assert {t.logprob for t in whole} == {-0.25}
    assert [bytes(t.bytes).decode() for t in whole] == [t.token for t in whole]
    assert [t.top_logprobs[0].token for t in whole] == [t.token for t in whole]
    assert oai.chat.completions.create(model=model, messages=HELLO).choices[0].logprobs is None


@pytest.mark.parametrize("model", ["messages/good", "bedrock/good"])
def test_probabilities_nobody_knows_are_refused(oai, model):
    with pytest.raises(openai.BadRequestError) as refused:
        oai.chat.completions.create(model=model, messages=HELLO, logprobs=True)
    assert refused.value.param == "logprobs"
    with pytest.raises(openai.BadRequestError) as refused:
        oai.responses.create(model=model, input="hello", include=["message.output_text.logprobs"])
    assert refused.value.param == "include"


@pytest.mark.parametrize("model", ["messages/good", "responses/good", "gemini/good", "bedrock/good"])
def test_chat_answers_say_who_served_them(oai, model):
    provider_name = model.partition("/")[0]
    whole = oai.chat.completions.create(model=model, messages=HELLO)
    assert whole.model_extra["provider"] == provider_name
    assert len(whole.model_extra["request_id"]) == 32
    assert whole.choices[0].model_extra["native_finish_reason"]
    chunks = list(oai.chat.completions.create(model=model, messages=HELLO, stream=True,
                                              stream_options={"include_usage": True}))
    assert {c.model_extra["provider"] for c in chunks} == {provider_name}
    assert len(chunks[-1].model_extra["request_id"]) == 32
    assert chunks[-2].choices[0].model_extra["native_finish_reason"]


@pytest.mark.parametrize("model", ["messages/good", "responses/good", "gemini/good", "bedrock/good"])
def test_legacy_completions_say_who_served_them(oai, model):
    provider_name = model.partition("/")[0]
    answer = oai.completions.with_raw_response.create(model=model, prompt=["hello"],
                                                      extra_body={"best_of": 2})
    assert answer.headers["x-sluice-dropped"] == "best_of"
    whole = answer.parse()
    assert whole.model_extra["provider"] == provider_name
    assert len(whole.model_extra["request_id"]) == 32
    assert whole.choices[0].logprobs is None
    assert whole.choices[0].model_extra["native_finish_reason"]
    chunks = list(oai.completions.create(model=model, prompt="hello", stream=True,
                                         stream_options={"include_usage": True}))
    assert {c.model_extra["provider"] for c in chunks} == {provider_name}
    assert len(chunks[-1].model_extra["request_id"]) == 32
    assert chunks[-2].choices[0].model_extra["native_finish_reason"]
    for member in ({"echo": True}, {"suffix": "x"}, {"logprobs": 2}, {"prompt": ["a", "b"]},
                   {"prompt": [1, 2]}):
        with pytest.raises(openai.BadRequestError) as refused:
            oai.completions.create(**{"model": model, "prompt": "hello"} | member)
        assert refused.value.param in member


@pytest.mark.parametrize("model", MODELS)
def test_legacy_completions(oai, model):
    whole = oai.completions.create(model=model, prompt="hello")
    assert whole.choices[0].text == "You said: hello"
    assert whole.usage.completion_tokens == 3
    chunks = list(oai.completions.create(model=model, prompt="hello", stream=True,
                                         stream_options={"include_usage": True}))
    assert "".join(c.choices[0].text for c in chunks if c.choices) == "You said: hello"
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 3
    if model not in ("chat/good", "azure/good"):
        with pytest.raises(openai.BadRequestError, match="suffix"):
            oai.completions.create(model=model, prompt="hello", suffix="x")


# Responses.

RESPONSES_TOOLS = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}]


@pytest.mark.parametrize("model", MODELS)
def test_responses_whole(oai, model):
    answer = oai.responses.create(model=model, input="hello")
    assert answer.output_text == "You said: hello"
    assert answer.status == "completed"
    assert answer.usage.output_tokens == 3
    assert answer.usage.input_tokens_details.cached_tokens == 3


@pytest.mark.parametrize("model", MODELS)
def test_responses_streamed(oai, model):
    with oai.responses.stream(model=model, input="hello", instructions="be brief") as stream:
        deltas = [e.delta for e in stream if e.type == "response.output_text.delta"]
        answer = stream.get_final_response()
    assert deltas == ["You", " said:", " hello"]
    assert answer.output_text == "You said: hello"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_responses_tools_round_trip(oai, model, streamed):
    ask = dict(model=model, tools=RESPONSES_TOOLS)
    if streamed:
        with oai.responses.stream(input=HELLO, **ask) as stream:
            answer = stream.get_final_response()
    else:
        answer = oai.responses.create(input=HELLO, **ask)
    call = answer.output[-1]
    assert call.type == "function_call" and city_of(call.arguments) == "Tromsø"
    history = HELLO + [{"type": "function_call", "call_id": call.call_id, "name": call.name,
                        "arguments": call.arguments},
                       {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}]
    assert oai.responses.create(input=history, **ask).output_text == "You said: hello"


PROOFS = {"messages/good": "c2lnbmF0dXJl", "responses/good": "ZW5jcnlwdGVk",
          "bedrock/good": "YmVkcm9jaw==", "claude-on-bedrock/good": "c2lnbmF0dXJl"}


@pytest.mark.parametrize("model", PROOFS)
def test_responses_reasoning_comes_back(oai, upstream, model):
    ask = dict(model=model, reasoning={"effort": "high", "summary": "auto"}, store=False,
               include=["reasoning.encrypted_content"])
    answer = oai.responses.create(input=HELLO, **ask)
    assert answer.output[0].summary[0].text == "hm, let me see"
    history = HELLO + [item.model_dump(exclude_none=True) for item in answer.output] \
        + [{"role": "user", "content": "go on"}]
    assert oai.responses.create(input=history, **ask).output_text == "You said: go on"
    sent = upstream.requests[-1].body.decode()
    assert PROOFS[model] in sent and "sluice1." not in sent


def test_responses_are_not_kept_unless_somebody_says_so(oai, upstream):
    """The loop of OpenAI's guides: what came goes back as it is. It works without a memory."""
    ask = dict(model="responses/good", reasoning={"effort": "high"})
    answer = oai.responses.create(input=HELLO, **ask)
    assert upstream.requests[-1].json["store"] is False
    again = oai.responses.create(input=HELLO + answer.output + HELLO, **ask)
    assert again.output_text == "You said: hello"
    assert PROOFS["responses/good"] in upstream.requests[-1].body.decode()
    oai.responses.create(input=HELLO, store=True, **ask)
    sent = upstream.requests[-1].json
    assert sent["store"] is True and "include" not in sent


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", ["messages/good", "bedrock/good"])
def test_responses_reasoning_may_be_raw(otherwise, model, streamed):
    ask = dict(model=model, input="hello", reasoning={"effort": "high", "summary": "auto"})
    with openai.OpenAI(base_url=otherwise.base_url, api_key=raw.KEY, max_retries=0) as oai:
        if not streamed:
            answer = oai.responses.create(**ask)
        else:
            with oai.responses.stream(**ask) as stream:
                deltas = [e.delta for e in stream if e.type == "response.reasoning_text.delta"]
                answer = stream.get_final_response()
            assert "".join(deltas) == "hm, let me see"
    item = answer.output[0]
    assert (item.type, item.summary, item.content[0].text) == ("reasoning", [], "hm, let me see")
    assert answer.output_text == "You said: hello"


@pytest.mark.parametrize("model", ["chat/good", "gemini/good"])
def test_responses_tell_probabilities(oai, model):
    ask = dict(model=model, input="hello", include=["message.output_text.logprobs"], top_logprobs=1)
    whole = oai.responses.create(**ask).output[0].content[0].logprobs
    with oai.responses.stream(**ask) as stream:
        events = list(stream)
        streamed = stream.get_final_response().output[0].content[0].logprobs
    deltas = [t for e in events if e.type == "response.output_text.delta" for t in e.logprobs]
    assert [t.token for t in deltas] == [t.token for t in whole] == ["You", " said:", " hello"]
    assert whole == streamed and {t.logprob for t in whole} == {-0.25}
    assert [bytes(t.bytes).decode() for t in whole] == [t.token for t in whole]
    assert whole[0].top_logprobs[0].token == "You"


@pytest.mark.parametrize("model", ["chat/gemini", "gemini/good"])
def test_responses_bring_geminis_signature_back(oai, model):
    """Whichever protocol Gemini is asked in: it refuses a call without its signature."""
    ask = dict(model=model, tools=RESPONSES_TOOLS, include=["reasoning.encrypted_content"])
    answer = oai.responses.create(input=HELLO, **ask)
    assert [i.type for i in answer.output] == ["reasoning", "function_call"]
    history = HELLO + [i.model_dump(exclude_none=True) for i in answer.output] + [
        {"type": "function_call_output", "call_id": answer.output[-1].call_id, "output": "rain"}]
    final = oai.responses.with_raw_response.create(input=history, **ask)
    assert final.parse().output_text == "You said: hello"
    assert "x-sluice-dropped" not in final.headers


def test_events_are_lines_however_the_request_was_laid_out(protocols):
    """The response repeats much of the request, which may have line breaks between its members."""
    body = {"model": "chat/good", "input": "hello", "stream": True, "tools": RESPONSES_TOOLS + [
        {"type": "custom", "name": "say"}], "tool_choice": "none", "metadata": {"a": "b"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}}
    answer = protocols.ask(raw.request_bytes(
        "POST", "/v1/responses", json.dumps(body, indent=1).replace("\n", "\r\n").encode()))
    events = answer.body.decode().strip().split("\n\n")
    assert all(len(e.splitlines()) == 2 for e in events)
    last = json.loads(events[-1].partition("data: ")[2])["response"]
    assert last["metadata"] == {"a": "b"} and last["tools"][0]["parameters"] == SCHEMA


def test_custom_tool_of_a_chat_model(oai):
    """Free text travels as a function's argument, and comes back as text."""
    answer = oai.responses.create(model="responses/good", input="hello",
                                  tools=[{"type": "custom", "name": "say"}])
    assert answer.output[-1].input == 'say "hi"\n'


# Messages.

MESSAGES_TOOLS = [{"name": "weather", "input_schema": SCHEMA}]


@pytest.mark.parametrize("model", MODELS)
def test_messages_whole(claude, model):
    answer = claude.messages.create(model=model, max_tokens=100, messages=HELLO)
    assert answer.content[0].text == "You said: hello"
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens == 3
    assert answer.usage.cache_read_input_tokens == 3


@pytest.mark.parametrize("model", MODELS)
def test_messages_streamed(claude, model):
    with claude.messages.stream(model=model, max_tokens=100, system="be brief",
                                messages=HELLO) as stream:
        texts = list(stream.text_stream)
        answer = stream.get_final_message()
    assert texts == ["You", " said:", " hello"]
    assert answer.usage.output_tokens == 3


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_messages_tools_round_trip(claude, model, streamed):
    ask = dict(model=model, max_tokens=100, tools=MESSAGES_TOOLS)
    if streamed:
        with claude.messages.stream(messages=HELLO, **ask) as stream:
            answer = stream.get_final_message()
    else:
        answer = claude.messages.create(messages=HELLO, **ask)
    call = answer.content[-1]
    assert answer.stop_reason == "tool_use" and call.input == {"city": "Tromsø"}
    history = HELLO + [{"role": "assistant",
                        "content": [{"type": "tool_use", "id": call.id, "name": call.name,
                                     "input": call.input}]},
                       {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id,
                                                     "content": "rain"}]}]
    final = claude.messages.create(messages=history, **ask)
    assert final.content[0].text == "You said: hello"


@pytest.mark.parametrize("model", PROOFS)
def test_messages_thinking_comes_back(claude, upstream, model):
    ask = dict(model=model, max_tokens=2000, thinking={"type": "adaptive"})
    if model != "messages/good":
        ask["output_config"] = {"effort": "high"}
    answer = claude.messages.create(messages=HELLO, **ask)
    assert answer.content[0].thinking == "hm, let me see"
    history = HELLO + [{"role": "assistant", "content": [b.model_dump() for b in answer.content]},
                       {"role": "user", "content": "go on"}]
    assert claude.messages.create(messages=history, **ask).content[-1].text == "You said: go on"
    sent = upstream.requests[-1].body.decode()
    assert PROOFS[model] in sent and "sluice1." not in sent


def test_conversation_moves_to_the_clients_own_protocol(claude, upstream):
    """What a translated answer proved means nothing to Anthropic: it is taken out, and all else stays."""
    first = claude.messages.create(model="responses/good", max_tokens=2000, messages=HELLO,
                                   thinking={"type": "adaptive"}, output_config={"effort": "high"})
    assert first.content[0].signature.startswith("sluice1.openai.")
    history = HELLO + [{"role": "assistant", "content": [b.model_dump() for b in first.content]},
                       {"role": "user", "content": "go on"}]
    moved = claude.messages.create(model="messages/good", max_tokens=2000, messages=history,
                                   extra_headers={"anthropic-beta": "new-2026-11-01"})
    assert moved.content[-1].text == "You said: go on"
    assert upstream.requests[-1].headers["anthropic-beta"] == "new-2026-11-01"
    sent = upstream.requests[-1].json["messages"]
    assert [b["type"] for b in sent[1]["content"]] == ["text"]


def test_betas_go_to_who_may_know_them(claude, upstream):
    answer = claude.messages.with_raw_response.create(
        model="gemini/good", max_tokens=2000, messages=HELLO,
        extra_headers={"anthropic-beta": "new-2026-11-01,other-2026-11-02"})
    assert answer.headers["x-sluice-dropped"] == "anthropic-beta"
    assert "anthropic-beta" not in upstream.requests[-1].headers


@pytest.mark.parametrize("model", ["chat/gemini", "gemini/good"])
def test_signature_of_a_call_comes_back_to_gemini(claude, upstream, model):
    ask = dict(model=model, max_tokens=2000, tools=MESSAGES_TOOLS)
    answer = claude.messages.create(messages=HELLO, **ask)
    call = answer.content[-1]
    history = HELLO + [{"role": "assistant", "content": [b.model_dump() for b in answer.content]},
                       {"role": "user", "content": [
                           {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}]}]
    assert claude.messages.create(messages=history, **ask).content[-1].text == "You said: hello"
    sent = upstream.requests[-1].json
    if model == "chat/gemini":
        calls = [c for m in sent["messages"] for c in m.get("tool_calls", [])]
        assert [c["extra_content"] for c in calls] == [provider.signed(provider_gemini.MARK)]
    else:
        parts = [p for c in sent["contents"] for p in c["parts"] if "functionCall" in p]
        assert [p["thoughtSignature"] for p in parts] == [provider_gemini.MARK]


def test_gemini_behind_chat_takes_calls_of_others(claude, upstream):
    """A history from another model has no signatures: the word for that stands in their place."""
    history = HELLO + [{"role": "assistant", "content": [
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}]}]
    answer = claude.messages.with_raw_response.create(
        model="chat/gemini", max_tokens=100, tools=MESSAGES_TOOLS, messages=history)
    assert answer.parse().content[0].text == "You said: hello"
    assert answer.headers["x-sluice-dropped"] == "thought signature"
    [call] = upstream.requests[-1].json["messages"][1]["tool_calls"]
    assert call["extra_content"] == provider.signed(provider_gemini.DUMMY)


async def thinker(x):
    """A provider that thinks in front of its calls and wants all of it back, as DeepSeek does."""
    body = x.request.json
    for message in body["messages"]:
        if message.get("tool_calls") and "reasoning_content" not in message:
            await x.reply(400, provider.error("The `reasoning_content` must be passed back."))
            return
    await x.stream_head()
    deltas = [{"role": "assistant", "reasoning_content": ""}, {"reasoning_content": "rain, "},
              {"reasoning_content": "or sun?"}]
    call = provider.tool_call(body)
    deltas.append({"tool_calls": [{"index": 0} | call]} if call else {"content": "rain"})
    for delta in deltas:
        await x.chunk(provider.event(provider.chat_chunk(body, delta)))
    await x.chunk(provider.event(provider.chat_chunk(body, {}, "tool_calls" if call else "stop")))
    await x.chunk(provider.DONE)
    await x.last_chunk()


@pytest.fixture
def thinking_upstream(upstream):
    upstream.scripts["thinker"] = thinker
    yield upstream
    del upstream.scripts["thinker"]


def test_messages_thoughts_go_back_to_who_wants_them(claude, thinking_upstream):
    ask = dict(model="deepseek/good", max_tokens=2000, tools=MESSAGES_TOOLS)
    with claude.messages.stream(messages=HELLO, **ask) as stream:
        answer = stream.get_final_message()
    assert [b.type for b in answer.content] == ["thinking", "tool_use"]
    assert answer.content[0].thinking == "rain, or sun?"
    history = HELLO + [{"role": "assistant", "content": [b.model_dump() for b in answer.content]},
                       {"role": "user", "content": [{
                           "type": "tool_result", "tool_use_id": answer.content[1].id,
                           "content": "rain"}]}]
    with claude.messages.stream(messages=history, **ask) as stream:
        assert stream.get_final_message().content[-1].text == "rain"
    sent = thinking_upstream.requests[-1].json["messages"][1]
    assert sent["reasoning_content"] == "rain, or sun?"


def test_responses_thoughts_go_back_to_who_wants_them(oai, thinking_upstream):
    ask = dict(model="deepseek/good", tools=RESPONSES_TOOLS, store=False,
               include=["reasoning.encrypted_content"], stream=True)

    def done(given):
        return [e for e in oai.responses.create(input=given, **ask)][-1].response

    answer = done("hello")
    assert [i.type for i in answer.output] == ["reasoning", "function_call"]
    history = [{"role": "user", "content": "hello"}] + \
        [i.model_dump(exclude_none=True) for i in answer.output] + [
            {"type": "function_call_output", "call_id": answer.output[1].call_id, "output": "rain"}]
    assert done(history).output_text == "rain"
    sent = thinking_upstream.requests[-1].json["messages"][1]
    assert sent["reasoning_content"] == "rain, or sun?"


@pytest.mark.parametrize("model", MODELS)
def test_tokens_are_counted(claude, model):
    words = "The keeper lit the lamp and waited for the boat. " * 100
    ask = dict(model=model, messages=[{"role": "user", "content": words}])
    few = claude.messages.count_tokens(**ask | {"messages": HELLO}).input_tokens
    many = claude.messages.count_tokens(**ask, system="be brief", tools=MESSAGES_TOOLS).input_tokens
    if model in ("messages/good", "claude-on-vertex/good"):
        assert few == many == 42  # the provider's own
    else:
        assert 5 <= few <= 15 and 1100 <= many <= 1600  # 1,100 by cl100k_base


def test_path_may_fix_the_model(protocols, upstream):
    """/v1/{pipeline}/…: an alias of the configuration in the path; the body may leave it out."""
    url = protocols.base_url + "/my-bot"
    with openai.OpenAI(base_url=url, api_key=raw.KEY, max_retries=0) as client:
        chat = client.chat.completions.create(model="my-bot", messages=HELLO)
        assert chat.choices[0].message.content == "You said: hello"
        assert client.responses.create(model="my-bot", input="hello").output_text == \
            "You said: hello"
        with pytest.raises(openai.NotFoundError):
            client.responses.create(model="chat/good", input="hello")
    body = json.dumps({"max_tokens": 5, "messages": HELLO}).encode()
    answer = protocols.ask(raw.request_bytes("POST", "/v1/my-bot/messages", body))
    assert answer.status == 200 and upstream.requests[-1].json["model"] == "good"
    for path, status in [("/v1/no-such/chat/completions", 404), ("/v1/my-bot/models", 405),
                         ("/v1/my-bot/files", 404), ("/v1/audio/responses", 404)]:
        answer = protocols.ask(raw.request_bytes("POST", path, body))
        assert answer.status == status, path


def test_vectors_come_in_the_form_that_is_asked_for(oai, upstream):
    """The SDK asks for base64 on its own; this provider knows numbers only."""
    async def numbers_only(x):
        await x.reply(200, json.dumps({"object": "list", "model": "m", "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, -1.25, 3]}],
            "usage": {"prompt_tokens": 1, "total_tokens": 1}}).encode())

    upstream.scripts["good"] = numbers_only
    try:
        assert oai.embeddings.create(model="chat/good", input="x").data[0].embedding == \
            [0.5, -1.25, 3.0]
        raw_answer = oai.embeddings.with_raw_response.create(
            model="chat/good", input=["x"], encoding_format="base64")
        assert json.loads(raw_answer.content)["data"][0]["embedding"] == "AAAAPwAAoL8AAEBA"
    finally:
        del upstream.scripts["good"]


# Structured output of models that cannot be held to a schema: a tool's arguments become the answer.

OLD_MODELS = ["chat/old", "messages/old", "bedrock/old"]
FORM = {"type": "json_schema", "schema": SCHEMA}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", OLD_MODELS)
def test_a_tool_stands_in_for_a_schema(otherwise, model, streamed):
    url = otherwise.base_url
    with openai.OpenAI(base_url=url, api_key=raw.KEY, max_retries=0) as oai, anthropic.Anthropic(
            base_url=url.removesuffix("/v1"), api_key=raw.KEY, max_retries=0) as claude:
        by_chat = model != "chat/old" and chat_by_schema(oai, model, streamed)
        if by_chat:  # the others pass what they are given
            assert by_chat.choices[0].finish_reason == "stop"
            assert not by_chat.choices[0].message.tool_calls
            assert city_of(by_chat.choices[0].message.content) == "Tromsø"
        response = responses_by_schema(oai, model, streamed)
        assert [item.type for item in response.output] == ["message"]
        assert response.status == "completed" and city_of(response.output_text) == "Tromsø"
        if model != "messages/old":
            message = messages_by_schema(claude, model, streamed)
            assert message.stop_reason == "end_turn"
            assert [block.type for block in message.content] == ["text"]
            assert city_of(message.content[0].text) == "Tromsø"


def chat_by_schema(oai, model: str, streamed: bool):
    ask = dict(model=model, messages=HELLO, response_format={
        "type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}})
    if not streamed:
        return oai.chat.completions.create(**ask)
    with oai.chat.completions.stream(**ask) as stream:
        deltas = [e.delta for e in stream if e.type == "content.delta"]
        assert len(deltas) > 1, "the answer came at once"
        return stream.get_final_completion()


def responses_by_schema(oai, model: str, streamed: bool):
    ask = dict(model=model, input="hello", text={"format": FORM | {"name": "city"}})
    if not streamed:
        return oai.responses.create(**ask)
    with oai.responses.stream(**ask) as stream:
        stream.until_done()
        return stream.get_final_response()


def messages_by_schema(claude, model: str, streamed: bool):
    ask = dict(model=model, max_tokens=100, messages=HELLO, output_config={"format": FORM})
    if not streamed:
        return claude.messages.create(**ask)
    with claude.messages.stream(**ask) as stream:
        return stream.get_final_message()


# Errors, in the words each SDK knows.

@pytest.mark.parametrize("model", MODELS)
def test_errors_are_of_the_sdks_own_kind(oai, claude, model):
    unanswered = HELLO + [{"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_x", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "user", "content": "well?"}]
    if model not in PASS_CHAT:  # those pass what they are given to a provider that does not look
        with pytest.raises((openai.BadRequestError, openai.APIStatusError)):
            oai.chat.completions.create(model=model, messages=unanswered, n=2)
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.create(model="no/such", max_tokens=1, messages=HELLO)
    with pytest.raises(openai.NotFoundError):
        oai.responses.create(model="no/such", input="x")
    with pytest.raises(anthropic.AuthenticationError):
        claude.with_options(api_key="sk-wrong").messages.create(model=model, max_tokens=1,
                                                                messages=HELLO)


TRANSLATED = {400: "BadRequestError", 401: "InternalServerError", 403: "PermissionDeniedError",
              404: "NotFoundError", 409: "ConflictError", 422: "UnprocessableEntityError",
              429: "RateLimitError", 500: "InternalServerError", 503: "InternalServerError",
              529: "InternalServerError"}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", TRANSLATED)
def test_translated_errors_are_of_the_sdks_own_kind(oai, claude, status, streamed):
    name = TRANSLATED[status]
    said = dict(stream=streamed, messages=HELLO)
    with pytest.raises(getattr(openai, name)):
        oai.chat.completions.create(model=f"messages/status-{status}", **said)
    with pytest.raises(getattr(openai, name)):
        oai.responses.create(model=f"messages/status-{status}", input="x", stream=streamed)
    with pytest.raises(getattr(anthropic, name)) as caught:
        claude.messages.create(model=f"chat/status-{status}", max_tokens=9, **said)
    assert caught.value.request_id


def test_sdks_do_not_repeat_what_cannot_help(protocols, upstream):
    """They ask again on a 502, unless they are told not to."""
    ask = {"max_retries": 2, "api_key": raw.KEY}
    before = len(upstream.requests)
    with openai.OpenAI(base_url=protocols.base_url, **ask) as client:
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(model="messages/status-401", messages=HELLO)
    with anthropic.Anthropic(base_url=protocols.base_url.removesuffix("/v1"), **ask) as client:
        with pytest.raises(anthropic.InternalServerError):
            client.messages.create(model="chat/status-401", max_tokens=9, messages=HELLO)
    assert len(upstream.requests) == before + 2
