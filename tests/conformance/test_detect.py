"""Every stream is claimed by exactly one codec, and by none too early."""

from __future__ import annotations

import pytest
from kit.captures import FOLDERS, captures
from kit.dialects import Dialect

from metaprotocol import Detection, Direction, get_codec, list_codecs
from metaprotocol.testing._others import OTHERS

# Enough of a stream for any codec to make up its mind.
FRONT = 256
# A few bytes may be the beginning of anything.
SHORT = 8
# Who may never be sure: what a Kafka broker says is known by the requests alone, but for its answer to the first one
# of most clients.
UNSURE = {("kafka", Direction.SERVER_TO_CLIENT)}


def recorded() -> list[tuple[str, str | None, Direction, bytes]]:
    """The front of each stream of real peers, and whose it is."""
    found: list[tuple[str, str | None, Direction, bytes]] = []
    for folder in FOLDERS:
        for capture in captures(folder):
            for conversation in capture.conversations[:3]:
                for direction in Direction:
                    stream = conversation.stream(direction)
                    if len(stream) >= SHORT:
                        name = f"{folder} {capture} {conversation.client_port} {direction.name.lower()}"
                        found.append((name, capture.codec(direction), direction, stream[:FRONT]))
    return found


def marked(name: str) -> bool:
    """Whether a protocol has anything to be recognised by; one that has not says no before it has seen a byte."""
    return get_codec(name).detect(b"") is not Detection.NO


UNMARKED = {"awesomerpc", "qza"}
RECORDED = recorded()


@pytest.mark.parametrize(
    ("owner", "direction", "stream"), [row[1:] for row in RECORDED], ids=[row[0] for row in RECORDED]
)
def test_exactly_one_claims_it(owner: str | None, direction: Direction, stream: bytes) -> None:
    for name in list_codecs():
        codec = get_codec(name)
        answers = [codec.detect(stream[:length], direction=direction) for length in range(len(stream) + 1)]
        if not marked(name):
            assert set(answers) == {Detection.NO}, "an unmarked protocol claims nothing"
            continue
        assert answers[0] is Detection.NEED_MORE, "nothing says nothing"
        if (name, direction) in UNSURE and answers[-1] is Detection.NEED_MORE:
            assert set(answers) == {Detection.NEED_MORE}
            continue
        final = Detection.YES if name == owner else Detection.NO
        assert answers[-1] is final
        # Once it is settled it stays, and nobody else ever said yes.
        settled = answers.index(final)
        assert answers == [Detection.NEED_MORE] * settled + [final] * (len(answers) - settled)


def test_who_is_never_recognised() -> None:
    """Nothing in these protocols marks them: whoever wants one names it."""
    assert {name for name in list_codecs() if not marked(name)} == UNMARKED


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("other", OTHERS)
def test_other_protocols_are_refused_early(other: str, direction: Direction) -> None:
    """That nobody claims them is in the suite for each codec."""
    if len(OTHERS[other]) >= 16:
        for name in list_codecs():
            if name != other.split()[0].lower():
                answer = get_codec(name).detect(OTHERS[other], direction=direction)
                assert answer is Detection.NO or ((name, direction) in UNSURE and answer is Detection.NEED_MORE)


def test_yes_needs_more_than_a_glance(native: Dialect) -> None:
    """Fewer than four bytes look alike in too many protocols."""
    stream = native.request(1, 10)
    for length in range(4):
        assert native.codec().detect(stream[:length]) is Detection.NEED_MORE


def test_what_was_claimed_can_be_read(native: Dialect) -> None:
    for direction, stream in (
        (Direction.CLIENT_TO_SERVER, native.request(1, 10)),
        (Direction.SERVER_TO_CLIENT, native.response(1, 10)),
    ):
        for length in range(len(stream) + 1):
            if native.codec().detect(stream[:length], direction=direction) is Detection.YES:
                assert native.codec().connection().feed(direction, stream[:length]) == [] or length == len(stream)
                break
        else:
            pytest.fail("never detected")
