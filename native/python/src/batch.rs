//! Many frames as columns: no Python object is made per frame.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_int, c_void};
use std::sync::Arc;

use arrow_array::builder::Int64Builder;
use arrow_array::types::UInt8Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, LargeStringArray, RecordBatch, StringArray, UInt8Array, UInt32Array, UInt64Array,
};
use arrow_buffer::{ArrowNativeType, Buffer, NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema};
use metaprotocol_core as core;
use pyo3::exceptions::{PyIndexError, PyKeyError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCapsule, PyIterator, PyList, PyMemoryView, PyString, PyTuple};

use crate::arrow;
use crate::chunk::Chunk;
use crate::errors;
use crate::frame::Frame;

/// From this many frames on, metadata columns are filled without the GIL.
const DETACH_FROM: usize = 1024;

/// A column of numbers behind the buffer protocol: `numpy.asarray(column)` copies nothing.
#[pyclass(frozen, sequence, module = "metaprotocol")]
pub struct Column {
    values: Buffer,
    item_len: isize,
    format: &'static CStr,
    /// Items, and bytes from one to the next: the buffer view points here.
    shape: [isize; 1],
    strides: [isize; 1],
}

impl Column {
    fn new(values: Buffer, item_len: usize, format: &'static CStr) -> Self {
        let (len, item_len) = ((values.len() / item_len) as isize, item_len as isize);
        Self { values, item_len, format, shape: [len], strides: [item_len] }
    }
}

#[pymethods]
impl Column {
    fn __len__(&self) -> usize {
        self.shape[0].cast_unsigned()
    }

    /// An item, or a slice as a memoryview.
    fn __getitem__<'py>(slf: &Bound<'py, Self>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        PyMemoryView::from(slf.as_any())?.as_any().get_item(index)
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyIterator>> {
        PyMemoryView::from(slf.as_any())?.as_any().try_iter()
    }

    /// The items as a list of Python integers.
    fn tolist<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        PyMemoryView::from(slf.as_any())?.call_method0("tolist")
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let format = slf.get().format.to_string_lossy();
        Ok(format!("<Column of {} items, format {format:?}>", slf.get().__len__()))
    }

    // SAFETY: Python calls this slot with a valid view. The column is immutable and outlives the view, which owns a
    // reference to it; everything the view points to is part of the column.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let this = slf.get();
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE {
            return Err(pyo3::exceptions::PyBufferError::new_err("columns of a FrameBatch are read-only"));
        }
        let wants = |flag: c_int| flags & flag == flag;
        // SAFETY: as above; the fields are set as PEP 3118 asks for a one-dimensional contiguous array.
        unsafe {
            (*view).buf = this.values.as_ptr().cast_mut().cast::<c_void>();
            (*view).len = this.values.len() as isize;
            (*view).readonly = 1;
            (*view).itemsize = this.item_len;
            (*view).format =
                if wants(ffi::PyBUF_FORMAT) { this.format.as_ptr().cast_mut() } else { std::ptr::null_mut() };
            (*view).ndim = 1;
            (*view).shape = if wants(ffi::PyBUF_ND) { this.shape.as_ptr().cast_mut() } else { std::ptr::null_mut() };
            (*view).strides =
                if wants(ffi::PyBUF_STRIDES) { this.strides.as_ptr().cast_mut() } else { std::ptr::null_mut() };
            (*view).suboffsets = std::ptr::null_mut();
            (*view).internal = std::ptr::null_mut();
            (*view).obj = slf.into_any().into_ptr();
        }
        Ok(())
    }
}

/// Which rows have an id, or `None` if all do.
fn present(rows: &Rows, id: fn(&core::Head) -> Option<u64>) -> Option<NullBuffer> {
    let present = rows.collect(|head, _| id(head).is_some());
    if present.iter().all(|present| *present) { None } else { Some(NullBuffer::from(present)) }
}

fn request_id(head: &core::Head) -> Option<u64> {
    match head.request_id {
        core::RequestId::Int(id) => Some(id),
        core::RequestId::None | core::RequestId::Bytes { .. } => None,
    }
}

fn stream_id(head: &core::Head) -> Option<u64> {
    head.stream_id
}

/// Why a row's metadata could not be read.
enum Malformed {
    /// As a native codec tells it, from the start of the frame.
    Native(core::DecodeError),
    /// As a codec written in Python raised it.
    Python(Py<PyAny>),
}

/// Metadata columns, and the rows that could not be read: one error each, whichever of its columns showed it first.
type Columns = (Vec<ArrayRef>, BTreeMap<usize, Malformed>);

/// Where the rows come from.
enum Rows {
    /// Frames split by a native codec from one chunk.
    Chunk {
        codec: Arc<dyn core::AnyCodec>,
        chunk: Py<Chunk>,
        /// The frame that earlier chunks began: row 0.
        carried: Option<(Py<Chunk>, core::Head)>,
        placed: Vec<core::Placed>,
    },
    /// Frames that exist as objects, because a codec written in Python made them.
    Objects(Vec<Py<Frame>>),
}

/// The frames of one chunk as columns.
#[pyclass(frozen, sequence, module = "metaprotocol")]
pub struct FrameBatch {
    protocol: String,
    rows: Rows,
    keys: Vec<String>,
    columns: Vec<ArrayRef>,
    malformed: BTreeMap<usize, Malformed>,
    /// The fixed columns, each made when first asked for, and shared by the buffer protocol and Arrow.
    numbers: [PyOnceLock<Py<Column>>; 6],
}

/// A column of text under way: Arrow's own layout, without its builder's bookkeeping per value.
struct TextBuilder {
    offsets: Vec<i64>,
    bytes: Vec<u8>,
    absent: Vec<usize>,
}

impl TextBuilder {
    fn with_capacity(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, bytes: Vec::with_capacity(rows * 16), absent: Vec::new() }
    }

    #[inline]
    fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.end_row();
    }

    #[inline]
    fn push_null(&mut self) {
        self.absent.push(self.offsets.len() - 1);
        self.end_row();
    }

    #[inline]
    fn end_row(&mut self) {
        self.offsets.push(self.bytes.len() as i64);
    }

    fn finish(self) -> ArrayRef {
        let rows = self.offsets.len() - 1;
        let valid = (!self.absent.is_empty()).then(|| {
            let mut valid = vec![true; rows];
            for row in self.absent {
                if let Some(valid) = valid.get_mut(row) {
                    *valid = false;
                }
            }
            NullBuffer::from(valid)
        });
        // SAFETY: `push` is the only writer: it appends whole `str`s and then their end, so every run between offsets is
        // UTF-8, and the offsets start at 0, never fall, and end at the length of the bytes. `valid` has a bit a row.
        Arc::new(unsafe {
            let offsets = OffsetBuffer::new_unchecked(self.offsets.into());
            LargeStringArray::new_unchecked(offsets, Buffer::from_vec(self.bytes), valid)
        })
    }
}

enum Builder {
    Text(TextBuilder),
    Number(Int64Builder),
}

impl Builder {
    fn new(number: bool, rows: usize) -> Self {
        match number {
            true => Self::Number(Int64Builder::with_capacity(rows)),
            false => Self::Text(TextBuilder::with_capacity(rows)),
        }
    }

    fn push(&mut self, value: Option<core::Value<'_>>) {
        match (self, value) {
            (Self::Text(builder), None) => builder.push_null(),
            (Self::Text(builder), Some(core::Value::Str(text))) => builder.push(&text),
            (Self::Text(builder), Some(value)) => builder.push(&value.to_text()),
            (Self::Number(builder), Some(core::Value::Int(number))) => builder.append_value(number),
            (Self::Number(builder), Some(core::Value::UInt(number))) => builder.append_value(number.cast_signed()),
            (Self::Number(builder), _) => builder.append_null(),
        }
    }

    fn finish(self) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Text(builder) => Ok(builder.finish()),
            Self::Number(mut builder) => Ok(Arc::new(builder.finish())),
        }
    }
}

impl FrameBatch {
    /// The frames that one chunk completed, with a column for each of `keys`.
    pub fn new(
        py: Python<'_>,
        codec: &Arc<dyn core::AnyCodec>,
        chunk: Py<Chunk>,
        carried: Option<(Py<Chunk>, core::Head)>,
        placed: Vec<core::Placed>,
        keys: &[String],
    ) -> PyResult<Self> {
        let protocol = codec.info().name.to_string();
        let rows = Rows::Chunk { codec: Arc::clone(codec), chunk, carried, placed };
        let (columns, malformed) = match rows.len() {
            _ if keys.is_empty() => Ok(Columns::default()),
            DETACH_FROM.. => py.detach(|| rows.read_columns(keys)),
            _ => rows.read_columns(keys),
        }
        .map_err(|error| arrow::error(&error))?;
        let numbers = std::array::from_fn(|_| PyOnceLock::new());
        Ok(Self { protocol, rows, keys: keys.to_vec(), columns, malformed, numbers })
    }
}

impl Rows {
    fn len(&self) -> usize {
        match self {
            Self::Chunk { carried, placed, .. } => placed.len() + usize::from(carried.is_some()),
            Self::Objects(frames) => frames.len(),
        }
    }

    fn read_columns(&self, keys: &[String]) -> Result<Columns, ArrowError> {
        let Self::Chunk { codec, chunk, carried, placed } = self else { return Ok(Columns::default()) };
        let limits = &chunk.get().limits;
        let info = codec.info();
        let rows = self.len();
        let mut malformed = BTreeMap::new();
        let columns = keys.iter().map(|name| {
            let key = codec.key(name);
            let number = info.keys.iter().any(|known| known.name == name.as_str() && known.number);
            let mut builder = Builder::new(number, rows);
            let bytes = chunk.get().memory.bytes();
            let carried = carried.iter().map(|(chunk, head)| (*head, chunk.get().memory.bytes()));
            let placed = placed.iter().map(|placed| (placed.head, bytes.get(placed.at..).unwrap_or_default()));
            for (row, (head, bytes)) in carried.chain(placed).enumerate() {
                let field = match core::Frame::new(head, bytes) {
                    Some(frame) => codec.field(frame, &key, limits),
                    None => Ok(None),
                };
                match field {
                    Ok(value) => builder.push(value),
                    Err(error) => {
                        builder.push(None);
                        malformed.entry(row).or_insert(Malformed::Native(error));
                    }
                }
            }
            builder.finish()
        });
        let columns = columns.collect::<Result<_, _>>()?;
        Ok((columns, malformed))
    }

    /// One value of every row, from its head and its offset in the stream.
    #[inline]
    fn collect<T>(&self, value: impl Fn(&core::Head, u64) -> T) -> Vec<T> {
        match self {
            Self::Objects(frames) => {
                frames.iter().map(|frame| value(&frame.get().head, frame.get().stream_offset())).collect()
            }
            Self::Chunk { chunk, carried, placed, .. } => {
                let base = chunk.get().offset;
                let mut values = Vec::with_capacity(self.len());
                values.extend(carried.iter().map(|(chunk, head)| value(head, chunk.get().offset)));
                values.extend(placed.iter().map(|placed| value(&placed.head, base + placed.at as u64)));
                values
            }
        }
    }

    fn frame<'py>(&self, py: Python<'py>, row: usize) -> PyResult<Option<Bound<'py, Frame>>> {
        match self {
            Self::Objects(frames) => Ok(frames.get(row).map(|frame| frame.bind(py).clone())),
            Self::Chunk { chunk, carried, placed, .. } => match (carried, row) {
                (Some((chunk, head)), 0) => Frame::object(py, chunk.clone_ref(py), 0, *head).map(Some),
                _ => placed
                    .get(row - usize::from(carried.is_some()))
                    .map(|placed| Frame::object(py, chunk.clone_ref(py), placed.at, placed.head))
                    .transpose(),
            },
        }
    }
}

impl FrameBatch {
    /// A fixed column, made on the first call.
    fn number<'py, T: ArrowNativeType>(
        &self,
        py: Python<'py>,
        slot: &PyOnceLock<Py<Column>>,
        format: &'static CStr,
        value: impl Fn(&core::Head, u64) -> T,
    ) -> PyResult<Bound<'py, Column>> {
        let column = slot.get_or_try_init(py, || {
            Py::new(py, Column::new(Buffer::from_vec(self.rows.collect(value)), size_of::<T>(), format))
        })?;
        Ok(column.bind(py).clone())
    }

    fn record_batch(&self, py: Python<'_>) -> PyResult<RecordBatch> {
        let names = StringArray::from_iter_values(core::Kind::ALL.iter().map(|kind| kind.name()));
        let kinds = DictionaryArray::<UInt8Type>::try_new(
            UInt8Array::new(self.kinds(py)?.get().values.clone().into(), None),
            Arc::new(names),
        )
        .map_err(|error| arrow::error(&error))?;
        let uint64 = |column: Bound<'_, Column>, valid: Option<NullBuffer>| -> ArrayRef {
            Arc::new(UInt64Array::new(column.get().values.clone().into(), valid))
        };
        let mut fields = vec![
            Field::new("offset", DataType::UInt64, false),
            Field::new("length", DataType::UInt64, false),
            Field::new("header_length", DataType::UInt32, false),
            Field::new("kind", kinds.data_type().clone(), false),
            Field::new("request_id", DataType::UInt64, true),
            Field::new("stream_id", DataType::UInt64, true),
        ];
        let mut columns: Vec<ArrayRef> = vec![
            uint64(self.offsets(py)?, None),
            uint64(self.lengths(py)?, None),
            Arc::new(UInt32Array::new(self.header_lengths(py)?.get().values.clone().into(), None)),
            Arc::new(kinds),
            uint64(self.request_ids(py)?, present(&self.rows, request_id)),
            uint64(self.stream_ids(py)?, present(&self.rows, stream_id)),
        ];
        for (name, column) in self.keys.iter().zip(&self.columns) {
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(Arc::clone(column));
        }
        RecordBatch::try_new(Arc::new(Schema::new(Fields::from(fields))), columns).map_err(|error| arrow::error(&error))
    }
}

/// A value that a codec written in Python gave.
fn from_python(value: &Bound<'_, PyAny>) -> PyResult<core::Value<'static>> {
    Ok(if let Ok(number) = value.extract::<i64>() {
        core::Value::Int(number)
    } else if let Ok(number) = value.extract::<u64>() {
        core::Value::UInt(number)
    } else {
        core::Value::Str(value.str()?.to_str()?.to_owned().into())
    })
}

#[pymethods]
impl FrameBatch {
    /// For connections of Python codecs: a batch of frames that exist already.
    #[new]
    fn of_frames(
        py: Python<'_>,
        codec: &Bound<'_, PyAny>,
        frames: Vec<Py<Frame>>,
        keys: Vec<String>,
    ) -> PyResult<Self> {
        let mut number_keys: Vec<String> = Vec::new();
        for known in codec.getattr("keys")?.try_iter()? {
            let known = known?;
            if known.getattr("number")?.is_truthy()? {
                number_keys.push(known.getattr("name")?.extract()?);
            }
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(keys.len());
        let mut malformed = BTreeMap::new();
        for key in &keys {
            let mut builder = Builder::new(number_keys.contains(key), frames.len());
            let key = PyString::new(py, key);
            for (row, frame) in frames.iter().enumerate() {
                match Frame::field(frame.bind(py), &key) {
                    Ok(Some(value)) => builder.push(Some(from_python(&value)?)),
                    Ok(None) => builder.push(None),
                    Err(error) if errors::is_decode_error(py, &error)? => {
                        builder.push(None);
                        malformed.entry(row).or_insert(Malformed::Python(error.into_value(py).into_any()));
                    }
                    Err(error) => return Err(error),
                }
            }
            columns.push(builder.finish().map_err(|error| arrow::error(&error))?);
        }
        let protocol = codec.getattr("name")?.extract()?;
        let numbers = std::array::from_fn(|_| PyOnceLock::new());
        Ok(Self { protocol, rows: Rows::Objects(frames), keys, columns, malformed, numbers })
    }

    #[getter]
    fn offsets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Column>> {
        self.number(py, &self.numbers[0], c"Q", |_, offset| offset)
    }

    #[getter]
    fn lengths<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Column>> {
        self.number(py, &self.numbers[1], c"Q", |head, _| head.frame_len as u64)
    }

    #[getter]
    fn header_lengths<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Column>> {
        self.number(py, &self.numbers[2], c"I", |head, _| head.header_len)
    }

    #[getter]
    fn kinds<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Column>> {
        self.number(py, &self.numbers[3], c"B", |head, _| head.kind as u8)
    }

    #[getter]
    fn request_ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Column>> {
        self.number(py, &self.numbers[4], c"Q", |head, _| request_id(head).unwrap_or(0))
    }

    #[getter]
    fn stream_ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Column>> {
        self.number(py, &self.numbers[5], c"Q", |head, _| stream_id(head).unwrap_or(0))
    }

    #[getter]
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.keys)
    }

    /// The values of one metadata column as Python objects; for tables, take the Arrow export.
    fn column<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Bound<'py, PyList>> {
        let Some(at) = self.keys.iter().position(|known| known == key) else {
            return Err(PyKeyError::new_err(format!(
                "{key:?} is not a column of this batch; name it in feed_batch(…, columns=[…])"
            )));
        };
        let Some(column) = self.columns.get(at) else { return Ok(PyList::empty(py)) };
        if let Some(text) = column.as_any().downcast_ref::<LargeStringArray>() {
            return PyList::new(py, text.iter());
        }
        match column.as_any().downcast_ref::<arrow_array::Int64Array>() {
            Some(numbers) => PyList::new(py, numbers.iter()),
            None => Ok(PyList::empty(py)),
        }
    }

    /// Rows whose metadata could not be read, with the errors.
    #[getter]
    fn malformed<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let (py, this) = (slf.py(), slf.get());
        let list = PyList::empty(py);
        for (row, error) in &this.malformed {
            let error = match error {
                Malformed::Python(error) => error.clone_ref(py),
                Malformed::Native(error) => {
                    let Some(frame) = this.rows.frame(py, *row)? else { continue };
                    let (bytes, offset) = (frame.get().view().bytes, frame.get().stream_offset());
                    let direction = Some(frame.get().chunk.get().direction);
                    let error = errors::decode_error_in(py, &this.protocol, direction, error, bytes, offset);
                    error.into_value(py).into_any()
                }
            };
            list.append((*row, error))?;
        }
        Ok(list)
    }

    fn __len__(&self) -> usize {
        self.rows.len()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, row: isize) -> PyResult<Bound<'py, Frame>> {
        let len = self.rows.len();
        let at = if row < 0 { row + len as isize } else { row };
        let frame = match usize::try_from(at) {
            Ok(at) if at < len => self.rows.frame(py, at)?,
            _ => None,
        };
        frame.ok_or_else(|| PyIndexError::new_err(format!("row {row} of a batch of {len} frames")))
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        arrow::schema(py, &self.record_batch(py)?)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        // The protocol lets a producer ignore the wish and give its own schema.
        let _ = requested_schema;
        arrow::array(py, self.record_batch(py)?)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // As in `__arrow_c_array__`.
        let _ = requested_schema;
        arrow::stream(py, self.record_batch(py)?)
    }

    fn __repr__(&self) -> String {
        let columns = if self.keys.is_empty() { String::new() } else { format!(", columns {}", self.keys.join(", ")) };
        format!("<FrameBatch of {} {} frames{columns}>", self.rows.len(), self.protocol)
    }
}
