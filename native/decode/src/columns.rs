//! Rows as columns, in the layout that Arrow wants.

/// The values of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnData {
    /// UTF-8 text: `offsets` has one entry more than there are rows, and tells where in `bytes` each begins.
    Text {
        /// Where each value begins; the last entry is where the last value ends.
        offsets: Vec<i32>,
        /// The values one after another, UTF-8.
        bytes: Vec<u8>,
    },
    /// Whole numbers.
    Int(Vec<i64>),
    /// Nanoseconds since the Unix epoch.
    Time(Vec<i64>),
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its values; what stands in a row without one means nothing.
    pub data: ColumnData,
    /// Whether each row has a value.
    pub valid: Vec<bool>,
}

impl Column {
    pub(crate) fn text(name: &str) -> Self {
        Self::new(name, ColumnData::Text { offsets: vec![0], bytes: Vec::new() })
    }

    pub(crate) fn int(name: &str) -> Self {
        Self::new(name, ColumnData::Int(Vec::new()))
    }

    pub(crate) fn time(name: &str) -> Self {
        Self::new(name, ColumnData::Time(Vec::new()))
    }

    fn new(name: &str, data: ColumnData) -> Self {
        Self { name: name.to_owned(), data, valid: Vec::new() }
    }

    /// An empty column of the same name and type.
    fn empty(&self) -> Self {
        match self.data {
            ColumnData::Text { .. } => Self::text(&self.name),
            ColumnData::Int(_) => Self::int(&self.name),
            ColumnData::Time(_) => Self::time(&self.name),
        }
    }

    pub(crate) fn push_text(&mut self, parts: Option<&[&[u8]]>) {
        if let ColumnData::Text { offsets, bytes } = &mut self.data {
            for part in parts.unwrap_or_default() {
                bytes.extend_from_slice(part);
            }
            // A batch is taken long before it reaches 2 GiB; should it not be, the value is left out, not wrapped.
            let end = i32::try_from(bytes.len());
            if end.is_err() {
                bytes.truncate(offsets.last().copied().unwrap_or(0) as usize);
            }
            offsets.push(end.unwrap_or(bytes.len() as i32));
            self.valid.push(parts.is_some() && end.is_ok());
        }
    }

    pub(crate) fn push_int(&mut self, number: Option<i64>) {
        if let ColumnData::Int(values) | ColumnData::Time(values) = &mut self.data {
            values.push(number.unwrap_or(0));
            self.valid.push(number.is_some());
        }
    }
}

/// Rows as columns, all of one length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// How many rows there are.
    pub rows: usize,
}

impl Columns {
    /// Takes the rows out, and leaves the columns empty.
    pub(crate) fn take(&mut self) -> Self {
        let empty = Self { columns: self.columns.iter().map(Column::empty).collect(), rows: 0 };
        std::mem::replace(self, empty)
    }
}
