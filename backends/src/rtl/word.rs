//! Memory images: words as hexadecimal lines for `$readmemh`.

use nonresc_passes::images::Word;

/// A word as one line, high digit first.
fn hex(word: &Word) -> String {
    let digit = |bits: &[bool]| bits.iter().rev().fold(0, |n, &bit| 2 * n + u32::from(bit));
    word.bits().chunks(4).rev().filter_map(|bits| char::from_digit(digit(bits), 16)).collect()
}

/// A word as a sized number of Verilog.
pub(super) fn literal(word: &Word) -> String {
    format!("{}'h{}", word.bits().len(), hex(word))
}

/// An image of several words.
pub(super) fn image(words: impl IntoIterator<Item = Word>) -> String {
    words.into_iter().map(|word| hex(&word) + "\n").collect()
}
