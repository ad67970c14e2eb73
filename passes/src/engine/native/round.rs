//! Between sums, codes and numbers: the roundings of quantised networks, channels side by side.
//!
//! Sums of products with factors are taken in f64, which is exact while they stay below 2^53, and else in i64; a kernel is
//! chosen only where they stay below 2^62. `inline(always)` makes the loops part of the function that may use the CPU's vectors.

use std::ops::{Add, Mul};

use fearless_simd::{
    Level, Simd, SimdBase, SimdCvtFloat, SimdCvtTruncate, SimdWiden, dispatch, f32x16, f64x8, i64x8,
};
use nonresc_ir::network::{Element, Requantise, Rounding, Shape};

use super::even::Even;
use super::integer::{byte_shift, of_type, range};
use super::kernel::{Kernel, Operand, Scratch};
use super::tile::LANES;

/// Adding and taking away this rounds an f64 below 2^51 to a whole number, ties to even.
pub(super) const ROUNDS: f64 = 1.5 * (1u64 << 52) as f64;

/// Added to a whole f32 below 2^23, it leaves that number in the low bits.
pub(super) const MANTISSA: f32 = (1u32 << 23) as f32;

/// Largest sum that f64 holds exactly.
const EXACT: i128 = 1 << 53;

/// Sums below this can be rounded in i64.
const WIDEST: i128 = 1 << 62;

/// Zero points up to this keep every number of a rounding exact.
const ZEROS: i64 = 1 << 30;

#[inline(always)]
pub(super) fn round(x: f64, mode: Rounding) -> f64 {
    let even = (x + ROUNDS) - ROUNDS;
    let rest = x - even;
    let step = |yes: bool| f64::from(u8::from(yes));
    match mode {
        Rounding::HalfEven => even,
        Rounding::HalfUp => even + step(rest == 0.5),
        Rounding::HalfDown => even - step(rest == -0.5),
        Rounding::HalfAway => even + step(rest == 0.5 && x > 0.0) - step(rest == -0.5 && x < 0.0),
        Rounding::Floor => even - step(rest < 0.0),
        Rounding::Ceil => even + step(rest > 0.0),
        Rounding::Up => even + step(rest > 0.0 && x > 0.0) - step(rest < 0.0 && x < 0.0),
        Rounding::Down => even + step(rest > 0.0 && x < 0.0) - step(rest < 0.0 && x > 0.0),
    }
}

/// Numbers that loops see side by side at least.
const PERIOD: usize = 64;

/// One number for each channel, over and over where channels are few, so that loops are long.
pub(super) fn spread<T: Copy>(numbers: &[T], channels: usize) -> Option<Vec<T>> {
    let all = channels * PERIOD.div_ceil(channels.max(1));
    match numbers.len() {
        1 => Some(vec![numbers[0]; all]),
        n => (n == channels).then(|| numbers.iter().copied().cycle().take(all).collect()),
    }
}

/// Channels of a value that are stored side by side.
pub(super) fn channels_of(shape: &Shape) -> Option<usize> {
    matches!(shape.rank(), 2 | 4).then(|| shape.0[1])
}

/// Factors of up to two operands, and offsets, by channel.
#[derive(Debug)]
pub(super) struct Factors<T> {
    pub(super) of: Vec<Vec<T>>,
    pub(super) offsets: Vec<T>,
}

/// Sums of up to two operands to codes.
#[derive(Debug)]
pub(super) struct Rescale {
    real: Factors<f64>,
    /// The factors before they are shifted, where sums are beyond f64; they are below 2^62.
    whole: Option<Factors<i64>>,
    shift: u8,
    zero: i64,
    min: i64,
    max: i64,
    even: Even,
    rounding: Rounding,
    /// Where codes may be bytes on either side.
    shifts: Option<Shifts>,
}

/// What is added to codes that are stored as bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shifts {
    /// Of the operands in the order of their factors; 0 of sums.
    pub(super) operands: [u8; 2],
    pub(super) result: u8,
}

/// A number for each lane, in vectors of 64 bits.
pub(super) type Halves<T> = [[T; LANES / 2]; 2];

/// Factors and offsets of neighbouring channels.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LaneFactors<T> {
    pub(super) of: [Halves<T>; 2],
    pub(super) offsets: Halves<T>,
}

impl<T: Copy + Default> Factors<T> {
    /// Those of `lanes` channels from `first` on.
    fn lanes(&self, first: usize, lanes: usize) -> LaneFactors<T> {
        let halves = |numbers: Option<&Vec<T>>| {
            let mut all = Halves::default();
            if let Some(numbers) = numbers {
                all.as_flattened_mut()[..lanes].copy_from_slice(&numbers[first..][..lanes]);
            }
            all
        };
        LaneFactors {
            of: [halves(self.of.first()), halves(self.of.get(1))],
            offsets: halves(Some(&self.offsets)),
        }
    }
}

impl<T: Copy + Add<Output = T> + Mul<Output = T>> Factors<T> {
    /// Codes of all sums.
    #[inline(always)]
    fn apply(
        &self,
        operands: &[&[f32]],
        result: &mut [f32],
        number: impl Fn(f32) -> T,
        code: impl Fn(T) -> f32,
    ) {
        let period = self.offsets.len();
        match (&self.of[..], operands) {
            ([m], [_, x, ..]) => {
                for (y, x) in result.chunks_mut(period).zip(x.chunks(period)) {
                    let parameters = m.iter().zip(&self.offsets);
                    for ((y, &x), (&m, &o)) in y.iter_mut().zip(x).zip(parameters) {
                        *y = code(number(x) * m + o);
                    }
                }
            }
            ([m, n], [_, x, _, z, ..]) => {
                let pixels = x.chunks(period).zip(z.chunks(period));
                for (y, (x, z)) in result.chunks_mut(period).zip(pixels) {
                    let parameters = m.iter().zip(n).zip(&self.offsets);
                    for ((y, (&x, &z)), ((&m, &n), &o)) in y.iter_mut().zip(x.iter().zip(z)).zip(parameters) {
                        *y = code(number(x) * m + (number(z) * n + o));
                    }
                }
            }
            _ => {}
        }
    }
}

/// What [`Rescale`] needs for neighbouring channels.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LaneScales {
    pub(super) real: LaneFactors<f64>,
    whole: Option<LaneFactors<i64>>,
}

#[inline(always)]
fn wholes<S: Simd>(simd: S, halves: &Halves<i64>) -> [i64x8<S>; 2] {
    [i64x8::load_array_ref(simd, &halves[0]), i64x8::load_array_ref(simd, &halves[1])]
}

#[inline(always)]
fn widened<S: Simd>(numbers: f32x16<S>) -> [f64x8<S>; 2] {
    let (low, high) = numbers.widen();
    [low, high]
}

impl Rescale {
    /// Nothing where sums are beyond 62 bits, or channels not side by side. The operand `sums`, if any, comes as i32 and
    /// not as f32.
    pub(super) fn new(op: &Requantise, operands: &[Operand<'_>], sums: Option<usize>) -> Option<Self> {
        let channels = channels_of(&operands[1].ty.shape)?;
        let unit = 2f64.powi(-i32::from(op.shift));
        let known = |i: usize| operands[i].constant?.to_i64();
        let largest =
            |numbers: &[i64]| numbers.iter().map(|n| i128::from(n.unsigned_abs())).max().unwrap_or(0);
        let offsets = known(0)?;
        let mut most = largest(&offsets);
        let mut of = Vec::new();
        let mut shifts = [Some(0), Some(0)];
        for i in (1..operands.len()).step_by(2) {
            let element = operands[i].ty.element;
            let (low, high) = if sums == Some(i) { of_type(element)? } else { range(element)? };
            let factors = known(i + 1)?;
            most += largest(&factors) * i128::from(low.abs().max(high.abs()));
            if let Some(shift) = shifts.get_mut(i / 2).filter(|_| sums != Some(i)) {
                *shift = byte_shift(element);
            }
            of.push(spread(&factors, channels)?);
        }
        if sums == Some(3) {
            of.swap(0, 1);
            shifts.swap(0, 1);
        }
        let given = Element::Int { bits: op.bits, signed: op.signed };
        let (low, high) = range(given)?;
        let within = op.min >= low && op.max <= high && (-ZEROS..=ZEROS).contains(&op.zero);
        (most < WIDEST && of.len() <= 2 && within).then_some(())?;
        let whole = Factors { of, offsets: spread(&offsets, channels)? };
        let reals = |numbers: &Vec<i64>| numbers.iter().map(|&n| n as f64 * unit).collect();
        let real = Factors { of: whole.of.iter().map(reals).collect(), offsets: reals(&whole.offsets) };
        Some(Rescale {
            real,
            whole: (most >= EXACT).then_some(whole),
            shift: op.shift,
            zero: op.zero,
            min: op.min,
            max: op.max,
            even: Even::new(op),
            rounding: op.rounding,
            shifts: match (shifts, byte_shift(given)) {
                ([Some(first), Some(second)], Some(result)) => {
                    Some(Shifts { operands: [first, second], result })
                }
                _ => None,
            },
        })
    }

    /// How sums with their factors become codes, where that is the usual way.
    #[inline(always)]
    pub(super) fn usual(&self) -> Option<(Even, &Factors<f64>)> {
        (self.whole.is_none() && self.rounding == Rounding::HalfEven).then_some((self.even, &self.real))
    }

    /// How codes are stored as bytes, where they become so in the usual way.
    pub(super) fn shifts(&self) -> Option<Shifts> {
        self.shifts.filter(|_| self.usual().is_some())
    }

    /// The numbers of `lanes` channels from `first` on.
    pub(super) fn lanes(&self, first: usize, lanes: usize) -> LaneScales {
        LaneScales {
            real: self.real.lanes(first, lanes),
            whole: self.whole.as_ref().map(|whole| whole.lanes(first, lanes)),
        }
    }

    /// Codes of neighbouring channels from sums and, where there is one, from the other operand.
    #[inline(always)]
    pub(super) fn codes<S: Simd>(
        &self,
        simd: S,
        scales: &LaneScales,
        sums: [f64x8<S>; 2],
        other: Option<f32x16<S>>,
    ) -> f32x16<S> {
        if let Some(whole) = &scales.whole {
            return self.codes_of_wide(simd, whole, sums, other);
        }
        let other = other.map(widened);
        if self.rounding == Rounding::HalfEven {
            return f32x16::float_from(self.even.words(simd, scales.real.scaled(simd, sums, other)));
        }
        let [low, high] = scales.real.scaled(simd, sums, other);
        let (low, high): ([f64; 8], [f64; 8]) = (low.into(), high.into());
        let sums = [low, high];
        let mut all = [0.0; LANES];
        for (code, &sum) in all.iter_mut().zip(sums.as_flattened()) {
            *code = self.code(sum, self.rounding);
        }
        f32x16::load_array(simd, all)
    }

    /// [`Rescale::codes`] where f64 does not hold the sums.
    #[inline(always)]
    fn codes_of_wide<S: Simd>(
        &self,
        simd: S,
        scales: &LaneFactors<i64>,
        sums: [f64x8<S>; 2],
        other: Option<f32x16<S>>,
    ) -> f32x16<S> {
        let [mut low, mut high] = wholes(simd, &scales.offsets);
        if let Some(other) = other {
            let (factors, other) = (wholes(simd, &scales.of[1]), other.widen());
            low += i64x8::truncate_from(other.0) * factors[0];
            high += i64x8::truncate_from(other.1) * factors[1];
        }
        let factors = wholes(simd, &scales.of[0]);
        low += i64x8::truncate_from(sums[0]) * factors[0];
        high += i64x8::truncate_from(sums[1]) * factors[1];
        let (low, high): ([i64; 8], [i64; 8]) = (low.into(), high.into());
        let sums = [low, high];
        let mut all = [0.0; LANES];
        for (code, &sum) in all.iter_mut().zip(sums.as_flattened()) {
            *code = match self.rounding {
                Rounding::HalfEven => self.even_code(sum),
                _ => self.code_of_wide(sum),
            };
        }
        f32x16::load_array(simd, all)
    }

    /// The code of a wide sum, ties to even.
    #[inline(always)]
    fn even_code(&self, sum: i64) -> f32 {
        let floor = sum >> self.shift;
        // Less than half a step is added to an even floor, half a step to an odd one.
        let code = match (1i64 << self.shift) >> 1 {
            0 => sum,
            half => (sum + (half - 1) + (floor & 1)) >> self.shift,
        };
        (code + self.zero).clamp(self.min, self.max) as f32
    }

    fn code_of_wide(&self, sum: i64) -> f32 {
        let code = self.rounding.shifted(sum.into(), self.shift) + i128::from(self.zero);
        code.clamp(self.min.into(), self.max.into()) as f32
    }

    #[inline(always)]
    fn code(&self, sum: f64, mode: Rounding) -> f32 {
        let (zero, min, max) = (self.zero as f64, self.min as f64, self.max as f64);
        // What is clamped anyway is clamped first, so that rounding sees small numbers alone.
        let (least, most) = (min - zero - 1.0, max - zero + 1.0);
        let sum = if sum < least { least } else { sum };
        let sum = if sum > most { most } else { sum };
        let code = round(sum, mode) + zero;
        let code = if code < min { min } else { code };
        (if code > max { max } else { code }) as f32
    }

    #[inline(always)]
    fn all(&self, operands: &[&[f32]], result: &mut [f32], mode: Rounding) {
        // What is kept as f32 has at most 25 bits.
        let whole = |x: f32| i64::from(x as i32);
        match (&self.whole, mode) {
            (None, _) => self.real.apply(operands, result, f64::from, |sum| self.code(sum, mode)),
            (Some(wide), Rounding::HalfEven) => {
                wide.apply(operands, result, whole, |sum| self.even_code(sum));
            }
            (Some(wide), _) => wide.apply(operands, result, whole, |sum| self.code_of_wide(sum)),
        }
    }
}

impl Rescale {
    /// All codes, where they are whole vectors and become so in the [`Rescale::usual`] way.
    #[inline(always)]
    fn all_usual<S: Simd>(
        &self,
        simd: S,
        (even, factors): (Even, &Factors<f64>),
        maps: [&[f32]; 2],
        result: &mut [f32],
    ) {
        even.each(
            simd,
            factors,
            maps.map(|map| map.as_chunks().0),
            result.as_chunks_mut().0,
            #[inline(always)]
            |_, numbers| widened(f32x16::load_array_ref(simd, numbers)),
            #[inline(always)]
            |codes, to| f32x16::float_from(codes).store_array(to),
        );
    }
}

impl Kernel for Rescale {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], _: &mut Scratch) {
        match self.rounding {
            Rounding::HalfEven
                if let Some(usual) = self.usual()
                    && usual.1.in_lanes(result.len()) =>
            {
                let maps = [1, 3].map(|i| operands.get(i).copied().unwrap_or_default());
                dispatch!(Level::new(), simd => self.all_usual(simd, usual, maps, result));
            }
            Rounding::HalfEven => {
                dispatch!(Level::new(), simd => { let _ = simd; self.all(operands, result, Rounding::HalfEven) });
            }
            mode => self.all(operands, result, mode),
        }
    }
}
