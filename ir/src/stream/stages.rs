//! Register stages of each kind of actor: p of the timing contract, one table for model and hardware.
//!
//! A stage is counted from a phase's start to the write port of the storage that the beat goes to. The read of
//! a channel is registered and belongs to the reader, so every actor that reads has at least one stage.
//!
//! | actor | stages |
//! |---|---|
//! | source, sink | 0: the pins' beat is at the write port in its phase |
//! | select, convert | 2: channel read, regrouping |
//! | activate | 4: channel read, regrouping, scale, rounding |
//! | sum | 4: channel read, scale, sum, rounding |
//! | pool | 6: channel read, along the row, down the columns, beat, scale, rounding |
//! | global pool | 5: channel read, fold, beat, scale, rounding |
//! | matrix-vector, held | 8 + tree: channel read, staging, multiplexer, product, tree, accumulator, beat, scale, rounding |
//! | matrix-vector, direct and stationary | 7 + tree: the same without staging |
//! | two products a DSP block | 1 more: the two sums are parted, inside of the tree |
//! | merged add, and what is carried added | 1 more each: the sum, between scale and rounding |
//! | merged add of a result that is rounded first | 2 more: its own scale and rounding |
//! | tap of a matrix-vector | 1: channel read |
//! | projection beside | as the held form with its own SIMD |
//!
//! *Beat* is the register in which the channels of an output beat meet, those of earlier folds included; *scale*
//! multiplies by the channel's scale, and is there for powers of two as well.
//! The tree that adds SIMD products has `ceil(log2 SIMD)` stages, one a level.

use super::actor::{Fold, Form, Kind, MatVec, Second};
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
        Kind::Select(_) | Kind::Convert(_) => 2,
        Kind::Activate { .. } | Kind::Sum(_) => 4,
        Kind::Pool(_) => 6,
        Kind::GlobalPool(_) => 5,
        Kind::MatVec(a) => {
            let sum = a.add.map_or(0, |add| 1 + 2 * u32::from(add.rounded));
            data_path(&a.fold) + sum + u32::from(a.carry.adds())
        }
    }
}

fn data_path(fold: &Fold) -> u32 {
    let registers = match fold.form {
        Form::Held { .. } => 8,
        Form::Direct { .. } | Form::Stationary => 7,
    };
    let tree = fold.simd.max(1).next_power_of_two().trailing_zeros();
    registers + tree
}
