//! Gradients as the definition has them: each product of the forward sum gives one of the backward sum.

use super::super::array::{Array, Real};
use crate::network::{Conv, Gate, Shape, Spread, ValueType};

/// Calls `each` with the places in x, in w and in y of every product of a convolution.
fn products(a: &Conv, x: &Shape, w: &Shape, y: &Shape, mut each: impl FnMut(usize, usize, usize)) {
    let (x, w, y) = (&x.0, &w.0, &y.0);
    let outputs_a_group = y[1] / a.groups;
    for n in 0..y[0] {
        for o in 0..y[1] {
            for i in 0..w[1] {
                let c = o / outputs_a_group * w[1] + i;
                for (ky, kx) in (0..w[2]).flat_map(|ky| (0..w[3]).map(move |kx| (ky, kx))) {
                    for (row, column) in (0..y[2]).flat_map(|row| (0..y[3]).map(move |column| (row, column)))
                    {
                        let h = (row * a.stride.h + ky * a.dilation.h).wrapping_sub(a.pad.top);
                        let v = (column * a.stride.w + kx * a.dilation.w).wrapping_sub(a.pad.left);
                        if h < x[2] && v < x[3] {
                            each(
                                ((n * x[1] + c) * x[2] + h) * x[3] + v,
                                ((o * w[1] + i) * w[2] + ky) * w[3] + kx,
                                ((n * y[1] + o) * y[2] + row) * y[3] + column,
                            );
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn conv_x<T: Real>(window: &Conv, ins: &[&Array<T>], ty: &ValueType) -> Vec<T> {
    let (dy, w) = (ins[0], ins[1]);
    let mut dx = vec![T::ZERO; ty.shape.len()];
    products(window, &ty.shape, &w.ty.shape, &dy.ty.shape, |x, k, y| dx[x] += dy.real()[y] * w.real()[k]);
    dx
}

pub(super) fn conv_w<T: Real>(window: &Conv, ins: &[&Array<T>], ty: &ValueType) -> Vec<T> {
    let (x, dy) = (ins[0], ins[1]);
    let mut dw = vec![T::ZERO; ty.shape.len()];
    products(window, &x.ty.shape, &ty.shape, &dy.ty.shape, |i, k, y| dw[k] += dy.real()[y] * x.real()[i]);
    dw
}

/// The channel of each element.
fn channels(ty: &ValueType) -> impl Iterator<Item = usize> + use<> {
    let channels = ty.shape.0[1];
    let plane: usize = ty.shape.0[2..].iter().product();
    (0..ty.shape.len()).map(move |i| i / plane % channels)
}

/// Sums by channel of what `of` says of each element's place and channel.
fn by_channel<T: Real>(ty: &ValueType, of: impl Fn(usize, usize) -> T) -> Vec<T> {
    let mut sums = vec![T::ZERO; ty.shape.0[1]];
    for (i, c) in channels(ty).enumerate() {
        sums[c] += of(i, c);
    }
    sums
}

/// Elements of a channel.
fn elements<T: Real>(ty: &ValueType) -> T {
    T::from_f64((ty.shape.len() / ty.shape.0[1]) as f64)
}

pub(super) fn channel_sum<T: Real>(x: &Array<T>) -> Vec<T> {
    by_channel(&x.ty, |i, _| x.real()[i])
}

pub(super) fn channel_variance<T: Real>(ins: &[&Array<T>]) -> Vec<T> {
    let (x, mean) = (ins[0], ins[1]);
    let square = |i: usize, c: usize| {
        let distance = x.real()[i] - mean.real()[c];
        distance * distance
    };
    let count = elements(&x.ty);
    by_channel(&x.ty, square).into_iter().map(|sum| sum / count).collect()
}

pub(super) fn batch_norm_scale<T: Real>(epsilon: f64, ins: &[&Array<T>]) -> Vec<T> {
    let [x, mean, variance, dy] = ins else { unreachable!("inference wants four operands") };
    let deviation = |c: usize| (variance.real()[c] + T::from_f64(epsilon)).sqrt();
    by_channel(&x.ty, |i, c| dy.real()[i] * ((x.real()[i] - mean.real()[c]) / deviation(c)))
}

/// With x' = (x - mean) / deviation over the m elements of a channel:
/// dx = scale / deviation * (dy - dbias / m - x' * dscale / m) (Ioffe and Szegedy, 2015).
pub(super) fn batch_norm_x<T: Real>(epsilon: f64, ins: &[&Array<T>]) -> Vec<T> {
    let [x, scale, mean, variance, dy, dscale, dbias] = ins else {
        unreachable!("inference wants seven operands")
    };
    let count: T = elements(&x.ty);
    let of = |(i, c): (usize, usize)| {
        let deviation = (variance.real()[c] + T::from_f64(epsilon)).sqrt();
        let normal = (x.real()[i] - mean.real()[c]) / deviation;
        let centred = dy.real()[i] - dbias.real()[c] / count - normal * dscale.real()[c] / count;
        scale.real()[c] / deviation * centred
    };
    channels(&x.ty).enumerate().map(of).collect()
}

pub(super) fn gate<T: Real>(a: &Gate, ins: &[&Array<T>]) -> Vec<T> {
    let (min, max, below) = (T::from_f64(a.min), T::from_f64(a.max), T::from_f64(a.below));
    let passed = |(&x, &dy): (&T, &T)| match (x > min, x < max) {
        (true, true) => dy,
        (false, true) => below * dy,
        _ => T::ZERO,
    };
    ins[0].real().iter().zip(ins[1].real()).map(passed).collect()
}

pub(super) fn spread<T: Real>(a: &Spread, ins: &[&Array<T>], ty: &ValueType) -> Vec<T> {
    let mut out = vec![T::ZERO; ty.shape.len()];
    let extents = &ins[0].ty.shape.0;
    for (i, &x) in ins[0].real().iter().enumerate() {
        let (mut left, mut place, mut stride) = (i, 0, 1);
        for axis in (0..extents.len()).rev() {
            let (start, step) = if axis == 0 { (0, 1) } else { (a.start[axis - 1], a.step[axis - 1]) };
            place += (start + left % extents[axis] * step) * stride;
            left /= extents[axis];
            stride *= ty.shape.0[axis];
        }
        out[place] = x;
    }
    out
}
