"""`metaprotocol decode`: opens the input, moves its bytes through the native decoder, and shows what comes out."""

from __future__ import annotations

import json
import signal
import stat
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import metaprotocol
from metaprotocol import _native
from metaprotocol.cli import _rows, _summary
from metaprotocol.cli._sources import CodecFailures, Codecs
from metaprotocol.cli._terminal import Failure, clean, errors, output, usage, wants_table
from metaprotocol.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Request", "run"]

CHUNK = 512 << 10
"""Bytes read at a time: they hold enough connections to keep the decoder's threads busy, and still fit a cache."""
PROGRESS_FROM = 32 << 20
"""Smaller files are decoded before a progress bar could be read."""
FOLLOW_SECONDS = 0.2
"""Pause before a followed file is read again."""
STRICT = 3


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for."""

    file: str
    protocol: str | None = None
    codecs: tuple[str, ...] = ()
    format: str = "auto"
    direction: metaprotocol.Direction = metaprotocol.Direction.CLIENT_TO_SERVER
    where: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    limit: int | None = None
    out: Path | None = None
    show: str = "auto"
    follow: bool = False
    summary: bool = False
    quiet: bool = False
    strict: bool = False
    max_frame_len: int | None = None


class Sink(Protocol):
    """Takes rows from the decoder."""

    kind: str
    """What the decoder must make: `json`, `columns` or `none`."""

    def open(self) -> None:
        """All else is in order: rows will come."""

    def take(self, decoder: _native.CaptureDecoder) -> None:
        """Take the rows since the last call."""

    def close(self) -> None:
        """No more rows will come."""


def run(request: Request) -> None:
    """Decode a file.

    Raises:
        Failure: If the input cannot be read, an output not be written, a codec failed, or, with `strict`, something was
            broken.
    """
    protocol, codecs = _codecs(request)
    failures = CodecFailures()
    table = wants_table(request.show) and request.out is None and not request.summary
    with ExitStack() as stack:
        sink = _sink(request, table)
        limits = None if request.max_frame_len is None else metaprotocol.Limits(max_frame_len=request.max_frame_len)
        try:
            decoder = _native.CaptureDecoder(
                protocol=protocol,
                format=request.format,
                direction=request.direction,
                where_=request.where,
                output=sink.kind,
                metadata=not table,
                columns=request.columns,
                max_rows=request.limit,
                limits=limits,
                codecs=codecs,
            )
        except ValueError as error:
            usage(str(error))
        source, size = _open(request, stack)
        sink.open()
        stack.callback(sink.close)
        failure = _pump(request, decoder, sink, source, size, table, failures)
    _end(request, decoder, failure, failures)


def _codecs(request: Request) -> tuple[str | None, list[metaprotocol.Codec]]:
    """The name of the only protocol to read, if there is one, and the codecs to use.

    Raises:
        Failure: If a codec that was asked for is not there.
    """
    known = Codecs(request.codecs)
    if request.protocol is not None:
        # Installed packages are looked through only if nothing else has the name.
        codec = known.find(request.protocol)
        return codec.name, [codec]
    codecs, failed = known.all()
    if not request.quiet:
        for name, error in failed:
            _summary.note(f"the codec {name!r} is left out: {error}")
    return None, codecs


def _sink(request: Request, table: bool) -> Sink:
    if request.out is not None:
        return _rows.FileSink.named(request.out)
    if request.summary:
        return _rows.NoRows()
    if table:
        return _rows.TableSink(output(), request.columns or (), follow=request.follow)
    return _rows.JsonSink(sys.stdout.buffer)


def _open(request: Request, stack: ExitStack) -> tuple[IO[bytes], int | None]:
    """The input, and its size if it has one."""
    if request.file == "-":
        return sys.stdin.buffer, None
    path = Path(request.file)
    try:
        file = stack.enter_context(path.open("rb", buffering=0))
        status = path.stat()
    except OSError as error:
        raise Failure(f"{request.file}: {_why(error)}") from None
    return file, status.st_size if stat.S_ISREG(status.st_mode) else None


def _why(error: OSError) -> str:
    return error.strerror or str(error)


def _pump(
    request: Request,
    decoder: _native.CaptureDecoder,
    sink: Sink,
    source: IO[bytes],
    size: int | None,
    table: bool,
    failures: CodecFailures,
) -> Failure | None:
    """Move everything from the input through the decoder to the sink; gives back why it stopped early."""
    failure = None
    # `read1` gives what a pipe has now; an unbuffered file has `read` only.
    read: Callable[[int], bytes] = getattr(source, "read1", source.read)
    try:
        with _progress(request, size, table) as advance, _interruptible(request) as interrupted:
            while not decoder.done and not interrupted():
                chunk = read(CHUNK)
                if not chunk:
                    if not request.follow or request.file == "-":
                        break
                    _check_growing(request.file, source)
                    time.sleep(FOLLOW_SECONDS)
                    continue
                decoder.push(chunk)
                if len(chunk) < CHUNK:
                    # Nothing more is there now: whoever waits for the rows gets them all.
                    decoder.flush()
                failures.take(decoder.take_codec_errors())
                sink.take(decoder)
                advance(len(chunk))
    except CaptureError as error:
        failure = _unreadable(request.file, error)
    except BrokenPipeError:
        raise
    except OSError as error:
        failure = Failure(f"{request.file}: {_why(error)}")
    try:
        decoder.finish()
    except CaptureError as error:
        failure = failure or _unreadable(request.file, error)
    failures.take(decoder.take_codec_errors())
    sink.take(decoder)
    return failure


def _unreadable(file: str, error: CaptureError) -> Failure:
    hint = ""
    if error.code == "capture.not_a_capture":
        hint = "; for other input say --format raw or --format hex"
    return Failure(f"{'standard input' if file == '-' else file}: {error}{hint}")


def _check_growing(file: str, source: IO[bytes]) -> None:
    """Tell when a followed file was cut: what is read next would not join on."""
    if source.seekable() and Path(file).stat().st_size < source.tell():
        raise Failure(f"{file}: became shorter while it was followed; start again to read the new file")


@contextmanager
def _interruptible(request: Request) -> Iterator[Callable[[], bool]]:
    """Within, Ctrl-C ends a followed input in good order instead of raising."""
    if not request.follow:
        yield lambda: False
        return
    pressed = False

    def press(_number: int, _frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(
    request: Request,
    size: int | None,
    table: bool,
) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error, for big files; beside a table it would only be in the way."""
    console = errors()
    if request.quiet or request.follow or size is None or size < PROGRESS_FROM or table or not console.is_terminal:
        yield lambda _count: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task(clean(Path(request.file).name), total=size)
        yield lambda count: bar.advance(task, count)


def _end(request: Request, decoder: _native.CaptureDecoder, failure: Failure | None, failures: CodecFailures) -> None:
    """Show the summary and the notes, and turn what happened into the exit code."""
    summary: dict[str, Any] = json.loads(decoder.summary())
    if request.summary:
        if wants_table(request.show):
            _summary.show(output(), summary)
        else:
            sys.stdout.buffer.write(decoder.summary() + b"\n")
            sys.stdout.buffer.flush()
    elif not request.quiet and errors().is_terminal:
        _summary.show(errors(), summary)
    if failure is not None:
        raise failure
    if not request.quiet:
        _summary.notes(errors(), request.file, summary)
    failures.check()
    if request.strict:
        broken = _summary.broken(summary)
        if broken:
            raise Failure(f"{request.file}: {broken} (--strict)", exit_code=STRICT)
