//! The rate of each step, which follows the skips that go: a network that has just lost one learns as at the beginning.
//!
//! Removals part the steps `0..T` into phases; phase `i` begins at step `b` and the next one at `e`, or the last ends
//! with `T`. At step `s`, with `t = s - b` and a warm-up of `w = min(warmup, (e - b) / 2)` steps,
//!
//! ```text
//! rate(s) = base * (t + 1) / w                                   while t < w
//! rate(s) = base * max(low, decay(t - w, T - b - w))             from then on
//! ```
//!
//! where `low` is 1/2 while a removal is ahead and 0 in the last phase: decay always aims at the end of training, and
//! never leaves less than half of the base to the step before a removal. Where each phase is judged by what it reached,
//! as a training that may give a skip back judges it, `low` is 0 and `T` in the second line is `e`. `decay(t, n)` is `1`, `factor` to the power
//! of the whole periods in `t`, or `(1 + cos(pi * t / n)) / 2` (Loshchilov and Hutter: SGDR, ICLR 2017, whose
//! restarts come at fixed periods; the warm-up is that of Goyal et al., arXiv 1706.02677).

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Least share of the base rate that is left before a removal.
const LEAST_BEFORE_REMOVAL: f64 = 0.5;

/// How the rate falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Decay {
    /// Not at all.
    Constant,
    /// By steps.
    Step {
        /// Epochs from one to the next.
        every_epochs: usize,
        /// What is left each time, above 0 and up to 1.
        factor: f64,
    },
    /// Along half a cosine.
    #[default]
    Cosine,
}

impl fmt::Display for Decay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decay::Constant => write!(f, "constant"),
            Decay::Step { every_epochs, factor } => write!(f, "step:{every_epochs}x{factor}"),
            Decay::Cosine => write!(f, "cosine"),
        }
    }
}

impl FromStr for Decay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let step = |text: &str| {
            let (every, factor) = text.strip_prefix("step:")?.split_once('x')?;
            let every_epochs = every.parse().ok().filter(|&every| every > 0)?;
            let factor = factor.parse().ok().filter(|&factor| factor > 0.0 && factor <= 1.0)?;
            Some(Decay::Step { every_epochs, factor })
        };
        match text {
            "constant" => Ok(Decay::Constant),
            "cosine" => Ok(Decay::Cosine),
            _ => step(text).ok_or_else(|| {
                format!(
                    "\"{text}\" is no decay: constant, cosine, or step:30x0.1 for a tenth every 30 epochs"
                )
            }),
        }
    }
}

/// The rates of a whole training.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The highest rate.
    pub base: f64,
    /// How it falls.
    pub decay: Decay,
    /// Steps from the first to the highest rate, at the beginning and after each removal.
    pub warmup: usize,
    /// Steps of an epoch.
    pub steps_an_epoch: usize,
    /// Steps of the training.
    pub steps: usize,
    /// Whether each phase is judged at its end, so that its rate falls as if the training ended there.
    pub judged: bool,
}

impl Schedule {
    /// The rate of a step, where `removals` are the first steps without a skip, in any order.
    pub fn rate(&self, step: usize, removals: &[usize]) -> f64 {
        let inside = || removals.iter().copied().filter(|&at| at > 0 && at < self.steps);
        let begin = inside().filter(|&at| at <= step).max().unwrap_or(0);
        let next = inside().filter(|&at| at > step).min();
        let warmup = self.warmup.min((next.unwrap_or(self.steps) - begin) / 2);
        let t = step - begin;
        if t < warmup {
            return self.base * (t + 1) as f64 / warmup as f64;
        }
        let (low, end) = match next {
            Some(next) if self.judged => (0.0, next),
            Some(_) => (LEAST_BEFORE_REMOVAL, self.steps),
            None => (0.0, self.steps),
        };
        self.base * self.decayed(t - warmup, end - begin - warmup).max(low)
    }

    /// What is left of the rate after `t` of `n` steps.
    fn decayed(&self, t: usize, n: usize) -> f64 {
        match self.decay {
            Decay::Constant => 1.0,
            Decay::Step { every_epochs, factor } => {
                let period = every_epochs.saturating_mul(self.steps_an_epoch).max(1);
                factor.powf((t / period) as f64)
            }
            Decay::Cosine => (1.0 + (PI * t.min(n) as f64 / n.max(1) as f64).cos()) / 2.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Decay, Schedule};

    const BASE: f64 = 0.05;

    fn schedule(decay: Decay) -> Schedule {
        Schedule { base: BASE, decay, warmup: 20, steps_an_epoch: 100, steps: 1000, judged: false }
    }

    fn decays() -> [Decay; 3] {
        [Decay::Constant, Decay::Step { every_epochs: 1, factor: 0.1 }, Decay::Cosine]
    }

    #[test]
    fn the_rate_rises_at_first_and_falls_to_the_end() {
        let cosine = schedule(Decay::Cosine);
        assert_eq!(cosine.rate(0, &[]), BASE / 20.0);
        assert_eq!(cosine.rate(19, &[]), BASE);
        assert_eq!(cosine.rate(20, &[]), BASE);
        assert!((cosine.rate(510, &[]) - BASE / 2.0).abs() < 1e-12);
        assert!(cosine.rate(999, &[]) < 1e-5 * BASE);
        assert!((21..1000).all(|s| cosine.rate(s, &[]) < cosine.rate(s - 1, &[])));
    }

    #[test]
    fn steps_fall_when_their_epochs_are_over() {
        let steps = schedule(Decay::Step { every_epochs: 3, factor: 0.1 });
        assert_eq!(steps.rate(319, &[]), BASE);
        assert!((steps.rate(320, &[]) - BASE / 10.0).abs() < 1e-12);
        assert!((steps.rate(620, &[]) - BASE / 100.0).abs() < 1e-12);
    }

    #[test]
    fn each_removal_begins_anew_and_finds_half_of_the_rate() {
        for removals in [vec![300, 600, 900], vec![900, 300, 600, 300], vec![1, 2, 999], vec![10, 985]] {
            for decay in decays() {
                let schedule = schedule(decay);
                for &at in &removals {
                    let (before, after) = (schedule.rate(at - 1, &removals), schedule.rate(at, &removals));
                    assert!(before >= BASE / 2.0, "{decay:?} {removals:?}: {before} before {at}");
                    assert!(after <= BASE, "{after}");
                }
                assert!((0..1100).all(|s| (0.0..=BASE).contains(&schedule.rate(s, &removals))), "{decay:?}");
            }
        }
    }

    #[test]
    fn a_removal_restarts_warm_up_and_decay() {
        let cosine = schedule(Decay::Cosine);
        assert_eq!(cosine.rate(600, &[600]), BASE / 20.0);
        assert_eq!(cosine.rate(620, &[600]), BASE);
        assert!(cosine.rate(999, &[600]) < 1e-4 * BASE);
        let alone = Schedule { steps: 400, ..schedule(Decay::Cosine) };
        assert!((600..1000).all(|s| cosine.rate(s, &[600]) == alone.rate(s - 600, &[])));
    }

    #[test]
    fn removals_before_the_first_and_behind_the_last_step_change_nothing() {
        let cosine = schedule(Decay::Cosine);
        assert!((0..1000).all(|s| cosine.rate(s, &[0, 1000, 4000]) == cosine.rate(s, &[])));
    }

    #[test]
    fn trainings_of_few_steps_have_rates() {
        for steps in 0..4 {
            let short = Schedule { steps, ..schedule(Decay::Cosine) };
            assert!((0..6).all(|s| (0.0..=BASE).contains(&short.rate(s, &[1]))), "{steps}");
        }
    }

    #[test]
    fn decays_are_read_as_they_are_written() {
        for text in ["constant", "cosine", "step:30x0.1"] {
            assert_eq!(text.parse::<Decay>().unwrap().to_string(), text);
        }
        for text in ["step", "step:0x0.1", "step:3x0", "step:3xNaN", "linear", "step:3x2"] {
            assert!(text.parse::<Decay>().unwrap_err().contains("no decay"), "{text}");
        }
    }
}
