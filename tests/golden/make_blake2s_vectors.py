#!/usr/bin/env python3
"""Writes blake2s_vectors.h: digests of bytes 0, 1, ..., n-1 by Python's hashlib.

    python3 make_blake2s_vectors.py > blake2s_vectors.h
"""
import hashlib

LENGTHS = range(201)
TABLE_KEY = b"mica transcript v1"
CHAINED_KEYS = [b"", b"k", b"mica leaf v1", b"mica node v1", b"a key of thirty-one bytes......", b"a key of thirty-two bytes......."]


def digest(key, n):
    return hashlib.blake2s(bytes(range(n)), key=key).digest()


print("/* Made by make_blake2s_vectors.py. */")
print("/* Digest of the n bytes 0, 1, ..., n - 1 under table_key. */")
print(f'static const char table_key[] = "{TABLE_KEY.decode()}";')
print(f"static const char *const table_digest[{len(LENGTHS)}] = {{")
for n in LENGTHS:
    print(f'    "{digest(TABLE_KEY, n).hex()}",')
print("};")
print("/* Unkeyed digest of the concatenation of those of 0 to 200 bytes under each key. */")
print("static const struct {")
print("    const char *key, *digest;")
print("} chained[] = {")
for key in CHAINED_KEYS:
    total = hashlib.blake2s(b"".join(digest(key, n) for n in LENGTHS)).hexdigest()
    print(f'    {{"{key.decode()}", "{total}"}},')
print("};")
