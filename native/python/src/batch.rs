//! Many frames as columns: no Python object is made per frame.

use std::ffi::{CStr, c_int, c_void};
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, StringBuilder};
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, to_ffi};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::UInt8Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, RecordBatch, RecordBatchIterator, StringArray, StructArray, UInt8Array,
    UInt32Array, UInt64Array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema};
use metaprotocol_core as core;
use pyo3::exceptions::{PyIndexError, PyKeyError, PyRuntimeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCapsule, PyList, PyMemoryView, PyString, PyTuple};

use crate::chunk::Chunk;
use crate::errors;
use crate::frame::Frame;

/// From this many frames on, metadata columns are filled without the GIL.
const DETACH_FROM: usize = 64;

/// A column of numbers behind the buffer protocol: `numpy.asarray(column)` copies nothing.
#[pyclass(frozen, module = "metaprotocol._native")]
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

/// The fixed columns, made when first asked for and shared by the buffer protocol and Arrow.
struct Numbers {
    offsets: ScalarBuffer<u64>,
    lengths: ScalarBuffer<u64>,
    header_lengths: ScalarBuffer<u32>,
    kinds: ScalarBuffer<u8>,
    request_ids: ScalarBuffer<u64>,
    request_id_valid: Option<NullBuffer>,
    stream_ids: ScalarBuffer<u64>,
    stream_id_valid: Option<NullBuffer>,
}

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
    malformed: Vec<(usize, core::DecodeError)>,
    numbers: PyOnceLock<Numbers>,
}

enum Builder {
    Text(StringBuilder),
    Number(Int64Builder),
}

impl Builder {
    fn push(&mut self, value: Option<core::Value<'_>>) {
        match (self, value) {
            (Self::Text(builder), None) => builder.append_null(),
            (Self::Text(builder), Some(core::Value::Str(text))) => builder.append_value(text),
            (Self::Text(builder), Some(value)) => builder.append_value(value.to_text()),
            (Self::Number(builder), Some(core::Value::Int(number))) => builder.append_value(number),
            (Self::Number(builder), Some(core::Value::UInt(number))) => builder.append_value(number.cast_signed()),
            (Self::Number(builder), _) => builder.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Number(mut builder) => Arc::new(builder.finish()),
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
    ) -> Self {
        let protocol = codec.info().name.to_string();
        let rows = Rows::Chunk { codec: Arc::clone(codec), chunk, carried, placed };
        let (columns, malformed) = match rows.len() {
            _ if keys.is_empty() => Default::default(),
            DETACH_FROM.. => py.detach(|| rows.read_columns(keys)),
            _ => rows.read_columns(keys),
        };
        Self { protocol, rows, keys: keys.to_vec(), columns, malformed, numbers: PyOnceLock::new() }
    }
}

impl Rows {
    fn len(&self) -> usize {
        match self {
            Self::Chunk { carried, placed, .. } => placed.len() + usize::from(carried.is_some()),
            Self::Objects(frames) => frames.len(),
        }
    }

    /// The frame at a row, its codec and limits, if a native codec made it.
    fn view(&self, row: usize) -> Option<(core::Frame<'_>, &Chunk)> {
        let (chunk, head, at) = match self {
            Self::Objects(_) => return None,
            Self::Chunk { chunk, carried, placed, .. } => match (carried, row) {
                (Some((chunk, head)), 0) => (chunk, head, 0),
                _ => {
                    let placed = placed.get(row - usize::from(carried.is_some()))?;
                    (chunk, &placed.head, placed.at)
                }
            },
        };
        let chunk = chunk.get();
        let frame = core::Frame::new(*head, chunk.memory.bytes().get(at..).unwrap_or_default())?;
        Some((frame, chunk))
    }

    fn read_columns(&self, keys: &[String]) -> (Vec<ArrayRef>, Vec<(usize, core::DecodeError)>) {
        let Self::Chunk { codec, .. } = self else { return Default::default() };
        let info = codec.info();
        let rows = self.len();
        let mut malformed: Vec<(usize, core::DecodeError)> = Vec::new();
        let columns = keys.iter().map(|name| {
            let key = codec.key(name);
            let number = info.keys.iter().any(|known| known.name == name.as_str() && known.number);
            let mut builder = match number {
                true => Builder::Number(Int64Builder::with_capacity(rows)),
                false => Builder::Text(StringBuilder::with_capacity(rows, rows * 16)),
            };
            for row in 0..rows {
                let field = match self.view(row) {
                    Some((frame, chunk)) => codec.field(frame, &key, &chunk.limits),
                    None => Ok(None),
                };
                match field {
                    Ok(value) => builder.push(value),
                    Err(error) => {
                        builder.push(None);
                        // The same row fails once, whichever of its columns shows it.
                        if malformed.iter().all(|(known, _)| *known != row) {
                            malformed.push((row, error));
                        }
                    }
                }
            }
            builder.finish()
        });
        let columns = columns.collect();
        (columns, malformed)
    }

    fn heads(&self) -> Vec<&core::Head> {
        match self {
            Self::Chunk { carried, placed, .. } => {
                let carried = carried.iter().map(|(_, head)| head);
                carried.chain(placed.iter().map(|placed| &placed.head)).collect()
            }
            Self::Objects(frames) => frames.iter().map(|frame| &frame.get().head).collect(),
        }
    }

    fn offsets(&self) -> Vec<u64> {
        match self {
            Self::Chunk { chunk, carried, placed, .. } => {
                let base = chunk.get().offset;
                let carried = carried.iter().map(|(chunk, _)| chunk.get().offset);
                carried.chain(placed.iter().map(|placed| base + placed.at as u64)).collect()
            }
            Self::Objects(frames) => frames.iter().map(|frame| frame.get().stream_offset()).collect(),
        }
    }

    fn frame<'py>(&self, py: Python<'py>, row: usize) -> PyResult<Option<Bound<'py, Frame>>> {
        match self {
            Self::Objects(frames) => Ok(frames.get(row).map(|frame| frame.bind(py).clone())),
            Self::Chunk { chunk, carried, placed, .. } => match (carried, row) {
                (Some((chunk, head)), 0) => Bound::new(py, Frame::new(chunk.clone_ref(py), 0, *head)).map(Some),
                _ => placed
                    .get(row - usize::from(carried.is_some()))
                    .map(|placed| Bound::new(py, Frame::new(chunk.clone_ref(py), placed.at, placed.head)))
                    .transpose(),
            },
        }
    }
}

impl FrameBatch {
    fn numbers(&self, py: Python<'_>) -> &Numbers {
        self.numbers.get_or_init(py, || {
            let heads = self.rows.heads();
            let ids = |get: fn(&core::Head) -> Option<u64>| -> (ScalarBuffer<u64>, Option<NullBuffer>) {
                let values = heads.iter().map(|head| get(head).unwrap_or(0)).collect::<Vec<_>>().into();
                let valid = match heads.iter().all(|head| get(head).is_some()) {
                    true => None,
                    false => {
                        Some(NullBuffer::new(heads.iter().map(|head| get(head).is_some()).collect::<BooleanBuffer>()))
                    }
                };
                (values, valid)
            };
            let (request_ids, request_id_valid) = ids(|head| match head.request_id {
                core::RequestId::Int(id) => Some(id),
                _ => None,
            });
            let (stream_ids, stream_id_valid) = ids(|head| head.stream_id);
            Numbers {
                offsets: self.rows.offsets().into(),
                lengths: heads.iter().map(|head| head.frame_len as u64).collect::<Vec<_>>().into(),
                header_lengths: heads.iter().map(|head| head.header_len).collect::<Vec<_>>().into(),
                kinds: heads.iter().map(|head| head.kind as u8).collect::<Vec<_>>().into(),
                request_ids,
                request_id_valid,
                stream_ids,
                stream_id_valid,
            }
        })
    }

    fn record_batch(&self, py: Python<'_>) -> Result<RecordBatch, ArrowError> {
        let numbers = self.numbers(py);
        let names = StringArray::from_iter_values(core::Kind::ALL.iter().map(|kind| kind.name()));
        let kinds =
            DictionaryArray::<UInt8Type>::try_new(UInt8Array::new(numbers.kinds.clone(), None), Arc::new(names))?;
        let uint64 = |values: &ScalarBuffer<u64>, valid: &Option<NullBuffer>| -> ArrayRef {
            Arc::new(UInt64Array::new(values.clone(), valid.clone()))
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
            uint64(&numbers.offsets, &None),
            uint64(&numbers.lengths, &None),
            Arc::new(UInt32Array::new(numbers.header_lengths.clone(), None)),
            Arc::new(kinds),
            uint64(&numbers.request_ids, &numbers.request_id_valid),
            uint64(&numbers.stream_ids, &numbers.stream_id_valid),
        ];
        for (name, column) in self.keys.iter().zip(&self.columns) {
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(Arc::clone(column));
        }
        RecordBatch::try_new(Arc::new(Schema::new(Fields::from(fields))), columns)
    }
}

fn arrow_error(error: &ArrowError) -> PyErr {
    PyRuntimeError::new_err(format!("cannot export the batch to Arrow: {error}"))
}

fn view<'py>(py: Python<'py>, column: Column) -> PyResult<Bound<'py, PyMemoryView>> {
    PyMemoryView::from(Bound::new(py, column)?.as_any())
}

#[pymethods]
impl FrameBatch {
    /// For connections of Python codecs: a batch of frames that exist already.
    #[new]
    fn of_frames(py: Python<'_>, protocol: String, frames: Vec<Py<Frame>>, keys: Vec<String>) -> PyResult<Self> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(keys.len());
        for key in &keys {
            let key = PyString::new(py, key);
            let mut builder = StringBuilder::with_capacity(frames.len(), frames.len() * 16);
            for frame in &frames {
                match Frame::field(frame.bind(py), &key)? {
                    Some(value) => builder.append_value(value.str()?.to_str()?),
                    None => builder.append_null(),
                }
            }
            columns.push(Arc::new(builder.finish()));
        }
        let rows = Rows::Objects(frames);
        Ok(Self { protocol, rows, keys, columns, malformed: Vec::new(), numbers: PyOnceLock::new() })
    }

    #[getter]
    fn offsets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        view(py, Column::new(self.numbers(py).offsets.inner().clone(), 8, c"Q"))
    }

    #[getter]
    fn lengths<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        view(py, Column::new(self.numbers(py).lengths.inner().clone(), 8, c"Q"))
    }

    #[getter]
    fn header_lengths<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        view(py, Column::new(self.numbers(py).header_lengths.inner().clone(), 4, c"I"))
    }

    #[getter]
    fn kinds<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        view(py, Column::new(self.numbers(py).kinds.inner().clone(), 1, c"B"))
    }

    #[getter]
    fn request_ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        view(py, Column::new(self.numbers(py).request_ids.inner().clone(), 8, c"Q"))
    }

    #[getter]
    fn stream_ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        view(py, Column::new(self.numbers(py).stream_ids.inner().clone(), 8, c"Q"))
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
        if let Some(text) = column.as_any().downcast_ref::<StringArray>() {
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
            if let Some((frame, chunk)) = this.rows.view(*row) {
                let offset = this.rows.offsets().get(*row).copied().unwrap_or_default();
                let direction = Some(chunk.direction);
                let error = errors::decode_error_in(py, &this.protocol, direction, error, frame.bytes, offset);
                list.append((*row, error.into_value(py)))?;
            }
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
        let schema = self.record_batch(py).map_err(|error| arrow_error(&error))?.schema();
        let schema = FFI_ArrowSchema::try_from(schema.as_ref()).map_err(|error| arrow_error(&error))?;
        PyCapsule::new_with_value(py, schema, c"arrow_schema")
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        // The protocol lets a producer ignore the wish and give its own schema.
        let _ = requested_schema;
        let table = StructArray::from(self.record_batch(py).map_err(|error| arrow_error(&error))?);
        let (array, schema): (FFI_ArrowArray, FFI_ArrowSchema) =
            to_ffi(&table.to_data()).map_err(|error| arrow_error(&error))?;
        Ok((
            PyCapsule::new_with_value(py, schema, c"arrow_schema")?,
            PyCapsule::new_with_value(py, array, c"arrow_array")?,
        ))
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // As in `__arrow_c_array__`.
        let _ = requested_schema;
        let batch = self.record_batch(py).map_err(|error| arrow_error(&error))?;
        let schema = batch.schema();
        let reader = RecordBatchIterator::new([Ok(batch)], schema);
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), c"arrow_array_stream")
    }

    fn __repr__(&self) -> String {
        let columns = if self.keys.is_empty() { String::new() } else { format!(", columns {}", self.keys.join(", ")) };
        format!("<FrameBatch of {} {} frames{columns}>", self.rows.len(), self.protocol)
    }
}
