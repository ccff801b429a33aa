"""What a decoded input held, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

import metaprotocol
from metaprotocol.cli._terminal import clean, errors

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["broken", "note", "notes", "show"]

METHODS_SHOWN = 50


def _count(number: int, noun: str) -> str:
    plural = noun if number == 1 else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {plural}"


def _millis(value: float | None) -> str:
    return "" if value is None else f"{value:,.3f}"


def show(console: Console, summary: dict[str, Any]) -> None:
    """Totals, and a table by method."""
    protocols = ", ".join(
        f"{name} on {_count(count, 'stream')}" for name, count in summary["streams_by_protocol"].items()
    )
    facts = [_count(summary["calls"], "call")]
    for key, what in (
        ("errors", "with errors"),
        ("unanswered", "unanswered"),
        ("oneways", "one-way"),
        ("unasked", "responses without request"),
        ("heartbeats", "heartbeats"),
        ("other_frames", "other frames"),
    ):
        if summary[key]:
            facts.append(f"{summary[key]:,} {what}")
    line = Text(", ".join(facts), style="bold")
    if protocols:
        line.append(f"  ({protocols})", style="not bold")
    console.print()
    console.print(line)
    methods = summary["methods"]
    if not methods:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in ("Protocol", "Service", "Method"):
        table.add_column(header, overflow="fold")
    for header in ("Calls", "Errors", "Unanswered", "One-way", "p50 ms", "p90 ms", "p99 ms", "max ms"):
        table.add_column(header, justify="right", no_wrap=True)
    for method in methods[:METHODS_SHOWN]:
        latency = method.get("latency_ms", {})
        table.add_row(
            Text(method["protocol"]),
            Text(clean(method.get("service", ""))),
            Text(clean(method.get("method", ""))),
            *(f"{method[key]:,}" if method[key] else "" for key in ("calls", "errors", "unanswered", "oneways")),
            *(_millis(latency.get(key)) for key in ("p50", "p90", "p99", "max")),
            style="red" if method["errors"] else "",
        )
    console.print(table)
    if len(methods) > METHODS_SHOWN:
        console.print(f"… and {_count(len(methods) - METHODS_SHOWN, 'method')} more (--summary in a pipe gives all)")


def broken(summary: dict[str, Any]) -> str:
    """What was broken, missing or cut, in words; empty if nothing was."""
    parts = [f"{_count(summary[key], 'frame')} {key}" for key in ("malformed", "incomplete") if summary[key]]
    if summary["gaps"]:
        parts.append(f"{_count(summary['gaps'], 'gap')} in the capture ({_count(summary['gap_bytes'], 'byte')})")
    if summary["skipped_bytes"]:
        parts.append(f"{_count(summary['skipped_bytes'], 'byte')} of no frame")
    if "cut_record_offset" in summary:
        parts.append(f"the last packet record, at file offset {summary['cut_record_offset']:,}, is cut")
    return ", ".join(parts)


def note(text: str) -> None:
    """What the user should know, on standard error."""
    errors().print(Text.assemble(("metaprotocol: ", "bold yellow"), clean(text)))


def notes(console: Console, file: str, summary: dict[str, Any]) -> None:
    """What the user should know about what could not be shown."""
    lines = []
    damage = broken(summary)
    if damage:
        lines.append(damage)
    unwanted = summary["unrecognised_streams"]
    if unwanted:
        size = _count(summary["unrecognised_bytes"], "byte")
        line = f"{_count(unwanted, 'stream')} of no known protocol skipped ({size})"
        if not summary["streams_by_protocol"]:
            line += f"; --protocol says what it is: {', '.join(metaprotocol.list_codecs())}"
        lines.append(line)
    if summary["cut_metadata"]:
        lines.append(f"the metadata of {_count(summary['cut_metadata'], 'row')} is cut: it was too long to keep")
    if not unwanted and not summary["streams_by_protocol"]:
        packets = summary.get("packets", 0)
        lines.append(
            f"no bytes of a TCP stream in {_count(packets, 'packet')}" if packets else "there is nothing in it"
        )
    name = "standard input" if file == "-" else file
    for line in lines:
        console.print(Text.assemble(("metaprotocol: ", "bold yellow"), clean(f"{name}: {line}")))
