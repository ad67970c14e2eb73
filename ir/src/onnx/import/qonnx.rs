//! QONNX and Brevitas quantisers of any width: Quant and BipolarQuant, read as quantise and dequantise.

use std::sync::Arc;

use super::attribute::{Attribute, Kind};
use super::call::{Call, Fault, fault};
use super::constant::picked;
use super::importer::Item;
use super::quantise::{NOTE, scale};
use super::shape::reshaped;
use super::table::Operator;
use crate::network::{Dequantise, Element, Mul, Quantise, Rounding, Sub};
use crate::tensor::Tensor;

/// Widest integer that is read.
const MAX_BITS: f64 = 32.0;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Quant", (4, 4), quant).with(&[
        Attribute::new("narrow", Kind::Int),
        Attribute::new("rounding_mode", Kind::Text),
        Attribute::new("signed", Kind::Int),
    ]),
    Operator::new("BipolarQuant", (2, 2), bipolar),
    Operator::new("Trunc", (5, 5), trunc).with(&[Attribute::new("rounding_mode", Kind::Text)]),
];

/// Codes of `in` bits that lose their lowest ones: their scale stays, so numbers become smaller by as much.
fn trunc(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let mut bits = |i: usize, what: &str| match call.optional_scalar(i, what)? {
        // One bit more holds codes with a sign and codes without; Trunc does not say which they are.
        Some(bits) if bits.fract() == 0.0 && (1.0..MAX_BITS).contains(&bits) => Ok(bits as u8 + 1),
        _ => Err(Fault::from(format!("its {what} is no whole number from 1 to 31"))),
    };
    let (from, to) = (bits(3, "input bit width")?, bits(4, "output bit width")?);
    if to > from {
        return Err(format!("it has {} bits of {}", to - 1, from - 1).into());
    }
    let rounding = match call.text("rounding_mode") {
        None => Rounding::Floor,
        Some(_) => rounding(call)?,
    };
    let scale = scale(call, 1)?;
    let long = Element::Int { bits: from, signed: true };
    let zero = zero_point(call, long)?;
    let number = |element, n: f64| Tensor::from_f64(element, [], &[n]).map(|t| Item::Const(Arc::new(t)));
    let short = Element::Int { bits: to, signed: true };
    let constants = (number(Element::F32, 1.0), number(Element::F32, 2f64.powi(i32::from(from - to))));
    let ((Some(one), Some(step)), (Some(none), Some(short_none))) =
        (constants, (number(long, 0.0), number(short, 0.0)))
    else {
        return Err("its constants do not fit".into());
    };
    let short_zero = match &zero {
        Item::Const(zero) if zero.len() == 1 => number(short, zero.to_f64()[0]),
        _ => None,
    };
    let short_zero =
        short_zero.ok_or_else(|| fault("its zero point is none of its shorter codes", "use 0"))?;
    call.importer.note(NOTE.into());
    let quantise = |bits, rounding| Quantise { bits, signed: true, narrow: false, rounding, axis: 1 };
    let q = call.emit(quantise(from, Rounding::HalfEven), &[&x, &scale, &zero])?;
    let whole = call.emit(Dequantise { axis: 1 }, &[&q, &one, &none])?;
    let cut = call.emit(quantise(to, rounding), &[&whole, &step, &short_none])?;
    call.emit(Dequantise { axis: 1 }, &[&cut, &scale, &short_zero])
}

fn quant(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let bits = match call.optional_scalar(3, "bit width")? {
        Some(bits) if bits.fract() == 0.0 && (1.0..=MAX_BITS).contains(&bits) => bits as u8,
        Some(bits) => {
            return Err(fault(
                format!("its bit width is {bits}; whole numbers from 1 to {MAX_BITS} can be had"),
                "quantise the model again",
            ));
        }
        None => return Err("its bit width is missing".into()),
    };
    let (signed, narrow) = (call.flag("signed", true)?, call.flag("narrow", false)?);
    if narrow && !(signed && bits > 1) {
        return Err("its range is narrow, which only signed numbers of 2 bits or more have".into());
    }
    let rounding = rounding(call)?;
    let scale = scale(call, 1)?;
    let zero = zero_point(call, Element::Int { bits, signed })?;
    let (scale, axis) = vector(call, &x, scale, "scale")?;
    let (zero, zero_axis) = vector(call, &x, zero, "zero point")?;
    let zero = match &zero {
        Item::Const(one) if one.len() == 1 => Item::Const(Arc::new(picked(one, call.shape(&scale), |_| 0)?)),
        _ => zero,
    };
    let axis = match (axis, zero_axis) {
        (Some(a), Some(b)) if a != b => {
            return Err("its scale and its zero point run along different axes".into());
        }
        (a, b) => a.or(b).unwrap_or(1),
    };
    call.importer.note(NOTE.into());
    let q = call.emit(Quantise { bits, signed, narrow, rounding, axis }, &[&x, &scale, &zero])?;
    call.emit(Dequantise { axis }, &[&q, &scale, &zero])
}

fn rounding(call: &Call<'_, '_>) -> Result<Rounding, Fault> {
    match call.text("rounding_mode").as_deref() {
        None | Some("ROUND" | "HALF_EVEN") => Ok(Rounding::HalfEven),
        Some("CEIL") => Ok(Rounding::Ceil),
        Some("FLOOR") => Ok(Rounding::Floor),
        Some("UP") => Ok(Rounding::Up),
        Some("DOWN" | "ROUND_TO_ZERO") => Ok(Rounding::Down),
        Some(mode @ ("HALF_UP" | "HALF_DOWN")) => Err(fault(
            format!("its rounding mode {mode} breaks ties by the sign, which is not supported"),
            "use ROUND",
        )),
        Some(mode) => Err(fault(format!("its rounding mode \"{mode}\" is not known"), "use ROUND")),
    }
}

/// Zero points are floats in this dialect, but whole.
fn zero_point(call: &mut Call<'_, '_>, element: Element) -> Result<Item, Fault> {
    let tensor = call.constant(2, "zero point")?;
    let whole = Tensor::from_f64(element, tensor.shape().clone(), &tensor.to_f64()).filter(|_| {
        let Element::Int { bits, signed } = element else { return false };
        let (low, high) = match signed {
            true => (-(2f64.powi(i32::from(bits) - 1)), 2f64.powi(i32::from(bits) - 1) - 1.0),
            false => (0.0, 2f64.powi(i32::from(bits)) - 1.0),
        };
        tensor.all(|z| (low..=high).contains(&z))
    });
    let name = call.name(2);
    Ok(Item::Const(Arc::new(
        whole.ok_or(format!("its zero point {name} holds a number that is no {element}"))?,
    )))
}

/// A tensor that broadcasts along one axis of `x`, as a vector with that axis; a scalar has none.
fn vector(call: &mut Call<'_, '_>, x: &Item, item: Item, what: &str) -> Result<(Item, Option<usize>), Fault> {
    let (shape, rank) = (call.shape(&item), call.shape(x).rank());
    let long: Vec<usize> = (0..shape.rank()).filter(|&i| shape.0[i] != 1).collect();
    match long[..] {
        [] => Ok((reshaped(call, &item, Vec::new())?, None)),
        [i] if i + rank >= shape.rank() => {
            let axis = i + rank - shape.rank();
            Ok((reshaped(call, &item, vec![shape.0[i]])?, Some(axis)))
        }
        _ => Err(format!("its {what} of shape {shape} does not run along one axis of its input").into()),
    }
}

/// `scale` where x is at least 0, else `-scale`: a code of one bit, floor(x / scale) + 1 held to 0 and 1, then
/// twice the scale a step from `-scale` on. Of known numbers the codes are 1 and -1.
fn bipolar(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let given = scale(call, 1)?;
    let (scale, axis) = vector(call, &x, given.clone(), "scale")?;
    let axis = axis.unwrap_or(1);
    let number = |element, n: f64| -> Result<Item, Fault> {
        Ok(Item::Const(Arc::new(Tensor::from_f64(element, [], &[n]).ok_or("a small number fits")?)))
    };
    if let Item::Const(known) = &x {
        let element = Element::Int { bits: 2, signed: true };
        let signs: Vec<f64> = known.to_f64().iter().map(|&x| if x >= 0.0 { 1.0 } else { -1.0 }).collect();
        let codes =
            Tensor::from_f64(element, known.shape().clone(), &signs).ok_or("two small numbers fit")?;
        let zero = number(element, 0.0)?;
        call.importer.note(NOTE.into());
        return call.emit(Dequantise { axis }, &[&Item::Const(Arc::new(codes)), &scale, &zero]);
    }
    let code = Element::Int { bits: 1, signed: false };
    let (zero, one) = (number(code, 0.0)?, number(code, 1.0)?);
    let op = Quantise { bits: 1, signed: false, narrow: false, rounding: Rounding::Floor, axis };
    call.importer.note(NOTE.into());
    let q = call.emit(op, &[&x, &scale, &one])?;
    let two = number(call.ty(&scale).element, 2.0)?;
    let step = call.emit(Mul {}, &[&scale, &two])?;
    let steps = call.emit(Dequantise { axis }, &[&q, &step, &zero])?;
    call.emit(Sub {}, &[&steps, &given])
}
