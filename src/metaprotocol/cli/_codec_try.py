"""`metaprotocol codec try`: bytes field by field, and what a codec makes of them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from metaprotocol import Direction, ErrorType, Kind
from metaprotocol.cli._description import load
from metaprotocol.cli._sources import CODEC_FAILED, show_traceback
from metaprotocol.cli._terminal import Failure, clean, output, usage, wants_table
from metaprotocol.errors import DecodeError, EncodeError

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from metaprotocol import Codec, Frame

__all__ = ["read", "run"]

_native: Any = import_module("metaprotocol._native")

MAX_LEN = 16 << 20
"""Bytes that are read; nobody looks at more."""
ROW_LEN = 8
"""Bytes in a line of the dump."""
MAX_ROWS = 4
"""Lines of one field; longer ones are cut."""
VALUE_LEN = 256
"""Characters of a value; longer ones are cut."""
TEXT = frozenset(b"\t\r\n") | frozenset(range(0x20, 0x7F))
"""What a hex text, or a dump, may be made of."""
ERROR, MESSAGE = ErrorType.NO_HEALTHY_UPSTREAM, "no healthy upstream"
"""What the reply to a request states."""


@dataclass(frozen=True)
class Piece:
    """A part of the bytes: a field, or what lies between fields. `at` counts from the start of the stream."""

    name: str
    type: str
    at: int
    data: bytes
    value: str
    inner: bool = False
    region: str = ""


@dataclass(frozen=True)
class Part:
    """A frame, or what came instead of one: an error, or the front of a frame."""

    at: int
    pieces: list[Piece]
    facts: dict[str, Any] = field(default_factory=dict)
    error: DecodeError | None = None
    missing: int = 0


def read(hex_: str | None, file: Path | None, stdin: str | None, *, raw: bool) -> bytes:
    """The bytes that the user gave, in one of three ways.

    Raises:
        Failure: If there are none or several, or they cannot be read.
    """
    if stdin not in (None, "-"):
        usage(f"{stdin!r} is not an input: give --hex TEXT, --file PATH, or - for standard input")
    if sum(given is not None for given in (hex_, file, stdin)) != 1:
        usage("give the bytes in one way: --hex TEXT, --file PATH, or - for standard input")
    if hex_ is not None:
        if raw:
            usage("--raw is for files; --hex is hex")
        return _hex(hex_, "--hex")
    try:
        if file is not None:
            with file.open("rb") as stream:
                data = stream.read(MAX_LEN + 1)
        else:
            data = sys.stdin.buffer.read(MAX_LEN + 1)
    except OSError as error:
        raise Failure(f"{file or '-'}: {error.strerror or error}") from None
    if len(data) > MAX_LEN:
        raise Failure(f"{file or '-'}: more than {MAX_LEN >> 20} MiB; `metaprotocol decode` reads long inputs")
    if raw or not data or not TEXT.issuperset(data):
        return data
    try:
        return _hex(data.decode("ascii"), str(file or "-"))
    except Failure:
        # Text that is no hex is what a protocol of texts has on the wire.
        return data


def _hex(text: str, origin: str) -> bytes:
    try:
        data: bytes = _native.read_hex(text)
    except ValueError as error:
        raise Failure(f"{origin}: {error}", exit_code=2) from None
    return data


def run(name: str, data: bytes, direction: Direction, show: str) -> int:
    """Show what a codec makes of bytes; the exit code is 1 if they are not whole frames.

    Raises:
        Failure: If there is no such codec, or it failed, or there are no bytes.
    """
    codec, layout = load(name)
    if not data:
        usage("there are no bytes to try")
    try:
        parts = _parts(codec, data, direction)
        detection = codec.detect(data, direction=direction).name.lower()
    except Exception as error:  # noqa: BLE001 - whatever the code of a user's codec raises
        show_traceback(error)
        raise Failure(f"the codec {codec.name!r} failed, which is its author's fault", exit_code=CODEC_FAILED) from None
    if wants_table(show):
        console = output()
        if layout is None:
            console.print(Text(clean(f"{codec.name} is not made of a description: its frames have no layout to show")))
        for number, part in enumerate(parts, 1):
            _show(console, number, part)
        console.print(Text(f"detect says {detection}", style="dim"))
    else:
        for part in parts:
            typer.echo(json.dumps({**_row(part), "detect": detection}, ensure_ascii=False))
    return 1 if parts[-1].error or parts[-1].missing else 0


def _parts(codec: Codec, data: bytes, direction: Direction) -> list[Part]:
    connection = codec.connection()
    error: DecodeError | None = None
    try:
        frames = connection.feed(direction, data)
    except DecodeError as found:
        frames, error = list(found.frames), found
    parts = [_frame(codec, frame, data[frame.offset : frame.offset + len(frame)], direction) for frame in frames]
    at = sum(map(len, frames))
    if error is not None:
        parts.append(Part(at, _pieces(codec, data[at:], at, direction), error=error))
    elif at < len(data):
        missing = connection.missing(direction)
        parts.append(Part(at, _pieces(codec, data[at:], at, direction), missing=missing))
    return parts


def _frame(codec: Codec, frame: Frame, data: bytes, direction: Direction) -> Part:
    facts: dict[str, Any] = {
        "kind": frame.kind.name.lower(),
        "request_id": frame.request_id.hex() if isinstance(frame.request_id, bytes) else frame.request_id,
        "stream_id": frame.stream_id,
        "header_len": len(frame.header),
        "frame_len": len(frame),
    }
    broken: DecodeError | None = None
    try:
        facts["metadata"] = dict(frame.metadata)
    except DecodeError as error:
        # It was the head that `split` read; the rest of the header is read only when it is asked for.
        facts["metadata"], broken = {}, error
    facts["replies"] = _replies(codec, frame, direction)
    pieces = _pieces(codec, data, frame.offset, direction, header_len=len(frame.header))
    return Part(frame.offset, pieces, facts, error=broken)


def _replies(codec: Codec, frame: Frame, direction: Direction) -> dict[str, str]:
    """What a proxy would answer: bytes in hex, or why it cannot."""
    replies = {}
    try:
        if frame.kind is Kind.HEARTBEAT:
            beat = codec.reply(frame)
            replies["heartbeat"] = beat.hex() if beat else "none"
        elif frame.kind is Kind.REQUEST and direction is Direction.CLIENT_TO_SERVER:
            answer = codec.reply(frame, ERROR, MESSAGE)
            replies[f"error {ERROR.name.lower()}"] = answer.hex() if answer else "none"
    except (EncodeError, DecodeError) as error:
        replies["none"] = str(error)
    return replies


def _pieces(codec: Codec, data: bytes, at: int, direction: Direction, header_len: int | None = None) -> list[Piece]:
    """The fields of a frame, and all bytes that no field is."""
    places = codec.dissect(data, direction=direction) if isinstance(codec, _native.NativeCodec) else None
    fields = [
        Piece(name, type_, from_, data[from_ : from_ + length], value, inner, region)
        for name, type_, from_, length, inner, region, value in places or ()
    ]
    pieces: list[Piece] = []
    end = 0
    for piece in [one for one in fields if one.region != "body"]:
        if not piece.inner and piece.at > end:
            pieces += _between(fields, data, end, piece.at, header_len)
        pieces.append(piece)
        end = max(end, piece.at + len(piece.data))
    if end < len(data):
        pieces += _between(fields, data, end, len(data), header_len)
    return [replace(piece, at=piece.at + at) for piece in pieces]


def _between(fields: list[Piece], data: bytes, start: int, end: int, header_len: int | None) -> list[Piece]:
    """The body, or bytes that cannot be told."""
    if header_len is None:
        return [Piece("…", "", start, data[start:end], "not read")]
    if start < header_len < end:
        return _between(fields, data, start, header_len, header_len) + _between(
            fields, data, header_len, end, header_len
        )
    if start < header_len:
        return [Piece("header", "", start, data[start:end], "")]
    peeked = [replace(piece, inner=True) for piece in fields if piece.region == "body"]
    return [
        Piece("body", f"{end - start} bytes", start, data[start:end], _text(data[start:end]), region="body"),
        *peeked,
    ]


def _text(data: bytes) -> str:
    """Bytes as text, if they are one for the most part."""
    shown = data[: ROW_LEN * MAX_ROWS]
    good = sum(0x20 <= byte < 0x7F for byte in shown)
    return shown.decode("ascii", "replace").replace("\ufffd", "·") if good * 4 >= len(shown) * 3 else ""


def _row(part: Part) -> dict[str, Any]:
    row: dict[str, Any] = {"offset": part.at, **part.facts}
    row["fields"] = [
        {
            "name": piece.name,
            "type": piece.type,
            "offset": piece.at,
            "len": len(piece.data),
            "hex": piece.data[: ROW_LEN * MAX_ROWS].hex(),
            "value": piece.value,
            "inner": piece.inner,
            "region": piece.region,
        }
        for piece in part.pieces
    ]
    if part.error is not None:
        row["error"] = {"code": part.error.code, "reason": part.error.reason, "offset": part.error.offset}
    if part.missing:
        row["missing"] = part.missing
    return row


def _show(console: Console, number: int, part: Part) -> None:
    facts = part.facts
    if facts:
        title = f"Frame {number} at {part.at}: {facts['kind']}"
        if facts["request_id"] is not None:
            title += f", request id {facts['request_id']}"
        if facts["stream_id"] is not None:
            title += f", stream id {facts['stream_id']}"
        title += f", {facts['frame_len']} bytes ({facts['header_len']} of them header)"
    elif part.error is not None:
        title = f"Broken at {part.error.offset}"
    else:
        title = f"The front of a frame at {part.at}"
    console.print(Text(clean(title), style="bold"))
    console.print(_dump(part))
    if part.error is not None:
        told = f"broken at {part.error.offset}: {part.error.reason} [{part.error.protocol}.{part.error.code}]"
        console.print(Text(clean(told), style="bold red"), soft_wrap=True)
    if part.missing:
        more = f"{part.missing} more {'byte is' if part.missing == 1 else 'bytes are'} needed, at least"
        console.print(Text(more, style="bold yellow"))
    if facts:
        grid = Table(box=None, pad_edge=False, show_header=False)
        grid.add_column(style="bold", overflow="fold")
        grid.add_column(overflow="fold")
        for key, value in facts["metadata"].items():
            grid.add_row(Text(clean(key)), Text(clean(str(value))))
        for what, reply in facts["replies"].items():
            label = "no reply" if what == "none" else f"reply: {what}"
            grid.add_row(label, Text(clean(reply if len(reply) <= 256 else f"{reply[:256]}…")))
        console.print(grid)
    console.print()


def _dump(part: Part) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Offset", justify="right")
    table.add_column("Bytes", no_wrap=True, min_width=3 * ROW_LEN - 1)
    for header in ("Field", "Type", "Value"):
        table.add_column(header, overflow="fold")
    wrong = None if part.error is None else part.error.offset
    marked = False
    for piece in part.pieces:
        hit = wrong is not None and not piece.inner and piece.at <= wrong < piece.at + max(len(piece.data), 1)
        hit = hit and not marked
        marked |= hit
        name = Text(("  " if piece.inner else "") + clean(piece.name))
        bits = piece.inner and piece.type.startswith("bit")
        offset = "" if bits else str(piece.at)
        value = Text(clean(_short(piece)))
        if hit:
            value.append("  ◀ here", style="bold red")
        style = "red" if hit else "dim" if piece.region == "" else ""
        dump = Text() if bits else _bytes(piece, wrong if hit else None)
        table.add_row(offset, dump, name, Text(piece.type), value, style=style)
    if wrong is not None and not marked:
        table.add_row(str(wrong), "", "", "", Text("◀ here", style="bold red"))
    return table


def _short(piece: Piece) -> str:
    """The value, without what the bytes say already."""
    if piece.type == "bytes" and piece.value == piece.data.hex():
        return _text(piece.data)
    return piece.value if len(piece.value) <= VALUE_LEN else f"{piece.value[:VALUE_LEN]}…"


def _bytes(piece: Piece, wrong: int | None) -> Text:
    """Hex in lines, with the byte marked that is wrong."""
    text = Text()
    for index, byte in enumerate(piece.data[: ROW_LEN * MAX_ROWS]):
        if index:
            text.append("\n" if index % ROW_LEN == 0 else " ")
        text.append(f"{byte:02x}", style="reverse bold" if piece.at + index == wrong else "")
    rest = len(piece.data) - ROW_LEN * MAX_ROWS
    if rest > 0:
        text.append(f"\n… {rest} more")
    return text
