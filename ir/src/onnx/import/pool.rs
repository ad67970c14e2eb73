//! Pools over windows and over whole maps.

use super::attribute::{Attribute, Kind};
use super::call::{Call, Fault};
use super::importer::Item;
use super::table::Operator;
use super::window::{self, AUTO_PAD, DILATIONS, KERNEL, PADS, STRIDES, Window};
use crate::network::{AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool, Pair};

const CEIL: Attribute = Attribute::new("ceil_mode", Kind::Int).since(10);

/// Whether padding counts in a mean.
pub(super) const COUNT_PAD: Attribute = Attribute::new("count_include_pad", Kind::Int);

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("MaxPool", (1, 1), |call| {
        let x = call.operand(0)?;
        max(call, &x)
    })
    .with(&[AUTO_PAD, CEIL, DILATIONS.since(10), KERNEL, PADS, STRIDES])
    // The order of the indices, which are not read.
    .ignoring(&["storage_order"]),
    Operator::new("AveragePool", (1, 1), |call| {
        let x = call.operand(0)?;
        average(call, &x)
    })
    .with(&[AUTO_PAD, CEIL, COUNT_PAD, DILATIONS.since(19), KERNEL, PADS, STRIDES]),
    Operator::new("GlobalAveragePool", (1, 1), |call| {
        let x = call.operand(0)?;
        call.emit(GlobalAvgPool {}, &[&x])
    }),
    Operator::new("GlobalMaxPool", (1, 1), |call| {
        let x = call.operand(0)?;
        call.emit(GlobalMaxPool {}, &[&x])
    }),
];

fn max(call: &mut Call<'_, '_>, x: &Item) -> Result<Item, Fault> {
    let (window, overhang) = read(call, x)?;
    // Places beyond the map never win, so those that rounding up adds are padding like any other.
    let mut pad = window.pad;
    pad.bottom += overhang.h;
    pad.right += overhang.w;
    let Window { kernel, stride, dilation, .. } = window;
    call.emit(MaxPool { kernel, stride, pad, dilation }, &[x])
}

/// An average pool with the node's attributes.
pub(super) fn average(call: &mut Call<'_, '_>, x: &Item) -> Result<Item, Fault> {
    let (Window { kernel, stride, pad, dilation }, overhang) = read(call, x)?;
    let include_pad = call.flag("count_include_pad", false)?;
    call.emit(AvgPool { kernel, stride, pad, dilation, include_pad, overhang }, &[x])
}

/// The window, and how far the last one reaches beyond the padded map where the size is rounded up.
fn read(call: &mut Call<'_, '_>, x: &Item) -> Result<(Window, Pair), Fault> {
    let extent = window::extent(&call.shape(x))?;
    let kernel = window::kernel(call)?.ok_or("its kernel_shape is missing")?;
    let w = window::read(call, extent, kernel)?;
    if !call.flag("ceil_mode", false)? {
        return Ok((w, Pair::ZERO));
    }
    let h = overhang(extent.h, (w.pad.top, w.pad.bottom), kernel.h, w.stride.h, w.dilation.h)?;
    let v = overhang(extent.w, (w.pad.left, w.pad.right), kernel.w, w.stride.w, w.dilation.w)?;
    Ok((w, Pair { h, w: v }))
}

/// Places that rounding up adds behind an axis; a window that would start behind the map and its padding is
/// left out (ONNX AveragePool, ceil_mode).
fn overhang(
    extent: usize,
    (before, after): (usize, usize),
    kernel: usize,
    stride: usize,
    dilation: usize,
) -> Result<usize, Fault> {
    let large = || Fault::from("its window is larger than anything");
    let reach = (kernel - 1).checked_mul(dilation).and_then(|r| r.checked_add(1)).ok_or_else(large)?;
    let padded = extent.checked_add(before).and_then(|e| e.checked_add(after)).ok_or_else(large)?;
    let room = padded
        .checked_sub(reach)
        .ok_or(format!("its kernel spans {reach}, but the padded map has only {padded}"))?;
    let mut last = room.div_ceil(stride).checked_mul(stride).ok_or_else(large)?;
    if last >= extent + before {
        last -= stride.min(last);
    }
    Ok(last.checked_add(reach).ok_or_else(large)?.saturating_sub(padded))
}
