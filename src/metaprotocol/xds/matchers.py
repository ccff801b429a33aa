"""Tests of metadata values: Envoy's `HeaderMatcher`, whose headers are metadata keys here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaprotocol.xds.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envoy.config.route.v3.route_components_pb2 import HeaderMatcher
    from envoy.type.matcher.v3.string_pb2 import StringMatcher

    from metaprotocol.xds.problems import Place

__all__ = ["matchers"]

HEADER = Fields(
    "envoy.config.route.v3.HeaderMatcher",
    "name exact_match safe_regex_match range_match present_match prefix_match suffix_match contains_match string_match"
    " invert_match treat_missing_header_as_empty",
    notes={
        "name": "a metadata key",
        "exact_match": "an empty one matches any value",
        "safe_regex_match": "matches the whole value, in RE2's syntax",
    },
)
STRING = Fields(
    "envoy.type.matcher.v3.StringMatcher",
    "exact prefix suffix safe_regex contains ignore_case",
    refused={"custom": "texts are tested by exact, prefix, suffix, contains and safe_regex"},
)
REGEX = Fields(
    "envoy.type.matcher.v3.RegexMatcher",
    "regex",
    moot={"google_re2": "expressions are of that kind, and matching takes linear time whatever they are"},
)


def _regex(matcher: Any, place: Place) -> dict[str, Any] | None:
    REGEX.check(matcher, place)
    if not matcher.regex:
        (place / "regex").error("is needed")
        return None
    return {"regex": matcher.regex}


def _text(kind: str, text: str, place: Place, **how: bool) -> dict[str, Any] | None:
    if not text and kind != "exact":
        place.error("is needed: every text has nothing in it")
        return None
    return {kind: {"text": text} | {name: True for name, value in how.items() if value}}


def _string(matcher: StringMatcher, place: Place) -> dict[str, Any] | None:
    STRING.check(matcher, place)
    kind = matcher.WhichOneof("match_pattern")
    if kind is None:
        place.error("needs exact, prefix, suffix, contains or safe_regex")
        return None
    if kind == "safe_regex":
        if matcher.ignore_case:
            (place / "ignore_case").warn("has no effect on safe_regex: begin the expression with (?i)")
        return _regex(matcher.safe_regex, place / kind)
    if kind == "custom":
        return None
    ignore_case = matcher.ignore_case
    return _text(kind, getattr(matcher, kind), place / kind, ignore_case=ignore_case, strict_empty=kind == "exact")


def _test(matcher: HeaderMatcher, place: Place) -> dict[str, Any] | None:
    kind = matcher.WhichOneof("header_match_specifier")
    if kind is None:
        return {"present": True}
    below = place / kind
    value = getattr(matcher, kind)
    if kind == "present_match":
        return {"present": value}
    if kind == "range_match":
        return {"range": [value.start, value.end]}
    if kind == "safe_regex_match":
        return _regex(value, below)
    if kind == "string_match":
        return _string(value, below)
    return _text(kind.removesuffix("_match"), value, below)


def matchers(headers: Sequence[HeaderMatcher], place: Place) -> list[dict[str, Any]]:
    """Matchers as the data path takes them (`Matcher` of its configuration).

    Args:
        headers: The matchers, all of which must match.
        place: Where they stand.
    """
    found = []
    for index, header in enumerate(headers):
        below = place[index]
        HEADER.check(header, below)
        if not header.name:
            (below / "name").error("is needed: the metadata key")
        test = _test(header, below)
        if test is None or not header.name:
            continue
        matcher: dict[str, Any] = {"key": header.name, "test": test}
        if header.invert_match:
            matcher["invert"] = True
        if header.treat_missing_header_as_empty:
            matcher["missing_as_empty"] = True
        found.append(matcher)
    return found
