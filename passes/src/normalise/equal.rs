//! What is computed twice of one value is computed once: quantisers above all, so that what a fork hands on is codes and
//! not the sums that they are made of.
//!
//! Exporters put a quantiser in front of each reader, and some a relu of its own in front of that. Where all that
//! stand behind a fork are equal they are one in front of it: to the bit the same numbers, and the channel of a skip is as
//! wide as its codes. Of operators that map each element by itself and hold no weights; constants are never merged, since
//! what reads them decides how they are folded.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, LeakyRelu, Network, Op};
use nonresc_ir::tensor::Tensor;

use super::rewrite::Outcome;

/// Equal operators of one value are one, with the names of all.
pub(super) fn merge(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Some(&x) = edit.operands(node).first() else { return Ok(false) };
    let mut all = twins(edit, node, x);
    if all.is_empty() {
        return Ok(false);
    }
    all.push(node);
    // In the order of their names, whichever came first in the file.
    all.sort_by(|&a, &b| edit.node(a).names.iter().cmp(edit.node(b).names.iter()));
    for &other in &all[1..] {
        edit.replace(other.into(), all[0].into())?;
    }
    Ok(true)
}

/// An operator behind a slice or the largest of windows goes in front of it, where its equal stands already for another
/// reader: what is mapped element by element, never downwards, may be mapped first.
pub(super) fn hoist(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Some(&y) = edit.operands(node).first() else { return Ok(false) };
    let moves = match edit.op(y.node) {
        Op::Slice(_) => is_uniform(edit, node),
        Op::MaxPool(_) | Op::GlobalMaxPool(_) => is_uniform(edit, node) && is_monotone(edit, node),
        _ => false,
    };
    if !moves || edit.users(y).len() != 1 || edit.is_output(y) {
        return Ok(false);
    }
    let x = edit.operands(y.node)[0];
    // Where there are several they become one first.
    let [twin] = twins(edit, node, x)[..] else { return Ok(false) };
    let (op, names) = (edit.op(y.node).clone(), edit.node(y.node).names.clone());
    let below = edit.named(names).add(op, &[twin.into()])?;
    let names = edit.node(node).names.clone();
    edit.merge_names(twin, &names);
    edit.redirect(node.into(), below)?;
    Ok(true)
}

/// The other nodes that do to `x` what `node` does to its operand.
fn twins(network: &Network, node: NodeId, x: Value) -> Vec<NodeId> {
    let op = by_element(network, node).filter(|_| network.constant(x).is_none());
    let Some(op) = op else { return Vec::new() };
    let parameters = &network.operands(node)[1..];
    let is_twin = |&(other, port): &(NodeId, u16)| {
        let others = network.operands(other);
        other != node
            && port == 0
            && others.len() == parameters.len() + 1
            && by_element(network, other).as_ref() == Some(&op)
            && parameters.iter().zip(&others[1..]).all(|(&a, &b)| is_same(network, a, b))
    };
    network.users(x).into_iter().filter(is_twin).map(|(twin, _)| twin).collect()
}

/// An operator that maps each element of its first operand by itself, without the axis that it has no use for.
fn by_element(network: &Network, node: NodeId) -> Option<Op> {
    let mut op = network.op(node).clone();
    let uniform = is_uniform(network, node);
    match &mut op {
        Op::Quantise(a) if uniform => a.axis = 0,
        Op::Dequantise(a) if uniform => a.axis = 0,
        Op::Quantise(_) | Op::Dequantise(_) => {}
        Op::Relu(_) | Op::Clip(_) | Op::LeakyRelu(_) | Op::Cast(_) => {}
        _ => return None,
    }
    Some(op)
}

/// Whether all elements are mapped alike.
fn is_uniform(network: &Network, node: NodeId) -> bool {
    network.operands(node).iter().skip(1).all(|&v| network.ty(v).shape.len() == 1)
}

/// Whether a larger number never becomes a smaller one.
fn is_monotone(network: &Network, node: NodeId) -> bool {
    match network.op(node) {
        Op::Quantise(_) | Op::Dequantise(_) => {
            let scale = network.operands(node).get(1).and_then(|&v| network.constant(v));
            scale.is_some_and(|scale| scale.all(|s| s > 0.0))
        }
        Op::LeakyRelu(LeakyRelu { alpha }) => *alpha >= 0.0,
        Op::Clip(a) => a.min <= a.max,
        Op::Relu(_) => true,
        _ => false,
    }
}

/// Whether two parameters are the same numbers.
fn is_same(network: &Network, a: Value, b: Value) -> bool {
    let alike = |(a, b): (&Tensor, &Tensor)| {
        let shape = a.shape() == b.shape() || (a.len() == 1 && b.len() == 1);
        shape && a.element() == b.element() && a.to_f64() == b.to_f64()
    };
    let constant = |v| network.constant(v).map(AsRef::as_ref);
    a == b || constant(a).zip(constant(b)).is_some_and(alike)
}
