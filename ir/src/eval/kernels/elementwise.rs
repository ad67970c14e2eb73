//! Operators that compute each element from the elements at its place.

use super::super::array::{Array, Numbers, Real, wrap};
use crate::network::{Element, LeakyRelu, Shape, ValueType};

/// The place in a value of shape `from` that is repeated at place `i` of the broadcast shape `to`.
pub(super) fn source(i: usize, to: &Shape, from: &Shape) -> usize {
    let (mut left, mut place, mut stride) = (i, 0, 1);
    for (axis, &extent) in to.0.iter().enumerate().rev() {
        let here = left % extent;
        left /= extent;
        if let Some(axis) = (axis + from.rank()).checked_sub(to.rank()) {
            if from.0[axis] != 1 {
                place += here * stride;
            }
            stride *= from.0[axis];
        }
    }
    place
}

pub(super) fn binary<T: Real>(
    ins: &[&Array<T>],
    ty: &ValueType,
    real: fn(T, T) -> T,
    whole: fn(i64, i64) -> i64,
) -> Numbers<T> {
    let (a, b) = (ins[0], ins[1]);
    let same = a.ty.shape == b.ty.shape;
    let at = |i: usize, of: &Array<T>| if same { i } else { source(i, &ty.shape, &of.ty.shape) };
    let places = 0..ty.shape.len();
    if ty.element.is_float() {
        let (x, y) = (a.real(), b.real());
        Numbers::Real(places.map(|i| real(x[at(i, a)], y[at(i, b)])).collect())
    } else {
        let (x, y) = (a.whole(), b.whole());
        Numbers::Whole(places.map(|i| wrap(whole(x[at(i, a)], y[at(i, b)]), ty.element)).collect())
    }
}

/// Limits to `min..=max`; everywhere `max` where `min` is above it, as ONNX says.
pub(super) fn clip<T: Real>(x: &Array<T>, min: f64, max: f64) -> Numbers<T> {
    match &x.numbers {
        Numbers::Real(v) => {
            let (min, max) = (T::from_f64(min), T::from_f64(max));
            let limit = |&x: &T| {
                let low = if x < min { min } else { x };
                if low > max { max } else { low }
            };
            Numbers::Real(v.iter().map(limit).collect())
        }
        // A float converts to the nearest integer in range, so infinite limits limit nothing.
        Numbers::Whole(v) => {
            Numbers::Whole(v.iter().map(|&x| x.max(min.ceil() as i64).min(max.floor() as i64)).collect())
        }
    }
}

pub(super) fn leaky_relu<T: Real>(a: &LeakyRelu, x: &Array<T>) -> Numbers<T> {
    let alpha = T::from_f64(a.alpha);
    Numbers::Real(x.real().iter().map(|&x| if x < T::ZERO { alpha * x } else { x }).collect())
}

/// Conversion as ONNX does it: floats are cut to integers, integers wrap, anything but zero is true.
pub(super) fn cast<T: Real>(x: &Array<T>, to: Element) -> Numbers<T> {
    match (&x.numbers, to) {
        (Numbers::Real(v), Element::F16 | Element::F32 | Element::F64) => Numbers::Real(
            v.iter()
                .map(|x| if to == Element::F32 { T::from_f64(f64::from(x.to_f64() as f32)) } else { *x })
                .collect(),
        ),
        (Numbers::Real(v), Element::Bool) => {
            Numbers::Whole(v.iter().map(|&x| i64::from(x != T::ZERO)).collect())
        }
        (Numbers::Real(v), Element::Int { .. }) => {
            Numbers::Whole(v.iter().map(|x| wrap(x.to_f64() as i64, to)).collect())
        }
        (Numbers::Whole(v), Element::F16 | Element::F32 | Element::F64) => {
            Numbers::Real(v.iter().map(|&x| T::from_f64(x as f64)).collect())
        }
        (Numbers::Whole(v), Element::Bool) => Numbers::Whole(v.iter().map(|&x| i64::from(x != 0)).collect()),
        (Numbers::Whole(v), Element::Int { .. }) => Numbers::Whole(v.iter().map(|&x| wrap(x, to)).collect()),
    }
}
