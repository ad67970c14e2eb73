//! Training on one engine and another: one step gives the same gradients, three steps the same losses.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use nonresc_ir::network::Network;
use nonresc_passes::distill::group::Group;
use nonresc_passes::distill::recipe::Recipe;
use nonresc_passes::distill::removals::Policy;
use nonresc_passes::distill::stage::{Found, Goal, Setting, Stage};
use nonresc_passes::distill::state::State;
use nonresc_passes::distill::trainer::{Progress, Task, train};
use nonresc_passes::engine::Engine;

#[cfg(feature = "ort")]
use crate::exported::onnxruntime;
use crate::retrain::{Digits, digits, recipe};

/// The losses of three steps of a recipe on an engine.
pub(crate) fn three_losses(
    digits: &Digits,
    goal: Goal<'_>,
    teacher: Option<&Network>,
    recipe: &Recipe,
    engine: Engine,
) -> Vec<f64> {
    let batches = digits.batches(recipe);
    let (order, checkpoint, resume, group) = (Vec::new(), None, false, &Group::alone());
    let task = Task { goal, teacher, batches: &batches, recipe, engine, order, checkpoint, resume, group };
    let mut found = Vec::new();
    let mut watch = |progress: &Progress<'_>| {
        if let Progress::Step { loss, .. } = progress {
            found.push(*loss);
        }
        if found.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    train(&task, &mut watch).unwrap();
    found
}

/// Holds what three steps lose on two engines against each other.
pub(crate) fn assert_same_losses(own: &[f64], other: &[f64]) {
    assert_eq!((own.len(), other.len()), (3, 3));
    for (own, other) in own.iter().zip(other) {
        assert!((own - other).abs() < 1e-4 * own.abs().max(1.0), "{own} and {other}");
    }
}

/// All terms of the loss.
fn all_terms() -> Recipe {
    let losses = "hard=0.5,logits=0.2,soft=0.2,features=0.1".parse().unwrap();
    Recipe { losses, teacher: true, batch: 16, shard: 8, ..recipe(Policy::AtOnce) }
}

fn losses_are_those_of_the_native_engine(engine: Engine) {
    let (digits, recipe) = (digits(), all_terms());
    let plan = digits.plan("2:remove");
    let losses = |engine| {
        let goal = Goal { normal: &digits.network, skips: &digits.skips, plan: &plan };
        three_losses(&digits, goal, Some(&digits.network), &recipe, engine)
    };
    let own = losses(Engine::Native);
    assert!(own[0] != own[1] && own[1] != own[2]);
    assert_same_losses(&own, &losses(engine));
}

/// What a step finds on two shards, which run side by side.
fn found(digits: &Digits, recipe: &Recipe, engine: Engine) -> Vec<Found> {
    let plan = digits.plan("2:remove");
    let goal = Goal { normal: &digits.network, skips: &digits.skips, plan: &plan };
    let (teacher, gone) = (Some(&digits.network), BTreeSet::from(["2".to_string()]));
    let stage = Stage::new(&goal, &gone, false, recipe, teacher, (engine, 8)).unwrap();
    let mut state = State::default();
    state.complete(&stage.planned, &digits.some()).unwrap();
    let batches = digits.batches(recipe);
    let images = |shard: usize| batches.plain(&batches.training()[shard * 8..][..8]);
    let setting = Setting { losses: &recipe.losses, progress: 0.0, fade: 1.0 };
    stage.run(&images, 2, &state, &setting, &Group::alone()).unwrap()
}

fn assert_near(name: &str, own: &[f32], other: &[f32]) {
    let largest = own.iter().fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
    let apart = own.iter().zip(other).fold(0.0, |most: f32, (a, b)| most.max((a - b).abs()));
    assert!(own.len() == other.len() && apart < 1e-4 * largest, "{name}: {apart} of {largest}");
}

fn gradients_are_those_of_the_native_engine(engine: Engine) {
    let (digits, recipe) = (digits(), all_terms());
    let (own, other) = (found(&digits, &recipe, Engine::Native), found(&digits, &recipe, engine));
    for (own, other) in own.iter().zip(&other) {
        assert_near("loss", &[own.loss as f32], &[other.loss as f32]);
        assert_eq!(own.right, other.right);
        let numbers = |found: &Found| [found.gradients.clone(), found.statistics.clone()].concat();
        for (i, (own, other)) in numbers(own).iter().zip(&numbers(other)).enumerate() {
            assert_near(&format!("gradient or statistic {i}"), own, other);
        }
    }
}

#[test]
fn the_plain_evaluator_gives_the_same_gradients() {
    gradients_are_those_of_the_native_engine(Engine::Plain);
}

#[test]
fn the_plain_evaluator_trains_to_the_same_losses() {
    losses_are_those_of_the_native_engine(Engine::Plain);
}

/// Of the file that is written, which tract reads.
#[cfg(feature = "engine")]
#[test]
fn tract_trains_to_the_same_losses() {
    losses_are_those_of_the_native_engine(Engine::Tract);
}

/// Of the file that is written, which onnxruntime reads.
#[cfg(feature = "ort")]
#[test]
fn ort_gives_the_same_gradients() {
    gradients_are_those_of_the_native_engine(onnxruntime());
}

#[cfg(feature = "ort")]
#[test]
fn ort_trains_to_the_same_losses() {
    losses_are_those_of_the_native_engine(onnxruntime());
}
