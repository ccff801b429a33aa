"""`examples/asyncio_proxy.py`: routes, edits, ids, order, local answers, back-pressure; Thrift peers through it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from kit.asyncio_proxy import Address, module, running
from kit.dialects import dubbo_body, dubbo_frame, hessian_string
from kit.toy import Toy, toy_frame

from metaprotocol import Codec, Direction, Frame, Kind, Sharing, get_codec

REQUESTS, RESPONSES = Direction
DUBBO_CODEC = get_codec("dubbo")
PATIENCE = 20


PROXY = module()


def clients_of(
    codec: Codec, *, routes: Sequence[tuple[str, str, Address]] = (), default: Address | None = None, edits: Any = None
) -> Callable[[], Any]:
    """What makes the proxy's side of each connection that comes in."""

    def text(address: Address) -> str:
        return "{}:{}".format(*address)

    named = [(key, value, text(address)) for key, value, address in routes]
    return lambda: PROXY.Client(codec, named, default and text(default), edits)


def dubbo_call(request_id: int, method: str = "sayHello", size: int = 0) -> bytes:
    return dubbo_frame(0xC2, 0, request_id, dubbo_body(b"", "", b"HZ", method) + b"N" * size)


def dubbo_answer(request: Frame, text: str) -> bytes:
    body = b"\x91" + hessian_string(text)
    return pack(">HBBQI", 0xDABB, 0x02, 20, request.request_id, len(body)) + body


class Service:
    """Stands for a server: gives each request to `answer`, and writes what that returns."""

    def __init__(self, codec: Codec, answer: Callable[[Frame], Awaitable[bytes | None]]) -> None:
        self.codec = codec
        self.answer = answer
        self.seen: list[Frame] = []
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        connection = self.codec.connection()
        with contextlib.suppress(ConnectionResetError, asyncio.CancelledError):
            while data := await reader.read(65536):
                for frame in connection.feed(REQUESTS, data):
                    self.seen.append(frame)
                    task = asyncio.ensure_future(self.say(frame, writer))
                    self.tasks.add(task)
                    task.add_done_callback(self.tasks.discard)
        writer.close()

    async def say(self, frame: Frame, writer: asyncio.StreamWriter) -> None:
        answer = await self.answer(frame)
        if answer is not None:
            writer.write(answer)


class Caller:
    """A client of the proxy."""

    def __init__(self, codec: Codec, address: Address) -> None:
        self.codec = codec
        self.address = address

    async def __aenter__(self) -> Caller:
        self.reader, self.writer = await asyncio.open_connection(*self.address)
        self.connection = self.codec.connection()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    async def answers(self, count: int) -> list[Frame]:
        frames: list[Frame] = []
        while len(frames) < count:
            data = await self.reader.read(65536)
            assert data, f"the proxy closed the connection after {frames}"
            frames += self.connection.feed(RESPONSES, data)
        return frames


@contextlib.asynccontextmanager
async def listening(factory: Any = None, *, service: Service | None = None) -> Any:
    if service is not None:
        server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    else:
        server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        for writer in service.writers if service is not None else ():
            writer.transport.abort()


def run(work: Callable[[], Any]) -> None:
    async def whole() -> None:
        await asyncio.wait_for(work(), PATIENCE)
        await asyncio.sleep(0.05)  # all sides hear that their peers have gone

    asyncio.run(whole())


def free_address() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address: Address = taken.getsockname()
        return address


async def hello(request: Frame) -> bytes:
    return dubbo_answer(request, "hello")


class TestDubbo:
    """Multiplexed: answers in any order."""

    def test_routes_and_edits(self) -> None:
        async def work() -> None:
            blue, green = Service(DUBBO_CODEC, hello), Service(DUBBO_CODEC, hello)
            async with listening(service=blue) as one, listening(service=green) as two:
                proxy = clients_of(
                    DUBBO_CODEC, routes=[("method", "blue", one)], default=two, edits={"via": "proxy", "group": "g"}
                )
                async with (
                    listening(proxy) as address,
                    Caller(DUBBO_CODEC, address) as first,
                    Caller(DUBBO_CODEC, address) as second,
                ):
                    for caller in (first, second):
                        caller.writer.write(dubbo_call(7, "blue") + dubbo_call(8, "other") + dubbo_call(-1, "blue"))
                    for caller in (first, second):
                        answers = await caller.answers(3)
                        assert sorted(int(frame.request_id) for frame in answers) == [7, 8, (1 << 64) - 1]
                        assert {frame.kind for frame in answers} == {Kind.RESPONSE}
            assert (blue.connections, green.connections) == (2, 2)
            seen = blue.seen + green.seen
            assert sorted(int(frame.request_id) for frame in blue.seen) == sorted([7, (1 << 64) - 1] * 2)
            assert {frame.metadata["method"] for frame in blue.seen} == {"blue"}
            assert [frame.metadata["method"] for frame in green.seen] == ["other"] * 2
            assert {(frame.metadata["via"], frame.metadata["group"]) for frame in seen} == {("proxy", "g")}

        run(work)

    def test_answers_come_as_they_are_ready(self) -> None:
        async def answer(request: Frame) -> bytes:
            await asyncio.sleep(0.2 if request.metadata["method"] == "slow" else 0)
            return dubbo_answer(request, "done")

        async def work() -> None:
            async with listening(service=Service(DUBBO_CODEC, answer)) as server:
                proxy = clients_of(DUBBO_CODEC, default=server)
                async with (
                    listening(proxy) as address,
                    Caller(DUBBO_CODEC, address) as caller,
                ):
                    caller.writer.write(dubbo_call(1, "slow") + dubbo_call(2, "fast"))
                    assert [frame.request_id for frame in await caller.answers(2)] == [2, 1]

        run(work)

    def test_local_answers(self) -> None:
        async def work() -> None:
            service = Service(DUBBO_CODEC, hello)
            dead = free_address()
            async with listening(service=service) as server:
                proxy = clients_of(DUBBO_CODEC, routes=[("method", "up", server), ("method", "down", dead)])
                async with (
                    listening(proxy) as address,
                    Caller(DUBBO_CODEC, address) as caller,
                ):
                    broken = dubbo_frame(0xC2, 0, 4, b"\x05ab")
                    heartbeat = dubbo_frame(0xE2, 0, 5, b"N")
                    calls = [dubbo_call(1, "up"), dubbo_call(2, "down"), dubbo_call(3, "nowhere"), broken, heartbeat]
                    caller.writer.write(b"".join(calls))
                    answers = {frame.request_id: frame for frame in await caller.answers(5)}
            assert [answers[number].kind.name for number in range(1, 6)] == [
                "RESPONSE",
                "ERROR",
                "ERROR",
                "ERROR",
                "HEARTBEAT",
            ]
            assert f"127.0.0.1:{dead[1]}: " in answers[2].metadata["error_message"]
            assert answers[3].metadata["error_message"] == "no route"
            assert "unexpected_end" in answers[4].metadata["error_message"]
            assert [frame.metadata["method"] for frame in service.seen] == ["up"]

        run(work)

    def test_a_server_that_goes_away(self) -> None:
        async def work() -> None:
            async def never(request: Frame) -> bytes | None:
                return None if request.metadata["method"] == "wait" else dubbo_answer(request, "hello")

            service = Service(DUBBO_CODEC, never)
            async with listening(service=service) as server:
                proxy = clients_of(DUBBO_CODEC, default=server)
                async with (
                    listening(proxy) as address,
                    Caller(DUBBO_CODEC, address) as caller,
                ):
                    caller.writer.write(dubbo_call(1, "wait") + dubbo_call(2, "answer"))
                    [answer] = await caller.answers(1)
                    assert answer.request_id == 2
                    service.writers[0].close()
                    [answer] = await caller.answers(1)
                    assert (answer.request_id, answer.kind) == (1, Kind.ERROR)
                    assert "the connection has ended" in answer.metadata["error_message"]
                    caller.writer.write(dubbo_call(3, "answer"))
                    [answer] = await caller.answers(1)
                    assert (answer.request_id, answer.kind) == (3, Kind.RESPONSE)
            assert service.connections == 2

        run(work)

    def test_a_client_that_breaks_the_protocol_is_alone_with_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        async def work() -> None:
            async with listening(service=Service(DUBBO_CODEC, hello)) as server:
                proxy = clients_of(DUBBO_CODEC, default=server)
                async with (
                    listening(proxy) as address,
                    Caller(DUBBO_CODEC, address) as bad,
                    Caller(DUBBO_CODEC, address) as good,
                ):
                    bad.writer.write(b"GET / HTTP/1.1\r\n\r\n")
                    assert await bad.reader.read() == b""
                    good.writer.write(dubbo_call(1))
                    assert (await good.answers(1))[0].kind is Kind.RESPONSE

        run(work)
        assert "dubbo.bad_magic" in capsys.readouterr().err

    def test_what_came_before_bad_bytes_is_served(self) -> None:
        async def slow(request: Frame) -> bytes:
            await asyncio.sleep(0.1)
            return dubbo_answer(request, "hello")

        async def work() -> None:
            async with (
                listening(service=Service(DUBBO_CODEC, slow)) as server,
                listening(clients_of(DUBBO_CODEC, default=server)) as address,
                Caller(DUBBO_CODEC, address) as caller,
            ):
                caller.writer.write(dubbo_call(1) + dubbo_call(2) + b"GET / HTTP/1.1\r\n\r\n")
                assert [frame.kind for frame in await caller.answers(2)] == [Kind.RESPONSE] * 2
                assert await caller.reader.read() == b""

        run(work)

    def test_a_server_that_breaks_the_protocol(self) -> None:
        async def work() -> None:
            async def broken(request: Frame) -> bytes | None:
                good = dubbo_answer(request, "hello") + b"HTTP/1.1 200 OK\r\n\r\n"
                return good if request.request_id == 2 else None

            async with (
                listening(service=Service(DUBBO_CODEC, broken)) as server,
                listening(clients_of(DUBBO_CODEC, default=server)) as address,
                Caller(DUBBO_CODEC, address) as caller,
            ):
                caller.writer.write(dubbo_call(1) + dubbo_call(2))
                answers = {frame.request_id: frame.kind for frame in await caller.answers(2)}
            assert answers == {1: Kind.ERROR, 2: Kind.RESPONSE}

        run(work)

    def test_one_way_calls_are_not_waited_for(self) -> None:
        async def work() -> None:
            service = Service(DUBBO_CODEC, hello)
            async with (
                listening(service=service) as server,
                listening(clients_of(DUBBO_CODEC, default=server)) as address,
                Caller(DUBBO_CODEC, address) as caller,
            ):
                oneway = dubbo_frame(0x82, 0, 1, dubbo_body())
                caller.writer.write(oneway)
                caller.writer.write_eof()
                assert await caller.reader.read() == b""
                while not service.seen:
                    await asyncio.sleep(0.01)
            assert [frame.kind for frame in service.seen] == [Kind.ONEWAY]

        run(work)

    def test_the_server_hears_that_its_client_was_reset(self) -> None:
        async def work() -> None:
            async def never(_: Frame) -> None:
                return None

            service = Service(DUBBO_CODEC, never)
            async with (
                listening(service=service) as server,
                listening(clients_of(DUBBO_CODEC, default=server)) as address,
            ):
                async with Caller(DUBBO_CODEC, address) as caller:
                    caller.writer.write(dubbo_call(1))
                    while not service.seen:
                        await asyncio.sleep(0.01)
                    linger = pack("ii", 1, 0)  # gone without a word: the connection is reset
                    caller.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                while not service.writers[0].transport.is_closing():
                    await asyncio.sleep(0.01)

        run(work)

    def test_who_leaves_with_requests_under_way_is_noticed_by_the_next_answers(self) -> None:
        async def work() -> None:
            async def answer(request: Frame) -> bytes | None:
                await asyncio.sleep(0.1 * request.request_id)
                return dubbo_answer(request, "hello") if request.request_id < 3 else None

            service = Service(DUBBO_CODEC, answer)
            async with (
                listening(service=service) as server,
                listening(clients_of(DUBBO_CODEC, default=server)) as address,
            ):
                async with Caller(DUBBO_CODEC, address) as caller:
                    caller.writer.write(dubbo_call(1) + dubbo_call(2) + dubbo_call(3))
                    caller.writer.close()
                    while len(service.seen) < 3:
                        await asyncio.sleep(0.01)
                while not service.writers[0].transport.is_closing():
                    await asyncio.sleep(0.01)

        run(work)

    @pytest.mark.parametrize(("count", "size"), [(4, 7_000_000), (5000, 0)])
    def test_what_is_more_than_a_decoder_remembers_waits(self, count: int, size: int) -> None:
        async def slow(request: Frame) -> bytes:
            await asyncio.sleep(0.2)
            return dubbo_answer(request, "hello")

        async def work() -> None:
            async with (
                listening(service=Service(DUBBO_CODEC, slow)) as server,
                listening(clients_of(DUBBO_CODEC, default=server)) as address,
                Caller(DUBBO_CODEC, address) as caller,
            ):
                caller.writer.write(b"".join(dubbo_call(number, size=size) for number in range(count)))
                caller.writer.write_eof()
                assert {frame.request_id for frame in await caller.answers(count)} == {*range(count)}
                assert await caller.reader.read() == b""

        run(work)

    def test_a_client_may_stop_sending_and_still_gets_its_answers(self) -> None:
        async def work() -> None:
            async with listening(service=Service(DUBBO_CODEC, hello)) as server:
                proxy = clients_of(DUBBO_CODEC, default=server)
                async with (
                    listening(proxy) as address,
                    Caller(DUBBO_CODEC, address) as caller,
                ):
                    caller.writer.write(dubbo_call(1) + dubbo_call(2))
                    caller.writer.write_eof()
                    assert len(await caller.answers(2)) == 2
                    assert await caller.reader.read() == b""

        run(work)

    def test_an_edit_that_does_not_fit(self) -> None:
        async def work() -> None:
            async with listening(service=Service(DUBBO_CODEC, hello)) as server:
                proxy = clients_of(DUBBO_CODEC, default=server, edits={"status": "20"})
                async with (
                    listening(proxy) as address,
                    Caller(DUBBO_CODEC, address) as caller,
                ):
                    caller.writer.write(dubbo_call(1))
                    [answer] = await caller.answers(1)
                    assert answer.kind is Kind.ERROR
                    assert '"status" cannot be written' in answer.metadata["error_message"]

        run(work)


class Bound(Toy):
    """Not multiplexed, as the toy codec is by itself."""

    name = "bound"
    aliases = ()


class Silent(Toy):
    """Has no errors of its own."""

    name = "silent"
    aliases = ()
    heartbeats = False

    def reply(self, request: Frame, error: Any = None, message: str = "") -> None:
        return None


class Pipelined(Toy):
    name = "pipelined"
    aliases = ()
    sharing = Sharing.PIPELINED


@pytest.mark.parametrize("codec", [Bound(), Pipelined()], ids=lambda codec: codec.name)
class TestInOrder:
    def test_answers_keep_the_order_of_the_requests(self, codec: Codec) -> None:
        async def answer(request: Frame) -> bytes:
            if request.metadata["method"] == "slow":
                await asyncio.sleep(0.2)
            return toy_frame(Kind.RESPONSE, int(request.request_id or 0))

        async def work() -> None:
            slow, fast = Service(codec, answer), Service(codec, answer)
            async with listening(service=slow) as one, listening(service=fast) as two:
                proxy = clients_of(codec, routes=[("method", "slow", one), ("method", "fast", two)])
                async with (
                    listening(proxy) as address,
                    Caller(codec, address) as first,
                    Caller(codec, address) as second,
                ):
                    for caller in (first, second):
                        caller.writer.write(
                            toy_frame(Kind.REQUEST, 1, b"method=slow")
                            + toy_frame(Kind.REQUEST, 2, b"method=fast")
                            + toy_frame(Kind.REQUEST, 3, b"method=nowhere")
                            + toy_frame(Kind.REQUEST, 4, b"method=slow")
                        )
                    for caller in (first, second):
                        answers = await caller.answers(4)
                        assert [frame.request_id for frame in answers] == [1, 2, 3, 4]
                        assert [frame.kind.name for frame in answers] == ["RESPONSE", "RESPONSE", "ERROR", "RESPONSE"]
            assert (slow.connections, fast.connections) == (2, 2)
            assert {frame.request_id for frame in slow.seen} == {1, 4}

        run(work)

    def test_frames_that_answer_nothing_reach_their_client(self, codec: Codec) -> None:
        async def answer(request: Frame) -> bytes:
            return toy_frame(Kind.CONTROL, None, b"notice") + toy_frame(Kind.RESPONSE, int(request.request_id or 0))

        async def work() -> None:
            async with listening(service=Service(codec, answer)) as server:
                proxy = clients_of(codec, default=server)
                async with listening(proxy) as address, Caller(codec, address) as caller:
                    caller.writer.write(toy_frame(Kind.CONTROL, None, b"login") + toy_frame(Kind.REQUEST, 1))
                    kinds = [frame.kind.name for frame in await caller.answers(4)]
                    assert sorted(kinds) == ["CONTROL", "CONTROL", "RESPONSE", "RESPONSE"]

        run(work)

    def test_a_server_that_goes_away(self, codec: Codec) -> None:
        async def work() -> None:
            async def never(_: Frame) -> None:
                service.writers[-1].close()

            service = Service(codec, never)
            async with listening(service=service) as server:
                proxy = clients_of(codec, default=server)
                async with listening(proxy) as address, Caller(codec, address) as caller:
                    caller.writer.write(toy_frame(Kind.REQUEST, 1))
                    [answer] = await caller.answers(1)
                    assert answer.kind is Kind.ERROR
                    if codec.sharing is Sharing.BOUND:
                        assert await caller.reader.read() == b""
                    else:
                        caller.writer.write(toy_frame(Kind.REQUEST, 2))
                        assert [frame.request_id for frame in await caller.answers(1)] == [2]

        run(work)


@pytest.mark.parametrize("sharing", [Sharing.BOUND, Sharing.MULTIPLEXED])
def test_where_the_protocol_has_no_errors_the_connection_ends(
    sharing: Sharing, capsys: pytest.CaptureFixture[str]
) -> None:
    async def work() -> None:
        codec = Silent()
        codec.sharing = sharing  # type: ignore[misc]
        async with listening(clients_of(codec)) as address, Caller(codec, address) as caller:
            caller.writer.write(toy_frame(Kind.ONEWAY, 1) + toy_frame(Kind.REQUEST, 2) + toy_frame(Kind.REQUEST, 3))
            assert await caller.reader.read() == b""

    run(work)
    assert capsys.readouterr().err == "ONEWAY not delivered: no route\nREQUEST not delivered: no route\n"


class TestBackPressure:
    MOST = 16 << 20
    """More than all buffers of the kernel and the proxy hold together, less than what is sent."""

    async def fill(self, writer: asyncio.StreamWriter, data: bytes) -> int:
        """Writes until nothing goes any more; how many bytes went."""
        sent = 0
        while sent < 4 * self.MOST:
            writer.write(data)
            try:
                await asyncio.wait_for(writer.drain(), 1)
            except TimeoutError:
                break
            sent += len(data)
        return sent

    def test_a_server_that_does_not_read(self) -> None:
        async def work() -> None:
            async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                await ended.wait()
                writer.transport.abort()

            ended = asyncio.Event()

            server = await asyncio.start_server(deaf, "127.0.0.1", 0)
            proxy = clients_of(DUBBO_CODEC, default=server.sockets[0].getsockname())
            async with listening(proxy) as address, Caller(DUBBO_CODEC, address) as caller:
                sent = await self.fill(caller.writer, dubbo_call(1, size=100_000))
                assert sent < self.MOST
                ended.set()
            server.close()

        run(work)

    @pytest.mark.parametrize("shared", [True, False])
    def test_a_client_that_does_not_read(self, shared: bool) -> None:
        codec = DUBBO_CODEC if shared else Pipelined()
        call = dubbo_call(1) if shared else toy_frame(Kind.REQUEST, 1)

        async def big(request: Frame) -> bytes:
            body = b"\x91" + b"N" * 100_000
            if shared:
                return pack(">HBBQI", 0xDABB, 0x02, 20, request.request_id, len(body)) + body
            return toy_frame(Kind.RESPONSE, 1, b"text=" + b"N" * 100_000)

        async def work() -> None:
            sides = []

            def accept() -> Any:
                sides.append(proxy())
                return sides[-1]

            service = Service(codec, big)
            async with listening(service=service) as server:
                proxy = clients_of(codec, default=server)
                async with listening(accept) as address, Caller(codec, address) as caller:
                    caller.writer.write(call * 300)
                    transport = caller.writer.transport
                    transport.pause_reading()  # type: ignore[attr-defined]
                    while not sides or not sides[0].transport or not sides[0].transport.get_write_buffer_size():
                        await asyncio.sleep(0.05)
                    await asyncio.sleep(0.5)
                    assert sides[0].transport.get_write_buffer_size() < 1 << 20
                    assert not sides[0].writable.is_set()
                    transport.resume_reading()  # type: ignore[attr-defined]
                    assert len(await caller.answers(300)) == 300

        run(work)


THRIFT = """
exception Refused { 1: string why }
service Greeter {
    string greet(1: string name),
    string shout(1: string name) throws (1: Refused refused),
}
"""


class TestThrift:
    """Real peers: thriftpy2 on both sides, in every transport that it has."""

    @pytest.mark.parametrize("transport", ["framed", "buffered"])
    @pytest.mark.parametrize("protocol", ["binary", "compact"])
    def test_calls(self, tmp_path: Path, transport: str, protocol: str) -> None:
        thriftpy2 = pytest.importorskip("thriftpy2")
        from thriftpy2 import protocol as protocols
        from thriftpy2 import rpc
        from thriftpy2 import transport as transports
        from thriftpy2.thrift import TApplicationException

        idl = tmp_path / "greeter.thrift"
        idl.write_text(THRIFT, encoding="utf-8")
        greeter = thriftpy2.load(str(idl), module_name=f"greeter_{transport}_{protocol}_thrift")
        options = {
            "proto_factory": {
                "binary": protocols.TBinaryProtocolFactory,
                "compact": protocols.TCompactProtocolFactory,
            }[protocol](),
            "trans_factory": {
                "framed": transports.TFramedTransportFactory,
                "buffered": transports.TBufferedTransportFactory,
            }[transport](),
        }

        class Handler:
            def __init__(self, name: str) -> None:
                self.name = name

            def greet(self, name: str) -> str:
                return f"{self.name} greets {name}"

            def shout(self, name: str) -> str:
                raise greeter.Refused(why=f"{self.name} does not shout at {name}")

        ports = []
        for name in ("one", "two"):
            port = free_address()[1]
            server = rpc.make_server(greeter.Greeter, Handler(name), "127.0.0.1", port, **options)
            threading.Thread(target=server.serve, daemon=True).start()
            ports.append(port)
        one, two = (f"127.0.0.1:{port}" for port in ports)
        dead = "{}:{}".format(*free_address())
        with running("--codec", "thrift", "--route", f"method=greet={one}", "--default", two) as (host, port):
            clients = [rpc.make_client(greeter.Greeter, host, port, timeout=PATIENCE * 1000, **options) for _ in "ab"]
            for number, client in enumerate(clients * 20):
                assert client.greet(f"caller {number}") == f"one greets caller {number}"
                with pytest.raises(greeter.Refused) as refused:
                    client.shout("you")
                assert refused.value.why == "two does not shout at you"
            for client in clients:
                client.close()
        with running("--codec", "thrift", "--route", f"method=shout={two}", "--default", dead) as (host, port):
            client = rpc.make_client(greeter.Greeter, host, port, timeout=PATIENCE * 1000, **options)
            with pytest.raises(TApplicationException, match=f"{dead}: "):
                client.greet("nobody")
            with pytest.raises(greeter.Refused):
                client.shout("you")
            client.close()
