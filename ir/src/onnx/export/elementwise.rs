//! Activations, softmax and conversions.

use crate::id::NodeId;
use crate::network::{Cast, Clip, LeakyRelu};

use super::node::{float, int};
use super::tensor::{data_type, scalar};
use super::writer::Writer;

/// Limits are operands; an infinite one is left out.
pub(super) fn clip(w: &mut Writer<'_>, node: NodeId, op: &Clip) {
    let mut input = w.operands(node);
    let element = w.network.ty(node.into()).element;
    let title = w.title(node);
    for (limit, name) in [(op.min, "min"), (op.max, "max")] {
        input.push(match scalar(element, limit) {
            Some(tensor) if limit.is_finite() => w.initializer(&format!("{title}_{name}"), &tensor),
            _ => String::new(),
        });
    }
    while input.last().is_some_and(String::is_empty) {
        input.pop();
    }
    w.result(node, "Clip", input, vec![]);
}

pub(super) fn leaky_relu(w: &mut Writer<'_>, node: NodeId, op: &LeakyRelu) {
    w.simple(node, "LeakyRelu", vec![float("alpha", op.alpha)]);
}

pub(super) fn along(w: &mut Writer<'_>, node: NodeId, op_type: &str, axis: usize) {
    w.simple(node, op_type, vec![int("axis", axis)]);
}

pub(super) fn cast(w: &mut Writer<'_>, node: NodeId, op: &Cast) {
    match data_type(op.to) {
        Some(to) => w.simple(node, "Cast", vec![int("to", to as usize)]),
        None => {
            let title = w.title(node);
            w.refuse(format!("Cast \"{title}\" to {}", op.to), "standard ONNX has no element of this width");
        }
    }
}
