//! Quantised operators that the corpora have no network with: what they compute as floats and as integers.

use nonresc_ir::eval::evaluate;
use nonresc_ir::network::{Element, Network};
use nonresc_ir::onnx::import::{ImportOptions, import_bytes};
use nonresc_ir::onnx::messages::tensor_proto::DataType;
use nonresc_ir::onnx::messages::{ModelProto, NodeProto, OperatorSetIdProto, TensorProto};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::integers::{Rule, integers};
use nonresc_passes::normalise::normalise;
use nonresc_tests::model::{int, ints, model, node};
use nonresc_tests::seed::Seed;
use prost::Message;

fn scalar(name: &str, value: f32) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        data_type: Some(DataType::Float as i32),
        float_data: vec![value],
        ..TensorProto::default()
    }
}

fn codes(name: &str, kind: DataType, dims: &[i64], values: Vec<i32>) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        data_type: Some(kind as i32),
        dims: dims.to_vec(),
        int32_data: values,
        ..TensorProto::default()
    }
}

fn network(model: &ModelProto) -> Network {
    let mut network =
        import_bytes(model.encode_to_vec(), "model.onnx", &ImportOptions::default()).unwrap().network;
    normalise(&mut network).unwrap();
    network
}

#[test]
fn conv_integer_with_its_scale_behind_it() {
    let mut seed = Seed(3);
    let nodes = vec![
        node("QuantizeLinear", &["x", "s", "z"], "q", vec![]),
        node("ConvInteger", &["q", "w", "z", "wz"], "c", vec![ints("pads", &[1, 1, 1, 1])]),
        node("Cast", &["c"], "f", vec![int("to", DataType::Float as i64)]),
        node("Mul", &["f", "m"], "y0", vec![]),
        node("Relu", &["y0"], "y1", vec![]),
        node("QuantizeLinear", &["y1", "t", "n"], "q1", vec![]),
        node("DequantizeLinear", &["q1", "t", "n"], "y", vec![]),
    ];
    let weights = (0..4 * 3 * 3 * 3).map(|_| seed.below(256) as i32).collect();
    let constants = vec![
        scalar("s", 0.03125),
        codes("z", DataType::Uint8, &[], vec![117]),
        codes("w", DataType::Uint8, &[4, 3, 3, 3], weights),
        codes("wz", DataType::Uint8, &[], vec![130]),
        scalar("m", 0.03125 * 0.01),
        scalar("t", 0.2),
        codes("n", DataType::Uint8, &[], vec![3]),
    ];
    let network = network(&model(nodes, constants, "y"));
    let made = integers(&network, Rule::AsGiven).unwrap().network;
    let shape = network.ty(network.inputs()[0].node.into()).shape.clone();
    for _ in 0..20 {
        let numbers = (0..shape.len()).map(|_| (seed.below(1200) as f32 - 500.0) / 100.0).collect();
        let input = [Tensor::f32(shape.clone(), numbers).unwrap()];
        let exact = evaluate::<f64>(&network, &input).unwrap().remove(0).to_f64();
        let found = evaluate::<f32>(&made, &input).unwrap().remove(0).to_f64();
        let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-5;
        assert!(found.iter().zip(&exact).all(near), "{found:?} {exact:?}");
        assert!(exact.iter().any(|&y| y > 0.0));
    }
}

/// QONNX's Trunc: codes of 8 bits lose their lowest four, rounded down, and keep their scale.
#[test]
fn trunc_drops_the_lowest_bits() {
    let trunc = NodeProto {
        domain: Some("qonnx.custom_op.general".into()),
        ..node("Trunc", &["x", "s", "z", "from", "to"], "y", vec![])
    };
    let constants = vec![scalar("s", 0.5), scalar("z", 0.0), scalar("from", 8.0), scalar("to", 4.0)];
    let mut model = model(vec![trunc], constants, "y");
    let domain = Some("qonnx.custom_op.general".to_string());
    model.opset_import.push(OperatorSetIdProto { domain, version: Some(1) });
    let network = network(&model);
    let shape = network.ty(network.inputs()[0].node.into()).shape.clone();
    // Codes 200, -6, 15, 62, 16, -16, 0: a sixteenth of each, rounded down, times a half.
    let (given, expected) = ([100.0, -3.0, 7.5, 31.0, 8.0, -8.0, 0.0], [6.0, -0.5, 0.0, 1.5, 0.5, -0.5, 0.0]);
    let numbers: Vec<f64> = (0..shape.len()).map(|i| given[i % given.len()]).collect();
    let input = [Tensor::from_f64(Element::F32, shape, &numbers).unwrap()];
    let made = integers(&network, Rule::AsGiven).unwrap().network;
    for network in [&network, &made] {
        let found = evaluate::<f32>(network, &input).unwrap().remove(0).to_f64();
        let expected = |(i, y): (usize, &f64)| *y == expected[i % expected.len()];
        assert!(found.iter().enumerate().all(expected), "{:?}", &found[..given.len()]);
    }
}
