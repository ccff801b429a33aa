"""What is wrong with a configuration, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from metaprotocol.errors import MetaProtocolError

__all__ = ["ConfigError", "Mark", "Place", "Problem", "Report"]


class Mark(NamedTuple):
    """A place in a file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or that is not done although it is asked for.

    Attributes:
        path: The field, such as `static_resources.clusters[0].lb_policy`.
        message: What is wrong with it, and what to do.
        fatal: Whether the configuration cannot be used. What is not fatal is left out.
        file: The file, if it came from one.
        mark: Where in the file.
    """

    path: str
    message: str
    fatal: bool
    file: str | None = None
    mark: Mark | None = None

    def __str__(self) -> str:
        where = [self.file] if self.file else []
        where += map(str, self.mark or ())
        return ": ".join(part for part in (":".join(where), self.path, self.message) if part)


class ConfigError(MetaProtocolError):
    """A configuration cannot be used.

    Attributes:
        problems: All that is wrong, in the order of the file.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


class Report:
    """Collects what is wrong with one configuration.

    Attributes:
        file: The file that it is in, if it is in one.
        marks: Where in the file each field is, by its path.
        problems: What was found so far.
    """

    def __init__(self, file: str | None = None) -> None:
        self.file = file
        self.marks: dict[str, Mark] = {}
        self.problems: list[Problem] = []
        self._unreadable: set[str] = set()

    def at(self, path: str = "") -> Place:
        """The place with this path."""
        return Place(self, None, path)

    def sorted(self) -> tuple[Problem, ...]:
        """The problems in the order of the file; what has no place in it comes first, in the order it was found in."""
        return tuple(sorted(self.problems, key=lambda problem: problem.mark or Mark(0, 0)))

    def check(self, *, strict: bool = False) -> None:
        """Refuse what cannot be used.

        Args:
            strict: Whether every problem is a reason to refuse.

        Raises:
            ConfigError: If there is a problem that is fatal, or any if strict; it names them all.
        """
        if any(strict or problem.fatal for problem in self.problems):
            raise ConfigError(self.sorted())


class Place:
    """A field of a configuration: `place / "name"` is a field of it, `place[0]` an item."""

    __slots__ = ("_above", "_key", "_report")

    def __init__(self, report: Report, above: Place | None, key: str | int | tuple[str]) -> None:
        self._report = report
        self._above = above
        self._key = key

    @property
    def path(self) -> str:
        """The path, which is put together when it is asked for: most places have nothing to report."""
        above = "" if self._above is None else self._above.path
        if isinstance(self._key, str):
            return f"{above}.{self._key}" if above else self._key
        return f"{above}[{self._key}]" if isinstance(self._key, int) else f'{above}["{self._key[0]}"]'

    def __truediv__(self, name: str) -> Place:
        return Place(self._report, self, name)

    def __getitem__(self, key: int | str) -> Place:
        return Place(self._report, self, key if isinstance(key, int) else (key,))

    def set_mark(self, mark: Mark) -> None:
        """Say where in the file it is."""
        self._report.marks[self.path] = mark

    def _mark(self) -> Mark | None:
        place: Place | None = self
        while place is not None:
            if place.path in self._report.marks:
                return self._report.marks[place.path]
            place = place._above
        return None

    def unreadable(self, message: str) -> None:
        """Report a value that cannot be read; what is said of this place later would be about what is not there."""
        self.error(message)
        self._report._unreadable.add(self.path)

    def error(self, message: str) -> None:
        """Report that the configuration cannot be used."""
        self._add(message, fatal=True)

    def warn(self, message: str) -> None:
        """Report what is left out."""
        self._add(message, fatal=False)

    def _add(self, message: str, *, fatal: bool) -> None:
        if self.path not in self._report._unreadable:
            self._report.problems.append(Problem(self.path, message, fatal, self._report.file, self._mark()))
