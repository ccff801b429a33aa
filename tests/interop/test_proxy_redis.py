"""Redis through the proxy: redis-py with its own parser, with hiredis, in RESP2 and RESP3, and with asyncio."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress

import pytest
import redis
from interop.bootstrap import Between, cluster, proxied, route
from interop.peers.redis import redis_servers
from interop.peers.redis.redis_servers import Client, Server
from interop.proxy import HOST
from interop.running import unavailable
from interop.test_redis import COMMANDS, PREFIX, SPEAKERS, Speaker, connected, contents, outcome, plain

pytestmark = [pytest.mark.interop, pytest.mark.timeout(30, func_only=True)]

BLUE, GREEN = "blue", "green"


@pytest.fixture(params=SPEAKERS, ids=str)
def speaker(request: pytest.FixtureRequest) -> Speaker:
    chosen: Speaker = request.param
    return chosen


@pytest.fixture
def server(redis_server: Server) -> Server:
    """A server without keys."""
    redis_server("FLUSHALL")
    return redis_server


@pytest.fixture(scope="module")
def other() -> Iterator[Server]:
    """A second server."""
    try:
        with redis_servers.alone() as running:
            yield running
    except redis_servers.Unavailable as missing:
        unavailable(str(missing))


@contextmanager
def before(server: Server, **more: str) -> Iterator[Between]:
    """A proxy in front of a server; the route sets what is given in commands."""
    with proxied("redis", [route(BLUE, request=more)], [cluster(BLUE, server.port)]) as between:
        yield between
        between.until(lambda: between.stat("downstream_cx_active") == 0, "all clients have left")
        # One stays, for clients that leave nothing on it.
        between.until(lambda: between.stat("cluster.blue.upstream_cx_active") <= 1, "their own connections are closed")
        for counter in ("request_active", "cluster.blue.upstream_rq_active", "request_decoding_error"):
            assert between.stat(counter) == 0
        assert between.stat("response_decoding_error") == between.stat("cluster.blue.upstream_cx_protocol_error") == 0


def test_commands_are_answered_as_without_a_proxy(speaker: Speaker, server: Server) -> None:
    lines = [shlex.split(line) for line in COMMANDS.strip().splitlines()]
    with connected(speaker.client(server.port, db=1)) as client:
        direct = [outcome(client, words) for words in lines]
    with before(server) as between, connected(speaker.client(between.port)) as client:
        told = [outcome(client, words) for words in lines]
    assert told == direct
    assert len(contents(server, 0)) > 25
    assert contents(server, 0) == contents(server, 1)


def test_keys_get_a_prefix(speaker: Speaker, server: Server) -> None:
    lines = [shlex.split(line) for line in COMMANDS.strip().splitlines()]
    with connected(speaker.client(server.port, db=1)) as client:
        direct = [outcome(client, words) for words in lines]
    with before(server, key_prefix=PREFIX) as between, connected(speaker.client(between.port)) as client:
        told = [outcome(client, words) for words in lines]
    assert [plain(each) for each in told] == [plain(each) for each in direct]
    assert set(contents(server, 0)) == {PREFIX.encode() + key for key in contents(server, 1)}


def test_pipelines_transactions_and_scripts(speaker: Speaker, server: Server) -> None:
    with before(server) as between, connected(speaker.client(between.port)) as client:
        with client.pipeline(transaction=False) as pipeline:
            for number in range(5000):
                pipeline.set(f"key:{number}", "v" * (number % 300))
                pipeline.get(f"key:{number}")
            answers = pipeline.execute()
        assert answers == [each for number in range(5000) for each in (True, b"v" * (number % 300))]
        with client.pipeline(transaction=True) as pipeline:
            pipeline.watch("stock")
            pipeline.multi()
            pipeline.set("stock", 5).decr("stock").hset("order", mapping={"id": 1})
            assert pipeline.execute() == [True, 4, 1]
        with client.pipeline(transaction=True) as pipeline:
            pipeline.watch("stock")
            server("SET", "stock", "7")
            pipeline.multi()
            pipeline.incr("stock")
            with pytest.raises(redis.WatchError):
                pipeline.execute()
        script = client.register_script("return {redis.call('INCRBY', KEYS[1], ARGV[1]), ARGV[2]}")
        assert script(keys=["stock"], args=[10, "text"]) == [17, b"text"]
        with pytest.raises(redis.ResponseError, match="wrong"):
            client.eval("return redis.error_reply('wrong')", 0)


def test_big_values(speaker: Speaker, server: Server) -> None:
    """Both ways, beside small ones, and in pieces of an array."""
    big = bytes(range(256)) * (1 << 16)
    with before(server) as between, connected(speaker.client(between.port)) as client:
        with client.pipeline(transaction=False) as pipeline:
            pipeline.set("big", big).set("small", "s").get("small").get("big").strlen("big").get("small")
            assert pipeline.execute() == [True, True, b"s", big, len(big), b"s"]
        client.rpush("many", *(b"x" * number for number in range(2000)))
        assert client.lrange("many", 0, -1) == [b"x" * number for number in range(2000)]


def test_subscriptions(speaker: Speaker, server: Server) -> None:
    """Messages come when they are sent, to whom they are for, and commands of others go on meanwhile."""
    with before(server) as between, connected(speaker.client(between.port)) as client:
        with client.pubsub(ignore_subscribe_messages=True) as heard:
            heard.subscribe("news", "weather")
            heard.psubscribe("n*")
            for _ in range(3):
                assert heard.get_message(timeout=5) is None
            for number in range(50):
                assert client.publish("news", f"item {number}") == 2
            told = [heard.get_message(timeout=5) for _ in range(100)]
            assert [each["type"] for each in told if each] == ["message", "pmessage"] * 50
            assert [each["data"] for each in told if each][::2] == [b"item %d" % number for number in range(50)]
            heard.unsubscribe("news")
            heard.punsubscribe()
            for _ in range(2):
                assert heard.get_message(timeout=5) is None
            client.publish("news", "nobody hears")
            client.publish("weather", "rain")
            while (last := heard.get_message(timeout=5)) is None:
                pass
            assert last["data"] == b"rain"
        assert client.ping()


def test_blocking_commands(speaker: Speaker, server: Server) -> None:
    """One that waits holds up nobody else, and gets what it waits for; one that waits in vain is told so."""
    with before(server) as between, connected(speaker.client(between.port)) as client, ThreadPoolExecutor() as pool:
        waits = pool.submit(client.blpop, ["jobs", "later"], 20)
        others = [pool.submit(client.brpop, f"queue:{number}", 20) for number in range(8)]
        time.sleep(0.2)
        assert client.ping()
        for number in range(8):
            client.lpush(f"queue:{number}", f"work {number}")
        for number, other in enumerate(others):
            assert plain(other.result(10)) == [b"queue:%d" % number, b"work %d" % number]
        client.rpush("jobs", "one")
        assert plain(waits.result(10)) == [b"jobs", b"one"]
        assert client.blpop(["jobs"], 0.1) is None
        client.xadd("events", {"k": "v"}, id="1-1")
        assert client.xread({"events": "1-1"}, block=100) in ([], {}, None)


@pytest.mark.parametrize("speaker", [each for each in SPEAKERS if each.protocol == 3], ids=str)
def test_pushes_of_resp3(speaker: Speaker, server: Server) -> None:
    """What a client has read is told to be no longer true, on the connection where it reads on."""
    with before(server) as between, connected(speaker.client(between.port)) as client:
        told: list[object] = []
        connection = client.connection_pool.get_connection()
        connection._parser.set_invalidation_push_handler(told.append)
        for words in (("CLIENT", "TRACKING", "ON"), ("GET", "watched")):
            connection.send_command(*words)
            connection.read_response()
        client.set("watched", "changed")
        connection.send_command("PING")
        assert connection.read_response() in (b"PONG", "PONG")
        assert plain(told) == [[b"invalidate", [b"watched"]]]
        client.connection_pool.release(connection)
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_asyncio(speaker: Speaker, server: Server) -> None:
    async def run(port: int) -> None:
        client = speaker.asynchronous(port)

        async def worker(number: int) -> None:
            for turn in range(20):
                await client.mset({f"{number}:a": turn, f"{number}:b": turn})
                assert await client.mget(f"{number}:a", f"{number}:b") == [b"%d" % turn] * 2
            async with client.pipeline(transaction=True) as pipeline:
                assert await pipeline.incr(f"{number}:c").incr(f"{number}:c").execute() == [1, 2]

        await asyncio.gather(*(worker(number) for number in range(16)))
        async with client.pubsub() as heard:
            await heard.subscribe("news")
            # Only sent so far: what another connection publishes may overtake it.
            assert (await anext(heard.listen()))["type"] == "subscribe"
            assert await client.publish("news", "item") == 1
            assert (await anext(heard.listen()))["data"] == b"item"
        await client.aclose()
        await client.connection_pool.disconnect()

    with before(server) as between:
        asyncio.run(run(between.port))
        assert between.stat("downstream_cx_total") >= 8


def test_lines_monitors_and_silence(server: Server) -> None:
    """Commands as lines, a monitor, answers that are not wanted: what is told by state alone."""
    with before(server) as between, Client(between.port) as client, Client(between.port) as watcher:
        assert watcher("MONITOR") == b"OK"
        client.socket.sendall(b"SET 'a key' \"a \\\"value\\\"\"\r\nGET 'a key'\n")
        assert (client.read(), client.read()) == (b"OK", b'a "value"')
        assert b'"SET" "a key"' in watcher.read()
        client.send("CLIENT", "REPLY", "OFF")
        client.send("SET", "silent", "1")
        assert client("CLIENT", "REPLY", "ON") == b"OK"
        client.send("CLIENT", "REPLY", "SKIP")
        client.send("INCR", "silent")
        assert client("GET", "silent") == b"2"
        assert client("QUIT") == b"OK"


def test_commands_are_routed_by_key(speaker: Speaker, server: Server, other: Server) -> None:
    """By the key's beginning, a pipeline among them: its answers come in the order of its commands."""
    other("FLUSHALL")
    routes = [route(GREEN, match=[{"name": "key", "prefix_match": "green:"}]), route(BLUE)]
    clusters = [cluster(BLUE, server.port), cluster(GREEN, other.port)]
    with proxied("redis", routes, clusters) as between, connected(speaker.client(between.port)) as client:
        with client.pipeline(transaction=False) as pipeline:
            for number in range(300):
                pipeline.set(f"{'green' if number % 3 else 'blue'}:{number}", number)
            for number in range(300):
                pipeline.get(f"{'green' if number % 3 else 'blue'}:{number}")
            answers = pipeline.execute()
        assert answers == [True] * 300 + [b"%d" % number for number in range(300)]
    assert (server("DBSIZE"), other("DBSIZE")) == (100, 200)


def sharded(policy: str, *servers: Server) -> AbstractContextManager[Between]:
    """A proxy by which each key has its server."""
    hosts = cluster(BLUE, *(server.port for server in servers), lb_policy=policy)
    return proxied("redis", [route(BLUE, hash_policy=["key"])], [hosts])


@pytest.mark.parametrize("policy", ["MAGLEV", "RING_HASH"])
@pytest.mark.parametrize("with_hiredis", [False, True])
def test_servers_are_shards(with_hiredis: bool, server: Server, other: Server, policy: str) -> None:
    """A key is always on the same server; a pipeline is with both at once, and answers come in its order."""
    other("FLUSHALL")
    with (
        sharded(policy, server, other) as between,
        connected(Speaker(2, with_hiredis).client(between.port)) as client,
    ):
        with client.pipeline(transaction=False) as pipeline:
            for number in range(2000):
                pipeline.set(f"key:{number}", "v" * (number % 3000)).get(f"key:{number}").lpop(f"key:{number}")
            answers = pipeline.execute(raise_on_error=False)
        for number in range(2000):
            written, read, refused = answers[3 * number : 3 * number + 3]
            assert (written, read) == (True, b"v" * (number % 3000))
            assert "WRONGTYPE" in str(refused)
        for number in range(0, 2000, 100):
            assert client.strlen(f"key:{number}") == number % 3000
    here, there = server("DBSIZE"), other("DBSIZE")
    assert here + there == 2000
    assert min(here, there) > 400


@pytest.mark.parametrize("tied", [{"protocol": 3}, {"protocol": 2, "db": 1}])
def test_who_is_tied_to_a_shard_puts_nothing_on_it_that_is_anothers(
    tied: dict[str, int], server: Server, other: Server
) -> None:
    other("FLUSHALL")
    refused = []
    with (
        sharded("MAGLEV", server, other) as between,
        connected(redis.Redis(HOST, between.port, retry=None, **tied)) as client,
        connected(redis.Redis(HOST, between.port, protocol=2)) as free,
    ):
        for number in range(60):
            # Behind an error the connection closes, which the client may see before or after it has asked again.
            with suppress(redis.ConnectionError):
                try:
                    client.set(f"key:{number}", 1)
                except redis.ResponseError as error:
                    refused.append(str(error))
        assert 10 < len(refused) < 50
        assert all("by its hash this belongs to another host" in text for text in refused)
        free.mset({"key:0": 0})
        for number in range(60):
            free.set(f"key:{number}", 2)
    assert server("DBSIZE") + other("DBSIZE") == 60


def test_what_has_no_route_is_refused(speaker: Speaker, server: Server) -> None:
    routes = [route(BLUE, match=[{"name": "command", "exact_match": "FLUSHALL", "invert_match": True}])]
    with (
        proxied("redis", routes, [cluster(BLUE, server.port)]) as between,
        connected(speaker.client(between.port)) as client,
    ):
        client.set("kept", "1")
        for _ in range(3):
            with pytest.raises(redis.ResponseError, match="meta protocol router: no route matches"):
                client.flushall()
            assert client.get("kept") == b"1"
        # In a pipeline it has its place among the others.
        with client.pipeline(transaction=False) as pipeline:
            pipeline.incr("kept").flushall().incr("kept").execute_command("ECHO", "end")
            first, refused, second, end = pipeline.execute(raise_on_error=False)
        assert (first, second, end) == (2, 3, b"end")
        assert "no route matches" in str(refused)


def test_a_server_dies_and_another_serves(speaker: Speaker, server: Server) -> None:
    """Clients see a closed connection or are told of it, connect anew, and find the server that is left."""
    left_out = {"consecutive_5xx": 5, "interval": "1s", "base_ejection_time": "30s", "max_ejection_percent": 50}
    with redis_servers.alone() as mortal:
        hosts = cluster(BLUE, mortal.port, server.port, outlier_detection=left_out)
        with proxied("redis", [route(BLUE)], [hosts]) as between:
            # Each has a server of its own: by turns this one and that one.
            clients = [speaker.client(between.port) for _ in range(4)]
            for number, client in enumerate(clients):
                client.set(f"before:{number}", number)
            assert server("DBSIZE") == mortal("DBSIZE") == 2
            mortal.process.kill()
            mortal.process.wait()
            failed = 0
            for client in (*clients, *(speaker.client(between.port) for _ in range(20))):
                with connected(client):
                    try:
                        client.set("after", "1")
                    except (redis.ConnectionError, redis.ResponseError):
                        failed += 1
            # At most those whose own connection went to the server that died.
            assert failed <= 2
            with connected(speaker.client(between.port)) as client, ThreadPoolExecutor(8) as pool:
                assert all(pool.map(lambda number: client.set(f"after:{number}", number), range(100)))
    assert server("EXISTS", "after", "after:99") == 2
