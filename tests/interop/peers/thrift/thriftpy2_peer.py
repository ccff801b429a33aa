# mypy: disable-error-code="import-untyped,import-not-found,misc,no-untyped-call,arg-type"
"""thriftpy2 as a server and a client; it loads the IDL by itself."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import thriftpy2
from common import Call, Counter, Handler, Options, Session, announce, main
from thriftpy2.protocol import (
    TCompactProtocolFactory,
    TCyBinaryProtocolFactory,
    TMultiplexedProtocol,
)
from thriftpy2.server import TThreadedServer
from thriftpy2.thrift import (
    TApplicationException,
    TClient,
    TMessageType,
    TMultiplexedProcessor,
    TProcessor,
)
from thriftpy2.transport import (
    TCyBufferedTransportFactory,
    TCyFramedTransportFactory,
    TServerSocket,
    TSocket,
)

demo: Any = thriftpy2.load(str(Path(__file__).with_name("demo.thrift")), module_name="demo_thrift")

KINDS = {
    TMessageType.CALL: "call",
    TMessageType.REPLY: "reply",
    TMessageType.EXCEPTION: "exception",
    TMessageType.ONEWAY: "oneway",
}
TRANSPORT_FACTORIES = {
    "unframed": TCyBufferedTransportFactory,
    "framed": TCyFramedTransportFactory,
}


def protocols(options: Options) -> Any:
    match options.protocol:
        case "binary":
            return TCyBinaryProtocolFactory()
        case "binary-old":
            return TCyBinaryProtocolFactory(strict_read=False, strict_write=False)
        case "compact":
            return TCompactProtocolFactory()
        case _:
            # Its JSON fails on nested lists and isn't framed as the Apache libraries expect.
            sys.exit("thriftpy2's JSON protocol isn't offered: use binary, binary-old or compact")


def transports(options: Options) -> Any:
    if options.transport == "header":
        sys.exit("thriftpy2 has no header transport: use --transport unframed or framed")
    return TRANSPORT_FACTORIES[options.transport]()


def family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


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

    def write_message_begin(self, name: str, kind: int, seq_id: int) -> None:
        self.written = (KINDS[kind], seq_id)
        self._protocol.write_message_begin(name, kind, seq_id)

    def read_message_begin(self) -> tuple[str, int, int]:
        self.read = None
        name, kind, seq_id = self._protocol.read_message_begin()
        self.read = KINDS[kind]
        return name, kind, seq_id


class Thriftpy2Session:
    def __init__(self, options: Options) -> None:
        self._socket = TSocket(
            options.host,
            options.port,
            socket_family=family(options.host),
            socket_timeout=int(options.timeout * 1000),
        )
        self._transport = transports(options).get_transport(self._socket)
        self._transport.open()
        self.client_port: int = self._socket.sock.getsockname()[1]
        protocol = protocols(options).get_protocol(self._transport)
        services = {"Greeter": demo.LaterGreeter, "Counter": demo.Counter}

        def watched(name: str) -> Watched:
            return Watched(TMultiplexedProtocol(protocol, name) if options.multiplexed else protocol)

        self._watched = {name: watched(name) for name in services}
        self._clients = {name: TClient(service, self._watched[name]) for name, service in services.items()}
        self._services = services
        self._last = self._watched["Greeter"]

    def send(self, call: Call, seq_id: int | None) -> tuple[str, int]:
        client, self._last = self._clients[call.service], self._watched[call.service]
        if seq_id is not None:
            client._seqid = seq_id
        spec = getattr(self._services[call.service], f"{call.method}_args").thrift_spec
        names = [spec[field_id][1] for field_id in sorted(spec)]
        client._send(call.method, **dict(zip(names, call.args, strict=True)))
        return self._last.written

    def receive(self, call: Call) -> Any:
        self._last = self._watched[call.service]
        value = self._clients[call.service]._recv(call.method)
        if isinstance(value, demo.Everything):
            # The library reads sets as lists.
            for name in ("numbers", "empty_set"):
                if getattr(value, name) is not None:
                    setattr(value, name, set(getattr(value, name)))
        return value

    def received(self) -> tuple[str | None, dict[str, str]]:
        return self._last.read, {}

    def close(self) -> None:
        self._transport.close()


class Thriftpy2:
    name = "thriftpy2"
    DemoError = demo.DemoError
    TApplicationException = TApplicationException
    Everything = demo.Everything
    Inner = demo.Inner

    def serve(self, options: Options, handler: Handler, counter: Counter) -> None:
        processor: Any = TProcessor(demo.Greeter, handler)
        if options.multiplexed:
            greeter, processor = processor, TMultiplexedProcessor()
            processor.register_processor("Greeter", greeter)
            processor.register_processor("Counter", TProcessor(demo.Counter, counter))
        server = TThreadedServer(
            processor,
            # client_timeout=None: a proxy in between may keep a connection idle.
            ListeningSocket(
                options.host,
                options.port,
                socket_family=family(options.host),
                client_timeout=None,
            ),
            itrans_factory=transports(options),
            iprot_factory=protocols(options),
            daemon=True,
        )
        server.serve()

    def connect(self, options: Options) -> Session:
        return Thriftpy2Session(options)


if __name__ == "__main__":
    main(Thriftpy2())
