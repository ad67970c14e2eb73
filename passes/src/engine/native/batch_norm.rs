//! Batch normalisation and its input's gradient: a factor or two and a summand by channel, channels being neighbours.
//!
//! Plain loops over rows of many pixels, which the compiler makes vectors of; `dispatch` has it use those of the CPU.

use fearless_simd::{Level, dispatch};
use nonresc_ir::network::{BatchNorm, BatchNormGradX, Shape};
use nonresc_ir::tensor::Tensor;

use super::kernel::{Kernel, Scratch, room};
use super::statistics::{channels, repeat, row};
use super::tile::Limits;

/// Batch normalisation with given statistics.
#[derive(Debug)]
pub(super) struct Affine {
    epsilon: f64,
    channels: usize,
    /// Rows of factors and of summands, where they are known.
    known: Option<Vec<f32>>,
    limits: Limits,
}

impl Affine {
    /// With operands for all; nothing where channels are not the innermost stored axis.
    pub(super) fn live(op: &BatchNorm, x: &Shape) -> Option<Self> {
        Some(Affine { epsilon: op.epsilon, channels: channels(x)?, known: None, limits: Limits::NONE })
    }

    /// With known statistics.
    pub(super) fn known(op: &BatchNorm, x: &Shape, known: [&Tensor; 4]) -> Option<Self> {
        let mut kernel = Affine::live(op, x)?;
        if known.iter().any(|t| t.len() != kernel.channels) {
            return None;
        }
        let mut rows = vec![0.0; 2 * row(kernel.channels)];
        let known = known.map(Tensor::to_f32);
        kernel.rows(known.each_ref().map(Vec::as_slice), &mut rows);
        kernel.known = Some(rows);
        Some(kernel)
    }

    /// Holds results to `limits`.
    pub(super) fn limited(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    fn rows(&self, [scale, bias, mean, variance]: [&[f32]; 4], rows: &mut [f32]) {
        let (factors, summands) = rows.split_at_mut(rows.len() / 2);
        let factor = |c: usize| f64::from(scale[c]) / (f64::from(variance[c]) + self.epsilon).sqrt();
        let summand = |c: usize| f64::from(bias[c]) - f64::from(mean[c]) * factor(c);
        repeat(|c| factor(c) as f32, self.channels, factors);
        repeat(|c| summand(c) as f32, self.channels, summands);
    }
}

impl Kernel for Affine {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        let rows = match (&self.known, operands) {
            (Some(rows), _) => rows.as_slice(),
            (None, &[_, scale, bias, mean, variance]) => {
                let rows = room(&mut scratch.floats, 2 * row(self.channels));
                self.rows([scale, bias, mean, variance], rows);
                rows
            }
            _ => return,
        };
        let (factors, summands) = rows.split_at(rows.len() / 2);
        dispatch!(Level::new(), _ => affine(operands[0], (factors, summands), self.limits, result));
    }
}

#[inline(always)]
fn affine(x: &[f32], (factors, summands): (&[f32], &[f32]), limits: Limits, result: &mut [f32]) {
    let row = factors.len();
    for (y, x) in result.chunks_mut(row).zip(x.chunks(row)) {
        for (((y, x), factor), summand) in y.iter_mut().zip(x).zip(factors).zip(summands) {
            *y = limits.hold(x * factor + summand);
        }
    }
}

/// The gradient of batch normalisation's input, whose own the statistics are.
#[derive(Debug)]
pub(super) struct GradX {
    epsilon: f64,
    channels: usize,
    /// Elements of a channel.
    elements: f64,
}

impl GradX {
    /// Nothing where channels are not the innermost stored axis.
    pub(super) fn new(op: &BatchNormGradX, x: &Shape) -> Option<Self> {
        let channels = channels(x)?;
        Some(GradX { epsilon: op.epsilon, channels, elements: (x.len() / channels) as f64 })
    }
}

/// With x' = (x - mean) / deviation over the m elements of a channel, dx = scale / deviation (dy - dbias / m - x' dscale / m) is a
/// sum of dy and x with a factor each, and of a summand.
impl Kernel for GradX {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        let &[x, scale, mean, variance, dy, dscale, dbias] = operands else { return };
        let row = row(self.channels);
        let (of_dy, rest) = room(&mut scratch.floats, 3 * row).split_at_mut(row);
        let (of_x, summands) = rest.split_at_mut(row);
        let deviation = |c: usize| (f64::from(variance[c]) + self.epsilon).sqrt();
        let factor = |c: usize| f64::from(scale[c]) / deviation(c);
        let slope = |c: usize| -factor(c) * f64::from(dscale[c]) / (self.elements * deviation(c));
        let summand =
            |c: usize| -factor(c) * f64::from(dbias[c]) / self.elements - slope(c) * f64::from(mean[c]);
        repeat(|c| factor(c) as f32, self.channels, of_dy);
        repeat(|c| slope(c) as f32, self.channels, of_x);
        repeat(|c| summand(c) as f32, self.channels, summands);
        dispatch!(Level::new(), _ => combine([x, of_x], [dy, of_dy], summands, result));
    }
}

#[inline(always)]
fn combine([x, of_x]: [&[f32]; 2], [dy, of_dy]: [&[f32]; 2], summands: &[f32], result: &mut [f32]) {
    let row = summands.len();
    for ((dx, x), dy) in result.chunks_mut(row).zip(x.chunks(row)).zip(dy.chunks(row)) {
        let numbers = dx.iter_mut().zip(x).zip(dy);
        for (((((dx, x), dy), of_x), of_dy), summand) in numbers.zip(of_x).zip(of_dy).zip(summands) {
            *dx = dy * of_dy + (x * of_x + summand);
        }
    }
}
