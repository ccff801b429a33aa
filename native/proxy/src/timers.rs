//! Deadlines: many, seldom reached, and mostly forgotten before.

/// Milliseconds that entries of one slot share.
const TICK: u64 = 8;
const SLOTS: u64 = 1024;

/// A wheel of deadlines. What is due is given out at most [`TICK`] late; nothing is ever taken out before, so those who set
/// a deadline must know, when it is due, whether it still counts.
#[derive(Debug)]
pub struct Timers<T> {
    slots: Vec<Vec<(u64, T)>>,
    /// The last tick that was given out.
    tick: u64,
    /// No slot before this tick has anything.
    earliest: u64,
    len: usize,
}

impl<T: Copy> Timers<T> {
    /// No deadlines, at a time in milliseconds.
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), tick: now / TICK, earliest: u64::MAX, len: 0 }
    }

    /// Sets a deadline, in milliseconds.
    pub fn set(&mut self, at: u64, what: T) {
        let tick = (at / TICK + 1).max(self.tick + 1);
        if let Some(slot) = self.slots.get_mut((tick % SLOTS) as usize) {
            slot.push((tick, what));
            self.len += 1;
            self.earliest = self.earliest.min(tick);
        }
    }

    /// Moves what is due into `due`.
    pub fn advance(&mut self, now: u64, due: &mut Vec<T>) {
        let end = now / TICK;
        if end < self.earliest {
            self.tick = self.tick.max(end);
            return;
        }
        // One round is enough, however long ago the last one was.
        let from = self.tick.max(end.saturating_sub(SLOTS));
        for tick in from + 1..=end {
            let Some(slot) = self.slots.get_mut((tick % SLOTS) as usize) else { continue };
            let before = slot.len();
            slot.retain(|(at, what)| {
                if *at <= end {
                    due.push(*what);
                }
                *at > end
            });
            self.len -= before - slot.len();
        }
        self.tick = self.tick.max(end);
        let mut ticks = self.tick + 1..=self.tick + SLOTS;
        let filled = |tick: &u64| self.slots.get((tick % SLOTS) as usize).is_some_and(|slot| !slot.is_empty());
        self.earliest = if self.len == 0 { u64::MAX } else { ticks.find(filled).unwrap_or(u64::MAX) };
    }

    /// How many milliseconds from `now` it takes until something may be due; `None` if nothing is.
    #[must_use]
    pub fn next(&self, now: u64) -> Option<u64> {
        (self.len > 0).then(|| (self.earliest * TICK).saturating_sub(now).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(timers: &mut Timers<char>, now: u64) -> String {
        let mut due = Vec::new();
        timers.advance(now, &mut due);
        due.into_iter().collect()
    }

    #[test]
    fn what_is_due_comes_once_and_not_early() {
        let mut timers = Timers::new(1000);
        for (at, what) in [(1000, 'a'), (1100, 'b'), (100_000, 'c'), (900, 'z')] {
            timers.set(at, what);
        }
        assert_eq!(due(&mut timers, 1000), "");
        assert_eq!(due(&mut timers, 1000 + TICK), "az");
        assert!((1100 - 1008..=1100 + TICK - 1008).contains(&timers.next(1008).unwrap_or(0)));
        assert_eq!(due(&mut timers, 1099), "");
        assert_eq!(due(&mut timers, 1100 + TICK), "b");
        // A slot that comes round before its deadline keeps it.
        assert_eq!(due(&mut timers, 99_999), "");
        assert_eq!(due(&mut timers, 500_000), "c");
        assert_eq!(timers.next(500_000), None);
    }
}
