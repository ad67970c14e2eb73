//! A training on disk: what is needed to go on as if it had never stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use serde_json::json;

use super::checkpoint::Checkpoint;
use super::history::History;
use super::state::State;

/// A training between two steps.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    /// A digest of what it is a training of.
    pub(super) key: String,
    /// Epochs that are done.
    pub(super) epochs: usize,
    /// What is done of the next one.
    pub(super) part: Part,
    pub(super) state: State,
    pub(super) optimiser: Vec<(String, Vec<f32>)>,
    /// Epoch, accuracy and state of the best one.
    pub(super) best: Option<(usize, f64, State)>,
    /// What there was before the last skips went, where they may have to come back.
    pub(super) before: Option<Before>,
    /// Skips that came back.
    pub(super) restored: BTreeSet<String>,
    /// Accuracy of the network as given.
    pub(super) given: f64,
    /// What later accuracies are held against: that of the network with its skips, trained until the first goes.
    pub(super) mark: f64,
    /// Accuracy of the state.
    pub(super) now: f64,
    pub(super) history: History,
}

/// An epoch so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    pub(super) steps: usize,
    /// Sum over its steps.
    pub(super) loss: f64,
    /// Images that were right.
    pub(super) right: usize,
}

/// A training before skips went.
#[derive(Clone, Debug)]
pub(super) struct Before {
    pub(super) labels: Vec<String>,
    pub(super) state: State,
    pub(super) optimiser: Vec<(String, Vec<f32>)>,
    /// Epochs that were done, and the accuracy after the last of them.
    pub(super) epoch: usize,
    pub(super) validation: f64,
}

impl Saved {
    pub(super) fn new(key: String, history: History, given: f64) -> Saved {
        let (state, optimiser) = (State::default(), Vec::new());
        Saved {
            key,
            epochs: 0,
            part: Part::default(),
            state,
            optimiser,
            best: None,
            before: None,
            restored: BTreeSet::new(),
            given,
            mark: given,
            now: given,
            history,
        }
    }
}

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn add<'a>(tensors: &mut Tensors, kind: &str, all: impl IntoIterator<Item = (&'a String, &'a Vec<f32>)>) {
    for (name, numbers) in all {
        tensors.insert(format!("{kind}/{name}"), (vec![numbers.len()], numbers.clone()));
    }
}

fn taken(tensors: &Tensors, kind: &str) -> BTreeMap<String, Vec<f32>> {
    let of = |(key, (_, numbers)): (&String, &(Vec<usize>, Vec<f32>))| {
        Some((key.strip_prefix(kind)?.strip_prefix('/')?.to_string(), numbers.clone()))
    };
    tensors.iter().filter_map(of).collect()
}

pub(super) fn write(saved: &Saved, path: &Path) -> Result<(), Diagnostic> {
    let mut tensors = Tensors::new();
    add(&mut tensors, "parameter", &saved.state.parameters);
    add(&mut tensors, "statistic", &saved.state.statistics);
    add(&mut tensors, "optimiser", saved.optimiser.iter().map(|(name, numbers)| (name, numbers)));
    if let Some((_, _, best)) = &saved.best {
        add(&mut tensors, "best/parameter", &best.parameters);
        add(&mut tensors, "best/statistic", &best.statistics);
    }
    if let Some(before) = &saved.before {
        add(&mut tensors, "before/parameter", &before.state.parameters);
        add(&mut tensors, "before/statistic", &before.state.statistics);
        add(&mut tensors, "before/optimiser", before.optimiser.iter().map(|(name, numbers)| (name, numbers)));
    }
    let facts = json!({
        "training": saved.key,
        "epochs": saved.epochs,
        "part": [saved.part.steps as u64, saved.part.loss.to_bits(), saved.part.right as u64],
        // As bits, which come back as they were.
        "given": saved.given.to_bits(),
        "mark": saved.mark.to_bits(),
        "now": saved.now.to_bits(),
        "best": saved.best.as_ref().map(|(epoch, accuracy, _)| (epoch, accuracy.to_bits())),
        "before": saved.before.as_ref().map(|before| (&before.labels, before.epoch, before.validation.to_bits())),
        "restored": saved.restored,
        "history": saved.history.to_json(),
    });
    Checkpoint { tensors, facts }.write(path)
}

pub(super) fn read(path: &Path, key: &str) -> Result<Saved, Diagnostics> {
    let Checkpoint { tensors, facts } = Checkpoint::read(path)?;
    if facts["training"].as_str() != Some(key) {
        return Err(not_of_this("another network, plan, recipe or data made it").into());
    }
    let missing = |what: &str| Diagnostics::from(not_of_this(&format!("it does not say \"{what}\"")));
    let epochs = facts["epochs"].as_u64().ok_or_else(|| missing("epochs"))? as usize;
    let part = match [0, 1, 2].map(|i| facts["part"][i].as_u64()) {
        [Some(steps), Some(loss), Some(right)] => {
            Part { steps: steps as usize, loss: f64::from_bits(loss), right: right as usize }
        }
        _ => return Err(missing("part")),
    };
    let given = facts["given"].as_u64().map(f64::from_bits).ok_or_else(|| missing("given"))?;
    let mark = facts["mark"].as_u64().map(f64::from_bits).ok_or_else(|| missing("mark"))?;
    let now = facts["now"].as_u64().map(f64::from_bits).ok_or_else(|| missing("now"))?;
    let history = facts["history"].as_str().ok_or_else(|| missing("history"))?;
    let history = History::from_json(history).map_err(|why| not_of_this(&why))?;
    let state = |kind: &str| State {
        parameters: taken(&tensors, &format!("{kind}parameter")),
        statistics: taken(&tensors, &format!("{kind}statistic")),
    };
    let best = match (facts["best"][0].as_u64(), facts["best"][1].as_u64().map(f64::from_bits)) {
        (Some(epoch), Some(accuracy)) => Some((epoch as usize, accuracy, state("best/"))),
        _ => None,
    };
    let words = |list: &serde_json::Value| -> Vec<String> {
        let words = list.as_array().into_iter().flatten();
        words.filter_map(|word| word.as_str().map(str::to_string)).collect()
    };
    let before = match (facts["before"][1].as_u64(), facts["before"][2].as_u64().map(f64::from_bits)) {
        (Some(epoch), Some(validation)) => Some(Before {
            labels: words(&facts["before"][0]),
            state: state("before/"),
            optimiser: taken(&tensors, "before/optimiser").into_iter().collect(),
            epoch: epoch as usize,
            validation,
        }),
        _ => None,
    };
    let restored = words(&facts["restored"]).into_iter().collect();
    let optimiser = taken(&tensors, "optimiser").into_iter().collect();
    Ok(Saved {
        key: key.to_string(),
        epochs,
        part,
        state: state(""),
        optimiser,
        best,
        before,
        restored,
        given,
        mark,
        now,
        history,
    })
}

pub(super) fn not_of_this(why: &str) -> Diagnostic {
    Diagnostic::new(
        "distill/resume",
        "the checkpoint is not one of this training",
        why,
        "resume with the flags that it was begun with, or begin anew without --resume",
    )
}
