//! Depthwise convolutions with one output a channel: channels side by side instead of output channels.
//!
//! Plain loops over neighbouring channels, which the compiler makes vectors of; `dispatch` has it use those of the CPU.

use fearless_simd::{Level, dispatch};
use nonresc_ir::tensor::Tensor;

use super::conv::{Layer, Part};
use super::kernel::{Kernel, Scratch, room};
use super::layout::to_stored;

/// A layer that [`Layer::is_depthwise`].
#[derive(Debug)]
pub(super) struct Depthwise {
    layer: Layer,
    known: Option<Known>,
}

/// Weights by tap and channel, and what sums start with.
#[derive(Debug)]
struct Known {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Depthwise {
    /// With weights that are known; nothing where the bias is none of the layer's.
    pub(super) fn known(layer: Layer, w: &Tensor, bias: Option<&Tensor>) -> Option<Self> {
        let channels = layer.weights.outputs;
        let bias = bias.map_or_else(|| vec![0.0; channels], Tensor::to_f32);
        if bias.len() != channels {
            return None;
        }
        let mut weights = vec![0.0; w.len()];
        by_tap(channels, &to_stored(&w.shape().0, &w.to_f32()), &mut weights);
        Some(Depthwise { layer, known: Some(Known { weights, bias }) })
    }

    /// With weights, and a bias or none, that are operands.
    pub(super) fn live(layer: Layer) -> Self {
        Depthwise { layer, known: None }
    }

    fn sums(&self, weights: &[f32], bias: &[f32], input: &[f32], result: &mut [f32], memory: &mut Vec<f32>) {
        self.layer.each_piece(input, result, memory, |_, part, input, result| {
            dispatch!(Level::new(), _ => pixels(part, weights, bias, input, result));
        });
    }
}

/// Weights [C,1,Kh,Kw] by tap and channel.
fn by_tap(channels: usize, weights: &[f32], result: &mut [f32]) {
    let taps = weights.len() / channels;
    for (tap, row) in result.chunks_exact_mut(channels).enumerate() {
        row.iter_mut().zip(weights[tap..].iter().step_by(taps)).for_each(|(to, &w)| *to = w);
    }
}

#[inline(always)]
fn pixels(part: &Part, weights: &[f32], bias: &[f32], input: &[f32], result: &mut [f32]) {
    let channels = bias.len();
    let limits = part.sums.limits;
    for (&pixel, &place) in part.sums.pixels.iter().zip(&part.sums.places) {
        let sums = &mut result[place..][..channels];
        sums.copy_from_slice(bias);
        for (start, tap) in part.sums.runs.starts.iter().zip(&part.taps) {
            let x = &input[pixel + start..][..channels];
            let w = &weights[tap * channels..][..channels];
            for c in 0..channels {
                sums[c] += x[c] * w[c];
            }
        }
        for sum in sums {
            *sum = limits.hold(*sum);
        }
    }
}

impl Kernel for Depthwise {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        if let Some(Known { weights, bias }) = &self.known {
            return self.sums(weights, bias, operands[0], result, &mut scratch.floats);
        }
        let channels = self.layer.weights.outputs;
        let Scratch { floats, more, .. } = scratch;
        let (weights, zeros) = room(more, operands[1].len() + channels).split_at_mut(operands[1].len());
        by_tap(channels, operands[1], weights);
        zeros.fill(0.0);
        let bias = operands.get(2).copied().unwrap_or(zeros);
        self.sums(weights, bias, operands[0], result, floats);
    }
}
