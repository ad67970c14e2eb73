//! Convolutions of two-dimensional maps, with groups, strides and dilations.

use super::attribute::{Attribute, Kind};
use super::call::{Call, Fault};
use super::importer::Item;
use super::table::Operator;
use super::window::{self, AUTO_PAD, DILATIONS, KERNEL, PADS, STRIDES};
use crate::network::{Conv, Pair};

pub(super) const ATTRIBUTES: &[Attribute] =
    &[AUTO_PAD, DILATIONS, Attribute::new("group", Kind::Int), KERNEL, PADS, STRIDES];

pub(super) const OPERATORS: &[Operator] = &[Operator::new("Conv", (2, 3), conv).with(ATTRIBUTES)];

fn conv(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let (x, w) = (call.operand(0)?, call.parameter(1, "weight")?);
    let bias = if call.has(2) { Some(call.parameter(2, "bias")?) } else { None };
    convolve(call, &x, &w, bias.as_ref(), 1)
}

/// A convolution with the node's attributes; operand `weight` is named where it does not fit.
pub(super) fn convolve(
    call: &mut Call<'_, '_>,
    x: &Item,
    w: &Item,
    bias: Option<&Item>,
    weight: usize,
) -> Result<Item, Fault> {
    let extent = window::extent(&call.shape(x))?;
    let shape = call.shape(w);
    let Some((_, kh, kw)) = shape.chw() else {
        return Err(
            format!("its weight {} has shape {shape}, but must have rank 4", call.name(weight)).into()
        );
    };
    let kernel = Pair { h: kh, w: kw };
    if shape.is_empty() {
        return Err(format!("its weight {} of shape {shape} has no numbers", call.name(weight)).into());
    }
    if let Some(said) = window::kernel(call)?
        && said != kernel
    {
        return Err(format!("its kernel_shape is {}x{}, but its weight has {kh}x{kw}", said.h, said.w).into());
    }
    let groups = call.int("group").unwrap_or(1);
    let groups = usize::try_from(groups)
        .ok()
        .filter(|&g| g > 0)
        .ok_or(format!("its group is {groups}, not positive"))?;
    let window = window::read(call, extent, kernel)?;
    let op = Conv { stride: window.stride, pad: window.pad, dilation: window.dilation, groups };
    match bias {
        Some(bias) => call.emit(op, &[x, w, bias]),
        None => call.emit(op, &[x, w]),
    }
}
