//! A transposition goes behind its reader, wherever that can be told to work in the other order of axes; so
//! they all come down to where they cancel, or to an output.
//!
//! `y = transpose(x, perm)` has axis `perm[i]` of `x` as its axis `i`.

use nonresc_ir::eval;
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{
    Concat, Edit, EditError, Op, Pad, ReduceMean, Reshape, Shape, Slice, Softmax, Transpose,
};
use nonresc_ir::tensor::Tensor;

use super::rewrite::Outcome;

/// A reader of transposed values as it is without: its operator, its operands, and the order of axes in which
/// the old result lies in the new one.
struct Moved {
    op: Op,
    operands: Vec<Value>,
    perm: Vec<usize>,
}

pub(super) fn sink(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let operands = edit.operands(node);
    let Some(perm) = operands.iter().find_map(|&v| order(edit, v)) else { return Ok(false) };
    if perm.first() != Some(&0) {
        return Ok(false);
    }
    let Some(moved) = moved(edit, node, &operands, perm)? else { return Ok(false) };
    let names = edit.node(node).names.clone();
    let below = edit.named(names).add(moved.op, &moved.operands)?;
    if moved.perm.is_sorted() {
        edit.redirect(node.into(), below)?;
        return Ok(true);
    }
    let transposed = operands.iter().find(|&&v| order(edit, v).is_some());
    let names = transposed.map(|v| edit.node(v.node).names.clone()).unwrap_or_default();
    let value = edit.named(names).add(Transpose { perm: moved.perm }, &[below])?;
    edit.redirect(node.into(), value)?;
    Ok(true)
}

/// The order of a transposed value.
fn order(edit: &Edit<'_>, value: Value) -> Option<Vec<usize>> {
    match edit.op(value.node) {
        Op::Transpose(a) => Some(a.perm.clone()),
        _ => None,
    }
}

fn moved(
    edit: &mut Edit<'_>,
    node: NodeId,
    operands: &[Value],
    perm: Vec<usize>,
) -> Result<Option<Moved>, EditError> {
    let first = |edit: &Edit<'_>| edit.operands(operands[0].node)[0];
    let is_transposed = order(edit, operands[0]).is_some();
    let op = edit.op(node).clone();
    let all = match &op {
        Op::Relu(_) | Op::Clip(_) | Op::LeakyRelu(_) | Op::Cast(_) => op,
        Op::Softmax(a) => Softmax { axis: perm[a.axis] }.into(),
        Op::Pad(a) => {
            Pad { before: unordered(&a.before, &perm), after: unordered(&a.after, &perm), value: a.value }
                .into()
        }
        Op::Slice(a) => Slice {
            start: unordered(&a.start, &perm),
            step: unordered(&a.step, &perm),
            len: unordered(&a.len, &perm),
        }
        .into(),
        Op::Quantise(a) if is_transposed => {
            let axis = perm.get(a.axis).copied().unwrap_or(a.axis);
            let op = nonresc_ir::network::Quantise { axis, ..a.clone() }.into();
            let operands = [&[first(edit)], &operands[1..]].concat();
            return Ok(Some(Moved { op, operands, perm }));
        }
        Op::Dequantise(a) if is_transposed => {
            let axis = perm.get(a.axis).copied().unwrap_or(a.axis);
            let op = nonresc_ir::network::Dequantise { axis }.into();
            let operands = [&[first(edit)], &operands[1..]].concat();
            return Ok(Some(Moved { op, operands, perm }));
        }
        Op::ReduceMean(a) => return Ok(Some(mean(a, first(edit), perm))),
        Op::Reshape(a) => return Ok(reshape(edit, a, first(edit), operands[0], &perm)),
        Op::Concat(a) => {
            let op = Concat { axis: perm[a.axis] }.into();
            return together(edit, op, node, operands, perm);
        }
        Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Div(_) => return together(edit, op, node, operands, perm),
        _ => return Ok(None),
    };
    Ok(Some(Moved { op: all, operands: vec![first(edit)], perm }))
}

/// What stands at each axis of the transposed value, by the axes of the value itself.
fn unordered<T: Copy>(list: &[T], perm: &[usize]) -> Vec<T> {
    inverse(perm).into_iter().map(|i| list[i]).collect()
}

/// The order that undoes an order.
pub(super) fn inverse(perm: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; perm.len()];
    for (i, &axis) in perm.iter().enumerate() {
        inverse[axis] = i;
    }
    inverse
}

/// An operator on several operands, all of which have the same order or can be given it.
fn together(
    edit: &mut Edit<'_>,
    op: Op,
    node: NodeId,
    operands: &[Value],
    perm: Vec<usize>,
) -> Result<Option<Moved>, EditError> {
    if edit.ty(node.into()).shape.rank() != perm.len() {
        return Ok(None);
    }
    let back = inverse(&perm);
    let mut below = Vec::with_capacity(operands.len());
    for &operand in operands {
        let value = match edit.op(operand.node) {
            Op::Transpose(a) if a.perm == perm => edit.operands(operand.node)[0],
            Op::Const(tensor) => match unordered_constant(tensor, &back) {
                Some(tensor) => edit.constant(tensor),
                None => return Ok(None),
            },
            _ if moves_ones_alone(&edit.ty(operand).shape, &back) => {
                let dims = back[1..].iter().map(|&a| edit.ty(operand).shape.0[a]).collect();
                edit.add(Reshape { keep_batch: true, dims }, &[operand])?
            }
            _ => return Ok(None),
        };
        below.push(value);
    }
    Ok(Some(Moved { op, operands: below, perm }))
}

/// A constant that broadcasts against transposed values, as it does against the values themselves.
fn unordered_constant(tensor: &Tensor, back: &[usize]) -> Option<Tensor> {
    if tensor.len() == 1 && tensor.shape().rank() <= 1 {
        return Some(tensor.clone());
    }
    let mut dims = vec![1; back.len().checked_sub(tensor.shape().rank())?];
    dims.extend(&tensor.shape().0);
    let full = tensor.reshaped(Shape(dims))?;
    eval::operator::<f64>(&Transpose { perm: back.to_vec() }.into(), &[&full]).ok()
}

/// Whether a transposition of a value of this shape leaves its elements in their order, whatever the batch.
pub(super) fn moves_ones_alone(shape: &Shape, perm: &[usize]) -> bool {
    let long = perm.iter().copied().filter(|&axis| axis == 0 || shape.0[axis] != 1);
    shape.rank() == perm.len() && perm.first() == Some(&0) && long.is_sorted()
}

fn mean(a: &ReduceMean, x: Value, perm: Vec<usize>) -> Moved {
    let mut axes: Vec<usize> = a.axes.iter().map(|&axis| perm[axis]).collect();
    axes.sort_unstable();
    let op = ReduceMean { axes: axes.clone(), keep_axes: a.keep_axes }.into();
    if a.keep_axes {
        return Moved { op, operands: vec![x], perm };
    }
    // Axes that stay move up by those that went before them.
    let left = perm.iter().filter(|axis| !axes.contains(axis));
    let perm = left.map(|axis| axis - axes.iter().filter(|gone| *gone < axis).count()).collect();
    Moved { op, operands: vec![x], perm }
}

/// A reshape of a transposition that leaves the elements in their order needs none.
fn reshape(edit: &Edit<'_>, a: &Reshape, x: Value, _y: Value, perm: &[usize]) -> Option<Moved> {
    let perm = moves_ones_alone(&edit.ty(x).shape, perm).then(|| (0..a.dims.len() + 1).collect())?;
    a.keep_batch.then(|| Moved { op: a.clone().into(), operands: vec![x], perm })
}
