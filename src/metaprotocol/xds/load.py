"""A bootstrap file, read as a whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap

from metaprotocol.xds.clusters import Cluster, ClusterKind, cluster
from metaprotocol.xds.context import Context
from metaprotocol.xds.fields import Fields
from metaprotocol.xds.listeners import Listener, listener
from metaprotocol.xds.problems import Place, Problem, Report
from metaprotocol.xds.sources import Source, SourceKind, ads_source, source
from metaprotocol.xds.tls import Tls, upstream_tls
from metaprotocol.xds.tree import read_text
from metaprotocol.xds.values import socket_address

if TYPE_CHECKING:
    import os

    from envoy.config.bootstrap.v3.bootstrap_pb2 import Admin as AdminMessage
    from envoy.config.core.v3.base_pb2 import Node

__all__ = ["Admin", "Dynamic", "Loaded", "load", "loads"]

OVERLAY = "--config-yaml"
"""What errors call the text that is merged over the file."""

BOOTSTRAP = Fields(
    "envoy.config.bootstrap.v3.Bootstrap",
    "node static_resources dynamic_resources cluster_manager admin",
    moot={"enable_dispatcher_stats": "there is no dispatcher"},
    because={
        "layered_runtime": "there is no runtime",
        "tracing": "messages are not traced",
        "stats_sinks": "the admin port shows the counters",
        "overload_manager": "each connection and cluster has bounds of its own",
    },
    notes={
        "node": "what the proxy says it is: to control planes, and at the admin port",
        "admin": "without it there is no admin port",
    },
)
STATIC = Fields(
    "envoy.config.bootstrap.v3.Bootstrap.StaticResources",
    "listeners clusters",
    because={"secrets": "nothing is encrypted"},
)
DYNAMIC = Fields(
    "envoy.config.bootstrap.v3.Bootstrap.DynamicResources",
    "lds_config cds_config ads_config",
    refused=dict.fromkeys(("lds_resources_locator", "cds_resources_locator"), "lds_config and cds_config are"),
    notes={
        "ads_config": "the one stream for everything whose source is `ads`",
    },
)
MANAGER = Fields(
    "envoy.config.bootstrap.v3.ClusterManager",
    "local_cluster_name",
    notes={
        "local_cluster_name": "the cluster that the proxy itself belongs to: with it, zones are heeded",
    },
)
ADMIN = Fields(
    "envoy.config.bootstrap.v3.Admin",
    "address",
    because=dict.fromkeys(("access_log", "access_log_path"), "requests to the admin port are not logged"),
    notes={
        "address": "TCP; port 0 takes a free one",
    },
)


_NOT_FOR_MESSAGES = "messages for this cluster are answered with an error"

CONTROL_KINDS = (ClusterKind.STATIC, ClusterKind.STRICT_DNS, ClusterKind.LOGICAL_DNS)
"""Clusters that configuration can be discovered through: those whose hosts stand in the file."""


@dataclass(frozen=True)
class Admin:
    """Where the admin port listens."""

    host: str
    port: int


@dataclass(frozen=True)
class Dynamic:
    """Where configuration is discovered.

    Attributes:
        ads: The aggregated stream, if there is one.
        listeners: Where listeners come from.
        clusters: Where clusters come from.
    """

    ads: Source | None = None
    listeners: Source | None = None
    clusters: Source | None = None


@dataclass(frozen=True)
class Loaded:
    """What a bootstrap file says.

    Attributes:
        listeners: The listeners of the file, by name.
        clusters: The clusters of the file, by name.
        node: What the proxy says it is: `envoy.config.core.v3.Node`.
        admin: The admin port, if there is one.
        dynamic: Where the rest is discovered.
        context: What converting what is discovered needs to know.
        problems: What was reported, none of it fatal.
        bootstrap: The whole message.
        tls: How connections to those clusters are encrypted that configuration is discovered through.
    """

    listeners: dict[str, Listener]
    clusters: dict[str, Cluster]
    node: Node
    admin: Admin | None
    dynamic: Dynamic
    context: Context
    problems: tuple[Problem, ...] = ()
    bootstrap: Any = field(default=None, repr=False)
    tls: dict[str, Tls] = field(default_factory=dict)

    def update(self) -> dict[str, Any]:
        """All of it as one change of the data path's configuration (`Update`).

        Clusters whose hosts are reached by TLS or by Unix sockets are left out: discovery alone uses them.
        """
        return {
            "listeners": {name: each.config for name, each in self.listeners.items()},
            "clusters": {name: each.config for name, each in self.clusters.items() if not each.for_discovery},
            "routes": {each.config["routes"]: each.table for each in self.listeners.values() if each.table is not None},
        }


def load(
    path: str | os.PathLike[str] | None,
    *,
    strict: bool = False,
    filters: frozenset[str] | None = None,
    overlay: str = "",
) -> Loaded:
    """Read a bootstrap file.

    Args:
        path: A file of YAML or JSON with an `envoy.config.bootstrap.v3.Bootstrap`; none if `overlay` is all there is.
        strict: Whether what is not understood is a reason to refuse it.
        filters: The names of the filters that the data path has; none for whatever there are.
        overlay: YAML or JSON that is merged over the file (Envoy's `--config-yaml`): its values win, and what it has in
            lists comes behind the file's.

    Raises:
        ConfigError: If it cannot be used; it says what is wrong, with file, line, column and field.
        OSError: If the file cannot be read.
    """
    if path is None:
        return loads(overlay, OVERLAY, strict=strict, filters=filters)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        report = Report(str(path))
        report.at().error(f"is no text in UTF-8: byte {error.start} is {error.object[error.start]:#04x}")
        report.check()
        raise
    if str(path).endswith(".json"):  # YAML does not take the tabs that JSON may be indented with
        text = text.replace("\t", " ")
    return loads(text, str(path), strict=strict, filters=filters, overlay=overlay)


def loads(
    text: str, name: str, *, strict: bool = False, filters: frozenset[str] | None = None, overlay: str = ""
) -> Loaded:
    """Read a bootstrap that is at hand as text.

    Args:
        text: YAML or JSON.
        name: What errors call it.
        strict: As in `load`.
        filters: As in `load`.
        overlay: As in `load`.

    Raises:
        ConfigError: As in `load`.
    """
    report = Report(name)
    place = report.at()
    message = Bootstrap()
    read_text(text, message, place)
    if overlay:
        over, above = Bootstrap(), Report(OVERLAY)
        read_text(overlay, over, above.at())
        report.problems += above.problems
        message.MergeFrom(over)
    loaded = _bootstrap(message, place, Context(filters=filters, load_codecs=True))
    report.check(strict=strict)
    return replace(loaded, problems=report.sorted())


def _bootstrap(message: Bootstrap, place: Place, context: Context) -> Loaded:
    BOOTSTRAP.check(message, place)
    MANAGER.check(message.cluster_manager, place / "cluster_manager")
    dynamic = _dynamic(message, place / "dynamic_resources")
    static, at = message.static_resources, place / "static_resources"
    STATIC.check(static, at)
    known = None if dynamic.clusters else frozenset(each.name for each in static.clusters)
    local = message.cluster_manager.local_cluster_name
    context = replace(context, clusters=known, local_cluster=local)
    if local and local not in {each.name for each in static.clusters}:
        (place / "cluster_manager" / "local_cluster_name").error(f"there is no static cluster {local!r}")
    clusters = [cluster(each, (at / "clusters")[index], context) for index, each in enumerate(static.clusters)]
    listeners = [listener(each, (at / "listeners")[index], context) for index, each in enumerate(static.listeners)]
    found = [each for each in listeners if each is not None]
    _unique([each.name for each in clusters], at / "clusters")
    _unique([each.name for each in found], at / "listeners")
    sources = [dynamic.ads, dynamic.listeners, dynamic.clusters]
    sources += [each.source for each in found]
    sources += [each.source for each in clusters]
    tls = _check_sources(sources, clusters, dynamic, at)
    return Loaded(
        listeners={each.name: each for each in found},
        clusters={each.name: each for each in clusters},
        node=message.node,
        admin=_admin(message.admin, place / "admin") if message.HasField("admin") else None,
        dynamic=dynamic,
        # What is discovered may name clusters that come later, and must not name files.
        context=replace(context, clusters=None, load_codecs=False),
        bootstrap=message,
        tls=tls,
    )


def _unique(names: list[str], place: Place) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            place.error(f"has {count} items called {name!r}")


def _dynamic(message: Bootstrap, place: Place) -> Dynamic:
    resources = message.dynamic_resources
    DYNAMIC.check(resources, place)

    def found(name: str) -> Source | None:
        return source(getattr(resources, name), place / name) if resources.HasField(name) else None

    ads = ads_source(resources.ads_config, place / "ads_config") if resources.HasField("ads_config") else None
    return Dynamic(ads, found("lds_config"), found("cds_config"))


def _admin(admin: AdminMessage, place: Place) -> Admin | None:
    ADMIN.check(admin, place)
    if not admin.HasField("address"):
        return None
    address = socket_address(admin.address, place / "address")
    return None if address is None else Admin(*address)


def _check_sources(
    sources: list[Source | None], clusters: list[Cluster], dynamic: Dynamic, place: Place
) -> dict[str, Tls]:
    """Sources must be reachable through what the file has; clusters that they alone use may be encrypted.

    Returns:
        How clusters are encrypted that discovery can use, by name.
    """
    asked = {each.target.cluster for each in sources if each is not None and each.target is not None}
    names = {each.name for each in clusters}
    for name in sorted(asked - names - {""}):
        place.error(f"has no cluster {name!r}, which configuration is to be discovered through")
    if dynamic.ads is None and any(each is not None and each.kind is SourceKind.ADS for each in sources):
        place.error("has something that comes by ads, but dynamic_resources.ads_config does not say from where")
    found = {}
    for index, each in enumerate(clusters):
        at = (place / "clusters")[index] / "transport_socket"
        # What is discovered later may come through it.
        if each.transport_socket is not None and (each.name in asked or each.kind in CONTROL_KINDS):
            tls = upstream_tls(each.transport_socket, at)
            if tls is not None:
                found[each.name] = tls
    readable = set(found)
    leading = asked | _leading_to_secrets(found, asked, clusters, place)
    for index, each in enumerate(clusters):
        at = (place / "clusters")[index]
        if each.name in leading and each.kind not in CONTROL_KINDS:
            kinds = ", ".join(kind.name for kind in CONTROL_KINDS)
            (at / "type").error(f"is one of {kinds} where configuration is discovered through it, not {each.kind.name}")
        if each.name in leading:
            continue
        if each.transport_socket is not None and each.kind not in CONTROL_KINDS:
            (at / "transport_socket").error("is not supported: hosts would get in plain what is to be encrypted")
        elif each.name in readable:
            (at / "transport_socket").warn(f"is not supported for messages, but for discovery: {_NOT_FOR_MESSAGES}")
        elif each.pipes:
            (at / "load_assignment").warn(f"has a Unix socket, which is for discovery: {_NOT_FOR_MESSAGES}")
    return found


def _leading_to_secrets(found: dict[str, Tls], asked: set[str], clusters: list[Cluster], place: Place) -> set[str]:
    """The clusters that secrets are discovered through. What cannot get its own is taken out, after a report."""
    leading = set()
    names = {each.name for each in clusters}
    for index, each in enumerate(clusters):
        secrets = found[each.name].secrets if each.name in found else ()
        for name in sorted({secret.target.cluster for secret in secrets}):
            at = (place / "clusters")[index] / "transport_socket"
            if name in found and found[name].secrets:
                at.error(f"has secrets that come through the cluster {name!r}, whose own would have to come first")
            elif name in names or not name:
                leading.add(name)
            elif each.name in asked:
                at.error(f"has secrets that come through the cluster {name!r}, which the file does not have")
            else:
                at.warn(
                    f"is not supported: its secrets come through the cluster {name!r}, which the file does not have;"
                    f" nothing can be discovered through {each.name!r}"
                )
                found.pop(each.name, None)
    return leading
