//! Quantisers of 8 bits as QuantizeLinear and DequantizeLinear.

use crate::id::NodeId;
use crate::network::{Dequantise, Quantise, Rounding};

use super::node::int;
use super::tensor::data_type;
use super::writer::Writer;

/// Vectors of scales run along the axis; a scalar has none.
fn axis(w: &Writer<'_>, node: NodeId, axis: usize) -> Vec<crate::onnx::messages::AttributeProto> {
    let scale = w.network.operands(node)[1];
    if w.network.ty(scale).shape.rank() == 0 { vec![] } else { vec![int("axis", axis)] }
}

pub(super) fn quantise(w: &mut Writer<'_>, node: NodeId, op: &Quantise) {
    let title = w.title(node);
    if op.bits != 8 || op.narrow || op.rounding != Rounding::HalfEven {
        w.refuse(
            format!("Quantize \"{title}\" to {} bits", op.bits),
            "QuantizeLinear gives 8 bits, all codes, ties to even",
        );
        return;
    }
    let attributes = axis(w, node, op.axis);
    let mut input = w.operands(node);
    let element = w.network.ty(node.into()).element;
    let zero = w.network.operands(node)[2];
    if let (true, Some(to)) = (w.network.ty(zero).element != element, data_type(element)) {
        let name = format!("{title}_zero_point");
        input[2] = w.step("Cast", &name, vec![input[2].clone()], vec![int("to", to as usize)]);
    }
    w.result(node, "QuantizeLinear", input, attributes);
}

pub(super) fn dequantise(w: &mut Writer<'_>, node: NodeId, op: &Dequantise) {
    let attributes = axis(w, node, op.axis);
    let mut input = w.operands(node);
    let codes = w.network.operands(node);
    let element = w.network.ty(codes[0]).element;
    if let (true, Some(to)) = (w.network.ty(codes[2]).element != element, data_type(element)) {
        let name = format!("{}_zero_point", w.title(node));
        input[2] = w.step("Cast", &name, vec![input[2].clone()], vec![int("to", to as usize)]);
    }
    w.result(node, "DequantizeLinear", input, attributes);
}
