//! Operators that change nothing.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{AvgPool, Edit, LeakyRelu, MaxPool, Network, Op, Pair, Sides};

use super::affine::Affine;
use super::nonnegative::is_nonnegative;
use super::rewrite::Outcome;

pub(super) fn drop(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    if !is_idle(edit, node) {
        return Ok(false);
    }
    let x = edit.operands(node)[0];
    edit.replace(node.into(), x)?;
    Ok(true)
}

fn is_idle(network: &Network, node: NodeId) -> bool {
    let operands = network.operands(node);
    let Some(&x) = operands.first() else { return false };
    let (from, to) = (network.ty(x), network.ty(node.into()));
    if from != to {
        return false;
    }
    match network.op(node) {
        Op::Cast(_) | Op::Reshape(_) | Op::GlobalAvgPool(_) | Op::GlobalMaxPool(_) => true,
        Op::ReduceMean(a) => a.axes.iter().all(|&axis| from.shape.0[axis] == 1),
        Op::Transpose(a) => a.perm.is_sorted(),
        Op::Pad(a) => a.before.iter().chain(&a.after).all(|&p| p == 0),
        Op::Slice(a) => a.step.iter().zip(&a.len).all(|(&step, &len)| step == 1 || len == 1),
        Op::Concat(_) => operands.len() == 1,
        Op::Clip(a) => a.min == f64::NEG_INFINITY && a.max == f64::INFINITY,
        Op::LeakyRelu(LeakyRelu { alpha }) => *alpha == 1.0 || is_nonnegative(network, x),
        Op::Relu(_) => is_nonnegative(network, x),
        Op::BatchNorm(_) => Affine::of(network, node).is_some_and(|map| map.is_idle()),
        Op::MaxPool(MaxPool { kernel, stride, pad, .. }) => unit(*kernel, *stride, *pad),
        Op::AvgPool(AvgPool { kernel, stride, pad, .. }) => unit(*kernel, *stride, *pad),
        _ => false,
    }
}

fn unit(kernel: Pair, stride: Pair, pad: Sides) -> bool {
    kernel == Pair::ONE && stride == Pair::ONE && pad == Sides::ZERO
}
