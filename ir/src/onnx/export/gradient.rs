//! Gradients of windows, limits and slices in operators that every runtime has: transposed convolutions, a matrix
//! product a tap, selections.

use crate::id::NodeId;
use crate::network::{
    AvgPool, AvgPoolGrad, ConvGradW, ConvGradX, Gate, MaxPoolGrad, Pair, Shape, Sides, Spread,
};
use crate::onnx::messages::AttributeProto;
use crate::tensor::Tensor;

use super::node::{int, ints};
use super::tensor::scalar;
use super::window::{self, pads, pair};
use super::writer::Writer;

/// A window over a map of `size`, and how many places it has there.
#[derive(Clone, Copy)]
struct Window {
    kernel: Pair,
    stride: Pair,
    pad: Sides,
    dilation: Pair,
    size: Pair,
    out: Pair,
}

impl Window {
    /// Of these taps, moved so, over a map of `size`, with as many places as the map of `places` has.
    fn new(
        (kernel, dilation): (Pair, Pair),
        (stride, pad): (Pair, Sides),
        size: Pair,
        places: &Shape,
    ) -> Window {
        Window { kernel, stride, pad, dilation, size, out: map_of(places) }
    }

    /// The attributes of the transposed convolution that sends each place back to the map.
    fn transposed(&self, groups: usize) -> Vec<AttributeProto> {
        // Rows and columns of the padded map that no window reaches.
        let rest = |size: usize, before: usize, after: usize, out: usize, stride: usize, reach: usize| {
            size + before + after - (out - 1) * stride - reach
        };
        let Window { kernel, stride, pad, dilation, size, out } = *self;
        let reach = |kernel: usize, dilation: usize| (kernel - 1) * dilation + 1;
        let rows = rest(size.h, pad.top, pad.bottom, out.h, stride.h, reach(kernel.h, dilation.h));
        let columns = rest(size.w, pad.left, pad.right, out.w, stride.w, reach(kernel.w, dilation.w));
        vec![
            ints("dilations", &pair(dilation)),
            int("group", groups),
            ints("kernel_shape", &pair(kernel)),
            ints("output_padding", &[rows, columns]),
            ints("pads", &pads(pad)),
            ints("strides", &pair(stride)),
        ]
    }

    fn taps(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let Pair { h, w } = self.kernel;
        (0..h).flat_map(move |row| (0..w).map(move |column| (row, column)))
    }

    /// Of the padded map `x`, the element that tap `(row, column)` sees at each place.
    fn seen(&self, w: &mut Writer<'_>, title: &str, x: &str, (row, column): (usize, usize)) -> String {
        let cut = |tap: usize, dilation: usize, stride: usize, out: usize| {
            let start = (tap * dilation) as i64;
            (start, start + ((out - 1) * stride) as i64 + 1, stride as i64)
        };
        let rows = cut(row, self.dilation.h, self.stride.h, self.out.h);
        let columns = cut(column, self.dilation.w, self.stride.w, self.out.w);
        let mut input = vec![x.to_string()];
        let numbers = [
            ("starts", vec![rows.0, columns.0]),
            ("ends", vec![rows.1, columns.1]),
            ("axes", vec![2, 3]),
            ("steps", vec![rows.2, columns.2]),
        ];
        for (name, numbers) in numbers {
            input.push(w.vector(&format!("{title}_{name}"), numbers));
        }
        w.step("Slice", title, input, vec![])
    }

    /// `x` with `value` around it.
    fn padded(&self, w: &mut Writer<'_>, title: &str, x: String, value: &Tensor) -> String {
        if self.pad == Sides::ZERO {
            return x;
        }
        let Sides { top, left, bottom, right } = self.pad;
        let sides = [0, 0, top, left, 0, 0, bottom, right].map(|n| n as i64).to_vec();
        let sides = w.vector(&format!("{title}_sides"), sides);
        let value = w.initializer(&format!("{title}_around"), value);
        w.step("Pad", &format!("{title}_padded"), vec![x, sides, value], vec![])
    }
}

fn map_of(shape: &Shape) -> Pair {
    Pair { h: shape.0[2], w: shape.0[3] }
}

pub(super) fn conv_x(w: &mut Writer<'_>, node: NodeId, op: &ConvGradX) {
    let operands = w.network.operands(node);
    let [dy, weights] = [0, 1].map(|i| &w.network.ty(operands[i]).shape);
    let window = Window::new((map_of(weights), op.dilation), (op.stride, op.pad), op.size, dy);
    w.simple(node, "ConvTranspose", window.transposed(op.groups));
}

/// One product of matrices a tap: (group, outputs, places) by (group, places, inputs).
pub(super) fn conv_w(w: &mut Writer<'_>, node: NodeId, op: &ConvGradW) {
    let operands = w.network.operands(node);
    let (x_ty, dy_ty) = (w.network.ty(operands[0]).clone(), w.network.ty(operands[1]).clone());
    let Some(zero) = scalar(x_ty.element, 0.0) else { return };
    let size = map_of(&x_ty.shape);
    let window = Window::new((op.kernel, op.dilation), (op.stride, op.pad), size, &dy_ty.shape);
    let title = w.title(node);
    let [x, dy] = &w.operands(node)[..] else { return };
    let (groups, inputs) = (op.groups as i64, (x_ty.shape.0[1] / op.groups) as i64);
    let outputs = (dy_ty.shape.0[1] / op.groups) as i64;
    let channels_first = || vec![ints("perm", &[1, 0, 2, 3])];
    let padded = window.padded(w, &title, x.clone(), &zero);
    let x = w.step("Transpose", &format!("{title}_x"), vec![padded], channels_first());
    let dy = w.step("Transpose", &format!("{title}_dy"), vec![dy.clone()], channels_first());
    let by_group = w.vector(&format!("{title}_dy_shape"), vec![groups, outputs, -1]);
    let dy = w.step("Reshape", &format!("{title}_dy_rows"), vec![dy, by_group], vec![]);
    let x_shape = w.vector(&format!("{title}_x_shape"), vec![groups, inputs, -1]);
    let tap_shape = w.vector(&format!("{title}_tap_shape"), vec![groups * outputs, inputs, 1]);
    let mut taps = Vec::new();
    for (row, column) in window.taps() {
        let tap = format!("{title}_{row}_{column}");
        let seen = window.seen(w, &tap, &x, (row, column));
        let rows = w.step("Reshape", &format!("{tap}_rows"), vec![seen, x_shape.clone()], vec![]);
        let columns =
            w.step("Transpose", &format!("{tap}_columns"), vec![rows], vec![ints("perm", &[0, 2, 1])]);
        let product = w.step("MatMul", &format!("{tap}_product"), vec![dy.clone(), columns], vec![]);
        taps.push(w.step("Reshape", &format!("{tap}_tap"), vec![product, tap_shape.clone()], vec![]));
    }
    let all = w.step("Concat", &format!("{title}_taps"), taps, vec![int("axis", 2)]);
    let (h, v) = (op.kernel.h as i64, op.kernel.w as i64);
    let shape = w.vector(&format!("{title}_shape"), vec![groups * outputs, inputs, h, v]);
    w.result(node, "Reshape", vec![all, shape], vec![]);
}

pub(super) fn gate(w: &mut Writer<'_>, node: NodeId, op: &Gate) {
    let element = w.network.ty(node.into()).element;
    let title = w.title(node);
    let [x, dy] = &w.operands(node)[..] else { return };
    let mut dy = dy.clone();
    let numbers = (scalar(element, op.min), scalar(element, op.max), scalar(element, op.below));
    let ((Some(min), Some(max), Some(below)), Some(zero)) = (numbers, scalar(element, 0.0)) else { return };
    if op.max.is_finite() {
        let max = w.initializer(&format!("{title}_max"), &max);
        let under = w.step("Less", &format!("{title}_under"), vec![x.clone(), max], vec![]);
        let zero = w.initializer(&format!("{title}_nothing"), &zero);
        dy = w.step("Where", &format!("{title}_limited"), vec![under, dy, zero], vec![]);
    }
    if op.min == f64::NEG_INFINITY {
        return w.result(node, "Identity", vec![dy], vec![]);
    }
    let min = w.initializer(&format!("{title}_min"), &min);
    let over = w.step("Greater", &format!("{title}_over"), vec![x.clone(), min], vec![]);
    let below = w.initializer(&format!("{title}_below"), &below);
    let reduced = match op.below {
        0.0 => below,
        _ => w.step("Mul", &format!("{title}_reduced"), vec![dy.clone(), below], vec![]),
    };
    w.result(node, "Where", vec![over, dy, reduced], vec![]);
}

/// Tap by tap, what no earlier tap has taken; then each tap's share to its place by a transposed convolution.
pub(super) fn max_pool(w: &mut Writer<'_>, node: NodeId, op: &MaxPoolGrad) {
    let operands = w.network.operands(node);
    let (ty, dy_ty) = (w.network.ty(operands[0]).clone(), w.network.ty(operands[1]).clone());
    let (Some(zero), Some(low)) = (scalar(ty.element, 0.0), scalar(ty.element, f64::NEG_INFINITY)) else {
        return;
    };
    let size = map_of(&ty.shape);
    let window = Window::new((op.kernel, op.dilation), (op.stride, op.pad), size, &dy_ty.shape);
    let title = w.title(node);
    let [x, dy] = &w.operands(node)[..] else { return };
    let pool = window::max_pool_attributes(&op.window());
    let largest = w.step("MaxPool", &format!("{title}_largest"), vec![x.clone()], pool);
    let padded = window.padded(w, &title, x.clone(), &low);
    let zero = w.initializer(&format!("{title}_zero"), &zero);
    let (out_h, out_w) = (window.out.h as i64, window.out.w as i64);
    let channels = ty.shape.0[1];
    let share_shape = w.vector(&format!("{title}_share_shape"), vec![0, channels as i64, 1, out_h, out_w]);
    let (mut left, mut shares) = (dy.clone(), Vec::new());
    let taps = window.kernel.h * window.kernel.w;
    for (row, column) in window.taps() {
        let tap = format!("{title}_{row}_{column}");
        let seen = window.seen(w, &tap, &padded, (row, column));
        let takes = w.step("Equal", &format!("{tap}_takes"), vec![seen, largest.clone()], vec![]);
        let share =
            w.step("Where", &format!("{tap}_share"), vec![takes.clone(), left.clone(), zero.clone()], vec![]);
        left = w.step("Where", &format!("{tap}_left"), vec![takes, zero.clone(), left], vec![]);
        shares.push(w.step("Reshape", &format!("{tap}_one"), vec![share, share_shape.clone()], vec![]));
    }
    let stacked = w.step("Concat", &format!("{title}_stacked"), shares, vec![int("axis", 2)]);
    let shape = w.vector(&format!("{title}_all_shape"), vec![0, (channels * taps) as i64, out_h, out_w]);
    let all = w.step("Reshape", &format!("{title}_all"), vec![stacked, shape], vec![]);
    let places: Vec<f64> =
        (0..channels * taps * taps).map(|i| f64::from(u8::from(i / taps % taps == i % taps))).collect();
    let Some(places) =
        Tensor::from_f64(ty.element, [channels * taps, 1, window.kernel.h, window.kernel.w], &places)
    else {
        return;
    };
    let places = w.initializer(&format!("{title}_places"), &places);
    w.result(node, "ConvTranspose", vec![all, places], window.transposed(channels));
}

pub(super) fn avg_pool(w: &mut Writer<'_>, node: NodeId, op: &AvgPoolGrad) {
    let dy_ty = w.network.ty(w.network.operands(node)[0]).clone();
    let pad = Sides { bottom: op.pad.bottom + op.overhang.h, right: op.pad.right + op.overhang.w, ..op.pad };
    let window = Window::new((op.kernel, op.dilation), (op.stride, pad), op.size, &dy_ty.shape);
    let (out, channels) = (window.out, dy_ty.shape.0[1]);
    let title = w.title(node);
    let dy = w.operands(node).swap_remove(0);
    let parts: Vec<f64> = parts(&op.window(), op.size, out);
    let (Some(parts), Some(ones)) = (
        Tensor::from_f64(dy_ty.element, [1, 1, out.h, out.w], &parts),
        Tensor::from_f64(
            dy_ty.element,
            [channels, 1, op.kernel.h, op.kernel.w],
            &vec![1.0; channels * op.kernel.h * op.kernel.w],
        ),
    ) else {
        return;
    };
    let parts = w.initializer(&format!("{title}_parts"), &parts);
    let ones = w.initializer(&format!("{title}_ones"), &ones);
    let share = w.step("Mul", &format!("{title}_share"), vec![dy, parts], vec![]);
    w.result(node, "ConvTranspose", vec![share, ones], window.transposed(channels));
}

/// What one place of each window counts for in its mean.
fn parts(pool: &AvgPool, size: Pair, out: Pair) -> Vec<f64> {
    let count = |first: usize, taps: usize, dilation: usize, before: usize, after: usize, extent: usize| {
        let place = |k: usize| first + k * dilation;
        match pool.include_pad {
            true => (0..taps).filter(|&k| place(k) < extent + before + after).count(),
            false => (0..taps).filter(|&k| (before..extent + before).contains(&place(k))).count(),
        }
    };
    let AvgPool { kernel, stride, pad, dilation, .. } = *pool;
    let rows = |row: usize| count(row * stride.h, kernel.h, dilation.h, pad.top, pad.bottom, size.h);
    let columns = |column: usize| count(column * stride.w, kernel.w, dilation.w, pad.left, pad.right, size.w);
    (0..out.h * out.w).map(|i| 1.0 / (rows(i / out.w) * columns(i % out.w)) as f64).collect()
}

/// Axis by axis: zeros behind each element, what is over cut off, zeros around.
pub(super) fn spread(w: &mut Writer<'_>, node: NodeId, op: &Spread) {
    let x_ty = w.network.ty(w.network.operands(node)[0]).clone();
    let Some(zero) = scalar(x_ty.element, 0.0) else { return };
    let title = w.title(node);
    let zero = w.initializer(&format!("{title}_zero"), &zero);
    let mut value = w.operands(node).swap_remove(0);
    let mut extents: Vec<usize> = x_ty.shape.0.clone();
    let rank = extents.len();
    let shape_of = |extents: &[usize]| {
        let mut dims: Vec<i64> = extents.iter().map(|&n| n as i64).collect();
        dims[0] = 0;
        dims
    };
    for axis in (1..rank).filter(|&axis| op.step[axis - 1] > 1) {
        let (step, part) = (op.step[axis - 1], format!("{title}_{axis}"));
        let mut apart = extents.clone();
        apart.insert(axis + 1, 1);
        let shape = w.vector(&format!("{part}_apart_shape"), shape_of(&apart));
        let apart = w.step("Reshape", &format!("{part}_apart"), vec![value, shape], vec![]);
        let mut sides = vec![0; 2 * (rank + 1)];
        sides[rank + 1 + axis + 1] = step as i64 - 1;
        let sides = w.vector(&format!("{part}_behind"), sides);
        let wide = w.step("Pad", &format!("{part}_wide"), vec![apart, sides, zero.clone()], vec![]);
        extents[axis] *= step;
        let shape = w.vector(&format!("{part}_merged_shape"), shape_of(&extents));
        value = w.step("Reshape", &format!("{part}_merged"), vec![wide, shape], vec![]);
    }
    // Zeros behind the last element that there is no room for.
    let room = |axis: usize| op.dims[axis - 1] - op.start[axis - 1];
    let over: Vec<usize> = (1..rank).filter(|&axis| extents[axis] > room(axis)).collect();
    if !over.is_empty() {
        over.iter().for_each(|&axis| extents[axis] = room(axis));
        let mut input = vec![value];
        let ends: Vec<i64> = over.iter().map(|&axis| extents[axis] as i64).collect();
        let axes = over.iter().map(|&axis| axis as i64).collect();
        for (numbers, name) in [(vec![0; over.len()], "starts"), (ends, "ends"), (axes, "axes")] {
            input.push(w.vector(&format!("{title}_{name}"), numbers));
        }
        value = w.step("Slice", &format!("{title}_cut"), input, vec![]);
    }
    let mut sides = vec![0; 2 * rank];
    for axis in 1..rank {
        sides[axis] = op.start[axis - 1] as i64;
        sides[rank + axis] = (room(axis) - extents[axis]) as i64;
    }
    let sides = w.vector(&format!("{title}_sides"), sides);
    w.result(node, "Pad", vec![value, sides, zero], vec![]);
}
