"""Active health checks: by a connection, by bytes, or by the codec's own heartbeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaprotocol.xds.fields import Fields
from metaprotocol.xds.unpack import unpack
from metaprotocol.xds.values import milliseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envoy.config.core.v3 import health_check_pb2 as envoy

    from metaprotocol.xds.context import Context
    from metaprotocol.xds.problems import Place

__all__ = ["PING", "HealthCheck", "health_checks"]

PING = "metaprotocol.health_checkers.ping"
"""The health checker that sends a codec's heartbeat."""
_REDIS = "envoy.health_checkers.redis"

CHECK = Fields(
    "envoy.config.core.v3.HealthCheck",
    "timeout interval initial_jitter interval_jitter interval_jitter_percent unhealthy_threshold healthy_threshold"
    " alt_port reuse_connection tcp_health_check custom_health_check no_traffic_interval no_traffic_healthy_interval"
    " unhealthy_interval unhealthy_edge_interval healthy_edge_interval",
    notes={
        "tcp_health_check": "a connection, and bytes if so configured",
        "custom_health_check": "the codec's own question for a sign of life",
    },
)
TCP = Fields("envoy.config.core.v3.HealthCheck.TcpHealthCheck", "send receive")
PAYLOAD = Fields("envoy.config.core.v3.HealthCheck.Payload", "text binary")
CUSTOM = Fields(
    "envoy.config.core.v3.HealthCheck.CustomHealthCheck",
    "name typed_config",
    notes={
        "name": "`metaprotocol.health_checkers.ping` or `envoy.health_checkers.redis`; others are reported",
    },
)
PING_CONFIG = Fields("metaprotocol.proxy.v1.Ping", "codec")
REDIS = Fields("envoy.extensions.health_checkers.redis.v3.Redis", because={"key": "hosts are asked with PING"})


@dataclass(frozen=True)
class HealthCheck:
    """How a host is asked whether it is well. Times are in milliseconds.

    Attributes:
        timeout: How long an answer may take.
        interval: How long after a check the next one is.
        unhealthy_threshold: After so many failures in a row a host is not used.
        healthy_threshold: After so many successes in a row it is used again.
        codec: The codec whose heartbeat is sent; empty for a check by a connection, or by bytes.
        send: The bytes that are sent; none to be content with a connection.
        receive: The bytes that must be in the answer, in this order.
        reuse_connection: Whether checks share one connection.
        port: The port that is asked instead of the host's own.
        initial_jitter: The first check is up to so much later.
        interval_jitter: So are all others, each by a random part of it.
        interval_jitter_percent: And by a random part of so much of the interval.
        no_traffic_interval: The interval while a cluster has had no messages.
        no_traffic_healthy_interval: The same, of hosts that are well.
        unhealthy_interval: The interval of hosts that are not used.
        unhealthy_edge_interval: How long after a first failure the next check is.
        healthy_edge_interval: How long after a first success the next check is.
    """

    timeout: int
    interval: int
    unhealthy_threshold: int
    healthy_threshold: int
    codec: str = ""
    send: bytes = b""
    receive: tuple[bytes, ...] = ()
    reuse_connection: bool = True
    port: int | None = None
    initial_jitter: int = 0
    interval_jitter: int = 0
    interval_jitter_percent: int = 0
    no_traffic_interval: int = 60_000
    no_traffic_healthy_interval: int = 60_000
    unhealthy_interval: int = 0
    unhealthy_edge_interval: int = 0
    healthy_edge_interval: int = 0


def _payload(payload: envoy.HealthCheck.Payload, place: Place) -> bytes:
    PAYLOAD.check(payload, place)
    if payload.WhichOneof("payload") == "binary":
        return bytes(payload.binary)
    try:
        return bytes.fromhex(payload.text)
    except ValueError:
        (place / "text").error(f"is bytes in hexadecimal digits, not {payload.text!r}")
        return b""


def _ping(custom: envoy.HealthCheck.CustomHealthCheck, context: Context, place: Place) -> str | None:
    """The codec whose heartbeat is sent."""
    CUSTOM.check(custom, place)
    if custom.name not in (PING, _REDIS):
        place.warn(f"is not supported: there is no health checker {custom.name!r}, but {PING}")
        return None
    if not custom.HasField("typed_config"):
        (place / "typed_config").error("is needed")
        return None
    below = place / "typed_config"
    config = unpack(custom.typed_config, below)
    if config is None:
        return None
    table = PING_CONFIG if custom.name == PING else REDIS
    if config.DESCRIPTOR.full_name != table.message:
        below.error(f"is a {config.DESCRIPTOR.full_name}; {custom.name} reads {table.message}")
        return None
    table.check(config, below)
    return "redis" if custom.name == _REDIS else context.codec(config.codec, below / "codec")


def _check(check: envoy.HealthCheck, context: Context, place: Place) -> HealthCheck | None:
    kind = check.WhichOneof("health_checker")
    CHECK.check(check, place)
    codec, send, receive = "", b"", []
    if kind == "tcp_health_check":
        below, tcp = place / kind, check.tcp_health_check
        TCP.check(tcp, below)
        if tcp.HasField("send"):
            send = _payload(tcp.send, below / "send")
        receive = [_payload(each, (below / "receive")[index]) for index, each in enumerate(tcp.receive)]
    elif kind == "custom_health_check":
        pinged = _ping(check.custom_health_check, context, place / kind)
        if pinged is None:
            return None
        codec = pinged
    elif kind is None:
        place.error("needs tcp_health_check or custom_health_check")
        return None
    else:
        return None

    def time(name: str, otherwise: int = 0) -> int:
        return milliseconds(getattr(check, name), place / name) if check.HasField(name) else otherwise

    for needed in ("timeout", "interval"):
        if not time(needed):
            (place / needed).error("is needed")
    for needed in ("unhealthy_threshold", "healthy_threshold"):
        if not check.HasField(needed):
            (place / needed).error("is needed")
    interval, no_traffic = time("interval"), time("no_traffic_interval", 60_000)
    unhealthy = time("unhealthy_interval", interval)
    return HealthCheck(
        timeout=time("timeout"),
        interval=interval,
        unhealthy_threshold=check.unhealthy_threshold.value,
        healthy_threshold=check.healthy_threshold.value,
        codec=codec,
        send=send,
        receive=tuple(receive),
        reuse_connection=check.reuse_connection.value if check.HasField("reuse_connection") else True,
        port=check.alt_port.value if check.HasField("alt_port") else None,
        initial_jitter=time("initial_jitter"),
        interval_jitter=time("interval_jitter"),
        interval_jitter_percent=check.interval_jitter_percent,
        no_traffic_interval=no_traffic,
        no_traffic_healthy_interval=time("no_traffic_healthy_interval", no_traffic),
        unhealthy_interval=unhealthy,
        unhealthy_edge_interval=time("unhealthy_edge_interval", unhealthy),
        healthy_edge_interval=time("healthy_edge_interval", interval),
    )


def health_checks(checks: Sequence[envoy.HealthCheck], place: Place, context: Context) -> tuple[HealthCheck, ...]:
    """The checks that can be done; the others are reported."""
    found = (_check(check, context, place[index]) for index, check in enumerate(checks))
    return tuple(check for check in found if check is not None)
