"""Builds the tRPC peers under the repository's `.cache` folder and prints how to run them.

Needs Python 3.11+, Go, a JDK 17+ and Maven. Nothing is done when what is there was built from the same sources. Run it
as a program, or call `build`.
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
JAVA = CACHE / "java"


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
            _build_go()
            _build_java()
            stamp.write_text(sources)
    java = ["java", "-cp", f"{JAVA / 'classes'}:{JAVA / 'lib'}/*", "Peer"]
    return {"trpc-go": [str(GO_PEER)], "trpc-java": java}


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted([*(HERE / "go").iterdir(), HERE / "java" / "pom.xml", HERE / "java" / "src" / "Peer.java"]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _tool(name: str, what: str) -> str:
    path = shutil.which(name)
    if path is None:
        sys.exit(f"{name} not found: install {what} and try again")
    return path


def _run(*command: str, cwd: Path) -> None:
    # Standard output is for the peers' commands alone.
    subprocess.run(command, cwd=cwd, check=True, stdout=sys.stderr)


def _build_go() -> None:
    go = _tool("go", "Go 1.23 or later")
    _run(go, "build", "-trimpath", "-o", str(GO_PEER), ".", cwd=HERE / "go")


def _build_java() -> None:
    maven, compiler = _tool("mvn", "Maven"), _tool("javac", "a JDK, 17 or later")
    shutil.rmtree(JAVA, ignore_errors=True)
    shutil.copytree(HERE / "java", JAVA)
    _run(maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib", "-DincludeScope=runtime", cwd=JAVA)
    _run(compiler, "-encoding", "UTF-8", "-cp", "lib/*", "-d", "classes", "src/Peer.java", cwd=JAVA)


if __name__ == "__main__":
    print(json.dumps(build(), indent=2))
