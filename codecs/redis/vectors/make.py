"""Makes the vectors of this folder: `make vectors` in the root, which puts `tests/` on Python's path."""

from __future__ import annotations

from kit import vector_files
from kit.vector_files import SERVER, Expected, Vectors

# What COMMAND of a server says of these.
GET = {"access": "read", "flags": "fast,readonly"}
SET = {"access": "write", "flags": "denyoom,write"}
DEL = {"access": "write", "flags": "write"}
PING = {"flags": "fast"}


def command(*words: str | bytes) -> bytes:
    """An array of bulk strings."""
    arguments = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(arguments) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in arguments)


def asked(kind: str, data: bytes, name: str, arguments: int, **fields: str | int) -> Expected:
    """What a decoder must give for an array that is a command."""
    header_len = len(b"*%d\r\n$%d\r\n%b\r\n" % (arguments + 1, len(name), name.encode()))
    told = {"message_type": "command", "command": name, "arg_count": arguments, **fields}
    return vector_files.frame(kind, None, header_len, len(data), told)


def keyed(key: str, slot: int, *, keys: str | None = None, count: int = 1) -> dict[str, str | int]:
    """The fields of a command with keys."""
    return {"key": key, "keys": keys or key, "key_count": count, "slot": slot}


def line(kind: str, data: bytes, name: str, arguments: int, **fields: str | int) -> Expected:
    """What a decoder must give for a line that is a command."""
    told = {"message_type": "inline", "command": name, "arg_count": arguments, **fields}
    return vector_files.frame(kind, None, data.lstrip().upper().index(name.encode()) + len(name), len(data), told)


def answer(data: bytes, reply_type: str, kind: str = "response", **fields: str | int) -> Expected:
    """What a decoder must give for a reply: its header is the line of a length, or one byte."""
    header_len = data.index(b"\n") + 1 if data[:1] in b"$*%~>=!|" else 1
    told = {"message_type": "reply", "reply_type": reply_type, **fields}
    return vector_files.frame(kind, None, header_len, len(data), told)


def commands(vectors: Vectors) -> None:
    """What clients send."""
    get = command("GET", "foo")
    vectors.add("get", get, asked("request", get, "GET", 1, **keyed("foo", 12182), **GET))

    pipeline = [command("SET", "{user1000}.name", "a b"), command("del", "foo", "two words"), command("PING")]
    vectors.add(
        "pipeline",
        b"".join(pipeline),
        asked("request", pipeline[0], "SET", 2, hash_tag="user1000", **keyed("{user1000}.name", 3443), **SET),
        asked("request", pipeline[1], "DEL", 2, **keyed("foo", 12182, keys='foo "two words"', count=2), **DEL),
        asked("request", pipeline[2], "PING", 0, key_count=0, **PING),
    )

    script = command("EVAL", "return 1", "2", "foo", "bar", "baz")
    flags = "movablekeys,no_mandatory_keys,noscript,skip_monitor,stale"
    fields = {"access": "write", "flags": flags, **keyed("foo", 12182, keys="foo bar", count=2)}
    vectors.add("movable-keys", script, asked("request", script, "EVAL", 5, **fields))

    config = command("config", "get", "maxmemory")
    config_flags = "admin,loading,noscript,stale"
    told = asked("request", config, "CONFIG", 2, subcommand="GET", key_count=0, flags=config_flags)
    vectors.add("subcommand", config, told)

    publish = command("SPUBLISH", "foo", "hello")
    fields = {"key_count": 0, "slot": 12182, "flags": "fast,loading,pubsub,stale", "channel": "foo"}
    vectors.add("publish", publish, asked("request", publish, "SPUBLISH", 2, **fields))

    psubscribe = command("PSUBSCRIBE", "news.*")
    fields = {"key_count": 0, "flags": "loading,noscript,pubsub,stale", "pattern": "news.*"}
    vectors.add("psubscribe", psubscribe, asked("request", psubscribe, "PSUBSCRIBE", 1, **fields))

    off = command("CLIENT", "REPLY", "SKIP")
    fields = {"subcommand": "REPLY", "key_count": 0, "flags": "loading,noscript,stale"}
    vectors.add("client-reply-skip", off, asked("oneway", off, "CLIENT", 2, **fields))

    ack = command("REPLCONF", "ACK", "1024")
    flags = "admin,allow_busy,loading,noscript,stale"
    vectors.add("replconf-ack", ack, asked("oneway", ack, "REPLCONF", 2, key_count=0, flags=flags))

    select = command("SELECT", "3")
    fields = {"key_count": 0, "flags": "fast,loading,stale", "db": 3}
    vectors.add("select", select, asked("request", select, "SELECT", 1, **fields))

    module = command("JSON.GET", "doc")
    vectors.add("unknown-command", module, asked("request", module, "JSON.GET", 1))

    long = command("SET", "foo", b"x" * 5000)
    vectors.add("long-value", long, asked("request", long, "SET", 2, **keyed("foo", 12182), **SET))

    lines = [b"sync\r\n", b"PING\r\n", b'  set foo "a \\"b\\" \\x00"\n', b"del 'it\\'s'\r\n"]
    vectors.add(
        "inline",
        b"".join(lines),
        line("request", lines[0], "SYNC", 0, key_count=0, flags="admin,no_async_loading,no_multi,noscript"),
        line("request", lines[1], "PING", 0, key_count=0, **PING),
        vector_files.frame(
            "request", None, 5, len(lines[2]),
            {"message_type": "inline", "command": "SET", "arg_count": 2, **keyed("foo", 12182), **SET},
        ),
        line("request", lines[3], "DEL", 1, **keyed("it's", 16360, keys='"it\'s"'), **DEL),
    )  # fmt: skip

    nothing = [b"\r\n", b"\n", b"*0\r\n"]
    empty = [vector_files.frame("control", None, 0, len(each), {"message_type": "empty"}) for each in nothing]
    vectors.add(
        "nothing-is-asked",
        get + b"".join(nothing),
        asked("request", get, "GET", 1, **keyed("foo", 12182), **GET),
        *empty,
    )


def replies(vectors: Vectors) -> None:
    """What servers answer."""
    two = [b"+OK\r\n", b":-7\r\n", b"$5\r\nhello\r\n", b"$-1\r\n", b"*2\r\n:1\r\n*1\r\n$-1\r\n", b"$0\r\n\r\n"]
    vectors.add(
        "replies-of-resp2",
        b"".join(two),
        answer(two[0], "simple_string", value="OK"),
        answer(two[1], "integer", value=-7),
        answer(two[2], "bulk_string", length=5, value="hello"),
        answer(two[3], "null"),
        answer(two[4], "array", length=2),
        answer(two[5], "bulk_string", length=0, value=""),
        direction=SERVER,
    )

    three = [
        b"_\r\n", b",3.25\r\n", b",-inf\r\n", b"#t\r\n", b"(3492890328409238509324850943850943825024385\r\n",
        b"=15\r\ntxt:Some string\r\n", b"%1\r\n+a\r\n#f\r\n", b"~2\r\n:1\r\n_\r\n",
    ]  # fmt: skip
    vectors.add(
        "replies-of-resp3",
        b"".join(three),
        answer(three[0], "null"),
        answer(three[1], "double", value="3.25"),
        answer(three[2], "double", value="-inf"),
        answer(three[3], "boolean", value="true"),
        answer(three[4], "big_number", value="3492890328409238509324850943850943825024385"),
        answer(three[5], "verbatim_string", length=15, value="Some string"),
        answer(three[6], "map", length=1),
        answer(three[7], "set", length=2),
        direction=SERVER,
    )

    errors = [
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
        b"-MOVED 3999 127.0.0.1:6381\r\n",
        b"!21\r\nSYNTAX invalid syntax\r\n",
        b"-nobody knows\r\n",
    ]
    vectors.add(
        "errors",
        b"".join(errors),
        answer(
            errors[0], "error", "error",
            error_code="WRONGTYPE", error_message="Operation against a key holding the wrong kind of value",
        ),
        answer(
            errors[1], "error", "error",
            error_code="MOVED", error_message="3999 127.0.0.1:6381", slot=3999, redirect="127.0.0.1:6381",
        ),
        answer(errors[2], "bulk_error", "error", error_code="SYNTAX", error_message="invalid syntax"),
        answer(errors[3], "error", "error", error_message="nobody knows"),
        direction=SERVER,
    )  # fmt: skip

    streamed = [
        b"$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n",
        b"*?\r\n:1\r\n%?\r\n+a\r\n*?\r\n.\r\n.\r\n.\r\n",
        b"~?\r\n.\r\n",
    ]
    vectors.add(
        "streamed",
        b"".join(streamed),
        answer(streamed[0], "bulk_string", value="Hello"),
        answer(streamed[1], "array"),
        answer(streamed[2], "set"),
        direction=SERVER,
    )

    attribute = b"|1\r\n+ttl\r\n:3600\r\n*2\r\n|0\r\n:1\r\n|1\r\n+a\r\n*1\r\n:1\r\n:2\r\n"
    vectors.add("attributes", attribute, answer(attribute, "array", length=2), direction=SERVER)

    pushes = [
        b">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n",
        b">4\r\n+pmessage\r\n+n*\r\n+news\r\n+hi\r\n",
        b">2\r\n$10\r\ninvalidate\r\n*2\r\n$3\r\nfoo\r\n$3\r\nbar\r\n",
        b">2\r\n$10\r\ninvalidate\r\n_\r\n",
    ]

    def push(kind: str, data: bytes, length: int, **fields: str | int) -> Expected:
        return vector_files.frame(
            kind, None, 4, len(data), {"message_type": "push", "reply_type": "push", "length": length, **fields}
        )

    vectors.add(
        "pushes",
        b"".join(pushes),
        push("stream_data", pushes[0], 3, push="message", channel="news"),
        push("stream_data", pushes[1], 4, push="pmessage", channel="news", pattern="n*"),
        push("control", pushes[2], 2, push="invalidate", key="foo", key_count=2, slot=12182),
        push("control", pushes[3], 2, push="invalidate"),
        direction=SERVER,
    )


def broken(vectors: Vectors) -> None:
    """What is not Redis, too large, or not all there."""
    vectors.add("http", b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", error=("bad_magic", 0))
    vectors.add("http-post", b"POST /cmd HTTP/1.1\r\n", error=("bad_magic", 0))
    vectors.add("http-answer", b"HTTP/1.1 200 OK\r\n", direction=SERVER, error=("bad_magic", 0))
    vectors.add("a-command-from-a-server", b"PING\r\n", direction=SERVER, error=("bad_magic", 0))
    vectors.add("binary", b"\x80\x01\0\x01\0\0\0\x04ping", error=("bad_magic", 0))
    vectors.add("reply-from-the-client", b"+OK\r\n", error=("wrong_direction", 0))
    vectors.add("number-in-a-command", b"*1\r\n:1\r\n:2\r\n", error=("wrong_direction", 4))
    vectors.add("no-string-in-a-command", b"*2\r\n$3\r\nGET\r\nfoo bar\r\n", error=("bad_magic", 13))
    vectors.add("length-below-null", b"$-2\r\n", direction=SERVER, error=("bad_length", 1))
    vectors.add("count-below-null", b"*-2\r\n", direction=SERVER, error=("bad_length", 1))
    vectors.add("argument-below-null", b"*1\r\n$-2\r\n", error=("bad_length", 5))
    vectors.add("a-thousand-million-elements", b"*1000000000\r\n", direction=SERVER, error=("limit_exceeded", 1))
    vectors.add("a-thousand-million-arguments", b"*1000000000\r\n", error=("limit_exceeded", 1))
    vectors.add("a-string-of-2-gib", b"$2147483648\r\n", direction=SERVER, error=("limit_exceeded", 13))
    vectors.add("an-argument-of-2-gib", b"*2\r\n$3\r\nSET\r\n$2147483648\r\n", error=("limit_exceeded", 26))
    vectors.add("a-name-of-1-mib", b"*1\r\n$1048576\r\n", error=("limit_exceeded", 5))
    vectors.add("a-length-without-end", b"$" + b"9" * 40, direction=SERVER, error=("bad_encoding", 19))
    vectors.add("a-length-with-a-leading-zero", b"$05\r\nhello\r\n", direction=SERVER, error=("bad_encoding", 2))
    vectors.add("a-number-with-letters", b":12x\r\n", direction=SERVER, error=("bad_encoding", 3))
    vectors.add("a-number-beyond-64-bits", b":9223372036854775808\r\n", direction=SERVER, error=("bad_encoding", 1))
    vectors.add("a-string-longer-than-it-says", b"$3\r\nhello\r\n", direction=SERVER, error=("bad_encoding", 7))
    vectors.add("a-newline-in-a-simple-string", b"+a\nb\r\n", direction=SERVER, error=("bad_encoding", 2))
    vectors.add("a-nesting-bomb", b"*1\r\n" * 400, direction=SERVER, error=("limit_exceeded", 1024))
    vectors.add("a-line-without-end", b"SET k " + b"x" * 65536, error=("limit_exceeded", 65536))
    vectors.add("unbalanced-quotes", b'SET k "v\r\n', error=("bad_encoding", 6))
    vectors.add("a-map-that-ends-behind-a-key", b"%?\r\n+a\r\n.\r\n", direction=SERVER, error=("bad_magic", 8))
    vectors.add("half-a-command", b"*2\r\n$3\r\nGET\r\n$300\r\nfo", missing=300)
    vectors.add("half-a-reply", b"*2\r\n$3\r\nfoo\r\n$3\r\nb", direction=SERVER, missing=4)
    vectors.add("half-a-line", b"SET k v", missing=1)
    vectors.add("half-a-count", b"*", missing=3)


def make(vectors: Vectors) -> None:
    """Writes every vector."""
    commands(vectors)
    replies(vectors)
    broken(vectors)


if __name__ == "__main__":
    vector_files.main(make)
