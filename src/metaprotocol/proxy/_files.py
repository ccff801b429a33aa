"""Discovery from files, which are read again whenever they change."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from google.protobuf.message import DecodeError

from metaprotocol.proxy import _logs
from metaprotocol.proxy._kinds import opened
from metaprotocol.proxy._topics import Arrived, Topic
from metaprotocol.xds import Report
from metaprotocol.xds.tree import read_text

if TYPE_CHECKING:
    from metaprotocol.proxy._kinds import Kind
    from metaprotocol.proxy._topics import Receiver

__all__ = ["INTERVAL", "File"]

INTERVAL = 0.1
"""How often it is looked whether a file has changed, in seconds."""

_log = _logs.logger("discovery")


def _read(path: str) -> DiscoveryResponse:
    """The response in a file.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it holds no response; the text says why.
    """
    data = Path(path).read_bytes()
    response = DiscoveryResponse()
    if path.endswith(".pb"):
        try:
            response.ParseFromString(data)
        except DecodeError:
            raise ValueError(f"{path}: is no valid {response.DESCRIPTOR.full_name}") from None
        return response
    report = Report(path)
    text = data.decode(errors="strict")
    read_text(text.replace("\t", " ") if path.endswith(".json") else text, response, report.at())
    if any(problem.fatal for problem in report.problems):
        raise ValueError("; ".join(map(str, report.problems)))
    return response


class File:
    """A file with a `DiscoveryResponse`: YAML, JSON, or (`.pb`) binary.

    What is wrong with it is logged and counted; what was read before stays. One that is gone changes nothing.

    Args:
        path: The file.
        kind: What is in it.
        receive: Gets what comes.
    """

    def __init__(self, path: str, kind: Kind, receive: Receiver) -> None:
        self._path = path
        self._topic = Topic(kind, receive, lambda _: self._again.set())
        self._again = asyncio.Event()
        self._seen: tuple[int, int, int] | None = None
        self._task = asyncio.create_task(self._run(), name=f"metaprotocol discovery {path}")

    def topic(self, _: Kind) -> Topic:
        """Its topic."""
        return self._topic

    async def close(self) -> None:
        """Look no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            if self._again.is_set():  # somebody watches a name that may have been there all the time
                self._again.clear()
                self._seen = None
            self._look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await self._again.wait()

    def _look(self) -> None:
        if not self._topic.wanted:
            return
        try:
            found = Path(self._path).stat()
        except OSError as error:
            self._gone(error)
            return
        mark = (found.st_mtime_ns, found.st_ino, found.st_size)
        if mark == self._seen:
            return
        self._seen = mark
        try:
            response = _read(self._path)
        except OSError as error:
            self._gone(error)
            return
        except ValueError as error:
            self._refuse(str(error))
            return
        arrived = Arrived(response.version_info, [], {}, [], whole=True)
        for index, packed in enumerate(response.resources):
            try:
                arrived.resources.append(opened(self._topic.kind, packed, response.version_info))
            except ValueError as error:
                arrived.wrong[f"resources[{index}]"] = str(error)
        self._topic.deliver(arrived)

    def _refuse(self, reason: str) -> None:
        _logs.tell(_log, logging.WARNING, "refused", what="file", name=self._path, reason=reason)
        for watch in self._topic.watches():
            watch.refused()

    def _gone(self, error: OSError) -> None:
        if self._seen != (0, 0, 0):
            self._seen = (0, 0, 0)
            _logs.tell(_log, logging.WARNING, "file cannot be read", name=self._path, reason=error.strerror)
            self._topic.failed()
