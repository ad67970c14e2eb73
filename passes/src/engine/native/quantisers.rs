//! Quantisers at the ends of a network: numbers to codes, codes to numbers, channels side by side.

use fearless_simd::{Level, dispatch};
use nonresc_ir::network::{Dequantise, Element, Quantise, Rounding, Shape};
use nonresc_ir::tensor::Tensor;

use super::integer::{byte_shift, range};
use super::kernel::{Bytes, Kernel, Operand, Scratch, Stored, StoredMut};
use super::round::{MANTISSA, channels_of, round, spread};

/// Numbers to codes.
#[derive(Debug)]
pub(super) struct ToCodes {
    scales: Vec<f32>,
    zeros: Vec<f32>,
    min: f32,
    max: f32,
    rounding: Rounding,
    /// Added to codes that are stored as bytes; nothing where they cannot be.
    shift: Option<u8>,
}

impl ToCodes {
    pub(super) fn new(op: &Quantise, operands: &[Operand<'_>]) -> Option<Self> {
        let (scales, zeros) = (operands[1].constant?.to_f32(), operands[2].constant?.to_f32());
        let channels = by_channel(&operands[0].ty.shape, op.axis, scales.len().max(zeros.len()))?;
        let element = Element::Int { bits: op.bits, signed: op.signed };
        range(element)?;
        let [min, max] = op.limits().map(|code| code as f32);
        Some(ToCodes {
            scales: spread(&scales, channels)?,
            zeros: spread(&zeros, channels)?,
            min,
            max,
            rounding: op.rounding,
            shift: byte_shift(element),
        })
    }

    /// All codes, as `stored` puts them.
    #[inline(always)]
    fn all<T>(&self, x: &[f32], y: &mut [T], mode: Rounding, stored: impl Fn(f32) -> T) {
        let period = self.scales.len();
        for (y, x) in y.chunks_mut(period).zip(x.chunks(period)) {
            let parameters = self.scales.iter().zip(&self.zeros);
            for ((y, &x), (&scale, &zero)) in y.iter_mut().zip(x).zip(parameters) {
                let steps = x / scale;
                // Beyond any code; what is no number becomes the code 0, within the limits.
                let steps = if steps < -1e9 { -1e9 } else { steps };
                let steps = if steps > 1e9 { 1e9 } else { steps };
                let code = (round(f64::from(steps), mode) + f64::from(zero)) as f32;
                let code = if code.is_nan() { 0.0 } else { code };
                let code = if code < self.min { self.min } else { code };
                *y = stored(if code > self.max { self.max } else { code });
            }
        }
    }
}

impl Kernel for ToCodes {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], _: &mut Scratch) {
        match self.rounding {
            Rounding::HalfEven => {
                dispatch!(Level::new(), simd => {
                    let _ = simd;
                    self.all(operands[0], result, Rounding::HalfEven, #[inline(always)] |code| code)
                });
            }
            mode => self.all(operands[0], result, mode, |code| code),
        }
    }

    fn bytes(&self) -> Bytes {
        if self.shift.is_some() { Bytes::Given } else { Bytes::None }
    }

    fn run_bytes(&self, operands: &[Stored<'_>], result: StoredMut<'_>, _: &mut Scratch) {
        let (&[Stored::Floats(x), ..], StoredMut::Bytes(y)) = (operands, result) else { return };
        let added = MANTISSA + self.shift.map_or(0.0, f32::from);
        match self.rounding {
            Rounding::HalfEven => {
                dispatch!(Level::new(), simd => {
                    let _ = simd;
                    self.all(x, y, Rounding::HalfEven, #[inline(always)] |code| (code + added).to_bits() as u8)
                });
            }
            mode => self.all(x, y, mode, |code| (code + added).to_bits() as u8),
        }
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
    fn run(&self, operands: &[&[f32]], result: &mut [f32], _: &mut Scratch) {
        let period = self.scales.len();
        for (y, x) in result.chunks_mut(period).zip(operands[0].chunks(period)) {
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
