//! Kernel, stride, padding and dilation of convolutions and pools, as their attributes spell them.

use super::attribute::{Attribute, Kind};
use super::call::{Call, Fault, fault};
use crate::network::{Pair, Shape, Sides};

pub(super) const AUTO_PAD: Attribute = Attribute::new("auto_pad", Kind::Text);
pub(super) const DILATIONS: Attribute = Attribute::new("dilations", Kind::Ints);
pub(super) const KERNEL: Attribute = Attribute::new("kernel_shape", Kind::Ints);
pub(super) const PADS: Attribute = Attribute::new("pads", Kind::Ints);
pub(super) const STRIDES: Attribute = Attribute::new("strides", Kind::Ints);

/// Largest number that a window attribute may hold: beyond any image, and safe to add and multiply.
const MAX: i64 = 1 << 31;

/// A window over a map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) kernel: Pair,
    pub(super) stride: Pair,
    pub(super) pad: Sides,
    pub(super) dilation: Pair,
}

/// Height and width of an N C H W map.
pub(super) fn extent(shape: &Shape) -> Result<Pair, Fault> {
    match shape.chw() {
        Some((_, h, w)) => Ok(Pair { h, w }),
        None => Err(fault(
            format!(
                "its input has shape {shape} of rank {}; only 2-D maps (rank 4) can be read",
                shape.rank()
            ),
            "give a network of images, N x C x H x W",
        )),
    }
}

/// `kernel_shape`, where it is given.
pub(super) fn kernel(call: &Call<'_, '_>) -> Result<Option<Pair>, Fault> {
    pair(call, "kernel_shape", 1)
}

/// The window of a node whose kernel is known, over a map of `extent`.
pub(super) fn read(call: &Call<'_, '_>, extent: Pair, kernel: Pair) -> Result<Window, Fault> {
    let stride = pair(call, "strides", 1)?.unwrap_or(Pair::ONE);
    let dilation = pair(call, "dilations", 1)?.unwrap_or(Pair::ONE);
    let mut window = Window { kernel, stride, pad: Sides::ZERO, dilation };
    let explicit = match call.ints("pads") {
        None => None,
        Some(&[top, left, bottom, right]) => {
            let n = |value: i64| match value {
                0..=MAX => Ok(value as usize),
                _ => Err(Fault::from(format!("its pads hold {value}; 0 to {MAX} can be had"))),
            };
            Some(Sides { top: n(top)?, left: n(left)?, bottom: n(bottom)?, right: n(right)? })
        }
        Some(other) => return Err(format!("its pads {other:?} are not four numbers").into()),
    };
    match call.text("auto_pad").as_deref() {
        None | Some("NOTSET" | "") => window.pad = explicit.unwrap_or_default(),
        Some("VALID") if explicit.unwrap_or_default() == Sides::ZERO => {}
        Some(mode @ ("SAME_UPPER" | "SAME_LOWER")) if explicit.is_none() => {
            let upper = mode == "SAME_UPPER";
            let (top, bottom) = same(extent.h, kernel.h, stride.h, dilation.h, upper)?;
            let (left, right) = same(extent.w, kernel.w, stride.w, dilation.w, upper)?;
            window.pad = Sides { top, left, bottom, right };
        }
        Some(mode @ ("SAME_UPPER" | "SAME_LOWER" | "VALID")) => {
            return Err(format!("it has both auto_pad {mode} and pads").into());
        }
        Some(mode) => return Err(format!("its auto_pad is \"{mode}\", which ONNX does not have").into()),
    }
    Ok(window)
}

/// Padding before and after an axis so that it gives `ceil(extent / stride)` places (ONNX Conv, auto_pad).
fn same(
    extent: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    upper: bool,
) -> Result<(usize, usize), Fault> {
    let reach = (kernel - 1).checked_mul(dilation).and_then(|r| r.checked_add(1));
    let spanned = (extent.div_ceil(stride).max(1) - 1)
        .checked_mul(stride)
        .zip(reach)
        .and_then(|(first, reach)| first.checked_add(reach))
        .ok_or("its kernel is larger than anything")?;
    let total = spanned.saturating_sub(extent);
    let (less, more) = (total / 2, total - total / 2);
    Ok(if upper { (less, more) } else { (more, less) })
}

fn pair(call: &Call<'_, '_>, name: &str, least: i64) -> Result<Option<Pair>, Fault> {
    match call.ints(name) {
        None => Ok(None),
        Some(&[h, w]) if (least..=MAX).contains(&h) && (least..=MAX).contains(&w) => {
            Ok(Some(Pair { h: h as usize, w: w as usize }))
        }
        Some(other) if other.len() != 2 => {
            Err(format!("its {name} {other:?} are not two numbers; only 2-D maps can be read").into())
        }
        Some(other) => Err(format!("its {name} {other:?} are not between {least} and {MAX}").into()),
    }
}
