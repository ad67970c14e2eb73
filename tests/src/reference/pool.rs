//! Pools, clock by clock.

use nonresc_ir::stream::{Map, Pool};

use super::pixelwise::Regroup;
use super::program::{Lanes, Step};

pub(super) fn global(map: Map, lanes: Lanes) -> Vec<Step> {
    let channels: Vec<Option<usize>> = (0..map.channels).map(Some).collect();
    let pixels: Vec<usize> = (0..map.height * map.width).collect();
    Regroup::new(&channels, lanes).steps(&pixels, map.channels.div_ceil(lanes.input), true)
}

/// Coordinates of the map under the window of output `o`.
fn under(o: usize, taps: usize, stride: usize, dilation: usize, pad: usize, extent: usize) -> Vec<usize> {
    let at = |tap: usize| (o * stride + tap * dilation).checked_sub(pad).filter(|&at| at < extent);
    (0..taps).filter_map(at).collect()
}

/// Reads one beat a clock, row by row, of the pixels that some window covers; gives the outputs in raster order, one a
/// clock, each when all that it covers was read, and none before the last input row of its window's has begun. An
/// input row is read when all that the rows before it complete is given.
pub(super) fn windowed(a: &Pool, lanes: Lanes) -> Vec<Step> {
    let w = &a.window;
    let beats = a.input.channels.div_ceil(lanes.input);
    let beats_out = a.output.channels.div_ceil(lanes.output);
    let rows: Vec<Vec<usize>> = (0..a.output.height)
        .map(|y| under(y, w.kernel.h, w.stride.h, w.dilation.h, w.pad.top, a.input.height))
        .collect();
    let columns: Vec<Vec<usize>> = (0..a.output.width)
        .map(|x| under(x, w.kernel.w, w.stride.w, w.dilation.w, w.pad.left, a.input.width))
        .collect();
    let mut outputs = Vec::new();
    for rows in &rows {
        for columns in &columns {
            for beat in 0..beats_out {
                let last_channel = ((beat + 1) * lanes.output).min(a.input.channels) - 1;
                let row = rows.iter().max().unwrap();
                let column = columns.iter().max().unwrap();
                outputs.push((*row, *column, last_channel / lanes.input));
            }
        }
    }
    let mut outputs = outputs.into_iter().peekable();
    let mut steps = Vec::new();
    for row in 0..a.input.height {
        if !rows.iter().flatten().any(|&under| under == row) {
            continue;
        }
        let covered = (0..a.input.width).filter(|x| columns.iter().flatten().any(|under| under == x));
        let mut to_read = covered.flat_map(|x| (0..beats).map(move |beat| (x, beat)));
        let mut last_read = None;
        loop {
            let next = to_read.next();
            last_read = next.or(last_read);
            let complete = |&(r, column, beat): &(usize, usize, usize)| {
                r < row || (r == row && last_read.is_some_and(|read| (column, beat) <= read))
            };
            let gives = outputs.next_if(complete).is_some();
            let reads = next.map(|(x, beat)| (0, ((row * a.input.width + x) * beats + beat) as u64));
            if reads.is_none() && !gives {
                break;
            }
            steps.push(Step { reads: reads.into_iter().collect(), gives: [gives, false] });
        }
    }
    steps
}
