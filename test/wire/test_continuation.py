"""Streams that break in the middle and are gone on with by another endpoint, where that is honest
(docs/routing.md, "When a stream breaks"): no character twice, none lost, and otherwise the error that was."""
from __future__ import annotations

import itertools
import json

import pytest

import provider_converse
import provider_messages
import provider_story
import raw
from gateway import Gateway, merged
from promises import assert_in_band_error
from provider_story import STORY, WORDS
from upstream import until

AWS = {"region": provider_converse.REGION, "access_key": provider_converse.KEY_ID,
       "secret_key": provider_converse.SECRET}
PROVIDERS = {
    "breaks-chat": {"protocol": "openai"},
    "breaks-messages": {"protocol": "anthropic"},
    "breaks-responses": {"protocol": "responses"},
    "claude": {"protocol": "anthropic"},
    "vllm": {"protocol": "openai", "facts": {"prefill": True, "prefill_continue": True}},
    "mistral": {"protocol": "openai", "preset": "mistral"},
    "stranger": {"protocol": "anthropic"},
    "again": {"protocol": "openai", "facts": {"prefill": True}},
    "cannot": {"protocol": "openai"},
    "refuses": {"protocol": "anthropic"},
    "breaks-bedrock": {"protocol": "bedrock", "aws": AWS, "api_key": None},
    "bedrock": {"protocol": "bedrock", "aws": AWS, "api_key": None},
}
NAMES = {"claude": "claude-sonnet-4-5", "stranger": "stranger-claude-sonnet-4-5",
         "refuses": "refuses-claude-3-7-sonnet",
         "bedrock": "eu.anthropic.claude-haiku-4-5-v1:0",
         "breaks-bedrock": "eu.anthropic.claude-breaks-v1:0"}
HEADS = {"chat": 1, "messages": 3, "responses": 4}  # events before the first word
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}


# An endpoint that breaks time and again is asked last: of each model a few tests are all.
MODELS, USES = 600, 4
numbers = itertools.count()


def configuration(upstream, models=MODELS, **routing) -> dict:
    """Models of which every provider has an endpoint; a request names those it means."""
    endpoints = [{"provider": name, "upstream_model": NAMES.get(name, name),
                  "price": {"input": "1.00", "output": "2.00"}} for name in PROVIDERS]
    return {
        "providers": {name: merged({"base_url": upstream.base_url, "api_key": "sk-up",
                                    "timeouts": {"idle": "300ms"}}, more)
                      for name, more in PROVIDERS.items()},
        "models": {f"story-{i}": {"endpoints": endpoints} for i in range(models)}
        | {"other": {"provider": "vllm", "upstream_model": "vllm-other"}},
        "routing": routing,
        "server": {"sse_keepalive": "10s"}}


@pytest.fixture(scope="module")
def scripts():
    """By what a provider calls the model, instead of telling the story; of one test each."""
    return {}


@pytest.fixture(autouse=True)
def forgotten_scripts(scripts):
    yield
    scripts.clear()


@pytest.fixture(scope="module")
def storytellers(upstream, scripts):
    upstream.script_for = lambda request: scripts.get(request.model, provider_story.behave)
    yield upstream
    del upstream.script_for


@pytest.fixture(scope="module")
def gateway(storytellers, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("gateway"), storytellers.base_url,
                 **configuration(storytellers, continue_streams=True)).start()
    yield gw
    gw.stop()


@pytest.fixture(scope="module")
def strict(storytellers, tmp_path_factory):
    """Nobody said that streams may be gone on with."""
    gw = Gateway(tmp_path_factory.mktemp("strict"), storytellers.base_url,
                 **configuration(storytellers)).start()
    yield gw
    gw.stop()


def body_of(protocol: str, providers: list[str], text: str, **members) -> dict:
    body = {"model": f"story-{next(numbers) // USES}", "stream": True}
    if protocol == "responses":
        body["input"] = text
    else:
        body["messages"] = [{"role": "user", "content": text}]
    if protocol == "messages":
        body["max_tokens"] = 5000
    wish = {"order": providers, "only": providers} | members.pop("provider", {})
    return body | members | {"provider": wish}


def stream(gw, protocol: str, providers: list[str], text: str, **members) -> raw.Response:
    body = json.dumps(body_of(protocol, providers, text, **members)).encode()
    answer = gw.ask(raw.request_bytes("POST", PATHS[protocol], body))
    assert answer.status == 200, answer.body
    return answer


def told_in(protocol: str, events: list) -> str:
    if protocol == "chat":
        return raw.content_of(events)
    kind = {"messages": "content_block_delta", "responses": "response.output_text.delta"}[protocol]
    deltas = [e["delta"] for e in events if e != "[DONE]" and e.get("type") == kind]
    return "".join(d if isinstance(d, str) else d["text"] for d in deltas)


def assert_sound(protocol: str, events: list) -> None:
    """One stream, whoever told it: one beginning, one identity, one end."""
    if protocol == "chat":
        chunks = events[:-1]
        assert events[-1] == "[DONE]" and "[DONE]" not in chunks
        assert len({(c["id"], c["model"], c["created"]) for c in chunks}) == 1
        assert sum("role" in c["choices"][0]["delta"] for c in chunks if c["choices"]) == 1
        assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]].count("stop") == 1
    elif protocol == "messages":
        kinds = [e["type"] for e in events if e["type"] not in ("content_block_delta", "ping")]
        assert kinds == ["message_start", "content_block_start", "content_block_stop",
                         "message_delta", "message_stop"]
        assert {e["index"] for e in events if "index" in e} == {0}
    else:
        assert [e["sequence_number"] for e in events] == list(range(len(events)))
        kinds = [e["type"].removeprefix("response.") for e in events]
        rest = [k for k in kinds if k != "output_text.delta"]
        assert rest == ["created", "in_progress", "output_item.added", "content_part.added",
                        "output_text.done", "content_part.done", "output_item.done", "completed"]
        whole = events[-1]["response"]
        assert whole["output"][0]["content"][0]["text"] == STORY
        assert events[0]["response"]["id"] == whole["id"]


def error_in(protocol: str, events: list) -> dict:
    """How a stream ends that nobody went on with."""
    if protocol == "chat":
        return assert_in_band_error(events)
    if protocol == "messages":
        assert events[-1]["type"] == "error", events[-3:]
        return events[-1]["error"]
    assert events[-1]["type"] == "response.failed", events[-3:]
    return events[-1]["response"]["error"]


def record(gw, answer) -> dict:
    return gw.record_of(answer.headers["x-request-id"])


# It goes on.

CUTS = range(len(WORDS) + 12)
WAYS = ["reset", "ends", "error", "half"]


@pytest.mark.parametrize("target", ["claude", "vllm", "mistral"])
@pytest.mark.parametrize("protocol", PATHS)
def test_story_is_whole_wherever_its_teller_breaks_off(gateway, protocol, target):
    first = f"breaks-{protocol}"
    for cut in CUTS:
        answer = stream(gateway, protocol, [first, target], f"cut {cut} {WAYS[cut % 4]}")
        events = raw.events_of(answer.body)
        began = target if cut <= HEADS[protocol] else first  # nothing had been said yet
        assert answer.headers["x-sluice-provider"] == began, f"cut {cut}"
        assert told_in(protocol, events) == STORY, f"cut {cut}"
        if WAYS[cut % 4] == "error" and cut > HEADS[protocol] + len(WORDS) and "error" in events[-2]:
            continue  # behind its finish_reason: there was nothing to go on with
        assert_sound(protocol, events)


@pytest.mark.parametrize("first", ["breaks-messages", "breaks-responses"])
def test_translated_stream_goes_on_as_well(gateway, first):
    for cut in range(0, len(WORDS), 7):
        events = raw.events_of(stream(gateway, "chat", [first, "claude"], f"cut {cut} close").body)
        assert told_in("chat", events) == STORY
        assert_sound("chat", events)


@pytest.mark.parametrize("protocol", ["chat", "messages"])
def test_claude_in_one_cloud_goes_on_for_claude_in_another(gateway, protocol):
    """Signed, in frames of its own, and with the model in the path."""
    for cut in range(4, len(WORDS), 23):
        answer = stream(gateway, protocol, ["breaks-bedrock", "bedrock"], f"cut {cut} reset")
        assert answer.headers["x-sluice-provider"] == "breaks-bedrock"
        assert told_in(protocol, raw.events_of(answer.body)) == STORY
        assert_sound(protocol, raw.events_of(answer.body))


def test_long_conversation_is_kept_for_who_goes_on(gateway, storytellers):
    """Read and written on another thread."""
    text = "cut 30 reset " + "x" * 700_000
    answer = stream(gateway, "chat", ["breaks-chat", "claude"], text)
    assert raw.content_of(raw.events_of(answer.body)) == STORY
    assert storytellers.requests[-1].json["messages"][0]["content"][0]["text"] == text


def test_answer_in_one_piece_goes_on_with_a_stream(gateway, scripts):
    async def whole(x) -> None:
        rest = STORY[len(provider_story.begun_in(x.request.json)):]
        await x.reply(200, json.dumps({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
            "content": [{"type": "text", "text": rest}], "stop_reason": "end_turn",
            "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 2}}).encode())
    scripts[NAMES["claude"]] = whole
    answer = stream(gateway, "messages", ["breaks-messages", "claude"], "cut 30 reset")
    assert told_in("messages", raw.events_of(answer.body)) == STORY
    assert_sound("messages", raw.events_of(answer.body))


def test_provider_that_falls_silent_is_relieved(gateway):
    answer = stream(gateway, "chat", ["breaks-chat", "vllm"], "cut 30 stall")
    assert raw.content_of(raw.events_of(answer.body)) == STORY


def test_second_break_is_gone_on_with_as_well(gateway):
    answer = stream(gateway, "chat", ["breaks-chat", "again", "claude"], "cut 30 reset")
    events = raw.events_of(answer.body)
    assert raw.content_of(events) == STORY
    assert_sound("chat", events)
    assert [a["result"] for a in record(gateway, answer)["attempts"]] == ["broken", "broken", "ok"]


def test_who_cannot_go_on_is_passed_over(gateway):
    answer = stream(gateway, "chat", ["breaks-chat", "cannot", "claude"], "cut 30 reset")
    assert raw.content_of(raw.events_of(answer.body)) == STORY
    assert [a["endpoint"] for a in record(gateway, answer)["attempts"]] == ["breaks-chat", "claude"]


@pytest.mark.parametrize("protocol", ["messages", "responses"])
def test_anybody_begins_anew_when_nothing_was_told(storytellers, start, protocol):
    """The client has waited so long that it was shown how the answer opens."""
    gw = start(**(configuration(storytellers, models=1, continue_streams=True)
                  | {"server": {"sse_keepalive": "30ms"}}))
    first = f"breaks-{protocol}"
    answer = stream(gw, protocol, [first, "cannot", "claude"], "cut 1 stall", model="story-0")
    events = raw.events_of(answer.body)
    assert told_in(protocol, events) == STORY
    assert_sound(protocol, events)
    assert answer.headers["x-sluice-provider"] == first
    log = record(gw, answer)
    assert [(a["endpoint"], a["result"]) for a in log["attempts"]] == [
        (first, "broken"), ("cannot", "ok")]
    assert log["continuation"] == "continued"


@pytest.mark.parametrize("opens", [False, True])
def test_rival_that_won_and_broke_is_gone_on_with(storytellers, scripts, start, opens):
    """Two are being read before one of them has something to say."""
    async def waits(x) -> None:
        if opens:
            await x.stream_head()
            await x.chunk(next(provider_story.chat_events(x.request.json, [])))
        await x.until_gone()
    hedge = {"enabled": True, "after": "100ms", "max_share": 1}
    gw = start(**configuration(storytellers, models=1, continue_streams=True, hedge=hedge))
    scripts["cannot"] = waits
    answer = stream(gw, "chat", ["cannot", "breaks-chat", "claude"], "cut 30 reset",
                    model="story-0")
    assert told_in("chat", raw.events_of(answer.body)) == STORY
    assert_sound("chat", raw.events_of(answer.body))
    assert [(a["endpoint"], a["result"]) for a in record(gw, answer)["attempts"]] == [
        ("cannot", "cancelled"), ("breaks-chat", "broken"), ("claude", "ok")]


def test_who_goes_on_has_no_rival(storytellers, scripts, start):
    async def late(x) -> None:
        await x.sleep(0.25)
        await provider_story.behave(x)
    hedge = {"enabled": True, "after": "100ms", "max_share": 1}
    gw = start(**configuration(storytellers, models=1, continue_streams=True, hedge=hedge))
    scripts[NAMES["claude"]] = late
    answer = stream(gw, "chat", ["breaks-chat", "claude", "vllm"], "cut 30 reset",
                    model="story-0")
    assert told_in("chat", raw.events_of(answer.body)) == STORY
    assert [a["endpoint"] for a in record(gw, answer)["attempts"]] == ["breaks-chat", "claude"]
    assert gw.metric("sluice_hedges_total") == 0


def tokens_of(text: str) -> int:
    """What a text that nobody has counted is taken for."""
    return (len(text) + 3) // 4


def test_each_is_paid_by_whose_credential_it_was_asked_with(storytellers, start):
    own = "sk-canary-own-of-a-caller"
    gw = start(**configuration(storytellers, models=1, continue_streams=True),
               byok={"breaks-chat": own})
    answer = stream(gw, "chat", ["breaks-chat", "claude"], "cut 21 reset", model="story-0",
                    stream_options={"include_usage": True})
    assert told_in("chat", raw.events_of(answer.body)) == STORY
    first, second = storytellers.requests[-2:]
    assert first.headers["authorization"] == f"Bearer {own}"
    assert own not in str(second.headers)
    log = record(gw, answer)
    assert [a["endpoint"] for a in log["attempts"]] == ["breaks-chat", "claude"]
    written = tokens_of("".join(WORDS[:20]))
    read = log["byok_cost_pd"] / 10 ** 6 - 2 * written  # an estimate: nobody has told
    assert log["is_byok"] is True and 0 < read < 200
    assert log["cost_pd"] == 40 * 10 ** 6 + 30 * 2 * 10 ** 6


def test_nobody_goes_on_who_is_not_well_without_a_retry_budget(storytellers, scripts, start):
    async def busy(x) -> None:
        await x.reply(529, provider_messages.error("Overloaded", "overloaded_error"),
                      ("Retry-After", "60"))
    gw = start(**configuration(storytellers, models=1, continue_streams=True,
                               retry_budget={"ratio": 0, "min_per_second": 0}))
    scripts[NAMES["claude"]] = busy
    stream(gw, "chat", ["claude", "vllm"], "hello", model="story-0")
    answer = stream(gw, "chat", ["breaks-chat", "claude"], "cut 30 error", model="story-0")
    error = assert_broken(gw, "chat", answer, ["breaks-chat"], "refused")
    assert error["message"] == "provider breaks-chat: The server had an error while streaming."
    answer = stream(gw, "chat", ["breaks-chat", "claude", "vllm"], "cut 30 error", model="story-0")
    assert told_in("chat", raw.events_of(answer.body)) == STORY
    assert record(gw, answer)["attempts"][-1]["endpoint"] == "vllm"


def test_who_goes_on_is_shown_the_text_and_nothing_else(gateway, storytellers):
    """No prompt of ours; and it may write no more than was left."""
    stream(gateway, "chat", ["breaks-chat", "vllm"], "cut 21 reset", max_tokens=500)
    told = "".join(WORDS[:20]).rstrip()
    first, second = [r.json for r in storytellers.requests[-2:]]
    assert second["messages"] == first["messages"] + [{"role": "assistant", "content": told}]
    assert 500 - len(told) < second["max_tokens"] < 500
    stream(gateway, "chat", ["breaks-chat", "vllm"], "cut 21 reset", max_tokens=3)
    assert storytellers.requests[-1].json["max_tokens"] == 1


def test_both_are_metered_and_told_of(storytellers, start):
    gateway = start(**configuration(storytellers, models=1, continue_streams=True))

    def figures():
        return {p: (gateway.metric("sluice_tokens_total", provider=p, type="output"),
                    gateway.metric("sluice_cost_usd_total", provider=p))
                for p in ("breaks-messages", "claude")}

    def results():
        return {r: gateway.metric("sluice_stream_continuations_total", result=r)
                for r in ("continued", "refused", "failed")}
    before, counted = figures(), results()
    answer = stream(gateway, "messages", ["breaks-messages", "claude"], "cut 23 reset",
                    model="story-0")
    events = raw.events_of(answer.body)
    usage = [e["usage"] for e in events if e["type"] == "message_delta"][0]
    first = usage["output_tokens"] - 30
    assert usage["input_tokens"] == 80
    assert abs(first - tokens_of("".join(WORDS[:20]))) <= 1
    assert answer.body.count(b": SLUICE CONTINUED BY claude\n\n") == 1
    log = record(gateway, answer)
    assert (log["tokens_in"], log["tokens_out"], log["usage_source"]) == (
        80, first + 30, "estimated")
    assert log["cost_pd"] == 80 * 10 ** 6 + (first + 30) * 2 * 10 ** 6
    assert (log["outcome"], log["continuation"]) == ("ok", "continued")
    assert [(a["endpoint"], a["result"]) for a in log["attempts"]] == [
        ("breaks-messages", "broken"), ("claude", "ok")]
    after = figures()
    assert after["breaks-messages"][0] - before["breaks-messages"][0] == first
    assert after["claude"][0] - before["claude"][0] == 30
    assert after["breaks-messages"][1] - before["breaks-messages"][1] == pytest.approx(
        (40 + 2 * first) * 1e-6)
    assert after["claude"][1] - before["claude"][1] == pytest.approx(100e-6)
    assert results() == counted | {"continued": counted["continued"] + 1}


def test_figures_of_time_are_those_of_who_began(gateway):
    log = record(gateway, stream(gateway, "chat", ["breaks-chat", "vllm"], "cut 30 stall"))
    assert log["duration_ms"] >= 300
    assert log["ttft_ms"] < 300 and log["overhead_us"] < 300_000


# It does not.

def assert_broken(gw, protocol: str, answer, attempts: list[str], result: str | None) -> dict:
    error = error_in(protocol, raw.events_of(answer.body))
    log = record(gw, answer)
    assert [a["endpoint"] for a in log["attempts"]] == attempts
    assert log["outcome"] == "upstream_error" and log.get("continuation") == result
    return error


@pytest.mark.parametrize("protocol", PATHS)
def test_nobody_goes_on_unless_somebody_said_so(strict, protocol):
    first = f"breaks-{protocol}"
    answer = stream(strict, protocol, [first, "claude"], "cut 30 reset")
    assert_broken(strict, protocol, answer, [first], None)


def test_request_may_switch_it_on_and_off(gateway, strict):
    on, off = {"continue_streams": True}, {"continue_streams": False}
    answer = stream(strict, "chat", ["breaks-chat", "claude"], "cut 30 reset", provider=on)
    assert raw.content_of(raw.events_of(answer.body)) == STORY
    answer = stream(gateway, "chat", ["breaks-chat", "claude"], "cut 30 reset", provider=off)
    assert_broken(gateway, "chat", answer, ["breaks-chat"], None)
    answer = gateway.ask(raw.request_bytes("POST", PATHS["chat"], json.dumps(body_of(
        "chat", ["claude"], "hello", provider={"continue_streams": "yes"})).encode()))
    assert (answer.status, answer.error["param"]) == (400, "provider.continue_streams")


def test_bytes_stay_the_providers_where_nobody_could_go_on(gateway, storytellers):
    answer = stream(gateway, "chat", ["breaks-chat", "cannot"], "hello",
                    stream_options={"include_usage": True})
    sent = b"".join(provider_story.chat_events(storytellers.requests[-1].json, WORDS))
    assert answer.body == sent
    answer = stream(gateway, "chat", ["breaks-chat", "cannot"], "cut 30 reset")
    assert_broken(gateway, "chat", answer, ["breaks-chat"], "refused")


@pytest.mark.parametrize("members", [
    {"n": 2}, {"logprobs": True}, {"response_format": {"type": "json_object"}}, {"stop": ["x"]},
    {"reasoning_effort": "low"}, {"modalities": ["text", "audio"]}, {"unheard_of": 1},
    {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"},
    {"tools": [{"type": "web_search"}]},
], ids=lambda m: next(iter(m)))
def test_answers_that_are_more_than_text_are_left_alone(gateway, storytellers, members):
    """They pass as they are; when they break, they break."""
    answer = stream(gateway, "chat", ["breaks-chat", "vllm"], "cut 30 reset", **members)
    assert b"chatcmpl-wire" in answer.body, "the provider's own bytes"
    assert_broken(gateway, "chat", answer, ["breaks-chat"], "refused")


def test_response_that_is_kept_keeps_its_id(gateway):
    answer = stream(gateway, "responses", ["breaks-responses", "vllm"], "hello", store=True)
    assert raw.events_of(answer.body)[-1]["response"]["id"] == "resp_story"


def test_conversation_that_the_client_began_an_answer_to_is_left_alone(gateway):
    begun = [{"role": "user", "content": "cut 30 reset"}, {"role": "assistant", "content": "Once"}]
    answer = stream(gateway, "chat", ["breaks-chat", "claude"], "", messages=begun)
    events = raw.events_of(answer.body)
    error_in("chat", events)
    assert record(gateway, answer)["continuation"] == "failed"


def test_request_that_is_refused_is_no_stream_that_broke(gateway, scripts):
    async def refuse(x) -> None:
        await x.reply(400, provider_messages.error("max_tokens: too large"))
    scripts["breaks-messages"] = refuse
    body = json.dumps(body_of("messages", ["breaks-messages", "claude"], "hello")).encode()
    answer = gateway.ask(raw.request_bytes("POST", PATHS["messages"], body))
    assert answer.status == 400 and "continuation" not in record(gateway, answer)


def chat_then(*deltas: dict):
    async def script(x) -> None:
        await x.stream_head()
        for delta in ({"role": "assistant", "content": ""}, {"content": "Once"}, *deltas):
            await x.chunk(provider_story.chat_event(x.request.json, delta))
        await x.sleep(0.01)
        x.reset()
    return script


CALL = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                        "function": {"name": "weather", "arguments": ""}}]}
PIECE = {"tool_calls": [{"index": 0, "function": {"arguments": '{"ci'}}]}


@pytest.mark.parametrize("deltas", [
    [CALL], [CALL, PIECE], [{"reasoning_content": "hm"}], [{"refusal": "I will not"}],
    [{"content": "x" * 262144}]], ids=["call", "arguments", "reasoning", "refusal", "too long"])
def test_nobody_goes_on_behind_anything_but_text(gateway, scripts, deltas):
    scripts["breaks-chat"] = chat_then(*deltas)
    answer = stream(gateway, "chat", ["breaks-chat", "vllm"], "hello", tools=[
        {"type": "function", "function": {"name": "weather", "parameters": {}}}])
    assert_broken(gateway, "chat", answer, ["breaks-chat"], "refused")


def test_request_is_let_go_when_nobody_could_go_on(storytellers, scripts, start):
    """A stream that will not be gone on with holds no more than any other."""
    async def stays(x) -> None:
        await x.stream_head()
        await x.chunk(provider_story.chat_event(x.request.json, {"content": "Once"}))
        await gates[0].wait()
        await x.chunk(provider_story.chat_event(x.request.json, CALL))
        await gates[1].wait()

    def held() -> float:
        return gateway.metric("sluice_stream_buffer_bytes")
    gateway = start(**merged(configuration(storytellers, continue_streams=True),
                             {"providers": {"breaks-chat": {"timeouts": {"idle": "30s"}}}}))
    gates = [storytellers.gate(), storytellers.gate()]
    scripts["breaks-chat"] = stays
    body = json.dumps(body_of("chat", ["breaks-chat", "vllm"], "x" * 100_000)).encode()
    with gateway.client() as client:
        client.send(raw.request_bytes("POST", PATHS["chat"], body))
        answer = raw.Stream(client)
        while b"Once" not in answer.next():
            pass
        assert held() > 100_000
        gates[0].open()
        while b"weather" not in answer.next():
            pass
        until(lambda: held() < 100_000, 5, "the request's memory")
        gates[1].open()


def test_nobody_goes_on_inside_a_character(gateway, scripts):
    half = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}\n\n'

    async def script(x) -> None:
        await x.stream_head()
        await x.chunk(provider_story.chat_event(x.request.json, {"content": "Once"}) + half)
        await x.sleep(0.01)
        x.reset()
    scripts["breaks-chat"] = script
    answer = stream(gateway, "chat", ["breaks-chat", "vllm"], "hello")
    assert_broken(gateway, "chat", answer, ["breaks-chat"], "refused")


@pytest.mark.parametrize("thinking", ["thinking", "redacted_thinking"])
def test_nobody_goes_on_behind_signed_thinking(gateway, scripts, thinking):
    block = {"type": "thinking", "thinking": "", "signature": ""} if thinking == "thinking" \
        else {"type": "redacted_thinking", "data": "c2VjcmV0"}

    async def script(x) -> None:
        event = provider_messages.event
        events = list(provider_story.messages_events(x.request.json, ["Once"]))
        await x.stream_head()
        await x.chunk(events[0] + event("content_block_start", index=0, content_block=block))
        if thinking == "thinking":
            await x.chunk(event("content_block_delta", index=0, delta={
                "type": "thinking_delta", "thinking": "hm"}) + event(
                "content_block_delta", index=0, delta={
                    "type": "signature_delta", "signature": "c2ln"}))
        await x.chunk(event("content_block_stop", index=0))
        await x.chunk(event("content_block_start", index=1,
                            content_block={"type": "text", "text": "Once"}))
        await x.sleep(0.01)
        x.reset()
    scripts["breaks-messages"] = script
    answer = stream(gateway, "messages", ["breaks-messages", "claude"], "hello")
    assert_broken(gateway, "messages", answer, ["breaks-messages"], "refused")


def test_other_models_do_not_go_on(gateway):
    """The client was told whose answer it is."""
    answer = stream(gateway, "chat", ["breaks-chat", "vllm"], "cut 30 reset",
                    models=["other"], provider={"ignore": ["claude"], "only": ["breaks-chat", "vllm"]})
    assert record(gateway, answer)["model"].startswith("story-")
    answer = stream(gateway, "chat", ["breaks-chat"], "cut 30 reset", models=["other"],
                    provider={"order": ["breaks-chat"], "only": None, "ignore": [
                        p for p in PROVIDERS if p not in ("breaks-chat",)]})
    assert_broken(gateway, "chat", answer, ["breaks-chat"], "refused")


@pytest.mark.parametrize("protocol", PATHS)
def test_error_is_the_first_ones_when_all_fail(gateway, protocol):
    """Who does not go on, refuses or breaks as well is none of the client's business."""
    first = f"breaks-{protocol}"
    cut = HEADS[protocol] + 1 + WORDS.index("\n\n")  # so that it is known how to go on
    for others in (["stranger"], ["refuses", "stranger"], ["again"]):
        answer = stream(gateway, protocol, [first, *others], f"cut {cut} error")
        error = assert_broken(gateway, protocol, answer, [first, *others], "failed")
        assert error["message"].startswith(f"provider {first}: The server had an error")


@pytest.fixture(autouse=True)
def refusing(scripts):
    async def refuse(x) -> None:
        await x.reply(529, provider_messages.error("Overloaded", "overloaded_error"))
    scripts[NAMES["refuses"]] = refuse


def test_text_that_ends_in_white_space_is_not_told_twice(gateway, scripts, storytellers):
    """Who goes on is shown it without, and has to begin with it: else nobody knows where it goes on."""
    cut = HEADS["chat"] + 1 + WORDS.index("\n\n")
    for follower in ("claude", "vllm", "mistral"):
        answer = stream(gateway, "chat", ["breaks-chat", follower], f"cut {cut} reset")
        assert raw.content_of(raw.events_of(answer.body)) == STORY
        shown = storytellers.requests[-1].json["messages"][-1]["content"]
        assert provider_story.texts_of(shown) == "Once upon a time,"

    async def skips(x) -> None:
        await provider_story.send(x, provider_story.messages_events(
            x.request.json, ["there was"]), 10 ** 9, "")
    scripts[NAMES["claude"]] = skips
    answer = stream(gateway, "chat", ["breaks-chat", "claude"], f"cut {cut} reset")
    assert_broken(gateway, "chat", answer, ["breaks-chat", "claude"], "failed")
    assert raw.content_of(raw.events_of(answer.body)) == "Once upon a time,\n\n"


def test_who_goes_on_may_call_a_tool_behind_the_text(gateway, scripts):
    async def calls(x) -> None:
        event = provider_messages.event
        events = list(provider_story.messages_events(x.request.json, [" upon"]))
        call = [event("content_block_start", index=1, content_block={
            "type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}),
            event("content_block_delta", index=1, delta={
                "type": "input_json_delta", "partial_json": '{"city":"Oslo"}'}),
            event("content_block_stop", index=1)]
        await provider_story.send(x, events[:-2] + call + events[-2:], 10 ** 9, "")
    scripts[NAMES["claude"]] = calls
    tools = [{"name": "weather", "input_schema": {"type": "object"}}]
    answer = stream(gateway, "messages", ["breaks-messages", "claude"], "cut 4 reset",
                    tools=tools)
    events = raw.events_of(answer.body)
    starts = [e for e in events if e["type"] == "content_block_start"]
    assert [(e["index"], e["content_block"]["type"]) for e in starts] == [(0, "text"), (1, "tool_use")]
    assert [e["delta"]["text"] for e in events if e.get("delta", {}).get("type") == "text_delta"] \
        == ["Once", " upon"]
    assert events[-1]["type"] == "message_stop"


def test_client_that_leaves_meanwhile_takes_everything_along(gateway, scripts, storytellers):
    async def waits(x) -> None:
        await x.until_gone()
    scripts[NAMES["claude"]] = waits
    before = len(storytellers.exchanges)
    body = json.dumps(body_of("chat", ["breaks-chat", "claude"], "cut 30 reset")).encode()
    with gateway.client() as client:
        client.send(raw.request_bytes("POST", PATHS["chat"], body))
        answer = raw.Stream(client)
        until(lambda: len(storytellers.exchanges) == before + 2, 5, "the second attempt")
        client.reset()
    until(lambda: storytellers.exchanges[-1].aborted, 5, "its end")
    log = gateway.record_of(answer.headers["x-request-id"])
    assert log["outcome"] == "client_gone" and "continuation" not in log
    assert [a["result"] for a in log["attempts"]] == ["broken", "cancelled"]


def test_comments_keep_the_client_waiting_in_between(storytellers, scripts, start):
    async def late(x) -> None:
        await x.sleep(0.5)
        await provider_story.behave(x)
    scripts[NAMES["claude"]] = late
    gw = start(**(configuration(storytellers, continue_streams=True)
                  | {"server": {"sse_keepalive": "100ms"}}))
    for protocol, sign in (("chat", b": SLUICE PROCESSING"), ("messages", b"event: ping")):
        answer = stream(gw, protocol, [f"breaks-{protocol}", "claude"], "cut 30 reset")
        assert answer.body.count(sign) >= 2
        assert told_in(protocol, raw.events_of(answer.body)) == STORY
