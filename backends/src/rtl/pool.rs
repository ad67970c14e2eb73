//! A pool with a window: what is folded where in each phase, and its instance.

use nonresc_ir::stream::{PhaseList, Pool, PoolActions, pool_actions};
use nonresc_passes::arithmetic::Source;

use super::actor::{Making, Refusal};
use super::memory::Memory;
use super::pixelwise;
use super::program::Step;
use super::word::{signed, unsigned};

/// Bits of a micro word that a program holds.
const WIDEST: usize = u128::BITS as usize;

/// Bits of a micro word.
fn bits(actions: &PoolActions, memory: &Memory) -> usize {
    9 + memory.address + 3 * actions.slots.w + 2 * actions.slots.h
}

/// How the beats of a pool are given.
#[derive(Clone, Copy, Debug, Default)]
struct Given {
    /// Whether some are given behind the phase that completes them.
    later: bool,
    /// Whether such a beat is read from memory while that memory is folded.
    apart: bool,
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
fn fill(steps: &mut [Step], reads: &[Option<(usize, usize, usize)>], actions: &PoolActions, memory: &Memory) {
    let (at, slots) = (9 + memory.address, actions.slots);
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

/// Bits of sums of up to so many numbers from `low` to `high`, one of which may be 0.
fn sum_bits(low: i64, high: i64, count: usize) -> usize {
    let most = |x: i64| i128::from(x) * count as i128;
    match low < 0 {
        true => signed(most(low).abs().max(most(high).abs())),
        false => unsigned(most(high) as u64),
    }
}

impl Making<'_> {
    pub(super) fn pool(&mut self, a: &Pool, mut steps: Vec<Step>, list: &PhaseList) -> Result<(), Refusal> {
        self.made.module = "pool";
        let memory = self.memory(0);
        let actions = pool_actions(a);
        if actions.empty {
            return Err(("a window lies in the padding alone".into(), "use less padding"));
        }
        if bits(&actions, &memory) > WIDEST {
            let why = format!("{} columns and {} rows of windows overlap", actions.slots.w, actions.slots.h);
            return Err((why, "use a smaller window, or a larger stride"));
        }
        let source = self.computed()?.source.clone();
        let (largest, zero) = match source {
            Source::Largest => (true, 0),
            Source::Sums { zero, .. } => (false, zero),
            _ => return Err(("it is no pool of whole numbers".into(), "report this with the model")),
        };
        // Where windows are whole, what is to be taken off is the same for all of them.
        let (taken_off, in_offset) = if actions.padded { (zero, 0) } else { (0, zero) };

        let first = pixelwise::fill(&mut steps, list, a.input, &memory, 1);
        let reads = reads(&steps, list, a, memory.beats);
        fill(&mut steps, &reads, &actions, &memory);
        let (lanes, lanes_out) = (self.input(0).lanes, self.output(0).map_or(1, |c| c.lanes));
        let given = match lanes == lanes_out {
            true => given(&steps, &reads, &actions, a, memory.beats),
            false => Given { later: true, apart: true },
        };

        let (own, is_signed) = (self.input(0).bits as usize, self.input(0).signed);
        let codes = if is_signed { (-(1 << (own - 1)), (1 << (own - 1)) - 1) } else { (0, (1 << own) - 1) };
        let number = own + usize::from(taken_off != 0);
        let sums = |count: usize| match largest {
            true => own,
            false => {
                let low = if is_signed || taken_off != 0 { (codes.0 - taken_off).min(-1) } else { 0 };
                sum_bits(low, codes.1 - taken_off, count).max(number)
            }
        };
        let kernel = a.window.kernel;
        let kept = sums(kernel.h * kernel.w);
        self.number("LARGEST", u8::from(largest));
        self.input_numbers();
        self.number("ZERO", taken_off);
        self.number("NUMBER", number);
        self.number("ALONG", sums(kernel.w));
        self.number("KEPT", kept);
        self.number("CHANNELS", a.input.channels);
        self.number("BEATS", memory.beats);
        self.number("READ", unsigned(memory.beats as u64 - 1));
        self.number("OUT_WIDTH", a.output.width);
        self.number("OUT_HEIGHT", a.output.height);
        self.number("SLOTS", actions.slots.w);
        self.number("OPEN", actions.slots.h);
        self.number("ACROSS", u8::from(kernel.w > 1));
        self.number("TALL", u8::from(kernel.h > 1));
        self.number("LATER", u8::from(given.later));
        self.number("APART", u8::from(given.apart));
        self.number("OUT_LANES", lanes_out);
        let bits_out = self.output(0).map_or(8, |c| c.bits);
        self.number("OUT_BITS", bits_out);
        self.number("BEAT", unsigned(a.output.channels.div_ceil(lanes_out) as u64 - 1));
        let mut rescale = self.computed()?.rescale.clone();
        for (offset, factor) in rescale.offset.iter_mut().zip(&rescale.own) {
            *offset -= factor * in_offset * (kernel.h * kernel.w) as i64;
        }
        self.codes(&rescale, kept + 1, lanes_out);
        self.gathers(&memory, first);
        self.program(&steps, list, bits(&actions, &memory), None);
        Ok(())
    }
}
