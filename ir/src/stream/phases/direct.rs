//! The direct form: every phase reads some taps of the window from the channel, again for each output fold.
//!
//! Order in a pixel: output fold, then group of `taps` kernel taps (rows first), then beat. An output fold of a
//! grouped convolution reads only the beats in which the channels of its groups lie, so a depthwise layer with
//! `pe` = lanes reads one beat of each tap. Taps in the padding are not read; their phase stays. What no later
//! window needs is released while the last output fold reads it.

use std::ops::Range;

use super::Lanes;
use super::actions::Gathered;
use super::assemble::{Event, Row, assemble, merge};
use super::give::Pixel;
use super::list::PhaseList;
use super::window::Axis;
use crate::network::Pair;
use crate::stream::actor::MatVec;

impl MatVec {
    /// In the direct form, the beats of `lanes` numbers that each output fold reads: those in which the channels of its
    /// groups lie.
    pub fn direct_beats(&self, lanes: usize) -> Vec<Range<usize>> {
        let (channels, outputs) = (self.input.channels / self.groups, self.output.channels / self.groups);
        let pe = self.fold.pe.max(1);
        let beats = |fold: usize| {
            let last = ((fold + 1) * pe).min(self.output.channels) - 1;
            let (first_group, last_group) = (fold * pe / outputs, last / outputs);
            first_group * channels / lanes..((last_group + 1) * channels).div_ceil(lanes)
        };
        (0..self.output_folds()).map(beats).collect()
    }

    /// Whether the direct form is of the kind that hardware has: no bank is asked for two words at once, every output
    /// fold reads as many beats, and groups fill beats or share them evenly.
    pub fn is_regular_direct(&self, taps: usize, lanes: usize) -> bool {
        let beats = self.direct_beats(lanes);
        let channels = self.input.channels / self.groups;
        let grouped = channels.is_multiple_of(lanes) || lanes.is_multiple_of(channels);
        self.window.reads_side_by_side(taps)
            && (taps == 1 || self.window.dilation == Pair::ONE)
            && beats.iter().all(|b| b.len() == beats[0].len())
            && (self.groups == 1 || grouped)
    }
}

pub(super) fn phases(a: &MatVec, taps: usize, lanes: Lanes) -> PhaseList {
    let direct = Direct::new(a, taps, lanes.input);
    let pixel = direct.pixel(a, lanes);
    let (height, width) = (a.output.height, a.output.width as u64);
    let row_len = width * pixel.period;
    // Beats of a row's last pixel that are given behind the row.
    let late: Vec<(usize, u64)> = pixel
        .gives
        .iter()
        .enumerate()
        .filter_map(|(beat, &at)| Some((beat, (at - 1).checked_sub(pixel.period)?)))
        .collect();
    let rows: Vec<Row> = (0..=height)
        .map(
            |y| if y < height { direct.row(y, row_len) } else { direct.tail(y, pixel.last() - pixel.period) },
        )
        .collect();
    let total = (a.input.pixels() * direct.beats) as u64;
    assemble(total, &rows, |y| {
        let reads = if y < height { direct.reads(y, a.output.width, pixel.period) } else { Vec::new() };
        let mut gives: Vec<Event> = Vec::new();
        if y > 0 {
            gives.extend(late.iter().map(|&(beat, at)| pixel.give(beat, at)));
        }
        if y < height {
            for x in 0..width {
                let at = pixel.gives.iter().map(|&at| x * pixel.period + at - 1).enumerate();
                gives.extend(at.filter(|&(_, at)| at < row_len).map(|(beat, at)| pixel.give(beat, at)));
            }
        }
        gives.sort_by_key(|e| e.at);
        merge(reads, gives)
    })
}

/// Where the taps of each phase of computing lie, in order.
pub(super) fn actions(a: &MatVec, taps: usize, lanes: Lanes) -> impl Iterator<Item = Gathered> + use<> {
    let direct = Direct::new(a, taps, lanes.input);
    let period = direct.pixel(a, lanes).period;
    let Pair { h: tap_rows, w: tap_columns } = a.window.side_by_side(taps);
    let (across, width, height) = (a.window.kernel.w / tap_columns, a.output.width, a.output.height);
    let mask = |first: usize, n: usize, valid: &Range<usize>| {
        (0..n).filter(|i| valid.contains(&(first + i))).map(|i| 1u64 << i).sum()
    };
    // The first phase of a pixel, the first tap's row and column, and the beats, of each output fold and group of taps.
    let groups =
        (0..direct.groups as usize).map(|group| (group / across * tap_rows, group % across * tap_columns));
    let mut at = 0;
    let of_pixel: Vec<(u64, (usize, usize), Range<usize>)> = direct
        .folds
        .iter()
        .flat_map(|beats| groups.clone().map(move |tap| (tap, beats)))
        .map(|(tap, beats)| {
            at += beats.len() as u64;
            (at - beats.len() as u64, tap, beats.clone())
        })
        .collect();
    (0..height * width).flat_map(move |pixel| {
        let (y, x) = (pixel / width, pixel % width);
        let (rows, columns) = (direct.rows.valid(y), direct.columns.valid(x));
        let (top, left) = (direct.rows.origin(y), direct.columns.origin(x));
        let (row_step, column_step) = (direct.rows.dilation, direct.columns.dilation);
        let gathered = |(at, (down, right), beats): &(u64, (usize, usize), Range<usize>)| Gathered {
            phase: pixel as u64 * period + at,
            row: top + (down * row_step) as i64,
            column: left + (right * column_step) as i64,
            beats: beats.clone(),
            rows: mask(*down, tap_rows, &rows),
            columns: mask(*right, tap_columns, &columns),
        };
        of_pixel.iter().map(gathered).collect::<Vec<Gathered>>()
    })
}

struct Direct {
    rows: Axis,
    columns: Axis,
    /// Beats a pixel of input.
    beats: usize,
    /// Kernel taps read side by side.
    taps: usize,
    /// Phases over the taps.
    groups: u64,
    /// The beats that each output fold reads.
    folds: Vec<Range<usize>>,
    /// First and last column that any window of a row reads.
    span: Option<(usize, usize)>,
}

impl Direct {
    fn new(a: &MatVec, taps: usize, lanes: usize) -> Self {
        let (rows, columns) = (Axis::rows(a.input, &a.window), Axis::columns(a.input, &a.window));
        let folds = a.direct_beats(lanes);
        let groups = (rows.taps * columns.taps).div_ceil(taps) as u64;
        let valid = (0..a.output.width).map(|x| (x, columns.valid(x))).filter(|(_, taps)| !taps.is_empty());
        let span = valid.map(|(x, taps)| (columns.at(x, taps.start), columns.at(x, taps.end - 1)));
        let span = span.reduce(|(l, h), (lo, hi)| (l.min(lo), h.max(hi)));
        Direct { rows, columns, beats: a.input.beats(lanes), taps, groups, folds, span }
    }

    /// When the output folds of a pixel end, and its beats are given.
    fn pixel(&self, a: &MatVec, lanes: Lanes) -> Pixel {
        let mut end = 0;
        let ends: Vec<u64> =
            self.folds.iter().map(|beats| (end += self.groups * beats.len() as u64, end).1).collect();
        Pixel::new(a, &ends, lanes)
    }

    fn base(&self, y: usize) -> i64 {
        self.rows.origin(y) * (self.columns.map * self.beats) as i64
    }

    /// The beat of a pixel's channel 0, relative to the base of output row `y`.
    fn beat(&self, y: usize, tap: usize, column: usize) -> i64 {
        ((self.rows.at(y, tap) * self.columns.map + column) * self.beats) as i64 - self.base(y)
    }

    fn row(&self, y: usize, len: u64) -> Row {
        let valid = self.rows.valid(y);
        let base = self.base(y);
        let reads = self.span.filter(|_| !valid.is_empty()).map(|(lo, hi)| {
            let last = self.beats as i64 - 1;
            (base + self.beat(y, valid.start, lo), base + self.beat(y, valid.end - 1, hi) + last)
        });
        Row { len, base, reads, key: vec![i64::from(y == 0), valid.start as i64, valid.end as i64] }
    }

    fn tail(&self, y: usize, len: u64) -> Row {
        Row { len, base: self.base(y), reads: None, key: vec![-1] }
    }

    fn reads(&self, y: usize, width: usize, period: u64) -> Vec<Event> {
        let rows = self.rows.valid(y);
        let kernel = self.columns.taps;
        let taps = self.rows.taps * kernel;
        let counted: Vec<bool> = (0..self.folds.len()).map(|fold| self.counts(fold)).collect();
        let mut events = Vec::new();
        for x in 0..width {
            let columns = self.columns.valid(x);
            // Of each group, the beats of channel 0 at its first and its last tap that lie in the frame.
            let span = |group: usize| {
                let group = group * self.taps..((group + 1) * self.taps).min(taps);
                let read = group.filter(|t| rows.contains(&(t / kernel)) && columns.contains(&(t % kernel)));
                let read = read.map(|t| self.beat(y, t / kernel, self.columns.at(x, t % kernel)));
                read.fold(None, |span: Option<(i64, i64)>, beat| {
                    Some(span.map_or((beat, beat), |(lo, hi)| (lo.min(beat), hi.max(beat))))
                })
            };
            let spans: Vec<Option<(i64, i64)>> = (0..self.groups as usize).map(span).collect();
            let mut at = x as u64 * period;
            for (beats, counted) in self.folds.iter().zip(&counted) {
                for span in spans.iter().filter(|_| *counted) {
                    if let Some((lo, hi)) = span {
                        let of = |(i, beat): (u64, usize)| Event {
                            at: at + i,
                            read: Some((lo + beat as i64, hi + beat as i64)),
                            ..Event::default()
                        };
                        events.extend((0..).zip(beats.clone()).map(of));
                    }
                    at += beats.len() as u64;
                }
                if !counted {
                    at += self.groups * beats.len() as u64;
                }
            }
        }
        events
    }

    /// Whether a fold's reads can change what is needed or free. Where a fold before it and one behind it read the
    /// same beats, the first has waited for them and the second still holds them.
    fn counts(&self, fold: usize) -> bool {
        let beats = &self.folds[fold];
        !(self.folds[..fold].contains(beats) && self.folds[fold + 1..].contains(beats))
    }
}
