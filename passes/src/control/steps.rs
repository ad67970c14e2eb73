//! An actor's phases one by one: what each needs, frees and gives, and the micro word that its data path takes; and
//! what the actor begins with.

use nonresc_ir::stream::PhaseList;

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

/// All phases of a frame, without micro words.
pub fn steps(list: &PhaseList) -> Vec<Step> {
    let mut all = Vec::with_capacity(list.len() as usize);
    for phase in list.iter() {
        all.extend(std::iter::repeat_n(Step::default(), phase.idle as usize));
        let mut step = Step { gives: phase.gives, ..Step::default() };
        for take in &phase.takes {
            step.need[usize::from(take.input)] = take.need;
            step.free[usize::from(take.input)] = take.free;
        }
        all.push(step);
    }
    all.extend(std::iter::repeat_n(Step::default(), list.tail() as usize));
    all
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

/// By how many beats releases run ahead of what was waited for, at the most, behind any of these needs and frees;
/// `released` were before the first.
pub(super) fn ahead(released: u64, takes: impl Iterator<Item = (u64, u64)>) -> u64 {
    let (mut needed, mut freed) = (0, released);
    let beyond = takes.map(|(need, free)| {
        (needed, freed) = (needed + need, freed + free);
        u64::saturating_sub(freed, needed)
    });
    beyond.max().unwrap_or(0)
}

/// The same of a reader on this input, what it releases before its first phase included.
pub(super) fn ahead_of_reader(list: &PhaseList, input: u16) -> u64 {
    let preset = list.preset(input);
    let released = preset.unread_head + preset.unread_tail;
    let takes = list.iter().flat_map(|phase| &phase.takes).filter(|take| take.input == input);
    released.max(ahead(released, takes.map(|take| (take.need.into(), take.free.into()))))
}
