"""`metaprotocol bench`: what each verb of a codec costs, next to peers and to earlier runs."""

from __future__ import annotations

import importlib
import json
import platform
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

import metaprotocol
from metaprotocol.cli import _bench_plot
from metaprotocol.cli._bench_clock import REFERENCE, Measured, Spread, measure
from metaprotocol.cli._bench_samples import gather
from metaprotocol.cli._bench_work import Stream, Verb, build_streams, digest, peer_verb, verbs
from metaprotocol.cli._terminal import Failure, clean, errors, output, usage, wants_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

__all__ = ["Request", "run"]

FORMAT = "metaprotocol-bench/1"
UNITS = {"": 1, "B": 1, "K": 1 << 10, "KIB": 1 << 10, "M": 1 << 20, "MIB": 1 << 20}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for."""

    subject: str
    protocol: str | None = None
    samples: Path | None = None
    against: tuple[str, ...] = ()
    chunk_sizes: tuple[str, ...] = ("64", "1K", "16K", "256K")
    time: float = 5.0
    rounds: int = 11
    show: str = "auto"
    out: Path | None = None
    compare: Path | None = None
    plot: Path | None = None
    quiet: bool = False


def run(request: Request) -> None:
    """Measure a codec.

    Raises:
        Failure: If there is nothing to measure it with, a peer reads other frames, or an output cannot be written.
    """
    chunks = [_size(text) for text in request.chunk_sizes]
    if request.plot is not None:
        _bench_plot.check(request.plot)
    peers = {text: _peer(text) for text in request.against}
    old = None if request.compare is None else _old(request.compare)
    codec, sources, origin = gather(request.subject, request.protocol, request.samples)
    streams = build_streams(codec, sources)
    if not streams:
        raise Failure(
            f"{origin}: no direction of a connection in it can be decoded without the other, which is what is measured"
        )
    workload = {
        "origin": origin,
        "frames": sum(stream.count for stream in streams),
        "bytes": sum(len(stream.data) for stream in streams),
        "streams": len(streams),
        "digest": digest(streams),
    }
    if old is not None:
        _check_comparable(request.compare, old, codec.name, workload)
    feeding, others, left_out = verbs(codec, streams, chunks)
    listed: list[Verb] = []
    for chunk, (feed, batch) in zip(chunks, feeding, strict=True):
        listed += [feed, batch, *_peers(peers, streams, feed.calls, chunk)]
    listed += others
    with _progress(request) as progress:
        measured = measure(listed, request.time, request.rounds, progress)
    results: dict[str, Any] = {
        "format": FORMAT,
        "reference": REFERENCE,
        "protocol": codec.name,
        "version": metaprotocol.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": request.rounds,
        "workload": workload,
        "left_out": left_out,
        "rows": _rows(listed, measured, old),
    }
    _write(request, results)
    if wants_table(request.show):
        _table(output(), results, comparing=old is not None, against=bool(peers))
    else:
        for row in results["rows"]:
            typer.echo(json.dumps({"protocol": codec.name, **row}, ensure_ascii=False))
    if not request.quiet:
        _notes(streams, left_out)


def _size(text: str) -> int:
    digits = text.rstrip("BKMibkm")
    factor = UNITS.get(text[len(digits) :].upper())
    if factor is None or not digits.isascii() or not digits.isdigit() or int(digits) == 0:
        usage(f"--chunk-sizes: {text!r} is no size; expected bytes, such as 64, 16K or 1M")
    return int(digits) * factor


def _peer(text: str) -> Callable[[bytes, list[bytes]], int]:
    """The function that `MODULE:FUNC` or `FILE.py:FUNC` names."""
    place, _, name = text.rpartition(":")
    if not place or not name:
        usage(f"--against {text}: expected MODULE:FUNC or FILE.py:FUNC")
    try:
        if place.endswith(".py"):
            loader = SourceFileLoader(Path(place).stem, place)
            module = ModuleType(loader.name)
            module.__file__ = place
            # Classes look their module up.
            sys.modules[loader.name] = module
            loader.exec_module(module)
        else:
            # As `python -m` does: what lies here can be named.
            sys.path.insert(0, str(Path.cwd()))
            try:
                module = importlib.import_module(place)
            finally:
                sys.path.remove(str(Path.cwd()))
        function = getattr(module, name)
    except Exception as error:
        raise Failure(f"--against {text}: {type(error).__name__}: {error}") from error
    if not callable(function):
        usage(f"--against {text}: {name} is no function; it is called as {name}(stream: bytes, chunks: list[bytes])")
    return function  # type: ignore[no-any-return]


def _peers(
    peers: dict[str, Callable[[bytes, list[bytes]], int]], streams: Sequence[Stream], frames: int, chunk: int
) -> Iterator[Verb]:
    for text, peer in peers.items():
        verb, count = peer_verb(text, peer, streams, chunk)
        try:
            found = count()
        except Exception as error:
            raise Failure(f"--against {text}: it raised {type(error).__name__}: {error}") from error
        if found != frames:
            raise Failure(
                f"--against {text}: it must return how many frames it read; it read {found!r} of {frames:,} at "
                f"{chunk:,} B a chunk, so the speeds would not compare"
            )
        yield verb


def _old(path: Path) -> dict[str, Any]:
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
        if old["format"] != FORMAT:
            raise KeyError("format")
    except OSError as error:
        raise Failure(f"{path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError):
        raise Failure(f"{path}: these are no results of metaprotocol bench --out ({FORMAT})") from None
    return dict(old)


def _check_comparable(path: Path | None, old: dict[str, Any], protocol: str, workload: dict[str, Any]) -> None:
    if old["reference"] != REFERENCE:
        raise Failure(f"{path}: measured against reference {old['reference']}, this is {REFERENCE}: measure both anew")
    if old["protocol"] != protocol:
        raise Failure(f"{path}: results of {old['protocol']}, not of {protocol}")
    if old["workload"]["digest"] != workload["digest"]:
        raise Failure(
            f"{path}: measured on other bytes ({old['workload']['origin']}, {old['workload']['frames']:,} frames); "
            "give the same capture or samples"
        )


@contextmanager
def _progress(request: Request) -> Iterator[Callable[[], None]]:
    console = errors()
    if request.quiet or not console.is_terminal:
        yield lambda: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("measuring"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=request.rounds)
        yield lambda: bar.advance(task)


def _spread(spread: Spread) -> dict[str, float]:
    return {"median": round(spread.median, 4), "low": round(spread.low, 4), "high": round(spread.high, 4)}


def _rows(listed: Sequence[Verb], measured: Sequence[Measured], old: dict[str, Any] | None) -> list[dict[str, Any]]:
    feeds = {verb.chunk: cost for verb, cost in zip(listed, measured, strict=True) if verb.name == "feed"}
    known = {} if old is None else {(row["verb"], row["chunk"]): row for row in old["rows"]}
    rows: list[dict[str, Any]] = []
    for verb, cost in zip(listed, measured, strict=True):
        ns = cost.ns.median
        row: dict[str, Any] = {
            "verb": verb.name,
            "chunk": verb.chunk,
            "ns_per_frame": round(ns, 2),
            "frames_per_s": round(1e9 / ns),
            "gb_per_s": round(verb.size / verb.calls / ns, 4) if verb.size else None,
            "native_allocations": round(cost.native_allocations, 3),
            "native_bytes": round(cost.native_bytes, 1),
            "python_blocks": round(cost.python_blocks, 3),
            "relative": _spread(cost.relative),
        }
        if verb.chunk is not None and verb.name != "feed":
            pairs = zip(cost.rounds, feeds[verb.chunk].rounds, strict=True)
            row["to_feed"] = _spread(Spread.of([theirs / ours for theirs, ours in pairs]))
        if (before := known.get((verb.name, verb.chunk))) is not None:
            row["compared"] = _compared(row["relative"], before["relative"])
        rows.append(row)
    return rows


def _compared(now: dict[str, float], before: dict[str, float]) -> dict[str, Any]:
    """How many times as long it takes as before, and whether the quartiles leave a doubt."""
    apart = now["low"] > before["high"] or now["high"] < before["low"]
    ratio = now["median"] / before["median"]
    verdict = "same" if not apart else "slower" if ratio > 1 else "faster"
    return {"ratio": round(ratio, 4), "verdict": verdict}


def _write(request: Request, results: dict[str, Any]) -> None:
    if request.out is not None:
        try:
            request.out.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise Failure(f"{request.out}: {error.strerror or error}") from None
    if request.plot is not None:
        _bench_plot.plot(request.plot, results)


def _chunk(size: int | None) -> str:
    if size is None:
        return ""
    return f"{size:,} B" if size < 1024 or size % 1024 else f"{size >> 10:,} KiB"


VERDICTS = {"faster": "green", "slower": "red", "same": "dim"}


def _table(console: Console, results: dict[str, Any], *, comparing: bool, against: bool) -> None:
    workload = results["workload"]
    size = f"{workload['frames']:,} frames, {workload['bytes']:,} bytes"
    console.print(Text(f"{results['protocol']}: {size}, {clean(workload['origin'])}", style="bold"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Verb", overflow="fold", min_width=len("rewrite id"))
    headers = ["Chunk", "ns/frame", "frames/s", "GB/s", "allocs", "py blocks", "× reference", "quartiles"]
    headers += ["× feed"] if against else []
    headers += ["× before"] if comparing else []
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    for row in results["rows"]:
        relative = row["relative"]
        cells: list[str | Text] = [
            _chunk(row["chunk"]),
            f"{row['ns_per_frame']:,.1f}",
            f"{row['frames_per_s'] / 1e6:,.2f} M",
            "" if row["gb_per_s"] is None else f"{row['gb_per_s']:,.2f}",
            f"{row['native_allocations']:,.2f}",
            f"{row['python_blocks']:,.2f}",
            f"{relative['median']:,.3f}",
            f"{relative['low']:,.3f}–{relative['high']:,.3f}",
        ]
        if against:
            ratio = row.get("to_feed")
            cells.append("" if ratio is None else f"{ratio['median']:,.2f} ({ratio['low']:,.2f}–{ratio['high']:,.2f})")
        if comparing:
            compared = row.get("compared")
            told = "new" if compared is None else f"{compared['ratio']:,.3f} {compared['verdict']}"
            cells.append(Text(told, style="" if compared is None else VERDICTS[compared["verdict"]]))
        table.add_row(Text(clean(row["verb"])), *cells)
    console.print(table)
    console.print(
        Text(
            "Times are of this machine now. To compare runs, compare × reference: each time divided by that of a fixed "
            "piece of Python measured next to it (--out, --compare).",
            style="dim",
        )
    )


def _notes(streams: Sequence[Stream], left_out: dict[str, str]) -> None:
    for verb, why in left_out.items():
        errors().print(Text(clean(f"{verb} is not measured: {why}"), style="yellow"))
    kept = sum(not stream.repeated and stream.count < 64 for stream in streams)
    if kept:
        line = f"{kept} of {len(streams)} streams are as short as captured: their frames cannot follow each other again"
        errors().print(Text(line, style="yellow"))
