//! Random residual networks, all in their seed, small, and shrunk where a test fails: the one generator for import,
//! evaluators, sizing, hardware and gradients.
//!
//! A network is drawn as a [`Recipe`] ([`draw`]), data that says what is built; [`Recipe::build`] makes the network of
//! it and takes every recipe: what does not fit is replaced by the nearest thing that does, so that shrinking
//! ([`shrink`]) may drop and cut whatever it likes.
//!
//! Networks come in normal form and canonical order, one frame, f32, weights that are sums of few powers of two and
//! keep activations near 1. A frame has at most [`MAX_NUMBERS`] numbers over all activations. Every network has a
//! residual block unless it was shrunk.
//!
//! # Use
//!
//! ```
//! # use nonresc_tests::random;
//! let network = random::network(7);
//! assert!(network.outputs().len() >= 1);
//!
//! // All of a property over many seeds. Where it fails, the network is shrunk as long as it still fails, and the
//! // panic holds the seed, the reason and the small network as text.
//! random::for_each(0..20, |network| {
//!     if network.len() < 10_000 { Ok(()) } else { Err(format!("{} nodes", network.len())) }
//! });
//! ```
//!
//! [`random::input`](input) gives a frame for a network. [`histogram`] counts what is in the networks of some seeds.

mod build;
mod draw;
mod shrink;

use std::collections::BTreeMap;
use std::ops::Range;

use nonresc_ir::network::{Network, Pair, Sides};
use nonresc_ir::tensor::Tensor;
use nonresc_ir::text;

use crate::seed::Seed;
pub use build::Made;
pub use draw::recipe;
pub use shrink::shrunk;

/// The most numbers that all activations of one frame hold together.
pub const MAX_NUMBERS: usize = 10_000;

/// What a network is built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Channels of the input.
    pub channels: usize,
    /// Height and width of the input.
    pub size: Pair,
    /// One behind the other.
    pub steps: Vec<Step>,
    /// Whether the result of the first residual block is an output too.
    pub inner_output: bool,
    /// What follows the steps.
    pub head: Head,
    /// Seed of the weights.
    pub weights: u64,
}

/// One thing behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A convolution and its activation.
    Layer(Layer),
    /// A pool.
    Pool(Pool),
    /// A residual block.
    Block(Block),
}

/// A convolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Channels of the result.
    pub outputs: usize,
    /// How channels are grouped.
    pub groups: Groups,
    /// The window.
    pub window: Window,
    /// Whether it has a bias.
    pub bias: bool,
    /// What follows it; in front of it where its block activates first.
    pub activation: Activation,
}

/// How a convolution groups channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups {
    /// Every result sees every channel.
    One,
    /// The largest number of groups that is no larger and divides the channels of both sides.
    Some(usize),
    /// A group for each channel; results are the next multiple of the channels.
    Depthwise,
}

/// Where a convolution or pool looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Extent.
    pub kernel: Pair,
    /// Step.
    pub stride: Pair,
    /// Distance of taps.
    pub dilation: Pair,
    /// Padding, at most the reach of the kernel. Inside of blocks the bottom and right are what a map of
    /// `ceil(extent / stride)` needs.
    pub pad: Sides,
}

/// A pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Largest value, or mean.
    pub max: bool,
    /// The window.
    pub window: Window,
    /// Whether a mean counts padding.
    pub include_pad: bool,
}

/// A residual block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The long path; a block inside of it is nested, and shares the source where it comes first.
    pub main: Vec<Step>,
    /// What is added to it.
    pub shortcuts: Vec<Shortcut>,
    /// Whether layers of the long path activate first and the sum stays raw.
    pub activates_first: bool,
    /// What follows the sum.
    pub activation: Activation,
}

/// The short path of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// Nothing on it; a projection where the long path changes the map.
    Identity,
    /// A 1x1 convolution.
    Projection,
    /// A pool and a 1x1 convolution.
    Pooled {
        /// Largest value, or mean.
        max: bool,
    },
    /// Subsampling and zero channels (option A); a projection where the long path has fewer channels.
    Padded {
        /// Zero channels in front of the others too.
        before: bool,
    },
    /// A convolution of its own.
    General(Layer),
}

/// What follows a convolution or a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// Maximum with zero.
    Relu,
    /// Limits to 0 ..= 6.
    Relu6,
    /// Limits to -1 ..= 1.
    Limit,
    /// A slope of 1/8 below zero.
    Leaky,
}

/// What follows the steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// Nothing: the output is a map.
    Map,
    /// A global pool, and dense layers of these widths.
    Global {
        /// Largest value, or mean.
        max: bool,
        /// Widths.
        dense: Vec<usize>,
    },
    /// Dense layers over the whole map, of these widths.
    Flat {
        /// Widths.
        dense: Vec<usize>,
    },
    /// A global mean and two dense layers, the second with a skip.
    Residual {
        /// Their width.
        width: usize,
    },
    /// As `Global`, with a softmax behind.
    Softmax {
        /// Classes.
        classes: usize,
    },
}

/// The network of a seed.
pub fn network(seed: u64) -> Network {
    recipe(seed).build().network
}

/// A frame for a network's inputs, in their order: multiples of 1/64 from -1 to 1.
pub fn input(network: &Network, seed: u64) -> Vec<Tensor> {
    let mut seed = Seed(seed ^ 0x696e_7075_7400);
    let mut tensor = |shape: &nonresc_ir::network::Shape| {
        Tensor::f32(shape.clone(), (0..shape.len()).map(|_| seed.number()).collect()).unwrap()
    };
    network.inputs().iter().map(|p| tensor(&network.ty(p.node.into()).shape)).collect()
}

/// Fails where `check` does for the network of one of the seeds.
///
/// # Panics
/// With the seed, the reason, and the network shrunk as long as `check` fails, as text.
pub fn for_each(seeds: Range<u64>, check: impl Fn(&Network) -> Result<(), String>) {
    for seed in seeds {
        let drawn = recipe(seed);
        if let Err(why) = check(&drawn.build().network) {
            let small = shrunk(drawn, |r| check(&r.build().network).is_err());
            let network = small.build().network;
            let still = check(&network).expect_err("shrinking keeps the fault");
            panic!("seed {seed}: {why}\nshrunk: {still}\n{small:?}\n{}", text::print(&network));
        }
    }
}

/// In how many networks of some seeds each thing is.
pub fn histogram(seeds: Range<u64>) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for seed in seeds {
        for kind in recipe(seed).build().kinds.keys() {
            *counts.entry(*kind).or_default() += 1;
        }
    }
    counts
}
