//! LUTs where they cannot be counted off the text of a module: fits to what Yosys 0.23 makes of random networks
//! (`cargo bench -p nonresc-tests --bench area -- check`).

use crate::device::Family;

/// A bit of a counter of beats or places: two adders, the first of them of three operands.
pub(super) const COUNTER_BIT: f64 = 1.65;

/// A bit of a number that counts up to a constant and begins anew.
pub(super) const TALLY_BIT: f64 = 0.4;

/// A bit of a loop's count of passes, and the loop's decisions.
pub(super) const LOOP_BIT: f64 = 1.4;
pub(super) const LOOP: f64 = 2.7;

/// A bit of the count of repetitions, and when the next word comes.
pub(super) const RUN_BIT: f64 = 1.1;
pub(super) const RUN: f64 = 4.5;

/// A bit of an address that is kept beside the one that is read: the writer's or reader's place in banks.
pub(super) const BANKED_BIT: f64 = 8.0;
/// The counters of beats and pixels beside it.
pub(super) const BANKED: f64 = 50.0;

/// A bit of a place that goes round at no power of two.
pub(super) const ROUND_BIT: f64 = 2.5;

/// What a compared bit takes of a LUT.
pub(super) const COMPARED_BIT: f64 = 1.0 / 6.0;

/// What a bit of the fraction takes where ties are told.
pub(super) const TIE_BIT: f64 = 0.1;

/// A bit of the adders between the parts of a product that is larger than a block.
pub(super) const SPLIT_BIT: f64 = 0.65;

/// A bit of what comes behind a word, of up to two loops, and of more.
pub(super) const NEXT_BIT: [f64; 2] = [1.6, 2.4];

/// A bit of a code that is moved by its zero point, and one that limits replace.
pub(super) const CODE_BIT: f64 = 0.5;

/// A flip-flop of the counters of what a pool gives.
pub(super) const GIVEN_BIT: f64 = 1.2;

/// LUTs that logic takes where a figure here says one of six inputs.
pub(super) fn mapped(family: Family) -> f64 {
    if family.lut_inputs() == 6 { 1.0 } else { 2.2 }
}

/// LUTs of one bit of `choose` among so many: Yosys makes multiplexers of any other number than a power of two worse than
/// the slices' own.
pub(super) fn choose(family: Family, ways: u64) -> f64 {
    match ways {
        0 | 1 => 0.0,
        ways if family.lut_inputs() == 4 => (ways - 1) as f64 / mapped(family),
        2..=4 => 1.0,
        5 => 4.0,
        6 => 8.0,
        7 | 8 => 3.0,
        9..=16 => 0.42 * ways as f64,
        17..=32 => 0.6 * ways as f64,
        _ => 0.4 * ways as f64,
    }
}
