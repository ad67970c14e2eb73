//! Integer layers: on bytes where `bytes.rs` can, else on f32. Codes and sums below 2^24 are whole numbers that f32 holds
//! exactly, in whatever order they are added, so the kernels of float layers compute them without an error.
//!
//! A kernel of floats is chosen only where that holds for every number that its operands' types allow.

use nonresc_ir::network::{Element, IntConv, IntDense, IntSumPool, Shape};
use nonresc_ir::tensor::Tensor;

use super::bytes;
use super::conv::Layer;
use super::kernel::{Kernel, Operand, Scratch, known_layer};
use super::pool::Pool;

/// Whole numbers up to this magnitude are exact in f32.
const EXACT: i128 = 1 << 24;

/// Least and largest number of an integer type of up to 62 bits; nothing of another type.
pub(super) fn of_type(element: Element) -> Option<(i64, i64)> {
    match element {
        Element::Int { bits: bits @ 1..=62, signed: true } => {
            let half = 1i64 << (bits - 1);
            Some((-half, half - 1))
        }
        Element::Int { bits: bits @ 1..=62, signed: false } => Some((0, (1i64 << bits) - 1)),
        _ => None,
    }
}

/// Least and largest number of an integer type that f32 holds exactly; nothing of another type.
pub(super) fn range(element: Element) -> Option<(i64, i64)> {
    of_type(element).filter(|&(low, high)| i128::from(high.max(-low)) <= EXACT)
}

/// What is added to codes of a type so that they are bytes; nothing where they have more than 8 bits.
pub(super) fn byte_shift(element: Element) -> Option<u8> {
    match element {
        Element::Int { bits: ..=8, signed } => Some(if signed { 128 } else { 0 }),
        _ => None,
    }
}

/// Whether a value of this type is kept as f32.
pub(super) fn is_kept(element: Element) -> bool {
    element == Element::F32 || range(element).is_some()
}

/// A layer on codes less their zero point, whose sums wrap at their width.
#[derive(Debug)]
struct Shifted {
    zero: f32,
    /// Bits of an i32 above the sums' width; 0 where no sum wraps.
    unused: u32,
    layer: Box<dyn Kernel>,
}

impl Kernel for Shifted {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        if self.zero == 0.0 {
            self.layer.run(operands, result, scratch);
        } else {
            let shifted: Vec<f32> = operands[0].iter().map(|x| x - self.zero).collect();
            self.layer.run(&[&shifted], result, scratch);
        }
        if self.unused > 0 {
            result.iter_mut().for_each(|sum| *sum = ((*sum as i32) << self.unused >> self.unused) as f32);
        }
    }
}

fn shifted(zero: i64, unused: u32, layer: Box<dyn Kernel>) -> Box<dyn Kernel> {
    match (zero, unused) {
        (0, 0) => layer,
        _ => Box::new(Shifted { zero: zero as f32, unused, layer }),
    }
}

/// The bits of an i32 above a width, where sums up to `largest` may outgrow it; else 0.
pub(super) fn unused(bits: u8, largest: i128) -> u32 {
    if largest < 1i128 << (bits - 1) { 0 } else { 32u32.saturating_sub(bits.into()) }
}

/// The largest magnitude of a layer's sums, whichever of its products and its bias are added up; what the type of its
/// codes allows.
pub(super) fn largest(operands: &[Operand<'_>], zero: i64) -> Option<i128> {
    let (low, high) = of_type(operands[0].ty.element)?;
    // What is not added yet counts as 0.
    let (low, high) = (low.checked_sub(zero)?.min(0), high.checked_sub(zero)?.max(0));
    let weights = operands[1].constant?;
    let outputs = weights.shape().0[0].max(1);
    let codes = weights.to_i64()?;
    let bias = match operands.get(2) {
        Some(bias) => bias.constant?.to_i64()?,
        None => vec![0; outputs],
    };
    let rows = codes.chunks((codes.len() / outputs).max(1)).zip(&bias).map(|(row, &bias)| {
        let part = |end: i64, other: i64| -> i128 {
            row.iter().map(|&w| i128::from(w) * i128::from(if w < 0 { other } else { end })).sum()
        };
        let (least, most) = (part(low, high), part(high, low));
        let bias = i128::from(bias);
        (least + bias.min(0)).abs().max(most + bias.max(0))
    });
    Some(rows.max().unwrap_or(0))
}

/// A layer's weights, bias and [`unused`] bits, where every sum of its products is exact.
fn numbers<'a>(
    operands: &[Operand<'a>],
    (zero, bits): (i64, u8),
) -> Option<(&'a Tensor, Option<&'a Tensor>, u32)> {
    let weights = operands[1].constant?;
    let bias = match operands.get(2) {
        Some(bias) => Some(bias.constant?),
        None => None,
    };
    let largest = largest(operands, zero)?;
    (largest < EXACT).then(|| (weights, bias, unused(bits, largest)))
}

/// On bytes where that can be, else on f32.
pub(super) fn conv(op: &IntConv, operands: &[Operand<'_>], result: &Shape) -> Option<Box<dyn Kernel>> {
    bytes::conv(op, operands, result, None).or_else(|| conv_of_floats(op, operands, result))
}

fn conv_of_floats(op: &IntConv, operands: &[Operand<'_>], result: &Shape) -> Option<Box<dyn Kernel>> {
    let (w, bias, unused) = numbers(operands, (op.zero, op.bits))?;
    let window = op.window();
    let x = &operands[0].ty.shape;
    let layer = Layer::conv(&window, x, w.shape(), result)?;
    Some(shifted(op.zero, unused, known_layer(layer, w, bias)?))
}

/// Likewise.
pub(super) fn dense(op: &IntDense, operands: &[Operand<'_>]) -> Option<Box<dyn Kernel>> {
    bytes::dense(op, operands, None).or_else(|| dense_of_floats(op, operands))
}

fn dense_of_floats(op: &IntDense, operands: &[Operand<'_>]) -> Option<Box<dyn Kernel>> {
    let (w, bias, unused) = numbers(operands, (op.zero, op.bits))?;
    let layer = Layer::dense(&operands[0].ty.shape, w.shape())?;
    Some(shifted(op.zero, unused, known_layer(layer, w, bias)?))
}

pub(super) fn sum_pool(op: &IntSumPool, x: &Operand<'_>, result: &Shape) -> Option<Box<dyn Kernel>> {
    let (low, high) = range(x.ty.element)?;
    let largest = i128::from((low - op.zero).abs().max((high - op.zero).abs()));
    let places = op.kernel.h.checked_mul(op.kernel.w)?;
    let largest = largest * i128::try_from(places).ok()?;
    (largest < EXACT).then_some(())?;
    let unused = unused(op.bits, largest);
    Some(shifted(op.zero, unused, Box::new(Pool::sum(op, &x.ty.shape, result)?)))
}

#[cfg(test)]
pub(super) mod tests {
    use nonresc_ir::eval;
    use nonresc_ir::network::{Op, Pair, Sides, ValueType};

    use super::super::layout::{from_stored, to_stored};
    use super::*;

    /// Random numbers by multiplication and the high bits of the product (Knuth, TAOCP 2, 3.3.4, line 26 of table 1).
    pub(in super::super) struct Seed(pub(in super::super) u64);

    impl Seed {
        pub(in super::super) fn within(&mut self, least: i64, most: i64) -> i64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            least + ((self.0 >> 33) as i64) % (most - least + 1)
        }

        pub(in super::super) fn size(&mut self, least: i64, most: i64) -> usize {
            self.within(least, most) as usize
        }

        /// Numbers of a type, its ends more often than others.
        pub(in super::super) fn tensor(&mut self, bits: u8, signed: bool, shape: &[usize]) -> Tensor {
            let element = Element::Int { bits, signed };
            let (low, high) = of_type(element).unwrap();
            let number = |seed: &mut Self| match seed.within(0, 9) {
                0 | 1 => low,
                2 | 3 => high,
                _ => seed.within(low, high),
            };
            let numbers: Vec<f64> = (0..shape.iter().product()).map(|_| number(self) as f64).collect();
            Tensor::from_f64(element, shape, &numbers).unwrap()
        }
    }

    /// What a kernel gives, as whole numbers in row-major order.
    fn sums(kernel: &dyn Kernel, x: &Tensor, result: &Shape) -> Vec<i64> {
        let mut found = vec![f32::NAN; result.len()];
        // What is in the memory of runs before must not matter.
        let mut scratch =
            Scratch { floats: vec![f32::NAN; 10_000], bytes: vec![0x55; 10_000], ..Scratch::default() };
        kernel.run(&[&to_stored(&x.shape().0, &x.to_f32())], &mut found, &mut scratch);
        from_stored(&result.0, &found).into_iter().map(|sum| sum as i64).collect()
    }

    #[test]
    fn layers_on_bytes_and_on_floats_give_the_sums_of_the_definition() {
        let mut seed = Seed(2024);
        let (mut on_bytes, mut on_floats) = (0, 0);
        for layer in 0..400 {
            let dense = layer % 8 == 0;
            let groups = [1, 1, 1, 2, 3, 5][seed.size(0, 5)];
            let most = if groups == 1 { 70 } else { 12 };
            let per_group = if groups > 1 && seed.within(0, 1) == 0 { 1 } else { seed.size(1, most) };
            let outputs = groups * if per_group == 1 { 1 } else { seed.size(1, most) };
            let (kernel, dilation) = (
                Pair { h: seed.size(1, 5), w: seed.size(1, 5) },
                Pair { h: seed.size(1, 2), w: seed.size(1, 2) },
            );
            let signed = seed.within(0, 1) == 0;
            let x_bits = [8, 8, 4, 1, 7][seed.size(0, 4)];
            let (low, high) = of_type(Element::Int { bits: x_bits, signed }).unwrap();
            let zero = [0, low, high, seed.within(low, high)][seed.size(0, 3)];
            let bits = [25, 25, 25, 12, 20][seed.size(0, 4)];
            let frames = seed.size(1, 2);
            let (op, x, w): (Op, _, _) = if dense {
                let op = IntDense { zero, bits };
                (op.into(), vec![frames, groups * per_group], vec![outputs, groups * per_group])
            } else {
                let pads: Vec<usize> = (0..4).map(|_| seed.size(0, 2)).collect();
                let op = IntConv {
                    stride: Pair { h: seed.size(1, 2), w: seed.size(1, 2) },
                    pad: Sides { top: pads[0], left: pads[1], bottom: pads[2], right: pads[3] },
                    dilation,
                    groups,
                    zero,
                    bits,
                };
                let (h, w) = ((kernel.h - 1) * dilation.h + 1, (kernel.w - 1) * dilation.w + 1);
                let x = vec![frames, groups * per_group, h + seed.size(0, 5), w + seed.size(0, 5)];
                (op.into(), x, vec![outputs, per_group, kernel.h, kernel.w])
            };
            let w_bits = seed.within(2, 10) as u8;
            let tensors = [
                seed.tensor(x_bits, signed, &x),
                seed.tensor(w_bits, true, &w),
                seed.tensor(20, true, &[outputs]),
            ];
            let plain = eval::operator::<f32>(&op, &tensors.each_ref()).unwrap();
            let types = tensors.each_ref().map(|t| ValueType::new(t.element(), t.shape().clone()));
            let operands: Vec<Operand<'_>> = types
                .iter()
                .zip(&tensors)
                .enumerate()
                .map(|(i, (ty, tensor))| Operand { ty, constant: (i > 0).then_some(tensor) })
                .collect();
            let shape = plain.shape();
            let kernels = match &op {
                Op::IntConv(op) => {
                    [bytes::conv(op, &operands, shape, None), conv_of_floats(op, &operands, shape)]
                }
                Op::IntDense(op) => [bytes::dense(op, &operands, None), dense_of_floats(op, &operands)],
                _ => unreachable!(),
            };
            on_bytes += usize::from(kernels[0].is_some());
            on_floats += usize::from(kernels[1].is_some());
            for kernel in kernels.into_iter().flatten() {
                assert_eq!(
                    sums(kernel.as_ref(), &tensors[0], shape),
                    plain.to_i64().unwrap(),
                    "{op:?} of {x:?} and {w:?}, {kernel:?}"
                );
            }
        }
        assert!(on_floats > 250, "{on_floats} layers on floats");
        assert!(on_bytes > 250 || on_bytes == 0, "{on_bytes} layers on bytes");
    }
}
