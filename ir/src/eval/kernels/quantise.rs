//! Between real numbers and codes: `x = scale * (code - zero_point)`.

use super::super::array::{Array, Real};
use crate::network::{Dequantise, Quantise};

/// The parameter that belongs to element `i` of a value: the only one, or the one at its place along the axis.
fn at(count: usize, i: usize, shape: &[usize], axis: usize) -> usize {
    if count == 1 {
        return 0;
    }
    let inner: usize = shape[axis + 1..].iter().product();
    i / inner % shape[axis]
}

pub(super) fn quantise<T: Real>(a: &Quantise, ins: &[&Array<T>]) -> Vec<i64> {
    let (x, scale, zero_point) = (ins[0].real(), ins[1].real(), ins[2].whole());
    let shape = &ins[0].ty.shape.0;
    let [least, most] = a.limits();
    let code = |(i, &x): (usize, &T)| {
        // The division is in the type of the scale, as ONNX says; the rest is exact in f64.
        let steps = (x / scale[at(scale.len(), i, shape, a.axis)]).to_f64();
        let zero = zero_point[at(zero_point.len(), i, shape, a.axis)];
        (a.rounding.round(steps) + zero as f64).clamp(least as f64, most as f64) as i64
    };
    x.iter().enumerate().map(code).collect()
}

pub(super) fn dequantise<T: Real>(a: &Dequantise, ins: &[&Array<T>]) -> Vec<T> {
    let (x, scale, zero_point) = (ins[0].whole(), ins[1].real(), ins[2].whole());
    let shape = &ins[0].ty.shape.0;
    let number = |(i, &x): (usize, &i64)| {
        let zero = zero_point[at(zero_point.len(), i, shape, a.axis)];
        T::from_f64((x - zero) as f64) * scale[at(scale.len(), i, shape, a.axis)]
    };
    x.iter().enumerate().map(number).collect()
}
