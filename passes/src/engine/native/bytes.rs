//! Integer layers on bytes: codes of at most 8 bits and weights of little more, which one instruction multiplies and adds by fours.
//!
//! Codes are moved to 0..=255, and what that and the zero point add to every sum is taken off its start. Sums are exact
//! in every width up to 32 bits, wrapping included, so no range decides whether a layer may be done here.

use fearless_simd::x86::Avx512;
use nonresc_ir::network::{Element, IntConv, IntDense, Shape};

use super::conv::{Outputs, Windows, outputs};
use super::dot::{self, Block, Dots, QUAD, Quads, Starts};
use super::integer::{largest, unused};
use super::kernel::{Kernel, Operand, Scratch, room};
use super::round::{LaneScales, Rescale};
use super::tile::{LANES, Runs};

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
    let shift = match operands[0].ty.element {
        Element::Int { bits: ..=8, signed } => {
            if signed {
                128
            } else {
                0
            }
        }
        _ => return None,
    };
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
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        let codes = operands[0];
        let padding = self.dots.windows.padding.as_ref();
        let padded = padding.map_or(0, |padding| padding.len);
        let bytes = room(&mut scratch.bytes, codes.len() + padded + Dots::SLACK);
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
