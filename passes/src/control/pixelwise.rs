//! The micro words of actors that read each beat once, in order: which phases read, and how far the next read lies.

use nonresc_ir::stream::{Map, PhaseList};

use super::layout::{At, Layout};
use super::steps::{Micro, Step, Steps};

/// The beats of input 0 that are read, with their phases: each phase that needs more reads the last that it needs.
pub(super) fn reads(steps: &Steps, list: &PhaseList) -> Vec<(u64, u64)> {
    let (mut need, tail) = (0u64, list.preset(0).unread_tail);
    let mut all = Vec::new();
    for (phases, step) in steps.runs().filter(|(_, step)| step.need[0] > 0) {
        for phase in phases {
            need += u64::from(step.need[0]);
            all.push((phase, need - tail - 1));
        }
    }
    all
}

/// Sets the read bit at 0, and from bit `at` on the step to the next of the `reads`; gives where the first one reads.
pub(super) fn fill(
    steps: &mut Steps,
    reads: &[(u64, u64)],
    map: Map,
    layout: &Layout,
    at: usize,
) -> Option<At> {
    let place = |&(_, beat): &(u64, u64)| {
        let (pixel, beat) = (beat as usize / layout.beats, beat as usize % layout.beats);
        At { row: (pixel / map.width) as i64, column: (pixel % map.width) as i64, beat }
    };
    let moves = layout.steps(reads.iter(), |&read| (place(read), place(read)), map.height);
    steps.change(moves.map(|(&(phase, _), step)| {
        (phase..phase + 1, move |read: &mut Step| {
            let mut micro = Micro(read);
            micro.set(0, 1, 1);
            micro.moves(at, layout.address, step);
        })
    }));
    reads.first().map(place)
}
