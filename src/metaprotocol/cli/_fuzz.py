"""`metaprotocol fuzz`: runs the fuzzer of `metaprotocol.testing`, and shows how it goes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.text import Text

from metaprotocol.cli._terminal import Failure, clean, output, wants_table
from metaprotocol.errors import MetaProtocolError
from metaprotocol.testing import _fuzz

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["FOUND", "libfuzzer", "run"]

FOUND = 1
SHOWN_BYTES = 256


def run(options: _fuzz.FuzzOptions, replayed: Path | None, show: str) -> int:
    """Fuzz, or run one file again; gives the exit code.

    Raises:
        Failure: If the codec or a file cannot be used.
    """
    console = output()
    screen: _Screen = _Lines() if not wants_table(show) else _Terminal(console)
    try:
        if replayed is not None:
            findings = _fuzz.replay(options, replayed)
            for finding in findings:
                screen.finding(finding)
            screen.replayed(replayed, len(findings))
            return FOUND if findings else 0
        with screen:
            report = _fuzz.fuzz(options, on_progress=screen.progress, on_finding=screen.finding)
        screen.end(report, options)
    except (MetaProtocolError, OSError) as error:
        raise Failure(str(error), exit_code=2) from None
    return FOUND if report.findings else 0


class _Screen:
    """What is shown of a run."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def progress(self, progress: _fuzz.Progress) -> None:
        """How far it is."""

    def finding(self, finding: _fuzz.Finding) -> None:
        """What was found."""

    def replayed(self, path: Path, findings: int) -> None:
        """What came of a file."""

    def end(self, report: _fuzz.Report, options: _fuzz.FuzzOptions) -> None:
        """What came of it all."""


class _Lines(_Screen):
    """One JSON object a line, for programs."""

    def _say(self, event: str, **values: Any) -> None:  # noqa: ANN401 -- what JSON can hold
        print(json.dumps({"event": event, **values}, ensure_ascii=False), flush=True)  # noqa: T201 -- its purpose

    def progress(self, progress: _fuzz.Progress) -> None:
        self._say("progress", **_rounded(progress))

    def finding(self, finding: _fuzz.Finding) -> None:
        self._say(
            "finding",
            **{key: value for key, value in vars(finding).items() if key not in {"direction", "data", "path"}},
            direction=finding.direction.name.lower(),
            hex=finding.data.hex(),
            path=None if finding.path is None else str(finding.path),
        )

    def replayed(self, path: Path, findings: int) -> None:
        self._say("replayed", path=str(path), findings=findings)

    def end(self, report: _fuzz.Report, options: _fuzz.FuzzOptions) -> None:
        self._say("end", codec=options.codec, seed=options.seed, **_rounded(report.progress))


def _rounded(progress: _fuzz.Progress) -> dict[str, Any]:
    return {**vars(progress), "seconds": round(progress.seconds, 2), "execs_per_s": round(progress.execs_per_s)}


class _Terminal(_Screen):
    """A line that lives, and findings above it, for people."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> None:
        self.live.start()

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def progress(self, progress: _fuzz.Progress) -> None:
        found = Text(f"{progress.findings} found", "bold red" if progress.findings else "green")
        parts = (
            f"{progress.seconds:6.1f} s", f"{progress.execs:,} streams", f"{progress.execs_per_s:,.0f}/s",
            f"corpus {progress.corpus:,}", f"features {progress.features:,}",
        )  # fmt: skip
        self.live.update(Text("  ").join([*map(Text, parts), found]), refresh=True)

    def finding(self, finding: _fuzz.Finding) -> None:
        parts = [Text.assemble((f"{finding.kind} ", "bold red"), clean(finding.message))]
        if finding.trace:
            parts.append(Text("\n".join(map(clean, finding.trace.rstrip().splitlines()[-12:])), "dim"))
        way = finding.direction.name.lower()
        parts.append(Text(f"{len(finding.data)} bytes, {way}: {finding.data[:SHOWN_BYTES].hex(' ')}"))
        if not finding.alone:
            parts.append(Text("not by itself: it takes what earlier streams left in the codec, or chance", "yellow"))
        if finding.path is not None:
            parts.append(Text.assemble("see it again: ", (finding.command, "bold")))
        self.console.print(Group(*parts, Text()))

    def replayed(self, path: Path, findings: int) -> None:
        if not findings:
            self.console.print(Text.assemble(("fine ", "bold green"), f"{path}: every check holds"))

    def end(self, report: _fuzz.Report, options: _fuzz.FuzzOptions) -> None:
        progress = report.progress
        verdict = (f"{len(report.findings)} found", "bold red") if report.findings else ("nothing found", "bold green")
        told = f" in {progress.execs:,} streams and {progress.seconds:.0f} s with seed {options.seed}"
        if options.corpus is not None:
            told += f"; corpus kept in {options.corpus}"
        self.console.print(Text.assemble(verdict, told))


Runner = Callable[..., subprocess.CompletedProcess[bytes]]


def libfuzzer(codec: str, duration: float, execute: Runner = subprocess.run) -> int:
    """Run the libFuzzer targets of a built-in codec, in a checkout of this project; gives the exit code.

    Raises:
        Failure: If the working directory is in no checkout, or has no target for the codec.
    """
    folder = next((at for at in (Path.cwd(), *Path.cwd().parents) if (at / "tests/fuzz/run.sh").is_file()), None)
    if folder is None:
        raise Failure(
            "--libfuzzer: the targets are in the source tree of metaprotocol (tests/fuzz), and the working directory "
            "is in none; leave the option out to use the engine that is built in",
            exit_code=2,
        )
    targets = sorted(path.stem for path in (folder / "tests/fuzz/fuzz_targets").glob(f"{codec}_*.rs"))
    if not targets:
        raise Failure(f"--libfuzzer: tests/fuzz has no target for {codec}; only built-in codecs have some", exit_code=2)
    each = max(1, round(duration / len(targets)))
    codes = [
        execute([str(folder / "tests/fuzz/run.sh"), str(each), target], check=False).returncode for target in targets
    ]
    return max(codes)
