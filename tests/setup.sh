#!/bin/sh
# Installs the Debian packages that building and testing need, if any is missing.
set -eu

packages='build-essential cmake pkg-config libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libonnx-dev
    libxxhash-dev check libjansson-dev python3 python3-venv clang'

installed() {
    dpkg-query -W -f '${Status}\n' "$1" 2>/dev/null | grep -q '^install ok installed$'
}

if ! command -v dpkg-query > /dev/null; then
    echo "setup: not a Debian system; the build needs: $packages libclang-dev"
    exit 0
fi

missing=
for package in $packages; do
    installed "$package" || missing="$missing $package"
done
# Any version of libclang will do, and of the sanitizers' and the fuzzer's runtime.
for library in libclang libclang-rt; do
    if ! dpkg-query -W -f '${Status} ${Package}\n' "$library-*-dev" 2>/dev/null |
        grep -Eq "^install ok installed $library-[0-9]+-dev\$"; then
        missing="$missing $library-14-dev"
    fi
done
# For the test that looks at the compiler's report, and for tests/lint.sh; without them those tests are skipped.
optional=
installed chromium || command -v chromium google-chrome > /dev/null || optional='chromium fonts-dejavu-core'
for package in clang-format clang-tidy cppcheck; do
    installed "$package" || command -v "$package" > /dev/null || optional="$optional $package"
done
[ -n "$missing$optional" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    root=
elif command -v sudo > /dev/null && sudo -n true 2>/dev/null; then
    root='sudo -n'
else
    [ -z "$missing" ] || { echo "setup: neither root nor sudo; as root: apt-get install$missing" >&2; exit 2; }
    echo "setup: neither root nor sudo; tests that need$optional will be skipped" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive

install() { # packages
    echo "setup: installing $*"
    $root apt-get install -y --no-install-recommends "$@" ||
        { $root apt-get update && $root apt-get install -y --no-install-recommends "$@"; }
}

# shellcheck disable=SC2086 # lists of words
[ -z "$missing" ] || install $missing
# shellcheck disable=SC2086
[ -z "$optional" ] || install $optional || echo "setup: tests that need $optional will be skipped" >&2
