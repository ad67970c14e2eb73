//! The gradient of a convolution's input: again sums over windows, now of the gradient of its result.
//!
//! With `P` the padding before the map, `S` the stride and `D` the dilation, tap `k` brings row `(h + P - k D) / S` of the
//! result's gradient to row `h`, where that is whole. Rows with the same remainder of `(h + P) / S` so have the same taps: they
//! are one part, which sees no zero of the stride. The other axis likewise.

use nonresc_ir::network::{ConvGradX, Shape, Sides};

use super::conv::{Layer, Part, Weights};
use super::tile::{Limits, Runs, Sums};
use super::windows::{Padding, at_a_time};

/// One axis of a convolution.
struct Axis {
    /// Extents of the convolution's input and result.
    map: usize,
    out: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
}

/// Places of one axis that have the same taps.
struct Phase {
    /// Each place, and where its window begins on the padded gradient.
    places: Vec<(usize, usize)>,
    /// The taps by distance from the window's beginning.
    taps: Vec<(usize, usize)>,
}

impl Axis {
    /// How far a window reaches back.
    fn reach(&self) -> usize {
        (self.kernel - 1) * self.dilation / self.stride
    }

    /// Zeros before and behind the gradient that windows reach.
    fn padding(&self) -> (usize, usize) {
        let last = (self.map - 1 + self.before) / self.stride;
        (self.reach().saturating_sub(self.before / self.stride), (last + 1).saturating_sub(self.out))
    }

    fn phases(&self) -> Vec<Phase> {
        let (zeros, reach) = (self.padding().0, self.reach());
        let phase = |remainder: usize| {
            let places = (0..self.map)
                .filter(|h| (h + self.before) % self.stride == remainder)
                .map(|h| (h, zeros + (h + self.before) / self.stride - reach))
                .collect();
            let taps = (0..self.kernel)
                .rev()
                .filter(|k| k * self.dilation % self.stride == remainder)
                .map(|k| (reach - k * self.dilation / self.stride, k))
                .collect();
            Phase { places, taps }
        };
        (0..self.stride).map(phase).filter(|phase| !phase.places.is_empty()).collect()
    }
}

impl Layer {
    /// Of the gradient of a convolution's input `dx` from that of its result, `dy`; nothing where a value is empty.
    pub(super) fn grad_x(op: &ConvGradX, dy: &Shape, w: &Shape, dx: &Shape) -> Option<Self> {
        let (&[frames, outputs, out_h, out_w], &[_, per_group, kernel_h, kernel_w]) =
            (dy.0.as_slice(), w.0.as_slice())
        else {
            return None;
        };
        let (channels, height, width) = dx.chw()?;
        if dy.is_empty() || w.is_empty() || dx.is_empty() || op.groups == 0 {
            return None;
        }
        let rows = Axis {
            map: height,
            out: out_h,
            kernel: kernel_h,
            stride: op.stride.h,
            dilation: op.dilation.h,
            before: op.pad.top,
        };
        let columns = Axis {
            map: width,
            out: out_w,
            kernel: kernel_w,
            stride: op.stride.w,
            dilation: op.dilation.w,
            before: op.pad.left,
        };
        let ((top, bottom), (left, right)) = (rows.padding(), columns.padding());
        let pad = Sides { top, left, bottom, right };
        let padded = [top + out_h + bottom, left + out_w + right];
        let frames = at_a_time(frames, padded[0] * padded[1] * outputs);
        let of_map = Maps { frames, outputs, padded, channels, map: [height, width] };
        let mut parts = Vec::new();
        for rows in rows.phases() {
            for columns in columns.phases() {
                parts.push(of_map.part(&rows, &columns, op.groups, kernel_w));
            }
        }
        let taps = kernel_h * kernel_w;
        let weights = Weights {
            groups: op.groups,
            outputs: channels,
            per_group: outputs / op.groups,
            group_step: outputs / op.groups * taps * per_group,
            output_step: 1,
            input_step: taps * per_group,
            tap_step: per_group,
        };
        let padding = (pad != Sides::ZERO).then(|| Padding::new(pad, [frames, outputs, out_h, out_w]));
        let pieces = [frames * outputs * out_h * out_w, frames * channels * height * width];
        Some(Layer::new(padding, pieces, parts, weights))
    }
}

/// The gradient's map with its padding, and the result's.
struct Maps {
    frames: usize,
    outputs: usize,
    padded: [usize; 2],
    channels: usize,
    map: [usize; 2],
}

impl Maps {
    fn part(&self, rows: &Phase, columns: &Phase, groups: usize, kernel_w: usize) -> Part {
        let [padded_h, padded_w] = self.padded;
        let [height, width] = self.map;
        let (mut pixels, mut places) = (Vec::new(), Vec::new());
        for n in 0..self.frames {
            for (h, row) in &rows.places {
                for (w, column) in &columns.places {
                    pixels.push(((n * padded_h + row) * padded_w + column) * self.outputs);
                    places.push(((n * height + h) * width + w) * self.channels);
                }
            }
        }
        let next = |pair: &[(usize, usize)]| pair[1].0 == pair[0].0 + 1;
        let row_is_a_run = groups == 1 && columns.taps.windows(2).all(next);
        let taps_a_run = if row_is_a_run { columns.taps.len().max(1) } else { 1 };
        let mut starts = Vec::new();
        let mut taps = Vec::new();
        for (row, h) in &rows.taps {
            let firsts = columns.taps.iter().step_by(taps_a_run);
            starts.extend(firsts.map(|(column, _)| (row * padded_w + column) * self.outputs));
            taps.extend(columns.taps.iter().map(|(_, w)| h * kernel_w + w));
        }
        let runs = Runs { starts, len: taps_a_run * (self.outputs / groups) };
        let sums = Sums { pixels, places, runs, channels: self.channels, limits: Limits::NONE };
        Part { sums, taps }
    }
}
