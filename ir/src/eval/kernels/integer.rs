//! Integer networks as their definitions: sums of products of codes, and their way back to codes.
//!
//! Sums wrap at their width, as hardware's do; a network that the compiler made never lets them.

use super::super::array::{Array, Real, wrap};
use super::pool::{Windows, map};
use crate::network::{IntConv, IntDense, IntSumPool, Requantise, ValueType};

pub(super) fn conv<T: Real>(a: &IntConv, ins: &[&Array<T>], ty: &ValueType) -> Vec<i64> {
    let (x, w) = (ins[0].whole(), ins[1].whole());
    let (from, kernel) = (&ins[0].ty.shape.0, &ins[1].ty.shape.0);
    let (height, width) = (from[2], from[3]);
    let [frames, outputs, rows, columns] = [ty.shape.0[0], ty.shape.0[1], ty.shape.0[2], ty.shape.0[3]];
    let group_in = kernel[1];
    let mut out = Vec::with_capacity(ty.shape.len());
    for n in 0..frames {
        for o in 0..outputs {
            let first = o / (outputs / a.groups) * group_in;
            for y in 0..rows {
                for column in 0..columns {
                    let mut sum = ins.get(2).map_or(0, |bias| bias.whole()[o]);
                    for i in 0..group_in {
                        for ky in 0..kernel[2] {
                            for kx in 0..kernel[3] {
                                let row = (y * a.stride.h + ky * a.dilation.h).wrapping_sub(a.pad.top);
                                let left = (column * a.stride.w + kx * a.dilation.w).wrapping_sub(a.pad.left);
                                if row < height && left < width {
                                    let code = x[((n * from[1] + first + i) * height + row) * width + left];
                                    let weight = w[((o * group_in + i) * kernel[2] + ky) * kernel[3] + kx];
                                    sum = sum.wrapping_add(code.wrapping_sub(a.zero).wrapping_mul(weight));
                                }
                            }
                        }
                    }
                    out.push(wrap(sum, ty.element));
                }
            }
        }
    }
    out
}

pub(super) fn dense<T: Real>(a: &IntDense, ins: &[&Array<T>], ty: &ValueType) -> Vec<i64> {
    let features = ins[1].ty.shape.0[1];
    let mut out = Vec::with_capacity(ty.shape.len());
    for x in ins[0].whole().chunks_exact(features) {
        for (o, w) in ins[1].whole().chunks_exact(features).enumerate() {
            let products = x.iter().zip(w).map(|(&x, &w)| x.wrapping_sub(a.zero).wrapping_mul(w));
            let bias = ins.get(2).map_or(0, |bias| bias.whole()[o]);
            out.push(wrap(products.fold(bias, i64::wrapping_add), ty.element));
        }
    }
    out
}

pub(super) fn sum_pool<T: Real>(a: &IntSumPool, ins: &[&Array<T>], ty: &ValueType) -> Vec<i64> {
    let x = ins[0].whole();
    let (planes, from) = map(&ins[0].ty);
    let windows = Windows {
        map: from,
        out: map(ty).1,
        kernel: a.kernel,
        stride: a.stride,
        pad: a.pad,
        dilation: a.dilation,
    };
    let mut out = Vec::with_capacity(ty.shape.len());
    windows.each(planes, |places, _| {
        let codes = places.iter().map(|&place| x[place].wrapping_sub(a.zero));
        out.push(wrap(codes.fold(0, i64::wrapping_add), ty.element));
    });
    out
}

pub(super) fn requantise<T: Real>(a: &Requantise, ins: &[&Array<T>], ty: &ValueType) -> Vec<i64> {
    let channels = ty.shape.0[1];
    let places: usize = ty.shape.0[2..].iter().product();
    let of = |numbers: &[i64], i: usize| numbers[if numbers.len() == 1 { 0 } else { i / places % channels }];
    let code = |i: usize| {
        let products = ins[1..].chunks_exact(2).map(|pair| {
            let (x, factors) = (pair[0].whole(), pair[1].whole());
            i128::from(x[i]) * i128::from(of(factors, i))
        });
        let sum = products.sum::<i128>() + i128::from(of(ins[0].whole(), i));
        let code = a.rounding.shifted(sum, a.shift) + i128::from(a.zero);
        wrap(code.clamp(i128::from(a.min), i128::from(a.max)) as i64, ty.element)
    };
    (0..ty.shape.len()).map(code).collect()
}
