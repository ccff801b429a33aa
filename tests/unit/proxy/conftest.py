"""What the tests of the proxy share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kit.proxies import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()
