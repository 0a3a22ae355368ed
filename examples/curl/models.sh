#!/usr/bin/env bash
# The models this key may call.
. "$(dirname "$0")/settings.sh"

ask /models
echo
