//! Quantisers as QuantizeLinear and DequantizeLinear. Codes of widths that ONNX has no type for lie in the next wider
//! one, held to their range by a Clip: behind the quantiser where codes have up to 8 bits, in front of it where they
//! have more, since runtimes clip bytes and floats, and no integers of 16 bits.

use crate::id::{NodeId, Value};
use crate::network::{Dequantise, Element, Network, Op, Quantise, Rounding};

use super::node::int;
use super::tensor::{scalar, stored};
use super::writer::Writer;

/// Widest code that QuantizeLinear gives.
const MOST_BITS: u8 = 16;

/// Vectors of scales run along the axis; a scalar has none.
fn axis(w: &Writer<'_>, node: NodeId, axis: usize) -> Vec<crate::onnx::messages::AttributeProto> {
    let scale = w.network.operands(node)[1];
    if w.network.ty(scale).shape.rank() == 0 { vec![] } else { vec![int("axis", axis)] }
}

/// Whether a node reads or writes codes that lie in 16 bits, which quantisers of old operator sets do not.
pub(super) fn is_wide(network: &Network, node: NodeId) -> bool {
    let codes = match network.op(node) {
        Op::Quantise(_) => Value::from(node),
        Op::Dequantise(_) => network.operands(node)[0],
        _ => return false,
    };
    matches!(stored(network.ty(codes).element), Element::Int { bits: 16, .. })
}

pub(super) fn quantise(w: &mut Writer<'_>, node: NodeId, op: &Quantise) {
    let title = w.title(node);
    if op.bits > MOST_BITS || op.rounding != Rounding::HalfEven {
        w.refuse(
            format!("Quantize \"{title}\" to {} bits", op.bits),
            "QuantizeLinear gives up to 16 bits, ties to even",
        );
        return;
    }
    let attributes = axis(w, node, op.axis);
    let mut input = w.operands(node);
    let element = w.network.ty(node.into()).element;
    let held = stored(element);
    if held == element && !op.narrow {
        w.result(node, "QuantizeLinear", input, attributes);
    } else if op.bits <= 8 {
        let codes = w.step("QuantizeLinear", &format!("{title}_wide"), input, attributes);
        let limits = limits(w, &title, held, op.limits().map(|code| code as f64));
        w.result(node, "Clip", [vec![codes], limits].concat(), vec![]);
    } else if let Some(numbers) = numbers(w.network, node, op) {
        let x = w.network.operands(node)[0];
        let limits = limits(w, &title, w.network.ty(x).element, numbers);
        let within = [vec![input[0].clone()], limits].concat();
        input[0] = w.step("Clip", &format!("{title}_within"), within, vec![]);
        w.result(node, "QuantizeLinear", input, attributes);
    } else {
        w.refuse(
            format!("Quantize \"{title}\" to {} bits", op.bits),
            "it has several scales, and a Clip has one pair of limits",
        );
    }
}

/// Limits as operands of a Clip.
fn limits(w: &mut Writer<'_>, title: &str, element: Element, limits: [f64; 2]) -> Vec<String> {
    let names = ["min", "max"].map(|name| format!("{title}_{name}"));
    let tensors = limits.map(|limit| scalar(element, limit).expect("a type holds the codes that lie in it"));
    names.iter().zip(&tensors).map(|(name, tensor)| w.initializer(name, tensor)).collect()
}

/// The numbers that the least and the largest code stand for, where there is one scale.
fn numbers(network: &Network, node: NodeId, op: &Quantise) -> Option<[f64; 2]> {
    let operands = network.operands(node);
    let one = |value: Value| match network.constant(value)?.to_f64()[..] {
        [one] => Some(one),
        _ => None,
    };
    let (scale, zero) = (one(operands[1])?, one(operands[2])?);
    Some(op.limits().map(|code| (code as f64 - zero) * scale))
}

pub(super) fn dequantise(w: &mut Writer<'_>, node: NodeId, op: &Dequantise) {
    let attributes = axis(w, node, op.axis);
    let input = w.operands(node);
    w.result(node, "DequantizeLinear", input, attributes);
}
