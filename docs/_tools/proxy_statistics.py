"""Writes docs/reference/proxy-statistics.md from the comments of native/proxy/src/stats.rs."""

from __future__ import annotations

import re
from pathlib import Path

from metaprotocol.proxy._stats import GAUGES

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "native" / "proxy" / "src" / "stats.rs"
PAGE = ROOT / "docs" / "reference" / "proxy-statistics.md"

GROUP = re.compile(r"^counters! \{\n(?:\s*///.*\n)+\s*(\w+) \{\n([^}]*)^    \}\n", re.MULTILINE)
COUNTER = re.compile(r"((?:\s*///.*\n)+)\s*(\w+),\n")

INTRO = """\
# The proxy's statistics

<!-- Made by docs/_tools/proxy_statistics.py from the comments of native/proxy/src/stats.rs: edit those. -->

What the admin port shows at [`/stats`](proxy-admin.md#stats), and what `Proxy.stats()` and `Proxy.histograms()` give.
Names are those of MetaProtocol Proxy and Envoy where they have them. Counters count from the start of the process; one
that [takes over](../how-to/run-the-proxy.md#hot-restart) begins at 0.
"""
CONNECTIONS = """
## Of a listener's connections

In front of each name is `listener.<listener>.`; in Prometheus
`envoy_listener_<name>{envoy_listener_name="<listener>"}`.
"""
MESSAGES = """
## Of a listener's messages

In front of each name is `meta_protocol.<application_protocol>.<stat_prefix>.`; in Prometheus
`envoy_meta_protocol_<name>{application_protocol="…",stat_prefix="…"}`. Listeners that share both are counted together.

Each error that the proxy answers by itself counts once under its cause (`route_not_found`, `upstream_reset`, …), and
once as `local_response_business_exception`, or as `local_response_error` where the protocol has no words for it.
"""
CLUSTERS = """
## Of a cluster

In front of each name is `cluster.<cluster>.`; in Prometheus `envoy_cluster_<name>{envoy_cluster_name="<cluster>"}`.
[`/clusters`](proxy-admin.md#clusters) has the counters of each host.
"""
_UPDATES = """\
| `update_attempt` | counter | It was asked. |
| `update_success` | counter | Something came, and was good. |
| `update_failure` | counter | Nobody could be asked, or answered. |
| `update_rejected` | counter | Something came that was refused. |
| `update_empty` | counter | The answer had nothing of that name in it; what was there before stays. |
| `update_time` | gauge | When something good came last, in milliseconds since 1970. |
| `version` | gauge | The last good version as a number: its XXH64, as Envoy shows it. |
| `init_fetch_timeout` | counter | No first answer came within `initial_fetch_timeout`. |
"""
DISCOVERY = (
    """
## Of discovery

In front of these is `listener_manager.lds.` for listeners, `cluster_manager.cds.` for clusters, `cluster.<cluster>.` for the
hosts of a cluster, and `meta_protocol.<application_protocol>.<stat_prefix>.rds.<routes>.` for routes, which in Prometheus have
the label `route_config`. Clusters whose hosts are names count their resolutions in the same way.

| Name | Kind | Meaning |
|---|---|---|
"""
    + _UPDATES
    + """\
| `update_no_rebuild` | counter | Of names: the addresses were the same as before. |
| `config_reload` | counter | Of routes: others than before came into effect. |
| `config_reload_time_ms` | gauge | Of routes: when that was last, in milliseconds since 1970. |

Their full names:

| Name | Kind | Meaning |
|---|---|---|
| `control_plane.connected_state` | gauge | 1 while every stream to a control plane has been answered on its connection. |
| `cluster_manager.active_clusters` | gauge | Clusters whose hosts are known. |
| `cluster_manager.warming_clusters` | gauge | Clusters that wait for hosts, or for their first check. |
| `cluster_manager.cluster_added`, `…_modified`, `…_removed` | counter | Clusters that came, changed, went. |
| `listener_manager.total_listeners_active` | gauge | Listeners that are open. |
| `listener_manager.total_listeners_warming` | gauge | Listeners that wait for routes, or for the clusters that those name. |
| `listener_manager.listener_added`, `…_modified`, `…_removed` | counter | Listeners that came, changed, went. |
| `listener_manager.listener_create_success`, `…_failure` | counter | Listeners that could be opened or changed, or could not. |
| `cluster.<cluster>.membership_total` | gauge | Hosts. |
| `cluster.<cluster>.membership_change` | counter | How often they changed. |
| `cluster.<cluster>.health_check.healthy` | gauge | Hosts that active checks find well. |
| `cluster.<cluster>.health_check.attempt`, `….success`, `….failure` | counter | Checks, and how they ended. |
| `cluster.<cluster>.health_check.network_failure` | counter | Failures without a connection, or an answer in time. |
"""
)
TIMES = (
    "| `request_time_ms` | histogram | Milliseconds from when a request was read to when its answer was handed on. |\n"
)
HEAD = "\n| Name | Kind | Meaning |\n|---|---|---|\n"


def counters(source: str) -> dict[str, dict[str, str]]:
    """What each counter of each group means."""
    found = {}
    for group, body in GROUP.findall(source):
        found[group] = {
            name: " ".join(line.strip().removeprefix("///").strip() for line in about.strip().splitlines())
            for about, name in COUNTER.findall(body)
        }
    return found


def table(rows: dict[str, str]) -> str:
    """A table of counters."""
    kinds = {name: "gauge" if name in GAUGES else "counter" for name in rows}
    return HEAD + "".join(f"| `{name}` | {kinds[name]} | {about} |\n" for name, about in rows.items())


def page(source: str) -> str:
    """The whole page."""
    groups = counters(source)
    listener = groups["ListenerStats"]
    connections = {name: about for name, about in listener.items() if name.startswith("downstream_")}
    messages = {name: about for name, about in listener.items() if name not in connections}
    return (
        INTRO
        + (CONNECTIONS + table(connections))
        + (MESSAGES + table(messages) + TIMES)
        + (CLUSTERS + table(groups["ClusterStats"]))
        + DISCOVERY
    )


if __name__ == "__main__":
    PAGE.write_text(page(SOURCE.read_text()))
