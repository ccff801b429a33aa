"""What the two Python peers share: command line, handler and client scenarios.

A peer module (``apache_py.py``, ``thriftpy2_peer.py``) supplies a `Library`; `main`
does the rest. The client prints one JSON object per call; `README.md` describes its keys.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

TRANSPORTS = ("unframed", "framed", "header")
PROTOCOLS = ("binary", "binary-old", "compact", "json")
SCENARIOS = ("interop", "short", "uuid", "large", "pipelined", "connections")

SERVED_BY = "x-served-by"
"""The info header that a THeader server adds to its answers."""

LARGE_ARGUMENT = bytes(range(251)) * 5223
"""1,310,973 bytes: more than 1 MiB, and not a multiple of any buffer's size."""


@dataclass(frozen=True)
class Options:
    """The command line, the same for every peer."""

    role: str
    host: str
    port: int
    transport: str
    protocol: str
    multiplexed: bool
    zlib: bool
    scenario: str
    count: int
    timeout: float


@dataclass(frozen=True)
class Call:
    """One call to make: its arguments have the field ids 1, 2, … in this order."""

    method: str
    args: tuple[Any, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    service: str = "Greeter"


class Session(Protocol):
    """One client connection."""

    client_port: int

    def send(self, call: Call, seq_id: int | None) -> tuple[str, int]:
        """Writes the call. `seq_id` None leaves the choice to the library.

        Returns the kind ("call" or "oneway") and sequence id that the library wrote.
        """

    def receive(self, call: Call) -> Any:
        """Reads the answer and returns its value, or raises what the library raises."""

    def received(self) -> tuple[str | None, dict[str, str]]:
        """Kind ("reply", "exception", None) and info headers of the last answer read."""

    def close(self) -> None: ...


class Library(Protocol):
    """What a Thrift library must be told to do."""

    name: str
    DemoError: Any
    TApplicationException: Any
    Everything: Any
    Inner: Any

    def serve(self, options: Options, handler: Handler, counter: Counter) -> None: ...

    def connect(self, options: Options) -> Session: ...


class Handler:
    """The Greeter service, with methods named as in the IDL."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.current = threading.local()
        """`.headers`: the info headers of the call being served in this thread."""

    def ping(self) -> None:
        return None

    def sayHello(self, name: str) -> str:  # noqa: N802
        return f"Hello {name}"

    def add(self, a: int, b: int) -> int:
        return a + b

    def echo(self, value: Any) -> Any:
        return value

    def notify(self, event: str) -> None:
        return None

    def fail(self, code: int) -> str:
        if code:
            raise self._library.DemoError(code=code, message=f"échec {code}")
        return "no failure"

    def crash(self, why: str) -> str:
        raise RuntimeError(why)

    def measure(self, data: bytes) -> int:
        return len(data)

    def echoUuid(self, value: uuid.UUID, others: list[uuid.UUID]) -> uuid.UUID:  # noqa: N802
        # Not in the IDL: see apache_py.py.
        return value

    def headers(self) -> dict[str, str]:
        return dict(getattr(self.current, "headers", {}))


class Counter:
    """The Counter service: one total for all connections."""

    def __init__(self) -> None:
        self._total = 0
        self._lock = threading.Lock()

    def increment(self, by: int) -> int:
        with self._lock:
            self._total += by
            return self._total


def announce() -> None:
    """Says that the server's socket listens."""
    print("READY", flush=True)


def full_everything(library: Library) -> Any:
    """An Everything with a value in every field."""
    inner = library.Inner
    return library.Everything(
        yes=True,
        no=False,
        tiny=-128,
        small=-32768,
        medium=2147483647,
        big=-9223372036854775808,
        real=-3.5e-7,
        text="naïve 文字 🌍",
        data=bytes(range(256)),
        color=4,
        inner=inner(id=1, name="one"),
        inners=[inner(id=-2, name="minus two"), inner(id=3, name="")],
        numbers={-1, 0, 1, 1000000},
        counts={"a": 1, "β": -(2**40)},
        matrix=[[1, 2, 3], [], [-4]],
        deep={7: {"x": [inner(id=70, name="seventy")], "y": []}, -7: {}},
        flags=[True, False, True],
        switches={"on": True, "off": False},
        reals=[0.0, 1.5, float("inf")],
        long_list=[f"item {i}" for i in range(20)],
        empty_list=[],
        empty_set=set(),
        empty_map={},
        empty_text="",
        far=300,
    )


def interop_calls(library: Library, options: Options) -> Iterator[Call]:
    """One of each kind of call; the one that may end the connection comes near the end."""
    yield Call("ping")
    yield Call("sayHello", ("aeraki",), {"x-user": "alice"})
    yield Call(
        "sayHello",
        ("wörld, 世界 🌍",),
        {"x-user": "алиса", "x-empty": "", "X-Mixed-Case": "Yes"},
    )
    yield Call("sayHello", ("",))
    yield Call("add", (7, 35))
    yield Call("add", (-2147483648, -9000000000000000000))
    yield Call("echo", (full_everything(library),))
    yield Call("echo", (library.Everything(),))
    yield Call("notify", ("started",))
    yield Call("fail", (404,))
    yield Call("fail", (0,))
    yield Call("measure", (bytes(range(256)) * 4,))
    yield Call("headers", (), {"x-user": "alice", "x-route": "blue", "x-long": "0123456789" * 30})
    yield Call("missing", ("nobody",))
    if options.multiplexed:
        yield Call("increment", (5,), service="Counter")
        yield Call("increment", (-2,), service="Counter")
    yield Call("notify", ("nearly done",), {"x-user": "bob"})
    yield Call("crash", ("boom",))
    yield Call("ping")


def short_calls() -> Iterator[Call]:
    """A few calls, all answered with a value."""
    yield Call("ping")
    yield Call("sayHello", ("aeraki",), {"x-user": "alice"})
    yield Call("add", (1, 2))
    yield Call("sayHello", ("again",))


def uuid_calls() -> Iterator[Call]:
    """Calls with the type uuid, alone and in a list, between others."""
    yield Call("ping")
    yield Call("echoUuid", (uuid.UUID("01234567-89ab-cdef-8123-456789abcdef"), []))
    yield Call("echoUuid", (uuid.UUID(int=0), [uuid.UUID(int=n) for n in range(16)]))
    yield Call("sayHello", ("after",))


def large_calls() -> Iterator[Call]:
    """A small call, one with an argument of more than 1 MiB, a small call."""
    yield Call("ping")
    yield Call("measure", (LARGE_ARGUMENT,))
    yield Call("sayHello", ("after",))


def describe(value: Any) -> Any:
    """A value as JSON: structs by name, binary by length and SHA-256, uuids as text."""
    if isinstance(value, bytes):
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {key: describe(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [describe(item) for item in value]
    if isinstance(value, uuid.UUID):
        return str(value)
    return {"struct": type(value).__name__}


class Client:
    """Makes calls on one connection after another, and reports each."""

    _output = threading.Lock()

    def __init__(self, library: Library, options: Options, number: int = 0) -> None:
        self._library = library
        self._options = options
        self._number = number
        self._session: Session | None = None
        self.records: list[dict[str, Any]] = []

    def session(self) -> Session:
        """The open connection; opened anew after one that broke."""
        if self._session is None:
            self._session = self._library.connect(self._options)
        return self._session

    def close(self) -> None:
        """Ends the connection; the next call opens another, with the next number."""
        if self._session is not None:
            self._session.close()
            self._session = None
            self._number += 1

    def send(self, call: Call, seq_id: int | None = None) -> dict[str, Any]:
        """Writes the call and starts its record."""
        session = self.session()
        message_type, sent_id = session.send(call, seq_id)
        prefix = f"{call.service}:" if self._options.multiplexed else ""
        has_headers = self._options.transport == "header"
        return {
            "conn": self._number,
            "client_port": session.client_port,
            "service": call.service,
            "method": call.method,
            "wire_method": prefix + call.method,
            "seq_id": sent_id,
            "message_type": message_type,
            "args": {str(i): describe(arg) for i, arg in enumerate(call.args, 1)},
            "sent_headers": dict(call.headers) if has_headers else {},
        }

    def receive(self, call: Call, record: dict[str, Any]) -> None:
        """Reads the answer, if one is due, and completes the record."""
        library, session = self._library, self.session()
        outcome: dict[str, Any]
        reply: str | None = None
        headers: dict[str, str] = {}
        broken = False
        if record["message_type"] == "oneway":
            outcome = {"outcome": "oneway", "ok": True}
        else:
            try:
                value = session.receive(call)
            except library.DemoError as error:
                outcome = {
                    "outcome": "declared",
                    "ok": False,
                    "class": type(error).__name__,
                    "code": error.code,
                    "message": error.message,
                }
            except library.TApplicationException as error:
                outcome = {
                    "outcome": "application",
                    "ok": False,
                    "class": type(error).__name__,
                    "type": error.type,
                    "message": error.message,
                }
            except Exception as error:  # noqa: BLE001 -- whatever the client library raises is the outcome
                outcome = {
                    "outcome": "broken",
                    "ok": False,
                    "class": type(error).__name__,
                    "type": getattr(error, "type", None),
                    "message": getattr(error, "message", None) or str(error),
                }
                broken = True
            else:
                if call.method == "echo":
                    value = {"echoed": value == call.args[0]}
                outcome = {"outcome": "value", "ok": True, "value": describe(value)}
            if not broken:
                reply, headers = session.received()
        record |= {"reply": reply, "value": None, **outcome, "received_headers": headers}
        self.records.append(record)
        with self._output:
            print(json.dumps(record, ensure_ascii=False), flush=True)
        if broken:
            self.close()

    def run(self, calls: Iterator[Call]) -> None:
        """Makes the calls one after the other."""
        for call in calls:
            self.receive(call, self.send(call))
        self.close()

    def run_pipelined(self, count: int) -> None:
        """Writes `count` calls with ids of their own, then reads all the answers."""
        pending = []
        for number in range(count):
            if number % 2:
                call = Call("sayHello", (f"caller {number}",))
            else:
                call = Call("add", (number, 1000 * number))
            pending.append((call, self.send(call, 1000 + number)))
        for call, record in pending:
            self.receive(call, record)
        self.close()


def run_client(library: Library, options: Options) -> None:
    """Runs the scenario that the options name."""
    match options.scenario:
        case "interop":
            Client(library, options).run(interop_calls(library, options))
        case "short":
            Client(library, options).run(short_calls())
        case "uuid":
            Client(library, options).run(uuid_calls())
        case "large":
            Client(library, options).run(large_calls())
        case "pipelined":
            Client(library, options).run_pipelined(options.count)
        case "connections":
            clients = [Client(library, options, number) for number in range(options.count)]
            threads = [threading.Thread(target=client.run, args=(short_calls(),)) for client in clients]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if any(len(client.records) != 4 for client in clients):
                sys.exit("a connection failed: see the traceback above")


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Reads the command line; ends the process with a message when it is wrong."""
    parser = argparse.ArgumentParser(description="A Thrift peer for tests and captures.")
    parser.add_argument("role", choices=("server", "client"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--transport", choices=TRANSPORTS, default="framed")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="binary")
    parser.add_argument("--multiplexed", action="store_true", help="serve and call Greeter and Counter by name")
    parser.add_argument("--zlib", action="store_true", help="write with the zlib transform (header transport)")
    parser.add_argument("--scenario", choices=SCENARIOS, default="interop")
    parser.add_argument("--count", type=int, default=200, help="calls (pipelined) or connections (connections)")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds to wait for an answer")
    options = Options(**vars(parser.parse_args(arguments)))
    if options.transport == "header" and options.protocol not in ("binary", "compact"):
        parser.error("the header transport carries the binary and the compact protocol only")
    if options.zlib and options.transport != "header":
        parser.error("--zlib needs --transport header")
    return options


def main(library: Library) -> None:
    """Entry point of a peer module."""
    options = parse_options()
    if options.role == "server":
        library.serve(options, Handler(library), Counter())
    else:
        run_client(library, options)
