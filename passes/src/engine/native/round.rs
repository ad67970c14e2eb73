//! Between sums, codes and numbers: the roundings of quantised networks, channels side by side.
//!
//! Sums of products with factors are taken in f64, which is exact while they stay below 2^53; a kernel is chosen only
//! where they do. `inline(always)` makes the loops part of the function that may use the CPU's vectors.

use fearless_simd::{Level, dispatch};
use nonresc_ir::network::{Dequantise, Quantise, Requantise, Rounding, Shape};
use nonresc_ir::tensor::Tensor;

use super::integer::range;
use super::kernel::{Kernel, Operand};

/// Adding and taking away this rounds an f64 below 2^51 to a whole number, ties to even.
const ROUNDS: f64 = 1.5 * (1u64 << 52) as f64;

/// Largest sum that f64 holds exactly.
const EXACT: i128 = 1 << 53;

#[inline(always)]
fn round(x: f64, mode: Rounding) -> f64 {
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

/// One number for each channel.
fn spread<T: Copy>(numbers: &[T], channels: usize) -> Option<Vec<T>> {
    match numbers.len() {
        1 => Some(vec![numbers[0]; channels]),
        n => (n == channels).then(|| numbers.to_vec()),
    }
}

/// Channels of a value that are stored side by side.
fn channels_of(shape: &Shape) -> Option<usize> {
    matches!(shape.rank(), 2 | 4).then(|| shape.0[1])
}

/// Sums of up to two operands to codes.
#[derive(Debug)]
pub(super) struct Rescale {
    offsets: Vec<f64>,
    factors: Vec<Vec<f64>>,
    zero: f64,
    min: f64,
    max: f64,
    rounding: Rounding,
}

impl Rescale {
    /// Nothing where sums are beyond f64, or channels not side by side.
    pub(super) fn new(op: &Requantise, operands: &[Operand<'_>]) -> Option<Self> {
        let channels = channels_of(&operands[1].ty.shape)?;
        let unit = 2f64.powi(-i32::from(op.shift));
        let whole = |i: usize| operands[i].constant?.to_i64();
        let largest =
            |numbers: &[i64]| numbers.iter().map(|n| i128::from(n.unsigned_abs())).max().unwrap_or(0);
        let offsets = whole(0)?;
        let mut sum = largest(&offsets);
        let mut factors = Vec::new();
        for i in (1..operands.len()).step_by(2) {
            let (low, high) = range(operands[i].ty.element)?;
            let of = whole(i + 1)?;
            sum += largest(&of) * i128::from(low.abs().max(high.abs()));
            factors.push(spread(&of, channels)?.iter().map(|&m| m as f64 * unit).collect());
        }
        let (low, high) = range(nonresc_ir::network::Element::Int { bits: op.bits, signed: op.signed })?;
        (sum < EXACT && factors.len() <= 2).then_some(())?;
        Some(Rescale {
            offsets: spread(&offsets, channels)?.iter().map(|&o| o as f64 * unit).collect(),
            factors,
            zero: op.zero as f64,
            min: op.min.max(low) as f64,
            max: op.max.min(high) as f64,
            rounding: op.rounding,
        })
    }

    #[inline(always)]
    fn code(&self, sum: f64, mode: Rounding) -> f32 {
        // What is clamped anyway is clamped first, so that rounding sees small numbers alone.
        let least = self.min - self.zero - 1.0;
        let most = self.max - self.zero + 1.0;
        let sum = if sum < least { least } else { sum };
        let sum = if sum > most { most } else { sum };
        let code = round(sum, mode) + self.zero;
        let code = if code < self.min { self.min } else { code };
        (if code > self.max { self.max } else { code }) as f32
    }

    #[inline(always)]
    fn all(&self, operands: &[&[f32]], result: &mut [f32], mode: Rounding) {
        let channels = self.offsets.len();
        match (&self.factors[..], operands) {
            ([m], [_, x, ..]) => {
                for (y, x) in result.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
                    let parameters = m.iter().zip(&self.offsets);
                    for ((y, &x), (&m, &o)) in y.iter_mut().zip(x).zip(parameters) {
                        *y = self.code(f64::from(x) * m + o, mode);
                    }
                }
            }
            ([m, n], [_, x, _, z, ..]) => {
                let pixels = x.chunks_exact(channels).zip(z.chunks_exact(channels));
                for (y, (x, z)) in result.chunks_exact_mut(channels).zip(pixels) {
                    let parameters = m.iter().zip(n).zip(&self.offsets);
                    for ((y, (&x, &z)), ((&m, &n), &o)) in y.iter_mut().zip(x.iter().zip(z)).zip(parameters) {
                        *y = self.code(f64::from(x) * m + (f64::from(z) * n + o), mode);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Kernel for Rescale {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], _: &mut Vec<f32>) {
        match self.rounding {
            Rounding::HalfEven => {
                dispatch!(Level::new(), simd => { let _ = simd; self.all(operands, result, Rounding::HalfEven) });
            }
            mode => self.all(operands, result, mode),
        }
    }
}

/// Numbers to codes.
#[derive(Debug)]
pub(super) struct ToCodes {
    scales: Vec<f32>,
    zeros: Vec<f32>,
    min: f32,
    max: f32,
    rounding: Rounding,
}

impl ToCodes {
    pub(super) fn new(op: &Quantise, operands: &[Operand<'_>]) -> Option<Self> {
        let (scales, zeros) = (operands[1].constant?.to_f32(), operands[2].constant?.to_f32());
        let channels = by_channel(&operands[0].ty.shape, op.axis, scales.len().max(zeros.len()))?;
        let (low, high) = range(nonresc_ir::network::Element::Int { bits: op.bits, signed: op.signed })?;
        Some(ToCodes {
            scales: spread(&scales, channels)?,
            zeros: spread(&zeros, channels)?,
            min: (low + i64::from(op.narrow)) as f32,
            max: high as f32,
            rounding: op.rounding,
        })
    }

    #[inline(always)]
    fn all(&self, x: &[f32], y: &mut [f32], mode: Rounding) {
        let channels = self.scales.len();
        for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            let parameters = self.scales.iter().zip(&self.zeros);
            for ((y, &x), (&scale, &zero)) in y.iter_mut().zip(x).zip(parameters) {
                let steps = x / scale;
                // Beyond any code; what is no number becomes the code 0, within the limits.
                let steps = if steps < -1e9 { -1e9 } else { steps };
                let steps = if steps > 1e9 { 1e9 } else { steps };
                let code = (round(f64::from(steps), mode) + f64::from(zero)) as f32;
                let code = if code.is_nan() { 0.0 } else { code };
                let code = if code < self.min { self.min } else { code };
                *y = if code > self.max { self.max } else { code };
            }
        }
    }
}

impl Kernel for ToCodes {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], _: &mut Vec<f32>) {
        self.all(operands[0], result, self.rounding);
    }
}

/// Codes to numbers.
#[derive(Debug)]
pub(super) struct ToNumbers {
    scales: Vec<f32>,
    zeros: Vec<f32>,
}

impl ToNumbers {
    pub(super) fn new(op: &Dequantise, operands: &[Operand<'_>]) -> Option<Self> {
        range(operands[0].ty.element)?;
        let (scales, zeros) = (operands[1].constant?, operands[2].constant?.to_f32());
        let channels = by_channel(&operands[0].ty.shape, op.axis, scales.len().max(zeros.len()))?;
        Some(ToNumbers {
            scales: spread(&Tensor::to_f32(scales), channels)?,
            zeros: spread(&zeros, channels)?,
        })
    }
}

impl Kernel for ToNumbers {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], _: &mut Vec<f32>) {
        let channels = self.scales.len();
        for (y, x) in result.chunks_exact_mut(channels).zip(operands[0].chunks_exact(channels)) {
            for ((y, x), (scale, zero)) in y.iter_mut().zip(x).zip(self.scales.iter().zip(&self.zeros)) {
                *y = (x - zero) * scale;
            }
        }
    }
}

/// How many parameters run side by side: those of a channel along axis 1, or one for all.
fn by_channel(shape: &Shape, axis: usize, count: usize) -> Option<usize> {
    match count {
        1 => Some(1),
        _ => channels_of(shape).filter(|&channels| axis == 1 && channels == count),
    }
}
