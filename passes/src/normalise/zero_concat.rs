//! A value joined with zeros is that value with zeros around it.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, Network, Op, Pad};

use super::affine::Affine;
use super::rewrite::Outcome;

pub(super) fn pad(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Op::Concat(concat) = edit.op(node) else { return Ok(false) };
    let axis = concat.axis;
    let operands = edit.operands(node);
    let others: Vec<usize> = (0..operands.len()).filter(|&i| !is_zero(edit, operands[i])).collect();
    let &[place] = &others[..] else { return Ok(false) };
    let extent = |values: &[Value]| values.iter().map(|&v| edit.ty(v).shape.0[axis]).sum();
    let rank = edit.ty(node.into()).shape.rank();
    let mut op = Pad { before: vec![0; rank], after: vec![0; rank], value: 0.0 };
    op.before[axis] = extent(&operands[..place]);
    op.after[axis] = extent(&operands[place + 1..]);
    let names = edit.node(node).names.clone();
    let padded = edit.named(names).add(op, &[operands[place]])?;
    edit.replace(node.into(), padded)?;
    Ok(true)
}

/// Whether all elements are zero: of a constant, or of a value times zero.
fn is_zero(edit: &Edit<'_>, value: Value) -> bool {
    match Network::constant(edit, value) {
        Some(tensor) => tensor.all(|x| x == 0.0),
        None => Affine::of(edit, value.node)
            .is_some_and(|map| map.keeps_zero() && map.scale.iter().all(|&s| s == 0.0)),
    }
}
