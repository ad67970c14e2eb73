//! Two operators of one kind that only move elements are one: transpositions, reshapes, slices, pads.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, Op, Pad, Reshape, Slice, Transpose};

use super::rewrite::Outcome;

/// Puts `merged` of the inner operator's operand in the place of the outer one.
fn put(edit: &mut Edit<'_>, node: NodeId, inner: Value, merged: Op) -> Outcome {
    let (x, names) = (edit.operands(inner.node)[0], edit.node(inner.node).names.clone());
    let value = edit.named(names).add(merged, &[x])?;
    edit.replace(node.into(), value)?;
    Ok(true)
}

pub(super) fn transposes(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Op::Transpose(outer) = edit.op(node) else { return Ok(false) };
    let y = edit.operands(node)[0];
    let Op::Transpose(inner) = edit.op(y.node) else { return Ok(false) };
    let perm = outer.perm.iter().map(|&axis| inner.perm[axis]).collect();
    put(edit, node, y, Transpose { perm }.into())
}

/// A reshape, or a transposition that only moves extents of 1, of a reshape or such a transposition.
pub(super) fn reshapes(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Some(outer) = keeps_order(edit, node.into()) else { return Ok(false) };
    let y = edit.operands(node)[0];
    if keeps_order(edit, y).is_none() {
        return Ok(false);
    }
    if matches!((edit.op(node), edit.op(y.node)), (Op::Transpose(_), Op::Transpose(_))) {
        return Ok(false);
    }
    put(edit, node, y, Reshape { keep_batch: true, dims: outer }.into())
}

/// The extents behind the batch that an operator gives the same elements in the same order.
fn keeps_order(edit: &Edit<'_>, value: Value) -> Option<Vec<usize>> {
    let dims = edit.ty(value).shape.0.get(1..)?.to_vec();
    match edit.op(value.node) {
        Op::Reshape(Reshape { keep_batch: true, .. }) => Some(dims),
        Op::Transpose(a) => {
            let from = &edit.ty(edit.operands(value.node)[0]).shape.0;
            let long = a.perm.iter().enumerate().filter(|&(i, &axis)| i == 0 || from[axis] != 1);
            (a.perm[0] == 0 && long.map(|(_, axis)| axis).is_sorted()).then_some(dims)
        }
        _ => None,
    }
}

pub(super) fn slices(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Op::Slice(outer) = edit.op(node) else { return Ok(false) };
    let y = edit.operands(node)[0];
    let Op::Slice(inner) = edit.op(y.node) else { return Ok(false) };
    let mut merged = Slice { len: outer.len.clone(), ..Slice::default() };
    for axis in 0..outer.len.len() {
        let start = inner.start[axis] as i64 + outer.start[axis] as i64 * inner.step[axis];
        merged.start.push(start as usize);
        merged.step.push(inner.step[axis].saturating_mul(outer.step[axis]));
    }
    put(edit, node, y, merged.into())
}

/// Pads with the same value.
pub(super) fn pads(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Op::Pad(outer) = edit.op(node) else { return Ok(false) };
    let y = edit.operands(node)[0];
    let Op::Pad(inner) = edit.op(y.node) else { return Ok(false) };
    if outer.value != inner.value {
        return Ok(false);
    }
    let sum = |a: &[usize], b: &[usize]| a.iter().zip(b).map(|(a, b)| a + b).collect();
    let merged = Pad {
        before: sum(&inner.before, &outer.before),
        after: sum(&inner.after, &outer.after),
        value: outer.value,
    };
    put(edit, node, y, merged.into())
}
