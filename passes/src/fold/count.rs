//! Phases of a frame in closed form, as functions of fold and lanes: what the length of an actor's phase list would
//! be, without building it. A test holds the two against each other.
//!
//! Held form with one slot of staging, from the rules of loads: after the first advance's fetches, every advance
//! takes the longer of its fetches and what the pixel before it needs,
//!
//! ```text
//! max(1, F_0) + sum over u >= 1 of max(F_u, period or 1) + last give
//! ```
//!
//! where F depends on how many rows and columns of the advance lie on the map, so the sum has few distinct terms. A
//! tap's fetches behind the last load stand in place of the last give where they are more.

use nonresc_ir::stream::{Form, Kind, Map, MatVec, Pool, Second, Select};

use crate::area::Widths;

/// Terms of one axis: a value and how often it occurs.
type Terms = Vec<(u64, u64)>;

fn add(terms: &mut Terms, value: u64) {
    match terms.iter_mut().find(|t| t.0 == value) {
        Some(term) => term.1 += 1,
        None => terms.push((value, 1)),
    }
}

/// Numbers a beat of an actor's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lanes {
    /// Of input 0.
    pub input: usize,
    /// Of output 0.
    pub output: usize,
    /// Of output 1.
    pub second: usize,
}

impl Lanes {
    /// One number a beat.
    pub const ONE: Lanes = Lanes { input: 1, output: 1, second: 1 };
}

impl From<Widths> for Lanes {
    fn from(w: Widths) -> Self {
        Lanes { input: w.lanes_in, output: w.lanes_out, second: w.lanes_second }
    }
}

/// Counts the phases of one actor.
#[derive(Clone, Debug)]
pub struct Counter {
    kind: Kind,
    held: Option<Held>,
}

/// What the held form's sum is made of.
#[derive(Clone, Debug)]
struct Held {
    /// Kernel rows on the map for output row 0.
    first_row: u64,
    /// The same for the other rows.
    rows: Terms,
    /// Fresh columns on the map of a row's first advance.
    start: u64,
    /// Of the advances behind it before the first pixel is complete.
    early: Terms,
    /// Of the advances behind those.
    body: Terms,
    /// Pixels that are fetched for a tap alone.
    drain: u64,
}

/// Places of a window's axis.
struct Axis {
    map: i64,
    taps: i64,
    stride: i64,
    pad: i64,
    dilation: i64,
}

impl Axis {
    /// Taps of output `o` on the map.
    fn taps_on_map(&self, o: usize) -> u64 {
        let origin = o as i64 * self.stride - self.pad;
        (0..self.taps).filter(|t| (0..self.map).contains(&(origin + t * self.dilation))).count() as u64
    }

    fn extent(&self) -> i64 {
        (self.taps - 1) * self.dilation + 1
    }
}

fn axes(a: &MatVec) -> (Axis, Axis) {
    let w = &a.window;
    let axis = |map: usize, taps: usize, stride: usize, pad: usize, dilation: usize| Axis {
        map: map as i64,
        taps: taps as i64,
        stride: stride as i64,
        pad: pad as i64,
        dilation: dilation as i64,
    };
    (
        axis(a.input.height, w.kernel.h, w.stride.h, w.pad.top, w.dilation.h),
        axis(a.input.width, w.kernel.w, w.stride.w, w.pad.left, w.dilation.w),
    )
}

impl Held {
    fn new(a: &MatVec) -> Held {
        let (rows, columns) = axes(a);
        let to_first = (columns.extent() - columns.pad).max(0);
        let first = ((to_first + columns.stride - 1) / columns.stride).max(1);
        let fresh = |i: i64| {
            let end = (i + 1 - first) * columns.stride - columns.pad + columns.extent();
            let begin = end - columns.stride.min(columns.extent());
            (end.clamp(0, columns.map) - begin.clamp(0, columns.map)) as u64
        };
        let mut held = Held {
            first_row: rows.taps_on_map(0),
            rows: Vec::new(),
            start: fresh(0),
            early: Vec::new(),
            body: Vec::new(),
            drain: match a.second {
                Some(Second::Tap { row }) => (a.tap_lag(row).unwrap_or(0) * a.output.width) as u64,
                _ => 0,
            },
        };
        for y in 1..a.output.height {
            add(&mut held.rows, rows.taps_on_map(y));
        }
        for i in 1..first {
            add(&mut held.early, fresh(i));
        }
        for i in first..first + a.output.width as i64 - 1 {
            add(&mut held.body, fresh(i));
        }
        held
    }

    fn phases(&self, beats: u64, banked: bool, period: u64, last: u64) -> u64 {
        let fetches = |rows: u64, columns: u64| (if banked { rows.min(1) } else { rows }) * columns * beats;
        let behind_start = |rows: u64| {
            let sum = |terms: &Terms, least: u64| -> u64 {
                terms.iter().map(|&(columns, n)| n * fetches(rows, columns).max(least)).sum()
            };
            sum(&self.early, 1) + sum(&self.body, period)
        };
        let other_rows: u64 = self
            .rows
            .iter()
            .map(|&(rows, n)| n * (fetches(rows, self.start).max(period) + behind_start(rows)))
            .sum();
        fetches(self.first_row, self.start).max(1)
            + behind_start(self.first_row)
            + other_rows
            + last.max(self.drain * beats)
    }
}

impl Counter {
    /// For an actor of that kind.
    pub fn new(kind: &Kind) -> Counter {
        let held = match kind {
            Kind::MatVec(a) => Some(Held::new(a)),
            _ => None,
        };
        Counter { kind: kind.clone(), held }
    }

    /// Phases of a frame with channels of those lanes; a matrix-vector is folded as its kind says.
    pub fn phases(&self, lanes: Lanes) -> u64 {
        let (i, o) = (lanes.input, lanes.output);
        match &self.kind {
            Kind::Source(map) => (map.pixels() * map.beats(o)) as u64,
            Kind::Sink(map) => (map.pixels() * map.beats(i)) as u64,
            Kind::MatVec(a) => self.matrix_vector(a, lanes),
            Kind::Pool(a) => pool(a, i, o),
            Kind::GlobalPool(a) => regroup(a.input, a.input.channels, 0, 0..a.input.channels, i, o),
            Kind::Sum(a) => (a.output.pixels() * a.output.beats(o)) as u64,
            Kind::Select(a) => select(a, i, o),
            Kind::Activate { map, .. } | Kind::Convert(map) => {
                regroup(*map, map.channels, 0, 0..map.channels, i, o)
            }
        }
    }

    /// Phases of a frame of a matrix-vector folded as `a` says.
    pub(super) fn matrix_vector(&self, a: &MatVec, lanes: Lanes) -> u64 {
        let beats = a.input.beats(lanes.input) as u64;
        match a.fold.form {
            Form::Held { .. } => {
                let input_folds = a.input_folds() as u64;
                let mut pixel = Pixel::new(a, lanes.output, |fold| (fold as u64 + 1) * input_folds);
                if let Some(p) = a.projection() {
                    let folds = p.input_folds(a.input.channels) as u64;
                    let ends = |fold: usize| (fold as u64 + 1) * folds;
                    let beside = Pixel::of((p.channels, p.channels), p.pe, lanes.second, ends);
                    (pixel.period, pixel.last) =
                        (pixel.period.max(beside.period), pixel.last.max(beside.last));
                }
                self.held(beats, a.fold.ports > 1, pixel.period, pixel.last)
            }
            Form::Direct { taps } => {
                let ends = direct_fold_ends(a, taps, lanes.input);
                let pixel = Pixel::new(a, lanes.output, |fold| ends[fold]);
                a.output.pixels() as u64 * pixel.period + pixel.last.saturating_sub(pixel.period)
            }
            Form::Stationary => {
                let folds = a.output_folds() as u64;
                let before = (beats - 1) * folds;
                let pixel = Pixel::new(a, lanes.output, |fold| before + fold as u64 + 1);
                let period = beats * folds;
                a.input.pixels() as u64 * period + pixel.last_give.saturating_sub(period)
            }
        }
    }

    /// The held form by its numbers alone: phases from pixel to pixel, and from the last load to the end.
    pub(super) fn held(&self, beats: u64, banked: bool, period: u64, last: u64) -> u64 {
        self.held.as_ref().map_or(0, |held| held.phases(beats, banked, period, last))
    }
}

/// Phases of one output pixel.
struct Pixel {
    period: u64,
    last: u64,
    last_give: u64,
}

impl Pixel {
    /// `end` is the phase, counted from 1, in which an output fold ends.
    fn new(a: &MatVec, lanes: usize, end: impl Fn(usize) -> u64) -> Pixel {
        Pixel::of((a.output.channels, a.computed()), a.fold.pe, lanes, end)
    }

    /// Of `channels`, so many of which are computed and the others passed through.
    fn of(
        (channels, computed): (usize, usize),
        pe: usize,
        lanes: usize,
        end: impl Fn(usize) -> u64,
    ) -> Pixel {
        let (pe, beats) = (pe.max(1), channels.div_ceil(lanes));
        let mut last_give = 0;
        for beat in 0..beats {
            let channel = ((beat + 1) * lanes).min(channels) - 1;
            last_give = end(channel.min(computed - 1) / pe).max(last_give + 1);
        }
        let compute = end(computed.div_ceil(pe) - 1);
        Pixel { period: compute.max(beats as u64), last: compute.max(last_give), last_give }
    }
}

/// The phase, counted from 1, in which each output fold of the direct form ends: an output fold reads the beats in
/// which its groups' channels lie, once for each group of taps.
pub(super) fn direct_fold_ends(a: &MatVec, taps: usize, lanes: usize) -> Vec<u64> {
    let groups_of_taps = (a.window.kernel.h * a.window.kernel.w).div_ceil(taps) as u64;
    let mut end = 0;
    let beats = a.direct_beats(lanes).into_iter();
    beats.map(|beats| (end += groups_of_taps * beats.len() as u64, end).1).collect()
}

/// Pixels whose beats change their lanes: the longer side's beats a pixel, and what is given behind the last one.
fn regroup(
    map: Map,
    channels: usize,
    before: usize,
    kept: std::ops::Range<usize>,
    lanes_in: usize,
    lanes_out: usize,
) -> u64 {
    let beats_out = channels.div_ceil(lanes_out);
    if kept.is_empty() {
        return (map.pixels() * beats_out) as u64;
    }
    let first = kept.start / lanes_in;
    let beats_in = (kept.end - 1) / lanes_in + 1 - first;
    let waits = |beat: usize| {
        let end = ((beat + 1) * lanes_out).min(before + kept.len());
        if end <= before { 0 } else { (kept.start + end - before - 1) / lanes_in + 1 - first }
    };
    let period = beats_in.max(beats_out);
    // When each beat of input is read: at once where they are more, else as late as what needs it allows.
    let mut read_at: Vec<usize> = (0..beats_in).collect();
    if beats_in < beats_out {
        let mut by = beats_out;
        for (i, at) in read_at.iter_mut().enumerate().rev() {
            let first_use = (0..beats_out).find(|&beat| waits(beat) > i).unwrap_or(0);
            by = by.saturating_sub(1).min(first_use);
            *at = by.max(i);
        }
    }
    let mut free = 0;
    for beat in 0..beats_out {
        free = waits(beat).checked_sub(1).map_or(0, |last| read_at[last]).max(free) + 1;
    }
    (map.pixels() * period + free.saturating_sub(period)) as u64
}

fn select(a: &Select, lanes_in: usize, lanes_out: usize) -> u64 {
    let room = a.output.channels.saturating_sub(a.zeros_before);
    let kept = room.min(a.input.channels.saturating_sub(a.first_channel));
    let kept = a.first_channel..a.first_channel + kept;
    regroup(a.output, a.output.channels, a.zeros_before, kept, lanes_in, lanes_out)
}

/// Last coordinate that each output waits for, and the coordinates under some window.
fn pool_axis(axis: &Axis, outputs: usize) -> (Vec<usize>, Vec<usize>) {
    let mut under = vec![false; axis.map as usize];
    let mut last = 0;
    let mut ends = Vec::with_capacity(outputs);
    for o in 0..outputs {
        for t in 0..axis.taps {
            let at = o as i64 * axis.stride - axis.pad + t * axis.dilation;
            if (0..axis.map).contains(&at) {
                under[at as usize] = true;
                last = last.max(at as usize);
            }
        }
        ends.push(last);
    }
    let read = (0..axis.map as usize).filter(|&i| under[i]).collect();
    (ends, read)
}

/// A phase a beat that is read; where output rows end, at least a phase a beat that is given.
fn pool(a: &Pool, lanes_in: usize, lanes_out: usize) -> u64 {
    let w = &a.window;
    let axis = |map: usize, taps: usize, stride: usize, pad: usize, dilation: usize| Axis {
        map: map as i64,
        taps: taps as i64,
        stride: stride as i64,
        pad: pad as i64,
        dilation: dilation as i64,
    };
    let rows = axis(a.input.height, w.kernel.h, w.stride.h, w.pad.top, w.dilation.h);
    let columns = axis(a.input.width, w.kernel.w, w.stride.w, w.pad.left, w.dilation.w);
    let (row_ends, read_rows) = pool_axis(&rows, a.output.height);
    let (column_ends, read_columns) = pool_axis(&columns, a.output.width);
    let beats = a.input.beats(lanes_in);
    let beats_out = a.output.beats(lanes_out);
    let reads = read_columns.len() * beats;
    let given = |n: usize| {
        let mut free = 0;
        for _ in 0..n {
            for &column in &column_ends {
                let place = read_columns.partition_point(|&c| c < column) * beats;
                for beat in 0..beats_out {
                    let complete = (((beat + 1) * lanes_out).min(a.input.channels) - 1) / lanes_in;
                    free = free.max(place + complete) + 1;
                }
            }
        }
        free
    };
    let mut known: Terms = Vec::new();
    let mut total = 0;
    for &y in &read_rows {
        let n = row_ends.iter().filter(|&&end| end == y).count();
        let len = match known.iter().find(|k| k.0 == n as u64) {
            Some(&(_, len)) => len,
            None => {
                let len = reads.max(given(n)) as u64;
                known.push((n as u64, len));
                len
            }
        };
        total += len;
    }
    total
}
