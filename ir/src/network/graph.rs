//! The typed layer over petgraph: nodes, values, ports, and the network's interface to its user.
//!
//! Reading is public; changing is for [`Edit`](super::Edit) alone.

use std::sync::Arc;

use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::EdgeRef;

use super::op::Op;
use super::types::{Element, ValueType};
use crate::id::{NodeId, Value};
use crate::names::Names;
use crate::tensor::Tensor;

/// An operator, the types of its results and the ONNX names it came from.
#[derive(Clone, Debug)]
pub struct Node {
    /// What the node computes.
    pub op: Op,
    /// The ONNX names behind it.
    pub names: Names,
    /// The type of each result.
    pub results: Vec<ValueType>,
}

/// How the user's file gives the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Any number of frames; the text is the symbol's name, where it has one.
    Dynamic(Option<String>),
    /// Exactly so many frames a run.
    Fixed(usize),
    /// The value has no batch axis.
    Absent,
}

/// A graph input as the user knows it. The node's own type is canonical (N C H W); the user's layout is
/// `perm` of it.
#[derive(Clone, Debug, PartialEq)]
pub struct InputPort {
    /// The input node.
    pub node: NodeId,
    /// The user's name.
    pub name: String,
    /// The user's element type.
    pub element: Element,
    /// The user's axis i is canonical axis `perm[i]`; ascending where the layouts agree.
    pub perm: Vec<usize>,
    /// How the user's file gives the batch.
    pub batch: Batch,
}

/// A graph output as the user knows it, with the layout rule of [`InputPort`].
#[derive(Clone, Debug, PartialEq)]
pub struct OutputPort {
    /// The value that is given out.
    pub value: Value,
    /// The user's name.
    pub name: String,
    /// The user's element type.
    pub element: Element,
    /// The user's axis i is canonical axis `perm[i]`.
    pub perm: Vec<usize>,
    /// How the user's file gives the batch.
    pub batch: Batch,
}

/// What the user's file does to raw pixels before the first operator: `(x * scale - mean) / std`, per channel.
///
/// It is a part of the function, taken off the graph: engines apply it, and a written file has it in its graph
/// again. What the user says on the command line about the data is no part of the network, and never stands here.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocess {
    /// Factor on the raw pixel.
    pub scale: f64,
    /// Subtracted per channel, after the factor.
    pub mean: Vec<f64>,
    /// Divided by, per channel.
    pub std: Vec<f64>,
}

/// An edge: which result of the producer is which operand of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wire {
    from: u16,
    to: u16,
}

/// A network of operators. Axis 0 of every activation is the batch, one number for the whole network.
#[derive(Clone, Debug, Default)]
pub struct Network {
    graph: StableDiGraph<Node, Wire>,
    inputs: Vec<InputPort>,
    outputs: Vec<OutputPort>,
    preprocess: Option<Preprocess>,
    version: u64,
}

fn index(id: NodeId) -> NodeIndex {
    NodeIndex::new(id.index())
}

fn id(index: NodeIndex) -> NodeId {
    NodeId(index.index() as u32)
}

impl Network {
    /// A network without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The node of an id that this network gave out and still holds.
    ///
    /// # Panics
    /// Where the node has been removed: ids are not kept over an edit that removes their node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.graph[index(id)]
    }

    /// Whether the node is still there.
    pub fn contains(&self, id: NodeId) -> bool {
        self.graph.contains_node(index(id))
    }

    /// The operator of a node.
    pub fn op(&self, id: NodeId) -> &Op {
        &self.node(id).op
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> &ValueType {
        &self.node(value.node).results[usize::from(value.port)]
    }

    /// The operands of a node, in port order.
    pub fn operands(&self, id: NodeId) -> Vec<Value> {
        let mut wires: Vec<(u16, Value)> = self
            .graph
            .edges_directed(index(id), Direction::Incoming)
            .map(|e| (e.weight().to, Value { node: self::id(e.source()), port: e.weight().from }))
            .collect();
        wires.sort_unstable();
        wires.into_iter().map(|(_, value)| value).collect()
    }

    /// The numbers of a node's operands, ascending.
    pub(super) fn operand_ports(&self, id: NodeId) -> Vec<u16> {
        let edges = self.graph.edges_directed(index(id), Direction::Incoming);
        let mut ports: Vec<u16> = edges.map(|e| e.weight().to).collect();
        ports.sort_unstable();
        ports
    }

    /// Who reads a value, and at which operand, ascending.
    pub fn users(&self, value: Value) -> Vec<(NodeId, u16)> {
        let mut users: Vec<(NodeId, u16)> = self
            .graph
            .edges_directed(index(value.node), Direction::Outgoing)
            .filter(|e| e.weight().from == value.port)
            .map(|e| (id(e.target()), e.weight().to))
            .collect();
        users.sort_unstable();
        users
    }

    /// Whether any node reads a result of this one.
    pub fn is_read(&self, id: NodeId) -> bool {
        self.graph.edges_directed(index(id), Direction::Outgoing).next().is_some()
    }

    /// The one reader of a value that is read once and is no output of the network.
    pub fn sole_reader(&self, value: Value) -> Option<NodeId> {
        let mut edges = self
            .graph
            .edges_directed(index(value.node), Direction::Outgoing)
            .filter(|e| e.weight().from == value.port);
        match (edges.next(), edges.next()) {
            (Some(edge), None) if !self.is_output(value) => Some(id(edge.target())),
            _ => None,
        }
    }

    /// Whether the value is one of the network's outputs.
    pub fn is_output(&self, value: Value) -> bool {
        self.outputs.iter().any(|o| o.value == value)
    }

    /// The tensor behind a value that is known at compile time.
    pub fn constant(&self, value: Value) -> Option<&Arc<Tensor>> {
        match self.op(value.node) {
            Op::Const(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// All nodes in the order of their ids.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.graph.node_indices().map(id)
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All nodes, operands before readers, the least id first among those that are ready; nothing where
    /// the graph has a cycle.
    pub fn topological(&self) -> Option<Vec<NodeId>> {
        let mut missing: Vec<usize> =
            vec![0; self.graph.node_indices().map(|i| i.index() + 1).max().unwrap_or(0)];
        let mut ready = std::collections::BTreeSet::new();
        for node in self.graph.node_indices() {
            missing[node.index()] = self.graph.edges_directed(node, Direction::Incoming).count();
            if missing[node.index()] == 0 {
                ready.insert(node);
            }
        }
        let mut order = Vec::with_capacity(self.len());
        while let Some(node) = ready.pop_first() {
            order.push(id(node));
            for edge in self.graph.edges_directed(node, Direction::Outgoing) {
                let left = &mut missing[edge.target().index()];
                *left -= 1;
                if *left == 0 {
                    ready.insert(edge.target());
                }
            }
        }
        (order.len() == self.len()).then_some(order)
    }

    /// The inputs in the user's order.
    pub fn inputs(&self) -> &[InputPort] {
        &self.inputs
    }

    /// The outputs in the user's order.
    pub fn outputs(&self) -> &[OutputPort] {
        &self.outputs
    }

    /// The preprocessing that belongs to the network's first input, where it is known.
    pub fn preprocess(&self) -> Option<&Preprocess> {
        self.preprocess.as_ref()
    }

    /// The number of frames that the activations hold: axis 0 of the first input, 1 without inputs.
    pub fn batch(&self) -> usize {
        self.inputs
            .iter()
            .find(|i| i.batch != Batch::Absent)
            .and_then(|i| self.ty(i.node.into()).shape.0.first().copied())
            .unwrap_or(1)
    }

    /// Rises with every change.
    pub fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn touch(&mut self) {
        self.version += 1;
    }

    pub(super) fn insert(&mut self, node: Node, operands: &[Value]) -> NodeId {
        let new = self.graph.add_node(node);
        for (to, operand) in operands.iter().enumerate() {
            self.graph.add_edge(index(operand.node), new, Wire { from: operand.port, to: to as u16 });
        }
        id(new)
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.graph[index(id)]
    }

    pub(super) fn inputs_mut(&mut self) -> &mut Vec<InputPort> {
        &mut self.inputs
    }

    pub(super) fn outputs_mut(&mut self) -> &mut Vec<OutputPort> {
        &mut self.outputs
    }

    pub(super) fn set_preprocess(&mut self, preprocess: Option<Preprocess>) {
        self.preprocess = preprocess;
    }

    /// Makes every reader of `old` read `new` instead, outputs included.
    pub(super) fn redirect(&mut self, old: Value, new: Value) {
        let edges: Vec<_> = self
            .graph
            .edges_directed(index(old.node), Direction::Outgoing)
            .filter(|e| e.weight().from == old.port && id(e.target()) != new.node)
            .map(|e| (e.id(), e.target(), e.weight().to))
            .collect();
        for (edge, target, to) in edges {
            self.graph.remove_edge(edge);
            self.graph.add_edge(index(new.node), target, Wire { from: new.port, to });
        }
        for output in &mut self.outputs {
            if output.value == old {
                output.value = new;
            }
        }
    }

    /// Makes operand `port` of `node` read `new`.
    pub(super) fn rewire(&mut self, node: NodeId, port: u16, new: Value) {
        let old = self
            .graph
            .edges_directed(index(node), Direction::Incoming)
            .find(|e| e.weight().to == port)
            .map(|e| e.id());
        if let Some(edge) = old {
            self.graph.remove_edge(edge);
        }
        self.graph.add_edge(index(new.node), index(node), Wire { from: new.port, to: port });
    }

    pub(super) fn remove(&mut self, id: NodeId) {
        self.graph.remove_node(index(id));
    }
}
