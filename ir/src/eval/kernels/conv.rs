//! Convolutions and matrix products as their definitions, one output row at a time.

use super::super::array::{Array, Real};
use crate::network::{Conv, Shape, ValueType, broadcast};

fn nchw(shape: &Shape) -> [usize; 4] {
    [shape.0[0], shape.0[1], shape.0[2], shape.0[3]]
}

pub(super) fn conv<T: Real>(a: &Conv, ins: &[&Array<T>], ty: &ValueType) -> Vec<T> {
    let (x, w) = (ins[0].real(), ins[1].real());
    let [_, channels, height, width] = nchw(&ins[0].ty.shape);
    let [_, group_in, kh, kw] = nchw(&ins[1].ty.shape);
    let [frames, out_channels, out_height, out_width] = nchw(&ty.shape);
    let group_out = out_channels / a.groups;
    let mut out = Vec::with_capacity(ty.shape.len());
    let mut row = vec![T::ZERO; out_width];
    for n in 0..frames {
        for o in 0..out_channels {
            let first_in = o / group_out * group_in;
            for y in 0..out_height {
                row.fill(ins.get(2).map_or(T::ZERO, |bias| bias.real()[o]));
                for i in 0..group_in {
                    let plane = &x[(n * channels + first_in + i) * height * width..][..height * width];
                    for ky in 0..kh {
                        let Some(iy) = (y * a.stride.h + ky * a.dilation.h).checked_sub(a.pad.top) else {
                            continue;
                        };
                        if iy >= height {
                            continue;
                        }
                        let taps = &w[((o * group_in + i) * kh + ky) * kw..][..kw];
                        for (kx, &tap) in taps.iter().enumerate() {
                            tap_row(&mut row, &plane[iy * width..][..width], tap, kx * a.dilation.w, a);
                        }
                    }
                }
                out.extend_from_slice(&row);
            }
        }
    }
    out
}

/// Adds one kernel tap, `offset` columns right of the window's left edge, to a row of outputs.
fn tap_row<T: Real>(row: &mut [T], x: &[T], tap: T, offset: usize, a: &Conv) {
    let first = a.pad.left.saturating_sub(offset).div_ceil(a.stride.w);
    let end = (x.len() + a.pad.left).saturating_sub(offset).div_ceil(a.stride.w).min(row.len());
    if first >= end {
        return;
    }
    let start = first * a.stride.w + offset - a.pad.left;
    if a.stride.w == 1 {
        row[first..end].iter_mut().zip(&x[start..]).for_each(|(sum, &x)| *sum += tap * x);
    } else {
        let strided = x[start..].iter().step_by(a.stride.w);
        row[first..end].iter_mut().zip(strided).for_each(|(sum, &x)| *sum += tap * x);
    }
}

pub(super) fn dense<T: Real>(ins: &[&Array<T>], ty: &ValueType) -> Vec<T> {
    let features = ins[1].ty.shape.0[1];
    let outputs = ty.shape.0[1];
    let mut out = Vec::with_capacity(ty.shape.len());
    for x in ins[0].real().chunks_exact(features).take(ty.shape.0[0]) {
        for (o, w) in ins[1].real().chunks_exact(features).take(outputs).enumerate() {
            let bias = ins.get(2).map_or(T::ZERO, |bias| bias.real()[o]);
            out.push(x.iter().zip(w).fold(bias, |sum, (&x, &w)| sum + x * w));
        }
    }
    out
}

pub(super) fn matmul<T: Real>(ins: &[&Array<T>], ty: &ValueType) -> Vec<T> {
    // A vector on the left is a row, on the right a column; the added axis is gone in the result.
    let matrix = |shape: &Shape, right: bool| match shape.0[..] {
        [n] if right => Shape(vec![n, 1]),
        [n] => Shape(vec![1, n]),
        _ => shape.clone(),
    };
    let (a, b) = (matrix(&ins[0].ty.shape, false), matrix(&ins[1].ty.shape, true));
    let (rows, inner, columns) = (a.0[a.rank() - 2], a.0[a.rank() - 1], b.0[b.rank() - 1]);
    let (stack_a, stack_b) = (Shape(a.0[..a.rank() - 2].to_vec()), Shape(b.0[..b.rank() - 2].to_vec()));
    let stack = broadcast(&stack_a, &stack_b).expect("inference has joined these shapes");
    let mut out = Vec::with_capacity(ty.shape.len());
    for i in 0..stack.len() {
        let left = &ins[0].real()[super::elementwise::source(i, &stack, &stack_a) * rows * inner..];
        let right = &ins[1].real()[super::elementwise::source(i, &stack, &stack_b) * inner * columns..];
        for r in 0..rows {
            for c in 0..columns {
                let products = (0..inner).map(|k| left[r * inner + k] * right[k * columns + c]);
                out.push(products.fold(T::ZERO, |sum, p| sum + p));
            }
        }
    }
    out
}
