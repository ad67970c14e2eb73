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
//!
//! **Tap.** What a fetch reads for the tap's kernel row is given on output 1 in the same phase, where its column is a
//! multiple of the stride. The rows that lie in that kernel row of no window, at the map's end, are fetched once more
//! in the phases behind the last load, for the tap alone.

use std::ops::Range;

use super::Lanes;
use super::actions::{Fetched, HeldActions, Loaded, Staged};
use super::assemble::{Event, Row, assemble, merge};
use super::give::Pixel;
use super::list::PhaseList;
use super::window::Axis;
use crate::stream::actor::{MatVec, Second};

pub(super) fn phases(a: &MatVec, slots: usize, lanes: Lanes) -> PhaseList {
    let (pixel, window, schedule) = laid_out(a, slots, lanes);
    let cuts = schedule.cut(&window, &pixel);
    let rows: Vec<Row> = cuts.iter().map(|cut| cut.row(&window, &schedule)).collect();
    let total = a.input.pixels() * window.beats;
    assemble(total as u64, &rows, |i| cuts[i].events(&window, &schedule, &pixel))
}

/// What happens between two loads, how the window moves, and when.
fn laid_out(a: &MatVec, slots: usize, lanes: Lanes) -> (Pixel, Held, Schedule) {
    let input_folds = a.input_folds() as u64;
    let ends: Vec<u64> = (1..=a.output_folds() as u64).map(|fold| fold * input_folds).collect();
    let pixel = Pixel::new(a, &ends, lanes);
    let window = Held::new(a, lanes.input);
    let schedule = Schedule::new(&window, slots, pixel.period);
    (pixel, window, schedule)
}

/// What the phases of a frame do: which pixels are fetched and where they are staged, loads, and phases of computing.
pub(super) fn actions(a: &MatVec, slots: usize, lanes: Lanes) -> HeldActions {
    let (_, window, schedule) = laid_out(a, slots, lanes);
    let beside = a.projection().map_or(0, |p| p.input_folds(a.input.channels) * p.output_folds()) as u64;
    let own = (a.output_folds() * a.input_folds()) as u64;
    let mut all = HeldActions { own, beside, ..HeldActions::default() };
    for (u, &load) in schedule.loads.iter().enumerate() {
        let (row, i) = (u / window.per_row, u % window.per_row);
        let (valid, columns, slot) = (window.rows.valid(row), window.fresh(i), u % slots);
        let first = window.first_fresh(i);
        for k in 0..schedule.fetches[u] {
            let place = k as usize % (columns.len() * window.beats);
            let (tap, column) = (valid.start + k as usize / (columns.len() * window.beats), columns.start);
            let (column, beat) = (column + place / window.beats, place % window.beats);
            let tap = if window.banked { 0 } else { tap };
            let row = window.rows.origin(row) + (tap * window.rows.dilation) as i64;
            let staged = Staged { tap, column: (column as i64 - first) as usize, slot };
            let phase = (schedule.starts[u] + k) as u64;
            all.fetches.push(Fetched { phase, row, column, beat, staged: Some(staged) });
        }
        let mask = |on: &dyn Fn(usize) -> bool, n: usize| (0..n).filter(|&i| on(i)).map(|i| 1 << i).sum();
        let rows = mask(&|tap| valid.contains(&tap), window.rows.taps);
        let on_map = |c: usize| usize::try_from(first + c as i64).is_ok_and(|c| columns.contains(&c));
        let columns = mask(&on_map, window.fresh);
        let completes = i + 1 >= window.first;
        all.loads.push(Loaded { phase: load as u64, slot, rows, columns, clear: i == 0, completes });
    }
    let behind = schedule.loads[schedule.loads.len() - 1] + 1;
    for k in 0..window.drain() {
        let beat = window.drained(k) as usize;
        let (pixel, beat) = (beat / window.beats, beat % window.beats);
        let row = (pixel / window.columns.map) as i64;
        // With a bank a kernel row the tap's port reads the row that lies so many taps below the first.
        let above = window.tap.map_or(0, |tap| tap.0 * window.rows.dilation);
        let row = if window.banked { row - above as i64 } else { row };
        let (phase, column) = ((behind + k as i64) as u64, pixel % window.columns.map);
        all.fetches.push(Fetched { phase, row, column, beat, staged: None });
    }
    all
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
    /// Output pixels a row.
    width: usize,
    /// Kernel row of the tap, and how many output rows its pixels lag behind.
    tap: Option<(usize, usize)>,
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
            width: a.output.width,
            tap: match a.second {
                Some(Second::Tap { row }) => a.tap_lag(row).map(|lag| (row, lag)),
                _ => None,
            },
        }
    }

    /// The first column that advance `i` of a row brings, on the map or not.
    fn first_fresh(&self, i: usize) -> i64 {
        let pixel = i as i64 + 1 - self.first as i64;
        let end = pixel * self.columns.stride as i64 - self.columns.pad as i64 + self.columns.extent() as i64;
        end - self.fresh as i64
    }

    /// Columns on the map that advance `i` of a row brings.
    fn fresh(&self, i: usize) -> Range<usize> {
        let clip = |x: i64| x.clamp(0, self.columns.map as i64) as usize;
        let first = self.first_fresh(i);
        clip(first)..clip(first + self.fresh as i64)
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

    /// Whether the tap gives what fetch phase `k` of an advance reads.
    fn taps(&self, row: usize, i: usize, k: u64) -> bool {
        let Some((tap, _)) = self.tap.filter(|&(_, lag)| row >= lag) else { return false };
        let columns = self.fresh(i);
        let (k, in_row) = (k as usize, columns.len() * self.beats);
        let column = columns.start + k % in_row / self.beats;
        let at_row = self.banked || self.rows.valid(row).start + k / in_row == tap;
        at_row && column.is_multiple_of(self.columns.stride) && column / self.columns.stride < self.width
    }

    /// Fetches for the tap alone, behind the frame's last window.
    fn drain(&self) -> usize {
        self.tap.map_or(0, |(_, lag)| lag * self.width * self.beats)
    }

    /// The beat that fetch `k` of these reads.
    fn drained(&self, k: usize) -> i64 {
        let (pixel, beat) = (k / self.beats, k % self.beats);
        let (row, column) =
            (self.height - self.tap.map_or(0, |tap| tap.1) + pixel / self.width, pixel % self.width);
        let place = row * self.rows.stride * self.columns.map + column * self.columns.stride;
        (place * self.beats + beat) as i64
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
        let drain = window.drain() as i64;
        let end = self.loads[advances - 1] + drain.max(pixel.last() as i64);
        let mut cuts = Vec::with_capacity(window.height + 1);
        let (mut begin, mut fetch) = (0, (0, 0));
        let mut gives = [&pixel.gives, &pixel.beside].map(|phases| Gives::new(window, phases));
        for row in 0..=window.height {
            let last = if row == window.height { end } else { self.loads[row * window.per_row] };
            let mut cut = Cut {
                row: row.saturating_sub(1),
                begin,
                end: last + 1,
                fetches: vec![],
                gives: Default::default(),
                drain: if row == window.height { drain } else { 0 },
            };
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
            for (part, gives) in cut.gives.iter_mut().zip(&mut gives) {
                *part = gives.until(last, window, &self.loads);
            }
            cuts.push(cut);
            begin = last + 1;
        }
        cuts
    }
}

/// How far the beats of an output have been shared out to cuts.
struct Gives<'a> {
    /// Phase of each beat of a pixel, counted from its load.
    phases: &'a [u64],
    /// The advance that completes the next pixel, and its next beat.
    next: (usize, usize),
}

impl<'a> Gives<'a> {
    fn new(window: &Held, phases: &'a [u64]) -> Self {
        Gives { phases, next: (window.first - 1, 0) }
    }

    /// The beats that are given up to phase `last`: advances, and which beats of the pixels that they complete.
    fn until(&mut self, last: i64, window: &Held, loads: &[i64]) -> Vec<(usize, Range<usize>)> {
        let mut parts = Vec::new();
        while self.next.0 < loads.len() && !self.phases.is_empty() {
            let (u, from) = self.next;
            let due = |&&at: &&u64| loads[u] + at as i64 <= last;
            let to = from + self.phases[from..].iter().take_while(due).count();
            if to > from {
                parts.push((u, from..to));
            }
            if to < self.phases.len() {
                self.next = (u, to);
                break;
            }
            let next = u + 1;
            self.next = (next + if next % window.per_row == 0 { window.first - 1 } else { 0 }, 0);
        }
        parts
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
    /// For each output, advances that complete a pixel, and which of its beats; a tap's beats are not among them.
    gives: [Vec<(usize, Range<usize>)>; 2],
    /// Fetches for the tap alone, behind the last load.
    drain: i64,
}

impl Cut {
    fn row(&self, window: &Held, schedule: &Schedule) -> Row {
        let mut key = vec![self.end - self.begin, self.drain];
        let mut reads: Option<(i64, i64)> = None;
        let mut read =
            |lo: i64, hi: i64| reads = Some(reads.map_or((lo, hi), |(l, h)| (l.min(lo), h.max(hi))));
        for (u, part) in &self.fetches {
            let (row, i) = (u / window.per_row, u % window.per_row);
            let valid = window.rows.valid(row);
            key.extend([schedule.starts[*u] - self.begin, (row - self.row) as i64, i as i64]);
            key.extend([part.start, part.end, valid.start as i64, valid.end as i64]);
            key.push(i64::from(window.tap.is_some_and(|(_, lag)| row >= lag)));
            let (lo, _) = window.fetch(row, i, part.start as u64);
            let (_, hi) = window.fetch(row, i, part.end as u64 - 1);
            read(lo, hi);
        }
        if self.drain > 0 {
            read(window.drained(0), window.drained(self.drain as usize - 1));
        }
        for gives in &self.gives {
            key.push(-1);
            for (u, part) in gives {
                key.extend([schedule.loads[*u] - self.begin, part.start as i64, part.end as i64]);
            }
        }
        Row { len: (self.end - self.begin) as u64, base: window.base(self.row), reads, key }
    }

    fn events(&self, window: &Held, schedule: &Schedule, pixel: &Pixel) -> Vec<Event> {
        let base = window.base(self.row);
        let mut reads = Vec::new();
        let event = |at: i64, (lo, hi): (i64, i64), tapped: bool| Event {
            at: (at - self.begin) as u64,
            read: Some((lo - base, hi - base)),
            gives: u32::from(tapped) << 1,
            ..Event::default()
        };
        for (u, part) in &self.fetches {
            let (row, i) = (u / window.per_row, u % window.per_row);
            for k in part.clone() {
                let read = window.fetch(row, i, k as u64);
                reads.push(event(schedule.starts[*u] + k, read, window.taps(row, i, k as u64)));
            }
        }
        let last = schedule.loads[schedule.loads.len() - 1];
        for k in 0..self.drain {
            let beat = window.drained(k as usize);
            reads.push(event(last + 1 + k, (beat, beat), true));
        }
        let [gives, beside] = &self.gives;
        let at = |u: usize, phase: u64| (schedule.loads[u] + phase as i64 - self.begin) as u64;
        let each = |parts: &'_ [(usize, Range<usize>)]| -> Vec<(usize, usize)> {
            parts.iter().flat_map(|(u, part)| part.clone().map(|beat| (*u, beat))).collect()
        };
        let gives = each(gives).into_iter().map(|(u, beat)| pixel.give(beat, at(u, pixel.gives[beat])));
        let beside = each(beside).into_iter().map(|(u, beat)| Event {
            at: at(u, pixel.beside[beat]),
            gives: 1 << 1,
            ..Event::default()
        });
        merge(merge(reads, gives.collect()), beside.collect())
    }
}
