//! The usual way from sums to codes: with ties to even, of sums that f64 holds, sixteen channels at a time.
//!
//! What loops over many vectors takes an [`Even`] by value, so that its numbers stay in registers.

use fearless_simd::{Bytes, Simd, SimdBase, SimdFloat, f64x8, i32x16};
use nonresc_ir::network::Requantise;

use super::round::{Factors, Halves, LaneFactors, ROUNDS};
use super::tile::LANES;

/// The codes that sums are held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Even {
    /// Least and largest code less the zero point.
    window: [f64; 2],
    zero: i32,
}

impl Even {
    pub(super) fn new(op: &Requantise) -> Self {
        Even { window: [op.min, op.max].map(|code| (code - op.zero) as f64), zero: op.zero as i32 }
    }

    /// The codes of sums that have their factors.
    #[inline(always)]
    pub(super) fn words<S: Simd>(self, simd: S, [low, high]: [f64x8<S>; 2]) -> i32x16<S> {
        self.word(simd, low).unzip_low(self.word(simd, high)) + self.zero
    }

    /// Codes less the zero point, each in the low word of its lane.
    #[inline(always)]
    fn word<S: Simd>(self, simd: S, sums: f64x8<S>) -> i32x16<S> {
        let [least, most] = self.window;
        // Limits are whole, so rounding does not lead across them.
        let sums = sums.max(f64x8::splat(simd, least)).min(f64x8::splat(simd, most));
        (sums + f64x8::splat(simd, ROUNDS)).bitcast()
    }

    /// The codes of one or two operands that are whole vectors of channels. `read` gives the numbers of a vector of the
    /// first or the second, `write` stores codes.
    #[inline(always)]
    pub(super) fn each<S: Simd, T, U>(
        self,
        simd: S,
        factors: &Factors<f64>,
        [x, z]: [&[[T; LANES]]; 2],
        to: &mut [[U; LANES]],
        read: impl Fn(usize, &[T; LANES]) -> [f64x8<S>; 2],
        write: impl Fn(i32x16<S>, &mut [U; LANES]),
    ) {
        let (offsets, _) = factors.offsets.as_chunks::<LANES>();
        let maps = to.chunks_mut(offsets.len()).zip(x.chunks(offsets.len()));
        match &factors.of[..] {
            [m] => {
                for (to, x) in maps {
                    for (((to, x), o), m) in to.iter_mut().zip(x).zip(offsets).zip(m.as_chunks().0) {
                        write(self.words(simd, times(simd, read(0, x), m, halves(simd, o))), to);
                    }
                }
            }
            [m, n] => {
                for ((to, x), z) in maps.zip(z.chunks(offsets.len())) {
                    let factors = m.as_chunks().0.iter().zip(n.as_chunks().0);
                    for ((((to, x), z), o), (m, n)) in to.iter_mut().zip(x).zip(z).zip(offsets).zip(factors) {
                        let other = times(simd, read(1, z), n, halves(simd, o));
                        write(self.words(simd, times(simd, read(0, x), m, other)), to);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Factors<f64> {
    /// Whether a value of so many numbers is whole vectors of channels, all with the same factors.
    pub(super) fn in_lanes(&self, numbers: usize) -> bool {
        numbers.is_multiple_of(LANES) && self.offsets.len().is_multiple_of(LANES)
    }
}

impl LaneFactors<f64> {
    /// Sums, and another operand where there is one, with their factors and offsets.
    #[inline(always)]
    pub(super) fn scaled<S: Simd>(
        &self,
        simd: S,
        sums: [f64x8<S>; 2],
        other: Option<[f64x8<S>; 2]>,
    ) -> [f64x8<S>; 2] {
        let [factors, of_other] = self.of.each_ref().map(flat);
        let offsets = halves(simd, flat(&self.offsets));
        let rest = match other {
            Some(other) => times(simd, other, of_other, offsets),
            None => offsets,
        };
        times(simd, sums, factors, rest)
    }
}

#[inline(always)]
fn flat(halves: &Halves<f64>) -> &[f64; LANES] {
    halves.as_flattened().first_chunk().expect("two halves are all lanes")
}

/// Numbers times their factors, and the rest of a sum.
#[inline(always)]
fn times<S: Simd>(
    simd: S,
    numbers: [f64x8<S>; 2],
    factors: &[f64; LANES],
    rest: [f64x8<S>; 2],
) -> [f64x8<S>; 2] {
    let factors = halves(simd, factors);
    [numbers[0].mul_add(factors[0], rest[0]), numbers[1].mul_add(factors[1], rest[1])]
}

#[inline(always)]
fn halves<S: Simd>(simd: S, numbers: &[f64; LANES]) -> [f64x8<S>; 2] {
    let (low, high) = numbers.split_at(LANES / 2);
    [f64x8::from_slice(simd, low), f64x8::from_slice(simd, high)]
}
