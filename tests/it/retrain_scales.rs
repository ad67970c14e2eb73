//! Scales that are trained: their gradients in a whole step, on every engine; that powers of two stay some and ties stay
//! broken whatever is learned; the way from the command line.

use std::collections::BTreeSet;
use std::fs;

use nonresc_ir::eval::evaluate;
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, Network, Op, Rounding};
use nonresc_ir::onnx::export::export;
use nonresc_ir::onnx::import::{ImportOptions, import_bytes, import_file};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::distill::recipe::Recipe;
use nonresc_passes::distill::removals::Policy;
use nonresc_passes::distill::stage::Goal;
use nonresc_passes::distill::state::State;
use nonresc_passes::distill::step::{Step, Terms};
use nonresc_passes::distill::student::Student;
use nonresc_passes::engine::{Engine, showing};
use nonresc_passes::normalise::normalise;
use nonresc_passes::plan::Request;
use nonresc_passes::quantise::{QuantiseOptions, Scales, quantise};
use nonresc_passes::residual::skips;
use nonresc_passes::target::Bits;
use nonresc_tests::double::in_double;

#[cfg(feature = "ort")]
use crate::exported::onnxruntime;
use crate::program::{digits_home, nonresc_in};
use crate::retrain::{Digits, digits, outputs, recipe};
use crate::retrain_engines::{assert_same_losses, three_losses};

/// The digits network in codes of so many bits, as a file has it.
fn in_codes(digits: &Digits, bits: u32, scales: Scales) -> Network {
    let bits = Bits { weights: bits, activations: bits };
    let options = QuantiseOptions { bits, scales, ..QuantiseOptions::default() };
    let made = quantise(&digits.network, Some(&digits.images), &options).unwrap().network;
    let file = export(&made).unwrap();
    let mut network = import_bytes(file, "quantised.onnx", &ImportOptions::default()).unwrap().network;
    normalise(&mut network).unwrap();
    network
}

/// The state of a network before its first step, scales included.
fn state(digits: &Digits, network: &Network) -> State {
    let mut state = State::default();
    state.complete(network, &digits.some()).unwrap();
    state.take_scales(network);
    state
}

/// Every scale of a network's quantisers and dequantisers, by size: a file may have its nodes in another order.
fn scales(network: &Network) -> Vec<f64> {
    let of = |node| match network.op(node) {
        Op::Quantise(_) | Op::Dequantise(_) => network.constant(network.operands(node)[1]).unwrap().to_f64(),
        _ => Vec::new(),
    };
    let mut all: Vec<f64> = network.node_ids().flat_map(of).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// By its bits: a normal float whose mantissa is 0.
fn is_power_of_two(x: f64) -> bool {
    x > 0.0 && x.to_bits() & ((1 << 52) - 1) == 0
}

fn is_step(name: &str) -> bool {
    name.ends_with(".step")
}

#[test]
fn what_is_learned_anew_computes_what_was_there() {
    let digits = digits();
    let images = digits.some();
    for (bits, scales) in [(3, Scales::PowerOfTwo), (8, Scales::PowerOfTwo), (4, Scales::Free)] {
        let network = in_codes(&digits, bits, scales);
        let state = state(&digits, &network);
        let student = Student::learning_scales(&network, &[]).unwrap();
        // Nine layers; their results but the scores are rounded, as are the sums and the mean; the input's scale stays.
        let names: BTreeSet<&String> = state.parameters.keys().filter(|name| is_step(name)).collect();
        assert_eq!(names.len(), student.steps.len());
        let of_activations =
            student.network.node_ids().filter(|&n| matches!(student.network.op(n), Op::Quantise(_)));
        assert_eq!(of_activations.count(), names.len() + 1);
        let given = outputs(&network, &images);
        let held = outputs(&student.holding(&state, &[]).unwrap(), &images);
        let furthest = given.iter().zip(&held).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(furthest < 1e-4, "{bits} bits, {scales:?}: {furthest}");
        let mut again = network.clone();
        state.apply(&mut again).unwrap();
        assert_eq!(outputs(&again, &images), given, "{bits} bits, {scales:?}");
    }
}

#[test]
fn scales_that_were_learned_keep_powers_and_break_ties() {
    let digits = digits();
    let images = digits.some();
    for bits in [3, 4] {
        let network = in_codes(&digits, bits, Scales::PowerOfTwo);
        let mut state = state(&digits, &network);
        // Up and down by up to four, and between powers.
        for (i, (_, numbers)) in state.parameters.iter_mut().filter(|(name, _)| is_step(name)).enumerate() {
            let exponent = |at: usize| (((7 * i + 3 * at) % 9) as f32 - 4.0) / 2.0 + 0.1;
            numbers.iter_mut().enumerate().for_each(|(at, scale)| *scale *= exponent(at).exp2());
        }
        let mut learned = network.clone();
        state.apply(&mut learned).unwrap();
        assert_ne!(scales(&learned), scales(&network));
        assert!(scales(&learned).into_iter().all(is_power_of_two));
        // Whichever way ties go, the codes are the same, since there are none.
        let even = outputs(&learned, &images);
        for rounding in [Rounding::HalfUp, Rounding::HalfDown] {
            let mut other = learned.clone();
            round(&mut other, rounding);
            assert_eq!(outputs(&other, &images), even, "{bits} bits, {rounding:?}");
        }
        // Without the quarters there are ties.
        let mut whole = learned.clone();
        without_quarters(&mut whole);
        let even = outputs(&whole, &images);
        round(&mut whole, Rounding::HalfUp);
        assert_ne!(outputs(&whole, &images), even, "{bits} bits");
    }
}

/// Makes the biases of layers of codes whole steps of their sums.
fn without_quarters(network: &mut Network) {
    let mut edit = Edit::new(network);
    for layer in edit.node_ids().collect::<Vec<_>>() {
        if !matches!(edit.op(layer), Op::Conv(_) | Op::Dense(_)) {
            continue;
        }
        let operands = edit.operands(layer);
        let mut maker = operands[0].node;
        while !matches!(edit.op(maker), Op::Dequantise(_)) {
            maker = edit.operands(maker)[0].node;
        }
        let of_weights = operands[1].node;
        if !matches!(edit.op(of_weights), Op::Dequantise(_)) {
            continue;
        }
        let of: &Network = &edit;
        let known = |value: Value| of.constant(value).unwrap().to_f64();
        let (input, weights) = (known(of.operands(maker)[1]), known(of.operands(of_weights)[1]));
        let bias = known(operands[2]);
        let round = |(c, bias): (usize, &f64)| {
            let step = input[0] * weights[c % weights.len()];
            ((bias / step).round() * step) as f32
        };
        let bias: Vec<f32> = bias.iter().enumerate().map(round).collect();
        let bias = edit.constant(Tensor::f32([bias.len()], bias).unwrap());
        edit.rewire(layer, 2, bias).unwrap();
    }
}

/// Makes every quantiser but that of the input, which the host is, round in this way.
fn round(network: &mut Network, rounding: Rounding) {
    let mut edit = Edit::new(network);
    for node in edit.node_ids().collect::<Vec<_>>() {
        let Op::Quantise(op) = edit.op(node).clone() else { continue };
        let operands = edit.operands(node);
        if !matches!(edit.op(operands[0].node), Op::Input(_)) {
            let new = edit.add(nonresc_ir::network::Quantise { rounding, ..op }, &operands).unwrap();
            edit.redirect(node.into(), new).unwrap();
        }
    }
    edit.remove_dead();
}

#[test]
fn free_scales_are_what_was_learned() {
    let digits = digits();
    let network = in_codes(&digits, 4, Scales::Free);
    let mut state = state(&digits, &network);
    let steps = state.parameters.iter_mut().filter(|(name, _)| is_step(name));
    steps.for_each(|(_, numbers)| numbers.iter_mut().for_each(|scale| *scale *= 1.25));
    let mut learned = network.clone();
    state.apply(&mut learned).unwrap();
    let wanted: BTreeSet<u32> = state
        .parameters
        .iter()
        .filter(|(name, _)| is_step(name))
        .flat_map(|(_, n)| n)
        .map(|s| s.to_bits())
        .collect();
    let found: BTreeSet<u32> = scales(&learned).into_iter().map(|scale| (scale as f32).to_bits()).collect();
    let input: BTreeSet<u32> = scales(&network).into_iter().map(|scale| (scale as f32).to_bits()).collect();
    assert!(found.is_superset(&wanted));
    // The input's scale alone is what it was.
    assert_eq!(found.difference(&wanted).count(), 1);
    assert!(found.difference(&wanted).all(|scale| input.contains(scale)));
}

/// Numbers for the inputs of a step in double precision.
fn given(step: &Network, state: &State, images: &Tensor, labels: &Tensor) -> Vec<Tensor> {
    let numbers = |name: &str| match name {
        "images" => images.to_f64(),
        "labels" => labels.to_f64(),
        "weight.hard" => vec![1.0],
        name => state.parameters[name].iter().map(|&x| f64::from(x)).collect(),
    };
    let shape = |node: NodeId| step.ty(node.into()).shape.clone();
    step.inputs().iter().map(|port| Tensor::f64(shape(port.node), numbers(&port.name)).unwrap()).collect()
}

/// The gradient of the mean cross entropy by the scores.
fn by_scores(scores: &[f64], labels: &[f64], classes: usize) -> Vec<f64> {
    let images = scores.len() / classes;
    let row = |(z, t): (&[f64], &[f64])| -> Vec<f64> {
        let sum: f64 = z.iter().map(|z| z.exp()).sum();
        z.iter().zip(t).map(|(z, t)| (z.exp() / sum - t) / images as f64).collect()
    };
    scores.chunks(classes).zip(labels.chunks(classes)).flat_map(row).collect()
}

/// What a number adds to the gradient of its scale, by that of what it is rounded to.
fn by_step(x: f64, rounded: f64, scale: f64, [least, most]: [f64; 2]) -> f64 {
    let is_clipped = x / scale < least || x / scale > most;
    if is_clipped { rounded / scale } else { (rounded - x) / scale }
}

/// The last layer's scales in a whole step, against a plain formula: what stands in front of them and the scores say all.
#[test]
fn a_step_gives_the_gradient_of_its_scales() {
    let digits = digits();
    let network = in_codes(&digits, 3, Scales::Free);
    let mut state = state(&digits, &network);
    // Weights between codes, and beyond them; as they come they are codes.
    let weights = state.parameters.iter_mut().filter(|(name, _)| name.ends_with(".weight"));
    for (i, weight) in weights.flat_map(|(_, numbers)| numbers).enumerate() {
        *weight *= 1.0 + 0.4 * (i as f32).sin();
    }
    let student = Student::learning_scales(&network, &[]).unwrap();
    let (images, classes) = (6, 10);
    let step = in_double(&Step::new(&student, images, &Terms::default()).unwrap().network);
    let batches = digits.batches(&recipe(Policy::AtOnce));
    let (pixels, labels) = batches.plain(&batches.training()[..images]);
    let outputs = evaluate::<f64>(&step, &given(&step, &state, &pixels, &labels)).unwrap();
    let output = |name: &str| {
        let at = step.outputs().iter().position(|port| port.name == name).unwrap();
        outputs[at].to_f64()
    };

    // What the last layer reads, and its weights, before they are rounded and after.
    let mut sized = in_double(&student.holding(&state, &[]).unwrap());
    Edit::new(&mut sized).set_batch(images).unwrap();
    let order = sized.topological().unwrap();
    let dense = *order.iter().rev().find(|&&n| matches!(sized.op(n), Op::Dense(_))).unwrap();
    let operands = sized.operands(dense);
    let divided = |mut value: Value| {
        while !matches!(sized.op(value.node), Op::Div(_)) {
            value = sized.operands(value.node)[0];
        }
        sized.operands(value.node)
    };
    let (of_x, of_w) = (divided(operands[0]), divided(operands[1]));
    let shown = showing(&sized, [of_x[0], operands[0], of_w[0], operands[1]].into_iter());
    let shown = evaluate::<f64>(&shown, &[Tensor::f64(pixels.shape().clone(), pixels.to_f64()).unwrap()]);
    let [x, x_rounded, w, w_rounded] = [0, 1, 2, 3].map(|i| shown.as_ref().unwrap()[i].to_f64());
    let scale_of = |value: Value| sized.constant(value).unwrap().to_f64();
    let (scale_x, scales_w) = (scale_of(of_x[1])[0], scale_of(of_w[1]));

    // Codes of weights are -3 to 3, those of the mean 0 to 7.
    let by_scores = by_scores(&output("scores"), &labels.to_f64(), classes);
    let inputs = x.len() / images;
    let (mut right_w, mut right_x) = (vec![0.0; classes], 0.0);
    for (o, i) in (0..classes).flat_map(|o| (0..inputs).map(move |i| (o, i))) {
        let d: f64 = (0..images).map(|n| by_scores[n * classes + o] * x_rounded[n * inputs + i]).sum();
        let at = o * inputs + i;
        right_w[o] +=
            d * by_step(w[at], w_rounded[at], scales_w[o], [-3.5, 3.5]) / (inputs as f64 * 3.0).sqrt();
    }
    for (n, i) in (0..images).flat_map(|n| (0..inputs).map(move |i| (n, i))) {
        let d: f64 = (0..classes).map(|o| by_scores[n * classes + o] * w_rounded[o * inputs + i]).sum();
        let at = n * inputs + i;
        right_x += d * by_step(x[at], x_rounded[at], scale_x, [-0.5, 7.5]) / (inputs as f64 * 7.0).sqrt();
    }
    assert!(
        w.iter().enumerate().any(|(at, w)| w.abs() > 3.5 * scales_w[at / inputs]),
        "no weight is clipped"
    );
    for (scales, right) in [(scales_w, right_w), (vec![scale_x], vec![right_x])] {
        let found = output(&format!("gradient.{}", name_of(&state, &scales)));
        assert_eq!(found.len(), right.len());
        let largest = right.iter().fold(0.0f64, |most, r| most.max(r.abs()));
        assert!(largest > 1e-6, "{right:?}");
        for (found, right) in found.iter().zip(&right) {
            assert!((found - right).abs() < 1e-6 * largest, "{found} instead of {right}");
        }
    }
}

/// The parameter that has these scales; no two have the same.
fn name_of(state: &State, scales: &[f64]) -> String {
    let same = |(name, held): &(&String, &Vec<f32>)| {
        is_step(name) && held.iter().map(|&s| f64::from(s)).eq(scales.iter().copied())
    };
    let found: Vec<&String> = state.parameters.iter().filter(same).map(|(name, _)| name).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// In codes of 4 bits.
fn losses_are_those_of_the_native_engine(engine: Engine) {
    let digits = digits();
    let network = in_codes(&digits, 4, Scales::PowerOfTwo);
    let found = skips(&network);
    let plan = Request::KEEP.resolve(&network, &found).unwrap();
    let recipe =
        Recipe { batch: 16, shard: 8, rate: 0.01, warmup: 0, learn_scales: true, ..recipe(Policy::AtOnce) };
    let losses = |engine| {
        let goal = Goal { normal: &network, skips: &found, plan: &plan };
        three_losses(&digits, goal, None, &recipe, engine)
    };
    assert_same_losses(&losses(Engine::Native), &losses(engine));
}

#[test]
fn the_plain_evaluator_learns_scales_to_the_same_losses() {
    losses_are_those_of_the_native_engine(Engine::Plain);
}

#[cfg(feature = "ort")]
#[test]
fn ort_learns_scales_to_the_same_losses() {
    losses_are_those_of_the_native_engine(onnxruntime());
}

#[test]
fn digits_learn_their_scales() {
    let home = digits_home();
    let bits =
        ["quantise", "digits.onnx", "--bits", "w2a2", "--data", "digits_train.npz", "--out", "q", "-q"];
    nonresc_in(home.path(), &bits).done();
    let flags = ["q/quantised.onnx", "--retrain", "--data", "digits_train.npz", "--no-flip", "--shift", "1"];
    let more = ["--epochs", "4", "--batch", "32", "--rate", "0.01", "--warmup", "8", "-q"];
    let emit = ["--emit", "onnx", "--emit", "gradients", "--out"];
    let right = |file: &str, more: &[&str]| {
        let eval = [&["eval", file, "--data", "digits_test.npz", "--format", "json"], more].concat();
        let found: serde_json::Value = serde_json::from_str(&nonresc_in(home.path(), &eval).done()).unwrap();
        found["top1"].as_f64().unwrap_or_else(|| panic!("{found}"))
    };
    nonresc_in(home.path(), &[&flags[..], &more, &emit, &["fixed"]].concat()).done();
    nonresc_in(home.path(), &[&flags[..], &more, &["--learn-scales"], &emit, &["learned"]].concat()).done();
    let read = |file: &str| import_file(&home.path().join(file), &ImportOptions::default()).unwrap().network;
    let [given, fixed, learned] = ["q", "fixed", "learned"].map(|at| read(&format!("{at}/quantised.onnx")));
    assert_eq!(scales(&fixed), scales(&given));
    assert_ne!(scales(&learned), scales(&given));
    assert!(scales(&learned).into_iter().all(is_power_of_two));
    let [before, after] = ["q", "learned"].map(|at| right(&format!("{at}/quantised.onnx"), &[]));
    assert!(after > before, "{before} and {after}");
    // Hardware computes the same.
    assert_eq!(right("learned/quantised.onnx", &["--integer"]), after);
    // The step of training has the scales of a layer and of what it gives, and their gradients.
    let holds = |at: &str, word: &str| {
        let bytes = fs::read(home.path().join(at).join("step.onnx")).unwrap();
        bytes.windows(word.len()).any(|window| window == word.as_bytes())
    };
    for word in ["block1.conv1.step", "gradient.block1.conv1.step"] {
        assert!(holds("learned", word), "{word}");
    }
    assert!(!holds("fixed", ".step"));
}
