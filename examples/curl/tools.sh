#!/usr/bin/env bash
# The model is offered a function and asks for it: finish_reason is "tool_calls".
. "$(dirname "$0")/settings.sh"

ask /chat/completions '{
  "model": "'"$model"'",
  "messages": [{ "role": "user", "content": "What is the weather in Oslo?" }],
  "tools": [{
    "type": "function",
    "function": {
      "name": "get_weather",
      "description": "The weather in a city, now.",
      "parameters": {
        "type": "object",
        "properties": { "city": { "type": "string" } },
        "required": ["city"]
      }
    }
  }]
}'
echo
