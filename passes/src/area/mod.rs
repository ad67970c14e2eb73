//! What a folded stream takes: LUTs, flip-flops and DSP blocks of each actor, and the memories that it needs.
//!
//! Facts about a stream, read by `fold` (what would this folding take) and `bind` (what does it take). Nothing
//! is chosen here, and no limit is known. What is inside of actors ([`Inside`]) is known once channels have depths.
//!
//! LUT and FF figures are estimates. Where the inside is known, they are sums over the modules of the hardware
//! (`hardware`); else, and for `fold`, rough sums of adders, multiplexers and registers at one LUT a bit of an adder.
//! DSP blocks and memory bits are exact, those of scales where the inside is known.

mod actor;
mod hardware;
mod inside;
mod memory;

pub(crate) use actor::accumulator_bits;
pub use actor::{Area, Widths, actor_area, area, lut_multiplier, operand_sets, output_registers, pairs};
pub use hardware::{Bill, Price, bill};
pub(crate) use hardware::{blocks, scale_blocks};
pub use inside::{ControlSizes, Inside, Varying, Within};
pub use memory::{Memory, Read, Role, bank_words, memories, partial_sums, weights, weights_beside};

/// Bits of the largest of `n` numbers counted from 0.
pub(crate) fn ceil_log2(n: u64) -> u64 {
    u64::from(n.max(1).next_power_of_two().trailing_zeros())
}
