r"""A proxy of your own in asyncio: routes requests by their metadata, rewrites it, and answers where no server can.

    python asyncio_proxy.py --codec dubbo --listen 127.0.0.1:20880 --set via=proxy \
        --route method=sayHello=127.0.0.1:9001 --default 127.0.0.1:9002

Where a protocol lets many share a connection, all clients share one to each server, and request ids are rewritten to be
unique there. Elsewhere each client has its own, and gets its answers in the order in which it asked.
"""

import argparse
import asyncio
import itertools
import sys

import metaprotocol
from metaprotocol import DecodeError, Direction, EncodeError, ErrorType, Kind, PairBy, Sharing


class Side(asyncio.BufferedProtocol):
    """A socket: the kernel writes into the decoder's own memory. Who fills another is not read until it has drained."""

    def __init__(self, proxy, inbound):
        self.proxy, self.inbound, self.connection = proxy, inbound, proxy.codec.connection()
        self.transport, self.full = None, True  # it takes nothing before it is connected
        self.peers = set()  # the sides that write here; they are written to from here, too

    def connection_made(self, transport):
        self.transport = transport
        self.resume_writing()
        self.read_or_wait()

    def get_buffer(self, sizehint):
        return self.connection.get_buffer(self.inbound, sizehint)

    def buffer_updated(self, nbytes):
        try:
            frames, broken = self.connection.buffer_updated(self.inbound, nbytes), None
        except DecodeError as error:
            frames, broken = error.frames, error  # what was complete before the place is still good
        for frame in frames:
            if frame.kind is Kind.HEARTBEAT and self.proxy.codec.heartbeats:
                self.transport.write(self.proxy.reply(frame) or b"")  # nothing, if it is an answer itself
            else:
                self.on_frame(frame)
        if broken is not None:
            print(broken, file=sys.stderr)
            self.transport.close()

    def pause_writing(self, full=True):
        self.full = full
        for peer in self.peers:
            peer.read_or_wait()

    def resume_writing(self):
        self.pause_writing(full=False)

    def read_or_wait(self):
        if self.transport is not None and not self.transport.is_closing():
            wait = any(peer.full for peer in self.peers)
            (self.transport.pause_reading if wait else self.transport.resume_reading)()

    def connection_lost(self, error):
        for peer in self.peers - {self}:
            peer.peers.discard(self)
            peer.read_or_wait()


class Client(Side):
    def __init__(self, proxy):
        super().__init__(proxy, Direction.CLIENT_TO_SERVER)
        self.peers.add(self)  # who does not read answers shall not ask for more
        self.servers, self.answers, self.ended = {}, {}, False  # answers: by request, in the order they were asked

    def on_frame(self, frame):
        if frame.kind is Kind.REQUEST:
            self.answers[frame] = None
        try:
            server = self.proxy.server(frame, self)
        except DecodeError as error:
            self.refuse(frame, ErrorType.BAD_REQUEST, error)
        else:
            server.ask(frame, self) if server else self.refuse(frame, ErrorType.ROUTE_NOT_FOUND, "no route")

    def refuse(self, frame, error, why):
        reply = self.proxy.reply(frame, error, str(why))
        if reply is None and frame.kind is Kind.REQUEST:
            self.transport.close()  # the protocol has no other way to tell
        self.answer(frame, [reply] if reply else [])

    def answer(self, frame, pieces):
        if frame in self.answers:
            self.answers[frame] = pieces
        done = itertools.takewhile(lambda asked: self.answers[asked] is not None, [*self.answers])
        for request in [frame] if self.proxy.shared else done:
            pieces = self.answers.pop(request, [])
            if not self.transport.is_closing():
                self.transport.writelines(pieces)
        if self.ended and not self.answers:
            self.transport.close()

    def eof_received(self):
        self.ended = True
        return bool(self.answers)  # stay open for those that are under way

    def connection_lost(self, error):
        super().connection_lost(error)
        for server in list(self.servers.values()):
            server.close()


class Server(Side):
    def __init__(self, proxy, address, servers, alone):
        super().__init__(proxy, Direction.SERVER_TO_CLIENT)
        self.address, self.servers, self.alone = address, servers, alone
        self.asked, self.early = {}, []  # who asked, by the request as it went out; what waits for the connection
        self.connecting = asyncio.ensure_future(self.connect())

    async def connect(self):
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, *self.address)
        except OSError as error:
            self.connection_lost(error)

    def connection_made(self, transport):
        transport.writelines(self.early)
        super().connection_made(transport)

    def ask(self, frame, client):
        edits = self.proxy.edits if frame.kind in (Kind.REQUEST, Kind.ONEWAY) else {}
        try:
            data = b"".join(self.proxy.rewrite(frame, next(self.proxy.ids), edits))
            # The decoder sees both directions: it pairs by that, and some protocols cannot be read without.
            [sent] = self.connection.feed(Direction.CLIENT_TO_SERVER, data)
        except (EncodeError, DecodeError) as error:
            client.refuse(frame, ErrorType.BAD_REQUEST, error)
            return
        self.peers.add(client)
        client.peers.add(self)
        client.read_or_wait()
        self.transport.write(data) if self.transport else self.early.append(data)
        if frame.kind is Kind.REQUEST:
            self.asked[sent] = client, frame
            if len(self.asked) > self.connection.limits.max_in_flight:  # the decoder has forgotten the oldest, too
                self.refuse(next(iter(self.asked)), ErrorType.TIMEOUT, "no answer came, but thousands of others")

    def refuse(self, sent, error, why):
        client, frame = self.asked.pop(sent)
        client.refuse(frame, error, f"{self.address[0]}:{self.address[1]}: {why}")

    def on_frame(self, frame):
        request = self.connection.pair(frame)
        if request in self.asked:
            client, original = self.asked[request]
            try:
                pieces = self.proxy.rewrite(frame, original.request_id)
            except (EncodeError, DecodeError) as error:
                self.refuse(request, ErrorType.BAD_RESPONSE, error)
            else:
                del self.asked[request]
                client.answer(original, pieces)
        elif self.alone is not None and not self.alone.transport.is_closing():
            self.alone.transport.write(frame.raw)  # a notice, a frame of a stream

    def close(self):
        self.connecting.cancel()
        if self.transport is not None:
            self.transport.close()

    def connection_lost(self, error):
        if self.servers.get(self.address) is self:
            del self.servers[self.address]
        kind = ErrorType.UPSTREAM_RESET if self.transport else ErrorType.NO_HEALTHY_UPSTREAM
        for sent in [*self.asked]:
            self.refuse(sent, kind, error or "the server closed the connection")
        super().connection_lost(error)
        if self.alone is not None and self.proxy.codec.sharing is Sharing.BOUND:
            self.alone.transport.close()  # what the server knew of this client is gone


class Proxy:
    def __init__(self, codec, *, routes=(), default=None, edits=None):
        self.codec, self.routes, self.default, self.edits = codec, routes, default, edits or {}
        self.shared = codec.sharing is Sharing.MULTIPLEXED and codec.pair_by is PairBy.ID
        self.servers = {}
        self.ids = itertools.cycle(range(1, 1 << 31))  # 32 bits with a sign: what most protocols have room for

    def server(self, frame, client):
        chosen = (where for key, value, where in self.routes if str(frame.metadata.get(key, "")) == value)
        address = next(chosen, self.default)
        servers, alone = (self.servers, None) if self.shared else (client.servers, client)
        if address is not None and address not in servers:
            servers[address] = Server(self, address, servers, alone)
        return servers.get(address)

    def rewrite(self, frame, request_id, edits=None):
        changes = self.shared and isinstance(frame.request_id, int)
        return self.codec.rewrite(frame, set=edits, request_id=request_id if changes else None)

    def reply(self, frame, error=None, why=""):
        try:
            return self.codec.reply(frame, error, why)
        except (EncodeError, DecodeError) as unable:
            if error is not None:
                print(f"{why}; {unable}", file=sys.stderr)
            return None


def address(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def route(text):
    condition, _, where = text.rpartition("=")
    key, _, value = condition.partition("=")
    return key, value, address(where)


async def main():
    parser = argparse.ArgumentParser(description="A proxy for any protocol that has a codec.")
    parser.add_argument("--codec", required=True, help="a name, codec.yaml, libcodec.so, module:Class or file.py:Class")
    parser.add_argument("--listen", type=address, default=("127.0.0.1", 0), metavar="HOST:PORT")
    parser.add_argument("--route", type=route, action="append", default=[], metavar="KEY=VALUE=HOST:PORT")
    parser.add_argument("--default", type=address, metavar="HOST:PORT", help="where to send what no route is for")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="metadata for each request")
    options = parser.parse_args()
    known = options.codec in metaprotocol.list_codecs()
    codec = (metaprotocol.get_codec if known else metaprotocol.load_codec)(options.codec)
    edits = dict(edit.split("=", 1) for edit in options.set)
    proxy = Proxy(codec, routes=options.route, default=options.default, edits=edits)
    server = await asyncio.get_running_loop().create_server(lambda: Client(proxy), *options.listen)
    print("listening on {}:{}".format(*server.sockets[0].getsockname()), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
