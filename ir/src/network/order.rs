//! The canonical order of a network's nodes: one order for all files that mean the same network.
//!
//! Inputs come first, in the user's order. Then the outputs are followed back to the inputs, depth first, so
//! that a branch stands together and a constant stands before its first reader. Operators say which operand
//! comes first, except for sums and products: there the deepest does (a block before its skip), then hashes
//! of structure decide, names last. Nodes that no output depends on come at the end. Nodes that structure
//! and names cannot tell apart keep the order in which they came; exchanging them changes no byte, unless
//! the network is built against colour refinement.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::graph::Network;
use super::hash::{is_commutative, ranks};
use super::op::Op;
use crate::id::{NodeId, Value};

/// The same network with its nodes in canonical order, ids 0, 1, 2 ... in that order, and the operands of sums
/// and products in canonical order. A network with a cycle comes back as it is.
///
/// # Panics
/// Where an output is a value of a node that is not there.
pub fn canonicalise(network: &Network) -> Network {
    let Some(topological) = network.topological() else { return network.clone() };
    let mut walk = Walk::new(network, &topological);
    let inputs = network.inputs().iter().map(|i| i.node);
    let outputs = network.outputs().iter().map(|o| o.value.node);
    let roots: Vec<NodeId> = inputs.chain(outputs).collect();
    roots.into_iter().for_each(|root| walk.visit(root));
    let mut rest: Vec<NodeId> =
        topological.iter().copied().filter(|n| !walk.entered.contains_key(n)).collect();
    rest.sort_by_key(|n| (Reverse(walk.depth[n]), walk.rank[n]));
    rest.into_iter().for_each(|root| walk.visit(root));
    rebuilt(network, &walk.order)
}

fn rebuilt(network: &Network, order: &[(NodeId, Vec<Value>)]) -> Network {
    let mut canonical = Network::new();
    let mut ids: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for (node, operands) in order {
        let operands: Vec<Value> =
            operands.iter().map(|v| Value { node: ids[&v.node], port: v.port }).collect();
        ids.insert(*node, canonical.insert(network.node(*node).clone(), &operands));
    }
    for port in network.inputs() {
        let mut port = port.clone();
        port.node = ids[&port.node];
        canonical.inputs_mut().push(port);
    }
    for port in network.outputs() {
        let mut port = port.clone();
        port.value.node = ids[&port.value.node];
        canonical.outputs_mut().push(port);
    }
    canonical.set_preprocess(network.preprocess().cloned());
    canonical
}

/// The walk back from the outputs.
struct Walk<'a> {
    network: &'a Network,
    /// Longest way from an input or constant, in nodes.
    depth: BTreeMap<NodeId, usize>,
    rank: BTreeMap<NodeId, usize>,
    /// Nodes that have been come to, by when.
    entered: BTreeMap<NodeId, usize>,
    /// The order so far, each node with its operands in theirs.
    order: Vec<(NodeId, Vec<Value>)>,
}

impl<'a> Walk<'a> {
    fn new(network: &'a Network, topological: &[NodeId]) -> Self {
        let mut depth = BTreeMap::new();
        for &node in topological {
            let deepest = network.operands(node).iter().map(|v| depth[&v.node] + 1).max();
            depth.insert(node, deepest.unwrap_or(0));
        }
        let rank = ranks(network, topological);
        Walk { network, depth, rank, entered: BTreeMap::new(), order: Vec::new() }
    }

    /// Puts a node behind everything that it depends on.
    fn visit(&mut self, root: NodeId) {
        let mut path = Vec::new();
        self.enter(root, &mut path);
        while let Some((node, operands, next)) = path.last_mut() {
            if let Some(operand) = operands.get(*next) {
                let operand = operand.node;
                *next += 1;
                self.enter(operand, &mut path);
            } else {
                self.order.push((*node, std::mem::take(operands)));
                path.pop();
            }
        }
    }

    fn enter(&mut self, node: NodeId, path: &mut Vec<(NodeId, Vec<Value>, usize)>) {
        if self.entered.contains_key(&node) {
            return;
        }
        self.entered.insert(node, self.entered.len());
        let mut operands = self.network.operands(node);
        if is_commutative(self.network.op(node)) {
            operands.sort_by_key(|v| {
                let constant = matches!(self.network.op(v.node), Op::Const(_));
                let entered = self.entered.get(&v.node).copied().unwrap_or(usize::MAX);
                (constant, Reverse(self.depth[&v.node]), self.rank[&v.node], entered, v.port)
            });
        }
        path.push((node, operands, 0));
    }
}
