//! The designs of the spike, small and each with as much in it as fits.

use nonresc_ir::stream::Map;

use super::design::{Design, Format, Shape};
use crate::seed::Seed;

const UNSIGNED: Format = Format { signed: false, zero: 0 };
const SIGNED: Format = Format { signed: true, zero: 0 };

fn map(channels: usize, height: usize, width: usize) -> Map {
    Map { channels, height, width }
}

/// A residual block with everything in it: a window memory in row banks that a 3x3 convolution, its projection and a
/// skip read; a depthwise layer; two products a multiplier; two merged adds.
///
/// The last skip comes from the same window memory as a third reader, or, with `tap`, from the first convolution's
/// fetches.
pub fn block(tap: bool) -> Design {
    let seed = &mut Seed(20);
    let name = if tap { "block with a tap" } else { "block" };
    let mut d = Design::new(name, map(4, 8, 8), 4, UNSIGNED);
    let first = Shape {
        banked: true,
        tap: tap.then_some(0),
        format: Format { signed: true, zero: -3 },
        ..Shape::same(3, 6, (12, 2), 3)
    };
    let a = d.layer(0, first, None, seed);
    let tapped = if tap { a + 1 } else { 0 };
    let projection = Shape { format: Format { signed: false, zero: 7 }, ..Shape::same(1, 8, (4, 1), 4) };
    let p = d.layer(0, projection, None, seed);
    let depthwise = Shape { groups: 6, slots: 2, format: UNSIGNED, ..Shape::same(3, 6, (3, 3), 6) };
    let b = d.layer(a, depthwise, None, seed);
    let pointwise = Shape { pair: true, extreme: true, format: SIGNED, ..Shape::same(1, 8, (6, 4), 4) };
    let c = d.layer(b, pointwise, Some((p, 0)), seed);
    let last =
        Shape { banked: true, pair: true, extreme: true, format: UNSIGNED, ..Shape::same(3, 4, (9, 3), 4) };
    let e = d.layer(c, last, Some((tapped, 0)), seed);
    d.sink(e)
}

/// Layers of odd shape behind each other: 5x5 with three slots of staging; 3x3 with step 2, padded on three sides, in
/// row banks, with several beats a pixel; 3x1; a window as large as its map. Lanes and folds divide nothing.
pub fn odd() -> Design {
    let seed = &mut Seed(21);
    let mut d = Design::new("odd shapes", map(3, 14, 13), 2, Format { signed: true, zero: -3 });
    let wide = Shape { slots: 3, format: Format { signed: false, zero: 9 }, ..Shape::same(5, 4, (25, 2), 1) };
    let a = d.layer(0, wide, None, seed);
    let down = Shape {
        stride: (2, 2),
        pad: (1, 0, 1, 1),
        banked: true,
        format: SIGNED,
        ..Shape::same(3, 6, (7, 4), 4)
    };
    let b = d.layer(a, down, None, seed);
    let tall = Shape { kernel: (3, 1), pad: (1, 0, 1, 0), pair: true, ..Shape::same(1, 5, (4, 3), 2) };
    let c = d.layer(b, tall, None, seed);
    let (h, w) = (d.wires[c].map.height, d.wires[c].map.width);
    let whole = Shape { kernel: (h, w), pad: (0, 0, 0, 0), ..Shape::same(1, 7, (11, 1), 4) };
    let e = d.layer(c, whole, None, seed);
    d.sink(e)
}

/// Beats that nobody reads, groups, and windows that leave gaps or reach over the whole map: grouped 1x1 with step 2,
/// 2x2 with step 3, 7x7 on a map of 2x2, and a skip that is added to some of the channels.
pub fn gaps() -> Design {
    let seed = &mut Seed(22);
    let mut d = Design::new("gaps", map(4, 14, 12), 4, UNSIGNED);
    let every_second = Shape { groups: 2, format: SIGNED, ..Shape::same(1, 6, (1, 4), 2).step(2) };
    let a = d.layer(0, every_second, None, seed);
    let every_third = Shape {
        kernel: (2, 2),
        stride: (3, 3),
        pad: (0, 0, 0, 0),
        format: Format { signed: false, zero: 3 },
        ..Shape::same(1, 2, (8, 1), 1)
    };
    let b = d.layer(a, every_third, None, seed);
    let wide = Shape { slots: 2, ..Shape::same(7, 4, (50, 2), 1) };
    let c = d.layer(b, wide, Some((b, 2)), seed);
    d.sink(c)
}

/// As little as needs every module: a pointwise layer, then a 3x3 with row banks, two products a multiplier and the
/// source's beats added.
pub fn least() -> Design {
    let seed = &mut Seed(23);
    let mut d = Design::new("least", map(4, 5, 6), 4, UNSIGNED);
    let first = Shape { format: Format { signed: true, zero: -2 }, ..Shape::same(1, 4, (4, 2), 4) };
    let a = d.layer(0, first, None, seed);
    let second = Shape { banked: true, pair: true, extreme: true, ..Shape::same(3, 4, (12, 2), 4) };
    let b = d.layer(a, second, Some((0, 0)), seed);
    d.sink(b)
}
