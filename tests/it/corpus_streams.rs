//! The networks of the corpora that compute with floats, as streams: what the actors compute is what the network
//! does, and the clocks are those that sizing says.

use std::collections::BTreeSet;

use nonresc_ir::eval;
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Network, Op};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::design::{Design, NetworkDesign, Options, StreamDesign};
use nonresc_passes::manager::{self, Checks};
use nonresc_passes::target::Rate;
use nonresc_tests::corpus::{Entry, array, distance};
use nonresc_tests::double::in_double;
use nonresc_tests::ported::{canonical, random_inputs, run, users};
use nonresc_tests::reference::simulator::simulate;
use nonresc_tests::reference::values;
use nonresc_tests::seed::Seed;
use nonresc_tests::target::unlimited;

use crate::corpus_passes::{self, REFUSED};
use crate::fifo_random::agree;

/// Largest distance to the plain evaluation in double precision, relative to the largest value.
const SAME: f64 = 1e-9;

/// Frames within which a stream must repeat itself.
const MOST_FRAMES: u64 = 100;

/// Besides as fast as can be, designs are made for so many times the cycles: folded, and with other lanes.
const SLOWER: u64 = 6;

/// The networks that lowering takes and that compute with floats, with their entries.
fn networks() -> impl Iterator<Item = (Entry, Network)> {
    let is_refused = |entry: &Entry| REFUSED.iter().any(|(file, _)| entry.file.ends_with(file));
    corpus_passes::networks().filter(move |(entry, network)| !is_refused(entry) && !is_quantised(network))
}

fn is_quantised(network: &Network) -> bool {
    network.node_ids().any(|node| matches!(network.op(node), Op::Quantise(_) | Op::Dequantise(_)))
}

/// The whole pipeline, all skips kept.
fn design(network: &Network, rate: Rate) -> Result<StreamDesign, String> {
    let options = Options::of(unlimited(rate));
    let design = Design::Network(NetworkDesign::new(network.clone()));
    let finished =
        manager::compile(design, &options, &Checks::default()).map_err(|failed| failed.faults.to_string())?;
    match finished.design {
        Design::Stream(design) => Ok(design),
        Design::Network(_) => Err("no stream was made".into()),
    }
}

/// The value that the hardware gives for an output, and what the host does to it.
fn given(network: &Network, output: Value) -> (Value, Vec<NodeId>) {
    let mut value = output;
    let mut host = Vec::new();
    while matches!(network.op(value.node), Op::Softmax(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Cast(_)) {
        host.insert(0, value.node);
        value = network.operands(value.node)[0];
    }
    (value, host)
}

/// The frames of a tensor.
fn frames(all: &Tensor) -> Vec<Tensor> {
    let (numbers, mut shape) = (all.to_f64(), all.shape().clone());
    let each = numbers.len() / shape.0[0];
    shape.0[0] = 1;
    let frame = |numbers: &[f64]| Tensor::f64(shape.clone(), numbers.to_vec()).expect("a frame of the shape");
    numbers.chunks(each).map(frame).collect()
}

/// The outputs of one frame as their user sees them.
fn executed(design: &StreamDesign, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    let network = &design.source.network;
    let inputs: Vec<Vec<f64>> = canonical(network, inputs)?.iter().map(Tensor::to_f64).collect();
    let sinks = values::run(&design.stream, network, &inputs);
    let mut outputs = Vec::new();
    for port in network.outputs() {
        let (value, host) = given(network, port.value);
        let shape = network.ty(value).shape.clone();
        let mut tensor = Tensor::f64(shape, sinks[&port.name].clone()).ok_or("a sink gets another map")?;
        for node in host {
            tensor = eval::operator::<f64>(network.op(node), &[&tensor])?;
        }
        outputs.push(users(port, &tensor)?);
    }
    Ok(outputs)
}

/// What the actors compute, frame by frame, against the golden output and the plain evaluation.
fn computes(entry: &Entry, network: &Network, counts: &mut Counts) -> Result<(), String> {
    let design = design(network, Rate::Fastest)?;
    let channels = design.stream.channels();
    let carried: BTreeSet<usize> = channels.filter_map(|c| design.stream.channel(c).skip).collect();
    let skips: BTreeSet<usize> = design.source.skips.iter().map(|skip| skip.number).collect();
    if carried != skips {
        return Err(format!("channels carry skips {carried:?} of {skips:?}"));
    }
    let golden = entry.golden.as_ref().map(|golden| frames(&array(golden, "output")));
    let inputs = match &entry.golden {
        Some(golden) => vec![array(golden, "input")],
        None => random_inputs(network, &mut Seed(7)),
    };
    let inputs: Vec<Vec<Tensor>> = inputs.iter().map(frames).collect();
    let plain = in_double(&design.source.network);
    for frame in 0..inputs[0].len() {
        let inputs: Vec<Tensor> = inputs.iter().map(|input| input[frame].clone()).collect();
        let outputs = executed(&design, &inputs)?;
        for (output, wanted) in outputs.iter().zip(run(&plain, &inputs)?) {
            let far = distance(output, &wanted);
            if far > SAME {
                return Err(format!("frame {frame} is {far:.2e} from the plain evaluation"));
            }
        }
        counts.frames += 1;
        let Some(golden) = &golden else { continue };
        let far = distance(&outputs[0], &golden[frame]);
        if far > entry.limit() {
            return Err(format!("frame {frame} is {far:.2e} from the golden output"));
        }
        counts.golden += 1;
    }
    counts.networks += 1;
    for skip in design.source.skips.iter() {
        counts.skips.insert(skip.shape.to_string());
    }
    Ok(())
}

/// What was held against what.
#[derive(Debug, Default)]
struct Counts {
    networks: usize,
    frames: usize,
    /// Frames with a golden output.
    golden: usize,
    /// Shapes of their skips.
    skips: BTreeSet<String>,
}

#[test]
fn streams_compute_the_golden_outputs() {
    let (mut faults, mut counts) = (Vec::new(), Counts::default());
    for (entry, network) in networks() {
        if let Err(why) = computes(&entry, &network, &mut counts) {
            faults.push(format!("{}: {why}", entry.name()));
        }
    }
    println!("{counts:?}, {} faults", faults.len());
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
    assert!(counts.networks >= 195 && counts.golden >= 375, "{counts:?}");
    let shapes = ["identity", "padded", "pool", "pool + projection", "pre-activation", "projection"];
    assert!(shapes.iter().all(|&shape| counts.skips.contains(shape)), "{counts:?}");
}

/// Interval, latency and peaks against the simulation, cycle by cycle.
fn takes_its_clocks(design: &StreamDesign) -> Result<(), String> {
    let sizing = design.sizing.as_ref().ok_or("nothing was sized")?;
    let run = simulate(&design.stream, MOST_FRAMES).map_err(|stop| format!("{stop:?}"))?;
    agree(&design.stream, sizing, &run)
}

#[test]
fn streams_take_the_clocks_that_sizing_says() {
    let mut faults = Vec::new();
    let mut designs = 0;
    for (entry, network) in networks() {
        let outcome = design(&network, Rate::Fastest).and_then(|fastest| {
            takes_its_clocks(&fastest)?;
            let interval = fastest.folding.map_or(0, |folding| folding.interval);
            takes_its_clocks(&design(&network, Rate::Cycles(SLOWER * interval))?)
        });
        match outcome {
            Ok(()) => designs += 2,
            Err(why) => faults.push(format!("{}: {why}", entry.name())),
        }
    }
    println!("{designs} designs, {} faults", faults.len());
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
    assert!(designs >= 390, "{designs} designs");
}
