#!/bin/sh
# Builds and tests everything. The last line is "N passed, N failed" and, if some tests could not run, ", N skipped".
#
# Environment:
#   MICA_BUILD       where to build (default: build in the repository)
#   MICA_ZOO         folder of zoo models (default: ../shared/zoo); skipped loudly if absent
#   MICA_NODE_TESTS  folder of ONNX operator tests (default: ../shared/onnx-node-tests); likewise
#   MICA_JOBS        parallel jobs (default: the number of cores)
set -eu
cd "$(dirname "$0")/.."
root=$PWD
build=${MICA_BUILD:-$root/build}
jobs=${MICA_JOBS:-$(nproc)}
MICA_ZOO=${MICA_ZOO:-$root/../shared/zoo}
MICA_NODE_TESTS=${MICA_NODE_TESTS:-$root/../shared/onnx-node-tests}
export MICA_ZOO MICA_NODE_TESTS
export CTEST_OUTPUT_ON_FAILURE=1 CK_VERBOSITY=normal

results=$build/results
rm -rf "$results"
mkdir -p "$results"

tests/setup.sh

# Without a build there is nothing to count but the failure.
build_failed() { # folder
    echo "failed: build of $1"
    echo "0 passed, 1 failed"
    exit 1
}

configure() { # folder, options...
    folder=$1
    shift
    cmake -S . -B "$build/$folder" "$@" > "$results/configure-$folder.log" ||
        { cat "$results/configure-$folder.log"; build_failed "$folder"; }
}

build() { # folder, options...
    folder=$1
    shift
    cmake --build "$build/$folder" -j "$jobs" "$@" > "$results/build-$folder.log" 2>&1 ||
        { tail -n 60 "$results/build-$folder.log"; build_failed "$folder"; }
    grep -A3 'warning:' "$results/build-$folder.log" || true
}

unit_tests() { # folder
    ctest --test-dir "$build/$1" -j "$jobs" --output-junit "$results/ctest-$1.xml" --test-output-size-passed 100000 \
        --test-output-size-failed 100000 || true
}

echo "== release build and unit tests"
configure release -DCMAKE_BUILD_TYPE=Release -DCMAKE_COMPILE_WARNING_AS_ERROR=ON
build release
unit_tests release

echo "== unit tests with contracts checked, under the address and undefined-behaviour sanitizers"
configure sanitize -DCMAKE_BUILD_TYPE=RelWithDebInfo -DMICA_VERIFY_BUILD=ON -DMICA_SANITIZE=address,undefined
build sanitize --target unit_tests
unit_tests sanitize

echo "== data races"
tests/tsan.sh --short | tee "$results/tsan.txt" || true
ok=$(grep -c ': ok$' "$results/tsan.txt" || true)
bad=$(grep -c ': FOUND$' "$results/tsan.txt" || true)
[ "$((ok + bad))" -gt 0 ] || bad=1 # the tests could not be built
echo "{\"passed\": $ok, \"failed\": $bad, \"skipped\": 0}" > "$results/tsan.json"

echo "== end to end"
python3 tests/e2e.py --build "$build/release" --work "$build/e2e" --zoo "$MICA_ZOO" \
    --results "$results/e2e.json" || true

echo "== faults"
python3 tests/faults.py --build "$build/release" --work "$build/faults" --jobs "$jobs" --results "$results/faults.json" || true

echo "== larger models, the two smallest of them (tests/models.sh has all)"
MICA_BUILD=$build tests/models.sh --short --results "$results/models.json" || true

echo "== operator conformance"
if [ -f "$MICA_NODE_TESTS/INDEX.json" ]; then
    "$build/release/bin/node_tests" "$MICA_NODE_TESTS" --refused tests/conformance/refused.txt \
        --json "$results/nodes.json" || true
else
    echo "SKIPPED: no operator tests in $MICA_NODE_TESTS; set MICA_NODE_TESTS"
    echo '{"passed": 0, "failed": 0, "skipped": 1}' > "$results/nodes.json"
fi

echo "== lint"
tests/lint.sh --short > "$results/lint.txt" 2>&1 || true
cat "$results/lint.txt"
ok=$(grep -c ': clean$' "$results/lint.txt" || true)
bad=$(grep -c ': FOUND$' "$results/lint.txt" || true)
missing=$(grep -c ': SKIPPED' "$results/lint.txt" || true)
echo "{\"passed\": $ok, \"failed\": $bad, \"skipped\": $missing}" > "$results/lint.json"

echo "== short fuzzing"
tests/fuzz.sh --short | tee "$results/fuzz.txt" || true
ok=$(grep -c ', ok$' "$results/fuzz.txt" || true)
bad=$(grep -c 'FOUND' "$results/fuzz.txt" || true)
[ "$((ok + bad))" -gt 0 ] || bad=1 # the targets could not be built
echo "{\"passed\": $ok, \"failed\": $bad, \"skipped\": 0}" > "$results/fuzz.json"

exec python3 tests/summary.py "$results/ctest-release.xml" "$results/ctest-sanitize.xml" "$results/e2e.json" \
    "$results/faults.json" "$results/models.json" "$results/nodes.json" "$results/lint.json" "$results/fuzz.json" \
    "$results/tsan.json"
