"""How the fuzzer and the conformance suite make new streams out of known ones."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Literal, NamedTuple

from metaprotocol._model import Direction
from metaprotocol.errors import MetaProtocolError
from metaprotocol.testing._samples import whole_frames

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Sequence

    from metaprotocol.codec import Codec

__all__ = ["LengthField", "Mutator", "Vocabulary", "learn"]

ORDERS: tuple[Literal["big", "little"], ...] = ("big", "little")
WIDTHS = (1, 2, 4, 8)
EDGES = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)
MOST_WORDS = 256
MOST_FRAMES = 64
HEADER = 64
"""Bytes of a frame in which its length is looked for."""
_TEXT = re.compile(rb"[ -~]{3,64}")


class LengthField(NamedTuple):
    """An integer in a header that says how long the frame is: its value is the frame's length less `extra`."""

    offset: int
    width: int
    order: Literal["big", "little"]
    extra: int

    def write(self, frame: bytearray) -> None:
        """Set it to the length that the frame has."""
        value = max(0, len(frame) - self.extra) % (1 << 8 * self.width)
        frame[self.offset : self.offset + self.width] = value.to_bytes(self.width, self.order)


class Vocabulary(NamedTuple):
    """What samples teach of a protocol: its words, its whole frames, and where their lengths stand."""

    words: list[bytes]
    frames: list[bytes]
    lengths: list[LengthField]


def learn(codec: Codec, samples: Iterable[tuple[Direction, bytes]]) -> Vocabulary:
    """Look at samples with the codec, which may be broken: what it fails at teaches nothing."""
    words: dict[bytes, None] = {}
    frames: list[bytes] = []
    headers: list[int] = []
    for direction, data in samples:
        for size in (1, 2, 4):
            words[data[:size]] = None
        words.update(dict.fromkeys(_TEXT.findall(data)))
        try:
            found, _ = whole_frames(codec, direction, data)
            for frame in found:
                frames.append(bytes(frame.raw))
                headers.append(len(frame.header))
                words.update(dict.fromkeys(key.encode() for key in frame.metadata))
        except MetaProtocolError:
            continue
    words.update(dict.fromkeys(key.name.encode() for key in codec.keys))
    words.pop(b"", None)
    return Vocabulary(list(words)[:MOST_WORDS], frames, _lengths(frames, headers))


def _lengths(frames: Sequence[bytes], headers: Sequence[int]) -> list[LengthField]:
    """Places that hold the frame's length, less one and the same number, in many frames of different lengths."""
    different = dict(zip(map(len, frames), zip(frames, headers, strict=True), strict=True))
    votes: Counter[LengthField] = Counter()
    for frame, header in list(different.values())[:MOST_FRAMES]:
        front = min(len(frame), HEADER)
        for width in WIDTHS:
            for offset in range(front - width + 1):
                for order in ORDERS[: 1 if width == 1 else 2]:
                    extra = len(frame) - int.from_bytes(frame[offset : offset + width], order)
                    if 0 <= extra <= max(header, offset + width) and extra < len(frame):
                        votes[LengthField(offset, width, order, extra)] += 1
    enough = max(min(2, len(different)), len(different) // 5)
    # A wide field holds the narrow ones behind its leading zeros.
    likely = sorted(votes, key=lambda field: (-votes[field], -field.width, field.offset))
    return [field for field in likely if votes[field] >= enough][:4]


class Mutator:
    """Makes streams.

    Args:
        chance: Where randomness comes from.
        vocabulary: What is known of the protocol.
        max_len: Longest stream made, in bytes.
    """

    def __init__(self, chance: random.Random, vocabulary: Vocabulary, max_len: int = 4096) -> None:
        self.chance = chance
        self.random = chance.random
        self.words, self.frames, self.lengths = vocabulary
        self.max_len = max_len
        changes: list[tuple[int, Callable[[bytearray, bytes], None]]] = [
            (3, self._byte), (2, self._bit), (3, self._integer), (2, self._add), (2, self._insert), (2, self._remove),
            (2, self._repeat), (1, self._truncate), (1, self._splice), (2, self._word), (2, self._frame),
        ]  # fmt: skip
        if self.lengths:
            changes.append((5, self._resize))
        self.changes = [change for weight, change in changes for _ in range(weight)]

    def below(self, end: int) -> int:
        """A number from 0 to `end` - 1; 0 if there is none."""
        return int(self.random() * end)

    def mutate(self, data: bytes, other: bytes = b"", refused_at: int = -1) -> bytes:
        """A stream made of one by a few changes.

        Args:
            data: The stream.
            other: A second one to take pieces of.
            refused_at: Where the codec refused the first one, if it did: another byte or word there may lead further.
        """
        made = bytearray(data)
        if refused_at >= 0 and self.random() < 0.25:
            if self.words and self.random() < 0.3:
                word = self.words[self.below(len(self.words))]
            else:
                word = bytes([self.below(256)])
            made[refused_at : refused_at + len(word)] = word
            return bytes(made[: self.max_len])
        for _ in range(1 + self.below(4)):
            self.changes[self.below(len(self.changes))](made, other)
        return bytes(made[: self.max_len])

    def _byte(self, data: bytearray, _: bytes) -> None:
        if data:
            edge = self.below(2 * len(EDGES))
            data[self.below(len(data))] = EDGES[edge] if edge < len(EDGES) else self.below(256)

    def _bit(self, data: bytearray, _: bytes) -> None:
        if data:
            data[self.below(len(data))] ^= 1 << self.below(8)

    def _at(self, data: bytearray, width: int) -> int:
        """A place for an integer, more often near the front, where headers are."""
        room = len(data) - width + 1
        return self.below(min(room, HEADER) if self.random() < 0.7 else room)

    def _integer(self, data: bytearray, _: bytes) -> None:
        """A number from the edge of something over whatever stands there."""
        width = WIDTHS[self.below(4)]
        if len(data) < width:
            return
        at = self._at(data, width)
        bits = 8 * width
        edges = (
            0,
            1,
            (1 << bits) - 1,
            1 << (bits - 1),
            (1 << (bits - 1)) - 1,
            len(data),
            len(data) - at,
            len(data) - at - width,
        )
        value = edges[self.below(len(edges))] + self.below(3) - 1
        data[at : at + width] = (value % (1 << bits)).to_bytes(width, ORDERS[self.below(2)])

    def _add(self, data: bytearray, _: bytes) -> None:
        """A little more or less than whatever number stands there."""
        width = WIDTHS[self.below(3)]
        if len(data) < width:
            return
        at = self._at(data, width)
        order = ORDERS[self.below(2)]
        value = int.from_bytes(data[at : at + width], order) + self.below(33) - 16
        data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, order)

    def _insert(self, data: bytearray, _: bytes) -> None:
        at = self.below(len(data) + 1)
        run = 1 + self.below(16)
        data[at:at] = self.chance.randbytes(run) if self.random() < 0.5 else bytes([self.below(256)]) * run

    def _remove(self, data: bytearray, _: bytes) -> None:
        at = self.below(len(data))
        del data[at : at + 1 + self.below(16)]

    def _repeat(self, data: bytearray, _: bytes) -> None:
        at = self.below(len(data))
        data[at:at] = data[at : at + 1 + self.below(32)] * (1 + self.below(4))

    def _truncate(self, data: bytearray, _: bytes) -> None:
        del data[self.below(len(data)) :]

    def _splice(self, data: bytearray, other: bytes) -> None:
        at = self.below(len(other))
        data[self.below(len(data) + 1) :] = other[at:]

    def _word(self, data: bytearray, _: bytes) -> None:
        if self.words:
            word = self.words[self.below(len(self.words))]
            at = self.below(len(data) + 1)
            data[at : at + (len(word) if self.random() < 0.5 else 0)] = word

    def _frame(self, data: bytearray, _: bytes) -> None:
        """A whole frame before, behind or instead."""
        if self.frames:
            frame = self.frames[self.below(len(self.frames))]
            where = self.below(3)
            data[len(data) if where == 0 else 0 : 0 if where == 1 else len(data)] = frame

    def _resize(self, data: bytearray, _: bytes) -> None:
        """A frame with bytes more or fewer, whose length says so; or one that says a little more than it has."""
        field = self.lengths[self.below(len(self.lengths))]
        head = field.offset + field.width
        if len(data) <= head:
            return
        change = (self._insert, self._remove, self._repeat)[self.below(3)]
        rest = data[head:]
        change(rest, b"")
        data[head:] = rest
        claimed = bytearray(data)
        if self.random() < 0.2:
            claimed += bytes(1 + self.below(4))
        field.write(claimed)
        data[:head] = claimed[:head]
