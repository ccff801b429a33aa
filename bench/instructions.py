"""Instructions per frame of `split` in the native core, counted by callgrind, which a busy machine does not disturb.

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
ROUNDS = (10, 110)
FRAMES_PER_ROUND = 64


def count(program: Path, protocol: str, body_len: int, rounds: int) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command += [str(program), protocol, str(body_len), str(rounds)]
    report = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stderr
    found = re.search(r"Collected : (\d+)", report)
    if not found:
        raise RuntimeError(f"callgrind printed no count:\n{report}")
    return int(found[1])


def main() -> None:
    if shutil.which("valgrind") is None:
        sys.exit("bench/instructions.py needs valgrind")
    build = ["cargo", "build", "--release", "-q", "-p", "metaprotocol-registry", "--example", "split"]
    subprocess.run(build, cwd=ROOT, check=True)
    program = ROOT / "target" / "release" / "examples" / "split"
    print("### Instructions per frame in the native core (callgrind)\n")
    print("| protocol | body | instructions/frame |\n|---|--:|--:|")
    for protocol in ("thrift", "dubbo", str(DESCRIBED.relative_to(ROOT)), "qza", "zork"):
        for body_len in (64, 4096, 65535):
            few, many = (count(program, protocol, body_len, rounds) for rounds in ROUNDS)
            each = (many - few) / ((ROUNDS[1] - ROUNDS[0]) * FRAMES_PER_ROUND)
            print(f"| {protocol} | {body_len} B | {each:,.1f} |")


if __name__ == "__main__":
    main()
