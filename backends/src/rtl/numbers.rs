//! Images and parameters of the arithmetic: weights in the order of an actor's phases, biases, and the way to codes.

use nonresc_ir::network::Rounding;
use nonresc_ir::stream::{Form, MatVec};
use nonresc_passes::arithmetic::{Products, Rescale};

use super::instance::Parameters;
use super::word::{Word, image, signed, unsigned};

/// A way to codes as the hardware has it.
pub(super) struct Rounded {
    factor: Factors,
    skip: Option<Factors>,
    total: usize,
    shift: u8,
    mode: u8,
    limits: Option<(i64, i64)>,
    zero: i64,
    offset: Vec<i128>,
}

/// Factors of an operand: numbers, or exponents where all are powers of two.
struct Factors {
    powers: bool,
    bits: usize,
    numbers: Vec<u64>,
}

impl Factors {
    fn new(list: &[i64]) -> Factors {
        let powers = list.iter().all(|&m| m > 0 && (m as u64).is_power_of_two());
        let number =
            |&m: &i64| if powers { u64::from((m as u64).trailing_zeros()) } else { m.unsigned_abs() };
        let numbers: Vec<u64> = list.iter().map(number).collect();
        Factors { powers, bits: unsigned(numbers.iter().copied().max().unwrap_or(0)), numbers }
    }
}

impl Rounded {
    /// `own` and `skip` are the bits of the operands, signed.
    pub(super) fn new(r: &Rescale, own: usize, skip: usize) -> Rounded {
        let one = |bits: usize| 1i128 << (bits - 1);
        let half = if r.shift == 0 { 0 } else { 1i128 << (r.shift - 1) };
        let below = (1i128 << r.shift) - 1;
        let (mode, added) = match r.rounding {
            _ if r.shift == 0 => (0, 0),
            Rounding::HalfUp => (0, half),
            Rounding::HalfDown => (0, half - 1),
            Rounding::Ceil => (0, below),
            Rounding::Floor => (0, 0),
            Rounding::HalfEven => (1, half),
            Rounding::HalfAway => (2, half),
            Rounding::Up => (3, 0),
            Rounding::Down => (4, 0),
        };
        let offset: Vec<i128> = r.offset.iter().map(|&o| i128::from(o) + added).collect();
        let most = |list: &[i64]| list.iter().map(|m| i128::from(m.unsigned_abs())).max().unwrap_or(0);
        let skips = r.skip.as_deref().map_or(0, |list| most(list) * one(skip));
        let offsets = offset.iter().map(|o| o.abs()).max().unwrap_or(0);
        let total = signed(most(&r.own) * one(own) + skips + offsets + below);
        Rounded {
            factor: Factors::new(&r.own),
            skip: r.skip.as_deref().map(Factors::new),
            total: total.max(own + 1).max(skip + 1),
            shift: r.shift,
            mode,
            limits: r.limits,
            zero: r.zero,
            offset,
        }
    }

    /// The parameters, `prefix` in front of their names; the zero point's is `zero`.
    pub(super) fn parameters(&self, p: &mut Parameters, prefix: &str, zero: &str) {
        p.number(format!("{prefix}FACTOR"), self.factor.bits);
        p.number(format!("{prefix}POWERS"), u8::from(self.factor.powers));
        p.number(format!("{prefix}TOTAL"), self.total);
        p.number(format!("{prefix}SHIFT"), self.shift);
        p.number(format!("{prefix}MODE"), self.mode);
        let (low, high) = self.limits.unwrap_or((0, 0));
        p.number(format!("{prefix}LOW"), low - self.zero);
        p.number(format!("{prefix}HIGH"), high - self.zero);
        p.number(zero, self.zero);
        if let Some(skip) = &self.skip {
            p.number("SKIP_FACTOR", skip.bits);
            p.number("SKIP_POWERS", u8::from(skip.powers));
        }
    }

    /// Whether codes are limited.
    pub(super) fn clamps(&self) -> bool {
        self.limits.is_some()
    }

    /// Factors and offset of each lane of each beat.
    pub(super) fn image(&self, lanes: usize) -> String {
        let channels = self.offset.len();
        image((0..channels.div_ceil(lanes)).map(|beat| {
            let mut word = Word::default();
            for c in beat * lanes..(beat + 1) * lanes {
                let there = c < channels;
                word.push(if there { self.factor.numbers[c].into() } else { 0 }, self.factor.bits);
                if let Some(skip) = &self.skip {
                    word.push(if there { skip.numbers[c].into() } else { 0 }, skip.bits);
                }
                word.push(if there { self.offset[c] } else { 0 }, self.total);
            }
            word
        }))
    }
}

/// Weights in the order of the phases that read them: PE x SIMD of them a word.
pub(super) fn weights(a: &MatVec, products: &Products, lanes: usize) -> String {
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
    image(words)
}

/// Whether the elements of a direct layer choose lanes of their own: several groups lie in a beat.
pub(super) fn chooses_lanes(a: &MatVec, lanes: usize) -> bool {
    a.groups > 1 && a.input.channels / a.groups < lanes
}

/// What sums begin with: the bias, less what the input's zero point adds to a whole window.
pub(super) fn bias(products: &Products, pe: usize, bits: usize) -> String {
    let outputs = products.bias.len();
    let flat = products.weights.len() / outputs.max(1);
    image((0..outputs.div_ceil(pe)).map(|fold| {
        let mut word = Word::default();
        for o in fold * pe..(fold + 1) * pe {
            let value = (o < outputs).then(|| {
                let sum: i64 = products.weights[o * flat..(o + 1) * flat].iter().sum();
                products.bias[o] - products.zero * sum
            });
            word.push(value.unwrap_or(0).into(), bits);
        }
        word
    }))
}
