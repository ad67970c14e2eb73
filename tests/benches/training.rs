//! Images a second of a training step: forward, loss, backward, update. `training MODEL.onnx BATCH THREADS STEPS [taught]`;
//! `taught` adds the forward pass of a teacher, the model itself, and the loss by its scores.
//! `training_in_torch.py` runs it in turns with PyTorch.

#![allow(clippy::print_stdout, reason = "figures are printed")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use nonresc_ir::network::{Edit, Shape};
use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::distill::group::Group;
use nonresc_passes::distill::optimiser::{Method, Optimiser};
use nonresc_passes::distill::recipe::{Losses, Recipe};
use nonresc_passes::distill::stage::{Goal, Setting, Stage};
use nonresc_passes::distill::state::State;
use nonresc_passes::engine::Engine;
use nonresc_passes::normalise::normalise;
use nonresc_passes::plan::Request;
use nonresc_passes::residual::skips;
use nonresc_tests::seed::Seed;

/// Images whose gradient is found at a time.
const SHARD: usize = 32;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [model, batch, threads, steps, taught @ ..] = &arguments[..] else {
        println!("left out: say `MODEL.onnx BATCH THREADS STEPS [taught]`");
        return;
    };
    let count = |text: &String| text.parse::<usize>().expect("a count");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count(threads)).build().expect("threads");
    let (batch, steps) = (count(batch), count(steps));
    let rate = pool.install(|| images_a_second(Path::new(model), batch, steps, !taught.is_empty()));
    println!("{rate:.1}");
}

fn images_a_second(model: &Path, batch: usize, steps: usize, taught: bool) -> f64 {
    let mut network = import_file(model, &ImportOptions::default()).expect("a model").network;
    Edit::new(&mut network).set_preprocess(None);
    normalise(&mut network).expect("a normal form");
    let skips = skips(&network);
    let plan = Request::KEEP.resolve(&network, &skips).expect("a plan");
    let goal = Goal { normal: &network, skips: &skips, plan: &plan };
    let losses: Losses = if taught { "hard=0.5,logits=0.5" } else { "hard" }.parse().expect("losses");
    let teacher = taught.then_some(&network);
    let shard = SHARD.min(batch);
    let recipe = Recipe { losses, ..Recipe::default() };
    let stage = Stage::new(&goal, &BTreeSet::new(), false, &recipe, teacher, (Engine::Native, shard))
        .expect("a step");
    let mut seed = Seed(1);
    let mut frame = network.ty(network.inputs()[0].node.into()).shape.clone();
    frame.0[0] = shard;
    let images =
        Tensor::f32(frame.clone(), (0..frame.len()).map(|_| seed.number()).collect()).expect("images");
    let classes = stage.step.network.ty(stage.step.network.outputs()[1].value).shape.0[1];
    let mut labels = vec![0.0; shard * classes];
    labels.chunks_mut(classes).for_each(|row| row[seed.below(classes)] = 1.0);
    let labels = Tensor::f32(Shape(vec![shard, classes]), labels).expect("labels");
    let mut state = State::default();
    state.complete(&network, &images).expect("a state");
    let method = Method::Sgd { momentum: 0.9, nesterov: true };
    let mut optimiser = Optimiser::new(method, 1e-4, Some(5.0));
    let mut step = || {
        let setting = Setting { losses: &losses, progress: 0.0, fade: 1.0 };
        let given = |_: usize| (images.clone(), labels.clone());
        let found = stage.run(&given, batch / shard, &state, &setting, &Group::alone()).expect("a step runs");
        let gradients = stage.gradients(&found);
        optimiser.step(1e-4, &mut state.parameters, &gradients, &|name| name.ends_with(".weight"));
        stage.follow(&found, &mut state, 0.1);
    };
    step();
    let begin = Instant::now();
    (0..steps).for_each(|_| step());
    (steps * batch) as f64 / begin.elapsed().as_secs_f64()
}
