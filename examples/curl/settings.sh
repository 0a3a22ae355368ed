# Sourced by the others: where the gateway is, and one way to ask it.
set -euo pipefail
base_url=${SLUICE_BASE_URL:-http://127.0.0.1:4000/v1}
key=${SLUICE_API_KEY:-sk-local}
model=${SLUICE_MODEL:-sluice/demo}

# A text as a JSON string, for those without jq.
json_string() {
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    printf '"%s"' "${text//$'\t'/\\t}"
}

# ask PATH [BODY] [more words for curl]: errors print their body and end with curl's code 22
ask() {
    local path=$1 body=${2:-}
    shift $(($# < 2 ? $# : 2))
    curl --fail-with-body -sS -N "$base_url$path" \
        -H "Authorization: Bearer $key" \
        ${body:+-H "Content-Type: application/json" -d "$body"} "$@"
}
