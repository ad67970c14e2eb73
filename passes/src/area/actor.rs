//! LUTs, flip-flops and DSP blocks of an actor without its memories, roughly: of its kind, its fold and its widths alone.
//!
//! The matrix-vector's parts in order of the data path: window and staging registers (held form), multiplexers
//! from the window to SIMD inputs, products, an adder tree for each of PE outputs, accumulators, rounding, output
//! registers. The window's and staging's size and the multiplexers' price were measured on one held layer
//! (1,152 + 384 flip-flops and 464 LUTs for 3x3x16 of 8 bits at SIMD 29).

use nonresc_ir::id::ActorId;
use nonresc_ir::stream::{
    Form, GlobalPool, Kind, MatVec, Multiplier, Pool, PoolKind, Projection, Second, Stream,
};

use super::inside::Within;
use super::{ceil_log2, hardware};
use crate::device::Family;
use crate::images;

/// What an actor takes, memories apart. LUTs and flip-flops are estimates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// Look-up tables, those that are shift registers included.
    pub luts: u64,
    /// Those that are shift registers.
    pub memory_luts: u64,
    /// All flip-flops.
    pub ffs: u64,
    /// DSP blocks.
    pub dsps: u64,
    /// Flip-flops of the window (held form).
    pub window_ffs: u64,
    /// Flip-flops of the staging in front of the window.
    pub staging_ffs: u64,
}

impl std::ops::AddAssign for Area {
    fn add_assign(&mut self, other: Area) {
        self.luts += other.luts;
        self.memory_luts += other.memory_luts;
        self.ffs += other.ffs;
        self.dsps += other.dsps;
        self.window_ffs += other.window_ffs;
        self.staging_ffs += other.staging_ffs;
    }
}

/// Lanes of an actor's channels, and bits of its first input and first output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    /// Numbers a beat read.
    pub lanes_in: usize,
    /// Numbers a beat given.
    pub lanes_out: usize,
    /// Numbers a beat given on output 1.
    pub lanes_second: usize,
    /// Bits of a number read.
    pub bits_in: u64,
    /// Bits of a number given.
    pub bits_out: u64,
}

impl Widths {
    /// The widths of an actor's channels.
    pub fn of(stream: &Stream, actor: ActorId) -> Widths {
        let input = stream.input(actor, 0).map(|c| stream.channel(c));
        let output = stream.outputs(actor, 0).first().map(|&c| stream.channel(c));
        let either = input.or(output);
        Widths {
            lanes_in: input.map_or(1, |c| c.lanes.max(1)),
            lanes_out: output.map_or(1, |c| c.lanes.max(1)),
            lanes_second: stream.outputs(actor, 1).first().map_or(1, |&c| stream.channel(c).lanes.max(1)),
            bits_in: either.map_or(8, |c| u64::from(c.bits)),
            bits_out: output.or(input).map_or(8, |c| u64::from(c.bits)),
        }
    }
}

/// What an actor of the stream takes; counted where its inside is known, and else roughly.
pub fn actor_area(stream: &Stream, actor: ActorId, family: Family, within: Option<&Within>) -> Area {
    let rough = area(&stream.actor(actor).kind, Widths::of(stream, actor), family);
    within.and_then(|within| hardware::actor_area(stream, actor, family, within, rough)).unwrap_or(rough)
}

/// What an actor of that kind takes with channels of those widths.
pub fn area(kind: &Kind, w: Widths, family: Family) -> Area {
    match kind {
        Kind::Source(_) | Kind::Sink(_) => edge(w),
        Kind::MatVec(a) => matrix_vector(a, w, family),
        Kind::Pool(a) => pool(a, w),
        Kind::GlobalPool(a) => global_pool(a, w),
        Kind::Sum(_) => lanewise(w, w.bits_out + 2, 1),
        Kind::Activate { .. } => lanewise(w, w.bits_out, 1),
        Kind::Select(_) | Kind::Convert(_) => regroup(w, family),
    }
}

/// Control of an actor: phase counters and registered masks.
const CONTROL: Area = Area { luts: 29, memory_luts: 0, ffs: 13, dsps: 0, window_ffs: 0, staging_ffs: 0 };

fn plus_control(luts: u64, ffs: u64, dsps: u64) -> Area {
    Area { luts: luts + CONTROL.luts, ffs: ffs + CONTROL.ffs, dsps, ..Area::default() }
}

/// A pin's skid buffer registers ready and two words.
fn edge(w: Widths) -> Area {
    let word = w.lanes_in.max(w.lanes_out) as u64 * w.bits_out;
    plus_control(word + 4, 2 * word + 2, 0)
}

fn lanewise(w: Widths, luts_a_lane: u64, register_sets: u64) -> Area {
    let lanes = w.lanes_out as u64;
    plus_control(lanes * luts_a_lane, lanes * w.bits_out * (1 + register_sets), 0)
}

fn regroup(w: Widths, family: Family) -> Area {
    let (lanes_in, lanes_out) = (w.lanes_in as u64, w.lanes_out as u64);
    if lanes_in == lanes_out {
        return plus_control(0, lanes_out * w.bits_out, 0);
    }
    let ways = lanes_in.max(lanes_out).div_ceil(lanes_in.min(lanes_out));
    let luts = lanes_in.min(lanes_out) * w.bits_out * family.mux_luts(ways);
    plus_control(luts, (lanes_in + lanes_out) * w.bits_out, 0)
}

/// Bits that hold the sum of a pool's window.
pub(super) fn pool_bits(kind: PoolKind, taps: u64, bits: u64) -> u64 {
    match kind {
        PoolKind::Max => bits,
        PoolKind::Average { .. } => bits + ceil_log2(taps),
    }
}

/// A mean divides by a constant: a shift where it is a power of two, else a product.
fn divider_dsps(kind: PoolKind, taps: u64, lanes: u64) -> u64 {
    match kind {
        PoolKind::Average { include_pad: true } if taps.is_power_of_two() => 0,
        PoolKind::Average { .. } => lanes,
        PoolKind::Max => 0,
    }
}

fn pool(a: &Pool, w: Widths) -> Area {
    let taps = (a.window.kernel.h * a.window.kernel.w) as u64;
    let (lanes, bits) = (w.lanes_in as u64, pool_bits(a.kind, taps, w.bits_in));
    let padded = a.window.pad != nonresc_ir::network::Sides::ZERO;
    let dsps = match a.kind {
        PoolKind::Average { .. } if !padded && taps.is_power_of_two() => 0,
        kind => divider_dsps(kind, taps, lanes),
    };
    plus_control(2 * lanes * bits, 3 * lanes * bits, dsps)
}

fn global_pool(a: &GlobalPool, w: Widths) -> Area {
    let taps = a.input.pixels() as u64;
    let (lanes, bits) = (w.lanes_in as u64, pool_bits(a.kind, taps, w.bits_in));
    let dsps = if taps.is_power_of_two() { 0 } else { divider_dsps(a.kind, taps, lanes) };
    plus_control(lanes * bits, 2 * lanes * bits, dsps)
}

/// Sets of operands that a fold's outputs have, read in so many lanes: one, or one for each two outputs of a group where
/// outputs of several groups lie side by side.
pub fn operand_sets(a: &MatVec, lanes: usize) -> usize {
    let apart = match a.fold.form {
        Form::Held { .. } => a.groups > 1,
        Form::Direct { .. } => images::chooses_lanes(a, lanes),
        Form::Stationary => false,
    };
    if apart { pairs(a, a.fold.pe) } else { 1 }
}

/// DSP blocks for one SIMD input of PE outputs: two outputs of one group share the input and a block.
pub fn pairs(a: &MatVec, pe: usize) -> usize {
    let outputs = a.output.channels / a.groups;
    match a.groups {
        1 => pe.div_ceil(2),
        _ if outputs.is_multiple_of(2) && pe.is_multiple_of(2) => pe / 2,
        _ => pe,
    }
}

/// LUTs of a product of `weight` by `activation` bits, both signed.
///
/// A fit to Yosys 0.23 without DSP blocks: 2x8 bits 17, 4x4 26, 8x8 182 LUT6; 2x8 16, 4x4 45, 8x8 277 LUT4.
pub fn lut_multiplier(weight: u64, activation: u64, family: Family) -> u64 {
    let partial_products = weight * activation;
    let rows = weight.min(activation);
    match (rows, family.lut_inputs()) {
        (0 | 1, _) => partial_products,
        (_, 6) => (partial_products * (20 + 7 * (rows - 2))).div_ceil(20),
        (2, _) => partial_products,
        _ => (partial_products * 13).div_ceil(3),
    }
}

/// Output channels that wait in registers between the end of their fold and their beat.
///
/// None where a fold is a beat; else what a beat lacks or a fold has too many of; where neither divides the other, the
/// whole folds that a beat reaches back to from the one that it is complete with.
pub fn output_registers(channels: usize, pe: usize, lanes: usize) -> usize {
    if pe >= lanes && pe.is_multiple_of(lanes) {
        pe - lanes
    } else if lanes.is_multiple_of(pe) {
        lanes - pe
    } else {
        pe * (lanes - 1).div_ceil(pe).min(channels.div_ceil(pe))
    }
}

/// Bits of a matrix-vector's sum in the worst case, bias included.
pub(crate) fn accumulator_bits(a: &MatVec, bits_in: u64) -> u64 {
    sum_bits(a.weight_bits, bits_in, a.flat())
}

/// Bits of a sum of `terms` products and a bias in the worst case.
pub(super) fn sum_bits(weight_bits: u32, bits_in: u64, terms: usize) -> u64 {
    u64::from(weight_bits) + bits_in + ceil_log2(terms as u64) + 1
}

/// Products of `simd` inputs for each of `pe` outputs, `blocks` where two products share a block, and the adder trees
/// behind them.
fn dot_products(
    multiplier: Multiplier,
    (pe, simd, blocks): (u64, u64, u64),
    (weight_bits, bits): (u64, u64),
    family: Family,
) -> Area {
    let (mut total, products) = (Area::default(), simd * pe);
    match multiplier {
        Multiplier::Dsp => total.dsps = products,
        Multiplier::DspPair => total.dsps = blocks,
        Multiplier::Lut => {
            total.luts += products * lut_multiplier(weight_bits, bits, family);
            total.ffs += products * (weight_bits + bits);
        }
    }
    let adder = weight_bits + bits + ceil_log2(simd).div_ceil(2);
    total.luts += pe * (simd - 1) * adder;
    total.ffs += pe * (simd - 1) * adder;
    total
}

/// A projection beside: what it has of its own, the window apart.
fn projection(a: &MatVec, p: &Projection, w: Widths, family: Family) -> Area {
    let (pe, simd, weight_bits) = (p.pe as u64, p.simd as u64, u64::from(p.weight_bits));
    let blocks = simd * pe.div_ceil(2);
    let mut total = dot_products(a.fold.multiplier, (pe, simd, blocks), (weight_bits, w.bits_in), family);
    total.luts += simd * w.bits_in * family.mux_luts(p.input_folds(a.input.channels) as u64);
    total.ffs += simd * w.bits_in;
    let sum = sum_bits(p.weight_bits, w.bits_in, a.input.channels);
    total.luts += pe * (sum + w.bits_out);
    total.ffs += pe * (sum + w.bits_out);
    total.ffs += output_registers(p.channels, p.pe, w.lanes_second) as u64 * w.bits_out;
    total
}

fn matrix_vector(a: &MatVec, w: Widths, family: Family) -> Area {
    let (pe, simd) = (a.fold.pe as u64, a.fold.simd as u64);
    let (bits, weight_bits) = (w.bits_in, u64::from(a.weight_bits));
    let kernel = a.window.kernel;
    // Inputs of different groups are different inputs, each with its own multiplexer.
    let side_by_side = (a.fold.pe.div_ceil(a.output.channels / a.groups)).clamp(1, a.groups) as u64;
    let inputs = simd * side_by_side;

    let mut total = Area::default();
    match a.fold.form {
        Form::Held { slots } => {
            let extent = ((kernel.w - 1) * a.window.dilation.w + 1) as u64;
            let column = (kernel.h * a.input.channels) as u64 * bits;
            total.window_ffs = extent * column;
            total.staging_ffs = slots as u64 * extent.min(a.window.stride.w as u64) * column;
            let ways = a.input_folds() as u64 * (a.groups as u64).div_ceil(side_by_side);
            total.luts += inputs * bits * family.mux_luts(ways);
            if slots > 1 {
                total.luts += extent.min(a.window.stride.w as u64) * column * family.mux_luts(slots as u64);
            }
            if a.fold.ports > 1 {
                let word = w.lanes_in as u64 * bits;
                total.luts += a.fold.ports as u64 * word * family.mux_luts(a.fold.ports as u64);
            }
        }
        // Rows are rotated to their taps, and what lies in the padding is masked.
        Form::Direct { taps } => {
            let rows = a.window.side_by_side(taps).h as u64;
            total.luts += inputs * bits * family.mux_luts(rows.max(1) * 2);
        }
        Form::Stationary => {}
    }
    total.ffs += total.window_ffs + total.staging_ffs + inputs * bits;

    let block = simd * pairs(a, a.fold.pe) as u64;
    total += dot_products(a.fold.multiplier, (pe, simd, block), (weight_bits, bits), family);
    let sum = accumulator_bits(a, bits);
    total.luts += pe * (sum + w.bits_out);
    total.ffs += pe * (sum + w.bits_out);
    match &a.second {
        None => {}
        Some(Second::Tap { .. }) => total.ffs += w.lanes_second as u64 * bits,
        Some(Second::Projection(p)) => total += projection(a, p, w, family),
    }
    let lanes_out = w.lanes_out as u64;
    if a.add.is_some() || a.carry.adds() {
        // The skip's word waits for the sum in shift registers.
        total.luts += lanes_out * (2 * w.bits_out + 2);
        total.ffs += lanes_out * (w.bits_out + 2);
    }
    total.ffs += output_registers(a.output.channels, a.fold.pe, w.lanes_out) as u64 * w.bits_out;
    total.luts += CONTROL.luts;
    total.ffs += CONTROL.ffs;
    total
}
