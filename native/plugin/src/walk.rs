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
        let (key, value) = unsafe { (checked::passed(key, key_len), value.as_ref()) };
        let (Some(key), Some(raw)) = (key, value) else {
            return Err(Over::Fault("a field lacks its key or its value"));
        };
        let value = match raw.r#type {
            abi::VIEW => {
                let range = usize::try_from(raw.number).ok().zip(usize::try_from(raw.len).ok());
                let view = range.and_then(|(at, len)| self.bytes.get(at..at.checked_add(len)?));
                let Some(view) = view else { return Err(Over::Fault("the view of a field lies outside of the frame")) };
                Value::Str(String::from_utf8_lossy(view))
            }
            abi::TEXT => {
                // SAFETY: the caller's promise.
                let text = usize::try_from(raw.len).ok().and_then(|len| unsafe { checked::passed(raw.text, len) });
                let Some(text) = text else { return Err(Over::Fault("the text of a field is NULL")) };
                Value::Str(text.into_owned().into())
            }
            abi::INT => Value::Int(raw.number.cast_signed()),
            abi::UINT => Value::UInt(raw.number),
            _ => return Err(Over::Fault("a field has a type that is not in the ABI")),
        };
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
