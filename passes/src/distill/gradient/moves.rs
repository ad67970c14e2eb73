//! Operators that move elements: their gradients move them back.

use nonresc_ir::network::{Pad, Reshape, Slice, Spread, Transpose};

use super::{Asked, Found, Refused};

pub(super) fn pad(asked: Asked<'_, '_>, op: &Pad) -> Result<Found, Refused> {
    let Asked { edit, operands, dy, .. } = asked;
    let len = edit.ty(operands[0]).shape.0.clone();
    let step = vec![1; len.len()];
    Ok(vec![(0, edit.add(Slice { start: op.before.clone(), step, len }, &[dy])?)])
}

pub(super) fn slice(asked: Asked<'_, '_>, op: &Slice) -> Result<Found, Refused> {
    let Asked { edit, operands, dy, .. } = asked;
    let extents = &edit.ty(operands[0]).shape.0;
    if (op.start.first(), op.step.first(), op.len.first()) != (Some(&0), Some(&1), extents.first()) {
        return Err(Refused::Why("it leaves frames out"));
    }
    let step: Option<Vec<usize>> = op.step[1..].iter().map(|&step| usize::try_from(step).ok()).collect();
    let step = step.ok_or(Refused::Why("it goes backwards"))?;
    let op = Spread { start: op.start[1..].to_vec(), step, dims: extents[1..].to_vec() };
    Ok(vec![(0, edit.add(op, &[dy])?)])
}

pub(super) fn concat(asked: Asked<'_, '_>, axis: usize) -> Result<Found, Refused> {
    let Asked { edit, operands, dy, wanted, .. } = asked;
    let mut found = Found::new();
    let mut first = 0;
    for (i, &operand) in operands.iter().enumerate() {
        let len = edit.ty(operand).shape.0.clone();
        let (mut start, step) = (vec![0; len.len()], vec![1; len.len()]);
        start[axis] = first;
        first += len[axis];
        if wanted[i] {
            found.push((i, edit.add(Slice { start, step, len }, &[dy])?));
        }
    }
    Ok(found)
}

pub(super) fn reshape(asked: Asked<'_, '_>) -> Result<Found, Refused> {
    let Asked { edit, operands, dy, .. } = asked;
    let (given, own) = (&edit.ty(dy).shape.0, &edit.ty(operands[0]).shape.0);
    let keep_batch = given.first() == own.first() && !own.is_empty();
    let dims = own[usize::from(keep_batch)..].to_vec();
    Ok(vec![(0, edit.add(Reshape { keep_batch, dims }, &[dy])?)])
}

pub(super) fn transpose(asked: Asked<'_, '_>, op: &Transpose) -> Result<Found, Refused> {
    let Asked { edit, dy, .. } = asked;
    let mut perm = vec![0; op.perm.len()];
    op.perm.iter().enumerate().for_each(|(to, &from)| perm[from] = to);
    Ok(vec![(0, edit.add(Transpose { perm }, &[dy])?)])
}
