"""How many tokens a prompt has (CHAT-7), where nobody else has to be asked."""
from __future__ import annotations

import json

import pytest

import raw
from gateway import Gateway

MODELS = {name: {"provider": "up", "upstream_model": name}
          for name in ("gpt-4o-mini", "gpt-4-turbo", "gpt-3.5-turbo", "acme-large")}


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("tokens"), upstream.base_url, models=MODELS).start()
    yield gw
    gw.stop()


def count(gateway, model, content="hello world", **more):
    body = {"model": model, "messages": [{"role": "user", "content": content}], **more}
    answer = gateway.ask(raw.request_bytes("POST", "/v1/messages/count_tokens",
                                           json.dumps(body).encode()), timeout=30)
    assert answer.status == 200, answer.body
    return answer.json


AROUND = 3 + 3 + 1  # before the answer, before the message, its role


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4-turbo", "gpt-3.5-turbo"])
@pytest.mark.parametrize("content, tokens", [
    ("hello world", 2),
    ([{"type": "text", "text": "hello world"}], 2),
    ("\u00e9", 1),
    ("line\n\"quoted\"\\", None)])
def test_text_is_counted_exactly_where_the_vocabulary_is_known(gateway, model, content, tokens):
    answer = count(gateway, model, content)
    assert "estimated" not in answer
    assert tokens is None or answer["input_tokens"] == AROUND + tokens


def test_escapes_are_no_text(gateway):
    """What JSON needs to write a text down is not part of it."""
    plain = count(gateway, "gpt-4o-mini", "\u4f60\u597d \"x\" \n" * 50)
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "你好 \"x\" \n" * 50}]}
    raw_text = json.dumps(body, ensure_ascii=False).encode()
    answer = gateway.ask(raw.request_bytes("POST", "/v1/messages/count_tokens", raw_text))
    assert answer.json == plain


@pytest.mark.parametrize("model, more", [
    ("acme-large", {}),
    ("gpt-4o-mini", {"tools": [{"name": "f", "input_schema": {"type": "object"}}]})])
def test_what_nobody_says_is_an_estimate_and_says_so(gateway, model, more):
    answer = count(gateway, model, **more)
    assert answer["estimated"] is True and answer["input_tokens"] > AROUND


@pytest.mark.parametrize("model", list(MODELS))
def test_both_rows_that_count_say_the_same(gateway, model):
    """/v1/ai/tokens/count, and Anthropic's where the provider has no counter."""
    body = {"model": model, "messages": [{"role": "user", "content": "\u4f60\u597d \"x\" \n" * 50}]}
    answer = gateway.ask(raw.request_bytes("POST", "/v1/ai/tokens/count", json.dumps(body).encode()))
    plain = count(gateway, model, body["messages"][0]["content"])
    assert answer.json["prompt_tokens"] == plain["input_tokens"]
    assert answer.json["exact"] is ("estimated" not in plain)


def test_large_prompts_are_counted_while_others_are_served(gateway):
    answer = count(gateway, "gpt-4o-mini", "the quick brown fox " * 100_000)
    assert answer == {"input_tokens": 400_000 + AROUND + 1}
