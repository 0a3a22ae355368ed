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
    local name=$1 log=$2 start=$SECONDS status=0
    shift 2
    mkdir -p "$(dirname "$log")"
    printf '· %s … ' "$name" >&2
    "$@" >"$log" 2>&1 || status=$?
    step_ended "$log" $status $((SECONDS - start))
}

# step_if_long: the same, but what takes less than a second and succeeds is not worth a line.
step_if_long() {
    local name=$1 log=$2 start=$SECONDS status=0 pid tick said=no
    shift 2
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 &
    pid=$!
    for tick in {1..50}; do
        kill -0 $pid 2>/dev/null || break
        [ "$tick" -lt 50 ] || { said=yes && printf '· %s … ' "$name" >&2; }
        sleep 0.02
    done
    wait $pid || status=$?
    [ $status = 0 ] && [ $said = no ] && return 0
    [ $said = yes ] || printf '· %s … ' "$name" >&2
    step_ended "$log" $status $((SECONDS - start))
}

step_ended() {
    local log=$1 status=$2 seconds=$3
    if [ "$status" = 0 ]; then
        say "${seconds}s"
    else
        say "failed after ${seconds}s"
        # ninja's progress is no news; what failed is.
        grep -v '^\[[0-9]*/[0-9]*\] [A-Z][a-z]*ing ' "$log" | tail -n 60 >&2 || true
        say "(all of it: ${log#"$ROOT"/})"
    fi
    return "$status"
}
