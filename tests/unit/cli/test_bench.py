"""`metaprotocol bench`: subjects, peers, comparisons, outputs. How fast anything is, is no test."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from kit.captures import captures
from kit.installed import PACKAGE
from kit.toy import Toy, toy_frame
from typer.testing import CliRunner

import metaprotocol
from metaprotocol import Direction, Head, Kind, Limits, NeedMore
from metaprotocol.cli import app

from .conftest import CAPTURES, ROOT, Run, pcap, rows

QUICK = ("--time", "0.05", "--rounds", "3")
THRIFT = CAPTURES / "thrift" / "apache-py-framed-binary.pcap"
SHIPPED = sorted(path for folder in (ROOT / "src/metaprotocol/samples").iterdir() for path in folder.glob("*.hex"))


def bench(*arguments: str | Path) -> tuple[int, list[dict[str, Any]], str]:
    """The exit code, the JSON lines, and what was said besides."""
    result = CliRunner().invoke(app, ["bench", *map(str, arguments), *QUICK])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, rows(result.stdout_bytes), result.stderr


def names(lines: list[dict[str, Any]]) -> list[tuple[str, int | None]]:
    return [(line["verb"], line["chunk"]) for line in lines]


@pytest.mark.parametrize("protocol", sorted({path.parent.name for path in SHIPPED} - {"dubbo", "thrift"}))
def test_every_bare_name_is_enough(protocol: str) -> None:
    # What is an entry point of the package has its name only where the package is installed.
    subject = protocol if protocol in metaprotocol.list_codecs() else f"metaprotocol._{protocol}:codec"
    code, lines, _ = bench(subject, "--chunk-sizes", "1K")
    assert code == 0
    assert {("feed", 1024), ("feed_batch", 1024), ("split", None)} <= set(names(lines))


@pytest.mark.parametrize("protocol", ["dubbo", "thrift"])
def test_the_verbs_of_a_codec_in_full(protocol: str) -> None:
    code, lines, said = bench(protocol)
    assert code == 0
    assert said == ""
    key = {"dubbo": "method", "thrift": "method_name"}[protocol]
    feeding = [(verb, chunk) for chunk in (64, 1024, 16384, 262144) for verb in ("feed", "feed_batch")]
    others = ("split", "fields", f"field {key}", "rewrite id", "reply", "detect")
    assert names(lines) == [*feeding, *((verb, None) for verb in others)]
    for line in lines:
        assert line["protocol"] == protocol
        assert line["ns_per_frame"] > 0
        assert line["frames_per_s"] == pytest.approx(1e9 / line["ns_per_frame"], rel=0.01)
        spread = line["relative"]
        assert 0 < spread["low"] <= spread["median"] <= spread["high"]
        assert (line["gb_per_s"] is not None) == (line["verb"] in ("feed", "feed_batch", "split", "fields"))


def test_allocations_are_counted() -> None:
    lines = {(line["verb"], line["chunk"]): line for line in bench("thrift", "--chunk-sizes", "256K")[1]}
    feed, batch = lines["feed", 262144], lines["feed_batch", 262144]
    assert feed["python_blocks"] > 0.5, "a frame is an object, though some have the memory of others before them"
    assert batch["python_blocks"] < 0.1, "a batch makes none for a frame"
    assert feed["native_allocations"] < 0.1, "split allocates nothing"
    assert lines["rewrite id", None]["native_allocations"] >= 1
    assert lines["rewrite id", None]["native_bytes"] > 0


def test_a_capture_brings_its_frames_and_its_protocol(tmp_path: Path) -> None:
    code, lines, _ = bench(THRIFT, "--chunk-sizes", "100,2K", "--out", tmp_path / "results.json")
    assert code == 0
    assert [chunk for verb, chunk in names(lines) if verb == "feed"] == [100, 2048]
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["protocol"] == "thrift"
    assert results["rows"] == [{key: value for key, value in line.items() if key != "protocol"} for line in lines]
    workload = results["workload"]
    assert workload["origin"] == THRIFT.name
    assert workload["streams"] == 1
    assert workload["bytes"] == pytest.approx(1 << 20, rel=0.05)


def test_samples_bring_frames_for_a_codec_of_ones_own(tmp_path: Path) -> None:
    metaprotocol.register_codec(Toy())
    (tmp_path / "ask.c2s.bin").write_bytes(toy_frame(Kind.REQUEST, 1, b"method=ask"))
    (tmp_path / "note.c2s.hex").write_text(f"{toy_frame(Kind.ONEWAY, None, b'size=1').hex()} # nobody answers\n")
    code, lines, said = bench("toy", "--samples", tmp_path, "--chunk-sizes", "1K")
    assert code == 0
    assert [verb for verb, _ in names(lines)] == [
        "feed",
        "feed_batch",
        "split",
        "fields",
        "field method",
        "rewrite id",
        "reply",
        "detect",
    ]
    assert said == ""


class Bare(metaprotocol.Codec):
    """Splits, and nothing more."""

    name = "bare"

    def split(
        self,
        buffer: Any,
        *,
        direction: int = Direction.CLIENT_TO_SERVER,
        limits: Limits | None = None,
        state: Any = None,
    ) -> Head | NeedMore:
        return Head(Kind.REQUEST, 1 + buffer[0], header_len=1)


class Counting(Bare):
    """Each frame holds its number: none can come twice."""

    name = "counting"

    def new_state(self) -> list[int]:
        return [0]

    def split(self, buffer: Any, *, state: Any = None, **rest: Any) -> Head | NeedMore:
        if len(buffer) < 2:
            return NeedMore(1)
        if state is None or buffer[1] != state[0]:
            raise metaprotocol.DecodeError(protocol=self.name, offset=1, code="bad_value", reason="out of order")
        state[0] += 1
        return Head(Kind.REQUEST, 1 + buffer[0], header_len=2, request_id=state[0])


def test_what_a_codec_cannot_do_is_left_out_and_told(tmp_path: Path) -> None:
    metaprotocol.register_codec(Bare)
    (tmp_path / "one.c2s.bin").write_bytes(b"\x03abc")
    code, lines, said = bench("bare", "--samples", tmp_path, "--chunk-sizes", "1K", "--out", tmp_path / "out.json")
    assert code == 0
    assert [verb for verb, _ in names(lines)] == ["feed", "feed_batch", "split"]
    left_out = json.loads((tmp_path / "out.json").read_text())["left_out"]
    assert left_out == {
        "fields": "bare reads no metadata of these frames",
        "field": "bare reads no metadata of these frames",
        "rewrite id": "no frame has an id that is a number",
        "reply": "bare: Bare does not implement reply",
        "detect": "bare recognises none of these streams",
    }
    assert all(f"{verb} is not measured: {why}" in said for verb, why in left_out.items())
    assert bench("bare", "--samples", tmp_path, "--quiet")[2] == ""


def test_frames_that_cannot_follow_each_other_again_are_measured_once(tmp_path: Path) -> None:
    metaprotocol.register_codec(Counting)
    path = tmp_path / "counting.pcap"
    path.write_bytes(pcap((True, b"\x02\x00x\x02\x01y")))
    code, _, said = bench(path, "--protocol", "counting", "--chunk-sizes", "1K", "--out", tmp_path / "out.json")
    assert code == 0
    assert json.loads((tmp_path / "out.json").read_text())["workload"]["frames"] == 2
    assert "1 of 1 streams are as short as captured" in said
    assert "split is not measured: what a frame is depends on those before it" in said


PEER = """
import struct

def framed(stream, chunks):
    assert b"".join(chunks) == stream
    at = count = 0
    while at < len(stream):
        at += 4 + struct.unpack_from("!i", stream, at)[0]
        count += 1
    return count

def short(stream, chunks):
    return framed(stream, chunks) - 1

def broken(stream, chunks):
    raise RuntimeError("not today")

number = 7
"""


def test_a_peer_runs_beside_ours(tmp_path: Path) -> None:
    peer = tmp_path / "peer.py"
    peer.write_text(PEER)
    code, lines, _ = bench(THRIFT, "--against", f"{peer}:framed", "--chunk-sizes", "1K,16K")
    assert code == 0
    assert names(lines)[:3] == [("feed", 1024), ("feed_batch", 1024), (f"{peer}:framed", 1024)]
    for line in lines:
        fed = line["chunk"] is not None and line["verb"] != "feed"
        assert ("to_feed" in line) == fed
        if fed:
            assert line["to_feed"]["low"] <= line["to_feed"]["median"] <= line["to_feed"]["high"]


@pytest.mark.parametrize(
    ("peer", "code", "said"),
    [
        ("{}:short", 1, r"it read [\d,]+ of [\d,]+ at 1,024 B a chunk"),
        ("{}:broken", 1, "it raised RuntimeError: not today"),
        ("{}:absent", 1, "AttributeError"),
        ("{}:number", 2, "number is no function"),
        ("no_such_module:func", 1, "ModuleNotFoundError"),
        ("func", 2, "expected MODULE:FUNC"),
    ],
)
def test_a_peer_that_cannot_be_compared(peer: str, code: int, said: str, tmp_path: Path) -> None:
    path = tmp_path / "peer.py"
    path.write_text(PEER)
    got, lines, told = bench(THRIFT, "--against", peer.format(path), "--chunk-sizes", "1K")
    assert (got, lines) == (code, [])
    assert re.search(said, told)


def test_a_peer_of_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "peer_beside.py").write_text(PEER)
    monkeypatch.chdir(tmp_path)
    assert bench(THRIFT, "--against", "peer_beside:framed", "--chunk-sizes", "1K")[0] == 0


def test_runs_are_compared_by_their_ratio_to_the_reference(tmp_path: Path) -> None:
    out = tmp_path / "before.json"
    assert bench("thrift", "--chunk-sizes", "1K", "--out", out)[0] == 0
    before = json.loads(out.read_text())
    for row in before["rows"]:
        row["ns_per_frame"] = 1e9
        if row["verb"] == "split":
            row["relative"] = {key: value / 1000 for key, value in row["relative"].items()}
        if row["verb"] == "reply":
            row["relative"] = {key: value * 1000 for key, value in row["relative"].items()}
    before["rows"] = [row for row in before["rows"] if row["verb"] != "detect"]
    out.write_text(json.dumps(before))
    code, lines, _ = bench("thrift", "--chunk-sizes", "1K", "--compare", out)
    assert code == 0
    compared = {line["verb"]: line.get("compared") for line in lines}
    assert compared["split"]["verdict"] == "slower"
    assert compared["split"]["ratio"] > 100
    assert compared["reply"]["verdict"] == "faster"
    assert compared["feed"]["ratio"] < 100, "nanoseconds are not what is compared"
    assert compared["detect"] is None


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "before.json"
    assert bench("thrift", "--chunk-sizes", "1K", "--out", out)[0] == 0
    for subject, change, said in (
        ("dubbo", {}, "results of thrift, not of dubbo"),
        (str(THRIFT), {}, "measured on other bytes (the samples of the package"),
        ("thrift", {"reference": 0}, "measured against reference 0"),
        ("thrift", {"format": "x"}, "no results of metaprotocol bench --out"),
    ):
        changed = tmp_path / "changed.json"
        changed.write_text(json.dumps({**json.loads(out.read_text()), **change}))
        code, lines, told = bench(subject, "--compare", changed, "--chunk-sizes", "1K")
        assert (code, lines) == (1, [])
        assert said in told
    (tmp_path / "text").write_text("text")
    assert bench("thrift", "--compare", tmp_path / "text")[0] == 1
    assert bench("thrift", "--compare", tmp_path / "absent")[0] == 1


@pytest.mark.parametrize(("suffix", "front"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_plot(suffix: str, front: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"speed.{suffix}"
    assert bench("thrift", "--plot", path)[0] == 0
    assert path.read_bytes().startswith(front)


def test_a_plot_needs_matplotlib(run: Run, tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError('not installed')")
    done = run("bench", "thrift", "--plot", tmp_path / "speed.png", PYTHONPATH=f"{tmp_path}:{PACKAGE}")
    assert done.returncode == 1
    assert "pip install 'metaprotocol[plot]'" in done.stderr.decode()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["thrifty"], 2, "did you mean thrift"),
        (["thrift", "--chunk-sizes", "big"], 2, "'big' is no size"),
        (["thrift", "--chunk-sizes", "0"], 2, "'0' is no size"),
        (["thrift", "--plot", "speed.pdf"], 2, "ends in .png or .svg"),
        (["thrift", "--protocol", "thrift"], 2, "says what a capture holds"),
        (["thrift", "--samples", "absent"], 1, "absent"),
        ([str(THRIFT), "--samples", "absent"], 2, "a capture is measured with its own frames"),
        (["thrift", "--out", "absent/results.json", "--chunk-sizes", "1K"], 1, "No such file or directory"),
    ],
)
def test_wrong_usage(arguments: list[str], code: int, said: str) -> None:
    got, lines, told = bench(*arguments)
    assert (got, lines) == (code, [])
    assert said in " ".join(told.split())


def test_captures_without_what_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "other.pcap"
    path.write_bytes(pcap((True, b"GET / HTTP/1.1\r\n\r\n")))
    code, _, said = bench(path)
    assert code == 1
    assert "no codec recognises a connection of it" in said
    dubbo = (CAPTURES / "dubbo" / "dubbo-3-oneway.pcap").read_bytes()
    path.write_bytes(dubbo + THRIFT.read_bytes()[24:])
    code, _, said = bench(path)
    assert code == 2
    assert "holds dubbo, thrift: choose one with --protocol" in said


def test_a_codec_without_samples_says_what_it_needs() -> None:
    metaprotocol.register_codec(Toy())
    code, _, said = bench("toy")
    assert code == 2
    assert "toy comes without samples: give some with --samples" in said


def test_json_on_request_and_a_table_on_a_terminal(run_on_terminal: Callable[..., tuple[int, str]]) -> None:
    code, shown = run_on_terminal("bench", "thrift", *QUICK)
    assert code == 0
    assert "× reference" in shown
    assert "To compare runs" in shown
    code, shown = run_on_terminal("bench", "thrift", "--json", "--quiet", *QUICK)
    assert code == 0
    assert all(json.loads(line)["protocol"] == "thrift" for line in shown.splitlines())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_samples_of_the_package_are_bytes_of_captures_or_vectors(path: Path) -> None:
    origin, *digits = path.read_text().splitlines()
    data = bytes.fromhex("".join(digits))
    found = re.search(r"from (tests/captures|codecs)/(\S+)", origin)
    assert found
    source = ROOT / found[1] / found[2]
    way = Direction.CLIENT_TO_SERVER if path.stem.endswith(".c2s") else Direction.SERVER_TO_CLIENT
    if source.suffix == ".bin":
        assert data == source.read_bytes()
        assert json.loads(source.with_suffix(".json").read_text())["direction"] == way.name.lower()
    else:
        [capture] = [one for one in captures(path.parent.name) if one.path == source]
        assert data in capture.conversations[0].stream(way)
    assert files("metaprotocol").joinpath("samples", path.parent.name, path.name).is_file()


def test_every_codec_of_the_package_has_samples() -> None:
    from metaprotocol._native import builtin_codecs

    folders = {path.parent.name for path in SHIPPED}
    assert {codec.name for codec in builtin_codecs()} <= folders


DESCRIPTION = """
metaprotocol: 1
name: pecan
header: [{name: magic, type: u16, const: 0xbeef}, {name: id, type: u32}, {name: body_len, type: u32}]
frame: {body: body_len}
request_id: id
"""


def test_a_codec_is_also_named_by_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "pecan.yaml").write_text(DESCRIPTION)
    (tmp_path / "ask.c2s.hex").write_text("beef 00000001 00000003 616263")
    code, lines, _ = bench(
        tmp_path / "pecan.yaml", "--samples", tmp_path / "ask.c2s.hex", "--chunk-sizes", "1K", "--quiet"
    )
    assert code == 0
    assert {line["protocol"] for line in lines} == {"pecan"}
    assert "rewrite id" in [verb for verb, _ in names(lines)]
