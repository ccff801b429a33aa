"""Builds the tRPC peers under the repository's `.cache` folder and prints how to run them.

Needs Python 3.11+ and Go. Nothing is done when what is there was built from the same sources. Run it as a program, or
call `build`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[3] / ".cache" / "peers" / "trpc"
GO_PEER = CACHE / "trpcpeer"


def build() -> dict[str, list[str]]:
    """Builds what is missing or stale; returns each peer's command by its name.

    Add `server` or `client` and the options of `README.md` to a command. Processes that call this at the same time wait
    for each other. Raises `SystemExit` with a message when a tool is missing, and `subprocess.CalledProcessError` when
    one fails.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = CACHE / "stamp"
        sources = _fingerprint()
        if not stamp.exists() or stamp.read_text() != sources:
            stamp.unlink(missing_ok=True)
            go = shutil.which("go")
            if go is None:
                sys.exit("go not found: install Go 1.23 or later and try again")
            # Standard output is for the peers' commands alone.
            command = [go, "build", "-trimpath", "-o", str(GO_PEER), "."]
            subprocess.run(command, cwd=HERE / "go", check=True, stdout=sys.stderr)
            stamp.write_text(sources)
    return {"trpc-go": [str(GO_PEER)]}


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted((HERE / "go").iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print(json.dumps(build(), indent=2))
