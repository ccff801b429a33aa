"""Redis: pipelined commands and replies, ours beside hiredis' reader."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import hiredis
import pytest

import metaprotocol

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT, SERVER = metaprotocol.Direction
CHUNK = 64 << 10
COUNT = 20_000
KINDS = ("commands", "small replies", "strings of 1 KiB", "lists of 10", "maps of RESP3")


@cache
def chunks(kind: str) -> tuple[list[bytes], int, int]:
    """The stream cut as reads from a socket would cut it, its frames, and its bytes."""
    if kind == "commands":
        made = [hiredis.pack_command(("SET", f"user:{number}", "x" * 20)) for number in range(COUNT)]
    elif kind == "small replies":
        made = [
            (b"+OK\r\n", b":%d\r\n" % number, b"$5\r\nhello\r\n", b"$-1\r\n")[number % 4] for number in range(COUNT)
        ]
    elif kind == "strings of 1 KiB":
        made = [b"$1024\r\n" + b"x" * 1024 + b"\r\n"] * (COUNT // 4)
    elif kind == "lists of 10":
        made = [b"*10\r\n" + b"$5\r\nhello\r\n" * 10] * (COUNT // 4)
    else:
        made = [b"%3\r\n$2\r\nid\r\n:7\r\n$5\r\nscore\r\n,1.5\r\n$4\r\ntags\r\n~2\r\n+a\r\n+b\r\n"] * (COUNT // 4)
    stream = b"".join(made)
    return [stream[at : at + CHUNK] for at in range(0, len(stream), CHUNK)], len(made), len(stream) // len(made)


@pytest.mark.parametrize("kind", KINDS)
class TestPipelines:
    def enter(self, race: Callable[..., None], kind: str, contender: str, run: Callable[[], int]) -> None:
        _, count, size = chunks(kind)
        race(f"redis, {kind} in a pipeline, {CHUNK >> 10} KiB reads", contender, run, count, size=size)

    def test_hiredis(self, race: Callable[..., None], kind: str) -> None:
        parts, _, _ = chunks(kind)

        def run() -> int:
            reader = hiredis.Reader()
            found = 0
            for part in parts:
                reader.feed(part)
                while reader.gets() is not False:
                    found += 1
            return found

        self.enter(race, kind, "hiredis Reader", run)

    def test_object(self, race: Callable[..., None], kind: str) -> None:
        parts, _, _ = chunks(kind)
        codec = metaprotocol.get_codec("redis")
        way = CLIENT if kind == "commands" else SERVER

        def run() -> int:
            connection = codec.connection()
            return sum(len(connection.feed(way, part)) for part in parts)

        self.enter(race, kind, "metaprotocol feed", run)

    def test_batch(self, race: Callable[..., None], kind: str) -> None:
        parts, _, _ = chunks(kind)
        codec = metaprotocol.get_codec("redis")
        way = CLIENT if kind == "commands" else SERVER

        def run() -> int:
            connection = codec.connection()
            total = 0
            for part in parts:
                batch = connection.feed_batch(way, part)
                total += len(batch.offsets)
                batch.lengths, batch.kinds  # noqa: B018 -- columns are made when asked for
            return total

        self.enter(race, kind, "metaprotocol feed_batch", run)
