"""What the proxy logs: the tree `metaprotocol.proxy` of `logging`, whose records carry fields.

The proxy itself adds no handler, so a program that embeds it decides where records go. `JsonLines` writes each of them
as one line of JSON.
"""

from __future__ import annotations

import json
import logging
import time
from typing import IO

__all__ = ["LEVELS", "ROOT", "JsonLines", "fields_of", "level_name", "levels", "logger", "set_levels", "tell"]

ROOT = "metaprotocol.proxy"

LEVELS = {
    "trace": 5,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "off": logging.CRITICAL + 10,
}
"""Envoy's names of levels."""

_FIELDS = "metaprotocol_fields"


def logger(name: str) -> logging.Logger:
    """The logger of a part of the proxy, by the name that `/logging` knows it by."""
    return logging.getLogger(f"{ROOT}.{name}")


def tell(log: logging.Logger, level: int, event: str, /, **fields: object) -> None:
    """Log an event with its fields.

    Args:
        log: The logger.
        level: Of `logging`.
        event: What happened, always in the same words: what differs is in the fields.
        fields: What JSON can have.
    """
    log.log(level, event, extra={_FIELDS: fields})


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """The fields of a record."""
    fields: dict[str, object] = getattr(record, _FIELDS, {})
    return fields


def level_name(number: int) -> str:
    """The name of the level that lets records of this number pass."""
    return min((name for name, bound in LEVELS.items() if bound >= number), key=LEVELS.__getitem__, default="off")


def levels() -> dict[str, str]:
    """The level in effect of each logger of the tree, by its short name; `proxy` is the root."""
    found = {"proxy": level_name(logging.getLogger(ROOT).getEffectiveLevel())}
    for name, each in sorted(logging.root.manager.loggerDict.items()):
        if name.startswith(f"{ROOT}.") and isinstance(each, logging.Logger):
            found[name.removeprefix(f"{ROOT}.")] = level_name(each.getEffectiveLevel())
    return found


def set_levels(wanted: dict[str, str], *, every: str | None = None) -> None:
    """Set levels, all of them or none.

    Args:
        wanted: Levels by the short names of loggers.
        every: The level of the whole tree.

    Raises:
        ValueError: If there is no such logger or level.
    """
    known = levels()
    for level in [*wanted.values(), *([] if every is None else [every])]:
        if level not in LEVELS:
            raise ValueError("unknown logger level")
    if not wanted.keys() <= known.keys():
        raise ValueError("unknown logger name")
    if every is not None:
        logging.getLogger(ROOT).setLevel(LEVELS[every])
        for name in known:
            if name != "proxy":
                logger(name).setLevel(logging.NOTSET)
    for name, level in wanted.items():
        (logging.getLogger(ROOT) if name == "proxy" else logger(name)).setLevel(LEVELS[level])


class JsonLines(logging.Handler):
    """Writes each record as one line of JSON: `time` (UTC), `level`, `logger`, `event`, and the record's fields.

    Args:
        stream: Where to.
    """

    def __init__(self, stream: IO[str]) -> None:
        super().__init__()
        self._stream = stream

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{seconds}.{int(record.msecs):03}Z",
            "level": level_name(record.levelno),
            "logger": record.name.removeprefix(f"{ROOT}."),
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in fields_of(record).items() if name not in line}
        if record.exc_info:
            line["exception"] = logging.Formatter().formatException(record.exc_info)
        return json.dumps(line, default=str)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            self._stream.write(self.format(record) + "\n")
            self._stream.flush()
        except Exception:  # noqa: BLE001 as logging's own handlers do, or the log could end the proxy
            self.handleError(record)
