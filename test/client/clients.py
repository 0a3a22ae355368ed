"""The official SDKs as somebody has them who changed nothing but the base URL."""

import anthropic
import openai

import raw


def sdk(module, gateway):
    if module is openai:
        return openai.OpenAI(base_url=gateway.base_url, api_key=raw.KEY, max_retries=0)
    return anthropic.Anthropic(base_url=gateway.base_url.removesuffix("/v1"), api_key=raw.KEY,
                               max_retries=0)
