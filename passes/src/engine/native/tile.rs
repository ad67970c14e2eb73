//! The inner loops of convolutions and dense layers: a few pixels by sixteen output channels in registers.
//!
//! Plain Rust that vectorises; which instructions it may use is found out when the program runs. Sums of
//! products are taken in one fixed order whatever the tile, so a pixel's value depends on neither its
//! neighbours nor the number of threads. With fused multiply-add a product is not rounded, so numbers
//! differ in the last bits between CPUs with and without it.

/// Output channels of a tile: two vectors of AVX2, four of NEON.
pub(super) const LANES: usize = 16;

/// Pixels of a tile where there are sixteen vector registers of eight: 12 sums, 2 weights, 1 pixel.
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
        let mut rest = pixels.chunks_exact(P);
        for (t, chunk) in rest.by_ref().enumerate() {
            let at = std::array::from_fn(|p| chunk[p]);
            for (p, sums) in tile::<P, FUSED>(input, at, runs, block).iter().enumerate() {
                write(t * P + p, sums);
            }
        }
        let done = pixels.len() - rest.remainder().len();
        for (i, &at) in rest.remainder().iter().enumerate() {
            write(done + i, &tile::<1, FUSED>(input, [at], runs, block)[0]);
        }
    }
}

#[inline(always)]
fn tile<const P: usize, const FUSED: bool>(
    input: &[f32],
    at: [usize; P],
    runs: &Runs,
    block: &Block,
) -> [[f32; LANES]; P] {
    let mut sums = [block.bias; P];
    for (&start, weights) in runs.starts.iter().zip(block.weights.chunks_exact(runs.len * LANES)) {
        let x: [&[f32]; P] = at.map(|pixel| &input[pixel + block.input + start..][..runs.len]);
        for (k, w) in weights.chunks_exact(LANES).enumerate() {
            for p in 0..P {
                let x = x[p][k];
                for j in 0..LANES {
                    sums[p][j] = if FUSED { x.mul_add(w[j], sums[p][j]) } else { sums[p][j] + x * w[j] };
                }
            }
        }
    }
    sums
}
