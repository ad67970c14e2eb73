//! Convolutions, dense layers and matrix products as direct sums over runs of neighbouring inputs: no im2col.
//!
//! A pixel's window is, row by row, one run of `Kw * C` neighbours in the N H W C map; where taps are
//! dilated or channels grouped, each tap is a run of its own. Weights that are known lie in blocks before the first run;
//! those that an operand brings are laid out so each time, which is little work beside a layer's frames.

use nonresc_ir::network::{Conv, Shape};
use nonresc_ir::tensor::Tensor;

use super::kernel::{Kernel, Scratch};
use super::layout::to_stored;
use super::tile::{Block, Lanes, Limits, Sums};
use super::windows::{Outputs, Padding, Windows, frames_at_a_time, of_frames, outputs, padded};

/// The sums of some pixels, and which weights they take.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) sums: Sums,
    /// The tap of the kernel of each tap of the sums, in the order of the runs.
    pub(super) taps: Vec<usize>,
}

/// Where weights stand in their stored tensor, and which of them make a result.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    pub(super) groups: usize,
    /// Channels of a result.
    pub(super) outputs: usize,
    /// Channels that a result is a sum over.
    pub(super) per_group: usize,
    /// Distance of the weights of two groups.
    pub(super) group_step: usize,
    /// Distance of the weights of two channels of a result.
    pub(super) output_step: usize,
    /// Distance of the weights of two channels of the sum.
    pub(super) input_step: usize,
    /// Distance of the weights of two taps.
    pub(super) tap_step: usize,
}

/// A layer whose results are sums of products of its input and weights: all but the weights.
#[derive(Debug)]
pub(super) struct Layer {
    /// Of the frames that are done at a time.
    pub(super) padding: Option<Padding>,
    /// Numbers of the input and of the result that are done at a time.
    pub(super) pieces: [usize; 2],
    /// Which pixels, and how: all of them once.
    pub(super) parts: Vec<Part>,
    pub(super) weights: Weights,
    pub(super) limits: Limits,
}

impl Layer {
    /// A convolution of a map of shape `x`; nothing where the shapes are none of a convolution or are empty.
    pub(super) fn conv(op: &Conv, x: &Shape, w: &Shape, y: &Shape) -> Option<Self> {
        let &[out, per_group, kernel_h, kernel_w] = w.0.as_slice() else { return None };
        let frames = frames_at_a_time(op, x, y)?;
        let (x, y) = (of_frames(x, frames), of_frames(y, frames));
        let windows = Windows::conv(op, &x, w, &y)?;
        let taps = kernel_h * kernel_w;
        let weights = Weights {
            groups: op.groups,
            outputs: out,
            per_group,
            group_step: out / op.groups.max(1) * taps * per_group,
            output_step: taps * per_group,
            input_step: 1,
            tap_step: per_group,
        };
        Some(Layer::whole(windows, [x.len(), y.len()], taps, weights))
    }

    /// A dense layer on `x` [N,F] with weights [O,F].
    pub(super) fn dense(x: &Shape, w: &Shape) -> Option<Self> {
        let &[outputs, features] = w.0.as_slice() else { return None };
        Layer::product(x, outputs, [features, 1])
    }

    /// The product of `x` [N,F] and `w` [F,O].
    pub(super) fn mat_mul(x: &Shape, w: &Shape) -> Option<Self> {
        let &[_, outputs] = w.0.as_slice() else { return None };
        Layer::product(x, outputs, [1, outputs])
    }

    /// Likewise, with the distances of the weights of two results and of two features.
    fn product(x: &Shape, outputs: usize, [output_step, input_step]: [usize; 2]) -> Option<Self> {
        let &[frames, per_group] = x.0.as_slice() else { return None };
        if x.is_empty() || outputs == 0 {
            return None;
        }
        let weights =
            Weights { groups: 1, outputs, per_group, group_step: 0, output_step, input_step, tap_step: 0 };
        Some(Layer::whole(Windows::dense(x)?, [x.len(), frames * outputs], 1, weights))
    }

    /// One part, whose results lie one behind the other.
    fn whole(windows: Windows, pieces: [usize; 2], taps: usize, weights: Weights) -> Self {
        let Windows { pixels, runs, padding } = windows;
        let channels = weights.outputs;
        let places = (0..pixels.len()).map(|p| p * channels).collect();
        let sums = Sums { pixels, places, runs, channels, limits: Limits::NONE };
        Layer::new(padding, pieces, vec![Part { sums, taps: (0..taps).collect() }], weights)
    }

    pub(super) fn new(
        padding: Option<Padding>,
        pieces: [usize; 2],
        parts: Vec<Part>,
        weights: Weights,
    ) -> Self {
        Layer { padding, pieces, parts, weights, limits: Limits::NONE }
    }

    /// Holds results to `limits`.
    pub(super) fn limited(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self.parts.iter_mut().for_each(|part| part.sums.limits = limits);
        self
    }

    /// Whether each channel of the result is made of one of the input alone.
    pub(super) fn is_depthwise(&self) -> bool {
        // With one group a row of taps is one run, and there are no channels to have side by side.
        self.weights.groups > 1 && self.weights.groups == self.weights.outputs && self.weights.per_group == 1
    }

    /// Calls `piece` with every part, its number, and its input, padded, and its result of frames done at a time.
    pub(super) fn each_piece(
        &self,
        input: &[f32],
        result: &mut [f32],
        memory: &mut Vec<f32>,
        mut piece: impl FnMut(usize, &Part, &[f32], &mut [f32]),
    ) {
        let [of_input, of_result] = self.pieces;
        for (input, result) in input.chunks_exact(of_input).zip(result.chunks_exact_mut(of_result)) {
            let input = padded(self.padding.as_ref(), input, memory);
            for (i, part) in self.parts.iter().enumerate() {
                piece(i, part, input, result);
            }
        }
    }

    /// Lays out the weights part by part, in blocks that may be used again; gives how many a part has.
    fn blocks(&self, weights: &[f32], bias: Option<&[f32]>, blocks: &mut Vec<Block>) -> usize {
        let of = &self.weights;
        let a_part = || outputs(of.groups, of.outputs, of.per_group);
        let empty = Block { input: 0, output: 0, lanes: 0, weights: Vec::new(), bias: Lanes::ZERO };
        let number = a_part().count();
        blocks.resize(number * self.parts.len(), empty);
        let all = self.parts.iter().flat_map(|part| a_part().map(move |outputs| (part, outputs)));
        for (block, (part, Outputs { input, output, lanes })) in blocks.iter_mut().zip(all) {
            (block.input, block.output, block.lanes) = (input, output, lanes);
            block.bias = Lanes::ZERO;
            if let Some(bias) = bias {
                block.bias.0[..lanes].copy_from_slice(&bias[output..][..lanes]);
            }
            let group = input / of.per_group.max(1);
            let first = group * of.group_step + (output - group * (of.outputs / of.groups)) * of.output_step;
            block.weights.clear();
            block.weights.resize(part.taps.len() * of.per_group, Lanes::ZERO);
            for (tap, rows) in part.taps.iter().zip(block.weights.chunks_exact_mut(of.per_group.max(1))) {
                pack(&weights[first + tap * of.tap_step..], of, lanes, rows);
            }
        }
        number
    }
}

/// The weights of one tap, a row of lanes for each channel of the sum.
fn pack(weights: &[f32], of: &Weights, lanes: usize, rows: &mut [Lanes]) {
    if of.output_step == 1 {
        for (k, row) in rows.iter_mut().enumerate() {
            row.0[..lanes].copy_from_slice(&weights[k * of.input_step..][..lanes]);
        }
        return;
    }
    for lane in 0..lanes {
        let weights = weights[lane * of.output_step..].iter().step_by(of.input_step);
        rows.iter_mut().zip(weights).for_each(|(row, &w)| row.0[lane] = w);
    }
}

/// A layer whose weights are known.
#[derive(Debug)]
pub(super) struct WindowSums {
    layer: Layer,
    /// Of the one part that the layer has.
    blocks: Vec<Block>,
}

impl WindowSums {
    /// Nothing where the bias is none of the layer's.
    pub(super) fn new(layer: Layer, w: &Tensor, bias: Option<&Tensor>) -> Option<Self> {
        let bias = bias.map(Tensor::to_f32);
        if bias.as_ref().is_some_and(|bias| bias.len() != layer.weights.outputs) {
            return None;
        }
        let mut blocks = Vec::new();
        layer.blocks(&to_stored(&w.shape().0, &w.to_f32()), bias.as_deref(), &mut blocks);
        Some(WindowSums { layer, blocks })
    }
}

impl Kernel for WindowSums {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        self.layer.each_piece(operands[0], result, &mut scratch.floats, |_, part, input, result| {
            part.sums.run(&self.blocks, input, result);
        });
    }
}

/// A layer whose weights, and bias where it has one, are operands behind its input.
#[derive(Debug)]
pub(super) struct LiveSums(pub(super) Layer);

impl Kernel for LiveSums {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        let LiveSums(layer) = self;
        let Scratch { floats, blocks, .. } = scratch;
        let number = layer.blocks(operands[1], operands.get(2).copied(), blocks);
        layer.each_piece(operands[0], result, floats, |i, part, input, result| {
            part.sums.run(&blocks[i * number..][..number], input, result);
        });
    }
}
