//! Sums, means and variances by channel, and what batch normalisation's gradient has of them.
//!
//! Channels are the innermost stored axis: a row of whole pixels, long enough for many vectors, is added to a row of sums,
//! number by number. Some rows make a sum of f32, such sums one of f64, always in the same order: the result is as accurate as
//! f32 can hold it. Plain loops, which the compiler makes vectors of; `dispatch` has it use those of the CPU.

use fearless_simd::{Level, dispatch};
use nonresc_ir::network::{Op, Shape};

use super::kernel::{Kernel, Scratch, room};

/// Numbers of a row at least, where rows are that long.
const ROW: usize = 256;

/// Rows that are summed in f32.
const ROWS: usize = 64;

/// Numbers of a row: whole pixels.
pub(super) fn row(channels: usize) -> usize {
    channels * ROW.div_ceil(channels)
}

/// Channels of a value whose innermost stored axis they are; nothing where it is another, or empty.
pub(super) fn channels(x: &Shape) -> Option<usize> {
    (matches!(x.rank(), 2 | 4) && !x.is_empty()).then(|| x.0[1])
}

/// A number of every channel, again and again, to the end of a row.
pub(super) fn repeat(of: impl Fn(usize) -> f32, channels: usize, row: &mut [f32]) {
    let (first, rest) = row.split_at_mut(channels);
    first.iter_mut().enumerate().for_each(|(c, number)| *number = of(c));
    rest.chunks_exact_mut(channels).for_each(|pixel| pixel.copy_from_slice(first));
}

/// A sum over all axes but axis 1.
#[derive(Debug)]
pub(super) struct ChannelSums {
    of: Of,
    channels: usize,
    /// Elements of a channel.
    elements: usize,
}

/// What is summed, and what becomes of it.
#[derive(Clone, Copy, Debug)]
enum Of {
    Sum,
    Mean,
    Variance,
    GradScale { epsilon: f64 },
}

impl ChannelSums {
    /// Nothing where the operator is no such sum.
    pub(super) fn new(op: &Op, x: &Shape) -> Option<Self> {
        let of = match op {
            Op::ChannelSum(_) => Of::Sum,
            Op::ReduceMean(op) if (0..x.rank()).filter(|&axis| axis != 1).eq(op.axes.iter().copied()) => {
                Of::Mean
            }
            Op::ChannelVariance(_) => Of::Variance,
            Op::BatchNormGradScale(op) => Of::GradScale { epsilon: op.epsilon },
            _ => return None,
        };
        let channels = channels(x)?;
        Some(ChannelSums { of, channels, elements: x.len() / channels })
    }
}

#[inline(always)]
fn number(x: f32, _: f32, _: f32) -> f32 {
    x
}

#[inline(always)]
fn square(x: f32, _: f32, mean: f32) -> f32 {
    (x - mean) * (x - mean)
}

#[inline(always)]
fn product(x: f32, dy: f32, mean: f32) -> f32 {
    dy * (x - mean)
}

/// The sums by channel of what `of` says of a number of `x`, the one of `y` in its place and its channel's mean.
#[inline(always)]
fn sums(
    [x, y]: [&[f32]; 2],
    means: &[f32],
    partial: &mut [f32],
    all: &mut [f64],
    of: impl Fn(f32, f32, f32) -> f32,
) {
    all.fill(0.0);
    let (row, channels) = (partial.len(), all.len());
    for (x, y) in x.chunks(ROWS * row).zip(y.chunks(ROWS * row)) {
        partial.fill(0.0);
        for (x, y) in x.chunks(row).zip(y.chunks(row)) {
            for (((sum, &x), &y), &mean) in partial.iter_mut().zip(x).zip(y).zip(means) {
                *sum += of(x, y, mean);
            }
        }
        for pixel in partial.chunks_exact(channels) {
            all.iter_mut().zip(pixel).for_each(|(all, &sum)| *all += f64::from(sum));
        }
    }
}

impl Kernel for ChannelSums {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        let row = row(self.channels);
        let (partial, means) = room(&mut scratch.floats, 2 * row).split_at_mut(row);
        let all = room(&mut scratch.doubles, self.channels);
        let x = operands[0];
        match operands.get(1) {
            Some(mean) => repeat(|c| mean[c], self.channels, means),
            None => means.fill(0.0),
        }
        match self.of {
            Of::Sum | Of::Mean => {
                dispatch!(Level::new(), _ => sums([x, x], means, partial, all, number));
            }
            Of::Variance => {
                dispatch!(Level::new(), _ => sums([x, x], means, partial, all, square));
            }
            Of::GradScale { .. } => {
                dispatch!(Level::new(), _ => sums([x, operands[3]], means, partial, all, product));
            }
        }
        for (c, (result, sum)) in result.iter_mut().zip(all).enumerate() {
            let divisor = match self.of {
                Of::Sum => 1.0,
                Of::Mean | Of::Variance => self.elements as f64,
                Of::GradScale { epsilon } => (f64::from(operands[2][c]) + epsilon).sqrt(),
            };
            *result = (*sum / divisor) as f32;
        }
    }
}
