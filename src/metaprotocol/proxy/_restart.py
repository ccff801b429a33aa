"""Hot restart: a new process gets the listening sockets of the old one, so that no client ever finds nobody listening.

The processes talk over a Unix socket whose path both know, in messages of one line of JSON each:

1. The new one connects and asks `{"want": "sockets"}`.
2. The old one answers `{"sockets": [[name, count], …]}`, and sends the descriptors in that order behind it, as
   `SCM_RIGHTS` of messages of one byte. The admin port's is under the empty name.
3. The new one serves by them, and says `{"serving": pid}`. Both accept now; none of those who wait at a socket is
   lost, because the socket never closes.
4. The old one answers `{"draining": pid}`, drains and ends. If the new one ends before it says that it serves, the old
   one goes on as if nothing had been.

Only processes of the same user, or of root, are talked to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaprotocol.errors import MetaProtocolError
from metaprotocol.proxy import _logs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ADMIN", "Heir", "RestartFailed", "Testator", "take_over"]

ADMIN = ""
"""The name that the admin port's socket is handed over by."""
PATIENCE = 10.0
"""Seconds in which the other process must have answered."""

_AT_ONCE = 200  # the kernel takes no more than 253 descriptors in a message
_LONGEST = 1 << 20
_log = _logs.logger("restart")


class RestartFailed(MetaProtocolError):
    """The process that is to be replaced does not do its part."""


class Heir:
    """What a new process was handed over.

    Attributes:
        sockets: Listening sockets' descriptors, by listener. Who takes one pops it.
    """

    def __init__(self, connection: socket.socket, sockets: dict[str, list[int]]) -> None:
        self._connection = connection
        self.sockets = sockets

    def serving(self) -> int:
        """Say that this process serves. The other one drains from here on.

        Returns:
            Its process id.

        Raises:
            RestartFailed: If it does not answer.
        """
        with self._connection:
            _send(self._connection, {"serving": os.getpid()})
            told = _receive(self._connection)
        other = told.get("draining")
        if not isinstance(other, int):
            raise RestartFailed(f"the process to be replaced answered {told!r} instead of draining")
        return other

    def close(self) -> None:
        """Close what nobody took. The other process goes on if it was not told that this one serves."""
        self._connection.close()
        for descriptors in self.sockets.values():
            for descriptor in descriptors:
                os.close(descriptor)
        self.sockets.clear()


def take_over(path: str) -> Heir | None:
    """Ask the process at a path for its listening sockets.

    Args:
        path: The path of its Unix socket.

    Returns:
        What it gave; nothing if there is no such process.

    Raises:
        RestartFailed: If there is one, but it does not do its part.
        OSError: If the path cannot be reached for another reason.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(PATIENCE)
    sockets: dict[str, list[int]] = {}
    heir = Heir(connection, sockets)
    try:
        connection.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        heir.close()
        return None
    except OSError as error:
        heir.close()
        raise _of_path(error, path) from None
    try:
        _check_peer(connection)
        _send(connection, {"want": "sockets"})
        told = _receive(connection)
        for name, count in told["sockets"]:
            got = sockets.setdefault(name, [])
            while len(got) < count:
                data, descriptors, _, _ = socket.recv_fds(connection, 1, min(count - len(got), _AT_ONCE))
                got += descriptors
                if not data or not descriptors:
                    raise RestartFailed("the process to be replaced ended while it handed over its sockets")
    except RestartFailed:
        heir.close()
        raise
    except (OSError, KeyError, TypeError, ValueError) as error:
        heir.close()
        raise RestartFailed(f"the process to be replaced, at {path}, does not hand over its sockets: {error}") from None
    return heir


class Testator:
    """Waits for a process that is to replace this one.

    Args:
        path: Where: a Unix socket is put there, in place of another process's.
        sockets: Gives descriptors of all listening sockets, which it then closes.
        replaced: Called when the new process serves.
    """

    def __init__(self, path: str, sockets: Callable[[], Mapping[str, list[int]]], replaced: Callable[[], None]) -> None:
        self._path = path
        self._sockets = sockets
        self._replaced = replaced
        self._inode = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._connection: socket.socket | None = None

    async def start(self) -> None:
        """Wait from here on.

        Raises:
            OSError: If the path cannot be used.
        """
        own = f"{self._path}.{os.getpid()}"
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listening.bind(own)
        except OSError as error:
            listening.close()
            raise _of_path(error, self._path) from None
        finally:
            os.umask(before)
        listening.listen(1)
        listening.setblocking(False)
        # In one step: there is always somebody at the path.
        Path(own).replace(self._path)
        self._inode = Path(self._path).stat().st_ino
        self._listening = listening
        task = asyncio.create_task(self._accept())
        self._tasks.add(task)

    async def stop(self) -> None:
        """Wait no more."""
        for task in self._tasks:
            task.cancel()
        if self._connection is not None:
            # Wakes the thread that waits for it.
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._listening.close()
        with contextlib.suppress(FileNotFoundError):
            # Not that of the process that has come in place of this one.
            if Path(self._path).stat().st_ino == self._inode:
                Path(self._path).unlink()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listening)
            connection.setblocking(True)
            connection.settimeout(PATIENCE)
            self._connection = connection
            # One at a time: a second one would be handed what the first one is about to serve by.
            if await asyncio.to_thread(self._hand_over, connection):
                self._replaced()
                return

    def _hand_over(self, connection: socket.socket) -> bool:
        """Whether the process at the other end serves now."""
        with connection:
            try:
                _check_peer(connection)
                if _receive(connection).get("want") != "sockets":
                    raise RestartFailed("it wants no sockets")
                self._give(connection)
                _logs.tell(_log, _logs.LEVELS["info"], "handed over the sockets")
                # It may have to discover its configuration first.
                connection.settimeout(None)
                if "serving" not in _receive(connection):
                    raise RestartFailed("it does not say that it serves")
                _send(connection, {"draining": os.getpid()})
            except (OSError, RestartFailed) as error:
                _logs.tell(_log, _logs.LEVELS["warning"], "not replaced", reason=str(error))
                return False
        return True

    def _give(self, connection: socket.socket) -> None:
        sockets = self._sockets()
        try:
            _send(connection, {"sockets": [[name, len(each)] for name, each in sockets.items()]})
            for descriptors in sockets.values():
                for at in range(0, len(descriptors), _AT_ONCE):
                    socket.send_fds(connection, [b"\0"], descriptors[at : at + _AT_ONCE])
        finally:
            for descriptors in sockets.values():
                for descriptor in descriptors:
                    os.close(descriptor)


def _of_path(error: OSError, path: str) -> OSError:
    """The error with the path, which sockets do not tell."""
    return OSError(error.errno, f"the socket for hot restarts cannot be at {path}: {error.strerror or error}")


def _check_peer(connection: socket.socket) -> None:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    if user not in (0, os.getuid()):
        raise RestartFailed(f"the process at the other end belongs to user {user}")


def _send(connection: socket.socket, message: dict[str, object]) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _receive(connection: socket.socket) -> dict[str, Any]:
    """A line, and not a byte of what is behind it: descriptors come with their bytes."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            raise RestartFailed("the process at the other end has ended")
        line += byte
        if len(line) > _LONGEST:
            raise RestartFailed("the process at the other end sends no lines")
    try:
        found = json.loads(line)
    except ValueError as error:
        raise RestartFailed(f"the process at the other end sends no JSON: {error}") from None
    if not isinstance(found, dict):
        raise RestartFailed(f"the process at the other end sends {found!r}")
    return found
