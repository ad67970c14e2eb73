//! The inner loops of convolutions and dense layers: a few pixels by sixteen or 32 output channels in vector
//! registers.
//!
//! Written once over the vectors of `fearless_simd`; which instructions they are is found out when the program
//! runs. Sums of products are taken in one fixed order whatever the tile, so a pixel's value depends on neither
//! its neighbours nor the number of threads. With fused multiply-add a product is not rounded, so numbers
//! differ in the last bits between CPUs with and without it.
//!
//! All that computes is `inline(always)`: only so does it become part of the function that may use the
//! instructions.

use fearless_simd::{Level, Select, Simd, SimdBase, SimdFloat, dispatch, f32x16};

/// Output channels of a block: one vector of AVX-512, two of AVX2, four of NEON and SSE.
pub(super) const LANES: usize = 16;

/// One number for each lane of a block, where a vector is read at once.
#[repr(align(64))]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lanes(pub(super) [f32; LANES]);

impl Lanes {
    pub(super) const ZERO: Lanes = Lanes([0.0; LANES]);
}

/// A block of up to [`LANES`] output channels: where its operands are and where its results go.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Element of the input that is added to every pixel's start: the group's first channel.
    pub(super) input: usize,
    /// First output channel.
    pub(super) output: usize,
    /// How many of the lanes are output channels.
    pub(super) lanes: usize,
    /// Weights by run and place in the run.
    pub(super) weights: Vec<Lanes>,
    /// The sums' start.
    pub(super) bias: Lanes,
}

/// What all pixels of a layer have in common.
#[derive(Debug)]
pub(super) struct Runs {
    /// Where the runs of neighbouring inputs begin, from a pixel's start.
    pub(super) starts: Vec<usize>,
    /// How long each is.
    pub(super) len: usize,
}

/// The limits that results are held to; infinite where there are none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limits {
    pub(super) min: f32,
    pub(super) max: f32,
}

impl Limits {
    pub(super) const NONE: Limits = Limits { min: f32::NEG_INFINITY, max: f32::INFINITY };

    /// `x` within the limits; what is not a number stays so.
    #[inline(always)]
    pub(super) fn hold(self, x: f32) -> f32 {
        let x = if x < self.min { self.min } else { x };
        if x > self.max { self.max } else { x }
    }

    /// The same of every lane.
    #[inline(always)]
    fn hold_lanes<S: Simd>(self, simd: S, x: f32x16<S>) -> f32x16<S> {
        let (min, max) = (f32x16::splat(simd, self.min), f32x16::splat(simd, self.max));
        let x = x.simd_lt(min).select(min, x);
        x.simd_gt(max).select(max, x)
    }
}

/// Sums of products for every pixel and every block.
#[derive(Debug)]
pub(super) struct Sums {
    /// The element of the input where each pixel's window starts.
    pub(super) pixels: Vec<usize>,
    /// The element of the output where each pixel's results start.
    pub(super) places: Vec<usize>,
    pub(super) runs: Runs,
    /// Results a pixel.
    pub(super) channels: usize,
    pub(super) limits: Limits,
}

impl Sums {
    /// Writes the results pixel by pixel.
    pub(super) fn run(&self, blocks: &[Block], input: &[f32], output: &mut [f32]) {
        dispatch!(Level::new(), simd => self.layer(simd, blocks, input, output));
    }

    /// Tiles as large as the registers are many: sums, and the weights and the pixel that they grow by. At least
    /// eight vectors of sums, or the next addition waits for the last one.
    #[inline(always)]
    fn layer<S: Simd>(&self, simd: S, mut blocks: &[Block], input: &[f32], output: &mut [f32]) {
        match S::f32s::LEN {
            // 32 registers of sixteen: two blocks share a pixel, so that loads do not set the pace.
            16 => {
                while let [first, rest @ ..] = blocks {
                    blocks = match rest {
                        [second, rest @ ..] if second.input == first.input => {
                            self.tiles::<S, 8, 2>(simd, [first, second], input, output);
                            rest
                        }
                        _ => {
                            self.tiles::<S, 10, 1>(simd, [first], input, output);
                            rest
                        }
                    };
                }
            }
            // Sixteen registers of eight, or 32 of four: 12 or 24 of them sums.
            8 => self.single_blocks::<S, 6>(simd, blocks, input, output),
            _ if cfg!(target_arch = "aarch64") => self.single_blocks::<S, 6>(simd, blocks, input, output),
            // Sixteen of four.
            _ => self.single_blocks::<S, 3>(simd, blocks, input, output),
        }
    }

    #[inline(always)]
    fn single_blocks<S: Simd, const P: usize>(
        &self,
        simd: S,
        blocks: &[Block],
        input: &[f32],
        output: &mut [f32],
    ) {
        for block in blocks {
            self.tiles::<S, P, 1>(simd, [block], input, output);
        }
    }

    /// All pixels of `B` blocks of one group, `P` at a time.
    #[inline(always)]
    fn tiles<S: Simd, const P: usize, const B: usize>(
        &self,
        simd: S,
        blocks: [&Block; B],
        input: &[f32],
        output: &mut [f32],
    ) {
        let pixels = &self.pixels;
        // The last tile begins early enough to be whole; what it computes again comes out the same.
        let whole = pixels.len() - pixels.len() % P;
        let last = pixels.len().checked_sub(P).filter(|_| whole < pixels.len());
        for first in (0..whole).step_by(P).chain(last) {
            let sums = tile::<S, P, B>(simd, input, &pixels[first..][..P], &self.runs, blocks);
            for (p, sums) in sums.into_iter().enumerate() {
                let place = self.places[first + p];
                self.write(simd, sums, blocks, &mut output[place..][..self.channels]);
            }
        }
        if pixels.len() < P {
            for (at, &place) in pixels.chunks_exact(1).zip(&self.places) {
                let [sums] = tile::<S, 1, B>(simd, input, at, &self.runs, blocks);
                self.write(simd, sums, blocks, &mut output[place..][..self.channels]);
            }
        }
    }

    /// The results of a pixel from its sums.
    #[inline(always)]
    fn write<S: Simd, const B: usize>(
        &self,
        simd: S,
        sums: [f32x16<S>; B],
        blocks: [&Block; B],
        pixel: &mut [f32],
    ) {
        for (sums, block) in sums.into_iter().zip(blocks) {
            let results = self.limits.hold_lanes(simd, sums);
            let place = &mut pixel[block.output..][..block.lanes];
            match place.as_mut_array() {
                Some(place) => results.store_array(place),
                None => {
                    let mut all = [0.0; LANES];
                    results.store_array(&mut all);
                    place.copy_from_slice(&all[..block.lanes]);
                }
            }
        }
    }
}

/// The body once for each pixel of a tile, written out: a loop keeps the sums in memory instead of registers.
macro_rules! each_pixel {
    ($p:ident < $pixels:ident => $body:block) => {
        each_pixel!(@ $p $pixels $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23)
    };
    (@ $p:ident $pixels:ident $body:block $($n:literal)*) => {
        $( if $n < $pixels { let $p = $n; $body } )*
    };
}
pub(super) use each_pixel;

/// The same for each of up to two blocks.
macro_rules! each_block {
    ($b:ident < $blocks:ident => $body:block) => {
        if 0 < $blocks {
            let $b = 0;
            $body
        }
        if 1 < $blocks {
            let $b = 1;
            $body
        }
    };
}
pub(super) use each_block;

/// The sums of `P` pixels, whose windows start at `at`, for `B` blocks of one group. `P` is at most what
/// [`each_pixel`] writes out.
#[inline(always)]
fn tile<S: Simd, const P: usize, const B: usize>(
    simd: S,
    input: &[f32],
    at: &[usize],
    runs: &Runs,
    blocks: [&Block; B],
) -> [[f32x16<S>; B]; P] {
    let mut bias = [f32x16::splat(simd, 0.0); B];
    each_block!(b < B => { bias[b] = f32x16::load_array_ref(simd, &blocks[b].bias.0); });
    let mut sums = [bias; P];
    for (r, &start) in runs.starts.iter().enumerate() {
        let mut weights: [&[Lanes]; B] = [&[]; B];
        each_block!(b < B => { weights[b] = &blocks[b].weights[r * runs.len..][..runs.len]; });
        let mut x: [&[f32]; P] = [&[]; P];
        for p in 0..P {
            x[p] = &input[at[p] + blocks[0].input + start..][..runs.len];
        }
        for k in 0..runs.len {
            let mut w = [f32x16::splat(simd, 0.0); B];
            each_block!(b < B => { w[b] = f32x16::load_array_ref(simd, &weights[b][k].0); });
            each_pixel!(p < P => {
                let x = f32x16::splat(simd, x[p][k]);
                each_block!(b < B => { sums[p][b] = x.mul_add(w[b], sums[p][b]); });
            });
        }
    }
    sums
}
