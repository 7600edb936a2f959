#!/bin/sh
# Tests the project's larger models (models/make_models.py): writes them, compiles, proves and verifies every test case,
# and judges the errors. Takes long; a run that was interrupted goes on where it stopped. The last line is
# "models: N passed, N failed[, N skipped]".
#
#   tests/models.sh [--short | --table | --write] [--results FILE] [NAME...]
#
#   --short         the two smallest only
#   --table         lenet5 and the zoo as well, and write docs/models.md
#   --write         write the models and stop
#   --results FILE  write the number of checks to FILE, in JSON
#
# Environment: MICA_BUILD, MICA_ZOO as for tests/run.sh; Mica must have been built in $MICA_BUILD/release.
# Writing models needs the Python packages of models/requirements.txt; they are installed in $MICA_BUILD/venv, and where
# that fails the models are skipped, loudly.
set -eu
cd "$(dirname "$0")/.."
build=${MICA_BUILD:-$PWD/build}
generated=$build/generated
all='keyword unet vgg11 vgg16 resnet18 mobilenetv2 resnet50'

names='' results='' table='' only_write=''
while [ $# -gt 0 ]; do
    case $1 in
    --short) names='keyword unet' ;;
    --table) table=docs/models.md ;;
    --write) only_write=yes ;;
    --results) results=$2; shift ;;
    -*) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 2 ;;
    *) names="$names $1" ;;
    esac
    shift
done
chosen=$names # nothing: every model there is
[ -n "$names" ] || names=$all
[ -n "$table" ] || chosen=$names

packages() {
    "$build/venv/bin/python" -c 'import numpy, onnx' 2> /dev/null && return
    python3 -m venv "$build/venv" &&
        "$build/venv/bin/pip" install --quiet --disable-pip-version-check --retries 2 --timeout 20 -r models/requirements.txt
}

# What the models are made from; where it has changed they are written again.
recipe=$(cat models/*.py models/requirements.txt | sha256sum)

write() { # name
    [ "$(cat "$generated/$1/recipe" 2> /dev/null)" = "$recipe" ] && return
    rm -rf "${generated:?}/$1"
    "$build/venv/bin/python" models/make_models.py "$generated" --only "$1" && echo "$recipe" > "$generated/$1/recipe"
}

if packages; then
    for name in $names; do
        write "$name"
    done
else
    echo "SKIPPED: the packages of models/requirements.txt cannot be installed, so no models are written"
fi
[ -z "$only_write" ] || exit 0
# shellcheck disable=SC2086 # a list of words
exec python3 tests/models.py --build "$build/release" --work "$build/models" --generated "$generated" \
    ${MICA_ZOO:+--zoo "$MICA_ZOO"} ${table:+--table "$table"} ${results:+--results "$results"} $chosen
