//! What a stream computes: whole maps, actor by actor, with plain loops in f64. No time, no folds, no lanes.
//!
//! A stream knows its weights by digest alone, so they come from the network that it was lowered from: its layers and
//! the actors with weights are as many and in the same order. Names would not do, since a file may use one twice.

use std::collections::BTreeMap;

use nonresc_ir::id::{ActorId, NodeId, Value};
use nonresc_ir::network::{Network, Op};
use nonresc_ir::stream::{
    Activation, GlobalPool, Kind, Map, MatVec, Pool, PoolKind, Second, Select, Stream, Sum, Window,
};

/// Numbers of a map: channel, row, column.
type Numbers = Vec<f64>;

/// What each sink gets of a frame; `inputs` are the maps of the sources, in the order of their ids.
pub fn run(stream: &Stream, network: &Network, inputs: &[Numbers]) -> BTreeMap<String, Numbers> {
    run_fused(stream, network, &BTreeMap::new(), inputs)
}

/// The same where the convolutions that are keys of `fused` compute another convolution beside themselves.
pub fn run_fused(
    stream: &Stream,
    network: &Network,
    fused: &BTreeMap<NodeId, NodeId>,
    inputs: &[Numbers],
) -> BTreeMap<String, Numbers> {
    let mut given: BTreeMap<(ActorId, u16), Numbers> = BTreeMap::new();
    let mut inputs = inputs.iter();
    let mut sinks = BTreeMap::new();
    let layers = layers(stream, network, fused);
    let sources = stream.actors().filter(|&id| matches!(stream.actor(id).kind, Kind::Source(_)));
    for id in sources {
        given.insert((id, 0), inputs.next().expect("an input for each source").clone());
    }
    for id in stream.topological().expect("no cycle") {
        let actor = stream.actor(id);
        let read = |input: u16| {
            let channel = stream.channel(stream.input(id, input).expect("every input is read"));
            &given[&(channel.writer, channel.output)]
        };
        let out = match &actor.kind {
            Kind::Source(_) => continue,
            Kind::Sink(_) => {
                sinks.insert(actor.names.to_string(), read(0).clone());
                continue;
            }
            Kind::MatVec(a) => {
                let products = matrix_vector(a, read(0), &weights(network, layers[&id]));
                let second = match &a.second {
                    None => None,
                    Some(Second::Tap { .. }) => Some(tapped(a, read(0))),
                    Some(Second::Projection(p)) => {
                        let point = MatVec {
                            output: Map { channels: p.channels, ..a.output },
                            window: Window { stride: a.window.stride, ..Window::POINT },
                            groups: 1,
                            ..a.clone()
                        };
                        let own = matrix_vector(&point, read(0), &weights(network, fused[&layers[&id]]));
                        Some(activate(own, p.activation))
                    }
                };
                second.into_iter().for_each(|numbers| {
                    given.insert((id, 1), numbers);
                });
                let read = |input: u16| {
                    let channel = stream.channel(stream.input(id, input).expect("every input is read"));
                    &given[&(channel.writer, channel.output)]
                };
                match a.add {
                    None => products,
                    Some(add) => {
                        let own = activate(products, add.activation);
                        added(own, a.output, read(1), add.channels, add.offset)
                    }
                }
            }
            Kind::Pool(a) => pool(a, read(0)),
            Kind::GlobalPool(a) => global(a, read(0)),
            Kind::Sum(Sum { output, channels, offset, .. }) => {
                added(read(0).clone(), *output, read(1), *channels, *offset)
            }
            Kind::Select(a) => select(a, read(0)),
            Kind::Activate { .. } | Kind::Convert(_) => read(0).clone(),
        };
        given.insert((id, 0), activate(out, last(&actor.kind)));
    }
    sinks
}

/// The activation that an actor applies last.
fn last(kind: &Kind) -> Activation {
    match kind {
        Kind::MatVec(MatVec { activation, .. })
        | Kind::Pool(Pool { activation, .. })
        | Kind::GlobalPool(GlobalPool { activation, .. })
        | Kind::Sum(Sum { activation, .. })
        | Kind::Activate { activation, .. } => *activation,
        Kind::Source(_) | Kind::Sink(_) | Kind::Select(_) | Kind::Convert(_) => Activation::Identity,
    }
}

fn activate(numbers: Numbers, activation: Activation) -> Numbers {
    let apply = |x: f64| match activation {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::Clip { min, max } => x.max(min).min(max),
        Activation::LeakyRelu { alpha } => x.max(0.0) + alpha * x.min(0.0),
    };
    numbers.into_iter().map(apply).collect()
}

/// The convolution or dense layer whose weights each actor holds.
fn layers(stream: &Stream, network: &Network, fused: &BTreeMap<NodeId, NodeId>) -> BTreeMap<ActorId, NodeId> {
    let is_layer = |&node: &NodeId| matches!(network.op(node), Op::Conv(_) | Op::Dense(_));
    let order = network.topological().expect("a network has no cycle");
    let alone = |node: &NodeId| !fused.values().any(|beside| beside == node);
    let nodes: Vec<NodeId> = order.into_iter().filter(is_layer).filter(alone).collect();
    let holds_weights = |&id: &ActorId| matches!(stream.actor(id).kind, Kind::MatVec(_));
    let actors: Vec<ActorId> = stream.actors().filter(holds_weights).collect();
    assert_eq!(nodes.len(), actors.len(), "an actor for each layer");
    let pairs = actors.into_iter().zip(nodes);
    pairs
        .inspect(|&(actor, node)| {
            let (actor, layer) = (&stream.actor(actor).names, &network.node(node).names);
            assert!(layer.iter().all(|n| actor.iter().any(|m| n == m)), "{actor} instead of {layer}");
        })
        .collect()
}

/// Weights and bias of a layer.
fn weights(network: &Network, layer: NodeId) -> (Numbers, Option<Numbers>) {
    let operands = network.operands(layer);
    let numbers = |value: &Value| match network.op(value.node) {
        Op::Const(tensor) => tensor.to_f64(),
        other => panic!("weights are constants, not {}", other.name()),
    };
    (numbers(&operands[1]), operands.get(2).map(numbers))
}

/// The pixels of the map under a window, and at which of its taps: kernel row, kernel column, row, column.
fn under(w: &Window, input: Map, y: usize, x: usize) -> Vec<[usize; 4]> {
    let mut all = Vec::new();
    for r in 0..w.kernel.h {
        for c in 0..w.kernel.w {
            let row = (y * w.stride.h + r * w.dilation.h).checked_sub(w.pad.top);
            let column = (x * w.stride.w + c * w.dilation.w).checked_sub(w.pad.left);
            if let (Some(row), Some(column)) = (row, column)
                && row < input.height
                && column < input.width
            {
                all.push([r, c, row, column]);
            }
        }
    }
    all
}

/// For every number of a map: its channel, row and column.
fn each(map: Map, mut number: impl FnMut(usize, usize, usize) -> f64) -> Numbers {
    let mut all = Vec::with_capacity(map.channels * map.height * map.width);
    for channel in 0..map.channels {
        for y in 0..map.height {
            for x in 0..map.width {
                all.push(number(channel, y, x));
            }
        }
    }
    all
}

fn at(map: Map, channel: usize, y: usize, x: usize) -> usize {
    (channel * map.height + y) * map.width + x
}

fn matrix_vector(a: &MatVec, input: &[f64], (weights, bias): &(Numbers, Option<Numbers>)) -> Numbers {
    let (inputs, outputs) = (a.input.channels / a.groups, a.output.channels / a.groups);
    let kernel = a.window.kernel;
    each(a.output, |out, y, x| {
        let mut sum = bias.as_ref().map_or(0.0, |bias| bias[out]);
        for [r, c, row, column] in under(&a.window, a.input, y, x) {
            for i in 0..inputs {
                let weight = weights[((out * inputs + i) * kernel.h + r) * kernel.w + c];
                sum += weight * input[at(a.input, out / outputs * inputs + i, row, column)];
            }
        }
        sum
    })
}

/// Every pixel that lies at the stride's steps.
fn tapped(a: &MatVec, input: &[f64]) -> Numbers {
    let map = Map { channels: a.input.channels, ..a.output };
    each(map, |channel, y, x| input[at(a.input, channel, y * a.window.stride.h, x * a.window.stride.w)])
}

fn added(own: Numbers, map: Map, other: &[f64], channels: usize, offset: usize) -> Numbers {
    let mut own = own.into_iter();
    each(map, |channel, y, x| {
        let summand = channel.checked_sub(offset).filter(|&c| c < channels);
        own.next().expect("as many numbers as the map has") + summand.map_or(0.0, |c| other[at(map, c, y, x)])
    })
}

fn pool(a: &Pool, input: &[f64]) -> Numbers {
    let w = &a.window;
    let padded = Map {
        height: a.input.height + w.pad.top + w.pad.bottom,
        width: a.input.width + w.pad.left + w.pad.right,
        ..a.input
    };
    let whole = Window { pad: nonresc_ir::network::Sides::ZERO, ..*w };
    each(a.output, |channel, y, x| {
        let under_map = under(w, a.input, y, x);
        let numbers = under_map.iter().map(|&[_, _, row, column]| input[at(a.input, channel, row, column)]);
        match a.kind {
            PoolKind::Max => numbers.fold(f64::NEG_INFINITY, f64::max),
            PoolKind::Average { include_pad: false } => numbers.sum::<f64>() / under_map.len() as f64,
            PoolKind::Average { include_pad: true } => {
                numbers.sum::<f64>() / under(&whole, padded, y, x).len() as f64
            }
        }
    })
}

fn global(a: &GlobalPool, input: &[f64]) -> Numbers {
    let pixels = a.input.height * a.input.width;
    let of_channel = |numbers: &[f64]| match a.kind {
        PoolKind::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        PoolKind::Average { .. } => numbers.iter().sum::<f64>() / pixels as f64,
    };
    input.chunks(pixels).map(of_channel).collect()
}

fn select(a: &Select, input: &[f64]) -> Numbers {
    each(a.output, |channel, y, x| {
        let kept = channel.checked_sub(a.zeros_before).map(|c| c + a.first_channel);
        let (row, column) = (a.start.h + y * a.stride.h, a.start.w + x * a.stride.w);
        kept.filter(|&c| c < a.input.channels).map_or(0.0, |c| input[at(a.input, c, row, column)])
    })
}
