//! Types of the operators that keep places: arithmetic, activations, batch normalisation, softmax, casts.

use super::super::op::{BatchNorm, Cast, Clip, LeakyRelu};
use super::super::types::{Element, ValueType};
use super::{broadcast, want_axis, want_float, want_number, want_same_element};

pub(super) fn binary(ins: &[&ValueType]) -> Result<ValueType, String> {
    let (a, b) = (ins[0], ins[1]);
    want_number("an operand", a)?;
    want_same_element(("the left operand", a), ("the right one", b))?;
    Ok(ValueType::new(a.element, broadcast(&a.shape, &b.shape)?))
}

pub(super) fn batch_norm(a: &BatchNorm, ins: &[&ValueType]) -> Result<ValueType, String> {
    let x = ins[0];
    want_float("x", x)?;
    want_axis(1, x)?;
    if !(a.epsilon.is_finite() && a.epsilon >= 0.0) {
        return Err(format!("its epsilon {} is no small positive number", a.epsilon));
    }
    let channels = x.shape.0[1];
    for (what, v) in ["the scale", "the bias", "the mean", "the variance"].into_iter().zip(&ins[1..]) {
        want_same_element(("x", x), (what, v))?;
        if v.shape.0 != [channels] {
            return Err(format!("{what} has shape {}, but x has {channels} channels", v.shape));
        }
    }
    Ok(x.clone())
}

pub(super) fn relu(ins: &[&ValueType]) -> Result<ValueType, String> {
    want_number("x", ins[0])?;
    Ok(ins[0].clone())
}

pub(super) fn clip(a: &Clip, ins: &[&ValueType]) -> Result<ValueType, String> {
    want_number("x", ins[0])?;
    if a.min.is_nan() || a.max.is_nan() {
        return Err(format!("its limits {} and {} are no numbers", a.min, a.max));
    }
    Ok(ins[0].clone())
}

pub(super) fn leaky_relu(a: &LeakyRelu, ins: &[&ValueType]) -> Result<ValueType, String> {
    want_float("x", ins[0])?;
    if !a.alpha.is_finite() {
        return Err(format!("its slope {} is not finite", a.alpha));
    }
    Ok(ins[0].clone())
}

/// Of a softmax and its logarithm.
pub(super) fn along(axis: usize, ins: &[&ValueType]) -> Result<ValueType, String> {
    want_float("x", ins[0])?;
    want_axis(axis, ins[0])?;
    Ok(ins[0].clone())
}

pub(super) fn cast(a: &Cast, ins: &[&ValueType]) -> Result<ValueType, String> {
    if let Element::Int { bits: 0 | 65.., .. } = a.to {
        return Err(format!("there is no type {}: integers have 1 to 64 bits", a.to));
    }
    Ok(ValueType::new(a.to, ins[0].shape.clone()))
}
