"""What official SDKs make of refusals: typed errors, no retry where there is no money, one where a place becomes
free."""
from __future__ import annotations

import threading

import anthropic
import openai
import pytest

from spending import spending
from upstream import until

KEY = "sk-sdk-limited-0001"
HELLO = [{"role": "user", "content": "hello"}]


def chat(gw, model: str, stream: bool, retries: int):
    with openai.OpenAI(base_url=gw.base_url, api_key=KEY, max_retries=retries) as sdk:
        return sdk.chat.completions.create(model=model, messages=HELLO, stream=stream, max_tokens=5)


def responses(gw, model: str, stream: bool, retries: int):
    with openai.OpenAI(base_url=gw.base_url, api_key=KEY, max_retries=retries) as sdk:
        return sdk.responses.create(model=model, input="hello", stream=stream, max_output_tokens=16)


def messages(gw, model: str, stream: bool, retries: int):
    url = gw.base_url.removesuffix("/v1")
    with anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=retries) as sdk:
        return sdk.messages.create(model=model, messages=HELLO, stream=stream, max_tokens=5)


SDKS = {"chat": (chat, openai), "responses": (responses, openai), "messages": (messages, anthropic)}


def gateway_with(start, limits: dict | None = None, **account):
    return start(keys=[{"name": "limited", "secret": KEY, "limits": limits or {"rpm": 1000}}],
                 account=account)


@pytest.mark.parametrize("door", SDKS)
@pytest.mark.parametrize("stream", [False, True])
def test_no_money_is_an_error_with_its_status_and_is_not_retried(start, upstream, door, stream):
    ask, module = SDKS[door]
    gw = gateway_with(start, prepaid=True)
    with pytest.raises(module.APIStatusError) as caught:
        ask(gw, "good", stream, 3)
    assert caught.value.status_code == 402 and "POST /v1/account/topup" in str(caught.value)
    assert gw.metric("sluice_ratelimit_rejections_total", limit="balance") == 1


@pytest.mark.parametrize("door", SDKS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("limit", ["rpm", "tpm"])
def test_a_limit_is_a_rate_limit_error(start, upstream, door, stream, limit):
    ask, module = SDKS[door]
    gw = gateway_with(start, {limit: 1} if limit == "rpm" else {"tpm": 40})
    model = upstream.play(spending(40, 10))
    ask(gw, model, False, 0)
    with pytest.raises(module.RateLimitError) as caught:
        ask(gw, model, stream, 0)
    assert "this key's limit of" in str(caught.value)


@pytest.mark.parametrize("door", SDKS)
def test_sdks_wait_for_a_place(start, upstream, door):
    """Retry-After is a second: when the other request has ended by then, nobody notices the limit."""
    ask, _ = SDKS[door]
    gw = gateway_with(start, {"concurrency": 1})
    gate = upstream.gate()
    model = upstream.play(spending(5, 1, gate))
    holder = threading.Thread(target=chat, args=(gw, model, False, 0))
    holder.start()
    until(lambda: upstream.seen(model), 5, "the first request")
    threading.Timer(0.3, gate.open, (2,)).start()
    assert ask(gw, model, False, 2) is not None
    holder.join()
    assert gw.metric("sluice_ratelimit_rejections_total", limit="concurrency") >= 1
