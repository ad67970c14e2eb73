//! Gradients as standard ONNX: engines that know no operator of ours give the plain evaluator's numbers.

use nonresc_ir::eval::evaluate;
use nonresc_ir::network::{Element, Network};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::engine::Engine;
use nonresc_tests::corpus::distance;
use nonresc_tests::gradient::{Problem, operators, training};

use crate::exported::NEAR;
#[cfg(feature = "ort")]
use crate::exported::onnxruntime;

/// What came of outputs.
#[derive(Debug, Default)]
struct Counted {
    compared: usize,
    /// The plain evaluator in single precision is further apart from itself in double precision than [`BLURRED`]: a small
    /// sum of large terms, or 0 but for rounding.
    blurred: usize,
    worst: f64,
}

const BLURRED: f64 = 1e-5;

impl Counted {
    /// The golden numbers are of double precision, so that what is apart is the engine's own rounding.
    fn compare(&mut self, engine: Engine, name: &str, problem: &Problem) {
        let network: Network = problem.differentiated().unwrap_or_else(|faults| panic!("{name}: {faults}"));
        let given: Vec<Tensor> = [problem.given.clone(), problem.seeds()].concat();
        let (golden, single) =
            (evaluate::<f64>(&network, &given).unwrap(), evaluate::<f32>(&network, &given).unwrap());
        let session = engine.load(&network).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        let found = session.run(&given).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(found.len(), golden.len(), "{name}");
        for (i, port) in network.outputs().iter().enumerate() {
            if distance(&single[i], &golden[i]) >= BLURRED {
                self.blurred += 1;
                continue;
            }
            let far = distance(&found[i], &golden[i]);
            assert!(far < NEAR, "{name}: \"{}\" is {far:.1e} apart", port.name);
            self.compared += 1;
            self.worst = self.worst.max(far);
        }
    }
}

fn gradient_of_every_operator(engine: Engine) {
    let mut counted = Counted::default();
    for (name, problem) in operators::all(Element::F32) {
        counted.compare(engine, name, &problem);
    }
    println!("{counted:?}");
    assert_eq!(counted.blurred, 0);
}

fn gradients_of_random_networks(engine: Engine) {
    let mut counted = Counted::default();
    for seed in 0..40 {
        counted.compare(engine, &format!("seed {seed}"), &training::problem(seed, Element::F32, 4));
    }
    println!("{counted:?}");
    assert!(counted.blurred * 20 < counted.compared, "{counted:?}");
}

#[cfg(feature = "engine")]
#[test]
fn gradient_of_every_operator_on_tract() {
    gradient_of_every_operator(Engine::Tract);
}

#[cfg(feature = "engine")]
#[test]
fn gradients_of_random_networks_on_tract() {
    gradients_of_random_networks(Engine::Tract);
}

#[cfg(feature = "ort")]
#[test]
fn gradient_of_every_operator_on_ort() {
    gradient_of_every_operator(onnxruntime());
}

#[cfg(feature = "ort")]
#[test]
fn gradients_of_random_networks_on_ort() {
    gradients_of_random_networks(onnxruntime());
}
