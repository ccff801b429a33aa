"""What the tests of the kit share."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.toy import toy_frame

from metaprotocol import Direction, Kind
from metaprotocol.testing import Sample

ASK = toy_frame(Kind.REQUEST, 5, b"method=hello\nsize=7\n")
TWO = toy_frame(Kind.ONEWAY, 5, b"method=hello") + toy_frame(Kind.HEARTBEAT, 9)
ANSWER = toy_frame(Kind.RESPONSE, 5, b"size=3")
CLIENT, SERVER = Direction

SAMPLES = [Sample("ask", ASK, CLIENT), Sample("two", TWO, CLIENT), Sample("answer", ANSWER, SERVER)]


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A folder with samples of the toy codec."""
    folder = tmp_path / "samples"
    folder.mkdir()
    (folder / "ask.c2s.bin").write_bytes(ASK)
    (folder / "two.c2s.hex").write_text(f"# two frames\n{TWO.hex(' ')}\n")
    (folder / "answer.s2c.bin").write_bytes(ANSWER)
    return folder
