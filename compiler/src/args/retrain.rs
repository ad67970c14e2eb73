//! The flags of retraining.

use std::path::PathBuf;

use clap::Args;
use nonresc_passes::distill::optimiser::Method;
use nonresc_passes::distill::recipe::{Augment, Losses, Recipe};
use nonresc_passes::distill::removals::Policy;
use nonresc_passes::distill::schedule::Decay;

use super::values::{not_negative, positive, share};
use super::{Engine, Images};

/// What the rate of networks of floats is divided by for networks in codes.
const IN_CODES: f64 = 50.0;

/// How a network learns to do without its skips.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Retraining")]
pub struct Retrain {
    /// Train the network on --data while the plan's skips go, and design what comes out
    #[arg(long, requires = "data")]
    pub retrain: bool,

    /// Labelled images to train on, as for eval; of a folder with several parts the training images
    #[arg(long, value_name = "DATA", requires = "retrain")]
    pub data: Option<PathBuf>,

    /// Labelled images that nothing is chosen by, for the accuracy before and after; of a folder with several parts the
    /// test images [default: those of --data, where it has some]
    #[arg(long, value_name = "DATA", requires = "retrain")]
    pub test: Option<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub images: Images,

    /// Times that each image is seen
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..), requires = "retrain")]
    pub epochs: u32,

    /// Images a step
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,

    /// When skips go: at-once, gradual or gradual:EVERY:FIRST in epochs, tailor, anneal or anneal:SHARE, cost, or a list
    /// such as 1@3,2@6
    #[arg(long, value_name = "POLICY", default_value = "at-once", requires = "retrain")]
    pub policy: Policy,

    /// Highest learning rate [default: 0.05, and 0.001 for a model in codes]
    #[arg(long, value_name = "RATE", value_parser = positive, requires = "retrain")]
    pub rate: Option<f64>,

    /// How the rate falls, from each removal on: constant, cosine, or step:EPOCHSxFACTOR
    #[arg(long, value_name = "DECAY", default_value = "cosine", requires = "retrain")]
    pub decay: Decay,

    /// Steps in which the rate rises, at the beginning and after each removal
    #[arg(long, value_name = "N", default_value_t = 200, requires = "retrain")]
    pub warmup: u32,

    /// How parameters follow gradients: sgd:MOMENTUM, nesterov:MOMENTUM or adamw
    #[arg(long, value_name = "METHOD", default_value = "nesterov:0.9", requires = "retrain")]
    pub optimiser: Method,

    /// Decay of weights
    #[arg(long, value_name = "FACTOR", default_value_t = 1e-4, value_parser = not_negative, requires = "retrain")]
    pub weight_decay: f64,

    /// Longest gradient, as a norm over all parameters
    #[arg(long, value_name = "NORM", default_value_t = 5.0, value_parser = positive, requires = "retrain")]
    pub clip_norm: f64,

    /// What is minimised, with a weight each, which may fade: hard (labels), logits (squared difference of scores), soft
    /// (divergence of softened scores), features (squared difference behind each block); such as
    /// hard=0.65,logits=0.35:fades [default: hard=1,features=3:fades while skips go, else hard=1]
    #[arg(long, value_name = "LIST")]
    pub loss: Option<Losses>,

    /// The network that teaches, for losses but hard [default: the model as given]
    #[arg(long, value_name = "FILE", requires = "retrain")]
    pub teacher: Option<PathBuf>,

    /// Forget the model's weights and begin with drawn ones, to see what the given ones are worth
    #[arg(long, requires = "retrain")]
    pub scratch: bool,

    /// What computes the steps: tract and ort read them as the ONNX that --emit gradients writes
    #[arg(long, value_enum, default_value_t = Engine::Native, requires = "retrain")]
    pub engine: Engine,

    /// The library of onnxruntime for --engine ort [default: that of ORT_DYLIB_PATH, else the system's]
    #[arg(long, value_name = "FILE", requires = "retrain")]
    pub onnxruntime: Option<PathBuf>,

    /// Pixels by which a training image is moved at most, each way [default: an eighth of its smaller side]
    #[arg(long, value_name = "PIXELS", requires = "retrain")]
    pub shift: Option<u32>,

    /// Never mirror a training image
    #[arg(long, requires = "retrain")]
    pub no_flip: bool,

    /// Share of the training images that the best epoch is chosen by, and that are not trained on
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share, requires = "retrain")]
    pub validation: f64,

    /// Most points of validation accuracy that a skip's going may cost: one that costs more stays. Skips go one by one
    /// for that, and each phase ends at a low rate
    #[arg(long, value_name = "POINTS", value_parser = not_negative, requires = "retrain")]
    pub max_drop: Option<f64>,

    /// Epochs with weights and activations rounded to --bits, behind the others; 0 for codes by calibration alone
    #[arg(long, value_name = "N", default_value_t = 4, requires = "retrain")]
    pub qat_epochs: u32,

    /// Highest learning rate of these [default: a fiftieth of --rate]
    #[arg(long, value_name = "RATE", value_parser = positive, requires = "retrain")]
    pub qat_rate: Option<f64>,

    /// Train the scales of codes too, of weights and of activations, in the epochs in codes; powers of two stay some
    #[arg(long, requires = "retrain")]
    pub learn_scales: bool,

    /// Keep the state in this file, after each epoch and at Ctrl-C; that of the epochs in codes in FILE.qat
    #[arg(long, value_name = "FILE", requires = "retrain")]
    pub checkpoint: Option<PathBuf>,

    /// Go on where --checkpoint stopped; the result is that of an unbroken run
    #[arg(long, requires = "checkpoint")]
    pub resume: bool,
}

impl Retrain {
    /// The recipe that the flags make, with this seed, for a plan that `changes` the function or does not, of a model that
    /// is `quantised` or is not.
    pub fn recipe(&self, seed: u64, changes: bool, quantised: bool) -> Recipe {
        let default = Recipe::default().rate / if quantised { IN_CODES } else { 1.0 };
        let losses = self.loss.unwrap_or(match changes && !self.scratch {
            true => Losses::BLOCKS,
            false => Losses::default(),
        });
        let taught = [losses.logits, losses.soft, losses.features];
        Recipe {
            epochs: self.epochs as usize,
            batch: self.batch as usize,
            rate: self.rate.unwrap_or(default),
            decay: self.decay,
            warmup: self.warmup as usize,
            method: self.optimiser,
            weight_decay: self.weight_decay,
            clip_norm: Some(self.clip_norm),
            losses,
            policy: self.policy.clone(),
            augment: Augment { crop: self.shift.map(|n| n as usize), flip: !self.no_flip },
            validation: self.validation,
            max_drop: self.max_drop.map(|points| points / 100.0),
            seed,
            scratch: self.scratch,
            learn_scales: self.learn_scales && quantised,
            teacher: taught.iter().any(|weight| weight.value > 0.0),
            ..Recipe::default()
        }
    }

    /// Where the states of the two trainings are kept: of the network as given, and of what it left in codes.
    pub fn checkpoints(&self) -> [Option<PathBuf>; 2] {
        let in_codes = |path: &PathBuf| {
            let mut name = path.clone().into_os_string();
            name.push(".qat");
            PathBuf::from(name)
        };
        [self.checkpoint.clone(), self.checkpoint.as_ref().map(in_codes)]
    }

    /// The recipe of the epochs in codes.
    pub fn qat_recipe(&self, seed: u64) -> Recipe {
        let rate = self.qat_rate.unwrap_or(self.rate.unwrap_or(Recipe::default().rate) / IN_CODES);
        let epochs = self.qat_epochs as usize;
        Recipe {
            epochs,
            rate,
            policy: Policy::AtOnce,
            max_drop: None,
            scratch: false,
            ..self.recipe(seed, false, true)
        }
    }
}
