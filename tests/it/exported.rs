//! Engines that read our export against the plain evaluator, which reads none and converts ports by itself.

#[cfg(feature = "ort")]
use std::path::Path;

use nonresc_ir::network::{Edit, Element, InputPort, Network, Preprocess};
use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_ir::tensor::{Data, Tensor};
use nonresc_ir::text::parse;
#[cfg(feature = "ort")]
use nonresc_passes::engine::Library;
use nonresc_passes::engine::{Engine, Frames, Given};
use nonresc_tests::corpus::distance;
use nonresc_tests::random;
use nonresc_tests::seed::Seed;

use crate::program::example;

/// Largest difference, relative to the largest value.
pub(crate) const NEAR: f64 = 1e-4;

/// onnxruntime.
///
/// # Panics
/// Where its library is not named, or cannot be used.
#[cfg(feature = "ort")]
pub(crate) fn onnxruntime() -> Engine {
    let path = std::env::var_os("ORT_DYLIB_PATH").expect(
        "set ORT_DYLIB_PATH to the library of onnxruntime: tests/run fetches it, `pip install onnxruntime` brings it",
    );
    Engine::Ort(Library::load(Some(Path::new(&path))).unwrap_or_else(|fault| panic!("{fault}")))
}

/// A case of the repository.
pub(crate) fn case(name: &str) -> Network {
    let path = format!("{}/cases/{name}.nir", env!("CARGO_MANIFEST_DIR"));
    parse(&std::fs::read_to_string(path).unwrap(), None).unwrap()
}

pub(crate) fn resnet8() -> Network {
    import_file(&example("resnet8.onnx"), &ImportOptions::default()).unwrap().network
}

/// Numbers for every input, as its user gives them: floats from -1 to 1, integers from 0 to 64.
pub(crate) fn inputs(network: &Network, seed: &mut Seed) -> Vec<Tensor> {
    let mut input = |port: &InputPort| {
        let canonical = &network.ty(port.node.into()).shape.0;
        let shape: Vec<usize> = port.perm.iter().map(|&axis| canonical[axis]).collect();
        let mut number = || match port.element {
            Element::Int { .. } => seed.below(65) as f64,
            Element::F16 | Element::F32 | Element::F64 | Element::Bool => seed.number().into(),
        };
        let numbers: Vec<f64> = (0..shape.iter().product()).map(|_: usize| number()).collect();
        Tensor::from_f64(port.element, &shape[..], &numbers).unwrap()
    };
    network.inputs().iter().map(&mut input).collect()
}

/// Whether an engine and the plain evaluator give the same types and, nearly, numbers.
pub(crate) fn same(engine: Engine, network: &Network, inputs: &[Tensor]) -> Result<(), String> {
    let run = |engine: Engine| engine.load(network).and_then(|s| s.run(inputs)).map_err(|d| d.to_string());
    let (golden, given) = (run(Engine::Plain)?, run(engine)?);
    assert_eq!((golden.len(), given.len()), (network.outputs().len(), network.outputs().len()));
    for (port, (golden, given)) in network.outputs().iter().zip(golden.iter().zip(&given)) {
        if given.element() != golden.element() {
            return Err(format!("\"{}\" is {}, not {}", port.name, given.element(), golden.element()));
        }
        let far = distance(given, golden);
        if far > NEAR {
            return Err(format!("\"{}\" is {far:.1e} apart", port.name));
        }
    }
    Ok(())
}

pub(crate) fn random_networks_in_batches_of_one_and_three(engine: Engine) {
    random::for_each(0..60, |network| {
        for frames in [1, 3] {
            let mut network = network.clone();
            Edit::new(&mut network).set_batch(frames).unwrap();
            same(engine, &network, &random::input(&network, 5))?;
        }
        Ok(())
    });
}

pub(crate) fn ports_are_the_users(engine: Engine) {
    // Channels last, half precision, a fixed batch, a value without frames, an input given out again.
    let network = case("text/interface");
    let given = inputs(&network, &mut Seed(1));
    same(engine, &network, &given).unwrap();
    // By hand: sum[n][h][w][c] = image[n][h][w][c] + bias[c].
    let outputs = engine.load(&network).unwrap().run(&given).unwrap();
    let (image, bias) = (given[0].to_f64(), given[1].to_f64());
    let sum: Vec<f32> = image.iter().enumerate().map(|(i, x)| (x + bias[i % 2]) as f32).collect();
    assert_eq!(outputs[0].shape().0, [4, 3, 3, 2]);
    assert_eq!(*outputs[0].data(), Data::F32(sum));
}

pub(crate) fn preprocessing_is_part_of_what_runs(engine: Engine) {
    let mut network = resnet8();
    let preprocess = Preprocess { scale: 1.0 / 255.0, mean: vec![0.5, 0.25, 0.0], std: vec![0.5] };
    Edit::new(&mut network).set_preprocess(Some(preprocess));
    Edit::new(&mut network).set_batch(2).unwrap();
    let mut seed = Seed(2);
    let pixels = (0..2 * 3072).map(|_| seed.below(256) as f32).collect();
    same(engine, &network, &[Tensor::f32([2, 3, 32, 32], pixels).unwrap()]).unwrap();
}

pub(crate) fn any_number_of_frames(engine: Engine) {
    let network = resnet8();
    let frames = Frames::new(&network, engine).unwrap();
    let mut seed = Seed(3);
    let numbers: Vec<f32> = (0..19 * 3072).map(|_| seed.below(256) as f32).collect();
    let given = |n: usize| Tensor::f32([n, 3, 32, 32], numbers[..n * 3072].to_vec()).unwrap();
    let plain = Frames::new(&network, Engine::Plain).unwrap();
    for n in [1, 16, 19] {
        let run =
            |frames: &Frames| frames.run(&Given::from([("image".into(), given(n))])).unwrap().remove(0).1;
        let (found, golden) = (run(&frames), run(&plain));
        assert_eq!(found.shape().0, [n, 10]);
        assert!(distance(&found, &golden) < NEAR, "{n} frames");
        assert_eq!(found, run(&frames), "the same frames give the same numbers");
    }
}
