//! Lowering keeps the function: streams of random networks compute what the networks do.

use std::collections::{BTreeMap, BTreeSet};

use nonresc_ir::eval::trace;
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Network, Op};
use nonresc_ir::stream::Stream;
use nonresc_passes::lower::{Skipped, lower};
use nonresc_passes::residual::skips;
use nonresc_passes::target::Rate;
use nonresc_tests::random;
use nonresc_tests::reference::values;
use nonresc_tests::target::unlimited;

/// What the hardware gives for an output: softmax and reshapes in front of it are the host's, or move no number.
fn given(network: &Network, mut value: Value) -> Value {
    while matches!(network.op(value.node), Op::Softmax(_) | Op::Reshape(_)) {
        value = network.operands(value.node)[0];
    }
    value
}

fn same(network: &Network, seed: u64) -> Result<(), String> {
    let target = unlimited(Rate::Fastest);
    let skips = skips(network);
    let stream = lower(network, &Skipped::kept(&skips), &target).map_err(|faults| faults.to_string())?;
    computes(&stream, network, &BTreeMap::new(), seed)?;
    let carried: BTreeSet<usize> = stream.channels().filter_map(|c| stream.channel(c).skip).collect();
    let numbers: BTreeSet<usize> = skips.iter().map(|skip| skip.number).collect();
    if carried == numbers { Ok(()) } else { Err(format!("channels carry skips {carried:?}\n{stream}")) }
}

/// Whether a stream of `network` computes what that does; `fused` are convolutions and those computed beside them.
pub(crate) fn computes(
    stream: &Stream,
    network: &Network,
    fused: &BTreeMap<NodeId, NodeId>,
    seed: u64,
) -> Result<(), String> {
    let inputs = random::input(network, seed);
    let numbers: Vec<Vec<f64>> = inputs.iter().map(|input| input.to_f64()).collect();
    let sinks = values::run_fused(stream, network, fused, &numbers);
    let trace = trace::<f64>(network, &inputs).map_err(|fault| fault.to_string())?;
    for output in network.outputs() {
        let (wanted, got) = (trace[&given(network, output.value)].to_f64(), &sinks[&output.name]);
        // The network's values are f32, rounded at every node.
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-5 * a.abs().max(1.0);
        if wanted.len() != got.len() || !wanted.iter().zip(got).all(close) {
            return Err(format!("\"{}\" is {got:?} instead of {wanted:?}\n{stream}", output.name));
        }
    }
    Ok(())
}

#[test]
fn streams_compute_what_their_networks_do() {
    for seed in 0..200 {
        random::for_each(seed..seed + 1, |network| same(network, seed));
    }
}
