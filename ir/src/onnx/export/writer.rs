//! The graph under construction: unique names, known tensors, nodes, faults.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::id::{NodeId, Value};
use crate::network::Network;
use crate::onnx::messages::{AttributeProto, GraphProto, NodeProto};
use crate::tensor::Tensor;

use super::tensor;

/// Collects the messages of one network's graph.
pub(super) struct Writer<'a> {
    pub(super) network: &'a Network,
    pub(super) opset: i64,
    pub(super) graph: GraphProto,
    /// ONNX names of the values so far.
    values: BTreeMap<Value, String>,
    /// Names of values that the user's outputs give them.
    outputs: BTreeMap<Value, String>,
    value_names: BTreeSet<String>,
    node_names: BTreeSet<String>,
    faults: Diagnostics,
}

fn unique(taken: &mut BTreeSet<String>, wish: &str) -> String {
    let mut name = wish.to_string();
    let mut n = 1;
    while !taken.insert(name.clone()) {
        n += 1;
        name = format!("{wish}_{n}");
    }
    name
}

impl<'a> Writer<'a> {
    /// A graph without nodes; the names of the network's ports are taken.
    pub(super) fn new(network: &'a Network, opset: i64) -> Self {
        let inputs = network.inputs().iter().map(|p| p.name.clone());
        let outputs = network.outputs().iter().map(|p| p.name.clone());
        Writer {
            network,
            opset,
            graph: GraphProto { name: Some("network".into()), ..GraphProto::default() },
            values: BTreeMap::new(),
            outputs: super::ports::direct(network),
            value_names: inputs.chain(outputs).collect(),
            node_names: BTreeSet::new(),
            faults: Diagnostics::default(),
        }
    }

    /// The ONNX name of a value that has been written.
    pub(super) fn value(&self, value: Value) -> String {
        self.values.get(&value).cloned().unwrap_or_default()
    }

    /// Names of a node's operands.
    pub(super) fn operands(&self, node: NodeId) -> Vec<String> {
        self.network.operands(node).into_iter().map(|v| self.value(v)).collect()
    }

    /// A new value name like `wish`.
    pub(super) fn fresh(&mut self, wish: &str) -> String {
        unique(&mut self.value_names, wish)
    }

    /// Says what a value is called.
    pub(super) fn define(&mut self, value: Value, name: String) {
        self.values.insert(value, name);
    }

    /// What to call a node: its first ONNX name, or its operator and id.
    pub(super) fn title(&self, node: NodeId) -> String {
        let of = self.network.node(node);
        of.names.first().map_or_else(|| format!("{}_{}", of.op.name(), node.0), str::to_string)
    }

    /// Adds a node whose results have names already.
    pub(super) fn push(
        &mut self,
        op_type: &str,
        title: &str,
        input: Vec<String>,
        output: String,
        attribute: Vec<AttributeProto>,
    ) {
        let name = unique(&mut self.node_names, title);
        self.graph.node.push(NodeProto {
            input,
            output: vec![output],
            name: Some(name),
            op_type: Some(op_type.into()),
            attribute,
            ..NodeProto::default()
        });
    }

    /// Adds a node that only helps another; gives its result's name.
    pub(super) fn step(
        &mut self,
        op_type: &str,
        title: &str,
        input: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) -> String {
        let output = self.fresh(title);
        self.push(op_type, title, input, output.clone(), attribute);
        output
    }

    /// Adds the ONNX node that gives a network node's result.
    pub(super) fn result(
        &mut self,
        node: NodeId,
        op_type: &str,
        input: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) {
        let title = self.title(node);
        let output = match self.outputs.get(&node.into()) {
            Some(name) => name.clone(),
            None => self.fresh(&title),
        };
        self.push(op_type, &title, input, output.clone(), attribute);
        self.define(node.into(), output);
    }

    /// Says that the last node's operator is one of another domain.
    pub(super) fn in_domain(&mut self, domain: &str) {
        if let Some(node) = self.graph.node.last_mut() {
            node.domain = Some(domain.into());
        }
    }

    /// Adds a node that reads the network node's operands as they are.
    pub(super) fn simple(&mut self, node: NodeId, op_type: &str, attribute: Vec<AttributeProto>) {
        let input = self.operands(node);
        self.result(node, op_type, input, attribute);
    }

    /// Adds a known tensor; gives its name.
    pub(super) fn initializer(&mut self, wish: &str, tensor: &Tensor) -> String {
        let name = self.fresh(wish);
        match tensor::message(&name, tensor) {
            Some(message) => self.graph.initializer.push(message),
            None => self.refuse(
                format!("tensor \"{wish}\" of {}", tensor.element()),
                "standard ONNX has no element of this width",
            ),
        }
        name
    }

    /// Adds a known tensor that is a node of the network.
    pub(super) fn known(&mut self, node: NodeId, tensor: &Tensor) {
        let title = self.title(node);
        let name = self.initializer(&title, tensor);
        self.define(node.into(), name);
    }

    /// Adds a vector of whole numbers, as shapes, axes and pads are given.
    pub(super) fn vector(&mut self, wish: &str, numbers: Vec<i64>) -> String {
        self.initializer(wish, &Tensor::i64s(numbers))
    }

    /// Notes that something cannot be written.
    pub(super) fn refuse(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.faults.push(Diagnostic::new(
            "export/operator",
            what,
            why,
            "leave `onnx` out of what is emitted, or use a wider type",
        ));
    }

    /// The graph, or everything that could not be written.
    pub(super) fn finish(self) -> Result<GraphProto, Diagnostics> {
        self.faults.or(self.graph)
    }
}
