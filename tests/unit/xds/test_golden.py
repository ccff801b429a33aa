"""Whole bootstrap files become what lies beside them; `native/proxy` reads the same files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kit.xds import completed

from metaprotocol.xds import Admin, SourceKind, load

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_becomes_what_the_data_path_takes(path: Path) -> None:
    assert completed(load(path)) == json.loads(path.with_suffix(".json").read_text())


def test_every_kind_of_file_is_there() -> None:
    assert {path.stem for path in FILES} == {"brpc", "dubbo", "everything", "thrift", "trpc", "zones"}
    assert {path.stem for path in FILES} == {path.stem for path in GOLDEN.glob("*.json")}


@pytest.mark.parametrize("name", ["brpc", "everything", "thrift", "zones"])
def test_nothing_is_reported_where_all_is_done(name: str) -> None:
    assert load(GOLDEN / f"{name}.yaml", strict=True).problems == ()


def test_what_is_left_out_is_reported_in_the_order_of_the_file() -> None:
    [problem] = load(GOLDEN / "trpc.yaml").problems
    assert str(problem) == (
        f"{GOLDEN / 'trpc.yaml'}:23:13: static_resources.listeners[0].filter_chains[0].filters[0].typed_config."
        "meta_protocol_filters[1]: is not used: the router before it ends the chain"
    )
    [problem] = load(GOLDEN / "dubbo.yaml").problems
    assert problem.path == "admin.access_log_path"
    assert problem.mark == (4, 3)
    assert not problem.fatal


def test_what_discovery_needs_stands_beside_it() -> None:
    loaded = load(GOLDEN / "trpc.yaml")
    source = loaded.listeners["trpc_in"].source
    assert source is not None
    assert (source.kind, source.delta, source.initial_fetch_timeout) == (SourceKind.GRPC, False, 15_000)
    assert source.target is not None
    assert source.target.cluster == "xds"
    assert loaded.clusters["xds"].http2
    assert not loaded.clusters["greeter"].http2
    assert loaded.node.id == "test-id"
    assert loaded.admin is None
    assert load(GOLDEN / "dubbo.yaml").admin == Admin("127.0.0.1", 8080)
