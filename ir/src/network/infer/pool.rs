//! Types of pools and means.

use super::super::op::{AvgPool, MaxPool, ReduceMean};
use super::super::types::{Pair, Shape, Sides, ValueType};
use super::conv::map;
use super::{want_axis, want_float, want_number, want_rank};

pub(super) fn max_pool(a: &MaxPool, ins: &[&ValueType]) -> Result<ValueType, String> {
    want_number("x", ins[0])?;
    window(ins[0], a.kernel, a.stride, a.pad, a.dilation, Pair::ZERO)
}

pub(super) fn avg_pool(a: &AvgPool, ins: &[&ValueType]) -> Result<ValueType, String> {
    want_float("x", ins[0])?;
    window(ins[0], a.kernel, a.stride, a.pad, a.dilation, a.overhang)
}

pub(super) fn window(
    x: &ValueType,
    kernel: Pair,
    stride: Pair,
    pad: Sides,
    dilation: Pair,
    overhang: Pair,
) -> Result<ValueType, String> {
    want_rank("x", x, 4)?;
    let &[n, c, h, w] = &x.shape.0[..] else { return Err("x must have rank 4".into()) };
    let out = map((h, w), pad, overhang, kernel, stride, dilation)?;
    seen("height", h, pad.top, kernel.h, (out[0] - 1) * stride.h, dilation.h)?;
    seen("width", w, pad.left, kernel.w, (out[1] - 1) * stride.w, dilation.w)?;
    Ok(ValueType::new(x.element, [n, c, out[0], out[1]]))
}

/// Every window must hold a place of the map: neither the first nor the last (at `last`, counted from the
/// first padded place) lies in the padding alone, and no two taps straddle the map.
fn seen(
    axis: &str,
    extent: usize,
    before: usize,
    kernel: usize,
    last: usize,
    dilation: usize,
) -> Result<(), String> {
    let reach = (kernel - 1) * dilation + 1;
    let straddles = dilation > extent && (before > 0 || last + reach > before + extent);
    if before >= reach || last >= before + extent || straddles {
        return Err(format!("a window lies wholly in the padding of its {axis} ({before} before {extent})"));
    }
    Ok(())
}

pub(super) fn global_avg_pool(ins: &[&ValueType]) -> Result<ValueType, String> {
    want_float("x", ins[0])?;
    global(ins[0])
}

pub(super) fn global_max_pool(ins: &[&ValueType]) -> Result<ValueType, String> {
    want_number("x", ins[0])?;
    global(ins[0])
}

fn global(x: &ValueType) -> Result<ValueType, String> {
    want_rank("x", x, 4)?;
    some_places(x, 2..4)?;
    Ok(ValueType::new(x.element, [x.shape.0[0], x.shape.0[1], 1, 1]))
}

fn some_places(x: &ValueType, axes: impl IntoIterator<Item = usize>) -> Result<(), String> {
    match axes.into_iter().find(|&axis| x.shape.0[axis] == 0) {
        Some(axis) => Err(format!("axis {axis} of shape {} is empty", x.shape)),
        None => Ok(()),
    }
}

pub(super) fn reduce_mean(a: &ReduceMean, ins: &[&ValueType]) -> Result<ValueType, String> {
    let x = ins[0];
    want_float("x", x)?;
    if !a.axes.is_sorted_by(|i, j| i < j) {
        return Err(format!("its axes {:?} are not ascending", a.axes));
    }
    for &axis in &a.axes {
        want_axis(axis, x)?;
    }
    some_places(x, a.axes.iter().copied())?;
    let extent = |(axis, &d): (usize, &usize)| match a.axes.contains(&axis) {
        false => Some(d),
        true => a.keep_axes.then_some(1),
    };
    Ok(ValueType::new(x.element, Shape(x.shape.0.iter().enumerate().filter_map(extent).collect())))
}
