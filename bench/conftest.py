"""What all benches share: how a contender is timed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def race(benchmark: Any, request: pytest.FixtureRequest) -> Callable[..., None]:  # noqa: ANN401 -- pytest-benchmark has no types
    """Time one contender of a race. `run` returns how many frames it read, which must be all of them."""

    def enter(group: str, contender: str, run: Callable[[], int], frames: int, *, size: int = 0) -> None:
        assert run() == frames, f"{contender} did not read all frames"
        benchmark.group = group
        benchmark.extra_info.update(contender=contender, frames=frames, size=size)
        benchmark.pedantic(run, rounds=request.config.getoption("--race-rounds"), iterations=1, warmup_rounds=1)

    return enter


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--race-rounds", type=int, default=9, help="how often each contender runs; the fastest run counts")
