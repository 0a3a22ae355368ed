"""What OpenAI's and Anthropic's SDKs make of idempotency keys: they are told when to ask again, and when not."""
from __future__ import annotations

import threading

import anthropic
import openai
import pytest

import provider
import raw
from upstream import until

HELLO = [{"role": "user", "content": "hello"}]


async def slow(x):
    await x.sleep(0.6)
    await provider.behave(x)


def clients(gateway):
    return (openai.OpenAI(base_url=gateway.base_url, api_key=raw.KEY, max_retries=3),
            anthropic.Anthropic(base_url=gateway.base_url.removesuffix("/v1"), api_key=raw.KEY,
                                max_retries=3))


def ask_openai(client, model: str, key: str, text: str = "hello") -> str:
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}],
        extra_headers={"Idempotency-Key": key})
    return answer.choices[0].message.content


def ask_anthropic(client, model: str, key: str, text: str = "hello") -> str:
    answer = client.messages.create(
        model=model, max_tokens=50, messages=[{"role": "user", "content": text}],
        extra_headers={"Idempotency-Key": key})
    return answer.content[0].text


@pytest.mark.parametrize("which", ["openai", "anthropic"])
def test_second_request_waits_for_the_first_and_gets_its_answer(gateway, upstream, which):
    model = upstream.play(slow)
    client = clients(gateway)[which == "anthropic"]
    ask = ask_openai if which == "openai" else ask_anthropic
    said = []
    threads = [threading.Thread(target=lambda: said.append(ask(client, model, which)))
               for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == ["You said: hello"] * 3
    assert len(upstream.seen(model)) == 1


def test_conflict_is_told_at_once(gateway, upstream):
    model = upstream.play(slow)
    client, other = clients(gateway)
    ask_openai(client, model, "conflict")
    before = gateway.metric("sluice_idempotency_total", result="conflict")
    with pytest.raises(openai.ConflictError) as why:
        ask_openai(client, model, "conflict", "something else")
    assert why.value.type == "idempotency_conflict" and why.value.param == "idempotency_key"
    ask_anthropic(other, model, "conflict")
    with pytest.raises(anthropic.ConflictError):
        ask_anthropic(other, model, "conflict", "something else")
    assert gateway.metric("sluice_idempotency_total", result="conflict") == before + 2


def test_client_that_lost_patience_is_answered_by_its_retry(gateway, upstream):
    """It hung up, so the first was cancelled: the second runs, under the same key."""
    model = upstream.play(slow)
    client = clients(gateway)[0].with_options(timeout=0.3, max_retries=1)
    with pytest.raises(openai.APITimeoutError):
        ask_openai(client, model, "patience")
    until(lambda: len(upstream.seen(model)) == 2, what="the retry")
    patient = client.with_options(timeout=10, max_retries=3)
    assert ask_openai(patient, model, "patience") == "You said: hello"
