//! Between sums, codes and numbers: the roundings of quantised networks, channels side by side.
//!
//! Sums of products with factors are taken in f64, which is exact while they stay below 2^53, and else in i64; a kernel is
//! chosen only where they stay below 2^62. `inline(always)` makes the loops part of the function that may use the CPU's vectors.

use std::ops::{Add, Mul};

use fearless_simd::{
    Bytes, Level, Simd, SimdBase, SimdCvtFloat, SimdCvtTruncate, SimdFloat, SimdWiden, dispatch, f32x16,
    f64x8, i32x16, i64x8,
};
use nonresc_ir::network::{Element, Requantise, Rounding, Shape};

use super::integer::{of_type, range};
use super::kernel::{Kernel, Operand, Scratch};
use super::tile::LANES;

/// Adding and taking away this rounds an f64 below 2^51 to a whole number, ties to even.
const ROUNDS: f64 = 1.5 * (1u64 << 52) as f64;

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
struct Factors<T> {
    of: Vec<Vec<T>>,
    offsets: Vec<T>,
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
    /// Least and largest code less the zero point.
    window: [f64; 2],
    rounding: Rounding,
}

/// A number for each lane, in vectors of 64 bits.
type Halves<T> = [[T; LANES / 2]; 2];

/// Factors and offsets of neighbouring channels.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LaneFactors<T> {
    of: [Halves<T>; 2],
    offsets: Halves<T>,
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
    real: LaneFactors<f64>,
    whole: Option<LaneFactors<i64>>,
}

#[inline(always)]
fn reals<S: Simd>(simd: S, halves: &Halves<f64>) -> [f64x8<S>; 2] {
    [f64x8::load_array_ref(simd, &halves[0]), f64x8::load_array_ref(simd, &halves[1])]
}

#[inline(always)]
fn wholes<S: Simd>(simd: S, halves: &Halves<i64>) -> [i64x8<S>; 2] {
    [i64x8::load_array_ref(simd, &halves[0]), i64x8::load_array_ref(simd, &halves[1])]
}

/// Sums of up to two operands with their factors.
#[inline(always)]
fn scaled<S: Simd>(
    simd: S,
    scales: &LaneFactors<f64>,
    sums: [f64x8<S>; 2],
    other: Option<f32x16<S>>,
) -> [f64x8<S>; 2] {
    let [mut low, mut high] = reals(simd, &scales.offsets);
    let [factors, of_other] = &scales.of;
    if let Some(other) = other {
        let (factors, other) = (reals(simd, of_other), other.widen());
        low = other.0.mul_add(factors[0], low);
        high = other.1.mul_add(factors[1], high);
    }
    let factors = reals(simd, factors);
    [sums[0].mul_add(factors[0], low), sums[1].mul_add(factors[1], high)]
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
        for i in (1..operands.len()).step_by(2) {
            let element = operands[i].ty.element;
            let (low, high) = if sums == Some(i) { of_type(element)? } else { range(element)? };
            let factors = known(i + 1)?;
            most += largest(&factors) * i128::from(low.abs().max(high.abs()));
            of.push(spread(&factors, channels)?);
        }
        if sums == Some(3) {
            of.swap(0, 1);
        }
        let (low, high) = range(Element::Int { bits: op.bits, signed: op.signed })?;
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
            window: [op.min, op.max].map(|code| (code - op.zero) as f64),
            rounding: op.rounding,
        })
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
        if self.rounding == Rounding::HalfEven {
            return self.plain(simd, scales, sums, other);
        }
        let [low, high] = scaled(simd, &scales.real, sums, other);
        let (low, high): ([f64; 8], [f64; 8]) = (low.into(), high.into());
        let sums = [low, high];
        let mut all = [0.0; LANES];
        for (code, &sum) in all.iter_mut().zip(sums.as_flattened()) {
            *code = self.code(sum, self.rounding);
        }
        f32x16::load_array(simd, all)
    }

    /// Whether [`Rescale::plain`] gives the codes.
    pub(super) fn is_plain(&self) -> bool {
        self.whole.is_none() && self.rounding == Rounding::HalfEven
    }

    /// [`Rescale::codes`] with ties to even, of sums that f64 holds.
    #[inline(always)]
    pub(super) fn plain<S: Simd>(
        &self,
        simd: S,
        scales: &LaneScales,
        sums: [f64x8<S>; 2],
        other: Option<f32x16<S>>,
    ) -> f32x16<S> {
        self.even_codes(simd, scaled(simd, &scales.real, sums, other))
    }

    /// As [`Rescale::code`] with ties to even.
    #[inline(always)]
    fn even_codes<S: Simd>(&self, simd: S, sums: [f64x8<S>; 2]) -> f32x16<S> {
        let (low, high) = (self.even_words(simd, sums[0]), self.even_words(simd, sums[1]));
        f32x16::float_from(low.unzip_low(high) + self.zero as i32)
    }

    /// Codes less the zero point, ties to even, each in the low word of its lane.
    #[inline(always)]
    fn even_words<S: Simd>(&self, simd: S, sums: f64x8<S>) -> i32x16<S> {
        let [least, most] = self.window;
        // Limits are whole, so rounding does not lead across them.
        let sums = sums.max(f64x8::splat(simd, least)).min(f64x8::splat(simd, most));
        (sums + f64x8::splat(simd, ROUNDS)).bitcast()
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
    /// All codes, where [`Rescale::is_plain`].
    #[inline(always)]
    fn all_plain<S: Simd>(&self, simd: S, operands: &[&[f32]], result: &mut [f32]) {
        let (x, other) = match (&self.real.of[..], operands) {
            ([m], [_, x, ..]) => ((x, m), None),
            ([m, n], [_, x, _, z, ..]) => ((x, m), Some((z, n))),
            _ => return,
        };
        let offsets = &self.real.offsets;
        let period = offsets.len();
        for (start, y) in (0..).step_by(period).zip(result.chunks_mut(period)) {
            let (vectors, rest) = y.as_chunks_mut::<LANES>();
            let behind = vectors.len() * LANES;
            for (first, codes) in (0..).step_by(LANES).zip(vectors) {
                let mut sums = eights(simd, &offsets[first..]);
                for &(numbers, factors) in [x].iter().chain(&other) {
                    let (factors, numbers) =
                        (eights(simd, &factors[first..]), sixteen(simd, &numbers[start + first..]).widen());
                    sums = [numbers.0.mul_add(factors[0], sums[0]), numbers.1.mul_add(factors[1], sums[1])];
                }
                self.even_codes(simd, sums).store_array(codes);
            }
            for (i, code) in (behind..).zip(rest) {
                let product =
                    |&(numbers, factors): &(&&[f32], &Vec<f64>)| f64::from(numbers[start + i]) * factors[i];
                let sum = product(&x) + (other.as_ref().map_or(0.0, product) + offsets[i]);
                *code = self.code(sum, Rounding::HalfEven);
            }
        }
    }
}

#[inline(always)]
fn sixteen<S: Simd>(simd: S, numbers: &[f32]) -> f32x16<S> {
    f32x16::from_slice(simd, &numbers[..LANES])
}

#[inline(always)]
fn eights<S: Simd>(simd: S, numbers: &[f64]) -> [f64x8<S>; 2] {
    let (low, high) = numbers[..LANES].split_at(LANES / 2);
    [f64x8::from_slice(simd, low), f64x8::from_slice(simd, high)]
}

impl Kernel for Rescale {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], _: &mut Scratch) {
        match self.rounding {
            Rounding::HalfEven if self.is_plain() => {
                dispatch!(Level::new(), simd => self.all_plain(simd, operands, result));
            }
            Rounding::HalfEven => {
                dispatch!(Level::new(), simd => { let _ = simd; self.all(operands, result, Rounding::HalfEven) });
            }
            mode => self.all(operands, result, mode),
        }
    }
}
