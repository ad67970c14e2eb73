//! Writes random quantised networks as ONNX files, each with an input and the outputs of its integers, for
//! `in_onnxruntime.py` to hold against another runtime: `quantised_networks FOLDER COUNT`.
//!
//! Scales are powers of two, so that every runtime computes the same numbers.

#![allow(clippy::print_stdout, reason = "it says what it wrote")]

use std::path::PathBuf;

use nonresc_ir::eval::evaluate;
use nonresc_ir::onnx::export::export;
use nonresc_passes::data::arrays;
use nonresc_passes::integers::{Rule, integers};
use nonresc_passes::normalise::normalise;
use nonresc_passes::quantise::Scales;
use nonresc_tests::quantised::{options, quantised};
use nonresc_tests::random;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let (Some(folder), Some(count)) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        println!("left out: name a folder and how many networks it is to hold");
        return;
    };
    let count: usize = count.parse().expect("a number of networks");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let (mut done, mut seed) = (0, 0);
    while done < count {
        seed += 1;
        let Some(mut network) = quantised(&random::network(seed), &options(seed, Some(Scales::PowerOfTwo)))
        else {
            continue;
        };
        let bytes = export(&network).unwrap_or_else(|faults| panic!("seed {seed}: {faults}"));
        normalise(&mut network).unwrap_or_else(|faults| panic!("seed {seed}: {faults}"));
        let Ok(made) = integers(&network, Rule::AsGiven) else { continue };
        let input = random::input(&network, seed);
        let outputs = evaluate::<f32>(&made.network, &input).expect("inputs fit");
        let ports = network.inputs().iter().map(|port| &port.name).zip(input);
        let given = ports.map(|(name, tensor)| (format!("in_{name}"), tensor));
        let found = network.outputs().iter().map(|port| &port.name).zip(outputs);
        let found = found.map(|(name, tensor)| (format!("out_{name}"), tensor));
        let all: Vec<_> = given.chain(found).collect();
        std::fs::write(folder.join(format!("{seed:05}.onnx")), bytes).expect("a file can be written");
        let arrays = arrays::npz_bytes(&all).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        std::fs::write(folder.join(format!("{seed:05}.npz")), arrays).expect("a file can be written");
        done += 1;
    }
    println!("{done} networks of {seed} seeds in {}", folder.display());
}
