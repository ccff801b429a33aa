"""`make bench`: every race in one run, as Markdown tables with the ratio to the fastest peer-written contender.

    bench/run.py [--quick] [-k EXPRESSION]

Times are noisy; the fastest of several rounds counts, and what to compare is the ratio within one run.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from tables import markdown

HERE = Path(__file__).resolve().parent


def measure(options: argparse.Namespace) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", str(HERE), "-q", "-p", "no:cacheprovider", "--benchmark-quiet"]
        command += [
            "--timeout=1200",
            f"--benchmark-json={report}",
            "--override-ini=addopts=",
            "--override-ini=filterwarnings=",
        ]
        command += [f"--race-rounds={3 if options.quick else 9}"]
        if options.k:
            command += ["-k", options.k]
        subprocess.run(command, check=True, stdout=sys.stderr)
        return json.loads(report.read_text())["benchmarks"]


def table(group: str, runs: list[dict]) -> str:
    rows = sorted(
        (run["stats"]["min"] / run["extra_info"]["frames"], run["extra_info"]["contender"], run["extra_info"]["size"])
        for run in runs
    )
    fastest = rows[0][0]
    columns = ["contender", "ns/frame", "frames/s", "MB/s", "times as long"]
    cells = [
        (
            contender,
            f"{seconds * 1e9:,.1f}",
            f"{1 / seconds:,.0f}",
            f"{size / seconds / 1e6:,.0f}" if size else "",
            f"{seconds / fastest:,.1f}",
        )
        for seconds, contender, size in rows
    ]
    return markdown(group, columns, cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three rounds instead of nine")
    parser.add_argument("-k", help="only the races whose test names match, as pytest has it")
    options = parser.parse_args()
    groups: dict[str, list[dict]] = defaultdict(list)
    for run in measure(options):
        groups[run["group"]].append(run)
    print(f"Python {platform.python_version()}, {platform.machine()}\n")
    for group, runs in groups.items():
        print(table(group, runs), end="\n\n")


if __name__ == "__main__":
    main()
