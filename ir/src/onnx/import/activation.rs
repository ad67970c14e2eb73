//! Activations, and what an inference graph holds that computes nothing: Identity, Dropout, Cast.

use super::super::data::element;
use super::super::messages::tensor_proto::DataType;
use super::attribute::{Attribute, Kind};
use super::call::{Call, Fault, axis, fault};
use super::importer::Item;
use super::table::Operator;
use crate::network::{Cast, Clip, Element, LeakyRelu, Relu, Softmax};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Relu", (1, 1), |call| {
        let x = call.operand(0)?;
        call.emit(Relu {}, &[&x])
    }),
    Operator::new("Clip", (1, 3), clip)
        .with(&[Attribute::new("max", Kind::Float).until(10), Attribute::new("min", Kind::Float).until(10)]),
    Operator::new("LeakyRelu", (1, 1), |call| {
        let x = call.operand(0)?;
        let alpha = call.float("alpha").unwrap_or(0.01);
        call.emit(LeakyRelu { alpha }, &[&x])
    })
    .with(&[Attribute::new("alpha", Kind::Float)]),
    Operator::new("HardSwish", (1, 1), hard_swish).since(14),
    Operator::new("Softmax", (1, 1), softmax).with(&[Attribute::new("axis", Kind::Int)]),
    Operator::new("Identity", (1, 1), |call| call.operand(0)),
    Operator::new("Dropout", (1, 3), dropout)
        .with(&[Attribute::new("ratio", Kind::Float).until(11)])
        .ignoring(&["seed"]),
    Operator::new("Cast", (1, 1), cast)
        .with(&[Attribute::new("to", Kind::Int)])
        // Both speak of 8-bit floats alone.
        .ignoring(&["saturate", "round_mode"]),
    Operator::new("CastLike", (2, 2), |call| {
        let (x, like) = (call.operand(0)?, call.operand(1)?);
        let to = call.ty(&like).element;
        converted(call, &x, to)
    })
    .since(15)
    .ignoring(&["saturate", "round_mode"]),
];

fn clip(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    if call.opset < 11 && call.len() > 1 {
        return Err(format!("at opset {} its limits are attributes, not inputs", call.opset).into());
    }
    let min = call.optional_scalar(1, "lower limit")?.or(call.float("min"));
    let max = call.optional_scalar(2, "upper limit")?.or(call.float("max"));
    let op = Clip { min: min.unwrap_or(f64::NEG_INFINITY), max: max.unwrap_or(f64::INFINITY) };
    if op.min > op.max {
        return Err(format!("its lower limit {} is above its upper limit {}", op.min, op.max).into());
    }
    limited(call, &x, op)
}

/// A clip, as a rectifier where it is one.
pub(super) fn limited(call: &mut Call<'_, '_>, x: &Item, op: Clip) -> Result<Item, Fault> {
    if op.min == 0.0 && op.max == f64::INFINITY { call.emit(Relu {}, &[x]) } else { call.emit(op, &[x]) }
}

fn hard_swish(_: &mut Call<'_, '_>) -> Result<Item, Fault> {
    Err(fault("operator HardSwish is not supported", "train with Relu or a clipped Relu in its place"))
}

fn softmax(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let shape = call.shape(&x);
    let modern = call.opset >= 13;
    let along = axis(call.int("axis").unwrap_or(if modern { -1 } else { 1 }), shape.rank())?;
    // Before opset 13 all axes from this one on are normalised together.
    if !modern && shape.0[along + 1..].iter().any(|&d| d != 1) {
        return Err(format!(
            "at opset {} it normalises over axes {along} and up of {shape} at once",
            call.opset
        )
        .into());
    }
    call.emit(Softmax { axis: along }, &[&x])
}

fn dropout(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    if call.opset < 12 && call.len() > 1 {
        return Err(format!("at opset {} it takes one input", call.opset).into());
    }
    let ratio = call.optional_scalar(1, "ratio")?;
    if call.optional_scalar(2, "training_mode")?.is_some_and(|t| t != 0.0) && ratio != Some(0.0) {
        return Err(fault(
            "it is in training mode and drops values at random",
            "export the model in eval mode",
        ));
    }
    call.operand(0)
}

fn cast(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let to = call.int("to").ok_or("its attribute \"to\" is missing")?;
    let code = i32::try_from(to).map_err(|_| format!("its target type {to} is not known"))?;
    if code == DataType::Bfloat16 as i32 {
        return Err("it casts to BFLOAT16, which activations cannot have here".into());
    }
    let to = element(code).map_err(|why| format!("of its result: {why}"))?;
    converted(call, &x, to)
}

/// The item as elements of another type.
pub(super) fn converted(call: &mut Call<'_, '_>, x: &Item, to: Element) -> Result<Item, Fault> {
    if call.ty(x).element == to { Ok(x.clone()) } else { call.emit(Cast { to }, &[x]) }
}
