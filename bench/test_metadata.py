"""Reading a Dubbo body for its metadata, ours against python-hessian."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from peers import python_hessian_bodies
from streams import dubbo_frame

import metaprotocol

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 200


@pytest.mark.parametrize("size", [512, 4096, 65536])
class TestDubboBody:
    def test_python_hessian(self, race: Callable[..., None], size: int) -> None:
        bodies = [dubbo_frame(size, number)[16:] for number in range(COUNT)]
        race(f"dubbo body, {size} B frames", "python-hessian", python_hessian_bodies(bodies), COUNT, size=size)

    def test_all_metadata(self, race: Callable[..., None], size: int) -> None:
        codec = metaprotocol.get_codec("dubbo")
        frames = [codec.decode(dubbo_frame(size, number)) for number in range(COUNT)]

        def run() -> int:
            return sum(dict(frame.metadata.items())["group"] == "blue" for frame in frames)

        race(f"dubbo body, {size} B frames", "metaprotocol, all metadata", run, COUNT, size=size)

    def test_one_key(self, race: Callable[..., None], size: int) -> None:
        codec = metaprotocol.get_codec("dubbo")
        frames = [codec.decode(dubbo_frame(size, number)) for number in range(COUNT)]

        def run() -> int:
            return sum(frame.metadata["group"] == "blue" for frame in frames)

        race(f"dubbo body, {size} B frames", "metaprotocol, one attachment", run, COUNT, size=size)
