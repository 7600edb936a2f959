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
[ -n "$missing" ] || exit 0

echo "setup: installing$missing"
if [ "$(id -u)" -eq 0 ]; then
    root=
elif command -v sudo > /dev/null && sudo -n true 2>/dev/null; then
    root='sudo -n'
else
    echo "setup: neither root nor sudo; as root: apt-get install$missing" >&2
    exit 2
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # lists of words
$root apt-get install -y --no-install-recommends $missing ||
    { $root apt-get update && $root apt-get install -y --no-install-recommends $missing; }
