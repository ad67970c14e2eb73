//! Ties between two codes: where a network adds a quarter of the finest step so that none is left, and that quarter where
//! scales have changed.
//!
//! The rule is that of [`quantise`](mod@crate::quantise): the finest step in a sum is that of its accumulator, of what is
//! added to it, or of the codes that it is rounded to. Here it is read off a network that has scales.

use std::collections::BTreeMap;

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{AvgPool, Edit, EditError, Network, Op, Pair};
use nonresc_ir::tensor::Tensor;

use super::codes::moved_from;

/// How near a number must be to a quarter step to be one, as a share of it.
const NEAR: f64 = 1e-3;

/// What a bias has beyond whole steps of its sums.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// A share of a step, whatever its size.
    Share(f64),
    /// What keeps sums from ties.
    Quarter,
}

/// Where ties are broken in a network.
#[derive(Debug, Default)]
pub(super) struct Ties {
    /// By layer, what the bias of each channel has beyond whole steps; layers whose biases count no steps are left out.
    layers: BTreeMap<NodeId, Vec<Part>>,
    /// What adds a constant for nothing else, and which operand that is.
    added: Vec<(NodeId, u16)>,
}

/// Step, and what a bias has beyond whole ones, of each channel of a layer.
pub(super) type Parts = Vec<(f64, f64)>;

impl Ties {
    /// Those of a network with these layers.
    pub(super) fn of(network: &Network, layers: &[NodeId]) -> Ties {
        let parts = |&layer: &NodeId| Some((layer, parts(network, layer)?));
        let added = |node: NodeId| {
            let (x, port) = shifted(network, node)?;
            let given = network.constant(network.operands(node)[usize::from(port)])?;
            let quarter = quarter_of_sum(network, node, x)?;
            given.all(|given| (given - quarter).abs() < NEAR * quarter).then_some((node, port))
        };
        Ties {
            layers: layers.iter().filter_map(parts).collect(),
            added: network.node_ids().filter_map(added).collect(),
        }
    }

    /// Steps and parts of a layer's biases with the scales that the network has now; nothing where they count no steps.
    pub(super) fn parts(&self, network: &Network, layer: NodeId) -> Option<Parts> {
        let part = |(channel, part): (usize, &Part)| {
            let step = step(network, layer.into(), channel)?;
            Some((
                step,
                match *part {
                    Part::Share(share) => share,
                    Part::Quarter => quarter_of_layer(network, layer, channel)? / step,
                },
            ))
        };
        self.layers.get(&layer)?.iter().enumerate().map(part).collect()
    }

    /// Makes the constants that are added what the network's scales now ask for.
    pub(super) fn put(&self, edit: &mut Edit<'_>) -> Result<(), EditError> {
        for &(node, port) in &self.added {
            let Some((x, _)) = shifted(edit, node) else { continue };
            let Some(quarter) = quarter_of_sum(edit, node, x) else { continue };
            let old = edit.operands(node)[usize::from(port)];
            let (shape, names) = (edit.ty(old).shape.clone(), edit.node(old.node).names.clone());
            let numbers = vec![quarter as f32; shape.len()];
            let tensor = Tensor::f32(shape, numbers);
            let tensor = tensor.ok_or_else(|| EditError("a constant of many numbers".into()))?;
            let quarter = edit.named(names).constant(tensor);
            edit.rewire(node, port, quarter)?;
        }
        Ok(())
    }
}

/// What the biases of a layer of codes have beyond whole steps of its sums.
fn parts(network: &Network, layer: NodeId) -> Option<Vec<Part>> {
    let operands = network.operands(layer);
    let Op::Dequantise(_) = network.op(moved_from(network, operands[0]).node) else { return None };
    let bias = network.constant(*operands.get(2)?)?.to_f64();
    let part = |(channel, bias): (usize, f64)| {
        let step = step(network, layer.into(), channel)?;
        let share = bias / step - (bias / step).round_ties_even();
        let is_quarter = quarter_of_layer(network, layer, channel)
            .is_some_and(|quarter| (share * step - quarter).abs() < NEAR * quarter);
        Some(if is_quarter { Part::Quarter } else { Part::Share(share) })
    };
    bias.into_iter().enumerate().map(part).collect()
}

/// The step that the numbers of a channel are whole multiples of, as far as scales say it.
pub(super) fn step(network: &Network, value: Value, channel: usize) -> Option<f64> {
    let value = moved_from(network, value);
    let operands = network.operands(value.node);
    match network.op(value.node) {
        Op::Dequantise(_) => {
            let scales = network.constant(operands[1])?.to_f64();
            if scales.len() == 1 { Some(scales[0]) } else { scales.get(channel).copied() }
        }
        Op::Conv(_) if let Some((x, _)) = shifted(network, value.node) => step(network, x, channel),
        Op::Conv(_) | Op::Dense(_) => {
            // The numbers that are read have one scale, whatever the channel.
            Some(step(network, operands[0], 0)? * step(network, operands[1], channel)?)
        }
        Op::Add(_) => {
            let steps = operands.iter().filter(|&&v| network.constant(v).is_none());
            steps
                .map(|&v| step(network, v, channel))
                .try_fold(f64::INFINITY, |least, next| Some(least.min(next?)))
        }
        Op::Relu(_) | Op::Clip(_) => step(network, operands[0], channel),
        Op::AvgPool(_) | Op::GlobalAvgPool(_) => {
            Some(step(network, operands[0], channel)? / window(network, value.node)?)
        }
        _ => None,
    }
}

/// Pixels that a mean is taken over, rounded up to a power of two.
fn window(network: &Network, node: NodeId) -> Option<f64> {
    let pixels = match network.op(node) {
        Op::AvgPool(AvgPool { kernel: Pair { h, w }, .. }) => h * w,
        _ => network.ty(network.operands(node)[0]).shape.chw().map(|(_, height, width)| height * width)?,
    };
    Some(pixels.next_power_of_two() as f64)
}

/// The finest step among what is added to a value before it is rounded, and what it is rounded to.
fn finest_behind(network: &Network, value: Value, channel: usize) -> Option<f64> {
    let mut finest: Option<f64> = None;
    for (reader, port) in network.users(value) {
        let operands = network.operands(reader);
        let found = match network.op(reader) {
            Op::Quantise(_) => network.constant(operands[1]).map(|scale| scale.to_f64()[0]),
            Op::Relu(_) | Op::Clip(_) => finest_behind(network, reader.into(), channel),
            Op::Conv(_) if shifted(network, reader).is_some() => {
                finest_behind(network, reader.into(), channel)
            }
            Op::Add(_) => {
                let other = operands[1 - usize::from(port)];
                let added = match network.constant(other) {
                    Some(_) => f64::INFINITY,
                    None => step(network, other, channel)?,
                };
                finest_behind(network, reader.into(), channel).map(|behind| behind.min(added))
            }
            _ => None,
        };
        finest = finest.into_iter().chain(found).reduce(f64::min);
    }
    finest
}

/// A quarter of the finest step in the sums of a layer; nothing where they are not rounded.
fn quarter_of_layer(network: &Network, layer: NodeId, channel: usize) -> Option<f64> {
    let own = step(network, layer.into(), channel)?;
    Some(own.min(finest_behind(network, layer.into(), channel)?) / 4.0)
}

/// What a node adds a constant to, where it does no more, and the operand that is the constant: a sum with one number, or in
/// normal form a convolution that multiplies each channel by 1.
fn shifted(network: &Network, node: NodeId) -> Option<(Value, u16)> {
    let operands = network.operands(node);
    let known = |value: Value| network.constant(value);
    match network.op(node) {
        Op::Add(_) => {
            let port = (0..2).find(|&port| known(operands[port]).is_some_and(|tensor| tensor.len() == 1))?;
            Some((operands[1 - port], port as u16))
        }
        Op::Conv(op) => {
            let weights = known(operands[1])?;
            let is_same = op.maps_channels(weights.shape()) && weights.all(|w| w == 1.0);
            (is_same && known(*operands.get(2)?).is_some()).then_some((operands[0], 2))
        }
        _ => None,
    }
}

/// A quarter of the finest step where `node` adds a constant to `x`.
fn quarter_of_sum(network: &Network, node: NodeId, x: Value) -> Option<f64> {
    let mut root = x.node;
    while let Op::Relu(_) | Op::Clip(_) = network.op(root) {
        root = network.operands(root)[0].node;
    }
    let window = match network.op(root) {
        Op::AvgPool(_) | Op::GlobalAvgPool(_) => window(network, root)?,
        _ => 1.0,
    };
    let mut finest = finest_behind(network, node.into(), 0)?;
    for operand in network.operands(root) {
        finest = finest.min(step(network, operand, 0)?);
    }
    Some(finest / window / 4.0)
}
