//! Words of any width.

/// A word that is filled from its low bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word(Vec<bool>);

impl Word {
    /// Appends the low `width` bits of a number, negative ones in two's complement.
    pub fn push(&mut self, value: i128, width: usize) {
        self.0.extend((0..width).map(|bit| (value >> bit.min(127)) & 1 == 1));
    }

    /// Appends another word.
    pub(super) fn append(&mut self, other: &Word) {
        self.0.extend(&other.0);
    }

    /// The bits, low ones first.
    pub fn bits(&self) -> &[bool] {
        &self.0
    }
}

/// Bits that are not the same in all words: synthesis makes no memory of the others.
pub fn varying(words: &[Word]) -> u64 {
    let Some((first, others)) = words.split_first() else { return 0 };
    let varies = |bit: usize| others.iter().any(|word| word.0[bit] != first.0[bit]);
    (0..first.0.len()).filter(|&bit| varies(bit)).count() as u64
}
