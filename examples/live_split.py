"""Two versions of a Thrift service and of a Dubbo service behind one proxy: the split moves under load, no call fails.

python live_split.py [--seconds 10] [--json]

Ends with 1 if a call failed, an answer was another call's, or the versions did not get the shares they were to get.
"""

import argparse
import itertools
import json
import math
import socket
import socketserver
import struct
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing, contextmanager, suppress
from io import StringIO

import thriftpy2
from rich.live import Live
from rich.table import Table
from rich.text import Text
from thriftpy2.protocol import TBinaryProtocol
from thriftpy2.rpc import make_client
from thriftpy2.thrift import TProcessor
from thriftpy2.transport import TFramedTransport, TFramedTransportFactory, TSocket, TTransportException

from metaprotocol import Direction, Kind, get_codec
from metaprotocol.proxy import Proxy

HOST, VERSIONS, COLOURS = "127.0.0.1", ("v1", "v2"), ("blue", "green")
STEPS = (0, 25, 50, 75, 100)  # percent of the calls that v2 is to get
CLIENTS = 4  # of each protocol, each with one call under way
SETTLE, TICK, BAR = 0.1, 0.1, 36  # seconds, seconds, columns

GREETER = thriftpy2.load_fp(StringIO("service Greeter { string greet(1: string who) }"), "live_split_thrift").Greeter


def greeting(version, who):
    return f"{version} greets {who}"


def serve_thrift(version, connection):
    class Handler:
        def greet(self, who):
            return greeting(version, who)

    protocol, processor = TBinaryProtocol(TFramedTransport(TSocket(sock=connection))), TProcessor(GREETER, Handler())
    with suppress(TTransportException):  # the connection has ended
        while True:
            processor.process(protocol, protocol)


def thrift_client(port):
    return make_client(GREETER, HOST, port, trans_factory=TFramedTransportFactory(), timeout=10_000)


DUBBO = get_codec("dubbo")


def dubbo_frame(flags, status, body):
    return DUBBO.decode(struct.pack(">HBBQI", 0xDABB, flags, status, 0, len(body)) + body)


# Hessian 2: short strings have their length in front, a map is between H and Z. The codec makes all else of these two.
NAMES = ("2.0.2", "demo.Greeter", "1.0.0", "greet", "")
CALL = dubbo_frame(0xC2, 0, b"".join(bytes([len(name)]) + name.encode() for name in NAMES) + b"HZ")
ANSWER = dubbo_frame(0x02, 20, b"\x95HZ")  # nothing, with attachments


def serve_dubbo(version, connection):
    decoder = DUBBO.connection()
    while data := connection.recv(65536):
        for call in decoder.feed(Direction.CLIENT_TO_SERVER, data):
            said = {"greeting": greeting(version, call.metadata["who"])}
            answer = DUBBO.rewrite(ANSWER, set=said, request_id=call.request_id)
            connection.sendall(b"".join(answer))


class DubboClient:
    def __init__(self, port):
        self.socket, self.decoder = socket.create_connection((HOST, port), 10), DUBBO.connection()
        self.ids, self.close = itertools.count(1), self.socket.close

    def greet(self, who):
        number, frames = next(self.ids), []
        self.socket.sendall(b"".join(DUBBO.rewrite(CALL, set={"who": who}, request_id=number)))
        while not frames:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("the proxy closed the connection")
            frames = self.decoder.feed(Direction.SERVER_TO_CLIENT, data)
        [answer] = frames
        if answer.kind is not Kind.RESPONSE or answer.request_id != number:
            raise ValueError(f"{dict(answer.metadata)} answers call {number}")
        return answer.metadata["greeting"]


PROTOCOLS = {"thrift": (serve_thrift, thrift_client), "dubbo": (serve_dubbo, DubboClient)}


@contextmanager
def server(serve, version):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            serve(version, self.request)

    with socketserver.ThreadingTCPServer((HOST, 0), Handler) as listening:
        listening.daemon_threads = True
        threading.Thread(target=listening.serve_forever, args=[0.05]).start()
        yield listening.server_address[1]
        listening.shutdown()


class Load:
    """The clients of one protocol, each in a thread: call after call, every answer checked."""

    def __init__(self, connect, port):
        self.counters, self.errors, self.over = [Counter() for _ in range(CLIENTS)], [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(connect, port, number)) for number in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, connect, port, number):
        try:
            with closing(connect(port)) as client:
                for call in itertools.count():
                    if self.over.is_set():
                        return
                    who = f"client {number}, call {call}"
                    version, _, greeted = client.greet(who).partition(" greets ")
                    if greeted != who or version not in VERSIONS:
                        raise ValueError(f"{version!r} greets {greeted!r}, not {who!r}")
                    self.counters[number][version] += 1
        except Exception as error:  # noqa: BLE001 -- told at the end, whatever it is
            self.errors.append(f"client {number}: {error!r}")

    def answers(self):
        return sum(self.counters, Counter())

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def address(port):
    return {"socket_address": {"address": HOST, "port_value": port}}


def routes(protocol, share):
    weights = zip(VERSIONS, (100 - share, share), strict=True)
    clusters = [{"name": f"{protocol}-{version}", "weight": weight} for version, weight in weights]
    return {"name": protocol, "routes": [{"route": {"weighted_clusters": {"clusters": clusters}}}]}


def listener(protocol):
    proxy = {
        "@type": "type.googleapis.com/aeraki.meta_protocol_proxy.v1alpha.MetaProtocolProxy",
        "stat_prefix": "demo",
        "application_protocol": protocol,
        "codec": {"name": f"aeraki.meta_protocol.codec.{protocol}"},
        "route_config": routes(protocol, STEPS[0]),
    }
    chains = [{"filters": [{"name": "aeraki.meta_protocol_proxy", "typed_config": proxy}]}]
    return {"name": protocol, "address": address(0), "filter_chains": chains}


def cluster(name, port):
    hosts = [{"lb_endpoints": [{"endpoint": {"address": address(port)}}]}]
    return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": hosts}}


def fitting(share, answers):
    """Whether versions were picked as often as chance allows, but for calls that were under way before."""
    count, part = answers.total(), share / 100
    return abs(answers["v2"] - count * part) <= 5 * math.sqrt(count * part * (1 - part)) + CLIENTS


def picture(share, lately, loads):
    """What is asked for, and what each version has just answered, as bars."""
    titles = ("", "", f"v1 {100 - share} %, v2 {share} %".ljust(BAR), "", "answers", "errors")
    table = Table(*titles, title="metaprotocol proxy: weights change, calls go on", box=None)
    for protocol, load in loads.items():
        for version, colour in zip(VERSIONS, COLOURS, strict=True):
            part = lately[protocol][version] / (lately[protocol].total() or 1)
            bar = Text("█" * round(part * BAR) or "▏", style=colour)
            table.add_row(
                protocol, version, bar, f"{part:4.0%}", f"{load.answers()[version]:9,}", str(len(load.errors))
            )
    return table


def run(seconds, show, tell):
    """Moves the weights step by step; what was asked for and what came, a row for each step and protocol."""
    rows, loads = [], {}
    with ExitStack() as stack:
        ports = {
            f"{protocol}-{version}": stack.enter_context(server(serve, version))
            for protocol, (serve, _) in PROTOCOLS.items()
            for version in VERSIONS
        }
        clusters = [cluster(name, port) for name, port in ports.items()]
        resources = {"listeners": [listener(protocol) for protocol in PROTOCOLS], "clusters": clusters}
        proxy = Proxy({"static_resources": resources}, workers=1, strict=True)
        proxy.start()
        stack.callback(proxy.stop)
        for protocol, (_, connect) in PROTOCOLS.items():
            loads[protocol] = Load(connect, proxy.addresses()[protocol][1])
            stack.callback(loads[protocol].stop)
        for share in STEPS:
            proxy.update(routes={protocol: routes(protocol, share) for protocol in PROTOCOLS})
            time.sleep(SETTLE)  # calls that are under way keep the route they have
            until = time.monotonic() + seconds / len(STEPS)
            begun = last = {protocol: load.answers() for protocol, load in loads.items()}
            while time.monotonic() < until:
                time.sleep(TICK)
                now = {protocol: load.answers() for protocol, load in loads.items()}
                show(share, {protocol: now[protocol] - last[protocol] for protocol in now}, loads)
                last = now
            for protocol, load in loads.items():
                rows.append((protocol, share, last[protocol] - begun[protocol], len(load.errors)))
                tell(*rows[-1])
    return rows, [f"{protocol}: {error}" for protocol, load in loads.items() for error in load.errors]


def good(share, answers, errors):
    return not errors and answers.total() > 0 and fitting(share, answers)


def line(protocol, share, answers, errors):
    weights, counts = {"v1": 100 - share, "v2": share}, {version: answers[version] for version in VERSIONS}
    row = {"protocol": protocol, "weights": weights, "answers": counts, "errors": errors}
    print(json.dumps(row | {"good": good(share, answers, errors)}), flush=True)


def summary(rows):
    table = Table("", "v2 was to get", "v2 got", "calls", "errors", box=None)
    for protocol, share, answers, errors in rows:
        style = None if good(share, answers, errors) else "bold red"
        got = f"{answers['v2'] / (answers.total() or 1):6.1%}"
        table.add_row(protocol, f"{share:3} %", got, f"{answers.total():9,}", str(errors), style=style)
    return table


def main():
    parser = argparse.ArgumentParser(description="Traffic moves from one version to another, and no call fails.")
    parser.add_argument("--seconds", type=float, default=10, help="how long it takes")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a picture, as in a pipe")
    options = parser.parse_args()
    if options.json or not sys.stdout.isatty():
        rows, errors = run(options.seconds, show=lambda *_: None, tell=line)
    else:
        with Live(auto_refresh=False) as live:
            draw = lambda *seen: live.update(picture(*seen), refresh=True)  # noqa: E731
            rows, errors = run(options.seconds, show=draw, tell=lambda *_: None)
        live.console.print(summary(rows))
    print(*errors, sep="\n", end="", file=sys.stderr)
    sys.exit(not all(good(*row[1:]) for row in rows))


if __name__ == "__main__":
    main()
