"""Installs mitmproxy under the repository's `.cache` folder, in an environment of its own: it pins its dependencies.

Needs pip and access to a package index. Nothing is done when it is there already.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[2] / ".cache" / "peers" / "mitmproxy"
REQUIREMENT = "mitmproxy>=11,<13"


def build() -> tuple[str, dict[str, str]]:
    """Installs it if it is missing; returns its program, and the environment in which it finds `metaprotocol`.

    Only that package is shown to it, not all that is installed beside it.
    """
    import metaprotocol

    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = CACHE / "stamp"
        wanted = f"{REQUIREMENT} {sys.version}"
        if not stamp.exists() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)
            venv.create(CACHE / "venv", clear=True, with_pip=True)
            pip = [str(CACHE / "venv" / "bin" / "python"), "-m", "pip", "-q", "--disable-pip-version-check"]
            subprocess.run([*pip, "install", REQUIREMENT], check=True)
            stamp.write_text(wanted)
        package = Path(metaprotocol.__file__).parent
        shown = CACHE / "shown"
        shown.mkdir(exist_ok=True)
        link = shown / "metaprotocol"
        if not link.is_symlink() or link.readlink() != package:
            link.unlink(missing_ok=True)
            link.symlink_to(package)
    return str(CACHE / "venv" / "bin" / "mitmdump"), {"PYTHONPATH": str(shown)}
