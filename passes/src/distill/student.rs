//! The network that is trained: what a plan left of the network in normal form, with batch norm put back.
//!
//! Needs: a network in normal form, float or quantised. Gives: the same operators, with a constant of its own for each
//! parameter, under names that stay when other skips come or go; behind every convolution of floats a batch norm, whose
//! statistics are constants too. Function: another one until the state is put in ([`Student::holding`]).
//!
//! A quantised network has no batch norm: its weights are floats behind quantisers of the scales that it came with, or of
//! [`scales`] that are trained, so that what is trained is what integers will compute.

use std::collections::BTreeSet;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{
    Batch, BatchNorm, Conv, Dequantise, Div, Edit, EditError, Element, Mul, Network, Op, Reshape, Shape,
};
use nonresc_ir::tensor::Tensor;

use super::codes;
use super::scales;
use super::state::State;
use crate::accuracy;

/// Added to variances.
pub(super) const EPSILON: f64 = 1e-5;

/// A value that is trained or kept, and the constant that holds it.
#[derive(Clone, Debug)]
pub struct Held {
    /// As the state knows it: `conv1.weight`.
    pub name: String,
    /// The constant.
    pub value: Value,
}

/// Batch norm behind a layer.
#[derive(Clone, Debug)]
pub struct Norm {
    /// The node.
    pub node: NodeId,
    /// Mean of each channel.
    pub mean: Held,
    /// Variance of each channel.
    pub variance: Held,
}

/// A layer with weights.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Its ONNX name, made unique.
    pub name: String,
    /// Its weights.
    pub weight: Held,
    /// What is multiplied with the result of batch norm.
    pub scale: Option<Held>,
    /// What is added at the end.
    pub bias: Option<Held>,
    /// Batch norm, where it has one.
    pub norm: Option<Norm>,
}

/// A network that can be trained.
#[derive(Clone, Debug)]
pub struct Student {
    /// The network; its one output holds a score a class, [N, classes].
    pub network: Network,
    /// Its layers.
    pub layers: Vec<Layer>,
    /// The constants that skips are multiplied by, in the order of those given.
    pub fades: Vec<Value>,
    /// Scales that are trained.
    pub steps: Vec<scales::Learned>,
    /// Whether these stay powers of two.
    powers: bool,
}

impl Student {
    /// Of a network in normal form with one input and one output. Operand `fading[i]` of each sum gets a factor.
    ///
    /// # Errors
    /// Networks whose output is no score a class; weights that are not known numbers.
    pub fn new(normal: &Network, fading: &[(NodeId, u16)]) -> Result<Student, Diagnostics> {
        Student::of(normal, fading, false)
    }

    /// The same, whose scales are trained too, where the network has some: those of weights and of activations, not that of
    /// its input.
    ///
    /// # Errors
    /// As [`Student::new`].
    pub fn learning_scales(normal: &Network, fading: &[(NodeId, u16)]) -> Result<Student, Diagnostics> {
        Student::of(normal, fading, true)
    }

    fn of(normal: &Network, fading: &[(NodeId, u16)], learns_scales: bool) -> Result<Student, Diagnostics> {
        let mut network = normal.clone();
        let quantised = is_quantised(&network);
        let mut edit = Edit::new(&mut network);
        scores(&mut edit)?;
        let mut faults = Diagnostics::default();
        let fades =
            fading.iter().map(|&place| fade(&mut edit, place)).collect::<Result<_, _>>().map_err(own)?;
        let mut layers = Vec::new();
        let mut steps = Vec::new();
        let learned: BTreeSet<NodeId> = match learns_scales {
            true => scales::layers(normal).into_iter().map(|(node, ..)| node).collect(),
            false => BTreeSet::new(),
        };
        for (node, name) in trained_layers(normal) {
            let layer = match (edit.op(node).clone(), quantised) {
                (Op::Conv(op), false) => float_conv(&mut edit, node, name, &op),
                (_, false) => float_dense(&mut edit, node, name),
                (_, true) => {
                    let of_weights = edit.operands(node)[1].node;
                    let learned =
                        learned.contains(&node).then(|| scales::of_weights(&mut edit, &name, of_weights));
                    let learned = learned.flatten();
                    steps.extend(learned.clone());
                    quantised_layer(&mut edit, node, name, learned.map(|step| step.held.value))
                }
            };
            match layer {
                Ok(layer) => layers.push(layer),
                Err(why) => faults.push(refused(normal, node, why)),
            }
        }
        faults.or(())?;
        for rounding in scales::roundings(normal).iter().filter(|_| learns_scales) {
            steps.push(rounding.learned(&mut edit).map_err(own)?);
        }
        edit.remove_dead();
        Ok(Student { network, layers, fades, steps, powers: scales::are_powers(normal) })
    }

    /// All that is trained, by name.
    pub fn parameters(&self) -> Vec<&Held> {
        self.layers
            .iter()
            .flat_map(|layer| [Some(&layer.weight), layer.scale.as_ref(), layer.bias.as_ref()])
            .flatten()
            .chain(self.steps.iter().map(|step| &step.held))
            .collect()
    }

    /// The numbers of a parameter that are computed with, where `given` are those that are trained.
    pub fn used(&self, name: &str, given: &[f32]) -> Vec<f32> {
        if scales::is_scale(name) { scales::used(given, self.powers) } else { given.to_vec() }
    }

    /// All statistics of batch norms, by name.
    pub fn statistics(&self) -> Vec<&Held> {
        self.layers
            .iter()
            .filter_map(|l| l.norm.as_ref())
            .flat_map(|norm| [&norm.mean, &norm.variance])
            .collect()
    }

    /// The network with the numbers of a state, and with skips multiplied by `fades`.
    ///
    /// # Errors
    /// Numbers that a state lacks, which is a fault of nonresc.
    pub fn holding(&self, state: &State, fades: &[f64]) -> Result<Network, Diagnostics> {
        let mut network = self.network.clone();
        let mut edit = Edit::new(&mut network);
        let parameters = self.parameters().into_iter().map(|held| (held, &state.parameters));
        let statistics = self.statistics().into_iter().map(|held| (held, &state.statistics));
        for (held, numbers) in parameters.chain(statistics) {
            let numbers = numbers.get(&held.name).ok_or_else(|| lacking(&held.name))?;
            put(&mut edit, held.value, self.used(&held.name, numbers)).map_err(own)?;
        }
        for (&value, &factor) in self.fades.iter().zip(fades) {
            put(&mut edit, value, vec![factor as f32]).map_err(own)?;
        }
        edit.remove_dead();
        Ok(network)
    }
}

/// Whether there are quantisers in a network.
pub fn is_quantised(network: &Network) -> bool {
    network.node_ids().any(|node| matches!(network.op(node), Op::Quantise(_)))
}

/// Puts other numbers in the place of a constant.
fn put(edit: &mut Edit<'_>, value: Value, numbers: Vec<f32>) -> Result<(), EditError> {
    let shape = edit.ty(value).shape.clone();
    let names = edit.node(value.node).names.clone();
    let tensor = Tensor::f32(shape, numbers).ok_or_else(|| EditError("a state of other shapes".into()))?;
    let new = edit.named(names).constant(tensor);
    edit.redirect(value, new)
}

/// The layers with weights, in topological order, each under the ONNX name that it came with. A layer that shortening
/// made is called after the one that it stands beside.
pub fn layer_names(network: &Network) -> Vec<(NodeId, String)> {
    let order = network.topological().unwrap_or_default();
    let is_layer = |node: &NodeId| matches!(network.op(*node), Op::Conv(_) | Op::Dense(_));
    let mut taken = BTreeSet::new();
    let mut names = Vec::new();
    for node in order.into_iter().filter(is_layer) {
        let own = network.node(node).names.first().map(str::to_string);
        let wish = own
            .or_else(|| beside(network, node))
            .unwrap_or_else(|| format!("layer_{}", network.operands(node)[1].node.0));
        let mut name = wish.clone();
        let mut count = 1;
        while !taken.insert(name.clone()) {
            count += 1;
            name = format!("{wish}_{count}");
        }
        names.push((node, name));
    }
    names
}

/// The layers that are trained: all of them, and of a quantised network those whose weights are codes. What stays floats
/// there only moves numbers off the middle between two codes.
pub(super) fn trained_layers(network: &Network) -> Vec<(NodeId, String)> {
    let quantised = is_quantised(network);
    let is_trained =
        |node: NodeId| !quantised || matches!(network.op(network.operands(node)[1].node), Op::Dequantise(_));
    layer_names(network).into_iter().filter(|(node, _)| is_trained(*node)).collect()
}

/// The name of a nameless layer after the other operand of the sum that it goes into.
fn beside(network: &Network, node: NodeId) -> Option<String> {
    let sum = network.sole_reader(node.into()).filter(|&sum| matches!(network.op(sum), Op::Add(_)))?;
    let other = network.operands(sum).into_iter().find(|&v| v != node.into())?;
    Some(format!("{}.short", network.node(other.node).names.first()?))
}

/// Makes a network take images as it computes on them: no preprocessing, its own layout.
pub(super) fn bare(edit: &mut Edit<'_>) {
    edit.set_preprocess(None);
    let mut port = edit.inputs()[0].clone();
    let ty = edit.ty(port.node.into()).clone();
    port.perm = (0..ty.shape.rank()).collect();
    port.element = ty.element;
    edit.set_input(0, port, ty);
}

/// Makes a network's one output its scores, [N, classes], and says which value that is.
pub(super) fn scored(network: &mut Network) -> Result<Value, Diagnostics> {
    let mut edit = Edit::new(network);
    scores(&mut edit)?;
    Ok(edit.outputs()[0].value)
}

/// The network with its scores, [N, classes], as its one output.
pub(super) fn scored_copy(network: &Network) -> Result<Network, Diagnostics> {
    let mut copy = network.clone();
    scored(&mut copy)?;
    Ok(copy)
}

fn scores(edit: &mut Edit<'_>) -> Result<(), Diagnostics> {
    let classes = accuracy::classes(edit)?;
    let (name, mut value) = (edit.outputs()[0].name.clone(), edit.outputs()[0].value);
    if matches!(edit.op(value.node), Op::Softmax(_)) {
        value = edit.operands(value.node)[0];
    }
    if edit.ty(value).shape.rank() > 2 {
        value = edit.add(Reshape { keep_batch: true, dims: vec![classes] }, &[value]).map_err(own)?;
    }
    edit.retain_outputs(|_| false);
    edit.output(&name, value, Batch::Dynamic(None));
    edit.remove_dead();
    Ok(())
}

/// Puts a factor, which is 1, on operand `port` of a sum.
fn fade(edit: &mut Edit<'_>, (sum, port): (NodeId, u16)) -> Result<Value, EditError> {
    let operand = edit.operands(sum)[usize::from(port)];
    let factor = edit.named(Default::default()).constant(filled(&[], 1.0));
    let product = edit.add(Mul {}, &[operand, factor])?;
    edit.rewire(sum, port, product)?;
    Ok(factor)
}

fn filled(shape: &[usize], number: f32) -> Tensor {
    let shape = Shape(shape.to_vec());
    let numbers = vec![number; shape.len()];
    Tensor::f32(shape, numbers).expect("as many numbers as the shape has")
}

/// A constant of its own with the numbers of `value`; nothing where these are not known floats.
fn own_constant(edit: &mut Edit<'_>, value: Value) -> Option<Value> {
    let network: &Network = edit;
    let tensor = network.constant(value).filter(|tensor| tensor.element() == Element::F32)?;
    let tensor = Tensor::clone(tensor);
    Some(edit.constant(tensor))
}

fn held(layer: &str, what: &str, value: Value) -> Held {
    Held { name: format!("{layer}.{what}"), value }
}

const UNKNOWN: &str = "its weights are computed, or are no floats of 32 bits";

fn float_conv(edit: &mut Edit<'_>, node: NodeId, name: String, op: &Conv) -> Result<Layer, &'static str> {
    let (x, old) = (edit.operands(node)[0], edit.operands(node)[1]);
    let names = edit.node(node).names.clone();
    edit.named(names);
    let weight = own_constant(edit, old).ok_or(UNKNOWN)?;
    let channels = [edit.ty(weight).shape.0[0]];
    let sums = edit.add(op.clone(), &[x, weight]).map_err(|_| UNKNOWN)?;
    let [scale, bias, mean, variance] = [1.0, 0.0, 0.0, 1.0].map(|n| edit.constant(filled(&channels, n)));
    let op = BatchNorm { epsilon: EPSILON };
    let normal = edit.add(op, &[sums, scale, bias, mean, variance]).map_err(|_| UNKNOWN)?;
    edit.redirect(node.into(), normal).map_err(|_| UNKNOWN)?;
    Ok(Layer {
        weight: held(&name, "weight", weight),
        scale: Some(held(&name, "scale", scale)),
        bias: Some(held(&name, "bias", bias)),
        norm: Some(Norm {
            node: normal.node,
            mean: held(&name, "mean", mean),
            variance: held(&name, "variance", variance),
        }),
        name,
    })
}

fn float_dense(edit: &mut Edit<'_>, node: NodeId, name: String) -> Result<Layer, &'static str> {
    let operands = edit.operands(node);
    let weight = own_constant(edit, operands[1]).ok_or(UNKNOWN)?;
    let bias = match operands.get(2) {
        Some(&bias) => own_constant(edit, bias).ok_or(UNKNOWN)?,
        None => {
            let outputs = [edit.ty(weight).shape.0[0]];
            edit.constant(filled(&outputs, 0.0))
        }
    };
    without_norm(edit, node, name, weight, (weight, bias))
}

/// The layer again on other weights and another bias, where `weight` holds what is trained of the former.
fn without_norm(
    edit: &mut Edit<'_>,
    node: NodeId,
    name: String,
    weight: Value,
    (weights, bias): (Value, Value),
) -> Result<Layer, &'static str> {
    let (op, names, x) = (edit.op(node).clone(), edit.node(node).names.clone(), edit.operands(node)[0]);
    let layer = edit.named(names).add(op, &[x, weights, bias]).map_err(|_| UNKNOWN)?;
    edit.redirect(node.into(), layer).map_err(|_| UNKNOWN)?;
    let (weight, bias) = (held(&name, "weight", weight), Some(held(&name, "bias", bias)));
    Ok(Layer { name, weight, scale: None, bias, norm: None })
}

/// A layer whose weights are codes: floats behind a quantiser of the same scale, or of `learned`, stand for them.
fn quantised_layer(
    edit: &mut Edit<'_>,
    node: NodeId,
    name: String,
    learned: Option<Value>,
) -> Result<Layer, &'static str> {
    let operands = edit.operands(node);
    let (weight, scaled) = scaled_weights(edit, operands[1])?;
    let Op::Dequantise(op) = edit.op(operands[1].node).clone() else { return Err(UNKNOWN) };
    let codes = rounded(edit, operands[1].node, &op, scaled, learned)?;
    let bias = match operands.get(2) {
        Some(&bias) => numbers(edit, bias)?,
        None => filled(&[edit.ty(weight).shape.0[0]], 0.0),
    };
    let bias = edit.constant(bias);
    without_norm(edit, node, name, weight, (codes, bias))
}

/// The numbers that known codes stand for.
pub(super) fn numbers(network: &Network, value: Value) -> Result<Tensor, &'static str> {
    let operands = network.operands(value.node);
    let known: Option<Vec<&Tensor>> =
        operands.iter().map(|&v| network.constant(v).map(AsRef::as_ref)).collect();
    match (network.op(value.node), known) {
        (Op::Const(tensor), _) if tensor.element() == Element::F32 => Ok(Tensor::clone(tensor)),
        (Op::Dequantise(_), Some(known)) => {
            nonresc_ir::eval::operator::<f32>(network.op(value.node), &known).map_err(|_| UNKNOWN)
        }
        _ => Err(UNKNOWN),
    }
}

/// A constant for the weights of a layer, each filter divided by its factor, and these weights multiplied by it again:
/// so filters learn at one pace, whatever their layer's numbers are scaled by.
fn scaled_weights(edit: &mut Edit<'_>, old: Value) -> Result<(Value, Value), &'static str> {
    let floats = numbers(edit, old)?;
    let shape = floats.shape().clone();
    let mut weights = floats.to_f32();
    let factors = divide_filters(&mut weights, shape.0[0]);
    let mut extents = vec![1; shape.rank()];
    extents[0] = shape.0[0];
    let weight = edit.constant(Tensor::f32(shape, weights).ok_or(UNKNOWN)?);
    let factors = edit.constant(Tensor::f32(Shape(extents), factors).ok_or(UNKNOWN)?);
    Ok((weight, edit.add(Mul {}, &[weight, factors]).map_err(|_| UNKNOWN)?))
}

/// Divides each of so many filters by the power of two nearest to its norm; gives these.
pub(super) fn divide_filters(weights: &mut [f32], filters: usize) -> Vec<f32> {
    let fan = (weights.len() / filters.max(1)).max(1);
    let divide = |filter: &mut [f32]| {
        let norm = filter.iter().map(|&w| f64::from(w) * f64::from(w)).sum::<f64>().sqrt();
        let factor = if norm > 0.0 { norm.log2().round().exp2() as f32 } else { 1.0 };
        filter.iter_mut().for_each(|w| *w /= factor);
        factor
    };
    weights.chunks_exact_mut(fan).map(divide).collect()
}

/// Numbers in the place of known codes: behind a quantiser of the same scale, or in whole steps of the one that is learned.
fn rounded(
    edit: &mut Edit<'_>,
    node: NodeId,
    op: &Dequantise,
    mut floats: Value,
    learned: Option<Value>,
) -> Result<Value, &'static str> {
    let operands = edit.operands(node);
    let network: &Network = edit;
    let stored = network.constant(operands[0]).ok_or(UNKNOWN)?;
    let quantise = codes::quantiser_of(stored, op.axis).ok_or(
        "weights of 1 bit, of more than 16, or that are no integers have no straight-through gradient here",
    )?;
    let zero =
        network.constant(operands[2]).and_then(|zero| codes::zero_of(zero, &quantise)).ok_or(UNKNOWN)?;
    let zero_points = zero.clone();
    let (mut scale, mut zero) = (operands[1], edit.constant(zero));
    if let Some(learned) = learned {
        floats = edit.add(Div {}, &[floats, learned]).map_err(|_| UNKNOWN)?;
        // All filters have one zero point then.
        scale = edit.constant(filled(&[], 1.0));
        zero = edit.constant(one_of(&zero_points).ok_or(UNKNOWN)?);
    }
    let codes = edit.add(quantise, &[floats, scale, zero]).map_err(|_| UNKNOWN)?;
    let numbers = edit.add(op.clone(), &[codes, scale, zero]).map_err(|_| UNKNOWN)?;
    match learned {
        Some(learned) => edit.add(Mul {}, &[numbers, learned]).map_err(|_| UNKNOWN),
        None => Ok(numbers),
    }
}

/// The first number of a tensor, as a scalar.
fn one_of(tensor: &Tensor) -> Option<Tensor> {
    Tensor::from_f64(tensor.element(), [], tensor.to_f64().get(..1)?)
}

/// Why a layer cannot be trained.
pub(super) fn refused(network: &Network, node: NodeId, why: &str) -> Diagnostic {
    Diagnostic::new(
        "distill/layer",
        format!("{} \"{}\"", network.op(node).name(), network.node(node).names),
        why,
        "give a model whose weights are stored as numbers",
    )
}

fn lacking(name: &str) -> Diagnostic {
    Diagnostic::new(
        "distill/state",
        name,
        "the state of training lacks it",
        "report this as a fault of nonresc",
    )
}

fn own(error: EditError) -> Diagnostics {
    Diagnostic::new(
        "distill/edit",
        "the network that is trained",
        error.to_string(),
        "report this as a fault of nonresc",
    )
    .into()
}
