//! Gradients of pools.

use super::super::array::{Array, Real};
use super::pool::{self, Windows, map};
use crate::network::{AvgPoolGrad, MaxPoolGrad, ValueType};

pub(super) fn max<T: Real>(a: &MaxPoolGrad, ins: &[&Array<T>]) -> Vec<T> {
    let (x, dy) = (ins[0], ins[1]);
    let (planes, from) = map(&x.ty);
    let windows = Windows::of_max(&a.window(), from, map(&dy.ty).1);
    let mut dx = vec![T::ZERO; x.ty.shape.len()];
    let mut given = dy.real().iter();
    windows.each(planes, |places, _| {
        let first = places.iter().copied().reduce(|a, b| if x.real()[b] > x.real()[a] { b } else { a });
        if let (Some(first), Some(&dy)) = (first, given.next()) {
            dx[first] += dy;
        }
    });
    dx
}

pub(super) fn avg<T: Real>(a: &AvgPoolGrad, ins: &[&Array<T>], ty: &ValueType) -> Vec<T> {
    let dy = ins[0];
    let pool = a.window();
    let (planes, from) = map(ty);
    let windows = Windows::of_avg(&pool, from, map(&dy.ty).1);
    let mut dx = vec![T::ZERO; ty.shape.len()];
    let mut given = dy.real().iter();
    windows.each(planes, |places, at| {
        let Some(&dy) = given.next() else { return };
        let share = dy / T::from_f64(pool::divisor(&pool, from, places.len(), at) as f64);
        places.iter().for_each(|&p| dx[p] += share);
    });
    dx
}
