//! Gradients of pools, channels side by side, by the windows of the pool itself.
//!
//! Plain loops over neighbouring channels, which the compiler makes vectors of; `dispatch` has it use those of the CPU.

use fearless_simd::{Level, dispatch};
use nonresc_ir::network::{AvgPoolGrad, MaxPoolGrad, Shape};

use super::kernel::{Kernel, Scratch, room};
use super::pool::Pool;

/// Each window's gradient goes to the first of its largest numbers.
#[derive(Debug)]
pub(super) struct Largest {
    pool: Pool,
    channels: usize,
}

impl Largest {
    /// Of a pool of maps `x` whose result has the gradient `dy`; nothing where a value is no map.
    pub(super) fn new(op: &MaxPoolGrad, x: &Shape, dy: &Shape) -> Option<Self> {
        Some(Largest { pool: Pool::new(&op.window().into(), x, dy)?, channels: x.0[1] })
    }
}

impl Kernel for Largest {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        result.fill(0.0);
        let Scratch { floats, winners, .. } = scratch;
        let best = (room(floats, self.channels), room(winners, self.channels));
        dispatch!(Level::new(), _ => self.windows(operands, best, result));
    }
}

impl Largest {
    #[inline(always)]
    fn windows(&self, operands: &[&[f32]], (largest, winners): (&mut [f32], &mut [u32]), result: &mut [f32]) {
        let channels = self.channels;
        let of = |pixel: &usize| pixel * channels..(pixel + 1) * channels;
        let gradients = operands[1].chunks_exact(channels.max(1));
        for ((pixels, _), dy) in self.pool.windows().zip(gradients) {
            let [first, others @ ..] = pixels else { continue };
            largest.copy_from_slice(&operands[0][of(first)]);
            winners.fill(0);
            for (i, pixel) in (1..).zip(others) {
                let x = &operands[0][of(pixel)];
                // Both are written in any case: a branch would be guessed wrong as often as not.
                for ((largest, winner), &x) in largest.iter_mut().zip(&mut *winners).zip(x) {
                    let larger = x > *largest;
                    *largest = if larger { x } else { *largest };
                    *winner = if larger { i } else { *winner };
                }
            }
            for (i, pixel) in (0..).zip(pixels) {
                for ((dx, &winner), &dy) in result[of(pixel)].iter_mut().zip(&*winners).zip(dy) {
                    *dx += if winner == i { dy } else { 0.0 };
                }
            }
        }
    }
}

/// Each window's gradient goes to all of its numbers alike.
#[derive(Debug)]
pub(super) struct Shared {
    pool: Pool,
    channels: usize,
}

impl Shared {
    /// Of a pool of maps of shape `dx` whose result has the gradient `dy`; nothing where a value is no map.
    pub(super) fn new(op: &AvgPoolGrad, dx: &Shape, dy: &Shape) -> Option<Self> {
        Some(Shared { pool: Pool::new(&op.window().into(), dx, dy)?, channels: dx.0[1] })
    }
}

impl Kernel for Shared {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        let channels = self.channels;
        result.fill(0.0);
        if channels == 0 {
            return;
        }
        let share = room(&mut scratch.floats, channels);
        for ((pixels, divisor), dy) in self.pool.windows().zip(operands[0].chunks_exact(channels)) {
            share.iter_mut().zip(dy).for_each(|(share, dy)| *share = dy / divisor);
            for pixel in pixels {
                let result = &mut result[pixel * channels..][..channels];
                result.iter_mut().zip(&*share).for_each(|(dx, share)| *dx += share);
            }
        }
    }
}
