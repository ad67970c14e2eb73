//! Hashes of structure: what a node computes and what its results are for, names and ids left out.
//!
//! A node's colour starts as a hash of its operator, attributes and numbers. A sweep from the inputs mixes in
//! the colours of its operands, a sweep from the outputs those of its readers, and both are repeated until
//! they tell no more nodes apart (colour refinement, as graph isomorphism tests begin). Each sweep is linear.
//! The operands of a sum or product are a set here: their order means nothing.

use std::collections::BTreeMap;

use blake3::{Hash, Hasher};

use super::graph::{Batch, Network};
use super::op::Op;
use crate::id::{NodeId, Value};
use crate::tensor::Tensor;

/// Sweeps in both directions; two are enough for every network that is not built to need more.
const MAX_ROUNDS: usize = 16;

/// Whether the two operands may change places: float sums and products round the same either way.
pub(super) fn is_commutative(op: &Op) -> bool {
    matches!(op, Op::Add(_) | Op::Mul(_))
}

/// Digest of a network's structure and weights: 64 hexadecimal digits.
///
/// Names, the order in which nodes were made, the order of a sum's operands, the batch, preprocessing and the
/// user's own layouts do not enter; everything else does, nodes that no output depends on included.
///
/// # Panics
/// Where an output is a value of a node that is not there.
pub fn digest(network: &Network) -> String {
    let Some(order) = network.topological() else {
        // A cycle has no structure to speak of: the verifier refuses it, and no plan is made for it.
        return blake3::hash(b"cycle").to_hex().to_string();
    };
    let mut colours: Vec<Hash> = Colours::structural(network, &order).refined().into_values().collect();
    colours.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    let mut all = Hasher::new();
    colours.iter().for_each(|c| {
        all.update(c.as_bytes());
    });
    all.finalize().to_hex().to_string()
}

/// Digest of a tensor's element, shape and numbers: 64 hexadecimal digits.
pub fn tensor_digest(numbers: &Tensor) -> String {
    tensor(numbers).to_hex().to_string()
}

/// A rank a node: equal where structure and names say nothing to tell nodes apart, structure first, names last.
pub(super) fn ranks(network: &Network, order: &[NodeId]) -> BTreeMap<NodeId, usize> {
    let structural = Colours::structural(network, order).refined();
    let named = if distinct(&structural) == structural.len() {
        structural.clone()
    } else {
        Colours::named(network, order, &structural).refined()
    };
    let key = |node: &NodeId| (*structural[node].as_bytes(), *named[node].as_bytes());
    let mut classes: Vec<_> = order.iter().map(key).collect();
    classes.sort_unstable();
    classes.dedup();
    order.iter().map(|n| (*n, classes.partition_point(|c| *c < key(n)))).collect()
}

/// Digest of a tensor: element, shape and numbers.
fn tensor(tensor: &Tensor) -> Hash {
    tensor.digest(|tensor| {
        let mut hash = Hasher::new();
        text(&mut hash, &format!("{} {}", tensor.element(), tensor.shape()));
        tensor.tell_le_bytes(|bytes| {
            hash.update(bytes);
        });
        hash.finalize()
    })
}

/// Mixes a text in so that no two lists of texts give the same bytes.
fn text(hash: &mut Hasher, text: &str) {
    hash.update(&(text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}

fn distinct(colours: &BTreeMap<NodeId, Hash>) -> usize {
    let mut all: Vec<&[u8; 32]> = colours.values().map(Hash::as_bytes).collect();
    all.sort_unstable();
    all.dedup();
    all.len()
}

/// What each node is known by so far.
struct Colours<'a> {
    order: &'a [NodeId],
    operands: BTreeMap<NodeId, Vec<Value>>,
    /// Who reads a node: the reader, its operand (0 where operands are a set), the result that it reads.
    readers: BTreeMap<NodeId, Vec<(NodeId, usize, u16)>>,
    commutative: Vec<bool>,
    colours: BTreeMap<NodeId, Hash>,
}

impl<'a> Colours<'a> {
    fn new(network: &Network, order: &'a [NodeId], colours: BTreeMap<NodeId, Hash>) -> Self {
        let operands: BTreeMap<_, _> = order.iter().map(|&n| (n, network.operands(n))).collect();
        let commutative: Vec<bool> = order.iter().map(|&n| is_commutative(network.op(n))).collect();
        let mut readers: BTreeMap<NodeId, Vec<_>> = order.iter().map(|&n| (n, Vec::new())).collect();
        for (&node, &set) in order.iter().zip(&commutative) {
            for (i, value) in operands[&node].iter().enumerate() {
                let slot = if set { 0 } else { i };
                readers.entry(value.node).or_default().push((node, slot, value.port));
            }
        }
        Colours { order, operands, readers, commutative, colours }
    }

    /// Colours of operators, attributes, numbers, and places among the network's inputs and outputs.
    fn structural(network: &Network, order: &'a [NodeId]) -> Self {
        let mut places: BTreeMap<NodeId, Vec<String>> = BTreeMap::new();
        for (i, port) in network.inputs().iter().enumerate() {
            let ty = network.ty(port.node.into());
            let frame = usize::from(port.batch != Batch::Absent);
            let extents = ty.shape.0.get(frame..).unwrap_or_default();
            places.entry(port.node).or_default().push(format!("input {i} {} {extents:?}", ty.element));
        }
        for (i, port) in network.outputs().iter().enumerate() {
            places.entry(port.value.node).or_default().push(format!("output {i} {}", port.value.port));
        }
        let colour = |node: &NodeId| {
            let mut hash = operator(network.op(*node));
            places.get(node).into_iter().flatten().for_each(|place| text(&mut hash, place));
            (*node, hash.finalize())
        };
        Self::new(network, order, order.iter().map(colour).collect())
    }

    /// Colours of structure and names.
    fn named(network: &Network, order: &'a [NodeId], structural: &BTreeMap<NodeId, Hash>) -> Self {
        let colour = |node: &NodeId| {
            let mut hash = Hasher::new();
            hash.update(structural[node].as_bytes());
            network.node(*node).names.iter().for_each(|name| text(&mut hash, name));
            (*node, hash.finalize())
        };
        Self::new(network, order, order.iter().map(colour).collect())
    }

    /// Sweeps until no more nodes are told apart.
    fn refined(mut self) -> BTreeMap<NodeId, Hash> {
        let mut classes = 0;
        for _ in 0..MAX_ROUNDS {
            self.forward();
            self.backward();
            let now = distinct(&self.colours);
            if now == classes || now == self.order.len() {
                break;
            }
            classes = now;
        }
        self.colours
    }

    fn forward(&mut self) {
        for (node, &set) in self.order.iter().zip(&self.commutative) {
            let mut near: Vec<_> =
                self.operands[node].iter().map(|v| (*self.colours[&v.node].as_bytes(), 0, v.port)).collect();
            if set {
                near.sort_unstable();
            }
            let mixed = mix(b'f', &self.colours[node], &near);
            self.colours.insert(*node, mixed);
        }
    }

    fn backward(&mut self) {
        for node in self.order.iter().rev() {
            let mut near: Vec<_> = self.readers[node]
                .iter()
                .map(|&(reader, slot, port)| (*self.colours[&reader].as_bytes(), slot, port))
                .collect();
            near.sort_unstable();
            let mixed = mix(b'b', &self.colours[node], &near);
            self.colours.insert(*node, mixed);
        }
    }
}

fn operator(op: &Op) -> Hasher {
    let mut hash = Hasher::new();
    text(&mut hash, op.name());
    if let Op::Const(numbers) = op {
        hash.update(tensor(numbers).as_bytes());
    }
    for (key, value) in op.attributes() {
        text(&mut hash, key);
        text(&mut hash, &value);
    }
    hash
}

fn mix(way: u8, own: &Hash, near: &[([u8; 32], usize, u16)]) -> Hash {
    let mut hash = Hasher::new();
    hash.update(&[way]);
    hash.update(own.as_bytes());
    for (colour, slot, port) in near {
        hash.update(colour);
        hash.update(&(*slot as u64).to_le_bytes());
        hash.update(&port.to_le_bytes());
    }
    hash.finalize()
}
