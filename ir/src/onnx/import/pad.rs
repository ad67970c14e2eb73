//! Padding by constants; negative pads cut.

use super::attribute::{Attribute, Kind};
use super::call::{Call, Fault, axis, fault};
use super::importer::Item;
use super::table::Operator;
use crate::network::{Pad, Slice};

pub(super) const OPERATORS: &[Operator] = &[Operator::new("Pad", (1, 4), pad).with(&[
    Attribute::new("mode", Kind::Text),
    Attribute::new("pads", Kind::Ints).until(10),
    Attribute::new("value", Kind::Float).until(10),
])];

fn pad(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let shape = call.shape(&x).0;
    let rank = shape.len();
    if call.opset < 11 && call.len() > 1 {
        return Err(format!("at opset {} its pads are an attribute, not an input", call.opset).into());
    }
    if call.opset < 18 && call.has(3) {
        return Err(format!("at opset {} it has no axes", call.opset).into());
    }
    let pads = call.optional_ints(1, "list of pads")?.or(call.ints("pads").map(<[i64]>::to_vec));
    let pads = pads.ok_or("its pads are missing")?;
    let value = call.optional_scalar(2, "constant")?.or(call.float("value")).unwrap_or(0.0);
    let axes = match call.optional_ints(3, "list of axes")? {
        Some(list) => list.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!("it has {} pads for {} axes; each wants two", pads.len(), axes.len()).into());
    }
    let (mut before, mut after) = (vec![0i64; rank], vec![0i64; rank]);
    let mut seen = vec![false; rank];
    for (i, &a) in axes.iter().enumerate() {
        if std::mem::replace(&mut seen[a], true) {
            return Err(format!("it pads axis {a} twice").into());
        }
        (before[a], after[a]) = (pads[i], pads[axes.len() + i]);
    }
    if pads.iter().all(|&p| p == 0) {
        return Ok(x);
    }
    match call.text("mode").as_deref() {
        None | Some("constant") => {}
        Some(mode @ ("reflect" | "edge" | "wrap")) => {
            return Err(fault(
                format!("its mode is {mode}, but only constants can be padded in a stream"),
                "use zero padding",
            ));
        }
        Some(mode) => return Err(format!("its mode \"{mode}\" is not known").into()),
    }
    if !value.is_finite() {
        return Err(format!("it pads with {value}").into());
    }
    let x = cut(call, x, &shape, &before, &after)?;
    let grown = |p: &[i64]| p.iter().map(|&p| usize::try_from(p).unwrap_or(0)).collect::<Vec<_>>();
    let op = Pad { before: grown(&before), after: grown(&after), value };
    if op.before.iter().chain(&op.after).all(|&p| p == 0) { Ok(x) } else { call.emit(op, &[&x]) }
}

/// What negative pads leave.
fn cut(
    call: &mut Call<'_, '_>,
    x: Item,
    shape: &[usize],
    before: &[i64],
    after: &[i64],
) -> Result<Item, Fault> {
    if before.iter().chain(after).all(|&p| p >= 0) {
        return Ok(x);
    }
    let lost = |p: i64| usize::try_from(p.min(0).unsigned_abs()).unwrap_or(usize::MAX);
    let start: Vec<usize> = before.iter().map(|&p| lost(p)).collect();
    let len = shape.iter().zip(start.iter().zip(after)).map(|(&extent, (&s, &a))| {
        let left = extent.checked_sub(s).and_then(|n| n.checked_sub(lost(a)));
        left.filter(|&n| n > 0).ok_or(format!("its pads cut an axis of {extent} away"))
    });
    let len = len.collect::<Result<Vec<_>, _>>()?;
    call.emit(Slice { start, step: vec![1; shape.len()], len }, &[&x])
}
