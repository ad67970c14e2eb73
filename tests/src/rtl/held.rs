//! What the held form does in each phase, by its rules: advances, fetches as late as possible, loads as early as
//! possible, folds, beats, and the tap. From it follow the counts, which must be those of the model's list, and
//! the micro words, which the model does not have.

use super::design::Layer;
use super::image::Word;
use crate::reference::start_times::{Phase, Take};

/// Width of a micro word.
const MICRO: usize = 103;

/// Beats that a phase fetches.
#[derive(Clone, Debug)]
struct Fetch {
    /// Least and largest beat of the frame.
    beats: (usize, usize),
    /// First row of the map (may lie above it), and the beat in a row.
    row: i64,
    column: usize,
    /// Where it goes: kernel row, new column, slot, beat of the pixel; or to the tap alone.
    to: Option<(usize, usize, usize, usize)>,
    /// Whether its beat goes out at the tap.
    tap: bool,
    /// Banks by which the rows are turned: none, unless a test says so.
    turned: i64,
}

/// What a load does.
#[derive(Clone, Debug)]
struct Load {
    slot: usize,
    rows: u64,
    columns: u64,
    clear: bool,
}

/// One phase.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    fetch: Option<Fetch>,
    load: Option<Load>,
    fold: Option<usize>,
    beat: Option<usize>,
    skip: bool,
    /// Counts of input 0 and of the skip, and what is given.
    pub(super) phase: Phase,
}

/// A mistake that a test plants in a frame's phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Each load one phase late.
    LateLoad,
    /// Rows outside of the map are loaded as they lie.
    NoRowMask,
    /// The row mask lets one row too many through.
    RowMaskOffByOne,
    /// Columns outside of the map are loaded as they lie.
    NoColumnMask,
    /// A row starts without clearing the columns that are shifted left.
    NoClear,
    /// The last fetch of the frame reads the beat before.
    WrongAddress,
    /// The first fetch of the frame takes its rows from the banks beside.
    WrongBank,
    /// The first fetch goes to the column beside, or to the beat beside.
    WrongStaging,
    /// The first beat is given one phase early.
    EarlyGive,
    /// Places are released one phase early.
    EarlyFree,
    /// Places are released one phase late.
    LateFree,
    /// The first need is one beat short, and made up for later.
    LateNeed,
    /// The first phase of computing reads the fold behind its own.
    WrongFold,
    /// The skip's first beat is taken one phase early.
    EarlySkip,
    /// The tap gives the fetch before its first one instead.
    EarlyTap,
}

struct Advance {
    fetches: Vec<Fetch>,
    load: Load,
    completes: bool,
}

fn advances(a: &Layer) -> Vec<Advance> {
    let (w, input) = (&a.window, a.input);
    let per_pixel = input.channels.div_ceil(a.lanes_in);
    let fresh = w.stride.w.min(w.kernel.w);
    let first = w.kernel.w.saturating_sub(w.pad.left).div_ceil(w.stride.w).max(1);
    let inside = |y: i64, size: usize| y >= 0 && y < size as i64;
    let mut list = Vec::new();
    for oy in 0..a.output.height {
        let top = (oy * w.stride.h) as i64 - w.pad.top as i64;
        let rows: Vec<i64> = (0..w.kernel.h as i64).map(|r| top + r).collect();
        for j in 0..first + a.output.width - 1 {
            let ox = j as i64 - first as i64 + 1;
            let right = ox * w.stride.w as i64 - w.pad.left as i64 + w.kernel.w as i64;
            let columns: Vec<i64> = (0..fresh as i64).map(|c| right - fresh as i64 + c).collect();
            let slot = list.len() % a.slots;
            let at = |y: i64, x: i64, b: usize| (y as usize * input.width + x as usize) * per_pixel + b;
            let mut fetches = Vec::new();
            let valid: Vec<usize> = (0..rows.len()).filter(|&r| inside(rows[r], input.height)).collect();
            let (Some(&low), Some(&high)) = (valid.first(), valid.last()) else {
                panic!("a window outside of its map")
            };
            let bring = |r: usize, row: i64, tap: bool| {
                let mut brought = Vec::new();
                for (c, &x) in columns.iter().enumerate().filter(|(_, x)| inside(**x, input.width)) {
                    for b in 0..per_pixel {
                        let beats = if a.ports > 1 {
                            (at(rows[low], x, b), at(rows[high], x, b))
                        } else {
                            (at(row, x, b), at(row, x, b))
                        };
                        let column = x as usize * per_pixel + b;
                        brought.push(Fetch { beats, row, column, to: Some((r, c, slot, b)), tap, turned: 0 });
                    }
                }
                brought
            };
            if a.ports > 1 {
                let tap = a.tap.is_some_and(|t| inside(rows[t], input.height));
                fetches.extend(bring(0, top, tap));
            } else {
                for &r in &valid {
                    fetches.extend(bring(r, rows[r], a.tap == Some(r)));
                }
            }
            let bits = |places: &[i64], size: usize| {
                places.iter().enumerate().fold(0, |n, (i, &p)| n | u64::from(inside(p, size)) << i)
            };
            let load = Load {
                slot,
                rows: bits(&rows, input.height),
                columns: bits(&columns, input.width),
                clear: j == 0,
            };
            list.push(Advance { fetches, load, completes: ox >= 0 });
        }
    }
    list
}

/// The phase, counted from the load, in which each beat of a pixel is given.
fn gives(a: &Layer) -> Vec<usize> {
    let folds = a.flat().div_ceil(a.simd);
    let mut list: Vec<usize> = Vec::new();
    for b in 0..a.output.channels.div_ceil(a.lanes_out) {
        let complete = ((((b + 1) * a.lanes_out).min(a.output.channels) - 1) / a.pe + 1) * folds;
        list.push(complete.max(list.last().map_or(0, |last| last + 1)));
    }
    list
}

/// All phases of a frame, and the beats behind the last one that is read.
pub(super) fn steps(a: &Layer) -> (Vec<Step>, usize) {
    let advances = advances(a);
    let gives = gives(a);
    let compute = a.flat().div_ceil(a.simd) * a.output.channels.div_ceil(a.pe);
    let period = compute.max(gives.len());
    let after = compute.max(*gives.last().expect("a pixel has a beat"));

    // Earliest loads: the fetches follow each other, each behind the load that freed its slot.
    let mut loads: Vec<usize> = Vec::new();
    let mut fetched = 0; // phases used for fetches so far: the next one is free
    for (u, advance) in advances.iter().enumerate() {
        let mut load = match u.checked_sub(1) {
            None => 0,
            Some(v) => loads[v] + if advances[v].completes { period } else { 1 },
        };
        if !advance.fetches.is_empty() {
            let free = u.checked_sub(a.slots).map_or(0, |v| loads[v] + 1);
            fetched = fetched.max(free) + advance.fetches.len();
            load = load.max(fetched - 1);
        }
        loads.push(load);
    }
    // Latest fetches: backwards, none behind its load, one a phase.
    let mut at: Vec<Vec<usize>> = vec![Vec::new(); advances.len()];
    let mut before = usize::MAX;
    for u in (0..advances.len()).rev() {
        for _ in &advances[u].fetches {
            before = loads[u].min(before - 1);
            at[u].insert(0, before);
        }
    }

    let last = *loads.last().expect("a frame has an advance");
    let mut taps: Vec<Fetch> = Vec::new();
    if let Some(row) = a.tap {
        let per_row = a.input.width * a.input.channels.div_ceil(a.lanes_in);
        for y in a.input.height - (a.window.pad.top - row)..a.input.height {
            for column in 0..per_row {
                let beat = y * per_row + column;
                let row = if a.ports > 1 { y as i64 - row as i64 } else { y as i64 };
                taps.push(Fetch { beats: (beat, beat), row, column, to: None, tap: true, turned: 0 });
            }
        }
    }
    let mut steps = vec![Step::default(); last + 1 + after.max(taps.len())];
    for (u, advance) in advances.into_iter().enumerate() {
        for (fetch, &k) in advance.fetches.into_iter().zip(&at[u]) {
            assert!(steps[k].fetch.is_none(), "two fetches in a phase");
            steps[k].fetch = Some(fetch);
        }
        steps[loads[u]].load = Some(advance.load);
        if advance.completes {
            for fold in 0..compute {
                steps[loads[u] + 1 + fold].fold = Some(fold);
            }
            for (beat, &k) in gives.iter().enumerate() {
                steps[loads[u] + k].beat = Some(beat);
            }
        }
    }
    for (i, fetch) in taps.into_iter().enumerate() {
        steps[last + 1 + i].fetch = Some(fetch);
    }
    let tail = count(a, &mut steps);
    (steps, tail)
}

/// Fills in the counts; gives the beats behind the last one that is read.
fn count(a: &Layer, steps: &mut [Step]) -> usize {
    let total = a.input.height * a.input.width * a.input.channels.div_ceil(a.lanes_in);
    let high = steps.iter().filter_map(|s| s.fetch.as_ref()).map(|f| f.beats.1 + 1).max().unwrap_or(0);
    let tail = total - high;
    // Backwards: what no later phase reads is free.
    let mut free = vec![total; steps.len()];
    for k in (0..steps.len() - 1).rev() {
        let later = steps[k + 1].fetch.as_ref().map_or(total, |f| f.beats.0);
        free[k] = free[k + 1].min(later);
    }
    let first = steps.iter().position(|s| s.fetch.is_some()).expect("something is read");
    assert_eq!(steps[first].fetch.as_ref().map(|f| f.beats.0), Some(0), "an unread head");
    let (mut needed, mut freed) = (0, 0);
    for (k, step) in steps.iter_mut().enumerate() {
        let need = step.fetch.as_ref().map_or(needed, |f| needed.max(f.beats.1 + 1));
        let mut takes = vec![Take { need: (need - needed) as u64, free: (free[k] - freed) as u64 }];
        if k == first {
            takes[0].need += tail as u64;
        }
        (needed, freed) = (need, free[k]);
        step.skip = step.beat.is_some_and(|beat| a.takes_skip(beat));
        if a.add.is_some() {
            takes.push(Take { need: u64::from(step.skip), free: u64::from(step.skip) });
        }
        let mut gives = vec![step.beat.is_some()];
        if a.tap.is_some() {
            gives.push(step.fetch.as_ref().is_some_and(|f| f.tap));
        }
        step.phase = Phase { takes, gives };
    }
    tail
}

/// Plants a mistake in a frame's phases.
pub(super) fn plant(a: &Layer, mistake: Mistake, steps: &mut [Step]) {
    let folds = a.flat().div_ceil(a.simd) * a.output.channels.div_ceil(a.pe);
    let load = |steps: &mut [Step], change: &dyn Fn(&mut Load)| {
        steps.iter_mut().filter_map(|s| s.load.as_mut()).for_each(change);
    };
    let first = |steps: &[Step], is: &dyn Fn(&Step) -> bool| {
        steps.iter().position(is).unwrap_or_else(|| panic!("{mistake:?} does not fit the layer"))
    };
    let fetched = |s: &Step| s.fetch.as_ref().is_some_and(|f| f.to.is_some());
    match mistake {
        Mistake::LateLoad => {
            for k in (1..steps.len()).rev() {
                steps[k].load = steps[k - 1].load.take();
            }
        }
        Mistake::NoRowMask => load(steps, &|l| l.rows = u64::MAX),
        Mistake::RowMaskOffByOne => load(steps, &|l| l.rows |= l.rows << 1 | l.rows >> 1),
        Mistake::NoColumnMask => load(steps, &|l| l.columns = u64::MAX),
        Mistake::NoClear => load(steps, &|l| l.clear = false),
        Mistake::WrongAddress => {
            let k = steps.iter().rposition(fetched).expect("something is read");
            steps[k].fetch.as_mut().expect("a fetch").column -= 1;
        }
        Mistake::WrongBank => {
            let k = first(steps, &fetched);
            steps[k].fetch.as_mut().expect("a fetch").turned = 1;
        }
        Mistake::WrongStaging => {
            let k = first(steps, &fetched);
            if let Some((_, _, _, beat)) = steps[k].fetch.as_mut().and_then(|f| f.to.as_mut()) {
                *beat ^= 1;
            }
        }
        Mistake::EarlyGive => {
            let k = first(steps, &|s| s.beat.is_some());
            steps[k - 1].beat = steps[k].beat.take();
            steps[k].phase.gives[0] = false;
            steps[k - 1].phase.gives[0] = true;
        }
        Mistake::EarlyFree | Mistake::LateFree => {
            let mut frees: Vec<u64> = steps.iter().map(|s| s.phase.takes[0].free).collect();
            if mistake == Mistake::EarlyFree {
                frees.rotate_left(1)
            } else {
                frees.rotate_right(1)
            }
            steps.iter_mut().zip(frees).for_each(|(s, free)| s.phase.takes[0].free = free);
        }
        Mistake::LateNeed => {
            let k = first(steps, &|s| s.phase.takes[0].need > 0);
            let later = k + 1 + first(&steps[k + 1..], &|s| s.phase.takes[0].need > 0);
            steps[k].phase.takes[0].need -= 1;
            steps[later].phase.takes[0].need += 1;
        }
        Mistake::WrongFold => {
            let k = first(steps, &|s| s.fold.is_some());
            steps[k].fold = steps[k].fold.map(|f| (f + 1) % folds);
        }
        Mistake::EarlySkip => {
            let k = first(steps, &|s| s.skip);
            (steps[k].skip, steps[k - 1].skip) = (false, true);
            steps[k - 1].phase.takes[1] = std::mem::take(&mut steps[k].phase.takes[1]);
        }
        Mistake::EarlyTap => {
            let k = first(steps, &|s| s.fetch.as_ref().is_some_and(|f| f.tap));
            let before = (0..k).rev().find(|&k| steps[k].fetch.is_some());
            let before = before.unwrap_or_else(|| panic!("{mistake:?} does not fit the layer"));
            for (k, on) in [(k, false), (before, true)] {
                steps[k].fetch.as_mut().expect("a fetch").tap = on;
                steps[k].phase.gives[1] = on;
            }
        }
    }
}

/// The micro words; `banks` of the memory that is read.
pub(super) fn micro(a: &Layer, steps: &[Step], banks: usize) -> Vec<Word> {
    let per_row = (a.input.width * a.input.channels.div_ceil(a.lanes_in)) as i64;
    let folds = a.flat().div_ceil(a.simd);
    let flag = |word: &mut Word, value: bool| word.push(i64::from(value), 1);
    steps
        .iter()
        .map(|step| {
            let mut word = Word::default();
            let fetch = step.fetch.as_ref();
            let to = fetch.and_then(|f| f.to);
            flag(&mut word, to.is_some());
            let banks = banks as i64;
            let (bank, place) = fetch.map_or((0, 0), |f| {
                ((f.row + f.turned).rem_euclid(banks), f.row.div_euclid(banks) * per_row + f.column as i64)
            });
            word.push(bank, 4);
            word.push(place, 16);
            let (row, column, slot, beat) = to.unwrap_or_default();
            word.push(row as i64, 4);
            word.push(column as i64, 4);
            word.push(slot as i64, 2);
            word.push(beat as i64, 6);
            let load = step.load.as_ref();
            flag(&mut word, load.is_some());
            word.push(load.map_or(0, |l| l.slot as i64), 2);
            word.push(load.map_or(0, |l| l.rows as i64), 8);
            word.push(load.map_or(0, |l| l.columns as i64), 8);
            flag(&mut word, load.is_some_and(|l| l.clear));
            let fold = step.fold.unwrap_or(0);
            flag(&mut word, step.fold.is_some());
            word.push(fold as i64, 12);
            flag(&mut word, step.fold.is_some() && fold % folds == 0);
            flag(&mut word, step.fold.is_some() && fold % folds == folds - 1);
            word.push((fold / folds) as i64, 8);
            flag(&mut word, step.beat.is_some());
            word.push(step.beat.unwrap_or(0) as i64, 8);
            flag(&mut word, fetch.is_some_and(|f| f.tap));
            flag(&mut word, step.skip);
            word.push((fold % folds) as i64, 12);
            assert_eq!(word.len(), MICRO, "the micro word has its width");
            word
        })
        .collect()
}
