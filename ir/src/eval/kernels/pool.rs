//! Pools and means.

use super::super::array::{Array, Numbers, Real};
use crate::network::{AvgPool, MaxPool, Pair, ReduceMean, Sides, ValueType};

/// The places of a map under each window, window by window in raster order, plane by plane: calls `each` with
/// the plane's first place, and for every window the places inside of the map and the window's row and column.
pub(super) struct Windows {
    pub(super) map: Pair,
    pub(super) out: Pair,
    pub(super) kernel: Pair,
    pub(super) stride: Pair,
    pub(super) pad: Sides,
    pub(super) dilation: Pair,
}

impl Windows {
    /// Of a pool of maps of `map` whose results are of `out`.
    pub(super) fn of_max(a: &MaxPool, map: Pair, out: Pair) -> Windows {
        Windows { map, out, kernel: a.kernel, stride: a.stride, pad: a.pad, dilation: a.dilation }
    }

    /// Of an average pool, likewise.
    pub(super) fn of_avg(a: &AvgPool, map: Pair, out: Pair) -> Windows {
        Windows { map, out, kernel: a.kernel, stride: a.stride, pad: a.pad, dilation: a.dilation }
    }

    pub(super) fn each(&self, planes: usize, mut each: impl FnMut(&[usize], Pair)) {
        let mut places = Vec::new();
        for plane in 0..planes {
            for y in 0..self.out.h {
                for x in 0..self.out.w {
                    places.clear();
                    for ky in 0..self.kernel.h {
                        for kx in 0..self.kernel.w {
                            let row = (y * self.stride.h + ky * self.dilation.h).wrapping_sub(self.pad.top);
                            let column =
                                (x * self.stride.w + kx * self.dilation.w).wrapping_sub(self.pad.left);
                            if row < self.map.h && column < self.map.w {
                                places.push((plane * self.map.h + row) * self.map.w + column);
                            }
                        }
                    }
                    each(&places, Pair { h: y, w: x });
                }
            }
        }
    }
}

/// Planes of a value, and the extents of each.
pub(super) fn map(ty: &ValueType) -> (usize, Pair) {
    let d = &ty.shape.0;
    (d[0] * d[1], Pair { h: d[2], w: d[3] })
}

fn largest<V: Copy + PartialOrd>(v: &[V], places: impl IntoIterator<Item = usize>) -> Option<V> {
    places.into_iter().map(|p| v[p]).reduce(|a, b| if b > a { b } else { a })
}

pub(super) fn max_pool<T: Real>(a: &MaxPool, x: &Array<T>, ty: &ValueType) -> Numbers<T> {
    let (planes, from) = map(&x.ty);
    let windows = Windows::of_max(a, from, map(ty).1);
    match &x.numbers {
        Numbers::Real(v) => {
            let mut out = Vec::with_capacity(ty.shape.len());
            windows.each(planes, |places, _| out.extend(largest(v, places.iter().copied())));
            Numbers::Real(out)
        }
        Numbers::Whole(v) => {
            let mut out = Vec::with_capacity(ty.shape.len());
            windows.each(planes, |places, _| out.extend(largest(v, places.iter().copied())));
            Numbers::Whole(out)
        }
    }
}

pub(super) fn avg_pool<T: Real>(a: &AvgPool, x: &Array<T>, ty: &ValueType) -> Vec<T> {
    let (planes, from) = map(&x.ty);
    let windows = Windows::of_avg(a, from, map(ty).1);
    let mut out = Vec::with_capacity(ty.shape.len());
    windows.each(planes, |places, at| {
        let sum = places.iter().fold(T::ZERO, |s, &p| s + x.real()[p]);
        out.push(sum / T::from_f64(divisor(a, from, places.len(), at) as f64));
    });
    out
}

/// What the sum of the window at `at`, of whose places `inside` are in the map, is divided by.
pub(super) fn divisor(a: &AvgPool, map: Pair, inside: usize, at: Pair) -> usize {
    if !a.include_pad {
        return inside;
    }
    // Places of a window that lie on the padded map, overhang left out.
    let padded = |first: usize, taps: usize, dilation: usize, extent: usize| {
        (0..taps).filter(|k| first + k * dilation < extent).count()
    };
    let rows = padded(at.h * a.stride.h, a.kernel.h, a.dilation.h, map.h + a.pad.top + a.pad.bottom);
    let columns = padded(at.w * a.stride.w, a.kernel.w, a.dilation.w, map.w + a.pad.left + a.pad.right);
    rows * columns
}

pub(super) fn global_avg_pool<T: Real>(x: &Array<T>) -> Vec<T> {
    let plane = map(&x.ty).1.h * map(&x.ty).1.w;
    let mean = |plane: &[T]| plane.iter().fold(T::ZERO, |s, &x| s + x) / T::from_f64(plane.len() as f64);
    x.real().chunks_exact(plane).map(mean).collect()
}

pub(super) fn global_max_pool<T: Real>(x: &Array<T>) -> Numbers<T> {
    let (planes, extent) = map(&x.ty);
    let plane = extent.h * extent.w;
    let places = |i: usize| i * plane..(i + 1) * plane;
    match &x.numbers {
        Numbers::Real(v) => Numbers::Real((0..planes).filter_map(|i| largest(v, places(i))).collect()),
        Numbers::Whole(v) => Numbers::Whole((0..planes).filter_map(|i| largest(v, places(i))).collect()),
    }
}

pub(super) fn reduce_mean<T: Real>(a: &ReduceMean, x: &Array<T>, ty: &ValueType) -> Vec<T> {
    let from = &x.ty.shape.0;
    let kept = |axis: &usize| !a.axes.contains(axis);
    let mut sums = vec![T::ZERO; ty.shape.len()];
    for (i, &v) in x.real().iter().enumerate() {
        let (mut left, mut place, mut stride) = (i, 0, 1);
        for axis in (0..from.len()).rev() {
            if kept(&axis) {
                place += left % from[axis] * stride;
                stride *= from[axis];
            }
            left /= from[axis];
        }
        sums[place] += v;
    }
    let count: usize = a.axes.iter().map(|&axis| from[axis]).product();
    sums.into_iter().map(|s| s / T::from_f64(count as f64)).collect()
}
