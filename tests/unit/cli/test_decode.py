"""`metaprotocol decode`: inputs, outputs, filters, exit codes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import metaprotocol
from metaprotocol._native import CaptureDecoder
from metaprotocol.errors import CaptureError

from .conftest import CAPTURES, CODECS, PROGRAM, ROOT, Run, answer, call, environment, pcap, rows

DUBBO = CAPTURES / "dubbo" / "dubbo-2.7-exceptions.pcap"
THRIFT = CAPTURES / "thrift" / "apache-go-header-compact-multiplexed.pcap"
JSON_THRIFT = CAPTURES / "thrift" / "apache-py-unframed-json.pcap"
PAGE = ROOT / "docs" / "how-to" / "decode-captures.md"


def test_a_pipe_gets_json_lines(run: Run) -> None:
    done = run("decode", DUBBO)
    assert done.returncode == 0
    assert done.stderr == b""
    decoded = rows(done.stdout)
    told = json.loads(DUBBO.with_suffix(".json").read_text())["calls"]
    assert [row["method"] for row in decoded] == [one["method"] for one in told]
    assert decoded[1]["error"] == "metaprotocol.peer.BusinessException: no stock"
    assert all(row["kind"] == "call" and row["latency_ms"] > 0 for row in decoded)


def test_a_terminal_gets_a_table_and_a_summary(run_on_terminal: Callable[..., tuple[int, str]]) -> None:
    code, shown = run_on_terminal("decode", DUBBO)
    assert code == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert text.splitlines()[0].split()[:4] == ["Time", "Connection", "Protocol", "Id"]
    assert re.search(r"declared +error +[0-9.]+ ms +225 +3,017 +metaprotocol.peer.Busin", text)
    assert "11 calls, 8 with errors  (dubbo on 1 stream)" in text
    assert "p99 ms" in text
    assert "\x1b[31m" in shown, "errors are red"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_table_fits_its_terminal(run_on_terminal: Callable[..., tuple[int, str]], width: int) -> None:
    _, shown = run_on_terminal("decode", DUBBO, "--quiet", width=width)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert len(lines) == 12
    assert max(map(len, lines)) <= width
    assert "sayHello" in lines[1]


def test_quiet_leaves_the_summary_out(run_on_terminal: Callable[..., tuple[int, str]]) -> None:
    _, shown = run_on_terminal("decode", DUBBO, "--quiet")
    assert "calls" not in shown


def test_a_table_can_be_piped(run: Run) -> None:
    done = run("decode", THRIFT, "--show", "table", "--columns", "x-user", "--where", "method=sayHello")
    lines = done.stdout.decode().splitlines()
    assert lines[0].split()[-1] == "x-user"
    assert [line.split()[-1] for line in lines[1:3]] == ["alice", "алиса"]
    assert "\x1b" not in done.stdout.decode()
    narrow = run("decode", THRIFT, "--show", "table", COLUMNS="60").stdout.decode()
    assert max(map(len, narrow.splitlines())) <= 60


def test_text_from_the_network_cannot_steer_the_terminal(run: Run) -> None:
    evil = "a\x1b[2J\x07\u202eb"
    raw = ("decode", "-", "--format", "raw", "--protocol", "thrift")
    shown = run(*raw, "--show", "table", stdin=call(1, evil)).stdout.decode()
    assert "a␛[2J␇\ufffdb" in shown
    assert "a␛[2J␇\ufffdb" in run(*raw, "--show", "table", "--summary", stdin=call(1, evil)).stdout.decode()
    assert rows(run(*raw, stdin=call(1, evil)).stdout)[0]["method"] == evil


def test_conditions_limit_and_columns(run: Run) -> None:
    done = run("decode", THRIFT, "-w", "method=sayHello", "-w", "x-user~.", "-n", "1", "-c", "x-user,reply_type")
    [row] = rows(done.stdout)
    assert row["metadata"] == {"x-user": "alice"}
    assert row["response_metadata"] == {"reply_type": "success"}
    assert rows(run("decode", THRIFT, "-w", "outcome=error", "-w", "service!=Greeter").stdout) == []
    slow = rows(run("decode", DUBBO, "-w", "latency_ms>500").stdout)
    assert [row["method"] for row in slow] == ["slow"]


def test_the_summary_alone(run: Run) -> None:
    done = run("decode", DUBBO, "--summary")
    summary = json.loads(done.stdout)
    assert (summary["calls"], summary["errors"], summary["format"]) == (11, 8, "pcap")
    assert summary["methods"][0]["method"] == "sayHello"
    assert "11 calls, 8 with errors" in run("decode", DUBBO, "--summary", "--show", "table").stdout.decode()


@pytest.mark.parametrize("protocol", ["dubbo", "DUBBO", "aeraki.meta_protocol.codec.dubbo"])
def test_a_protocol_goes_by_name_or_alias(run: Run, protocol: str) -> None:
    assert run("decode", DUBBO, "--protocol", protocol).stdout == run("decode", DUBBO).stdout


def test_standard_input(run: Run) -> None:
    assert run("decode", "-", stdin=DUBBO.read_bytes()).stdout == run("decode", DUBBO).stdout
    frame = b"dabbe2000000000000000002000000014e"
    [row] = rows(run("decode", "-", stdin=frame).stdout)
    assert (row["kind"], row["request_id"]) == ("heartbeat", 2)
    [row] = rows(run("decode", "-", "--direction", "server_to_client", stdin=bytes.fromhex(frame.decode())).stdout)
    assert row["direction"] == "server_to_client"


def test_rows_of_a_slow_pipe_come_at_once() -> None:
    with subprocess.Popen(
        [*PROGRAM, "decode", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(DUBBO.read_bytes())
        process.stdin.flush()
        # The input is still open.
        assert json.loads(process.stdout.readline())["method"] == "sayHello"
        process.stdin.close()
        assert len(process.stdout.readlines()) == 10
    assert process.returncode == 0


def test_following_a_growing_file(tmp_path: Path) -> None:
    file = tmp_path / "growing.pcap"
    whole = DUBBO.read_bytes()
    file.write_bytes(whole[:1000])
    with subprocess.Popen(
        [*PROGRAM, "decode", file, "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["request_id"] == 0
        with file.open("ab") as growing:
            growing.write(whole[1000:])
        seen = [json.loads(process.stdout.readline())["request_id"] for _ in range(10)]
        assert seen == list(range(1, 11))
        time.sleep(0.3)
        assert process.poll() is None, "it waits for more"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, b"")


def test_a_followed_file_that_shrinks_is_told(tmp_path: Path) -> None:
    file = tmp_path / "rotated.pcap"
    file.write_bytes(DUBBO.read_bytes())
    with subprocess.Popen(
        [*PROGRAM, "decode", file, "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout
        process.stdout.readline()
        file.write_bytes(b"")
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert b"became shorter" in errors


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_files_for_tables(run: Run, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"calls{suffix}"
    done = run("decode", DUBBO, "--out", out)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    table = _read(out)
    wanted = rows(run("decode", DUBBO).stdout)
    assert table.num_rows == len(wanted)
    for got, row in zip(table.to_pylist(), wanted, strict=True):
        assert got.pop("time").isoformat()[:26] == row.pop("time")[:26]
        assert got.pop("latency_ns") == round(row.pop("latency_ms") * 1e6)
        assert got.pop("request_id") == str(row.pop("request_id"))
        for key in ("metadata", "response_metadata"):
            assert json.loads(got.pop(key)) == row.pop(key)
        assert {key: value for key, value in got.items() if value is not None} == row
    run("decode", DUBBO, "--out", out, "--columns", "interface,exception", "--where", "outcome=error")
    table = _read(out)
    assert table.schema.names[-2:] == ["interface", "exception"]
    assert table["exception"][0].as_py() == "metaprotocol.peer.BusinessException"
    run("decode", DUBBO, "--out", out, "--where", "method=nobody")
    assert _read(out).num_rows == 0
    assert _read(out).schema.names[0] == "kind"


def _read(path: Path) -> Any:
    pyarrow = pytest.importorskip("pyarrow")
    if path.suffix == ".parquet":
        return pytest.importorskip("pyarrow.parquet").read_table(path)
    return pyarrow.ipc.open_file(path).read_all()


def test_json_lines_to_a_file(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "calls.jsonl"
    assert run("decode", DUBBO, "--out", out).stdout == b""
    assert out.read_bytes() == run("decode", DUBBO).stdout


def test_without_pyarrow_the_error_says_what_to_install(tmp_path: Path) -> None:
    program = "import sys; sys.modules['pyarrow'] = None; from metaprotocol.cli import main; main()"
    arguments = [sys.executable, "-c", program, "decode", str(DUBBO), "--out", str(tmp_path / "calls.parquet")]
    done = subprocess.run(arguments, capture_output=True, env=environment(), check=False)
    assert done.returncode == 1
    assert b"pip install 'metaprotocol[arrow]'" in done.stderr
    assert not (tmp_path / "calls.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["decode", "absent.pcap"], 1, "absent.pcap: No such file or directory"),
        (["decode", "."], 1, ".: Is a directory"),
        (["decode", str(DUBBO), "--protocol", "thrit"], 2, "did you mean thrift?"),
        (["decode", str(DUBBO), "--where", "method"], 2, "there is no operator; expected KEY=VALUE"),
        (["decode", str(DUBBO), "--where", "method~("], 2, "no regular expression"),
        (["decode", str(DUBBO), "--out", "calls.csv"], 2, "must end in .arrow, .parquet or .jsonl"),
        (["decode", str(DUBBO), "--out", "no/such/folder.jsonl"], 1, "no/such/folder.jsonl: No such file"),
        (["decode", str(ROOT / "LICENSE"), "--format", "pcap"], 1, "at file offset 0: not a pcap or pcapng file"),
        (["decode", str(ROOT / "LICENSE"), "--format", "hex"], 1, "is no hex digit"),
        (["codecs", "dubo"], 2, "did you mean dubbo?"),
    ],
)
def test_errors_say_what_and_where(run: Run, arguments: list[str], code: int, message: str) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert message in done.stderr.decode()
    assert done.stderr.startswith(b"metaprotocol: ")
    assert done.stderr.count(b"\n") == 1
    assert done.stdout == b""


def test_wrong_usage_leaves_the_output_file_alone(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "calls.jsonl"
    out.write_text("precious")
    assert run("decode", DUBBO, "--out", out, "--where", "nonsense").returncode == 2
    assert run("decode", "absent.pcap", "--out", out).returncode == 1
    assert out.read_text() == "precious"


def test_a_corrupt_capture_gives_the_rows_before_the_place(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "corrupt.pcap"
    file.write_bytes(DUBBO.read_bytes() + b"\xff" * 16)
    done = run("decode", file)
    assert done.returncode == 1
    assert len(rows(done.stdout)) == 11
    assert f"at file offset {DUBBO.stat().st_size}" in done.stderr.decode()


def test_strict_tells_what_is_broken(run: Run, tmp_path: Path) -> None:
    assert run("decode", DUBBO, "--strict").returncode == 0
    file = tmp_path / "broken.pcap"
    file.write_bytes(pcap((True, call(1)), (True, b"\xff" * 50 + call(2)), (False, answer(1) + answer(2)))[:-3])
    done = run("decode", file)
    assert done.returncode == 0
    assert "1 frame malformed, 50 bytes of no frame, the last packet record" in done.stderr.decode()
    kinds = [row["kind"] for row in rows(done.stdout)]
    assert "malformed" in kinds
    done = run("decode", file, "--strict", "--quiet")
    assert done.returncode == 3
    assert "1 frame malformed" in done.stderr.decode()


def test_streams_of_other_protocols_are_told(run: Run) -> None:
    done = run("decode", JSON_THRIFT)
    assert (done.returncode, done.stdout) == (0, b"")
    assert "1 stream of no known protocol skipped" in done.stderr.decode()
    assert f"--protocol says what it is: {', '.join(CODECS)}" in done.stderr.decode()
    assert run("decode", JSON_THRIFT, "--quiet").stderr == b""


def test_an_empty_input_is_told(run: Run) -> None:
    done = run("decode", "-")
    assert (done.returncode, done.stdout) == (0, b"")
    assert "there is nothing in it" in done.stderr.decode()
    done = run("decode", "-", "--format", "pcap")
    assert done.returncode == 1
    assert "the file ends within its header" in done.stderr.decode()


def test_frames_over_the_limit_are_malformed(run: Run) -> None:
    done = run("decode", DUBBO, "--max-frame-len", "4000")
    broken = [row for row in rows(done.stdout) if row["kind"] == "malformed"]
    assert {row["reason"] for row in broken} == {"limit_exceeded"}
    assert "raise Limits.max_frame_len" in broken[0]["broken"]


def test_the_reader_of_a_pipe_may_go_away(tmp_path: Path) -> None:
    file = tmp_path / "long.pcap"
    segments = [part for number in range(20_000) for part in ((True, call(number)), (False, answer(number)))]
    file.write_bytes(pcap(*segments))
    with subprocess.Popen(
        [*PROGRAM, "decode", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr
        errors = process.stderr.read()
    assert (process.returncode, errors) == (141, b"")


def test_memory_follows_the_open_streams_not_the_file() -> None:
    decoder = CaptureDecoder()
    segments = [part for number in range(500) for part in ((True, call(number)), (False, answer(number)))]
    first = pcap(*segments, port=1)
    decoder.push(first)
    rows_seen = len(rows(decoder.take_json()))
    most = decoder.retained_bytes
    for port in range(2, 60):
        decoder.push(pcap(*segments, port=port)[24:])
        rows_seen += len(rows(decoder.take_json()))
        most = max(most, decoder.retained_bytes)
    decoder.finish()
    rows_seen += len(rows(decoder.take_json()))
    assert rows_seen == 59 * 500
    assert most < 10_000


def test_rows_do_not_depend_on_the_number_of_threads() -> None:
    segments = [part for number in range(500) for part in ((True, call(number)), (False, answer(number)))]
    file = pcap() + b"".join(pcap(*segments, port=port)[24:] for port in range(1, 9))
    outputs = set()
    for threads in (1, 2, 3):
        decoder = CaptureDecoder(threads=threads)
        decoder.push(file)
        decoder.flush()
        outputs.add(decoder.take_json())
        decoder.finish()
        assert decoder.take_json() == b""
        outputs.add(decoder.summary())
    assert len(outputs) == 2
    assert max(map(len, outputs)) > 1 << 20


def test_a_progress_bar_is_for_big_files_on_a_terminal(
    run_on_terminal: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    file = tmp_path / "big.pcap"
    # One call, and 33 MiB of a page that is no call.
    page = [(True, b"x" * 60_000)] * (33 * 1024 * 1024 // 60_000 + 1)
    file.write_bytes(pcap((True, call(1)), (False, answer(1))) + pcap(*page, port=40001)[24:])
    out = tmp_path / "calls.jsonl"
    code, shown = run_on_terminal("decode", file, "--out", out)
    assert code == 0
    assert "big.pcap" in shown
    assert "MiB" in shown
    assert len(rows(out.read_bytes())) == 1
    _, shown = run_on_terminal("decode", file, "--out", out, "--quiet")
    assert shown == ""


def test_the_binding_refuses_what_makes_no_sense() -> None:
    for wrong in ({"format": "xml"}, {"output": "xml"}, {"protocol": "nobody"}, {"where_": ["x"]}):
        with pytest.raises(ValueError, match=r"xml|nobody|operator"):
            CaptureDecoder(**wrong)
    decoder = CaptureDecoder(format="pcap")
    with pytest.raises(CaptureError) as caught:
        decoder.push(b"GET / HTTP/1.1\r\nand more of it")
    assert (caught.value.code, caught.value.offset) == ("capture.not_a_capture", 0)
    with pytest.raises(CaptureError):
        decoder.finish()
    assert decoder.take_json() == b""


def test_the_page_lists_the_fields_and_kinds() -> None:
    text = PAGE.read_text()
    fields = re.findall(r"^\| `(\w+)` \| (?:string|number|object|boolean)", text, re.MULTILINE)
    decoder = CaptureDecoder(output="columns")
    pyarrow = pytest.importorskip("pyarrow")
    names = pyarrow.record_batch(decoder.take_batch()).schema.names
    assert [name.replace("latency_ns", "latency_ms") for name in names] == fields[:-1]
    assert fields[-1] == "metadata_cut"
    cells = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ", text, re.MULTILINE)
    kinds = {kind for cell in cells for kind in re.findall(r"\w+", cell)}
    assert {kind.name.lower() for kind in metaprotocol.Kind} | {"call", "malformed", "incomplete", "gap"} <= kinds
    codes = {int(code) for code in re.findall(r"^\| (\d+) \| ", text, re.MULTILINE)}
    assert codes == {0, 1, 2, 3, 4, 130, 141}
