"""A process that runs a codec, so that another can see it die.

`python -m metaprotocol.testing._worker ROLE` reads its orders, one JSON object, from standard input and writes JSON
lines to the file descriptor that they name. Roles: `fuzz` makes up streams until it is ended; `judge` tries given ones,
each in a child of its own; `thin` tells which files of a corpus are worth keeping.
"""

from __future__ import annotations

import base64
import faulthandler
import json
import mmap
import os
import random
import resource
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Any

from metaprotocol._model import Direction
from metaprotocol.testing._coverage import tracer_for
from metaprotocol.testing._exercise import Decoded, Exerciser, Violation, is_foreign
from metaprotocol.testing._minimise import smaller
from metaprotocol.testing._mutate import Mutator, learn
from metaprotocol.testing._source import find_codec

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OUT_OF_MEMORY", "SLOT", "SLOT_HEADER", "Verdict", "cpu_seconds", "dumped_place", "signal_name"]

SLOT_HEADER = 64
SLOT = Struct("<QQQIB")
"""In shared memory, before the bytes: streams done, size of the corpus, features known, length, direction."""
RSS_STEP = 64 << 20
"""More than this, for one stream of a few kilobytes, is not bounded by anything that came."""
CONTROL_EVERY = 64
TRIM_TRIES = 24
MOST_THOROUGH = 64
"""Streams to begin with that each get every check; of more, each gets some."""
OUT_OF_MEMORY = 86
"""How a process ends that has taken all it may."""
WALL_FACTOR = 8
HANG_AGAIN = 0.25
"""Seconds that a stream may take while a smaller one that hangs is looked for."""

Verdict = dict[str, Any]
"""What is wrong with a stream: `kind`, `place`, `message`, `trace`."""


class Channel:
    """JSON lines to the parent."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def send(self, **message: Any) -> None:  # noqa: ANN401 -- whatever JSON can hold
        rest = json.dumps(message).encode() + b"\n"
        while rest:
            rest = rest[os.write(self.descriptor, rest) :]


class Lines:
    """Lines from standard input, without a buffer that `select` could not see."""

    def __init__(self) -> None:
        self.rest = b""
        self.ready: list[bytes] = []

    def waiting(self) -> list[bytes]:
        """Those that are there.

        Raises:
            SystemExit: If the parent is gone.
        """
        while select.select([0], [], [], 0)[0]:
            self._read()
        lines, self.ready = self.ready, []
        return lines

    def first(self) -> bytes:
        """The next one."""
        while not self.ready:
            self._read()
        return self.ready.pop(0)

    def _read(self) -> None:
        part = os.read(0, 1 << 16)
        if not part:
            raise SystemExit
        *lines, self.rest = (self.rest + part).split(b"\n")
        self.ready += lines


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _inputs(orders: dict[str, Any]) -> list[tuple[Direction, bytes]]:
    return [(Direction(way), base64.b64decode(data)) for way, data in orders["inputs"]]


def _bound_memory(megabytes: int) -> None:
    """Let the process have so much more than it has."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def peak_rss() -> int:
    """The most memory the process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _checked(
    run: Callable[[Direction, bytes], Decoded], direction: Direction, data: bytes, peak: int
) -> tuple[int, Decoded]:
    """Run one stream; gives the new peak of memory, and what was decoded.

    Raises:
        Violation: If something does not hold, memory included.
    """
    decoded = run(direction, data)
    now = peak_rss()
    if now - peak > RSS_STEP:
        raise Violation("memory", "peak", f"{(now - peak) >> 20} MiB of memory are taken for {len(data)} bytes")
    return now, decoded


def _verdict(violation: Violation) -> Verdict:
    trace = ""
    if violation.__cause__ is not None:
        lines = traceback.format_exception(violation.__cause__)
        trace = "".join(lines)[-4000:]
    return {"kind": violation.kind, "place": violation.place, "message": str(violation), "trace": trace}


class Fuzzer:
    """One worker: a corpus, and the loop over it."""

    def __init__(self, orders: dict[str, Any], lines: Lines) -> None:
        codec = find_codec(orders["codec"])
        self.lines = lines
        self.chance = random.Random(orders["seed"])  # noqa: S311 -- to be repeated
        self.tracer = tracer_for(codec)
        self.exerciser = Exerciser(codec, tracer=self.tracer)
        self.channel = Channel(orders["descriptor"])
        self.inputs = _inputs(orders)
        # Whoever knows nothing begins with nothing: the errors tell how far a stream gets.
        start = [(way, b"\0" * max(1, codec.min_header_len)) for way in Direction]
        self.mutator = Mutator(self.chance, learn(codec, self.inputs), orders["max_len"])
        self.inputs = self.inputs or start
        with Path(orders["slot"]).open("r+b") as file:
            self.slot = mmap.mmap(file.fileno(), 0)
        self.corpus: list[tuple[Direction, bytes, int]] = []
        self.features: set[int] = set()
        self.reported: set[tuple[str, str]] = set()
        self.done = 0
        self.refused_at = -1

    def run(self) -> None:
        """Until the process is ended."""
        self.peak = peak_rss()
        for direction, data in self.inputs:
            self.attempt(direction, data, thorough=len(self.inputs) <= MOST_THOROUGH)
            self.keep(direction, data, found=False)
        random_, mutate, quick = self.chance.random, self.mutator.mutate, self.attempt
        while True:
            if self.done % CONTROL_EVERY == 0:
                self.control()
            corpus = self.corpus or [(*entry, -1) for entry in self.inputs]
            size = len(corpus)
            # What came last led somewhere new: it gets half of the attention.
            at = size - 1 - int(random_() * min(size, 16)) if random_() < 0.5 else int(random_() * size)
            direction, data, refused_at = corpus[at]
            made = mutate(data, corpus[int(random_() * size)][1], refused_at)
            if random_() < 0.02:
                direction = direction.reverse
            if quick(direction, made) and self.is_new():
                self.keep(direction, self.trimmed(direction, made), found=True)

    def attempt(self, direction: Direction, data: bytes, *, thorough: bool = False) -> bool:
        """Run one stream; False if something was wrong with it."""
        slot = self.slot
        self.done += 1
        slot[SLOT_HEADER : SLOT_HEADER + len(data)] = data
        SLOT.pack_into(slot, 0, self.done, len(self.corpus), len(self.features), len(data), direction)
        run = self.exerciser.thorough if thorough else self.exerciser.quick
        try:
            self.peak, decoded = _checked(run, direction, data, self.peak)
        except Violation as violation:
            self.peak = max(self.peak, peak_rss())
            if (violation.kind, violation.place) not in self.reported:
                self.reported.add((violation.kind, violation.place))
                self.channel.send(t="found", way=direction, data=_encoded(data), **_verdict(violation))
            return False
        self.refused_at = -1 if decoded.failure is None else decoded.failure[1]
        return True

    def observed(self) -> set[int]:
        """What the last stream showed, in numbers that mean something in this process only."""
        seen = {hash(feature) for feature in self.exerciser.features}
        if self.tracer is not None:
            seen.update(map(hash, self.tracer.steps))
        return seen

    def is_new(self) -> bool:
        features = self.features
        if any(hash(feature) not in features for feature in self.exerciser.features):
            return True
        return self.tracer is not None and any(hash(step) not in features for step in self.tracer.steps)

    def trimmed(self, direction: Direction, data: bytes) -> bytes:
        """Without what its new features do not need."""
        wanted = self.observed() - self.features
        tries = TRIM_TRIES

        def as_good(candidate: bytes) -> bool:
            nonlocal tries
            tries -= 1
            return tries >= 0 and self.attempt(direction, candidate) and wanted <= self.observed()

        data = smaller(data, as_good, budget=lambda: tries > 0)
        self.attempt(direction, data)
        return data

    def keep(self, direction: Direction, data: bytes, *, found: bool) -> None:
        new = self.observed() - self.features
        if not new:
            return
        self.features |= new
        self.corpus.append((direction, data, self.refused_at))
        if found:
            self.channel.send(t="new", way=direction, data=_encoded(data))

    def control(self) -> None:
        """Streams that other workers found worth keeping."""
        for line in self.lines.waiting():
            way, path = json.loads(line)
            stream = Path(path).read_bytes()
            if self.attempt(Direction(way), stream) and self.is_new():
                self.keep(Direction(way), stream, found=False)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def signal_name(number: int) -> str:
    """SIGSEGV and the like."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def dumped_place(dump: str) -> tuple[str, str]:
    """Where the codec was, from what faulthandler wrote when the process died: file and function, and with the line."""
    ours = ""
    for line in dump.splitlines():
        head, quote, rest = line.strip().partition('"')
        if not head.startswith("File") or not quote:
            continue
        file, _, where = rest.partition('"')
        number, _, function = where.removeprefix(", line ").partition(" in ")
        if not is_foreign(file):
            return f"{Path(file).name} in {function}", f"{Path(file).name}:{number} in {function}"
        if not ours and file.endswith("_exercise.py"):
            ours = f"native code, called by {function}"
    return (ours or "native code", ours or "native code")


class Judge:
    """Tries streams in children, each with bounds on memory and time."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self.exerciser = Exerciser(find_codec(orders["codec"]))
        self.memory = orders["memory"]
        self.seconds = orders["seconds"]
        self.budget = orders["budget"]
        self.channel = Channel(orders["descriptor"])
        self.dump = Path(orders["dump"])

    def verdict(self, direction: Direction, data: bytes, *, thorough: bool = True) -> Verdict | None:
        """What is wrong with a stream, if anything is."""
        reader, writer = os.pipe()
        self.dump.write_bytes(b"")
        child = os.fork()
        if child == 0:
            os.close(reader)
            self._child(direction, data, writer, thorough)
        os.close(writer)
        try:
            return self._watched(child, reader, len(data))
        finally:
            os.close(reader)

    def _child(self, direction: Direction, data: bytes, writer: int, thorough: bool) -> None:
        try:
            file = os.open(self.dump, os.O_WRONLY)
            faulthandler.enable(file=file, all_threads=False)
            faulthandler.register(signal.SIGUSR1, file=file, all_threads=False)
            _bound_memory(self.memory)
            try:
                peak, _ = _checked(self.exerciser.quick, direction, data, peak_rss())
                if thorough:
                    _checked(self.exerciser.thorough, direction, data, peak)
            except Violation as violation:
                os.write(writer, json.dumps(_verdict(violation)).encode())
        finally:
            os._exit(0)

    def _watched(self, child: int, reader: int, size: int) -> Verdict | None:
        started = time.monotonic()
        told = b""
        while True:
            if select.select([reader], [], [], 0.05)[0]:
                part = os.read(reader, 1 << 16)
                told += part
                if not part:
                    break
            late = time.monotonic() - started > WALL_FACTOR * self.seconds
            if late or cpu_seconds(child) > self.seconds:
                os.kill(child, signal.SIGUSR1)
                time.sleep(0.05)
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return hang(self.dump.read_text(errors="replace"), size, self.seconds)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return death(os.WTERMSIG(status), self.dump.read_text(errors="replace"))
        return json.loads(told) if told else None

    def run(self, inputs: list[tuple[Direction, bytes]]) -> None:
        """Judge each stream, and make the first fault of each as small as it gets."""
        for direction, data in inputs:
            verdict = self.verdict(direction, data)
            if verdict is not None:
                data, verdict = self.smallest(direction, data, verdict)
            self.channel.send(t="judged", way=direction, data=_encoded(data), verdict=verdict)

    def smallest(self, direction: Direction, data: bytes, verdict: Verdict) -> tuple[bytes, Verdict]:
        """A stream with the same fault and fewer bytes, if there is one, and what is said of it."""
        until = time.monotonic() + self.budget
        fault = verdict["kind"], verdict["place"]
        if fault[0] == "hang":
            self.seconds = min(self.seconds, HANG_AGAIN)

        def shows(candidate: bytes, *, thorough: bool) -> bool:
            nonlocal verdict
            found = self.verdict(direction, candidate, thorough=thorough)
            if found is None or (found["kind"], found["place"]) != fault:
                return False
            verdict = found
            return True

        # Most faults show in a fraction of the checks, and then many more streams can be tried.
        thorough = not shows(data, thorough=False)

        def the_same(candidate: bytes) -> bool:
            return shows(candidate, thorough=thorough)

        return smaller(data, the_same, budget=lambda: time.monotonic() < until), verdict


def hang(dump: str, size: int, seconds: float) -> Verdict:
    """The verdict on a stream that takes too long."""
    place, line = dumped_place(dump)
    message = f"{size} bytes take more than {seconds:g} s; the codec is at {line}"
    return {"kind": "hang", "place": place, "message": message, "trace": _innermost(dump)}


def _innermost(dump: str) -> str:
    """The part of a dump that tells where the codec was; further out it is always the same."""
    lines = dump.strip().splitlines()
    ours = next((at for at, line in enumerate(lines) if "_worker.py" in line), len(lines))
    return "\n".join(lines[: min(ours, 12)])


def death(number: int, dump: str) -> Verdict:
    """The verdict on a stream that ends the process."""
    place, line = dumped_place(dump)
    name = signal_name(number)
    reason = {
        "SIGSEGV": "memory that is not the stream's is read or written",
        "SIGBUS": "memory that is not the stream's is read or written",
        "SIGABRT": "the code gives up (a panic across the C ABI, a failed assertion, no memory)",
        "SIGKILL": "the system ends it (out of memory)",
    }.get(name, "the process dies")
    kind = "over-read" if name in ("SIGSEGV", "SIGBUS") else "crash"
    return {
        "kind": kind,
        "place": f"{name} {place}",
        "message": f"{name} at {line}: {reason}",
        "trace": _innermost(dump),
    }


def _thin(orders: dict[str, Any]) -> None:
    """Which streams, the smallest first, show something that no smaller one shows."""
    codec = find_codec(orders["codec"])
    tracer = tracer_for(codec)
    exerciser = Exerciser(codec, tracer=tracer)
    known: set[object] = set()
    keep = []
    inputs = list(enumerate(_inputs(orders)))
    for number, (direction, data) in sorted(inputs, key=lambda entry: len(entry[1][1])):
        try:
            exerciser.quick(direction, data)
        except Violation:
            continue
        found = exerciser.features | (tracer.steps if tracer is not None else set())
        if not found <= known:
            known |= found
            keep.append(number)
    Channel(orders["descriptor"]).send(t="kept", numbers=keep)


def main() -> None:
    """The program."""
    lines = Lines()
    orders = json.loads(lines.first())
    sys.path[:] = orders["path"]
    # Should the parent die while a stream hangs, nobody else would end this process.
    resource.setrlimit(resource.RLIMIT_CPU, (orders["cpu"], orders["cpu"]))
    role = sys.argv[1]
    if role == "judge":
        Judge(orders).run(_inputs(orders))
    elif role == "thin":
        _thin(orders)
    else:
        dump = os.open(orders["dump"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        faulthandler.enable(file=dump, all_threads=False)
        faulthandler.register(signal.SIGUSR1, file=dump, all_threads=False)
        fuzzer = Fuzzer(orders, lines)
        _bound_memory(orders["memory"])
        try:
            fuzzer.run()
        except MemoryError:
            # Not while a stream was run, so no single one is to blame.
            os._exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    main()
