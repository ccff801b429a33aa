"""The fuzzer: processes that run a codec on streams they make up, and one that watches them.

A worker writes each stream into shared memory before it runs it. When a worker dies or does not come back, the stream
to blame is there. Needs nothing but Python and this package.
"""

from __future__ import annotations

import base64
import contextlib
import json
import mmap
import os
import select
import selectors
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from metaprotocol._model import Direction
from metaprotocol.errors import MetaProtocolError
from metaprotocol.testing._samples import DIRECTIONS, load_samples
from metaprotocol.testing._source import find_codec
from metaprotocol.testing._worker import OUT_OF_MEMORY, SLOT, SLOT_HEADER, WALL_FACTOR, cpu_seconds, death, hang

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Finding", "FuzzError", "FuzzOptions", "Progress", "Report", "fuzz", "replay"]

TICK = 0.1
PROGRESS_EVERY = 0.5
MOST_JUDGES = 2
THIN_SECONDS = 60.0
NAMES = {way: suffix for suffix, way in DIRECTIONS.items()}
OWN = "found-"
"""How the names of streams begin that the fuzzer adds to a corpus."""


class FuzzError(MetaProtocolError):
    """A run that cannot begin or go on; no fault of the codec's was found."""


@dataclass(frozen=True, kw_only=True)
class FuzzOptions:
    """What to fuzz, and how.

    Attributes:
        codec: A name, or a source for `load_codec`.
        corpus: A folder of samples to begin with, in which new streams are kept; None for none.
        samples: More to begin with; nothing is written there.
        seconds: How long.
        jobs: How many processes make up streams.
        seed: Where their randomness starts.
        max_len: Longest stream made up, in bytes.
        artifacts: The folder for what is found.
        hang: Seconds of processor time after which a stream is one that hangs.
        memory: MiB that a process may take beyond what it starts with.
        first: Whether to end with the first finding.
        minimise: Seconds for making one finding small.
    """

    codec: str
    corpus: Path | None = None
    samples: Path | None = None
    seconds: float = 60.0
    jobs: int = 1
    seed: int = 0
    max_len: int = 4096
    artifacts: Path = Path("artifacts")
    hang: float = 2.0
    memory: int = 512
    first: bool = False
    minimise: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A stream that a codec does not stand.

    Attributes:
        kind: `exception`, `crash`, `hang`, `over-read`, `memory`, `cut`, `over-ask`, `rewrite`, `reply` …
        place: Where; findings of one kind and place are one.
        message: What is wrong.
        trace: Where the code was, in full, if there is more to say than the place.
        direction: Which way the stream travels.
        data: Its bytes, as few as were found to do.
        alone: Whether it does it by itself, in a new process. If not, it takes what earlier streams left behind.
        path: The file it is in.
        command: What shows it again, in a shell.
    """

    kind: str
    place: str
    message: str
    trace: str
    direction: Direction
    data: bytes
    alone: bool = True
    path: Path | None = None
    command: str = ""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        seconds: Since its start.
        execs: Streams run.
        execs_per_s: Streams run each second, lately.
        corpus: Streams that lead somewhere.
        features: Behaviours seen, lines of code included where they can be seen.
        findings: Different faults so far.
    """

    seconds: float
    execs: int
    execs_per_s: float
    corpus: int
    features: int
    findings: int


@dataclass(frozen=True)
class Report:
    """What came of a run: the last progress, and the findings."""

    progress: Progress
    findings: list[Finding]


class _Process:
    """A process that runs the codec, its orders, and its lines."""

    def __init__(self, role: str, orders: dict[str, Any], log: Path) -> None:
        reader, writer = os.pipe()
        try:
            with log.open("wb") as errors:
                self.process = subprocess.Popen(  # noqa: S603 -- this package's own module
                    [sys.executable, "-m", "metaprotocol.testing._worker", role],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    bufsize=0,
                    pass_fds=[writer],
                    # Ctrl-C is for whoever watches, who ends the others.
                    start_new_session=True,
                )
        finally:
            os.close(writer)
        os.set_blocking(reader, False)
        self.reader = reader
        self.log = log
        self.rest = b""
        self.write({**orders, "descriptor": writer, "path": [str(Path(entry).absolute()) for entry in sys.path]})
        # A process that hangs reads nothing; whoever writes to it must not wait.
        os.set_blocking(self.stdin.fileno(), False)

    @property
    def stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None  # noqa: S101 -- a pipe was asked for
        return self.process.stdin

    def write(self, value: object) -> None:
        """A line of JSON to the process; one that is dead hears nothing, nor does one that has too much to read."""
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            self.stdin.write(json.dumps(value).encode() + b"\n")

    def lines(self) -> list[dict[str, Any]]:
        """What it said since the last time."""
        try:
            while part := os.read(self.reader, 1 << 16):
                self.rest += part
        except BlockingIOError:
            pass
        *lines, self.rest = self.rest.split(b"\n")
        return [json.loads(line) for line in lines]

    def end(self) -> None:
        """End the process and what belongs to it."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()
        os.close(self.reader)

    def failed(self) -> FuzzError:
        """Why it ended by itself."""
        told = self.log.read_text(errors="replace").strip().splitlines()
        return FuzzError(f"the codec cannot be run: {told[-1] if told else 'the process ended without a word'}")


class _Worker(_Process):
    """A process that makes up streams."""

    def __init__(self, number: int, orders: dict[str, Any], folder: Path) -> None:
        self.number = number
        self.dump = folder / f"dump-{number}"
        path = folder / f"slot-{number}"
        longest = max([orders["max_len"], *(len(data) for _, data in orders["inputs"])])
        path.write_bytes(bytes(SLOT_HEADER + longest))
        with path.open("r+b") as file:
            self.slot = mmap.mmap(file.fileno(), 0)
        self.beat = (-1, 0.0, time.monotonic())
        super().__init__("fuzz", {**orders, "slot": str(path), "dump": str(self.dump)}, folder / f"log-{number}")

    def numbers(self) -> tuple[int, int, int]:
        """Streams done, size of the corpus, features known."""
        done, corpus, features, _, _ = SLOT.unpack_from(self.slot)
        return done, corpus, features

    def stream(self) -> tuple[Direction, bytes]:
        """What it was about to run."""
        *_, length, way = SLOT.unpack_from(self.slot)
        return Direction(way), self.slot[SLOT_HEADER : SLOT_HEADER + length]

    def hangs(self, seconds: float) -> bool:
        """Whether one stream has taken so much processor time, or many times that of the clock."""
        done = self.numbers()[0]
        pid, now = self.process.pid, time.monotonic()
        before, cpu, since = self.beat
        if done != before:
            self.beat = (done, cpu_seconds(pid), now)
            return False
        # Until it has begun, it loads the codec.
        slow = 1 if done else WALL_FACTOR
        return now - since > slow * seconds and (
            cpu_seconds(pid) - cpu > slow * seconds or now - since > slow * WALL_FACTOR * seconds
        )

    def dumped(self) -> str:
        return self.dump.read_text(errors="replace") if self.dump.exists() else ""

    def end(self) -> None:
        super().end()
        self.slot.close()


@dataclass
class _Run:
    """A run under way."""

    options: FuzzOptions
    folder: Path
    inputs: list[tuple[Direction, bytes]]
    name: str
    told: Callable[[Finding], None]
    workers: list[_Worker] = field(default_factory=list)
    judges: list[tuple[_Process, tuple[str, str], dict[str, Any]]] = field(default_factory=list)
    waiting: list[tuple[tuple[str, str], dict[str, Any]]] = field(default_factory=list)
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)
    known: set[tuple[str, str]] = field(default_factory=set)
    corpus: dict[tuple[Direction, bytes], None] = field(default_factory=dict)
    banned: set[tuple[Direction, bytes]] = field(default_factory=set)
    past: int = 0
    started: int = 0

    def orders(self) -> dict[str, Any]:
        options = self.options
        return {
            "codec": options.codec,
            "memory": options.memory,
            "max_len": options.max_len,
            "cpu": int(options.seconds) + 120,
        }

    def start(self) -> _Worker:
        """One more worker, which knows what the others found."""
        inputs = [entry for entry in (*self.inputs, *self.corpus) if entry not in self.banned]
        orders = {**self.orders(), "seed": self.options.seed + self.started, "inputs": _json(inputs)}
        self.started += 1
        return _Worker(self.started, orders, self.folder)

    def serve(self) -> None:
        """Take what all processes say, and look after those that died or hang."""
        for worker in list(self.workers):
            for message in worker.lines():
                self._heard(worker, message)
            if worker.process.poll() is not None:
                for message in worker.lines():
                    self._heard(worker, message)
                self._lost(worker, hangs=False)
            elif worker.hangs(self.options.hang):
                self._lost(worker, hangs=True)
        self._serve_judges()

    def _heard(self, worker: _Worker, message: dict[str, Any]) -> None:
        entry = Direction(message["way"]), base64.b64decode(message["data"])
        if message["t"] == "new":
            if entry not in self.corpus:
                self.corpus[entry] = None
                self._keep(*entry)
                if len(self.workers) > 1:
                    # By name: a pipe takes short lines whole or not at all.
                    path = self.folder / f"stream-{len(self.corpus)}"
                    path.write_bytes(entry[1])
                    for other in self.workers:
                        if other is not worker:
                            other.write([message["way"], str(path)])
        else:
            self._blame(*entry, message)

    def _lost(self, worker: _Worker, *, hangs: bool) -> None:
        """A worker died or hangs: the stream in its memory is to blame."""
        done = worker.numbers()[0]
        code = worker.process.returncode
        if hangs:
            os.kill(worker.process.pid, signal.SIGUSR1)
            time.sleep(0.05)
            worker.process.kill()
            worker.process.wait()
        leaks = code == OUT_OF_MEMORY
        if not hangs and not leaks and code is not None and code >= 0:
            raise worker.failed()
        if not done:
            raise FuzzError(f"the codec {'hangs' if hangs else 'dies'} before it has seen a byte")
        direction, data = worker.stream()
        if hangs:
            verdict = hang(worker.dumped(), len(data), self.options.hang)
        elif leaks:
            told = f"after {done} streams a process has taken {self.options.memory} MiB: they leave something behind"
            verdict = {"kind": "memory", "place": "many streams", "message": told, "trace": ""}
        else:
            verdict = death(-(code or 0), worker.dumped())
        self.past += done
        self.workers.remove(worker)
        worker.end()
        self.banned.add((direction, data))
        self._blame(direction, data, verdict)
        self.workers.append(self.start())

    def _blame(self, direction: Direction, data: bytes, verdict: dict[str, Any]) -> None:
        fault = verdict["kind"], verdict["place"]
        if fault not in self.known:
            self.known.add(fault)
            verdict = {**verdict, "way": int(direction), "data": base64.b64encode(data).decode()}
            self.waiting.append((fault, verdict))

    def _serve_judges(self) -> None:
        while self.waiting and len(self.judges) < MOST_JUDGES:
            fault, verdict = self.waiting.pop(0)
            number = len(self.known) + self.started * 1000
            orders = {
                **self.orders(),
                "inputs": [[verdict["way"], verdict["data"]]],
                "seconds": self.options.hang,
                "budget": self.options.minimise,
                "dump": str(self.folder / f"judged-{number}-{fault[0]}"),
            }
            self.judges.append((_Process("judge", orders, self.folder / f"judge-{number}"), fault, verdict))
        for judge in list(self.judges):
            process, _, verdict = judge
            said = process.lines()
            if said or process.process.poll() is not None:
                self.judges.remove(judge)
                process.end()
                self._judged(verdict, said[0] if said else None)

    def _judged(self, verdict: dict[str, Any], said: dict[str, Any] | None) -> None:
        if self.options.first and self.findings:
            # Two judges may be through at the same moment.
            return
        alone = said is not None and said["verdict"] is not None
        data = base64.b64decode(said["data"] if said is not None and alone else verdict["data"])
        if said is not None and alone:
            verdict = {**verdict, **said["verdict"]}
        finding = Finding(
            kind=verdict["kind"],
            place=verdict["place"],
            message=verdict["message"],
            trace=verdict["trace"],
            direction=Direction(verdict["way"]),
            data=data,
            alone=alone,
        )
        fault = finding.kind, finding.place
        self.known.add(fault)
        if fault not in self.findings:
            self.findings[fault] = finding = _saved(finding, self.options, self.name)
            self.told(finding)

    def _keep(self, direction: Direction, data: bytes) -> None:
        if self.options.corpus is not None:
            name = f"{OWN}{sha256(data).hexdigest()[:16]}{NAMES[direction]}.bin"
            (self.options.corpus / name).write_bytes(data)

    def progress(self, seconds: float, rate: float) -> Progress:
        numbers = [worker.numbers() for worker in self.workers]
        execs = self.past + sum(number[0] for number in numbers)
        corpus = max((number[1] for number in numbers), default=0)
        features = max((number[2] for number in numbers), default=0)
        return Progress(seconds, execs, rate, corpus, features, len(self.findings))

    def end(self) -> None:
        for process in (*self.workers, *(judge for judge, _, _ in self.judges)):
            process.end()
        self.workers.clear()
        self.judges.clear()


def _json(inputs: Iterable[tuple[Direction, bytes]]) -> list[list[Any]]:
    return [[int(way), base64.b64encode(data).decode()] for way, data in inputs]


def _saved(finding: Finding, options: FuzzOptions, name: str) -> Finding:
    """The finding in a file whose name says what and which way, so that it is a sample too."""
    options.artifacts.mkdir(parents=True, exist_ok=True)
    digest = sha256(f"{finding.kind} {finding.place}".encode()).hexdigest()[:8]
    path = options.artifacts / f"{name}-{finding.kind}-{digest}{NAMES[finding.direction]}.bin"
    path.write_bytes(finding.data)
    command = f"metaprotocol fuzz {shlex.quote(options.codec)} --replay {shlex.quote(str(path))}"
    return Finding(**{**vars(finding), "path": path, "command": command})


def _start(options: FuzzOptions) -> tuple[str, list[tuple[Direction, bytes]]]:
    """The codec's name, and the streams to begin with."""
    codec = find_codec(options.codec)
    inputs: dict[tuple[Direction, bytes], None] = {}
    for folder in (options.corpus, options.samples):
        if folder is None or (folder is options.corpus and not _filled(folder)):
            continue
        captures = folder.suffix in {".pcap", ".pcapng"} or any(folder.glob("*.pcap*"))
        # Only captures take the codec to read them; it is here to be broken, and must not break this process.
        for sample in load_samples(folder, codec if captures else None):
            ways = list(Direction) if sample.direction is None else [sample.direction]
            inputs.update(((way, sample.data), None) for way in ways)
    return codec.name, list(inputs)


def _filled(folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    return any(folder.iterdir())


def fuzz(
    options: FuzzOptions,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_finding: Callable[[Finding], None] = lambda _: None,
) -> Report:
    """Fuzz a codec.

    Args:
        options: What and how.
        on_progress: Called about twice a second.
        on_finding: Called with each finding once it is small and saved.

    Returns:
        The report. Ctrl-C ends the run early, and what was found until then is reported.

    Raises:
        FuzzError: If the codec cannot be run.
        UnknownCodec: If no codec has the name.
        InvalidCodec: If the source holds no codec.
        SampleError: If there are files that cannot be used.
    """
    name, inputs = _start(options)
    with tempfile.TemporaryDirectory(prefix="metaprotocol-fuzz-") as folder:
        run = _Run(options, Path(folder), inputs, name, on_finding)
        started = time.monotonic()
        marks = [(started, 0)]
        progress = Progress(0.0, 0, 0.0, 0, 0, 0)
        try:
            try:
                run.workers += [run.start() for _ in range(options.jobs)]
                while (now := time.monotonic()) - started < options.seconds:
                    if options.first and run.findings:
                        break
                    _wait(run, min(TICK, options.seconds - (now - started)))
                    run.serve()
                    if time.monotonic() - marks[-1][0] >= PROGRESS_EVERY:
                        progress = _measured(run, started, marks)
                        on_progress(progress)
            except KeyboardInterrupt:
                pass
            progress = _measured(run, started, marks)
            for worker in run.workers:
                worker.end()
            run.workers.clear()
            _finish_judging(run)
        finally:
            run.end()
        if options.corpus is not None:
            _thin(options, Path(folder))
    findings = list(run.findings.values())
    progress = Progress(**{**vars(progress), "findings": len(findings)})
    on_progress(progress)
    return Report(progress, findings)


def _measured(run: _Run, started: float, marks: list[tuple[float, int]]) -> Progress:
    now = time.monotonic()
    execs = run.progress(0, 0).execs
    marks.append((now, execs))
    del marks[:-8]
    since, before = marks[0]
    return run.progress(now - started, (execs - before) / max(now - since, 1e-6))


def _wait(run: _Run, seconds: float) -> None:
    """Until a process says something, or so long."""
    with selectors.DefaultSelector() as selector:
        for process in (*run.workers, *(judge for judge, _, _ in run.judges)):
            selector.register(process.reader, selectors.EVENT_READ)
        selector.select(seconds)


def _finish_judging(run: _Run) -> None:
    until = time.monotonic() + 2 * run.options.minimise + WALL_FACTOR * run.options.hang
    while (run.judges or run.waiting) and time.monotonic() < until:
        if run.options.first and run.findings:
            return
        run._serve_judges()
        if run.judges:
            _wait(run, TICK)
    for process, _, verdict in run.judges:
        process.end()
        run._judged(verdict, None)
    for _, verdict in run.waiting:
        run._judged(verdict, None)
    run.judges.clear()
    run.waiting.clear()


def _thin(options: FuzzOptions, folder: Path) -> None:
    """Remove streams from the corpus, of those the fuzzer put there, that show nothing the others do not."""
    if options.corpus is None:
        return
    files = sorted(options.corpus.glob(f"{OWN}*.bin"))
    inputs = [(DIRECTIONS[Path(file.stem).suffix], file.read_bytes()) for file in files]
    orders = {
        "codec": options.codec, "memory": options.memory, "cpu": 120, "inputs": _json(inputs),
    }  # fmt: skip
    # If the process fails, the corpus stays as large as it is.
    for message in _all_lines(_Process("thin", orders, folder / "thin"), THIN_SECONDS):
        kept = set(message["numbers"])
        for number, file in enumerate(files):
            if number not in kept:
                file.unlink()


def _all_lines(process: _Process, seconds: float) -> list[dict[str, Any]]:
    """What a process says until it ends, or so long."""
    until = time.monotonic() + seconds
    lines: list[dict[str, Any]] = []
    try:
        while process.process.poll() is None and time.monotonic() < until:
            select.select([process.reader], [], [], TICK)
            lines += process.lines()
        return lines + process.lines()
    finally:
        process.end()


def replay(options: FuzzOptions, path: Path) -> list[Finding]:
    """Run files once more, each in a process of its own, with every check.

    Args:
        options: The codec, and the bounds.
        path: A file, or a folder of them.

    Returns:
        What is wrong with them.

    Raises:
        FuzzError: If the codec cannot be run.
        UnknownCodec: If no codec has the name.
        InvalidCodec: If the source holds no codec.
        SampleError: If there are files that cannot be used.
    """
    _, inputs = _start(FuzzOptions(**{**vars(options), "corpus": None, "samples": path}))
    with tempfile.TemporaryDirectory(prefix="metaprotocol-fuzz-") as folder:
        orders = {
            "codec": options.codec,
            "memory": options.memory,
            "cpu": 120,
            "inputs": _json(inputs),
            "seconds": options.hang,
            "budget": 0,
            "dump": str(Path(folder) / "dump"),
        }
        process = _Process("judge", orders, Path(folder) / "log")
        said = _all_lines(process, len(inputs) * 2 * WALL_FACTOR * options.hang + 60)
        if len(said) != len(inputs):
            raise process.failed()
    command = f"metaprotocol fuzz {shlex.quote(options.codec)} --replay {shlex.quote(str(path))}"
    return [
        Finding(
            **message["verdict"],
            direction=Direction(message["way"]),
            data=base64.b64decode(message["data"]),
            path=path,
            command=command,
        )
        for message in said
        if message["verdict"] is not None
    ]
