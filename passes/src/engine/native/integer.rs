//! Integer networks on f32: codes and sums below 2^24 are whole numbers that f32 holds exactly, in whatever order
//! they are added, so the kernels of float layers compute them without an error.
//!
//! Each kernel is chosen only where that holds for every number that its operands' types allow.

use nonresc_ir::network::{Conv, Element, IntConv, IntDense, IntSumPool, Shape};
use nonresc_ir::tensor::Tensor;

use super::conv::{Depthwise, WindowSums};
use super::kernel::{Kernel, Operand};
use super::pool::Pool;

/// Whole numbers up to this magnitude are exact in f32.
const EXACT: i128 = 1 << 24;

/// Least and largest number of an integer type that f32 holds exactly; nothing of another type.
pub(super) fn range(element: Element) -> Option<(i64, i64)> {
    match element {
        Element::Int { bits: bits @ ..=25, signed: true } => {
            let half = 1i64 << (bits - 1);
            Some((-half, half - 1))
        }
        Element::Int { bits: bits @ ..=24, signed: false } => Some((0, (1i64 << bits) - 1)),
        _ => None,
    }
}

/// Whether a value of this type is kept as f32.
pub(super) fn is_kept(element: Element) -> bool {
    element == Element::F32 || range(element).is_some()
}

/// A layer on codes less their zero point.
#[derive(Debug)]
struct Shifted {
    zero: f32,
    layer: Box<dyn Kernel>,
}

impl Kernel for Shifted {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Vec<f32>) {
        let shifted: Vec<f32> = operands[0].iter().map(|x| x - self.zero).collect();
        self.layer.run(&[&shifted], result, scratch);
    }
}

fn shifted(zero: i64, layer: impl Kernel + 'static) -> Box<dyn Kernel> {
    match zero {
        0 => Box::new(layer),
        zero => Box::new(Shifted { zero: zero as f32, layer: Box::new(layer) }),
    }
}

/// A layer's weights and bias, where every sum of its products is exact.
fn numbers<'a>(operands: &[Operand<'a>], zero: i64) -> Option<(&'a Tensor, Option<&'a Tensor>)> {
    let (low, high) = range(operands[0].ty.element)?;
    let largest = i128::from((low - zero).abs().max((high - zero).abs()));
    let weights = operands[1].constant?;
    let bias = match operands.get(2) {
        Some(bias) => Some(bias.constant?),
        None => None,
    };
    let outputs = weights.shape().0[0].max(1);
    let codes = weights.to_i64()?;
    let sum = |row: &[i64]| row.iter().map(|w| i128::from(w.unsigned_abs())).sum::<i128>() * largest;
    let products = codes.chunks((codes.len() / outputs).max(1)).map(sum).max().unwrap_or(0);
    let added =
        bias.map_or(Some(0), |bias| bias.to_i64()?.iter().map(|b| i128::from(b.unsigned_abs())).max())?;
    (products + added < EXACT).then_some((weights, bias))
}

pub(super) fn conv(op: &IntConv, operands: &[Operand<'_>], result: &Shape) -> Option<Box<dyn Kernel>> {
    let (w, bias) = numbers(operands, op.zero)?;
    let window = Conv { stride: op.stride, pad: op.pad, dilation: op.dilation, groups: op.groups };
    let x = &operands[0].ty.shape;
    match Depthwise::conv(&window, x, w, bias, result) {
        Some(kernel) => Some(shifted(op.zero, kernel)),
        None => Some(shifted(op.zero, WindowSums::conv(&window, x, w, bias, result)?)),
    }
}

pub(super) fn dense(op: &IntDense, operands: &[Operand<'_>]) -> Option<Box<dyn Kernel>> {
    let (w, bias) = numbers(operands, op.zero)?;
    Some(shifted(op.zero, WindowSums::dense(&operands[0].ty.shape, w, bias)?))
}

pub(super) fn sum_pool(op: &IntSumPool, x: &Operand<'_>, result: &Shape) -> Option<Box<dyn Kernel>> {
    let (low, high) = range(x.ty.element)?;
    let largest = i128::from((low - op.zero).abs().max((high - op.zero).abs()));
    let places = op.kernel.h.checked_mul(op.kernel.w)?;
    (largest * i128::try_from(places).ok()? < EXACT).then_some(())?;
    Some(shifted(op.zero, Pool::sum(op, &x.ty.shape, result)?))
}
