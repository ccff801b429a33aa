"""The codec of acorn. The layout is drawn in README.md; change it here, there and in samples/ together."""

from struct import Struct

import metaprotocol
from metaprotocol import DecodeError, Detection, Direction, EncodeError, Head, KeyInfo, Kind, NeedMore, PairBy, Sharing

MAGIC = bytes.fromhex("ac0f")
HEADER = Struct(">2sBBII")  # magic, type, length of the topic, request id, length of the body
REQUEST, RESPONSE, ERROR, PING, PONG = range(1, 6)
KINDS = {
    REQUEST: Kind.REQUEST,
    RESPONSE: Kind.RESPONSE,
    ERROR: Kind.ERROR,
    PING: Kind.HEARTBEAT,
    PONG: Kind.HEARTBEAT,
}


def encode(type_, request_id, topic=b"", body=b""):
    """A message."""
    return HEADER.pack(MAGIC, type_, len(topic), request_id, len(body)) + topic + body


class Acorn(metaprotocol.Codec):
    """The acorn protocol."""

    name = "acorn"
    summary = "acorn, a protocol of our own"
    pair_by = PairBy.ID  # an answer has the id of its request
    sharing = Sharing.MULTIPLEXED  # answers come in any order
    heartbeats = True
    min_header_len = HEADER.size
    keys = (KeyInfo("topic", "what the message is about", writable=True),)

    def split(self, buffer, *, direction=Direction.CLIENT_TO_SERVER, limits=None, state=None):
        """Where does the frame at the front of the buffer end, and what is it?"""
        front = bytes(memoryview(buffer)[:3])
        if front[:2] != MAGIC[: len(front)]:
            raise self.error(0, "bad_magic", f"it begins with {front[:2].hex(' ')}, not {MAGIC.hex(' ')}")
        if len(front) == 3 and front[2] not in KINDS:
            raise self.error(2, "bad_value", f"there is no type {front[2]}")
        if len(buffer) < HEADER.size:
            return NeedMore(HEADER.size - len(buffer))
        _, type_, topic_len, request_id, body_len = HEADER.unpack_from(buffer)
        header_len = HEADER.size + topic_len
        return Head(KINDS[type_], header_len + body_len, header_len=header_len, request_id=request_id)

    def error(self, offset, code, reason):
        """Bytes that are not the protocol."""
        return DecodeError(protocol=self.name, offset=offset, code=code, reason=reason)

    def fields(self, frame):
        """What are the values of its metadata?"""
        topic = bytes(frame.header[HEADER.size :])
        return {"topic": topic.decode("utf-8", "replace")} if topic else {}

    def rewrite(self, frame, *, set=None, remove=None, request_id=None):
        """What is the frame with these edits?"""
        if not set and not remove and request_id is None:
            return [frame.raw]
        _, type_, _, new_id, body_len = HEADER.unpack_from(frame.raw)
        topic = bytes(frame.header[HEADER.size :])
        for key, value in (set or {}).items():
            if key != "topic":
                raise EncodeError(self.name, f"{key!r} cannot be set; the only key is 'topic'", key)
            topic = str(value).encode()
            if not 0 < len(topic) < 256:
                raise EncodeError(self.name, "a topic has 1 to 255 bytes; remove it to have none", "topic")
        if "topic" in (remove or ()):
            topic = b""
        if request_id is not None:
            new_id = request_id
        if not 0 <= new_id < 1 << 32:
            raise EncodeError(self.name, f"{new_id} is no id of 32 bits")
        # The body goes out as the view that it is: it is not copied.
        return [HEADER.pack(MAGIC, type_, len(topic), new_id, body_len), topic, frame.body]

    def reply(self, request, error=None, message=""):
        """What are the bytes of an answer made here?"""
        if request.raw[2] == PING and error is None:
            return encode(PONG, request.request_id)
        if request.kind is Kind.REQUEST and error is not None:
            return encode(ERROR, request.request_id, body=message.encode())
        raise EncodeError(self.name, "requests are answered with errors, pings with pongs, and nothing else")

    def detect(self, prefix, *, direction=Direction.CLIENT_TO_SERVER):
        """Does the front of this stream look like mine?"""
        front = bytes(memoryview(prefix)[:3])
        if front[:2] != MAGIC[: len(front)] or (len(front) == 3 and front[2] not in KINDS):
            return Detection.NO
        return Detection.YES if len(front) == 3 else Detection.NEED_MORE
