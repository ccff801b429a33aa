# mypy: disable-error-code="import-untyped,import-not-found,misc"
"""Apache Thrift's Python library as a server and a client."""

from __future__ import annotations

from typing import Any

from common import SERVED_BY, Call, Counter, Handler, Options, Session, announce, main
from demo import Counter as CounterService
from demo import Greeter, LaterGreeter
from demo.ttypes import DemoError, Everything, Inner
from thrift.protocol.TBase import TBase
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.protocol.TCompactProtocol import TCompactProtocolAccelerated
from thrift.protocol.THeaderProtocol import THeaderProtocolFactory
from thrift.protocol.TJSONProtocol import TJSONProtocol
from thrift.protocol.TMultiplexedProtocol import TMultiplexedProtocol
from thrift.server.TServer import TThreadedServer
from thrift.Thrift import TApplicationException, TMessageType, TType
from thrift.TMultiplexedProcessor import TMultiplexedProcessor
from thrift.transport.THeaderTransport import THeaderSubprotocolID, THeaderTransformID
from thrift.transport.TSocket import TServerSocket, TSocket
from thrift.transport.TTransport import (
    TBufferedTransportFactory,
    TFramedTransportFactory,
    TTransportFactoryBase,
)

KINDS = {
    TMessageType.CALL: "call",
    TMessageType.REPLY: "reply",
    TMessageType.EXCEPTION: "exception",
    TMessageType.ONEWAY: "oneway",
}
TRANSPORT_FACTORIES = {
    "unframed": TBufferedTransportFactory,
    "framed": TFramedTransportFactory,
    # The header protocol wraps the socket by itself.
    "header": TTransportFactoryBase,
}


class Protocols(THeaderProtocolFactory):
    """Makes the protocol that the options name.

    It derives from the header protocol's factory when that is wanted only (see `protocols`),
    because the server tells by the class that input and output must share one protocol.
    """

    def __init__(self, options: Options) -> None:
        ids = {"binary": THeaderSubprotocolID.BINARY, "compact": THeaderSubprotocolID.COMPACT}
        super().__init__(default_protocol=ids[options.protocol])
        self._zlib = options.zlib

    def getProtocol(self, trans: Any) -> Any:  # noqa: N802
        protocol = super().getProtocol(trans)
        if self._zlib:
            protocol.add_transform(THeaderTransformID.ZLIB)
        return protocol


class PlainProtocols:
    """Makes the protocol that the options name, for transports without headers."""

    def __init__(self, options: Options) -> None:
        self._name = options.protocol

    def getProtocol(self, trans: Any) -> Any:  # noqa: N802
        # fallback=False: fail rather than run without the C extension.
        match self._name:
            case "binary":
                return TBinaryProtocolAccelerated(trans, fallback=False)
            case "binary-old":
                return TBinaryProtocolAccelerated(trans, strictRead=False, strictWrite=False, fallback=False)
            case "compact":
                return TCompactProtocolAccelerated(trans, fallback=False)
            case _:
                return TJSONProtocol(trans)


def protocols(options: Options) -> Any:
    return Protocols(options) if options.transport == "header" else PlainProtocols(options)


def text(headers: dict[bytes, bytes]) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in sorted(headers.items())}


# The library speaks the type uuid, but the compiler of many systems is too old to know it. So
# this one method is written by hand, in the form of generated code:
#   uuid echoUuid(1: uuid value, 2: list<uuid> others)
class UuidArgs(TBase):
    __slots__ = ("others", "value")
    thrift_spec = (
        None,
        (1, TType.UUID, "value", None, None),
        (2, TType.LIST, "others", (TType.UUID, None, False), None),
    )


class UuidResult(TBase):
    __slots__ = ("success",)
    thrift_spec = ((0, TType.UUID, "success", None, None),)


class UuidClient(LaterGreeter.Client):
    def send_echoUuid(self, value: Any, others: Any) -> None:  # noqa: N802
        self._oprot.writeMessageBegin("echoUuid", TMessageType.CALL, self._seqid)
        args = UuidArgs()
        args.value, args.others = value, others
        args.write(self._oprot)
        self._oprot.writeMessageEnd()
        self._oprot.trans.flush()

    def recv_echoUuid(self) -> Any:  # noqa: N802
        _, kind, _ = self._iprot.readMessageBegin()
        answer: Any = TApplicationException() if kind == TMessageType.EXCEPTION else UuidResult()
        answer.read(self._iprot)
        self._iprot.readMessageEnd()
        if kind == TMessageType.EXCEPTION:
            raise answer
        return answer.success


class UuidGreeter(Greeter.Processor):
    def __init__(self, handler: Handler) -> None:
        super().__init__(handler)
        self._processMap["echoUuid"] = UuidGreeter.process_echo_uuid

    def process_echo_uuid(self, seqid: int, iprot: Any, oprot: Any) -> None:
        args = UuidArgs()
        args.read(iprot)
        iprot.readMessageEnd()
        result = UuidResult()
        result.success = self._handler.echoUuid(args.value, args.others)
        oprot.writeMessageBegin("echoUuid", TMessageType.REPLY, seqid)
        result.write(oprot)
        oprot.writeMessageEnd()
        oprot.trans.flush()


class HeaderGreeter(UuidGreeter):
    """Hands the call's info headers to the handler, which the library doesn't by itself."""

    def process(self, iprot: Any, oprot: Any) -> Any:
        oprot.set_header(SERVED_BY.encode(), b"apache-py")
        return super().process(iprot, oprot)

    def process_headers(self, seqid: int, iprot: Any, oprot: Any) -> None:
        self._handler.current.headers = text(iprot.get_headers())
        super().process_headers(seqid, iprot, oprot)

    def __init__(self, handler: Handler) -> None:
        super().__init__(handler)
        self._processMap["headers"] = HeaderGreeter.process_headers


class ListeningSocket(TServerSocket):
    def listen(self) -> None:
        super().listen()
        announce()


class Watched:
    """A protocol that remembers the last message head it wrote or read."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self.written: tuple[str, int] = ("", 0)
        self.read: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

    def writeMessageBegin(self, name: str, kind: int, seq_id: int) -> None:  # noqa: N802
        self.written = (KINDS[kind], seq_id)
        self._protocol.writeMessageBegin(name, kind, seq_id)

    def readMessageBegin(self) -> tuple[str, int, int]:  # noqa: N802
        self.read = None
        name, kind, seq_id = self._protocol.readMessageBegin()
        self.read = KINDS[kind]
        return name, kind, seq_id


class ApacheSession:
    def __init__(self, options: Options) -> None:
        self._socket = TSocket(options.host, options.port)
        self._socket.setTimeout(options.timeout * 1000)
        self._transport = TRANSPORT_FACTORIES[options.transport]().getTransport(self._socket)
        self._has_headers = options.transport == "header"
        self._protocol = protocols(options).getProtocol(self._transport)
        self._transport.open()
        self.client_port: int = self._socket.handle.getsockname()[1]

        def watched(service: str) -> Watched:
            if options.multiplexed:
                return Watched(TMultiplexedProtocol(self._protocol, service))
            return Watched(self._protocol)

        self._watched = {name: watched(name) for name in ("Greeter", "Counter")}
        self._clients = {
            "Greeter": UuidClient(self._watched["Greeter"]),
            "Counter": CounterService.Client(self._watched["Counter"]),
        }
        self._last = self._watched["Greeter"]

    def send(self, call: Call, seq_id: int | None) -> tuple[str, int]:
        client, self._last = self._clients[call.service], self._watched[call.service]
        if self._has_headers:
            for key, value in call.headers.items():
                self._protocol.set_header(key.encode(), value.encode())
        if seq_id is not None:
            client._seqid = seq_id
        getattr(client, f"send_{call.method}")(*call.args)
        return self._last.written

    def receive(self, call: Call) -> Any:
        self._last = self._watched[call.service]
        return getattr(self._clients[call.service], f"recv_{call.method}")()

    def received(self) -> tuple[str | None, dict[str, str]]:
        headers = text(self._protocol.get_headers()) if self._has_headers else {}
        return self._last.read, headers

    def close(self) -> None:
        self._transport.close()


class Apache:
    name = "apache-py"
    DemoError = DemoError
    TApplicationException = TApplicationException
    Everything = Everything
    Inner = Inner

    def serve(self, options: Options, handler: Handler, counter: Counter) -> None:
        greeter = (HeaderGreeter if options.transport == "header" else UuidGreeter)(handler)
        processor: Any = greeter
        if options.multiplexed:
            processor = TMultiplexedProcessor()
            processor.registerProcessor("Greeter", greeter)
            processor.registerProcessor("Counter", CounterService.Processor(counter))
        server = TThreadedServer(
            processor,
            ListeningSocket(options.host, options.port),
            TRANSPORT_FACTORIES[options.transport](),
            protocols(options),
            daemon=True,
        )
        server.serve()

    def connect(self, options: Options) -> Session:
        return ApacheSession(options)


if __name__ == "__main__":
    main(Apache())
