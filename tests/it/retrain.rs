//! Retraining: that batch norm put back keeps the function, that the same training gives the same bytes however it is cut
//! and spread, that policies do what they say, and the digits example from the command line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use nonresc_ir::eval::evaluate;
use nonresc_ir::network::{Edit, Network, Op};
use nonresc_ir::onnx::export::export;
use nonresc_ir::onnx::import::{ImportOptions, import_bytes, import_file};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::accuracy;
use nonresc_passes::data::{Dataset, Request};
use nonresc_passes::distill::batches::Batches;
use nonresc_passes::distill::claim::Claim;
use nonresc_passes::distill::group::Group;
use nonresc_passes::distill::rank::rank;
use nonresc_passes::distill::recipe::{Augment, Recipe};
use nonresc_passes::distill::removals::Policy;
use nonresc_passes::distill::stage::Goal;
use nonresc_passes::distill::state::State;
use nonresc_passes::distill::student::{Student, is_quantised};
use nonresc_passes::distill::trainer::{Progress, Task, Trained, train};
use nonresc_passes::engine::Engine;
use nonresc_passes::normalise::normalise;
use nonresc_passes::plan::{Plan, Request as Wanted};
use nonresc_passes::quantise::{QuantiseOptions, quantise};
use nonresc_passes::residual::{Skips, skips};
use nonresc_passes::target::Bits;

use crate::program::{Ended, digits_home, example, names, nonresc_in};

/// The digits network in normal form, and images to train it on.
pub(crate) struct Digits {
    pub(crate) network: Network,
    pub(crate) skips: Skips,
    pub(crate) images: Dataset,
}

pub(crate) fn digits() -> Digits {
    let mut network = import_file(&example("digits.onnx"), &ImportOptions::default()).unwrap().network;
    normalise(&mut network).unwrap();
    let skips = skips(&network);
    let images = opened("digits_train.npz", Some(320), &network);
    Digits { network, skips, images }
}

fn opened(file: &str, limit: Option<usize>, network: &Network) -> Dataset {
    let request = Request { path: example(file), limit, ..Request::default() };
    Dataset::open(&request, accuracy::frame(network).unwrap()).unwrap()
}

/// Five epochs of nine steps.
pub(crate) fn recipe(policy: Policy) -> Recipe {
    let augment = Augment { crop: Some(1), flip: false };
    Recipe { epochs: 5, batch: 32, shard: 16, warmup: 3, policy, augment, ..Recipe::default() }
}

impl Digits {
    pub(crate) fn plan(&self, wanted: &str) -> Plan {
        Wanted::parse(wanted).unwrap().resolve(&self.network, &self.skips).unwrap()
    }

    pub(crate) fn batches(&self, recipe: &Recipe) -> Batches {
        let images = std::slice::from_ref(&self.images);
        Batches::new(images, self.network.preprocess(), 10, recipe).unwrap()
    }

    fn train(
        &self,
        recipe: &Recipe,
        plan: &Plan,
        checkpoint: Option<(PathBuf, bool)>,
        stop: usize,
    ) -> Trained {
        let batches = self.batches(recipe);
        let (checkpoint, resume) = match checkpoint {
            Some((path, resume)) => (Some(path), resume),
            None => (None, false),
        };
        let goal = Goal { normal: &self.network, skips: &self.skips, plan };
        let teacher = recipe.teacher.then_some(&self.network);
        // By cost they go from the output on.
        let order = labels(plan).into_iter().rev().collect();
        let (engine, group) = (Engine::Native, &Group::alone());
        let task =
            Task { goal, teacher, batches: &batches, recipe, engine, order, checkpoint, resume, group };
        let mut steps = 0;
        train(&task, &mut |progress| {
            steps += usize::from(matches!(progress, Progress::Step { .. }));
            if steps == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap()
    }

    /// Images as the network computes on them.
    pub(crate) fn some(&self) -> Tensor {
        let batches = self.batches(&recipe(Policy::AtOnce));
        batches.plain(&batches.training()[..24]).0
    }
}

fn labels(plan: &Plan) -> Vec<String> {
    plan.changing().map(|entry| entry.skip.clone()).collect()
}

/// The outputs of a network that takes images behind their preprocessing, in doubles.
pub(crate) fn outputs(network: &Network, images: &Tensor) -> Vec<f64> {
    let mut sized = network.clone();
    let mut edit = Edit::new(&mut sized);
    edit.set_batch(images.shape().0[0]).unwrap();
    evaluate::<f64>(&sized, std::slice::from_ref(images)).unwrap()[0].to_f64()
}

fn furthest(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn batch_norm_that_is_put_back_keeps_the_function() {
    let digits = digits();
    let images = digits.some();
    let student = Student::new(&digits.network, &[]).unwrap();
    let mut state = State::default();
    state.complete(&digits.network, &images).unwrap();
    let given = outputs(&digits.network, &images);
    let put_back = outputs(&student.holding(&state, &[]).unwrap(), &images);
    assert!(furthest(&given, &put_back) < 1e-4, "{}", furthest(&given, &put_back));
    // And back into the layers, of which none keeps its own numbers.
    let mut folded = digits.network.clone();
    state.apply(&mut folded).unwrap();
    let back = outputs(&folded, &images);
    assert!(furthest(&given, &back) < 1e-4, "{}", furthest(&given, &back));
    // Behind batch norm the images have mean bias and deviation scale.
    let norm = &student.layers[0];
    let mean = &state.statistics[&norm.norm.as_ref().unwrap().mean.name];
    assert!(mean.iter().any(|m| m.abs() > 1e-3));
}

#[test]
fn codes_come_back_as_they_were() {
    let digits = digits();
    for bits in [4, 8] {
        let options =
            QuantiseOptions { bits: Bits { weights: bits, activations: bits }, ..QuantiseOptions::default() };
        let made = quantise(&digits.network, Some(&digits.images), &options).unwrap().network;
        // As a file has it, which holds codes of 4 bits in bytes and clips them.
        let mut network = import_bytes(export(&made).unwrap(), "quantised.onnx", &ImportOptions::default())
            .unwrap()
            .network;
        normalise(&mut network).unwrap();
        let images = digits.some();
        let mut state = State::default();
        state.complete(&network, &images).unwrap();
        let mut again = network.clone();
        state.apply(&mut again).unwrap();
        assert_eq!(outputs(&network, &images), outputs(&again, &images));
        let student = Student::new(&network, &[]).unwrap();
        assert!(student.statistics().is_empty());
        assert_eq!(outputs(&network, &images), outputs(&student.holding(&state, &[]).unwrap(), &images));
        // Weights that grow stay within their bits.
        state.parameters.values_mut().for_each(|numbers| numbers.iter_mut().for_each(|x| *x *= 3.0));
        state.apply(&mut again).unwrap();
        let most = (1 << (bits - 1)) - 1;
        let mut seen = 0;
        for layer in again.node_ids().filter(|&n| matches!(again.op(n), Op::Conv(_) | Op::Dense(_))) {
            let weights = again.operands(layer)[1].node;
            // What says which way ties of the mean go has no codes, and is not trained.
            if let Op::Dequantise(_) = again.op(weights) {
                let codes = again.constant(again.operands(weights)[0]).unwrap().to_i64().unwrap();
                assert_eq!(codes.iter().map(|code| code.abs()).max(), Some(most));
                seen += 1;
            }
        }
        assert_eq!(student.layers.len(), seen);
        assert_eq!(seen, 9);
    }
}

/// Blocks are found by their names, since a file of codes has other nodes.
#[test]
fn floats_teach_the_blocks_of_codes() {
    let digits = digits();
    let options = QuantiseOptions { bits: Bits { weights: 3, activations: 3 }, ..QuantiseOptions::default() };
    let made = quantise(&digits.network, Some(&digits.images), &options).unwrap().network;
    let file = export(&made).unwrap();
    let mut network = import_bytes(file, "quantised.onnx", &ImportOptions::default()).unwrap().network;
    normalise(&mut network).unwrap();
    let found = skips(&network);
    let plan = Wanted::parse("keep").unwrap().resolve(&network, &found).unwrap();
    let goal = Goal { normal: &network, skips: &found, plan: &plan };
    let losses = "features=1".parse().unwrap();
    let recipe = Recipe { losses, teacher: true, rate: 0.005, ..recipe(Policy::AtOnce) };
    let (batches, teacher, engine) = (digits.batches(&recipe), Some(&digits.network), Engine::Native);
    let (order, checkpoint, resume, group) = (Vec::new(), None, false, &Group::alone());
    let task =
        Task { goal, teacher, batches: &batches, recipe: &recipe, engine, order, checkpoint, resume, group };
    let trained = train(&task, &mut |_| ControlFlow::Continue(())).unwrap();
    let losses: Vec<f64> = trained.history.rows().iter().map(|row| row.loss).collect();
    assert!(losses[4] < 0.8 * losses[0], "{losses:?}");
}

#[test]
fn a_training_that_was_stopped_goes_on_to_the_same_numbers() {
    let digits = digits();
    let plan = digits.plan("remove");
    let recipe = recipe("gradual:1".parse().unwrap());
    let whole = digits.train(&recipe, &plan, None, 0);
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("training");
    // Stopped in its third epoch, in which the second skip is gone.
    let cut = digits.train(&recipe, &plan, Some((path.clone(), false)), 22);
    assert!(!cut.whole);
    assert_eq!(cut.history.rows().len(), 2);
    let bytes = fs::read(&path).unwrap();
    let resumed = digits.train(&recipe, &plan, Some((path.clone(), true)), 0);
    assert!(resumed.whole);
    assert_eq!(resumed.state, whole.state);
    assert_eq!((resumed.epoch, resumed.given), (whole.epoch, whole.given));
    assert_eq!(resumed.history.to_json(), whole.history.to_json());
    // The checkpoint is of this training alone.
    fs::write(&path, bytes).unwrap();
    let other = Recipe { seed: 1, ..recipe };
    let batches = digits.batches(&other);
    let goal = Goal { normal: &digits.network, skips: &digits.skips, plan: &plan };
    let checkpoint = Some(path.clone());
    let task = Task {
        goal,
        teacher: None,
        batches: &batches,
        recipe: &other,
        engine: Engine::Native,
        order: Vec::new(),
        checkpoint,
        resume: true,
        group: &Group::alone(),
    };
    let faults = train(&task, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert_eq!(faults.iter().map(|f| f.code).collect::<Vec<_>>(), ["distill/resume"]);
    // And nobody else's while one runs.
    let running = Claim::new(&path).unwrap();
    let faults = train(&task, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(faults.iter().next().unwrap().why.contains("another training"), "{faults}");
    drop(running);
    assert_eq!(names(home.path()), ["training"]);
}

#[test]
fn the_number_of_threads_changes_no_number() {
    let digits = digits();
    let plan = digits.plan("remove");
    let recipe = Recipe {
        losses: "hard=0.6,logits=0.2:fades,soft=0.2,features=0.1".parse().unwrap(),
        teacher: true,
        ..recipe(Policy::AtOnce)
    };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| digits.train(&recipe, &plan, None, 0).state)
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn policies_differ_and_skips_go_when_they_say() {
    let digits = digits();
    let plan = digits.plan("remove");
    let mut seen = BTreeMap::new();
    for policy in ["at-once", "gradual:1", "anneal:0.6", "cost", "3@0,1@1,2@2"] {
        let trained = digits.train(&recipe(policy.parse().unwrap()), &plan, None, 0);
        let losses: Vec<String> =
            trained.history.rows().iter().map(|row| format!("{:.6}", row.loss)).collect();
        let removed: Vec<usize> = trained.history.rows().iter().map(|row| row.removed.len()).collect();
        let other = seen.insert(losses, policy);
        assert_eq!(other, None, "{policy} went as {other:?}");
        let wanted: [usize; 5] = match policy {
            "at-once" => [3; 5],
            "gradual:1" => [0, 1, 2, 3, 3],
            "anneal:0.6" => [0, 0, 0, 3, 3],
            // Five epochs by two thirds are three, a third of which is one.
            "cost" => [0, 1, 2, 3, 3],
            _ => [1, 2, 3, 3, 3],
        };
        assert_eq!(removed, wanted, "{policy}");
        // What is best is so without all of them.
        assert!(trained.epoch > removed.iter().position(|&n| n == 3).unwrap());
    }
}

#[test]
fn what_costs_most_for_its_harm_goes_first() {
    let digits = digits();
    let plan = digits.plan("remove");
    let batches = digits.batches(&recipe(Policy::Cost));
    let goal = Goal { normal: &digits.network, skips: &digits.skips, plan: &plan };
    for dear in ["1", "2", "3"] {
        let costs = BTreeMap::from([(dear.to_string(), 1e9)]);
        let order = rank(&goal, &batches, &costs, &Group::alone()).unwrap();
        assert_eq!(order[0], dear);
        assert_eq!(order.iter().cloned().collect::<BTreeSet<_>>(), ["1", "2", "3"].map(String::from).into());
    }
}

#[test]
fn a_skip_that_costs_too_much_stays() {
    let digits = digits();
    let plan = digits.plan("remove");
    // Nothing is learned at such a rate, so the harm stays.
    let hopeless = Recipe { rate: 1e-9, max_drop: Some(0.0), ..recipe("gradual:1".parse().unwrap()) };
    let trained = digits.train(&hopeless, &plan, None, 0);
    assert!(!trained.restored.is_empty());
    let notes: Vec<&String> = trained.history.rows().iter().flat_map(|row| &row.notes).collect();
    assert!(notes.iter().any(|note| note.contains("stays")), "{notes:?}");
    // What comes back is the network that the first epoch left.
    assert_eq!(trained.validation, trained.history.rows()[0].validation);
    let generous = Recipe { max_drop: Some(1.0), ..hopeless };
    assert_eq!(digits.train(&generous, &plan, None, 0).restored, BTreeSet::new());
}

#[test]
fn numbers_that_are_none_stop_a_training() {
    let digits = digits();
    let plan = digits.plan("remove");
    let recipe = Recipe { rate: 1e30, clip_norm: None, warmup: 0, ..recipe(Policy::AtOnce) };
    let batches = digits.batches(&recipe);
    let goal = Goal { normal: &digits.network, skips: &digits.skips, plan: &plan };
    let task = Task {
        goal,
        teacher: None,
        batches: &batches,
        recipe: &recipe,
        engine: Engine::Native,
        order: Vec::new(),
        checkpoint: None,
        resume: false,
        group: &Group::alone(),
    };
    let faults = train(&task, &mut |_| ControlFlow::Continue(())).unwrap_err();
    let fault = faults.iter().next().unwrap();
    assert_eq!(fault.code, "distill/number");
    assert!(fault.what.starts_with("epoch 1, step ") && fault.why.contains('"'), "{fault:?}");
}

#[test]
fn shortened_skips_are_trained_too() {
    let digits = digits();
    for wanted in ["shorten", "shorten-behind"] {
        let plan = digits.plan(wanted);
        assert_eq!(labels(&plan).len(), 3);
        let trained = digits.train(&recipe(Policy::AtOnce), &plan, None, 0);
        let own = trained.state.beyond(&digits.network);
        // A short skip that changes the map has a convolution of its own.
        assert!(own.parameters.keys().all(|name| name.contains(".short.")), "{:?}", own.parameters.keys());
        assert!(trained.validation > 0.8, "{}", trained.validation);
    }
}

const DIGITS: [&str; 7] =
    ["digits.onnx", "--retrain", "--data", "digits_train.npz", "--no-flip", "--shift", "1"];

fn retrained(home: &Path, more: &[&str]) -> Ended {
    nonresc_in(home, &[&DIGITS, more].concat())
}

#[test]
fn digits_end_in_a_design_without_skips() {
    let home = digits_home();
    let flags =
        ["--skips", "remove", "--test", "digits_test.npz", "--epochs", "8", "--batch", "64", "--warmup", "8"];
    let ended = retrained(home.path(), &[&flags[..], &["--qat-epochs", "2", "--out", "build"]].concat());
    assert!(ended.stderr.contains("epoch 8/8") && ended.stderr.contains("epoch 2/2"), "{}", ended.stderr);
    let report = ended.done();
    assert!(report.contains("retrained as floats: top-1 on 359 test images"), "{report}");
    let build = home.path().join("build");
    let found = names(&build);
    for file in [
        "float.onnx",
        "quantised.onnx",
        "history.json",
        "history.csv",
        "history.svg",
        "history-qat.json",
        "rtl",
    ] {
        assert!(found.iter().any(|name| name == file), "{file} of {found:?}");
    }
    let schedule: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(build.join("schedule.json")).unwrap()).unwrap();
    let channels = schedule["channels"].as_array().unwrap();
    assert!(channels.iter().all(|channel| channel["skip"].is_null()));
    // What was measured stands beside what it costs.
    let measured = |skips: &str| {
        let rows = schedule["skip_report"]["rows"].as_array().unwrap();
        rows.iter().find(|row| row["skips"] == skips).unwrap()["accuracy"].as_f64().unwrap()
    };
    for (skips, what) in [("kept", "as given"), ("removed", "retrained")] {
        let text = format!("{:.2} % {what}", 100.0 * measured(skips));
        assert!(report.contains(&text), "{text} in {report}");
    }
    assert!(report.contains("top-1 %"), "{report}");
    // And in the history, of the epoch that was kept.
    let history: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(build.join("history.json")).unwrap()).unwrap();
    let tested = history["epochs"].as_array().unwrap().iter().filter_map(|row| row["test"].as_f64());
    let tested: Vec<String> = tested.map(|share| format!("{share:.4}")).collect();
    assert_eq!(tested, [format!("{:.4}", measured("removed"))]);
    for file in ["build/float.onnx", "build/quantised.onnx"] {
        let eval = ["eval", file, "--data", "digits_test.npz", "--format", "json"];
        let found: serde_json::Value = serde_json::from_str(&nonresc_in(home.path(), &eval).done()).unwrap();
        let right = found["top1"].as_f64().unwrap_or_else(|| panic!("{found}"));
        assert!(right > 0.95, "{file}: {right}");
    }
}

/// Its codes are trained, and the file is not called one of floats.
#[test]
fn a_quantised_model_is_trained_and_written_as_one() {
    let home = digits_home();
    nonresc_in(home.path(), &["quantise", "digits.onnx", "--data", "digits_train.npz", "--out", "q", "-q"])
        .done();
    let flags = ["q/quantised.onnx", "--retrain", "--data", "digits_train.npz", "--no-flip", "--shift", "1"];
    let more = ["--epochs", "1", "--batch", "64", "--emit", "onnx", "--out", "build", "-q"];
    nonresc_in(home.path(), &[&flags[..], &more].concat()).done();
    let history = ["csv", "json", "svg"].map(|kind| format!("history-qat.{kind}"));
    let written = [".nonresc"].map(String::from).into_iter().chain(history);
    let written: Vec<String> = written.chain(["plan.json", "quantised.onnx"].map(String::from)).collect();
    assert_eq!(names(&home.path().join("build")), written);
    // At the rate of what has just been put into codes, which is a fiftieth of that of floats.
    let history = fs::read_to_string(home.path().join("build/history-qat.json")).unwrap();
    let history: serde_json::Value = serde_json::from_str(&history).unwrap();
    assert_eq!(history["recipe"]["rate"].as_f64(), Some(Recipe::default().rate / 50.0));
    let file = home.path().join("build/quantised.onnx");
    assert!(is_quantised(&import_file(&file, &ImportOptions::default()).unwrap().network));
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let home = digits_home();
    // Pixels turned to their negatives: the network knows nothing of them.
    let refused = retrained(home.path(), &["--scale=-1", "--test", "digits_test.npz"]).refused(1);
    assert!(refused.contains("--scale, --mean and --std"), "{refused}");
    let refused = nonresc_in(home.path(), &["digits.onnx", "--retrain"]).refused(2);
    assert!(refused.contains("--data"), "{refused}");
    let together = retrained(home.path(), &["--skips", "remove", "--max-drop", "0.5"]).refused(2);
    assert!(together.contains("--policy gradual"), "{together}");
    let late =
        retrained(home.path(), &["--skips", "remove", "--policy", "tailor", "--epochs", "5"]).refused(1);
    assert!(late.contains("no epoch is left"), "{late}");
    let few = retrained(home.path(), &["--skips", "remove", "--batch", "4000"]).refused(1);
    assert!(few.contains("smaller batches"), "{few}");
    assert!(!home.path().join("build").exists());
}
