#!/bin/sh
# usage: tests/lint.sh [--short] [--build FOLDER]
# Checks the sources of compiler/, runtime/ and tests/ without running them, and the format of all others, too:
#
#   format      clang-format, by .clang-format: no difference
#   cppcheck    warning, performance and portability: no finding; not of tests/
#   clang-tidy  by .clang-tidy and tests/.clang-tidy: no finding; takes the compilation database of a build (default
#               build/release), and about 2 seconds per file and core. Left out by --short
#
# One line per check, after what it found: "NAME: clean", "NAME: FOUND", or "NAME: SKIPPED" where a tool is missing, or a
# clang-format of another version than 14, which would lay out differently. The exit code is 0 if nothing was found, 1 if
# something was, 2 if the build is missing.
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

found() { # check
    echo "$1: FOUND"
    status=1
}

if clang-format --version 2> /dev/null | grep -q 'version 14\.'; then
    # templates have placeholders, golden files are generated
    if git ls-files '*.c' '*.h' | grep -vE '^(templates|tests/golden)/' | xargs clang-format --dry-run --Werror; then
        echo "format: clean"
    else
        found format
    fi
else
    echo "format: SKIPPED, no clang-format 14 (tests/setup.sh)"
fi

# Passed over everywhere: cppcheck 2.10 does not read hexadecimal floating-point constants and takes comparisons with
# them for contradictions; a right shift of a negative number is arithmetic for gcc and clang, which the code relies on.
if ! command -v cppcheck > /dev/null; then
    echo "cppcheck: SKIPPED, not installed (tests/setup.sh)"
elif cppcheck --quiet --error-exitcode=1 -j "$jobs" --enable=warning,performance,portability --std=c11 --inline-suppr \
    --suppress=incorrectLogicOperator --suppress=shiftTooManyBitsSigned -I compiler -I runtime -I runtime/include \
    --template='{file}:{line}: {severity}: {message} [{id}]' compiler runtime; then
    echo "cppcheck: clean"
else
    found cppcheck
fi

if [ -n "$short" ]; then
    exit $status
elif ! command -v clang-tidy > /dev/null; then
    echo "clang-tidy: SKIPPED, not installed (tests/setup.sh)"
else
    [ -f "$build/compile_commands.json" ] || { echo "lint: no build in $build" >&2; exit 2; }
    # fuzz targets are in no plain build: clang-tidy takes the command of another test, which lacks some folders
    if git ls-files 'compiler/*.c' 'runtime/*.c' 'tests/*.c' |
        xargs -n 4 -P "$jobs" clang-tidy -p "$build" --quiet --warnings-as-errors='*' --extra-arg="-I$PWD/runtime" \
            --extra-arg="-I$PWD/compiler" --extra-arg="-I$PWD/tests/unit" 2> /dev/null; then
        echo "clang-tidy: clean"
    else
        found clang-tidy
    fi
fi
exit $status
