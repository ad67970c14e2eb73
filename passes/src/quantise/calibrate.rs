//! What numbers there are: the float network is run over images, and of each value that is asked for range, means by
//! channel and a histogram are kept, in two runs over the data, so that little memory is needed.
//!
//! A value's numbers are gathered in the order of the frames whatever the threads, so that sums are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::Value;
use nonresc_ir::network::{Network, Shape};
use nonresc_ir::tensor::{Data, Tensor};
use rayon::prelude::*;

use super::QuantiseOptions;
use super::scale::Codes;
use crate::accuracy::{frame, users_layout};
use crate::data::Dataset;
use crate::engine::{Engine, Frames, Given, showing};
use crate::random::Random;

/// Bins of a histogram.
const BINS: usize = 2048;
/// Bytes of values that are held at a time.
const MOST_BYTES: usize = 1 << 26;
/// Frames that are run at a time, if memory allows.
const FRAMES_AT_A_TIME: usize = 64;
/// Frames that are made up where there is no data.
const MADE_UP: usize = 16;

/// The inputs that a network is calibrated on.
pub(super) struct Source<'a> {
    data: Option<&'a Dataset>,
    frames: usize,
    shape: [usize; 3],
    seed: u64,
}

impl<'a> Source<'a> {
    /// The first images of the data, or inputs that are made up.
    ///
    /// # Errors
    /// Where the network reads no image, or there is none.
    pub(super) fn new(
        network: &Network,
        data: Option<&'a Dataset>,
        options: &QuantiseOptions,
    ) -> Result<Self, Diagnostics> {
        let shape = frame(network)?;
        let frames = data.map_or(MADE_UP, |data| data.len().min(options.samples));
        if frames == 0 {
            return Err(Diagnostic::new(
                "quantise/samples",
                "calibration on 0 images",
                "scales are chosen from the numbers that images lead to",
                "give at least one image, and --samples of at least 1",
            )
            .into());
        }
        Ok(Source { data, frames, shape, seed: options.seed })
    }

    /// What is to be said of the inputs.
    pub(super) fn notes(&self) -> Vec<String> {
        match self.data {
            Some(_) => vec![],
            None => vec![
                "no images were given: scales come from inputs that are made up, and will not suit real ones; \
                 calibrate with --data"
                    .into(),
            ],
        }
    }

    /// Canonical frames.
    fn frames(&self, range: Range<usize>, raw_pixels: bool) -> Result<Tensor, Diagnostics> {
        if let Some(data) = self.data {
            return data.frames(range);
        }
        let length: usize = self.shape.iter().product();
        let mut numbers = Vec::with_capacity(range.len() * length);
        for frame in range.clone() {
            let mut random = Random(self.seed ^ (frame as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let number = |random: &mut Random| {
                if raw_pixels { (random.below(256)) as f32 } else { random.near_normal() }
            };
            numbers.extend((0..length).map(|_| number(&mut random)));
        }
        let shape = Shape([&[range.len()], &self.shape[..]].concat());
        Ok(Tensor::f32(shape, numbers).expect("as many numbers as the frames have"))
    }
}

/// What was seen of a value.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    /// The least number.
    pub(super) least: f64,
    /// The largest number.
    pub(super) most: f64,
    /// How many numbers.
    pub(super) total: u64,
    /// Numbers other than zero by size: bins of equal width from `low` on.
    pub(super) bins: Vec<u64>,
    low: f64,
    /// The width of a bin, 0 where all numbers are zero.
    pub(super) width: f64,
    /// By channel.
    sums: Vec<f64>,
}

impl Observed {
    fn new(channels: usize) -> Self {
        Observed {
            least: f64::INFINITY,
            most: f64::NEG_INFINITY,
            total: 0,
            bins: Vec::new(),
            low: 0.0,
            width: 0.0,
            sums: vec![0.0; channels],
        }
    }

    /// Takes in the numbers of frames, row-major with the channels as axis 1.
    fn see(&mut self, numbers: &[f32], inner: usize) {
        let channels = self.sums.len();
        for (i, row) in numbers.chunks_exact(inner).enumerate() {
            let mut sum = 0.0;
            for &x in row {
                let x = f64::from(x);
                self.least = self.least.min(x);
                self.most = self.most.max(x);
                sum += x;
            }
            self.sums[i % channels] += sum;
        }
        self.total += numbers.len() as u64;
    }

    fn open_bins(&mut self) {
        self.low = self.least.min(0.0);
        self.width = (self.most.max(0.0) - self.low) / BINS as f64;
        self.bins = vec![0; BINS];
    }

    fn count(&mut self, numbers: &[f32]) {
        if self.width <= 0.0 {
            return;
        }
        let by = 1.0 / self.width;
        for &x in numbers.iter().filter(|&&x| x != 0.0) {
            let bin = (f64::from(x) - self.low) * by;
            self.bins[(bin as usize).min(BINS - 1)] += 1;
        }
    }

    /// The numbers as `(middle of a bin, how many)`, empty bins left out; zeros are in none.
    pub(super) fn bins(&self) -> impl DoubleEndedIterator<Item = (f64, u64)> + '_ {
        let middle = |i: usize| self.low + (i as f64 + 0.5) * self.width;
        self.bins.iter().enumerate().filter(|(_, n)| **n > 0).map(move |(i, &n)| (middle(i), n))
    }

    /// The mean of each channel.
    pub(super) fn means(&self) -> Vec<f64> {
        let each = self.total as f64 / self.sums.len() as f64;
        self.sums.iter().map(|sum| sum / each).collect()
    }

    /// The share of the numbers that are further beyond the codes than half a step.
    pub(super) fn clipped(&self, codes: Codes, scale: f64) -> f64 {
        let (low, high) = ((codes.least() as f64 - 0.5) * scale, (codes.most() as f64 + 0.5) * scale);
        let beyond: u64 = self.bins().filter(|(x, _)| !(low..=high).contains(x)).map(|(_, n)| n).sum();
        beyond as f64 / self.total as f64
    }
}

/// Runs the network over the source; says what was seen of each value.
///
/// # Errors
/// Images that cannot be read; values that are no numbers.
pub(super) fn observe(
    network: &Network,
    values: &BTreeSet<Value>,
    source: &Source<'_>,
) -> Result<BTreeMap<Value, Observed>, Diagnostics> {
    let shown = showing(network, values.iter().copied());
    let frames = Frames::new(&shown, Engine::Native)?;
    let mut seen: Vec<(Value, Observed)> =
        values.iter().map(|&v| (v, Observed::new(channels(network, v)))).collect();
    run(network, &frames, source, &mut seen, &Observed::see)?;
    let mut faults = Diagnostics::default();
    for (value, observed) in &mut seen {
        let finite = observed.sums.iter().all(|sum| sum.is_finite());
        if !(finite && observed.least.is_finite() && observed.most.is_finite()) {
            faults.push(Diagnostic::new(
                "quantise/number",
                format!("\"{}\"", super::name(network, value.node)),
                "on the images of the calibration it holds what is no finite number",
                "check the weights and --scale, --mean and --std",
            ));
        }
        observed.open_bins();
    }
    faults.or(())?;
    run(network, &frames, source, &mut seen, &|observed, numbers, _| observed.count(numbers))?;
    Ok(seen.into_iter().collect())
}

/// Takes in the numbers of one value, where each channel of a frame has so many.
type Take = dyn Fn(&mut Observed, &[f32], usize) + Sync;

/// Runs all frames; `take` is given the numbers of each value, frames in order.
fn run(
    network: &Network,
    frames: &Frames,
    source: &Source<'_>,
    seen: &mut [(Value, Observed)],
    take: &Take,
) -> Result<(), Diagnostics> {
    let at_a_time = at_a_time(network, seen.iter().map(|(value, _)| *value));
    for start in (0..source.frames).step_by(at_a_time) {
        let range = start..source.frames.min(start + at_a_time);
        let given = users_layout(network, source.frames(range, network.preprocess().is_some())?);
        let outputs = frames.run(&Given::from([("input".to_string(), given)]))?;
        seen.par_iter_mut().zip(&outputs).for_each(|((value, observed), (_, tensor))| {
            let inner = network.ty(*value).shape.0.iter().skip(2).product();
            match tensor.data() {
                Data::F32(numbers) => take(observed, numbers, inner),
                _ => take(observed, &tensor.to_f32(), inner),
            }
        });
    }
    Ok(())
}

fn channels(network: &Network, value: Value) -> usize {
    network.ty(value).shape.0.get(1).copied().unwrap_or(1)
}

/// Frames whose values can be held in memory at a time.
fn at_a_time(network: &Network, values: impl Iterator<Item = Value>) -> usize {
    let numbers: usize = values.map(|v| network.ty(v).shape.len()).sum();
    let bytes = 4 * numbers / network.batch().max(1);
    (MOST_BYTES / bytes.max(1)).clamp(1, FRAMES_AT_A_TIME)
}
