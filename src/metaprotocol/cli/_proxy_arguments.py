"""The arguments of `metaprotocol proxy`, where they are plain.

The framework of the commands takes longer to load than the proxy to start. It gets whatever is not plain, and says what
is wrong with it; a test compares what the two understand.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaprotocol.cli._proxy import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["FIELDS", "MODES", "plain"]

MODES = ("serve", "validate")
LEVELS = ("trace", "debug", "info", "warning", "error", "critical", "off")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError
    return int(text)


def _seconds(text: str) -> float:
    found = float(text)
    if not 0 <= found < math.inf:
        raise ValueError
    return found


def _one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    def found(text: str) -> str:
        if text not in names:
            raise ValueError
        return text

    return found


FIELDS: dict[str, tuple[str, Callable[[str], Any] | None]] = {
    "--config-path": ("config", str),
    "-c": ("config", str),
    "--config-yaml": ("overlay", str),
    "--mode": ("mode", _one_of(MODES)),
    "--strict": ("strict", None),
    "--concurrency": ("workers", _count),
    "-j": ("workers", _count),
    "--drain-time-s": ("drain_timeout", _seconds),
    "--log-level": ("log_level", _one_of(LEVELS)),
    "-l": ("log_level", _one_of(LEVELS)),
    "--admin-address-path": ("admin_address_path", Path),
    "--hot-restart-path": ("hot_restart_path", Path),
    "--service-node": ("service_node", str),
    "--service-cluster": ("service_cluster", str),
}
"""The field of each option, and what makes its value of the text; nothing for one that takes none."""


def plain(arguments: Sequence[str]) -> Request | None:
    """What the arguments ask for; nothing, if they are not all options that are given once with a good value."""
    found: dict[str, Any] = {}
    left = iter(arguments)
    for argument in left:
        name, equals, value = argument.partition("=") if argument.startswith("--") else (argument, "", "")
        field, convert = FIELDS.get(name, ("", None))
        if not field or field in found:
            return None
        if convert is None:
            if equals:
                return None
            found[field] = True
            continue
        if not equals:
            value = next(left, "-")
            if value.startswith("-"):
                return None
        try:
            found[field] = convert(value)
        except ValueError:
            return None
    return Request(**found)
