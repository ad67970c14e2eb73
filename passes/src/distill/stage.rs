//! What is trained in an epoch: the network as far as the plan has been carried out, its step of training, and what
//! teaches it, made ready to run.

use std::collections::{BTreeMap, BTreeSet};

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, Network, Op};
use nonresc_ir::tensor::Tensor;
use rayon::prelude::*;

use super::batches::Batches;
use super::group::Group;
use super::recipe::{Losses, Recipe};
use super::state::State;
use super::step::{Step, Terms};
use super::student::{Student, bare, scored, scored_copy};
use crate::accuracy::place;
use crate::engine::{Engine, Frames, Given, Session, showing};
use crate::plan::{Plan, Rewrite, apply};
use crate::residual::Skips;

/// Images that are judged at a time.
const IMAGES_AT_A_TIME: usize = 512;
/// Shards that statistics are estimated from after a change.
const SHARDS_OF_STATISTICS: usize = 24;

/// A network with skips, and what is to become of them.
#[derive(Clone, Copy, Debug)]
pub struct Goal<'a> {
    /// The network in normal form, all its skips in it.
    pub normal: &'a Network,
    /// Its skips.
    pub skips: &'a Skips,
    /// What becomes of each in the end.
    pub plan: &'a Plan,
}

impl Goal<'_> {
    /// Labels of the skips whose rewrite changes the function, from the input on.
    pub fn changing(&self) -> Vec<String> {
        self.plan.changing().map(|entry| entry.skip.clone()).collect()
    }

    /// The network once the skips of these labels have changed; sums that fade, as places in it.
    fn after(
        &self,
        changed: &BTreeSet<String>,
        fades: bool,
    ) -> Result<(Network, Vec<(NodeId, u16)>), Diagnostics> {
        let mut plan = self.plan.clone();
        for entry in &mut plan.skips {
            if entry.rewrite.keeps_function() || !changed.contains(&entry.skip) {
                entry.rewrite = Rewrite::Keep;
            }
        }
        let mut network = self.normal.clone();
        let planned = apply(&mut network, self.skips, plan)?;
        let fading =
            |label: &str| fades && !changed.contains(label) && self.plan.rewrite(label) == Rewrite::Remove;
        let places =
            planned.skips.iter().filter(|skip| fading(&skip.label)).map(|skip| (skip.join, skip.operand));
        Ok((network, places.collect()))
    }
}

/// A network ready to be trained.
pub struct Stage {
    /// The network in normal form.
    pub planned: Network,
    /// The same, to be trained.
    pub student: Student,
    /// One step of it.
    pub step: Step,
    session: Box<dyn Session>,
    teacher: Option<Teacher>,
    /// Images of a shard.
    shard: usize,
}

/// What a step found on one shard.
#[derive(Clone, Debug)]
pub struct Found {
    /// The loss, a mean over images.
    pub loss: f64,
    /// Images whose class had the best score.
    pub right: usize,
    /// By parameter, in the step's order.
    pub gradients: Vec<Vec<f32>>,
    /// By statistic, in the step's order.
    pub statistics: Vec<Vec<f32>>,
}

impl Found {
    /// All of it as one message. Losses are outputs of 32 bits, and come back as they were.
    fn numbers(&self) -> impl Iterator<Item = f32> {
        let vectors = self.gradients.iter().chain(&self.statistics).flatten().copied();
        [self.loss as f32, self.right as f32].into_iter().chain(vectors)
    }
}

/// Weights and factors of one step.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The losses.
    pub losses: &'a Losses,
    /// How far the training has come, 0 to 1.
    pub progress: f64,
    /// What fading skips are multiplied by.
    pub fade: f64,
}

/// A frozen network that scores the same images.
struct Teacher {
    session: Box<dyn Session>,
}

impl Stage {
    /// The network once the skips of these labels have changed, for shards of so many images on an engine.
    ///
    /// # Errors
    /// Plans that do not fit, operators without gradient.
    pub fn new(
        goal: &Goal<'_>,
        changed: &BTreeSet<String>,
        fades: bool,
        recipe: &Recipe,
        teacher: Option<&Network>,
        (engine, shard): (Engine, usize),
    ) -> Result<Stage, Diagnostics> {
        let (planned, places) = goal.after(changed, fades)?;
        let student = match recipe.learn_scales {
            true => Student::learning_scales(&planned, &places)?,
            false => Student::new(&planned, &places)?,
        };
        let losses = &recipe.losses;
        let (features, taught): (Vec<NodeId>, Vec<NodeId>) = match (teacher, losses.features.value > 0.0) {
            (Some(teacher), true) => block_ends(goal, teacher, &student.network).into_iter().unzip(),
            _ => Default::default(),
        };
        let terms = Terms { features, ..Terms::of(losses) };
        let step = Step::new(&student, shard, &terms)?;
        let session = engine.load(&step.network)?;
        let teacher = match teacher {
            Some(teacher) if terms.needs_scores() || !terms.features.is_empty() => {
                Some(Teacher::new(teacher, &terms, &taught, (engine, shard))?)
            }
            _ => None,
        };
        Ok(Stage { planned, student, step, session, teacher, shard })
    }

    /// Loss, gradients and statistics of a batch of whole shards, shard by shard: each process of a group computes some of
    /// them and has all.
    ///
    /// # Errors
    /// What the engine refuses; where another process failed.
    pub fn run(
        &self,
        images: &(dyn Fn(usize) -> (Tensor, Tensor) + Sync),
        shards: usize,
        state: &State,
        setting: &Setting<'_>,
        group: &Group,
    ) -> Result<Vec<Found>, Diagnostics> {
        let shared = self.shared(state, setting)?;
        let own = group.part(shards).into_par_iter().map(|shard| self.shard(images(shard), &shared));
        let own: Vec<Result<Found, Diagnostics>> = own.collect();
        let own: Vec<Found> = own.into_iter().collect::<Result<_, _>>()?;
        if group.size() == 1 {
            return Ok(own);
        }
        let all = group.share(own.iter().flat_map(Found::numbers))?;
        drop(own);
        let found: Vec<Found> = all.iter().flat_map(|numbers| self.found(numbers)).collect();
        if found.len() == shards { Ok(found) } else { Err(group.apart().into()) }
    }

    /// What was found on shards whose [numbers](Found::numbers) these are.
    fn found(&self, numbers: &[f32]) -> Vec<Found> {
        let network = &self.step.network;
        // Before them are the loss and the scores.
        let lengths: Vec<usize> =
            network.outputs()[2..].iter().map(|port| network.ty(port.value).shape.len()).collect();
        let of_shard = |mut numbers: &[f32]| {
            let mut next = |length: usize| numbers.split_off(..length).unwrap_or_default().to_vec();
            let head = next(2);
            let mut vectors = lengths.iter().map(|&length| next(length));
            let gradients = vectors.by_ref().take(self.step.parameters.len()).collect();
            let statistics = vectors.collect();
            Found { loss: head[0].into(), right: head[1] as usize, gradients, statistics }
        };
        numbers.chunks_exact(2 + lengths.iter().sum::<usize>()).map(of_shard).collect()
    }

    /// The inputs that all shards have in common: weights of losses, factors of skips, parameters.
    fn shared(&self, state: &State, setting: &Setting<'_>) -> Result<Vec<Tensor>, Diagnostics> {
        let Setting { losses, progress, fade } = *setting;
        let weight = |loss: &&'static str| match *loss {
            "logits" => losses.logits.at(progress),
            "soft" => losses.soft.at(progress),
            "features" => losses.features.at(progress),
            _ => losses.hard.at(progress),
        };
        let weights = self.step.losses.iter().map(weight);
        let scalars = weights
            .chain(self.student.fades.iter().map(|_| fade))
            .map(|number| Tensor::f32([], vec![number as f32]));
        let inputs = self.step.network.inputs();
        let types = inputs[inputs.len() - self.step.parameters.len()..]
            .iter()
            .map(|p| self.step.network.ty(p.node.into()));
        let parameters = self.step.parameters.iter().zip(types).map(|(name, ty)| {
            let numbers = self.student.used(name, state.parameters.get(name)?);
            Tensor::f32(ty.shape.clone(), numbers)
        });
        scalars.chain(parameters).collect::<Option<Vec<Tensor>>>().ok_or_else(|| lacking().into())
    }

    fn shard(&self, (images, labels): (Tensor, Tensor), shared: &[Tensor]) -> Result<Found, Diagnostics> {
        let taught = match &self.teacher {
            Some(teacher) => teacher.session.run(std::slice::from_ref(&images))?,
            None => Vec::new(),
        };
        let wanted = labels.clone();
        let inputs: Vec<Tensor> =
            [images, labels].into_iter().chain(taught).chain(shared.iter().cloned()).collect();
        let mut outputs = self.session.run(&inputs)?.into_iter();
        let (Some(loss), Some(scores)) = (outputs.next(), outputs.next()) else {
            return Err(lacking().into());
        };
        let gradients = outputs.by_ref().take(self.step.parameters.len()).map(|t| t.to_f32()).collect();
        let statistics = outputs.map(|t| t.to_f32()).collect();
        let right = right(&scores, &wanted);
        Ok(Found { loss: loss.to_f64()[0], right, gradients, statistics })
    }

    /// The mean gradient of shards, by parameter; summed in their order.
    pub fn gradients(&self, found: &[Found]) -> BTreeMap<String, Vec<f32>> {
        let part = 1.0 / found.len() as f32;
        let mean = |i: usize| {
            let mut sum = found[0].gradients[i].clone();
            for other in &found[1..] {
                sum.iter_mut().zip(&other.gradients[i]).for_each(|(sum, g)| *sum += g);
            }
            sum.iter_mut().for_each(|g| *g *= part);
            sum
        };
        self.step.parameters.iter().enumerate().map(|(i, name)| (name.clone(), mean(i))).collect()
    }

    /// Estimates the statistics of all batch norms anew, from images as they are.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn settle(
        &self,
        batches: &Batches,
        state: &mut State,
        setting: &Setting<'_>,
        group: &Group,
    ) -> Result<(), Diagnostics> {
        if self.step.statistics.is_empty() {
            return Ok(());
        }
        let order = batches.epoch_order(0);
        let shards = (order.len() / self.shard).min(SHARDS_OF_STATISTICS);
        let images = |shard: usize| batches.plain(&order[shard * self.shard..][..self.shard]);
        let found = self.run(&images, shards, state, setting, group)?;
        self.follow(&found, state, 1.0);
        Ok(())
    }

    /// Moves the statistics by a share towards the mean of those found.
    pub fn follow(&self, found: &[Found], state: &mut State, share: f64) {
        for (i, name) in self.step.statistics.iter().enumerate() {
            let Some(numbers) = state.statistics.get_mut(name) else { continue };
            for (c, number) in numbers.iter_mut().enumerate() {
                let mean =
                    found.iter().map(|f| f64::from(f.statistics[i][c])).sum::<f64>() / found.len() as f64;
                *number = (f64::from(*number) * (1.0 - share) + mean * share) as f32;
            }
        }
    }

    /// The share of images that the network is right about.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn accuracy(
        &self,
        batches: &Batches,
        indices: &[usize],
        state: &State,
        fade: f64,
        group: &Group,
    ) -> Result<f64, Diagnostics> {
        let network = match self.student.fades.len() {
            0 => {
                let mut network = scored_copy(&self.planned)?;
                state.apply(&mut network)?;
                network
            }
            skips => self.student.holding(state, &vec![fade; skips])?,
        };
        accuracy(&network, batches, indices, group)
    }
}

/// The share of images that a network with one output, a score a class, is right about; each process looks at some.
pub(super) fn accuracy(
    network: &Network,
    batches: &Batches,
    indices: &[usize],
    group: &Group,
) -> Result<f64, Diagnostics> {
    let mut network = network.clone();
    bare(&mut Edit::new(&mut network));
    let frames = Frames::new(&network, Engine::Native)?;
    let mut count = 0;
    for indices in indices[group.part(indices.len())].chunks(IMAGES_AT_A_TIME) {
        let (images, labels) = batches.plain(indices);
        let outputs = frames.run(&Given::from([("input".to_string(), images)]))?;
        count += right(&outputs[0].1, &labels);
    }
    Ok(group.total(count)? as f64 / indices.len().max(1) as f64)
}

/// Images whose class has the best score; `labels` are 1 for it and 0 for all others.
fn right(scores: &Tensor, labels: &Tensor) -> usize {
    let (classes, scores, labels) = (labels.shape().0[1], scores.to_f64(), labels.to_f64());
    let is_right = |(scores, labels): &(&[f64], &[f64])| {
        labels.iter().position(|&x| x == 1.0).is_some_and(|label| place(scores, label) == Some(0))
    };
    scores.chunks_exact(classes).zip(labels.chunks_exact(classes)).filter(is_right).count()
}

/// The mean loss of shards.
pub fn mean_loss(found: &[Found]) -> f64 {
    found.iter().map(|found| found.loss).sum::<f64>() / found.len() as f64
}

/// What stands behind the sum of each skip, by name, where both have it: in the network that is trained and in its
/// teacher.
fn block_ends(goal: &Goal<'_>, teacher: &Network, student: &Network) -> BTreeSet<(NodeId, NodeId)> {
    let end = |join: NodeId| match goal.normal.sole_reader(join.into()) {
        Some(reader) if matches!(goal.normal.op(reader), Op::Relu(_) | Op::Clip(_) | Op::LeakyRelu(_)) => {
            reader
        }
        _ => join,
    };
    let same = |network: &Network, node: NodeId| {
        let (op, name) = (goal.normal.op(node), goal.normal.node(node).names.first()?);
        let is_same =
            |&other: &NodeId| network.op(other) == op && network.node(other).names.first() == Some(name);
        network.node_ids().find(is_same)
    };
    goal.skips
        .iter()
        .map(|skip| end(skip.join))
        .filter_map(|end| {
            let (own, other) = (same(student, end)?, same(teacher, end)?);
            let [a, b] = [student.ty(own.into()), teacher.ty(other.into())].map(|ty| ty.shape.0.get(1..));
            (a == b).then_some((own, other))
        })
        .collect()
}

impl Teacher {
    fn new(
        network: &Network,
        terms: &Terms,
        taught: &[NodeId],
        (engine, shard): (Engine, usize),
    ) -> Result<Teacher, Diagnostics> {
        let mut network = network.clone();
        let scores = scored(&mut network)?;
        bare(&mut Edit::new(&mut network));
        let shown = terms.needs_scores().then_some(scores);
        let values = shown.into_iter().chain(taught.iter().map(|&node| Value::from(node)));
        let mut network = showing(&network, values);
        Edit::new(&mut network).set_batch(shard).map_err(|error| {
            Diagnostic::new(
                "distill/teacher",
                "the teacher",
                error.to_string(),
                "give one that takes any batch",
            )
        })?;
        Ok(Teacher { session: engine.load(&network)? })
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("step", &self.step).finish_non_exhaustive()
    }
}

fn lacking() -> Diagnostic {
    Diagnostic::new(
        "distill/state",
        "a step of training",
        "a parameter is missing or of another shape",
        "report this as a fault of nonresc",
    )
}
