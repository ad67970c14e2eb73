//! Memory images: words of any width as hexadecimal lines for `$readmemh`; weights, biases and scales in the order
//! in which the hardware reads them; frames as beats.

use super::design::Layer;
use crate::reference::conv::Tensor;
use crate::seed::Seed;

/// A word that is filled from its low bits.
#[derive(Clone, Debug, Default)]
pub struct Word(Vec<bool>);

impl Word {
    /// Appends the low `width` bits of a number, negative ones in two's complement.
    pub fn push(&mut self, value: impl Into<i128>, width: usize) {
        let value = value.into();
        self.0.extend((0..width).map(|bit| (value >> bit.min(127)) & 1 == 1));
    }

    /// A word of zeros.
    pub(super) fn zero(width: usize) -> Self {
        Word(vec![false; width])
    }

    /// Appends another word.
    pub(super) fn append(&mut self, other: &Word) {
        self.0.extend(&other.0);
    }

    /// Bits so far.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The word as one line, high digit first.
    pub(super) fn hex(&self) -> String {
        let digit = |bits: &[bool]| bits.iter().rev().fold(0, |n, &bit| 2 * n + u32::from(bit));
        self.0.chunks(4).rev().map(|bits| char::from_digit(digit(bits), 16).expect("four bits")).collect()
    }
}

/// An image of several words.
pub fn image(words: impl IntoIterator<Item = Word>) -> String {
    words.into_iter().map(|word| word.hex() + "\n").collect()
}

/// The beats of a frame; filler lanes are zero or random.
pub(super) fn beats(t: &Tensor, lanes: usize, mut filler: Option<&mut Seed>) -> Vec<Vec<u32>> {
    let mut list = Vec::new();
    for y in 0..t.height {
        for x in 0..t.width {
            for b in 0..t.channels.div_ceil(lanes) {
                let lane = |c: usize| (c < t.channels).then(|| (t.at(c, y, x) & 255) as u32);
                let mut fill = || filler.as_mut().map_or(0, |rng| (rng.bits() & 255) as u32);
                list.push((b * lanes..(b + 1) * lanes).map(|c| lane(c).unwrap_or_else(&mut fill)).collect());
            }
        }
    }
    list
}

/// Weights in the order of folds; the filler of an uneven fold is zero.
pub(super) fn weights(a: &Layer) -> String {
    let (flat, inside) = (a.flat(), a.input.channels / a.groups);
    let (kh, kw) = (a.window.kernel.h, a.window.kernel.w);
    let mut words = Vec::new();
    for j in 0..a.output.channels.div_ceil(a.pe) {
        for k in 0..flat.div_ceil(a.simd) {
            let mut word = Word::default();
            for o in j * a.pe..(j + 1) * a.pe {
                for f in k * a.simd..(k + 1) * a.simd {
                    let (tap, channel) = (f / inside, f % inside);
                    let there = o < a.output.channels && f < flat;
                    let at = || a.values.weights[((o * inside + channel) * kh + tap / kw) * kw + tap % kw];
                    word.push(if there { at() } else { 0 }, 8);
                }
            }
            words.push(word);
        }
    }
    image(words)
}

/// The bias, less what the input's zero point adds to a whole window.
pub(super) fn bias(a: &Layer) -> String {
    let flat = a.flat();
    image((0..a.output.channels.div_ceil(a.pe)).map(|j| {
        let mut word = Word::default();
        for o in j * a.pe..(j + 1) * a.pe {
            let value = || {
                let sum: i64 = a.values.weights[o * flat..(o + 1) * flat].iter().sum();
                a.values.bias[o] - a.values.zero * sum
            };
            word.push(if o < a.output.channels { value() } else { 0 }, 32);
        }
        word
    }))
}

/// Factor of the sum, factor of the skip, and offset (rounding, zero points) of each lane of each beat.
pub(super) fn scales(a: &Layer) -> String {
    image((0..a.output.channels.div_ceil(a.lanes_out)).map(|b| {
        let mut word = Word::default();
        for o in b * a.lanes_out..(b + 1) * a.lanes_out {
            let (scale, skip) = match o < a.output.channels {
                true => {
                    let added =
                        a.add.is_some_and(|(channels, offset)| (offset..offset + channels).contains(&o));
                    (a.values.scale[o], if added { a.skip_scale } else { 0 })
                }
                false => (0, 0),
            };
            word.push(scale, 16);
            word.push(skip, 16);
            let half = 1 << (a.values.shift - 1);
            word.push(half + (a.values.out_zero << a.values.shift) - skip * a.format_add.zero, 48);
        }
        word
    }))
}
