"""`metaprotocol replay`: the requests of a capture once more, to a server of one's choice."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

import metaprotocol
from metaprotocol._native import Condition
from metaprotocol.captures import Conversation, read_conversations
from metaprotocol.cli import _replay_diff
from metaprotocol.cli._calls import failed, shown_id
from metaprotocol.cli._codec import codec_of
from metaprotocol.cli._replay_plan import Call, Plan, plan
from metaprotocol.cli._replay_wire import Counts, Target, send_all
from metaprotocol.cli._terminal import Failure, clean, errors, output, usage, wants_table
from metaprotocol.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

__all__ = ["Request", "run"]

DIFFERENT = 1
PERCENTILES = (50, 90, 99)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for."""

    file: str
    to: str
    protocol: str | None = None
    codec: str | None = None
    speed: str = "1x"
    connections: str = "as-captured"
    diff: bool = False
    ignore: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    limit: int | None = None
    timeout: float = 5.0
    show: str = "auto"
    quiet: bool = False


def run(request: Request) -> None:
    """Replay a capture.

    Raises:
        Failure: If it cannot be read, nothing in it can be replayed, the server cannot be reached, or, with `diff`, an
            answer is missing or differs from the captured one.
    """
    host, port = _address(request.to)
    target = Target(host, port, _speed(request.speed), _connections(request.connections), request.timeout)
    conditions = _conditions(request.where)
    conversations = _read(request)
    work = plan(conversations, conditions, request.limit)
    _check(request, work, target)
    with _progress(request, len(work.calls)) as progress:
        counts = asyncio.run(send_all(work, target, progress))
    _report(request, work, counts)


def _address(to: str) -> tuple[str, int]:
    host, _, port = to.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
        usage(f"--to {to}: expected HOST:PORT, such as 127.0.0.1:9090 or [::1]:9090")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _speed(speed: str) -> float | None:
    if speed == "max":
        return None
    try:
        factor = float(speed.removesuffix("x"))
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        usage(f"--speed {speed}: expected max, or how many times as fast as captured, such as 1x, 0.5x or 10x")
    return factor


def _connections(connections: str) -> int | None:
    if connections == "as-captured":
        return None
    if not connections.isascii() or not connections.isdigit() or int(connections) == 0:
        usage(f"--connections {connections}: expected as-captured, or a number")
    return int(connections)


def _conditions(where: tuple[str, ...]) -> list[Condition]:
    try:
        return [Condition(text) for text in where]
    except ValueError as error:
        usage(str(error))


def _read(request: Request) -> list[Conversation]:
    codecs = None
    if request.protocol is not None and request.codec is not None:
        usage("--protocol names a codec and --codec brings one: give one of them")
    name = request.protocol if request.codec is None else request.codec
    if name is not None:
        codecs = [codec_of(name)]
    try:
        return read_conversations(request.file, codecs=codecs)
    except CaptureError as error:
        raise Failure(f"{request.file}: {error}") from None
    except OSError as error:
        raise Failure(f"{request.file}: {error.strerror or error}") from None


def _check(request: Request, work: Plan, target: Target) -> None:
    """Refuse what cannot be done, and say what will not be."""
    notes = errors()
    reasons = Counter(skipped.why for skipped in work.skipped)
    if not work.calls:
        why = "; ".join(f"{why} ({count:,} connection{'s' if count > 1 else ''})" for why, count in reasons.items())
        if request.where and not reasons:
            why = "no request meets --where"
        raise Failure(f"{request.file}: nothing can be replayed: {why or 'the capture has no requests'}")
    protocols = sorted({call.codec.name for call in work.calls})
    if len(protocols) > 1:
        usage(
            f"{request.file} has calls of several protocols ({', '.join(protocols)}), and one server speaks one: "
            "choose with --protocol"
        )
    if target.connections is not None and not all(
        isinstance(call.request.request_id, int) or call.codec.pair_by is metaprotocol.PairBy.ORDER
        for call in work.calls
    ):
        usage(
            f"--connections {target.connections}: the request ids of {protocols[0]} are no numbers, so they cannot be "
            "made unique on a shared connection; leave it at as-captured"
        )
    if request.quiet:
        return
    for skipped in work.skipped:
        line = f"skipped connection {skipped.connection} ({skipped.client} → {skipped.server}): {skipped.why}"
        notes.print(Text(clean(line), style="yellow"))
    servers = sorted({call.server for call in work.calls})
    if len(servers) > 1:
        line = f"the calls were made to {len(servers)} servers ({', '.join(servers)}); all go to {request.to} now"
        notes.print(Text(clean(line), style="yellow"))


@contextmanager
def _progress(request: Request, total: int) -> Iterator[Callable[[], None]]:
    console = errors()
    if request.quiet or not console.is_terminal:
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def _percentiles(values: list[float]) -> dict[str, float]:
    """Nearest-rank percentiles and the greatest, in the unit of the values."""
    if not values:
        return {}
    ordered = sorted(values)
    ranks = {f"p{percent}": ordered[max(0, -(-len(ordered) * percent // 100) - 1)] for percent in PERCENTILES}
    return {name: round(value, 3) for name, value in {**ranks, "max": ordered[-1]}.items()}


def _numbers(calls: list[Call]) -> dict[str, Any]:
    outcomes = Counter(call.outcome for call in calls)
    return {
        "sent": len(calls) - outcomes["not_sent"],
        "answered": outcomes["answered"],
        "errors": sum(call.answer is not None and failed(call.answer) for call in calls),
        "captured_errors": sum(call.captured is not None and failed(call.captured) for call in calls),
        "timeouts": outcomes["timeout"],
        "lost": outcomes["lost"],
        "oneways": outcomes["oneway"],
        "not_sent": outcomes["not_sent"],
        "latency_ms": _percentiles([call.latency_ms for call in calls if call.latency_ms is not None]),
        "captured_latency_ms": _percentiles([call.captured_ms for call in calls if call.captured_ms is not None]),
    }


def _methods(calls: list[Call]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str, str], list[Call]] = {}
    for call in calls:
        groups.setdefault((call.codec.name, call.service, call.method), []).append(call)
    return [
        {"kind": "method", "protocol": protocol, "service": service, "method": method, **_numbers(group)}
        for (protocol, service, method), group in groups.items()
    ]


def _differences(calls: list[Call], ignore: tuple[str, ...]) -> list[dict[str, Any]]:
    found = []
    for call in calls:
        if call.captured is None:
            continue
        row = {
            "kind": "difference",
            "connection": call.connection,
            "request_id": shown_id(call.request),
            "service": call.service,
            "method": call.method,
        }
        if call.answer is None:
            found.append({**row, "missing": call.outcome, "why": call.why})
        elif changed := _replay_diff.changes(call.captured, call.answer, ignore):
            found.append({**row, "changed": changed})
    return found


def _report(request: Request, work: Plan, counts: Counts) -> None:
    methods = _methods(work.calls)
    differences = _differences(work.calls, request.ignore) if request.diff else []
    summary = {
        "kind": "summary",
        **_numbers(work.calls),
        "connections": counts.connections,
        "skipped_connections": len(work.skipped),
        "heartbeats_left_out": work.heartbeats,
        "heartbeats_answered": counts.heartbeats_answered,
        "late": counts.late,
        "unasked": counts.unasked,
        "not_compared": sum(call.captured is None and call.outcome != "oneway" for call in work.calls),
    }
    if request.diff:
        summary["differences"] = len(differences)
    if wants_table(request.show):
        console = output()
        _tables(console, methods, summary)
        if request.diff:
            _show_differences(console, differences, summary)
    else:
        skipped = [{"kind": "skipped", **one._asdict()} for one in work.skipped]
        for row in [*skipped, *methods, *differences, summary]:
            typer.echo(json.dumps(row, ensure_ascii=False))
    for why in dict.fromkeys(call.why for call in work.calls if call.why):
        errors().print(Text(clean(f"not answered: {why}"), style="yellow"))
    if differences:
        raise Failure(
            f"{len(differences):,} of {len(work.calls):,} answers differ from the capture or are missing (--diff)",
            exit_code=DIFFERENT,
        )


def _millis(value: float | None) -> str:
    return "" if value is None else f"{value:,.3f}"


def _tables(console: Console, methods: list[dict[str, Any]], summary: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in ("Service", "Method"):
        table.add_column(header, overflow="fold")
    numbers = ("Sent", "Answered", "Errors", "Timeouts", "Lost", "One-way")
    for header in (*numbers, "p50 ms", "p90 ms", "p99 ms", "max ms", "captured p50", "captured p99"):
        table.add_column(header, justify="right")
    for row in methods:
        latency, captured = row["latency_ms"], row["captured_latency_ms"]
        bad = row["errors"] != row["captured_errors"] or row["timeouts"] or row["lost"] or row["not_sent"]
        table.add_row(
            Text(clean(row["service"])),
            Text(clean(row["method"])),
            *(f"{row[key]:,}" for key in ("sent", "answered", "errors", "timeouts", "lost", "oneways")),
            *(_millis(latency.get(key)) for key in ("p50", "p90", "p99", "max")),
            *(_millis(captured.get(key)) for key in ("p50", "p99")),
            style="red" if bad else None,
        )
    console.print(table)
    facts = [f"{summary['sent']:,} sent on {summary['connections']:,} connections, {summary['answered']:,} answered"]
    for key, what in (
        ("errors", "with errors"),
        ("timeouts", "timed out"),
        ("lost", "lost with their connection"),
        ("oneways", "one-way"),
        ("not_sent", "that cannot be sent"),
        ("skipped_connections", "captured connections skipped"),
        ("late", "late answers"),
        ("unasked", "answers to nothing"),
    ):
        if summary[key]:
            facts.append(f"{summary[key]:,} {what}")
    console.print()
    console.print(Text(", ".join(facts), style="bold"))


def _show_differences(console: Console, differences: list[dict[str, Any]], summary: dict[str, Any]) -> None:
    for row in differences:
        name = ".".join(part for part in (row["service"], row["method"]) if part)
        console.print()
        console.print(Text(clean(f"{name} (connection {row['connection']}, id {row['request_id']})"), style="bold"))
        if "missing" in row:
            console.print(Text(clean(f"  no answer: {row['why'] or row['missing']}"), style="red"))
        for field, (before, now) in row.get("changed", {}).items():
            console.print(Text.assemble("  ", clean(field)))
            console.print(Text(clean(f"    - {before}"), style="red"))
            console.print(Text(clean(f"    + {now}"), style="green"))
    if not differences:
        compared = summary["sent"] - summary["oneways"] - summary["not_compared"]
        console.print(Text(f"{compared:,} answers are as captured", style="green"))
