//! Convolutions and dense layers as direct sums over runs of neighbouring inputs: no im2col.
//!
//! A pixel's window is, row by row, one run of `Kw * C` neighbours in the N H W C map; where taps are
//! dilated or channels grouped, each tap is a run of its own.

use std::ops::Range;

use nonresc_ir::network::{Conv, Shape, Sides};
use nonresc_ir::tensor::Tensor;

use super::kernel::{Kernel, Scratch, room};
use super::layout::stored;
use super::tile::{Block, LANES, Lanes, Limits, Runs, Sums};
use crate::engine::strided::{StridedCopy, steps};

/// A convolution or dense layer.
#[derive(Debug)]
pub(super) struct WindowSums {
    /// What is summed, in the padded map, all frames.
    sums: Sums,
    padding: Option<Padding>,
}

/// Which inputs the results of a layer are made of, in the padded map of all frames.
#[derive(Debug)]
pub(super) struct Windows {
    /// The element where each pixel's window starts.
    pub(super) pixels: Vec<usize>,
    pub(super) runs: Runs,
    pub(super) padding: Option<Padding>,
}

/// How the map is copied into a larger one with zeros around it.
#[derive(Debug)]
pub(super) struct Padding {
    copy: StridedCopy,
    /// Where the zeros are.
    border: Vec<Range<usize>>,
    pub(super) len: usize,
}

impl Padding {
    /// Of a map of extents N C H W.
    fn new(pad: Sides, extents: [usize; 4]) -> Self {
        let [frames, channels, height, width] = extents;
        let (padded_h, padded_w) = (height + pad.top + pad.bottom, width + pad.left + pad.right);
        let to = [frames, channels, padded_h, padded_w];
        let first = (pad.top * padded_w + pad.left) * channels;
        let copy = StridedCopy::new(&extents, (0, &steps(&stored(&extents))), (first, &stored(&to)));
        let mut border = Vec::with_capacity(frames * height + 1);
        let mut end = 0;
        for frame in 0..frames {
            for row in 0..height {
                let start = (frame * padded_h + row) * padded_w * channels + first;
                border.push(end..start);
                end = start + width * channels;
            }
        }
        let len = to.iter().product();
        border.push(end..len);
        Padding { copy, border, len }
    }

    /// The map with `zero` around it.
    pub(super) fn around<T: Copy>(&self, map: &[T], zero: T, padded: &mut [T]) {
        for zeros in &self.border {
            padded[zeros.clone()].fill(zero);
        }
        self.copy.run(map, padded);
    }
}

/// The map with its padding around it.
fn padded<'a>(padding: Option<&Padding>, map: &'a [f32], scratch: &'a mut Scratch) -> &'a [f32] {
    let Some(padding) = padding else { return map };
    let padded = room(&mut scratch.floats, padding.len);
    padding.around(map, 0.0, padded);
    padded
}

impl Windows {
    /// Of a convolution of a map of shape `x` with weights of shape `w`; nothing where the shapes are none of a
    /// convolution.
    pub(super) fn conv(op: &Conv, x: &Shape, w: &Shape, y: &Shape) -> Option<Self> {
        let (&[frames, channels, height, width], &[_, per_group, kernel_h, kernel_w]) =
            (x.0.as_slice(), w.0.as_slice())
        else {
            return None;
        };
        let (_, out_h, out_w) = y.chw()?;
        let (padded_h, padded_w) = (height + op.pad.top + op.pad.bottom, width + op.pad.left + op.pad.right);
        let frame = padded_h * padded_w * channels;
        let mut pixels = Vec::with_capacity(frames * out_h * out_w);
        for n in 0..frames {
            for row in 0..out_h {
                for column in 0..out_w {
                    let (h, w) = (row * op.stride.h, column * op.stride.w);
                    pixels.push(n * frame + (h * padded_w + w) * channels);
                }
            }
        }
        let row_is_a_run = op.groups == 1 && op.dilation.w == 1;
        let taps_a_run = if row_is_a_run { kernel_w } else { 1 };
        let mut starts = Vec::new();
        for h in 0..kernel_h {
            for w in (0..kernel_w).step_by(taps_a_run.max(1)) {
                starts.push((h * op.dilation.h * padded_w + w * op.dilation.w) * channels);
            }
        }
        let runs = Runs { starts, len: taps_a_run * per_group };
        let padding =
            (op.pad != Sides::ZERO).then(|| Padding::new(op.pad, [frames, channels, height, width]));
        Some(Windows { pixels, runs, padding })
    }

    /// Of a dense layer on `x` [N,F].
    pub(super) fn dense(x: &Shape) -> Option<Self> {
        let &[frames, features] = x.0.as_slice() else { return None };
        let pixels = (0..frames).map(|n| n * features).collect();
        Some(Windows { pixels, runs: Runs { starts: vec![0], len: features }, padding: None })
    }
}

impl WindowSums {
    /// A convolution of a map of shape `x` with known weights; nothing where the shapes are none of a
    /// convolution.
    pub(super) fn conv(op: &Conv, x: &Shape, w: &Tensor, bias: Option<&Tensor>, y: &Shape) -> Option<Self> {
        WindowSums::new(Windows::conv(op, x, w.shape(), y)?, op.groups, w, bias)
    }

    /// A dense layer on `x` [N,F] with weights [O,F].
    pub(super) fn dense(x: &Shape, w: &Tensor, bias: Option<&Tensor>) -> Option<Self> {
        WindowSums::new(Windows::dense(x)?, 1, w, bias)
    }

    fn new(windows: Windows, groups: usize, w: &Tensor, bias: Option<&Tensor>) -> Option<Self> {
        let Windows { pixels, runs, padding } = windows;
        let [outputs, per_group, ref kernel @ ..] = w.shape().0[..] else { return None };
        let extents = [outputs, per_group, kernel.iter().product()];
        let blocks = blocks(groups, extents, &w.to_f32(), &bias_of(bias, outputs)?);
        let sums = Sums { pixels, runs, blocks, channels: outputs, limits: Limits::NONE };
        Some(WindowSums { sums, padding })
    }

    /// Holds results to `limits`.
    pub(super) fn limited(mut self, limits: Limits) -> Self {
        self.sums.limits = limits;
        self
    }
}

fn bias_of(bias: Option<&Tensor>, outputs: usize) -> Option<Vec<f32>> {
    let bias = bias.map_or_else(|| vec![0.0; outputs], Tensor::to_f32);
    (bias.len() == outputs).then_some(bias)
}

/// Up to [`LANES`] output channels of one group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outputs {
    /// The group's first input channel.
    pub(super) input: usize,
    /// First output channel.
    pub(super) output: usize,
    pub(super) lanes: usize,
}

/// The output channels of `groups` groups in blocks, none of which spans two groups.
pub(super) fn outputs(groups: usize, outputs: usize, per_group: usize) -> impl Iterator<Item = Outputs> {
    let a_group = outputs / groups.max(1);
    (0..groups).flat_map(move |group| {
        (0..a_group).step_by(LANES).map(move |first| Outputs {
            input: group * per_group,
            output: group * a_group + first,
            lanes: LANES.min(a_group - first),
        })
    })
}

/// Weights of extents [outputs, channels of a group, taps] in blocks of output channels.
fn blocks(groups: usize, extents: [usize; 3], weights: &[f32], bias: &[f32]) -> Vec<Block> {
    let [all, per_group, taps] = extents;
    let block = |Outputs { input, output, lanes }| {
        let mut packed = vec![Lanes::ZERO; taps * per_group];
        for (lane, o) in (output..output + lanes).enumerate() {
            for tap in 0..taps {
                for c in 0..per_group {
                    packed[tap * per_group + c].0[lane] = weights[(o * per_group + c) * taps + tap];
                }
            }
        }
        let mut start = Lanes::ZERO;
        start.0[..lanes].copy_from_slice(&bias[output..output + lanes]);
        Block { input, output, lanes, weights: packed, bias: start }
    };
    outputs(groups, all, per_group).map(block).collect()
}

impl Kernel for WindowSums {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        let input = padded(self.padding.as_ref(), operands[0], scratch);
        self.sums.run(input, result);
    }
}

/// A depthwise convolution with one output a channel: channels side by side instead of output channels.
#[derive(Debug)]
pub(super) struct Depthwise {
    pixels: Vec<usize>,
    /// Where each tap is from a pixel's start, and its weights by channel.
    taps: Vec<(usize, Vec<f32>)>,
    bias: Vec<f32>,
    padding: Option<Padding>,
    limits: Limits,
}

impl Depthwise {
    /// Nothing where the convolution is another.
    pub(super) fn conv(op: &Conv, x: &Shape, w: &Tensor, bias: Option<&Tensor>, y: &Shape) -> Option<Self> {
        let &[outputs, 1, kernel_h, kernel_w] = w.shape().0.as_slice() else { return None };
        // With one group a row of taps is one run, and there are no channels to have side by side.
        if op.groups < 2 || op.groups != outputs || x.chw()?.0 != outputs {
            return None;
        }
        let weights = w.to_f32();
        let windows = Windows::conv(op, x, w.shape(), y)?;
        let taps = kernel_h * kernel_w;
        let taps = windows
            .runs
            .starts
            .iter()
            .enumerate()
            .map(|(tap, &start)| (start, (0..outputs).map(|c| weights[c * taps + tap]).collect()))
            .collect();
        Some(Depthwise {
            pixels: windows.pixels,
            taps,
            bias: bias_of(bias, outputs)?,
            padding: windows.padding,
            limits: Limits::NONE,
        })
    }

    /// Holds results to `limits`.
    pub(super) fn limited(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl Kernel for Depthwise {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        let input = padded(self.padding.as_ref(), operands[0], scratch);
        let channels = self.bias.len();
        for (&pixel, sums) in self.pixels.iter().zip(result.chunks_exact_mut(channels)) {
            sums.copy_from_slice(&self.bias);
            for (start, weights) in &self.taps {
                let x = &input[pixel + start..][..channels];
                for ((sum, x), w) in sums.iter_mut().zip(x).zip(weights) {
                    *sum += x * w;
                }
            }
            sums.iter_mut().for_each(|sum| *sum = self.limits.hold(*sum));
        }
    }
}
