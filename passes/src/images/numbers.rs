//! Weights in the order of an actor's phases, biases, factors.

use nonresc_ir::stream::{Fold, Form, Map, MatVec, Window};

use super::word::Word;
use crate::arithmetic::{Products, Rounded};

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
/// Weights in the order of the phases that read them: PE x SIMD of them a word.
pub fn weights(a: &MatVec, products: &Products, lanes: usize) -> Vec<Word> {
    let bits = a.weight_bits as usize;
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
        let mut word = Word::default();
        for o in fold * pe..(fold + 1) * pe {
            for i in 0..a.fold.simd {
                let (ky, kx, channel) = place(o, i);
                word.push(weight(o, ky, kx, channel).unwrap_or(0).into(), bits);
            }
        }
        word
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
    words
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
pub fn weights_beside(a: &MatVec, products: &Products) -> Vec<Word> {
    let Some(p) = a.projection() else { return Vec::new() };
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
