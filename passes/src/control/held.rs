//! The micro words of the held form: fetches, loads, phases of computing.

use nonresc_ir::id::ActorId;
use nonresc_ir::stream::{MatVec, Stream, held_actions};

use super::layout::{At, Layout};
use super::steps::{Micro, Step};

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
    steps: &mut [Step],
    stream: &Stream,
    actor: ActorId,
    a: &MatVec,
    layout: &Layout,
) -> Option<At> {
    let actions = held_actions(stream, actor)?;
    let (address, rows) = (layout.address, a.window.kernel.h);
    let places: Vec<At> =
        actions.fetches.iter().map(|f| At { row: f.row, column: f.column as i64, beat: f.beat }).collect();
    for (fetch, step) in actions.fetches.iter().zip(layout.steps(&places, a.input.height)) {
        let mut micro = Micro(&mut steps[fetch.phase as usize]);
        if let Some(staged) = fetch.staged {
            micro.set(0, 1, 1);
            micro.set(8, 4, staged.tap as u64);
            micro.set(12, 4, staged.column as u64);
            micro.set(16, 2, staged.slot as u64);
        }
        micro.moves(18, address, step);
        micro.set(26 + address + rows + fresh(a), 1, 1);
    }
    for load in &actions.loads {
        let mut micro = Micro(&mut steps[load.phase as usize]);
        micro.set(1, 1, 1);
        micro.set(2, 1, u64::from(load.clear));
        micro.set(6, 2, load.slot as u64);
        micro.set(26 + address, rows, load.rows);
        micro.set(26 + address + rows, fresh(a), load.columns);
        if load.completes {
            for (bit, phases) in [(3, actions.own), (4, actions.beside)] {
                let from = load.phase as usize + 1;
                for step in &mut steps[from..from + phases as usize] {
                    Micro(step).set(bit, 1, 1);
                }
            }
        }
    }
    for step in steps.iter_mut() {
        let takes = step.need[1] > 0;
        Micro(step).set(5, 1, u64::from(takes));
    }
    places.first().copied()
}
