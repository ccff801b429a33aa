//! Random numbers that are the same in every run, so that what failed once fails again.

/// A xorshift generator.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, which is at least 1.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 16) % end as u64) as usize
    }

    /// A byte: any, or one of those on the edges of what a length or a type may be.
    pub(crate) fn byte(&mut self) -> u8 {
        let any = self.next() as u8;
        *[0, 1, 0x7f, 0x80, 0xff].get(self.below(8)).unwrap_or(&any)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }

    /// Up to six lengths of chunks.
    pub(crate) fn chunks(&mut self) -> Vec<usize> {
        (0..self.below(6)).map(|_| 1 + self.below(40)).collect()
    }

    /// Overwrites, inserts, removes, repeats or cuts off, one to five times.
    pub(crate) fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(5) {
            let at = self.below(bytes.len().max(1)).min(bytes.len());
            let run = (1 + self.below(8)).min(bytes.len() - at);
            match self.below(10) {
                0 => bytes.insert(at, self.byte()),
                1 => drop(bytes.drain(at..at + run)),
                2 => {
                    let again = bytes[at..at + run].to_vec();
                    bytes.splice(at..at, again);
                }
                3 => bytes.truncate(at),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = self.byte();
                    }
                }
            }
        }
    }
}
