//! When the beats of a pixel are given: how output folds become beats of the channel.

use super::assemble::Event;
use crate::stream::actor::MatVec;

/// What a matrix-vector actor does between two window loads.
#[derive(Clone, Debug)]
pub(super) struct Pixel {
    /// Phases of computing: C.
    pub(super) compute: u64,
    /// Phases from a pixel to the next at the least: enough to compute it and to give it.
    pub(super) period: u64,
    /// Phase in which each beat is given, counted from 1 = the first phase of computing; ascending.
    pub(super) gives: Vec<u64>,
    /// Whether a beat takes one of the skip.
    adds: Vec<bool>,
}

impl Pixel {
    /// `fold_ends[j]` is the phase in which output fold j ends, counted from 1.
    ///
    /// A beat is complete with the fold of its last channel, and given then or one phase after the beat before it.
    pub(super) fn new(a: &MatVec, fold_ends: &[u64], lanes: usize) -> Self {
        let (channels, pe) = (a.output.channels, a.fold.pe.max(1));
        let beats = a.output.beats(lanes);
        let mut gives = Vec::with_capacity(beats);
        let mut previous = 0;
        for beat in 0..beats {
            let last_channel = ((beat + 1) * lanes).min(channels) - 1;
            previous = fold_ends[last_channel / pe].max(previous + 1);
            gives.push(previous);
        }
        let compute = fold_ends.last().copied().unwrap_or(1);
        let period = compute.max(beats as u64);
        within_period(&mut gives, period);
        let adds =
            (0..beats).map(|beat| a.add.is_some_and(|add| takes_skip(beat, add.offset, add.channels, lanes)));
        Pixel { compute, period, adds: adds.collect(), gives }
    }

    /// The event that gives a beat.
    pub(super) fn give(&self, beat: usize, at: u64) -> Event {
        Event { at, read: None, second: self.adds[beat], give: true }
    }

    /// Phases from the last window load to the frame's end.
    pub(super) fn last(&self) -> u64 {
        self.gives.last().map_or(self.compute, |&last| last.max(self.compute))
    }
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
