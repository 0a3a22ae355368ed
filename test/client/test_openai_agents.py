"""The OpenAI Agents SDK, unmodified: an agent with a tool, on models of every protocol."""
from __future__ import annotations

import asyncio

import pytest
from agents import (Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool,
                    set_tracing_disabled)
from openai import AsyncOpenAI

import raw
from conftest import PROTOCOLS

set_tracing_disabled(True)
KINDS = {"chat": OpenAIChatCompletionsModel, "responses": OpenAIResponsesModel}


async def ask(base_url: str, kind: str, model: str, streamed: bool) -> tuple[str, list[str]]:
    asked: list[str] = []

    @function_tool
    def weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return "rain"

    async with AsyncOpenAI(base_url=base_url, api_key=raw.KEY, max_retries=0) as client:
        agent = Agent(name="wire", instructions="be brief", tools=[weather],
                      model=KINDS[kind](model=model, openai_client=client))
        if not streamed:
            return (await Runner.run(agent, "hello", max_turns=3)).final_output, asked
        result = Runner.run_streamed(agent, "hello", max_turns=3)
        async for _ in result.stream_events():
            pass
        return result.final_output, asked


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [f"{name}/good" for name in PROTOCOLS])
def test_agent_with_a_tool(protocols, model, kind, streamed):
    said, asked = asyncio.run(ask(protocols.base_url, kind, model, streamed))
    assert said == "You said: hello"
    assert asked == ["Tromsø"]
