"""PEP 517 backend: the Cython modules by setup.py, then the Rust module and the wheel by maturin.

setup.py puts its modules into `src/metaprotocol`, which is where maturin takes the Python files of the wheel from.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import maturin
from maturin import get_requires_for_build_sdist

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_ROOT = Path(__file__).resolve().parent.parent

get_requires_for_build_editable = maturin.get_requires_for_build_editable
get_requires_for_build_wheel = maturin.get_requires_for_build_wheel
prepare_metadata_for_build_editable = maturin.prepare_metadata_for_build_editable
prepare_metadata_for_build_wheel = maturin.prepare_metadata_for_build_wheel
build_sdist = maturin.build_sdist


def _build_cython() -> None:
    # Modules of another interpreter would be packed too.
    package = _ROOT / "src" / "metaprotocol"
    for stale in (*package.glob("_pyconnection.*.so"), *package.glob("_videopacket.*.so")):
        with contextlib.suppress(FileNotFoundError):
            stale.unlink()
    command = [sys.executable, "setup.py", "build_ext", "--inplace"]
    subprocess.run(command, cwd=_ROOT, check=True, stdout=sys.stderr, env=os.environ)  # noqa: S603 -- our own file


def build_wheel(
    wheel_directory: str, config_settings: Mapping[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Build the wheel (PEP 517)."""
    _build_cython()
    return str(maturin.build_wheel(wheel_directory, config_settings, metadata_directory))


def build_editable(
    wheel_directory: str, config_settings: Mapping[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Build an editable wheel (PEP 660); the Cython modules stay in the source tree."""
    _build_cython()
    return str(maturin.build_editable(wheel_directory, config_settings, metadata_directory))
