#!/bin/sh
# usage: link_verifier.sh libmica-verify.a
# The verifier library may leave undefined only these functions of libc, and must not define prover code.
set -eu
library=$1
export LC_ALL=C
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Fortified names (__*_chk), assertion and stack protector entries belong to libc too.
cat > "$scratch/allowed" <<'LIST'
_GLOBAL_OFFSET_TABLE_
__assert_fail
__errno_location
__memcpy_chk
__memset_chk
__snprintf_chk
__sprintf_chk
__stack_chk_fail
__vsnprintf_chk
abort
aligned_alloc
calloc
fprintf
free
fwrite
madvise
malloc
memcmp
memcpy
memmove
memset
mmap
munmap
qsort
realloc
snprintf
stderr
strcmp
strerror
strlen
strncmp
strnlen
vsnprintf
LIST

nm "$library" 2>/dev/null > "$scratch/symbols"
awk 'NF == 3 && $2 ~ /[TDBRVWC]/ { print $3 }' "$scratch/symbols" | sort -u > "$scratch/defined"
awk 'NF == 2 && $1 ~ /[Uwv]/ { print $2 }' "$scratch/symbols" | sort -u > "$scratch/undefined"
if ! [ -s "$scratch/defined" ]; then
    echo "no symbols found in $library"
    exit 1
fi
status=0
comm -23 "$scratch/undefined" "$scratch/defined" | sort > "$scratch/needed"
sort -u -o "$scratch/allowed" "$scratch/allowed"
if comm -23 "$scratch/needed" "$scratch/allowed" | grep .; then
    echo "^ the verifier library needs more than libc allows"
    status=1
fi
if grep -E '_prove($|_)|^mica_prover|^parallel_|pthread' "$scratch/symbols"; then
    echo "^ prover code in the verifier library"
    status=1
fi
exit $status
