//! Pools with a window: each beat is read once and folded into private partial results.
//!
//! A row of input updates the partial results of the windows that it lies under (first along the row, then down
//! the columns), so no line buffer is needed: what is kept is one partial row for each output row that is open.
//! Rows and columns under no window are released unread. A row takes a phase a beat. An output row is given
//! while the last input row of its windows is read, each beat when its last column has come; where several
//! output rows end together (bottom padding) the others follow, and the next row is read after them.

use super::Lanes;
use super::actions::{Covered, PoolActions};
use super::assemble::{Event, Row, assemble, merge};
use super::list::PhaseList;
use super::window::Axis;
use crate::network::Pair;
use crate::stream::actor::Pool;

/// `last[o]`: the last coordinate that output `o` waits for, never less than for the output before.
fn last_read(axis: Axis, outputs: usize) -> Vec<usize> {
    let mut last = 0;
    let mut all = Vec::with_capacity(outputs);
    for o in 0..outputs {
        let taps = axis.valid(o);
        if !taps.is_empty() {
            last = last.max(axis.at(o, taps.end - 1));
        }
        all.push(last);
    }
    all
}

/// The coordinates that lie under some window, ascending.
fn under_windows(axis: Axis, outputs: usize) -> Vec<usize> {
    let mut under = vec![false; axis.map];
    for o in 0..outputs {
        for tap in axis.valid(o) {
            under[axis.at(o, tap)] = true;
        }
    }
    (0..axis.map).filter(|&i| under[i]).collect()
}

pub(super) fn phases(a: &Pool, lanes: Lanes) -> PhaseList {
    let beats = a.input.beats(lanes.input);
    let (rows, columns) = (Axis::rows(a.input, &a.window), Axis::columns(a.input, &a.window));
    let read_rows = under_windows(rows, a.output.height);
    let read_columns = under_windows(columns, a.output.width);
    let row_ends = last_read(rows, a.output.height);
    let column_ends = last_read(columns, a.output.width);
    // Phase in which a row's beat is read: its column's place among those that are read.
    let place = |column: usize| read_columns.partition_point(|&c| c < column) * beats;
    let channels = a.input.channels;
    let complete = |beat: usize| (((beat + 1) * lanes.output).min(channels) - 1) / lanes.input;
    let ends: Vec<usize> = column_ends
        .iter()
        .flat_map(|&column| (0..a.output.beats(lanes.output)).map(move |beat| place(column) + complete(beat)))
        .collect();
    // Phases of the gives of a row that ends `n` output rows.
    let gives = |n: usize| {
        let mut free = 0;
        let in_order = |&at: &usize| {
            free = free.max(at) + 1;
            free - 1
        };
        (0..n).flat_map(|_| &ends).map(in_order).collect::<Vec<usize>>()
    };

    let mut list_rows = Vec::with_capacity(read_rows.len());
    let mut ending = Vec::with_capacity(read_rows.len());
    for &y in &read_rows {
        let n = row_ends.iter().filter(|&&end| end == y).count();
        let reads = read_columns.len() * beats;
        let len = gives(n).last().map_or(reads, |&last| reads.max(last + 1)) as u64;
        let base = (y * a.input.width * beats) as i64;
        let ends = read_columns.first().zip(read_columns.last());
        let reads = ends.map(|(lo, hi)| (base + (lo * beats) as i64, base + ((hi + 1) * beats - 1) as i64));
        list_rows.push(Row { len, base, reads, key: vec![n as i64] });
        ending.push(n);
    }
    let total = (a.input.pixels() * beats) as u64;
    assemble(total, &list_rows, |i| {
        let beat = |k: usize| (read_columns[k / beats] * beats + k % beats) as i64;
        let reads = (0..read_columns.len() * beats).map(|k| Event {
            at: k as u64,
            read: Some((beat(k), beat(k))),
            ..Event::default()
        });
        let gives = gives(ending[i]).into_iter();
        merge(
            reads.collect(),
            gives.map(|at| Event { at: at as u64, gives: 1, ..Event::default() }).collect(),
        )
    })
}

/// Outputs of an axis that are open at once: a coordinate lies under no more, and one closes before the one that takes
/// its slot opens.
fn slots(axis: Axis, outputs: usize) -> usize {
    axis.extent().div_ceil(axis.stride.max(1)).min(outputs).max(1)
}

/// For each coordinate of an axis, what is folded there.
fn covered(axis: Axis, outputs: usize) -> Vec<Covered> {
    let slots = slots(axis, outputs);
    let mut all = vec![Covered::default(); axis.map];
    for o in 0..outputs {
        let (slot, taps) = (1u128.checked_shl((o % slots) as u32).unwrap_or(0), axis.valid(o));
        for tap in taps.clone() {
            let covered = &mut all[axis.at(o, tap)];
            covered.slots |= slot;
            covered.first |= if tap == taps.start { slot } else { 0 };
            covered.last |= if tap + 1 == taps.end { slot } else { 0 };
        }
    }
    all
}

/// What is folded in each row and column.
pub(super) fn actions(a: &Pool) -> PoolActions {
    let (rows, columns) = (Axis::rows(a.input, &a.window), Axis::columns(a.input, &a.window));
    let counts = |axis: Axis, outputs: usize| (0..outputs).map(move |o| axis.valid(o).len());
    let (height, width) = (a.output.height, a.output.width);
    PoolActions {
        slots: Pair { h: slots(rows, height), w: slots(columns, width) },
        rows: covered(rows, height),
        columns: covered(columns, width),
        empty: counts(rows, height).chain(counts(columns, width)).any(|taps| taps == 0),
        padded: counts(rows, height).any(|taps| taps < rows.taps)
            || counts(columns, width).any(|taps| taps < columns.taps),
    }
}
