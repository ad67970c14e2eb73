//! Means over axes, as global average pools where they are that.

use super::attribute::{Attribute, Kind};
use super::call::{Call, Fault, axes};
use super::importer::Item;
use super::shape::reshaped;
use super::table::Operator;
use crate::network::{GlobalAvgPool, ReduceMean};

pub(super) const OPERATORS: &[Operator] = &[Operator::new("ReduceMean", (1, 2), mean).with(&[
    Attribute::new("axes", Kind::Ints).until(17),
    Attribute::new("keepdims", Kind::Int),
    Attribute::new("noop_with_empty_axes", Kind::Int).since(18),
])];

fn mean(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let shape = call.shape(&x);
    let keep_axes = call.flag("keepdims", true)?;
    let noop = call.flag("noop_with_empty_axes", false)?;
    if call.opset < 18 && call.has(1) {
        return Err(format!("at opset {} its axes are an attribute, not an input", call.opset).into());
    }
    let list = match call.optional_ints(1, "list of axes")? {
        Some(list) => list,
        None => call.ints("axes").unwrap_or(&[]).to_vec(),
    };
    let axes = match list[..] {
        [] if noop => return Ok(x),
        [] => (0..shape.rank()).collect(),
        _ => axes(&list, shape.rank())?,
    };
    if shape.rank() != 4 || axes != [2, 3] || matches!(x, Item::Const(_)) {
        return call.emit(ReduceMean { axes, keep_axes }, &[&x]);
    }
    let mean = call.emit(GlobalAvgPool {}, &[&x])?;
    if keep_axes { Ok(mean) } else { reshaped(call, &mean, shape.0[..2].to_vec()) }
}
