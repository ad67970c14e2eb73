//! Operators that carry their scales with them (ONNX QLinear*, and those of onnxruntime's com.microsoft): read
//! as dequantise, the float operator, quantise.

use std::sync::Arc;

use super::attribute::{Attribute, Kind};
use super::call::{Call, Fault, axis};
use super::conv::{self, convolve};
use super::dense::{dense, product, transposed, truth};
use super::importer::Item;
use super::pool::{COUNT_PAD, average};
use super::quantise::{self, NOTE, quantised, scale, zero_point};
use super::table::Operator;
use super::window::{AUTO_PAD, KERNEL, PADS, STRIDES};
use crate::network::{Add, Concat, Dequantise, Element, GlobalAvgPool, LeakyRelu, Mul, Op};
use crate::tensor::Tensor;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("QLinearConv", (8, 9), q_conv).with(conv::ATTRIBUTES).since(10),
    Operator::new("QLinearMatMul", (8, 8), q_matmul).since(10),
    Operator::new("ConvInteger", (2, 4), conv_integer).with(conv::ATTRIBUTES).since(10),
    Operator::new("MatMulInteger", (2, 4), matmul_integer).since(10),
];

const CHANNELS_LAST: Attribute = Attribute::new("channels_last", Kind::Int);

const AVERAGE_POOL: &[Attribute] =
    &[AUTO_PAD, Attribute::new("ceil_mode", Kind::Int), CHANNELS_LAST, COUNT_PAD, KERNEL, PADS, STRIDES];

/// Operators of the domain com.microsoft.
pub(super) const MICROSOFT: &[Operator] = &[
    Operator::new("QuantizeLinear", (2, 3), quantise::quantise).with(quantise::ATTRIBUTES),
    Operator::new("DequantizeLinear", (2, 3), quantise::dequantise).with(quantise::ATTRIBUTES),
    Operator::new("QLinearAdd", (7, 8), |call| q_binary(call, Add {}.into())),
    Operator::new("QLinearMul", (7, 8), |call| q_binary(call, Mul {}.into())),
    Operator::new("QLinearConcat", (5, usize::MAX), q_concat).with(&[Attribute::new("axis", Kind::Int)]),
    Operator::new("QLinearLeakyRelu", (4, 5), |call| {
        let alpha = call.float("alpha").unwrap_or(0.01);
        let x = dequantised(call, 0)?;
        let y = call.emit(LeakyRelu { alpha }, &[&x])?;
        out(call, &y, 3)
    })
    .with(&[Attribute::new("alpha", Kind::Float)]),
    Operator::new("QLinearGlobalAveragePool", (5, 5), |call| {
        channels_first(call)?;
        let x = dequantised(call, 0)?;
        let y = call.emit(GlobalAvgPool {}, &[&x])?;
        out(call, &y, 3)
    })
    .with(&[CHANNELS_LAST]),
    Operator::new("QLinearAveragePool", (4, 5), |call| {
        channels_first(call)?;
        let x = dequantised(call, 0)?;
        let y = average(call, &x)?;
        out(call, &y, 3)
    })
    .with(AVERAGE_POOL),
    Operator::new("QGemm", (6, 9), q_gemm).with(&[
        Attribute::new("alpha", Kind::Float),
        Attribute::new("transA", Kind::Int),
        Attribute::new("transB", Kind::Int),
    ]),
];

fn channels_first(call: &Call<'_, '_>) -> Result<(), Fault> {
    if call.flag("channels_last", false)? {
        return Err("its channels come last".into());
    }
    Ok(())
}

/// Operand `i` as real numbers, its scale and zero point behind it.
fn dequantised(call: &mut Call<'_, '_>, i: usize) -> Result<Item, Fault> {
    dequantised_along(call, i, 0)
}

fn dequantised_along(call: &mut Call<'_, '_>, i: usize, axis: usize) -> Result<Item, Fault> {
    let x = call.operand(i)?;
    let from = call.ty(&x).element;
    if !matches!(from, Element::Int { .. }) {
        return Err(format!("its input {} is {from}, not an integer", call.name(i)).into());
    }
    let scale = scale(call, i + 1)?;
    let zero = zero_point(call, i + 2, from, &scale)?;
    call.importer.note(NOTE.into());
    call.emit(Dequantise { axis }, &[&x, &scale, &zero])
}

/// The result, quantised by scale `i` and the zero point behind it.
fn out(call: &mut Call<'_, '_>, y: &Item, i: usize) -> Result<Item, Fault> {
    let scale = scale(call, i)?;
    let x = call.operand(0)?;
    let zero = zero_point(call, i + 1, call.ty(&x).element, &scale)?;
    quantised(call, y, &scale, &zero, 1)
}

/// A bias of integers at the scale of the products that it is added to.
fn bias(call: &mut Call<'_, '_>, i: usize, x_scale: usize, w_scale: usize) -> Result<Option<Item>, Fault> {
    if !call.has(i) {
        return Ok(None);
    }
    let bias = call.operand(i)?;
    let (x, w) = (scale(call, x_scale)?, scale(call, w_scale)?);
    if call.shape(&x).len() != 1 {
        return Err(format!(
            "its scale {} has {} numbers, not one",
            call.name(x_scale),
            call.shape(&x).len()
        )
        .into());
    }
    let product = call.emit(Mul {}, &[&w, &x])?;
    let zero = zero_point(call, call.len(), call.ty(&bias).element, &product)?;
    Ok(Some(call.emit(Dequantise { axis: 0 }, &[&bias, &product, &zero])?))
}

fn q_conv(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = dequantised(call, 0)?;
    let w = dequantised_along(call, 3, 0)?;
    let bias = bias(call, 8, 1, 4)?;
    let y = convolve(call, &x, &w, bias.as_ref(), 3)?;
    out(call, &y, 6)
}

/// Whole numbers of 32 bits as numbers: what is behind operand `i` less its zero point `zero`.
fn whole(call: &mut Call<'_, '_>, i: usize, zero: usize, axis: usize) -> Result<Item, Fault> {
    let x = call.operand(i)?;
    let from = call.ty(&x).element;
    if !matches!(from, Element::Int { .. }) {
        return Err(format!("its input {} is {from}, not an integer", call.name(i)).into());
    }
    let count = call.optional(zero, "zero point")?.map_or(1, |zero| zero.len());
    let dims = if count == 1 { vec![] } else { vec![count] };
    let ones = Tensor::from_f64(Element::F32, &dims[..], &vec![1.0; count]).ok_or("ones fit every shape")?;
    let one = Item::Const(Arc::new(ones));
    let zero = zero_point(call, zero, from, &one)?;
    call.importer.note(NOTE.into());
    call.emit(Dequantise { axis }, &[&x, &one, &zero])
}

/// A sum of products as a whole number of 32 bits.
fn in_32_bits(call: &mut Call<'_, '_>, y: &Item) -> Result<Item, Fault> {
    let number = |element, n| Tensor::from_f64(element, [], &[n]).map(|t| Item::Const(Arc::new(t)));
    let (one, zero) = (number(Element::F32, 1.0), number(Element::I32, 0.0));
    let (one, zero) = (one.ok_or("one is a float")?, zero.ok_or("zero is whole")?);
    quantised(call, y, &one, &zero, 1)
}

fn conv_integer(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = whole(call, 0, 2, 1)?;
    let w = whole(call, 1, 3, 0)?;
    let y = convolve(call, &x, &w, None, 1)?;
    in_32_bits(call, &y)
}

fn matmul_integer(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let a = whole(call, 0, 2, 0)?;
    let b = whole(call, 1, 3, 1)?;
    let y = product(call, &a, &b)?;
    in_32_bits(call, &y)
}

fn q_matmul(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let a = dequantised(call, 0)?;
    let b = dequantised_along(call, 3, 1)?;
    let y = product(call, &a, &b)?;
    out(call, &y, 6)
}

fn q_binary(call: &mut Call<'_, '_>, op: Op) -> Result<Item, Fault> {
    let (a, b) = (dequantised(call, 0)?, dequantised(call, 3)?);
    let y = call.emit(op, &[&a, &b])?;
    out(call, &y, 6)
}

fn q_concat(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    if call.len() % 3 != 2 {
        return Err("its inputs are not a scale, a zero point, and three for each part".into());
    }
    let parts = (2..call.len()).step_by(3).map(|i| dequantised(call, i)).collect::<Result<Vec<_>, _>>()?;
    let along = axis(call.int("axis").ok_or("its axis is missing")?, call.shape(&parts[0]).rank())?;
    let y = call.emit(Concat { axis: along }, &parts.iter().collect::<Vec<_>>())?;
    let (scale, first) = (scale(call, 0)?, call.operand(2)?);
    let zero = zero_point(call, 1, call.ty(&first).element, &scale)?;
    quantised(call, &y, &scale, &zero, 1)
}

fn q_gemm(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let alpha = call.float("alpha").unwrap_or(1.0);
    if alpha != 1.0 {
        return Err(format!("its alpha is {alpha}; only 1 can be read").into());
    }
    let stored_rows = truth(call, "transB");
    let a = dequantised(call, 0)?;
    let a = if truth(call, "transA") { transposed(call, &a)? } else { a };
    let b = dequantised_along(call, 3, usize::from(!stored_rows))?;
    let w = if stored_rows { b } else { transposed(call, &b)? };
    let bias = bias(call, 6, 1, 4)?;
    let y = dense(call, &a, &w, bias.as_ref())?;
    if call.has(7) { out(call, &y, 7) } else { Ok(y) }
}
