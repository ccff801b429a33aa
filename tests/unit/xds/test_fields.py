"""The tables of what is read: they name fields that exist, and whatever else is set is reported."""

from __future__ import annotations

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from google.protobuf.descriptor import FieldDescriptor

from metaprotocol.xds import Context, Report, cluster
from metaprotocol.xds.fields import TABLES, Fields
from metaprotocol.xds.messages import type_named


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.message)
def test_tables_name_fields_that_exist(table: Fields) -> None:
    found = type_named(table.message)
    assert found is not None
    names = {field.name for field in found.DESCRIPTOR.fields}
    groups = [table.read, set(table.moot), set(table.refused), set(table.because)]
    assert set().union(*groups) <= names
    assert sum(map(len, groups)) == len(set().union(*groups)), "a field is in two groups"


def test_there_is_one_table_for_each_message() -> None:
    messages = [table.message for table in TABLES]
    assert len(messages) == len(set(messages))


def test_every_field_of_a_cluster_is_read_reported_or_moot() -> None:
    [table] = [table for table in TABLES if table.message == "envoy.config.cluster.v3.Cluster"]
    for field in Cluster.DESCRIPTOR.fields:
        message = Cluster()
        value = getattr(message, field.name)
        if field.is_repeated:
            if field.message_type is None:
                continue
            if field.message_type.GetOptions().map_entry:
                value["x"].SetInParent()
            else:
                value.add()
        elif field.message_type is not None:
            value.SetInParent()
        elif field.cpp_type != FieldDescriptor.CPPTYPE_STRING:
            setattr(message, field.name, 1)
        else:
            setattr(message, field.name, "x")
        report = Report()
        cluster(message, report.at(), Context())
        reported = any(problem.path.startswith(field.name) for problem in report.problems)
        assert reported or field.name in table.read or field.name in table.moot, field.name


def test_fields_of_a_newer_envoy_are_reported_by_their_number() -> None:
    message = Cluster()
    message.ParseFromString(Cluster(name="c").SerializeToString() + b"\xfa\xff\x07\x01x")
    report = Report()
    cluster(message, report.at("cluster 'c'"), Context())
    assert "cluster 'c': has field 16383, which envoy.config.cluster.v3.Cluster does not have as it is known here" in [
        str(problem) for problem in report.problems
    ]
