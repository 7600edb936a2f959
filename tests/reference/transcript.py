"""Hashes, transcript, proof stream and Merkle trees (docs/formats.md, "Hashes, transcript and Merkle trees")."""
from __future__ import annotations

import hashlib
import struct
from enum import IntEnum
from typing import Sequence

from .field import F, P, packed_bytes


class Rejected(Exception):
    """The proof is rejected; `reason` is a word of docs/protocol.md, "Verification"."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class Unreadable(Exception):
    """Not a proof or not verifier parameters, or parameters that cannot be used."""


class Tag(IntEnum):
    VK = 1
    STATEMENT = 2
    WITNESS_ROOT = 3
    POW = 4
    LOOKUP = 5
    GKR_ROOT = 6
    GKR_ROUND = 7
    GKR_VALUES = 8
    GKR_LAMBDA = 9
    GKR_MERGE = 10
    CLAIMS = 11
    OUTPUT_POINT = 12
    BATCH_LAMBDA = 13
    SUMCHECK_ROUND = 14
    SUMCHECK_POINT = 15
    OPEN_GAMMA = 16
    OPEN_ROUND = 17
    OPEN_POINT = 18
    OPEN_ROOT = 19
    OPEN_MESSAGE = 20
    OPEN_QUERY = 21


def keyed_hash(key: str, message: bytes) -> bytes:
    return hashlib.blake2s(message, key=key.encode("ascii")).digest()


def words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 4}I", data)


def field_words(data: bytes) -> tuple[int, ...]:
    """Words that must be canonical elements of M31."""
    result = words(data)
    if result and max(result) >= P:
        raise Rejected("MALFORMED", "a word is not a field element")
    return result


class Transcript:
    """The state that absorbs items and gives challenges ("Transcript")."""

    ABSORB, SQUEEZE, SQUEEZED = 1, 2, 3

    def __init__(self) -> None:
        self.state = bytes(32)

    def _hash(self, operation: int, tag: Tag, number: int, message: bytes = b"") -> bytes:
        head = self.state + struct.pack("<IIQ", operation, tag, number)
        return keyed_hash("mica transcript v1", head + message)

    def absorb(self, tag: Tag, data: bytes) -> None:
        self.state = self._hash(self.ABSORB, tag, len(data), data)

    def absorb_elements(self, tag: Tag, elements: Sequence[F]) -> None:
        self.absorb(tag, b"".join(struct.pack("<4I", *e) for e in elements))

    def _words(self, tag: Tag):
        block = 0
        while True:
            yield from words(self._hash(self.SQUEEZE, tag, block))
            block += 1

    def draw(self, tag: Tag, count: int) -> list[F]:
        """Challenges: the low 31 bits of a word each coordinate, p discarded."""
        stream = (word % 2**31 for word in self._words(tag))
        coordinates = (word for word in stream if word != P)
        elements = [F([next(coordinates) for _ in range(4)]) for _ in range(count)]
        self.state = self._hash(self.SQUEEZED, tag, count)
        return elements

    def draw_indices(self, tag: Tag, count: int, width: int) -> list[int]:
        stream = self._words(tag)
        indices = [next(stream) % 2**width for _ in range(count)]
        self.state = self._hash(self.SQUEEZED, tag, count)
        return indices

    def meets(self, nonce: bytes, difficulty: int) -> bool:
        """"Proof of work"."""
        digest = keyed_hash("mica pow v1", self.state + nonce)
        return int.from_bytes(digest[:8], "little") % 2**difficulty == 0


class Channel:
    """The proof part, read in order, and the transcript that follows it ("The proof as a stream")."""

    def __init__(self, transcript: Transcript, stream: bytes):
        self.transcript = transcript
        self.stream = stream
        self.position = 0
        self.items: list[tuple[str, int, int]] = []  # what was read: name, start, end

    def read(self, size: int, name: str) -> bytes:
        data = self.stream[self.position:self.position + size]
        if len(data) < size:
            raise Rejected("MALFORMED", "the proof is too short")
        self.items.append((name, self.position, self.position + size))
        self.position += size
        return data

    def receive_bytes(self, tag: Tag, size: int) -> bytes:
        data = self.read(size, tag.name)
        self.transcript.absorb(tag, data)
        return data

    def receive(self, tag: Tag, count: int) -> list[F]:
        """`count` elements sent as one item."""
        data = self.read(16 * count, tag.name)
        values = field_words(data)
        self.transcript.absorb(tag, data)
        return [F(values[4 * i:4 * i + 4]) for i in range(count)]

    def receive_column(self, count: int) -> list[int]:
        """Field elements of 31 bits each, which are not absorbed ("Columns")."""
        number = int.from_bytes(self.read(packed_bytes(count), "COLUMN"), "little")
        if number >> 31 * count:
            raise Rejected("MALFORMED", "the spare bits of a column are not zero")
        column = [number >> 31 * i & P for i in range(count)]
        if P in column:
            raise Rejected("MALFORMED", "a word is not a field element")
        return column

    def draw(self, tag: Tag, count: int) -> list[F]:
        return self.transcript.draw(tag, count)

    def draw_one(self, tag: Tag) -> F:
        return self.transcript.draw(tag, 1)[0]

    def proof_of_work(self, difficulty: int) -> None:
        if difficulty == 0:
            return
        nonce = self.read(8, Tag.POW.name)
        if not self.transcript.meets(nonce, difficulty):
            raise Rejected("POW", f"a nonce does not meet {difficulty} bits")
        self.transcript.absorb(Tag.POW, nonce)

    def finish(self) -> None:
        if self.position != len(self.stream):
            raise Rejected("MALFORMED", "bytes after the last item")


def leaf(column: Sequence[int]) -> bytes:
    return keyed_hash("mica leaf v1", struct.pack(f"<I60x{len(column)}I", len(column), *column))


def node(left: bytes, right: bytes, size: int) -> bytes:
    key = "mica node v1" if size == 32 else "mica node v2"
    return keyed_hash(key, left[:size].ljust(32, b"\0") + right[:size].ljust(32, b"\0"))


def root_of_opened(channel: Channel, leaves: dict[int, bytes], depth: int, size: int) -> bytes:
    """The root that opened leaves and the multiproof in the stream hash to; size: the digest bytes ("Merkle trees")."""
    known = leaves
    for _ in range(depth):
        parents: dict[int, bytes] = {}
        for index in sorted(known):
            if index >> 1 in parents:
                continue
            sibling = known[index ^ 1] if index ^ 1 in known else channel.read(size, "SIBLING")
            pair = (sibling, known[index]) if index & 1 else (known[index], sibling)
            parents[index >> 1] = node(*pair, size)
        known = parents
    return known[0]
