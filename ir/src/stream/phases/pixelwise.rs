//! Actors that handle pixels one by one: source, sink, convert, activate, select, sum, global pool, and the
//! dense layer in its stationary form.
//!
//! A pixel takes a fixed number of phases; a beat of output is given in the phase that reads the last channel in
//! it, or one phase behind the beat before, running on into the next pixel's phases where it must.

use super::Lanes;
use super::assemble::{Event, Row, assemble, merge};
use super::give::{takes_skip, within_period};
use super::list::PhaseList;
use crate::stream::actor::{Map, MatVec, Select, Sum};

/// What happens for each of `height x width` pixels.
struct Pixelwise {
    height: usize,
    width: usize,
    /// Beats of a frame of input 0.
    total: usize,
    /// First beat of input 0 of the first pixel, and its step from row to row and from column to column.
    first: usize,
    row_step: usize,
    column_step: usize,
    /// Phases a pixel.
    period: usize,
    /// Phase and beat of each read of a pixel.
    reads: Vec<(usize, usize)>,
    /// Phase of each beat given, and whether it takes one of input 1; ascending.
    gives: Vec<(usize, bool)>,
    /// Whether only the frame's last pixel gives.
    at_end: bool,
}

impl Pixelwise {
    /// One phase a beat; nothing read or given yet.
    fn over(map: Map, lanes: usize) -> Self {
        let beats = map.beats(lanes);
        Pixelwise {
            height: map.height,
            width: map.width,
            total: map.pixels() * beats,
            first: 0,
            row_step: map.width * beats,
            column_step: beats,
            period: beats,
            reads: Vec::new(),
            gives: Vec::new(),
            at_end: false,
        }
    }

    fn row_len(&self) -> usize {
        self.width * self.period
    }

    fn list(self) -> PhaseList {
        let mut rows: Vec<Row> = (0..self.height).map(|y| self.row(y)).collect();
        let beyond = self.gives.last().map_or(0, |&(at, _)| (at + 1).saturating_sub(self.period));
        rows.push(Row { len: beyond as u64, base: 0, reads: None, key: vec![3] });
        assemble(self.total as u64, &rows, |y| self.events(y))
    }

    fn base(&self, y: usize) -> usize {
        self.first + y * self.row_step
    }

    fn row(&self, y: usize) -> Row {
        let base = self.base(y) as i64;
        let across = ((self.width - 1) * self.column_step) as i64;
        let beats = self.reads.iter().map(|&(_, beat)| beat as i64);
        let reads = beats.clone().min().zip(beats.max());
        let reads = reads.map(|(lo, hi)| (base + lo, base + across + hi));
        let kind = i64::from(y == 0) + 4 * i64::from(self.at_end && y + 1 == self.height);
        Row { len: self.row_len() as u64, base, reads, key: vec![kind] }
    }

    fn events(&self, y: usize) -> Vec<Event> {
        let (period, row_len) = (self.period, self.row_len());
        let (mut reads, mut gives) = (Vec::new(), Vec::new());
        let give = |at: usize, second| Event { at: at as u64, read: None, second, gives: 1 };
        if y > 0 && !(self.at_end && y < self.height) {
            let late = self.gives.iter().filter(|(at, _)| *at >= period);
            gives.extend(late.map(|&(at, second)| give(at - period, second)));
        }
        for x in 0..if y < self.height { self.width } else { 0 } {
            for &(at, beat) in &self.reads {
                let beat = (x * self.column_step + beat) as i64;
                reads.push(Event {
                    at: (x * period + at) as u64,
                    read: Some((beat, beat)),
                    ..Event::default()
                });
            }
            if !self.at_end || (x + 1 == self.width && y + 1 == self.height) {
                let inside = self.gives.iter().filter(|(at, _)| x * period + at < row_len);
                gives.extend(inside.map(|&(at, second)| give(x * period + at, second)));
            }
        }
        gives.sort_by_key(|e| e.at);
        merge(reads, gives)
    }
}

/// Phase of each output beat: `complete[j]` is when its last channel is there.
fn in_order(complete: impl Iterator<Item = usize>) -> Vec<(usize, bool)> {
    let mut free = 0;
    complete
        .map(|at| {
            let at = at.max(free);
            free = at + 1;
            (at, false)
        })
        .collect()
}

/// Every beat of the pins goes into the channel.
pub(super) fn source(map: Map, lanes: usize) -> PhaseList {
    let mut list = Pixelwise::over(map, lanes);
    (list.total, list.gives) = (0, (0..list.period).map(|beat| (beat, false)).collect());
    list.list()
}

/// Every beat of the channel goes to the pins.
pub(super) fn sink(map: Map, lanes: usize) -> PhaseList {
    let mut list = Pixelwise::over(map, lanes);
    list.reads = (0..list.period).map(|beat| (beat, beat)).collect();
    list.list()
}

/// The same channels in other lanes (or in the same): max(beats in, beats out) phases a pixel.
///
/// A beat is read as soon as the one before it was, where beats in are more; else as late as the beats of output
/// allow that need it and those behind it.
pub(super) fn convert(map: Map, lanes: Lanes) -> PhaseList {
    regroup(Pixelwise::over(map, lanes.input), map.channels, 0, 0..map.channels, lanes).list()
}

/// The pixels of a rectangle, every stride-th; channels outside of the input are zeros.
///
/// Other pixels and other beats are released without being waited for.
pub(super) fn select(a: &Select, lanes: Lanes) -> PhaseList {
    let mut list = Pixelwise::over(a.input, lanes.input);
    let beats = list.period;
    list.first = a.start.h * list.row_step + a.start.w * beats;
    (list.row_step, list.column_step) = (list.row_step * a.stride.h, beats * a.stride.w);
    (list.height, list.width) = (a.output.height, a.output.width);
    let room = a.output.channels.saturating_sub(a.zeros_before);
    let kept = room.min(a.input.channels.saturating_sub(a.first_channel));
    let kept = a.first_channel..a.first_channel + kept;
    regroup(list, a.output.channels, a.zeros_before, kept, lanes).list()
}

/// Reads the beats of the `kept` channels and gives `channels`, of which the kept ones begin at `before`.
fn regroup(
    mut list: Pixelwise,
    channels: usize,
    before: usize,
    kept: std::ops::Range<usize>,
    lanes: Lanes,
) -> Pixelwise {
    let beats_out = channels.div_ceil(lanes.output);
    if kept.is_empty() {
        list.reads = Vec::new();
        list.period = beats_out;
        list.gives = in_order(0..beats_out);
        return list;
    }
    let first = kept.start / lanes.input;
    let beats_in = (kept.end - 1) / lanes.input + 1 - first;
    // How many beats of input an output beat waits for.
    let waits = |beat: usize| {
        let end = ((beat + 1) * lanes.output).min(before + kept.len());
        if end <= before { 0 } else { (kept.start + end - before - 1) / lanes.input + 1 - first }
    };
    list.period = beats_in.max(beats_out);
    let mut read_at: Vec<usize> = (0..beats_in).collect();
    if beats_in < beats_out {
        let mut by = beats_out;
        for (i, at) in read_at.iter_mut().enumerate().rev() {
            let first_use = (0..beats_out).find(|&beat| waits(beat) > i).unwrap_or(0);
            by = by.saturating_sub(1).min(first_use);
            *at = by.max(i);
        }
    }
    let complete = |beat| waits(beat).checked_sub(1).map_or(0, |last| read_at[last]);
    let mut gives: Vec<u64> = in_order((0..beats_out).map(complete)).iter().map(|g| g.0 as u64).collect();
    within_period(&mut gives, list.period as u64);
    list.gives = gives.into_iter().map(|at| (at as usize, false)).collect();
    list.reads = read_at.into_iter().enumerate().map(|(i, at)| (at, first + i)).collect();
    list
}

/// One beat of each summand a phase; input 1 rests where it has no channels.
pub(super) fn sum(a: &Sum, lanes: Lanes) -> PhaseList {
    let mut list = Pixelwise::over(a.output, lanes.output);
    list.reads = (0..list.period).map(|beat| (beat, beat)).collect();
    list.gives = (0..list.period).map(|b| (b, takes_skip(b, a.offset, a.channels, lanes.output))).collect();
    list.list()
}

/// Every beat is read once and folded into private sums or maxima; the last pixel's beats give the result.
pub(super) fn global_pool(map: Map, lanes: Lanes) -> PhaseList {
    let mut list = Pixelwise::over(map, lanes.input);
    list.at_end = true;
    regroup(list, map.channels, 0, 0..map.channels, lanes).list()
}

/// Every beat is read once and stays for `output folds` phases, in which all outputs' accumulators take it.
pub(super) fn stationary(a: &MatVec, lanes: Lanes) -> PhaseList {
    let mut list = Pixelwise::over(a.input, lanes.input);
    let (beats, folds) = (list.period, a.output_folds());
    list.period = beats * folds;
    list.reads = (0..beats).map(|beat| (beat * folds, beat)).collect();
    let fold = |beat: usize| (((beat + 1) * lanes.output).min(a.output.channels) - 1) / a.fold.pe.max(1);
    let outputs = a.output.beats(lanes.output);
    list.gives = in_order((0..outputs).map(|beat| (beats - 1) * folds + fold(beat)));
    if let Some(add) = a.add {
        for (beat, give) in list.gives.iter_mut().enumerate() {
            give.1 = takes_skip(beat, add.offset, add.channels, lanes.output);
        }
    }
    list.at_end = true;
    list.list()
}
