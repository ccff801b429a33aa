"""`metaprotocol codec check`: compiles descriptions, and shows what is wrong in them where it stands."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.cells import cell_len
from rich.text import Text

from metaprotocol.cli._description import facts, header_size
from metaprotocol.cli._terminal import clean, output, wants_table
from metaprotocol.errors import CodecSpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

__all__ = ["run"]

_native: Any = import_module("metaprotocol._native")

WORD = re.compile(r'"[^"]*"|\'[^\']*\'|[\w.]+|\S')
"""What a caret underlines: a text in quotes, a word, or one sign."""


def run(paths: Sequence[str], show: str) -> int:
    """Compile each file; the exit code is 1 if there is a mistake in one, or it cannot be read."""
    wrong = 0
    table = wants_table(show)
    console = output()
    for path in paths:
        try:
            text = Path(path.partition("?")[0]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            wrong += 1
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            if table:
                console.print(Text.assemble((clean(path), "bold"), ": ", (clean(f"cannot be read: {reason}"), "red")))
            else:
                _line({"path": path, "ok": False, "reason": f"cannot be read: {reason}"})
            continue
        try:
            layout = json.loads(_native.compile_codec(text, path).layout())
        except CodecSpecError as error:
            wrong += 1
            mistakes = (error, *error.others)
            if table:
                _explain(console, path, text, mistakes)
            else:
                for mistake in mistakes:
                    _line({"path": path, "ok": False, **_mistake(mistake)})
        else:
            if table:
                console.print(_summary(path, layout), soft_wrap=True)
            else:
                _line({"path": path, "ok": True, **facts(layout)})
    return 1 if wrong else 0


def _line(row: dict[str, Any]) -> None:
    typer.echo(json.dumps(row, ensure_ascii=False))


def _mistake(mistake: CodecSpecError) -> dict[str, Any]:
    return {name: getattr(mistake, name) for name in ("line", "column", "field", "reason", "fix")}


def _summary(path: str, layout: dict[str, Any]) -> Text:
    told = facts(layout)
    name = f"{told['name']} ({told['summary']})" if told["summary"] else told["name"]
    keys = [key + ("*" if key in told["writable"] else "") for key in told["keys"]] + ["…"] * told["open_keys"]
    detects = {"never": "never detected", "constants": "detected by constants", "condition": "detected by a condition"}
    parts = [
        name,
        f"header {header_size(layout)}",
        f"keys {' '.join(keys)}" if keys else "no keys",
        f"replies to {' and '.join(told['replies'])}" if told["replies"] else "no replies",
        detects[told["detect"]],
        "split is fast" if told["fast"] else "split walks the header",
    ]
    return Text.assemble((clean(path), "bold"), ": ", ("ok", "bold green"), clean(f": {'; '.join(parts)}"))


def _explain(console: Console, path: str, text: str, mistakes: Sequence[CodecSpecError]) -> None:
    lines = text.split("\n")
    for mistake in mistakes:
        what = f"{mistake.field}: {mistake.reason}" if mistake.field else mistake.reason
        place = f"{path}:{mistake.line}:{mistake.column}: "
        console.print(Text.assemble((clean(place), "bold"), (clean(what), "red")), soft_wrap=True)
        source = lines[mistake.line - 1].rstrip("\r") if 0 < mistake.line <= len(lines) else ""
        _point(console, mistake.line, source, mistake.column)
        margin = " " * (len(str(mistake.line)) + 2)
        console.print(Text.assemble((f"{margin}= ", "blue"), clean(mistake.fix)), soft_wrap=True)
    count = len(mistakes)
    end = f"{count} {'mistake' if count == 1 else 'mistakes'} in {path}"
    console.print(Text(clean(end), style="bold red"), soft_wrap=True)


def _point(console: Console, line: int, source: str, column: int) -> None:
    """The line, and carets under the place in it; only what is around it, if the line is wider than the screen."""
    at = column - 1
    found = WORD.match(source, at)
    marked = found[0] if found else ""
    room = max(console.width - len(str(line)) - 5, 20)
    start = 0
    if cell_len(clean(source[: at + len(marked)])) > room:
        # Its end is what matters, with as much before it as there is room for.
        start = max(at - room // 2, 0)
    shown = clean(source[start:].replace("\t", " "))
    if start:
        shown = "…" + shown[1:]
    while cell_len(shown) > room:
        shown = shown[:-1]
    before = cell_len(clean(source[start:at].replace("\t", " ")))
    width = max(min(cell_len(clean(marked)), room - before), 1)
    number = str(line)
    console.print(Text.assemble((f" {number} | ", "blue"), shown), soft_wrap=True)
    margin = " " * (len(number) + 1)
    console.print(Text.assemble((f"{margin} | ", "blue"), " " * before, ("^" * width, "bold red")), soft_wrap=True)
