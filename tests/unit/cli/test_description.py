"""`metaprotocol codec check`, `try`, `show` and `schema`."""

from __future__ import annotations

import json
import re
import shlex
import xml.etree.ElementTree as ET
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from .conftest import ROOT, Run, call, rows

GOOD = """\
metaprotocol: 1
name: acorn
summary: Acorn, our own protocol
header:
  - {name: magic, type: bytes, len: 2, const: AC}
  - {name: type, type: u8, bits: {urgent: 7}}
  - {name: id, type: u32, about: sequence number}
  - {name: topic, type: string, len_type: u8}
  - {name: body_len, type: u32}
frame: {body: body_len}
request_id: id
kind: {field: type, values: {1: request, 2: response, 3: error, 4: heartbeat}}
metadata:
  topic: {value: topic, write: true}
reply:
  error: {set: {type: 3, topic: ""}, body: "{error.message}"}
  heartbeat: {set: {type: 4}}
"""
FRAME = "4143 01 00000007 03 616263 00000002 6869"
TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
OnTerminal = Callable[..., tuple[int, str]]


@pytest.fixture
def acorn(tmp_path: Path) -> Path:
    path = tmp_path / "acorn.yaml"
    path.write_text(GOOD)
    return path


def plain(shown: str) -> list[str]:
    return [line.rstrip() for line in TERMINAL.sub("", shown).replace("\r\n", "\n").split("\n")]


def test_check_says_in_a_line_what_a_good_description_makes(run: Run, acorn: Path) -> None:
    done = run("codec", "check", acorn, "--show", "table")
    assert done.returncode == 0
    assert done.stdout.decode() == (
        f"{acorn}: ok: acorn (Acorn, our own protocol); header 12 bytes or more; keys topic*; replies to error and "
        "heartbeat; detected by constants; split is fast\n"
    )
    [row] = rows(run("codec", "check", acorn).stdout)
    assert (row["ok"], row["name"], row["header_len"], row["least_header_len"]) == (True, "acorn", None, 12)
    assert (row["keys"], row["writable"], row["replies"]) == (["topic"], ["topic"], ["error", "heartbeat"])


@pytest.mark.parametrize(
    ("right", "wrong", "line", "marked", "fix"),
    [
        ("type: u32, about", "type: u23, about", 7, "u23", 'did you mean "u24"?'),
        ("body: body_len", "body: body_ln", 10, "body_ln", 'did you mean "body_len"?'),
        ("len: 2, const: AC", "len: 2, const: ACE", 5, "ACE", "give 2 bytes, or set len: 3"),
        ("values: {1: request", "values: {1: requst", 12, "requst", 'did you mean "request"?'),
        ("{error.message}", "{error.mesage}", 16, "error.mesage", 'did you mean "error.message"?'),
        ("metadata:", "\tmetadata:", 13, "\t", ""),
        ("name: acorn", 'name: "AC"', 2, '"AC"', 'one word of lower-case letters and digits, such as "ac"'),
    ],
)
def test_check_points_at_each_mistake(
    run_on_terminal: OnTerminal, acorn: Path, right: str, wrong: str, line: int, marked: str, fix: str
) -> None:
    assert GOOD.count(right) == 1
    text = GOOD.replace(right, wrong)
    acorn.write_text(text)
    code, shown = run_on_terminal("codec", "check", acorn)
    told = plain(shown)
    assert code == 1
    place = re.fullmatch(re.escape(str(acorn)) + r":(\d+):(\d+): .+", told[0])
    assert place is not None, told
    assert int(place[1]) == line
    source = text.split("\n")[line - 1].replace("\t", " ")
    assert told[1] == f" {line} | {source}".rstrip()
    carets = re.fullmatch(r" +\| ( *)(\^+)", told[2])
    assert carets is not None, told[2]
    assert len(carets[1]) == int(place[2]) - 1
    if marked.strip():
        assert source[len(carets[1]) :][: len(carets[2])] == marked
        assert told[3].strip() == f"= {fix}"
    assert told[4] == f"1 mistake in {acorn}"


def test_check_shows_all_mistakes_of_all_files(run: Run, acorn: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(GOOD.replace("type: u8, bits", "type: u9, bits").replace("body: body_len", "body: nothing"))
    done = run("codec", "check", bad, acorn, tmp_path / "none.yaml")
    assert done.returncode == 1
    found = rows(done.stdout)
    assert [(row["ok"], row.get("line")) for row in found] == [(False, 6), (False, 10), (True, None), (False, None)]
    assert (found[0]["column"], found[0]["field"]) == (24, "header.type")
    assert found[0]["reason"] == 'unknown type "u9"'
    assert found[0]["fix"] == 'did you mean "u8"?'
    assert found[3]["reason"] == "cannot be read: No such file or directory"


def test_check_keeps_the_carets_in_view(run_on_terminal: OnTerminal, acorn: Path) -> None:
    about = "x" * 300
    acorn.write_text(
        GOOD.replace("{name: id, type: u32, about: sequence number}", f"{{name: id, about: {about}, type: u23}}")
    )
    _, shown = run_on_terminal("codec", "check", acorn, width=60)
    told = plain(shown)
    source, carets = next((told[at - 1], line) for at, line in enumerate(told) if "^" in line)
    assert len(source) <= 60
    assert source[carets.index("^") : carets.rindex("^") + 1] == "u23"


def test_check_takes_parameters_behind_the_path(run: Run) -> None:
    path = ROOT / "codecs" / "awesomerpc" / "awesomerpc.yaml"
    [row] = rows(run("codec", "check", f"{path}?length_width=2").stdout)
    assert row["header_len"] == 11
    assert run("codec", "check", f"{path}?length_width=3").returncode == 1


def test_no_text_of_a_description_reaches_the_terminal_raw(
    run_on_terminal: OnTerminal, tmp_path: Path, acorn: Path
) -> None:
    acorn.write_text(GOOD.replace("Acorn, our own", '"\\e]0;evil\\a[red]').replace(" protocol\n", '"\n', 1))
    wrong = tmp_path / "\x1b[31mwrong.yaml"
    wrong.write_text("metaprotocol: 1\nname: \u202ex\n")
    for arguments in (("check", acorn), ("check", wrong), ("show", acorn), ("try", acorn, "--hex", FRAME)):
        _, shown = run_on_terminal("codec", *arguments)
        rest = TERMINAL.sub("", shown.replace("\x1b[31mwrong", "RAW"))
        assert "RAW" not in rest
        assert not set(rest) & {"\x1b", "\a", "\u202e"}, arguments
    _, shown = run_on_terminal("codec", "show", acorn)
    assert "␛]0;evil␇[red]" in TERMINAL.sub("", shown)


def test_try_shows_each_field(run_on_terminal: OnTerminal, acorn: Path) -> None:
    code, shown = run_on_terminal("codec", "try", acorn, "--hex", FRAME)
    told = plain(shown)
    assert code == 0
    assert told[0] == "Frame 1 at 0: request, request id 7, 17 bytes (15 of them header)"
    fields = [line.split() for line in told[2:11]]
    assert fields == [
        ["0", "41", "43", "magic", "bytes", "AC"],
        ["2", "01", "type", "u8", "1"],
        ["urgent", "bit", "7", "0"],
        ["3", "00", "00", "00", "07", "id", "u32", "7"],
        ["7", "03", "len(topic)", "u8", "3"],
        ["8", "61", "62", "63", "topic", "string", "abc"],
        ["11", "00", "00", "00", "02", "body_len", "u32", "2"],
        ["15", "68", "69", "body", "2", "bytes", "hi"],
        ["topic", "abc"],
    ]
    assert "reply: error no_healthy_upstream  41430300000007000000001" in "\n".join(told)
    assert "detect says yes" in told


def test_try_in_a_pipe_is_a_json_line_for_each_frame(run: Run, acorn: Path) -> None:
    done = run("codec", "try", acorn, "-", stdin=bytes.fromhex(FRAME) + bytes.fromhex("4143 04 00000001 00 00000000"))
    assert done.returncode == 0
    first, second = rows(done.stdout)
    assert (first["kind"], first["request_id"], first["frame_len"]) == ("request", 7, 17)
    assert first["metadata"] == {"topic": "abc"}
    assert first["fields"][-1] == {
        "name": "body", "type": "2 bytes", "offset": 15, "len": 2, "hex": "6869", "value": "hi", "inner": False,
        "region": "body",
    }  # fmt: skip
    assert (second["offset"], second["kind"], second["fields"][0]["offset"]) == (17, "heartbeat", 17)
    assert second["replies"] == {"heartbeat": "414304000000010000000000"}


def test_try_marks_where_bytes_are_broken(run_on_terminal: OnTerminal, run: Run, acorn: Path) -> None:
    code, shown = run_on_terminal("codec", "try", acorn, "--hex", FRAME + "4144 01")
    told = plain(shown)
    assert code == 1
    [marked] = [line for line in told if "here" in line]
    assert marked.split()[:4] == ["17", "41", "44", "magic"]
    assert any(line.startswith("broken at 17: magic is 0x4144, must be 0x4143") for line in told)
    done = run("codec", "try", acorn, "--hex", FRAME + "4144 01")
    assert done.returncode == 1
    assert rows(done.stdout)[-1]["error"]["code"] == "bad_magic"


def test_try_says_how_many_bytes_are_missing(run_on_terminal: OnTerminal, run: Run, acorn: Path) -> None:
    code, shown = run_on_terminal("codec", "try", acorn, "--hex", FRAME[:-2])
    assert code == 1
    assert "1 more byte is needed, at least" in plain(shown)
    [row] = rows(run("codec", "try", acorn, "--hex", "4143 01 0000").stdout)
    assert row["missing"] == 7
    assert [field["name"] for field in row["fields"]] == ["magic", "type", "urgent", "…"]


def test_try_reads_hex_dumps_and_bytes(run: Run, acorn: Path, tmp_path: Path) -> None:
    data = bytes.fromhex(FRAME)
    dump = "".join(f"{at:08x}: {data[at : at + 16].hex(' ', 2)}  text\n" for at in range(0, len(data), 16))
    canonical = "".join(f"{at:08x}  {data[at : at + 16].hex(' ')}  |text|\n" for at in range(0, len(data), 16))
    for content in (data, FRAME.encode(), FRAME.replace(" ", "\n").encode(), dump.encode(), canonical.encode()):
        path = tmp_path / "input"
        path.write_bytes(content)
        done = run("codec", "try", acorn, "--file", path)
        assert done.returncode == 0, (content, done.stderr)
        assert rows(done.stdout)[0]["frame_len"] == 17
    path.write_bytes(FRAME.encode())
    assert run("codec", "try", acorn, "--file", path, "--raw").returncode == 1


def test_try_works_with_registered_codecs(run: Run) -> None:
    [row] = rows(run("codec", "try", "zork", "--hex", "7b1200030003006162637d").stdout)
    assert [field["name"] for field in row["fields"]] == [
        "tag", "req_type", "pack_attrs", "compressed", "pack_length", "body", "end",
    ]  # fmt: skip
    assert [field["region"] for field in row["fields"]][-2:] == ["body", "trailer"]
    assert "close the connection" in row["replies"]["none"]


def test_try_of_a_codec_without_a_description_shows_frames_only(run: Run) -> None:
    done = run("codec", "try", "thrift", "--hex", call(9).hex(), "--show", "table")
    assert done.returncode == 0
    assert b"thrift is not made of a description: its frames have no layout to show" in done.stdout
    assert b"request id 9" in done.stdout
    [row] = rows(run("codec", "try", "thrift", "--hex", call(9).hex()).stdout)
    assert [field["name"] for field in row["fields"]][-1] == "body"


def test_try_refuses_what_it_cannot_use(run: Run, acorn: Path, tmp_path: Path) -> None:
    for arguments in ([], ["--hex", "41", "-"], ["--hex", "4x"], ["--hex", ""], ["other"], ["--hex", "41", "--raw"]):
        assert run("codec", "try", acorn, *arguments).returncode == 2, arguments
    assert run("codec", "try", "nothing", "--hex", "41").returncode == 2
    assert run("codec", "try", acorn, "--file", tmp_path / "none").returncode == 1


def test_show_draws_every_field(run_on_terminal: OnTerminal, acorn: Path) -> None:
    code, shown = run_on_terminal("codec", "show", acorn, width=80)
    told = plain(shown)
    assert code == 0
    assert all(len(line) <= 80 for line in told)
    drawing = "\n".join(told[: told.index("")])
    for name in ("magic", "type", "id", "len(topic)", "topic", "body_len", "body"):
        assert re.search(rf"[│≈┆] *{re.escape(name)} *[│≈┆]", drawing), name
    text = "\n".join(told)
    for said in (
        "sequence number; request id",
        "request if type == 1",
        "by request id",
        "header and trailer, and body_len",
    ):
        assert said in text


def test_show_takes_a_width(run_on_terminal: OnTerminal) -> None:
    for width in (1, 2, 4, 8, 16, 32):
        code, shown = run_on_terminal("codec", "show", "qza", "--width", str(width), width=200)
        assert code == 0
        assert plain(shown)[1].split() == [str(column) for column in range(width)]


def test_show_in_a_pipe_is_the_layout(run: Run, acorn: Path) -> None:
    layout = json.loads(run("codec", "show", acorn).stdout)
    assert [field["name"] for field in layout["fields"]] == ["magic", "type", "urgent", "id", "topic", "body_len"]


def test_show_needs_a_description(run: Run) -> None:
    done = run("codec", "show", "dubbo")
    assert done.returncode == 1
    assert b"not made of a description" in done.stderr


@pytest.mark.parametrize("name", ["qza", "zork", "awesomerpc"])
def test_the_drawings_of_the_documentation_are_those_of_the_codecs(run: Run, tmp_path: Path, name: str) -> None:
    fresh = tmp_path / "fresh.svg"
    assert run("codec", "show", name, "--svg", fresh).returncode == 0
    kept = ROOT / "docs" / "protocols" / f"{name}.svg"
    assert fresh.read_text() == kept.read_text(), f"`make drawings` draws {kept.name} anew"
    assert f"({name}.svg)" in (kept.parent / f"{name}.md").read_text()


def test_a_drawing_is_well_formed_whatever_the_description_says(run: Run, acorn: Path, tmp_path: Path) -> None:
    out = tmp_path / "acorn.svg"
    acorn.write_text(GOOD.replace("Acorn, our own protocol", '"<script>&\\x01\\e\'\\""'))
    assert run("codec", "show", acorn, "--svg", out).returncode == 0
    root = ET.parse(out).getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{space}svg"
    texts = [text.text for text in root.iter(f"{space}text")]
    assert "acorn: <script>&␁␛'\"" in texts
    assert {"magic", "len(topic)", "topic", "body"} <= set(texts)
    assert not list(root.iter(f"{space}script"))
    assert run("codec", "show", acorn, "--svg", tmp_path / "none" / "x.svg").returncode == 1


def test_schema_is_that_of_the_package(run: Run, tmp_path: Path) -> None:
    text = files("metaprotocol").joinpath("codec.schema.json").read_bytes()
    assert run("codec", "schema").stdout == text
    out = tmp_path / "codec.schema.json"
    assert run("codec", "schema", "--out", out).returncode == 0
    assert out.read_bytes() == text
    assert run("codec", "schema", "--out", tmp_path / "none" / "x.json").returncode == 1


def test_the_examples_of_the_documentation_are_what_is_shown(run_on_terminal: OnTerminal, tmp_path: Path) -> None:
    right = (ROOT / "docs" / "reference" / "codec-yaml.md").read_text().split("```yaml\n")[1].split("```")[0]
    wrong = right.replace("name: body_len, type: u32", "name: body_len, type: u33").replace(
        "value: topic", "value: topik"
    )
    page = (ROOT / "docs" / "how-to" / "describe-a-protocol.md").read_text()
    examples = re.findall(r"^```console\n\$ metaprotocol (.*?)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    widths = (80, 400, 100, 76)
    assert len(examples) == len(widths)
    path = tmp_path / "acorn.yaml"
    for index, (command, told) in enumerate(examples):
        path.write_text(right if index else wrong)
        arguments = [word.replace("acorn.", f"{tmp_path}/acorn.") for word in shlex.split(command)]
        _, shown = run_on_terminal(*arguments, width=widths[index])
        lines = [line.replace(f"{tmp_path}/", "") for line in plain(shown)]
        assert lines[: told.count("\n")] == told.rstrip("\n").split("\n"), command


def test_help_has_examples(run: Run) -> None:
    for command in ("check", "try", "show", "schema"):
        done = run("codec", command, "--help")
        assert done.returncode == 0
        assert f"metaprotocol codec {command}" in done.stdout.decode()
