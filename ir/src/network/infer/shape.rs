//! Types of the operators that move elements and compute nothing.

use super::super::op::{Concat, Pad, Reshape, Slice, Transpose};
use super::super::types::{Shape, ValueType};
use super::{sum, want_axis, want_same_element};

fn one_an_axis(what: &str, n: usize, x: &ValueType) -> Result<(), String> {
    if n == x.shape.rank() {
        return Ok(());
    }
    Err(format!("it has {n} numbers in '{what}', but shape {} has rank {}", x.shape, x.shape.rank()))
}

pub(super) fn pad(a: &Pad, ins: &[&ValueType]) -> Result<ValueType, String> {
    let x = ins[0];
    one_an_axis("before", a.before.len(), x)?;
    one_an_axis("after", a.after.len(), x)?;
    if !x.element.is_float() && a.value.fract() != 0.0 {
        return Err(format!("it pads {} with {}", x.element, a.value));
    }
    let sums = x.shape.0.iter().zip(a.before.iter().zip(&a.after)).map(|(&d, (&b, &e))| sum(&[d, b, e]));
    Ok(ValueType::new(x.element, Shape(sums.collect::<Result<_, _>>()?)))
}

pub(super) fn slice(a: &Slice, ins: &[&ValueType]) -> Result<ValueType, String> {
    let x = ins[0];
    one_an_axis("start", a.start.len(), x)?;
    one_an_axis("step", a.step.len(), x)?;
    one_an_axis("len", a.len.len(), x)?;
    for (axis, &extent) in x.shape.0.iter().enumerate() {
        let (start, step, len) = (a.start[axis], a.step[axis], a.len[axis]);
        if step == 0 {
            return Err(format!("its step along axis {axis} is 0"));
        }
        if len == 0 {
            continue;
        }
        // i128 holds every sum and product of three 64-bit numbers that stand here.
        let last = start as i128 + step as i128 * (len as i128 - 1);
        if start >= extent || !(0..extent as i128).contains(&last) {
            return Err(format!("axis {axis} has {extent} elements, but it takes {start} to {last}"));
        }
    }
    Ok(ValueType::new(x.element, Shape(a.len.clone())))
}

pub(super) fn concat(a: &Concat, ins: &[&ValueType]) -> Result<ValueType, String> {
    let first = ins[0];
    want_axis(a.axis, first)?;
    for (i, x) in ins.iter().enumerate() {
        want_same_element(("operand 0", first), (&format!("operand {i}"), x))?;
        let differs = |axis: usize| axis != a.axis && x.shape.0[axis] != first.shape.0[axis];
        if x.shape.rank() != first.shape.rank() || (0..x.shape.rank()).any(differs) {
            return Err(format!(
                "operand 0 has shape {}, operand {i} has {}: only axis {} may differ",
                first.shape, x.shape, a.axis
            ));
        }
    }
    let extents: Vec<usize> = ins.iter().map(|x| x.shape.0[a.axis]).collect();
    let mut shape = first.shape.clone();
    shape.0[a.axis] = sum(&extents)?;
    Ok(ValueType::new(first.element, shape))
}

pub(super) fn reshape(a: &Reshape, ins: &[&ValueType]) -> Result<ValueType, String> {
    let x = ins[0];
    let mut dims = a.dims.clone();
    if a.keep_batch {
        want_axis(0, x)?;
        dims.insert(0, x.shape.0[0]);
    }
    let shape = Shape(dims);
    if shape.checked_len() == x.shape.checked_len() {
        return Ok(ValueType::new(x.element, shape));
    }
    let count = |s: &Shape| s.checked_len().map_or("too many".to_string(), |n| n.to_string());
    Err(format!("{} has {} elements, {shape} has {}", x.shape, count(&x.shape), count(&shape)))
}

pub(super) fn transpose(a: &Transpose, ins: &[&ValueType]) -> Result<ValueType, String> {
    let x = ins[0];
    let mut sorted = a.perm.clone();
    sorted.sort_unstable();
    if sorted != (0..x.shape.rank()).collect::<Vec<_>>() {
        return Err(format!("{:?} is no order of the {} axes of {}", a.perm, x.shape.rank(), x.shape));
    }
    Ok(ValueType::new(x.element, Shape(a.perm.iter().map(|&i| x.shape.0[i]).collect())))
}
