"""What a codec must pass: a suite for pytest, strategies for Hypothesis, and a fuzzer.

`pip install 'metaprotocol[testing]'` brings pytest and Hypothesis; the fuzzer (`metaprotocol fuzz`) needs neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaprotocol.testing._exercise import Exerciser, Violation
from metaprotocol.testing._fuzz import Finding, FuzzError, FuzzOptions, Progress, Report, fuzz, replay
from metaprotocol.testing._samples import Sample, SampleError, load_samples

if TYPE_CHECKING:
    from metaprotocol.testing._conformance import CodecConformance

__all__ = [
    "CodecConformance",
    "Exerciser",
    "Finding",
    "FuzzError",
    "FuzzOptions",
    "Progress",
    "Report",
    "Sample",
    "SampleError",
    "Violation",
    "fuzz",
    "load_samples",
    "replay",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- a module's attributes
    # Imported when asked for: it needs pytest, and the fuzzer does not.
    if name == "CodecConformance":
        from metaprotocol.testing._conformance import CodecConformance

        return CodecConformance
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
