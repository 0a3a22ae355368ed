"""Leaving a stream early: closing it ends the provider's request in the same moment."""
import asyncio

from gateway import MODEL, async_client


async def main() -> None:
    stream = await async_client().chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Count to a thousand."}], stream=True)
    async with stream:  # leaving the block closes the connection
        chunks = 0
        async for chunk in stream:
            print((chunk.choices[0].delta.content or "") if chunk.choices else "", end="", flush=True)
            chunks += 1
            if chunks == 5:
                break
    print(f"\nleft after {chunks} chunks; the access log says client_gone")


asyncio.run(main())
