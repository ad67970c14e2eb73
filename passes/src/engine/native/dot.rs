//! The inner loops of layers on bytes: a few pixels by sixteen or 32 output channels, four products a lane and
//! instruction (`vpdpbusd` of AVX-512 VNNI), in the manner of `tile.rs`.
//!
//! Sums are i32 that wrap. Arithmetic modulo 2^32 does not mind in which order it is done, so that whatever happens on
//! the way, the low bits of a sum are those of the exact one.

use std::arch::x86_64::{
    _mm512_castsi512_si256, _mm512_cvtepi32_epi8, _mm512_cvtepi32_pd, _mm512_cvtepu8_epi32,
    _mm512_dpbusd_epi32, _mm512_extracti64x4_epi64,
};

use fearless_simd::x86::Avx512;
use fearless_simd::{
    Level, Simd, SimdBase, SimdCvtFloat, SimdInto, f32x16, f64x8, i8x64, i32x16, kernel, u8x16,
};

use super::kernel::{SLACK, StoredMut};
use super::round::{LaneScales, MANTISSA, Rescale, Shifts};
use super::tile::{LANES, each_pixel};
use super::windows::{Outputs, Windows};

/// Products that an instruction adds to a lane.
pub(super) const QUAD: usize = 4;

// A quad that begins in a value ends no further behind it.
const _: () = assert!(QUAD - 1 <= SLACK);

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

kernel!(
    #[inline(always)]
    fn wide(avx512: Avx512, bytes: u8x16<Avx512>) -> i32x16<Avx512> {
        _mm512_cvtepu8_epi32(bytes.into()).simd_into(avx512)
    }
);

kernel!(
    #[inline(always)]
    fn narrow(avx512: Avx512, words: i32x16<Avx512>) -> u8x16<Avx512> {
        _mm512_cvtepi32_epi8(words.into()).simd_into(avx512)
    }
);

/// Codes that are stored as bytes with `shift` added.
#[inline(always)]
pub(super) fn codes_of(avx512: Avx512, bytes: [u8; LANES], shift: u8) -> [f64x8<Avx512>; 2] {
    halves(avx512, wide(avx512, u8x16::load_array(avx512, bytes)) - i32::from(shift))
}

/// Codes as bytes with `shift` added.
#[inline(always)]
pub(super) fn store_bytes(avx512: Avx512, codes: i32x16<Avx512>, shift: u8, to: &mut [u8; LANES]) {
    narrow(avx512, codes + i32::from(shift)).store_array(to);
}

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

/// Up to sixteen numbers; the others are 0.
#[inline(always)]
fn lanes_of<T: Copy + Default>(numbers: &[T]) -> [T; LANES] {
    match numbers.as_array() {
        Some(numbers) => *numbers,
        None => {
            let mut all = [T::default(); LANES];
            all[..numbers.len()].copy_from_slice(numbers);
            all
        }
    }
}

impl Dots {
    /// Writes the results pixel by pixel. `other` is stored as the results are, and empty where sums are all there is.
    /// What becomes of sums is written out for each usual way, so that no branch is left in the loop over pixels.
    pub(super) fn run(&self, avx512: Avx512, input: &[u8], other: &[f32], output: &mut [f32]) {
        let usual = self.rescale.as_ref().and_then(Rescale::usual);
        avx512.vectorize(
            #[inline(always)]
            || match (usual, &self.rescale) {
                (Some((even, _)), _) if other.is_empty() => self.layer(
                    avx512,
                    input,
                    output,
                    #[inline(always)]
                    |sums, block, _, to| {
                        let sums = block.scales.real.scaled(avx512, halves(avx512, self.wrapped(sums)), None);
                        let codes = even.words(avx512, sums);
                        f32x16::float_from(codes).store_array(to);
                    },
                ),
                (_, Some(rescale)) => self.layer(
                    avx512,
                    input,
                    output,
                    #[inline(always)]
                    |sums, block, place, to| {
                        let other = match other {
                            [] => None,
                            other => {
                                let all: [f32; LANES] = lanes_of(&other[place..][..block.outputs.lanes]);
                                Some(f32x16::load_array(avx512, all))
                            }
                        };
                        let sums = halves(avx512, self.wrapped(sums));
                        rescale.codes(avx512, &block.scales, sums, other).store_array(to);
                    },
                ),
                (_, None) => self.layer(
                    avx512,
                    input,
                    output,
                    #[inline(always)]
                    |sums, _, _, to| f32x16::float_from(self.wrapped(sums)).store_array(to),
                ),
            },
        );
    }

    /// Whether [`Dots::run_bytes`] can do it.
    pub(super) fn shifts(&self) -> Option<Shifts> {
        self.rescale.as_ref().and_then(Rescale::shifts)
    }

    /// The same with codes as bytes, where there are [`Dots::shifts`].
    pub(super) fn run_bytes(&self, avx512: Avx512, input: &[u8], other: &[u8], output: StoredMut<'_>) {
        let Some((even, _)) = self.rescale.as_ref().and_then(Rescale::usual) else { return };
        let Some(shifts) = self.shifts() else { return };
        avx512.vectorize(
            #[inline(always)]
            || match output {
                StoredMut::Bytes(output) if other.is_empty() => self.layer(
                    avx512,
                    input,
                    output,
                    #[inline(always)]
                    |sums, block, _, to| {
                        let sums = block.scales.real.scaled(avx512, halves(avx512, self.wrapped(sums)), None);
                        let codes = even.words(avx512, sums);
                        store_bytes(avx512, codes, shifts.result, to);
                    },
                ),
                StoredMut::Bytes(output) => self.layer(
                    avx512,
                    input,
                    output,
                    #[inline(always)]
                    |sums, block, place, to| {
                        let other = lanes_of(&other[place..][..block.outputs.lanes]);
                        let other = codes_of(avx512, other, shifts.operands[1]);
                        let sums =
                            block.scales.real.scaled(avx512, halves(avx512, self.wrapped(sums)), Some(other));
                        let codes = even.words(avx512, sums);
                        store_bytes(avx512, codes, shifts.result, to);
                    },
                ),
                StoredMut::Floats(output) => self.layer(
                    avx512,
                    input,
                    output,
                    #[inline(always)]
                    |sums, block, place, to| {
                        let other = match other {
                            [] => None,
                            other => {
                                let all = lanes_of(&other[place..][..block.outputs.lanes]);
                                Some(codes_of(avx512, all, shifts.operands[1]))
                            }
                        };
                        let sums =
                            block.scales.real.scaled(avx512, halves(avx512, self.wrapped(sums)), other);
                        let codes = even.words(avx512, sums);
                        f32x16::float_from(codes).store_array(to);
                    },
                ),
            },
        );
    }

    /// Sums as their width holds them.
    #[inline(always)]
    fn wrapped(&self, sums: i32x16<Avx512>) -> i32x16<Avx512> {
        if self.unused == 0 { sums } else { (sums << self.unused) >> self.unused }
    }

    /// All blocks, two at a time where they read the same input. `finish` puts the results of a block at a place of the
    /// output, which it gets of their sums.
    #[inline(always)]
    fn layer<T: Copy + Default>(
        &self,
        avx512: Avx512,
        input: &[u8],
        output: &mut [T],
        finish: impl Fn(i32x16<Avx512>, &Block, usize, &mut [T; LANES]) + Copy,
    ) {
        let mut blocks = self.blocks.as_slice();
        while let [first, rest @ ..] = blocks {
            blocks = match rest {
                [second, rest @ ..] if second.outputs.input == first.outputs.input => {
                    self.tiles::<T, 8, 2>(avx512, [first, second], input, output, finish);
                    rest
                }
                _ => {
                    self.tiles::<T, 10, 1>(avx512, [first], input, output, finish);
                    rest
                }
            };
        }
    }

    /// All pixels of `B` blocks of one group, `P` at a time.
    #[inline(always)]
    fn tiles<T: Copy + Default, const P: usize, const B: usize>(
        &self,
        avx512: Avx512,
        blocks: [&Block; B],
        input: &[u8],
        output: &mut [T],
        finish: impl Fn(i32x16<Avx512>, &Block, usize, &mut [T; LANES]) + Copy,
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
    fn write<T: Copy + Default>(
        &self,
        sums: i32x16<Avx512>,
        block: &Block,
        pixel: usize,
        output: &mut [T],
        finish: impl Fn(i32x16<Avx512>, &Block, usize, &mut [T; LANES]),
    ) {
        let Outputs { output: first, lanes, .. } = block.outputs;
        let place = pixel * self.channels + first;
        let to = &mut output[place..][..lanes];
        match to.as_mut_array() {
            Some(to) => finish(sums, block, place, to),
            None => {
                let mut all = [T::default(); LANES];
                finish(sums, block, place, &mut all);
                to.copy_from_slice(&all[..lanes]);
            }
        }
    }
}
