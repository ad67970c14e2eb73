//! Normalisations: batch normalisation with given statistics, softmax.

use super::super::array::{Array, Real};
use crate::network::{BatchNorm, LogSoftmax, Softmax};

pub(super) fn batch_norm<T: Real>(a: &BatchNorm, ins: &[&Array<T>]) -> Vec<T> {
    let [x, scale, bias, mean, variance] = ins else { unreachable!("inference wants five operands") };
    let channels = x.ty.shape.0[1];
    let plane: usize = x.ty.shape.0[2..].iter().product();
    let epsilon = T::from_f64(a.epsilon);
    let normalise = |(i, &x): (usize, &T)| {
        let c = i / plane % channels;
        (x - mean.real()[c]) / (variance.real()[c] + epsilon).sqrt() * scale.real()[c] + bias.real()[c]
    };
    x.real().iter().enumerate().map(normalise).collect()
}

pub(super) fn softmax<T: Real>(a: &Softmax, x: &Array<T>) -> Vec<T> {
    along(a.axis, x, |distance, sum| distance.exp() / sum)
}

pub(super) fn log_softmax<T: Real>(a: &LogSoftmax, x: &Array<T>) -> Vec<T> {
    along(a.axis, x, |distance, sum| distance - sum.ln())
}

/// Each number by its distance from the largest along the axis, and the sum of the exponentials of all such.
fn along<T: Real>(axis: usize, x: &Array<T>, of: impl Fn(T, T) -> T) -> Vec<T> {
    let extent = x.ty.shape.0[axis];
    let stride: usize = x.ty.shape.0[axis + 1..].iter().product();
    let v = x.real();
    let mut out = v.to_vec();
    for first in (0..v.len()).filter(|i| (i / stride).is_multiple_of(extent)) {
        let places = || (0..extent).map(|k| first + k * stride);
        let largest = places().map(|p| v[p]).fold(v[first], |m, x| if x > m { x } else { m });
        let sum = places().map(|p| (v[p] - largest).exp()).fold(T::ZERO, |s, e| s + e);
        places().for_each(|p| out[p] = of(v[p] - largest, sum));
    }
    out
}
