"""Fixtures and settings of all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from kit.cutting import CUTTINGS
from kit.dialects import ALL, NATIVE, Dialect

from metaprotocol import _registry

settings.register_profile("fast", max_examples=60, deadline=None, derandomize=True)
settings.register_profile(
    "slow", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile(os.environ.get("METAPROTOCOL_HYPOTHESIS", "fast"))

Cuts = Callable[[bytes], Iterator[list[bytes]]]


@pytest.fixture(autouse=True)
def _registry_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it: detection and lists are about the codecs that are really there."""
    for table in ("_codecs", "_aliases"):
        monkeypatch.setattr(_registry, table, dict(getattr(_registry, table)))


@pytest.fixture(params=list(CUTTINGS))
def cuts(request: pytest.FixtureRequest) -> Cuts:
    """A way to cut a stream into pieces; each test that reads a stream runs with all of them."""
    return CUTTINGS[request.param]


@pytest.fixture(params=ALL, ids=lambda dialect: dialect.name)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Every protocol and dialect, the toy codec in Python among them."""
    return request.param


@pytest.fixture(params=NATIVE, ids=lambda dialect: dialect.name)
def native(request: pytest.FixtureRequest) -> Dialect:
    """The dialects of native codecs."""
    return request.param
