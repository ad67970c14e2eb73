//! Writes gradients for other programs to hold against their own, each with the numbers that go in and come out:
//!
//! - `gradients networks FOLDER COUNT`: random networks as they are trained, as ONNX files of standard operators, for
//!   `gradients_in_onnxruntime.py FOLDER`;
//! - `gradients steps FOLDER MODEL.onnx...`: a whole step of training of each model, arrays only, for
//!   `gradients_in_torch.py FOLDER MODEL.onnx...`.
//!
//! What comes out is computed by the plain evaluator in double precision; of the random networks also in single precision,
//! which shows what that precision can tell.

#![allow(clippy::print_stdout, reason = "it says what it wrote")]

use std::fs;
use std::path::Path;

use nonresc_ir::eval::evaluate;
use nonresc_ir::network::{Element, Network};
use nonresc_ir::onnx::export::export;
use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::data::arrays;
use nonresc_passes::distill::step::{Step, Terms};
use nonresc_passes::distill::student::Student;
use nonresc_passes::normalise::normalise;
use nonresc_tests::double::in_double;
use nonresc_tests::gradient::{number, training};
use nonresc_tests::seed::Seed;

/// Frames of a batch.
const FRAMES: usize = 4;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["networks", folder, count] => {
            networks(Path::new(folder), count.parse().expect("a number of networks"))
        }
        ["steps", folder, models @ ..] => {
            models.iter().for_each(|model| step(Path::new(folder), Path::new(model)))
        }
        _ => println!("left out: say `networks FOLDER COUNT` or `steps FOLDER MODEL.onnx...`"),
    }
}

type Arrays = Vec<(String, Tensor)>;

fn named(names: impl Iterator<Item = String>, tensors: Vec<Tensor>) -> Arrays {
    names.zip(tensors).collect()
}

/// `in_NAME` of each input, `out_NAME` of each output.
fn golden(network: &Network, given: &[Tensor]) -> Arrays {
    let found = evaluate::<f64>(network, given).expect("the numbers fit");
    let mut all = named(network.inputs().iter().map(|port| format!("in_{}", port.name)), given.to_vec());
    all.extend(named(network.outputs().iter().map(|port| format!("out_{}", port.name)), found));
    all
}

fn write(path: &Path, arrays: &Arrays) {
    fs::write(path, arrays::npz_bytes(arrays).expect("arrays can be written"))
        .expect("a file can be written");
}

fn networks(folder: &Path, count: u64) {
    fs::create_dir_all(folder).expect("a folder can be made");
    for seed in 0..count {
        let problem = training::problem(seed, Element::F32, FRAMES);
        let network = problem.differentiated().unwrap_or_else(|faults| panic!("seed {seed}: {faults}"));
        let bytes = export(&network).unwrap_or_else(|faults| panic!("seed {seed}: {faults}"));
        fs::write(folder.join(format!("{seed:05}.onnx")), bytes).expect("a file can be written");
        let given = [problem.given.clone(), problem.seeds()].concat();
        let mut all = golden(&network, &given);
        let single = evaluate::<f32>(&network, &given).expect("the numbers fit");
        all.extend(named(network.outputs().iter().map(|port| format!("single_{}", port.name)), single));
        write(&folder.join(format!("{seed:05}.npz")), &all);
    }
    println!("{count} networks in {}", folder.display());
}

/// Labels, a teacher's scores, both weights of the loss, and the model's own convolutions and dense layers.
fn step(folder: &Path, model: &Path) {
    fs::create_dir_all(folder).expect("a folder can be made");
    let name = model.file_stem().expect("a model is a file").to_string_lossy().into_owned();
    let imported = import_file(model, &ImportOptions::default());
    let mut network = imported.unwrap_or_else(|faults| panic!("{name}: {faults}")).network;
    normalise(&mut network).unwrap_or_else(|faults| panic!("{name}: {faults}"));
    let student = Student::new(&network, &[]).unwrap_or_else(|faults| panic!("{name}: {faults}"));
    let terms = Terms { logits: true, ..Terms::default() };
    let step = Step::new(&student, FRAMES, &terms).unwrap_or_else(|faults| panic!("{name}: {faults}"));
    let network = in_double(&step.network);
    let mut seed = Seed(1);
    let mut given = Vec::new();
    for port in network.inputs() {
        let shape = network.ty(port.node.into()).shape.clone();
        let held = student.parameters().into_iter().find(|held| held.name == port.name);
        let mut numbers: Vec<f64> = (0..shape.len()).map(|_| number(&mut seed)).collect();
        match (port.name.as_str(), held) {
            ("labels", _) => {
                numbers.fill(0.0);
                numbers.chunks_mut(shape.0[1]).for_each(|row| row[seed.below(shape.0[1])] = 1.0);
            }
            ("weight.hard", _) => numbers.fill(0.75),
            ("weight.logits", _) => numbers.fill(0.25),
            (name, Some(held)) if name.ends_with(".weight") => {
                numbers = student.network.constant(held.value).expect("weights are known").to_f64();
            }
            (name, _) if name.ends_with(".scale") => numbers.iter_mut().for_each(|x| *x = 1.0 + 0.5 * *x),
            _ => {}
        }
        given.push(Tensor::f64(shape, numbers).expect("as many numbers"));
    }
    write(&folder.join(format!("{name}.npz")), &golden(&network, &given));
    println!("{name}: {} parameters", step.parameters.len());
}
