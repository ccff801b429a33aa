"""`metaprotocol codec show`: the layout of a described codec, drawn, with its rules, keys and replies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer
from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

from metaprotocol.cli._codec_drawing import WIDTHS, rows
from metaprotocol.cli._codec_svg import svg
from metaprotocol.cli._description import load
from metaprotocol.cli._terminal import Failure, clean, output, wants_table

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from metaprotocol.cli._codec_drawing import Cell, Row

__all__ = ["run"]

CELL = 18
"""Columns of the screen for a byte, at most."""


def run(name: str, out: Path | None, width: int | None, show: str) -> None:
    """Show the layout, and write it as SVG if that is asked for.

    Raises:
        Failure: If there is no such codec, or it has no layout, or the file cannot be written.
    """
    codec, layout = load(name)
    if layout is None:
        raise Failure(
            f"{codec.name} is not made of a description, so there is no layout to show; `metaprotocol codecs "
            f"{codec.name}` lists its keys"
        )
    if out is not None:
        try:
            out.write_text(svg(layout, width), encoding="utf-8")
        except OSError as error:
            raise Failure(f"{out}: {error.strerror or error}") from None
    if not wants_table(show):
        typer.echo(json.dumps(layout, ensure_ascii=False))
        return
    console = output()
    title = f"{layout['name']}: {layout['summary']}" if layout["summary"] else layout["name"]
    console.print(Text(clean(title), style="bold"))
    for line in draw(layout, console.width, width):
        console.print(Text(line), soft_wrap=True)
    console.print()
    console.print(_fields(layout))
    console.print()
    console.print(_rules(layout))
    _keys(console, layout)


def draw(layout: dict[str, Any], room: int, width: int | None) -> list[str]:
    """The lines of the drawing for a screen of so many columns."""
    for candidate in (width,) if width is not None else WIDTHS:
        drawn = rows(layout, candidate)
        margin = max(len(_offset(row)) for row in drawn) + 1
        cell = max(min((room - margin - 1) // candidate, CELL), 2)
        fits = all(cell_len(clean(one.name)) < cell * one.span for row in drawn for one in row.cells if not one.rest)
        if fits:
            break
    total = cell * candidate
    ruler = "".join(str(byte).center(cell) for byte in range(candidate))
    lines = [" " * (margin + 1) + ruler.rstrip()]
    edges: list[set[int]] = [
        {x * cell for one in row.cells for x in (one.start, one.start + one.span)} for row in drawn
    ]
    covered = [range(max(edge) + 1) for edge in edges]
    for index, row in enumerate(drawn):
        above = (edges[index - 1], covered[index - 1]) if index else (set(), range(0))
        lines.append(" " * margin + _border(total, above, (edges[index], covered[index])))
        for which in ("name", "note"):
            texts = [
                (one, f"… {one.name}" if one.rest and which == "name" else getattr(one, which)) for one in row.cells
            ]
            label = _offset(row) if which == "name" else ""
            body = "".join(
                _fit(clean(text), cell * one.span - 1) + (_edge(one) if one is not row.cells[-1] else "")
                for one, text in texts
            )
            first, last = _edge(row.cells[0]), _edge(row.cells[-1])
            lines.append(f"{label:>{margin - 1}} {first}{body}{last}")
    lines.append(" " * margin + _border(total, (edges[-1], covered[-1]), (set(), range(0))))
    return lines


def _edge(cell: Cell) -> str:
    return "≈" if cell.varies else "┆" if cell.optional else "│"


def _offset(row: Row) -> str:
    return "…" if row.offset is None else str(row.offset)


def _fit(text: str, room: int) -> str:
    if cell_len(text) > room:
        text = set_cell_size(text, max(room - 1, 0)) + "…" if room else ""
    left = (room - cell_len(text)) // 2
    return " " * left + text + " " * (room - cell_len(text) - left)


CORNERS = {
    (False, True, False, True): "┌",
    (False, True, True, False): "┐",
    (True, False, False, True): "└",
    (True, False, True, False): "┘",
    (True, True, False, True): "├",
    (True, True, True, False): "┤",
    (False, True, True, True): "┬",
    (True, False, True, True): "┴",
    (True, True, True, True): "┼",
    (False, False, True, True): "─",
}
"""By what leads away: up, down, left, right."""


def _border(total: int, above: tuple[set[int], range], below: tuple[set[int], range]) -> str:
    end = max(above[1].stop, below[1].stop) - 1
    columns = range(min(total, end) + 1)
    return "".join(CORNERS.get((x in above[0], x in below[0], x > 0, x < end), "─") for x in columns)


def _fields(layout: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Offset", justify="right", no_wrap=True)
    for header in ("Size", "Field", "Type", "Holds"):
        table.add_column(header, overflow="fold")
    for field in layout["fields"]:
        inner = "bits" in field or "path" in field
        if "from_end" in field:
            offset = f"end - {field['from_end']}"
        else:
            offset = str(field["offset"]) if "offset" in field and not inner else "" if inner else "…"
        size = "" if inner else str(field.get("width", field.get("length", "")))
        holds = [field.get("about", ""), *field["notes"]]
        if "path" in field:
            holds.append(f"path {field['path']}")
        if "when" in field:
            holds.append(f"if {field['when']}")
        told = "; ".join(part for part in holds if part)
        name = ("  " if inner else "") + field["name"]
        table.add_row(offset, *(Text(clean(part)) for part in (size, name, field["type"], told)))
    return table


def _rules(layout: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    [(rule, value)] = layout["frame"].items()
    meaning = {
        "body": f"header and trailer, and {value} bytes between them",
        "length": f"{value} bytes, from its first on",
        "delimiter": f"up to and with {value!r}",
        "fixed": f"always {value} bytes",
    }
    facts = [("Frame", meaning[rule])]
    if "max_frame_len" in layout:
        facts.append(("Longest", f"{layout['max_frame_len']:,} bytes"))
    kinds = [
        f"{kind['is']} if {kind['when']}" if "when" in kind else f"{kind['is']} otherwise" for kind in layout["kinds"]
    ]
    if len(layout["kinds"]) == 1 and "when" not in layout["kinds"][0]:
        kinds = [layout["kinds"][0]["is"]]
    facts.append(("Kinds", "\n".join(kinds)))
    pairs = {
        "id": "by request id",
        "order": "by order: answers come in the order of the requests",
        "stream": "by stream id",
        "none": "not at all",
    }
    facts.append(("Pairs", pairs[layout["pair_by"]]))
    facts.append(("Sharing", layout["sharing"]))
    detects = {"never": "never", "constants": "by constants", "condition": "by a condition"}
    facts.append(("Detected", detects[layout["detect"]]))
    facts.append(("Told", "when the whole frame is in" if layout["needs_whole_frame"] else "when the header is in"))
    for kind in ("error", "heartbeat"):
        for reply in layout["replies"][kind]:
            said = ["the request's header" if reply["copies_header"] else "a header of zeros"]
            if reply["sets"]:
                said.append(f"sets {', '.join(reply['sets'])}")
            if reply["codes"]:
                said.append(f"codes {_codes(reply['codes'])}")
            facts.append((f"Reply to {'errors' if kind == 'error' else 'heartbeats'}", "; ".join(said)))
    if not layout["replies"]["error"] and not layout["replies"]["heartbeat"]:
        facts.append(("Replies", "none"))
    for label, told in facts:
        table.add_row(label, Text(_lines(told)))
    return table


def _codes(codes: dict[str, int]) -> str:
    """Codes by error type, the most common one said once."""
    values = list(codes.values())
    common = max(values, key=values.count)
    if values.count(common) < 3:
        return ", ".join(f"{name} {code}" for name, code in codes.items())
    named = [f"{name} {code}" for name, code in codes.items() if code != common]
    return ", ".join([*named, f"others {common}" if named else str(common)])


def _lines(text: str) -> str:
    """As `clean`, of a text in lines of our own."""
    return "\n".join(clean(line) for line in text.split("\n"))


def _keys(console: Console, layout: dict[str, Any]) -> None:
    if not layout["keys"] and not layout["open_keys"]:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in ("Key", "Writable", "Number", "Holds"):
        table.add_column(header, overflow="fold")
    for key in layout["keys"]:
        table.add_row(
            Text(clean(key["name"])),
            "yes" if key["writable"] else "",
            "yes" if key["number"] else "",
            Text(clean(key["about"])),
        )
    if layout["open_keys"]:
        table.add_row("*", "yes", "", "any key of the frame's own")
    console.print()
    console.print(table)
