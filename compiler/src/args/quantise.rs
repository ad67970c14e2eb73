//! The flags of `nonresc quantise`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use nonresc_passes::quantise::{Granularity, Method, QuantiseOptions, Scales};
use nonresc_passes::target::Bits;

use super::values::{bits, calibration, layer_bits};
use super::{Images, Reading};

/// `nonresc quantise`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Quantise {
    /// The network of floats, or with --requantise a quantised one: an ONNX or .nir file
    pub model: PathBuf,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub reading: Reading,

    /// Keep this output of an ONNX graph, where it has several
    #[arg(long, value_name = "NAME")]
    pub output: Option<String>,

    /// Images to choose scales by, as for eval; of a folder with several parts the training images. Without it scales
    /// come from made-up inputs
    #[arg(long, value_name = "DATA")]
    pub data: Option<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub images: Images,

    /// Use so many images from the beginning
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub samples: u32,

    /// Drop the quantisers of a network that is quantised already, and quantise it anew
    #[arg(long)]
    pub requantise: bool,

    /// Bits of weights and of activations, 1 to 16 each; the input has 8 at least
    #[arg(long, value_name = "wNaM", value_parser = bits, default_value = "w8a8")]
    pub bits: Bits,

    /// Other bits for the weights and the result of one layer, such as conv1=w4a8; once for each
    #[arg(long, value_name = "NAME=wNaM", value_parser = layer_bits)]
    pub layer_bits: Vec<(String, Bits)>,

    /// What becomes of the skips before anything is quantised, as for compiling but for reuse and auto. A plan.json may
    /// also hold bits by layer; --layer-bits goes before them
    #[arg(long, value_name = "PLAN", default_value = "keep")]
    pub skips: String,

    /// Which scales are allowed
    #[arg(long, value_enum, default_value_t = ScaleKind::PowerOfTwo)]
    pub scales: ScaleKind,

    /// How scales of activations are chosen: mse (least squared error), min-max (nothing is clipped), percentile or
    /// percentile=P (P percent are not clipped, 99.99 without a number)
    #[arg(long, value_name = "METHOD", value_parser = calibration, default_value = "mse")]
    pub calibration: Method,

    /// One scale for all weights of a layer, not one an output channel
    #[arg(long)]
    pub per_tensor: bool,

    /// Leave biases alone: take off them nothing of what the rounding of weights does to the mean of a channel
    #[arg(long)]
    pub no_bias_correction: bool,

    /// Seed of the inputs that are made up without --data
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// Write the network to this folder, whole or not at all: quantised.onnx, quantised.qonnx.onnx, network.nir,
    /// network.safetensors
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

const HELP: &str = "\
Examples:
  nonresc quantise resnet8.onnx --data cifar-10-batches-bin --out build
  nonresc quantise resnet20.onnx --data cifar-10-batches-bin --bits w4a8 --layer-bits conv1=w8a8 \\
      --scale 1/255 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --out build
  nonresc quantise resnet20.onnx --skips plan.json --data cifar-10-batches-bin --out build
  nonresc quantise build/quantised.onnx --requantise --bits w4a4 --data cifar-10-batches-bin --out narrow
  nonresc eval build/quantised.onnx --data cifar-10-batches-bin

DATA is read as by eval, and the preprocessing that the flags say is written into the file.";

/// Which scales are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScaleKind {
    /// Powers of two: hardware shifts
    PowerOfTwo,
    /// Any: hardware multiplies
    Free,
}

impl From<&Quantise> for QuantiseOptions {
    fn from(args: &Quantise) -> Self {
        QuantiseOptions {
            bits: args.bits,
            layers: args.layer_bits.iter().cloned().collect(),
            scales: match args.scales {
                ScaleKind::PowerOfTwo => Scales::PowerOfTwo,
                ScaleKind::Free => Scales::Free,
            },
            weights: if args.per_tensor { Granularity::Tensor } else { Granularity::Channel },
            method: args.calibration,
            samples: args.samples as usize,
            bias_correction: !args.no_bias_correction,
            seed: args.seed,
        }
    }
}
