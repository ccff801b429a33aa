"""The reference of the configuration says what the tables say, of all of them."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from kit.modules import module_at

from metaprotocol.xds.fields import TABLES, Fields

TOOL = Path(__file__).resolve().parents[3] / "docs" / "_tools" / "proxy_configuration.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return module_at(TOOL)


def test_the_page_is_up_to_date(tool: ModuleType) -> None:
    assert tool.PAGE.read_text() == tool.page(), f"run {TOOL.name}"


def test_no_table_is_missing(tool: ModuleType) -> None:
    shown = [table.message for tables in tool.sections().values() for table in tables]
    assert sorted(shown) == sorted(table.message for table in TABLES)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.message)
def test_notes_are_of_fields_that_are_read(table: Fields) -> None:
    assert table.notes.keys() <= table.read


def test_comments_of_our_own_messages_are_found(tool: ModuleType) -> None:
    said = tool.comments()
    route = "aeraki.meta_protocol_proxy.config.route.v1alpha."
    assert said[route + "RouteAction.cluster_key"] == "The metadata key that names the cluster."
    assert said[route + "RouteMatch"].startswith("All of them must match.")
    assert (
        said["aeraki.meta_protocol_proxy.admin.v1alpha.RoutesConfigDump.dynamic_route_configs"] == "Those of discovery."
    )
