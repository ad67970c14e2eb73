//! Values known here and now: constants, and the arithmetic on shapes that exporters write around reshapes and
//! pads. Each result is paid for from the import's budget before it is allocated.

use std::sync::Arc;

use super::attribute::{Attribute, Kind, find};
use super::call::{Call, Fault, axis};
use super::constant::{picked, repeated, together};
use super::importer::Item;
use super::table::Operator;
use crate::network::{Element, Shape};
use crate::tensor::{Data, Tensor};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Constant", (0, 0), constant).with(&[
        Attribute::new("value", Kind::Tensor),
        Attribute::new("value_float", Kind::Float).since(12),
        Attribute::new("value_floats", Kind::Floats).since(12),
        Attribute::new("value_int", Kind::Int).since(12),
        Attribute::new("value_ints", Kind::Ints).since(12),
    ]),
    Operator::new("Shape", (1, 1), shape)
        .with(&[Attribute::new("end", Kind::Int).since(15), Attribute::new("start", Kind::Int).since(15)]),
    Operator::new("Size", (1, 1), |call| {
        let x = call.operand(0)?;
        let size = call.shape(&x).len() as i64;
        tensor(Element::I64, Shape::default(), Data::I64(vec![size]))
    }),
    Operator::new("Gather", (2, 2), gather).with(&[Attribute::new("axis", Kind::Int)]),
    Operator::new("ConstantOfShape", (1, 1), constant_of_shape)
        .with(&[Attribute::new("value", Kind::Tensor)])
        .since(9),
    Operator::new("Expand", (2, 2), expand).since(8),
    Operator::new("Range", (3, 3), range).since(11),
    Operator::new("Where", (3, 3), select).since(9),
    Operator::new("Equal", (2, 2), |call| compare(call, |a, b| a == b)),
    Operator::new("Less", (2, 2), |call| compare(call, |a, b| a < b)),
    Operator::new("Greater", (2, 2), |call| compare(call, |a, b| a > b)),
    Operator::new("Sqrt", (1, 1), |call| map(call, f64::sqrt)),
    Operator::new("Reciprocal", (1, 1), |call| map(call, f64::recip)),
    Operator::new("Neg", (1, 1), |call| map(call, |x| -x)),
    Operator::new("Abs", (1, 1), |call| map(call, f64::abs)),
    Operator::new("Floor", (1, 1), |call| map(call, f64::floor)),
    Operator::new("Ceil", (1, 1), |call| map(call, f64::ceil)),
];

fn tensor(element: Element, shape: Shape, data: Data) -> Result<Item, Fault> {
    let tensor = Tensor::new(element, shape, data).ok_or("its numbers do not fit its shape")?;
    Ok(Item::Const(Arc::new(tensor)))
}

fn constant(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let [attribute] = &call.node.attribute[..] else {
        return Err("it must have exactly one value".into());
    };
    let list = |n: usize| Shape(vec![n]);
    match attribute.name() {
        "value" => {
            let message = attribute.t.as_ref().ok_or("its value holds no tensor")?;
            Ok(Item::Const(call.importer.load(message)?))
        }
        "value_float" => tensor(Element::F32, Shape::default(), Data::F32(vec![attribute.f()])),
        "value_floats" => {
            tensor(Element::F32, list(attribute.floats.len()), Data::F32(attribute.floats.clone()))
        }
        "value_int" => tensor(Element::I64, Shape::default(), Data::I64(vec![attribute.i()])),
        _ => tensor(Element::I64, list(attribute.ints.len()), Data::I64(attribute.ints.clone())),
    }
}

fn shape(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let extents: Vec<i64> = call.shape(&x).0.iter().map(|&d| d as i64).collect();
    let rank = extents.len() as i64;
    let clamped = |v: i64| (if v < 0 { v.saturating_add(rank) } else { v }).clamp(0, rank) as usize;
    let (start, end) = (clamped(call.int("start").unwrap_or(0)), clamped(call.int("end").unwrap_or(rank)));
    let part = if start < end { extents[start..end].to_vec() } else { Vec::new() };
    Ok(Item::Const(Arc::new(Tensor::i64s(part))))
}

fn gather(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.constant(0, "data")?;
    let indices = call.constant(1, "list of indices")?;
    let from = x.shape().0.clone();
    let along = axis(call.int("axis").unwrap_or(0), from.len())?;
    let extent = from[along] as i64;
    let numbers = indices.to_i64().ok_or(format!("its indices are {}, not whole", indices.element()))?;
    let chosen = numbers.iter().map(|&i| {
        let i = if i < 0 { i.saturating_add(extent) } else { i };
        if (0..extent).contains(&i) {
            Ok(i as usize)
        } else {
            Err(format!("index {i} is beyond axis {along} of {extent} elements"))
        }
    });
    let chosen = chosen.collect::<Result<Vec<usize>, _>>()?;
    let result = Shape([&from[..along], &indices.shape().0, &from[along + 1..]].concat());
    call.importer.budget.take(x.element(), &result)?;
    let inner: usize = from[along + 1..].iter().product();
    let place = |i: usize| {
        let (outer, j, rest) = (i / (inner * chosen.len()), i / inner % chosen.len(), i % inner);
        (outer * from[along] + chosen[j]) * inner + rest
    };
    Ok(Item::Const(Arc::new(picked(&x, result, place)?)))
}

/// Extents from a list of whole numbers.
fn extents(list: &[i64]) -> Result<Shape, Fault> {
    let dims = list.iter().map(|&d| usize::try_from(d)).collect::<Result<Vec<_>, _>>();
    Ok(Shape(dims.map_err(|_| format!("its shape {list:?} holds a negative number"))?))
}

fn constant_of_shape(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let list = call.optional_ints(0, "shape")?.ok_or("its shape is missing")?;
    let result = extents(&list)?;
    let value = match find(call.node, "value") {
        None => Arc::new(Tensor::f32([1], vec![0.0]).ok_or("one number is one number")?),
        Some(attribute) => {
            let message = attribute.t.as_ref().ok_or("its value holds no tensor")?;
            call.importer.load(message)?
        }
    };
    if value.len() != 1 {
        return Err(format!("its value has {} numbers, not one", value.len()).into());
    }
    call.importer.budget.take(value.element(), &result)?;
    Ok(Item::Const(Arc::new(picked(&value, result, |_| 0)?)))
}

fn expand(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let list = call.optional_ints(1, "shape")?.ok_or("its shape is missing")?;
    let wanted = extents(&list)?;
    let x = call.operand(0)?;
    let result = together(&call.shape(&x), &wanted)?;
    if call.shape(&x) == result {
        return Ok(x);
    }
    let x = call.constant(0, "data")?;
    call.importer.budget.take(x.element(), &result)?;
    let from = x.shape().clone();
    Ok(Item::Const(Arc::new(picked(&x, result.clone(), |i| repeated(&result, &from, i))?)))
}

fn range(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let mut ends = [0.0; 3];
    let element = call.constant(0, "start")?.element();
    for (i, what) in ["start", "limit", "step"].into_iter().enumerate() {
        if call.constant(i, what)?.element() != element {
            return Err("its start, limit and step are of different types".into());
        }
        ends[i] = call.optional_scalar(i, what)?.ok_or("it takes three numbers")?;
    }
    let [start, limit, step] = ends;
    let count = ((limit - start) / step).ceil().max(0.0);
    if !count.is_finite() || count > 1e15 {
        return Err(format!("it counts from {start} to {limit} in steps of {step}").into());
    }
    let result = Shape(vec![count as usize]);
    // The numbers pass through a list of 8 bytes each.
    call.importer.budget.take(Element::F64, &result)?;
    let numbers: Vec<f64> = (0..count as usize).map(|i| start + i as f64 * step).collect();
    let range = Tensor::from_f64(element, result, &numbers).ok_or("its numbers do not fit its type")?;
    Ok(Item::Const(Arc::new(range)))
}

fn select(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let (c, a, b) = (
        call.constant(0, "condition")?,
        call.constant(1, "first choice")?,
        call.constant(2, "other choice")?,
    );
    if c.element() != Element::Bool || a.element() != b.element() {
        return Err("its condition is not bool, or its choices are of different types".into());
    }
    let result = together(&together(c.shape(), a.shape())?, b.shape())?;
    call.importer.budget.take(Element::F64, &result)?;
    let (truth, yes, no) = (c.to_f64(), a.to_f64(), b.to_f64());
    let numbers: Vec<f64> = (0..result.len())
        .map(|i| {
            if truth[repeated(&result, c.shape(), i)] != 0.0 {
                yes[repeated(&result, a.shape(), i)]
            } else {
                no[repeated(&result, b.shape(), i)]
            }
        })
        .collect();
    let chosen =
        Tensor::from_f64(a.element(), result, &numbers).ok_or("its numbers do not fit their type")?;
    Ok(Item::Const(Arc::new(chosen)))
}

fn compare(call: &mut Call<'_, '_>, holds: fn(f64, f64) -> bool) -> Result<Item, Fault> {
    let (a, b) = (call.constant(0, "left operand")?, call.constant(1, "right operand")?);
    let result = together(a.shape(), b.shape())?;
    call.importer.budget.take(Element::F64, &result)?;
    let (left, right) = (a.to_f64(), b.to_f64());
    let truth = (0..result.len())
        .map(|i| holds(left[repeated(&result, a.shape(), i)], right[repeated(&result, b.shape(), i)]))
        .collect();
    tensor(Element::Bool, result.clone(), Data::Bool(truth))
}

fn map(call: &mut Call<'_, '_>, f: fn(f64) -> f64) -> Result<Item, Fault> {
    let x = call.constant(0, "operand")?;
    call.importer.budget.take(Element::F64, x.shape())?;
    let numbers: Vec<f64> = x.to_f64().into_iter().map(f).collect();
    let result = Tensor::from_f64(x.element(), x.shape().clone(), &numbers);
    Ok(Item::Const(Arc::new(result.ok_or("its results do not fit its type")?)))
}
