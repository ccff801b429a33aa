"""What is played for the captures: who speaks with which servers, and what must come back."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from interop.peers.redis.clients import (
    PORT,
    Newer,
    PlainAsync,
    Talker,
    TellingPool,
    as_bytes,
    error,
    is_error,
    redis_py,
)
from interop.peers.redis.redis_servers import (
    HOST,
    PASSWORD,
    Server,
    alone,
    cluster,
    command,
    replica_of,
    tls,
    users,
    wait,
    wait_for_sync,
)
from interop.peers.redis.wire import text
from redis._parsers import _AsyncHiredisParser
from redis.cache import CacheConfig

CLUSTER_PORTS = (7000, 7001, 7002)

COMMANDS = """
PING
PING again
ECHO "wörld, 世界 🌍"
SET greeting hello
SET greeting world XX GET
GET greeting
GETRANGE greeting 1 3
SETEX volatile 100 gone
PEXPIRE volatile 100000 NX
TTL volatile
APPEND greeting !
STRLEN greeting
SET {n}:count 10
INCR {n}:count
INCRBYFLOAT {n}:ratio 0.5
DECRBY {n}:count 4
MSET {n}:a 1 {n}:b 2 {n}:c 3
MGET {n}:a {n}:b {n}:missing {n}:c
MSETNX {n}:d 4 {n}:e 5
GETDEL {n}:e
GETEX {n}:d EX 50
SETBIT bits 7 1
BITCOUNT bits
BITFIELD bits SET u8 0 255 GET u4 4
BITFIELD_RO bits GET u8 0
BITOP NOT {b}:inverse {b}:bits
BITPOS bits 1
LCS {n}:a {n}:b LEN
TYPE greeting
EXISTS greeting missing greeting
COPY greeting {greeting}:copy
RENAME {greeting}:copy {greeting}:renamed
OBJECT ENCODING greeting
MEMORY USAGE greeting
TOUCH greeting missing
DUMP missing
UNLINK greeting {greeting}:renamed
DEL missing
HSET user:1 name Alice age 42 city Oslo
HGET user:1 name
HMGET user:1 name missing age
HGETALL user:1
HINCRBYFLOAT user:1 age 0.5
HRANDFIELD user:1 1
HSCAN user:1 0 COUNT 10
HDEL user:1 city
HGETALL user:none
RPUSH tasks one two three four
LPUSH tasks zero
LRANGE tasks 0 -1
LPOP tasks 2
RPOPLPUSH tasks {tasks}:done
LMOVE tasks {tasks}:done LEFT RIGHT
LMPOP 2 tasks {tasks}:done LEFT COUNT 2
LPOS tasks three
LINSERT tasks BEFORE three between
LTRIM tasks 0 0
SADD {s}:tags red green blue
SADD {s}:more blue white
SMEMBERS {s}:more
SISMEMBER {s}:tags red
SMISMEMBER {s}:tags red pink
SINTER {s}:tags {s}:more
SINTERCARD 2 {s}:tags {s}:more LIMIT 1
SUNIONSTORE {s}:all {s}:tags {s}:more
SMOVE {s}:tags {s}:more red
SSCAN {s}:tags 0
ZADD {z}:scores 1 one 2.5 two 3 three
ZADD {z}:scores GT CH 9 one
ZADD {z}:scores INCR 1 two
ZSCORE {z}:scores two
ZMSCORE {z}:scores one none
ZRANGE {z}:scores 0 -1 WITHSCORES
ZRANGEBYSCORE {z}:scores (1 +inf LIMIT 0 2
ZRANGESTORE {z}:top {z}:scores 0 1 REV
ZUNIONSTORE {z}:both 2 {z}:scores {z}:top WEIGHTS 1 2 AGGREGATE MAX
ZINTER 2 {z}:scores {z}:top WITHSCORES
ZDIFF 2 {z}:scores {z}:top
ZMPOP 1 {z}:both MIN COUNT 2
ZPOPMAX {z}:scores
ZRANK {z}:scores two
ZADD {z}:edges +inf top -inf bottom
ZRANGE {z}:edges 0 -1 WITHSCORES
PFADD {p}:visitors alice bob
PFMERGE {p}:all {p}:visitors {p}:none
PFCOUNT {p}:visitors {p}:all
GEOADD {g}:sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
GEODIST {g}:sicily Palermo Catania km
GEOPOS {g}:sicily Palermo missing
GEOHASH {g}:sicily Palermo Catania
GEOSEARCH {g}:sicily FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHCOORD WITHDIST
GEOSEARCHSTORE {g}:near {g}:sicily FROMMEMBER Palermo BYBOX 400 400 km
GEORADIUS {g}:sicily 15 37 200 km STORE {g}:stored
GEORADIUS_RO {g}:sicily 15 37 100 km
XADD events 1-1 type start id 1
XADD events 1-2 type stop id 1
XADD events NOMKSTREAM MAXLEN ~ 1000 1-3 type "end of day"
XLEN events
XRANGE events - + COUNT 2
XREVRANGE events + -
XREAD COUNT 2 STREAMS events {events}:other 0 0-0
XGROUP CREATE events workers 0
XGROUP CREATECONSUMER events workers bob
XREADGROUP GROUP workers alice COUNT 1 STREAMS events >
XACK events workers 1-1
XPENDING events workers
XCLAIM events workers bob 0 1-2
XAUTOCLAIM events workers bob 0 0
XINFO STREAM events
XINFO GROUPS events
XDEL events 1-2
XTRIM events MAXLEN 1
SORT tasks ALPHA
SORT {u}:ids BY {u}:*->rank GET {u}:*->name STORE {u}:sorted
SORT_RO tasks ALPHA DESC
KEYS user:*
SCAN 0 MATCH user:* COUNT 100 TYPE hash
DBSIZE
RANDOMKEY
EVAL "return {KEYS[1], KEYS[2], ARGV[1], 7, 'x'}" 2 {l}:one {l}:two first
EVAL_RO "return redis.call('GET', KEYS[1])" 1 {l}:one
SCRIPT LOAD "return redis.call('SET', KEYS[1], ARGV[1])"
EVALSHA d8f2fad9f8e86a53d2a6ebd960b33c4972cacc37 1 {l}:one by-script
EVALSHA ffffffffffffffffffffffffffffffffffffffff 0
SCRIPT EXISTS d8f2fad9f8e86a53d2a6ebd960b33c4972cacc37
EVAL "return redis.error_reply('MINE of my own')" 0
EVAL "return {ok='FINE'}" 0
FUNCTION LOAD "#!lua name=mylib\\nredis.register_function('mine', function(keys, args) return #keys end)"
FCALL mine 2 {l}:one {l}:two more
FUNCTION LIST
FUNCTION FLUSH
OBJECT FREQ tasks
LPUSH user:1 wrong
INCR user:1
GET
SET a b c d
NOSUCHCOMMAND with arguments
CONFIG NOSUCH
CONFIG GET maxmemory*
CONFIG SET maxmemory-samples 5
COMMAND COUNT
COMMAND GETKEYS MSET a b c d
COMMAND INFO get nosuch
CLIENT SETNAME recorder
CLIENT GETNAME
CLIENT ID
CLIENT NO-EVICT on
LATENCY HISTOGRAM nosuch
SLOWLOG GET 0
ACL WHOAMI
ACL CAT fast nosuch
ACL GETUSER nosuch
LOLWUT VERSION 5 1 1 1
TIME
LASTSAVE
ROLE
WAIT 0 10
SWAPDB 0 1
SELECT 1
MOVE tasks 2
EXPIRETIME {n}:d
FLUSHDB ASYNC
"""


@dataclass(frozen=True)
class Case:
    """One capture: who speaks with which servers."""

    name: str
    play: Callable[..., None]
    servers: Callable[[], Any] | None = None
    """A context manager that gives what `play` gets; else one server alone at the usual port."""
    client: str = "socket"
    protocol: int | None = 2
    """None: both, or one that changes midway."""
    ports: tuple[int, ...] = (PORT,)
    readable: bool = True
    """Whether `Reader` can read it."""
    tshark: bool = True
    """Whether tshark can count: it counts a value again with each packet that a long one goes on in, and has
    never heard of payloads of replication."""


CASES: list[Case] = []


def case(name: str, **more: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a capture of a function."""

    def add(play: Callable[..., None]) -> Callable[..., None]:
        CASES.append(Case(name, play, **more))
        return play

    return add


def commands(protocol: int, parser: str) -> Callable[..., None]:
    def play(_: Server) -> None:
        with redis_py(protocol, parser) as client:
            for line in COMMANDS.strip().splitlines():
                words = [word.replace("\\n", "\n") for word in shlex.split(line)]
                connection = client.connection_pool.get_connection()
                try:
                    connection.send_command(*words)
                    connection.read_response()
                except redis.ResponseError:
                    pass  # The log has it.
                finally:
                    client.connection_pool.release(connection)

    return play


for _protocol in (2, 3):
    for _parser in ("python", "hiredis"):
        _who = "redis-py" if _parser == "python" else "hiredis"
        CASES.append(
            Case(f"commands-{_who}-resp{_protocol}", commands(_protocol, _parser), client=_who, protocol=_protocol)
        )


@case("inline")
def inline(_: Server) -> None:
    with Talker() as talk:
        assert talk.read(talk.raw(b"PING\r\n", [b"PING"])) == "PONG"
        assert talk.read(talk.raw(b"set  key   value\n", [b"set", b"key", b"value"])) == "OK"
        assert talk.read(talk.raw(b'SET "a key" "line\\n\\x41"\r\n', [b"SET", b"a key", b"line\nA"])) == "OK"
        assert talk.read(talk.raw(b"GET 'a key'\r\n", [b"GET", b"a key"])) == "line\nA"
        # Empty lines, and arrays without elements, are no commands and get no answers.
        talk.raw(b"\r\n", [])
        talk.raw(b"*0\r\n", [])
        assert talk.read(talk.raw(b"EXISTS key nokey\r\n", [b"EXISTS", b"key", b"nokey"])) == 1
        # Between arrays, several in one packet, one in pieces.
        first = talk.raw(
            b"GET key\r\n" + command("STRLEN", "key") + b"\r\nECHO x\r\n",
            [b"GET", b"key"],
            [b"STRLEN", b"key"],
            [],
            [b"ECHO", b"x"],
        )
        assert [talk.read(first), talk.read(first + 1), talk.read(first + 3)] == ["value", 5, "x"]
        slow = talk.raw(b"GE", [b"GET", b"key"])
        time.sleep(0.01)
        talk.raw(b"T key")
        time.sleep(0.01)
        talk.raw(b"\r\n")
        assert talk.read(slow) == "value"


@case("pipeline-hiredis", client="hiredis")
def pipeline_hiredis(_: Server) -> None:
    with redis_py(2, "hiredis") as client, client.pipeline(transaction=False) as pipeline:
        for number in range(100):
            pipeline.set(f"key:{number}", "x" * number)
            pipeline.get(f"key:{number}")
            pipeline.hincrby("totals", f"field:{number % 7}", number)
        pipeline.lpush("key:1", "wrong type")
        answers = pipeline.execute(raise_on_error=False)
        assert len(answers) == 301
        assert isinstance(answers[-1], redis.ResponseError)


@case("pipeline-resp3", protocol=3, tshark=False)
def pipeline_resp3(_: Server) -> None:
    """Everything is sent before anything is read; the packets are cut at odd places."""
    with Talker(protocol=3) as talk:
        wanted = [("HSET", "h", f"f{number}", number) for number in range(20)]
        wanted += [("HGETALL", "h"), ("SADD", "s", "a", "b"), ("SMEMBERS", "s"), ("ZADD", "z", "1.5", "m")]
        wanted += [("ZSCORE", "z", "m"), ("GET", "missing"), ("INCR", "h"), ("PING",), ("LRANGE", "missing", 0, -1)]
        data = b"".join(command(*each) for each in wanted)
        first = talk.raw(b"", *([as_bytes(word) for word in each] for each in wanted))
        for at in range(0, len(data), 61):
            talk.raw(data[at : at + 61])
        answers = [talk.read(first + number) for number in range(len(wanted))]
        assert answers[:20] == [1] * 20
        assert is_error(answers[-3], "WRONGTYPE")


def transactions(protocol: int) -> Callable[..., None]:
    def play(_: Server) -> None:
        with Talker(protocol=protocol) as talk, Talker(protocol=protocol) as other:
            assert (
                talk.lines("MULTI\nSET {t}:a 1\nINCR {t}:a\nHSET {t}:h f v\nHGETALL {t}:h\nLPUSH {t}:a x")[1]
                == "QUEUED"
            )
            *fine, wrong = talk("EXEC")
            assert fine[:3] == ["OK", 2, 1]
            assert is_error(wrong, "WRONGTYPE")
            assert talk.lines("MULTI\nSET {t}:a 5\nDISCARD")[-1] == "OK"
            assert is_error(talk.line("EXEC"), "ERR EXEC without MULTI")
            assert is_error(talk.line("DISCARD"), "ERR")
            talk.lines("WATCH {t}:a {t}:b\nGET {t}:a\nMULTI\nSET {t}:b 1")
            other.line("SET {t}:a touched")
            assert talk("EXEC") is None
            talk.lines("WATCH {t}:a\nUNWATCH\nMULTI")
            assert is_error(talk("SET", "{t}:a"), "ERR wrong number")
            assert is_error(talk("NOSUCH"), "ERR unknown")
            assert is_error(talk("EXEC"), "EXECABORT")
            talk("MULTI")
            assert is_error(talk("MULTI"), "ERR MULTI calls")
            # Blocking commands don't block in a transaction.
            talk.lines("BLPOP {t}:empty 0\nPUBLISH news x")
            assert talk("EXEC") == [None, 0]
            # All in one packet.
            wanted = [("MULTI",), ("GET", "{t}:a"), ("EXEC",), ("PING",)]
            first = talk.raw(
                b"".join(command(*each) for each in wanted), *([as_bytes(w) for w in each] for each in wanted)
            )
            assert [talk.read(first + number) for number in range(4)] == ["OK", "QUEUED", ["touched"], "PONG"]
        with redis_py(protocol) as client, client.pipeline(transaction=True) as pipeline:
            pipeline.watch("{t}:a")
            pipeline.multi()
            pipeline.set("{t}:a", "once more").get("{t}:a")
            assert pipeline.execute() == [True, b"once more"]

    return play


CASES.append(Case("transactions-resp2", transactions(2)))
CASES.append(Case("transactions-resp3", transactions(3), protocol=3))


@case("pubsub-resp2")
def pubsub_resp2(_: Server) -> None:
    with Talker() as talk, Talker() as other:
        assert talk("SUBSCRIBE", "news") == ["subscribe", "news", 1]
        several = talk.send("SUBSCRIBE", "weather", "sports", "news")
        assert [talk.read(several)[2] for _ in range(3)] == [2, 3, 3]
        assert talk("PSUBSCRIBE", "n*") == ["psubscribe", "n*", 4]
        assert other("PUBLISH", "news", "hello") == 2
        assert talk.read(None) == ["message", "news", "hello"]
        assert talk.read(None) == ["pmessage", "n*", "news", "hello"]
        assert talk("PING") == ["pong", ""]
        assert talk("PING", "still there") == ["pong", "still there"]
        assert is_error(talk("GET", "x"), "ERR Can't execute 'get'")
        assert talk("SSUBSCRIBE", "shard") == ["ssubscribe", "shard", 1]
        assert other("SPUBLISH", "shard", "in the shard") == 1
        assert talk.read(None) == ["smessage", "shard", "in the shard"]
        # Messages that come between a command and its confirmation, and look like one.
        assert other("PUBLISH", "weather", "subscribe") == 1
        left = talk.send("UNSUBSCRIBE", "news")
        assert talk.read(None) == ["message", "weather", "subscribe"]
        assert talk.read(left) == ["unsubscribe", "news", 3]
        assert talk("SUNSUBSCRIBE") == ["sunsubscribe", "shard", 0]
        assert talk("PUNSUBSCRIBE", "n*") == ["punsubscribe", "n*", 2]
        rest = talk.send("UNSUBSCRIBE")
        assert sorted(talk.read(rest)[1] for _ in range(2)) == ["sports", "weather"]
        # Nothing is left: a common connection again, and each has still one answer.
        assert talk("UNSUBSCRIBE") == ["unsubscribe", None, 0]
        assert talk("PUNSUBSCRIBE") == ["punsubscribe", None, 0]
        assert talk("PING") == "PONG"
        assert talk("PUBSUB", "NUMSUB", "news") == ["news", 0]
        assert talk("SUBSCRIBE", "again") == ["subscribe", "again", 1]
        assert talk("RESET") == "RESET"
        assert talk("GET", "x") is None
        # A transaction's answer has as many elements as commands: confirmations push the last one out.
        assert talk.lines("MULTI\nSUBSCRIBE first second\nPING")[-1] == "QUEUED"
        executed = talk.send("EXEC")
        assert talk.read(executed) == [["subscribe", "first", 1], ["subscribe", "second", 2]]
        assert talk.read(executed) == ["pong", ""]
        assert talk("PING") == ["pong", ""]
        assert talk("QUIT") == "OK"
        assert talk.closed()


@case("pubsub-resp3", protocol=3)
def pubsub_resp3(_: Server) -> None:
    with Talker(protocol=3) as talk, Talker(protocol=3) as other:
        assert talk("SUBSCRIBE", "news") == ["subscribe", "news", 1]
        several = talk.send("SUBSCRIBE", "weather", "sports")
        assert [talk.read(several)[2] for _ in range(2)] == [2, 3]
        assert talk("PSUBSCRIBE", "n*") == ["psubscribe", "n*", 4]
        assert talk("SSUBSCRIBE", "shard") == ["ssubscribe", "shard", 1]
        # With pushes, any command may go on.
        assert talk("SET", "x", "1") == "OK"
        assert other("PUBLISH", "news", "hello") == 2
        assert talk.read(None) == ["message", "news", "hello"]
        assert talk.read(None) == ["pmessage", "n*", "news", "hello"]
        assert talk("PING") == "PONG"
        # To itself: the push is written before the answer.
        published = talk.send("PUBLISH", "weather", "rain")
        assert talk.read(None) == ["message", "weather", "rain"]
        assert talk.read(published) == 1
        # Pipelined around a message.
        first = talk.raw(
            command("GET", "x")
            + command("PUBLISH", "sports", "goal")
            + command("UNSUBSCRIBE", "sports")
            + command("GET", "y"),
            *([b"GET", b"x"], [b"PUBLISH", b"sports", b"goal"], [b"UNSUBSCRIBE", b"sports"], [b"GET", b"y"]),
        )
        assert talk.read(first) == "1"
        assert talk.read(None) == ["message", "sports", "goal"]
        assert talk.read(first + 1) == 1
        assert talk.read(first + 2) == ["unsubscribe", "sports", 3]
        assert talk.read(first + 3) is None
        assert other("SPUBLISH", "shard", "in the shard") == 1
        assert talk.read(None) == ["smessage", "shard", "in the shard"]
        # Keyspace notifications are messages as well.
        talk("CONFIG", "SET", "notify-keyspace-events", "KEA")
        talk("PSUBSCRIBE", "__key*__:*")
        other("SET", "watched", "1")
        assert talk.read(None)[3] == "set"
        assert talk.read(None)[3] == "watched"
        rest = talk.send("UNSUBSCRIBE")
        assert [talk.read(rest)[0] for _ in range(2)] == ["unsubscribe"] * 2
        assert talk("UNSUBSCRIBE") == ["unsubscribe", None, 2]
        assert talk(
            "SUNSUBSCRIBE",
            "shard",
        ) == ["sunsubscribe", "shard", 0]
        # In a transaction the confirmation is a push in the midst of EXEC's answer.
        assert talk.lines("MULTI\nSUBSCRIBE inside\nPING")[-1] == "QUEUED"
        executed = talk.send("EXEC")
        assert talk.read(executed) == [["subscribe", "inside", 3], "PONG"]
        # Two push the last answer out.
        assert talk.lines("MULTI\nSUBSCRIBE first second\nPING")[-1] == "QUEUED"
        executed = talk.send("EXEC")
        assert talk.read(executed) == [["subscribe", "first", 4], ["subscribe", "second", 5]]
        assert talk.read(executed) == "PONG"
        assert talk("GET", "x") == "1"
        assert talk("RESET") == "RESET"
        assert talk("PING") == "PONG"


def pubsub_redis_py(protocol: int, parser: str) -> Callable[..., None]:
    def play(_: Server) -> None:
        with redis_py(protocol, parser) as client:
            subscription = client.pubsub()
            subscription.subscribe("news", "weather")
            subscription.psubscribe("user:*")
            subscription.ssubscribe("shard")

            def messages(count: int) -> list[Any]:
                found: list[Any] = []
                while len(found) < count:
                    if (message := subscription.get_message(timeout=5)) is not None:
                        found.append(message["type"])
                return found

            assert messages(4) == ["subscribe", "subscribe", "psubscribe", "ssubscribe"]
            for number in range(5):
                client.publish("news", f"story {number}")
                client.publish("user:7", b"\x00\xff binary")
            client.spublish("shard", "in the shard")
            assert Counter(messages(11)) == {"message": 5, "pmessage": 5, "smessage": 1}
            subscription.unsubscribe("news")
            subscription.punsubscribe("user:*")
            assert messages(2) == ["unsubscribe", "punsubscribe"]
            client.publish("news", "to nobody")
            client.publish("weather", "rain")
            assert messages(1) == ["message"]
            subscription.close()

    return play


CASES.append(Case("pubsub-redis-py-resp2", pubsub_redis_py(2, "python"), client="redis-py"))
CASES.append(Case("pubsub-hiredis-resp3", pubsub_redis_py(3, "hiredis"), client="hiredis", protocol=3))


@case("blocking", protocol=None)
def blocking(server: Server) -> None:
    with Talker() as talk, Talker(protocol=3) as third, Talker() as other:

        def blocked(count: int = 1) -> None:
            wait(lambda: f"blocked_clients:{count}" in other("INFO", "clients"), "a client to block")

        waits = talk.send("BLPOP", "{q}:one", "{q}:two", 5)
        blocked()
        other("RPUSH", "{q}:two", "job")
        assert talk.read(waits) == ["{q}:two", "job"]
        # Pipelined behind one that blocks.
        first = talk.send("BRPOP", "{q}:one", 5)
        talk.send("GET", "after")
        talk.send("PING")
        blocked()
        other("LPUSH", "{q}:one", "job 2")
        assert talk.read(first) == ["{q}:one", "job 2"]
        assert talk.read(first + 1) is None
        assert talk.read(first + 2) == "PONG"
        assert talk("BLPOP", "{q}:none", "0.01") is None
        assert third("BLPOP", "{q}:none", "0.01") is None
        waits = third.send("BLMOVE", "{q}:from", "{q}:to", "LEFT", "RIGHT", 5)
        blocked()
        other("RPUSH", "{q}:from", "moved")
        assert third.read(waits) == "moved"
        waits = third.send("BLMPOP", 5, 2, "{q}:x", "{q}:y", "LEFT", "COUNT", 2)
        blocked()
        other("RPUSH", "{q}:y", 1, 2, 3)
        assert third.read(waits) == ["{q}:y", ["1", "2"]]
        both = (talk.send("BZPOPMIN", "{q}:z", 5), third.send("BZMPOP", 5, 1, "{q}:z2", "MAX"))
        blocked(2)
        other("ZADD", "{q}:z", "1.5", "m")
        other("ZADD", "{q}:z2", "2", "n")
        assert talk.read(both[0]) == ["{q}:z", "m", "1.5"]
        third.read(both[1])
        waits = third.send("XREAD", "COUNT", 10, "BLOCK", 5000, "STREAMS", "{q}:s", "{q}:t", "$", "0")
        blocked()
        other("XADD", "{q}:t", "5-1", "k", "v")
        third.read(waits)
        talk("XGROUP", "CREATE", "{q}:s", "g", "$", "MKSTREAM")
        waits = talk.send("XREADGROUP", "GROUP", "g", "me", "BLOCK", 5000, "STREAMS", "{q}:s", ">")
        blocked()
        other("XADD", "{q}:s", "6-1", "k", "v")
        assert talk.read(waits)[0][0] == "{q}:s"
        number = talk("CLIENT", "ID")
        for how in ("TIMEOUT", "ERROR"):
            waits = talk.send("BLPOP", "{q}:never", 0)
            blocked()
            assert other("CLIENT", "UNBLOCK", number, how) == 1
            value = talk.read(waits)
            assert value is None if how == "TIMEOUT" else is_error(value, "UNBLOCKED")
        assert talk("WAIT", 1, 10) == 0
        waits = talk.send("BLPOP", "{q}:never", 0)
        blocked()
        # A client that goes away while it waits.


@case("tracking-resp3", protocol=3)
def tracking_resp3(_: Server) -> None:
    with Talker(protocol=3) as talk, Talker(protocol=3) as other:
        other.lines("MSET {c}:a 1 {c}:b 2\nSET user:1 alice")
        assert talk("CLIENT", "TRACKING", "ON") == "OK"
        talk.lines("GET {c}:a\nMGET {c}:a {c}:b")
        other("SET", "{c}:a", "changed")
        assert talk.read(None) == ["invalidate", ["{c}:a"]]
        # Of one's own: behind the answer.
        talk("GET", "{c}:a")
        assert talk("SET", "{c}:a", "mine") == "OK"
        assert talk.read(None) == ["invalidate", ["{c}:a"]]
        # Among pipelined answers.
        first = talk.raw(
            command("GET", "{c}:b") + command("SET", "{c}:b", "3") + command("GET", "{c}:a"),
            *([b"GET", b"{c}:b"], [b"SET", b"{c}:b", b"3"], [b"GET", b"{c}:a"]),
        )
        seen = [talk.read(first), talk.read(first + 1)]
        assert seen == ["2", "OK"]
        rest = [None, first + 2]
        while rest:
            talk_value = talk.read(rest.pop(0) if talk.peek() == b">" else rest.pop())
            assert talk_value in (["invalidate", ["{c}:b"]], "mine")
        talk("CLIENT", "TRACKINGINFO")
        other("FLUSHALL")
        assert talk.read(None) == ["invalidate", None]
        talk.lines("CLIENT TRACKING OFF\nCLIENT TRACKING ON BCAST PREFIX user: PREFIX order:")
        other.lines("SET user:2 bob\nSET order:9 x\nSET nothing x")
        assert talk.read(None) == ["invalidate", ["user:2"]]
        assert talk.read(None) == ["invalidate", ["order:9"]]
        talk.lines("CLIENT TRACKING OFF\nCLIENT TRACKING ON OPTIN\nCLIENT CACHING YES\nGET user:2\nGET order:9")
        other.lines("SET order:9 y\nSET user:2 carol")
        assert talk.read(None) == ["invalidate", ["user:2"]]
        assert talk("CLIENT", "TRACKING", "OFF") == "OK"


@case("tracking-redirect")
def tracking_redirect(_: Server) -> None:
    """In RESP2, invalidations are messages of a channel on another connection."""
    with Talker() as messages, Talker() as talk, Talker() as other:
        number = messages("CLIENT", "ID")
        assert messages("SUBSCRIBE", "__redis__:invalidate") == ["subscribe", "__redis__:invalidate", 1]
        assert talk("CLIENT", "TRACKING", "ON", "REDIRECT", number) == "OK"
        talk("GET", "cached")
        other("SET", "cached", "new")
        assert messages.read(None) == ["message", "__redis__:invalidate", ["cached"]]
        talk("GET", "cached")
        other("FLUSHDB")
        assert messages.read(None) == ["message", "__redis__:invalidate", None]


@case("caching-redis-py", client="redis-py", protocol=3)
def caching(_: Server) -> None:
    with redis_py(3, connection=Newer, cache_config=CacheConfig()) as client, redis_py(3) as other:
        other.set("cached", "1")
        assert [client.get("cached") for _ in range(3)] == [b"1"] * 3
        other.set("cached", "2")
        assert client.get("cached") == b"2"
        other.mset({"{k}a": "1", "{k}b": "2"})
        assert client.mget("{k}a", "{k}b") == [b"1", b"2"]
        other.delete("{k}b")
        assert client.mget("{k}a", "{k}b") == [b"1", None]


def reply_modes(protocol: int) -> Callable[..., None]:
    def play(_: Server) -> None:
        with Talker(protocol=protocol) as talk:
            assert talk("CLIENT", "REPLY", "ON") == "OK"
            talk.send("CLIENT", "REPLY", "SKIP")
            talk.send("SET", "silent", 1)
            assert talk("GET", "silent") == "1"
            # Two in a row skip one command only; what is skipped may be an error.
            talk.send("CLIENT", "REPLY", "SKIP")
            talk.send("CLIENT", "REPLY", "SKIP")
            talk.send("NOSUCH")
            assert talk("PING") == "PONG"
            talk.send("CLIENT", "REPLY", "OFF")
            for number in range(5):
                talk.send("INCRBY", "silent", number)
            talk.send("CLIENT", "REPLY", "SKIP")
            talk.send("GET")
            assert talk("CLIENT", "REPLY", "ON") == "OK"
            assert talk("GET", "silent") == "11"
            # In a transaction, and in lower case.
            talk.raw(command("client", "reply", "off"), [b"client", b"reply", b"off"])
            talk.send("MULTI")
            talk.send("INCR", "silent")
            talk.send("EXEC")
            assert talk.read(talk.raw(command("client", "reply", "on"), [b"client", b"reply", b"on"])) == "OK"
            assert is_error(talk("CLIENT", "REPLY", "MAYBE"), "ERR syntax error")
            # A script's fire and forget, all in one packet.
            wanted = [
                ("CLIENT", "REPLY", "OFF"),
                ("SET", "a", 1),
                ("DEL", "a"),
                ("CLIENT", "REPLY", "ON"),
                ("GET", "a"),
            ]
            first = talk.raw(
                b"".join(command(*each) for each in wanted), *([as_bytes(w) for w in each] for each in wanted)
            )
            assert [talk.read(first + 3), talk.read(first + 4)] == ["OK", None]
            if protocol == 3:
                # Pushes are not affected.
                assert talk("SUBSCRIBE", "news") == ["subscribe", "news", 1]
                talk.send("CLIENT", "REPLY", "OFF")
                talk.send("PUBLISH", "news", "anyway")
                with Talker(protocol=3) as other:
                    other("PUBLISH", "news", "from another")
                on = talk.send("CLIENT", "REPLY", "ON")
                while isinstance(talk.read(on if talk.peek() == b"+" else None), list):
                    pass
                assert talk("PING") == "PONG"
            # A subscription is confirmed whatever was said, and RESET ends the silence.
            talk.send("CLIENT", "REPLY", "OFF")
            talk.send("GET", "silent")
            assert talk("SUBSCRIBE", "loud")[:2] == ["subscribe", "loud"]
            assert talk("RESET") == "RESET"
            assert talk("PING") == "PONG"
            assert talk("QUIT") == "OK"

    return play


CASES.append(Case("reply-modes-resp2", reply_modes(2)))
CASES.append(Case("reply-modes-resp3", reply_modes(3), protocol=3))


@case("monitor")
def monitor(_: Server) -> None:
    with Talker() as talk, Talker() as other:
        assert talk("MONITOR") == "OK"
        other.line('SET key "a \\"quoted\\" value"')
        other("EVAL", "return redis.call('GET', KEYS[1])", 1, "key")
        other("GET", b"\x00\xff")
        for _ in range(4):
            line = talk.read(None)
            assert line[:10].isdigit()
        # It is answered in the midst of what it hears.
        assert talk("PING") == "PONG"
        assert talk.read(None).endswith('"PING"')
        assert talk("QUIT") == "OK"


@case("types-resp2")
def types_resp2(_: Server) -> None:
    types(2)


@case("types-resp3", protocol=3)
def types_resp3(_: Server) -> None:
    types(3)


def types(protocol: int) -> None:
    with Talker(protocol=protocol) as talk:
        for kind in ("string", "integer", "double", "null", "array", "set", "map", "attrib"):
            talk("DEBUG", "PROTOCOL", kind)
        for kind in ("bignum", "true", "false", "verbatim", "error"):
            talk("DEBUG", "PROTOCOL", kind)
        talk.lines("ECHO ''\nSET empty ''\nGET empty\nLRANGE none 0 -1\nHGETALL none\nSMEMBERS none")
        talk.lines("INFO clients\nCLIENT LIST\nMEMORY DOCTOR\nLOLWUT VERSION 5 1 1 1\nLATENCY DOCTOR")
        talk("SET", b"\r\n$5\r\nbinary\x00\xff", b"*3\r\n$3\r\nSET\r\n\r\n")
        talk("GET", b"\r\n$5\r\nbinary\x00\xff")
        talk("EVAL", "redis.setresp(3); return redis.call('HGETALL', KEYS[1])", 1, "none")
        talk("EVAL", "return {double=3.5}", 0)
        talk("EVAL", "return {map={a=1}}", 0)
        talk("EVAL", "return {big_number='123456789012345678901234567890'}", 0)
        talk("EVAL", "return {verbatim_string={format='mkd', string='# title'}}", 0)
        talk("EVAL", "return {1, {2, {3, {}}}, false, true}", 0)
        talk("EVAL", "return {set={a=true}}", 0)
        for _ in range(2):
            talk("ZADD", "z", "NX", "0.1", "tenth", "inf", "most", "-inf", "least", "1e300", "much")
        talk("ZRANGE", "z", 0, -1, "WITHSCORES")
        talk("COMMAND", "DOCS", "GET")
        pushed = talk.send("DEBUG", "PROTOCOL", "push")
        if protocol == 3:
            assert talk.read(None) == ["server-cpu-usage", 42]
            assert talk.read(pushed) == "Some real reply following the push reply"
        else:
            assert is_error(talk.read(pushed), "ERR RESP2 is not supported")


@case("handshake", protocol=None)
def handshake(server: Server) -> None:
    with Talker() as talk:
        talk("HELLO")
        talk("HELLO", 3)
        talk("HELLO")
        talk("HELLO", 2)
        talk("HELLO", 3, "SETNAME", "me")
        talk("HSET", "h", "f", "v")
        assert talk("HGETALL", "h") == {"map": [["f", "v"]]}
        assert is_error(talk("HELLO", 4), "NOPROTO")
        assert is_error(talk("HELLO", "x"), "ERR Protocol version")
        assert is_error(talk("HELLO", 3, "AUTH", "alice", "wrong"), "WRONGPASS")
        assert talk("SELECT", 1) == "OK"
        assert is_error(talk("SELECT", 99), "ERR DB index")
        assert talk("RESET") == "RESET"
        # RESET goes back to RESP2 and database 0.
        assert talk("HGETALL", "h") == ["f", "v"]
        talk.lines(
            "CLIENT SETNAME x\nCLIENT GETNAME\nCLIENT ID\nCLIENT INFO\nCLIENT SETINFO LIB-NAME x\nCLIENT NO-TOUCH on"
        )
        # One packet: the answer to HELLO is of the version that it asks for, and so are those behind it.
        wanted = [("HGETALL", "h"), ("HELLO", "3"), ("HGETALL", "h"), ("HELLO", "2"), ("HGETALL", "h")]
        first = talk.raw(b"".join(command(*each) for each in wanted), *([as_bytes(w) for w in each] for each in wanted))
        answers = [talk.read(first + number) for number in range(5)]
        assert answers[0] == answers[4] == ["f", "v"]
        assert answers[2] == {"map": [["f", "v"]]}
        assert talk("QUIT") == "OK"
        assert talk.closed()


@case("http")
def http(_: Server) -> None:
    """At the wrong door: the first line is a command with too many arguments, the second makes the server hang up."""
    with Talker() as talk:
        assert is_error(talk.read(talk.raw(b"GET / HTTP/1.1\r\n", [b"GET", b"/", b"HTTP/1.1"])), "ERR wrong number")
        talk.raw(b"Host: localhost\r\n", [b"Host:", b"localhost"])
        assert talk.closed()


@case("refused", tshark=False)
def refused(_: Server) -> None:
    """What the server answers with an error and the end."""
    for broken, why in (
        (b"*1\r\n+PING\r\n", "ERR Protocol error: expected '$', got '+'"),
        (b"*x\r\n", "ERR Protocol error: invalid multibulk length"),
        (b"*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length"),
        (b'GET "key\r\n', "ERR Protocol error: unbalanced quotes in request"),
    ):
        with Talker() as talk:
            assert talk("PING") == "PONG"
            assert error(talk.read(talk.raw(broken, None))) == why
            assert talk.closed()


@case("errors", servers=users, protocol=None)
def errors(_: Server) -> None:
    with Talker() as talk, Talker() as admin:
        assert is_error(talk("GET", "open:x"), "NOAUTH")
        assert is_error(talk("AUTH", "wrong"), "WRONGPASS")
        assert is_error(talk("AUTH", "alice", "wrong"), "WRONGPASS")
        assert talk("AUTH", "alice", PASSWORD) == "OK"
        assert talk("GET", "open:x") is None
        assert is_error(talk("GET", "closed:x"), "NOPERM")
        assert is_error(talk("SET", "open:x", "1"), "NOPERM")
        assert admin("AUTH", PASSWORD) == "OK"
        admin.lines("SET s x\nXADD st 1-1 a b\nXGROUP CREATE st g 0")
        for line, prefix in (
            ("LPUSH s x", "WRONGTYPE"),
            ("EVALSHA ffffffffffffffffffffffffffffffffffffffff 0", "NOSCRIPT"),
            ("XGROUP CREATE st g 0", "BUSYGROUP"),
            ("XREADGROUP GROUP nosuch me STREAMS st >", "NOGROUP"),
            ("EXEC", "ERR"),
            ("GET", "ERR wrong number"),
            ("SET s x EX nan", "ERR value is not an integer"),
            ("INCR s", "ERR value is not an integer"),
            ("NOSUCH a b", "ERR unknown command"),
            ("OBJECT NOSUCH", "ERR unknown subcommand"),
            ("SCRIPT KILL", "NOTBUSY"),
            ("EVAL 'return redis.error_reply(\"MINE x\")' 0", "MINE"),
            ("EVAL 'syntax error' 0", "ERR Error compiling"),
            ("CLUSTER INFO", "ERR This instance has cluster support disabled"),
            ("XADD st 0-1 a b", "ERR The ID"),
            ("RESTORE s 0 x", "BUSYKEY"),
            ("MIGRATE 127.0.0.1 1 s 0 10", "IOERR"),
        ):
            assert is_error(admin.line(line), prefix), line
        admin.lines("CONFIG SET maxmemory 1")
        assert is_error(admin("SET", "more", "x"), "OOM")
        admin.lines("CONFIG SET maxmemory 0\nCONFIG SET min-replicas-to-write 1")
        assert is_error(admin("SET", "more", "x"), "NOREPLICAS")
        admin.lines("CONFIG SET min-replicas-to-write 0\nREPLICAOF 127.0.0.1 1")
        assert is_error(admin("SET", "more", "x"), "READONLY")
        admin("CONFIG", "SET", "replica-serve-stale-data", "no")
        assert is_error(admin("GET", "s"), "MASTERDOWN")
        admin.lines("REPLICAOF NO ONE\nCONFIG SET busy-reply-threshold 1")
        endless = admin.send("EVAL", "while true do end", 0)
        with Talker() as other:
            other("AUTH", PASSWORD)
            wait(lambda: is_error(other("GET", "s"), "BUSY"), "the script to be too slow")
            assert other("SCRIPT", "KILL") == "OK"
        assert is_error(admin.read(endless), "ERR Script killed")
    with redis_py(3, username="alice", password=PASSWORD) as client:
        assert client.get("open:x") is None
        for refused in (("SET", "open:x", 1), ("GET", "x")):
            try:
                client.execute_command(*refused)
            except redis.exceptions.NoPermissionError:
                continue
            raise AssertionError(f"{refused} was not refused")


@case("big", tshark=False)
def big(_: Server) -> None:
    """The one capture in which a value takes many packets: up, and half of it down."""
    value = b"0123456789abcdef" * 65536
    with Talker() as talk:
        assert talk("SET", "big", value) == "OK"
        assert talk("STRLEN", "big") == len(value)
        assert talk("GETRANGE", "big", 0, 524_287) == text(value[:524_288])
        assert talk("PING") == "PONG"


@case("asyncio-hiredis", client="hiredis", protocol=3)
def asyncio_hiredis(_: Server) -> None:
    """Several connections under way at once."""

    async def worker(client: Any, number: int) -> None:
        for turn in range(4):
            await client.set(f"{{w{number}}}:{turn}", turn)
            await client.rpush(f"{{w{number}}}:list", turn)
        assert await client.lrange(f"{{w{number}}}:list", 0, -1) == [b"0", b"1", b"2", b"3"]

    async def run() -> None:
        pool = redis.asyncio.ConnectionPool(
            connection_class=PlainAsync, host=HOST, port=PORT, protocol=3, parser_class=_AsyncHiredisParser, retry=None
        )
        client = redis.asyncio.Redis(connection_pool=pool)
        await asyncio.gather(*(worker(client, number) for number in range(6)))
        await client.aclose()
        await pool.disconnect()

    asyncio.run(run())


@case("tls", servers=tls, client="redis-py", protocol=3, readable=False)
def encrypted(server: Server) -> None:
    assert server.certificates is not None
    client = redis.Redis(host="localhost", port=PORT, ssl=True, ssl_ca_certs=str(server.certificates.certificate))
    assert client.set("secret", "x")
    assert client.get("secret") == b"x"
    client.close()


def following(*more: str) -> Callable[[], Any]:
    """A master, and how to start a replica of it."""

    @contextmanager
    def servers() -> Iterator[tuple[Server, Callable[[], Any]]]:
        # Pings of replication would be there or not, by luck.
        with alone(*more, "--repl-ping-replica-period", "3600", port=PORT) as master:
            yield master, lambda: replica_of(master, *more)

    return servers


def written(talk: Talker) -> None:
    """Writes of many kinds, as replication tells them on."""
    talk.lines(
        "SET {r}:a 1\nSETEX {r}:v 100 x\nMULTI\nINCR {r}:a\nHSET {r}:h f v\nEXEC\nRPUSH {r}:l a b\nSELECT 3\nSET b 2"
    )
    talk("EVAL", "redis.call('SET', KEYS[1], 'x'); redis.call('DEL', KEYS[2])", 2, "{r}:c", "{r}:a")
    talk.lines("GET b\nSPOP none\nPUBLISH news hello\nSELECT 0\nFLUSHDB")
    talk("SET", "last", b"\x00\xff\r\n")
    assert talk("WAIT", 1, 5000) == 1


def full_resync(given: tuple[Server, Callable[[], Any]]) -> None:
    _, replica = given
    with Talker() as talk:
        talk("SET", "before", "x" * 300)
        with replica() as follower:
            wait_for_sync(follower)
            written(talk)


# Both are slow, so that the master sends newlines meanwhile: behind FULLRESYNC, or before it.
SLOW_DISK = ("--repl-diskless-sync", "no", "--rdb-key-save-delay", "1500000")
SLOW_START = ("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "2")
CASES.append(Case("replication-disk", full_resync, servers=following(*SLOW_DISK), tshark=False))
CASES.append(Case("replication-diskless", full_resync, servers=following(*SLOW_START), tshark=False))


@case("replication-partial", servers=following(), tshark=False)
def partial_resync(given: tuple[Server, Callable[[], Any]]) -> None:
    """The link breaks; the replica takes up where it was."""
    _, replica = given
    with Talker() as talk, replica() as follower:
        wait_for_sync(follower)
        talk("SET", "one", "1")
        assert talk("WAIT", 1, 5000) == 1
        assert talk("CLIENT", "KILL", "TYPE", "replica") == 1
        talk("SET", "two", "2")
        wait_for_sync(follower)
        assert talk("WAIT", 1, 5000) == 1
        stats = dict(line.split(":", 1) for line in talk("INFO", "stats").splitlines() if ":" in line)
        assert (stats["sync_full"], stats["sync_partial_ok"]) == ("1", "1")


@contextmanager
def usual_cluster() -> Iterator[list[Server]]:
    with cluster(ports=CLUSTER_PORTS) as servers:
        yield servers


@case("cluster-redirects", servers=usual_cluster, protocol=None, ports=CLUSTER_PORTS)
def cluster_redirects(servers: list[Server]) -> None:
    with Talker(7000) as first, Talker(7001, protocol=3) as second, Talker(7002) as third:
        assert third("GET", "{user}:1") == {"error": "MOVED 5474 127.0.0.1:7001"}
        moved = first("SET", "foo", "bar")
        assert moved == {"error": "MOVED 12182 127.0.0.1:7002"}
        assert third("SET", "foo", "bar") == "OK"
        assert is_error(first("MGET", "a", "b"), "CROSSSLOT")
        # A slot on its way from the third to the second.
        ids = [talk("CLUSTER", "MYID") for talk in (first, second, third)]
        third.lines("MSET {foo}:1 a {foo}:2 b")
        assert second("CLUSTER", "SETSLOT", 12182, "IMPORTING", ids[2]) == "OK"
        assert third("CLUSTER", "SETSLOT", 12182, "MIGRATING", ids[1]) == "OK"
        assert third("GET", "foo") == "bar"
        assert third("GET", "{foo}:none") == {"error": "ASK 12182 127.0.0.1:7001"}
        assert is_error(second("GET", "{foo}:none"), "MOVED 12182 127.0.0.1:7002")
        assert second("ASKING") == "OK"
        assert second("SET", "{foo}:none", "imported") == "OK"
        assert third("MIGRATE", HOST, 7001, "", 0, 5000, "KEYS", "foo", "{foo}:1") == "OK"
        assert is_error(third("MGET", "{foo}:1", "{foo}:2"), "TRYAGAIN")
        assert third("CLUSTER", "GETKEYSINSLOT", 12182, 10) == ["{foo}:2"]
        assert third("MIGRATE", HOST, 7001, "{foo}:2", 0, 5000) == "OK"
        for talk in (second, third, first):
            assert talk("CLUSTER", "SETSLOT", 12182, "NODE", ids[1]) == "OK"
        assert second("GET", "foo") == "bar"
        assert is_error(third("GET", "foo"), "MOVED 12182 127.0.0.1:7001")
        first.lines(
            "CLUSTER KEYSLOT {user1000}.following\nCLUSTER COUNTKEYSINSLOT 12182\nCLUSTER SHARDS\nCLUSTER SLOTS"
        )
        first.lines("READONLY\nREADWRITE\nCLUSTER INFO\nCLUSTER NODES")
        # Sharded messages have slots as well.
        assert is_error(first("SSUBSCRIBE", "foo"), "MOVED 12182")
        assert second("SSUBSCRIBE", "foo") == ["ssubscribe", "foo", 1]
        # Go back, so that the slots are where they were: what subscribed is unsubscribed by the server.
        second("DEL", "foo", "{foo}:none", "{foo}:1", "{foo}:2")
        for number, talk in enumerate((third, second, first)):
            moved = talk.send("CLUSTER", "SETSLOT", 12182, "NODE", ids[2])
            if number == 1:
                while isinstance(talk.read(None if talk.peek() == b">" else moved), list):
                    pass
            else:
                assert talk.read(moved) == "OK"
        assert is_error(second("SPUBLISH", "foo", "x"), "MOVED 12182 127.0.0.1:7002")


@case("cluster-redis-py", servers=usual_cluster, client="redis-py", protocol=3, ports=CLUSTER_PORTS)
def cluster_redis_py(_: list[Server]) -> None:
    """A client that knows the slots."""
    client = redis.RedisCluster.from_url(f"redis://{HOST}:7000", protocol=3, connection_pool_class=TellingPool)
    for number in range(12):
        client.set(f"key:{number}", number)
    client.mset_nonatomic({"a": 1, "b": 2, "c": 3})
    assert client.mget_nonatomic("a", "b", "c") == [b"1", b"2", b"3"]
    client.mset({"{tag}:1": 1, "{tag}:2": 2})
    assert client.exists("{tag}:1", "{tag}:2") == 2
    with client.pipeline() as pipeline:
        for number in range(6):
            pipeline.incr(f"key:{number}")
        assert pipeline.execute() == [1, 2, 3, 4, 5, 6]
    assert client.eval("return KEYS[1]", 1, "{tag}:1") == b"{tag}:1"
    client.close()
