"""`/stats`: counters, gauges and histograms."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

from metaprotocol._native import HISTOGRAM_BOUNDS_MS
from metaprotocol.proxy._stats import prometheus

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Mapping

    from metaprotocol.proxy._stats import Histogram

__all__ = ["FORMATS", "QUANTILES", "quantile", "selected", "stats_json", "stats_prometheus", "stats_text"]

FORMATS = ("text", "json", "prometheus")
QUANTILES = (0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100)
"""In percent; those that Envoy shows."""


def quantile(histogram: Histogram, percent: float) -> float | None:
    """How long those took that were faster than the others, in milliseconds.

    It is taken as if times were spread evenly within a bucket; what is above all buckets counts as their bound.

    Args:
        histogram: All of them.
        percent: How many were faster.

    Returns:
        Nothing if there were none.
    """
    total = sum(histogram.buckets)
    if not total:
        return None
    rank, below = total * percent / 100, 0
    for (lower, upper), count in zip(pairwise((0, *HISTOGRAM_BOUNDS_MS)), histogram.buckets, strict=False):
        if count and below + count >= rank:
            return round(lower + (upper - lower) * max(rank - below, 0) / count, 3)
        below += count
    return float(HISTOGRAM_BOUNDS_MS[-1])


def selected(
    numbers: Mapping[str, int], times: Mapping[str, Histogram], names: re.Pattern[str] | None, *, used: bool
) -> tuple[dict[str, int], dict[str, Histogram]]:
    """What a request asks for.

    Args:
        numbers: All counters and gauges.
        times: All histograms.
        names: Only what has this in its name.
        used: Only what was ever counted.
    """

    def wanted(name: str) -> bool:
        return names is None or names.search(name) is not None

    return (
        {name: value for name, value in numbers.items() if wanted(name) and (value or not used)},
        {name: value for name, value in times.items() if wanted(name) and (any(value.buckets) or not used)},
    )


def stats_text(numbers: Mapping[str, int], times: Mapping[str, Histogram]) -> Iterator[str]:
    """Lines such as `name: value`; quantiles of histograms last."""
    for name, value in numbers.items():
        yield f"{name}: {value}"
    for name, histogram in times.items():
        if not any(histogram.buckets):
            yield f"{name}: No recorded values"
            continue
        shown = (f"P{percent:g}({quantile(histogram, percent)})" for percent in QUANTILES)
        yield f"{name}: {' '.join(shown)}"


def stats_json(numbers: Mapping[str, int], times: Mapping[str, Histogram]) -> str:
    """As Envoy has it, but for the quantiles of the last interval: nothing is measured by intervals."""
    stats: list[dict[str, object]] = [{"name": name, "value": value} for name, value in numbers.items()]
    if times:
        computed = [
            {"name": name, "values": [{"cumulative": quantile(histogram, percent)} for percent in QUANTILES]}
            for name, histogram in times.items()
        ]
        stats.append({"histograms": {"supported_quantiles": list(QUANTILES), "computed_quantiles": computed}})
    return json.dumps({"stats": stats})


def stats_prometheus(numbers: Mapping[str, int], times: Mapping[str, Histogram]) -> Iterator[str]:
    """Lines in the text format of Prometheus."""
    return prometheus(numbers, times)
