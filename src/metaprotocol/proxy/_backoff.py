"""How long to wait before trying again."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Backoff"]


class Backoff:
    """Waits that double, each a random part of its bound: many that failed at once don't come back at once.

    Args:
        least: The first bound, in seconds.
        most: The last bound, in seconds.
        draw: Gives a number from 0 to 1.
    """

    def __init__(self, least: float = 0.5, most: float = 30.0, draw: Callable[[], float] = random.random) -> None:
        self._least = least
        self._most = most
        self._draw = draw
        self._bound = least

    def next(self) -> float:
        """How long to wait now, in seconds."""
        bound = self._bound
        self._bound = min(self._most, bound * 2)
        return bound * self._draw()

    def reset(self) -> None:
        """It worked: the next failure is a first one."""
        self._bound = self._least
