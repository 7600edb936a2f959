#!/bin/sh
# usage: tests/coverage.sh [--missing] [--bound PERCENT]
# Counts which lines and branches of the verifier (libmica-verify) and of the parsers (readers of files, proofs and command
# lines) the tests run: unit tests, operator conformance, the seeds of the fuzz targets, and LeNet-5 end to end. Prints a
# table per group; --missing lists the lines that nothing has run. The exit code is 0 if each group has 95 % of its lines
# run (or PERCENT) and no test has failed, 1 if not, 2 if the build failed.
#
# Environment: MICA_BUILD, MICA_NODE_TESTS, MICA_JOBS as in tests/run.sh; the build is its folder coverage. CC is gcc.
set -eu
cd "$(dirname "$0")/.."
build=${MICA_BUILD:-$PWD/build}/coverage
jobs=${MICA_JOBS:-$(nproc)}
MICA_NODE_TESTS=${MICA_NODE_TESTS:-$PWD/../shared/onnx-node-tests}
# Counting makes slow: fewer mutations, and no verdict on the time that a test takes.
export MICA_NODE_TESTS CC="${CC:-gcc}" MICA_TEST_MUTATIONS=1000 MICA_THREADS=1 CK_TIMEOUT_MULTIPLIER=20
case ${1:-} in -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;; esac

mkdir -p "$build/log"
{
    cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE=-O2 -DMICA_COVERAGE=ON &&
        cmake --build "$build" -j "$jobs"
} > "$build/log/build" 2>&1 || { tail -n 40 "$build/log/build" >&2; exit 2; }
find "$build" -name '*.gcda' -delete

status=0
run() { # name, command...
    name=$1
    shift
    if "$@" > "$build/log/$name" 2>&1; then
        echo "$name: ok"
    else
        tail -n 20 "$build/log/$name"
        echo "$name: FAILED"
        status=1
    fi
}

# Left out: what takes long and runs no line of these groups that others do not.
run unit ctest --test-dir "$build" -j "$jobs" --output-on-failure \
    -E '^(link_verifier|templates|check_.*kernels|check_compiler_(cheat|driver|emit|generated))$'
if [ -f "$MICA_NODE_TESTS/INDEX.json" ]; then
    run conformance "$build/bin/node_tests" "$MICA_NODE_TESTS" --refused tests/conformance/refused.txt
else
    echo "conformance: SKIPPED, no operator tests in $MICA_NODE_TESTS"
fi
rm -rf "$build/seeds"
run make_corpus "$build/bin/make_corpus" "$build/seeds"
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename -s .c "$source")
    [ "$name" = fuzz_file ] && continue
    mkdir -p "$build/seeds/$name"
    [ ! -d "tests/fuzz/corpus/$name" ] || cp "tests/fuzz/corpus/$name"/* "$build/seeds/$name"
    run "$name" "$build/bin/$name" "$build/seeds/$name"/*
done
run lenet5 python3 tests/e2e.py --build "$build" --work "$build/e2e" --models lenet5

python3 tests/coverage.py "$build" "$@" || status=$?
exit $status
