//! The bytes at the front of an input that say how the rest is used.

/// Takes bytes off the front of an input; where they run out, zeros.
pub struct Script<'i> {
    rest: &'i [u8],
}

impl<'i> Script<'i> {
    #[must_use]
    pub const fn new(input: &'i [u8]) -> Self {
        Self { rest: input }
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((byte, rest)) => {
                self.rest = rest;
                *byte
            }
            None => 0,
        }
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// What is left.
    #[must_use]
    pub const fn rest(&self) -> &'i [u8] {
        self.rest
    }
}

/// Lengths of pieces, used over and over.
pub struct Cuts<'c> {
    lengths: &'c [u8],
    at: usize,
}

impl<'c> Cuts<'c> {
    #[must_use]
    pub const fn new(lengths: &'c [u8]) -> Self {
        Self { lengths, at: 0 }
    }

    /// Cuts the next piece off the front of `rest`, which is not empty. Small numbers are lengths, larger ones count
    /// in 64s, and 0 is all.
    pub fn next<'b>(&mut self, rest: &mut &'b [u8]) -> &'b [u8] {
        let number = usize::from(self.lengths[self.at % self.lengths.len()]);
        self.at += 1;
        let len = match number {
            0 => rest.len(),
            1..=127 => number,
            _ => (number - 127) * 64,
        };
        let (piece, left) = rest.split_at(len.min(rest.len()));
        *rest = left;
        piece
    }
}
