//! The connections of an input on several cores.
//!
//! Each session has a share of the connections, and knows nothing of the others. While the caller's thread takes packets
//! apart and puts streams together, workers decode what the push before brought. A session travels to its worker and
//! back with the job, so that nothing is shared and nothing locked. Rows come out in the order of the packets, whatever
//! the number of sessions.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use metaprotocol_capture::{Event, Sink};

use crate::engine::Engine;
use crate::session::{Batch, Mark, Recorder, Session, share};

/// Pushes shorter than this are decoded at once, on the caller's thread: handing them over would take longer, and whoever
/// pushes little wants to see the rows now.
const HAND_OVER: usize = 64 << 10;

struct Job {
    session: Box<Session>,
    batch: Batch,
    marks: Vec<Mark>,
}

struct Worker {
    jobs: Option<Sender<Job>>,
    done: Receiver<Job>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn start() -> Option<Self> {
        let (jobs, to_do) = channel::<Job>();
        let (give, done) = channel();
        let work = move || {
            for mut job in to_do {
                let Job { session, batch, marks } = &mut job;
                session.run(batch, marks);
                if give.send(job).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("metaprotocol-decode".to_owned()).spawn(work).ok()?;
        Some(Self { jobs: Some(jobs), done, thread: Some(thread) })
    }

    /// The job is done, or the thread has panicked: then this one does.
    fn wait(&mut self) -> Option<Job> {
        if let Ok(job) = self.done.recv() {
            return Some(job);
        }
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
        None
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The thread ends when there are no more jobs to come.
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// All sessions of an input.
pub(crate) struct Sessions {
    /// Those that are here; a session that is with its worker leaves a gap.
    here: Vec<Option<Box<Session>>>,
    workers: Vec<Worker>,
    /// For reuse.
    batches: Vec<Batch>,
    marks: Vec<Vec<Mark>>,
    away: bool,
    /// The rows of all sessions, in the order of the packets.
    pub(crate) json: Vec<u8>,
}

impl Sessions {
    /// At least one engine, one for each session.
    pub(crate) fn new(engines: Vec<Engine>) -> Self {
        Self {
            batches: Vec::new(),
            marks: engines.iter().map(|_| Vec::new()).collect(),
            here: engines.into_iter().map(|engine| Some(Box::new(Session::new(engine)))).collect(),
            workers: Vec::new(),
            away: false,
            json: Vec::new(),
        }
    }

    /// All sessions, after the workers have brought them back.
    pub(crate) fn all(&mut self) -> impl Iterator<Item = &mut Session> {
        self.collect();
        self.here.iter_mut().flatten().map(Box::as_mut)
    }

    /// The only session of inputs that have one stream, and of those that must not go on for longer than needed.
    pub(crate) fn first(&mut self) -> Option<&mut Session> {
        self.all().next()
    }

    /// Brings `act`, which pushes `len` bytes of a capture into a sink, to the sessions.
    pub(crate) fn feed<T>(&mut self, len: usize, act: impl FnOnce(&mut dyn Sink) -> T) -> T {
        if self.here.len() == 1
            && let Some(session) = self.here.first_mut().and_then(Option::as_deref_mut)
        {
            let result = act(session);
            take_rows(session, &mut self.json);
            return result;
        }
        if len < HAND_OVER || !self.hire() {
            self.collect();
            return act(self);
        }
        let mut batches = std::mem::take(&mut self.batches);
        batches.resize_with(self.here.len(), Batch::default);
        let result = act(&mut Recorder::new(&mut batches));
        self.collect();
        for (((place, worker), batch), marks) in
            self.here.iter_mut().zip(&self.workers).zip(batches).zip(self.marks.iter_mut())
        {
            if let (Some(session), Some(jobs)) = (place.take(), &worker.jobs) {
                let job = Job { session, batch, marks: std::mem::take(marks) };
                // A worker that is gone has panicked, which `collect` tells.
                let _ = jobs.send(job);
            }
        }
        self.away = true;
        result
    }

    /// Takes the rows of the only session of a raw input.
    pub(crate) fn take_rows(&mut self) {
        if let Some(session) = self.here.first_mut().and_then(Option::as_deref_mut) {
            take_rows(session, &mut self.json);
        }
    }

    fn hire(&mut self) -> bool {
        while self.workers.len() < self.here.len() {
            match Worker::start() {
                Some(worker) => self.workers.push(worker),
                None => return false,
            }
        }
        true
    }

    /// Waits for the workers, and puts their rows in order.
    pub(crate) fn collect(&mut self) {
        if !std::mem::take(&mut self.away) {
            return;
        }
        for ((place, worker), marks) in self.here.iter_mut().zip(&mut self.workers).zip(&mut self.marks) {
            if let Some(job) = worker.wait() {
                let Job { session, mut batch, marks: told } = job;
                *place = Some(session);
                *marks = told;
                batch.clear();
                self.batches.push(batch);
            }
        }
        merge(&self.here, &self.marks, &mut self.json);
        for session in self.here.iter_mut().flatten() {
            session.engine.json.clear();
        }
        for marks in &mut self.marks {
            marks.clear();
        }
    }
}

/// Straight to the sessions, one event after another.
impl Sink for Sessions {
    fn event(&mut self, event: Event<'_>) {
        let slot = match event {
            Event::Opened { flow, .. }
            | Event::Data { flow, .. }
            | Event::Gap { flow, .. }
            | Event::HalfClosed { flow, .. }
            | Event::Closed { flow, .. } => flow.slot,
            _ => return,
        };
        let share = share(slot, self.here.len());
        if let Some(session) = self.here.get_mut(share).and_then(Option::as_deref_mut) {
            session.event(event);
            take_rows(session, &mut self.json);
        }
    }
}

fn take_rows(session: &mut Session, json: &mut Vec<u8>) {
    let rows = &mut session.engine.json;
    if json.is_empty() {
        std::mem::swap(rows, json);
    } else {
        json.append(rows);
    }
}

/// Rows in the order of the events that gave them.
fn merge(sessions: &[Option<Box<Session>>], marks: &[Vec<Mark>], json: &mut Vec<u8>) {
    let mut sources: Vec<(&[u8], &[Mark], usize)> = sessions
        .iter()
        .zip(marks)
        .map(|(session, marks)| (session.as_deref().map_or(&[][..], |session| &session.engine.json), &**marks, 0))
        .collect();
    json.reserve(sources.iter().map(|(rows, _, _)| rows.len()).sum());
    loop {
        // The source whose next event is the earliest, and where the next one of the others is.
        let mut first: Option<(usize, u32)> = None;
        let mut until = u32::MAX;
        for (at, (_, marks, _)) in sources.iter().enumerate() {
            let Some(mark) = marks.first() else { continue };
            match first {
                Some((_, earliest)) if earliest < mark.number => until = until.min(mark.number),
                Some((_, earliest)) => {
                    until = until.min(earliest);
                    first = Some((at, mark.number));
                }
                None => first = Some((at, mark.number)),
            }
        }
        let Some((rows, marks, from)) = first.and_then(|(at, _)| sources.get_mut(at)) else { return };
        let run = marks.iter().take_while(|mark| mark.number < until).count().max(1);
        let (taken, rest) = marks.split_at(run);
        let to = taken.last().map_or(*from, |mark| mark.end);
        json.extend_from_slice(rows.get(*from..to).unwrap_or_default());
        *from = to;
        *marks = rest;
    }
}
