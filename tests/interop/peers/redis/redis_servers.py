"""Real Redis servers on the loopback interface: alone, with a replica, as a cluster, with users, with TLS.

Every server gets free ports and a temporary directory, keeps nothing, and ends with its `with` block. Needs the
program `redis-server` (Debian: redis-server), of version 7.0 or later, and for TLS `openssl`. Only the standard
library is used, so that recorders, generators and tests can all start servers.

    python redis_servers.py alone|replica|cluster|users|tls      until Ctrl-C
"""

from __future__ import annotations

import argparse
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

HOST = "127.0.0.1"
PATIENCE = 20.0
"""Seconds to wait for what should happen at once."""
PASSWORD = "swordfish"
"""Of the default user and of `alice`, who may only read keys that start with `open:`, in servers with users."""
SLOTS = 16384

Argument = str | bytes | int


class Unavailable(Exception):
    """A program is missing."""


class ErrorReply(Exception):
    """The server answered `-…`."""


class Client:
    """A connection that speaks RESP2, as plainly as can be: what sets servers up must not be what is tested."""

    def __init__(self, port: int, password: str | None = None) -> None:
        self.socket = socket.create_connection((HOST, port), PATIENCE)
        self._file: IO[bytes] = self.socket.makefile("rb")
        if password is not None:
            self(b"AUTH", password)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def __call__(self, *arguments: Argument) -> Any:
        """Sends a command and gives its answer; raises ErrorReply."""
        self.send(*arguments)
        return self.read()

    def send(self, *arguments: Argument) -> None:
        self.socket.sendall(command(*arguments))

    def read(self) -> Any:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ErrorReply(rest.decode())
        if kind == b"+":
            return rest
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        if kind == b"*":
            return [self.read() for _ in range(number)]
        if kind != b"$":
            raise ValueError(f"no RESP2: {line!r}")
        return self._file.read(number + 2)[:-2]


def command(*arguments: Argument) -> bytes:
    """The bytes of a command."""
    plain = [value if isinstance(value, bytes) else str(value).encode() for value in arguments]
    return b"*%d\r\n" % len(plain) + b"".join(b"$%d\r\n%b\r\n" % (len(value), value) for value in plain)


@dataclass(frozen=True)
class Certificates:
    """A certificate that signs itself, for 127.0.0.1 and localhost."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    port: int
    """Where it speaks plainly, or TLS if it has certificates."""
    password: str | None
    process: subprocess.Popen[bytes]
    log: Path
    certificates: Certificates | None = None

    def client(self) -> Client:
        """A new connection."""
        return Client(self.port, self.password)

    def __call__(self, *arguments: Argument) -> Any:
        """Runs one command on a connection of its own."""
        with self.client() as client:
            return client(*arguments)

    @property
    def version(self) -> str:
        return str(info(self, "server")["redis_version"])


def info(server: Server, section: str) -> dict[str, str]:
    """A section of INFO."""
    text = server("INFO", section).decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def wait(condition: Callable[[], bool], what: str) -> None:
    """Returns once the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE} s for {what}")
        time.sleep(0.02)


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on. A server cannot be asked which it took, so it is told."""
    with ExitStack() as taken:
        return [taken.enter_context(socket.create_server((HOST, 0))).getsockname()[1] for _ in range(count)]


def program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"{name} not found: install it (Debian: {package})")
    return found


def make_certificates(directory: Path) -> Certificates:
    made = Certificates(directory / "server.crt", directory / "server.key")
    subprocess.run(
        [
            *(program("openssl", "openssl"), "req", "-x509", "-nodes", "-days", "2"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(made.key), "-out", str(made.certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return made


@contextmanager
def alone(
    *options: str, port: int | None = None, password: str | None = None, certificates: Certificates | None = None
) -> Iterator[Server]:
    """One server. `options` are pairs as in redis.conf, the name with two hyphens before it."""
    redis_server = program("redis-server", "redis-server")
    if port is None:
        [port] = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="redis-", ignore_cleanup_errors=True) as directory:
        log = Path(directory) / "log"
        arguments = [redis_server, "--bind", HOST, "--dir", directory, "--logfile", str(log)]
        arguments += ["--save", "", "--appendonly", "no", "--databases", "16", "--enable-debug-command", "yes"]
        # A replica is served at once, not after five seconds in which others might come.
        arguments += ["--repl-diskless-sync-delay", "0"]
        if certificates is None:
            arguments += ["--port", str(port)]
        else:
            arguments += ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
            arguments += ["--tls-cert-file", str(certificates.certificate), "--tls-key-file", str(certificates.key)]
        if password is not None:
            arguments += ["--requirepass", password, "--masterauth", password]
        process = subprocess.Popen(
            [*arguments, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert process.stdout is not None
        server = Server(port, password, process, log, certificates)
        try:
            _until_ready(server)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def _until_ready(server: Server) -> None:
    """Its log says it, so that no connection of ours has to be in a capture of its first moment."""

    def ready() -> bool:
        said = server.log.read_text(errors="replace") if server.log.exists() else ""
        if server.process.poll() is not None:
            assert server.process.stdout is not None
            said += server.process.stdout.read().decode(errors="replace")
            raise RuntimeError(f"redis-server ended before it listened on port {server.port}:\n{said[-4000:]}")
        return "Ready to accept connections" in said

    wait(ready, "redis-server to listen")


@contextmanager
def replica_of(master: Server, *options: str) -> Iterator[Server]:
    """A server that has begun to follow another."""
    with alone("--replicaof", f"{HOST} {master.port}", *options, password=master.password) as server:
        yield server


def wait_for_sync(replica: Server) -> None:
    """Returns once the replica has what its master has."""
    wait(lambda: info(replica, "replication").get("master_link_status") == "up", "the replica to follow its master")


@contextmanager
def users(port: int | None = None) -> Iterator[Server]:
    """A server that wants a password, and knows `alice`."""
    with alone(port=port, password=PASSWORD) as server:
        server("ACL", "SETUSER", "alice", "on", f">{PASSWORD}", "~open:*", "+@read", "+@connection")
        yield server


@contextmanager
def tls(port: int | None = None) -> Iterator[Server]:
    """A server that speaks TLS only."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield stack.enter_context(alone(port=port, certificates=make_certificates(directory)))


@contextmanager
def cluster(masters: int = 3, ports: Sequence[int] = ()) -> Iterator[list[Server]]:
    """Servers that share the slots evenly, in order."""
    free = free_ports(2 * masters)
    ports, buses = ports or free[:masters], free[masters:]
    with ExitStack() as stack:
        servers = []
        for port, bus in zip(ports, buses, strict=True):
            options = ["--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "5000"]
            servers.append(stack.enter_context(alone(*options, port=port)))
        for number, server in enumerate(servers):
            server("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            server("CLUSTER", "ADDSLOTSRANGE", SLOTS * number // masters, SLOTS * (number + 1) // masters - 1)
        for server, bus in zip(servers[1:], buses[1:], strict=True):
            servers[0]("CLUSTER", "MEET", HOST, server.port, bus)

        def formed() -> bool:
            return all(
                b"cluster_state:ok" in server("CLUSTER", "INFO")
                and len(server("CLUSTER", "SLOTS")) == masters
                and server("CLUSTER", "NODES").count(b" connected") == masters
                for server in servers
            )

        wait(formed, "the cluster to form")
        yield servers


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs Redis servers until it is ended.")
    parser.add_argument("what", choices=["alone", "replica", "cluster", "users", "tls"])
    what = parser.parse_args().what
    # SIGTERM ends the `with` blocks as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        if what == "cluster":
            servers = stack.enter_context(cluster())
        elif what == "replica":
            servers = [stack.enter_context(alone())]
            servers.append(stack.enter_context(replica_of(servers[0])))
            wait_for_sync(servers[1])
        elif what == "users":
            servers = [stack.enter_context(users())]
        elif what == "tls":
            servers = [stack.enter_context(tls())]
        else:
            servers = [stack.enter_context(alone())]
        print("READY", *(server.port for server in servers), flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("ending", flush=True)


if __name__ == "__main__":
    main()
