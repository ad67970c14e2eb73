//! Training on one engine and another: three steps give the same losses.

use std::ops::ControlFlow;

use nonresc_ir::network::Network;
use nonresc_passes::distill::group::Group;
use nonresc_passes::distill::recipe::Recipe;
use nonresc_passes::distill::removals::Policy;
use nonresc_passes::distill::stage::Goal;
use nonresc_passes::distill::trainer::{Progress, Task, train};
use nonresc_passes::engine::Engine;

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

/// With all terms of the loss.
fn losses_are_those_of_the_native_engine(engine: Engine) {
    let digits = digits();
    let losses = "hard=0.5,logits=0.2,soft=0.2,features=0.1".parse().unwrap();
    let recipe = Recipe { losses, teacher: true, batch: 16, shard: 8, ..recipe(Policy::AtOnce) };
    let plan = digits.plan("2:remove");
    let losses = |engine| {
        let goal = Goal { normal: &digits.network, skips: &digits.skips, plan: &plan };
        three_losses(&digits, goal, Some(&digits.network), &recipe, engine)
    };
    let own = losses(Engine::Native);
    assert!(own[0] != own[1] && own[1] != own[2]);
    assert_same_losses(&own, &losses(engine));
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
