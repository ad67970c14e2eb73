//! Scales that are trained: which quantisers have one together, what stands for it in a step of training, and how what was
//! learned comes back into the network.
//!
//! A scale is a parameter like any other, in numbers of the network: `NAME.step`, one of the rounding behind a layer, sum or
//! mean, one or one an output channel of a layer's weights. In a step of training `x / s` is rounded to whole codes and
//! multiplied by `s` again, so that its gradient is that of LSQ (Esser et al., ICLR 2020). Where all scales of a network
//! are powers of two they stay so: what is computed with is the power next to what was learned, and its gradient counts
//! as that of the latter (as in Jain et al., MLSys 2020).
//!
//! The scale of the network's input stays: it belongs to whoever prepares the images.

use std::collections::{BTreeMap, BTreeSet};

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::names::Names;
use nonresc_ir::network::{Div, Edit, EditError, Mul, Network, Op, Shape};
use nonresc_ir::tensor::Tensor;

use super::codes::{is_move, moved_from, quantiser_of};
use super::student::{Held, layer_names, trained_layers};
use super::ties;

/// How the name of a scale ends.
pub(super) const STEP: &str = ".step";
/// Exponents of what scales may become.
const MOST_EXPONENT: f64 = 50.0;

/// Whether a parameter is the scale of codes.
pub(super) fn is_scale(name: &str) -> bool {
    name.ends_with(STEP)
}

/// A scale as a parameter.
#[derive(Clone, Debug)]
pub struct Learned {
    /// Its name, and the constant that holds it.
    pub held: Held,
    /// What its gradient is multiplied by: one over the root of how many numbers it rounds (activations: of an image) times
    /// the largest code, so that it is of the size of the gradients of weights (Esser et al., section 2.2).
    pub factor: f64,
}

impl Learned {
    pub(super) fn new(held: Held, numbers: usize, largest: f64) -> Learned {
        Learned { held, factor: 1.0 / (numbers.max(1) as f64 * largest.max(1.0)).sqrt() }
    }
}

/// Activations that are rounded with one scale: by one quantiser, or by several of which one follows on another or that
/// read the same value.
#[derive(Clone, Debug)]
pub(super) struct Rounding {
    /// That of a quantiser, made unique.
    pub(super) name: String,
    pub(super) scale: f32,
    quantisers: Vec<NodeId>,
    dequantisers: Vec<NodeId>,
    /// Numbers of an image that are rounded.
    numbers: usize,
    /// The largest code, less that of 0.
    largest: f64,
}

/// The one number of a constant.
fn number(network: &Network, value: Value) -> Option<f64> {
    match network.constant(value)?.to_f64()[..] {
        [one] => Some(one),
        _ => None,
    }
}

/// The roundings of a network that have a scale to be learned, from the input on.
pub(super) fn roundings(network: &Network) -> Vec<Rounding> {
    let mut found: Vec<Rounding> = Vec::new();
    let mut of: BTreeMap<(Value, u32), usize> = BTreeMap::new();
    let mut taken: BTreeSet<String> = layer_names(network).into_iter().map(|(_, name)| name).collect();
    for node in network.topological().unwrap_or_default() {
        let Op::Quantise(op) = network.op(node) else { continue };
        let operands = network.operands(node);
        let (Some(scale), Some(zero)) = (number(network, operands[1]), number(network, operands[2])) else {
            continue;
        };
        let most = op.limits()[1] as f64;
        let Some((dequantisers, most)) = readers(network, node, (scale, zero), most) else { continue };
        let origin = origin(network, operands[0], scale);
        if matches!(network.op(origin.node), Op::Input(_) | Op::Const(_)) {
            continue;
        }
        let scale = scale as f32;
        if let Some(&known) = of.get(&(origin, scale.to_bits())) {
            found[known].quantisers.push(node);
            found[known].dequantisers.extend(dequantisers);
            continue;
        }
        of.insert((origin, scale.to_bits()), found.len());
        let wish =
            network.node(node).names.first().map_or_else(|| format!("rounding_{}", node.0), str::to_string);
        let names = std::iter::once(wish.clone()).chain((2..).map(|count| format!("{wish}_{count}")));
        let name = names.into_iter().find(|name| taken.insert(name.clone())).unwrap_or(wish);
        found.push(Rounding {
            name,
            scale,
            quantisers: vec![node],
            dequantisers,
            numbers: network.ty(operands[0]).shape.0.iter().skip(1).product(),
            largest: most - zero,
        });
    }
    found
}

/// The value that was rounded first, where what is read was rounded with the same scale before.
fn origin(network: &Network, mut value: Value, scale: f64) -> Value {
    loop {
        value = moved_from(network, value);
        let Op::Dequantise(_) = network.op(value.node) else { return value };
        let operands = network.operands(value.node);
        let mut codes = moved_from(network, operands[0]);
        while let Op::Clip(_) | Op::Relu(_) = network.op(codes.node) {
            codes = moved_from(network, network.operands(codes.node)[0]);
        }
        let Op::Quantise(_) = network.op(codes.node) else { return value };
        if number(network, operands[1]) != Some(scale) {
            return value;
        }
        value = network.operands(codes.node)[0];
    }
}

/// What makes numbers of a quantiser's codes, `most` at most, again, and the largest code that is left where codes of fewer
/// bits than a type has are clipped; nothing where something else reads them too.
fn readers(
    network: &Network,
    quantiser: NodeId,
    scale_and_zero: (f64, f64),
    mut most: f64,
) -> Option<(Vec<NodeId>, f64)> {
    let mut found = Vec::new();
    let mut open = vec![Value::from(quantiser)];
    while let Some(codes) = open.pop() {
        if network.is_output(codes) {
            return None;
        }
        for (reader, _) in network.users(codes) {
            let operands = network.operands(reader);
            match network.op(reader) {
                Op::Dequantise(_) => {
                    let own = number(network, operands[1]).zip(number(network, operands[2]));
                    found.push((own == Some(scale_and_zero)).then_some(reader)?);
                }
                Op::Clip(clip) => {
                    most = most.min(clip.max);
                    open.push(reader.into());
                }
                Op::Relu(_) => open.push(reader.into()),
                op if is_move(op) => open.push(reader.into()),
                _ => return None,
            }
        }
    }
    Some((found, most))
}

impl Rounding {
    /// Has the network round by a constant of its own, which is this scale.
    pub(super) fn learned(&self, edit: &mut Edit<'_>) -> Result<Learned, EditError> {
        edit.named(Names::default());
        let [scale, one] = [self.scale, 1.0].map(|number| edit.constant(one_number(number)));
        for &node in &self.quantisers {
            let (op, names, operands) =
                (edit.op(node).clone(), edit.node(node).names.clone(), edit.operands(node));
            edit.named(names);
            let steps = edit.add(Div {}, &[operands[0], scale])?;
            let codes = edit.add(op, &[steps, one, operands[2]])?;
            edit.redirect(node.into(), codes)?;
        }
        for &node in &self.dequantisers {
            let (op, names, operands) =
                (edit.op(node).clone(), edit.node(node).names.clone(), edit.operands(node));
            edit.named(names);
            let steps = edit.add(op, &[operands[0], one, operands[2]])?;
            let numbers = edit.add(Mul {}, &[steps, scale])?;
            edit.redirect(node.into(), numbers)?;
        }
        let held = Held { name: self.name.clone() + STEP, value: scale };
        Ok(Learned::new(held, self.numbers, self.largest))
    }
}

fn one_number(number: f32) -> Tensor {
    Tensor::f32([], vec![number]).expect("one number")
}

/// The scale of a layer's weights, codes behind the dequantiser `node`, as a constant of its own: one number, or one a filter
/// that is repeated along the other axes of the weights.
pub(super) fn of_weights(edit: &mut Edit<'_>, layer: &str, node: NodeId) -> Option<Learned> {
    let operands = edit.operands(node);
    let Op::Dequantise(op) = edit.op(node).clone() else { return None };
    let network: &Network = edit;
    let (stored, scales) = (network.constant(operands[0])?, network.constant(operands[1])?.to_f32());
    // Which weights are clipped is known of one zero point alone.
    let zeros = network.constant(operands[2])?.to_f64();
    let zero = *zeros.first().filter(|first| zeros.iter().all(|zero| zero == *first))?;
    let largest = quantiser_of(stored, op.axis)?.limits()[1] as f64 - zero;
    let (count, shape) = (stored.len() / scales.len().max(1), stored.shape().clone());
    let extents = match scales.len() {
        1 => Shape(Vec::new()),
        filters if op.axis == 0 && filters == shape.0[0] => Shape(
            shape.0.iter().enumerate().map(|(axis, &extent)| if axis == 0 { extent } else { 1 }).collect(),
        ),
        _ => return None,
    };
    let scale = edit.named(Names::default()).constant(Tensor::f32(extents, scales)?);
    let held = Held { name: layer.to_string() + STEP, value: scale };
    Some(Learned::new(held, count, largest))
}

/// The layers whose weights have scales that can be learned, with what makes numbers of their codes.
pub(super) fn layers(network: &Network) -> Vec<(NodeId, String, NodeId)> {
    let alone = |(node, name): (NodeId, String)| {
        let weights = network.operands(node)[1];
        let is_codes = matches!(network.op(weights.node), Op::Dequantise(_));
        (is_codes && network.users(weights).len() == 1).then_some((node, name, weights.node))
    };
    trained_layers(network).into_iter().filter_map(alone).collect()
}

/// The scales of a network that can be learned, by their names as parameters.
pub(super) fn scales(network: &Network) -> Vec<(String, Vec<f32>)> {
    let of = |(_, name, weights): (NodeId, String, NodeId)| {
        Some((name + STEP, network.constant(network.operands(weights)[1])?.to_f32()))
    };
    let activations = roundings(network).into_iter().map(|made| (made.name + STEP, vec![made.scale]));
    layers(network).into_iter().filter_map(of).chain(activations).collect()
}

/// Whether scales stay powers of two where they are learned: all of the network are some.
pub(super) fn are_powers(network: &Network) -> bool {
    scales(network).iter().flat_map(|(_, scales)| scales).all(|&scale| scale == power_near(scale))
}

/// The power of two whose exponent is next to that of a scale.
pub(super) fn power_near(scale: f32) -> f32 {
    f64::from(scale).log2().round().clamp(-MOST_EXPONENT, MOST_EXPONENT).exp2() as f32
}

/// The scales that are computed with where these were learned.
pub(super) fn used(learned: &[f32], powers: bool) -> Vec<f32> {
    learned.iter().map(|&scale| if powers { power_near(scale) } else { scale }).collect()
}

/// Gives a network the scales that `of` has by name. Codes of weights stay; biases that are codes of whole steps of their
/// sums are so still.
pub(super) fn put(edit: &mut Edit<'_>, of: &dyn Fn(&str) -> Option<Vec<f32>>) -> Result<(), EditError> {
    let layers = layers(edit);
    let biases: Vec<(NodeId, NodeId)> =
        layers.iter().filter_map(|&(node, ..)| stored_bias(edit, node)).collect();
    for rounding in roundings(edit) {
        if let Some([scale]) = of(&(rounding.name.clone() + STEP)).as_deref() {
            for &node in rounding.quantisers.iter().chain(&rounding.dequantisers) {
                set(edit, node, vec![*scale])?;
            }
        }
    }
    for (_, name, weights) in layers {
        if let Some(scales) = of(&(name + STEP)) {
            set(edit, weights, scales)?;
        }
    }
    for (layer, bias) in biases {
        let steps = (0..).map_while(|channel| ties::step(edit, layer.into(), channel));
        let count = edit.ty(edit.operands(bias)[1]).shape.len();
        let steps = steps.take(count).map(|step| step as f32).collect();
        set(edit, bias, steps)?;
    }
    Ok(())
}

/// Gives a quantiser or a dequantiser other scales.
fn set(edit: &mut Edit<'_>, node: NodeId, scales: Vec<f32>) -> Result<(), EditError> {
    let shape = edit.ty(edit.operands(node)[1]).shape.clone();
    let tensor = Tensor::f32(shape, scales).ok_or_else(|| EditError("scales of another layer".into()))?;
    let scale = edit.named(Names::default()).constant(tensor);
    edit.rewire(node, 1, scale)
}

/// A layer, and the dequantiser of its bias where that counts steps of the layer's sums.
fn stored_bias(network: &Network, layer: NodeId) -> Option<(NodeId, NodeId)> {
    let bias = network.operands(layer).get(2)?.node;
    let Op::Dequantise(_) = network.op(bias) else { return None };
    let scales = network.constant(network.operands(bias)[1])?.to_f64();
    let is_step = |(channel, scale): (usize, &f64)| {
        ties::step(network, layer.into(), channel).is_some_and(|step| (scale - step).abs() < 1e-5 * step)
    };
    scales.iter().enumerate().all(is_step).then_some((layer, bias))
}
