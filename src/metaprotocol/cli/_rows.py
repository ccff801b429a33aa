"""Where rows go: standard output as JSON lines or as a table, or a file."""

from __future__ import annotations

import json
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment, Segments
from rich.style import Style

from metaprotocol.cli._terminal import Failure, clean, usage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from metaprotocol import _native

__all__ = ["FileSink", "JsonSink", "NoRows", "TableSink"]

BATCH_ROWS = 64 << 10
"""Rows in a record batch of a file."""
MEASURED_ROWS = 200
"""Rows that decide how wide the columns of a table are."""


class NoRows:
    """Rows are counted only."""

    kind = "none"

    def open(self) -> None:
        """There is nothing to open."""

    def take(self, decoder: _native.CaptureDecoder) -> None:
        """There are none."""

    def close(self) -> None:
        """Nothing is open."""


class JsonSink:
    """JSON lines to a byte stream."""

    kind = "json"

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def open(self) -> None:
        """The stream is open."""

    def take(self, decoder: _native.CaptureDecoder) -> None:
        """Write the rows on; whoever reads a followed file wants them now."""
        rows = decoder.take_json()
        if rows:
            self._stream.write(rows)
            self._stream.flush()

    def close(self) -> None:
        """The stream is not ours to close."""


class FileSink:
    """A file of JSON lines, or of record batches."""

    def __init__(self, path: Path, *, kind: str) -> None:
        self.kind = kind
        self._path = path
        self._file: IO[bytes] | None = None
        self._arrow: Any = None
        self._writer: Any = None
        self._decoder: _native.CaptureDecoder | None = None

    @classmethod
    def named(cls, path: Path) -> FileSink:
        """A sink for the format that the file's name says; the file itself is not touched before `open`.

        Raises:
            Failure: If the name says none, or pyarrow is needed and not there.
        """
        if path.suffix == ".jsonl":
            sink = cls(path, kind="json")
        elif path.suffix in {".arrow", ".parquet"}:
            sink = cls(path, kind="columns")
            try:
                sink._arrow = import_module("pyarrow")
            except ImportError:
                raise Failure(f"writing {path.suffix} files needs pyarrow: pip install 'metaprotocol[arrow]'") from None
        else:
            usage(f"--out {path}: the name must end in .arrow, .parquet or .jsonl, which tells the format")
        return sink

    def open(self) -> None:
        """Create the file, or empty it.

        Raises:
            Failure: If it cannot be written.
        """
        try:
            self._file = self._path.open("wb")
        except OSError as error:
            raise Failure(f"{self._path}: {error.strerror or error}") from None

    def take(self, decoder: _native.CaptureDecoder) -> None:
        """Write JSON as it comes, record batches when they are worth it."""
        if self._file is None:
            return
        self._decoder = decoder
        try:
            if self.kind == "json":
                self._file.write(decoder.take_json())
            elif decoder.batch_rows >= BATCH_ROWS:
                self._write(decoder)
        except OSError as error:
            raise Failure(f"{self._path}: {error.strerror or error}") from None

    def _write(self, decoder: _native.CaptureDecoder) -> None:
        batch = self._arrow.record_batch(decoder.take_batch())
        if self._writer is None:
            if self._path.suffix == ".parquet":
                parquet = import_module("pyarrow.parquet")
                self._writer = parquet.ParquetWriter(self._file, batch.schema, compression="zstd")
            else:
                self._writer = self._arrow.ipc.new_file(self._file, batch.schema)
        self._writer.write_batch(batch)

    def close(self) -> None:
        """Write what is left, and the end of the file."""
        if self._file is None:
            return
        try:
            if self.kind == "columns" and self._decoder is not None:
                self._write(self._decoder)
            if self._writer is not None:
                self._writer.close()
            self._file.close()
        except OSError as error:
            raise Failure(f"{self._path}: {error.strerror or error}") from None
        self._file = None


_PLAIN = Style()
_STYLES = {
    "error": Style(color="red"),
    "malformed": Style(color="red", bold=True),
    "incomplete": Style(color="red"),
    "gap": Style(color="yellow"),
    "unanswered": Style(color="yellow"),
    "heartbeat": Style(dim=True),
    "control": Style(dim=True),
}
_HEADER = Style(bold=True)

RIGHT = {"latency", "request", "response", "id"}
"""Columns of numbers."""
LEAST = {"service": 16, "error": 20, "connection": 24, "method": 12, "id": 8}
"""Columns that may be cut, and to how many cells. Chosen metadata keys may be, too."""
LEAST_KEY = 10
DROPPED = ("id", "protocol", "request", "response", "connection", "error", "time", "latency", "service")
"""Columns that go, one by one, where a terminal is too narrow for all."""
GUTTER = 2


def _bytes(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


class TableSink:
    """A table whose column widths are settled by its first rows, so that it can be streamed.

    Rows wait until there are enough to measure, or the input ends or pauses.
    """

    kind = "json"

    def __init__(self, console: Console, keys: Sequence[str], *, follow: bool) -> None:
        self._console = console
        self._keys = tuple(keys)
        self._follow = follow
        self._waiting: list[dict[str, Any]] = []
        self._widths: dict[str, int] | None = None

    def open(self) -> None:
        """The console is open."""

    def take(self, decoder: _native.CaptureDecoder) -> None:
        """Show the rows, if the widths can be settled."""
        rows = decoder.take_json()
        if not rows:
            return
        self._waiting += [json.loads(line) for line in rows.splitlines()]
        if self._follow or self._widths is not None or len(self._waiting) >= MEASURED_ROWS:
            self._show()

    def close(self) -> None:
        """Show what waits."""
        self._show()

    def _cells(self, row: dict[str, Any]) -> dict[str, str]:
        kind = row["kind"]
        outcome = row.get("outcome", "")
        latency = row.get("latency_ms")
        ends = [row[end] for end in ("client", "server") if end in row]
        text = row.get("error") or row.get("broken") or ""
        cells = {
            "time": row["time"][11:26] if "time" in row else "",
            "connection": " → ".join(ends) or f"stream {row['connection']}",
            "protocol": row["protocol"],
            "id": str(row.get("request_id", "")),
            "service": row.get("service", ""),
            "method": row.get("method", ""),
            "outcome": outcome if kind == "call" else " ".join(filter(None, (kind, outcome))),
            "latency": "" if latency is None else f"{latency:,.3f} ms",
            "request": _bytes(row.get("request_bytes")),
            "response": _bytes(row.get("response_bytes")),
        }
        metadata = {**row.get("response_metadata", {}), **row.get("metadata", {})}
        for key in self._keys:
            cells[f"key {key}"] = str(metadata.get(key, ""))
        # Stack traces are for the JSON lines.
        cells["error"] = text.split("\n", 1)[0]
        return {name: clean(value) for name, value in cells.items()}

    def _show(self) -> None:
        rows, self._waiting = self._waiting, []
        if not rows:
            return
        cells = [self._cells(row) for row in rows]
        segments: list[Segment] = []
        if self._widths is None:
            self._widths = self._measure(cells)
            header = {name: name.removeprefix("key ").capitalize() for name in self._widths}
            header |= {f"key {key}": key for key in self._keys}
            self._line(segments, header, _HEADER)
        for row, values in zip(rows, cells, strict=True):
            style = _STYLES.get(row.get("outcome", "")) or _STYLES.get(row["kind"]) or _PLAIN
            self._line(segments, values, style)
        self._console.print(Segments(segments), end="", soft_wrap=True)

    def _measure(self, cells: list[dict[str, str]]) -> dict[str, int]:
        """The width of each column that has anything to show; the widest are cut until the line fits."""
        widths = {}
        for name in cells[0]:
            widest = max(cell_len(row[name]) for row in cells)
            if widest or name.startswith("key "):
                widths[name] = max(widest, cell_len(name.removeprefix("key ")))
        for dropped in (None, *DROPPED):
            widths.pop(dropped or "", None)
            room = self._console.width - GUTTER * (len(widths) - 1)
            if _shrink(widths, room):
                break
        return widths

    def _line(self, segments: list[Segment], values: dict[str, str], style: Style) -> None:
        assert self._widths is not None  # noqa: S101 - set before the first line
        parts = []
        for name, width in self._widths.items():
            # The end of a qualified name tells more than its beginning.
            text = _cut(values[name], width, keep_end=name == "service")
            padding = " " * (width - cell_len(text))
            parts.append(padding + text if name in RIGHT else text + padding)
        segments.append(Segment("  ".join(parts).rstrip(), style))
        segments.append(Segment.line())


def _shrink(widths: dict[str, int], room: int) -> bool:
    """Cut the widest columns until all fit; False if they cannot."""
    least = {name: LEAST.get(name, LEAST_KEY) for name in widths if name in LEAST or name.startswith("key ")}
    if sum(min(width, least.get(name, width)) for name, width in widths.items()) > room:
        return False
    while (over := sum(widths.values()) - room) > 0:
        can = {name: widths[name] - least[name] for name in least if widths[name] > least[name]}
        name = max(can, key=lambda name: widths[name])
        second = max((widths[other] for other in can if other != name), default=0)
        widths[name] -= max(1, min(can[name], over, widths[name] - second))
    return True


def _cut(text: str, width: int, *, keep_end: bool) -> str:
    if cell_len(text) <= width:
        return text
    if keep_end:
        return "…" + set_cell_size(text[::-1], width - 1)[::-1]
    return set_cell_size(text, width - 1) + "…"
