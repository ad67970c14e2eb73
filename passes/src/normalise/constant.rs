//! Operators on constants are constants: weights behind casts, transpositions, rounding to codes.
//!
//! Codes stay codes: what gives them their values is left for the layer that reads them, and what moves them
//! comes before it.

use nonresc_ir::eval;
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Dequantise, Edit, Network, Op, Transpose};
use nonresc_ir::tensor::Tensor;

use super::rewrite::Outcome;

/// What a folded constant may hold beyond the numbers of its operands.
const MOST_NEW_NUMBERS: usize = 1 << 16;

pub(super) fn fold(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    if matches!(edit.op(node), Op::Const(_) | Op::Input(_)) || gives_weights(edit, node) {
        return Ok(false);
    }
    let operands = edit.operands(node);
    let tensors: Option<Vec<_>> = operands.iter().map(|&v| Network::constant(edit, v).cloned()).collect();
    let Some(tensors) = tensors else { return Ok(false) };
    let given: usize = tensors.iter().map(|t| t.len()).sum();
    if edit.ty(node.into()).shape.len() > given.saturating_add(MOST_NEW_NUMBERS) {
        return Ok(false);
    }
    let tensors: Vec<&Tensor> = tensors.iter().map(AsRef::as_ref).collect();
    let result = match edit.op(node) {
        // Codes are those that the file's runtime would round to.
        op @ Op::Quantise(_) => eval::operator::<f32>(op, &tensors),
        // Double precision, rounded once: no less exact than the operator in its own type.
        op => eval::operator::<f64>(op, &tensors),
    };
    let Ok(result) = result else { return Ok(false) };
    let names = edit.node(node).names.clone();
    let value = edit.named(names).constant(result);
    edit.replace(node.into(), value)?;
    Ok(true)
}

/// Whether the node gives codes their values for layers alone, perhaps behind what moves them.
fn gives_weights(network: &Network, node: NodeId) -> bool {
    let Op::Dequantise(_) = network.op(node) else { return false };
    let as_weights = |&(reader, port): &(NodeId, u16)| match network.op(reader) {
        Op::Conv(_) | Op::Dense(_) => port > 0,
        Op::MatMul(_) => port == 1,
        Op::Transpose(_) => true,
        _ => false,
    };
    let readers = network.users(node.into());
    !readers.is_empty() && readers.iter().all(as_weights)
}

/// A transposition of constant codes comes before their values.
pub(super) fn move_codes(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Op::Transpose(Transpose { perm }) = edit.op(node).clone() else { return Ok(false) };
    let y = edit.operands(node)[0];
    let Op::Dequantise(Dequantise { axis }) = *edit.op(y.node) else { return Ok(false) };
    let operands = edit.operands(y.node);
    let is_constant = |v: Value| Network::constant(edit, v).is_some();
    if !operands.iter().all(|&v| is_constant(v)) {
        return Ok(false);
    }
    let axis = perm.iter().position(|&from| from == axis).unwrap_or(axis);
    let names = edit.node(y.node).names.clone();
    let codes = edit.named(names).add(Transpose { perm }, &operands[..1])?;
    let value = edit.add(Dequantise { axis }, &[codes, operands[1], operands[2]])?;
    edit.replace(node.into(), value)?;
    Ok(true)
}
