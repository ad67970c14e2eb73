//! Which inputs the results of a layer are made of: pixels, runs of neighbours, padding; and its output channels in blocks.
//! No arithmetic here.

use std::ops::Range;

use nonresc_ir::network::{Conv, Shape, Sides};

use super::kernel::room;
use super::layout::stored;
use super::tile::{LANES, Runs};
use crate::engine::strided::{StridedCopy, steps};

/// Which inputs the results of a layer are made of, in the padded map of all frames.
#[derive(Debug)]
pub(super) struct Windows {
    /// The element where each pixel's window starts.
    pub(super) pixels: Vec<usize>,
    pub(super) runs: Runs,
    pub(super) padding: Option<Padding>,
}

/// How the map is copied into a larger one with zeros around it.
#[derive(Debug)]
pub(super) struct Padding {
    copy: StridedCopy,
    /// Where the zeros are.
    border: Vec<Range<usize>>,
    pub(super) len: usize,
}

impl Padding {
    /// Of a map of extents N C H W.
    pub(super) fn new(pad: Sides, extents: [usize; 4]) -> Self {
        let [frames, channels, height, width] = extents;
        let (padded_h, padded_w) = (height + pad.top + pad.bottom, width + pad.left + pad.right);
        let to = [frames, channels, padded_h, padded_w];
        let first = (pad.top * padded_w + pad.left) * channels;
        let copy = StridedCopy::new(&extents, (0, &steps(&stored(&extents))), (first, &stored(&to)));
        let mut border = Vec::with_capacity(frames * height + 1);
        let mut end = 0;
        for frame in 0..frames {
            for row in 0..height {
                let start = (frame * padded_h + row) * padded_w * channels + first;
                border.push(end..start);
                end = start + width * channels;
            }
        }
        let len = to.iter().product();
        border.push(end..len);
        Padding { copy, border, len }
    }

    /// The map with `zero` around it.
    pub(super) fn around<T: Copy>(&self, map: &[T], zero: T, padded: &mut [T]) {
        for zeros in &self.border {
            padded[zeros.clone()].fill(zero);
        }
        self.copy.run(map, padded);
    }
}

/// The map with its padding around it.
pub(super) fn padded<'a>(padding: Option<&Padding>, map: &'a [f32], memory: &'a mut Vec<f32>) -> &'a [f32] {
    let Some(padding) = padding else { return map };
    let padded = room(memory, padding.len);
    padding.around(map, 0.0, padded);
    padded
}

impl Windows {
    /// Of a convolution of a map of shape `x` with weights of shape `w`; nothing where the shapes are none of a
    /// convolution.
    pub(super) fn conv(op: &Conv, x: &Shape, w: &Shape, y: &Shape) -> Option<Self> {
        let (&[frames, channels, height, width], &[_, per_group, kernel_h, kernel_w]) =
            (x.0.as_slice(), w.0.as_slice())
        else {
            return None;
        };
        let (_, out_h, out_w) = y.chw()?;
        let (padded_h, padded_w) = (height + op.pad.top + op.pad.bottom, width + op.pad.left + op.pad.right);
        let frame = padded_h * padded_w * channels;
        let mut pixels = Vec::with_capacity(frames * out_h * out_w);
        for n in 0..frames {
            for row in 0..out_h {
                for column in 0..out_w {
                    let (h, w) = (row * op.stride.h, column * op.stride.w);
                    pixels.push(n * frame + (h * padded_w + w) * channels);
                }
            }
        }
        let row_is_a_run = op.groups == 1 && op.dilation.w == 1;
        let taps_a_run = if row_is_a_run { kernel_w } else { 1 };
        let mut starts = Vec::new();
        for h in 0..kernel_h {
            for w in (0..kernel_w).step_by(taps_a_run.max(1)) {
                starts.push((h * op.dilation.h * padded_w + w * op.dilation.w) * channels);
            }
        }
        let runs = Runs { starts, len: taps_a_run * per_group };
        let padding =
            (op.pad != Sides::ZERO).then(|| Padding::new(op.pad, [frames, channels, height, width]));
        Some(Windows { pixels, runs, padding })
    }

    /// Of a dense layer on `x` [N,F].
    pub(super) fn dense(x: &Shape) -> Option<Self> {
        let &[frames, features] = x.0.as_slice() else { return None };
        let pixels = (0..frames).map(|n| n * features).collect();
        Some(Windows { pixels, runs: Runs { starts: vec![0], len: features }, padding: None })
    }
}

/// Up to [`LANES`] output channels of one group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outputs {
    /// The group's first input channel.
    pub(super) input: usize,
    /// First output channel.
    pub(super) output: usize,
    pub(super) lanes: usize,
}

/// The output channels of `groups` groups in blocks, none of which spans two groups.
pub(super) fn outputs(groups: usize, outputs: usize, per_group: usize) -> impl Iterator<Item = Outputs> {
    let a_group = outputs / groups.max(1);
    (0..groups).flat_map(move |group| {
        (0..a_group).step_by(LANES).map(move |first| Outputs {
            input: group * per_group,
            output: group * a_group + first,
            lanes: LANES.min(a_group - first),
        })
    })
}

/// Numbers that stay in a core's cache while they are read again and again.
pub(super) const NEAR: usize = 32 * 1024;

/// How many of `frames` frames of `len` numbers each, a divisor of them, are done at a time.
pub(super) fn at_a_time(frames: usize, len: usize) -> usize {
    (1..=frames).rev().find(|&n| frames.is_multiple_of(n) && n.saturating_mul(len) <= NEAR).unwrap_or(1)
}

/// A map of `frames` frames of those of `map`.
pub(super) fn of_frames(map: &Shape, frames: usize) -> Shape {
    let mut extents = map.0.clone();
    extents[0] = frames;
    Shape(extents)
}

/// How many frames a convolution of `x` does at a time, or nothing where `x` is no map or a value is empty.
pub(super) fn frames_at_a_time(op: &Conv, x: &Shape, y: &Shape) -> Option<usize> {
    let &[frames, channels, height, width] = x.0.as_slice() else { return None };
    if x.is_empty() || y.is_empty() {
        return None;
    }
    let Sides { top, left, bottom, right } = op.pad;
    Some(at_a_time(frames, channels * (height + top + bottom) * (width + left + right)))
}
