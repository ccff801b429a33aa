"""Messages that discovery or a program brings, read into parts of the configuration, or refused with the reason."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from metaprotocol.proxy import _logs
from metaprotocol.proxy._store import Refused
from metaprotocol.xds import ConfigError, Report, cluster, listener, routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from metaprotocol.proxy._feeds import Feeds
    from metaprotocol.proxy._kinds import Resource
    from metaprotocol.xds import Cluster, Context, Listener, Place

__all__ = ["Reader", "one_by_one", "tell_static"]

T = TypeVar("T")

_log = _logs.logger("discovery")
_STATIC = "not changed by discovery: it stands in the bootstrap file"


def tell_static(what: str, name: str) -> None:
    """Discovery has brought what the bootstrap file already says."""
    _logs.tell(_log, logging.INFO, _STATIC, what=what, name=name)


def one_by_one(good: dict[str, T], put: Callable[[dict[str, T]], None]) -> dict[str, str]:
    """Put all into effect at once, or, if that is refused, each that is not. What is wrong with the others, by name."""
    if not good:
        return {}
    try:
        put(good)
    except Refused:
        wrong = {}
        for name, entry in good.items():
            try:
                put({name: entry})
            except Refused as error:
                wrong[name] = str(error)
        return wrong
    return {}


class Reader:
    """Reads messages, and knows what they may need.

    Attributes:
        context: What conversions know besides the message.
        strict: Whether what is not understood is a reason to refuse.

    Args:
        context: As above.
        feeds: The sources that can be asked.
        strict: As above.
    """

    def __init__(self, context: Context, feeds: Feeds, *, strict: bool) -> None:
        self.context = context
        self.strict = strict
        self._feeds = feeds

    def read(self, what: str, resource: Resource, convert: Callable[[Any, Place], T]) -> T:
        """Convert a message that was discovered.

        Raises:
            Refused: If it cannot be used; the text names the fields.
        """
        report = Report()
        value = convert(resource.message, report.at())
        try:
            report.check(strict=self.strict)
        except ConfigError as error:
            raise Refused("; ".join(map(str, error.problems))) from None
        for problem in report.problems:
            _logs.tell(_log, logging.WARNING, "not supported", what=what, name=resource.name, problem=str(problem))
        return value

    def cluster(self, message: Any, place: Place) -> Cluster:
        """Read a cluster that the running proxy gets."""
        found = cluster(message, place, self.context)
        if found.transport_socket is not None:
            (place / "transport_socket").error("is not supported: hosts would get in plain what is to be encrypted")
        if found.pipes:
            (place / "load_assignment").error("has a Unix socket: messages go to hosts by TCP")
        if found.source is not None and (problem := self._feeds.problem(found.source)):
            (place / "eds_cluster_config" / "eds_config").error(problem)
        return found

    def listener(self, message: Any, place: Place, context: Context | None = None) -> Listener | None:
        """Read a listener that the running proxy gets; nothing, after a report, if it is none."""
        found = listener(message, place, context or self.context)
        if found is not None and found.source is not None and (problem := self._feeds.problem(found.source)):
            (place / "rds" / "config_source").error(problem)
        return found

    def routes(self, message: Any, place: Place) -> dict[str, Any]:
        """Read a route table."""
        return routes(message, place, self.context)[1]
