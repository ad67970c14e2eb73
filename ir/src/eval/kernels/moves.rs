//! Operators that move elements without computing: pad, slice, concat, transpose.

use super::super::array::{Array, Numbers, Real};
use crate::network::{Concat, Pad, Shape, Slice, Transpose, ValueType};

/// Elements of `x` for a result of shape `to`: `place` maps a result's index (one number an axis) to the index
/// of its source, or to nothing where `fill` stands.
fn gather<T: Real>(
    x: &Array<T>,
    to: &Shape,
    fill: f64,
    place: impl Fn(&[usize], &mut [usize]) -> bool,
) -> Numbers<T> {
    let from = &x.ty.shape;
    let mut index = vec![0; to.rank()];
    let mut source = vec![0; from.rank()];
    let mut places = Vec::with_capacity(to.len());
    for _ in 0..to.len() {
        let found = place(&index, &mut source);
        places.push(found.then(|| source.iter().zip(&from.0).fold(0, |at, (&i, &extent)| at * extent + i)));
        for (axis, i) in index.iter_mut().enumerate().rev() {
            *i += 1;
            if *i < to.0[axis] {
                break;
            }
            *i = 0;
        }
    }
    match &x.numbers {
        Numbers::Real(v) => {
            Numbers::Real(places.into_iter().map(|p| p.map_or(T::from_f64(fill), |p| v[p])).collect())
        }
        Numbers::Whole(v) => {
            Numbers::Whole(places.into_iter().map(|p| p.map_or(fill as i64, |p| v[p])).collect())
        }
    }
}

pub(super) fn pad<T: Real>(a: &Pad, x: &Array<T>, ty: &ValueType) -> Numbers<T> {
    let from = &x.ty.shape.0;
    gather(x, &ty.shape, a.value, |index, source| {
        for axis in 0..index.len() {
            match index[axis].checked_sub(a.before[axis]) {
                Some(i) if i < from[axis] => source[axis] = i,
                _ => return false,
            }
        }
        true
    })
}

pub(super) fn slice<T: Real>(a: &Slice, x: &Array<T>, ty: &ValueType) -> Numbers<T> {
    gather(x, &ty.shape, 0.0, |index, source| {
        for axis in 0..index.len() {
            source[axis] = (a.start[axis] as i64 + index[axis] as i64 * a.step[axis]) as usize;
        }
        true
    })
}

pub(super) fn transpose<T: Real>(a: &Transpose, x: &Array<T>, ty: &ValueType) -> Numbers<T> {
    gather(x, &ty.shape, 0.0, |index, source| {
        for (axis, &from) in a.perm.iter().enumerate() {
            source[from] = index[axis];
        }
        true
    })
}

pub(super) fn concat<T: Real>(a: &Concat, ins: &[&Array<T>], ty: &ValueType) -> Numbers<T> {
    let outer: usize = ty.shape.0[..a.axis].iter().product();
    let run = |x: &Array<T>| -> usize { x.ty.shape.0[a.axis..].iter().product() };
    if ty.element.is_float() {
        let pieces = (0..outer).flat_map(|o| ins.iter().flat_map(move |x| &x.real()[o * run(x)..][..run(x)]));
        Numbers::Real(pieces.copied().collect())
    } else {
        let pieces =
            (0..outer).flat_map(|o| ins.iter().flat_map(move |x| &x.whole()[o * run(x)..][..run(x)]));
        Numbers::Whole(pieces.copied().collect())
    }
}
