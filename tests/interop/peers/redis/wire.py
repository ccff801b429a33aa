"""RESP as servers write it, read as plainly as can be: the second opinion of the recording script.

Values are given as the expectations beside the captures say them; `record_redis.py` describes that.
"""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from typing import Any

Said = Any
"""A value as the expectations say it."""


def text(data: bytes) -> Said:
    """Bytes, so that people can read them where they can be read."""
    if len(data) > 2000:
        return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}


class Incomplete(Exception):
    """There are not enough bytes yet."""


class Reader:
    """RESP2 and RESP3 as servers write them, with an index into bytes; no streamed types, which no server writes."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at
        self.kinds: Counter[str] = Counter()
        """First bytes of all values, those inside of others among them."""

    def line(self) -> bytes:
        end = self.data.find(b"\r\n", self.at)
        if end < 0:
            raise Incomplete
        found = self.data[self.at : end]
        self.at = end + 2
        return found

    def bulk(self, length: int, end: bytes = b"\r\n") -> bytes:
        found = self.data[self.at : self.at + length]
        if self.at + length + len(end) > len(self.data):
            raise Incomplete
        self.at += length + len(end)
        assert self.data[self.at - len(end) : self.at] == end
        return found

    def value(self) -> Said:
        kind, rest = (line := self.line())[:1].decode(), line[1:]
        self.kinds[kind] += 1
        if kind == "+":
            return text(rest)
        if kind == "-":
            return {"error": text(rest)}
        if kind == "_":
            return None
        if kind == "#":
            return rest == b"t"
        if kind == ",":
            return {"double": rest.decode()}
        if kind == "(":
            return {"big": rest.decode()}
        number = int(rest)
        if kind == ":":
            return number
        if number < 0:
            return None
        if kind in "$!=":
            found = text(self.bulk(number))
            return {"!": {"error": found}, "=": {"verbatim": found}, "$": found}[kind]
        if kind in "*>":
            return [self.value() for _ in range(number)]
        if kind == "~":
            return {"set": [self.value() for _ in range(number)]}
        if kind in "%|":
            pairs = [[self.value(), self.value()] for _ in range(number)]
            return {"map": pairs}
        raise ValueError(f"not the start of a value: {line!r}")

    def message(self) -> dict[str, Said]:
        """What goes to a client."""
        begin, attributes = self.at, None
        while self.data[self.at : self.at + 1] == b"|":
            attributes = self.value()
        kind = chr(self.data[self.at]) if self.at < len(self.data) else ""
        told: dict[str, Said] = {"type": kind, "value": self.value(), "length": self.at - begin}
        if attributes is not None:
            told["attributes"] = attributes["map"]
        return told

    def rdb(self) -> dict[str, Said]:
        """The payload behind +FULLRESYNC: with its length before it, or between marks."""
        begin = self.at
        head = self.line()
        if head.startswith(b"$EOF:"):
            mark = head[5:]
            end = self.data.find(mark, self.at)
            if end < 0:
                raise Incomplete
            self.at = end + len(mark)
            return {"type": "rdb", "eof": True, "length": self.at - begin}
        self.bulk(int(head[1:]), b"")
        return {"type": "rdb", "eof": False, "length": self.at - begin}

    def command(self) -> dict[str, Said]:
        """What goes to a server."""
        begin = self.at
        if self.data[self.at : self.at + 1] == b"*":
            head = self.line()
            if not head[1:].isdigit():
                return {"args": None, "length": self.at - begin}
            words: list[bytes] = []
            for _ in range(int(head[1:])):
                head = self.line()
                if head[:1] != b"$" or head[1:2] == b"-":
                    return {"args": None, "length": self.at - begin}
                words.append(self.bulk(int(head[1:])))
            self.kinds.update("*" + "$" * len(words))
            return {"args": words, "length": self.at - begin}
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise Incomplete
        self.at = end + 1
        return {"args": split_line(self.data[begin:end]), "length": self.at - begin, "inline": True}


def split_line(line: bytes) -> list[bytes] | None:
    """An inline command's words; None if its quotes are wrong, on which the server closes the connection.

    The quotes in these captures mean the same to a shell, but for the escapes `\\n` and `\\xHH`.
    """
    try:
        words = shlex.split(line.decode())
    except ValueError:
        return None
    return [
        word.encode().decode("unicode_escape").encode("latin-1") if "\\" in word else word.encode() for word in words
    ]


def same(said: Said, seen: Any) -> bool:
    """Whether redis-py's parser made of a message what the expectations say."""
    if isinstance(seen, Exception):
        return isinstance(said, dict) and str(seen) in str(said.get("error"))
    if isinstance(said, dict):
        [(kind, inner)] = list(said.items())[:1]
        if kind == "error":
            return False
        if kind == "double":
            return isinstance(seen, float) and (float(inner) == seen or seen != seen)
        if kind == "big":
            return isinstance(seen, int) and int(inner) == seen
        if kind == "verbatim":
            return bool(inner[4:] == text(seen))
        if kind == "set":
            return same(inner, list(seen)) or all(any(same(one, other) for other in seen) for one in inner)
        if kind == "map":
            if isinstance(seen, list):  # hiredis, where a key cannot be hashed
                return same(inner, [list(pair) for pair in seen])
            return same(inner, [list(pair) for pair in seen.items()])
        return bool(said == text(seen))
    if isinstance(said, list):
        return isinstance(seen, list | tuple) and len(said) == len(seen) and all(map(same, said, seen))
    if isinstance(seen, bytes):
        return bool(said == text(seen))
    return bool(said == seen)
