//! Activations of activations are one, and a clip at zero is a rectifier.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Clip, Edit, Op, Relu};

use super::rewrite::Outcome;

/// The limits of an operator that only limits.
fn limits(op: &Op) -> Option<(f64, f64)> {
    match op {
        Op::Relu(_) => Some((0.0, f64::INFINITY)),
        Op::Clip(Clip { min, max }) if min <= max => Some((*min, *max)),
        _ => None,
    }
}

fn limiter((min, max): (f64, f64)) -> Op {
    if (min, max) == (0.0, f64::INFINITY) { Relu {}.into() } else { Clip { min, max }.into() }
}

/// A limit of a limit; a limit at zero from below of a leaky rectifier that keeps signs.
pub(super) fn merge(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Some((low, high)) = limits(edit.op(node)) else { return Ok(false) };
    let y = edit.operands(node)[0];
    let (min, max) = match edit.op(y.node) {
        Op::LeakyRelu(inner) if inner.alpha >= 0.0 && low >= 0.0 => (low, high),
        // The outer limits win where the two ranges do not meet.
        inner => match limits(inner) {
            Some((min, max)) => (min.clamp(low, high), max.clamp(low, high)),
            None => return Ok(false),
        },
    };
    let (x, names) = (edit.operands(y.node)[0], edit.node(y.node).names.clone());
    let both = edit.named(names).add(limiter((min, max)), &[x])?;
    edit.replace(node.into(), both)?;
    Ok(true)
}

/// `clip` to all that is not below zero; a leaky rectifier whose slope is 0.
pub(super) fn clip_as_relu(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let rectifies = match edit.op(node) {
        Op::Clip(Clip { min, max }) => (*min, *max) == (0.0, f64::INFINITY),
        Op::LeakyRelu(leaky) => leaky.alpha == 0.0,
        _ => false,
    };
    if !rectifies {
        return Ok(false);
    }
    let (x, names) = (edit.operands(node)[0], edit.node(node).names.clone());
    let relu = edit.named(names).add(Relu {}, &[x])?;
    edit.replace(node.into(), relu)?;
    Ok(true)
}
