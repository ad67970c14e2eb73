//! How a network is trained again: every option, with its type, its text and its limits.
//!
//! Nothing is done here: which epochs a policy means is said in [`removals`](super::removals), the rate of each step in
//! [`schedule`](super::schedule).

use std::fmt;
use std::str::FromStr;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use serde::{Deserialize, Serialize};

use super::optimiser::Method;
use super::removals::Policy;
use super::schedule::Decay;

/// All options of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Times that each training image is seen.
    pub epochs: usize,
    /// Images a step.
    pub batch: usize,
    /// Images whose gradient is found at a time; the gradient of a step is the sum over its shards, in order.
    pub shard: usize,
    /// The highest rate.
    pub rate: f64,
    /// How the rate falls.
    pub decay: Decay,
    /// Steps in which the rate rises, at the beginning and after each removal.
    pub warmup: usize,
    /// How parameters follow gradients.
    pub method: Method,
    /// Factor of the decay of weights.
    pub weight_decay: f64,
    /// The longest gradient.
    pub clip_norm: Option<f64>,
    /// What is minimised.
    pub losses: Losses,
    /// When skips go.
    pub policy: Policy,
    /// What is done to images.
    pub augment: Augment,
    /// Share of the images that is judged by and not trained on.
    pub validation: f64,
    /// The largest loss of accuracy that is accepted, as a share of all images.
    pub max_drop: Option<f64>,
    /// The seed of everything drawn.
    pub seed: u64,
    /// Whether the network as it was teaches; losses other than the hard one need it.
    pub teacher: bool,
    /// Whether the weights are forgotten, and training begins with drawn ones.
    pub scratch: bool,
    /// Whether the scales of codes are trained with the weights.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub learn_scales: bool,
}

/// The weights of what is minimised, a mean over the images of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Losses {
    /// Cross entropy with the labels.
    pub hard: Weight,
    /// Mean squared difference of the scores before the softmax (Ba and Caruana, NIPS 2014).
    pub logits: Weight,
    /// `T^2 * KL(softmax(teacher / T) || softmax(student / T))`; the factor `T^2` keeps the size of its gradients, which
    /// fall as `1 / T^2`, beside the other losses (Hinton et al., arXiv 1503.02531, section 2).
    pub soft: Weight,
    /// The temperature `T` of the soft loss, above 0.
    pub temperature: f64,
    /// Mean squared difference of inner activations (hints: Romero et al., ICLR 2015).
    pub features: Weight,
}

/// The weight of a loss: `value`, or where it fades `value * (1 - p)` after the share `p` of the training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Weight {
    /// The weight at the beginning, 0 or above.
    pub value: f64,
    /// Whether it goes to 0 over the training.
    pub fades: bool,
}

/// What is done to training images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// Pixels by which an image moves at most, each way; without, an eighth of its smaller side.
    pub crop: Option<usize>,
    /// Whether half of the images are mirrored.
    pub flip: bool,
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            epochs: 30,
            batch: 128,
            shard: 32,
            rate: 0.05,
            decay: Decay::Cosine,
            warmup: 200,
            method: Method::default(),
            weight_decay: 1e-4,
            clip_norm: Some(5.0),
            losses: Losses::default(),
            policy: Policy::AtOnce,
            augment: Augment { crop: None, flip: true },
            validation: 0.1,
            max_drop: None,
            seed: 0,
            teacher: false,
            scratch: false,
            learn_scales: false,
        }
    }
}

impl Losses {
    /// Of a network that loses its skips: the labels, and at first much more that each block does what it did.
    pub const BLOCKS: Losses = Losses { features: Weight { value: 3.0, fades: true }, ..Losses::LABELS };

    /// The labels alone.
    const LABELS: Losses = {
        let [one, none] = [Weight { value: 1.0, fades: false }, Weight { value: 0.0, fades: false }];
        Losses { hard: one, logits: none, soft: none, temperature: 4.0, features: none }
    };
}

/// The labels alone.
impl Default for Losses {
    fn default() -> Self {
        Losses::LABELS
    }
}

impl Recipe {
    /// Whether every option is within its limits.
    ///
    /// # Errors
    /// All that are not.
    pub fn check(&self) -> Result<(), Diagnostics> {
        let mut faults = Diagnostics::default();
        let mut want = |holds: bool, name: &str, value: &dyn fmt::Display, limits: &str| {
            if !holds {
                let what = format!("{name} {value} of a training");
                faults.push(Diagnostic::new(
                    "distill/recipe",
                    what,
                    format!("it must be {limits}"),
                    "change it",
                ));
            }
        };
        let above = |x: f64| x > 0.0 && x.is_finite();
        let not_below = |x: f64| x >= 0.0 && x.is_finite();
        want(self.epochs > 0, "epochs", &self.epochs, "at least 1");
        want(self.batch > 0, "batch", &self.batch, "at least 1");
        want(self.shard > 0, "shard", &self.shard, "at least 1");
        want(above(self.rate), "rate", &self.rate, "above 0");
        want(not_below(self.weight_decay), "weight decay", &self.weight_decay, "0 or above");
        let clip = self.clip_norm.unwrap_or(1.0);
        want(above(clip), "limit of the gradient", &clip, "above 0");
        let share = self.validation > 0.0 && self.validation < 1.0;
        want(share, "share for validation", &self.validation, "above 0 and below 1");
        let drop = self.max_drop.unwrap_or(0.0);
        want((0.0..=1.0).contains(&drop), "largest drop", &drop, "from 0 to 1");
        if let Policy::Anneal { fraction } = self.policy {
            want(fraction > 0.0 && fraction < 1.0, "share of fading", &fraction, "above 0 and below 1");
        }
        let Losses { hard, logits, soft, temperature, features } = self.losses;
        let named = [("hard", hard), ("logits", logits), ("soft", soft), ("features", features)];
        for (name, weight) in named {
            want(not_below(weight.value), &format!("weight of the {name} loss"), &weight.value, "0 or above");
        }
        want(above(temperature), "temperature", &temperature, "above 0");
        let learns = named.iter().any(|(_, weight)| weight.value > 0.0);
        want(learns, "weight of all losses", &0, "above 0 for one of them");
        let taught = named[1..].iter().any(|(_, weight)| weight.value > 0.0);
        want(self.teacher || !taught, "teacher", &"none", "there where a loss compares with it");
        faults.or(())
    }
}

impl Weight {
    /// The weight after the share `progress`, 0 to 1, of the training.
    pub fn at(&self, progress: f64) -> f64 {
        if self.fades { self.value * (1.0 - progress.clamp(0.0, 1.0)) } else { self.value }
    }
}

impl Augment {
    /// Pixels by which an image of `[channels, height, width]` moves at most, each way.
    pub fn pixels(&self, [_, height, width]: [usize; 3]) -> usize {
        self.crop.unwrap_or(height.min(width) / 8)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.value, if self.fades { ":fades" } else { "" })
    }
}

/// `hard=1`, `hard=0.65,logits=0.35:fades`, `soft=0.5,temperature=4`; what is not named weighs nothing.
impl FromStr for Losses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let none = Weight::default();
        let mut losses = Losses { hard: none, logits: none, soft: none, features: none, ..Losses::default() };
        for item in text.split(',') {
            let (name, value) = item.split_once('=').unwrap_or((item, "1"));
            match name {
                "hard" => losses.hard = value.parse()?,
                "logits" => losses.logits = value.parse()?,
                "soft" => losses.soft = value.parse()?,
                "features" => losses.features = value.parse()?,
                "temperature" => {
                    let above = value.parse().ok().filter(|t: &f64| *t > 0.0 && t.is_finite());
                    losses.temperature =
                        above.ok_or_else(|| format!("\"{value}\" is no temperature above 0"))?;
                }
                _ => {
                    return Err(format!(
                        "there is no loss \"{name}\" (hard, logits, soft, features; temperature)"
                    ));
                }
            }
        }
        Ok(losses)
    }
}

impl FromStr for Weight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, fades) = text.strip_suffix(":fades").map_or((text, false), |number| (number, true));
        let value = number.parse().ok().filter(|value: &f64| *value >= 0.0 && value.is_finite());
        let fault =
            || format!("\"{text}\" is no weight: a number from 0, or 0.5:fades for one that goes to 0");
        Ok(Weight { value: value.ok_or_else(fault)?, fades })
    }
}

/// In JSON these are their text.
macro_rules! as_text {
    ($($option:ty),*) => {$(
        impl From<$option> for String {
            fn from(option: $option) -> String {
                option.to_string()
            }
        }

        impl TryFrom<String> for $option {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    )*};
}

as_text!(Decay, Method, Policy, Weight);

#[cfg(test)]
mod tests {
    use super::{Augment, Losses, Recipe, Weight};
    use crate::distill::removals::Policy;
    use crate::distill::schedule::Decay;

    #[test]
    fn recipes_of_ours_are_within_their_limits_and_come_back_from_json() {
        let taught = Recipe {
            losses: Losses::BLOCKS,
            policy: Policy::Tailor,
            decay: Decay::Step { every_epochs: 30, factor: 0.1 },
            teacher: true,
            ..Recipe::default()
        };
        for recipe in [Recipe::default(), taught] {
            recipe.check().unwrap();
            let text = serde_json::to_string(&recipe).unwrap();
            assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe, "{text}");
        }
        let text = serde_json::to_string(&Recipe::default()).unwrap().replace("\"rate\"", "\"pace\"");
        assert!(serde_json::from_str::<Recipe>(&text).unwrap_err().to_string().contains("pace"));
    }

    #[test]
    fn options_beyond_their_limits_are_named() {
        let weight = |value| Weight { value, fades: false };
        let losses = |losses: Losses| Recipe { losses, teacher: true, ..Recipe::default() };
        let default = Losses::default;
        let cases = [
            (Recipe { epochs: 0, ..Recipe::default() }, "epochs 0"),
            (Recipe { batch: 0, ..Recipe::default() }, "batch 0"),
            (Recipe { shard: 0, ..Recipe::default() }, "shard 0"),
            (Recipe { rate: f64::NAN, ..Recipe::default() }, "rate NaN"),
            (Recipe { weight_decay: -1.0, ..Recipe::default() }, "weight decay -1"),
            (Recipe { clip_norm: Some(0.0), ..Recipe::default() }, "limit of the gradient 0"),
            (Recipe { validation: 1.0, ..Recipe::default() }, "share for validation 1"),
            (Recipe { max_drop: Some(2.0), ..Recipe::default() }, "largest drop 2"),
            (Recipe { policy: Policy::Anneal { fraction: 0.0 }, ..Recipe::default() }, "share of fading 0"),
            (losses(Losses { soft: weight(-1.0), ..default() }), "weight of the soft loss -1"),
            (losses(Losses { temperature: 0.0, ..default() }), "temperature 0"),
            (losses(Losses { hard: weight(0.0), ..default() }), "weight of all losses"),
            (Recipe { losses: Losses::BLOCKS, ..Recipe::default() }, "teacher none"),
        ];
        for (recipe, word) in cases {
            let faults = recipe.check().unwrap_err();
            assert_eq!(faults.len(), 1, "{faults}");
            assert!(faults.to_string().contains(word), "{faults}");
        }
    }

    #[test]
    fn weights_fade_along_a_line() {
        let weight: Weight = "0.5:fades".parse().unwrap();
        assert_eq!([0.0, 0.5, 1.0, 2.0].map(|p| weight.at(p)), [0.5, 0.25, 0.0, 0.0]);
        assert_eq!("0.35".parse::<Weight>().unwrap().at(1.0), 0.35);
        for text in ["0.5:fades", "0.35", "0"] {
            assert_eq!(text.parse::<Weight>().unwrap().to_string(), text);
        }
        for text in ["", "-1", "inf", "1:fade", "fades"] {
            assert!(text.parse::<Weight>().unwrap_err().contains("no weight"), "{text}");
        }
    }

    #[test]
    fn images_move_by_an_eighth_of_their_smaller_side() {
        let pixels = |crop, frame| Augment { crop, flip: false }.pixels(frame);
        assert_eq!(pixels(None, [3, 32, 32]), 4);
        assert_eq!(pixels(None, [1, 28, 40]), 3);
        assert_eq!(pixels(Some(0), [3, 32, 32]), 0);
    }
}
