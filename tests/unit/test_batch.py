"""Batches: the same frames as columns, taken by every table library, with no Python object per frame."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from typing import Any

import duckdb
import numpy
import pandas
import polars
import pyarrow
import pytest
from conftest import Cuts
from kit.cutting import feed
from kit.dialects import DUBBO, THRIFTS, TOY, Dialect, dubbo_frame, hessian_string
from kit.memory import address
from kit.toy import Toy, toy_frame

from metaprotocol import DecodeError, Direction, FrameBatch, Head, Kind, NeedMore

REQUESTS = Direction.CLIENT_TO_SERVER
RESPONSES = Direction.SERVER_TO_CLIENT
NUMBERS = {
    "offsets": ("offset", numpy.uint64),
    "lengths": ("length", numpy.uint64),
    "header_lengths": ("header_length", numpy.uint32),
    "kinds": ("kind", numpy.uint8),
    "request_ids": ("request_id", numpy.uint64),
    "stream_ids": ("stream_id", numpy.uint64),
}


def mixed(dialect: Dialect) -> bytes:
    return b"".join(
        message
        for number in range(1, 30)
        for message in (dialect.request(number, number * 7 % 50), dialect.oneway(number + 100))
    )


def batch_of(dialect: Dialect, stream: bytes, *columns: str) -> FrameBatch:
    return dialect.codec().connection().feed_batch(REQUESTS, stream, columns=columns)


class TestColumns:
    def test_they_say_what_the_frames_say(self, dialect: Dialect, cuts: Cuts) -> None:
        stream = mixed(dialect)
        frames = feed(dialect.codec().connection(), REQUESTS, [stream])
        for pieces in list(cuts(stream))[:50]:
            connection = dialect.codec().connection()
            batches = [connection.feed_batch(REQUESTS, piece) for piece in pieces]
            columns: dict[str, list[int]] = {
                name: [value for batch in batches for value in getattr(batch, name)] for name in NUMBERS
            }
            assert columns["offsets"] == [frame.offset for frame in frames]
            assert columns["lengths"] == [len(frame) for frame in frames]
            assert columns["header_lengths"] == [len(frame.header) for frame in frames]
            assert columns["kinds"] == [frame.kind for frame in frames]
            assert columns["request_ids"] == [frame.request_id or 0 for frame in frames]
            assert columns["stream_ids"] == [frame.stream_id or 0 for frame in frames]
            assert sum(map(len, batches)) == len(frames)

    @pytest.mark.parametrize("name", NUMBERS)
    def test_numpy_sees_them_without_a_copy(self, dialect: Dialect, name: str) -> None:
        column = getattr(batch_of(dialect, mixed(dialect)), name)
        array = numpy.asarray(column)
        assert array.dtype == NUMBERS[name][1]
        assert array.shape == (58,)
        assert array.ctypes.data == address(column)
        assert not array.flags.writeable
        assert not array.flags.owndata
        assert array.tolist() == column.tolist() == list(column)
        assert numpy.shares_memory(array, numpy.asarray(memoryview(column)))

    def test_they_behave_as_sequences(self, dialect: Dialect) -> None:
        offsets = batch_of(dialect, mixed(dialect)).offsets
        assert len(offsets) == 58
        assert offsets[0] == 0
        assert offsets[-1] == list(offsets)[57]
        assert list(offsets[2:5]) == list(offsets)[2:5]
        with pytest.raises(IndexError):
            offsets[58]

    def test_they_outlive_the_batch(self, dialect: Dialect) -> None:
        batch: FrameBatch | None = batch_of(dialect, mixed(dialect), "method")
        assert batch is not None
        lengths, table = numpy.asarray(batch.lengths), pyarrow.record_batch(batch)
        expected = batch.lengths.tolist()
        del batch
        gc.collect()
        noise = [numpy.zeros(58, numpy.uint64) for _ in range(100)]
        assert lengths.tolist() == table["length"].to_pylist() == expected
        del noise

    def test_writing_is_refused(self, dialect: Dialect) -> None:
        offsets = batch_of(dialect, mixed(dialect)).offsets
        with pytest.raises((TypeError, ValueError)):
            memoryview(offsets)[0] = 5
        with pytest.raises((ValueError, BufferError)):
            numpy.asarray(offsets)[0] = 5


class TestRows:
    def test_rows_are_frames(self, dialect: Dialect) -> None:
        stream = mixed(dialect)
        batch = batch_of(dialect, stream)
        frames = dialect.codec().connection().feed(REQUESTS, stream)
        assert [bytes(batch[row]) for row in range(len(batch))] == [bytes(frame) for frame in frames]
        assert bytes(batch[-1]) == bytes(frames[-1])
        assert bytes(batch[-58]) == bytes(frames[0])
        assert batch[3].metadata == frames[3].metadata
        assert batch[3].kind is frames[3].kind
        assert [len(frame) for frame in batch] == batch.lengths.tolist()

    @pytest.mark.parametrize("row", [58, -59, 1 << 62, -(1 << 62)])
    def test_beyond_the_end(self, dialect: Dialect, row: int) -> None:
        with pytest.raises(IndexError, match=rf"row {row} of a batch of 58 frames"):
            batch_of(dialect, mixed(dialect))[row]

    def test_the_frame_that_straddles_chunks_is_row_0(self, dialect: Dialect) -> None:
        first, second, third = (dialect.request(number, 60) for number in (1, 2, 3))
        stream = first + second + third
        cut = len(first) + len(second) // 2
        connection = dialect.codec().connection()
        assert len(connection.feed_batch(REQUESTS, stream[:cut])) == 1
        batch = connection.feed_batch(REQUESTS, stream[cut:], columns=["method"])
        assert [bytes(frame) for frame in batch] == [second, third]
        assert batch.offsets.tolist() == [len(first), len(first) + len(second)]
        assert batch.column("method") == ["sayHello", "sayHello"]

    def test_empty(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        for data in (b"", dialect.request(1, 60)[:-1]):
            batch = connection.feed_batch(REQUESTS, data, columns=["method"])
            assert len(batch) == 0
            assert list(batch) == []
            assert batch.offsets.tolist() == []
            assert numpy.asarray(batch.kinds).shape == (0,)
            assert batch.column("method") == []
            assert batch.malformed == []
            assert pyarrow.record_batch(batch).num_rows == 0
            assert polars.DataFrame(batch).shape == (0, 7)

    def test_repr(self, dialect: Dialect) -> None:
        batch = batch_of(dialect, mixed(dialect), "method")
        assert repr(batch) == f"<FrameBatch of 58 {dialect.codec().name} frames, columns method>"
        assert repr(batch_of(dialect, b"")) == f"<FrameBatch of 0 {dialect.codec().name} frames>"


class TestMetadata:
    def test_text(self, dialect: Dialect) -> None:
        batch = batch_of(dialect, mixed(dialect), "method", "no such key")
        assert batch.columns == ("method", "no such key")
        assert batch.column("method") == [frame.metadata.get("method") for frame in batch] == ["sayHello"] * 58
        assert batch.column("no such key") == [None] * 58
        with pytest.raises(KeyError, match=r"name it in feed_batch"):
            batch.column("group")

    def test_no_columns_if_none_are_named(self, dialect: Dialect) -> None:
        assert batch_of(dialect, mixed(dialect)).columns == ()

    def test_numbers(self) -> None:
        batch = batch_of(DUBBO, mixed(DUBBO), "two_way", "param_count", "status", "group")
        assert batch.column("two_way") == [1, 0] * 29
        assert batch.column("param_count") == [1] * 58
        assert batch.column("status") == [None] * 58
        table = pyarrow.record_batch(batch)
        assert table.schema.field("two_way").type == pyarrow.int64()
        assert table.schema.field("status").type == pyarrow.int64()
        assert table.schema.field("group").type in (pyarrow.string(), pyarrow.large_string())
        assert table["group"].to_pylist() == ["blue"] * 58

    def test_thrift(self) -> None:
        for dialect in THRIFTS:
            batch = batch_of(dialect, mixed(dialect), "seq_id", "transport", "protocol", "arg.1")
            assert batch.column("seq_id") == batch.request_ids.tolist()
            assert set(batch.column("transport")) == {dialect.name.split()[1]}
            assert set(batch.column("protocol")) == {dialect.name.split()[2]}
            assert [len(str(value)) for value in batch.column("arg.1")] == [len(f.metadata["arg.1"]) for f in batch]  # type: ignore[arg-type]

    def test_a_python_codecs_numbers(self) -> None:
        stream = b"".join(toy_frame(Kind.REQUEST, 1, body) for body in (b"size=5\nmethod=a", b"method=7", b"size=-1"))
        batch = Toy().connection().feed_batch(REQUESTS, stream, columns=["size", "method"])
        assert batch.column("size") == [5, None, -1]
        assert batch.column("method") == ["a", "7", None]
        assert pyarrow.record_batch(batch).schema.field("size").type == pyarrow.int64()

    def test_rows_that_cannot_be_read(self) -> None:
        good, broken = DUBBO.request(1, 1), dubbo_frame(0xC2, 0, 2, b"\x05ab")
        connection = DUBBO.codec().connection()
        connection.feed(REQUESTS, good)
        batch = connection.feed_batch(REQUESTS, good + broken + good + broken, columns=["method", "group"])
        assert batch.column("method") == ["sayHello", None, "sayHello", None]
        assert batch.column("group") == ["blue", None, "blue", None]
        assert len(batch) == 4
        rows = [row for row, _ in batch.malformed]
        assert rows == [1, 3]
        for row, error in batch.malformed:
            assert isinstance(error, DecodeError)
            assert error.code == "unexpected_end"
            assert error.direction is REQUESTS
            assert error.offset == batch.offsets[row] + 16
            assert error.excerpt_offset >= batch.offsets[row]

    def test_rows_that_only_one_column_cannot_read(self) -> None:
        # The method is there; the attachments behind it are not.
        body = b"".join(map(hessian_string, ("2.0.2", "a.B", "1.0", "late", ""))) + b"H\x05ab"
        stream = DUBBO.request(1, 1) + dubbo_frame(0xC2, 0, 2, body)
        batch = batch_of(DUBBO, stream, "method", "group")
        assert batch.column("method") == ["sayHello", "late"]
        assert batch.column("group") == ["blue", None]
        assert [row for row, _ in batch.malformed] == [1]

    def test_rows_that_a_python_codec_cannot_read(self) -> None:
        stream = TOY.request(1, 1) + toy_frame(Kind.REQUEST, 2, b"method=\xff") + TOY.request(3, 1)
        batch = batch_of(TOY, stream, "method")
        assert batch.column("method") == ["sayHello", None, "sayHello"]
        [(row, error)] = batch.malformed
        assert row == 1
        assert error.code == "bad_encoding"

    def test_another_error_of_a_python_codec_is_its_bug(self) -> None:
        class Failing(Toy):
            def fields(self, frame: object) -> dict[str, str | int]:
                raise ZeroDivisionError("a bug of the codec")

        with pytest.raises(ZeroDivisionError):
            Failing().connection().feed_batch(REQUESTS, TOY.request(1, 1), columns=["method"])

    def test_many_rows_that_cannot_be_read(self) -> None:
        """Broken rows cost no more than others: with work that grows by the square this would take hours."""
        count = 400_000
        stream = dubbo_frame(0xC2, 0, 2, b"\x05") * count
        batch = batch_of(DUBBO, stream, "method", "group", "version")
        assert len(batch) == count
        assert len(batch.malformed) == count
        assert pyarrow.record_batch(batch)["method"].null_count == count


class TestTables:
    COLUMNS = ("offset", "length", "header_length", "kind", "request_id", "stream_id", "method")

    def check(self, table: Any, batch: FrameBatch) -> None:
        """The same content, whichever library took it."""
        rows = table.to_pylist()
        assert tuple(rows[0]) == self.COLUMNS
        for row, frame in zip(rows, batch, strict=True):
            assert row == {
                "offset": frame.offset,
                "length": len(frame),
                "header_length": len(frame.header),
                "kind": frame.kind.name.lower(),
                "request_id": frame.request_id,
                "stream_id": frame.stream_id,
                "method": "sayHello",
            }

    def test_arrow(self, dialect: Dialect) -> None:
        batch = batch_of(dialect, mixed(dialect), "method")
        record_batch = pyarrow.record_batch(batch)
        record_batch.validate(full=True)
        self.check(record_batch, batch)
        table = pyarrow.table(batch)
        table.validate(full=True)
        self.check(table, batch)
        self.check(pyarrow.RecordBatchReader.from_stream(batch).read_all(), batch)
        assert pyarrow.schema(batch) == record_batch.schema
        assert not record_batch.schema.field("offset").nullable
        assert record_batch.schema.field("request_id").nullable

    def test_arrow_shares_the_memory(self, dialect: Dialect) -> None:
        batch = batch_of(dialect, mixed(dialect))
        _, values = pyarrow.record_batch(batch)["offset"].buffers()
        assert values.address == address(batch.offsets)

    def test_polars(self, dialect: Dialect) -> None:
        batch = batch_of(dialect, mixed(dialect), "method")
        for frame in (polars.DataFrame(batch), polars.from_arrow(pyarrow.table(batch))):
            assert isinstance(frame, polars.DataFrame)
            self.check(frame.to_arrow(), batch)
            assert frame["length"].sum() == sum(batch.lengths)

    def test_pandas(self, dialect: Dialect) -> None:
        batch = batch_of(dialect, mixed(dialect), "method")
        for frame in (pandas.DataFrame.from_arrow(batch), pyarrow.table(batch).to_pandas()):
            assert list(frame.columns) == list(self.COLUMNS)
            assert frame["length"].tolist() == batch.lengths.tolist()
            assert frame["kind"].tolist() == ["request", "oneway"] * 29
            assert frame["method"].tolist() == ["sayHello"] * 58

    def test_duckdb(self, dialect: Dialect) -> None:
        batch = batch_of(dialect, mixed(dialect), "method")
        with duckdb.connect() as database:
            database.register("frames", pyarrow.table(batch))
            query = "select method, kind, count(*), sum(length)::bigint from frames group by all order by kind"
            counted = database.sql(query).fetchall()
            direct = database.sql("select count(*), max(request_id) from batch").fetchall()
        lengths = [[len(frame) for frame in batch if frame.kind is kind] for kind in (Kind.ONEWAY, Kind.REQUEST)]
        assert counted == [
            ("sayHello", "oneway", 29, sum(lengths[0])),
            ("sayHello", "request", 29, sum(lengths[1])),
        ]
        assert direct == [(58, 129)]

    def test_absent_ids_are_null(self) -> None:
        stream = b"".join(
            toy_frame(Kind.REQUEST, number, b"", stream) for number, stream in ((7, None), (None, 3), (None, None))
        )
        batch = Toy().connection().feed_batch(REQUESTS, stream)
        assert batch.request_ids.tolist() == [7, 0, 0]
        assert batch.stream_ids.tolist() == [0, 3, 0]
        table = pyarrow.record_batch(batch)
        assert table["request_id"].to_pylist() == [7, None, None]
        assert table["stream_id"].to_pylist() == [None, 3, None]

    def test_present_ids_are_not(self, native: Dialect) -> None:
        table = pyarrow.record_batch(batch_of(native, mixed(native)))
        assert table["request_id"].null_count == 0
        assert table["stream_id"].null_count == 58

    def test_ids_of_bytes_are_null(self) -> None:
        class Tagged(Toy):
            def split(self, buffer: object, **_: object) -> Head | NeedMore:
                head = super().split(buffer)
                assert isinstance(head, Head)
                return Head(head.kind, head.frame_len, header_len=head.header_len, request_id=b"tag")

        batch = Tagged().connection().feed_batch(REQUESTS, TOY.request(1, 1))
        assert pyarrow.record_batch(batch)["request_id"].to_pylist() == [None]
        assert batch[0].request_id == b"tag"

    def test_every_kind_has_its_name(self) -> None:
        batch = Toy().connection().feed_batch(REQUESTS, b"".join(toy_frame(kind, 1) for kind in Kind))
        assert pyarrow.record_batch(batch)["kind"].to_pylist() == [kind.name.lower() for kind in Kind]
        assert [Kind(number) for number in batch.kinds] == list(Kind)

    def test_a_wish_for_another_schema_may_be_ignored(self, native: Dialect) -> None:
        batch = batch_of(native, mixed(native))
        schema = pyarrow.schema([("offset", pyarrow.int8())])
        _, array = batch.__arrow_c_array__(requested_schema=schema.__arrow_c_schema__())
        assert array is not None
        assert batch.__arrow_c_stream__(schema.__arrow_c_schema__()) is not None

    def test_capsules_that_nobody_takes_are_freed(self, native: Dialect) -> None:
        batch = batch_of(native, mixed(native), "method")
        for _ in range(1000):
            batch.__arrow_c_schema__()
            batch.__arrow_c_array__()
            batch.__arrow_c_stream__()
        self.check(pyarrow.record_batch(batch), batch)


class TestObjects:
    COUNT = 100_000

    def test_none_is_made_per_frame(self, native: Dialect) -> None:
        stream = native.request(1, 8) * self.COUNT
        connection = native.codec().connection()
        columns = ["group" if native is DUBBO else "method"]
        gc.collect()
        before = sys.getallocatedblocks()
        batch = connection.feed_batch(REQUESTS, stream, columns=columns)
        table = pyarrow.record_batch(batch)
        made = sys.getallocatedblocks() - before
        assert len(batch) == table.num_rows == self.COUNT
        assert made < 1000

    def test_python_memory_stays_flat(self, native: Dialect) -> None:
        stream = native.request(1, 8) * self.COUNT
        connection = native.codec().connection()
        tracemalloc.start()
        try:
            batch = connection.feed_batch(REQUESTS, stream)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(batch) == self.COUNT
        assert peak < 100_000

    def test_the_measure_itself(self, native: Dialect) -> None:
        """Object mode does make them, beyond the few whose memory was kept, so the test above can fail."""
        before = sys.getallocatedblocks()
        frames = native.codec().connection().feed(REQUESTS, native.request(1, 8) * 10_000)
        assert sys.getallocatedblocks() - before > len(frames) / 2
