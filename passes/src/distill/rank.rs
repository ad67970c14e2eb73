//! Which skip goes first: the one that costs most for what its going does to the loss.
//!
//! Needs: what each skip costs, in any unit, and images. Gives: the labels in the order in which they go. What a skip's
//! going hurts is the loss of the network without it alone, before anything is learned, its batch norms settled on the
//! same images, less the loss of the network as given.

use std::collections::{BTreeMap, BTreeSet};

use nonresc_ir::diagnostic::Diagnostics;

use super::batches::Batches;
use super::group::Group;
use super::recipe::{Losses, Recipe};
use super::stage::{Goal, Setting, Stage, mean_loss};
use super::state::State;
use crate::engine::Engine;

/// Shards that the loss is measured on.
const SHARDS: usize = 16;
/// Images of a shard.
const IMAGES: usize = 32;
/// A skip whose going does no harm counts as hurting so much.
const LEAST_HARM: f64 = 1e-4;

/// The changing skips of a goal, most cost for each unit of harm first; equal ones from the input on.
///
/// # Errors
/// What [`Stage::new`] refuses, and as [`Stage::run`].
pub fn rank(
    goal: &Goal<'_>,
    batches: &Batches,
    costs: &BTreeMap<String, f64>,
    group: &Group,
) -> Result<Vec<String>, Diagnostics> {
    let mut state = State::default();
    let some = &batches.training()[..batches.training().len().min(SHARDS * IMAGES)];
    state.complete(goal.normal, &batches.plain(some).0)?;
    let shard = IMAGES.min(some.len());
    let loss = |gone: BTreeSet<String>| -> Result<f64, Diagnostics> {
        let losses = Losses::default();
        let setting = Setting { losses: &losses, progress: 0.0, fade: 1.0 };
        let recipe = Recipe { losses, ..Recipe::default() };
        let stage = Stage::new(goal, &gone, false, &recipe, None, (Engine::Native, shard))?;
        let mut state = state.clone();
        state.complete(&stage.planned, &batches.plain(some).0)?;
        let images = |i: usize| batches.plain(&some[i * shard..][..shard]);
        let found = stage.run(&images, some.len() / shard, &state, &setting, group)?;
        Ok(mean_loss(&found))
    };
    let given = loss(BTreeSet::new())?;
    let mut ranked = Vec::new();
    for label in goal.changing() {
        let harm = (loss(BTreeSet::from([label.clone()]))? - given).max(LEAST_HARM);
        let cost = costs.get(&label).copied().unwrap_or(0.0);
        ranked.push((cost / harm, label));
    }
    ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    Ok(ranked.into_iter().map(|(_, label)| label).collect())
}
