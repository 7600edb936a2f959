#!/bin/sh
# usage: tests/lint.sh [--short] [--build FOLDER]
# Checks the sources of compiler/, runtime/, kernels/ and tests/ without running them:
#
#   format      clang-format, by .clang-format: no difference
#   cppcheck    warning, performance and portability: no finding
#   clang-tidy  by .clang-tidy: no finding; takes the compilation database of a build (default build/release), and
#               about 2 seconds per file and core. Left out by --short
#
# One line per check, after what it found. The exit code is 0 if all are clean, 1 if one found something, 2 if a tool or
# the build is missing.
set -eu
cd "$(dirname "$0")/.."
build=build/release short=""
while [ $# -gt 0 ]; do
    case $1 in
    --short) short=yes ;;
    --build) build=$2; shift ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    shift
done
jobs=${MICA_JOBS:-$(nproc)}
status=0

need() { command -v "$1" > /dev/null || { echo "lint: $1 is not installed (tests/setup.sh)" >&2; exit 2; }; }

report() { # check, exit code of its command
    if [ "$2" -eq 0 ]; then
        echo "$1: clean"
    else
        echo "$1: FOUND"
        status=1
    fi
}

need clang-format
code=0
git ls-files '*.c' '*.h' | grep -vE '^(templates|tests/golden)/' | xargs clang-format --dry-run --Werror || code=1
report format $code

# Passed over everywhere: cppcheck 2.10 does not read hexadecimal floating-point constants and takes comparisons with
# them for contradictions; a right shift of a negative number is arithmetic for gcc and clang, which the code relies on.
need cppcheck
code=0
cppcheck --quiet --error-exitcode=1 -j "$jobs" --enable=warning,performance,portability --std=c11 --inline-suppr \
    --suppress=incorrectLogicOperator --suppress=shiftTooManyBitsSigned -I compiler -I runtime -I runtime/include \
    --template='{file}:{line}: {severity}: {message} [{id}]' compiler runtime || code=1
report cppcheck $code

if [ -z "$short" ]; then
    need clang-tidy
    [ -f "$build/compile_commands.json" ] || { echo "lint: no build in $build" >&2; exit 2; }
    code=0
    git ls-files 'compiler/*.c' 'runtime/*.c' |
        xargs -n 4 -P "$jobs" clang-tidy -p "$build" --quiet --warnings-as-errors='*' 2> /dev/null || code=1
    report clang-tidy $code
fi
exit $status
