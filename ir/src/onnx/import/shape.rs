//! The same elements in another shape or order: reshapes in all their spellings, transposes, joins.

use super::Level;
use super::attribute::{Attribute, Kind};
use super::call::{Call, Fault, axes, axis, fault};
use super::importer::Item;
use super::table::Operator;
use crate::network::{Batch, Concat, Reshape, Transpose};

const AXES_UNTIL_12: Attribute = Attribute::new("axes", Kind::Ints).until(12);

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Reshape", (2, 2), reshape).with(&[Attribute::new("allowzero", Kind::Int).since(14)]),
    Operator::new("Flatten", (1, 1), flatten).with(&[Attribute::new("axis", Kind::Int)]),
    Operator::new("Squeeze", (1, 2), squeeze).with(&[AXES_UNTIL_12]),
    Operator::new("Unsqueeze", (1, 2), unsqueeze).with(&[AXES_UNTIL_12]),
    Operator::new("Transpose", (1, 1), transpose).with(&[Attribute::new("perm", Kind::Ints)]),
    Operator::new("Concat", (1, usize::MAX), concat).with(&[Attribute::new("axis", Kind::Int)]),
];

/// The item in the shape `dims`; of an activation, axis 0 stays what it is.
pub(super) fn reshaped(call: &mut Call<'_, '_>, x: &Item, dims: Vec<usize>) -> Result<Item, Fault> {
    let shape = call.shape(x);
    if shape.0 == dims {
        return Ok(x.clone());
    }
    let activation = call.importer.level == Level::Network && matches!(x, Item::Value { fixed: false, .. });
    if !activation {
        return call.emit(Reshape { keep_batch: false, dims }, &[x]);
    }
    match dims.split_first() {
        Some((&first, rest)) if first == shape.0[0] => {
            call.emit(Reshape { keep_batch: true, dims: rest.to_vec() }, &[x])
        }
        _ => Err(fault(
            format!("it brings {shape} to {dims:?}, which mixes the batch (axis 0) with other axes"),
            "keep the batch on axis 0 of every activation",
        )),
    }
}

fn reshape(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let target = call.optional_ints(1, "target shape")?.ok_or("its target shape is missing")?;
    let keep_zero = call.flag("allowzero", false)?;
    let dims = resolved(&call.shape(&x).0, &target, keep_zero)?;
    reshaped(call, &x, dims)
}

/// The extents that a target with 0 (copy) and -1 (the rest) means.
fn resolved(from: &[usize], target: &[i64], keep_zero: bool) -> Result<Vec<usize>, Fault> {
    let mut dims = Vec::with_capacity(target.len());
    let mut rest = None;
    for (i, &t) in target.iter().enumerate() {
        dims.push(match t {
            -1 if rest.is_some() => {
                return Err(format!("its target shape {target:?} has more than one -1").into());
            }
            -1 => {
                rest = Some(i);
                1
            }
            0 if !keep_zero => *from
                .get(i)
                .ok_or(format!("its target shape {target:?} copies axis {i}, which is not there"))?,
            _ => usize::try_from(t).map_err(|_| format!("its target shape {target:?} holds {t}"))?,
        });
    }
    let product = |dims: &[usize]| dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let (have, want) = (product(from), product(&dims));
    let does_not_fit = || Fault::from(format!("{from:?} cannot be brought to {target:?}"));
    let (have, want) = have.zip(want).ok_or_else(does_not_fit)?;
    match rest {
        Some(i) if want > 0 && have % want == 0 => dims[i] = have / want,
        None if have == want => {}
        _ => return Err(does_not_fit()),
    }
    Ok(dims)
}

fn flatten(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let shape = call.shape(&x).0;
    let rank = shape.len();
    let at = match call.int("axis").unwrap_or(1) {
        end if end == rank as i64 => rank,
        a => axis(a, rank)?,
    };
    let dims = vec![shape[..at].iter().product(), shape[at..].iter().product()];
    reshaped(call, &x, dims)
}

/// Axes from the attribute or, since opset 13, from an input.
fn listed(call: &mut Call<'_, '_>) -> Result<Option<Vec<i64>>, Fault> {
    if call.opset < 13 && call.has(1) {
        return Err(format!("at opset {} its axes are an attribute, not an input", call.opset).into());
    }
    Ok(call.optional_ints(1, "list of axes")?.or(call.ints("axes").map(<[i64]>::to_vec)))
}

fn squeeze(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let shape = call.shape(&x).0;
    let gone = match listed(call)? {
        Some(list) => axes(&list, shape.len())?,
        None => {
            // An open batch is not 1, whatever one frame says.
            let open = matches!(x, Item::Value { fixed: false, .. })
                && matches!(call.importer.network.inputs().first(), Some(i) if matches!(i.batch, Batch::Dynamic(_)));
            (usize::from(open)..shape.len()).filter(|&a| shape[a] == 1).collect()
        }
    };
    if let Some(&a) = gone.iter().find(|&&a| shape[a] != 1) {
        return Err(format!("it drops axis {a}, whose extent is {}", shape[a]).into());
    }
    let dims = (0..shape.len()).filter(|a| !gone.contains(a)).map(|a| shape[a]).collect();
    reshaped(call, &x, dims)
}

fn unsqueeze(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let list = listed(call)?.ok_or("its axes are missing")?;
    let shape = call.shape(&x).0;
    let rank = shape.len() + list.len();
    if rank > crate::network::MAX_RANK {
        return Err(format!("its result would have {rank} axes").into());
    }
    let new = axes(&list, rank)?;
    let mut old = shape.into_iter();
    let dims = (0..rank).filter_map(|a| if new.contains(&a) { Some(1) } else { old.next() }).collect();
    reshaped(call, &x, dims)
}

fn transpose(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let rank = call.shape(&x).rank();
    let perm: Vec<usize> = match call.ints("perm") {
        None => (0..rank).rev().collect(),
        Some(perm) => perm
            .iter()
            .map(|&p| usize::try_from(p).map_err(|_| format!("its perm {perm:?} holds {p}")))
            .collect::<Result<_, _>>()?,
    };
    if perm.iter().copied().eq(0..rank) {
        return Ok(x);
    }
    call.emit(Transpose { perm }, &[&x])
}

fn concat(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let items = (0..call.len()).map(|i| call.operand(i)).collect::<Result<Vec<_>, _>>()?;
    let along = call.int("axis").ok_or("its axis is missing")?;
    let along = axis(along, call.shape(&items[0]).rank())?;
    match &items[..] {
        [one] => Ok(one.clone()),
        _ => call.emit(Concat { axis: along }, &items.iter().collect::<Vec<_>>()),
    }
}
