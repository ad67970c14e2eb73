//! The training itself: epoch by epoch, from the network as given to the one without its skips.
//!
//! Needs: a goal, images, a recipe. Gives: the best state by validation among the epochs in which nothing of the network
//! changed any more, and the history. The same goal, images and recipe give the same bytes, whatever the number of cores
//! and of processes: shards have a size of their own, and their gradients are summed in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::network::{Network, digest};

use super::batches::Batches;
use super::claim::Claim;
use super::group::Group;
use super::history::{History, Row};
use super::optimiser::Optimiser;
use super::recipe::Recipe;
use super::removals::{Policy, epochs_of_removals};
use super::save::{self, Before, Part, Saved};
use super::schedule::Schedule;
use super::stage::{Found, Goal, Setting, Stage, accuracy, mean_loss};
use super::state::State;
use super::student::scored_copy;
use crate::engine::Engine;

/// Images from which the first statistics come.
const IMAGES_OF_STATISTICS: usize = 1024;
/// Share by which statistics follow a batch.
const FOLLOWING: f64 = 0.1;

/// Everything a training is made of.
#[derive(Clone, Debug)]
pub struct Task<'a> {
    /// The network and its plan.
    pub goal: Goal<'a>,
    /// The network that teaches, in normal form, where one does.
    pub teacher: Option<&'a Network>,
    /// The images.
    pub batches: &'a Batches,
    /// The recipe.
    pub recipe: &'a Recipe,
    /// What computes the steps.
    pub engine: Engine,
    /// The skips that change in the order in which they go, for the policy by cost.
    pub order: Vec<String>,
    /// Where the state is written after each epoch, and where training is stopped.
    pub checkpoint: Option<PathBuf>,
    /// Whether to go on from there.
    pub resume: bool,
    /// The processes that train together; the first of them writes the state.
    pub group: &'a Group,
}

/// What is told while a training runs.
#[derive(Clone, Debug)]
pub enum Progress<'a> {
    /// A step is done.
    Step {
        /// Epochs that are done.
        epoch: usize,
        /// Steps of this epoch that are done, and how many there are.
        steps: (usize, usize),
        /// Mean loss of the epoch so far.
        loss: f64,
        /// Share of training images that were right in this epoch so far.
        accuracy: f64,
    },
    /// An epoch is done.
    Epoch(&'a Row),
}

/// What a training gave.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The best state.
    pub state: State,
    /// The epoch that it is of, from 1.
    pub epoch: usize,
    /// Its accuracy on the images for validation.
    pub validation: f64,
    /// Accuracy of the network as given, on the same images.
    pub given: f64,
    /// Skips that were to change and did not, since too much accuracy went with them.
    pub restored: BTreeSet<String>,
    /// All epochs.
    pub history: History,
    /// Whether all epochs were trained; else it was stopped, and can be resumed.
    pub whole: bool,
}

/// Trains.
///
/// # Errors
/// Recipes and plans that do not fit, numbers that are none, files that cannot be written, a checkpoint that another
/// training writes.
pub fn train(
    task: &Task<'_>,
    watch: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
) -> Result<Trained, Diagnostics> {
    task.recipe.check()?;
    let _claim = task.written().map(Claim::new).transpose()?;
    let mut trainer = Trainer::new(task)?;
    let mut whole = true;
    for epoch in trainer.saved.epochs..task.recipe.epochs {
        trainer.change(epoch)?;
        let row = match trainer.epoch(epoch, watch)? {
            ControlFlow::Continue(row) => row,
            ControlFlow::Break(()) => {
                whole = false;
                trainer.write()?;
                break;
            }
        };
        let row = trainer.judge(epoch, row);
        trainer.saved.history.push(row.clone());
        trainer.saved.epochs = epoch + 1;
        trainer.write()?;
        if watch(&Progress::Epoch(&row)).is_break() {
            task.group.ask();
        }
        if task.group.stops() {
            whole = trainer.saved.epochs == task.recipe.epochs;
            break;
        }
    }
    let Saved { best, history, given, state, epochs, restored, .. } = trainer.saved;
    let (epoch, validation, state) =
        best.unwrap_or_else(|| (epochs, history.rows().last().map_or(given, |row| row.validation), state));
    Ok(Trained { state, epoch, validation, given, restored, history, whole })
}

impl Task<'_> {
    /// Where this process writes the state.
    fn written(&self) -> Option<&Path> {
        self.checkpoint.as_deref().filter(|_| self.group.is_first())
    }
}

struct Trainer<'a> {
    task: &'a Task<'a>,
    /// Images of a shard: the most that part a batch evenly.
    shard: usize,
    schedule: Schedule,
    /// After how many epochs each skip goes.
    removals: BTreeMap<String, usize>,
    optimiser: Optimiser,
    stage: Option<(BTreeSet<String>, Stage)>,
    saved: Saved,
}

impl<'a> Trainer<'a> {
    fn new(task: &'a Task<'a>) -> Result<Self, Diagnostics> {
        let Task { goal, batches, recipe, group, .. } = task;
        let images = batches.training().len();
        if images < recipe.batch {
            return Err(few_images(images, recipe.batch).into());
        }
        let order = match recipe.policy {
            Policy::Cost => task.order.clone(),
            _ => goal.changing(),
        };
        let removals = epochs_of_removals(&recipe.policy, &order, recipe.epochs)?;
        let steps_an_epoch = images / recipe.batch;
        let schedule = Schedule {
            base: recipe.rate,
            decay: recipe.decay,
            warmup: recipe.warmup,
            steps_an_epoch,
            steps: steps_an_epoch * recipe.epochs,
            judged: recipe.max_drop.is_some(),
        };
        let shard =
            (1..=recipe.shard.min(recipe.batch)).rev().find(|n| recipe.batch.is_multiple_of(*n)).unwrap_or(1);
        let shards = recipe.batch / shard;
        if group.size() > shards {
            return Err(few_shards(shards, shard, group.size()).into());
        }
        let mut optimiser = Optimiser::new(recipe.method, recipe.weight_decay, recipe.clip_norm);
        let key = key(task);
        let before = match (&task.checkpoint, task.resume) {
            (Some(path), true) => Some(save::read(path, &key)?),
            _ => None,
        };
        let saved = match before {
            Some(saved) => {
                let restored = optimiser.restore(&saved.state.parameters, saved.optimiser.clone());
                restored.map_err(|why| save::not_of_this(&why))?;
                saved
            }
            None => {
                let given = accuracy(&scored_copy(goal.normal)?, batches, batches.validation(), group)?;
                Saved::new(key, History::new(Recipe::clone(recipe)), given)
            }
        };
        let Saved { key, epochs, part, given, .. } = &saved;
        group.agree(&format!("{key} {removals:?} {epochs} {} {}", part.steps, given.to_bits()))?;
        Ok(Trainer { task, shard, schedule, removals, optimiser, stage: None, saved })
    }

    /// The labels that have gone before an epoch.
    fn gone(&self, epoch: usize) -> BTreeSet<String> {
        let gone = |(label, at): &(&String, &usize)| **at <= epoch && !self.saved.restored.contains(*label);
        self.removals.iter().filter(gone).map(|(label, _)| label.clone()).collect()
    }

    fn setting(&self, step: usize) -> Setting<'a> {
        let fade = match self.task.recipe.policy {
            Policy::Anneal { .. } => {
                let last = self.removals.values().max().copied().unwrap_or(0) * self.schedule.steps_an_epoch;
                (1.0 - step as f64 / last.max(1) as f64).max(0.0)
            }
            _ => 1.0,
        };
        Setting {
            losses: &self.task.recipe.losses,
            progress: step as f64 / self.schedule.steps.max(1) as f64,
            fade,
        }
    }

    /// Keeps the state on disk, where a checkpoint is asked for.
    fn write(&mut self) -> Result<(), Diagnostics> {
        if let Some(path) = self.task.written() {
            self.saved.optimiser = self.optimiser.state();
            save::write(&self.saved, path)?;
        }
        Ok(())
    }

    /// Carries out what the plan says of this epoch.
    fn change(&mut self, epoch: usize) -> Result<(), Diagnostics> {
        let gone = self.gone(epoch);
        if self.stage.as_ref().is_some_and(|(now, _)| *now == gone) {
            return Ok(());
        }
        let Task { goal, batches, recipe, teacher, .. } = self.task;
        let fades = matches!(recipe.policy, Policy::Anneal { .. });
        let stage = Stage::new(goal, &gone, fades, recipe, *teacher, (self.task.engine, self.shard))?;
        let some = &batches.training()[..batches.training().len().min(IMAGES_OF_STATISTICS)];
        if self.saved.state.parameters.is_empty() {
            // The statistics of the network as given, whatever has gone since.
            self.saved.state.complete(goal.normal, &batches.plain(some).0)?;
            if recipe.learn_scales {
                self.saved.state.take_scales(goal.normal);
            }
            if recipe.scratch {
                self.saved.state.forget(recipe.seed);
            }
        }
        let before = if epoch == 0 { BTreeSet::new() } else { self.gone(epoch - 1) };
        let begins = self.saved.part.steps == 0;
        if begins && (before != gone || epoch == 0) {
            if recipe.max_drop.is_some() && before != gone {
                let labels = gone.difference(&before).cloned().collect();
                let (state, optimiser) = (self.saved.state.clone(), self.optimiser.state());
                let validation = self.saved.now;
                self.saved.before = Some(Before { labels, state, optimiser, epoch, validation });
            }
            self.saved.state.complete(&stage.planned, &batches.plain(some).0)?;
            if recipe.learn_scales {
                self.saved.state.take_scales(&stage.planned);
            }
            self.saved.state.keep_only(&stage.planned);
            let setting = self.setting(epoch * self.schedule.steps_an_epoch);
            stage.settle(batches, &mut self.saved.state, &setting, self.task.group)?;
        }
        self.stage = Some((gone, stage));
        Ok(())
    }

    fn epoch(
        &mut self,
        epoch: usize,
        watch: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<(), Row>, Diagnostics> {
        let Task { batches, recipe, group, .. } = self.task;
        let Some((gone, stage)) = self.stage.take() else { return Ok(ControlFlow::Break(())) };
        let order = batches.epoch_order(epoch);
        let steps = self.schedule.steps_an_epoch;
        let removals: Vec<usize> = self.removals.values().map(|&at| at * steps).collect();
        let Part { steps: from, mut loss, mut right } = std::mem::take(&mut self.saved.part);
        for (i, indices) in order.chunks_exact(recipe.batch).enumerate().skip(from) {
            let step = epoch * steps + i;
            let images = |shard: usize| batches.batch(&indices[shard * self.shard..][..self.shard], epoch);
            let setting = self.setting(step);
            let shards = recipe.batch / self.shard;
            let found = stage.run(&images, shards, &self.saved.state, &setting, group)?;
            let rate = self.schedule.rate(step, &removals);
            self.learn(&stage, &found, rate, (epoch, i))?;
            loss += mean_loss(&found);
            right += found.iter().map(|f| f.right).sum::<usize>();
            let done = i + 1;
            let told = Progress::Step {
                epoch,
                steps: (done, steps),
                loss: loss / done as f64,
                accuracy: right as f64 / (done * recipe.batch) as f64,
            };
            if watch(&told).is_break() {
                group.ask();
            }
            if group.stops() {
                self.saved.part = Part { steps: done, loss, right };
                return Ok(ControlFlow::Break(()));
            }
        }
        let fade = self.setting((epoch + 1) * steps).fade;
        let validation = stage.accuracy(batches, batches.validation(), &self.saved.state, fade, group)?;
        let images = steps * recipe.batch;
        let row = Row {
            epoch: epoch + 1,
            rate: self.schedule.rate((epoch + 1) * steps - 1, &removals),
            loss: loss / steps as f64,
            training: right as f64 / images as f64,
            validation,
            test: None,
            images: ((epoch + 1) * images) as u64,
            removed: self.task.goal.changing().into_iter().filter(|label| gone.contains(label)).collect(),
            notes: Vec::new(),
        };
        self.stage = Some((gone, stage));
        Ok(ControlFlow::Continue(row))
    }

    /// Changes parameters and statistics by what the shards of a step found.
    fn learn(
        &mut self,
        stage: &Stage,
        found: &[Found],
        rate: f64,
        at: (usize, usize),
    ) -> Result<(), Diagnostics> {
        let gradients = stage.gradients(found);
        let decayed = |name: &str| name.ends_with(".weight");
        let norm = self.optimiser.step(rate, &mut self.saved.state.parameters, &gradients, &decayed);
        if !norm.is_finite() || found.iter().any(|f| !f.loss.is_finite()) {
            return Err(no_number(&gradients, &self.saved.state, at).into());
        }
        stage.follow(found, &mut self.saved.state, FOLLOWING);
        Ok(())
    }

    /// Remembers the best epoch; those in which the network was not what it is in the end count for nothing. Where the
    /// skips that went last are due to be judged, and too much accuracy went with them, they and all that was learned
    /// without them are taken back.
    fn judge(&mut self, epoch: usize, mut row: Row) -> Row {
        let last = self.removals.values().max().copied().unwrap_or(0);
        // Of equal ones the last, which learned at the lowest rate.
        let better = self.saved.best.as_ref().is_none_or(|(_, best, _)| row.validation >= *best);
        if epoch >= last && better {
            self.saved.best = Some((epoch + 1, row.validation, self.saved.state.clone()));
        }
        self.saved.now = row.validation;
        if self.removals.values().min() == Some(&(epoch + 1)) {
            self.saved.mark = row.validation;
        }
        let is_due =
            epoch + 1 == self.task.recipe.epochs || self.removals.values().any(|&at| at == epoch + 1);
        let Some(drop) = self.task.recipe.max_drop.filter(|_| is_due) else { return row };
        let reached = match &self.saved.best {
            Some((_, best, _)) if epoch >= last => best.max(row.validation),
            _ => row.validation,
        };
        let Some(before) = self.saved.before.take().filter(|_| reached < self.saved.mark - drop) else {
            return row;
        };
        row.notes.push(format!(
            "skip {} stays: {:.2} % without it, and {:.2} % is the least",
            before.labels.join(", "),
            100.0 * reached,
            100.0 * (self.saved.mark - drop)
        ));
        self.saved.now = before.validation;
        self.saved.restored.extend(before.labels);
        self.saved.state = before.state;
        // What was remembered is that of the same parameters.
        if self.optimiser.restore(&self.saved.state.parameters, before.optimiser).is_err() {
            row.notes.push("the optimiser begins anew".into());
        }
        self.saved.best =
            (epoch >= last).then(|| (before.epoch, before.validation, self.saved.state.clone()));
        self.stage = None;
        row
    }
}

/// A digest of what a checkpoint must be of: the network, the plan, the teacher, the images and the recipe.
fn key(task: &Task<'_>) -> String {
    let recipe = serde_json::to_string(task.recipe).unwrap_or_default();
    let teacher = task.teacher.map(digest).unwrap_or_default();
    let images = task.batches.training().len();
    let (network, plan) = (digest(task.goal.normal), task.goal.plan.to_json());
    let whole = format!("{network} {plan} {teacher} {images} {recipe}");
    blake3::hash(whole.as_bytes()).to_hex().to_string()
}

fn few_images(images: usize, batch: usize) -> Diagnostic {
    Diagnostic::new(
        "distill/images",
        format!("{images} images to train on"),
        format!("a batch has {batch}"),
        format!("give more images, or take smaller batches: --batch {}", images.clamp(1, 32)),
    )
}

fn few_shards(shards: usize, images: usize, processes: usize) -> Diagnostic {
    Diagnostic::new(
        "distill/group",
        format!("training in {processes} processes"),
        format!("shards of a batch have {images} images, so there is work for {shards}"),
        format!("start {shards} at most, or take larger batches: --batch {}", processes * images),
    )
}

fn no_number(
    gradients: &BTreeMap<String, Vec<f32>>,
    state: &State,
    (epoch, step): (usize, usize),
) -> Diagnostic {
    let broken = |(_, numbers): &(&String, &Vec<f32>)| numbers.iter().any(|x| !x.is_finite());
    let parameter = state.parameters.iter().find(broken).map(|(name, _)| format!("parameter \"{name}\""));
    let gradient = || gradients.iter().find(broken).map(|(name, _)| format!("the gradient of \"{name}\""));
    let first = parameter.or_else(gradient).unwrap_or_else(|| "the loss".into());
    Diagnostic::new(
        "distill/number",
        format!("epoch {}, step {}", epoch + 1, step + 1),
        format!("{first} is no finite number"),
        "take a lower --rate, or shorter gradients: --clip-norm 1",
    )
}
