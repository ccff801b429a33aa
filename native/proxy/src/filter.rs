//! Filters: what looks at messages on their way, changes them, or refuses them.
//!
//! A filter answers at once, or says [`Verdict::Wait`] and answers later from any thread through the [`Ticket`]; meanwhile
//! the worker goes on with everything else. Requests pass the filters of their listener before they are routed for good,
//! answers in the same order.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use metaprotocol_core::{AnyCodec, ErrorType, Frame};
use mio::Waker;

use crate::config::FilterConfig;
use crate::route::Route;
use crate::worker::Control;

/// Makes filters from what listeners say of them.
pub type Filters = dyn Fn(&FilterConfig) -> Result<Arc<dyn Filter>, String> + Send + Sync;

/// One filter of one listener.
pub trait Filter: Send + Sync {
    /// True if it wants to see answers, too.
    fn sees_responses(&self) -> bool;

    /// What it says of a request, a one-way message or the beginning of a stream.
    fn request(&self, message: &Seen<'_>) -> Verdict;

    /// What it says of an answer.
    fn response(&self, message: &Seen<'_>) -> Verdict;
}

/// A message, and what is known of it.
pub struct Seen<'m> {
    /// Its codec.
    pub codec: &'m Arc<dyn AnyCodec>,
    /// All of it.
    pub frame: Frame<'m>,
    /// The name of the listener.
    pub listener: &'m str,
    /// The route of a request as it is now, if one matches, with what it says to filters. That of an answer is that of its
    /// request.
    pub route: Option<&'m Route>,
    pub(crate) number: u64,
    pub(crate) answers: &'m Arc<Answers>,
}

impl Seen<'_> {
    /// By what a filter that says [`Verdict::Wait`] answers later.
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        Ticket { number: self.number, answers: Arc::clone(self.answers), open: true }
    }
}

/// What a filter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The message goes on as it is.
    Go,
    /// It goes on with these fields set and those taken away. What has no place in it is left out, and counted.
    Change {
        /// Fields to set.
        set: Vec<(String, String)>,
        /// Fields to take away.
        remove: Vec<String>,
    },
    /// It goes nowhere: a request is answered with this error, an answer is replaced by it.
    Refuse(ErrorType, String),
    /// The verdict comes later.
    Wait,
}

/// By what a filter answers later. Whoever drops it without an answer refuses the message.
pub struct Ticket {
    number: u64,
    answers: Arc<Answers>,
    open: bool,
}

/// The way back to a worker.
pub struct Answers {
    pub(crate) control: Sender<Control>,
    pub(crate) waker: Arc<Waker>,
}

impl Ticket {
    /// Says what becomes of the message.
    pub fn answer(mut self, verdict: Verdict) {
        self.open = false;
        self.send(verdict);
    }

    fn send(&self, verdict: Verdict) {
        // A worker that has ended needs no answer.
        if self.answers.control.send(Control::Verdict(self.number, verdict)).is_ok() {
            let _ = self.answers.waker.wake();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.open {
            self.send(Verdict::Refuse(ErrorType::Unspecified, "a filter gave no answer".into()));
        }
    }
}
