//! Networks of the corpora on the engine ort, held against the plain evaluator.

use nonresc_ir::id::Value;
use nonresc_ir::network::{Batch, Edit, Element, Network, Op};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::engine::{Engine, Frames, Given, showing};
use nonresc_tests::corpus::{distance, normal_networks};
use nonresc_tests::seed::Seed;

use crate::exported::{NEAR, inputs, onnxruntime};

/// Convolutions of 64-bit floats, which onnxruntime does not have.
const REFUSED: [&str; 1] = ["e_fp64"];

/// One unit of half floats as large as the largest, whose last bit is rounded behind each layer.
const NEAR_HALF: f64 = 1.0 / 1024.0;

/// Among so many codes one may be the neighbour of what it should be: sums in another order lie beyond a tie now and then.
const CODES_A_NEIGHBOUR: usize = 100_000;

/// Two frames: onnxruntime has both in one run, the plain evaluator each in its own.
#[test]
fn float_networks_compute_the_same_and_others_are_refused() {
    let (mut alike, mut refused, mut faults) = (0, Vec::new(), Vec::new());
    for (name, mut network) in normal_networks() {
        if !rounded(&network).is_empty() {
            continue;
        }
        // Where an operator fixes the batch, that one is run.
        let _ = Edit::new(&mut network).set_batch(2);
        let names = network.inputs().iter().map(|port| port.name.clone());
        let given: Given = names.zip(inputs(&network, &mut Seed(1))).collect();
        let run = |engine| Frames::new(&network, engine).and_then(|frames| frames.run(&given));
        let Ok(found) = run(onnxruntime()) else {
            refused.push(name);
            continue;
        };
        alike += 1;
        for ((port, found), (_, golden)) in found.iter().zip(&run(Engine::Plain).unwrap()) {
            let near = if golden.element() == Element::F16 { NEAR_HALF } else { NEAR };
            let far = distance(found, golden);
            if found.element() != golden.element() || far > near {
                faults.push(format!("{name}: \"{port}\" is {far:.1e} apart"));
            }
        }
    }
    println!("{alike} networks ran");
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
    assert_eq!(refused, REFUSED);
    assert!(alike > 100, "{alike} networks ran");
}

/// Values that are rounded to codes and back as the network runs, and the scales of their codes.
fn rounded(network: &Network) -> Vec<(Value, f64)> {
    let is_known = |value: Value| network.constant(value).is_some();
    let rounded = |node| {
        let [codes, scale, ..] = network.operands(node)[..] else { return None };
        let is_rounded = matches!(network.op(node), Op::Dequantise(_)) && !is_known(codes);
        let scales = network.constant(scale).filter(|_| is_rounded)?.to_f64();
        Some((Value::from(node), scales.into_iter().fold(0.0, f64::max)))
    };
    network.node_ids().filter_map(rounded).collect()
}

/// The network in pieces: from the inputs, and from each of `values` given as an input, to the next of them.
fn pieces(network: &Network, values: &[(Value, f64)]) -> Network {
    let mut cut = showing(network, values.iter().map(|&(value, _)| value));
    let mut edit = Edit::new(&mut cut);
    for (i, &(value, _)) in values.iter().enumerate() {
        let port = edit.outputs()[i].clone();
        let ty = edit.ty(value).clone();
        let given = edit.input(&format!("given {i}"), ty, Batch::Absent);
        edit.redirect(value, given).unwrap();
        edit.set_output(i, port);
    }
    cut
}

/// Layer by layer, so that one code that is another does not make others of those behind it.
#[test]
fn codes_are_the_same_layer_by_layer() {
    let (mut networks, mut numbers, mut neighbours) = (0, 0, 0);
    for (name, network) in normal_networks() {
        let values = rounded(&network);
        if values.is_empty() {
            continue;
        }
        let given = inputs(&network, &mut Seed(1));
        let run = |engine: Engine, network: &Network, given: &[Tensor]| {
            engine
                .load(network)
                .and_then(|session| session.run(given))
                .unwrap_or_else(|f| panic!("{name}: {f}"))
        };
        let golden = run(Engine::Plain, &showing(&network, values.iter().map(|&(value, _)| value)), &given);
        let found = run(onnxruntime(), &pieces(&network, &values), &[given, golden.clone()].concat());
        for ((found, golden), (value, scale)) in found.iter().zip(&golden).zip(&values) {
            for (found, golden) in found.to_f64().iter().zip(golden.to_f64()) {
                let far = (found - golden).abs() / scale;
                assert!(far < 1.0 + NEAR, "{name}: node {} is {far} codes apart", value.node.0);
                numbers += 1;
                neighbours += usize::from(far > NEAR);
            }
        }
        networks += 1;
    }
    println!("{networks} networks, {neighbours} of {numbers} codes are neighbours");
    assert!(neighbours * CODES_A_NEIGHBOUR <= numbers, "{neighbours} of {numbers}");
    assert!(networks > 20, "{networks} networks ran");
}
