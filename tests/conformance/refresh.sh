#!/bin/sh
# Rewrites the list of refused operator tests and docs/operators.md from a run over a folder of operator tests:
#   tests/conformance/refresh.sh BUILD FOLDER
# Read the difference before committing it: a test that newly appears in the list is a loss.
set -eu
cd "$(dirname "$0")/../.."
list=tests/conformance/refused.txt
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$1/bin/node_tests" "$2" > "$log" || true
if grep ' is WRONG: ' "$log"; then
    echo "wrong results are never listed" >&2
    exit 1
fi
{
    echo "# ONNX operator tests that the compiler refuses, and why. Written by tests/conformance/refresh.sh."
    sed -n -e "s#: [^ ]*/test_data_set_0/#: #" -e "s/^\([A-Za-z0-9_]*\) is refused: /\1: /p" "$log"
} > "$list"
"$1/bin/node_tests" "$2" --refused "$list" --markdown docs/operators.md
