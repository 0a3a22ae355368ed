"""Errors of a provider that speaks another protocol than the client, and when to ask again."""
from __future__ import annotations

import email.utils
import json
import time

import pytest

import misbehaviour
import provider
import provider_messages
import raw
from gateway import Gateway
from promises import assert_envelope
from upstream import SLOTS, slot_name

PROTOCOLS = {"chat": "openai", "responses": "responses", "messages": "anthropic",
             "gemini": "gemini"}
DOORS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    """P/slot is a slot of one protocol; P+Q/slot tries it there first, and then the next slot."""
    slots = [slot_name(n) for n in range(SLOTS)]
    providers = {name: {"protocol": protocol, "base_url": upstream.base_url, "api_key": "sk-up"}
                 for name, protocol in PROTOCOLS.items()}
    models = {f"{p}/{slot}": {"provider": p, "upstream_model": slot}
              for p in PROTOCOLS for slot in slots}
    for pair in ("chat+chat", "messages+chat", "chat+messages"):
        models |= {f"{pair}/{slot}": {"alias": [
            f"{p}/{m}" for p, m in zip(pair.split("+"), both)]}
            for slot, *both in zip(slots, slots, slots[1:])}
    gw = Gateway(tmp_path_factory.mktemp("errors"), upstream.base_url, providers=providers,
                 models=models).start()
    yield gw
    gw.stop()


def ask(gateway, client: str, model: str, **more) -> raw.Response:
    said = {"input": "hello"} if client == "responses" else \
        {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}
    body = json.dumps({"model": model} | said | more).encode()
    return gateway.ask(raw.request_bytes("POST", DOORS[client], body))


def says(status: int, body: bytes, *headers: tuple[str, str]):
    async def script(x):
        await x.reply(status, body, *headers)
    return script


def limited(*headers: tuple[str, str]):
    return says(429, provider.error("slow down", "requests", None, "rate_limit_exceeded"),
                *headers)


def play(upstream, pair: str, first, second) -> str:
    """The name of a model that asks both, one after the other."""
    slot = upstream.play(first)
    upstream.play(second)
    return f"{pair}/{slot}"


def wait_of(answer: raw.Response) -> tuple[str | None, str | None]:
    names = [n.lower() for n, _ in answer.header_list]
    assert names.count("retry-after") <= 1 and names.count("retry-after-ms") <= 1
    return answer.headers.get("retry-after"), answer.headers.get("retry-after-ms")


# The class of an error, told in the client's words.

STATUSES = {
    400: (400, "invalid_request_error", "invalid_request_error"),
    401: (502, "upstream_error", "api_error"),
    402: (502, "insufficient_quota", "billing_error"),
    403: (403, "permission_error", "permission_error"),
    404: (404, "model_not_found", "not_found_error"),
    408: (408, "timeout", "timeout_error"),
    409: (409, "invalid_request_error", "invalid_request_error"),
    413: (413, "payload_too_large", "request_too_large"),
    415: (415, "unsupported_media_type", "invalid_request_error"),
    422: (422, "unprocessable_entity", "invalid_request_error"),
    429: (429, "upstream_rate_limited", "rate_limit_error"),
    500: (502, "upstream_error", "api_error"),
    503: (503, "upstream_unavailable", "overloaded_error"),
    504: (504, "timeout", "timeout_error"),
    529: (503, "upstream_unavailable", "overloaded_error"),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("pair", ["chat messages", "responses messages", "messages chat",
                                  "chat responses", "responses chat", "messages responses"])
def test_translated_error_has_the_clients_words(gateway, upstream, pair, status):
    client, speaks = pair.split()
    told, openais, anthropics = STATUSES[status]
    say = provider_messages.error if speaks == "messages" else provider.error
    model = upstream.play(says(status, say("the model says no", "some_error")))
    answer = ask(gateway, client, f"{speaks}/{model}")
    error = assert_envelope(answer, told, anthropics if client == "messages" else openais)
    assert (answer.json.get("type") == "error") == (client == "messages")
    if status in (401, 402):
        assert "the model says no" not in error["message"], "an operator's business"
    else:
        assert error["message"] == f"provider {speaks}: it answered {status}: the model says no"
    assert gateway.record_of(answer.headers["x-request-id"])["error_type"] == openais


QUOTA = provider.error("You exceeded your current quota.", "insufficient_quota", None,
                       "insufficient_quota")


def test_account_without_money_is_no_rate_limit_and_not_the_clients(gateway, upstream):
    model = upstream.play(says(429, QUOTA))
    for client, kind in (("responses", "insufficient_quota"), ("messages", "billing_error")):
        answer = ask(gateway, client, f"chat/{model}")
        error = assert_envelope(answer, 502, kind)
        assert error["message"] == "provider chat: it wants to be paid first (429): " \
            "check the account"
        assert answer.headers["x-should-retry"] == "false" and wait_of(answer) == (None, None)


def test_account_without_money_is_left_for_the_next_endpoint(gateway, upstream):
    broke = says(400, provider_messages.error("Your credit balance is too low."))
    model = play(upstream, "messages+chat", broke, provider.behave)
    assert ask(gateway, "chat", model).status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_error_inside_a_200_has_its_class_too(gateway, upstream, stream):
    """Some have no other status; the same protocol makes no difference."""
    body = provider.error("slow down", "requests", None, "rate_limit_exceeded")

    async def script(x):
        if stream:
            await x.stream_head()
            await x.chunk(b"data: " + body + b"\n\n")
            await x.last_chunk()
        else:
            await x.reply(200, body)

    model = upstream.play(script)
    for client, kind in (("chat", "upstream_rate_limited"), ("messages", "rate_limit_error")):
        answer = ask(gateway, client, f"chat/{model}", stream=stream)
        assert assert_envelope(answer, 429, kind)["message"] == "provider chat: slow down"
    left = play(upstream, "chat+chat", script, provider.behave)
    assert ask(gateway, "chat", left, stream=stream).status == 200


def test_key_that_google_refuses_with_a_400_is_ours(gateway, upstream):
    body = {"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
                      "details": [{"reason": "API_KEY_INVALID"}]}}
    upstream.scripts[""] = says(400, json.dumps(body).encode())
    try:
        answer = ask(gateway, "chat", "gemini/slot-000")
    finally:
        del upstream.scripts[""]
    error = assert_envelope(answer, 502, "upstream_error")
    assert "refused the gateway's own credential (400)" in error["message"]
    assert answer.headers["x-should-retry"] == "false"


PAGE = b"<html>\r\n<h1>Forbidden\x07\xff</h1>" + b"x" * 2000


@pytest.mark.parametrize("speaks", DOORS)
@pytest.mark.parametrize("client", DOORS)
def test_page_of_a_proxy_is_told_as_far_as_500_characters_go(gateway, upstream, client, speaks):
    model = upstream.play(says(403, PAGE))
    error = assert_envelope(ask(gateway, client, f"{speaks}/{model}"), 403, "permission_error")
    start = f"provider {speaks}: it answered 403: "
    assert error["message"].startswith(start + "<html>  <h1>Forbidden  </h1>xxx")
    assert len(error["message"]) == len(start) + 500 and error["message"].isprintable()


# When to ask again: read.

def in_http(offset: float) -> str:
    return email.utils.formatdate(time.time() + offset, usegmt=True)


WAITS = {
    "seconds": ([("retry-after", "7")], ("7", "7000")),
    "milliseconds": ([("retry-after-ms", "1500")], ("2", "1500")),
    "both": ([("retry-after", "7"), ("retry-after-ms", "20")], ("1", "20")),
    "a fraction": ([("retry-after", "1.5")], ("2", "1500")),
    "nothing": ([], ("1", "1000")),
    "now": ([("retry-after", "0")], ("1", "1000")),
    "negative": ([("retry-after", "-7"), ("retry-after-ms", "-1")], ("1", "1000")),
    "garbage": ([("retry-after", "soon; \"7\"")], ("1", "1000")),
    "huge": ([("retry-after", "9" * 40)], ("2592000", "2592000000")),
    "the past": ([("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], ("1", "1000")),
    "by its own clock": ([("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
                          ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT")], ("10", "10000")),
    "the end of days": ([("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")],
                        ("2592000", "2592000000")),
}


@pytest.mark.parametrize("case", WAITS)
def test_providers_wait_is_told_whatever_its_form(gateway, upstream, case):
    fields, told = WAITS[case]
    model = upstream.play(limited(*fields))
    for client in ("messages", "responses"):
        answer = ask(gateway, client, f"chat/{model}")
        assert_envelope(answer, 429)
        assert wait_of(answer) == told
        assert "x-should-retry" not in answer.headers


def test_date_is_a_wait_by_our_clock_when_the_provider_tells_no_other(gateway, upstream):
    model = upstream.play(limited(("retry-after", in_http(30))))
    seconds, ms = wait_of(ask(gateway, "messages", f"chat/{model}"))
    assert 25 <= int(seconds) <= 31 and int(ms) <= int(seconds) * 1000


@pytest.mark.parametrize("wrapped", [False, True])
def test_geminis_delay_is_a_wait(gateway, upstream, wrapped):
    error = {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED",
                       "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo",
                                    "retryDelay": "1.25s"}]}}
    upstream.scripts[""] = says(429, json.dumps([error] if wrapped else error).encode())
    try:
        for client in DOORS:
            answer = ask(gateway, client, "gemini/slot-000")
            assert_envelope(answer, 429)
            assert wait_of(answer) == ("2", "1250")
    finally:
        del upstream.scripts[""]


def test_overloaded_provider_names_its_wait_or_gets_half_a_minute(gateway, upstream):
    for fields, told in (([], ("30", "30000")), ([("retry-after", "3")], ("3", "3000"))):
        model = upstream.play(says(529, provider_messages.error("Overloaded", "overloaded_error"),
                                   *fields))
        assert wait_of(ask(gateway, "messages", f"messages/{model}")) == told


# When to ask again: of several endpoints.

@pytest.mark.parametrize("pair", ["chat+chat", "messages+chat", "chat+messages"])
@pytest.mark.parametrize("client", ["chat", "messages"])
@pytest.mark.parametrize("waits", [("3", "8"), ("8", "3"), (None, "3"), ("3", None)])
def test_shortest_wait_of_all_endpoints_is_told(gateway, upstream, client, pair, waits):
    """Whichever way the last one's error takes, passed on or told anew."""
    fields = [[("retry-after", w)] if w else [] for w in waits]
    model = play(upstream, pair, limited(*fields[0]), limited(*fields[1]))
    answer = ask(gateway, client, model)
    assert answer.status == 429 and answer.headers["x-sluice-attempts"] == "2"
    seconds, ms = wait_of(answer)
    assert seconds == "3" and ms in (None, "3000")


def test_all_endpoints_failed_so_nobody_need_try_again(gateway, upstream):
    broken = says(500, provider.error("oops", "server_error"))
    both = ask(gateway, "chat", play(upstream, "chat+chat", broken, broken))
    assert_envelope(both, 502, "upstream_error")
    assert both.headers["x-should-retry"] == "false"
    one = ask(gateway, "chat", f"chat/{upstream.play(broken)}")
    assert one.status == 502 and "x-should-retry" not in one.headers
    later = ask(gateway, "chat", play(upstream, "chat+chat", limited(("retry-after", "3")), broken))
    assert later.status == 502 and "x-should-retry" not in later.headers


def test_model_whose_provider_has_nothing_of_the_kind_need_not_be_asked_again(gateway):
    body = json.dumps({"model": "messages/slot-000", "input": "x"}).encode()
    answer = gateway.ask(raw.request_bytes("POST", "/v1/embeddings", body))
    assert_envelope(answer, 503, "no_provider_available")
    assert answer.headers["x-should-retry"] == "false" and wait_of(answer) == (None, None)


def test_request_that_took_all_its_time_need_not_take_it_again(start, upstream):
    gw = start(server={"request_timeout": "300ms"})
    answer = gw.chat(upstream.play(misbehaviour.silent))
    assert_envelope(answer, 408, "timeout")
    assert answer.headers["x-should-retry"] == "false"


def test_codex_reads_the_wait_among_the_words_of_a_stream(gateway, upstream):
    """Behind the first event there are no fields to say it with."""
    async def script(x):
        await x.stream_head()
        await x.chunk(provider.event(provider.chat_chunk(x.request.json, {"content": "Hi"})))
        await x.chunk(provider.event({"error": {
            "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED",
            "details": [{"retryDelay": "1.5s"}]}}))
        await x.last_chunk()

    model = upstream.play(script)
    body = ask(gateway, "responses", f"chat/{model}", stream=True).body.decode()
    failed = json.loads(body.split("event: response.failed\ndata: ")[1].split("\n")[0])
    error = failed["response"]["error"]
    assert error["code"] == "rate_limit_exceeded"
    assert error["message"] == "provider chat: Quota exceeded.; try again in 1.500s"


# Fields of an error.

def family(prefix: str) -> list[tuple[str, str]]:
    return [(f"{prefix}limit-requests", "60"), (f"{prefix}remaining-requests", "0"),
            (f"{prefix}reset-requests", "1s")]


OPENAIS = family("x-ratelimit-") + [("x-codex-primary-used-percent", "99")]
ANTHROPICS = family("anthropic-ratelimit-")


def test_error_that_passes_keeps_its_fields(gateway, upstream):
    fields = OPENAIS + ANTHROPICS + [("retry-after", in_http(40)), ("retry-after-ms", "39500"),
                                     ("x-should-retry", "true"), ("request-id", "req_theirs")]
    for client, model in (("chat", f"chat/{upstream.play(limited(*fields))}"),
                          ("messages", f"messages/{upstream.play(limited(*fields))}")):
        answer = ask(gateway, client, model)
        assert answer.status == 429 and "metadata" not in answer.error
        for name, value in fields:
            assert [v for n, v in answer.header_list if n.lower() == name] == [value], name
        assert len(answer.headers["x-request-id"]) == 32, "that one is always ours"


def test_error_that_is_told_anew_keeps_the_limits_the_client_can_read(gateway, upstream):
    fields = OPENAIS + ANTHROPICS + [("request-id", "req_theirs"), ("x-should-retry", "true"),
                                     ("openai-version", "2020-10-01")]
    model = upstream.play(limited(*fields))
    for client, kept, dropped in (("responses", OPENAIS, ANTHROPICS),
                                  ("messages", ANTHROPICS, OPENAIS)):
        answer = ask(gateway, client, f"chat/{model}")
        assert_envelope(answer, 429)
        assert set(kept) <= set(answer.headers.items())
        assert not {n for n, _ in dropped} & set(answer.headers)
        assert not {"x-should-retry", "openai-version"} & set(answer.headers)
        assert "req_theirs" not in answer.headers.values()


def test_limits_of_ours_are_never_the_providers(gateway, upstream):
    fields = [("x-ratelimit-limit", "77"), ("x-ratelimit-remaining", "77"),
              ("x-ratelimit-tier", "theirs")]
    model = upstream.play(limited(*fields))
    for client in ("chat", "messages"):
        answer = ask(gateway, client, f"chat/{model}")
        assert answer.status == 429 and answer.headers["x-ratelimit-tier"] == "config"
        assert "77" not in answer.headers.values()


def test_unread_error_keeps_the_status(gateway, upstream):
    """An error that is cut off is told by its status."""
    model = upstream.play(misbehaviour.raw(
        b"HTTP/1.1 422 No\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"err"))
    error = assert_envelope(ask(gateway, "chat", f"messages/{model}"), 422)
    assert error["message"] == 'provider messages: it answered 422: {"err'
