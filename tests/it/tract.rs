//! The engine tract against the plain evaluator, which reads no export and converts ports by itself.

use nonresc_ir::network::{Edit, Element, InputPort, Network, Preprocess};
use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_ir::tensor::{Data, Tensor};
use nonresc_ir::text::parse;
use nonresc_passes::engine::{Engine, Frames, Given};
use nonresc_tests::corpus::distance;
use nonresc_tests::random;
use nonresc_tests::seed::Seed;

use crate::program::example;

/// Largest difference, relative to the largest value.
pub(crate) const NEAR: f64 = 1e-4;

/// A case of the repository.
fn case(name: &str) -> Network {
    let path = format!("{}/cases/{name}.nir", env!("CARGO_MANIFEST_DIR"));
    parse(&std::fs::read_to_string(path).unwrap(), None).unwrap()
}

fn resnet8() -> Network {
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

/// Whether both engines give the same types and, nearly, numbers.
fn same(network: &Network, inputs: &[Tensor]) -> Result<(), String> {
    let run = |engine: Engine| engine.load(network).and_then(|s| s.run(inputs)).map_err(|d| d.to_string());
    let (golden, given) = (run(Engine::Plain)?, run(Engine::Tract)?);
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

#[test]
fn random_networks_in_batches_of_one_and_three() {
    random::for_each(0..60, |network| {
        for frames in [1, 3] {
            let mut network = network.clone();
            Edit::new(&mut network).set_batch(frames).unwrap();
            same(&network, &random::input(&network, 5))?;
        }
        Ok(())
    });
}

#[test]
fn ports_are_the_users() {
    // Channels last, half precision, a fixed batch, a value without frames, an input given out again.
    let network = case("text/interface");
    let given = inputs(&network, &mut Seed(1));
    same(&network, &given).unwrap();
    // By hand: sum[n][h][w][c] = image[n][h][w][c] + bias[c].
    let outputs = Engine::Tract.load(&network).unwrap().run(&given).unwrap();
    let (image, bias) = (given[0].to_f64(), given[1].to_f64());
    let sum: Vec<f32> = image.iter().enumerate().map(|(i, x)| (x + bias[i % 2]) as f32).collect();
    assert_eq!(outputs[0].shape().0, [4, 3, 3, 2]);
    assert_eq!(*outputs[0].data(), Data::F32(sum));
}

#[test]
fn preprocessing_is_part_of_what_runs() {
    let mut network = resnet8();
    let preprocess = Preprocess { scale: 1.0 / 255.0, mean: vec![0.5, 0.25, 0.0], std: vec![0.5] };
    Edit::new(&mut network).set_preprocess(Some(preprocess));
    Edit::new(&mut network).set_batch(2).unwrap();
    let mut seed = Seed(2);
    let pixels = (0..2 * 3072).map(|_| seed.below(256) as f32).collect();
    same(&network, &[Tensor::f32([2, 3, 32, 32], pixels).unwrap()]).unwrap();
}

#[test]
fn any_number_of_frames() {
    let network = resnet8();
    let frames = Frames::new(&network, Engine::Tract).unwrap();
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

#[test]
fn what_cannot_run_is_refused() {
    let fault_of = |network: &Network| Engine::Tract.load(network).err().expect("it is refused");
    // tract rounds to other codes than ONNX.
    let fault = fault_of(&case("text/operators"));
    assert_eq!((fault.code, fault.remedy.as_str()), ("engine/tract", "use `--engine native`"));
    assert!(fault.what.starts_with("quantise"), "{fault}");

    // Integers of 4 bits that are no codes: no ONNX of the operator sets that are written.
    let narrow = "nir 1\ninput \"x\" %0\noutput \"y\" %2\n\n%0 = input : f32 1x2\n%1 = cast %0 to=i4\n\
                  %2 = cast %1 to=f32\n";
    let fault = fault_of(&parse(narrow, None).unwrap());
    assert_eq!(fault.what, "engine tract, which reads the network as ONNX");
    assert_eq!(fault.why.matches("to i4: standard ONNX has no element").count(), 1, "{fault}");

    // tract multiplies matrices of 64-bit floats by its own scale of 32.
    let double = "nir 1\ninput \"x\" %0\noutput \"y\" %3\n\n%0 = input : f64 1x4\n\
                  %1 = const seed=1 : f64 3x4\n%2 = const seed=2 : f64 3\n%3 = dense %0, %1, %2 \"fc\"\n";
    let fault = fault_of(&parse(double, None).unwrap());
    assert_eq!((fault.code, fault.remedy.as_str()), ("engine/tract", "use `--engine native`"));
    assert!(fault.what.contains("cannot run the network") && fault.why.contains("fc"), "{fault}");
    assert!(!fault.why.contains('\n'), "{fault}");

    let network = resnet8();
    let session = Engine::Tract.load(&network).unwrap();
    let run = |inputs: &[Tensor]| session.run(inputs).expect_err("it is refused");
    let small = Tensor::f32([1, 3, 16, 16], vec![0.0; 768]).unwrap();
    let fault = run(std::slice::from_ref(&small));
    assert_eq!((fault.code, fault.what.as_str()), ("run/shape", "input \"image\" of shape 1x3x16x16"));
    assert_eq!(run(&[small.clone(), small]).code, "run/inputs");
}
