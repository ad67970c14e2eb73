//! The inner loops of convolutions and dense layers: a few pixels by sixteen output channels in registers.
//!
//! Plain Rust that vectorises; which instructions it may use is found out when the program runs. Sums of
//! products are taken in one fixed order whatever the tile, so a pixel's value depends on neither its
//! neighbours nor the number of threads. With fused multiply-add a product is not rounded, so numbers
//! differ in the last bits between CPUs with and without it.

/// Output channels of a tile: two vectors of AVX2, four of NEON.
pub(super) const LANES: usize = 16;

/// Pixels of a tile where there are sixteen vector registers of eight: 12 sums, 2 weights, 1 pixel. The most
/// that [`each_pixel`] writes out.
const PIXELS_WIDE: usize = 6;

/// Pixels of a tile where registers hold four numbers.
const PIXELS_NARROW: usize = 3;

/// A block of up to [`LANES`] output channels: where its operands are and where its results go.
#[derive(Debug)]
pub(super) struct Block {
    /// Element of the input that is added to every pixel's start: the group's first channel.
    pub(super) input: usize,
    /// First output channel.
    pub(super) output: usize,
    /// How many of the lanes are output channels.
    pub(super) lanes: usize,
    /// Weights by run, place in the run and lane.
    pub(super) weights: Vec<f32>,
    /// The sums' start.
    pub(super) bias: [f32; LANES],
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
}

/// The body once for each pixel of a tile, written out: a loop keeps the sums in memory instead of registers.
macro_rules! each_pixel {
    ($p:ident < $pixels:ident => $body:block) => {
        each_pixel!(@ $p $pixels $body 0 1 2 3 4 5)
    };
    (@ $p:ident $pixels:ident $body:block $($n:literal)*) => {
        $( if $n < $pixels { let $p = $n; $body } )*
    };
}

/// Sums of products for every pixel (given by the element of `input` where its window starts) and every
/// block; `channels` results a pixel, pixel by pixel.
pub(super) fn run(
    input: &[f32],
    pixels: &[usize],
    runs: &Runs,
    blocks: &[Block],
    limits: Limits,
    output: &mut [f32],
    channels: usize,
) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        // SAFETY: the CPU has both features, as was asked the line before.
        #[allow(unsafe_code)]
        unsafe {
            run_avx2(input, pixels, runs, blocks, limits, output, channels);
        }
        return;
    }
    if cfg!(target_arch = "aarch64") {
        tiles::<PIXELS_WIDE, true>(input, pixels, runs, blocks, limits, output, channels);
    } else {
        tiles::<PIXELS_NARROW, false>(input, pixels, runs, blocks, limits, output, channels);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2(
    input: &[f32],
    pixels: &[usize],
    runs: &Runs,
    blocks: &[Block],
    limits: Limits,
    output: &mut [f32],
    channels: usize,
) {
    tiles::<PIXELS_WIDE, true>(input, pixels, runs, blocks, limits, output, channels);
}

#[inline(always)]
fn tiles<const P: usize, const FUSED: bool>(
    input: &[f32],
    pixels: &[usize],
    runs: &Runs,
    blocks: &[Block],
    limits: Limits,
    output: &mut [f32],
    channels: usize,
) {
    for block in blocks {
        let mut write = |pixel: usize, sums: &[f32; LANES]| {
            let place = &mut output[pixel * channels + block.output..][..block.lanes];
            for (y, &sum) in place.iter_mut().zip(sums) {
                *y = limits.hold(sum);
            }
        };
        // The last tile begins early enough to be whole; what it computes again comes out the same.
        let whole = pixels.len() - pixels.len() % P;
        let last = pixels.len().checked_sub(P).filter(|_| whole < pixels.len());
        for first in (0..whole).step_by(P).chain(last) {
            for (p, sums) in tile::<P, FUSED>(input, &pixels[first..][..P], runs, block).iter().enumerate() {
                write(first + p, sums);
            }
        }
        if pixels.len() < P {
            for (p, at) in pixels.chunks_exact(1).enumerate() {
                write(p, &tile::<1, FUSED>(input, at, runs, block)[0]);
            }
        }
    }
}

/// The sums of `P` pixels, whose windows start at `at`.
#[inline(always)]
fn tile<const P: usize, const FUSED: bool>(
    input: &[f32],
    at: &[usize],
    runs: &Runs,
    block: &Block,
) -> [[f32; LANES]; P] {
    let mut sums = [block.bias; P];
    let (weights, _) = block.weights.as_chunks::<LANES>();
    for (&start, weights) in runs.starts.iter().zip(weights.chunks_exact(runs.len)) {
        let mut x: [&[f32]; P] = [&[]; P];
        for p in 0..P {
            x[p] = &input[at[p] + block.input + start..][..weights.len()];
        }
        for (k, w) in weights.iter().enumerate() {
            each_pixel!(p < P => {
                let x = x[p][k];
                for j in 0..LANES {
                    sums[p][j] = if FUSED { x.mul_add(w[j], sums[p][j]) } else { sums[p][j] + x * w[j] };
                }
            });
        }
    }
    sums
}
