//! Operators that move elements or drop axes.

use crate::id::NodeId;
use crate::network::{Concat, Pad, ReduceMean, Reshape, Slice, Transpose};

use super::node::{int, ints};
use super::tensor::scalar;
use super::writer::Writer;

/// The operator set from which the axes of a mean are an operand.
const AXES_AS_OPERAND: i64 = 18;

fn signed(numbers: &[usize]) -> Vec<i64> {
    numbers.iter().map(|&n| n as i64).collect()
}

pub(super) fn reduce_mean(w: &mut Writer<'_>, node: NodeId, op: &ReduceMean) {
    let keep = int("keepdims", usize::from(op.keep_axes));
    if w.opset < AXES_AS_OPERAND {
        return w.simple(node, "ReduceMean", vec![ints("axes", &op.axes), keep]);
    }
    let mut input = w.operands(node);
    let title = w.title(node);
    input.push(w.vector(&format!("{title}_axes"), signed(&op.axes)));
    w.result(node, "ReduceMean", input, vec![keep]);
}

pub(super) fn pad(w: &mut Writer<'_>, node: NodeId, op: &Pad) {
    let mut input = w.operands(node);
    let title = w.title(node);
    let sides = [signed(&op.before), signed(&op.after)].concat();
    input.push(w.vector(&format!("{title}_sides"), sides));
    let element = w.network.ty(node.into()).element;
    match scalar(element, op.value) {
        Some(value) => {
            let value = w.initializer(&format!("{title}_value"), &value);
            input.push(value);
        }
        None => w.refuse(format!("Pad \"{title}\""), format!("its value {} is no {element}", op.value)),
    }
    w.result(node, "Pad", input, vec![]);
}

/// Only axes that are cut are named, so that a batch of any size stays whole.
pub(super) fn slice(w: &mut Writer<'_>, node: NodeId, op: &Slice) {
    let mut input = w.operands(node);
    let extents = &w.network.ty(w.network.operands(node)[0]).shape.0;
    let [mut starts, mut ends, mut axes, mut steps] = [const { Vec::new() }; 4];
    for (axis, &extent) in extents.iter().enumerate() {
        let (start, step, len) = (op.start[axis] as i64, op.step[axis], op.len[axis] as i64);
        if (start, step, len) == (0, 1, extent as i64) {
            continue;
        }
        let end = start + step * len;
        starts.push(start);
        // A negative end would count from the back: the way to stop before the first element is the least number.
        ends.push(if end < 0 { i64::MIN } else { end });
        axes.push(axis as i64);
        steps.push(step);
    }
    if axes.is_empty() {
        return w.simple(node, "Identity", vec![]);
    }
    let title = w.title(node);
    for (numbers, name) in [(starts, "starts"), (ends, "ends"), (axes, "axes"), (steps, "steps")] {
        input.push(w.vector(&format!("{title}_{name}"), numbers));
    }
    w.result(node, "Slice", input, vec![]);
}

pub(super) fn concat(w: &mut Writer<'_>, node: NodeId, op: &Concat) {
    w.simple(node, "Concat", vec![int("axis", op.axis)]);
}

/// A kept batch is written as 0, which takes over the operand's extent.
pub(super) fn reshape(w: &mut Writer<'_>, node: NodeId, op: &Reshape) {
    let mut input = w.operands(node);
    let title = w.title(node);
    let mut shape = signed(&op.dims);
    if op.keep_batch {
        shape.insert(0, 0);
    }
    input.push(w.vector(&format!("{title}_shape"), shape));
    w.result(node, "Reshape", input, vec![]);
}

pub(super) fn transpose(w: &mut Writer<'_>, node: NodeId, op: &Transpose) {
    w.simple(node, "Transpose", vec![ints("perm", &op.perm)]);
}
