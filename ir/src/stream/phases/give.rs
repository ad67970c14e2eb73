//! When the beats of a pixel are given: how output folds become beats of the channel.

use super::Lanes;
use super::assemble::Event;
use crate::stream::actor::MatVec;

/// What a matrix-vector actor does between two window loads.
#[derive(Clone, Debug)]
pub(super) struct Pixel {
    /// Phases of computing.
    compute: u64,
    /// Phases from a pixel to the next at the least: enough to compute it and to give it.
    pub(super) period: u64,
    /// Phase in which each beat is given, counted from 1 = the first phase of computing; ascending.
    pub(super) gives: Vec<u64>,
    /// The same for the beats of a projection beside, on output 1.
    pub(super) beside: Vec<u64>,
    /// Whether a beat takes one of the skip.
    adds: Vec<bool>,
}

impl Pixel {
    /// `fold_ends[j]` is the phase in which output fold j ends, counted from 1.
    ///
    /// A beat is complete with the fold of its last channel, and given then or one phase after the beat before it.
    pub(super) fn new(a: &MatVec, fold_ends: &[u64], lanes: Lanes) -> Self {
        let mut gives = complete(a.output.channels, a.fold.pe, fold_ends, lanes.output);
        let (mut beside, mut compute) = (Vec::new(), fold_ends.last().copied().unwrap_or(1));
        if let Some(p) = a.projection() {
            let folds = p.input_folds(a.input.channels) as u64;
            let ends: Vec<u64> = (1..=p.output_folds() as u64).map(|fold| fold * folds).collect();
            beside = complete(p.channels, p.pe, &ends, lanes.second);
            compute = compute.max(ends.last().copied().unwrap_or(1));
        }
        let period = compute.max(gives.len() as u64).max(beside.len() as u64);
        within_period(&mut gives, period);
        within_period(&mut beside, period);
        let takes = |beat| a.add.is_some_and(|add| takes_skip(beat, add.offset, add.channels, lanes.output));
        Pixel { compute, period, adds: (0..gives.len()).map(takes).collect(), gives, beside }
    }

    /// The event that gives a beat.
    pub(super) fn give(&self, beat: usize, at: u64) -> Event {
        Event { at, read: None, second: self.adds[beat], gives: 1 }
    }

    /// Phases from the last window load to the frame's end.
    pub(super) fn last(&self) -> u64 {
        self.gives.iter().chain(&self.beside).fold(self.compute, |last, &at| last.max(at))
    }
}

/// When the beats of `channels`, `pe` of which are complete with each fold, can be given one a phase; those behind the
/// last fold's are passed through and wait for nothing else.
fn complete(channels: usize, pe: usize, fold_ends: &[u64], lanes: usize) -> Vec<u64> {
    let mut previous = 0;
    (0..channels.div_ceil(lanes))
        .map(|beat| {
            let last_channel = ((beat + 1) * lanes).min(channels) - 1;
            previous = fold_ends[(last_channel / pe.max(1)).min(fold_ends.len() - 1)].max(previous + 1);
            previous
        })
        .collect()
}

/// Delays the first gives of a pixel so far that they do not meet the last ones of the pixel before, `period`
/// phases earlier. Ascending gives stay ascending, and the last stays where it is.
pub(super) fn within_period(gives: &mut [u64], period: u64) {
    let Some(&last) = gives.last() else { return };
    for (beat, at) in gives.iter_mut().enumerate() {
        *at = (*at).max((last + 1 + beat as u64).saturating_sub(period));
    }
}

/// Whether an output beat has a summand among the `channels` of a skip that begin at channel `offset`.
pub(super) fn takes_skip(beat: usize, offset: usize, channels: usize, lanes: usize) -> bool {
    beat * lanes < offset + channels && offset < (beat + 1) * lanes
}
