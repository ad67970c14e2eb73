//! Sums, differences, products and quotients with constants that are the same all over a channel are affine
//! maps.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, Network, Op, Shape};
use nonresc_ir::tensor::Tensor;

use super::affine::Affine;
use super::rewrite::Outcome;

pub(super) fn recognise(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Some((x, map)) = affine(edit, node) else { return Ok(false) };
    let names = edit.node(node).names.clone();
    let Some(y) = map.of_value(edit.named(names), x)? else { return Ok(false) };
    edit.replace(node.into(), y)?;
    Ok(true)
}

/// The activation and the map, where the node is one.
pub(super) fn affine(network: &Network, node: NodeId) -> Option<(Value, Affine)> {
    let op = network.op(node);
    if !matches!(op, Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Div(_)) {
        return None;
    }
    let operands = network.operands(node);
    let (x, tensor, constant_first) = match (network.constant(operands[0]), network.constant(operands[1])) {
        (None, Some(tensor)) => (operands[0], tensor, false),
        (Some(tensor), None) => (operands[1], tensor, true),
        _ => return None,
    };
    let ty = network.ty(x);
    if !ty.element.is_float() || ty.shape.rank() < 2 || network.ty(node.into()).shape != ty.shape {
        return None;
    }
    let c = by_channel(tensor, &ty.shape)?;
    let all = |number: f64| vec![number; c.len()];
    let map = match (op, constant_first) {
        (Op::Add(_), _) => Affine { scale: all(1.0), shift: c },
        (Op::Sub(_), false) => Affine { scale: all(1.0), shift: c.iter().map(|c| -c).collect() },
        (Op::Sub(_), true) => Affine { scale: all(-1.0), shift: c },
        (Op::Mul(_), _) => Affine { shift: all(0.0), scale: c },
        (Op::Div(_), false) => Affine { shift: all(0.0), scale: c.iter().map(|c| 1.0 / c).collect() },
        _ => return None,
    };
    map.scale.iter().chain(&map.shift).all(|x| x.is_finite()).then_some((x, map))
}

/// The number of each channel of an activation of `shape`, where a constant that broadcasts against it is the
/// same all over a channel.
fn by_channel(tensor: &Tensor, shape: &Shape) -> Option<Vec<f64>> {
    let rank = shape.rank();
    let channels = shape.0[1];
    let numbers = tensor.to_f64();
    if let [one] = numbers[..] {
        return Some(vec![one; channels]);
    }
    let lead = rank.checked_sub(tensor.shape().rank())?;
    let extent = |axis: usize| axis.checked_sub(lead).map_or(1, |a| tensor.shape().0[a]);
    if extent(0) != 1 {
        return None;
    }
    let inner: usize = (2..rank).map(extent).product();
    let mut planes = numbers.chunks_exact(inner);
    if !planes.all(|plane| plane.iter().all(|x| *x == plane[0])) {
        return None;
    }
    let firsts: Vec<f64> = numbers.iter().step_by(inner).copied().collect();
    match firsts[..] {
        [one] => Some(vec![one; channels]),
        _ => (firsts.len() == channels).then_some(firsts),
    }
}
