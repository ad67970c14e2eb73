//! Arithmetic and activations, place by place, and quantisers as if they did not round.

use nonresc_ir::id::Value;
use nonresc_ir::network::{
    ChannelSum, Clip, Div, Edit, Gate, LeakyRelu, Mul, Network, Op, Quantise, ReduceMean, Sub,
};
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
    each(asked, |edit, operand, dy| if operand == 0 { Ok(dy) } else { negative(edit, dy) })
}

/// y = a b, where b may be a scale.
pub(super) fn mul(mut asked: Asked<'_, '_>) -> Result<Found, Refused> {
    let (factors, dy) = (asked.operands.clone(), asked.dy);
    let is_repeated = asked.edit.ty(factors[1]) != asked.edit.ty(dy);
    let scale = match is_repeated {
        true => scale(&mut asked, |edit| Ok(edit.add(Mul {}, &[dy, factors[0]])?))?,
        false => None,
    };
    let found = each(asked, |edit, operand, dy| Ok(edit.add(Mul {}, &[dy, factors[1 - operand]])?))?;
    Ok(found.into_iter().chain(scale).collect())
}

/// y = x / s, where s is a scale: the gradient of x is dy / s, and that of s minus the sum of that times y.
pub(super) fn div(mut asked: Asked<'_, '_>) -> Result<Found, Refused> {
    let (node, operands, dy) = (asked.node, asked.operands.clone(), asked.dy);
    if !is_scale(asked.edit, operands[1], dy) {
        return Err(Refused::Why("it divides by more than a scale"));
    }
    let dx = asked.edit.add(Div {}, &[dy, operands[1]])?;
    let less = scale(&mut asked, |edit| Ok(edit.add(Mul {}, &[dx, node.into()])?))?;
    let Asked { edit, wanted, .. } = asked;
    let mut found = Found::new();
    if wanted[0] {
        found.push((0, dx));
    }
    if let Some((operand, sum)) = less {
        found.push((operand, negative(edit, sum)?));
    }
    Ok(found)
}

/// Whether a value is one number for all of `of`, or one for each index of its first axis.
fn is_scale(network: &Network, value: Value, of: Value) -> bool {
    let (own, all) = (&network.ty(value).shape.0, &network.ty(of).shape.0);
    let by_row = own.len() > 1 && own.len() == all.len() && own[0] == all[0];
    own.is_empty() || by_row && own[1..].iter().all(|&n| n == 1)
}

/// The gradient of the second operand, where it is a scale that is asked for: the sum of what `of` has for each number of
/// the result. It is then asked for no more.
fn scale(
    asked: &mut Asked<'_, '_>,
    of: impl Fn(&mut Edit<'_>) -> Result<Value, Refused>,
) -> Result<Option<(usize, Value)>, Refused> {
    let (dy, scale) = (asked.dy, asked.operands[1]);
    if !asked.wanted[1] || !is_scale(asked.edit, scale, dy) {
        return Ok(None);
    }
    asked.wanted[1] = false;
    let edit = &mut *asked.edit;
    let all = of(edit)?;
    let rank = edit.ty(all).shape.rank();
    if edit.ty(scale).shape.rank() > 0 {
        return Ok(Some((1, sum(edit, all, (1..rank).collect(), true)?)));
    }
    // By channel first: sums of many numbers are left to the operator that is good at them.
    let few = if rank > 1 { edit.add(ChannelSum {}, &[all])? } else { all };
    let axes = (0..edit.ty(few).shape.rank()).collect();
    Ok(Some((1, sum(edit, few, axes, false)?)))
}

/// The sum along axes.
fn sum(edit: &mut Edit<'_>, x: Value, axes: Vec<usize>, keep_axes: bool) -> Result<Value, Refused> {
    let count: usize = axes.iter().map(|&axis| edit.ty(x).shape.0[axis]).product();
    let mean = edit.add(ReduceMean { axes, keep_axes }, &[x])?;
    let count = Tensor::from_f64(edit.ty(x).element, [], &[count as f64]);
    let count = edit.constant(count.ok_or(NO_FLOATS)?);
    Ok(edit.add(Mul {}, &[mean, count])?)
}

fn negative(edit: &mut Edit<'_>, x: Value) -> Result<Value, Refused> {
    let zero = Tensor::from_f64(edit.ty(x).element, [], &[0.0]);
    let zero = edit.constant(zero.ok_or(NO_FLOATS)?);
    Ok(edit.add(Sub {}, &[zero, x])?)
}

const NO_FLOATS: Refused = Refused::Why("its numbers are no floats");

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
