//! Operators on constants are constants: weights behind casts, transpositions, scales of integers.

use nonresc_ir::eval;
use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Edit, Network, Op};
use nonresc_ir::tensor::Tensor;

use super::rewrite::Outcome;

/// What a folded constant may hold beyond the numbers of its operands.
const MOST_NEW_NUMBERS: usize = 1 << 16;

pub(super) fn fold(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    if matches!(edit.op(node), Op::Const(_) | Op::Input(_)) {
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
    // Double precision, rounded once: no less exact than the operator in its own type.
    let Ok(result) = eval::operator::<f64>(edit.op(node), &tensors) else { return Ok(false) };
    let names = edit.node(node).names.clone();
    let value = edit.named(names).constant(result);
    edit.replace(node.into(), value)?;
    Ok(true)
}
