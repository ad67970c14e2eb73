//! Types of quantise and dequantise: scales and zero points are scalars, or vectors along an axis.

use super::super::op::{Dequantise, Quantise};
use super::super::types::{Element, ValueType};
use super::{want_axis, want_float, want_same_element};

/// Widest code that a quantiser gives; wider ones would not survive a float multiplication.
const MAX_BITS: u8 = 32;

pub(super) fn quantise(a: &Quantise, ins: &[&ValueType]) -> Result<ValueType, String> {
    let (x, scale, zero_point) = (ins[0], ins[1], ins[2]);
    if !(1..=MAX_BITS).contains(&a.bits) {
        return Err(format!("it gives {} bits; 1 to {MAX_BITS} can be had", a.bits));
    }
    if a.narrow && !(a.signed && a.bits > 1) {
        return Err("a narrow range is signed and of 2 bits or more".into());
    }
    want_float("x", x)?;
    want_same_element(("x", x), ("the scale", scale))?;
    let result = Element::Int { bits: a.bits, signed: a.signed };
    if zero_point.element != result {
        return Err(format!("its zero point is {}, its result {result}", zero_point.element));
    }
    scales(x, a.axis, scale, zero_point)?;
    Ok(ValueType::new(result, x.shape.clone()))
}

pub(super) fn dequantise(a: &Dequantise, ins: &[&ValueType]) -> Result<ValueType, String> {
    let (x, scale, zero_point) = (ins[0], ins[1], ins[2]);
    if !matches!(x.element, Element::Int { .. }) {
        return Err(format!("x is {}, but must be an integer", x.element));
    }
    want_float("the scale", scale)?;
    want_same_element(("x", x), ("the zero point", zero_point))?;
    scales(x, a.axis, scale, zero_point)?;
    Ok(ValueType::new(scale.element, x.shape.clone()))
}

fn scales(x: &ValueType, axis: usize, scale: &ValueType, zero_point: &ValueType) -> Result<(), String> {
    for (what, v) in [("scale", scale), ("zero point", zero_point)] {
        match v.shape.0[..] {
            [] | [1] => {}
            [n] => {
                want_axis(axis, x)?;
                let extent = x.shape.0[axis];
                if n != extent {
                    return Err(format!("its {what} has {n} numbers, but axis {axis} of x has {extent}"));
                }
            }
            _ => return Err(format!("its {what} has shape {}, but must be a scalar or a vector", v.shape)),
        }
    }
    Ok(())
}
