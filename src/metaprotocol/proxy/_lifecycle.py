"""How far a proxy has come."""

from __future__ import annotations

import asyncio
import enum
import time

__all__ = ["Lifecycle", "State"]


class State(enum.Enum):
    """How far a proxy has come, by the numbers and names of `envoy.admin.v3.ServerInfo.State`."""

    LIVE = 0
    """It serves."""
    DRAINING = 1
    """It accepts no more, or was told to say so."""
    PRE_INITIALIZING = 2
    """It has not read its configuration."""
    INITIALIZING = 3
    """It waits for what it needs before it can serve."""


class Lifecycle:
    """How far a proxy has come, and what it was asked to do.

    Attributes:
        began: When it began, in seconds of `time.monotonic`.
        failing: Whether it is to say that it drains though it does not (`/healthcheck/fail`).
        quit: Set when the program is to end.
        cut: Set when connections are to be closed without waiting any longer.
    """

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.failing = False
        self.quit = asyncio.Event()
        self.cut = asyncio.Event()
        self._state = State.PRE_INITIALIZING

    @property
    def state(self) -> State:
        """How far it has come."""
        return State.DRAINING if self.failing and self._state is State.LIVE else self._state

    @state.setter
    def state(self, state: State) -> None:
        self._state = state
