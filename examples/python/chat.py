"""A streamed answer, and what it cost."""
import sys

from gateway import MODEL, client

question = " ".join(sys.argv[1:]) or "Hello!"

# with_raw_response: to see the header fields, too
raw = client().chat.completions.with_raw_response.create(
    model=MODEL,
    messages=[{"role": "user", "content": question}],
    stream=True,
    extra_body={"usage": {"include": True}},  # the gateway's own: usage and cost in the last chunk
)
for chunk in raw.parse():
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
    if chunk.usage:
        cost = (chunk.model_extra or {}).get("cost")
        print(f"\n\n{chunk.usage.prompt_tokens} + {chunk.usage.completion_tokens} tokens, ${cost}")

print("request", raw.headers["x-request-id"], "answered by", raw.headers["x-sluice-provider"])
print("timing", raw.headers["server-timing"])
