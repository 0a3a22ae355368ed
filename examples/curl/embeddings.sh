#!/usr/bin/env bash
# A text as a vector. (The demo's has eight fixed numbers: its shape is real, its meaning is not.)
. "$(dirname "$0")/settings.sh"

ask /embeddings '{ "model": "'"$model"'", "input": '"$(json_string "${1:-a text}")"' }'
echo
