"""A proxy of your own in asyncio: routes requests by their metadata, rewrites it, and answers where no server can.

python asyncio_proxy.py --codec dubbo --route method=sayHello=127.0.0.1:9001 --default 127.0.0.1:9002 --set via=proxy
"""

import argparse
import asyncio
import sys

import metaprotocol
from metaprotocol import DecodeError, Direction, EncodeError, ErrorType, Kind, PairBy, Sharing

MAX_WAITING, MAX_WAITING_LEN = 1000, 8 << 20  # requests of a client that are under way, and their bytes


class Side(asyncio.BufferedProtocol):
    """A socket: the kernel writes into the decoder's own memory, `frames` gives what that completes."""

    def __init__(self, codec, inbound):
        self.codec, self.inbound, self.connection = codec, inbound, codec.connection()
        self.received, self.writable, self.idle = asyncio.Queue(), asyncio.Event(), asyncio.Event()
        self.pause_writing, self.resume_writing = self.writable.clear, self.writable.set

    def connection_made(self, transport):
        self.transport, self.task = transport, asyncio.ensure_future(self.run())
        self.writable.set()

    def get_buffer(self, sizehint):
        return self.connection.get_buffer(self.inbound, sizehint)

    def buffer_updated(self, nbytes):
        self.transport.pause_reading()  # until these bytes have gone where they go: back-pressure
        self.received.put_nowait(nbytes)

    def connection_lost(self, error):
        self.received.put_nowait(0)
        self.writable.set()
        self.idle.set()

    async def frames(self):
        while nbytes := await self.received.get():
            try:
                frames = self.connection.buffer_updated(self.inbound, nbytes)
            except DecodeError as error:
                print(error, file=sys.stderr)
                frames = error.frames  # what was complete before the place is still good
                self.received.put_nowait(0)
            for frame in frames:
                yield frame
            self.transport.resume_reading()


class Client(Side):
    def __init__(self, codec, routes=(), default=None, edits=None):
        super().__init__(codec, Direction.CLIENT_TO_SERVER)
        self.routes, self.default, self.edits, self.servers = routes, default, edits, {}
        self.any_order = codec.sharing is Sharing.MULTIPLEXED and codec.pair_by is not PairBy.ORDER
        self.waiting = {}  # the requests under way, in the order asked; with the answer, while that waits for others

    def eof_received(self):
        self.received.put_nowait(0)
        return True  # open for the answers under way

    async def run(self):
        try:
            async for frame in self.frames():
                await self.writable.wait()  # who does not read answers shall not ask for more
                if self.transport.is_closing():
                    break
                await self.forward(frame)
            if self.waiting and not self.transport.is_closing():
                await self.idle.wait()
        finally:
            for side in (self, *self.servers.values()):
                side.transport.close()

    async def forward(self, frame):
        too_long = sum(map(len, self.waiting)) + len(frame) > MAX_WAITING_LEN
        if self.waiting and (too_long or len(self.waiting) >= MAX_WAITING):
            await self.idle.wait()
        if frame.kind is Kind.REQUEST:
            self.waiting[frame] = None
            self.idle.clear()
        try:
            if frame.kind is Kind.HEARTBEAT and self.codec.heartbeats:
                self.answer(frame, self.codec.reply(frame) or b"")
                return
            fitting = (where for key, value, where in self.routes if str(frame.metadata.get(key, "")) == value)
            address = next(fitting, self.default)
            if address is None:
                self.refuse(frame, ErrorType.ROUTE_NOT_FOUND, "no route")
                return
            edits = self.edits if frame.kind in (Kind.REQUEST, Kind.ONEWAY) else None
            data = b"".join(self.codec.rewrite(frame, set=edits))
            if address not in self.servers or self.servers[address].transport.is_closing():
                server = Server(self, address)
                await asyncio.get_running_loop().create_connection(lambda: server, *address.rsplit(":", 1))
                self.servers[address] = server
            await self.servers[address].send(frame, data)
        except (DecodeError, EncodeError) as error:
            self.refuse(frame, ErrorType.BAD_REQUEST, error)
        except OSError as error:
            self.refuse(frame, ErrorType.NO_HEALTHY_UPSTREAM, f"{address}: {error}")

    def answer(self, frame, data):
        """Answers leave as they come where ids tell whose they are, elsewhere in the order of the requests."""
        self.waiting[frame] = data
        for request in [frame] if self.any_order else list(self.waiting):
            if self.waiting[request] is None:
                break
            data = self.waiting.pop(request)
            if not self.transport.is_closing():
                self.transport.write(data)
        if not self.waiting:
            self.idle.set()

    def refuse(self, frame, error, why):
        try:
            data = self.codec.reply(frame, error, str(why))
        except (DecodeError, EncodeError) as unable:
            data, why = None, f"{why}; {unable}"
        if data is None:
            print(f"{frame.kind.name} not delivered: {why}", file=sys.stderr)
            if frame.kind is Kind.REQUEST:
                self.transport.close()  # the protocol has no other way to tell
        else:
            self.answer(frame, data)


class Server(Side):
    def __init__(self, client, address):
        super().__init__(client.codec, Direction.SERVER_TO_CLIENT)
        self.client, self.address, self.asked = client, address, {}

    async def send(self, frame, data):
        await self.writable.wait()
        if self.transport.is_closing():
            raise ConnectionResetError("the connection has ended")
        # By what was asked, the decoder pairs answers; some it could not read without.
        [sent] = self.connection.feed(Direction.CLIENT_TO_SERVER, data)
        if frame.kind is Kind.REQUEST:
            self.asked[sent] = frame
        self.transport.write(data)

    async def run(self):
        try:
            async for frame in self.frames():
                await self.client.writable.wait()
                request = self.asked.pop(self.connection.pair(frame), None)
                if request is not None:
                    self.client.answer(request, frame.raw)
                elif frame.kind is Kind.HEARTBEAT and self.codec.heartbeats:
                    self.transport.write(self.codec.reply(frame) or b"")
                else:
                    self.client.transport.write(frame.raw)  # a notice, a frame of a stream
        finally:
            self.transport.abort()
            for request in self.asked.values():
                self.client.refuse(request, ErrorType.UPSTREAM_RESET, f"{self.address}: the connection has ended")
            if self.codec.sharing is Sharing.BOUND:
                self.client.transport.close()  # what the server knew of this client is gone


def route(text):
    condition, address = text.rsplit("=", 1)
    return *condition.split("=", 1), address


async def main():
    parser = argparse.ArgumentParser(description="A proxy for any protocol that has a codec.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--codec", metavar="NAME")
    which.add_argument("--load", metavar="SOURCE", help="codec.yaml, libcodec.so, module:Class or file.py:Class")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT")
    parser.add_argument("--route", type=route, action="append", default=[], metavar="KEY=VALUE=HOST:PORT")
    parser.add_argument("--default", metavar="HOST:PORT", help="where to send what no route is for")
    parser.add_argument("--set", type=lambda text: text.split("=", 1), action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    codec = metaprotocol.load_codec(options.load) if options.load else metaprotocol.get_codec(options.codec)
    server = await asyncio.get_running_loop().create_server(
        lambda: Client(codec, options.route, options.default, dict(options.set)), *options.listen.rsplit(":", 1)
    )
    print("listening on {}:{}".format(*server.sockets[0].getsockname()), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
