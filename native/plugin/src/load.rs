//! Shared libraries, and how they name their codecs.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use crate::{PluginCodec, abi};

/// A list longer than this has lost its end.
const MAX_CODECS: usize = 256;

/// Why a library or a table gives no codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Where it was looked for: a path, the name of a capsule.
    pub origin: String,
    /// What is wrong, and what to do.
    pub what: String,
}

impl LoadError {
    pub(crate) fn new(origin: impl Into<String>, what: impl Into<String>) -> Self {
        Self { origin: origin.into(), what: what.into() }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.what)
    }
}

impl std::error::Error for LoadError {}

/// The codecs of a shared library, which stays loaded as long as the process.
///
/// Loading runs the library's code. A library that is opened again is the same, even if its file has changed.
///
/// # Errors
/// [`LoadError`] if the file is not there, is no library, exports no list of codecs, or a codec in it is not valid.
pub fn open(path: impl AsRef<Path>) -> Result<Vec<PluginCodec>, LoadError> {
    let origin = path.as_ref().display().to_string();
    let fail = |what: String| LoadError::new(origin.as_str(), what);
    // The system looks a name without a slash up elsewhere.
    let full = path.as_ref().canonicalize().map_err(|error| fail(format!("cannot be opened: {error}")))?;
    if !full.is_file() {
        return Err(fail("is not a file".into()));
    }
    // SAFETY: what the initialisers of the library do is the affair of whoever names it, as with any program they start.
    let library = unsafe { Library::open(Some(AsRef::<OsStr>::as_ref(&full)), RTLD_NOW | RTLD_LOCAL) };
    let library = library.map_err(|error| fail(format!("is not a library that can be loaded: {}", cause(&error))))?;
    // SAFETY: the name is the ABI's, whose version 1 gives the symbol this type.
    let codecs = unsafe { library.get::<abi::CodecsFn>(abi::CODECS_SYMBOL.to_bytes_with_nul()) }.map(|symbol| *symbol);
    let Ok(codecs) = codecs else {
        return Err(fail(format!(
            "exports no {}; it is no plugin of metaprotocol, or one of another version of the ABI",
            abi::CODECS_SYMBOL.to_string_lossy()
        )));
    };
    // From here on its code may have run: it must stay. (Dropping the error above unloads a library that is no plugin.)
    std::mem::forget(library);
    // SAFETY: a function of the ABI's type, which takes nothing.
    let list = unsafe { codecs() };
    if list.is_null() {
        return Err(fail(format!("{} returned NULL instead of a list", abi::CODECS_SYMBOL.to_string_lossy())));
    }
    let mut found: Vec<PluginCodec> = Vec::new();
    for at in 0.. {
        if at == MAX_CODECS {
            return Err(fail(format!("lists {MAX_CODECS} codecs and more; the list must end in NULL")));
        }
        // SAFETY: the list goes on until the first null, which has not been met.
        let table = unsafe { *list.add(at) };
        if table.is_null() {
            break;
        }
        // SAFETY: the ABI has the library list its tables, which stay as long as it does.
        let codec = unsafe { PluginCodec::from_table(table, &origin) }?;
        let name = &codec.name();
        if found.iter().any(|other| other.name() == *name) {
            return Err(fail(format!("has two codecs called {name:?}")));
        }
        found.push(codec);
    }
    if found.is_empty() {
        return Err(fail("lists no codec".into()));
    }
    Ok(found)
}

/// The system's own words.
fn cause(error: &libloading::Error) -> String {
    match error {
        libloading::Error::DlOpen { desc } => format!("{desc:?}").trim_matches('"').to_owned(),
        other => other.to_string(),
    }
}
