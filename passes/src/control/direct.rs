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
    let place = |g: &Gathered, beat: usize| At { row: g.row, column: g.column, beat };
    let ends = |g: &Gathered| (place(g, g.beats.start), place(g, g.beats.end - 1));
    let mut actions = direct_actions(stream, actor).peekable();
    let first = actions.peek().map(|gathered| ends(gathered).0);
    let moves = layout.steps(actions, ends, a.input.height);
    steps.change(moves.flat_map(|(gathered, behind)| {
        let Gathered { phase, ref beats, rows, columns, .. } = gathered;
        let (last, along) =
            (phase + beats.len() as u64 - 1, layout.step(place(&gathered, 0), place(&gathered, 1)));
        [(phase..last, along), (last..last + 1, behind)].map(|(phases, step)| {
            (phases, move |read: &mut Step| {
                let mut micro = Micro(read);
                micro.set(0, 1, 1);
                micro.moves(2, layout.address, step);
                micro.set(10 + layout.address, side.h, rows);
                micro.set(10 + layout.address + side.h, side.w, columns);
            })
        })
    }));
    steps.change_all(|step| {
        let takes = step.need[1] > 0;
        Micro(step).set(1, 1, u64::from(takes));
    });
    first
}
