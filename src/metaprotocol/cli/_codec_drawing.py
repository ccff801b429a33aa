"""The layout of a description as rows of cells: what a drawing of it shows where, on a terminal and in SVG."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["WIDTHS", "Cell", "Row", "rows"]

WIDTHS = (16, 8, 4)
"""Bytes in a row, the widest first."""
PREFIX = re.compile(r"u(\d+)(?:le|be)? in front")


@dataclass(frozen=True)
class Cell:
    """Some bytes of a row.

    Attributes:
        start: Its first column.
        span: How many columns it takes; all, if it varies.
        name: The field.
        note: A second line: type and size; empty in those of a field's cells that are not its largest.
        role: `const`, `length`, `id`, `plain`, `body`, `trailer`.
        varies: Whether its size differs between frames.
        optional: Whether it is there under a condition only.
        rest: Whether it is one of the field's cells that are not its largest.
    """

    start: int
    span: int
    name: str
    note: str
    role: str
    varies: bool = False
    optional: bool = False
    rest: bool = False


@dataclass(frozen=True)
class Row:
    """Cells from the left; `offset` is that of the first, where it is the same in all frames."""

    offset: int | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class _Field:
    name: str
    type: str
    role: str
    size: int | None
    """None if it varies."""
    length: str = ""
    """How long it is then."""
    when: str = ""


def rows(layout: dict[str, Any], width: int) -> list[Row]:
    """The rows of a drawing with so many bytes in each."""
    drawing = _Drawing(width)
    for field in _fields(layout):
        drawing.add(field)
    return drawing.rows()


def _fields(layout: dict[str, Any]) -> list[_Field]:
    """Header, body, trailer; bits and parts are within fields, and peeked ones within the body."""
    sums = " ".join([*layout["frame"].values(), *(field.get("length", "") for field in layout["fields"])])
    lengths = set(re.findall(r"[A-Za-z_][\w.]*", sums))
    header: list[_Field] = []
    trailer: list[_Field] = []
    for field in layout["fields"]:
        if "bits" in field or "path" in field or "behind the header" in field["notes"]:
            continue
        length = field.get("length", "")
        prefix = PREFIX.fullmatch(length)
        when = f"if {field['when']}" if "when" in field else ""
        role = _role(field, lengths)
        if prefix:
            size = int(prefix[1]) // 8
            header.append(_Field(f"len({field['name']})", f"u{prefix[1]}", "length", size, when=when))
            length = f"len({field['name']})"
        if length and not length.startswith("up to") and not length.endswith("in front"):
            length += " elements" if field["type"] in ("array", "map") and not prefix else " bytes"
        if field["region"] == "trailer":
            trailer.append(_Field(field["name"], field["type"], role, field["width"]))
        else:
            header.append(_Field(field["name"], field["type"], role, field.get("width"), length, when))
    return [*header, _body(layout), *trailer]


def _role(field: dict[str, Any], lengths: set[str]) -> str:
    if any(note.startswith("always") for note in field["notes"]):
        return "const"
    if field["name"] in lengths:
        return "length"
    return "id" if {"request id", "stream id"} & set(field["notes"]) else "plain"


def _body(layout: dict[str, Any]) -> _Field:
    [(rule, value)] = layout["frame"].items()
    around = "the header" if not layout["trailer_len"] else f"the header and {layout['trailer_len']} bytes behind"
    length = {
        "body": f"{value} bytes",
        "length": f"{value} bytes, less {around}",
        "delimiter": f"the rest, up to {value!r}",
        "fixed": f"{value} bytes, less {around}",
    }[rule]
    return _Field("body", "", "body", None, length)


class _Drawing:
    def __init__(self, width: int) -> None:
        self._width = width
        self._rows: list[Row] = []
        self._cells: list[Cell] = []
        self._column = 0
        self._offset: int | None = 0
        """Of the row that is being filled."""

    def add(self, field: _Field) -> None:
        if field.size is None:
            self._flush()
            note = " · ".join(part for part in (field.type, field.length, field.when) if part)
            cell = Cell(0, self._width, field.name, note, field.role, varies=True, optional=bool(field.when))
            self._rows.append(Row(self._offset, (cell,)))
            self._offset = None
            return
        if self._column == self._width:
            self._flush()
        note = f"{field.type} · {field.size} bytes" if field.type in ("bytes", "string") else field.type
        if field.when:
            note += f" · {field.when}"
        for (start, span), named in self._spread(field.size):
            told = note if named else ""
            cell = Cell(start, span, field.name, told, field.role, optional=bool(field.when), rest=not named)
            self._place(cell)
        if field.when:
            self._flush()
            self._offset = None

    def _spread(self, size: int) -> list[tuple[tuple[int, int], bool]]:
        """Where the bytes of a field go, and in which of the places its name stands. Whole rows are drawn once."""
        places: list[tuple[int, int]] = []
        first = min(size, self._width - self._column)
        places.append((self._column, first))
        whole, last = divmod(size - first, self._width)
        if whole:
            places.append((0, self._width * whole))
        if last:
            places.append((0, last))
        largest = max(places, key=lambda place: place[1])
        return [(place, place is largest) for place in places]

    def _place(self, cell: Cell) -> None:
        if self._column == self._width:
            self._flush()
        rows_taken = -(-cell.span // self._width)
        shown = replace(cell, span=min(cell.span, self._width))
        self._cells.append(shown)
        self._column = shown.start + shown.span
        if rows_taken > 1 and self._offset is not None:
            self._flush()
            self._offset += self._width * (rows_taken - 1)

    def _flush(self) -> None:
        if not self._cells:
            return
        self._rows.append(Row(self._offset, tuple(self._cells)))
        if self._offset is not None:
            self._offset += self._column
        self._cells, self._column = [], 0

    def rows(self) -> list[Row]:
        self._flush()
        return self._rows
