"""`examples/asyncio_proxy.py` for tests: as a module, and as a program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import metaprotocol
from kit.modules import module_at

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "asyncio_proxy.py"
PATIENCE = 20

Address = tuple[str, int]


def module() -> ModuleType:
    return module_at(EXAMPLE)


@contextmanager
def running(*arguments: str) -> Iterator[Address]:
    """The address at which the program listens until the end of the block; it must not have failed by then."""
    path = os.pathsep.join(filter(None, [str(Path(metaprotocol.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLE), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        told = re.fullmatch(r"listening on (.+):(\d+)\n", line)
        assert told, line + process.communicate()[1]
        yield told[1], int(told[2])
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in errors, errors
