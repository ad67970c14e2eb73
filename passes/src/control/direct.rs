//! The micro words of the direct form: where each phase's taps lie.

use nonresc_ir::id::ActorId;
use nonresc_ir::network::Pair;
use nonresc_ir::stream::{MatVec, Stream, direct_actions};

use super::layout::{At, Layout};
use super::steps::{Micro, Step};

/// Bits of a micro word.
pub(super) fn bits(side: Pair, layout: &Layout) -> usize {
    10 + layout.address + side.h + side.w
}

/// Fills in the micro words; gives where the first phase reads.
pub(super) fn fill(
    steps: &mut [Step],
    stream: &Stream,
    actor: ActorId,
    a: &MatVec,
    side: Pair,
    layout: &Layout,
) -> Option<At> {
    let actions = direct_actions(stream, actor);
    let places: Vec<At> = actions.iter().map(|g| At { row: g.row, column: g.column, beat: g.beat }).collect();
    for (gathered, step) in actions.iter().zip(layout.steps(&places, a.input.height)) {
        let mut micro = Micro(&mut steps[gathered.phase as usize]);
        micro.set(0, 1, 1);
        micro.moves(2, layout.address, step);
        micro.set(10 + layout.address, side.h, gathered.rows);
        micro.set(10 + layout.address + side.h, side.w, gathered.columns);
    }
    for step in steps.iter_mut() {
        let takes = step.need[1] > 0;
        Micro(step).set(1, 1, u64::from(takes));
    }
    places.first().copied()
}
