"""Hypothesis strategies of streams, of ways to cut them, and of streams that are not quite what they should be.

```python
from hypothesis import given, strategies as st
from metaprotocol.testing import load_samples
from metaprotocol.testing.strategies import chunkings, streams

SAMPLES = load_samples("samples/", codec)


@given(st.data(), streams(SAMPLES))
def test_mine(data, stream):
    for piece in data.draw(chunkings(stream)):
        ...
```

They need Hypothesis: `pip install 'metaprotocol[testing]'`.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import assume
from hypothesis import strategies as st

from metaprotocol._model import Direction
from metaprotocol._native import Limits, NeedMore
from metaprotocol.errors import DecodeError
from metaprotocol.testing._mutate import Mutator, Vocabulary, learn
from metaprotocol.testing._samples import Sample, whole_frames

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metaprotocol.codec import Codec

__all__ = ["chunkings", "frames", "mutations", "streams"]

MOST_CHUNKS = 12
MOST_STEPS = 64


def _bytes(sample: Sample | bytes) -> bytes:
    return sample.data if isinstance(sample, Sample) else bytes(sample)


def streams(
    samples: Iterable[Sample | bytes],
    *,
    codec: Codec | None = None,
    direction: Direction = Direction.CLIENT_TO_SERVER,
    max_size: int = 8,
) -> st.SearchStrategy[bytes]:
    """Streams of whole frames, one after another.

    Args:
        samples: Where the frames come from: samples of this direction or of none, or their bytes.
        codec: Cuts the samples into their frames, which then follow each other in any order; without it samples follow
            each other as they are.
        direction: Which way the streams travel.
        max_size: Most samples or frames in one stream.

    Raises:
        ValueError: If there is no sample of this direction.
    """
    mine = [
        _bytes(sample) for sample in samples if not isinstance(sample, Sample) or sample.direction in (direction, None)
    ]
    if codec is not None:
        mine = [bytes(frame.raw) for data in mine for frame in whole_frames(codec, direction, data)[0]]
    if not mine:
        raise ValueError(f"none of the samples travels {direction.name.lower()}")
    parts = st.lists(st.sampled_from(list(dict.fromkeys(mine))), min_size=1, max_size=max_size)
    return parts.map(b"".join)


def chunkings(stream: bytes) -> st.SearchStrategy[list[bytes]]:
    """Ways to cut a stream: lists of pieces that are the stream when joined. None is empty.

    They shrink towards few pieces.
    """

    def cut(places: list[int]) -> list[bytes]:
        return [stream[start:end] for start, end in pairwise([0, *sorted(set(places)), len(stream)])]

    if len(stream) < 2:
        return st.just([stream] if stream else [])
    return st.lists(st.integers(1, len(stream) - 1), max_size=MOST_CHUNKS).map(cut)


def mutations(sample: Sample | bytes, *, codec: Codec | None = None, max_len: int = 4096) -> st.SearchStrategy[bytes]:
    """Streams near a sample: bytes changed, added, removed and repeated, numbers at the edge of what fits.

    Args:
        sample: The sample, or its bytes.
        codec: Shows where lengths and words stand, so that some mutations are frames again.
        max_len: Longest stream, in bytes.
    """
    data = _bytes(sample)
    direction = sample.direction if isinstance(sample, Sample) else None
    known = learn(codec, [(direction or Direction.CLIENT_TO_SERVER, data)]) if codec else Vocabulary([], [], [])

    def mutated(seeds: list[int]) -> bytes:
        made = data
        for seed in seeds:
            made = Mutator(random.Random(seed), known, max_len).mutate(made, data)  # noqa: S311 -- to be repeated
        return made

    # Each number is one step: Hypothesis shrinks to the fewest steps that fail.
    return st.lists(st.integers(0, (1 << 32) - 1), max_size=4).map(mutated)


@st.composite
def frames(
    draw: st.DrawFn,
    codec: Codec,
    fronts: st.SearchStrategy[bytes],
    *,
    direction: Direction = Direction.CLIENT_TO_SERVER,
    max_len: int = 4096,
) -> bytes:
    """Whole frames that begin in some way: the codec says how many bytes more they have.

    Args:
        draw: Given by Hypothesis.
        codec: Whose frames.
        fronts: How frames begin: a magic, a header.
        direction: Which way they travel.
        max_len: Longest frame, in bytes; what claims to be longer is left out.
    """
    made = draw(fronts)
    limits = Limits(max_frame_len=max_len)
    for _ in range(MOST_STEPS):
        try:
            answer = codec.split(made, direction=direction, limits=limits) if made else NeedMore()
        except DecodeError:
            break
        if isinstance(answer, NeedMore):
            more = answer.at_least
        elif answer.frame_len <= len(made):
            return made[: answer.frame_len]
        else:
            more = answer.frame_len - len(made)
        if len(made) + more > max_len:
            break
        made += draw(st.binary(min_size=more, max_size=more))
    assume(False)
    raise AssertionError("assume(False) does not return")
