"""Markdown tables, as every benchmark prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def markdown(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table under its heading. The first column is text, as is one whose name begins with `<`; others are numbers."""
    names = [column.removeprefix("<") for column in columns]
    texts = [at == 0 or column.startswith("<") for at, column in enumerate(columns)]
    lines = [f"### {title}", "", row(names), "|" + "|".join("---" if text else "--:" for text in texts) + "|"]
    return "\n".join([*lines, *map(row, rows)])


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
