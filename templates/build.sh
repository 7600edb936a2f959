#!/bin/sh
# /*@example*/
# #define NAME lenet
# #define EXTRA_LIBRARIES -ljansson -lprotobuf-c
# /*@end*/
# /*@body*/
#!/bin/sh
# Builds the prover executable from this folder with an installed Mica: MICA_HOME=/usr/local ./build.sh [OUTPUT]
set -eu
output=${1:-NAME}
case $output in /*) ;; *) output=$PWD/$output ;; esac
cd "$(dirname "$0")"
home=${MICA_HOME:-/usr/local}
[ -f "$home/include/mica/model.h" ] ||
    { echo "build.sh: no Mica is installed under $home; MICA_HOME names the folder that holds its include and lib" >&2; exit 2; }
exec "${CC:-cc}" -std=gnu17 -O3 -fvisibility=hidden -I. -I"$home/include" main.c NAME.c model_data.c \
    -L"$home/lib" -lmica-cli -lmica-reference -lmica-io -lmica-prove -lmica-verify EXTRA_LIBRARIES -lm -lpthread -o "$output"
# /*@end*/
