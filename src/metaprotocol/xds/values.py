"""Times, shares and addresses, as the data path wants them."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from metaprotocol.xds.fields import Fields

if TYPE_CHECKING:
    from envoy.config.core.v3.address_pb2 import Address
    from envoy.type.v3.percent_pb2 import FractionalPercent
    from google.protobuf.duration_pb2 import Duration

    from metaprotocol.xds.problems import Place

__all__ = ["is_ip", "join", "milliseconds", "of_million", "socket_address"]

ADDRESS = Fields(
    "envoy.config.core.v3.Address",
    "socket_address",
    refused={"pipe": "addresses are socket_address", "envoy_internal_address": "addresses are socket_address"},
)
SOCKET_ADDRESS = Fields(
    "envoy.config.core.v3.SocketAddress",
    "protocol address port_value",
    moot={"ipv4_compat": "sockets of IPv6 take IPv6 only"},
    refused={
        "named_port": "ports are numbers",
        "resolver_name": "names are resolved by the system's resolver",
        "network_namespace_filepath": "listeners are in the process' own namespace",
    },
    notes={
        "protocol": "TCP",
        "address": "for hosts of clusters that resolve names, a name",
    },
)
# FractionalPercent.DenominatorType: HUNDRED, TEN_THOUSAND, MILLION.
_PER_MILLION = (10_000, 100, 1)


def milliseconds(duration: Duration, place: Place) -> int:
    """A time in milliseconds, rounded up: what is asked for as a fraction of one is not nothing."""
    whole = -(-(duration.seconds * 1_000_000_000 + duration.nanos) // 1_000_000)
    if whole < 0:
        place.error("is less than no time")
        return 0
    return whole


def of_million(fraction: FractionalPercent, place: Place) -> int:
    """A share, in millionths."""
    if not 0 <= fraction.denominator < len(_PER_MILLION):
        place.error("has a denominator that is not known")
        return 0
    share: int = fraction.numerator * _PER_MILLION[fraction.denominator]
    if share > 1_000_000:
        place.error("is more than the whole")
        return 0
    return share


def is_ip(host: str) -> bool:
    """Whether a host is an address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def join(host: str, port: int) -> str:
    """`host:port`, with brackets around an address of IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def socket_address(address: Address, place: Place, *, names: bool = False) -> tuple[str, int] | None:
    """The host and port of an address of TCP.

    Args:
        address: The address.
        place: Where it stands.
        names: Whether it may be a name that is yet to be resolved.

    Returns:
        Host and port; nothing, after a report, if it is no such address.
    """
    ADDRESS.check(address, place)
    if not address.HasField("socket_address"):
        if not address.ListFields():
            place.error("needs a socket_address")
        return None
    socket, place = address.socket_address, place / "socket_address"
    SOCKET_ADDRESS.check(socket, place)
    if socket.protocol != 0:
        (place / "protocol").error("is not supported: protocols are carried by TCP")
    if not socket.address:
        (place / "address").error("is needed")
        return None
    if not names and not is_ip(socket.address):
        (place / "address").error(f"is an address of IPv4 or IPv6, such as 127.0.0.1, not {socket.address!r}")
        return None
    if socket.port_value > 65535:
        (place / "port_value").error(f"is from 0 to 65535, not {socket.port_value}")
        return None
    return socket.address, socket.port_value
