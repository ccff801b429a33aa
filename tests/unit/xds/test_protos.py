"""MetaProtocol's messages: the numbers that are on the wire, and that the modules are those of the `.proto` files."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

import metaprotocol.xds
from metaprotocol.xds.messages import type_named

PACKAGE = Path(metaprotocol.xds.__file__).parent
PREFIX = "aeraki.meta_protocol_proxy."
NUMBERS = {
    "v1alpha.MetaProtocolProxy": {
        "stat_prefix": 1,
        "application_protocol": 2,
        "rds": 3,
        "route_config": 4,
        "codec": 5,
        "meta_protocol_filters": 6,
        "tracing": 7,
        "access_log": 8,
        "idle_timeout": 11,
        "protocol": 12,
    },
    "v1alpha.Rds": {"config_source": 1, "route_config_name": 2},
    "v1alpha.Codec": {"name": 1, "config": 2},
    "v1alpha.MetaProtocolFilter": {"name": 1, "config": 2},
    "v1alpha.ApplicationProtocol": {"name": 1, "codec": 2, "multiplexing": 3},
    "v1alpha.Tracing": {
        "client_sampling": 3,
        "random_sampling": 4,
        "overall_sampling": 5,
        "verbose": 6,
        "max_tag_length": 7,
        "provider": 9,
    },
    "config.route.v1alpha.RouteConfiguration": {"name": 1, "routes": 2},
    "config.route.v1alpha.Route": {
        "name": 1,
        "match": 2,
        "route": 3,
        "request_mutation": 19,
        "response_mutation": 20,
    },
    "config.route.v1alpha.RouteMatch": {"metadata": 1},
    "config.route.v1alpha.RouteAction": {
        "cluster": 1,
        "weighted_clusters": 2,
        "hash_policy": 10,
        "request_mirror_policies": 11,
    },
    "config.route.v1alpha.RequestMirrorPolicy": {"cluster": 1, "runtime_fraction": 2},
    "config.route.v1alpha.KeyValue": {"key": 1, "value": 2},
    "filters.local_ratelimit.v1alpha.LocalRateLimit": {"stat_prefix": 1, "token_bucket": 2, "conditions": 3},
    "filters.local_ratelimit.v1alpha.LocalRateLimitCondition": {"match": 1, "token_bucket": 2},
    "filters.ratelimit.v1alpha.RateLimit": {
        "match": 1,
        "domain": 2,
        "timeout": 3,
        "failure_mode_deny": 4,
        "rate_limit_service": 5,
        "descriptors": 6,
    },
    "filters.ratelimit.v1alpha.Descriptor": {"property": 1, "descriptor_key": 2},
    "filters.istio_stats.v1alpha.IstioStats": {"destination_service": 1},
    "filters.metadata_exchange.v1alpha.MetadataExchange": {},
    "filters.router.v1alpha.Router": {},
    "admin.v1alpha.RoutesConfigDump": {"static_route_configs": 2, "dynamic_route_configs": 3},
    "admin.v1alpha.RoutesConfigDump.StaticRouteConfig": {"route_config": 1, "last_updated": 2},
    "admin.v1alpha.RoutesConfigDump.DynamicRouteConfig": {
        "version_info": 1,
        "route_config": 2,
        "last_updated": 3,
        "error_state": 4,
        "client_status": 5,
    },
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_those_of_metaprotocol_proxy_and_ours_are_out_of_their_way(name: str) -> None:
    found = type_named(PREFIX + name)
    assert found is not None
    assert {field.name: field.number for field in found.DESCRIPTOR.fields if field.number < 1000} == NUMBERS[name]


def generator() -> ModuleType:
    path = PACKAGE / "protos" / "generate.py"
    if not path.exists():  # an installed wheel has none
        path = Path(__file__).parents[3] / "src" / "metaprotocol" / "xds" / "protos" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate_protos", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_modules_are_those_of_the_messages(tmp_path: Path) -> None:
    if not os.environ.get("CI"):
        pytest.importorskip("grpc_tools")
    generator().generate(tmp_path / "gen")
    made = {path.relative_to(tmp_path / "gen"): path.read_text() for path in (tmp_path / "gen").rglob("*.py*")}
    kept = {
        path.relative_to(PACKAGE / "gen"): path.read_text()
        for path in (PACKAGE / "gen").rglob("*.py*")
        if "__pycache__" not in path.parts
    }
    assert made.keys() == kept.keys()
    assert [str(path) for path in made if made[path] != kept[path]] == []
