#!/bin/sh
# Measures everything that docs/performance.md shows and writes it: builds Mica, writes the larger models and those of
# the scaling, compiles what has changed, times proofs, inference and the machine's rates. At most 15 minutes on two
# cores; the machine should do nothing else.
#
#   tests/bench/run.sh [OPTIONS of tests/bench/bench.py]
#
# Environment: MICA_BUILD, MICA_ZOO as for tests/run.sh. The figures are in $MICA_BUILD/bench/performance.json. Without
# the packages of models/requirements.txt the larger models are skipped, without onnxruntime its times are, loudly.
set -eu
cd "$(dirname "$0")/../.."
build=${MICA_BUILD:-$PWD/build}
work=$build/bench
python=$build/venv/bin/python
mkdir -p "$work"

cmake -S . -B "$build/release" -DCMAKE_BUILD_TYPE=Release > "$work/configure.log"
cmake --build "$build/release" -j "${MICA_JOBS:-$(nproc)}" --target mica mica-cli bench_ceilings bench_work > "$work/build.log" ||
    { tail -n 40 "$work/build.log"; exit 1; }

MICA_BUILD=$build tests/models.sh --write vgg11 vgg16 resnet18 resnet50

floats=''
if "$python" -c 'import numpy, onnxruntime' 2> /dev/null ||
    "$build/venv/bin/pip" install --quiet --disable-pip-version-check --retries 2 --timeout 20 onnxruntime; then
    floats="--float-python $python"
else
    echo "SKIPPED: onnxruntime cannot be installed, so there are no times of float inference"
fi

recipe=$(cat models/*.py tests/bench/scaling_models.py | sha256sum)
if [ "$(cat "$work/scaling/recipe" 2> /dev/null)" != "$recipe" ]; then
    rm -rf "${work:?}/scaling"
    mkdir -p "$work/scaling"
    if "$python" tests/bench/scaling_models.py "$work/scaling"; then
        echo "$recipe" > "$work/scaling/recipe"
    fi
fi

# shellcheck disable=SC2086 # a list of words
exec python3 tests/bench/bench.py --build "$build/release" --work "$work" --generated "$build/generated" \
    ${MICA_ZOO:+--zoo "$MICA_ZOO"} $floats --all --json "$work/performance.json" --document docs/performance.md "$@"
