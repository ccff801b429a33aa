"""The package under test, for programs that tests start: the installed one, or the one of a source tree."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import metaprotocol

PACKAGE = str(Path(metaprotocol.__file__).parents[1])
"""The folder that holds it, for PYTHONPATH."""

_OFFERED = any(point.value == "_metaprotocol_pytest" for point in entry_points(group="pytest11"))
PYTEST_PLUGIN = () if _OFFERED else ("-p", "_metaprotocol_pytest")
"""Options that make pytest load our plugin where no entry point does."""
