//! Matrix-vector actors, clock by clock: held, direct and stationary.

use std::collections::BTreeSet;

use nonresc_ir::stream::{MatVec, Second};

use super::program::{Lanes, Step, give_times, skip_beats};

/// Lets every output pixel's beats out: `base[pixel]` is the clock that its give times count from.
fn give(a: &MatVec, lanes: usize, steps: &mut Vec<Step>, base: &[usize], times: &[usize]) {
    let beats = a.output.channels.div_ceil(lanes);
    let skip = match a.add {
        Some(add) => skip_beats(a.output.channels, add.channels, add.offset, lanes),
        None => vec![None; beats],
    };
    let skip_per_pixel = skip.iter().flatten().count();
    for (pixel, base) in base.iter().enumerate() {
        for (time, skip) in times.iter().zip(&skip) {
            let at = base + time;
            if steps.len() <= at {
                steps.resize(at + 1, Step::default());
            }
            assert!(!steps[at].gives[0], "two beats are given in one clock");
            steps[at].gives[0] = true;
            if let Some(beat) = skip {
                steps[at].reads.push((1, (pixel * skip_per_pixel + beat) as u64));
            }
        }
    }
}

/// The fold in which the last channel of each output beat is computed.
fn fold_of_beats(a: &MatVec, lanes: usize) -> Vec<usize> {
    let beats = a.output.channels.div_ceil(lanes);
    // Channels that are handed on wait for the last fold.
    let computed = a.output.channels - a.carry.passed;
    (0..beats).map(|beat| ((beat + 1) * lanes).min(computed).div_ceil(a.fold.pe) - 1).collect()
}

fn on_map(at: i64, extent: usize) -> Option<usize> {
    usize::try_from(at).ok().filter(|&at| at < extent)
}

/// Input rows under each kernel row of output row `y`.
fn rows_under(a: &MatVec, y: usize) -> Vec<Option<usize>> {
    let (w, top) = (&a.window, a.window.pad.top as i64);
    (0..w.kernel.h)
        .map(|tap| on_map((y * w.stride.h + tap * w.dilation.h) as i64 - top, a.input.height))
        .collect()
}

/// What one clock fetches.
struct Fetch {
    beats: Vec<u64>,
    /// The pixel that a tap gives with it (row and column of output 1), where it gives one.
    tapped: Option<(usize, usize)>,
}

/// A step of the held window to the right.
struct Advance {
    /// What it brings, clock by clock.
    fetches: Vec<Fetch>,
    /// Whether an output pixel's window is complete with it.
    completes: bool,
}

fn advances(a: &MatVec, lanes: usize) -> Vec<Advance> {
    let w = &a.window;
    let (stride, left) = (w.stride.w as i64, w.pad.left as i64);
    let extent = ((w.kernel.w - 1) * w.dilation.w + 1) as i64;
    let beats = a.input.channels.div_ceil(lanes);
    let mut to_first = 1;
    while to_first * stride < extent - left {
        to_first += 1;
    }
    let mut all = Vec::new();
    for y in 0..a.output.height {
        let rows: Vec<usize> = rows_under(a, y).into_iter().flatten().collect();
        for i in 0..to_first + a.output.width as i64 - 1 {
            let begin = (i + 1 - to_first) * stride - left;
            let old = begin - stride..begin - stride + extent;
            let fresh = (begin..begin + extent).filter(|x| !old.contains(x));
            let fresh: Vec<usize> = fresh.filter_map(|x| on_map(x, a.input.width)).collect();
            let beat =
                |row: usize, column: usize, k: usize| ((row * a.input.width + column) * beats + k) as u64;
            let tap_row = match a.second {
                Some(Second::Tap { row }) => rows_under(a, y)[row],
                _ => None,
            };
            let tapped = |row: usize, column: usize| {
                let whole = |at: usize, step: usize, places: usize| {
                    Some(at / step).filter(|&place| at.is_multiple_of(step) && place < places)
                };
                let place =
                    whole(row, w.stride.h, a.output.height).zip(whole(column, w.stride.w, a.output.width));
                place.filter(|_| tap_row == Some(row))
            };
            let mut fetches = Vec::new();
            if a.fold.ports > 1 {
                for &column in fresh.iter().filter(|_| !rows.is_empty()) {
                    for k in 0..beats {
                        fetches.push(Fetch {
                            beats: rows.iter().map(|&row| beat(row, column, k)).collect(),
                            tapped: tap_row.and_then(|row| tapped(row, column)),
                        });
                    }
                }
            } else {
                for &row in &rows {
                    for &column in &fresh {
                        fetches.extend((0..beats).map(|k| Fetch {
                            beats: vec![beat(row, column, k)],
                            tapped: tapped(row, column),
                        }));
                    }
                }
            }
            all.push(Advance { fetches, completes: i + 1 >= to_first });
        }
    }
    all
}

/// The window is loaded as early as staging and computing allow, and fetched as late as the loads allow.
pub(super) fn held(a: &MatVec, slots: usize, lanes: Lanes) -> Vec<Step> {
    let taps = a.window.kernel.h * a.window.kernel.w * (a.input.channels - a.carry.taken) / a.groups;
    let input_folds = taps.div_ceil(a.fold.simd);
    let compute = input_folds * (a.output.channels - a.carry.passed).div_ceil(a.fold.pe);
    let complete: Vec<usize> =
        fold_of_beats(a, lanes.output).iter().map(|fold| (fold + 1) * input_folds).collect();
    let beside = beside(a, lanes.second);
    let compute = compute.max(beside.last().copied().unwrap_or(0));
    let period = compute.max(complete.len()).max(beside.len());
    let times = give_times(&complete, period);

    let advances = advances(a, lanes.input);
    let fetches: Vec<(usize, &Fetch)> = advances
        .iter()
        .enumerate()
        .flat_map(|(u, advance)| advance.fetches.iter().map(move |f| (u, f)))
        .collect();
    let mut loads: Vec<usize> = Vec::new();
    let mut fetched = 0;
    for clock in 0.. {
        if let Some(&(u, _)) = fetches.get(fetched)
            && (u < slots || loads.get(u - slots).is_some_and(|&load| load < clock))
        {
            fetched += 1;
        }
        let next = loads.len();
        let here = fetches.get(fetched).is_none_or(|&(u, _)| u > next);
        let computed = match loads.last() {
            None => true,
            Some(&load) => clock >= load + if advances[next - 1].completes { period } else { 1 },
        };
        if here && computed {
            loads.push(clock);
            if loads.len() == advances.len() {
                break;
            }
        }
    }

    let last = loads[loads.len() - 1];
    let mut steps = vec![Step::default(); last + 1 + compute];
    let mut clock = usize::MAX;
    let mut passed = BTreeSet::new();
    for &(u, fetch) in fetches.iter().rev() {
        clock = if clock == usize::MAX { loads[u] } else { (clock - 1).min(loads[u]) };
        steps[clock].reads.extend(fetch.beats.iter().map(|&beat| (0, beat)));
        steps[clock].gives[1] = fetch.tapped.is_some();
        passed.extend(fetch.tapped);
    }
    let base: Vec<usize> =
        advances.iter().zip(&loads).filter(|(advance, _)| advance.completes).map(|(_, &load)| load).collect();
    give(a, lanes.output, &mut steps, &base, &times);
    if let Some(Second::Tap { .. }) = a.second {
        // The pixels that never pass the tap's row are fetched behind the last load.
        let beats = a.input.channels.div_ceil(lanes.input);
        let mut at = last;
        for y in 0..a.output.height {
            for x in (0..a.output.width).filter(|&x| !passed.contains(&(y, x))) {
                for k in 0..beats {
                    at += 1;
                    if steps.len() <= at {
                        steps.resize(at + 1, Step::default());
                    }
                    let pixel = y * a.window.stride.h * a.input.width + x * a.window.stride.w;
                    steps[at].reads.push((0, (pixel * beats + k) as u64));
                    steps[at].gives[1] = true;
                }
            }
        }
    }
    let times = give_times(&beside, period);
    for at in base.iter().flat_map(|base| times.iter().map(move |time| base + time)) {
        if steps.len() <= at {
            steps.resize(at + 1, Step::default());
        }
        assert!(!steps[at].gives[1], "two beats are given in one clock");
        steps[at].gives[1] = true;
    }
    steps
}

/// When the beats of a projection beside are complete, counted as folds from a pixel's load.
fn beside(a: &MatVec, lanes: usize) -> Vec<usize> {
    let Some(Second::Projection(p)) = &a.second else { return Vec::new() };
    let folds = a.input.channels.div_ceil(p.simd);
    (0..p.channels.div_ceil(lanes))
        .map(|beat| ((((beat + 1) * lanes).min(p.channels) - 1) / p.pe + 1) * folds)
        .collect()
}

/// Output fold by output fold, some taps of one beat a clock.
pub(super) fn direct(a: &MatVec, side_by_side: usize, lanes: Lanes) -> Vec<Step> {
    let w = &a.window;
    let beats = a.input.channels.div_ceil(lanes.input);
    let (inputs, outputs) = (a.input.channels / a.groups, a.output.channels / a.groups);
    let taps: Vec<(usize, usize)> =
        (0..w.kernel.h).flat_map(|r| (0..w.kernel.w).map(move |c| (r, c))).collect();
    let channels: Vec<usize> = (0..a.output.channels).collect();
    // The beats in which the inputs of an output fold's channels lie.
    let folds: Vec<BTreeSet<usize>> = channels
        .chunks(a.fold.pe)
        .map(|fold| {
            let group = fold.iter().flat_map(|c| (0..inputs).map(move |i| c / outputs * inputs + i));
            group.map(|channel| channel / lanes.input).collect()
        })
        .collect();
    let mut ends = Vec::new();
    let mut end = 0;
    for beats in &folds {
        end += taps.len().div_ceil(side_by_side) * beats.len();
        ends.push(end);
    }
    let complete: Vec<usize> = fold_of_beats(a, lanes.output).iter().map(|&fold| ends[fold] - 1).collect();
    let period = end.max(complete.len());
    let times = give_times(&complete, period);

    let mut steps = Vec::new();
    let mut base = Vec::new();
    for y in 0..a.output.height {
        let rows = rows_under(a, y);
        for x in 0..a.output.width {
            base.push(steps.len());
            let column = |tap: usize| {
                on_map((x * w.stride.w + tap * w.dilation.w) as i64 - w.pad.left as i64, a.input.width)
            };
            for fold in &folds {
                for taps in taps.chunks(side_by_side) {
                    for beat in fold {
                        let under = taps.iter().filter_map(|&(r, c)| rows[r].zip(column(c)));
                        let reads = under.map(|(r, c)| (0, ((r * a.input.width + c) * beats + beat) as u64));
                        steps.push(Step { reads: reads.collect(), ..Step::default() });
                    }
                }
            }
            steps.resize(base[base.len() - 1] + period, Step::default());
        }
    }
    give(a, lanes.output, &mut steps, &base, &times);
    steps
}

/// Each beat once; it stays while every output takes its part.
pub(super) fn stationary(a: &MatVec, lanes: Lanes) -> Vec<Step> {
    let beats = a.input.height * a.input.width * a.input.channels.div_ceil(lanes.input);
    let folds = a.output.channels.div_ceil(a.fold.pe);
    let mut steps = Vec::new();
    for beat in 0..beats {
        steps.push(Step { reads: vec![(0, beat as u64)], ..Step::default() });
        steps.resize((beat + 1) * folds, Step::default());
    }
    let base = (beats - 1) * folds;
    let mut times: Vec<usize> = fold_of_beats(a, lanes.output);
    for beat in 1..times.len() {
        times[beat] = times[beat].max(times[beat - 1] + 1);
    }
    give(a, lanes.output, &mut steps, &[base], &times);
    steps
}
