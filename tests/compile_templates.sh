#!/bin/sh
# Every C template compiles alone with its example parameters, without a warning: compile_templates.sh CC INCLUDE TEMPLATES
# Variables may be unused: those that an included template reads.
set -u
cc=$1 include=$2 templates=$3
failed=0 seen=0
for file in "$templates"/*.c "$templates"/*.h; do
    seen=$((seen + 1))
    "$cc" -std=gnu17 -fsyntax-only -Wall -Wextra -Wconversion -Wshadow -Werror -Wno-unused-variable -I "$include" "$file" || failed=1
done
[ "$seen" -gt 10 ] || { echo "only $seen templates in $templates"; failed=1; }
exit $failed
