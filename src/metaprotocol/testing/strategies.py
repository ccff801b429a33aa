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
from typing import TYPE_CHECKING, Any

from hypothesis import assume
from hypothesis import strategies as st

from metaprotocol._model import Direction
from metaprotocol._native import Limits, NeedMore
from metaprotocol.errors import DecodeError
from metaprotocol.testing._mutate import Mutator, Vocabulary, learn
from metaprotocol.testing._samples import Sample, whole_frames

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from metaprotocol.codec import Codec

__all__ = ["chunkings", "frames", "headers", "mutations", "streams"]

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


_CONSTANT, _CHOICE = "always 0x", "one of "


def headers(layout: Mapping[str, Any]) -> st.SearchStrategy[bytes]:
    """The fixed fronts of frames of a codec that is described in YAML: constants as they are, numbers mostly small.

    With `frames`, which asks the codec how they go on, they become whole frames:

    ```python
    text = Path("acorn.yaml").read_text()
    codec = metaprotocol.load_codec("acorn.yaml")
    whole = frames(codec, headers(json.loads(describe_codec(text, "acorn.yaml"))))
    ```

    Args:
        layout: The description as `metaprotocol._native.describe_codec` gives it: `fields`, each with its `offset` and
            `width` in bytes if they are fixed, and `notes` that say `always 0x…` or `one of 0x…, 0x…`.

    Raises:
        ValueError: If no field has a fixed place at the front.
    """
    parts: list[st.SearchStrategy[bytes]] = []
    at = 0
    fixed = [field for field in layout["fields"] if field.get("region") == "header" and "width" in field]
    for field in sorted(fixed, key=lambda field: field.get("offset", -1)):
        offset, width = field.get("offset", -1), field["width"]
        # Bit fields share their bytes; behind a field of any length nothing has a fixed place.
        if offset != at:
            continue
        parts.append(_values(width, field.get("notes", ())))
        at += width
    if not parts:
        raise ValueError(f"{layout.get('name', 'the codec')}: no field stands at a fixed place at the front of a frame")
    return st.tuples(*parts).map(b"".join)


def _values(width: int, notes: Iterable[str]) -> st.SearchStrategy[bytes]:
    for note in notes:
        if note.startswith(_CONSTANT):
            return st.just(bytes.fromhex(note.removeprefix(_CONSTANT)))
        if note.startswith(_CHOICE):
            return st.sampled_from([bytes.fromhex(one[2:]) for one in note.removeprefix(_CHOICE).split(", ")])
    small = st.integers(0, min(255, (1 << 8 * width) - 1))
    return st.one_of(
        small.map(lambda number: number.to_bytes(width, "big")),
        small.map(lambda number: number.to_bytes(width, "little")),
        st.binary(min_size=width, max_size=width),
    )


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
