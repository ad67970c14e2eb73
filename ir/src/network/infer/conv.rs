//! Types of convolutions, dense layers and matrix products.

use super::super::op::Conv;
use super::super::types::{Pair, Shape, Sides, ValueType};
use super::{broadcast, sum, want_float, want_rank, want_same_element};

/// Output places along one axis: `floor((extent + before + after - reach) / stride) + 1` with
/// `reach = (kernel - 1) * dilation + 1` (ONNX Conv, `auto_pad` NOTSET).
pub(super) fn places(
    axis: &str,
    extent: usize,
    padding: &[usize],
    kernel: usize,
    stride: usize,
    dilation: usize,
) -> Result<usize, String> {
    for (what, n) in [("kernel", kernel), ("stride", stride), ("dilation", dilation)] {
        if n == 0 {
            return Err(format!("the {what}'s {axis} is 0"));
        }
    }
    let padded = sum(&[&[extent], padding].concat())?;
    let reach = (kernel - 1)
        .checked_mul(dilation)
        .and_then(|r| r.checked_add(1))
        .ok_or_else(|| format!("kernel {kernel} with dilation {dilation} is larger than anything"))?;
    match padded.checked_sub(reach) {
        Some(room) => Ok(room / stride + 1),
        None => Err(format!("its kernel spans {reach} in {axis}, but the padded map has only {padded}")),
    }
}

/// `[height, width]` of the map that a window of `kernel` gives.
pub(super) fn map(
    (h, w): (usize, usize),
    pad: Sides,
    overhang: Pair,
    kernel: Pair,
    stride: Pair,
    dilation: Pair,
) -> Result<[usize; 2], String> {
    Ok([
        places("height", h, &[pad.top, pad.bottom, overhang.h], kernel.h, stride.h, dilation.h)?,
        places("width", w, &[pad.left, pad.right, overhang.w], kernel.w, stride.w, dilation.w)?,
    ])
}

pub(super) fn conv(a: &Conv, ins: &[&ValueType]) -> Result<ValueType, String> {
    let (x, w) = (ins[0], ins[1]);
    want_float("x", x)?;
    want_same_element(("x", x), ("w", w))?;
    if let Some(bias) = ins.get(2) {
        want_same_element(("x", x), ("the bias", bias))?;
    }
    Ok(ValueType::new(x.element, conv_shape(a, ins)?))
}

/// The shape of a convolution's result.
pub(super) fn conv_shape(a: &Conv, ins: &[&ValueType]) -> Result<[usize; 4], String> {
    let (x, w) = (ins[0], ins[1]);
    want_rank("x", x, 4)?;
    want_rank("w", w, 4)?;
    let (&[n, c, height, width], &[o, per_group, kh, kw]) = (&x.shape.0[..], &w.shape.0[..]) else {
        return Err("x and w must have rank 4".into());
    };
    if a.groups == 0 {
        return Err("it has 0 groups".into());
    }
    if per_group.checked_mul(a.groups) != Some(c) {
        return Err(match a.groups {
            1 => format!("x has {c} channels, w wants {per_group}"),
            groups => format!("x has {c} channels, w wants {per_group} in each of {groups} groups"),
        });
    }
    if o % a.groups != 0 {
        return Err(format!("its {o} output channels do not divide into {} groups", a.groups));
    }
    bias(ins.get(2), o)?;
    let [height, width] =
        map((height, width), a.pad, Pair::ZERO, Pair { h: kh, w: kw }, a.stride, a.dilation)?;
    Ok([n, o, height, width])
}

fn bias(bias: Option<&&ValueType>, outputs: usize) -> Result<(), String> {
    let Some(bias) = bias else { return Ok(()) };
    if bias.shape.0 == [outputs] {
        return Ok(());
    }
    Err(format!("the bias has shape {}, but w has {outputs} output channels", bias.shape))
}

pub(super) fn dense(ins: &[&ValueType]) -> Result<ValueType, String> {
    let (x, w) = (ins[0], ins[1]);
    want_float("x", x)?;
    want_same_element(("x", x), ("w", w))?;
    if let Some(bias) = ins.get(2) {
        want_same_element(("x", x), ("the bias", bias))?;
    }
    Ok(ValueType::new(x.element, dense_shape(ins)?))
}

/// The shape of a dense layer's result.
pub(super) fn dense_shape(ins: &[&ValueType]) -> Result<[usize; 2], String> {
    let (x, w) = (ins[0], ins[1]);
    want_rank("x", x, 2)?;
    want_rank("w", w, 2)?;
    let (&[n, features], &[o, wanted]) = (&x.shape.0[..], &w.shape.0[..]) else {
        return Err("x and w must have rank 2".into());
    };
    if features != wanted {
        return Err(format!("x has {features} features, w wants {wanted}"));
    }
    bias(ins.get(2), o)?;
    Ok([n, o])
}

/// Numpy's rule: the last two axes multiply, those before broadcast, vectors lend an axis that goes again.
pub(super) fn matmul(ins: &[&ValueType]) -> Result<ValueType, String> {
    let (a, b) = (ins[0], ins[1]);
    want_float("the left factor", a)?;
    want_same_element(("the left factor", a), ("the right one", b))?;
    if a.shape.rank() == 0 || b.shape.rank() == 0 {
        return Err(format!("shapes {} and {}: a scalar is no matrix", a.shape, b.shape));
    }
    let mut left = a.shape.0.clone();
    let mut right = b.shape.0.clone();
    if left.len() == 1 {
        left.insert(0, 1);
    }
    if right.len() == 1 {
        right.push(1);
    }
    let (inner_left, inner_right) = (left[left.len() - 1], right[right.len() - 2]);
    if inner_left != inner_right {
        return Err(format!(
            "shapes {} and {}: {inner_left} columns meet {inner_right} rows",
            a.shape, b.shape
        ));
    }
    let front = |dims: &[usize]| Shape(dims[..dims.len() - 2].to_vec());
    let mut shape = broadcast(&front(&left), &front(&right))?.0;
    if a.shape.rank() > 1 {
        shape.push(left[left.len() - 2]);
    }
    if b.shape.rank() > 1 {
        shape.push(right[right.len() - 1]);
    }
    Ok(ValueType::new(a.element, Shape(shape)))
}
