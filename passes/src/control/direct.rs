//! The micro words of the direct form: where each phase's taps lie.

use nonresc_ir::id::ActorId;
use nonresc_ir::network::Pair;
use nonresc_ir::stream::{Gathered, MatVec, Stream, direct_actions};

use super::layout::{At, Layout};
use super::steps::{Micro, Step, Steps};

/// Bits of a micro word.
pub(super) fn bits(side: Pair, layout: &Layout) -> usize {
    10 + layout.address + side.h + side.w
}

/// Fills in the micro words; gives where the first phase reads.
pub(super) fn fill(
    steps: &mut Steps,
    stream: &Stream,
    actor: ActorId,
    a: &MatVec,
    side: Pair,
    layout: &Layout,
) -> Option<At> {
    let place = |g: &Gathered| At { row: g.row, column: g.column, beat: g.beat };
    let mut actions = direct_actions(stream, actor).peekable();
    let first = actions.peek().map(place);
    let moves = layout.steps(actions, place, a.input.height);
    steps.change(moves.map(|(gathered, step)| {
        (gathered.phase..gathered.phase + 1, move |read: &mut Step| {
            let mut micro = Micro(read);
            micro.set(0, 1, 1);
            micro.moves(2, layout.address, step);
            micro.set(10 + layout.address, side.h, gathered.rows);
            micro.set(10 + layout.address + side.h, side.w, gathered.columns);
        })
    }));
    steps.change_all(|step| {
        let takes = step.need[1] > 0;
        Micro(step).set(1, 1, u64::from(takes));
    });
    first
}
