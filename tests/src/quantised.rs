//! Random networks, quantised in many ways: widths, scales and their granularity follow from the seed.

use nonresc_ir::network::{Network, canonicalise};
use nonresc_passes::normalise::normalise;
use nonresc_passes::quantise::{Granularity, QuantiseOptions, Scales, quantise};
use nonresc_passes::target::Bits;

use crate::seed::Seed;

/// How the network of a seed is quantised; `scales` where they are not to be drawn.
pub fn options(seed: u64, scales: Option<Scales>) -> QuantiseOptions {
    let mut draw = Seed(seed ^ 0x7175_616e_7469_7365);
    let bits = Bits { weights: 1 + draw.below(8) as u32, activations: 1 + draw.below(8) as u32 };
    let drawn = if draw.below(2) == 0 { Scales::PowerOfTwo } else { Scales::Free };
    let weights = if draw.below(3) == 0 { Granularity::Tensor } else { Granularity::Channel };
    QuantiseOptions {
        bits,
        scales: scales.unwrap_or(drawn),
        weights,
        samples: 4,
        seed,
        ..QuantiseOptions::default()
    }
}

/// The network quantised, as it is written to files; nothing where it has an operator without integers.
///
/// # Panics
/// Where normalisation fails.
pub fn quantised(network: &Network, options: &QuantiseOptions) -> Option<Network> {
    let mut normal = network.clone();
    normalise(&mut normal).unwrap_or_else(|faults| panic!("{faults}"));
    quantise(&canonicalise(&normal), None, options).ok().map(|made| made.network)
}
