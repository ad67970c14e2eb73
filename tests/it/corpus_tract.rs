//! Networks of the corpora on the engine tract, held against the plain evaluator.

use nonresc_ir::network::{Edit, Op};
use nonresc_tests::corpus::normal_networks;
use nonresc_tests::seed::Seed;

use crate::tract::{inputs, same};

/// Dense layers of other floats than 32-bit ones: tract multiplies them by a scale of 32 bits.
const REFUSED: [&str; 2] = ["e_fp16", "e_fp64"];

#[test]
fn float_networks_compute_the_same_and_others_are_refused() {
    let (mut alike, mut refused, mut faults) = (0, Vec::new(), Vec::new());
    for (name, mut network) in normal_networks() {
        let quantiser = network.node_ids().any(|n| matches!(network.op(n), Op::Quantise(_)));
        // Where an operator fixes the batch, that one is run.
        let _ = Edit::new(&mut network).set_batch(2);
        match same(&network, &inputs(&network, &mut Seed(1))) {
            Ok(()) if !quantiser => alike += 1,
            Ok(()) => faults.push(format!("{name}: its quantisers are not refused")),
            Err(why) if quantiser && why.contains("tract does not give the codes") => {}
            Err(why) if why.contains("of i4: standard ONNX has no element") => {}
            Err(why) if why.contains("engine tract, which cannot run the network") => refused.push(name),
            Err(why) => faults.push(format!("{name}: {why}")),
        }
    }
    println!("{alike} networks alike, {} refused", refused.len());
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
    assert_eq!(refused, REFUSED);
    assert!(alike > 100, "{alike} networks alike");
}
