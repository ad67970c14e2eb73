//! Which rows and columns of a map lie under a window: the one place that turns kernel, stride, padding and
//! dilation into coordinates.

use std::ops::Range;

use crate::stream::actor::{Map, Window};

/// One axis of a window on its map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    /// Extent of the map.
    pub(super) map: usize,
    /// Taps of the kernel.
    pub(super) taps: usize,
    /// Step of the window.
    pub(super) stride: usize,
    /// Places before the map.
    pub(super) pad: usize,
    /// Distance of the taps.
    pub(super) dilation: usize,
}

impl Axis {
    pub(super) fn rows(map: Map, window: &Window) -> Self {
        let (taps, stride, dilation) = (window.kernel.h, window.stride.h, window.dilation.h);
        Axis { map: map.height, taps, stride, pad: window.pad.top, dilation }
    }

    pub(super) fn columns(map: Map, window: &Window) -> Self {
        let (taps, stride, dilation) = (window.kernel.w, window.stride.w, window.dilation.w);
        Axis { map: map.width, taps, stride, pad: window.pad.left, dilation }
    }

    /// From the first tap to the last, both included.
    pub(super) fn extent(self) -> usize {
        (self.taps - 1) * self.dilation + 1
    }

    /// Where the first tap of output `o` lies; negative in the padding.
    pub(super) fn origin(self, o: usize) -> i64 {
        (o * self.stride) as i64 - self.pad as i64
    }

    /// The taps of output `o` that lie on the map.
    pub(super) fn valid(self, o: usize) -> Range<usize> {
        let (origin, dilation) = (self.origin(o), self.dilation as i64);
        let first = if origin < 0 { (-origin + dilation - 1) / dilation } else { 0 };
        let end = if (self.map as i64) > origin { (self.map as i64 - 1 - origin) / dilation + 1 } else { 0 };
        let end = end.clamp(0, self.taps as i64);
        first.min(end) as usize..end as usize
    }

    /// The coordinate of a tap that is valid for output `o`.
    pub(super) fn at(self, o: usize, tap: usize) -> usize {
        (self.origin(o) + (tap * self.dilation) as i64) as usize
    }
}
