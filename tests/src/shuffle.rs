//! The same network made in another order: what a file with its nodes elsewhere would give, and such a file.

use std::collections::{BTreeMap, BTreeSet};

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, Network, Op};
use nonresc_ir::onnx::messages::GraphProto;

use crate::seed::Seed;

/// The network with its nodes made in a random order that puts operands before readers, and the operands of
/// sums and products exchanged at random.
pub fn shuffled(network: &Network, seed: &mut Seed) -> Network {
    let mut waiting: Vec<NodeId> = network.node_ids().collect();
    seed.shuffle(&mut waiting);
    let mut made = Network::new();
    let mut ids: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    // Inputs are made in the user's order, which means something.
    for port in network.inputs() {
        let ty = network.ty(port.node.into()).clone();
        let node = Edit::new(&mut made).input(&port.name, ty.clone(), port.batch.clone()).node;
        ids.insert(port.node, node);
        let mut port = port.clone();
        port.node = node;
        let last = made.inputs().len() - 1;
        Edit::new(&mut made).set_input(last, port, ty);
    }
    let mut ready: Vec<NodeId> = Vec::new();
    let missing = |n: NodeId, ids: &BTreeMap<_, _>| {
        network.operands(n).iter().filter(|v| !ids.contains_key(&v.node)).count()
    };
    let mut left: BTreeMap<NodeId, usize> = BTreeMap::new();
    for &node in waiting.iter().filter(|n| !ids.contains_key(n)) {
        left.insert(node, missing(node, &ids));
        if left[&node] == 0 {
            ready.push(node);
        }
    }
    while !ready.is_empty() {
        let node = ready.swap_remove(seed.below(ready.len()));
        ids.insert(node, copy(network, node, &ids, &mut made, seed));
        for (reader, _) in network.users(node.into()) {
            let count = left.get_mut(&reader).unwrap();
            *count -= 1;
            if *count == 0 {
                ready.push(reader);
            }
        }
    }
    for port in network.outputs() {
        let mut port = port.clone();
        port.value.node = ids[&port.value.node];
        let mut edit = Edit::new(&mut made);
        edit.output(&port.name, port.value, port.batch.clone());
        let last = edit.outputs().len() - 1;
        edit.set_output(last, port);
    }
    Edit::new(&mut made).set_preprocess(network.preprocess().cloned());
    made
}

fn copy(
    network: &Network,
    node: NodeId,
    ids: &BTreeMap<NodeId, NodeId>,
    made: &mut Network,
    seed: &mut Seed,
) -> NodeId {
    let old = network.node(node);
    let mut operands: Vec<Value> = network.operands(node);
    operands.iter_mut().for_each(|v| v.node = ids[&v.node]);
    if matches!(old.op, Op::Add(_) | Op::Mul(_)) && seed.chance(50) {
        operands.reverse();
    }
    let mut edit = Edit::new(made);
    edit.named(old.names.clone());
    let value = match &old.op {
        Op::Const(tensor) => edit.constant(tensor.clone()),
        op => edit.add(op.clone(), &operands).unwrap(),
    };
    value.node
}

/// Brings the nodes of a file into a random order that puts operands before readers; nodes with graphs of their own
/// read no names that are not given before them.
pub fn shuffle_nodes(graph: &mut GraphProto, seed: &mut Seed) {
    let mut waiting = std::mem::take(&mut graph.node);
    seed.shuffle(&mut waiting);
    let mut made: BTreeSet<String> = BTreeSet::new();
    let all: BTreeSet<String> = waiting.iter().flat_map(|node| node.output.iter().cloned()).collect();
    while !waiting.is_empty() {
        let ready = |name: &String| made.contains(name) || !all.contains(name);
        let next = waiting.iter().position(|node| node.input.iter().all(ready));
        let node = waiting.swap_remove(next.expect("the file has no cycle"));
        made.extend(node.output.iter().cloned());
        graph.node.push(node);
    }
}
