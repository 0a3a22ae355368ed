"""A function the model may call: it asks, we call, it goes on with the result."""
import json

from gateway import MODEL, client

TOOLS = [{
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city, now.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}]


def get_weather(city: str = "Oslo") -> dict:
    return {"city": city, "celsius": -3, "sky": "clear"}


openai = client()
messages = [{"role": "user", "content": "What is the weather in Oslo?"}]
answer = openai.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
while answer.choices[0].finish_reason == "tool_calls":
    message = answer.choices[0].message
    messages.append(message)
    for call in message.tool_calls:
        result = get_weather(**json.loads(call.function.arguments))
        print(f"{call.function.name}({call.function.arguments}) is {result}")
        messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)})
    answer = openai.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
print(answer.choices[0].message.content)
