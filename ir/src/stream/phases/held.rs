//! The held form: the window sits in registers and moves right; new columns wait in staging registers.
//!
//! **Advances.** The window moves by the horizontal stride s, which brings min(s, extent) new columns. A row
//! starts with `a0 = max(1, ceil((extent - pad left) / s))` advances, of which the last completes the first
//! pixel; each later pixel is one advance. Under dilation the registers cover the kernel's whole horizontal
//! extent, `kernel rows x extent x channels`, while rows between taps are never fetched.
//!
//! **Fetches.** Only what lies on the map is fetched: row by row (the oldest first), then column, then beat,
//! with one port; with a bank a kernel row, all rows of a column's beat in one phase.
//!
//! **Loads.** An advance is loaded (staging into the window) in the last of its own fetch phases at the earliest,
//! and not before the pixel in the window has had its phases. With G slots of staging the fetches of advance u
//! lie in the phases `load(u - G) + 1 ..= load(u)`. Loads are as early as possible, and fetches then as late as
//! possible, so that beats are needed late. No fetch crosses the frame.

use std::ops::Range;

use super::Lanes;
use super::assemble::{Event, Row, assemble, merge};
use super::give::Pixel;
use super::list::PhaseList;
use super::window::Axis;
use crate::stream::actor::MatVec;

pub(super) fn phases(a: &MatVec, slots: usize, lanes: Lanes) -> PhaseList {
    let input_folds = a.input_folds() as u64;
    let ends: Vec<u64> = (1..=a.output_folds() as u64).map(|fold| fold * input_folds).collect();
    let pixel = Pixel::new(a, &ends, lanes.output);
    let window = Held::new(a, lanes.input);
    let schedule = Schedule::new(&window, slots, pixel.period);
    let cuts = schedule.cut(&window, &pixel);
    let rows: Vec<Row> = cuts.iter().map(|cut| cut.row(&window, &schedule)).collect();
    let total = a.input.pixels() * window.beats;
    assemble(total as u64, &rows, |i| cuts[i].events(&window, &schedule, &pixel))
}

/// The geometry of advances.
struct Held {
    rows: Axis,
    columns: Axis,
    /// Beats a pixel.
    beats: usize,
    /// Columns that an advance brings.
    fresh: usize,
    /// Advances from a row's start to its first pixel.
    first: usize,
    /// Advances of a row.
    per_row: usize,
    /// Rows of output.
    height: usize,
    /// Whether all rows of a column are fetched in one phase.
    banked: bool,
}

impl Held {
    fn new(a: &MatVec, lanes: usize) -> Self {
        let (rows, columns) = (Axis::rows(a.input, &a.window), Axis::columns(a.input, &a.window));
        let first = columns.extent().saturating_sub(columns.pad).div_ceil(columns.stride).max(1);
        Held {
            rows,
            columns,
            beats: a.input.beats(lanes),
            fresh: columns.stride.min(columns.extent()),
            first,
            per_row: first + a.output.width - 1,
            height: a.output.height,
            banked: a.fold.ports > 1,
        }
    }

    /// Columns on the map that advance `i` of a row brings.
    fn fresh(&self, i: usize) -> Range<usize> {
        let pixel = i as i64 + 1 - self.first as i64;
        let end = pixel * self.columns.stride as i64 - self.columns.pad as i64 + self.columns.extent() as i64;
        let clip = |x: i64| x.clamp(0, self.columns.map as i64) as usize;
        clip(end - self.fresh as i64)..clip(end)
    }

    /// Fetch phases of advance `i` of output row `row`.
    fn fetches(&self, row: usize, i: usize) -> u64 {
        let rows = self.rows.valid(row).len();
        let side_by_side = if self.banked { rows.min(1) } else { rows };
        (side_by_side * self.fresh(i).len() * self.beats) as u64
    }

    /// Least and largest beat that fetch phase `k` of an advance reads.
    fn fetch(&self, row: usize, i: usize, k: u64) -> (i64, i64) {
        let (valid, columns) = (self.rows.valid(row), self.fresh(i));
        let k = k as usize;
        let in_row = columns.len() * self.beats;
        let place = columns.start * self.beats + k % in_row;
        let beat = |tap: usize| (self.rows.at(row, tap) * self.columns.map * self.beats + place) as i64;
        if self.banked {
            (beat(valid.start), beat(valid.end - 1))
        } else {
            let tap = valid.start + k / in_row;
            (beat(tap), beat(tap))
        }
    }

    /// The beat where the window of an output row begins, padding included.
    fn base(&self, row: usize) -> i64 {
        self.rows.origin(row) * (self.columns.map * self.beats) as i64
    }
}

/// When advances are fetched and loaded.
struct Schedule {
    /// Phase of each advance's load.
    loads: Vec<i64>,
    /// First fetch phase of each advance.
    starts: Vec<i64>,
    /// Fetch phases of each advance.
    fetches: Vec<i64>,
}

impl Schedule {
    fn new(window: &Held, slots: usize, period: u64) -> Self {
        let advances = window.height * window.per_row;
        let place = |u: usize| (u / window.per_row, u % window.per_row);
        let fetches: Vec<i64> =
            (0..advances).map(|u| window.fetches(place(u).0, place(u).1) as i64).collect();
        let mut loads: Vec<i64> = Vec::with_capacity(advances);
        let mut fetched = -1;
        for u in 0..advances {
            let slot_free = if u < slots { -1 } else { loads[u - slots] };
            if fetches[u] > 0 {
                fetched = slot_free.max(fetched) + fetches[u];
            }
            let computed = match u.checked_sub(1) {
                None => 0,
                Some(before) if place(before).1 + 1 >= window.first => loads[before] + period as i64,
                Some(before) => loads[before] + 1,
            };
            loads.push(computed.max(if fetches[u] > 0 { fetched } else { 0 }));
        }
        let mut starts = vec![0; advances];
        let mut next = i64::MAX;
        for u in (0..advances).rev() {
            starts[u] = (loads[u] + 1).min(next) - fetches[u];
            if fetches[u] > 0 {
                next = starts[u];
            }
        }
        Schedule { loads, starts, fetches }
    }

    /// Cuts the frame behind the load of each output row's first advance.
    fn cut(&self, window: &Held, pixel: &Pixel) -> Vec<Cut> {
        let advances = self.loads.len();
        let end = self.loads[advances - 1] + pixel.last() as i64;
        let mut cuts = Vec::with_capacity(window.height + 1);
        let (mut begin, mut fetch, mut give) = (0, (0, 0), (window.first - 1, 0));
        for row in 0..=window.height {
            let last = if row == window.height { end } else { self.loads[row * window.per_row] };
            let mut cut =
                Cut { row: row.saturating_sub(1), begin, end: last + 1, fetches: vec![], gives: vec![] };
            while fetch.0 < advances {
                let (u, from) = fetch;
                let to = (last + 1 - self.starts[u]).clamp(from, self.fetches[u]);
                if to > from {
                    cut.fetches.push((u, from..to));
                }
                if to < self.fetches[u] {
                    fetch = (u, to);
                    break;
                }
                fetch = (u + 1, 0);
            }
            while give.0 < advances {
                let (u, from) = give;
                let due = |&&at: &&u64| self.loads[u] + at as i64 <= last;
                let to = from + pixel.gives[from..].iter().take_while(due).count();
                if to > from {
                    cut.gives.push((u, from..to));
                }
                if to < pixel.gives.len() {
                    give = (u, to);
                    break;
                }
                let next = u + 1;
                give = (next + if next % window.per_row == 0 { window.first - 1 } else { 0 }, 0);
            }
            cuts.push(cut);
            begin = last + 1;
        }
        cuts
    }
}

/// A run of phases with the parts of fetches and of giving that fall into it.
struct Cut {
    /// The output row that the base belongs to.
    row: usize,
    begin: i64,
    end: i64,
    /// Advances, and which of their fetch phases.
    fetches: Vec<(usize, Range<i64>)>,
    /// Advances that complete a pixel, and which of its beats.
    gives: Vec<(usize, Range<usize>)>,
}

impl Cut {
    fn row(&self, window: &Held, schedule: &Schedule) -> Row {
        let mut key = vec![self.end - self.begin];
        let mut reads: Option<(i64, i64)> = None;
        for (u, part) in &self.fetches {
            let (row, i) = (u / window.per_row, u % window.per_row);
            let valid = window.rows.valid(row);
            key.extend([schedule.starts[*u] - self.begin, (row - self.row) as i64, i as i64]);
            key.extend([part.start, part.end, valid.start as i64, valid.end as i64]);
            let (lo, _) = window.fetch(row, i, part.start as u64);
            let (_, hi) = window.fetch(row, i, part.end as u64 - 1);
            reads = Some(reads.map_or((lo, hi), |(l, h)| (l.min(lo), h.max(hi))));
        }
        key.push(-1);
        for (u, part) in &self.gives {
            key.extend([schedule.loads[*u] - self.begin, part.start as i64, part.end as i64]);
        }
        Row { len: (self.end - self.begin) as u64, base: window.base(self.row), reads, key }
    }

    fn events(&self, window: &Held, schedule: &Schedule, pixel: &Pixel) -> Vec<Event> {
        let base = window.base(self.row);
        let mut reads = Vec::new();
        for (u, part) in &self.fetches {
            for k in part.clone() {
                let (lo, hi) = window.fetch(u / window.per_row, u % window.per_row, k as u64);
                let at = (schedule.starts[*u] + k - self.begin) as u64;
                reads.push(Event { at, read: Some((lo - base, hi - base)), ..Event::default() });
            }
        }
        let mut gives = Vec::new();
        for (u, part) in &self.gives {
            for beat in part.clone() {
                let at = schedule.loads[*u] + pixel.gives[beat] as i64 - self.begin;
                gives.push(pixel.give(beat, at as u64));
            }
        }
        merge(reads, gives)
    }
}
