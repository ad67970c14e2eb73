//! Where the channels of each output beat come from: the accumulators, or a fold that has ended before.
//!
//! Folds of PE channels end one after the other; beats of lanes are given in order, often later. What is kept is a
//! chain of whole folds, newest first, moved on by each end of a fold. Seen from there a beat's channels lie in the
//! same places for every pixel.

use std::ops::Range;

use nonresc_passes::control::{Step, Steps, unsigned};
use nonresc_passes::images::Word;

use super::word::literal;

/// The sources of all beats of a pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beats {
    /// Folds that are kept behind their end.
    pub(super) history: usize,
    /// Different ways to fill a beat.
    pub(super) choices: usize,
    /// Bits of the number of a way.
    pub(super) bits: usize,
    /// The way of each beat, as a number in the text of the design.
    pub(super) pick: String,
    /// For each way and lane, the accumulator counted through all folds; all ones where there is none.
    pub(super) from: String,
}

/// Bits of a source's number.
const SOURCE: usize = 16;

/// The source of a lane beyond the last channel.
const NOTHING: usize = (1 << SOURCE) - 1;

/// What a layer gives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    /// The bit of the micro word that computing phases have.
    pub(super) compute: usize,
    /// The output.
    pub(super) output: u32,
    /// Its channels.
    pub(super) channels: usize,
    /// Channels of a fold.
    pub(super) pe: usize,
    /// Channels of a beat.
    pub(super) lanes: usize,
    /// Phases of computing a fold; nothing where all folds end with the last input.
    pub(super) parts: Option<usize>,
}

impl Beats {
    /// The sources, from the phases of a frame.
    ///
    /// # Errors
    /// Why beats cannot be filled.
    pub(super) fn new(steps: &Steps, given: Given) -> Result<Beats, String> {
        let Given { pe, lanes, channels, .. } = given;
        let (folds, beats) = (channels.div_ceil(pe), channels.div_ceil(lanes));
        let is_computing = |step: &Step| step.micro >> given.compute & 1 == 1;
        let phases_of = |is: &dyn Fn(&Step) -> bool| -> Vec<Range<u64>> {
            steps.runs().filter(|(_, step)| is(step)).map(|(phases, _)| phases).collect()
        };
        let computing = phases_of(&is_computing);
        let ends: Vec<u64> = match given.parts {
            Some(parts) => every(parts as u64, &computing),
            None => {
                let mut last: Vec<u64> =
                    computing.into_iter().rev().flat_map(Range::rev).take(folds).collect();
                last.reverse();
                last
            }
        };
        let gives = phases_of(&|step| step.gives >> given.output & 1 == 1).into_iter().flatten();
        let mut ways: Vec<Option<Vec<usize>>> = vec![None; beats];
        for (number, phase) in gives.enumerate() {
            let (pixel, beat) = (number / beats, number % beats);
            let ended = ends.partition_point(|&end| end <= phase);
            let now = ended > 0 && ends[ended - 1] == phase;
            let mut way = vec![NOTHING; lanes];
            for c in beat * lanes..channels.min((beat + 1) * lanes) {
                let Some(ago) = ended.checked_sub(pixel * folds + c / pe + 1) else {
                    return Err(format!("channel {c} is given before it is computed"));
                };
                way[c % lanes] = (ago + usize::from(!now)) * pe + c % pe;
            }
            match &ways[beat] {
                Some(other) if *other != way => {
                    return Err(format!("beat {beat} of a pixel is not always given in the same phase"));
                }
                _ => ways[beat] = Some(way),
            }
        }
        let ways: Vec<Vec<usize>> = ways.into_iter().flatten().collect();
        let furthest = ways.iter().flatten().copied().filter(|&source| source != NOTHING).max().unwrap_or(0);
        if furthest >= NOTHING {
            return Err("it keeps too many channels".into());
        }
        let mut distinct: Vec<&Vec<usize>> = Vec::new();
        for way in &ways {
            if !distinct.contains(&way) {
                distinct.push(way);
            }
        }
        let choices = distinct.len().max(1);
        let bits = unsigned(choices as u64 - 1);
        let (mut pick, mut from) = (Word::default(), Word::default());
        for way in &ways {
            pick.push(distinct.iter().position(|d| *d == way).unwrap_or(0) as i128, bits);
        }
        distinct.iter().flat_map(|way| way.iter()).for_each(|&source| from.push(source as i128, SOURCE));
        Ok(Beats { history: furthest / pe, choices, bits, pick: literal(&pick), from: literal(&from) })
    }
}

/// The last of each so many phases.
fn every(parts: u64, ranges: &[Range<u64>]) -> Vec<u64> {
    let (mut ends, mut before) = (Vec::new(), 0);
    for range in ranges {
        let count = range.end - range.start;
        ends.extend((parts - before..=count).step_by(parts as usize).map(|k| range.start + k - 1));
        before = (before + count) % parts;
    }
    ends
}
