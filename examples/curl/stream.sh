#!/usr/bin/env bash
# Tokens as they come. The last chunk but one brings the usage, because it is asked for.
. "$(dirname "$0")/settings.sh"

ask /chat/completions '{
  "model": "'"$model"'",
  "stream": true,
  "stream_options": { "include_usage": true },
  "messages": [{ "role": "user", "content": '"$(json_string "${1:-Hello!}")"' }]
}'
