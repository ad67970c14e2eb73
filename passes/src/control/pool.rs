//! The micro words of a pool with a window: what is folded where in each phase.

use nonresc_ir::id::ActorId;
use nonresc_ir::stream::{PhaseList, Pool, PoolActions, Stream, pool_actions};

use super::layout::{At, Layout};
use super::steps::Step;
use super::{Refusal, pixelwise};

/// Bits of a micro word that a program holds.
const WIDEST: usize = u128::BITS as usize;

/// Bits of a micro word.
fn bits(actions: &PoolActions, layout: &Layout) -> usize {
    9 + layout.address + 3 * actions.slots.w + 2 * actions.slots.h
}

/// How the beats of a pool are given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given {
    /// Whether some are given behind the phase that completes them.
    pub later: bool,
    /// Whether such a beat is read from memory while that memory is folded.
    pub apart: bool,
}

/// The read beats of a frame: for each phase the row, column and beat of the pixel, if any.
fn reads(steps: &[Step], list: &PhaseList, a: &Pool, beats: usize) -> Vec<Option<(usize, usize, usize)>> {
    let mut all = vec![None; steps.len()];
    for (phase, beat) in pixelwise::reads(steps, list) {
        let (pixel, beat) = (beat as usize / beats, beat as usize % beats);
        all[phase] = Some((pixel / a.input.width, pixel % a.input.width, beat));
    }
    all
}

/// Sets the flags of folding behind the bits of reading.
fn fold(steps: &mut [Step], reads: &[Option<(usize, usize, usize)>], actions: &PoolActions, layout: &Layout) {
    let (at, slots) = (9 + layout.address, actions.slots);
    for (step, read) in steps.iter_mut().zip(reads) {
        let &Some((row, column, _)) = read else { continue };
        let (rows, columns) = (actions.rows[row], actions.columns[column]);
        let mut bit = at;
        for (mask, width) in [
            (columns.slots, slots.w),
            (columns.first, slots.w),
            (columns.last, slots.w),
            (rows.slots, slots.h),
            (rows.first, slots.h),
        ] {
            step.micro |= mask << bit;
            bit += width;
        }
    }
}

/// When beats are given against when they are completed, with equal lanes.
fn given(
    steps: &[Step],
    reads: &[Option<(usize, usize, usize)>],
    actions: &PoolActions,
    a: &Pool,
    beats: usize,
) -> Given {
    let slots = actions.slots;
    let folds = |phase: usize, slot: usize, open: usize| {
        reads[phase].is_some_and(|(row, column, _)| {
            actions.columns[column].last >> slot & 1 == 1 && actions.rows[row].slots >> open & 1 == 1
        })
    };
    // Words that each slot has seen in a row so far, as its place in the memories.
    let words = |slot: usize| (a.output.width - slot).div_ceil(slots.w) * beats;
    let mut places = vec![0; slots.w];
    let (mut found, mut next) = (Given::default(), 0);
    for (phase, step) in steps.iter().enumerate() {
        if step.gives & 1 == 1 {
            let (pixel, beat) = (next / beats, next % beats);
            let (row, column) = (pixel / a.output.width, pixel % a.output.width);
            let (open, slot) = (row % slots.h, column % slots.w);
            let at_once = folds(phase, slot, open) && places[slot] == column / slots.w * beats + beat;
            found.later |= !at_once;
            found.apart |= !at_once && folds((phase + 1) % steps.len(), slot, open);
            next += 1;
        }
        if let Some((_, column, _)) = reads[phase] {
            for (slot, place) in places.iter_mut().enumerate() {
                if actions.columns[column].last >> slot & 1 == 1 {
                    *place = (*place + 1) % words(slot);
                }
            }
        }
    }
    found
}

/// Fills in the micro words; gives where the first beat is read, how beats are given, and the bits of a micro word.
pub(super) fn fill(
    steps: &mut [Step],
    list: &PhaseList,
    stream: &Stream,
    actor: ActorId,
    a: &Pool,
    layout: &Layout,
) -> Result<(Option<At>, Given, usize), Refusal> {
    let actions = pool_actions(a);
    if actions.empty {
        return Err(("a window lies in the padding alone".into(), "use less padding"));
    }
    let bits = bits(&actions, layout);
    if bits > WIDEST {
        let why = format!("{} columns and {} rows of windows overlap", actions.slots.w, actions.slots.h);
        return Err((why, "use a smaller window, or a larger stride"));
    }
    let first = pixelwise::fill(steps, list, a.input, layout, 1);
    let reads = reads(steps, list, a, layout.beats);
    fold(steps, &reads, &actions, layout);
    let lanes = |id| stream.channel(id).lanes;
    let (from, to) =
        (stream.input(actor, 0).map(lanes), stream.outputs(actor, 0).first().copied().map(lanes));
    let given = match from.unwrap_or(1) == to.unwrap_or(1) {
        true => given(steps, &reads, &actions, a, layout.beats),
        false => Given { later: true, apart: true },
    };
    Ok((first, given, bits))
}
