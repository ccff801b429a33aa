r"""Whole messages of any protocol that has a codec, in mitmproxy's TCP flows: shown, logged, edited.

    mitmdump --mode reverse:tcp://127.0.0.1:20880 --listen-port 20881 -s mitmproxy_addon.py \
        --set codec=dubbo --set frames_log=frames.jsonl --set frames_set=via=mitmproxy

mitmproxy gives TCP as it was read, cut anywhere. Here each read is held back until the frames in it are complete: what
goes on, and what a flow's messages show, are whole frames. Bytes that are not the protocol go on as they are.

`metaprotocol` must be installed where mitmproxy is. For edits of your own, subclass `Frames` and override `frame`.
"""

import json
import logging
import time
from collections.abc import Sequence

from mitmproxy import ctx, exceptions

import metaprotocol
from metaprotocol import DecodeError, Direction, EncodeError, Kind


class Stream:
    """One TCP connection: a decoder, and the bytes of each direction that are not part of a whole frame yet."""

    def __init__(self, codec):
        self.connection = codec.connection()
        self.held = {way: bytearray() for way in Direction}
        self.lost = set()  # directions in which the protocol could not be followed

    def take(self, way, data):
        """The frames that these bytes complete; and the bytes that go on as they are, once it is not the protocol."""
        if way in self.lost:
            return [], data
        held = self.held[way]
        held += data
        start = self.connection.offset(way)
        try:
            frames, error = self.connection.feed(way, data), None
        except Exception as broken:  # noqa: BLE001 -- a DecodeError, or a bug of a codec: the traffic goes on
            frames, error = getattr(broken, "frames", ()), broken
        del held[: sum(map(len, frames)) if error else self.connection.offset(way) - start]
        if error is None:
            return frames, b""
        logging.warning("%s; this direction goes on undecoded", error, exc_info=not isinstance(error, DecodeError))
        self.lost.add(way)
        return frames, bytes(self.held.pop(way))


class Frames:
    """The addon."""

    def __init__(self):
        self.codec, self.edits, self.log, self.streams = None, {}, None, {}

    def load(self, loader):
        loader.add_option(
            "codec", str, "", "Of TCP flows: a name, codec.yaml, libcodec.so, module:Class or file.py:Class."
        )
        loader.add_option("frames_log", str, "", "File to which a line of JSON is written for each frame.")
        loader.add_option("frames_set", Sequence[str], [], "KEY=VALUE: metadata to set in each request.")

    def configure(self, updated):
        options = ctx.options
        try:
            if "codec" in updated and options.codec:
                known = options.codec in metaprotocol.list_codecs()
                self.codec = (metaprotocol.get_codec if known else metaprotocol.load_codec)(options.codec)
            if "frames_set" in updated:
                self.edits = dict(edit.split("=", 1) for edit in options.frames_set)
            if "frames_log" in updated:
                self.done()
                self.log = open(options.frames_log, "a", encoding="utf-8") if options.frames_log else None  # noqa: SIM115, PTH123
        except (metaprotocol.MetaProtocolError, OSError, ValueError) as error:
            raise exceptions.OptionsError(f"metaprotocol: {error}") from error

    def done(self):
        if self.log is not None:
            self.log.close()

    def tcp_start(self, flow):
        if self.codec is not None:
            self.streams[flow.id] = Stream(self.codec)

    def tcp_message(self, flow):
        stream = self.streams.get(flow.id)
        if stream is None:
            return
        message = flow.messages[-1]
        way = Direction.CLIENT_TO_SERVER if message.from_client else Direction.SERVER_TO_CLIENT
        frames, rest = stream.take(way, message.content)
        message.content = b"".join(piece for frame in frames for piece in self.frame(flow, stream, frame)) + rest

    def tcp_end(self, flow):
        stream = self.streams.pop(flow.id, None)
        for way, held in stream.held.items() if stream is not None else ():
            if held:
                logging.warning("%s: %d bytes of a frame that was never completed were held back", way.name, len(held))

    tcp_error = tcp_end

    def frame(self, flow, stream, frame):
        """What goes on in place of a frame, in pieces: itself, or what `rewrite` makes of it."""
        refused = None
        pieces = [frame.raw]
        if self.edits and frame.kind in (Kind.REQUEST, Kind.ONEWAY):
            try:
                pieces = frame.codec.rewrite(frame, set=self.edits)
            except (EncodeError, DecodeError) as error:
                refused = str(error)
                logging.warning("not edited: %s", error)
        logging.info("%s", frame)
        if self.log is not None:
            self.log.write(json.dumps(self.line(flow, stream, frame, refused), ensure_ascii=False) + "\n")
            self.log.flush()
        return pieces

    def line(self, flow, stream, frame, refused):
        request = stream.connection.pair(frame)
        number = frame.request_id
        line = {
            "time": time.time(),
            "flow": flow.id,
            "client": "{}:{}".format(*flow.client_conn.peername[:2]),
            "protocol": frame.codec.name,
            "direction": frame.direction.name.lower(),
            "kind": frame.kind.name.lower(),
            "request_id": number.hex() if isinstance(number, bytes) else number,
            "offset": frame.offset,
            "bytes": len(frame),
            "request_offset": None if request is None else request.offset,
            "refused": refused,
        }
        try:
            line["metadata"] = dict(frame.metadata)
        except DecodeError as error:
            line["broken"] = str(error)
        return {key: value for key, value in line.items() if value is not None}


addons = [Frames()]
