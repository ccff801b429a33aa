//! Captures through codecs (`metaprotocol-decode`): buffers in, rows out. What the command line stands on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, Field, Fields, Schema};
use metaprotocol_decode::{ColumnData, Columns, Condition, Decoder, Error, Format, Metadata, Options, Output};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyCapsule};
use pyo3::{PyTraverseError, PyVisit};

use crate::arrow;
use crate::errors;
use crate::model::{DirectionArg, Limits};
use crate::pycodec::{Failures, any_codec};

/// Adds the classes of this file to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<CaptureDecoder>()?;
    module.add_class::<RowBatch>()
}

/// The bytes of a capture in, rows out.
#[pyclass(frozen, module = "metaprotocol._native")]
pub struct CaptureDecoder {
    decoder: Mutex<Decoder>,
    failures: Arc<Failures>,
}

/// An exception, as Python takes it over.
type Exception = Py<pyo3::exceptions::PyBaseException>;

impl CaptureDecoder {
    /// For detached threads: who has it locked may be waiting for the interpreter, to run a codec written in Python.
    fn lock(&self) -> MutexGuard<'_, Decoder> {
        // The decoder is plain data: after a panic elsewhere it can still be read.
        self.decoder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for attached threads; they detach while they wait.
    fn lock_attached(&self, py: Python<'_>) -> MutexGuard<'_, Decoder> {
        self.decoder.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }
}

fn capture_error(py: Python<'_>, error: &Error) -> PyErr {
    errors::capture_error(py, error.code(), error.to_string(), error.offset())
}

#[pymethods]
impl CaptureDecoder {
    #[new]
    #[pyo3(signature = (
        *, protocol=None, format="auto", direction=None, where_=vec![], output="json", metadata=true, columns=None,
        max_rows=None, threads=0, limits=None, codecs=None
    ))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        protocol: Option<String>,
        format: &str,
        direction: Option<DirectionArg>,
        where_: Vec<String>,
        output: &str,
        metadata: bool,
        columns: Option<Vec<String>>,
        max_rows: Option<u64>,
        threads: usize,
        limits: Option<PyRef<'_, Limits>>,
        codecs: Option<Vec<Bound<'_, PyAny>>>,
    ) -> PyResult<Self> {
        let failures = Arc::new(Failures::default());
        let codecs: Option<Vec<_>> =
            codecs.map(|codecs| codecs.iter().map(|codec| any_codec(codec, &failures)).collect()).transpose()?;
        // On the caller's thread, where Ctrl-C can end a codec that hangs; several would wait for each other's turn.
        let python = codecs.iter().flatten().any(|(_, python)| *python);
        let conditions: Result<Vec<_>, _> = where_.iter().map(|text| Condition::parse(text)).collect();
        let options = Options {
            protocol,
            format: Format::from_name(format).ok_or_else(|| {
                PyValueError::new_err(format!("format must be auto, pcap, pcapng, raw or hex, not {format:?}"))
            })?,
            direction: direction.map(|direction| direction.0),
            conditions: conditions.map_err(|error| PyValueError::new_err(error.to_string()))?,
            output: match output {
                "json" => Output::Json,
                "columns" => Output::Columns,
                "none" => Output::None,
                _ => {
                    return Err(PyValueError::new_err(format!("output must be json, columns or none, not {output:?}")));
                }
            },
            metadata: match columns {
                Some(keys) => Metadata::Keys(keys),
                None if metadata => Metadata::All,
                None => Metadata::None,
            },
            max_rows,
            threads: if python { 1 } else { threads },
            limits: limits.map(|limits| limits.0).unwrap_or_default(),
            ..Options::default()
        };
        let decoder = match codecs {
            None => Decoder::new(options),
            Some(codecs) => {
                let codecs: Vec<_> = codecs.into_iter().map(|(codec, _)| codec).collect();
                Decoder::with_codecs(options, &codecs)
            }
        };
        let decoder = decoder.map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { decoder: Mutex::new(decoder), failures })
    }

    /// Takes the next bytes of the file, without the GIL.
    fn push(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        let bytes = data.as_bytes();
        let result = py.detach(|| self.lock().push(bytes));
        self.failures.check(py)?;
        result.map_err(|error| capture_error(py, &error))
    }

    /// Waits until all that was pushed is decoded.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.lock().flush());
        self.failures.check(py)
    }

    /// Ends the file.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        let result = py.detach(|| self.lock().finish());
        self.failures.check(py)?;
        result.map_err(|error| capture_error(py, &error))
    }

    /// The rows since the last call as JSON lines.
    fn take_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut decoder = self.lock_attached(py);
        let bytes = PyBytes::new(py, decoder.json());
        decoder.clear_json();
        bytes
    }

    /// The rows since the last call as columns; there may be none.
    fn take_batch(&self, py: Python<'_>) -> PyResult<RowBatch> {
        let columns = self.lock_attached(py).take_columns();
        RowBatch::new(columns).map_err(|error| arrow::error(&error))
    }

    /// Rows that `take_batch` would give.
    #[getter]
    fn batch_rows(&self, py: Python<'_>) -> usize {
        py.detach(|| self.lock().column_rows())
    }

    /// The numbers so far, as a JSON object.
    fn summary<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| self.lock().summary()))
    }

    /// True once as many rows were given as were asked for.
    #[getter]
    fn done(&self, py: Python<'_>) -> bool {
        py.detach(|| self.lock().done())
    }

    /// `pcap`, `raw` or `hex`; None while it cannot be told.
    #[getter]
    fn format(&self, py: Python<'_>) -> Option<&'static str> {
        self.lock_attached(py).format()
    }

    /// What codecs written in Python raised since the last call: name, how many times, the first exceptions.
    fn take_codec_errors(&self) -> Vec<(String, u64, Vec<Exception>)> {
        self.failures.take().into_iter().map(|failed| (failed.name, failed.count, failed.exceptions)).collect()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.failures.traverse(&visit)
    }

    fn __clear__(&self) {
        self.failures.take();
    }

    /// Bytes kept for open streams.
    #[getter]
    fn retained_bytes(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.lock().retained_bytes())
    }
}

/// Rows as an Arrow record batch.
#[pyclass(frozen, module = "metaprotocol._native")]
pub struct RowBatch(RecordBatch);

impl RowBatch {
    fn new(columns: Columns) -> Result<Self, ArrowError> {
        let mut fields = Vec::with_capacity(columns.columns.len());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.columns.len());
        for column in columns.columns {
            let nulls = Some(NullBuffer::from(column.valid));
            let array: ArrayRef = match column.data {
                ColumnData::Text { offsets, bytes } => {
                    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                    Arc::new(StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls)?)
                }
                ColumnData::Int(values) => Arc::new(Int64Array::try_new(values.into(), nulls)?),
                ColumnData::Time(values) => {
                    Arc::new(TimestampNanosecondArray::try_new(values.into(), nulls)?.with_timezone("UTC"))
                }
            };
            fields.push(Field::new(column.name, array.data_type().clone(), true));
            arrays.push(array);
        }
        RecordBatch::try_new(Arc::new(Schema::new(Fields::from(fields))), arrays).map(Self)
    }
}

#[pymethods]
impl RowBatch {
    fn __len__(&self) -> usize {
        self.0.num_rows()
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        arrow::schema(py, &self.0)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        // The protocol lets a producer ignore the wish and give its own schema.
        let _ = requested_schema;
        arrow::array(py, self.0.clone())
    }
}
