//! The micro words of actors that read each beat once, in order: which phases read, and how far the next read lies.

use nonresc_ir::stream::{Map, PhaseList};

use super::layout::{At, Layout};
use super::steps::{Micro, Step};

/// The beats of input 0 that are read, with their phases: each phase that needs more reads the last that it needs.
pub(super) fn reads(steps: &[Step], list: &PhaseList) -> Vec<(usize, u64)> {
    let (mut need, tail) = (0u64, list.preset(0).unread_tail);
    let mut all = Vec::new();
    for (phase, step) in steps.iter().enumerate().filter(|(_, step)| step.need[0] > 0) {
        need += u64::from(step.need[0]);
        all.push((phase, need - tail - 1));
    }
    all
}

/// Sets the read bit at 0, and from bit `at` on the step to the next read; gives where the first one reads.
pub(super) fn fill(steps: &mut [Step], list: &PhaseList, map: Map, layout: &Layout, at: usize) -> Option<At> {
    let reads = reads(steps, list);
    let place = |beat: u64| {
        let (pixel, beat) = (beat as usize / layout.beats, beat as usize % layout.beats);
        At { row: (pixel / map.width) as i64, column: (pixel % map.width) as i64, beat }
    };
    let places: Vec<At> = reads.iter().map(|&(_, beat)| place(beat)).collect();
    for (&(phase, _), step) in reads.iter().zip(layout.steps(&places, map.height)) {
        let mut micro = Micro(&mut steps[phase]);
        micro.set(0, 1, 1);
        micro.moves(at, layout.address, step);
    }
    places.first().copied()
}
