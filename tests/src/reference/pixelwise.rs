//! Actors that handle pixels one by one, clock by clock: source, sink, sum, convert, activate, select.

use nonresc_ir::stream::{Map, Select, Sum};

use super::program::{Lanes, Step, give_times, skip_beats};

fn beats(map: Map, lanes: usize) -> usize {
    map.height * map.width * map.channels.div_ceil(lanes)
}

pub(super) fn source(map: Map, lanes: usize) -> Vec<Step> {
    vec![Step { reads: Vec::new(), gives: [true, false] }; beats(map, lanes)]
}

pub(super) fn sink(map: Map, lanes: usize) -> Vec<Step> {
    (0..beats(map, lanes)).map(|beat| Step { reads: vec![(0, beat as u64)], ..Step::default() }).collect()
}

pub(super) fn sum(a: &Sum, lanes: usize) -> Vec<Step> {
    let skip = skip_beats(a.output.channels, a.channels, a.offset, lanes);
    let mut steps: Vec<Step> = Vec::new();
    let mut skipped = 0;
    for _ in 0..a.output.height * a.output.width {
        for skip in &skip {
            let mut reads = vec![(0, steps.len() as u64)];
            if skip.is_some() {
                reads.push((1, skipped));
                skipped += 1;
            }
            steps.push(Step { reads, gives: [true, false] });
        }
    }
    steps
}

pub(super) fn convert(map: Map, lanes: Lanes) -> Vec<Step> {
    let channels: Vec<Option<usize>> = (0..map.channels).map(Some).collect();
    let regroup = Regroup::new(&channels, lanes);
    let pixels: Vec<usize> = (0..map.height * map.width).collect();
    regroup.steps(&pixels, map.channels.div_ceil(lanes.input), false)
}

pub(super) fn select(a: &Select, lanes: Lanes) -> Vec<Step> {
    let source = |channel: usize| {
        let kept = channel.checked_sub(a.zeros_before)? + a.first_channel;
        (kept < a.input.channels).then_some(kept)
    };
    let channels: Vec<Option<usize>> = (0..a.output.channels).map(source).collect();
    let regroup = Regroup::new(&channels, lanes);
    let mut pixels = Vec::new();
    for y in 0..a.output.height {
        for x in 0..a.output.width {
            pixels.push((a.start.h + y * a.stride.h) * a.input.width + a.start.w + x * a.stride.w);
        }
    }
    regroup.steps(&pixels, a.input.channels.div_ceil(lanes.input), false)
}

/// What happens within a pixel whose channels change lanes.
pub(super) struct Regroup {
    period: usize,
    /// Clock and beat of the pixel.
    reads: Vec<(usize, usize)>,
    gives: Vec<usize>,
}

impl Regroup {
    /// `channels[i]` is the input channel that output channel i is; nothing where it is a zero.
    ///
    /// As many clocks as there are beats on the longer side. Where beats in are more, or equal, one is read a clock;
    /// else each as late as its output beats allow, if these come one a clock, but the i-th not before clock i.
    pub(super) fn new(channels: &[Option<usize>], lanes: Lanes) -> Regroup {
        let mut wanted: Vec<usize> = channels.iter().flatten().map(|c| c / lanes.input).collect();
        wanted.dedup();
        let given: Vec<&[Option<usize>]> = channels.chunks(lanes.output).collect();
        let period = wanted.len().max(given.len());
        let first_use = |beat: usize| {
            let uses = |out: &&[Option<usize>]| out.iter().flatten().any(|c| c / lanes.input == beat);
            given.iter().position(uses).unwrap()
        };
        let mut at: Vec<usize> = (0..wanted.len()).collect();
        if wanted.len() < given.len() {
            let mut deadline = i64::MAX;
            for i in (0..wanted.len()).rev() {
                deadline = (deadline - 1).min(first_use(wanted[i]) as i64);
                at[i] = usize::try_from(deadline).unwrap_or(0).max(i);
            }
        }
        let reads: Vec<(usize, usize)> = at.into_iter().zip(wanted).collect();
        // Complete when its last input was read, and those of the beats before it.
        let mut complete = 0;
        let times: Vec<usize> = given
            .iter()
            .map(|out| {
                for channel in out.iter().flatten() {
                    let read = reads.iter().find(|r| r.1 == channel / lanes.input).unwrap();
                    complete = complete.max(read.0);
                }
                complete
            })
            .collect();
        Regroup { period, gives: give_times(&times, period), reads }
    }

    /// The clocks of a frame that reads `pixels`, each of `beats`.
    pub(super) fn steps(&self, pixels: &[usize], beats: usize, give_last_only: bool) -> Vec<Step> {
        let mut steps = vec![Step::default(); pixels.len() * self.period];
        for (i, pixel) in pixels.iter().enumerate() {
            for &(at, beat) in &self.reads {
                steps[i * self.period + at].reads.push((0, (pixel * beats + beat) as u64));
            }
            if give_last_only && i + 1 < pixels.len() {
                continue;
            }
            for at in self.gives.iter().map(|at| i * self.period + at) {
                if steps.len() <= at {
                    steps.resize(at + 1, Step::default());
                }
                assert!(!steps[at].gives[0], "two beats are given in one clock");
                steps[at].gives[0] = true;
            }
        }
        steps
    }
}
