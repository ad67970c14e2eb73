//! Memory images: words of any width as hexadecimal lines for `$readmemh`.

/// A word that is filled from its low bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word(Vec<bool>);

impl Word {
    /// Appends the low `width` bits of a number, negative ones in two's complement.
    pub(super) fn push(&mut self, value: i128, width: usize) {
        self.0.extend((0..width).map(|bit| (value >> bit.min(127)) & 1 == 1));
    }

    /// The word as one line, high digit first.
    fn hex(&self) -> String {
        let digit = |bits: &[bool]| bits.iter().rev().fold(0, |n, &bit| 2 * n + u32::from(bit));
        self.0.chunks(4).rev().filter_map(|bits| char::from_digit(digit(bits), 16)).collect()
    }
}

/// An image of several words.
pub(super) fn image(words: impl IntoIterator<Item = Word>) -> String {
    words.into_iter().map(|word| word.hex() + "\n").collect()
}

/// Bits of an unsigned number up to `largest`, at least one.
pub(super) fn unsigned(largest: u64) -> usize {
    (u64::BITS - largest.leading_zeros()).max(1) as usize
}

/// Bits of a signed number of at most this magnitude.
pub(super) fn signed(magnitude: i128) -> usize {
    (i128::BITS - magnitude.unsigned_abs().leading_zeros()) as usize + 1
}
