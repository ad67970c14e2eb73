//! Random residual networks as they are trained: batch norm by the statistics of the batch behind every convolution, and
//! every weight an input.

use std::collections::BTreeMap;

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{BatchNorm, ChannelVariance, Edit, Element, Network, Op, Pair, ReduceMean};

use super::{Problem, number};
use crate::random::{self, Head};
use crate::seed::Seed;

/// A random network of so many frames, small, with scores or a map as its output, in inference form.
pub fn drawn(seed: u64, frames: usize) -> Network {
    let mut recipe = random::recipe(seed);
    if let Head::Softmax { classes } = recipe.head {
        recipe.head = Head::Global { max: false, dense: vec![classes] };
    }
    recipe.size = Pair { h: recipe.size.h.min(6), w: recipe.size.w.min(6) };
    let mut network = recipe.build().network;
    Edit::new(&mut network).set_batch(frames).unwrap();
    network
}

/// The network of a seed as it is trained, with new weights.
pub fn problem(seed: u64, element: Element, frames: usize) -> Problem {
    let network = drawn(seed, frames);
    let mut made = Problem::new(element, seed);
    let mut numbers = Seed(seed ^ 0x6e75_6d62_6572);
    let mut drawn = |problem: &mut Problem, shape: &[usize], middle: f64, size: f64| {
        let count = shape.iter().product();
        let numbers: Vec<f64> = (0..count).map(|_: usize| middle + size * number(&mut numbers)).collect();
        problem.holding(shape, &numbers)
    };
    let mut values: BTreeMap<NodeId, Value> = BTreeMap::new();
    for node in network.topological().unwrap() {
        let operands: Vec<Value> =
            network.operands(node).iter().filter_map(|v| values.get(&v.node)).copied().collect();
        let shape = &network.ty(node.into()).shape.0;
        let value = match network.op(node) {
            Op::Input(_) => drawn(&mut made, shape, 0.0, 1.0),
            Op::Const(_) => {
                // A bias in front of batch norm does nothing.
                let of_conv =
                    |&(reader, port): &(NodeId, u16)| port == 2 && matches!(network.op(reader), Op::Conv(_));
                if network.users(node.into()).iter().all(of_conv) {
                    continue;
                }
                let fan_in = shape.iter().skip(1).product::<usize>().max(1);
                drawn(&mut made, shape, 0.0, 2.0 / (fan_in as f64).sqrt())
            }
            Op::Conv(op) => {
                let sums = made.op(op.clone(), &operands[..2]);
                let channels = [shape[1]];
                let (scale, bias) =
                    (drawn(&mut made, &channels, 1.0, 0.5), drawn(&mut made, &channels, 0.0, 0.5));
                let mean = made.op(ReduceMean { axes: vec![0, 2, 3], keep_axes: false }, &[sums]);
                let variance = made.op(ChannelVariance {}, &[sums, mean]);
                made.op(BatchNorm::default(), &[sums, scale, bias, mean, variance])
            }
            op => made.op(op.clone(), &operands),
        };
        values.insert(node, value);
    }
    for port in network.outputs() {
        made.output(values[&port.value.node]);
    }
    made
}
