"""Durations as users write them."""

from __future__ import annotations

from metaprotocol.cli._terminal import usage

__all__ = ["seconds"]

_UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(option: str, text: str, least: float = 0.05) -> float:
    """A duration such as `60`, `0.5s`, `60s`, `5m` or `1h`, in seconds.

    Args:
        option: What it was given for, for the error.
        text: The duration.
        least: The shortest that makes sense, in seconds.

    Raises:
        Failure: If it is none, or too short.
    """
    number, unit = (text[:-1], _UNITS[text[-1]]) if text[-1:] in _UNITS else (text, 1)
    try:
        value = float(number) * unit
    except ValueError:
        value = 0.0
    if not least <= value < 1e9:
        usage(f"{option} {text}: give a duration such as 30, 60s, 5m or 1h, of {least:g} s at least")
    return value
