"""Whatever a file says, it is read or refused with a reason: no other exception gets out."""

from __future__ import annotations

from typing import Any

import yaml
from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from hypothesis import given
from hypothesis import strategies as st

from metaprotocol.xds import Context, Report, cluster, listener, routes
from metaprotocol.xds.fields import TABLES
from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.config.route.v1alpha import route_pb2 as meta
from metaprotocol.xds.messages import type_named
from metaprotocol.xds.tree import read_text

NAMES = sorted({field for table in TABLES for field in (*table.read, *table.moot, *table.refused, *table.because)})
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 1 << 65),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["1s", "-0.5s", "EDS", "MILLION", "c", "dubbo", "10.0.0.1", "aeraki.meta_protocol.codec.auto"]),
)


def typed(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    kinds = st.sampled_from([f"type.googleapis.com/{table.message}" for table in TABLES] + ["x"])
    return st.builds(
        lambda kind, fields: {"@type": kind} | fields, kinds, st.dictionaries(st.sampled_from(NAMES), values)
    )


TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=6), typed(inner)
    ),
    max_leaves=8,
)


def shaped(name: str, depth: int = 3) -> st.SearchStrategy[Any]:
    """A tree in the shape of a message, in which now and then something else stands."""
    found = type_named(name)
    assert found is not None
    if depth == 0 or name.startswith("google.protobuf."):
        return TREES
    fields = [field for field in found.DESCRIPTOR.fields if field.name in NAMES]

    def of(field: Any) -> st.SearchStrategy[Any]:
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            return TREES
        one = st.deferred(lambda: shaped(field.message_type.full_name, depth - 1))
        return st.lists(one, max_size=2) if field.is_repeated else one | SCALARS

    return st.fixed_dictionaries({}, optional={field.name: of(field) for field in fields})


@given(st.text())
def test_any_text(text: str) -> None:
    report = Report("f")
    read_text(text, Bootstrap(), report.at())
    assert all(str(problem) for problem in report.problems)


def reads(tree: Any, message: Any, convert: Any) -> None:
    report = Report("f")
    read_text(yaml.safe_dump(tree), message, report.at())
    convert(message, report.at(), Context(clusters=frozenset("c")))
    # And as it comes over the network.
    again = type(message)()
    again.ParseFromString(message.SerializeToString())
    convert(again, Report().at(), Context())


@given(shaped("envoy.config.cluster.v3.Cluster"))
def test_any_cluster(tree: Any) -> None:
    reads(tree, Cluster(), cluster)


@given(shaped("envoy.config.listener.v3.Listener"))
def test_any_listener(tree: Any) -> None:
    reads(tree, Listener(), listener)


@given(shaped("envoy.config.route.v3.RouteConfiguration"))
def test_any_table_that_travels(tree: Any) -> None:
    reads(tree, RouteConfiguration(), routes)


@given(shaped("aeraki.meta_protocol_proxy.config.route.v1alpha.RouteConfiguration"))
def test_any_table(tree: Any) -> None:
    reads(tree, meta.RouteConfiguration(), routes)


@given(
    shaped("aeraki.meta_protocol_proxy.v1alpha.MetaProtocolProxy").map(
        lambda tree: {
            "address": {"socket_address": {"address": "::1"}},
            "filter_chains": {
                "filters": {
                    "typed_config": {"@type": "x/aeraki.meta_protocol_proxy.v1alpha.MetaProtocolProxy"} | dict(tree)
                }
            },
        }
    )
)
def test_any_filter(tree: Any) -> None:
    reads(tree, Listener(), listener)
