//! Register stages of each kind of actor: p of the timing contract, one table for model and hardware.
//!
//! A stage is counted from a phase's start to the write port of the storage that the beat goes to. The read of
//! a channel is registered and belongs to the reader, so every actor that reads has at least one stage.
//!
//! | actor | stages |
//! |---|---|
//! | source, sink | 0: the pins' beat is at the write port in its phase |
//! | select | 1: channel read |
//! | convert | 2: channel read, regrouping |
//! | activate | 2: channel read, result; 3 with a slope (product) |
//! | sum | 2: channel read, sum; activation included |
//! | pool, largest | 3: channel read, along the row, down the columns |
//! | pool, mean | 5: the same, product with the divisor's inverse, rounding |
//! | global pool, largest | 2: channel read, fold |
//! | global pool, mean | 4: the same, product, rounding |
//! | matrix-vector, held | 8 + tree: channel read, staging, multiplexer, product, tree, accumulator, beat, scale, rounding |
//! | matrix-vector, direct and stationary | 7 + tree: the same without staging |
//! | two products a DSP block | 1 more: the two sums are parted, inside of the tree |
//! | merged add, and what is carried added | 1 more each: the sum, between scale and rounding |
//! | tap of a matrix-vector | 1: channel read |
//! | projection beside | as the held form with its own SIMD |
//!
//! *Beat* is the register in which the channels of an output beat meet, those of earlier folds included; *scale*
//! multiplies by the channel's scale, and is there for powers of two as well.
//! The tree that adds SIMD products has `ceil(log2 SIMD)` stages, one a level.

use super::actor::{Activation, Fold, Form, Kind, MatVec, Multiplier, PoolKind, Second};
use super::graph::Stream;
use crate::id::ActorId;

/// Register stages from the start of a phase that gives on `output` to the storage's write port: p of the timing
/// contract.
pub fn stages(stream: &Stream, actor: ActorId, output: u16) -> u32 {
    match &stream.actor(actor).kind {
        Kind::MatVec(MatVec { second: Some(second), fold, .. }) if output == 1 => match second {
            Second::Tap { .. } => 1,
            Second::Projection(p) => data_path(&Fold { pe: p.pe, simd: p.simd, ..*fold }),
        },
        Kind::Source(_) | Kind::Sink(_) => 0,
        Kind::Select(_) => 1,
        Kind::Activate { activation: Activation::LeakyRelu { .. }, .. } => 3,
        Kind::Convert(_) | Kind::Activate { .. } | Kind::Sum(_) => 2,
        Kind::Pool(a) => match a.kind {
            PoolKind::Max => 3,
            PoolKind::Average { .. } => 5,
        },
        Kind::GlobalPool(a) => match a.kind {
            PoolKind::Max => 2,
            PoolKind::Average { .. } => 4,
        },
        Kind::MatVec(a) => data_path(&a.fold) + u32::from(a.add.is_some()) + u32::from(a.carry.adds()),
    }
}

fn data_path(fold: &Fold) -> u32 {
    let registers = match fold.form {
        Form::Held { .. } => 8,
        Form::Direct { .. } | Form::Stationary => 7,
    };
    let tree = fold.simd.max(1).next_power_of_two().trailing_zeros();
    registers + tree + u32::from(fold.multiplier == Multiplier::DspPair)
}
