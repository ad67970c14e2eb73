//! A pad goes behind what maps each element by itself, closer to the window that it belongs to; what it pads
//! with is mapped too.

use nonresc_ir::eval;
use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Edit, Network, Op, Pad};
use nonresc_ir::tensor::Tensor;

use super::rewrite::Outcome;

pub(super) fn sink(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let operands = edit.operands(node);
    let Some(&y) = operands.first() else { return Ok(false) };
    let Op::Pad(pad) = edit.op(y.node).clone() else { return Ok(false) };
    let op = edit.op(node).clone();
    let by_element = match &op {
        Op::Relu(_) | Op::Clip(_) | Op::LeakyRelu(_) | Op::Cast(_) => true,
        // One scale and one zero point for all.
        Op::Quantise(_) | Op::Dequantise(_) => operands[1..].iter().all(|&v| edit.ty(v).shape.len() == 1),
        _ => false,
    };
    if !by_element {
        return Ok(false);
    }
    let parameters: Option<Vec<_>> =
        operands[1..].iter().map(|&v| Network::constant(edit, v).cloned()).collect();
    let Some(parameters) = parameters else { return Ok(false) };
    let Some(value) = Tensor::from_f64(edit.ty(y).element, [1], &[pad.value]) else { return Ok(false) };
    let tensors: Vec<&Tensor> = std::iter::once(&value).chain(parameters.iter().map(AsRef::as_ref)).collect();
    let Ok(mapped) = eval::operator::<f64>(&op, &tensors) else { return Ok(false) };
    let (x, names) = (edit.operands(y.node)[0], edit.node(node).names.clone());
    let below = edit.named(names).add(op, &[&[x], &operands[1..]].concat())?;
    let names = edit.node(y.node).names.clone();
    let padded = edit.named(names).add(Pad { value: mapped.to_f64()[0], ..pad }, &[below])?;
    edit.redirect(node.into(), padded)?;
    Ok(true)
}
