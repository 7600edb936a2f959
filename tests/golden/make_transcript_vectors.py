#!/usr/bin/env python3
"""Writes transcript_vectors.h: an independent model of docs/formats.md (transcript, proof of work, Merkle trees).

    python3 make_transcript_vectors.py > transcript_vectors.h
"""
import hashlib
import struct

P = 2**31 - 1
# Numbers of transcript_tag.
VK, STATEMENT, WITNESS_ROOT, POW, LOOKUP, GKR_ROOT = 1, 2, 3, 4, 5, 6
CLAIMS, OPEN_QUERY = 11, 21
# With this as the first word of an otherwise zero state, the first word squeezed under LOOKUP is p modulo 2^31 (the
# least such value; found by search).
REJECTING = 26016883


def blake(key, message):
    return hashlib.blake2s(message, key=key).digest()


class Transcript:
    def __init__(self, state=bytes(32)):
        self.state = state

    def hash(self, op, tag, number, data=b""):
        return blake(b"mica transcript v1", self.state + struct.pack("<IIQ", op, tag, number) + data)

    def absorb(self, tag, data):
        self.state = self.hash(1, tag, len(data), data)

    def words(self, tag):
        block = 0
        while True:
            yield from struct.unpack("<8I", self.hash(2, tag, block))
            block += 1

    def coordinates(self, tag, n):
        kept = (w % 2**31 for w in self.words(tag) if w % 2**31 != P)
        return [next(kept) for _ in range(4 * n)]

    def challenge(self, tag, n):
        out = self.coordinates(tag, n)
        self.state = self.hash(3, tag, n)
        return out

    def indices(self, tag, bits, n):
        words = self.words(tag)
        out = [next(words) % 2**bits for _ in range(n)]
        self.state = self.hash(3, tag, n)
        return out

    def pow(self, bits):
        nonce = 0
        while True:
            digest = blake(b"mica pow v1", self.state + struct.pack("<Q", nonce))
            if int.from_bytes(digest[:8], "little") % 2**bits == 0:
                return nonce
            nonce += 1


def array(ctype, name, values):
    print(f"static const {ctype} {name}[{len(values)}] = {{")
    for i in range(0, len(values), 6):
        print("    " + ", ".join(f"{v:#x}" for v in values[i : i + 6]) + ",")
    print("};")


def transcript_vectors():
    t = Transcript()
    t.absorb(VK, bytes(range(32)))
    t.absorb(STATEMENT, b"")
    t.absorb(GKR_ROOT, struct.pack("<12I", *[i * 178956970 for i in range(12)]))
    array("uint32_t", "golden_challenge_3", t.challenge(LOOKUP, 3))
    t.challenge(CLAIMS, 0)
    array("uint32_t", "golden_indices_7", t.indices(OPEN_QUERY, 7, 9))
    array("uint32_t", "golden_indices_31", t.indices(OPEN_QUERY, 31, 2))
    array("uint32_t", "golden_indices_0", t.indices(OPEN_QUERY, 0, 3))
    nonce = t.pow(11)
    print(f"static const uint64_t golden_nonce_11 = {nonce};")
    t.absorb(POW, struct.pack("<Q", nonce))
    array("uint32_t", "golden_challenge_1", t.challenge(LOOKUP, 1))
    array("uint8_t", "golden_state", t.state)

    t = Transcript(struct.pack("<I28x", REJECTING))
    assert next(t.words(LOOKUP)) % 2**31 == P
    print(f"static const uint32_t golden_rejecting = {REJECTING};")
    array("uint32_t", "golden_after_rejection", t.challenge(LOOKUP, 4))


def leaf(column):
    count = struct.pack("<I60x", len(column))
    return blake(b"mica leaf v1", count + struct.pack(f"<{len(column)}I", *column))


DIGEST = 26  # bytes of a child that enter its parent


def kept(digest):
    return digest[:DIGEST] + bytes(32 - DIGEST)


def merkle_vectors():
    rows, log_leaves = 21, 3
    matrix = [[(1000003 * r + 7919 * c * c) % P for c in range(2**log_leaves)] for r in range(rows)]
    levels = [[leaf([row[c] for row in matrix]) for c in range(2**log_leaves)]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([blake(b"mica node v2", kept(below[i]) + kept(below[i + 1])) for i in range(0, len(below), 2)])
    known, proof = {1, 4, 5}, b""
    for level in levels[:-1]:
        proof += b"".join(level[i ^ 1][:DIGEST] for i in sorted(known) if i ^ 1 not in known)
        known = {i // 2 for i in known}
    array("uint8_t", "golden_merkle_root", levels[-1][0])
    array("uint8_t", "golden_multiproof_1_4_5", proof)


print("/* Made by make_transcript_vectors.py. */")
transcript_vectors()
merkle_vectors()
