//! Arithmetic and activations, place by place, and quantisers as if they did not round.

use nonresc_ir::id::Value;
use nonresc_ir::network::{Clip, Edit, Gate, LeakyRelu, Mul, Network, Op, Quantise, Sub};
use nonresc_ir::tensor::Tensor;

use super::{Asked, Found, Refused};

/// Of operands of the result's own shape the gradient is `of` each; others are wanted of none.
fn each(
    asked: Asked<'_, '_>,
    of: impl Fn(&mut Edit<'_>, usize, Value) -> Result<Value, Refused>,
) -> Result<Found, Refused> {
    let Asked { edit, operands, dy, wanted, .. } = asked;
    let mut found = Found::new();
    for (i, &operand) in operands.iter().enumerate().filter(|&(i, _)| wanted[i]) {
        if edit.ty(operand) != edit.ty(dy) {
            return Err(Refused::Why("an operand is repeated along an axis"));
        }
        found.push((i, of(edit, i, dy)?));
    }
    Ok(found)
}

pub(super) fn add(asked: Asked<'_, '_>) -> Result<Found, Refused> {
    each(asked, |_, _, dy| Ok(dy))
}

pub(super) fn sub(asked: Asked<'_, '_>) -> Result<Found, Refused> {
    each(asked, |edit, operand, dy| {
        if operand == 0 {
            return Ok(dy);
        }
        let zero = Tensor::from_f64(edit.ty(dy).element, [], &[0.0]);
        let zero = edit.constant(zero.ok_or(Refused::Why("its numbers are no floats"))?);
        Ok(edit.add(Sub {}, &[zero, dy])?)
    })
}

pub(super) fn mul(asked: Asked<'_, '_>) -> Result<Found, Refused> {
    let factors = asked.operands.clone();
    each(asked, |edit, operand, dy| Ok(edit.add(Mul {}, &[dy, factors[1 - operand]])?))
}

/// By the result, which is above zero where the operand is, so that the operand need not be kept.
pub(super) fn relu(asked: Asked<'_, '_>) -> Result<Found, Refused> {
    let Asked { edit, node, dy, .. } = asked;
    Ok(vec![(0, edit.add(Gate { min: 0.0, ..Gate::default() }, &[node.into(), dy])?)])
}

pub(super) fn clip(asked: Asked<'_, '_>, op: &Clip) -> Result<Found, Refused> {
    if !asked.edit.ty(asked.operands[0]).element.is_float() {
        return clipped_codes(asked, op);
    }
    let Asked { edit, node, dy, .. } = asked;
    Ok(vec![(0, edit.add(Gate { min: op.min, max: op.max, below: 0.0 }, &[node.into(), dy])?)])
}

/// Codes of fewer bits than a type has are clipped: what passes is said of the numbers that were rounded to them.
fn clipped_codes(asked: Asked<'_, '_>, op: &Clip) -> Result<Found, Refused> {
    let Asked { edit, operands, dy, .. } = asked;
    let rounded = edit.operands(operands[0].node);
    let (Op::Quantise(_), Some((scale, zero))) = (edit.op(operands[0].node), scale_and_zero(edit, &rounded))
    else {
        return Err(Refused::Why("it clips codes that no quantiser of one scale gave"));
    };
    let (min, max) = ((op.min - zero - 0.5) * scale, (op.max - zero + 0.5) * scale);
    Ok(vec![(0, edit.add(Gate { min, max, below: 0.0 }, &[rounded[0], dy])?)])
}

/// The one scale and the one zero point of a quantiser with these operands.
fn scale_and_zero(network: &Network, operands: &[Value]) -> Option<(f64, f64)> {
    let number = |value: Value| {
        let all = network.constant(value)?.to_f64();
        if let [one] = all[..] { Some(one) } else { None }
    };
    number(operands[1]).zip(number(operands[2]))
}

pub(super) fn leaky_relu(asked: Asked<'_, '_>, op: &LeakyRelu) -> Result<Found, Refused> {
    let Asked { edit, operands, dy, .. } = asked;
    Ok(vec![(0, edit.add(Gate { min: 0.0, below: op.alpha, ..Gate::default() }, &[operands[0], dy])?)])
}

/// Straight through where the number is within the codes, nothing where it was clipped (Bengio et al., 2013). Scales by
/// channel are those of weights, none of which is clipped by much: all pass.
pub(super) fn quantise(asked: Asked<'_, '_>, op: &Quantise) -> Result<Found, Refused> {
    let Asked { edit, operands, dy, .. } = asked;
    let Some((scale, zero)) = scale_and_zero(edit, &operands) else {
        return Ok(vec![(0, dy)]);
    };
    let [least, most] = op.limits().map(|code| code as f64);
    // Half a step beyond the last code is still rounded to it.
    let (min, max) = ((least - zero - 0.5) * scale, (most - zero + 0.5) * scale);
    Ok(vec![(0, edit.add(Gate { min, max, below: 0.0 }, &[operands[0], dy])?)])
}

/// The gradient of codes is that of the numbers that they stand for: see [`quantise`].
pub(super) fn dequantise(asked: Asked<'_, '_>) -> Result<Found, Refused> {
    Ok(vec![(0, asked.dy)])
}
