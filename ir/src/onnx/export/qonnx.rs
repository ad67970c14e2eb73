//! Quantisers as QONNX writes them: `Quant` of the domain `qonnx.custom_op.general`, which gives the numbers that codes
//! stand for. A quantiser and its dequantisers are one; known codes are numbers behind a `Quant` of their own, those that
//! are all -1 or 1 behind a `BipolarQuant`.

use crate::id::NodeId;
use crate::network::{Dequantise, Element, Network, Op, Quantise, Rounding, Shape};
use crate::onnx::messages::AttributeProto;
use crate::tensor::Tensor;

use super::node::{int, text};
use super::writer::Writer;

/// The domain of QONNX's operators.
pub(super) const DOMAIN: &str = "qonnx.custom_op.general";

/// Whether a constant is read by quantisers alone, which are written with constants of their own.
pub(super) fn takes_over(network: &Network, node: NodeId) -> bool {
    let users = network.users(node.into());
    !users.is_empty()
        && !network.is_output(node.into())
        && users.iter().all(|(reader, _)| matches!(network.op(*reader), Op::Quantise(_) | Op::Dequantise(_)))
}

pub(super) fn quantise(w: &mut Writer<'_>, node: NodeId, op: &Quantise) {
    let title = w.title(node);
    let network = w.network;
    let operands = network.operands(node);
    let undone = |(reader, _): &(NodeId, u16)| {
        let own = network.operands(*reader);
        let same = |i: usize| network.constant(own[i]) == network.constant(operands[i]);
        matches!(network.op(*reader), Op::Dequantise(a) if a.axis == op.axis) && same(1) && same(2)
    };
    if network.is_output(node.into()) || !network.users(node.into()).iter().all(undone) {
        let what = format!("Quantize \"{title}\"");
        w.refuse(what, "QONNX has numbers alone, and its codes are read as codes");
        return;
    }
    let Some(rounding) = rounding(op.rounding) else {
        w.refuse(format!("Quantize \"{title}\""), "QONNX has no way to round ties away from zero");
        return;
    };
    let x = w.value(operands[0]);
    let parameters = parameters(w, node, op.axis, network.ty(operands[0]).shape.rank(), op.bits);
    let Some(parameters) = parameters else { return };
    let signs = [int("signed", op.signed.into()), int("narrow", op.narrow.into())];
    quant(
        w,
        node,
        [vec![x], parameters].concat(),
        [signs.to_vec(), vec![text("rounding_mode", rounding)]].concat(),
    );
}

pub(super) fn dequantise(w: &mut Writer<'_>, node: NodeId, op: &Dequantise) {
    let network = w.network;
    let codes = network.operands(node)[0];
    if let Op::Quantise(_) = network.op(codes.node) {
        let numbers = w.value(codes);
        match network.is_output(node.into()) {
            true => w.result(node, "Identity", vec![numbers], vec![]),
            false => w.define(node.into(), numbers),
        }
        return;
    }
    let title = w.title(node);
    let (Some(known), Element::Int { bits, signed }) = (network.constant(codes), network.ty(codes).element)
    else {
        w.refuse(format!("Dequantize \"{title}\""), "QONNX has numbers alone, and it reads computed codes");
        return;
    };
    let numbers = crate::eval::operator::<f32>(
        network.op(node),
        &[known, constant(network, node, 1), constant(network, node, 2)],
    );
    let Ok(numbers) = numbers else { return };
    let x = w.initializer(&format!("{title}_numbers"), &numbers);
    let rank = network.ty(codes).shape.rank();
    if is_bipolar(known, bits, signed) && constant(network, node, 2).all(|zero| zero == 0.0) {
        let Some(scale) = parameter(w, node, op.axis, rank, 1) else { return };
        w.result(node, "BipolarQuant", vec![x, scale], vec![]);
        w.in_domain(DOMAIN);
        return;
    }
    let Some(parameters) = parameters(w, node, op.axis, rank, bits) else { return };
    let attributes = vec![int("signed", signed.into()), int("narrow", 0), text("rounding_mode", "ROUND")];
    quant(w, node, [vec![x], parameters].concat(), attributes);
}

/// Whether codes are the two of one bit with a sign, which lie in the narrowest type that holds both.
fn is_bipolar(codes: &Tensor, bits: u8, signed: bool) -> bool {
    signed && bits == 2 && codes.all(|code| code.abs() == 1.0)
}

fn constant(network: &Network, node: NodeId, operand: usize) -> &Tensor {
    let value = network.operands(node)[operand];
    network.constant(value).expect("scales and zero points of a verified network are constants")
}

/// Scale, zero point and width of a quantiser whose value has so many axes.
fn parameters(w: &mut Writer<'_>, node: NodeId, axis: usize, rank: usize, bits: u8) -> Option<Vec<String>> {
    let scale = parameter(w, node, axis, rank, 1)?;
    let zero_point = parameter(w, node, axis, rank, 2)?;
    let width = Tensor::from_f64(Element::F32, [], &[f64::from(bits)])?;
    let width = w.initializer(&format!("{}_bits", w.title(node)), &width);
    Some(vec![scale, zero_point, width])
}

/// The scale (operand 1) or the zero point (operand 2) of a quantiser whose value has so many axes.
fn parameter(w: &mut Writer<'_>, node: NodeId, axis: usize, rank: usize, operand: usize) -> Option<String> {
    let numbers = constant(w.network, node, operand).to_f64();
    let mut dims = if numbers.len() == 1 { vec![] } else { vec![1; rank] };
    if let Some(extent) = dims.get_mut(axis) {
        *extent = numbers.len();
    }
    let tensor = Tensor::from_f64(Element::F32, Shape(dims), &numbers)?;
    let name = if operand == 1 { "scale" } else { "zero_point" };
    Some(w.initializer(&format!("{}_{name}", w.title(node)), &tensor))
}

fn quant(w: &mut Writer<'_>, node: NodeId, input: Vec<String>, attributes: Vec<AttributeProto>) {
    w.result(node, "Quant", input, attributes);
    w.in_domain(DOMAIN);
}

fn rounding(mode: Rounding) -> Option<&'static str> {
    match mode {
        Rounding::HalfEven => Some("ROUND"),
        Rounding::HalfUp => Some("HALF_UP"),
        Rounding::HalfDown => Some("HALF_DOWN"),
        Rounding::Floor => Some("FLOOR"),
        Rounding::Ceil => Some("CEIL"),
        Rounding::Up => Some("UP"),
        Rounding::Down => Some("DOWN"),
        Rounding::HalfAway => None,
    }
}
