# common.sh: what every script here shares. Sourced, never run.
#
# $ROOT is the source tree, $BUILD (build/ in it) the only place the scripts write to.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$ROOT/build
DEPS=$BUILD/deps
mkdir -p "$BUILD"

# What a person should know goes to stderr, so that stdout stays free for answers.
say() { printf '%s\n' "$*" >&2; }
die() {
    say "error: $*"
    exit 1
}

jobs_count() { nproc 2>/dev/null || echo 2; }

# step NAME LOG COMMAND…: one line for a long step, its output kept in LOG and shown if it fails.
step() {
    local name=$1 log=$2 start=$SECONDS
    shift 2
    mkdir -p "$(dirname "$log")"
    printf '· %s … ' "$name" >&2
    if "$@" >"$log" 2>&1; then
        say "$((SECONDS - start))s"
    else
        local status=$?
        say "failed after $((SECONDS - start))s"
        tail -n "${STEP_TAIL:-60}" "$log" >&2
        say "(all of it: ${log#"$ROOT"/})"
        return $status
    fi
}
