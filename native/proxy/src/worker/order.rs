//! Answers of several connections for a client whom only their order tells which is which.

use std::collections::VecDeque;

use super::out::Out;

/// The answers that a client waits for, by the numbers of its requests.
#[derive(Debug)]
pub struct Order {
    /// The number of the request whose answer it is to get next.
    next: u64,
    /// Answers that came before their turn, that of `next` first.
    early: VecDeque<Option<Out>>,
    /// Bytes of these.
    len: usize,
    /// The first request that no answer can be given to.
    end: Option<u64>,
}

impl Order {
    pub const fn new(next: u64) -> Self {
        Self { next, early: VecDeque::new(), len: 0, end: None }
    }

    /// True if it is the turn of the answer to this request.
    pub const fn is_next(&self, number: u64) -> bool {
        self.next == number
    }

    /// Bytes that wait for their turn.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Keeps an answer, perhaps an empty one, whose turn has not come.
    pub fn keep(&mut self, number: u64, answer: Out) {
        let at = number.saturating_sub(self.next) as usize;
        if self.early.len() <= at {
            self.early.resize_with(at + 1, || None);
        }
        self.len += answer.len();
        if let Some(place) = self.early.get_mut(at) {
            *place = Some(answer);
        }
    }

    /// Notes that there can be no answer to this request: nothing can be said from there on.
    pub fn ends(&mut self, number: u64) {
        self.end = Some(self.end.map_or(number, |end| end.min(number)));
    }

    /// True if all was said that can be.
    pub fn is_over(&self) -> bool {
        self.end == Some(self.next)
    }

    /// The answer whose turn it was has gone.
    pub fn went(&mut self) {
        self.next += 1;
        self.early.pop_front();
    }

    /// The answer whose turn it is, if it is there.
    pub fn take(&mut self) -> Option<Out> {
        let answer = self.early.front_mut()?.take()?;
        self.len -= answer.len();
        self.went();
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::super::out::Buffers;
    use super::*;

    #[test]
    fn answers_are_given_in_their_order() {
        let mut buffers = Buffers::default();
        let mut answer = |number: u64| {
            let mut out = Out::default();
            out.push(&[number as u8; 3], &mut buffers);
            out
        };
        let mut order = Order::new(10);
        let mut got = Vec::new();
        for number in [12, 10, 11, 15, 14, 13, 16, 17] {
            if order.is_next(number) {
                got.push(number as u8);
                order.went();
            } else {
                order.keep(number, answer(number));
            }
            while let Some(out) = order.take() {
                got.push(out.waiting(0)[0]);
            }
            assert_eq!(order.len(), 3 * order.early.iter().flatten().count());
        }
        assert_eq!((got, order.len(), order.next), ((10..18).collect(), 0, 18));
        order.ends(20);
        order.ends(19);
        assert!(!order.is_over());
        order.went();
        assert!(order.is_over());
    }
}
