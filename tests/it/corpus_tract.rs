//! Networks of the corpora on the engine tract, held against the plain evaluator.

use nonresc_ir::network::{Edit, Op};
use nonresc_passes::engine::{Engine, Frames, Given};
use nonresc_tests::corpus::{distance, normal_networks};
use nonresc_tests::seed::Seed;

use crate::exported::{NEAR, inputs};

/// Dense layers of other floats than 32-bit ones: tract multiplies them by a scale of 32 bits.
const REFUSED: [&str; 2] = ["e_fp16", "e_fp64"];

/// Two frames: tract has both in one run, the plain evaluator each in its own.
#[test]
fn float_networks_compute_the_same_and_others_are_refused() {
    let (mut alike, mut refused, mut faults) = (0, Vec::new(), Vec::new());
    for (name, mut network) in normal_networks() {
        let quantiser = network.node_ids().any(|n| matches!(network.op(n), Op::Quantise(_)));
        // Where an operator fixes the batch, that one is run.
        let _ = Edit::new(&mut network).set_batch(2);
        let names = network.inputs().iter().map(|port| port.name.clone());
        let given: Given = names.zip(inputs(&network, &mut Seed(1))).collect();
        let run = |engine| Frames::new(&network, engine).and_then(|frames| frames.run(&given));
        let golden = run(Engine::Plain).unwrap();
        match run(Engine::Tract) {
            Ok(_) if quantiser => faults.push(format!("{name}: its quantisers are not refused")),
            Ok(found) => {
                for ((port, found), (_, golden)) in found.iter().zip(&golden) {
                    let far = distance(found, golden);
                    if found.element() != golden.element() || far > NEAR {
                        faults.push(format!("{name}: \"{port}\" is {far:.1e} apart"));
                    }
                }
                alike += 1;
            }
            Err(fault) if quantiser && fault.why.contains("does not give the codes") => {}
            Err(_) => refused.push(name),
        }
    }
    println!("{alike} networks ran, {} refused", refused.len());
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
    assert_eq!(refused, REFUSED);
    assert!(alike > 100, "{alike} networks ran");
}
