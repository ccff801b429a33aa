"""`metaprotocol replay`: against servers on the loopback that do what a test needs, and against thriftpy2."""

from __future__ import annotations

import io
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from interop.running import running
from kit.captures import CAPTURES
from kit.toy import Toy, toy_frame
from typer.testing import CliRunner

import metaprotocol
from metaprotocol import Direction, FirstSpeaker, Frame, Kind, PairBy, Sharing
from metaprotocol.captures import read_conversations
from metaprotocol.cli import app
from metaprotocol.cli._replay_plan import plan

from .conftest import ROOT, answer, call, pcap, rows

C2S, S2C = Direction
Answering = Callable[[Frame], list[bytes] | None]
"""What a server writes when a frame comes; None: it closes the connection."""
PEER = ROOT / "tests" / "interop" / "peers" / "thrift" / "thriftpy2_peer.py"


class Server:
    """A server of one codec, one thread a connection."""

    def __init__(self, codec: metaprotocol.Codec, answering: Answering, greeting: bytes = b"") -> None:
        self._codec = codec
        self._answering = answering
        self._greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.received: list[tuple[int, Frame]] = []
        """The number of the connection, and the frame."""
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(accepted)
            threading.Thread(target=self._serve, args=(accepted, len(self._sockets) - 1), daemon=True).start()

    def _serve(self, accepted: socket.socket, number: int) -> None:
        connection = self._codec.connection()
        accepted.sendall(self._greeting)
        with accepted:
            while True:
                try:
                    data = accepted.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                for frame in connection.feed(C2S, data):
                    self.received.append((number, frame))
                    answers = self._answering(frame)
                    if answers is None:
                        return
                    for one in answers:
                        accepted.sendall(one)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for accepted in self._sockets:
            accepted.close()


@contextmanager
def serving(answering: Answering, codec: metaprotocol.Codec | None = None, greeting: bytes = b"") -> Iterator[Server]:
    server = Server(codec or metaprotocol.get_codec("thrift"), answering, greeting)
    try:
        yield server
    finally:
        server.close()


def echo(frame: Frame) -> list[bytes]:
    return [answer(int(frame.request_id or 0), str(frame.metadata["method"]))]


def replay(capture: bytes | Path, port: int, folder: Path, *options: str) -> tuple[int, list[dict[str, Any]], str]:
    """The exit code, the JSON lines, and what was said besides."""
    path = capture
    if isinstance(capture, bytes):
        path = folder / "calls.pcap"
        path.write_bytes(capture)
    result = CliRunner().invoke(app, ["replay", str(path), "--to", f"127.0.0.1:{port}", *options])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, rows(result.stdout_bytes), result.stderr


def of_kind(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["kind"] == kind]


def test_requests_go_out_under_fresh_ids_and_are_paired(tmp_path: Path) -> None:
    capture = pcap(
        (True, call(0) + call(0, "add")), (False, answer(0) + answer(0, "add")), (True, call(0)), (False, answer(0))
    )
    with serving(echo) as server:
        code, lines, said = replay(capture, server.port, tmp_path, "--diff", "--speed", "max")
    assert code == 0
    assert said == ""
    assert [(frame.request_id, frame.metadata["method"]) for _, frame in server.received] == [
        (1, "ping"),
        (2, "add"),
        (3, "ping"),
    ]
    assert [(row["method"], row["sent"], row["answered"]) for row in of_kind(lines, "method")] == [
        ("ping", 2, 2),
        ("add", 1, 1),
    ]
    [summary] = of_kind(lines, "summary")
    assert summary["differences"] == summary["lost"] == summary["timeouts"] == 0
    assert summary["latency_ms"]["p50"] > 0
    assert summary["captured_latency_ms"] == {"p50": 1.0, "p90": 1.0, "p99": 1.0, "max": 1.0}


def test_answers_may_come_in_any_order(tmp_path: Path) -> None:
    capture = pcap((True, call(5) + call(6, "add")), (False, answer(6, "add") + answer(5)))
    held: list[bytes] = []

    def reversed_(frame: Frame) -> list[bytes]:
        held.extend(echo(frame))
        return held[::-1] if len(held) == 2 else []

    with serving(reversed_) as server:
        code, lines, _ = replay(capture, server.port, tmp_path, "--diff", "--speed", "max")
    assert code == 0
    assert of_kind(lines, "summary")[0]["answered"] == 2


def test_no_more_is_under_way_than_in_the_capture(tmp_path: Path) -> None:
    capture = pcap((True, call(1)), (False, answer(1)), (True, call(2) + call(3)), (False, answer(2) + answer(3)))
    under_way: list[int] = []

    def slowly(frame: Frame) -> list[bytes]:
        # Had the client sent more, it would have come by now.
        time.sleep(0.05)
        under_way.append(len(server.received))
        return echo(frame)

    with serving(slowly) as server:
        code, _, _ = replay(capture, server.port, tmp_path, "--speed", "max")
        assert code == 0
        assert under_way[0] == 1
        assert [int(frame.request_id or 0) for _, frame in server.received] == [1, 2, 3]


def test_speed_stretches_the_pauses_of_the_capture(tmp_path: Path) -> None:
    capture = pcap((True, call(1)), (False, answer(1)), (True, call(2)), (False, answer(2)))
    seconds = {}
    for speed in ("0.01x", "max"):
        times: list[float] = []

        def timed(frame: Frame, times: list[float] = times) -> list[bytes]:
            times.append(time.monotonic())
            return echo(frame)

        with serving(timed) as server:
            assert replay(capture, server.port, tmp_path, "--speed", speed)[0] == 0
        seconds[speed] = times[1] - times[0]
    # The requests are 2 ms apart in the capture.
    assert seconds["0.01x"] >= 0.19
    assert seconds["max"] < 0.19


def test_one_way_requests_are_not_waited_for(tmp_path: Path) -> None:
    oneway = call(1, "notify").replace(b"\x80\x01\0\x01", b"\x80\x01\0\x04", 1)
    with serving(lambda frame: [] if frame.kind is Kind.ONEWAY else echo(frame)) as server:
        code, lines, _ = replay(
            pcap((True, oneway), (True, call(2)), (False, answer(2))), server.port, tmp_path, "--diff"
        )
    assert code == 0
    [summary] = of_kind(lines, "summary")
    assert (summary["oneways"], summary["answered"], summary["timeouts"]) == (1, 1, 0)
    assert [frame.kind for _, frame in server.received] == [Kind.ONEWAY, Kind.REQUEST]


def test_no_answer_in_time_is_missing(tmp_path: Path) -> None:
    capture = pcap((True, call(9)), (False, answer(9)), (True, call(10, "add")), (False, answer(10, "add")))
    with serving(lambda frame: [] if frame.metadata["method"] == "ping" else echo(frame)) as server:
        plain, _, _ = replay(capture, server.port, tmp_path, "--timeout", "0.1")
        code, lines, said = replay(capture, server.port, tmp_path, "--timeout", "0.1", "--diff")
    assert plain == 0
    assert code == 1
    [difference] = of_kind(lines, "difference")
    assert (difference["request_id"], difference["missing"]) == (9, "timeout")
    assert of_kind(lines, "summary")[0]["timeouts"] == 1
    assert "1 of 2 answers differ from the capture or are missing" in said


def test_a_late_answer_is_counted_and_pairs_with_nothing_else(tmp_path: Path) -> None:
    capture = pcap((True, call(1)), (False, answer(1)), (True, call(2, "add")), (False, answer(2, "add")))
    held: list[bytes] = []

    def late(frame: Frame) -> list[bytes]:
        if frame.metadata["method"] == "ping":
            held.extend(echo(frame))
            return []
        return held + echo(frame)

    with serving(late) as server:
        _, lines, _ = replay(capture, server.port, tmp_path, "--timeout", "0.2")
    [summary] = of_kind(lines, "summary")
    assert (summary["timeouts"], summary["answered"], summary["late"]) == (1, 1, 1)


def test_a_connection_that_ends_is_opened_again(tmp_path: Path) -> None:
    capture = pcap((True, call(1, "crash")), (False, answer(1, "crash")), (True, call(2)), (False, answer(2)))
    with serving(lambda frame: None if frame.metadata["method"] == "crash" else echo(frame)) as server:
        code, lines, said = replay(capture, server.port, tmp_path, "--diff")
    assert code == 1
    assert [number for number, _ in server.received] == [0, 1]
    [summary] = of_kind(lines, "summary")
    assert (summary["lost"], summary["answered"], summary["connections"]) == (1, 1, 2)
    assert "the server closed the connection" in said


def test_bytes_that_are_not_the_protocol_end_the_connection(tmp_path: Path) -> None:
    with serving(lambda _: [b"HTTP/1.1 400 Bad Request\r\n\r\n"]) as server:
        code, lines, said = replay(pcap((True, call(1)), (False, answer(1))), server.port, tmp_path, "--diff")
    assert code == 1
    assert of_kind(lines, "summary")[0]["lost"] == 1
    assert "the server's bytes are not the protocol: thrift: at server_to_client offset 0" in said


def test_diff_names_the_fields_that_changed(tmp_path: Path) -> None:
    def changed(frame: Frame) -> list[bytes]:
        error = frame.codec.reply(frame, metaprotocol.ErrorType.ROUTE_NOT_FOUND, "no route")
        return [error] if error else []

    capture = pcap((True, call(4)), (False, answer(4)))
    with serving(changed) as server:
        code, lines, _ = replay(capture, server.port, tmp_path, "--diff")
        ignoring = replay(
            capture,
            server.port,
            tmp_path,
            "--diff",
            "--ignore",
            "kind,body,message_type,reply_type",
            "--ignore",
            "exception_type,exception_message",
        )
    assert code == 1
    [difference] = of_kind(lines, "difference")
    assert (difference["connection"], difference["request_id"], difference["method"]) == (0, 4, "ping")
    changed_fields = difference["changed"]
    assert next(iter(changed_fields)) == "kind"
    assert changed_fields["kind"] == ["response", "error"]
    assert changed_fields["message_type"] == ["reply", "exception"]
    assert changed_fields["exception_message"] == [None, "no route"]
    assert list(changed_fields)[-1] == "body"
    assert "seq_id" not in changed_fields
    assert of_kind(lines, "method")[0]["errors"] == 1
    assert ignoring[0] == 0


def test_conditions_and_limit_choose_calls(tmp_path: Path) -> None:
    capture = pcap(
        *((from_client, piece(number, method)) for number, method in enumerate(["ping", "add", "ping"], 1)
          for from_client, piece in ((True, call), (False, answer)))
    )  # fmt: skip
    with serving(echo) as server:
        for options, methods in (
            (["--where", "method=ping"], ["ping", "ping"]),
            (["--where", "request_id>=2"], ["add", "ping"]),
            (["--where", "latency_ms>5"], None),
            (["--limit", "2"], ["ping", "add"]),
            (["--where", "method!=add", "--limit", "1"], ["ping"]),
        ):
            server.received.clear()
            code, _, said = replay(capture, server.port, tmp_path, *options)
            if methods is None:
                assert code == 1
                assert "no request meets --where" in said
            else:
                assert code == 0
                assert [frame.metadata["method"] for _, frame in server.received] == methods


def test_connections_can_be_shared(tmp_path: Path) -> None:
    capture = CAPTURES / "thrift" / "thriftpy2-framed-binary-connections.pcap"
    captured = len(read_conversations(capture))
    with serving(echo) as server:
        _, lines, _ = replay(capture, server.port, tmp_path, "--speed", "max")
        assert of_kind(lines, "summary")[0]["connections"] == captured
        server.received.clear()
        _, lines, _ = replay(capture, server.port, tmp_path, "--speed", "max", "--connections", "2")
    [summary] = of_kind(lines, "summary")
    assert summary["connections"] == 2
    assert summary["answered"] == summary["sent"] > captured
    by_connection: dict[int, list[Any]] = {}
    for number, frame in server.received:
        by_connection.setdefault(number, []).append(frame.request_id)
    assert all(ids == list(range(1, len(ids) + 1)) for ids in by_connection.values()), "ids are unique"


@pytest.fixture
def toy() -> Toy:
    """A codec in Python whose connections can be shared."""
    codec = Toy()
    codec.sharing = Sharing.MULTIPLEXED  # type: ignore[misc]  # a constant of real codecs, varied here
    metaprotocol.register_codec(codec)
    return codec


def test_heartbeats_of_the_server_are_answered_and_those_of_the_client_left_out(tmp_path: Path, toy: Toy) -> None:
    capture = pcap(
        (True, toy_frame(Kind.HEARTBEAT, 1)),
        (False, toy_frame(Kind.HEARTBEAT, 1)),
        (True, toy_frame(Kind.REQUEST, 2, b"method=ask")),
        (False, toy_frame(Kind.RESPONSE, 2)),
    )

    def probing(frame: Frame) -> list[bytes]:
        if frame.kind is Kind.REQUEST:
            return [toy_frame(Kind.HEARTBEAT, 77)]
        return [toy_frame(Kind.RESPONSE, 1)]

    with serving(probing, toy) as server:
        code, lines, _ = replay(capture, server.port, tmp_path, "--diff")
    assert code == 0
    assert [(frame.kind, frame.request_id) for _, frame in server.received] == [
        (Kind.REQUEST, 1),
        (Kind.HEARTBEAT, 77),
    ]
    [summary] = of_kind(lines, "summary")
    assert (summary["heartbeats_left_out"], summary["heartbeats_answered"]) == (1, 1)


def test_protocols_that_answer_in_order_are_paired_in_order(tmp_path: Path) -> None:
    codec = Toy(PairBy.ORDER)
    codec.sharing = Sharing.PIPELINED  # type: ignore[misc]
    metaprotocol.register_codec(codec)
    requests = [toy_frame(Kind.REQUEST, None, b"method=%d" % number) for number in range(3)]
    answers = [toy_frame(Kind.RESPONSE, None, b"method=%d" % number) for number in range(3)]
    capture = pcap((True, b"".join(requests)), (False, b"".join(answers)))
    with serving(lambda frame: [toy_frame(Kind.RESPONSE, None, bytes(frame.body))], codec) as server:
        code, lines, _ = replay(capture, server.port, tmp_path, "--diff", "--speed", "max")
    assert code == 0
    assert of_kind(lines, "summary")[0]["answered"] == 3
    assert [bytes(frame) for _, frame in server.received] == requests


def request_and(*frames: tuple[bool, bytes]) -> bytes:
    return pcap((True, toy_frame(Kind.REQUEST, 1)), (False, toy_frame(Kind.RESPONSE, 1)), *frames)


@pytest.mark.parametrize(
    ("settings", "capture", "why"),
    [
        ({"sharing": Sharing.BOUND}, request_and(), "holds state of its client (sharing: bound)"),
        ({"first_speaker": FirstSpeaker.SERVER}, request_and(), "the server speaks first"),
        ({"pair_by": PairBy.NONE}, request_and(), "pairs no answer with a request by id or order (pair_by: none)"),
        ({"pair_by": PairBy.STREAM}, request_and(), "(pair_by: stream)"),
        ({}, request_and((True, toy_frame(Kind.CONTROL, 1))), "it has a handshake or login (CONTROL at offset 14)"),
        ({}, request_and((True, toy_frame(Kind.STREAM_OPEN, 1, b"", 1))), "it has streams (STREAM_OPEN at offset 14)"),
        ({}, request_and((False, toy_frame(Kind.REQUEST, 1))), "the server sends requests of its own (at offset 14)"),
        ({}, request_and((True, b"junk")), "it cannot be decoded to its end: toy: at client_to_server offset 14"),
        ({}, pcap((True, toy_frame(Kind.HEARTBEAT, 1))), "it has no requests"),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    settings: dict[str, Any], capture: bytes, why: str, toy: Toy, tmp_path: Path
) -> None:
    for name, value in settings.items():
        setattr(toy, name, value)
    code, lines, said = replay(capture, 1, tmp_path, "--protocol", "toy")
    assert code == 1
    assert lines == []
    assert "nothing can be replayed" in said
    assert why in said


def without(capture: bytes, *numbers: int) -> bytes:
    """The capture without some of its packets."""
    kept, at, number = [capture[:24]], 24, 0
    while at < len(capture):
        (length,) = struct.unpack_from("<8xI", capture, at)
        if number not in numbers:
            kept.append(capture[at : at + 16 + length])
        at, number = at + 16 + length, number + 1
    return b"".join(kept)


@pytest.mark.parametrize(
    ("missing", "why"),
    [((0, 1), "the capture begins in the middle of it"), ((4,), f"the capture lacks {len(call(2))} of its bytes")],
)
def test_captures_with_holes_are_refused(missing: tuple[int, ...], why: str) -> None:
    whole = pcap((True, call(1)), (False, answer(1)), (True, call(2)), (True, call(3)), (False, answer(3)))
    [skipped] = plan(read_conversations(io.BytesIO(without(whole, *missing))), [], None).skipped
    assert skipped.why == why


def test_what_is_skipped_is_told_and_the_rest_replayed(tmp_path: Path) -> None:
    fine = pcap((True, call(1)), (False, answer(1)), port=40001)
    other = pcap((True, b"GET / HTTP/1.1\r\n\r\n"), (False, b"HTTP/1.1 200 OK\r\n\r\n"), port=40002)
    with serving(echo) as server:
        code, lines, said = replay(fine + other[24:], server.port, tmp_path, "--diff")
        quiet = replay(fine + other[24:], server.port, tmp_path, "--quiet")
    assert code == 0
    [skipped] = of_kind(lines, "skipped")
    assert skipped["connection"] == 1
    assert skipped["why"].startswith("no codec recognises it")
    assert "skipped connection 1 (10.0.0.1:40002 → 10.0.0.2:20880): no codec recognises it" in said
    assert of_kind(lines, "summary")[0]["skipped_connections"] == 1
    assert quiet[2] == ""


def test_two_protocols_do_not_go_to_one_server(tmp_path: Path) -> None:
    dubbo = (CAPTURES / "dubbo" / "dubbo-3-oneway.pcap").read_bytes()
    thrift = (CAPTURES / "thrift" / "thriftpy2-framed-binary.pcap").read_bytes()
    code, _, said = replay(dubbo + thrift[24:], 1, tmp_path)
    assert code == 2
    assert "calls of several protocols (dubbo, thrift)" in said


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, _, said = replay(pcap((True, call(1))), port, tmp_path)
    assert code == 1
    assert f"cannot connect to 127.0.0.1:{port}" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--speed", "fast"], "--speed fast: expected max, or how many times"),
        (["--speed", "0x"], "--speed 0x"),
        (["--connections", "few"], "--connections few: expected as-captured, or a number"),
        (["--where", "method"], "there is no operator"),
        (["--protocol", "thrift", "--codec", "thrift"], "give one of them"),
        (["--protocol", "thrifty"], "did you mean thrift"),
        (["--to", "localhost"], "expected HOST:PORT"),
        (["--to", "localhost:70000"], "expected HOST:PORT"),
        (["--timeout", "0"], ""),
    ],
)
def test_wrong_usage(options: list[str], said: str, tmp_path: Path) -> None:
    code, _, told = replay(pcap((True, call(1))), 1, tmp_path, *options)
    assert code == 2
    assert said in " ".join(told.split())


def test_what_cannot_be_read(tmp_path: Path) -> None:
    code, _, said = replay(tmp_path / "absent.pcap", 1, tmp_path)
    assert code == 1
    assert "No such file" in said
    code, _, said = replay(b"no capture at all", 1, tmp_path)
    assert code == 1
    assert "not a pcap or pcapng file" in said


def test_a_terminal_gets_tables(run_on_terminal: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    path = tmp_path / "calls.pcap"
    path.write_bytes(pcap((True, call(1)), (False, answer(1)), (True, call(2, "add")), (False, answer(2))))
    with serving(echo) as server:
        code, shown = run_on_terminal("replay", path, "--to", f"127.0.0.1:{server.port}", "--diff")
    assert code == 1
    assert "captured p50" in shown
    assert "2 sent on 1 connections, 2 answered" in shown
    assert "add (connection 0, id 2)" in shown
    with pytest.raises(json.JSONDecodeError):
        json.loads(shown.splitlines()[-1])


LIVE = {
    "thriftpy2-framed-binary": ("framed", "binary"),
    "thriftpy2-unframed-compact-pipelined": ("unframed", "compact"),
    "apache-py-framed-binary-large": ("framed", "binary"),
    "apache-go-unframed-binary-old": ("unframed", "binary-old"),
    "apache-py-framed-compact": ("framed", "compact"),
    "thriftpy2-unframed-binary-multiplexed": ("unframed", "binary", "--multiplexed"),
}


@pytest.mark.parametrize("name", LIVE)
def test_a_real_server_answers_what_another_answered(name: str, tmp_path: Path) -> None:
    transport, protocol, *flags = LIVE[name]
    path = CAPTURES / "thrift" / f"{name}.pcap"
    told = json.loads(path.with_suffix(".json").read_text())["calls"]
    command = [sys.executable, str(PEER), "server", "--transport", transport, "--protocol", protocol, *flags]
    with running(command) as port:
        # Servers of other libraries word these differently, or write a set in another order.
        ours = ["--where", "method!~crash|missing|echo", "--speed", "max"]
        code, lines, said = replay(path, port, tmp_path, *ours, "--diff", "--timeout", "2")
    assert code == 0, (lines, said)
    wanted = [call for call in told if not any(part in call["method"] for part in ("crash", "missing", "echo"))]
    [summary] = of_kind(lines, "summary")
    assert summary["sent"] == len(wanted)
    assert summary["oneways"] == sum(call["message_type"] == "oneway" for call in wanted)
    # Go's client writes one-way calls as calls that nobody answers.
    assert summary["answered"] == sum(call["reply"] is not None for call in wanted)
    assert summary["timeouts"] == summary["not_compared"] == len(wanted) - summary["oneways"] - summary["answered"]
    assert summary["errors"] == summary["captured_errors"] == sum(not call["ok"] for call in wanted)
