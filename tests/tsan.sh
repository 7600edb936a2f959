#!/bin/sh
# usage: tests/tsan.sh [--short]
# Looks for data races: builds with the thread sanitizer and runs, with four threads, unit tests of what runs on the pool of
# threads (runtime/base/parallel.c). Without --short also the tests of whole proofs, which take many minutes so, and LeNet-5:
# compiled by a compiler under the sanitizer, proven by an executable under the sanitizer, a batch among the proofs, and
# verified.
#
# One line per test: "NAME: ok" or "NAME: FOUND" behind what it printed. The exit code is 0 if nothing was found, 1 if
# something was, 2 if the build failed.
#
# Environment: MICA_BUILD, MICA_JOBS as in tests/run.sh; the build is the folder thread.
set -eu
cd "$(dirname "$0")/.."
build=${MICA_BUILD:-$PWD/build}/thread
tests='check_parallel check_hash_kernels check_merkle check_row_forms check_line_code check_pow check_logup'
long='check_kernels check_mle check_pcs check_protocol check_protocol_rounds check_protocol_ports'
targets=$tests
case ${1:-} in
--short) short=yes ;;
'') short='' tests="$tests $long" targets="$tests $long mica" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

mkdir -p "$build/log"
# shellcheck disable=SC2086 # a list of words
{
    cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DMICA_SANITIZE=thread &&
        cmake --build "$build" -j "${MICA_JOBS:-$(nproc)}" --target $targets
} > "$build/log/build" 2>&1 || { tail -n 40 "$build/log/build" >&2; exit 2; }

# Ten times the patience of the unit tests: the sanitizer slows everything down, and on a busy machine a test that only waits
# would count as a finding.
export MICA_THREADS=4 TSAN_OPTIONS="halt_on_error=1 exitcode=66" CK_TIMEOUT_MULTIPLIER=10
status=0
run() { # name, command...
    name=$1
    shift
    if "$@" > "$build/log/$name" 2>&1; then
        echo "$name: ok"
    else
        tail -n 60 "$build/log/$name"
        echo "$name: FOUND"
        status=1
    fi
}

for name in $tests; do
    run "$name" "$build/bin/$name"
done
[ -z "$short" ] || exit $status

out=$build/lenet5
rm -rf "$out"
mkdir -p "$out"
run compile "$build/bin/mica" compile models/lenet5/lenet5.onnx --calibration models/lenet5/calibration --no-cache -o "$out/lenet5"
run prove "$out/lenet5-prover" prove models/lenet5/input.json models/lenet5/input.json models/lenet5/input.json -o "$out/proof.bin"
run verify "$build/bin/mica" verify "$out/proof.bin" --vk "$out/lenet5.vk"
run bench "$out/lenet5-prover" bench --runs 2 --batch 2
run verify-params "$build/bin/mica" verify-params "$out/lenet5.vk" "$out/lenet5.cert"
exit $status
