//! Quantised networks of the corpora as integer networks: held against exact arithmetic, which they must equal in
//! every number, and against the golden outputs of runtimes that compute in f32, where each difference is listed.

use nonresc_ir::eval;
use nonresc_ir::network::{Batch, Edit, Element, Network, Op, Transpose};
use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::accuracy;
use nonresc_passes::data::{Dataset, Request};
use nonresc_passes::engine::{Engine, Frames, Given};
use nonresc_passes::integers::{Integers, Rule, integers};
use nonresc_passes::layers::layers;
use nonresc_passes::normalise::normalise;
use nonresc_tests::corpus::{Entry, array, folder};

/// Files whose activations stay floats, or whose weights have a scale for each of their inputs.
const REFUSED: &[&str] = &["q_int4_weights_op21.onnx", "q_axis1.onnx"];

/// Values of golden outputs that lie a step beside: the runtime's f32 sums fell on the other side of a tie.
const TIES: &[(&str, usize)] = &[("resnet8_qdq_s8sym_channel.onnx", 4), ("resnet8_tflite_int8.onnx", 1)];

/// The step of the first output: the scale that its codes are multiplied by; 1 where it is codes itself.
fn step(network: &Network) -> f64 {
    let value = network.outputs()[0].value;
    match network.op(value.node) {
        Op::Dequantise(_) => network.constant(network.operands(value.node)[1]).unwrap().to_f64()[0],
        _ => 1.0,
    }
}

/// How far numbers are apart, in steps.
fn apart(a: &Tensor, b: &[f64], step: f64) -> Vec<f64> {
    assert_eq!(a.len(), b.len());
    a.to_f64().iter().zip(b).map(|(a, b)| ((a - b) / step).abs()).collect()
}

fn run(network: &Network, engine: Engine, given: &Given) -> Tensor {
    Frames::new(network, engine).unwrap().run(given).unwrap().remove(0).1
}

#[test]
fn outputs_are_those_of_exact_arithmetic() {
    let (mut done, mut refused) = (0, Vec::new());
    for entry in Entry::all().iter().filter(|entry| entry.quantised() && entry.expect() != "refuse") {
        let Some(golden) = &entry.golden else { continue };
        let name = entry.name();
        let Ok(imported) = entry.import(&entry.options()) else { continue };
        let mut network = imported.network;
        normalise(&mut network).unwrap();
        let made = match integers(&network, Rule::AsGiven) {
            Ok(made) => made.network,
            Err(_) => {
                refused.push(name);
                continue;
            }
        };
        let given = Given::from([(network.inputs()[0].name.clone(), array(golden, "input"))]);
        let plain = run(&made, Engine::Plain, &given);
        assert_eq!(run(&made, Engine::Native, &given), plain, "{name}: the fast engine");

        let apart = apart(&plain, &array(golden, "output").to_f64(), step(&made));
        let off = apart.iter().filter(|&&steps| steps > 0.01).count();
        let listed = TIES.iter().find(|(file, _)| *file == name).map_or(0, |&(_, count)| count);
        assert!(apart.iter().all(|&steps| steps < 1.01), "{name}: {apart:?}");
        assert_eq!(off, listed, "{name}: {apart:?}");
        done += 1;
    }
    assert_eq!(refused, REFUSED);
    assert!(done > 20, "{done} networks");
}

/// Every code of every layer is the one that arithmetic in f64 gives, where rounding errors are far from any tie.
#[test]
fn every_layer_is_that_of_exact_arithmetic() {
    let frames = 4;
    let images = images(frames);
    for name in [
        "resnet8_qdq_u8s8_tensor",
        "resnet8_qdq_s8s8_channel",
        "resnet8_qdq_s8sym_channel",
        "resnet8_qdq_qdqbias_none",
        "resnet8_qop_u8u8_tensor",
    ] {
        let mut network = network(name);
        Edit::new(&mut network).set_batch(frames).unwrap();
        let Integers { network: made, quantisers, .. } = integers(&network, Rule::AsGiven).unwrap();
        let exact = eval::trace::<f64>(&network, std::slice::from_ref(&images)).unwrap();
        let whole = eval::trace::<f32>(&made, std::slice::from_ref(&images)).unwrap();
        for &(quantiser, codes) in &quantisers {
            let names = &network.node(quantiser).names;
            assert_eq!(whole[&codes].to_i64(), exact[&quantiser.into()].to_i64(), "{name}: {names}");
        }
        assert!(quantisers.len() >= 14, "{name}: {} quantisers", quantisers.len());
    }
}

/// Logits of 512 images that differ from the golden ones: goldens of QDQ files are f32 arithmetic, those of QOperator
/// files integers with f32 factors; with one scale for all weights both are exact enough never to differ.
const OFF: &[(&str, usize)] = &[
    ("resnet8_qdq_u8s8_tensor", 6),
    ("resnet8_qdq_u8u8_tensor", 7),
    ("resnet8_qdq_s8s8_channel", 140),
    ("resnet8_qdq_s8sym_channel", 61),
    ("resnet8_qdq_s8sym_tensor", 3),
    ("resnet8_qdq_qdqbias_none", 314),
    ("resnet8_qop_u8s8_tensor", 0),
    ("resnet8_qop_u8u8_tensor", 0),
    ("resnet8_qop_s8s8_channel", 12),
];

#[test]
fn logits_of_images() {
    let given = images(512);
    for &(name, listed) in OFF {
        let network = network(name);
        let made = integers(&network, Rule::AsGiven).unwrap().network;
        let given = Given::from([(network.inputs()[0].name.clone(), given.clone())]);
        let found = run(&made, Engine::Native, &given);
        let file = folder().join(format!("models/{name}.logits5000.npz"));
        let (scale, zero) = (array(&file, "scale").to_f64()[0], array(&file, "zero_point").to_f64()[0]);
        let golden: Vec<f64> =
            array(&file, "logits_q").to_f64()[..5120].iter().map(|q| (q - zero) * scale).collect();
        let apart = apart(&found, &golden, scale);
        let off = apart.iter().filter(|&&steps| steps > 0.01).count();
        println!(
            "{name}: {off} of {} off, {:.2} steps at most",
            apart.len(),
            apart.iter().copied().fold(0.0, f64::max)
        );
        assert_eq!(off, listed, "{name}");
        assert!(apart.iter().all(|&steps| steps < 2.01), "{name}");
    }
}

/// A quantiser whose scale is made sixteen times too small is the first that leaves the floats.
#[test]
fn the_first_layer_that_leaves_floats_is_named() {
    let mut network = network("resnet8_qdq_u8s8_tensor");
    let request =
        Request { path: folder().join("data/cifar10/test_512.bin"), limit: Some(8), ..Request::default() };
    let data = Dataset::open(&request, accuracy::frame(&network).unwrap()).unwrap();
    let sound = layers(&network, Rule::AsGiven, &data, 8).unwrap();
    assert_eq!(sound.len(), 16);
    assert_eq!(sound[0].error, 0.0, "the input is whole");
    assert!(sound[1..].iter().all(|layer| (20.0..50.0).contains(&layer.decibels())), "{sound:?}");

    let named = |network: &Network, name: &str| {
        let is = |n: &_| network.node(*n).names.iter().any(|own| own == name);
        network.node_ids().find(is).unwrap()
    };
    let quantiser = named(&network, "/Relu_3_output_0_QuantizeLinear");
    let scale = network.constant(network.operands(quantiser)[1]).unwrap().to_f64()[0] / 16.0;
    let readers: Vec<_> = network.users(quantiser.into()).into_iter().map(|(reader, _)| reader).collect();
    let mut edit = Edit::new(&mut network);
    let scale = edit.constant(Tensor::from_f64(Element::F32, &[][..], &[scale]).unwrap());
    for node in readers.into_iter().chain([quantiser]) {
        edit.rewire(node, 1, scale).unwrap();
    }
    let broken = layers(&network, Rule::AsGiven, &data, 8).unwrap();
    let first = broken.iter().find(|layer| layer.has_left()).unwrap();
    assert_eq!(first.names.0.first(), Some("/Relu_3_output_0_QuantizeLinear"), "{broken:?}");
    assert_eq!(first.names.1.first(), Some("/c3/Conv"));
    assert!(first.clipped > 0.1);
}

/// The tensors that TensorFlow Lite's reference kernels give of each layer for the model's two inputs.
#[test]
fn tflite_layer_by_layer() {
    let name = "resnet8_tflite_int8";
    let mut network = network(name);
    Edit::new(&mut network).set_batch(2).unwrap();
    let made = integers(&network, Rule::TfLite).unwrap().network;
    let file = folder().join(format!("models/{name}.layers.npz"));
    let channels_last = |tensor: &Tensor, perm: Vec<usize>| {
        eval::operator::<f32>(&Transpose { perm }.into(), &[tensor]).unwrap()
    };
    let input = channels_last(&array(&file, "input"), vec![0, 3, 1, 2]);
    let traced = eval::trace::<f32>(&made, &[input]).unwrap();
    let codes = Element::I8;
    let mut found: Vec<Tensor> = Vec::new();
    for node in made.topological().unwrap() {
        if matches!(made.op(node), Op::Requantise(_)) && made.ty(node.into()).element == codes {
            found.push(traced[&node.into()].clone());
        }
    }
    for (i, kind) in KINDS {
        let golden = array(&file, &format!("{i:02}_{kind}"));
        let golden = match golden.shape().rank() {
            4 => channels_last(&golden, vec![0, 3, 1, 2]),
            _ => golden,
        };
        assert!(found.contains(&golden), "no layer is that of {kind}, operator {i}");
    }

    let images = images(512).to_f32().iter().map(|x| f64::from(*x) - 128.0).collect::<Vec<f64>>();
    let images = Tensor::from_f64(codes, [512, 3, 32, 32], &images).unwrap();
    let images = channels_last(&images, vec![0, 2, 3, 1]);
    let is_logits =
        |&n: &_| matches!(made.op(n), Op::Requantise(_)) && made.ty(n.into()).shape.0[1..] == [10];
    let logits = made.topological().unwrap().into_iter().rfind(is_logits).unwrap();
    let mut made = made.clone();
    Edit::new(&mut made).output("logits", logits.into(), Batch::Dynamic(None));
    let given = Given::from([(made.inputs()[0].name.clone(), images)]);
    let found = Frames::new(&made, Engine::Native).unwrap().run(&given).unwrap().pop().unwrap().1;
    let golden = array(&folder().join(format!("models/{name}.logits5000.npz")), "logits_ref");
    assert_eq!(found.to_i64().unwrap(), golden.to_i64().unwrap()[..5120]);
}

/// TensorFlow Lite's operators in order, but for the reshape, which moves nothing, and the softmax, which the host
/// computes.
const KINDS: [(usize, &str); 14] = [
    (0, "CONV_2D"),
    (1, "CONV_2D"),
    (2, "CONV_2D"),
    (3, "ADD"),
    (4, "CONV_2D"),
    (5, "CONV_2D"),
    (6, "CONV_2D"),
    (7, "ADD"),
    (8, "CONV_2D"),
    (9, "CONV_2D"),
    (10, "CONV_2D"),
    (11, "ADD"),
    (12, "AVERAGE_POOL_2D"),
    (14, "FULLY_CONNECTED"),
];

fn network(name: &str) -> Network {
    let path = folder().join(format!("models/{name}.onnx"));
    let mut network = import_file(&path, &ImportOptions::default()).unwrap().network;
    normalise(&mut network).unwrap();
    network
}

/// The first test images of CIFAR-10, 0 to 255.
fn images(n: usize) -> Tensor {
    let bytes = std::fs::read(folder().join("data/cifar10/test_512.bin")).unwrap();
    let pixels =
        bytes.chunks_exact(3073).take(n).flat_map(|record| record[1..].iter().map(|&x| f32::from(x)));
    Tensor::f32([n, 3, 32, 32], pixels.collect()).unwrap()
}
