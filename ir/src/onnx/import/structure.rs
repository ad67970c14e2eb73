//! The graph as a graph: who writes what, who reads what, and an order in which every node comes behind its
//! operands. Operators mean nothing here.

use std::collections::{BTreeMap, BTreeSet};

use super::super::messages::{GraphProto, NodeProto};
use super::model::shown;
use crate::diagnostic::{Diagnostic, Diagnostics};

/// A name in quotes, control characters escaped.
pub(super) fn quoted(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    text.push('"');
    for c in name.chars() {
        match c {
            '\t' => text.push(c),
            c if c.is_control() => text.extend(c.escape_default()),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// What a node is called: its name, else its first named output.
pub(super) fn label(node: &NodeProto) -> &str {
    match node.name() {
        "" => node.output.iter().find(|o| !o.is_empty()).map_or("(unnamed)", String::as_str),
        name => name,
    }
}

/// Operator, name and domain of a node, as every message begins.
pub(super) fn place(node: &NodeProto) -> String {
    let operator = if node.op_type().is_empty() { "node without operator" } else { node.op_type() };
    let name = quoted(label(node));
    let of = if node.name().is_empty() { "with output " } else { "" };
    match super::model::domain(node.domain()) {
        "" => format!("{operator} {of}{name}"),
        domain => format!("{operator} {of}{name} of domain {}", shown(domain)),
    }
}

/// The graph's tensors and an order of its nodes.
pub(super) struct Structure<'g> {
    /// Node indices, operands before readers; the file's order wherever it may be kept.
    pub(super) order: Vec<usize>,
    /// Which node writes a tensor.
    pub(super) writer: BTreeMap<&'g str, usize>,
}

impl Structure<'_> {
    /// Which nodes the tensors `wanted` depend on.
    pub(super) fn live(&self, nodes: &[NodeProto], wanted: &[&str]) -> Vec<bool> {
        let mut live = vec![false; nodes.len()];
        let mut todo: Vec<usize> = wanted.iter().filter_map(|&t| self.writer.get(t)).copied().collect();
        while let Some(i) = todo.pop() {
            if !live[i] {
                live[i] = true;
                todo.extend(nodes[i].input.iter().filter_map(|t| self.writer.get(t.as_str())));
            }
        }
        live
    }
}

/// Sorts the nodes, or finds all that is wrong with the graph's wiring.
pub(super) fn sort<'g>(
    graph: &'g GraphProto,
    nodes: &'g [NodeProto],
    faults: &mut Diagnostics,
) -> Structure<'g> {
    let given = given(graph, faults);
    let writer = writers(nodes, &given, faults);
    for node in nodes {
        for input in node.input.iter().filter(|i| !i.is_empty()) {
            if !given.contains_key(input.as_str()) && !writer.contains_key(input.as_str()) {
                faults.push(Diagnostic::new(
                    "import/undefined",
                    format!("{} reads {}", place(node), quoted(input)),
                    "no node, input or initialiser of the graph has that name",
                    "export the model again; the file has lost a part",
                ));
            }
        }
    }
    for output in &graph.output {
        let name = output.name();
        if !given.contains_key(name) && !writer.contains_key(name) {
            faults.push(Diagnostic::new(
                "import/undefined",
                format!("the graph's output {}", quoted(name)),
                "no node writes it",
                "export the model again; the file has lost a part",
            ));
        }
    }
    let order = order(nodes, &writer, faults);
    Structure { order, writer }
}

/// Tensors that the graph gives without a node, and what they are.
fn given<'g>(graph: &'g GraphProto, faults: &mut Diagnostics) -> BTreeMap<&'g str, &'static str> {
    let mut given = BTreeMap::new();
    for tensor in &graph.initializer {
        if given.insert(tensor.name(), "an initialiser").is_some() {
            faults.push(Diagnostic::new(
                "import/duplicate",
                format!("initialiser {}", quoted(tensor.name())),
                "the graph has it twice, and which one is meant is unknown",
                "export the model again with each initialiser once",
            ));
        }
    }
    let mut inputs = BTreeSet::new();
    for input in &graph.input {
        if !inputs.insert(input.name()) {
            faults.push(Diagnostic::new(
                "import/duplicate",
                format!("graph input {}", quoted(input.name())),
                "the graph has it twice",
                "export the model again with each input once",
            ));
        }
        given.entry(input.name()).or_insert("the graph's input");
    }
    for sparse in &graph.sparse_initializer {
        let name = sparse.values.as_ref().map_or("", |v| v.name());
        given.insert(name, "a sparse initialiser");
    }
    given
}

fn writers<'g>(
    nodes: &'g [NodeProto],
    given: &BTreeMap<&str, &'static str>,
    faults: &mut Diagnostics,
) -> BTreeMap<&'g str, usize> {
    let mut writer: BTreeMap<&str, usize> = BTreeMap::new();
    for (i, node) in nodes.iter().enumerate() {
        let mut fault = |what: String, why: &str| {
            faults.push(Diagnostic::new("import/wiring", what, why, "export the model again"));
        };
        if node.op_type().is_empty() {
            fault(place(node), "its op_type is empty");
        }
        if node.output.iter().all(String::is_empty) {
            fault(place(node), "it has no named output, so nothing can read it");
        }
        for output in node.output.iter().filter(|o| !o.is_empty()) {
            if let Some(what) = given.get(output.as_str()) {
                fault(
                    format!("{} writes {}", place(node), quoted(output)),
                    &format!("that is {what} of the graph"),
                );
            }
            match writer.get(output.as_str()) {
                Some(&other) => fault(
                    format!("{} and {} write {}", place(&nodes[other]), place(node), quoted(output)),
                    "a tensor has one writer",
                ),
                None => {
                    writer.insert(output, i);
                }
            }
        }
    }
    writer
}

/// Kahn's algorithm, the first ready node of the file's list first. Nodes on a cycle are a fault.
fn order(nodes: &[NodeProto], writer: &BTreeMap<&str, usize>, faults: &mut Diagnostics) -> Vec<usize> {
    let operands = |i: usize| nodes[i].input.iter().filter_map(|t| writer.get(t.as_str()).copied());
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    let mut missing: Vec<usize> = vec![0; nodes.len()];
    for (i, missing) in missing.iter_mut().enumerate() {
        for operand in operands(i) {
            readers[operand].push(i);
            *missing += 1;
        }
    }
    let mut order = Vec::with_capacity(nodes.len());
    let mut ready: BTreeSet<usize> = (0..nodes.len()).filter(|&i| missing[i] == 0).collect();
    while let Some(i) = ready.pop_first() {
        order.push(i);
        for &reader in &readers[i] {
            missing[reader] -= 1;
            if missing[reader] == 0 {
                ready.insert(reader);
            }
        }
    }
    if order.len() < nodes.len() {
        let cycle = cycle(nodes.len(), &missing, &readers, operands);
        let names: Vec<String> = cycle.iter().take(8).map(|&i| place(&nodes[i])).collect();
        faults.push(Diagnostic::new(
            "import/cycle",
            format!("{} nodes wait for each other: {}", cycle.len(), names.join(", ")),
            "the graph has a cycle, so none of them can be first",
            "export the model again; a residual network has no loops",
        ));
    }
    order
}

/// The nodes on (or between) cycles: those that remain when nodes nobody remaining reads are taken off.
fn cycle<I: Iterator<Item = usize>>(
    len: usize,
    missing: &[usize],
    readers: &[Vec<usize>],
    operands: impl Fn(usize) -> I,
) -> Vec<usize> {
    let mut remains: Vec<bool> = missing.iter().map(|&m| m > 0).collect();
    let mut unread: Vec<usize> =
        (0..len).map(|i| readers[i].iter().filter(|&&r| remains[r]).count()).collect();
    let mut todo: Vec<usize> = (0..len).filter(|&i| remains[i] && unread[i] == 0).collect();
    while let Some(i) = todo.pop() {
        remains[i] = false;
        for operand in operands(i).filter(|&o| remains[o]) {
            unread[operand] -= 1;
            if unread[operand] == 0 {
                todo.push(operand);
            }
        }
    }
    (0..len).filter(|&i| remains[i]).collect()
}
