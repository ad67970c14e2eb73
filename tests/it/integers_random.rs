//! Random networks, quantised in many ways, as integer networks: the fast engine gives the numbers of the plain
//! evaluator, and every code is the one of arithmetic in f64.

use std::cell::Cell;

use nonresc_ir::eval;
use nonresc_ir::network::{Network, verify, verify_live};
use nonresc_ir::onnx::export::{export, export_qonnx};
use nonresc_ir::onnx::import::{ImportOptions, import_bytes};
use nonresc_passes::engine::Engine;
use nonresc_passes::integers::{Integers, Rule, integers};
use nonresc_passes::normalise::normalise;
use nonresc_passes::quantise::Scales;
use nonresc_tests::quantised::{options, quantised};
use nonresc_tests::random;

/// How many networks are quantised and compared.
const NETWORKS: usize = 300;

#[test]
fn numbers_are_those_of_exact_arithmetic_on_either_engine() {
    let (done, codes) = (Cell::new(0), Cell::new(0u64));
    for seed in 0.. {
        if done.get() == NETWORKS {
            break;
        }
        assert!(seed < 4 * NETWORKS as u64, "{} networks of {seed} could be quantised", done.get());
        random::for_each(seed..seed + 1, |network| {
            let Some(network) = quantised(network, &options(seed, None)) else { return Ok(()) };
            if let Some(count) = compared(network, seed)? {
                codes.set(codes.get() + count);
                done.set(done.get() + 1);
            }
            Ok(())
        });
    }
    println!("{} networks, {} codes", done.get(), codes.get());
    assert!(codes.get() > 100_000);
}

/// What random networks have that no integers are made of.
const REFUSED: [&str; 2] = ["its windows hold different numbers of places", "it has no quantised layer"];

/// The integers of a quantised network in normal form, unless it may be refused.
fn made(network: &Network) -> Result<Option<Integers>, String> {
    match integers(network, Rule::AsGiven) {
        Ok(made) => Ok(Some(made)),
        Err(faults) if faults.iter().all(|fault| REFUSED.iter().any(|why| fault.why.starts_with(why))) => {
            Ok(None)
        }
        Err(faults) => Err(faults.to_string()),
    }
}

/// Compares a quantised network with its integers; gives how many codes were compared.
fn compared(mut network: Network, seed: u64) -> Result<Option<u64>, String> {
    let text = |e: nonresc_ir::diagnostic::Diagnostics| e.to_string();
    normalise(&mut network).map_err(text)?;
    let Some(made) = made(&network)? else { return Ok(None) };
    let whole = &made.network;
    verify(whole).and_then(|()| verify_live(whole)).map_err(text)?;
    let input = random::input(&network, seed);
    let plain = eval::evaluate::<f32>(whole, &input).map_err(|e| e.to_string())?;
    let session = Engine::Native.load(whole).map_err(|e| e.to_string())?;
    let fast = session.run(&input).map_err(|e| e.to_string())?;
    if fast != plain {
        return Err(format!("the engines differ: {fast:?} {plain:?}"));
    }
    let found = eval::trace::<f32>(whole, &input).map_err(|e| e.to_string())?;
    let exact = eval::trace::<f64>(&network, &input).map_err(|e| e.to_string())?;
    let mut count = 0;
    for &(quantiser, value) in &made.quantisers {
        let (found, exact) = (&found[&value], &exact[&quantiser.into()]);
        // Codes that are given by an operator behind which the quantiser stood have its shape.
        if found.to_i64() != exact.to_i64() {
            let names = &network.node(quantiser).names;
            return Err(format!("codes of {names} differ: {found:?} {exact:?}"));
        }
        count += found.len() as u64;
    }
    Ok(Some(count))
}

/// What is written as QDQ or QONNX with scales that are powers of two is read back as the same integers.
#[test]
fn files_keep_their_integers() {
    let all = ImportOptions { all_outputs: true, ..ImportOptions::default() };
    let mut done = 0;
    for seed in 0..60 {
        let Some(mut network) = quantised(&random::network(seed), &options(seed, Some(Scales::PowerOfTwo)))
        else {
            continue;
        };
        let mut files = [export(&network), export_qonnx(&network)].map(|bytes| {
            let bytes = bytes.unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            import_bytes(bytes, "model.onnx", &all).unwrap_or_else(|e| panic!("seed {seed}: {e}")).network
        });
        let mut outputs = Vec::new();
        for network in std::iter::once(&mut network).chain(&mut files) {
            normalise(network).unwrap();
            let whole = made(network).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            let run = |made: Integers| {
                eval::evaluate::<f32>(&made.network, &random::input(&made.network, seed)).unwrap()
            };
            outputs.push(whole.map(run));
        }
        assert_eq!(outputs[0], outputs[1], "seed {seed}: QDQ");
        assert_eq!(outputs[0], outputs[2], "seed {seed}: QONNX");
        done += usize::from(outputs[0].is_some());
    }
    assert!(done > 20, "{done} networks");
}
