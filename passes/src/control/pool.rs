//! The micro words of a pool with a window: what is folded where in each phase.

use std::ops::Range;

use nonresc_ir::id::ActorId;
use nonresc_ir::stream::{PhaseList, Pool, PoolActions, Stream, pool_actions};

use super::layout::{At, Layout};
use super::steps::{Step, Steps};
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

/// A phase that reads, and the pixel that it reads of.
struct Read {
    phase: u64,
    row: usize,
    column: usize,
}

/// Sets the flags of folding behind the bits of reading.
fn fold(steps: &mut Steps, reads: &[Read], actions: &PoolActions, layout: &Layout) {
    let (at, slots) = (9 + layout.address, actions.slots);
    steps.change(reads.iter().map(|read| {
        let (rows, columns) = (&actions.rows[read.row], &actions.columns[read.column]);
        let flags = [
            (columns.slots, slots.w),
            (columns.first, slots.w),
            (columns.last, slots.w),
            (rows.slots, slots.h),
            (rows.first, slots.h),
        ];
        let mut bit = at;
        let mut micro = 0u128;
        for (mask, width) in flags {
            micro |= mask << bit;
            bit += width;
        }
        (read.phase..read.phase + 1, move |step: &mut Step| step.micro |= micro)
    }));
}

/// When beats are given against when they are completed, with equal lanes.
fn given(steps: &Steps, reads: &[Read], actions: &PoolActions, a: &Pool, beats: usize) -> Given {
    let slots = actions.slots;
    // Whether the next of these reads is in a phase and folds into these slots.
    let folds = |next: &[Read], phase: u64, slot: usize, open: usize| {
        next.first().is_some_and(|read| {
            read.phase == phase
                && actions.columns[read.column].last >> slot & 1 == 1
                && actions.rows[read.row].slots >> open & 1 == 1
        })
    };
    // Words that each slot has seen in a row so far, as its place in the memories.
    let words = |slot: usize| (a.output.width - slot).div_ceil(slots.w) * beats;
    let mut places = vec![0; slots.w];
    let (mut found, mut next, mut to_come) = (Given::default(), 0, reads);
    let count = steps.count();
    let acts = |(_, step): &(Range<u64>, Step)| step.gives & 1 == 1 || step.need[0] > 0;
    for (phase, step) in steps.runs().filter(acts).flat_map(|(phases, step)| phases.map(move |p| (p, step))) {
        let reads_now = to_come.first().is_some_and(|read| read.phase == phase);
        if step.gives & 1 == 1 {
            let (pixel, beat) = (next / beats, next % beats);
            let (row, column) = (pixel / a.output.width, pixel % a.output.width);
            let (open, slot) = (row % slots.h, column % slots.w);
            let at_once =
                folds(to_come, phase, slot, open) && places[slot] == column / slots.w * beats + beat;
            found.later |= !at_once;
            // Behind the frame's last phase comes the first of the next.
            let behind = match phase + 1 == count {
                true => folds(reads, 0, slot, open),
                false => folds(&to_come[usize::from(reads_now)..], phase + 1, slot, open),
            };
            found.apart |= !at_once && behind;
            next += 1;
        }
        if reads_now {
            let column = to_come[0].column;
            for (slot, place) in places.iter_mut().enumerate() {
                if actions.columns[column].last >> slot & 1 == 1 {
                    *place = (*place + 1) % words(slot);
                }
            }
            to_come = &to_come[1..];
        }
    }
    found
}

/// Fills in the micro words; gives where the first beat is read, how beats are given, and the bits of a micro word.
pub(super) fn fill(
    steps: &mut Steps,
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
    let reads = pixelwise::reads(steps, list);
    let first = pixelwise::fill(steps, &reads, a.input, layout, 1);
    let read = |&(phase, beat): &(u64, u64)| {
        let pixel = beat as usize / layout.beats;
        Read { phase, row: pixel / a.input.width, column: pixel % a.input.width }
    };
    let reads: Vec<Read> = reads.iter().map(read).collect();
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
