"""The layout of a description as SVG: on a card of its own, readable on light and dark pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from metaprotocol.cli._codec_drawing import WIDTHS, rows
from metaprotocol.cli._terminal import clean

if TYPE_CHECKING:
    from metaprotocol.cli._codec_drawing import Cell, Row

__all__ = ["svg"]

TOTAL = 960
"""Width of the drawing in pixels."""
MARGIN, GUTTER, HEADING, ROW = 20, 44, 76, 46
NAME_WIDTH, NOTE_WIDTH = 7.3, 6.1
"""Pixels of a character, with a little air."""
ROLES = {"const": "constant", "length": "length", "id": "id", "plain": "field", "body": "body"}

STYLE = """
    .card { fill: #ffffff; stroke: #d0d7de; }
    text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1f2328; }
    .title { font-size: 16px; font-weight: 600; }
    .note, .ruler, .legend { font-size: 10px; fill: #59636e; }
    .name { font-size: 12px; font-weight: 600; }
    .middle { text-anchor: middle; }
    .end { text-anchor: end; }
    .cell { stroke: #8c959f; stroke-width: 1; }
    .optional { stroke-dasharray: 5 3; }
    .const { fill: #eaeef2; }
    .length { fill: #fff1d6; }
    .id { fill: #ddf4e4; }
    .plain { fill: #ddebfb; }
    .body { fill: #f3e8fd; }
    @media (prefers-color-scheme: dark) {
      .card { fill: #161b22; stroke: #30363d; }
      text { fill: #e6edf3; }
      .note, .ruler, .legend { fill: #9da7b1; }
      .cell { stroke: #6e7681; }
      .const { fill: #30363d; }
      .length { fill: #4d3a12; }
      .id { fill: #1b4429; }
      .plain { fill: #1c3a5e; }
      .body { fill: #3f2a56; }
    }
"""


def svg(layout: dict[str, Any], width: int | None) -> str:
    """A drawing of the layout; the same layout gives the same text."""
    bytes_wide, drawn = _chosen(layout, width)
    unit = (TOTAL - 2 * MARGIN - GUTTER) / bytes_wide
    left = MARGIN + GUTTER
    height = HEADING + ROW * len(drawn) + 44
    title = f"{layout['name']}: {layout['summary']}" if layout["summary"] else layout["name"]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{TOTAL}" height="{height}" '
        f'viewBox="0 0 {TOTAL} {height}" role="img">',
        f"  <title>{_text(title)}</title>",
        f"  <style>{STYLE}  </style>",
        f'  <rect class="card" x="0.5" y="0.5" width="{TOTAL - 1}" height="{height - 1}" rx="8"/>',
        f'  <text class="title" x="{MARGIN}" y="32">{_text(title)}</text>',
    ]
    for column in range(bytes_wide):
        x = left + unit * (column + 0.5)
        parts.append(f'  <text class="ruler middle" x="{x:.1f}" y="{HEADING - 8}">{column}</text>')
    for index, row in enumerate(drawn):
        y = HEADING + ROW * index
        offset = "…" if row.offset is None else str(row.offset)
        parts.append(f'  <text class="ruler end" x="{left - 8}" y="{y + ROW / 2 + 4:.0f}">{offset}</text>')
        for cell in row.cells:
            parts += _cell(cell, left + unit * cell.start, y, unit * cell.span)
    parts += _legend(drawn, left, HEADING + ROW * len(drawn) + 20)
    parts.append("</svg>\n")
    return "\n".join(parts)


def _chosen(layout: dict[str, Any], width: int | None) -> tuple[int, list[Row]]:
    """As many bytes in a row as leave room for the names."""
    for candidate in (width,) if width is not None else WIDTHS:
        drawn = rows(layout, candidate)
        unit = (TOTAL - 2 * MARGIN - GUTTER) / candidate
        cells = [cell for row in drawn for cell in row.cells if not cell.rest]
        if all(len(cell.name) * NAME_WIDTH + 8 <= unit * cell.span for cell in cells):
            break
    return candidate, drawn


def _cell(cell: Cell, x: float, y: int, wide: float) -> list[str]:
    style = f"cell {cell.role}" + (" optional" if cell.optional else "")
    if cell.varies:
        # Both ends are torn: it is as long as it is.
        right, wave = x + wide, ROW / 4
        steps = [(-4, wave), (4, wave), (-4, wave), (4, wave)]
        down = " ".join(f"l{dx},{dy:.1f}" for dx, dy in steps)
        up = " ".join(f"l{dx},{-dy:.1f}" for dx, dy in steps)
        shape = f'<path class="{style}" d="M{x:.1f},{y} H{right:.1f} {down} H{x:.1f} {up} Z"/>'
    else:
        shape = f'<rect class="{style}" x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{ROW}"/>'
    parts = [f"  {shape}"]
    middle = x + wide / 2
    if not cell.rest:
        name = _cut(cell.name, wide, NAME_WIDTH)
        note = _cut(cell.note, wide, NOTE_WIDTH)
        baseline = y + (20 if note else 27)
        parts.append(f'  <text class="name middle" x="{middle:.1f}" y="{baseline}">{_text(name)}</text>')
        if note:
            parts.append(f'  <text class="note middle" x="{middle:.1f}" y="{y + 35}">{_text(note)}</text>')
    else:
        rest = _cut(f"… {cell.name}", wide, NOTE_WIDTH)
        parts.append(f'  <text class="note middle" x="{middle:.1f}" y="{y + 27}">{_text(rest)}</text>')
    return parts


def _legend(drawn: list[Row], left: float, y: int) -> list[str]:
    cells = [cell for row in drawn for cell in row.cells]
    parts = []
    x = left
    shown = [(role, label, "") for role, label in ROLES.items() if any(cell.role == role for cell in cells)]
    if any(cell.optional for cell in cells):
        shown.append(("plain", "there under a condition", " optional"))
    for role, label, more in shown:
        parts.append(f'  <rect class="cell {role}{more}" x="{x:.1f}" y="{y - 9}" width="16" height="11"/>')
        parts.append(f'  <text class="legend" x="{x + 22:.1f}" y="{y}">{label}</text>')
        x += 22 + len(label) * NOTE_WIDTH + 24
    return parts


def _cut(text: str, wide: float, character: float) -> str:
    room = max(int((wide - 6) / character), 1)
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _text(text: str) -> str:
    return escape(clean(text))
