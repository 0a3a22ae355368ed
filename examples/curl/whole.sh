#!/usr/bin/env bash
# One answer. "usage": {"include": true} is the gateway's own: it adds "cost" and "cost_details".
# The header fields tell which provider answered and where the time went.
. "$(dirname "$0")/settings.sh"

ask /chat/completions '{
  "model": "'"$model"'",
  "usage": { "include": true },
  "messages": [{ "role": "user", "content": '"$(json_string "${1:-Hello!}")"' }]
}' --include
echo
