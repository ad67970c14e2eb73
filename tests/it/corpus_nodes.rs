//! The operator tests of ONNX, one graph of one node each: all inputs but the first become constants, ranks are
//! whatever they are, and no axis is a batch.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nonresc_ir::network::{Element, Shape};
use nonresc_ir::onnx::import::{ImportOptions, Level, import_bytes};
use nonresc_ir::onnx::messages::tensor_proto::DataType;
use nonresc_ir::onnx::messages::{ModelProto, TensorProto};
use nonresc_ir::tensor::{Data, Tensor};
use nonresc_passes::engine::{Engine, Frames};
use nonresc_tests::corpus::{distance, folder, json};
use prost::Message;

/// Largest error, relative to the largest output.
const NEAR: f64 = 1e-5;

/// A case whose input and golden output are stored with four digits: half of the last one of the output and of a
/// ninth of each of four inputs, relative to the largest output.
const FOUR_DIGITS: (&str, f64) =
    ("test_averagepool_2d_ceil_last_window_starts_on_pad", 0.5e-4 * (1.0 + 4.0 / 9.0) / 0.3572);

fn message(path: &Path) -> TensorProto {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    TensorProto::decode(&bytes[..]).unwrap()
}

/// Numbers of a message, read without the importer. These files use `raw_data` alone.
fn tensor(message: &TensorProto) -> Tensor {
    let raw = message.raw_data.clone().unwrap_or_default();
    let shape = Shape(message.dims.iter().map(|&d| d as usize).collect());
    macro_rules! le {
        ($ty:ty) => {
            raw.chunks_exact(size_of::<$ty>()).map(|c| <$ty>::from_le_bytes(c.try_into().unwrap())).collect()
        };
    }
    let int = |bits, signed| Element::Int { bits, signed };
    let (element, data) = match message.data_type() {
        t if t == DataType::Float as i32 => (Element::F32, Data::F32(le!(f32))),
        t if t == DataType::Double as i32 => (Element::F64, Data::F64(le!(f64))),
        t if t == DataType::Float16 as i32 => (Element::F16, Data::F16(le!(half::f16))),
        t if t == DataType::Int64 as i32 => (Element::I64, Data::I64(le!(i64))),
        t if t == DataType::Int32 as i32 => (Element::I32, Data::I32(le!(i32))),
        t if t == DataType::Int16 as i32 => (int(16, true), Data::I16(le!(i16))),
        t if t == DataType::Uint16 as i32 => (int(16, false), Data::U16(le!(u16))),
        t if t == DataType::Int8 as i32 => (Element::I8, Data::I8(le!(i8))),
        t if t == DataType::Uint8 as i32 => (Element::U8, Data::U8(le!(u8))),
        t if t == DataType::Bool as i32 => (Element::Bool, Data::Bool(raw.iter().map(|&b| b != 0).collect())),
        t => panic!("data type {t}"),
    };
    Tensor::new(element, shape, data).unwrap()
}

/// How far the first output of a case is from what ONNX says, or why it is not computed.
fn outcome(dir: &Path) -> Result<f64, String> {
    let mut model = ModelProto::decode(&fs::read(dir.join("model.onnx")).unwrap()[..]).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let data = dir.join("test_data_set_0");
    for (i, input) in graph.input.iter().enumerate().skip(1) {
        let mut bound = message(&data.join(format!("input_{i}.pb")));
        bound.name = input.name.clone();
        graph.initializer.push(bound);
    }
    let first = graph.input.first().map(|i| i.name().to_string());
    let options = ImportOptions { level: Level::Operator, ..ImportOptions::default() };
    let imported = import_bytes(model.encode_to_vec(), "model.onnx", &options).map_err(|d| d.to_string())?;
    let given = match first {
        Some(name) => BTreeMap::from([(name, tensor(&message(&data.join("input_0.pb"))))]),
        None => BTreeMap::new(),
    };
    let frames = Frames::new(&imported.network, Engine::Plain).map_err(|d| d.to_string())?;
    let output = frames.run(&given).map_err(|d| d.to_string())?.remove(0).1;
    let golden = tensor(&message(&data.join("output_0.pb")));
    if output.element() != golden.element() {
        return Err(format!("its result is {}, not {}", output.element(), golden.element()));
    }
    Ok(distance(&output, &golden))
}

#[test]
fn operators_compute_what_onnx_says() {
    let all = folder().join("onnx_node");
    let index = json(&all.join("index.json"));
    let mut faults = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for case in index["cases"].as_array().unwrap() {
        let (name, level) = (case["name"].as_str().unwrap(), case["level"].as_str().unwrap());
        let outcome = outcome(&all.join(name));
        let word = match &outcome {
            Ok(far) if *far <= NEAR || (name == FOUR_DIGITS.0 && *far <= FOUR_DIGITS.1) => "right",
            Ok(far) => {
                faults.push(format!("{name}: {far:.2e} from the golden output"));
                "wrong"
            }
            Err(why) => {
                if level == "must" || !why.contains(case["op"].as_str().unwrap()) {
                    faults.push(format!("{name}: {why}"));
                }
                "refused"
            }
        };
        *counts.entry(format!("{level}: {word}")).or_default() += 1;
    }
    println!("{counts:?}");
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}
