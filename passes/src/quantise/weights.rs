//! Weights and biases of a layer as codes, and whether floats hold its sums exactly.
//!
//! The bias is a whole number of steps of the accumulator, `scale of the input * scale of the weights`. With scales
//! that are powers of two a quarter of the finest step is added where the sum is rounded: of the accumulator's, of what
//! a sum adds in it, of the result's. Sums are whole numbers of that step, and so are half steps of the result or they
//! are further away: a quarter moves no number over a tie, and every tie upwards.

use std::sync::Arc;

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Conv, Network, Op};
use nonresc_ir::tensor::Tensor;

use super::build::Steps;
use super::scale::{self, Codes};
use super::sites::{self, Kind, Sites};
use super::{Granularity, QuantiseOptions, Quantity, Row};

/// Up to so many bits the scale of weights is searched for the least error; wider codes clip nothing.
const SEARCHED_BITS: u32 = 6;
/// Bits that a step of a result may have in the accumulator, beyond those of a weight: a channel whose weights are next
/// to nothing gets a coarser scale for them, else its sums would be wide for nothing. Those of other channels have one.
const BITS_BELOW: u32 = 4;
/// The least number of such bits in all.
const LEAST_BITS_BELOW: u32 = 12;
/// Most bits of a bias, but for its sign.
const BIAS_BITS: u32 = 30;
/// Whole numbers up to here are exact in floats of 32 bits.
const EXACT: f64 = (1u32 << 24) as f64;

/// A layer's weights and bias.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) codes: Codes,
    /// Codes in the order of the weights.
    pub(super) weights: Vec<i64>,
    /// One, or one an output channel.
    pub(super) scales: Vec<f32>,
    /// By output channel; nothing where all are 0.
    pub(super) bias: Option<Vec<f32>>,
    range: (f64, f64),
    clipped: f64,
}

impl Layer {
    /// The scale of a channel.
    pub(super) fn scale(&self, channel: usize) -> f64 {
        self.scales[if self.scales.len() == 1 { 0 } else { channel }].into()
    }

    pub(super) fn row(&self, layer: String) -> Row {
        let scales = self.scales.iter().map(|&s| f64::from(s));
        Row {
            layer,
            tensor: Quantity::Weights,
            scales: scales.fold((f64::INFINITY, 0.0), |(least, most), s| (s.min(least), s.max(most))),
            bits: self.codes.bits,
            signed: true,
            range: self.range,
            clipped: self.clipped,
        }
    }
}

/// The numbers of a constant operand.
fn numbers(network: &Network, value: Value) -> (Arc<Tensor>, Vec<f64>) {
    let tensor = network.constant(value).expect("weights and biases were found to be constants");
    (Arc::clone(tensor), tensor.to_f64())
}

/// Quantises a layer; `means` are those of its input's channels, for the correction of its bias.
pub(super) fn quantise(
    network: &Network,
    layer: &sites::Layer,
    steps: &Steps<'_>,
    bits: u32,
    means: Option<&[f64]>,
    options: &QuantiseOptions,
) -> Layer {
    let operands = network.operands(layer.node);
    let (tensor, weights) = numbers(network, operands[1]);
    let outputs = tensor.shape().0[0];
    let mut bias = operands.get(2).map_or_else(|| vec![0.0; outputs], |&b| numbers(network, b).1);
    let input = steps.of(operands[0]);
    let codes = Codes::new(bits, true, true);
    let least: Vec<f64> =
        bias.iter().map(|&b| least_step(steps, layer, operands[0], b, bits) / input).collect();
    let scales = scales(&weights, &least, codes, options);
    let taps = weights.len() / outputs;
    let scale = |channel: usize| f64::from(scales[if scales.len() == 1 { 0 } else { channel }]);
    let rounded: Vec<i64> = weights.iter().enumerate().map(|(i, &w)| codes.of(w, scale(i / taps))).collect();
    if let Some(means) = means {
        let lost = |i: usize| weights[i] - rounded[i] as f64 * scale(i / taps);
        correct(network.op(layer.node), &mut bias, tensor.shape(), means, lost);
    }
    let bias: Vec<f32> = bias
        .iter()
        .enumerate()
        .map(|(channel, &bias)| {
            let step = input * scale(channel);
            ((bias / step).round() * step + steps.quarter(layer, step)) as f32
        })
        .collect();
    let beyond =
        weights.iter().enumerate().filter(|(i, w)| w.abs() > (codes.most() as f64 + 0.5) * scale(i / taps));
    Layer {
        clipped: beyond.count() as f64 / weights.len() as f64,
        codes,
        weights: rounded,
        bias: bias.iter().any(|&b| b != 0.0).then_some(bias),
        range: weights.iter().fold((0.0, 0.0), |(least, most), &w| (w.min(least), w.max(most))),
        scales,
    }
}

/// The least step of an accumulator that starts with `bias`.
fn least_step(steps: &Steps<'_>, layer: &sites::Layer, input: Value, bias: f64, bits: u32) -> f64 {
    let below = (bits + BITS_BELOW).max(LEAST_BITS_BELOW);
    let of_bias = (steps.bits(input) + below).min(BIAS_BITS);
    let power = |bits: u32| f64::from(1u32 << bits);
    // Weights that are all zero need a scale as well.
    let coarsest = steps.coarsest(layer).max(f64::MIN_POSITIVE);
    (coarsest / power(below)).max(bias.abs() / power(of_bias))
}

/// The scale of each output channel, or of all; none below the `least` of a channel.
fn scales(weights: &[f64], least: &[f64], codes: Codes, options: &QuantiseOptions) -> Vec<f32> {
    let groups = match options.weights {
        Granularity::Channel => least.len(),
        Granularity::Tensor => 1,
    };
    let search = codes.bits <= SEARCHED_BITS;
    let allowed = |scale: f64| scale::allowed(scale, options.scales) as f32;
    let found = weights.chunks_exact(weights.len() / groups);
    let found = found.map(|group| scale::of_weights(group, codes, options.scales, search).unwrap_or(0.0));
    found
        .zip(least.chunks_exact(least.len() / groups))
        .map(|(scale, least)| {
            let least = least.iter().copied().fold(0.0, f64::max);
            if f64::from(scale) < least { allowed(least) } else { scale }
        })
        .collect()
}

/// Adds to each bias what the rounding of the weights takes from the mean of its channel: the sum over the taps of what
/// a weight has lost times the mean of the input channel that it reads. Zeros around the map are left out of account.
fn correct(
    op: &Op,
    bias: &mut [f64],
    shape: &nonresc_ir::network::Shape,
    means: &[f64],
    lost: impl Fn(usize) -> f64,
) {
    let groups = if let Op::Conv(Conv { groups, .. }) = op { *groups } else { 1 };
    let (outputs, inputs) = (shape.0[0], shape.0[1]);
    let window: usize = shape.0[2..].iter().product();
    for (channel, bias) in bias.iter_mut().enumerate() {
        let first = channel / (outputs / groups) * inputs;
        for input in 0..inputs {
            let at = (channel * inputs + input) * window;
            *bias += (at..at + window).map(&lost).sum::<f64>() * means[first + input];
        }
    }
}

/// What is to be said where sums may be larger than floats of 32 bits hold exactly.
pub(super) fn inexact(
    network: &Network,
    sites: &Sites,
    steps: &Steps<'_>,
    layers: &[Layer],
) -> Option<String> {
    let of_layers =
        sites.layers.iter().zip(layers).map(|(layer, made)| (layer.node, reach(network, layer, made, steps)));
    let others = sites.sites.iter().filter(|site| site.layer.is_none());
    let of_others = others.filter_map(|site| {
        let finest = steps.finest(network, site)?;
        let most: f64 = network.operands(site.root).iter().map(|&v| steps.most(v)).sum();
        matches!(site.kind, Kind::Sum | Kind::Mean).then(|| (site.root, most / (finest / 4.0)))
    });
    let mut beyond: Vec<(NodeId, f64)> =
        of_layers.chain(of_others).filter(|(_, reach)| *reach >= EXACT).collect();
    beyond.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let (node, largest) = *beyond.first()?;
    let others = match beyond.len() {
        1 => String::new(),
        n => format!(" and of {} more", n - 1),
    };
    Some(format!(
        "sums of \"{}\"{others} can reach 2^{:.1} times the quarter step that they are made of, and floats of 32 bits hold \
         whole numbers up to 2^24: on inputs that go so far, an engine that computes with such floats may differ from \
         integers in a code",
        super::name(network, node),
        largest.log2(),
    ))
}

/// The largest magnitude that any part of a layer's sums can have, in quarters of its finest step.
fn reach(network: &Network, layer: &sites::Layer, made: &Layer, steps: &Steps<'_>) -> f64 {
    let operands = network.operands(layer.node);
    let outputs = network.ty(operands[1]).shape.0[0];
    let taps = made.weights.len() / outputs;
    let input = steps.of(operands[0]);
    let (below, above) = steps.limits(operands[0]);
    let added = layer.addend.map_or(0.0, |v| steps.most(v));
    let channels = made.weights.chunks_exact(taps).enumerate().map(|(channel, weights)| {
        let part = |sign: i64| weights.iter().map(|w| (w * sign).max(0)).sum::<i64>() as f64;
        let step = input * made.scale(channel);
        let (up, down) = (part(1) * above - part(-1) * below, part(-1) * above - part(1) * below);
        let bias = made.bias.as_ref().map_or(0.0, |bias| f64::from(bias[channel]).abs());
        let unit = match steps.quarter(layer, step) {
            0.0 => layer.addend.map_or(step, |v| step.min(steps.of(v))),
            quarter => quarter,
        };
        (up.max(down) * step + bias + added) / unit
    });
    channels.fold(0.0, f64::max)
}
