# results.sh: counts what passed, failed and was skipped. Sourced by scripts/test.

PASSED=0
SKIPPED=0
FAILURES=()
SKIPS=()

passed() { PASSED=$((PASSED + ${1:-1})); }
failed() { FAILURES+=("$1"); }
skipped() {
    SKIPPED=$((SKIPPED + 1))
    SKIPS+=("$1")
}

# check NAME LOG COMMAND…: a whole command as one test
check() {
    if step "$@"; then passed; else failed "$1"; fi
}

# tap_results NAME FILE STATUS: cmocka's TAP output, and how the program ended
tap_results() {
    local name=$1 file=$2 status=$3 bad
    passed "$(grep -c '^ok ' "$file")"
    while read -r bad; do
        failed "$name: $bad"
    done < <(sed -n 's/^not ok [0-9]* - //p' "$file")
    # It broke off: a crash, a leak found at exit, the time limit, or no test at all.
    if ! grep -q '^not ok ' "$file" && { [ "$status" != 0 ] || ! grep -q '^ok ' "$file"; }; then
        failed "$name: ended with status $status"
    fi
    if [ "$status" != 0 ]; then
        grep -v '^ok ' "$file" | tail -n 40 >&2
    fi
}

# junit_results NAME FILE: what pytest wrote
junit_results() {
    local name=$1 file=$2 kind what
    if [ ! -s "$file" ]; then
        failed "$name: broke off before its end"
        return
    fi
    while IFS=$'\t' read -r kind what; do
        case $kind in
        passed) passed ;;
        skipped) skipped "$name: $what" ;;
        failed) failed "$name: $what" ;;
        esac
    done < <(python3 - "$file" <<'PY'
import sys
import xml.etree.ElementTree as tree

for case in tree.parse(sys.argv[1]).iter("testcase"):
    kinds = {child.tag for child in case}
    kind = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
    print(kind, f'{case.get("classname")}::{case.get("name")}', sep="\t")
PY
    )
}

# The last line is for whoever reads only that: always exactly of this form.
finish() {
    [ ${#SKIPS[@]} = 0 ] || printf 'skipped: %s\n' "${SKIPS[@]}" >&2
    [ ${#FAILURES[@]} = 0 ] || printf 'FAILED: %s\n' "${FAILURES[@]}" >&2
    [ $SKIPPED = 0 ] || say "$SKIPPED skipped"
    echo "$PASSED passed, ${#FAILURES[@]} failed"
    [ ${#FAILURES[@]} = 0 ]
    exit
}
