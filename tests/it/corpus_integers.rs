//! Quantised networks of the corpora as integer networks, held against the golden outputs of other runtimes.

use nonresc_ir::network::{Network, Op};
use nonresc_passes::engine::{Engine, Frames, Given};
use nonresc_passes::integers::{Proof, integers};
use nonresc_passes::normalise::normalise;
use nonresc_tests::corpus::{Entry, array};

/// The step of the first output: the scale that its codes are multiplied by; 1 where it is codes itself.
fn step(network: &Network) -> Option<f64> {
    let value = network.outputs()[0].value;
    match network.op(value.node) {
        Op::Dequantise(_) => Some(network.constant(network.operands(value.node)[1])?.to_f64()[0]),
        _ => Some(1.0),
    }
}

#[test]
fn look() {
    for entry in Entry::all() {
        if !entry.quantised() || entry.expect() == "refuse" {
            continue;
        }
        let Some(golden) = &entry.golden else { continue };
        let name = entry.name();
        let mut network = match entry.import(&entry.options()) {
            Ok(imported) => imported.network,
            Err(_) => continue,
        };
        normalise(&mut network).unwrap();
        let made = match integers(&network) {
            Ok(made) => made,
            Err(faults) => {
                println!("{name}: REFUSED\n{faults}");
                continue;
            }
        };
        let input = array(golden, "input");
        let given = Given::from([(network.inputs()[0].name.clone(), input)]);
        let found = Frames::new(&made.network, Engine::Plain).unwrap().run(&given).unwrap().remove(0).1;
        let golden = array(golden, "output").to_f64();
        let step = step(&made.network).unwrap_or(1.0);
        let apart: Vec<f64> =
            found.to_f64().iter().zip(&golden).map(|(a, b)| ((a - b) / step).abs()).collect();
        let off = apart.iter().filter(|&&d| d > 0.01).count();
        let worst = apart.iter().copied().fold(0.0, f64::max);
        let proofs = |p: fn(&Proof) -> bool| made.roundings.iter().filter(|r| p(&r.proof)).count();
        println!(
            "{name}: {off} of {} off, worst {worst:.4} steps; exact {} proven {} open {}; factors {} bits",
            golden.len(),
            proofs(|p| *p == Proof::Exact),
            proofs(|p| matches!(p, Proof::Proven { .. })),
            proofs(|p| *p == Proof::Open),
            made.roundings.iter().map(|r| r.factor_bits).max().unwrap_or(0),
        );
    }
}
