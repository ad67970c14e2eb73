//! Sums, differences, products, quotients, means and limits of operands that broadcast.

use std::sync::Arc;

use super::activation::limited;
use super::call::{Call, Fault, fault};
use super::importer::Item;
use super::table::Operator;
use crate::network::{Add, Clip, Div, Mul, Op, Sub};
use crate::tensor::Tensor;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Add", (2, 2), |call| chain(call, Add {}.into())),
    Operator::new("Sub", (2, 2), |call| chain(call, Sub {}.into())),
    Operator::new("Mul", (2, 2), |call| chain(call, Mul {}.into())),
    Operator::new("Div", (2, 2), divide),
    Operator::new("Sum", (1, usize::MAX), |call| chain(call, Add {}.into())),
    Operator::new("Mean", (1, usize::MAX), mean).since(8),
    Operator::new("Max", (1, usize::MAX), |call| limit(call, true)),
    Operator::new("Min", (1, usize::MAX), |call| limit(call, false)),
];

/// The operands one after the other.
fn chain(call: &mut Call<'_, '_>, op: Op) -> Result<Item, Fault> {
    let mut result = call.operand(0)?;
    for i in 1..call.len() {
        let next = call.operand(i)?;
        result = call.emit(op.clone(), &[&result, &next])?;
    }
    Ok(result)
}

fn divide(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    if let Item::Const(divisor) = call.operand(1)?
        && divisor.to_f64().contains(&0.0)
    {
        return Err(format!("its divisor {} holds a zero", call.name(1)).into());
    }
    chain(call, Div {}.into())
}

fn mean(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let sum = chain(call, Add {}.into())?;
    if call.len() == 1 {
        return Ok(sum);
    }
    let count = Tensor::from_f64(call.ty(&sum).element, [], &[call.len() as f64])
        .ok_or("its operands are not numbers that can be divided")?;
    call.emit(Div {}, &[&sum, &Item::Const(Arc::new(count))])
}

/// `Max` and `Min` of one operand and of single constants: a limit, or a rectifier.
fn limit(call: &mut Call<'_, '_>, lower: bool) -> Result<Item, Fault> {
    let mut bounds = Vec::new();
    let mut value: Option<Item> = None;
    for i in 0..call.len() {
        let item = call.operand(i)?;
        match &item {
            Item::Const(t) if t.len() == 1 && (i > 0 || call.len() > 1) => bounds.push((t.to_f64()[0], item)),
            _ if value.is_none() => value = Some(item),
            _ => {
                return Err(fault(
                    "more than one of its operands is not a single constant",
                    "only Max(x, constant) and Min(x, constant) can be read: write it as Relu or Clip",
                ));
            }
        }
    }
    let mut value = match value {
        Some(value) => value,
        None => bounds.pop().map(|(_, item)| item).ok_or("it has no operand")?,
    };
    let rank = call.shape(&value).rank();
    for (bound, item) in bounds {
        if call.shape(&item).rank() > rank {
            return Err(format!("its constant {bound} has more axes than its other operand").into());
        }
        if call.ty(&item).element != call.ty(&value).element {
            return Err("its operands are of different types".into());
        }
        let op = if lower {
            Clip { min: bound, max: f64::INFINITY }
        } else {
            Clip { min: f64::NEG_INFINITY, max: bound }
        };
        value = limited(call, &value, op)?;
    }
    Ok(value)
}
