//! The micro words of the held form: fetches, loads, phases of computing.

use nonresc_ir::id::ActorId;
use nonresc_ir::stream::{Fetched, MatVec, Stream, held_actions};

use super::layout::{At, Layout};
use super::steps::{Micro, Step, Steps};

/// Columns that an advance brings.
pub fn fresh(a: &MatVec) -> usize {
    a.window.stride.w.min((a.window.kernel.w - 1) * a.window.dilation.w + 1)
}

/// Bits of a micro word.
pub(super) fn bits(a: &MatVec, layout: &Layout) -> usize {
    27 + layout.address + a.window.kernel.h + fresh(a)
}

/// Fills in the micro words; gives where the first fetch reads.
pub(super) fn fill(
    steps: &mut Steps,
    stream: &Stream,
    actor: ActorId,
    a: &MatVec,
    layout: &Layout,
) -> Option<At> {
    let actions = held_actions(stream, actor)?;
    let (address, rows, fresh) = (layout.address, a.window.kernel.h, fresh(a));
    let place = |f: &Fetched| At { row: f.row, column: f.column as i64, beat: f.beat };
    let moves = layout.steps(actions.fetches.iter(), |&fetch| (place(fetch), place(fetch)), a.input.height);
    steps.change(moves.map(|(fetch, step)| {
        (fetch.phase..fetch.phase + 1, move |phase: &mut Step| {
            let mut micro = Micro(phase);
            if let Some(staged) = fetch.staged {
                micro.set(0, 1, 1);
                micro.set(8, 4, staged.tap as u64);
                micro.set(12, 4, staged.column as u64);
                micro.set(16, 2, staged.slot as u64);
            }
            micro.moves(18, address, step);
            micro.set(26 + address + rows + fresh, 1, 1);
        })
    }));
    steps.change(actions.loads.iter().map(|load| {
        (load.phase..load.phase + 1, move |phase: &mut Step| {
            let mut micro = Micro(phase);
            micro.set(1, 1, 1);
            micro.set(2, 1, u64::from(load.clear));
            micro.set(6, 2, load.slot as u64);
            micro.set(26 + address, rows, load.rows);
            micro.set(26 + address + rows, fresh, load.columns);
        })
    }));
    for (bit, phases) in [(3, actions.own), (4, actions.beside)] {
        let complete = actions.loads.iter().filter(|load| load.completes);
        let computing = complete.map(|load| load.phase + 1..load.phase + 1 + phases);
        steps.change(computing.map(|phases| (phases, move |step: &mut Step| Micro(step).set(bit, 1, 1))));
    }
    steps.change_all(|step| {
        let takes = step.need[1] > 0;
        Micro(step).set(5, 1, u64::from(takes));
    });
    actions.fetches.first().map(place)
}
