//! QuantizeLinear and DequantizeLinear, and what every dialect of quantised files asks: scales that are
//! positive, zero points of the right type.

use std::sync::Arc;

use super::super::data::element;
use super::attribute::{Attribute, Kind};
use super::call::{Call, Fault, axis, fault};
use super::constant::picked;
use super::importer::Item;
use super::table::Operator;
use crate::network::{Dequantise, Element, Quantise, Rounding};
use crate::tensor::Tensor;

const AXIS: Attribute = Attribute::new("axis", Kind::Int).since(13);
const BLOCK: Attribute = Attribute::new("block_size", Kind::Int).since(21);
const DTYPE: Attribute = Attribute::new("output_dtype", Kind::Int);

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("QuantizeLinear", (2, 3), quantise)
        .with(&[AXIS, BLOCK, DTYPE.since(21), Attribute::new("precision", Kind::Int).since(23)])
        // Speaks of 8-bit floats alone.
        .ignoring(&["saturate"])
        .since(10),
    Operator::new("DequantizeLinear", (2, 3), dequantise).with(&[AXIS, BLOCK, DTYPE.since(23)]).since(10),
];

/// The same operators in the domain com.microsoft, where `axis` is in every version.
pub(super) const ATTRIBUTES: &[Attribute] = &[Attribute::new("axis", Kind::Int)];

/// Said once for a quantised file.
pub(super) const NOTE: &str = "the file is quantised: numbers are computed in floats between its roundings, or with \
    --integer of run and eval in whole numbers";

pub(super) fn quantise(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let said = match call.int("output_dtype").unwrap_or(0) {
        0 => None,
        code => {
            Some(element(i32::try_from(code).map_err(|_| format!("its output_dtype {code} is not known"))?)?)
        }
    };
    no_blocks(call)?;
    let scale = scale(call, 1)?;
    let zero = zero_point(call, 2, said.unwrap_or(Element::U8), &scale)?;
    let to = call.ty(&zero).element;
    if said.is_some_and(|s| s != to) {
        return Err(
            format!("its output_dtype and its zero point {} are of different types", call.name(2)).into()
        );
    }
    let along = along(call, &x, &scale)?;
    quantised(call, &x, &scale, &zero, along)
}

pub(super) fn dequantise(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    no_blocks(call)?;
    let scale = scale(call, 1)?;
    let from = call.ty(&x).element;
    if !matches!(from, Element::Int { .. }) {
        return Err(format!("its input {} is {from}, not an integer", call.name(0)).into());
    }
    let zero = zero_point(call, 2, from, &scale)?;
    let along = along(call, &x, &scale)?;
    call.importer.note(NOTE.into());
    call.emit(Dequantise { axis: along }, &[&x, &scale, &zero])
}

fn no_blocks(call: &Call<'_, '_>) -> Result<(), Fault> {
    match call.int("block_size") {
        None | Some(0) => Ok(()),
        Some(n) => Err(fault(
            format!("its scales are for blocks of {n} elements"),
            "quantise by tensor or by channel",
        )),
    }
}

/// Integers of a zero point's type, rounded half to even as ONNX says.
pub(super) fn quantised(
    call: &mut Call<'_, '_>,
    x: &Item,
    scale: &Item,
    zero: &Item,
    axis: usize,
) -> Result<Item, Fault> {
    let Element::Int { bits, signed } = call.ty(zero).element else {
        return Err(format!("its zero point is {}, not an integer", call.ty(zero).element).into());
    };
    call.importer.note(NOTE.into());
    let rounding = Rounding::HalfEven;
    call.emit(Quantise { bits, signed, narrow: false, rounding, axis }, &[x, scale, zero])
}

/// Operand `i` as a scale: constant, finite, above zero.
pub(super) fn scale(call: &mut Call<'_, '_>, i: usize) -> Result<Item, Fault> {
    let tensor = call.constant(i, "scale")?;
    let name = call.name(i);
    if !tensor.element().is_float() {
        return Err(format!("its scale {name} is {}, not a float", tensor.element()).into());
    }
    if tensor.is_empty() {
        return Err(format!("its scale {name} has no numbers").into());
    }
    match tensor.to_f64().into_iter().find(|s| !(s.is_finite() && *s > 0.0)) {
        Some(s) => Err(fault(
            format!("its scale {name} holds {s}, but a scale is finite and above zero"),
            "quantise the model again",
        )),
        None => Ok(Item::Const(tensor)),
    }
}

/// Operand `i` as the zero point that goes with `scale`: 0 of type `otherwise` where it is left out, and
/// repeated where one stands for a vector of scales.
pub(super) fn zero_point(
    call: &mut Call<'_, '_>,
    i: usize,
    otherwise: Element,
    scale: &Item,
) -> Result<Item, Fault> {
    let zero = match call.optional(i, "zero point")? {
        Some(tensor) if matches!(tensor.element(), Element::Int { .. }) => tensor,
        Some(tensor) => {
            return Err(
                format!("its zero point {} is {}, not an integer", call.name(i), tensor.element()).into()
            );
        }
        None => Arc::new(Tensor::from_f64(otherwise, [], &[0.0]).ok_or("zero fits every type")?),
    };
    let shape = call.shape(scale);
    if zero.len() != 1 || *zero.shape() == shape {
        return Ok(Item::Const(zero));
    }
    call.importer.budget.take(zero.element(), &shape)?;
    Ok(Item::Const(Arc::new(picked(&zero, shape, |_| 0)?)))
}

/// The axis that a vector of scales runs along; of no matter for one scale.
fn along(call: &Call<'_, '_>, x: &Item, scale: &Item) -> Result<usize, Fault> {
    if call.shape(scale).len() == 1 {
        return Ok(1);
    }
    axis(call.int("axis").unwrap_or(1), call.shape(x).rank())
}
