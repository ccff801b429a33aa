"""Listeners, and the network filter `aeraki.meta_protocol_proxy` in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaprotocol.xds.context import CODEC_PREFIX, Context
from metaprotocol.xds.fields import Fields
from metaprotocol.xds.filters import filter_chain
from metaprotocol.xds.gen.metaprotocol.proxy.v1.detect_pb2 import Detect
from metaprotocol.xds.routes import routes
from metaprotocol.xds.sockets import is_plain
from metaprotocol.xds.sources import Source, source
from metaprotocol.xds.unpack import unpack
from metaprotocol.xds.values import join, milliseconds, socket_address

if TYPE_CHECKING:
    from envoy.config.listener.v3 import listener_pb2 as envoy
    from envoy.config.listener.v3.listener_components_pb2 import FilterChain
    from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy

    from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.v1alpha.meta_protocol_proxy_pb2 import (
        Codec,
        MetaProtocolProxy,
        Rds,
    )
    from metaprotocol.xds.problems import Place

__all__ = ["AUTO_CODEC", "Listener", "listener"]

AUTO_CODEC = CODEC_PREFIX + "auto"
"""The codec that stands for several, of which the first bytes of a connection pick one."""

_PLAIN = "is plain TCP: nothing is encrypted"
LISTENER = Fields(
    "envoy.config.listener.v3.Listener",
    "name address filter_chains default_filter_chain per_connection_buffer_limit_bytes traffic_direction"
    " bind_to_port listener_filters",
    moot={
        "metadata": "is for people",
        "stat_prefix": "counters are named after the filter's stat_prefix",
        "reuse_port": "each worker has a socket of its own",
        "enable_reuse_port": "each worker has a socket of its own",
        "listener_filters_timeout": "there are no listener filters",
        "continue_on_listener_filters_timeout": "there are no listener filters",
        "drain_type": "connections are drained when the listener goes",
    },
    refused={
        "additional_addresses": "a listener has one address",
        "internal_listener": "a listener has an address",
        "udp_listener_config": "protocols are carried by TCP",
        "api_listener": "a listener has an address",
        "filter_chain_matcher": "a listener has one filter chain",
        "use_original_dst": "a connection stays with the listener that took it",
    },
    notes={
        "name": "address and port, if unset",
        "address": "TCP, an address of IPv4 or IPv6; port 0 takes a free one",
        "filter_chains": "one, for all connections",
        "default_filter_chain": "in place of `filter_chains`",
        "per_connection_buffer_limit_bytes": "how much a connection holds in each direction before its peer is"
        " made to wait; 1 MiB, if unset",
        "traffic_direction": "told to filters",
        "bind_to_port": "true alone",
        "listener_filters": "`envoy.filters.listener.tls_inspector` and `http_inspector` are accepted, and look at"
        " nothing; others are reported",
    },
)
CHAIN = Fields(
    "envoy.config.listener.v3.FilterChain",
    "filters filter_chain_match transport_socket",
    moot={"name": "is for people", "metadata": "is for people"},
    refused={"use_proxy_proto": "the PROXY protocol is not read"},
    notes={
        "filters": "the last one serves; others before it are reported",
        "transport_socket": "`envoy.transport_sockets.raw_buffer` alone: nothing is encrypted",
    },
)
CHAIN_MATCH = Fields(
    "envoy.config.listener.v3.FilterChainMatch",
    "transport_protocol",
    refused=dict.fromkeys(
        (
            "destination_port",
            "prefix_ranges",
            "address_suffix",
            "suffix_len",
            "direct_source_prefix_ranges",
            "source_type",
            "source_prefix_ranges",
            "source_ports",
            "server_names",
            "application_protocols",
        ),
        "a listener has one filter chain, for all connections",
    ),
    notes={
        "transport_protocol": "`raw_buffer` alone",
    },
)
FILTER = Fields(
    "envoy.config.listener.v3.Filter",
    "name typed_config",
    refused={"config_discovery": "filters come with the listener"},
    notes={
        "typed_config": "a MetaProtocolProxy or a TcpProxy, whatever the name",
    },
)
LISTENER_FILTER = Fields("envoy.config.listener.v3.ListenerFilter", "name typed_config")
PROXY = Fields(
    "aeraki.meta_protocol_proxy.v1alpha.MetaProtocolProxy",
    "stat_prefix application_protocol rds route_config codec meta_protocol_filters idle_timeout protocol"
    " max_connection_age max_frame_bytes",
)
RDS = Fields("aeraki.meta_protocol_proxy.v1alpha.Rds", "config_source route_config_name")
PROTOCOL = Fields(
    "aeraki.meta_protocol_proxy.v1alpha.ApplicationProtocol",
    "name codec",
    moot={"multiplexing": "the codec says whether connections to hosts may be shared"},
)
DETECT = Fields(Detect.DESCRIPTOR.full_name, "codecs timeout max_bytes unknown_to")
TCP_PROXY = Fields(
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    "stat_prefix cluster idle_timeout",
    notes={
        "cluster": "where the bytes of each connection go, whatever they are",
        "idle_timeout": "1 h, if unset; 0 for never",
    },
)

_DIRECTIONS = ("unspecified", "inbound", "outbound")
# What Envoy's tcp_proxy takes where nothing else is said.
_TCP_IDLE_TIMEOUT = 3_600_000
# They look at connections, for what is matched or not done here; without them all goes on as it would.
_IDLE_LISTENER_FILTERS = frozenset({"envoy.filters.listener.tls_inspector", "envoy.filters.listener.http_inspector"})


@dataclass(frozen=True)
class Listener:
    """A listener.

    Attributes:
        name: Its name.
        config: What the data path takes (`Listener` of its configuration).
        table: Its route table, if that stands in it; it is called `config["routes"]`.
        source: Where the route table is discovered, if it does not.
        direction: `inbound`, `outbound` or `unspecified`.
        message: The message it was read from.
        table_name: What its route table is called where it comes from: in the listener, or in discovery.
    """

    name: str
    config: dict[str, Any]
    table: dict[str, Any] | None
    source: Source | None
    direction: str
    message: Any
    table_name: str = ""


def listener(message: envoy.Listener, place: Place, context: Context) -> Listener | None:
    """Read a listener.

    Args:
        message: `envoy.config.listener.v3.Listener`.
        place: Where it stands; if an error is reported there, the listener must not be used.
        context: The codecs, filters and clusters.

    Returns:
        The listener, or nothing if there is none to speak of; why is reported.
    """
    LISTENER.check(message, place)
    address = socket_address(message.address, place / "address")
    direction = "unspecified"
    if 0 <= message.traffic_direction < len(_DIRECTIONS):
        direction = _DIRECTIONS[message.traffic_direction]
    if message.HasField("bind_to_port") and not message.bind_to_port.value:
        (place / "bind_to_port").error("is not supported: a listener has a socket of its own")
    for index, each in enumerate(message.listener_filters):
        at = (place / "listener_filters")[index]
        LISTENER_FILTER.check(each, at)
        if each.name not in _IDLE_LISTENER_FILTERS:
            at.warn(f"is not supported, and has no effect: there is no listener filter {each.name!r}")
    found = _chain(message, place)
    if found is None or address is None:
        return None
    chain, at = found
    name = message.name or join(*address)
    config: dict[str, Any] = {"address": join(*address)}
    if message.HasField("per_connection_buffer_limit_bytes"):
        config["buffer_limit"] = message.per_connection_buffer_limit_bytes.value
        if not message.per_connection_buffer_limit_bytes.value:
            (place / "per_connection_buffer_limit_bytes").error("is at least 1")
    filter_message, at = _filter(chain, at)
    if filter_message is None:
        return None
    if filter_message.DESCRIPTOR.full_name == TCP_PROXY.message:
        _tcp(filter_message, config, context, at)
        return Listener(name, config, None, None, direction, message)
    table, found_source = _proxy(filter_message, name, direction, config, context, at)
    table_name = filter_message.route_config.name or filter_message.rds.route_config_name
    return Listener(name, config, table, found_source, direction, message, table_name)


def _chain(message: envoy.Listener, place: Place) -> tuple[FilterChain, Place] | None:
    """The one filter chain, which must be for all connections."""
    chains = [(chain, (place / "filter_chains")[index]) for index, chain in enumerate(message.filter_chains)]
    if message.HasField("default_filter_chain"):
        chains.append((message.default_filter_chain, place / "default_filter_chain"))
    if not chains:
        (place / "filter_chains").error("needs one filter chain")
        return None
    for _, at in chains[1:]:
        at.error("is not supported: a listener has one filter chain, for all connections")
    chain, at = chains[0]
    CHAIN.check(chain, at)
    CHAIN_MATCH.check(chain.filter_chain_match, at / "filter_chain_match")
    if chain.filter_chain_match.transport_protocol not in ("", "raw_buffer"):
        (at / "filter_chain_match" / "transport_protocol").error(f"is not supported: the listener {_PLAIN}")
    if not is_plain(chain.transport_socket, at / "transport_socket"):
        (at / "transport_socket").error(f"is not supported: the listener {_PLAIN}")
    return chain, at


def _filter(chain: FilterChain, place: Place) -> tuple[Any, Place]:
    """The message of the last filter, which must be one of those that are known; the others are reported."""
    place = place / "filters"
    if not chain.filters:
        place.error(f"needs a filter: one whose typed_config is a {PROXY.message}")
        return None, place
    for index, each in enumerate(chain.filters[:-1]):
        place[index].warn(f"is not supported, and has no effect: there is no network filter {each.name!r}")
    last, at = chain.filters[-1], place[len(chain.filters) - 1]
    FILTER.check(last, at)
    at = at / "typed_config"
    if not last.HasField("typed_config"):
        at.error(f"is needed: a {PROXY.message}")
        return None, at
    message = unpack(last.typed_config, at)
    if message is not None and message.DESCRIPTOR.full_name not in (PROXY.message, TCP_PROXY.message):
        at.error(f"is a {message.DESCRIPTOR.full_name}; known are {PROXY.message} and {TCP_PROXY.message}")
        return None, at
    return message, at


def _tcp(proxy: TcpProxy, config: dict[str, Any], context: Context, place: Place) -> None:
    TCP_PROXY.check(proxy, place)
    if not proxy.cluster:
        (place / "cluster").error("is needed: where bytes go")
    elif context.clusters is not None and proxy.cluster not in context.clusters:
        (place / "cluster").warn(f"there is no cluster {proxy.cluster!r}: connections are closed")
    idle = _TCP_IDLE_TIMEOUT
    if proxy.HasField("idle_timeout"):
        idle = milliseconds(proxy.idle_timeout, place / "idle_timeout")
    config |= {
        "codecs": [],
        "routes": "",
        "stat_prefix": proxy.stat_prefix,
        "application_protocol": "tcp",
        "unknown_to": proxy.cluster,
    }
    if idle:
        config["idle_timeout"] = idle


def _proxy(
    proxy: MetaProtocolProxy, name: str, direction: str, config: dict[str, Any], context: Context, place: Place
) -> tuple[dict[str, Any] | None, Source | None]:
    PROXY.check(proxy, place)
    PROTOCOL.check(proxy.protocol, place / "protocol")
    if not proxy.stat_prefix:
        (place / "stat_prefix").error("is needed")
    config["stat_prefix"] = proxy.stat_prefix
    if proxy.protocol.codec.name:
        _codecs(proxy.protocol.codec, config, context, place / "protocol" / "codec")
    elif proxy.HasField("codec"):
        _codecs(proxy.codec, config, context, place / "codec")
    else:
        (place / "protocol" / "codec").error(f"is needed: a name such as {CODEC_PREFIX}dubbo")
        config["codecs"] = []
    config["application_protocol"] = proxy.protocol.name or proxy.application_protocol
    if not config["application_protocol"]:
        (place / "protocol" / "name").error("is needed: what users call the protocol")
    for field, key in (("idle_timeout", "idle_timeout"), ("max_connection_age", "max_connection_age")):
        if proxy.HasField(field):
            value = milliseconds(getattr(proxy, field), place / field)
            if value:  # none is for ever
                config[key] = value
    if proxy.HasField("max_frame_bytes"):
        config["max_frame_len"] = proxy.max_frame_bytes.value
        if not proxy.max_frame_bytes.value:
            (place / "max_frame_bytes").error("is at least 1")
    chain = filter_chain(proxy.meta_protocol_filters, direction, context, place / "meta_protocol_filters")
    if chain:
        config["filters"] = chain
    kind = proxy.WhichOneof("route_specifier")
    if kind == "route_config":
        config["routes"] = f"static/{name}"
        return routes(proxy.route_config, place / kind, context)[1], None
    if kind == "rds":
        config["routes"] = proxy.rds.route_config_name
        return None, _rds(proxy.rds, place / kind)
    place.error("needs rds or route_config: where messages go")
    config["routes"] = ""
    return None, None


def _rds(rds: Rds, place: Place) -> Source | None:
    RDS.check(rds, place)
    if not rds.route_config_name:
        (place / "route_config_name").error("is needed")
    if not rds.HasField("config_source"):
        (place / "config_source").error("is needed")
        return None
    return source(rds.config_source, place / "config_source")


def _codecs(codec: Codec, config: dict[str, Any], context: Context, place: Place) -> None:
    """The codecs of the port: one, or those that the first bytes are to tell apart."""
    if codec.name != AUTO_CODEC:
        name = context.codec(codec, place)
        config["codecs"] = [name] if name else []
        return
    config["codecs"] = []
    at = place / "config"
    detect = unpack(codec.config, at) if codec.config.type_url else None
    if not isinstance(detect, Detect):
        at.error(f"is needed: a {DETECT.message} with the codecs to tell apart")
        return
    DETECT.check(detect, at)
    for index, each in enumerate(detect.codecs):
        name = context.codec(each, (at / "codecs")[index])
        if name in config["codecs"]:
            (at / "codecs")[index].error(f"{name} is given twice")
        elif name:
            config["codecs"].append(name)
    if len(detect.codecs) < 2:
        (at / "codecs").error("needs two at least; one alone is given by its name instead")
    if detect.HasField("timeout"):
        config["detect_timeout"] = milliseconds(detect.timeout, at / "timeout")
        if not config["detect_timeout"]:
            (at / "timeout").error("is more than 0")
    if detect.HasField("max_bytes"):
        config["detect_len"] = detect.max_bytes.value
        if not detect.max_bytes.value:
            (at / "max_bytes").error("is at least 1")
    if detect.unknown_to:
        config["unknown_to"] = detect.unknown_to
        if context.clusters is not None and detect.unknown_to not in context.clusters:
            (at / "unknown_to").warn(f"there is no cluster {detect.unknown_to!r}: connections are closed")
