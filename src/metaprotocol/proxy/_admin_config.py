"""`/config_dump`: the configuration in effect, as messages of `envoy.admin.v3`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from envoy.admin.v3.config_dump_pb2 import BootstrapConfigDump, ConfigDump
from envoy.admin.v3.config_dump_shared_pb2 import ClustersConfigDump, EndpointsConfigDump, ListenersConfigDump
from google.protobuf.message import Message

from metaprotocol.proxy._dump import as_dict, packed
from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.admin.v1alpha.config_dump_pb2 import RoutesConfigDump
from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.config.route.v1alpha.route_pb2 import RouteConfiguration
from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.v1alpha.meta_protocol_proxy_pb2 import MetaProtocolProxy
from metaprotocol.xds.problems import Report
from metaprotocol.xds.unpack import unpack

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from metaprotocol.proxy._store import Entry, Store
    from metaprotocol.xds import Listener, Loaded

__all__ = ["NotFound", "config_dump"]


class NotFound(Exception):
    """There is no such resource."""


def config_dump(
    loaded: Loaded, began: float, store: Store, *, resource: str, names: re.Pattern[str] | None, eds: bool
) -> str:
    """The configuration in effect as JSON.

    Args:
        loaded: The bootstrap.
        began: When it was read, in seconds since 1970.
        store: The configuration.
        resource: The field of a dump whose items alone are wanted, such as `static_clusters`; empty for all dumps.
        names: Only what has a name that matches as a whole.
        eds: Whether the hosts of clusters are wanted too.

    Raises:
        NotFound: If there is no such resource.
    """
    dumps = [_bootstrap(loaded, began), _clusters(store, names), _listeners(store, names), _routes(store, names)]
    if eds:
        dumps.append(_endpoints(store, names))
    if resource:
        for dump in dumps:
            field = dump.DESCRIPTOR.fields_by_name.get(resource)
            value = None if field is None else getattr(dump, resource)
            if value is not None and hasattr(value, "add"):
                dumps = list(value)
                break
        else:
            raise NotFound(f"{resource} not found in config dump")
    found = ConfigDump(configs=[packed(dump) for dump in dumps])
    return json.dumps(as_dict(found), indent=1) + "\n"


def _stamp(into: Timestamp, updated: float) -> None:
    into.FromMilliseconds(int(updated * 1000))


def _matches(names: re.Pattern[str] | None, name: str) -> bool:
    return names is None or names.fullmatch(name) is not None


def _bootstrap(loaded: Loaded, began: float) -> Any:
    dump = BootstrapConfigDump(bootstrap=loaded.bootstrap)
    _stamp(dump.last_updated, began)
    return dump


def _version(entries: dict[str, Entry[Any]]) -> str:
    """The version of what discovery brought last."""
    dynamic = [entry for entry in entries.values() if not entry.static]
    return max(dynamic, key=lambda entry: entry.updated).version if dynamic else ""


def _clusters(store: Store, names: re.Pattern[str] | None) -> Any:
    dump = ClustersConfigDump(version_info=_version(dict(store.clusters)))
    for name, entry in sorted(store.clusters.items()):
        if not _matches(names, name):
            continue
        into = dump.static_clusters.add() if entry.static else dump.dynamic_active_clusters.add()
        if not entry.static:
            into.version_info = entry.version
        if entry.message is not None:
            into.cluster.Pack(entry.message)
        _stamp(into.last_updated, entry.updated)
    return dump


def _listeners(store: Store, names: re.Pattern[str] | None) -> Any:
    dump = ListenersConfigDump(version_info=_version(dict(store.listeners)))
    for name, entry in sorted(store.listeners.items()):
        if not _matches(names, name):
            continue
        if entry.static:
            into = dump.static_listeners.add()
        else:
            dynamic = dump.dynamic_listeners.add(name=name)
            into = dynamic.active_state
            into.version_info = entry.version
        if entry.message is not None:
            into.listener.Pack(entry.message)
        _stamp(into.last_updated, entry.updated)
    return dump


def _endpoints(store: Store, names: re.Pattern[str] | None) -> Any:
    dump = EndpointsConfigDump()
    for name, entry in sorted(store.hosts.items()):
        if entry.message is None or not _matches(names, name):
            continue
        into = dump.static_endpoint_configs.add() if entry.static else dump.dynamic_endpoint_configs.add()
        if not entry.static:
            into.version_info = entry.version
        into.endpoint_config.Pack(entry.message)
        _stamp(into.last_updated, entry.updated)
    return dump


def _routes(store: Store, names: re.Pattern[str] | None) -> Any:
    dump = RoutesConfigDump()
    inline = {entry.value.config["routes"]: entry.value for entry in store.listeners.values() if entry.value.table}
    for name, entry in sorted(store.tables.items()):
        message = entry.message
        if message is None and name in inline:
            message = _inline(inline[name])
        if not isinstance(message, Message) or not _matches(names, getattr(message, "name", name)):
            continue
        if name in inline:
            fixed = dump.static_route_configs.add()
            fixed.route_config.Pack(message)
            _stamp(fixed.last_updated, entry.updated)
        else:
            moving = dump.dynamic_route_configs.add(version_info=entry.version)
            moving.route_config.Pack(message)
            _stamp(moving.last_updated, entry.updated)
    return dump


def _inline(listener: Listener) -> RouteConfiguration | None:
    """The routes that stand in a listener. It was read before, so nothing can be wrong with it."""
    message = listener.message
    chain = message.filter_chains[0] if message.filter_chains else message.default_filter_chain
    proxy = unpack(chain.filters[-1].typed_config, Report().at())
    return proxy.route_config if isinstance(proxy, MetaProtocolProxy) else None
