//! Weights in the order of an actor's phases, biases, factors.

use nonresc_ir::stream::{Fold, Form, Map, MatVec, Multiplier, Projection, Window};

use super::word::Word;
use crate::area::operand_sets;
use crate::arithmetic::{Products, Rounded};

/// The words of weights.
pub struct Weights {
    /// PE x SIMD of them each.
    pub words: Vec<Word>,
    /// Whether, of two weights that share a multiplier, the upper one is kept less by one where the lower one is
    /// negative: what the lower one's sign takes from it where they are put together.
    pub lent: bool,
}

impl Weights {
    fn of(mut rows: Vec<Vec<i32>>, bits: u32, shared: Option<usize>) -> Weights {
        let lent = shared.is_some_and(|simd| lend(&mut rows, bits, simd));
        let word = |row: Vec<i32>| {
            let mut word = Word::default();
            row.into_iter().for_each(|weight| word.push(weight.into(), bits as usize));
            word
        };
        Weights { words: rows.into_iter().map(word).collect(), lent }
    }
}

/// Takes one off the upper of two weights where the lower is negative, each `simd` apart; gives whether all have room for that,
/// and does nothing else.
fn lend(rows: &mut [Vec<i32>], bits: u32, simd: usize) -> bool {
    let least = -1 << (bits - 1);
    let pairs = |row: &[i32]| {
        let both = 2 * simd;
        (0..row.len() / both * both).filter(|i| i % both < simd).collect::<Vec<_>>()
    };
    let full = |row: &Vec<i32>| pairs(row).into_iter().any(|low| row[low] < 0 && row[low + simd] == least);
    if rows.iter().any(full) {
        return false;
    }
    for row in rows {
        for low in pairs(row) {
            row[low + simd] -= i32::from(row[low] < 0);
        }
    }
    true
}

/// Factors and offset of each lane of each beat.
pub fn factors(way: &Rounded, lanes: usize) -> Vec<Word> {
    let channels = way.offset.len();
    let word = |beat: usize| {
        let mut word = Word::default();
        for c in beat * lanes..(beat + 1) * lanes {
            let there = c < channels;
            word.push(if there { way.factor.numbers[c].into() } else { 0 }, way.factor.bits);
            if let Some(skip) = &way.skip {
                word.push(if there { skip.numbers[c].into() } else { 0 }, skip.bits);
            }
            word.push(if there { way.offset[c] } else { 0 }, way.total);
        }
        word
    };
    (0..channels.div_ceil(lanes)).map(word).collect()
}

/// Weights in the order of the phases that read them.
pub fn weights(a: &MatVec, products: &Products, lanes: usize) -> Weights {
    let (pe, inside) = (a.fold.pe, a.input.channels / a.groups);
    let (kh, kw) = (a.window.kernel.h, a.window.kernel.w);
    let members = a.output.channels / a.groups;
    // The weight of an output for a tap and a channel of the map; none where there is none.
    let weight = |o: usize, ky: usize, kx: usize, channel: usize| {
        let group = (o < a.output.channels).then(|| o / members)?;
        let own = channel.checked_sub(group * inside).filter(|&c| c < inside)?;
        (ky < kh && kx < kw).then(|| products.weights[((o * inside + own) * kh + ky) * kw + kx])
    };
    let word = |fold: usize, place: &dyn Fn(usize, usize) -> (usize, usize, usize)| {
        let places = (fold * pe..(fold + 1) * pe).flat_map(|o| (0..a.fold.simd).map(move |i| (o, i)));
        let weight = |(o, i)| {
            let (ky, kx, channel) = place(o, i);
            weight(o, ky, kx, channel).unwrap_or(0)
        };
        places.map(weight).collect::<Vec<i32>>()
    };
    let mut words = Vec::new();
    match a.fold.form {
        Form::Held { .. } => {
            for fold in 0..a.output_folds() {
                for part in 0..a.input_folds() {
                    words.push(word(fold, &|o, i| {
                        let flat = part * a.fold.simd + i;
                        let (tap, channel) = (flat / inside, flat % inside);
                        let group = o.min(a.output.channels - 1) / members;
                        (tap / kw, tap % kw, group * inside + channel)
                    }));
                }
            }
        }
        Form::Direct { taps } => {
            let side = a.window.side_by_side(taps);
            let across = kw / side.w;
            let chosen = a.fold.simd / taps;
            for (fold, beats) in a.direct_beats(lanes).into_iter().enumerate() {
                for group in 0..(kh * kw).div_ceil(taps) {
                    for beat in beats.clone() {
                        words.push(word(fold, &|o, i| {
                            let (tap, lane) = (i / chosen, i % chosen);
                            let ky = group / across * side.h + tap / side.w;
                            let kx = group % across * side.w + tap % side.w;
                            let own = o.min(a.output.channels - 1) / members * inside;
                            let channel = match chooses_lanes(a, lanes) {
                                true if own / lanes == beat => own + lane,
                                true => usize::MAX,
                                false => beat * lanes + lane,
                            };
                            (ky, kx, channel)
                        }));
                    }
                }
            }
        }
        Form::Stationary => {
            let beats = a.input.beats(lanes);
            for pixel in 0..a.input.pixels() {
                for beat in 0..beats {
                    for fold in 0..a.output_folds() {
                        let (ky, kx) = (pixel / a.input.width, pixel % a.input.width);
                        words.push(word(fold, &|_, i| (ky, kx, beat * lanes + i)));
                    }
                }
            }
        }
    }
    let shared = a.fold.multiplier == Multiplier::DspPair && operand_sets(a, lanes) < pe;
    Weights::of(words, a.weight_bits, shared.then_some(a.fold.simd))
}

/// Whether the elements of a direct layer choose lanes of their own: several groups lie in a beat.
pub fn chooses_lanes(a: &MatVec, lanes: usize) -> bool {
    a.groups > 1 && a.input.channels / a.groups < lanes
}

/// What sums begin with: the bias, less what the input's zero point adds to a whole window.
pub fn bias(products: &Products, pe: usize, bits: usize) -> Vec<Word> {
    let outputs = products.bias.len();
    let flat = products.weights.len() / outputs.max(1);
    let word = |fold: usize| {
        let mut word = Word::default();
        for o in fold * pe..(fold + 1) * pe {
            let value = (o < outputs).then(|| {
                let own = &products.weights[o * flat..(o + 1) * flat];
                let sum: i64 = own.iter().copied().map(i64::from).sum();
                products.bias[o] - products.zero * sum
            });
            word.push(value.unwrap_or(0).into(), bits);
        }
        word
    };
    (0..outputs.div_ceil(pe)).map(word).collect()
}

/// The weights of a projection beside, as [`weights`].
pub fn weights_beside(a: &MatVec, p: &Projection, products: &Products) -> Weights {
    let alone = MatVec {
        output: Map { channels: p.channels, ..a.output },
        window: Window::POINT,
        groups: 1,
        weight_bits: p.weight_bits,
        fold: Fold { pe: p.pe, simd: p.simd, form: Form::Held { slots: 1 }, ..a.fold },
        second: None,
        ..a.clone()
    };
    weights(&alone, products, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_weights_are_lent_where_all_have_room() {
        // Three outputs of two inputs each: the last has none to share with.
        let row = vec![-1, 3, 5, -7, -2, -2];
        let mut rows = vec![row.clone(), vec![0, -1, -8, -7, -8, -8]];
        assert!(lend(&mut rows, 4, 2));
        assert_eq!(rows, [vec![-1, 3, 4, -7, -2, -2], vec![0, -1, -8, -8, -8, -8]]);

        let full = vec![row, vec![-1, 0, -8, 0, 0, 0]];
        let mut rows = full.clone();
        assert!(!lend(&mut rows, 4, 2));
        assert_eq!(rows, full);
    }
}
