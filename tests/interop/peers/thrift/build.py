"""Builds the Thrift peers under the repository's `.cache` folder and prints how to run them.

Needs Python 3.11+ with pip, Go, and the `thrift` compiler, which is installed from Debian's
packages when it is missing and this runs as root on such a system. Nothing is done when what
is there was built from the same sources. Run it as a program, or call `build`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[3] / ".cache" / "peers" / "thrift"
IDL = HERE / "demo.thrift"
PYTHON = CACHE / "venv" / "bin" / "python"
GO_PEER = CACHE / "thriftpeer"


def build() -> dict[str, list[str]]:
    """Builds what is missing or stale; returns each peer's command by its name.

    Add `server` or `client` and the options of `README.md` to a command. Processes that
    call this at the same time wait for each other. Raises `SystemExit` with a message when
    a tool is missing, and `subprocess.CalledProcessError` when one fails.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = CACHE / "stamp"
        sources = _fingerprint()
        if not stamp.exists() or stamp.read_text() != sources:
            stamp.unlink(missing_ok=True)
            compiler = _compiler()
            _build_python(compiler)
            _build_go(compiler)
            stamp.write_text(sources)
    return {
        "apache-py": [str(PYTHON), str(HERE / "apache_py.py")],
        "apache-go": [str(GO_PEER)],
        "thriftpy2": [str(PYTHON), str(HERE / "thriftpy2_peer.py")],
    }


def _fingerprint() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in [IDL, HERE / "requirements.txt", *sorted((HERE / "go").iterdir())]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _compiler() -> str:
    if shutil.which("thrift") is None and shutil.which("apt-get") and os.geteuid() == 0:
        _run("apt-get", "update", "-qq")
        _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "thrift-compiler")
    return _tool("thrift", "the Apache Thrift compiler (Debian's package thrift-compiler)")


def _tool(name: str, what: str) -> str:
    path = shutil.which(name)
    if path is None:
        sys.exit(f"{name} not found: install {what} and try again")
    return path


def _run(*command: str, cwd: Path | None = None) -> None:
    # Standard output is for the peers' commands alone.
    subprocess.run(command, cwd=cwd, check=True, stdout=sys.stderr)


def _build_python(compiler: str) -> None:
    generated = CACHE / "gen-py"
    shutil.rmtree(generated, ignore_errors=True)
    generated.mkdir()
    _run(compiler, "-nowarn", "--gen", "py", "-out", str(generated), str(IDL))
    venv.create(CACHE / "venv", with_pip=True, clear=True)
    _run(str(PYTHON), "-m", "pip", "install", "-q", "-r", str(HERE / "requirements.txt"))
    site = subprocess.run(
        [PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    (Path(site) / "generated.pth").write_text(f"{generated}\n")


def _build_go(compiler: str) -> None:
    go = _tool("go", "Go 1.23 or later")
    module = CACHE / "go"
    shutil.rmtree(module, ignore_errors=True)
    shutil.copytree(HERE / "go", module)
    _run(compiler, "-nowarn", "--gen", "go:skip_remote", "-out", str(module), str(IDL))
    _run(go, "build", "-o", str(GO_PEER), ".", cwd=module)


if __name__ == "__main__":
    print(json.dumps(build(), indent=2))
