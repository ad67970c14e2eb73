//! Types of the operators that gradients are made of.

use super::super::op::{AvgPoolGrad, Conv, ConvGradW, ConvGradX, Gate, MaxPoolGrad, Spread};
use super::super::types::{Pair, Shape, ValueType};
use super::conv::conv_shape;
use super::pool;
use super::{want_axis, want_float, want_rank, want_same_element};

/// That `found` is the shape of the result of which it is the gradient.
fn want_result(found: &ValueType, shape: &[usize]) -> Result<(), String> {
    if found.shape.0 == shape {
        return Ok(());
    }
    Err(format!("the result has shape {}, its gradient {}", Shape(shape.to_vec()), found.shape))
}

/// A gradient of a convolution of `x` with `w`, whose other operand is of the right shape.
fn of_conv(window: &Conv, x: &ValueType, w: &ValueType, dy: &ValueType) -> Result<(), String> {
    want_result(dy, &conv_shape(window, &[x, w])?)
}

pub(super) fn conv_x(a: &ConvGradX, ins: &[&ValueType]) -> Result<ValueType, String> {
    let (dy, w) = (ins[0], ins[1]);
    want_float("dy", dy)?;
    want_same_element(("dy", dy), ("w", w))?;
    want_rank("dy", dy, 4)?;
    want_rank("w", w, 4)?;
    let channels = w.shape.0[1].checked_mul(a.groups).ok_or("it has too many groups")?;
    let x = ValueType::new(dy.element, [dy.shape.0[0], channels, a.size.h, a.size.w]);
    of_conv(&a.window(), &x, w, dy)?;
    Ok(x)
}

pub(super) fn conv_w(a: &ConvGradW, ins: &[&ValueType]) -> Result<ValueType, String> {
    let (x, dy) = (ins[0], ins[1]);
    want_float("x", x)?;
    want_same_element(("x", x), ("dy", dy))?;
    want_rank("x", x, 4)?;
    want_rank("dy", dy, 4)?;
    if a.groups == 0 {
        return Err("it has 0 groups".into());
    }
    let w = ValueType::new(x.element, [dy.shape.0[1], x.shape.0[1] / a.groups, a.kernel.h, a.kernel.w]);
    of_conv(&a.window(), x, &w, dy)?;
    Ok(w)
}

pub(super) fn channel_sum(ins: &[&ValueType]) -> Result<ValueType, String> {
    want_float("x", ins[0])?;
    want_axis(1, ins[0])?;
    Ok(ValueType::new(ins[0].element, [ins[0].shape.0[1]]))
}

/// That `x` is a float with channels, and that all of `vectors` hold one number a channel.
fn by_channel(x: &ValueType, vectors: &[&ValueType]) -> Result<ValueType, String> {
    let vector = channel_sum(&[x])?;
    match vectors.iter().find(|&&v| *v != vector) {
        None => Ok(vector),
        Some(other) => Err(format!("an operand is {other}, but {x} wants {vector}")),
    }
}

pub(super) fn channel_variance(ins: &[&ValueType]) -> Result<ValueType, String> {
    by_channel(ins[0], &ins[1..])
}

fn small(epsilon: f64) -> Result<(), String> {
    if epsilon.is_finite() && epsilon >= 0.0 {
        return Ok(());
    }
    Err(format!("its epsilon {epsilon} is no small positive number"))
}

pub(super) fn batch_norm_scale(epsilon: f64, ins: &[&ValueType]) -> Result<ValueType, String> {
    small(epsilon)?;
    want_same_element(("x", ins[0]), ("dy", ins[3]))?;
    want_result(ins[3], &ins[0].shape.0)?;
    by_channel(ins[0], &ins[1..3])
}

pub(super) fn batch_norm_x(epsilon: f64, ins: &[&ValueType]) -> Result<ValueType, String> {
    small(epsilon)?;
    want_same_element(("x", ins[0]), ("dy", ins[4]))?;
    want_result(ins[4], &ins[0].shape.0)?;
    by_channel(ins[0], &[&ins[1..4], &ins[5..]].concat())?;
    Ok(ins[0].clone())
}

pub(super) fn gate(a: &Gate, ins: &[&ValueType]) -> Result<ValueType, String> {
    want_float("x", ins[0])?;
    want_same_element(("x", ins[0]), ("dy", ins[1]))?;
    want_result(ins[1], &ins[0].shape.0)?;
    if a.min.is_nan() || a.max.is_nan() || !a.below.is_finite() {
        return Err(format!("its limits {} and {} or its factor {} are no numbers", a.min, a.max, a.below));
    }
    Ok(ins[1].clone())
}

pub(super) fn max_pool(a: &MaxPoolGrad, ins: &[&ValueType]) -> Result<ValueType, String> {
    let (x, dy) = (ins[0], ins[1]);
    want_float("x", x)?;
    want_same_element(("x", x), ("dy", dy))?;
    want_result(dy, &pool::window(x, a.kernel, a.stride, a.pad, a.dilation, Pair::ZERO)?.shape.0)?;
    Ok(x.clone())
}

pub(super) fn avg_pool(a: &AvgPoolGrad, ins: &[&ValueType]) -> Result<ValueType, String> {
    let dy = ins[0];
    want_float("dy", dy)?;
    want_rank("dy", dy, 4)?;
    let x = ValueType::new(dy.element, [dy.shape.0[0], dy.shape.0[1], a.size.h, a.size.w]);
    want_result(dy, &pool::window(&x, a.kernel, a.stride, a.pad, a.dilation, a.overhang)?.shape.0)?;
    Ok(x)
}

pub(super) fn spread(a: &Spread, ins: &[&ValueType]) -> Result<ValueType, String> {
    let x = ins[0];
    want_float("x", x)?;
    want_axis(0, x)?;
    for (what, n) in [("start", a.start.len()), ("step", a.step.len()), ("dims", a.dims.len())] {
        if n + 1 != x.shape.rank() {
            return Err(format!("it has {n} numbers in '{what}', but shape {} behind axis 0", x.shape));
        }
    }
    for (axis, &extent) in x.shape.0.iter().enumerate().skip(1) {
        let (start, step, room) = (a.start[axis - 1], a.step[axis - 1], a.dims[axis - 1]);
        // i128 holds every sum and product of three 64-bit numbers that stand here.
        let last = start as i128 + step as i128 * (extent as i128 - 1);
        if step == 0 || extent == 0 || last >= room as i128 {
            return Err(format!(
                "axis {axis}: {extent} elements from {start} in steps of {step} leave {room}"
            ));
        }
    }
    let mut dims = a.dims.clone();
    dims.insert(0, x.shape.0[0]);
    Ok(ValueType::new(x.element, Shape(dims)))
}
