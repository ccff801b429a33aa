"""Which fields of Envoy's messages are read: a table for each message, beside what reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.unknown_fields import UnknownFieldSet

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from metaprotocol.xds.problems import Place

__all__ = ["TABLES", "Fields"]

TABLES: list[Fields] = []
"""All tables, for documentation and tests."""


class Fields:
    """What becomes of the fields of one message; those that are not named are reported as not supported."""

    def __init__(
        self,
        message: str,
        read: str = "",
        *,
        moot: Mapping[str, str] | None = None,
        refused: Mapping[str, str] | None = None,
        because: Mapping[str, str] | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """A table.

        Args:
            message: The full name of the message.
            read: The names of the fields that are read, with blanks between.
            moot: Fields that say what is so anyway, each with the reason.
            refused: Fields without which it would be unsafe to go on, each with the reason.
            because: Why others are not supported.
            notes: What is done with fields that are read, where Envoy's documentation does not say it. For the
                reference.
        """
        self.message = message
        self.read = frozenset(read.split())
        self.moot = dict(moot or {})
        self.refused = dict(refused or {})
        self.because = dict(because or {})
        self.notes = dict(notes or {})
        TABLES.append(self)

    @property
    def known(self) -> frozenset[str]:
        """The fields that are named, whatever becomes of them."""
        return self.read.union(self.moot, self.refused, self.because)

    def check(self, message: Any, place: Place, moot: Collection[str] = ()) -> None:
        """Report the fields that are set and that nothing reads.

        Args:
            message: A message of the type that the table is for.
            place: Where it stands.
            moot: Further fields that say what is so anyway, with the value they have.
        """
        for field, _ in message.ListFields():
            name = field.name
            if name in self.read or name in self.moot or name in moot:
                continue
            if name in self.refused:
                (place / name).error(f"is not supported: {self.refused[name]}")
            else:
                reason = self.because.get(name)
                (place / name).warn("is not supported, and has no effect" + (f": {reason}" if reason else ""))
        unknown: Any
        for unknown in UnknownFieldSet(message):  # type: ignore[attr-defined] # its stub lacks the iterator
            place.warn(f"has field {unknown.field_number}, which {self.message} does not have as it is known here")
