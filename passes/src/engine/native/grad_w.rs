//! The gradient of a convolution's weights: for sixteen or 32 output channels and a few of the places that a window reads, sums
//! in vector registers over the pixels of some frames.
//!
//! The sums of a few frames begin at zero and are added up then, in the order of the frames: so they stay accurate, and what a
//! sum reads stays in the cache.

use fearless_simd::{Level, Simd, SimdBase, SimdFloat, dispatch, f32x16};
use nonresc_ir::network::{ConvGradW, Shape};

use super::kernel::{Kernel, Scratch, room};
use super::tile::{LANES, Lanes, Runs, each_block, each_pixel};
use super::windows::{NEAR, Outputs, Windows, frames_at_a_time, of_frames, outputs, padded};

/// Pixels at least whose sums are worth the addition to those before.
const LEAST: usize = 64;

/// The gradient of weights, all shapes known.
#[derive(Debug)]
pub(super) struct GradW {
    /// Of the frames that are done at a time.
    windows: Windows,
    /// Numbers of the map and of the result's gradient that are done at a time.
    pieces: [usize; 2],
    blocks: Vec<Outputs>,
    /// Channels of the result.
    outputs: usize,
    /// Places that a window reads: taps by channels of a group.
    places: usize,
    /// Pixels that are summed from zero: what they read is near.
    strip: usize,
}

impl GradW {
    /// From a map `x` and the gradient `dy` of the result; nothing where a value is empty.
    pub(super) fn boxed(op: &ConvGradW, x: &Shape, dy: &Shape, dw: &Shape) -> Option<Box<dyn Kernel>> {
        let &[channels, per_group, kernel_h, kernel_w] = dw.0.as_slice() else { return None };
        let frames = frames_at_a_time(&op.window(), x, dy)?;
        let (x, dy) = (of_frames(x, frames), of_frames(dy, frames));
        let windows = Windows::conv(&op.window(), &x, dw, &dy)?;
        let places = per_group * kernel_h * kernel_w;
        let pieces = [x.len(), dy.len()];
        if places == 0 {
            return None;
        }
        let blocks = outputs(op.groups, channels, per_group).collect();
        let depthwise = op.groups > 1 && op.groups == channels && per_group == 1;
        let strip = (NEAR / (channels + x.0[1])).max(LEAST);
        let grad = GradW { windows, pieces, blocks, outputs: channels, places, strip };
        Some(if depthwise { Box::new(DepthwiseGradW(grad)) } else { Box::new(grad) })
    }

    /// Adds the sums of the frames of `x` and `dy` by block of output channels and place.
    #[inline(always)]
    fn frames<S: Simd>(&self, simd: S, x: &[f32], dy: &[f32], sums: &mut [Lanes], memory: &mut Vec<f32>) {
        let strips = self.windows.pixels.chunks(self.strip);
        for (pixels, dy) in strips.zip(dy.chunks(self.strip * self.outputs)) {
            self.add(simd, (x, pixels), dy, sums, memory);
        }
    }

    /// Likewise of some pixels, whose windows in `x` and whose gradients are given.
    #[inline(always)]
    fn add<S: Simd>(
        &self,
        simd: S,
        x: (&[f32], &[usize]),
        dy: &[f32],
        mut sums: &mut [Lanes],
        memory: &mut Vec<f32>,
    ) {
        let mut blocks = self.blocks.as_slice();
        while let [first, rest @ ..] = blocks {
            let (own, others) = std::mem::take(&mut sums).split_at_mut(self.places);
            (blocks, sums) = match rest {
                _ if first.lanes < LANES => {
                    let dy = whole_lanes(*first, dy, self.outputs, memory);
                    self.block(simd, x, first.input, (dy, LANES, [0]), [own]);
                    (rest, others)
                }
                [second, rest @ ..]
                    if S::f32s::LEN == LANES && second.lanes == LANES && second.input == first.input =>
                {
                    let (next, others) = others.split_at_mut(self.places);
                    let dy = (dy, self.outputs, [first.output, second.output]);
                    self.block(simd, x, first.input, dy, [own, next]);
                    (rest, others)
                }
                _ => {
                    self.block(simd, x, first.input, (dy, self.outputs, [first.output]), [own]);
                    (rest, others)
                }
            };
        }
    }

    /// All places of `B` blocks, as many at a time as there are registers for: sums, the gradient, a number of the map.
    #[inline(always)]
    fn block<S: Simd, const B: usize>(
        &self,
        simd: S,
        (x, pixels): (&[f32], &[usize]),
        input: usize,
        dy: Gradient<'_, B>,
        mut sums: [&mut [Lanes]; B],
    ) {
        let Runs { starts, len } = &self.windows.runs;
        for (run, start) in starts.iter().enumerate() {
            let mut done = 0;
            macro_rules! pieces {
                ($($places:literal)*) => {
                    while done < *len {
                        $( if len - done >= $places {
                            let window = (x, input + start + done);
                            let found = piece::<S, $places, B>(simd, window, pixels, dy);
                            add_up(simd, found, &mut sums, run * len + done);
                            done += $places;
                            continue;
                        } )*
                    }
                };
            }
            match S::f32s::LEN {
                LANES if B == 2 => pieces!(12 9 4 1),
                LANES => pieces!(24 16 9 4 1),
                _ if S::f32s::LEN == 8 || cfg!(target_arch = "aarch64") => pieces!(6 3 1),
                _ => pieces!(3 1),
            }
        }
    }
}

/// The gradient of a result, its numbers a pixel, and the channels where `B` blocks begin.
type Gradient<'a, const B: usize> = (&'a [f32], usize, [usize; B]);

/// The gradient of a block that is not full, with zeros behind it.
fn whole_lanes<'a>(block: Outputs, dy: &[f32], outputs: usize, memory: &'a mut Vec<f32>) -> &'a [f32] {
    let whole = room(memory, dy.len() / outputs * LANES);
    for (whole, dy) in whole.chunks_exact_mut(LANES).zip(dy.chunks_exact(outputs)) {
        whole[..block.lanes].copy_from_slice(&dy[block.output..][..block.lanes]);
        whole[block.lanes..].fill(0.0);
    }
    whole
}

/// The sums over all pixels of `J` neighbouring places that start at a pixel's window, for `B` blocks. `J` is at most what
/// [`each_pixel`] writes out.
#[inline(always)]
fn piece<S: Simd, const J: usize, const B: usize>(
    simd: S,
    (x, start): (&[f32], usize),
    pixels: &[usize],
    (dy, step, firsts): Gradient<'_, B>,
) -> [[f32x16<S>; B]; J] {
    let mut sums = [[f32x16::splat(simd, 0.0); B]; J];
    for (&pixel, dy) in pixels.iter().zip(dy.chunks_exact(step)) {
        let window = &x[pixel + start..][..J];
        let mut dys = [f32x16::splat(simd, 0.0); B];
        each_block!(b < B => { dys[b] = f32x16::from_slice(simd, &dy[firsts[b]..][..LANES]); });
        each_pixel!(j < J => {
            let x = f32x16::splat(simd, window[j]);
            each_block!(b < B => { sums[j][b] = x.mul_add(dys[b], sums[j][b]); });
        });
    }
    sums
}

/// Adds sums to those of the frames before.
#[inline(always)]
fn add_up<S: Simd, const J: usize, const B: usize>(
    simd: S,
    found: [[f32x16<S>; B]; J],
    sums: &mut [&mut [Lanes]; B],
    first: usize,
) {
    for (j, found) in found.into_iter().enumerate() {
        for (found, sums) in found.into_iter().zip(sums.iter_mut()) {
            let sum = &mut sums[first + j].0;
            (f32x16::load_array_ref(simd, sum) + found).store_array(sum);
        }
    }
}

impl Kernel for GradW {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        let Scratch { floats, more, lanes, .. } = scratch;
        let sums = room(lanes, self.blocks.len() * self.places);
        sums.fill(Lanes::ZERO);
        let [of_x, of_dy] = self.pieces;
        for (x, dy) in operands[0].chunks_exact(of_x).zip(operands[1].chunks_exact(of_dy)) {
            let x = padded(self.windows.padding.as_ref(), x, floats);
            dispatch!(Level::new(), simd => self.frames(simd, x, dy, sums, more));
        }
        for (block, sums) in self.blocks.iter().zip(sums.chunks_exact(self.places)) {
            let results = &mut result[block.output * self.places..][..block.lanes * self.places];
            for (lane, result) in results.chunks_exact_mut(self.places).enumerate() {
                result.iter_mut().zip(sums).for_each(|(result, sum)| *result = sum.0[lane]);
            }
        }
    }
}

/// The same of a depthwise convolution: channels side by side instead of output channels.
#[derive(Debug)]
struct DepthwiseGradW(GradW);

impl Kernel for DepthwiseGradW {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        let DepthwiseGradW(grad) = self;
        let Scratch { floats, more, .. } = scratch;
        let (sums, all) = room(more, 2 * result.len()).split_at_mut(result.len());
        all.fill(0.0);
        let [of_x, of_dy] = grad.pieces;
        for (x, dy) in operands[0].chunks_exact(of_x).zip(operands[1].chunks_exact(of_dy)) {
            let x = padded(grad.windows.padding.as_ref(), x, floats);
            sums.fill(0.0);
            dispatch!(Level::new(), _ => by_tap(&grad.windows, x, dy, grad.outputs, sums));
            all.iter_mut().zip(&*sums).for_each(|(all, sum)| *all += sum);
        }
        for (channel, result) in result.chunks_exact_mut(grad.places).enumerate() {
            let sums = all[channel..].iter().step_by(grad.outputs);
            result.iter_mut().zip(sums).for_each(|(result, &sum)| *result = sum);
        }
    }
}

/// Adds products by tap and channel.
#[inline(always)]
fn by_tap(windows: &Windows, x: &[f32], dy: &[f32], channels: usize, sums: &mut [f32]) {
    for (&pixel, dy) in windows.pixels.iter().zip(dy.chunks_exact(channels)) {
        for (start, sums) in windows.runs.starts.iter().zip(sums.chunks_exact_mut(channels)) {
            let x = &x[pixel + start..][..channels];
            for c in 0..channels {
                sums[c] += x[c] * dy[c];
            }
        }
    }
}
