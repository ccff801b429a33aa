"""Instructions per frame of `split` and of routing, counted by callgrind, which a busy machine does not disturb.

Two runs that differ only in their number of rounds are subtracted, so that start-up does not count.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DESCRIBED = ROOT / "native" / "spec" / "tests" / "descriptions" / "dubbo.yaml"
# Formats with a description, and the same by hand: native/spec/tests/by_hand.
FORMATS = ("acorn", "acornmid", "courier", "trpc", "varints", "tlv")
ROUNDS = (10, 110)
FRAMES_PER_ROUND = 64
ROUTES = (1, 10, 1000, 10_000)


def count(program: Path, *arguments: str) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(program), *arguments]
    report = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stderr
    found = re.search(r"Collected : (\d+)", report)
    if not found:
        raise RuntimeError(f"callgrind printed no count:\n{report}")
    return int(found[1])


def each(program: Path, *arguments: str) -> float:
    """Instructions per frame."""
    few, many = (count(program, *arguments, str(rounds)) for rounds in ROUNDS)
    return (many - few) / ((ROUNDS[1] - ROUNDS[0]) * FRAMES_PER_ROUND)


def main() -> None:
    if shutil.which("valgrind") is None:
        sys.exit("bench/instructions.py needs valgrind")
    for crate, example in (
        ("metaprotocol-registry", "split"),
        ("metaprotocol-spec", "formats"),
        ("metaprotocol-proxy", "routes"),
    ):
        subprocess.run(["cargo", "build", "--release", "-q", "-p", crate, "--example", example], cwd=ROOT, check=True)
    examples = ROOT / "target" / "release" / "examples"
    print("### Instructions per frame in the native core (callgrind)\n")
    print("| protocol | body | instructions/frame |\n|---|--:|--:|")
    protocols = (
        "thrift",
        "dubbo",
        "brpc",
        "kafka",
        "kafka-produce",
        "redis",
        "redis-reply",
        "trpc",
        str(DESCRIBED.relative_to(ROOT)),
        "qza",
        "zork",
    )
    for protocol in protocols:
        for body_len in (64, 4096, 65535):
            print(f"| {protocol} | {body_len} B | {each(examples / 'split', protocol, str(body_len)):,.1f} |")
    print("\n### The same formats by hand and as descriptions, 64 B bodies\n")
    print("| format | by hand | description | times as many |\n|---|--:|--:|--:|")
    for name in FORMATS:
        by_hand, described = (each(examples / "formats", way, name, "64") for way in ("hand", "yaml"))
        print(f"| {name} | {by_hand:,.1f} | {described:,.1f} | {described / by_hand:,.2f} |")
    print("\n### Routing: instructions per message, the reading of its fields included\n")
    print("| routes compare | fields alone |" + "".join(f" {count:,} routes |" for count in ROUTES))
    print("|---|--:|" + "--:|" * len(ROUTES))
    for way, read, what in (
        ("method", "read-method", "Thrift: the method"),
        ("both", "read-both", "Dubbo: the interface and the method"),
        ("prefix", "read-method", "Thrift: the beginning of the method"),
    ):
        alone = each(examples / "routes", read, "1")
        # Beginnings are compared one after another: the longest table tells nothing that a shorter one does not.
        counts = ROUTES[:-1] if way == "prefix" else ROUTES
        cells = [f"{each(examples / 'routes', way, str(count)):,.0f}" for count in counts]
        cells += ["-"] * (len(ROUTES) - len(counts))
        print(f"| {what} | {alone:,.0f} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
