"""`examples/mitmproxy_addon.py` in the real mitmproxy, between peers that know nothing of it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from interop.proxy import HOST, PATIENCE
from kit.dialects import dubbo_body, dubbo_frame, hessian_binary

from metaprotocol import Codec, Direction, ErrorType, Frame, Kind, get_codec

pytestmark = [pytest.mark.interop, pytest.mark.timeout(90, func_only=True)]

ROOT = Path(__file__).resolve().parents[2]
ADDON = ROOT / "examples" / "mitmproxy_addon.py"
DUBBO = get_codec("dubbo")
TOY = f"{ROOT}/tests/kit/toy.py:Toy"


@pytest.fixture(scope="session")
def mitmdump() -> tuple[str, dict[str, str]]:
    path = ROOT / "tests" / "interop" / "peers" / "mitmproxy.py"
    spec = importlib.util.spec_from_file_location("mitmproxy_peer", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    built: tuple[str, dict[str, str]] = script.build()
    return built


class Mitmproxy:
    """mitmdump before a server, with the addon."""

    def __init__(self, program: tuple[str, dict[str, str]], folder: Path, server: int, *options: str) -> None:
        self.log = folder / "frames.jsonl"
        dump, environment = program
        settings = [part for option in (f"frames_log={self.log}", *options) for part in ("--set", option)]
        self.process = subprocess.Popen(
            [
                dump,
                *("--mode", f"reverse:tcp://{HOST}:{server}", "--listen-host", HOST, "--listen-port", "0"),
                *("--set", f"confdir={folder}", "-s", str(ADDON), *settings),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **environment},
        )
        self.told: list[str] = []
        self.port = 0

    def __enter__(self) -> Mitmproxy:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told.append(line)
            if found := re.search(r"listening at .*?:(\d+)\.", line):
                self.port = int(found[1])
                break
        else:
            pytest.fail("mitmdump did not start:\n" + "".join(self.told))
        self.reader = threading.Thread(target=self.told.extend, args=(self.process.stdout,))
        self.reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        # asyncio of Python 3.11.7 shows a traceback of its own for a connection that is under way when the server ends.
        patience = time.monotonic() + PATIENCE
        while self._open() and time.monotonic() < patience:
            time.sleep(0.05)
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _open(self) -> bool:
        told = "".join(self.told)
        return told.count("client connect") > told.count("client disconnect")

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


@contextmanager
def service(codec: Codec, seen: list[Frame], raw: bytearray) -> Iterator[int]:
    """A server that answers each request with an error, and heartbeats."""

    def serve() -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:  # Closed: the test is over.
                return
            connection = codec.connection()
            with accepted:
                while data := accepted.recv(65536):
                    raw.extend(data)
                    for frame in connection.feed(Direction.CLIENT_TO_SERVER, data):
                        seen.append(frame)
                        error = None if frame.kind is Kind.HEARTBEAT else ErrorType.DENIED
                        accepted.sendall(codec.reply(frame, error, "no") or b"")

    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def call(request_id: int, size: int = 0) -> bytes:
    return dubbo_frame(0xC2, 0, request_id, dubbo_body(hessian_binary(b"x" * size), "[B", b"HZ"))


def answers(client: socket.socket, codec: Codec, count: int) -> list[Frame]:
    connection = codec.connection()
    frames: list[Frame] = []
    while len(frames) < count:
        data = client.recv(65536)
        assert data, "the connection was closed"
        frames += connection.feed(Direction.SERVER_TO_CLIENT, data)
    return frames


@pytest.mark.parametrize("step", [1, 7, 100, 1 << 20])
def test_frames_are_whole_edited_and_logged(mitmdump: Any, tmp_path: Path, step: int) -> None:
    seen: list[Frame] = []
    stream = call(1) + call(2) + dubbo_frame(0xE2, 0, 3, b"N") + call(4)
    with (
        service(DUBBO, seen, bytearray()) as port,
        Mitmproxy(mitmdump, tmp_path, port, "codec=dubbo", "frames_set=via=mitmproxy", "frames_set=group=g") as proxy,
    ):
        with socket.create_connection((HOST, proxy.port), PATIENCE) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(stream), step):
                client.sendall(stream[at : at + step])
            got = answers(client, DUBBO, 4)
        assert {frame.request_id for frame in got} == {1, 2, 3, 4}
        lines = proxy.lines()
    told = "".join(proxy.told)
    assert "Traceback" not in told
    assert "<Frame dubbo REQUEST id=1" in told
    requests = [frame for frame in seen if frame.kind is Kind.REQUEST]
    assert [frame.request_id for frame in requests] == [1, 2, 4]
    assert {(frame.metadata["via"], frame.metadata["group"]) for frame in requests} == {("mitmproxy", "g")}
    asked = [line for line in lines if line["direction"] == "client_to_server"]
    assert [(line["kind"], line["request_id"], line["offset"]) for line in asked] == [
        ("request", 1, 0),
        ("request", 2, len(call(1))),
        ("heartbeat", 3, len(call(1)) * 2),
        ("request", 4, len(call(1)) * 2 + 17),
    ]
    assert all(line["metadata"]["method"] == "sayHello" for line in asked if line["kind"] == "request")
    told_errors = {line["request_id"]: line for line in lines if line["kind"] == "error"}
    assert {number: line["request_offset"] for number, line in told_errors.items()} == {
        line["request_id"]: line["offset"] for line in asked if line["kind"] == "request"
    }
    assert told_errors[1]["metadata"]["error_message"] == "no"


def test_a_frame_of_many_reads(mitmdump: Any, tmp_path: Path) -> None:
    seen: list[Frame] = []
    raw = bytearray()
    stream = call(1, 3_000_000) + call(2)
    with service(DUBBO, seen, raw) as port, Mitmproxy(mitmdump, tmp_path, port, "codec=dubbo") as proxy:
        with socket.create_connection((HOST, proxy.port), PATIENCE) as client:
            client.sendall(stream)
            assert len(answers(client, DUBBO, 2)) == 2
        lengths = [line["bytes"] for line in proxy.lines() if line["kind"] == "request"]
        assert lengths == [len(call(1, 3_000_000)), len(call(2))]
    assert raw == stream


def test_what_is_not_the_protocol_goes_on_as_it_is(mitmdump: Any, tmp_path: Path) -> None:
    raw = bytearray()
    with socket.create_server((HOST, 0)) as listener:

        def echo() -> None:
            accepted, _ = listener.accept()
            with accepted:
                while data := accepted.recv(65536):
                    raw.extend(data)
                    accepted.sendall(data)

        thread = threading.Thread(target=echo)
        thread.start()
        with Mitmproxy(mitmdump, tmp_path, listener.getsockname()[1], "codec=dubbo") as proxy:
            sent = call(1) + b"GET / HTTP/1.1\r\n\r\n"
            with socket.create_connection((HOST, proxy.port), PATIENCE) as client:
                client.sendall(sent)
                got = bytearray()
                while len(got) < len(sent):
                    got += client.recv(65536)
                client.sendall(b"and more")
                while len(got) < len(sent) + 8:
                    got += client.recv(65536)
            assert bytes(got) == sent + b"and more"
            lines = proxy.lines()
        thread.join()
    assert bytes(raw) == sent + b"and more"
    # The echo of a request is one to the client's side, too, as far as Dubbo can tell.
    assert [line["direction"] for line in lines] == ["client_to_server", "server_to_client"]
    assert "dubbo.bad_magic" in "".join(proxy.told)


def test_a_codec_written_in_python(mitmdump: Any, tmp_path: Path) -> None:
    from kit.toy import Toy, toy_frame

    seen: list[Frame] = []
    with (
        service(Toy(), seen, bytearray()) as port,
        Mitmproxy(mitmdump, tmp_path, port, f"codec={TOY}", "frames_set=user=alice") as proxy,
    ):
        with socket.create_connection((HOST, proxy.port), PATIENCE) as client:
            client.sendall(toy_frame(Kind.REQUEST, 1, b"method=hello") + b"T")
            client.sendall(toy_frame(Kind.REQUEST, 2, b"method=bye")[1:])
            assert [frame.request_id for frame in answers(client, Toy(), 2)] == [1, 2]
        assert [line["metadata"] for line in proxy.lines() if line["kind"] == "request"] == [
            {"method": "hello"},
            {"method": "bye"},
        ]
    assert [dict(frame.metadata) for frame in seen] == [
        {"method": "hello", "user": "alice"},
        {"method": "bye", "user": "alice"},
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["codec=dubo"], "not where a codec could be"),
        (["codec=absent.py:Class"], "there is no file absent.py"),
        (["codec=dubbo", "frames_set=novalue"], "metaprotocol:"),
    ],
)
def test_options_that_make_no_sense(mitmdump: Any, tmp_path: Path, options: list[str], message: str) -> None:
    dump, environment = mitmdump
    settings = [part for option in options for part in ("--set", option)]
    done = subprocess.run(
        [dump, "--mode", f"reverse:tcp://{HOST}:1", "--listen-port", "0", "-s", str(ADDON), *settings],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode != 0
    assert message in done.stdout + done.stderr


THRIFT = "service Greeter { string greet(1: string name), string shout(1: string name) }"


def test_real_thrift_peers(mitmdump: Any, tmp_path: Path) -> None:
    """thriftpy2 calls `greet`; mitmproxy makes `shout` of it."""
    import thriftpy2
    from thriftpy2 import rpc

    idl = tmp_path / "greeter.thrift"
    idl.write_text(THRIFT, encoding="utf-8")
    greeter = thriftpy2.load(str(idl), module_name="mitmproxy_greeter_thrift")

    class Handler:
        def greet(self, name: str) -> str:
            return f"hello {name}"

        def shout(self, name: str) -> str:
            return f"HELLO {name}"

    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    server = rpc.make_server(greeter.Greeter, Handler(), HOST, port)
    threading.Thread(target=server.serve, daemon=True).start()
    with Mitmproxy(mitmdump, tmp_path, port, "codec=thrift") as proxy:
        client = rpc.make_client(greeter.Greeter, HOST, proxy.port, timeout=PATIENCE * 1000)
        long = "x" * 500_000
        assert client.greet("you") == "hello you"
        assert client.greet(long) == f"hello {long}"
        client.close()
        requests = [line["metadata"]["method"] for line in proxy.lines() if line["kind"] == "request"]
        assert requests[:2] == ["greet", "greet"]
    with Mitmproxy(mitmdump, tmp_path, port, "codec=thrift", "frames_set=method=shout") as proxy:
        client = rpc.make_client(greeter.Greeter, HOST, proxy.port, timeout=PATIENCE * 1000)
        assert client.greet("you") == "HELLO you"
        client.close()
