//! The visitor that plugins call for each field.

use std::any::Any;
use std::ffi::{c_char, c_void};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use metaprotocol_core::{DecodeError, Limits, Value, Visit};

use crate::{abi, checked};

const GO_ON: i32 = 0;
const STOP: i32 = 1;

/// One walk over the fields of a frame.
pub struct Walk<'w, 'v, 'a> {
    bytes: &'a [u8],
    visit: &'w mut Visit<'v, 'a>,
    /// How many fields may still come.
    left: usize,
    over: Over,
}

/// Why no more fields are taken.
enum Over {
    Not,
    Told,
    Fault(&'static str),
    /// The visitor of the host panicked; that must not pass through the plugin.
    Panicked(Box<dyn Any + Send>),
}

impl<'w, 'v, 'a> Walk<'w, 'v, 'a> {
    /// A walk of at most as many fields as the limits allow, besides `known`.
    pub fn new(bytes: &'a [u8], visit: &'w mut Visit<'v, 'a>, limits: &Limits, known: usize) -> Self {
        Self { bytes, visit, left: (limits.max_field_count as usize).saturating_add(known), over: Over::Not }
    }

    /// What plugins get.
    pub fn visitor(&mut self) -> (abi::Visit, *mut c_void) {
        (visit, (&raw mut *self).cast())
    }

    /// What came of it, given what the plugin returned.
    pub fn end(self, status: i32, error: &abi::Error) -> Result<(), DecodeError> {
        match (self.over, status) {
            (Over::Panicked(panic), _) => resume_unwind(panic),
            (Over::Fault(what), _) => Err(checked::fault(what)),
            (Over::Told, _) | (Over::Not, abi::OK) => Ok(()),
            (Over::Not, abi::FAIL) => Err(checked::error(error, self.bytes.len())),
            (Over::Not, _) => Err(checked::fault("fields returned a number that is not in the ABI")),
        }
    }

    /// One field.
    ///
    /// # Safety
    /// `key` is null or points to `key_len` bytes; `value` is null or points to a value, whose text, if it is one, is null or
    /// points to as many bytes as it says.
    unsafe fn take(&mut self, key: *const c_char, key_len: usize, value: *const abi::Value) -> Result<(), Over> {
        // SAFETY: the caller's promise.
        let key = unsafe { checked::passed(key, key_len) }.ok_or(Over::Fault(LACKING))?;
        // SAFETY: the caller's promise.
        let value = unsafe { parsed(self.bytes, value) }.map_err(Over::Fault)?;
        let Some(left) = self.left.checked_sub(1) else {
            return Err(Over::Fault("fields goes on beyond Limits.max_field_count"));
        };
        self.left = left;
        match catch_unwind(AssertUnwindSafe(|| (self.visit)(&key, value))) {
            Ok(ControlFlow::Continue(())) => Ok(()),
            Ok(ControlFlow::Break(())) => Err(Over::Told),
            Err(panic) => Err(Over::Panicked(panic)),
        }
    }
}

const LACKING: &str = "a field lacks its key or its value";

/// The value of one field.
///
/// # Errors
/// What is wrong with it.
///
/// # Safety
/// `value` is null or points to a value, whose text, if it is one, is null or points to as many bytes as it says.
unsafe fn parsed<'a>(bytes: &'a [u8], value: *const abi::Value) -> Result<Value<'a>, &'static str> {
    // SAFETY: the caller's promise.
    let raw = unsafe { value.as_ref() }.ok_or(LACKING)?;
    Ok(match raw.r#type {
        abi::VIEW => {
            let range = usize::try_from(raw.number).ok().zip(usize::try_from(raw.len).ok());
            let view = range.and_then(|(at, len)| bytes.get(at..at.checked_add(len)?));
            Value::Str(String::from_utf8_lossy(view.ok_or("the view of a field lies outside of the frame")?))
        }
        abi::TEXT => {
            // SAFETY: the caller's promise.
            let text = usize::try_from(raw.len).ok().and_then(|len| unsafe { checked::passed(raw.text, len) });
            Value::Str(text.ok_or("the text of a field is NULL")?.into_owned().into())
        }
        abi::INT => Value::Int(raw.number.cast_signed()),
        abi::UINT => Value::UInt(raw.number),
        _ => return Err("a field has a type that is not in the ABI"),
    })
}

/// A look-up of one field: the last one that is visited. Its key is known, and so is not read.
pub struct LookUp<'a> {
    bytes: &'a [u8],
    found: Option<Value<'a>>,
    fault: Option<&'static str>,
}

impl<'a> LookUp<'a> {
    /// A look-up in a frame.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, found: None, fault: None }
    }

    /// What plugins get.
    pub fn visitor(&mut self) -> (abi::Visit, *mut c_void) {
        (look_up, (&raw mut *self).cast())
    }

    /// What came of it, given what the plugin returned.
    pub fn end(self, status: i32, error: &abi::Error) -> Result<Option<Value<'a>>, DecodeError> {
        match (self.fault, status) {
            (Some(what), _) => Err(checked::fault(what)),
            (None, abi::OK) => Ok(self.found),
            (None, abi::FAIL) => Err(checked::error(error, self.bytes.len())),
            (None, _) => Err(checked::fault("field returned a number that is not in the ABI")),
        }
    }
}

unsafe extern "C" fn look_up(visitor: *mut c_void, _: *const c_char, _: usize, value: *const abi::Value) -> i32 {
    // SAFETY: `visitor` is the look-up of the call under way, which nobody else holds, and the ABI has plugins pass it on
    // within that call.
    let look_up = unsafe { &mut *visitor.cast::<LookUp<'_>>() };
    // SAFETY: the ABI has plugins pass such values.
    match unsafe { parsed(look_up.bytes, value) } {
        Ok(value) => look_up.found = Some(value),
        Err(what) => look_up.fault = Some(what),
    }
    // One is all.
    STOP
}

unsafe extern "C" fn visit(visitor: *mut c_void, key: *const c_char, key_len: usize, value: *const abi::Value) -> i32 {
    // SAFETY: `visitor` is the walk of the call under way, which nobody else holds, and the ABI has plugins pass it on
    // within that call.
    let walk = unsafe { &mut *visitor.cast::<Walk<'_, '_, '_>>() };
    // A plugin that does not stop when it is told to gets nowhere.
    if !matches!(walk.over, Over::Not) {
        return STOP;
    }
    // SAFETY: the ABI has plugins pass such pointers.
    match unsafe { walk.take(key, key_len, value) } {
        Ok(()) => GO_ON,
        Err(over) => {
            walk.over = over;
            STOP
        }
    }
}
