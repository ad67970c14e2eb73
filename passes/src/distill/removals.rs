//! When skips go: the policy, its text, and the epoch after which it takes each skip away.
//!
//! A function of labels and epochs alone. What a skip is, and what it costs, is known elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use serde::{Deserialize, Serialize};

/// Epochs from removal to removal where no number is given, as Tailor has it.
const EPOCHS_A_SKIP: usize = 3;
/// Share of the epochs in which skips fade where no number is given.
const FADING: f64 = 0.5;

/// When skips go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Policy {
    /// All before the first step.
    #[default]
    AtOnce,
    /// One by one from the input.
    Gradual {
        /// Epochs from one to the next.
        every: usize,
        /// Epochs before the first goes.
        first: usize,
    },
    /// One by one from the input every three epochs, the first after the third, as Tailor does it (Weng et al., ACM
    /// TRETS 2023, doi 10.1145/3624990).
    Tailor,
    /// All fade together, and are gone after this share of the epochs.
    Anneal {
        /// Above 0, up to 1.
        fraction: f64,
    },
    /// One by one in an order by cost, spread evenly over the first two thirds of the epochs.
    Cost,
    /// Each by its label after so many epochs, 0 for before the first step.
    List(Vec<(String, usize)>),
}

/// After how many epochs each skip goes: 0 is before the first step. `skips` are labels from the input on, or for
/// [`Policy::Cost`] in the order in which they are to go. With `n` skips, skip `i` from 0 goes after
///
/// - 0 epochs with [`Policy::AtOnce`]; `first + i * every` with [`Policy::Gradual`], where Tailor has 3 and 3;
/// - `round(fraction * epochs)`, at least 1, with [`Policy::Anneal`]: it is 0 by then;
/// - `(i + 1) * (2 * epochs / 3) / n`, each quotient rounded down, with [`Policy::Cost`].
///
/// # Errors
/// A skip that would go when no epoch is left to learn without it; a list that has other skips than the network.
pub fn epochs_of_removals(
    policy: &Policy,
    skips: &[String],
    epochs: usize,
) -> Result<BTreeMap<String, usize>, Diagnostics> {
    let one_by_one = |first: usize, every: usize, i: usize| first.saturating_add(every.saturating_mul(i));
    let at = |i: usize| match *policy {
        Policy::AtOnce => 0,
        Policy::Gradual { every, first } => one_by_one(first, every, i),
        Policy::Tailor => one_by_one(EPOCHS_A_SKIP, EPOCHS_A_SKIP, i),
        Policy::Anneal { fraction } => ((fraction * epochs as f64).round() as usize).max(1),
        Policy::Cost => (i + 1) * (epochs.saturating_mul(2) / 3) / skips.len(),
        Policy::List(_) => usize::MAX,
    };
    let found: BTreeMap<String, usize> = match policy {
        Policy::List(list) => listed(list, skips)?,
        _ => skips.iter().cloned().enumerate().map(|(i, skip)| (skip, at(i))).collect(),
    };
    let mut faults = Diagnostics::default();
    for (skip, &epoch) in found.iter().filter(|(_, epoch)| **epoch >= epochs) {
        faults.push(Diagnostic::new(
            "distill/removal",
            format!("skip {skip} after epoch {epoch} of {epochs}, by the policy {policy}"),
            "no epoch is left to learn without it",
            "train for more epochs, or let skips go sooner, as gradual:1 or at-once do",
        ));
    }
    faults.or(found)
}

/// A list that has each skip once.
fn listed(list: &[(String, usize)], skips: &[String]) -> Result<BTreeMap<String, usize>, Diagnostics> {
    let mut faults = Diagnostics::default();
    let mut fault = |skip: &str, why: &str| {
        let remedy = format!("list each of {} once", skips.join(", "));
        faults.push(Diagnostic::new("distill/removal", format!("skip {skip} of the policy"), why, remedy));
    };
    let mut found = BTreeMap::new();
    for (skip, epoch) in list {
        if !skips.contains(skip) {
            fault(skip, "no skip that goes is called so");
        } else if found.insert(skip.clone(), *epoch).is_some() {
            fault(skip, "it is listed twice");
        }
    }
    for skip in skips.iter().filter(|skip| !found.contains_key(*skip)) {
        fault(skip, "it is to go, and the list does not say when");
    }
    faults.or(found)
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Policy::AtOnce => write!(f, "at-once"),
            Policy::Gradual { every, first } if every == first => write!(f, "gradual:{every}"),
            Policy::Gradual { every, first } => write!(f, "gradual:{every}:{first}"),
            Policy::Tailor => write!(f, "tailor"),
            Policy::Anneal { fraction } => write!(f, "anneal:{fraction}"),
            Policy::Cost => write!(f, "cost"),
            Policy::List(list) => {
                let entries: Vec<String> =
                    list.iter().map(|(skip, epoch)| format!("{skip}@{epoch}")).collect();
                write!(f, "{}", entries.join(","))
            }
        }
    }
}

impl FromStr for Policy {
    type Err = String;

    /// `gradual:EVERY` begins after `EVERY` epochs, `gradual:EVERY:FIRST` after `FIRST`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let every = |text: &str| text.parse::<usize>().ok().filter(|&every| every > 0);
        let found = match parts[..] {
            ["at-once"] => Some(Policy::AtOnce),
            ["tailor"] => Some(Policy::Tailor),
            ["cost"] => Some(Policy::Cost),
            ["gradual"] => Some(Policy::Gradual { every: EPOCHS_A_SKIP, first: EPOCHS_A_SKIP }),
            ["gradual", n] => every(n).map(|every| Policy::Gradual { every, first: every }),
            ["gradual", n, first] => {
                every(n).zip(first.parse().ok()).map(|(every, first)| Policy::Gradual { every, first })
            }
            ["anneal"] => Some(Policy::Anneal { fraction: FADING }),
            ["anneal", share] => {
                let share = share.parse::<f64>().ok().filter(|&share| share > 0.0 && share < 1.0);
                share.map(|fraction| Policy::Anneal { fraction })
            }
            _ => list(text).map(Policy::List),
        };
        found.ok_or_else(|| {
            format!(
                "\"{text}\" is no policy: at-once, gradual or gradual:3 with the epochs between two removals, tailor, \
                 anneal or anneal:0.4 with a share of the epochs between 0 and 1, cost, or skips with the epochs after \
                 which they go, 1@3,2@6"
            )
        })
    }
}

/// Skips with epochs, `1@3,2@6`.
fn list(text: &str) -> Option<Vec<(String, usize)>> {
    let entry = |entry: &str| {
        let (skip, epoch) = entry.trim().rsplit_once('@').filter(|(skip, _)| !skip.is_empty())?;
        Some((skip.to_string(), epoch.parse().ok()?))
    };
    text.split(',').map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::{Policy, epochs_of_removals};

    fn skips(n: usize) -> Vec<String> {
        (1..=n).map(|i| i.to_string()).collect()
    }

    /// Epochs by skip, or the faults.
    fn epochs(policy: &str, n: usize, epochs: usize) -> Result<Vec<usize>, String> {
        let found = epochs_of_removals(&policy.parse().unwrap(), &skips(n), epochs);
        found.map(|map| skips(n).iter().map(|skip| map[skip]).collect()).map_err(|faults| faults.to_string())
    }

    #[test]
    fn each_policy_has_its_epochs() {
        for (policy, wanted) in [
            ("at-once", [0, 0, 0]),
            ("gradual", [3, 6, 9]),
            ("gradual:2", [2, 4, 6]),
            ("gradual:2:0", [0, 2, 4]),
            ("tailor", [3, 6, 9]),
            ("anneal", [6, 6, 6]),
            ("anneal:0.01", [1, 1, 1]),
            ("cost", [2, 5, 8]),
            ("3@1,1@7,2@7", [7, 7, 1]),
        ] {
            assert_eq!(epochs(policy, 3, 12).unwrap(), wanted, "{policy}");
        }
    }

    #[test]
    fn cost_goes_in_the_order_that_is_given() {
        let order = ["9", "4"].map(String::from);
        let found = epochs_of_removals(&Policy::Cost, &order, 30).unwrap();
        assert_eq!([found["9"], found["4"]], [10, 20]);
        assert!(epochs("cost", 7, 1).unwrap().iter().all(|&epoch| epoch == 0));
    }

    #[test]
    fn an_epoch_is_left_after_the_last_removal() {
        assert!(epochs("tailor", 3, 10).is_ok());
        assert!(epochs("tailor", 3, 9).unwrap_err().contains("skip 3 after epoch 9 of 9"));
        assert!(epochs("anneal:0.9", 1, 2).unwrap_err().contains("of 2"));
        assert!(epochs("1@18446744073709551615", 1, 9).unwrap_err().contains("no epoch is left"));
        assert!(epochs("gradual:18446744073709551615", 3, 9).unwrap_err().contains("no epoch is left"));
        assert!(epochs("cost", 0, 0).unwrap().is_empty());
    }

    #[test]
    fn a_list_has_each_skip_once() {
        assert!(epochs("1@3", 2, 12).unwrap_err().contains("skip 2 of the policy"));
        assert!(epochs("1@3,2@3,1@4", 2, 12).unwrap_err().contains("twice"));
        assert!(epochs("1@3,2@3,x@4", 2, 12).unwrap_err().contains("skip x of the policy"));
    }

    #[test]
    fn policies_are_read_as_they_are_written() {
        for text in
            ["at-once", "gradual:3", "gradual:3:0", "tailor", "anneal:0.4", "cost", "1@3,2@6", "a@b@3"]
        {
            assert_eq!(text.parse::<Policy>().unwrap().to_string(), text);
        }
        for text in
            ["", "gradual:0", "gradual:x", "anneal:0", "anneal:1", "anneal:NaN", "1@", "@3", "1@3,", "1"]
        {
            assert!(text.parse::<Policy>().unwrap_err().contains("no policy"), "{text}");
        }
    }
}
