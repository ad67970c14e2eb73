//! The inner loops of layers on bytes: a few pixels by sixteen or 32 output channels, four products a lane and
//! instruction (`vpdpbusd` of AVX-512 VNNI), in the manner of `tile.rs`.
//!
//! Sums are i32 that wrap. Arithmetic modulo 2^32 does not mind in which order it is done, so that whatever happens on
//! the way, the low bits of a sum are those of the exact one.

use std::arch::x86_64::{
    _mm512_castsi512_si256, _mm512_cvtepi32_pd, _mm512_dpbusd_epi32, _mm512_extracti64x4_epi64,
};

use fearless_simd::x86::Avx512;
use fearless_simd::{Level, Simd, SimdBase, SimdCvtFloat, SimdInto, f32x16, f64x8, i8x64, i32x16, kernel};

use super::conv::{Outputs, Windows};
use super::round::{LaneScales, Rescale};
use super::tile::{LANES, each_pixel};

/// Products that an instruction adds to a lane.
pub(super) const QUAD: usize = 4;

/// Added to a whole number below 2^23, it leaves that number in the low bits.
const MANTISSA: f32 = (1u32 << 23) as f32;

/// Four weights for each lane of a block.
#[repr(align(64))]
#[derive(Clone, Copy, Debug)]
pub(super) struct Quads(pub(super) [i8; QUAD * LANES]);

/// The sums' starts in the lanes of a block.
#[repr(align(64))]
#[derive(Clone, Copy, Debug)]
pub(super) struct Starts(pub(super) [i32; LANES]);

/// A block of output channels.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) outputs: Outputs,
    /// Weights by run and quad in the run; those beyond the run's end are 0.
    pub(super) weights: Vec<Quads>,
    pub(super) start: Starts,
    /// How sums become codes; anything where they do not.
    pub(super) scales: LaneScales,
}

/// Sums of products of bytes for every pixel and every block.
#[derive(Debug)]
pub(super) struct Dots {
    pub(super) windows: Windows,
    pub(super) blocks: Vec<Block>,
    /// Results a pixel.
    pub(super) channels: usize,
    /// Bits of an i32 above the sums' width; 0 where no sum wraps.
    pub(super) unused: u32,
    /// What becomes of the sums; nothing where they are the results.
    pub(super) rescale: Option<Rescale>,
}

kernel!(
    #[inline(always)]
    fn dot(
        avx512: Avx512,
        sums: i32x16<Avx512>,
        x: i32x16<Avx512>,
        weights: i8x64<Avx512>,
    ) -> i32x16<Avx512> {
        _mm512_dpbusd_epi32(sums.into(), x.into(), weights.into()).simd_into(avx512)
    }
);

kernel!(
    #[inline(always)]
    fn halves(avx512: Avx512, sums: i32x16<Avx512>) -> [f64x8<Avx512>; 2] {
        let sums = sums.into();
        let low = _mm512_cvtepi32_pd(_mm512_castsi512_si256(sums));
        let high = _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64::<1>(sums));
        [low.simd_into(avx512), high.simd_into(avx512)]
    }
);

/// What shows that the CPU has the instruction: it comes with the level.
pub(super) fn available() -> Option<Avx512> {
    Level::new().as_avx512()
}

/// Codes as bytes; with `shift` added they are from 0 to 255.
pub(super) fn pack(avx512: Avx512, codes: &[f32], shift: u8, bytes: &mut [u8]) {
    let added = MANTISSA + f32::from(shift);
    avx512.vectorize(
        #[inline(always)]
        || {
            for (byte, code) in bytes.iter_mut().zip(codes) {
                *byte = (code + added).to_bits() as u8;
            }
        },
    );
}

/// Up to sixteen numbers as a vector.
#[inline(always)]
fn lanes_of(avx512: Avx512, numbers: &[f32]) -> f32x16<Avx512> {
    match numbers.as_array() {
        Some(numbers) => f32x16::load_array_ref(avx512, numbers),
        None => {
            let mut all = [0.0; LANES];
            all[..numbers.len()].copy_from_slice(numbers);
            f32x16::load_array(avx512, all)
        }
    }
}

impl Dots {
    /// Elements of the input that are read behind its end.
    pub(super) const SLACK: usize = QUAD - 1;

    /// Writes the results pixel by pixel. `other` is stored as the results are, and empty where sums are all there is.
    /// What becomes of sums is written out for the usual ways, so that no branch is left in the loop over pixels.
    pub(super) fn run(&self, avx512: Avx512, input: &[u8], other: &[f32], output: &mut [f32]) {
        let plain = self.rescale.as_ref().filter(|rescale| self.unused == 0 && rescale.is_plain());
        avx512.vectorize(
            #[inline(always)]
            || match (plain, &self.rescale) {
                (Some(rescale), _) if other.is_empty() => self.layer(
                    avx512,
                    input,
                    output,
                    #[inline(always)]
                    |sums, block, _| rescale.plain(avx512, &block.scales, halves(avx512, sums), None),
                ),
                (Some(rescale), _) => self.layer(
                    avx512,
                    input,
                    output,
                    #[inline(always)]
                    |sums, block, place| {
                        let other = lanes_of(avx512, &other[place..][..block.outputs.lanes]);
                        rescale.plain(avx512, &block.scales, halves(avx512, sums), Some(other))
                    },
                ),
                (None, Some(rescale)) => self.layer(
                    avx512,
                    input,
                    output,
                    #[inline(always)]
                    |sums, block, place| {
                        let other = match other {
                            [] => None,
                            other => Some(lanes_of(avx512, &other[place..][..block.outputs.lanes])),
                        };
                        rescale.codes(avx512, &block.scales, halves(avx512, self.wrapped(sums)), other)
                    },
                ),
                (None, None) => self.layer(
                    avx512,
                    input,
                    output,
                    #[inline(always)]
                    |sums, _, _| f32x16::float_from(self.wrapped(sums)),
                ),
            },
        );
    }

    /// Sums as their width holds them.
    #[inline(always)]
    fn wrapped(&self, sums: i32x16<Avx512>) -> i32x16<Avx512> {
        if self.unused == 0 { sums } else { (sums << self.unused) >> self.unused }
    }

    /// All blocks, two at a time where they read the same input. `finish` gives the results of a block at a place of the
    /// output from its sums.
    #[inline(always)]
    fn layer(
        &self,
        avx512: Avx512,
        input: &[u8],
        output: &mut [f32],
        finish: impl Fn(i32x16<Avx512>, &Block, usize) -> f32x16<Avx512> + Copy,
    ) {
        let mut blocks = self.blocks.as_slice();
        while let [first, rest @ ..] = blocks {
            blocks = match rest {
                [second, rest @ ..] if second.outputs.input == first.outputs.input => {
                    self.tiles::<8, 2>(avx512, [first, second], input, output, finish);
                    rest
                }
                _ => {
                    self.tiles::<10, 1>(avx512, [first], input, output, finish);
                    rest
                }
            };
        }
    }

    /// All pixels of `B` blocks of one group, `P` at a time.
    #[inline(always)]
    fn tiles<const P: usize, const B: usize>(
        &self,
        avx512: Avx512,
        blocks: [&Block; B],
        input: &[u8],
        output: &mut [f32],
        finish: impl Fn(i32x16<Avx512>, &Block, usize) -> f32x16<Avx512> + Copy,
    ) {
        let pixels = &self.windows.pixels;
        // The last tile begins early enough to be whole; what it computes again comes out the same.
        let whole = pixels.len() - pixels.len() % P;
        let last = pixels.len().checked_sub(P).filter(|_| whole < pixels.len());
        for first in (0..whole).step_by(P).chain(last) {
            let sums = self.tile::<P, B>(avx512, input, &pixels[first..][..P], blocks);
            // By value: what is borrowed is kept in memory, and every product waits for it.
            for (p, sums) in sums.into_iter().enumerate() {
                for (sums, block) in sums.into_iter().zip(blocks) {
                    self.write(sums, block, first + p, output, finish);
                }
            }
        }
        if pixels.len() < P {
            for (p, at) in pixels.chunks_exact(1).enumerate() {
                let [sums] = self.tile::<1, B>(avx512, input, at, blocks);
                for (sums, block) in sums.into_iter().zip(blocks) {
                    self.write(sums, block, p, output, finish);
                }
            }
        }
    }

    /// The sums of `P` pixels, whose windows start at `at`, for `B` blocks of one group. `P` is at most what
    /// [`each_pixel`] writes out.
    #[inline(always)]
    fn tile<const P: usize, const B: usize>(
        &self,
        avx512: Avx512,
        input: &[u8],
        at: &[usize],
        blocks: [&Block; B],
    ) -> [[i32x16<Avx512>; B]; P] {
        let quads = self.windows.runs.len.div_ceil(QUAD);
        let start = blocks.map(
            #[inline(always)]
            |block| i32x16::load_array_ref(avx512, &block.start.0),
        );
        let mut sums = [start; P];
        for (r, &start) in self.windows.runs.starts.iter().enumerate() {
            let weights = blocks.map(
                #[inline(always)]
                |block| &block.weights[r * quads..][..quads],
            );
            let mut x: [&[[u8; QUAD]]; P] = [&[]; P];
            for p in 0..P {
                let (run, _) = input[at[p] + blocks[0].outputs.input + start..].as_chunks();
                x[p] = &run[..quads];
            }
            for k in 0..quads {
                let w = weights.map(
                    #[inline(always)]
                    |weights| i8x64::load_array_ref(avx512, &weights[k].0),
                );
                each_pixel!(p < P => {
                    let x = i32x16::splat(avx512, i32::from_le_bytes(x[p][k]));
                    for b in 0..B {
                        sums[p][b] = dot(avx512, sums[p][b], x, w[b]);
                    }
                });
            }
        }
        sums
    }

    /// The results of a block and pixel from its sums.
    #[inline(always)]
    fn write(
        &self,
        sums: i32x16<Avx512>,
        block: &Block,
        pixel: usize,
        output: &mut [f32],
        finish: impl Fn(i32x16<Avx512>, &Block, usize) -> f32x16<Avx512>,
    ) {
        let Outputs { output: first, lanes, .. } = block.outputs;
        let place = pixel * self.channels + first;
        let results = finish(sums, block, place);
        let place = &mut output[place..][..lanes];
        match place.as_mut_array() {
            Some(place) => results.store_array(place),
            None => {
                let mut all = [0.0; LANES];
                results.store_array(&mut all);
                place.copy_from_slice(&all[..lanes]);
            }
        }
    }
}
