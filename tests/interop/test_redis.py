"""Redis between redis-py (with its own parser, with hiredis, asyncio) and real servers."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import random
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import redis
import redis.asyncio
from interop.peers.redis import redis_servers
from interop.peers.redis.redis_servers import Client, ErrorReply, Server, command
from interop.proxy import HOST, PATIENCE, Policy, Proxy, Verdict, pass_through
from interop.running import unavailable
from redis._parsers import (
    _AsyncHiredisParser,
    _AsyncRESP2Parser,
    _AsyncRESP3Parser,
    _HiredisParser,
    _RESP2Parser,
    _RESP3Parser,
)

from metaprotocol import Direction, ErrorType, Frame, Kind, get_codec

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60, func_only=True)]

CODEC = get_codec("redis")
TABLE = Path(__file__).parents[2] / "codecs" / "redis"
PREFIX = "tenant:"


@dataclass(frozen=True)
class Speaker:
    """How a client speaks and reads."""

    protocol: int
    hiredis: bool

    def __str__(self) -> str:
        return f"{'hiredis' if self.hiredis else 'python'}-resp{self.protocol}"

    def client(self, port: int, **more: Any) -> redis.Redis:
        parser = _HiredisParser if self.hiredis else {2: _RESP2Parser, 3: _RESP3Parser}[self.protocol]
        pool = redis.ConnectionPool(
            host=HOST, port=port, protocol=self.protocol, parser_class=parser, retry=None, **more
        )
        return redis.Redis(connection_pool=pool)

    def asynchronous(self, port: int) -> redis.asyncio.Redis:
        parser = _AsyncHiredisParser if self.hiredis else {2: _AsyncRESP2Parser, 3: _AsyncRESP3Parser}[self.protocol]
        pool = redis.asyncio.ConnectionPool(
            host=HOST, port=port, protocol=self.protocol, parser_class=parser, retry=None
        )
        return redis.asyncio.Redis(connection_pool=pool)


SPEAKERS = [Speaker(protocol, with_hiredis) for protocol in (2, 3) for with_hiredis in (False, True)]


@pytest.fixture(params=SPEAKERS, ids=str)
def speaker(request: pytest.FixtureRequest) -> Speaker:
    chosen: Speaker = request.param
    return chosen


@contextmanager
def connected(client: redis.Redis) -> Iterator[redis.Redis]:
    """Closes all its connections at the end, so that the proxy's threads end, too."""
    try:
        yield client
    finally:
        client.close()
        client.connection_pool.disconnect()


def outcome(client: redis.Redis, words: list[str]) -> Any:
    """What a command gives: a value, or the error."""
    try:
        return client.execute_command(*words)
    except redis.ResponseError as error:
        return type(error), str(error).replace(PREFIX, "")


def prefixing(frame: Frame) -> Verdict:
    """Every key of every command gets a prefix."""
    if frame.direction is Direction.CLIENT_TO_SERVER and frame.metadata.get("key_count"):
        return Verdict(CODEC.rewrite(frame, set={"key_prefix": PREFIX}))
    return pass_through(frame)


COMMANDS = """
SET greeting hello
GET greeting
APPEND greeting ' world'
MSET a 1 b 2 c 3 '' empty
MGET a b missing c ''
MSETNX d 4 e 5
DEL a missing
UNLINK b missing
EXISTS c d e c
COPY c copied
RENAME copied renamed
OBJECT ENCODING greeting
MEMORY USAGE nosuch
SETBIT bits 7 1
BITOP NOT inverse bits
BITFIELD bits SET u8 0 255 GET u4 4
HSET user name Alice age 42
HGET user name
HMGET user name missing
RPUSH tasks one two three four
LMOVE tasks done LEFT RIGHT
LMPOP 2 missing tasks LEFT COUNT 1
BLMPOP 1 2 missing tasks LEFT
BLPOP missing tasks 1
BRPOPLPUSH tasks done 1
RPUSH tasks 3 1 2
SORT tasks
SORT tasks ALPHA DESC STORE sorted
SORT_RO sorted ALPHA
SADD tags red green
SADD more green blue
SINTER tags more
SINTERCARD 2 tags more LIMIT 1
SDIFFSTORE difference tags more
SMOVE tags more red
ZADD scores 1 one 2 two
ZADD others 3 three 1 one
ZUNIONSTORE union 2 scores others WEIGHTS 1 2 AGGREGATE MAX
ZINTER 2 scores others
ZRANGESTORE top scores 0 0
ZMPOP 2 missing others MIN
PFADD visitors alice
PFMERGE all visitors
PFCOUNT visitors all
GEOADD sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
GEORADIUS sicily 15 37 200 km STORE near
GEORADIUSBYMEMBER sicily Palermo 200 km STOREDIST distances
GEOSEARCHSTORE found sicily FROMMEMBER Palermo BYRADIUS 10 km
XADD events 1-1 k v
XADD others_events 2-1 k v
XREAD COUNT 1 STREAMS events others_events 0 0
XGROUP CREATE events workers 0
XREADGROUP GROUP workers me COUNT 1 STREAMS events >
XACK events workers 1-1
XINFO STREAM nosuch
EVAL 'return redis.call("SET", KEYS[1], ARGV[1])' 2 scripted other one
EVAL_RO 'return redis.call("GET", KEYS[1])' 1 scripted
EVAL 'return #KEYS' 0 nokey
LPUSH greeting wrong
INCR greeting
GET
NOSUCHCOMMAND a b
ECHO greeting
TYPE scores
EXPIRE greeting 1000
LCS scripted greeting
DUMP nosuch
TOUCH c d
WATCH c d
UNWATCH
SUBSTR scripted 0 -1
"""


def plain(value: Any) -> Any:
    """Without the prefix that some answers have, in a form that can be compared."""
    if isinstance(value, bytes):
        return value.replace(PREFIX.encode(), b"")
    if isinstance(value, dict):
        return {plain(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, set):
        return {plain(each) for each in value}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def contents(server: Server, database: int) -> dict[bytes, Any]:
    """All keys of a database with what is in them."""
    with server.client() as client:
        client("SELECT", database)
        types = {key: client("TYPE", key) for key in client("KEYS", "*")}
        # The dump of a stream has the times of its readers.
        return {
            key: (kind, client("XRANGE", key, "-", "+") if kind == b"stream" else client("DUMP", key))
            for key, kind in types.items()
        }


class TestPrefixes:
    """A tenant's keys are apart from those of others, by a proxy that its clients do not notice."""

    def test_all_land_under_the_prefix(self, speaker: Speaker, redis_server: Server) -> None:
        redis_server("FLUSHALL")
        lines = [shlex.split(line) for line in COMMANDS.strip().splitlines()]
        with connected(speaker.client(redis_server.port, db=1)) as client:
            direct = [outcome(client, words) for words in lines]
        with Proxy(CODEC, redis_server.port, prefixing) as proxy, connected(speaker.client(proxy.port)) as client:
            proxied = [outcome(client, words) for words in lines]
        assert [plain(each) for each in proxied] == [plain(each) for each in direct]
        plainly, prefixed = contents(redis_server, 1), contents(redis_server, 0)
        assert len(plainly) > 25
        assert set(prefixed) == {PREFIX.encode() + key for key in plainly}
        assert {key.removeprefix(PREFIX.encode()): value for key, value in prefixed.items()} == plainly
        told = [exchange.request.metadata["command"] for exchange in proxy.exchanges()]
        assert told[-len(lines) :] == [words[0].upper() for words in lines]

    def test_transactions_pipelines_and_scripts(self, speaker: Speaker, redis_server: Server) -> None:
        redis_server("FLUSHALL")
        with Proxy(CODEC, redis_server.port, prefixing) as proxy, connected(speaker.client(proxy.port)) as client:
            with client.pipeline(transaction=True) as pipeline:
                pipeline.watch("stock")
                pipeline.multi()
                pipeline.set("stock", 5).decr("stock").hset("order", mapping={"id": 1})
                assert pipeline.execute() == [True, 4, 1]
            with client.pipeline(transaction=False) as pipeline:
                for number in range(200):
                    pipeline.rpush("list", "x" * number)
                    pipeline.get("stock")
                assert pipeline.execute()[-2:] == [200, b"4"]
            script = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
            assert script(keys=["stock"], args=[10]) == 14
            assert client.set("big", "x" * 1_000_000)
            assert client.strlen("big") == 1_000_000
        assert set(redis_server("KEYS", "*")) == {b"tenant:stock", b"tenant:order", b"tenant:list", b"tenant:big"}

    def test_inline_commands(self, redis_server: Server) -> None:
        redis_server("FLUSHALL")
        with Proxy(CODEC, redis_server.port, prefixing) as proxy, Client(proxy.port) as client:
            client.socket.sendall(b'SET \'a key\' "a \\"value\\""\r\nMGET "a key" other\n')
            assert client.read() == b"OK"
            assert client.read() == [b'a "value"', None]
            # Binary names, which a line has only as escapes.
            client.socket.sendall(b'GETSET "\\x00\\xff" 1\r\n')
            assert client.read() is None
        assert set(redis_server("KEYS", "*")) == {b"tenant:a key", b"tenant:\x00\xff"}

    def test_with_asyncio(self, speaker: Speaker, redis_server: Server) -> None:
        redis_server("FLUSHALL")

        async def run(port: int) -> None:
            client = speaker.asynchronous(port)

            async def worker(number: int) -> None:
                await client.mset({f"{number}:a": number, f"{number}:b": number})
                assert await client.mget(f"{number}:a", f"{number}:b") == [b"%d" % number] * 2

            await asyncio.gather(*(worker(number) for number in range(8)))
            await client.aclose()
            await client.connection_pool.disconnect()

        with Proxy(CODEC, redis_server.port, prefixing) as proxy:
            asyncio.run(run(proxy.port))
        assert len(proxy.sessions) > 1
        expected = {f"tenant:{number}:{name}".encode() for number in range(8) for name in "ab"}
        assert set(redis_server("KEYS", "*")) == expected


EXCEPTIONS = {
    ErrorType.NO_HEALTHY_UPSTREAM: redis.exceptions.ClusterDownError,
    ErrorType.DENIED: redis.exceptions.NoPermissionError,
}


def test_clients_understand_replies(speaker: Speaker, redis_server: Server) -> None:
    """Two of three commands are refused on the spot, the third is served: the connection goes on."""
    redis_server("FLUSHALL")
    errors = itertools.cycle(ErrorType)
    turns = itertools.count()
    refused: list[ErrorType | None] = []

    def policy(frame: Frame) -> Verdict:
        if frame.direction is Direction.SERVER_TO_CLIENT or frame.metadata["command"] != "INCR":
            return pass_through(frame)
        if next(turns) % 3 == 2:
            refused.append(None)
            return pass_through(frame)
        refused.append(error := next(errors))
        return Verdict(answer=CODEC.reply(frame, error, f"refused: {error.name} — 世界 🌍"))

    served = 0
    with Proxy(CODEC, redis_server.port, policy) as proxy, connected(speaker.client(proxy.port)) as client:
        for number in range(36):
            answer = outcome(client, ["INCR", "counter"])
            if (reason := refused[number]) is None:
                served += 1
                assert answer == served
            else:
                kind, text = answer
                assert kind is EXCEPTIONS.get(reason, redis.ResponseError)
                assert text.endswith(f"refused: {reason.name} — 世界 🌍")
    assert {error for error in refused if error is not None} == set(ErrorType)
    assert len(proxy.sessions) == 1
    assert redis_server("GET", "counter") == b"12"


@contextmanager
def passing(server: Server, policy: Policy = pass_through) -> Iterator[Proxy]:
    """A proxy that changed nothing, at the end."""
    with Proxy(CODEC, server.port, policy) as proxy:
        yield proxy
    proxy.assert_unchanged()


def answers(proxy: Proxy) -> list[tuple[Any, Any]]:
    """The commands of all clients, each with what its answer says."""
    return [
        (
            exchange.request.metadata["command"],
            None if exchange.response is None else exchange.response.metadata.get("value"),
        )
        for exchange in proxy.exchanges()
    ]


class TestPairing:
    """Answers find their commands, whatever comes in between."""

    def test_pub_sub(self, speaker: Speaker, redis_server: Server) -> None:
        with (
            passing(redis_server) as proxy,
            connected(speaker.client(proxy.port)) as client,
            client.pubsub() as subscription,
        ):
            subscription.subscribe("news", "weather")
            subscription.psubscribe("user:*")

            def messages(count: int) -> list[str]:
                found: list[str] = []
                deadline = time.monotonic() + PATIENCE
                while len(found) < count and time.monotonic() < deadline:
                    if (message := subscription.get_message(timeout=1)) is not None:
                        found.append(message["type"])
                return found

            assert messages(3) == ["subscribe", "subscribe", "psubscribe"]
            for number in range(20):
                client.publish("news", number)
                client.publish("user:7", number)
                subscription.ping()
            assert sorted(messages(60)) == ["message"] * 20 + ["pmessage"] * 20 + ["pong"] * 20
            subscription.unsubscribe()
            assert messages(2) == ["unsubscribe"] * 2
        for exchange in proxy.exchanges():
            request, response = exchange.request.metadata, exchange.response
            assert response is not None
            if str(request["command"]).endswith("SUBSCRIBE"):
                assert response.metadata["push"] == str(request["command"]).lower()
            elif request["command"] == "PUBLISH":
                assert response.metadata["value"] == 1
        pushed = [frame.metadata["push"] for frame in proxy.frames(Kind.STREAM_DATA, Direction.SERVER_TO_CLIENT)]
        assert sorted(map(str, pushed)) == ["message"] * 20 + ["pmessage"] * 20

    def test_silence(self, redis_server: Server) -> None:
        with passing(redis_server) as proxy, Client(proxy.port) as client:
            for turn in range(10):
                assert client("SET", "loud", turn) == b"OK"
                client.send("CLIENT", "REPLY", "SKIP")
                client.send("INCR", "loud")
                client.send("CLIENT", "REPLY", "OFF")
                for _ in range(turn):
                    client.send("INCR", "loud")
                assert client("CLIENT", "REPLY", "ON") == b"OK"
                assert client("GET", "loud") == b"%d" % (2 * turn + 1)
        exchanges = proxy.exchanges()
        asked = [exchange.request.metadata for exchange in exchanges]
        gets = [exchange for exchange in exchanges if exchange.request.metadata["command"] == "GET"]
        assert [each.response and each.response.metadata["value"] for each in gets] == [
            str(2 * turn + 1) for turn in range(10)
        ]
        silent = [exchange.request for exchange in exchanges if exchange.response is None]
        assert {frame.kind for frame in silent} == {Kind.ONEWAY}
        assert len(silent) == 10 * 3 + sum(range(10))
        assert len(asked) == len(silent) + 30

    def test_invalidations(self, redis_server: Server) -> None:
        redis_server("FLUSHALL")
        with passing(redis_server) as proxy, connected(Speaker(3, True).client(proxy.port)) as client:
            connection = client.connection_pool.get_connection()
            connection.send_command("CLIENT", "TRACKING", "ON")
            assert connection.read_response() == b"OK"
            for turn in range(20):
                connection.send_command("GET", "cached")
                assert connection.read_response() == (None if turn == 0 else b"%d" % (turn - 1))
                redis_server("SET", "cached", turn)
            connection.send_command("PING")
            assert connection.read_response() == b"PONG"
            client.connection_pool.release(connection)
        gets = [value for name, value in answers(proxy) if name == "GET"]
        assert gets == [None, *map(str, range(19))]
        invalidations = [
            frame.metadata
            for frame in proxy.frames(Kind.CONTROL, Direction.SERVER_TO_CLIENT)
            if frame.metadata.get("push") == "invalidate"
        ]
        assert [each["key"] for each in invalidations] == ["cached"] * 20

    def test_blocking(self, speaker: Speaker, redis_server: Server) -> None:
        with passing(redis_server) as proxy, connected(speaker.client(proxy.port)) as client:
            waiting = client.connection_pool.get_connection()
            waiting.send_command("BLPOP", "queue", 5)
            waiting.send_command("ECHO", "behind it")
            time.sleep(0.05)
            redis_server("RPUSH", "queue", "job")
            assert waiting.read_response() == [b"queue", b"job"]
            assert waiting.read_response() == b"behind it"
            client.connection_pool.release(waiting)
        assert ("ECHO", "behind it") in answers(proxy)

    def test_monitors(self, redis_server: Server) -> None:
        with passing(redis_server) as proxy, Client(proxy.port) as client:
            assert client("MONITOR") == b"OK"
            for number in range(5):
                redis_server("SET", "watched", number)
            assert sum(b'"SET" "watched"' in client.read() for _ in range(5)) == 5
            assert client("QUIT") == b"OK"
        assert answers(proxy) == [("MONITOR", "OK"), ("QUIT", "OK")]
        assert len(proxy.frames(Kind.STREAM_DATA, Direction.SERVER_TO_CLIENT)) == 5


def test_a_replica_follows_through_the_proxy(redis_server: Server) -> None:
    """Its snapshot and the stream of commands are passed byte for byte, and known for what they are."""
    redis_server("FLUSHALL")
    redis_server("SET", "before", b"\r\n$-1\r\n" * 20_000)
    with (
        passing(redis_server) as proxy,
        redis_servers.alone("--replicaof", f"{HOST} {proxy.port}") as replica,
        redis_server.client() as client,
    ):
        redis_servers.wait_for_sync(replica)
        for number in range(100):
            client("SET", f"key:{number}", number)
        assert client("WAIT", 1, 10_000) == 1
        assert contents(replica, 0) == contents(redis_server, 0)
    frames = [frame.metadata for frame in proxy.frames(Kind.STREAM_DATA, Direction.SERVER_TO_CLIENT)]
    replicated = [each for each in frames if each["message_type"] == "replicated"]
    assert [each["key"] for each in replicated if each["command"] == "SET"] == [
        f"key:{number}" for number in range(100)
    ]


def test_a_cluster_behind_proxies(redis_cluster: list[Server]) -> None:
    """A client that knows the slots talks to every node through a proxy; redirects are read from the frames."""
    stack: list[Proxy] = [Proxy(CODEC, server.port) for server in redis_cluster]
    with stack[0], stack[1], stack[2]:
        mapped = {server.port: proxy.port for server, proxy in zip(redis_cluster, stack, strict=True)}

        def remap(address: tuple[str, int]) -> tuple[str, int]:
            host, port = address
            return host, mapped.get(port, port)

        client = redis.RedisCluster(host=HOST, port=stack[0].port, address_remap=remap, protocol=3)
        for number in range(30):
            client.set(f"key:{number}", number)
        assert [client.get(f"key:{number}") for number in range(30)] == [b"%d" % number for number in range(30)]
        client.close()
        with Client(stack[0].port) as plain_client, pytest.raises(ErrorReply, match=r"^MOVED 12182 "):
            plain_client("GET", "foo")
    edges = [16384 * number // 3 for number in range(4)]
    for number, proxy in enumerate(stack):
        for exchange in proxy.exchanges():
            slot = exchange.request.metadata.get("slot")
            if slot is None or exchange.request.metadata["command"] == "COMMAND":
                continue
            assert isinstance(slot, int)
            assert exchange.response is not None
            answer = exchange.response.metadata
            here = edges[number] <= slot < edges[number + 1]
            assert here == (answer.get("error_code") != "MOVED")
            if not here:
                assert answer["slot"] == slot
                owner = next(at for at in range(3) if edges[at] <= slot < edges[at + 1])
                assert answer["redirect"] == f"{HOST}:{redis_cluster[owner].port}"


def frame_of(*words: bytes | str | int) -> Frame:
    """The command as a frame."""
    return CODEC.decode(command(*words))


def keys_of(*words: bytes | str | int) -> list[str]:
    metadata = frame_of(*words).metadata
    count = metadata["key_count"]
    assert isinstance(count, int)
    return [str(metadata[f"key.{number}"]) for number in range(count)]


def test_slots_are_those_of_the_server(redis_cluster: list[Server]) -> None:
    chance = random.Random(12182)
    keys = [
        b"",
        b"{}",
        b"{}{a}",
        b"{a",
        b"a}",
        b"}{",
        b"{{a}}",
        b"{a}{b}",
        b"x{}y{z}",
        b"\x00",
        b"\xff{\xfe}\x00",
        b"{a}b{c",
    ]
    keys += [bytes(chance.choices(b"{}ab", k=chance.randrange(12))) for _ in range(500)]
    keys += [chance.randbytes(chance.randrange(40)) for _ in range(500)]
    with redis_cluster[0].client() as client:
        client.socket.sendall(b"".join(command("CLUSTER", "KEYSLOT", key) for key in keys))
        for key in keys:
            assert frame_of("GET", key).metadata["slot"] == client.read(), key


def commands() -> ModuleType:
    """The program that writes the table."""
    spec = importlib.util.spec_from_file_location("redis_commands", TABLE / "commands.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def table() -> tuple[str, list[list[str]]]:
    """Its first line, and the others in columns."""
    comment, *lines = (TABLE / "src" / "commands.tsv").read_text().splitlines()
    return comment, [line.split("\t") for line in lines]


def test_the_table_is_what_the_server_says(redis_server: Server) -> None:
    comment, rows = table()
    script = commands()
    if redis_server.version not in comment:
        unavailable(f"the table of commands is not of version {redis_server.version}: run make commands")
    with redis_server.client() as client:
        assert rows == script.rows(client)


WORDS = ["a", "b", "k1", "1", "2", "3", "0", "STORE", "store", "STREAMS", "KEYS", "STOREDIST", "BY", "GET", "LIMIT", ""]
WORDS += ["km", "WITHSCORES", "COUNT", "AUTH", "-1", "x{y}", "COPY", "GROUP", "BLOCK"]


def invocations() -> list[list[str]]:
    """Every command of the table with random arguments, words among them that matter to some."""
    chance = random.Random(7)
    found = []
    for name, arity, *_ in table()[1]:
        words = name.split("|")
        least = abs(int(arity)) - len(words)
        for _ in range(12):
            more = chance.randrange(6) if int(arity) < 0 else 0
            found.append([*words, *chance.choices(WORDS, k=max(0, least) + more)])
    # Of SORT k STORE store, GETKEYS takes the destination for another STORE; the command itself does not.
    return [words for words in found if words[0] != "sort" or "STORE STORE" not in " ".join(words).upper()]


REAL = """
SORT k BY w_* LIMIT 0 9 GET x GET # ALPHA STORE d
SORT k STORE a STORE b
SORT k BY STORE STORE c
SORT k GET STORE DESC
MIGRATE host 1 k 0 9 COPY REPLACE
MIGRATE host 1 "" 0 9 KEYS a b c
MIGRATE host 1 "" 0 9 AUTH secret KEYS a b
MIGRATE host 1 "" 0 9 AUTH2 user secret REPLACE KEYS a b
GEORADIUS k 1 2 3 m WITHCOORD COUNT 3 STORE d
GEORADIUS k 1 2 3 m STORE d STOREDIST e
GEORADIUSBYMEMBER k STORE 3 m STOREDIST d
XREAD COUNT 2 BLOCK 0 STREAMS a b c 0 0 0
XREADGROUP GROUP STREAMS me NOACK STREAMS a b > >
ZUNIONSTORE d 3 a b c WEIGHTS 1 2 3 AGGREGATE MAX
ZINTERCARD 2 a b LIMIT 3
EVAL script 2 a b c d
EVALSHA sha 0 c d
FCALL f 3 a b c
BITOP AND d a b c
LCS a b IDX
OBJECT FREQ k
MEMORY USAGE k SAMPLES 5
XGROUP CREATE k g $ MKSTREAM
XINFO CONSUMERS k g
PFDEBUG GETREG k
DEBUG OBJECT k
RESTORE-ASKING k 0 x
BLMPOP 0 2 a b LEFT
SINTERCARD 2 a b
"""


def test_keys_stand_where_the_server_finds_them(redis_server: Server) -> None:
    """COMMAND GETKEYS of thousands of commands, most of them nonsense; who is refused there is not compared."""
    asked = [shlex.split(line) for line in REAL.strip().splitlines()] + invocations()
    compared = refused = 0
    with redis_server.client() as client:
        client.socket.sendall(b"".join(command("COMMAND", "GETKEYS", *words) for words in asked))
        for words in asked:
            try:
                theirs = [key.decode() for key in client.read()]
            except ErrorReply as error:
                if "no key arguments" not in str(error):
                    refused += 1
                    continue
                theirs = []
            assert sorted(keys_of(*words)) == sorted(theirs), words
            compared += bool(theirs)
    assert compared > 2000
    assert refused < len(asked) / 3


def test_tls_is_passed(redis_tls: Server) -> None:
    """What is encrypted goes through as it is."""
    assert redis_tls.certificates is not None
    with passing(redis_tls) as proxy:
        client = redis.Redis(
            host="localhost", port=proxy.port, ssl=True, ssl_ca_certs=str(redis_tls.certificates.certificate)
        )
        with connected(client):
            assert client.set("secret", "x" * 100_000)
            assert client.strlen("secret") == 100_000
    assert {frame.kind for session in proxy.sessions for frame in session.upstream.frames} == {Kind.CONTROL}
