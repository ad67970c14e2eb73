//! Reverse-mode differentiation: to a network are added the operators that compute gradients of its values.
//!
//! Needs: seeds, which say of some values what the loss's gradient by them is. Gives: the gradients of the values that
//! are wanted, as values of the same network. Function: what the network computed before stays as it is.
//!
//! One rule an operator, one file a family. A rule sees one node and the gradient of its result, and gives those of its
//! operands; sums over several readers are made here, in the order of the readers, so that the result is the same in
//! every run. No loss and no parameter here: `step.rs` knows those.

mod layers;
mod moves;
mod pointwise;
mod pools;

use std::collections::{BTreeMap, BTreeSet};

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Add, Edit, EditError, Network, Op, Pair};

pub(super) use layers::statistic_axes;

/// What a rule found: the gradient of each operand that it was asked for, by the operand's number.
type Found = Vec<(usize, Value)>;

/// Why a rule has no answer.
pub(super) enum Refused {
    /// The operator, or this use of it, has no gradient here.
    Why(&'static str),
    /// An operator of the gradient did not fit: a fault of the rule.
    Edit(EditError),
}

impl From<EditError> for Refused {
    fn from(error: EditError) -> Self {
        Refused::Edit(error)
    }
}

/// A node whose operands' gradients are asked for.
struct Asked<'a, 'n> {
    edit: &'a mut Edit<'n>,
    node: NodeId,
    operands: Vec<Value>,
    /// The gradient of the node's result.
    dy: Value,
    /// Which operands lead to a wanted value.
    wanted: Vec<bool>,
}

/// Adds the gradients of `wanted` to the network that is edited, where `seeds` are values and their gradients. A value
/// that no seed depends on is not in the result.
///
/// # Errors
/// Every operator on the way that has no gradient, by name.
pub fn backward(
    edit: &mut Edit<'_>,
    seeds: &[(Value, Value)],
    wanted: &[Value],
) -> Result<BTreeMap<Value, Value>, Diagnostics> {
    let order = edit.topological().ok_or_else(cycle)?;
    let leading = leading(edit, &order, wanted);
    let mut parts: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
    for &(value, gradient) in seeds {
        parts.entry(value).or_default().push(gradient);
    }
    let mut faults = Diagnostics::default();
    for node in order.into_iter().rev().filter(|node| leading.contains(node)) {
        let Some(dy) = total(edit, parts.get(&node.into()))? else { continue };
        parts.insert(node.into(), vec![dy]);
        let operands = edit.operands(node);
        let wanted: Vec<bool> = operands.iter().map(|v| leading.contains(&v.node)).collect();
        if !wanted.contains(&true) {
            continue;
        }
        let names = edit.node(node).names.clone();
        edit.named(names);
        let asked = Asked { edit, node, operands: operands.clone(), dy, wanted };
        match rule(asked) {
            Ok(found) => {
                for (operand, gradient) in found {
                    parts.entry(operands[operand]).or_default().push(gradient);
                }
            }
            Err(refused) => faults.push(refusal(edit, node, refused)),
        }
    }
    faults.or(())?;
    let mut gradients = BTreeMap::new();
    for &value in wanted {
        if let Some(gradient) = total(edit, parts.get(&value))? {
            gradients.insert(value, gradient);
        }
    }
    Ok(gradients)
}

/// The nodes that depend on a wanted value, and those that are wanted.
fn leading(network: &Network, order: &[NodeId], wanted: &[Value]) -> BTreeSet<NodeId> {
    let mut leading: BTreeSet<NodeId> = wanted.iter().map(|v| v.node).collect();
    for &node in order {
        if network.operands(node).iter().any(|v| leading.contains(&v.node)) {
            leading.insert(node);
        }
    }
    leading
}

/// The sum of all parts of a gradient.
fn total(edit: &mut Edit<'_>, parts: Option<&Vec<Value>>) -> Result<Option<Value>, Diagnostics> {
    let Some((&first, others)) = parts.and_then(|parts| parts.split_first()) else { return Ok(None) };
    let sum = others.iter().try_fold(first, |sum, &part| edit.add(Add {}, &[sum, part]));
    match sum {
        Ok(sum) => Ok(Some(sum)),
        Err(error) => Err(own_fault("a sum of gradients", &error).into()),
    }
}

fn rule(asked: Asked<'_, '_>) -> Result<Found, Refused> {
    let op = asked.edit.op(asked.node).clone();
    match &op {
        Op::Const(_) | Op::Input(_) => Ok(Found::new()),
        Op::Conv(op) => layers::conv(asked, op),
        Op::Dense(_) => layers::dense(asked),
        Op::BatchNorm(op) => layers::batch_norm(asked, op),
        // Batch norm's rule answers for the statistics that it reads, so that no gradient comes here from there.
        Op::ChannelVariance(_) => Err(Refused::Why("only batch norm may read a variance")),
        Op::ReduceMean(_) if layers::is_statistic(asked.edit, asked.node) => {
            Err(Refused::Why("only batch norm may read a mean by channel"))
        }
        Op::Add(_) => pointwise::add(asked),
        Op::Sub(_) => pointwise::sub(asked),
        Op::Mul(_) => pointwise::mul(asked),
        Op::Div(_) => pointwise::div(asked),
        Op::Relu(_) => pointwise::relu(asked),
        Op::Clip(op) => pointwise::clip(asked, op),
        Op::LeakyRelu(op) => pointwise::leaky_relu(asked, op),
        Op::Quantise(op) => pointwise::quantise(asked, op),
        Op::Dequantise(_) => pointwise::dequantise(asked),
        Op::MaxPool(op) => pools::max(asked, op),
        Op::AvgPool(op) => pools::avg(asked, op),
        Op::GlobalAvgPool(_) => pools::global_avg(asked),
        Op::GlobalMaxPool(_) => pools::global_max(asked),
        Op::Pad(op) => moves::pad(asked, op),
        Op::Slice(op) => moves::slice(asked, op),
        Op::Concat(op) => moves::concat(asked, op.axis),
        Op::Reshape(_) => moves::reshape(asked),
        Op::Transpose(op) => moves::transpose(asked, op),
        Op::MatMul(_) => Err(Refused::Why("it multiplies two computed values")),
        Op::ReduceMean(_) => Err(Refused::Why("it takes the mean over other axes than height and width")),
        Op::Softmax(_) | Op::LogSoftmax(_) => {
            Err(Refused::Why("only the loss, at the end, has exponentials"))
        }
        Op::Cast(_) => Err(Refused::Why("it changes the type of numbers inside the network")),
        Op::IntConv(_) | Op::IntDense(_) | Op::IntSumPool(_) | Op::Requantise(_) => {
            Err(Refused::Why("integers have no gradient"))
        }
        Op::ConvGradX(_)
        | Op::ConvGradW(_)
        | Op::ChannelSum(_)
        | Op::BatchNormGradScale(_)
        | Op::BatchNormGradX(_)
        | Op::Gate(_)
        | Op::MaxPoolGrad(_)
        | Op::AvgPoolGrad(_)
        | Op::Spread(_) => Err(Refused::Why("it is a gradient itself")),
    }
}

/// Height and width of a map.
fn map_of(network: &Network, value: Value) -> Pair {
    let extents = &network.ty(value).shape.0;
    Pair { h: extents[2], w: extents[3] }
}

fn refusal(network: &Network, node: NodeId, refused: Refused) -> Diagnostic {
    let what = format!("{} \"{}\"", network.op(node).name(), network.node(node).names);
    match refused {
        Refused::Why(why) => Diagnostic::new(
            "gradient/operator",
            what,
            format!("there is no gradient through it: {why}"),
            "train the model where it was made, or leave the operator out",
        ),
        Refused::Edit(error) => own_fault(&what, &error),
    }
}

fn own_fault(what: &str, error: &EditError) -> Diagnostic {
    Diagnostic::new("gradient/edit", what, error.to_string(), "report this as a fault of nonresc")
}

fn cycle() -> Diagnostics {
    Diagnostic::new("gradient/cycle", "the network", "it has a cycle", "give a network without one").into()
}
