//! A bias of zeros is none.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Edit, Network, Op};

use super::rewrite::Outcome;

pub(super) fn drop(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let op = edit.op(node).clone();
    let operands = edit.operands(node);
    let (Op::Conv(_) | Op::Dense(_), &[x, weights, bias]) = (&op, &operands[..]) else { return Ok(false) };
    let is_zero = match Network::constant(edit, bias) {
        Some(tensor) => tensor.all(|b| b == 0.0),
        None => false,
    };
    if !is_zero {
        return Ok(false);
    }
    let names = edit.node(node).names.clone();
    let value = edit.named(names).add(op, &[x, weights])?;
    edit.replace(node.into(), value)?;
    Ok(true)
}
