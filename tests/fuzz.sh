#!/bin/sh
# usage: tests/fuzz.sh [--minutes N] [--target fuzz_X] [--workers 1|2] [--patience S] [--short]
# Builds and runs the fuzz targets of tests/fuzz/, or those named ("fuzz_X fuzz_Y"). Each of the T targets runs for
# N/T minutes (default: N = 60), two at a time unless --workers 1 is given. An input that takes longer than S seconds
# (default: 20; more on a machine with other work) is a finding. --short runs every seed and then each target for a
# quarter of a minute.
#
# One line per target: "fuzz_X: N runs, ok", or what was found and the file that shows it. The exit code is 0 if
# nothing was found, 1 if something was, 2 if the targets could not be built.
#
# Environment:
#   MICA_BUILD  where to build (default: build in the repository); the targets go to its folder fuzz, what they learn
#               to fuzz/learned, what they find to fuzz/found
#   MICA_JOBS   parallel jobs of the build (default: the number of cores)
set -eu
cd "$(dirname "$0")/.."
build=${MICA_BUILD:-$PWD/build}/fuzz
minutes=60 targets="" workers=2 patience=20 short=""

while [ $# -gt 0 ]; do
    case $1 in
    --minutes) minutes=$2; shift ;;
    --target) targets=$2; shift ;;
    --workers) workers=$2; shift ;;
    --patience) patience=$2; shift ;;
    --short) short=yes ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    shift
done
[ -n "$targets" ] || targets=$(basename -s .c -a tests/fuzz/fuzz_*.c | grep -v '^fuzz_file$')
# shellcheck disable=SC2086 # a list of words
set -- $targets
seconds=$((minutes * 60 / $#))
[ -z "$short" ] || seconds=15

mkdir -p "$build/found" "$build/learned" "$build/log"
log=$build/log/build
# shellcheck disable=SC2086 # a list of words
{
    cmake -S . -B "$build" -DMICA_FUZZ=ON -DCMAKE_C_COMPILER="${CC:-clang}" -DCMAKE_BUILD_TYPE=RelWithDebInfo &&
        cmake --build "$build" -j "${MICA_JOBS:-$(nproc)}" --target make_corpus $targets &&
        rm -rf "$build/seeds" &&
        "$build/bin/make_corpus" "$build/seeds"
} > "$log" 2>&1 || { cat "$log" >&2; exit 2; }

# Largest input, and megabytes that one allocation may take: what inputs of this size justify, with room to spare.
limits() {
    case $1 in
    fuzz_onnx | fuzz_float) echo 16384 1100 ;; # folding may make 2^27 elements
    fuzz_vk) echo 16384 64 ;;
    fuzz_program) echo 32768 64 ;;
    fuzz_proof | fuzz_certificate) echo 4096 64 ;;
    *) echo 4096 64 ;;
    esac
}

run_target() { # name; its line goes to log/NAME.line
    name=$1
    # shellcheck disable=SC2046 # two words
    set -- $(limits "$name")
    mkdir -p "$build/learned/$name" "$build/seeds/$name"
    corpus=tests/fuzz/corpus/$name # fixed findings, and built seeds
    [ -d "$corpus" ] || corpus=""
    rm -f "$build/log/$name.line"
    result=ok
    # The seeds alone come first: a fixed finding that is back is named by its seed.
    for phase in seeds run; do
        if [ $phase = seeds ]; then
            time_limit=-runs=0 learned=""
        else
            time_limit=-max_total_time=$seconds learned=$build/learned/$name
        fi
        # shellcheck disable=SC2086 # folders without blanks, or none
        ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=1 \
            nice -n 10 "$build/bin/$name" $learned "$build/seeds/$name" $corpus -max_len="$1" -malloc_limit_mb="$2" \
            -rss_limit_mb=2048 -timeout="$patience" $time_limit -print_final_stats=1 -verbosity=1 \
            -artifact_prefix="$build/found/$name-" > "$build/log/$name" 2>&1 && continue
        found=$(sed -n 's/^.*Test unit written to //p' "$build/log/$name" | tail -1)
        result="FOUND: $(sed -n 's/^.*\(SUMMARY: .*\)$/\1/p' "$build/log/$name" | tail -1) ${found:-see $build/log/$name}"
        break
    done
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/log/$name")
    echo "$name: ${runs:-0} runs, $result" > "$build/log/$name.line"
    cat "$build/log/$name.line"
}

# shellcheck disable=SC2086 # a list of words
set -- $targets
while [ $# -gt 0 ]; do
    run_target "$1" &
    if [ "$workers" -gt 1 ] && [ $# -gt 1 ]; then
        shift
        run_target "$1" &
    fi
    wait
    shift
done

status=0
for name in $targets; do
    grep -q ', ok$' "$build/log/$name.line" || status=1
done
exit $status
