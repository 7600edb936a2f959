#!/bin/sh
# From a fresh Debian 12 to a verified proof: installs what is missing, builds Mica, compiles LeNet-5, proves, verifies.
set -eu
cd "$(dirname "$0")/.."
build=${MICA_BUILD:-$PWD/build}
out=$build/quickstart

echo "1. packages and build"
tests/setup.sh
cmake -S . -B "$build/release" -DCMAKE_BUILD_TYPE=Release > /dev/null
cmake --build "$build/release" -j "$(nproc)" > /dev/null
mica=$build/release/bin/mica

echo
echo "2. compile models/lenet5: a prover executable and verifier parameters"
rm -rf "$out"
mkdir -p "$out"
"$mica" compile models/lenet5/lenet5.onnx --calibration models/lenet5/calibration -o "$out/lenet5"

echo
echo "3. prove that the network reads this digit"
"$out/lenet5-prover" prove models/lenet5/input.json -o "$out/proof.bin"

echo
echo "4. verify, with the verifier parameters only"
"$mica" verify "$out/proof.bin" --vk "$out/lenet5.vk" --input models/lenet5/input.json

echo
echo "Everything is in $out. The report on accuracy, bounds and security: $out/lenet5.report.html"
