//! What stands between an input and the network becomes a fact of its port: a layout, an element type.

use std::collections::{BTreeSet, VecDeque};

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, Element, Network, Op, Shape, Transpose, ValueType};

use super::rewrite::Outcome;
use super::sink_transpose::inverse;

/// The port of an input node.
fn port(network: &Network, node: NodeId) -> Option<usize> {
    network.inputs().iter().position(|p| p.node == node)
}

/// The input takes the order of axes in which windows see it; a transposition behind it gives its readers what
/// they had, and sinks.
pub(super) fn layout(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Some(i) = port(edit, node) else { return Ok(false) };
    let Some(order) = seen_order(edit, node.into()) else { return Ok(false) };
    if order.is_sorted() {
        return Ok(false);
    }
    let old = edit.ty(node.into()).clone();
    let shape = Shape(order.iter().map(|&axis| old.shape.0[axis]).collect());
    let back = inverse(&order);
    let port = &edit.inputs()[i];
    let (element, perm) = (port.element, port.perm.iter().map(|&axis| back[axis]).collect());
    let new = edit.exchange_input(i, ValueType::new(old.element, shape), element, perm);
    let value = edit.add(Transpose { perm: back }, &[new])?;
    edit.redirect(node.into(), value)?;
    Ok(true)
}

/// The axes of `input` in the order in which the first window or map operator behind it sees them.
fn seen_order(network: &Network, input: Value) -> Option<Vec<usize>> {
    let rank = network.ty(input).shape.rank();
    let mut queue = VecDeque::from([(input, (0..rank).collect::<Vec<usize>>())]);
    let mut seen = BTreeSet::from([input]);
    while let Some((value, order)) = queue.pop_front() {
        for (reader, _) in network.users(value) {
            let next = match network.op(reader) {
                Op::Conv(_)
                | Op::MaxPool(_)
                | Op::AvgPool(_)
                | Op::GlobalAvgPool(_)
                | Op::GlobalMaxPool(_)
                | Op::BatchNorm(_) => return Some(order),
                Op::Transpose(a) if a.perm[0] == 0 => a.perm.iter().map(|&axis| order[axis]).collect(),
                Op::Reshape(_) => match moved_ones(network, value, reader.into()) {
                    Some(perm) => perm.iter().map(|&axis| order[axis]).collect(),
                    None => continue,
                },
                Op::Relu(_)
                | Op::Clip(_)
                | Op::LeakyRelu(_)
                | Op::Cast(_)
                | Op::Quantise(_)
                | Op::Dequantise(_)
                | Op::Pad(_)
                | Op::Slice(_)
                | Op::Concat(_)
                | Op::Add(_)
                | Op::Sub(_)
                | Op::Mul(_)
                | Op::Div(_) => order.clone(),
                _ => continue,
            };
            if network.ty(reader.into()).shape.rank() == rank && seen.insert(reader.into()) {
                queue.push_back((reader.into(), next));
            }
        }
    }
    None
}

/// The order of axes that makes `to` of `from`, which has the same elements in the same order: extents of 1
/// have moved.
fn moved_ones(network: &Network, from: Value, to: Value) -> Option<Vec<usize>> {
    let (from, to) = (&network.ty(from).shape.0, &network.ty(to).shape.0);
    if from.len() != to.len() || from.first() != to.first() {
        return None;
    }
    let mut ones = (1..from.len()).filter(|&a| from[a] == 1);
    let mut others = (1..from.len()).filter(|&a| from[a] != 1);
    let mut perm = vec![0];
    for &extent in &to[1..] {
        let axis = if extent == 1 { ones.next() } else { others.next() }?;
        if from[axis] != extent {
            return None;
        }
        perm.push(axis);
    }
    Some(perm)
}

/// Where all that read an input convert it to one type of float, the network starts with that.
pub(super) fn cast(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Some(i) = port(edit, node) else { return Ok(false) };
    let readers: Vec<NodeId> = edit.users(node.into()).into_iter().map(|(reader, _)| reader).collect();
    let target = |reader: &NodeId| match edit.op(*reader) {
        Op::Cast(cast) if cast.to.is_float() => Some(cast.to),
        _ => None,
    };
    let targets: BTreeSet<Option<Element>> = readers.iter().map(target).collect();
    let (Some(&Some(to)), 1) = (targets.first(), targets.len()) else { return Ok(false) };
    if edit.is_output(node.into()) {
        return Ok(false);
    }
    let shape = edit.ty(node.into()).shape.clone();
    let (element, perm) = (edit.inputs()[i].element, edit.inputs()[i].perm.clone());
    let new = edit.exchange_input(i, ValueType::new(to, shape), element, perm);
    for reader in readers {
        edit.replace(reader.into(), new)?;
    }
    Ok(true)
}
