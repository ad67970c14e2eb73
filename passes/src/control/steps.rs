//! An actor's phases: what each needs, frees and gives, and the micro word that its data path takes; and what the
//! actor begins with.
//!
//! A slow layer's frame has millions of phases, few of which differ: each kind of phase is stored once, and the frame as
//! runs of them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use nonresc_ir::stream::{Phase, PhaseList};

/// One phase of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Step {
    /// Beats by which each input's need rises.
    pub need: [u32; 2],
    /// Places that each input frees.
    pub free: [u32; 2],
    /// Bit `i` is set where output `i` gets a beat.
    pub gives: u32,
    /// What the data path does, low bits first.
    pub micro: u128,
}

/// Fills the micro word of a phase from its low bits.
#[derive(Debug)]
pub(super) struct Micro<'a>(pub(super) &'a mut Step);

impl Micro<'_> {
    /// Sets `width` bits from bit `at` on.
    pub(super) fn set(&mut self, at: usize, width: usize, value: u64) {
        let mask = (1u128 << width) - 1;
        self.0.micro = self.0.micro & !(mask << at) | (u128::from(value) & mask) << at;
    }

    /// Sets a step of a reader from bit `at` on: banks down and to the right, words along.
    pub(super) fn moves(&mut self, at: usize, address: usize, (down, right, along): (usize, usize, u64)) {
        self.set(at, 4, down as u64);
        self.set(at + 4, 4, right as u64);
        self.set(at + 8, address, along);
    }
}

/// A quick hash of a few words, since phases are looked up by the million: each is mixed in, and spread by a product.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u128(&mut self, word: u128) {
        self.write_u64(word as u64);
        self.write_u64((word >> 64) as u64);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
}

/// The phases of a frame, in order.
#[derive(Clone, Debug, Default)]
pub struct Steps {
    /// Phases that differ.
    kinds: Vec<Step>,
    /// Where each of them is.
    known: HashMap<Step, u32, BuildHasherDefault<Mixed>>,
    /// Which kind was looked for last behind each: rows are much alike.
    behind: Vec<u32>,
    /// Which kind, and how many of it; neighbours differ.
    runs: Vec<(u32, u64)>,
}

impl Steps {
    /// All phases of a frame, without micro words.
    pub fn of(list: &PhaseList) -> Steps {
        let mut all = Steps::default();
        let patterns: Vec<_> = list.patterns().iter().map(|row| all.pattern(row)).collect();
        for &(pattern, repeat) in list.rows() {
            for _ in 0..repeat {
                patterns[pattern as usize].iter().for_each(|&(kind, count)| all.push_kind(kind, count));
            }
        }
        all.push(Step::default(), list.tail().into());
        all
    }

    /// A row of a list, in kinds.
    fn pattern(&mut self, row: &[Phase]) -> Vec<(u32, u64)> {
        let idle = self.kind_of(Step::default());
        let kinds = row.iter().flat_map(|phase| {
            let mut step = Step { gives: phase.gives, ..Step::default() };
            for take in &phase.takes {
                step.need[usize::from(take.input)] = take.need;
                step.free[usize::from(take.input)] = take.free;
            }
            [(idle, phase.idle.into()), (self.kind_of(step), 1)]
        });
        kinds.collect()
    }

    /// Phases of the frame.
    pub fn count(&self) -> u64 {
        self.runs.iter().map(|run| run.1).sum()
    }

    /// Equal neighbours at once, in order: the phases, and what each of them does.
    pub fn runs(&self) -> impl Iterator<Item = (Range<u64>, Step)> + Clone + '_ {
        let ends = self.runs.iter().scan(0, |end, &(kind, count)| {
            *end += count;
            Some((*end - count..*end, kind))
        });
        ends.map(|(phases, kind)| (phases, self.kinds[kind as usize]))
    }

    /// The phases one by one.
    pub fn iter(&self) -> impl Iterator<Item = Step> + '_ {
        self.runs.iter().flat_map(move |&(kind, count)| (0..count).map(move |_| self.kinds[kind as usize]))
    }

    /// Equal neighbours at once, by the numbers of their kinds.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.runs.iter().copied()
    }

    /// A kind by its number.
    pub(super) fn kind(&self, number: u32) -> Step {
        self.kinds[number as usize]
    }

    fn kind_of(&mut self, step: Step) -> u32 {
        let before = self.runs.last().map_or(0, |run| run.0 as usize);
        if let Some(&guess) = self.behind.get(before).filter(|&&guess| self.kinds[guess as usize] == step) {
            return guess;
        }
        let kind = *self.known.entry(step).or_insert_with(|| {
            self.kinds.push(step);
            self.behind.push(0);
            self.kinds.len() as u32 - 1
        });
        self.behind[before] = kind;
        kind
    }

    fn push(&mut self, step: Step, count: u64) {
        let kind = self.kind_of(step);
        self.push_kind(kind, count);
    }

    fn push_kind(&mut self, kind: u32, count: u64) {
        match self.runs.last_mut() {
            _ if count == 0 => {}
            Some((last, more)) if *last == kind => *more += count,
            _ => self.runs.push((kind, count)),
        }
    }

    /// Changes phases by what they do.
    pub(super) fn change_all(&mut self, mut change: impl FnMut(&mut Step)) {
        let before = std::mem::take(self);
        let changed = |mut step: Step| {
            change(&mut step);
            self.kind_of(step)
        };
        let kinds: Vec<u32> = before.kinds.into_iter().map(changed).collect();
        before.runs.iter().for_each(|&(kind, count)| self.push_kind(kinds[kind as usize], count));
    }

    /// Changes some phases; ranges ascend and do not overlap.
    pub(super) fn change<C: FnMut(&mut Step)>(&mut self, changes: impl IntoIterator<Item = (Range<u64>, C)>) {
        let mut changes = changes.into_iter().filter(|(phases, _)| !phases.is_empty()).peekable();
        let mut at = 0;
        for (kind, count) in std::mem::take(&mut self.runs) {
            let end = at + count;
            while at < end {
                let Some((phases, change)) = changes.peek_mut().filter(|(phases, _)| phases.start < end)
                else {
                    self.push_kind(kind, end - at);
                    at = end;
                    break;
                };
                let (from, until) = (phases.start.max(at), phases.end.min(end));
                self.push_kind(kind, from - at);
                let mut step = self.kinds[kind as usize];
                change(&mut step);
                self.push(step, until - from);
                at = until;
                if until == phases.end {
                    changes.next();
                }
            }
        }
        debug_assert!(changes.peek().is_none(), "what is changed lies in the frame");
    }
}

/// The places and beats that an actor begins with.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// For each input, beats that count as visible.
    pub visible: Vec<u64>,
    /// For each link, places; links of output 1 behind those of output 0.
    pub places: Vec<u64>,
    /// Of these, links on output 0.
    pub first: usize,
    /// The most places that a link ever has: a reader may release beats that are still to be written.
    pub most: u64,
    /// For each input, the depth of its channel in words.
    pub depth: Vec<u64>,
}

/// By how many beats releases run ahead of what was waited for, at the most, behind any of these needs and frees, each
/// so many times; `released` were before the first.
pub(super) fn ahead(released: u64, takes: impl Iterator<Item = (u64, u64, u64)>) -> u64 {
    let (mut needed, mut freed) = (0, released);
    let beyond = takes.map(|(need, free, times)| {
        // They run on evenly, so the most is behind the first or the last.
        let first = u64::saturating_sub(freed + free, needed + need);
        (needed, freed) = (needed + need * times, freed + free * times);
        first.max(u64::saturating_sub(freed, needed))
    });
    beyond.max().unwrap_or(0)
}

/// The same of a reader on this input, what it releases before its first phase included.
pub(super) fn ahead_of_reader(list: &PhaseList, input: u16) -> u64 {
    let preset = list.preset(input);
    let released = preset.unread_head + preset.unread_tail;
    let takes = list.iter().flat_map(|phase| &phase.takes).filter(|take| take.input == input);
    released.max(ahead(released, takes.map(|take| (take.need.into(), take.free.into(), 1))))
}
