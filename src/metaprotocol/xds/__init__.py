"""Configuration in Envoy's terms, read into what the data path takes.

`load` reads a bootstrap file. `listener`, `cluster`, `hosts` and `routes` convert single messages, as discovery brings
them. What is not understood is reported with the place where it stands, and never dropped in silence.

Needs the extra `proxy` (`pip install metaprotocol[proxy]`), which brings Envoy's messages.
"""

from metaprotocol.xds.clusters import Cluster, ClusterKind, Dns, cluster, localities
from metaprotocol.xds.context import Context
from metaprotocol.xds.health import HealthCheck
from metaprotocol.xds.hosts import hosts, named_hosts, resolved
from metaprotocol.xds.listeners import Listener, listener
from metaprotocol.xds.load import Admin, Dynamic, Loaded, load, loads
from metaprotocol.xds.problems import ConfigError, Place, Problem, Report
from metaprotocol.xds.routes import routes
from metaprotocol.xds.sources import GrpcTarget, Source, SourceKind
from metaprotocol.xds.tree import read_text
from metaprotocol.xds.unpack import unpack

__all__ = [
    "Admin",
    "Cluster",
    "ClusterKind",
    "ConfigError",
    "Context",
    "Dns",
    "Dynamic",
    "GrpcTarget",
    "HealthCheck",
    "Listener",
    "Loaded",
    "Place",
    "Problem",
    "Report",
    "Source",
    "SourceKind",
    "cluster",
    "hosts",
    "listener",
    "load",
    "loads",
    "localities",
    "named_hosts",
    "read_text",
    "resolved",
    "routes",
    "unpack",
]
