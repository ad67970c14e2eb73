//! Integer layers on bytes: codes of at most 8 bits and weights of little more, which one instruction multiplies and adds by fours.
//!
//! Codes are moved to 0..=255, and what that and the zero point add to every sum is taken off its start. Sums are exact
//! in every width up to 32 bits, wrapping included, so no range decides whether a layer may be done here.
//!
//! Where a layer's codes come from such layers, or from the quantiser of the input, and go to such ones, they stay bytes on
//! the way (`plan.rs`): a quarter of the memory, and nothing is converted.

use fearless_simd::x86::Avx512;
use fearless_simd::{Simd, SimdBase, SimdCvtFloat, f32x16};
use nonresc_ir::network::{IntConv, IntDense, Shape};

use super::dot::{self, Block, Dots, QUAD, Quads, Starts};
use super::integer::{byte_shift, largest, unused};
use super::kernel::{Bytes, Kernel, Operand, SLACK, Scratch, Stored, StoredMut, room};
use super::round::{LaneScales, Rescale, Shifts};
use super::tile::{LANES, Runs};
use super::windows::{Outputs, Windows, outputs};

/// Bytes that a weight is the sum of at most: codes of 8 bits less their zero point are up to three.
const MOST_PARTS: usize = 3;

/// A layer with all that it needs to run.
#[derive(Debug)]
struct ByteLayer {
    avx512: Avx512,
    dots: Dots,
    /// Added to codes: 128 where they are signed.
    shift: u8,
    /// The byte of the zero point, where there is padding.
    zero: u8,
}

/// A convolution, and what becomes of its sums; nothing where it does not work on bytes.
pub(super) fn conv(
    op: &IntConv,
    operands: &[Operand<'_>],
    result: &Shape,
    rescale: Option<Rescale>,
) -> Option<Box<dyn Kernel>> {
    let window = op.window();
    let w = operands[1].constant?;
    // One channel a group: what lies side by side are groups, not inputs of one output.
    if op.groups > 1 && w.shape().0[1] == 1 {
        return None;
    }
    let windows = Windows::conv(&window, &operands[0].ty.shape, w.shape(), result)?;
    layer(windows, op.groups, (op.zero, op.bits), operands, rescale)
}

/// A dense layer, likewise.
pub(super) fn dense(
    op: &IntDense,
    operands: &[Operand<'_>],
    rescale: Option<Rescale>,
) -> Option<Box<dyn Kernel>> {
    layer(Windows::dense(&operands[0].ty.shape)?, 1, (op.zero, op.bits), operands, rescale)
}

fn layer(
    windows: Windows,
    groups: usize,
    (zero, bits): (i64, u8),
    operands: &[Operand<'_>],
    rescale: Option<Rescale>,
) -> Option<Box<dyn Kernel>> {
    let avx512 = dot::available()?;
    let shift = byte_shift(operands[0].ty.element)?;
    (bits <= 32).then_some(())?;
    let unused = unused(bits, largest(operands, zero)?);
    let moved = zero.checked_add(shift.into())?;
    let zero = match windows.padding {
        Some(_) => u8::try_from(moved).ok()?,
        None => 0,
    };
    let w = operands[1].constant?;
    let weights = parts(w.to_i64()?)?;
    let [channels, per_group, ..] = w.shape().0[..] else { return None };
    let bias = match operands.get(2) {
        Some(bias) => bias.constant?.to_i64()?,
        None => vec![0; channels],
    };
    if bias.len() != channels || channels == 0 {
        return None;
    }
    let each = w.len() / channels;
    // Every run is read once for each part of the weights.
    let starts = windows.runs.starts.repeat(weights.len());
    let windows = Windows { runs: Runs { starts, ..windows.runs }, ..windows };
    let block = |of: Outputs| {
        let mut start = Starts([0; LANES]);
        let mut packed = vec![];
        for (lane, output) in (of.output..of.output + of.lanes).enumerate() {
            let weights: Vec<&[i8]> = weights.iter().map(|part| &part[output * each..][..each]).collect();
            let sum: i64 = weights.iter().copied().flatten().map(|&w| i64::from(w)).sum();
            // The low bits are all that counts.
            start.0[lane] = bias[output].wrapping_sub(moved.wrapping_mul(sum)) as i32;
            pack(&mut packed, lane, &weights, per_group, windows.runs.len);
        }
        let scales =
            rescale.as_ref().map_or_else(LaneScales::default, |rescale| rescale.lanes(of.output, of.lanes));
        Block { outputs: of, weights: packed, start, scales }
    };
    let blocks = outputs(groups, channels, per_group).map(block).collect();
    let dots = Dots { windows, blocks, channels, unused, rescale };
    Some(Box::new(ByteLayer { avx512, dots, shift, zero }))
}

/// Weights as sums of bytes: one where they have 8 bits. Nothing where f32 is as fast.
fn parts(mut weights: Vec<i64>) -> Option<Vec<Vec<i8>>> {
    let mut parts = Vec::new();
    while parts.is_empty() || weights.iter().any(|&w| w != 0) {
        if parts.len() == MOST_PARTS {
            return None;
        }
        let part: Vec<i8> = weights.iter().map(|&w| w.clamp(-128, 127) as i8).collect();
        weights.iter_mut().zip(&part).for_each(|(w, &part)| *w -= i64::from(part));
        parts.push(part);
    }
    Some(parts)
}

/// Puts the weights of an output, part by part, by channel of its group and tap, into a lane of quads, by runs of `run`.
fn pack(quads: &mut Vec<Quads>, lane: usize, parts: &[&[i8]], per_group: usize, run: usize) {
    let a_run = run.div_ceil(QUAD);
    for (i, weights) in parts.iter().enumerate() {
        let a_part = weights.len() / run.max(1) * a_run;
        let taps = weights.len() / per_group.max(1);
        quads.resize(a_part * parts.len(), Quads([0; QUAD * LANES]));
        for place in 0..weights.len() {
            let (tap, channel) = (place / per_group, place % per_group);
            let (of_run, in_run) = (place / run, place % run);
            let quad = &mut quads[i * a_part + of_run * a_run + in_run / QUAD];
            quad.0[lane * QUAD + in_run % QUAD] = weights[channel * taps + tap];
        }
    }
}

impl Kernel for ByteLayer {
    fn bytes(&self) -> Bytes {
        if self.dots.shifts().is_some() { Bytes::Read } else { Bytes::None }
    }

    fn run_bytes(&self, operands: &[Stored<'_>], result: StoredMut<'_>, scratch: &mut Scratch) {
        let (Some(&Stored::Bytes(map)), other) = (operands.first(), operands.get(1)) else { return };
        let input = match &self.dots.windows.padding {
            Some(padding) => {
                let padded = room(&mut scratch.bytes, padding.len + SLACK);
                padding.around(map, self.zero, &mut padded[..padding.len]);
                padded
            }
            None => map,
        };
        let other = match other {
            Some(&Stored::Bytes(other)) => other,
            _ => &[],
        };
        self.dots.run_bytes(self.avx512, input, other, result);
    }

    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        let codes = operands[0];
        let padding = self.dots.windows.padding.as_ref();
        let padded = padding.map_or(0, |padding| padding.len);
        let bytes = room(&mut scratch.bytes, codes.len() + padded + SLACK);
        let (map, behind) = bytes.split_at_mut(codes.len());
        dot::pack(self.avx512, codes, self.shift, map);
        let input = match padding {
            Some(padding) => {
                padding.around(map, self.zero, &mut behind[..padding.len]);
                behind
            }
            None => bytes,
        };
        self.dots.run(self.avx512, input, operands.get(1).copied().unwrap_or_default(), result);
    }
}

/// Codes of up to two values of codes, on bytes where these are.
#[derive(Debug)]
struct ByteSums {
    avx512: Avx512,
    rescale: Rescale,
    shifts: Shifts,
}

/// The kernel of a rescaling of codes whose result has this shape.
pub(super) fn sums(rescale: Rescale, result: &Shape) -> Box<dyn Kernel> {
    match (dot::available(), rescale.shifts()) {
        (Some(avx512), Some(shifts))
            if rescale.usual().is_some_and(|(_, factors)| factors.in_lanes(result.len())) =>
        {
            Box::new(ByteSums { avx512, rescale, shifts })
        }
        _ => Box::new(rescale),
    }
}

impl Kernel for ByteSums {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        self.rescale.run(operands, result, scratch);
    }

    fn bytes(&self) -> Bytes {
        Bytes::Read
    }

    fn run_bytes(&self, operands: &[Stored<'_>], result: StoredMut<'_>, _: &mut Scratch) {
        let mut maps: [&[u8]; 2] = [&[]; 2];
        for (map, operand) in maps.iter_mut().zip(operands.iter().skip(1).step_by(2)) {
            let Stored::Bytes(bytes) = operand else { return };
            *map = bytes;
        }
        let Some((even, factors)) = self.rescale.usual() else { return };
        let (avx512, shifts) = (self.avx512, self.shifts);
        avx512.vectorize(
            #[inline(always)]
            || {
                // Here, so that they stay in registers.
                let (even, Shifts { operands: shifts, result: shift }) = (even, shifts);
                let maps = maps.map(|map| map.as_chunks().0);
                match result {
                    StoredMut::Bytes(result) => even.each(
                        avx512,
                        factors,
                        maps,
                        result.as_chunks_mut().0,
                        #[inline(always)]
                        |operand, bytes| dot::codes_of(avx512, *bytes, shifts[operand]),
                        #[inline(always)]
                        |codes, to| dot::store_bytes(avx512, codes, shift, to),
                    ),
                    StoredMut::Floats(result) => even.each(
                        avx512,
                        factors,
                        maps,
                        result.as_chunks_mut().0,
                        #[inline(always)]
                        |operand, bytes| dot::codes_of(avx512, *bytes, shifts[operand]),
                        #[inline(always)]
                        |codes, to| f32x16::float_from(codes).store_array(to),
                    ),
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use nonresc_ir::eval;
    use nonresc_ir::network::{Element, Op, Requantise, Rounding, ValueType};
    use nonresc_ir::tensor::{Data, Tensor};

    use super::super::integer::of_type;
    use super::super::integer::tests::Seed;
    use super::super::layout::{from_stored, to_stored};
    use super::*;

    /// Stored codes as bytes, with anything behind them.
    fn stored(codes: &Tensor) -> Vec<u8> {
        let shift = byte_shift(codes.element()).map_or(0.0, f32::from);
        let numbers = to_stored(&codes.shape().0, &codes.to_f32());
        numbers.into_iter().map(|code| (code + shift) as u8).chain([7; SLACK]).collect()
    }

    /// A rescaling of one or two values of codes, and its constants and operands.
    fn drawn(seed: &mut Seed, shape: &[usize]) -> (Requantise, Vec<Tensor>) {
        let (bits, signed) = (seed.within(1, 8) as u8, seed.within(0, 1) == 0);
        let (least, most) = of_type(Element::Int { bits, signed }).unwrap();
        let min = seed.within(least, most);
        let (shift, zero) = (seed.within(0, 20) as u8, seed.within(least, most));
        let op = Requantise {
            shift,
            zero,
            bits,
            signed,
            min,
            max: seed.within(min, most),
            rounding: Rounding::HalfEven,
        };
        let whole = |seed: &mut Seed, most: i64| {
            let count = if seed.within(0, 1) == 0 { 1 } else { shape[1] };
            let numbers = (0..count).map(|_| seed.within(-most, most)).collect();
            let dims = if count == 1 { vec![] } else { vec![count] };
            Tensor::new(Element::I64, &dims[..], Data::I64(numbers)).unwrap()
        };
        let mut operands = vec![whole(seed, 1 << shift)];
        for _ in 0..seed.size(1, 2) {
            let (bits, signed) = (seed.within(1, 8) as u8, seed.within(0, 1) == 0);
            operands.push(seed.tensor(bits, signed, shape));
            operands.push(whole(seed, 1 << shift));
        }
        (op, operands)
    }

    #[test]
    fn codes_of_bytes_are_those_of_the_definition() {
        let mut seed = Seed(99);
        let mut on_bytes = 0;
        for case in 0..300 {
            let shape = vec![1, [8, 16, 24, 48, 64][seed.size(0, 4)], seed.size(1, 6), 2 * seed.size(1, 4)];
            let (op, tensors) = drawn(&mut seed, &shape);
            let all: Vec<&Tensor> = tensors.iter().collect();
            let plain = eval::operator::<f32>(&Op::from(op.clone()), &all).unwrap();
            let types: Vec<ValueType> =
                tensors.iter().map(|t| ValueType::new(t.element(), t.shape().clone())).collect();
            let operand = |(ty, tensor)| Operand { ty, constant: Some(tensor) };
            let operands: Vec<Operand<'_>> = types.iter().zip(&tensors).map(operand).collect();
            let kernel = sums(Rescale::new(&op, &operands, None).unwrap(), plain.shape());
            if kernel.bytes() != Bytes::Read {
                continue;
            }
            on_bytes += 1;
            let maps: Vec<Vec<u8>> = tensors.iter().map(stored).collect();
            let read = |(i, map)| if i % 2 == 1 { Stored::Bytes(map) } else { Stored::Floats(&[]) };
            let maps: Vec<Stored<'_>> = maps.iter().map(Vec::as_slice).enumerate().map(read).collect();
            let (mut floats, mut bytes) = (vec![f32::NAN; plain.len()], vec![0x55; plain.len()]);
            let mut scratch = Scratch::default();
            kernel.run_bytes(&maps, StoredMut::Floats(&mut floats), &mut scratch);
            kernel.run_bytes(&maps, StoredMut::Bytes(&mut bytes), &mut scratch);
            assert_eq!(from_stored(&shape, &floats), plain.to_f32(), "case {case}: {op:?}");
            assert_eq!(bytes, stored(&plain)[..plain.len()], "case {case}: {op:?}");
        }
        assert!(on_bytes > 150 || dot::available().is_none(), "{on_bytes} cases on bytes");
    }
}
