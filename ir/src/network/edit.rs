//! The only way to change a network: types are inferred as nodes go in, names are merged, and nothing is
//! replaced by a value of another type.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::graph::{Batch, InputPort, Network, Node, OutputPort, Preprocess};
use super::op::{Input, Op, Slice};
use super::types::{Element, ValueType};
use super::{Shape, infer};
use crate::id::{NodeId, Value};
use crate::names::Names;
use crate::tensor::Tensor;

/// Why an edit was refused: the operator and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditError(pub String);

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EditError {}

/// A change under way. Reading goes to the network as it stands (`Deref`).
#[derive(Debug)]
pub struct Edit<'a> {
    network: &'a mut Network,
    names: Names,
    touched: Vec<NodeId>,
}

impl std::ops::Deref for Edit<'_> {
    type Target = Network;

    fn deref(&self) -> &Network {
        self.network
    }
}

impl<'a> Edit<'a> {
    /// Begins a change.
    pub fn new(network: &'a mut Network) -> Self {
        network.touch();
        Edit { network, names: Names::default(), touched: Vec::new() }
    }

    /// Nodes added from now on carry these names.
    pub fn named(&mut self, names: Names) -> &mut Self {
        self.names = names;
        self
    }

    /// Adds an operator; its result types are inferred.
    ///
    /// # Errors
    /// Operands that the operator does not take.
    pub fn add(&mut self, op: impl Into<Op>, operands: &[Value]) -> Result<Value, EditError> {
        let op = op.into();
        let types: Vec<&ValueType> = operands.iter().map(|&v| self.network.ty(v)).collect();
        let results = infer(&op, &types).map_err(|why| EditError(format!("{}: {why}", op.name())))?;
        let node = self.network.insert(Node { op, names: self.names.clone(), results }, operands);
        self.touched.push(node);
        Ok(node.into())
    }

    /// Adds a tensor known at compile time.
    pub fn constant(&mut self, tensor: impl Into<Arc<Tensor>>) -> Value {
        let tensor = tensor.into();
        let results = vec![ValueType::new(tensor.element(), tensor.shape().clone())];
        let node =
            self.network.insert(Node { op: Op::Const(tensor), names: self.names.clone(), results }, &[]);
        self.touched.push(node);
        node.into()
    }

    /// Adds a graph input of canonical type `ty`, whose user sees it in the same layout and element type.
    pub fn input(&mut self, name: &str, ty: ValueType, batch: Batch) -> Value {
        let perm = (0..ty.shape.rank()).collect();
        let element = ty.element;
        let node = Node { op: Op::Input(Input {}), names: Names::one(name), results: vec![ty] };
        let node = self.network.insert(node, &[]);
        self.network.inputs_mut().push(InputPort { node, name: name.to_string(), element, perm, batch });
        node.into()
    }

    /// Makes `value` an output that the user sees as it is.
    pub fn output(&mut self, name: &str, value: Value, batch: Batch) {
        let ty = self.network.ty(value);
        let (element, perm) = (ty.element, (0..ty.shape.rank()).collect());
        self.network.outputs_mut().push(OutputPort { value, name: name.to_string(), element, perm, batch });
    }

    /// Adds a node whose types are stated, not inferred: for the text form alone, whose networks are verified.
    pub(crate) fn stated(&mut self, node: Node, operands: &[Value]) -> NodeId {
        self.network.insert(node, operands)
    }

    /// Adds an input as a text states it.
    pub(crate) fn stated_input(&mut self, port: InputPort) {
        self.network.inputs_mut().push(port);
    }

    /// Adds an output as a text states it.
    pub(crate) fn stated_output(&mut self, port: OutputPort) {
        self.network.outputs_mut().push(port);
    }

    /// Changes how the user sees input `i`; the canonical type of its node becomes `ty`. The types of everything
    /// behind it stay as they were.
    pub fn set_input(&mut self, i: usize, port: InputPort, ty: ValueType) {
        self.network.node_mut(port.node).results = vec![ty];
        self.network.inputs_mut()[i] = port;
    }

    /// Puts a new node of type `ty` behind input `i`, which its user sees as `element`s in the layout `perm`
    /// of it. Readers of the old node keep it until they are given the new value; then it can go.
    pub fn exchange_input(&mut self, i: usize, ty: ValueType, element: Element, perm: Vec<usize>) -> Value {
        let port = &self.network.inputs()[i];
        let (old, name, batch) = (port.node, port.name.clone(), port.batch.clone());
        let names = self.network.node(old).names.clone();
        let node = self.network.insert(Node { op: Op::Input(Input {}), names, results: vec![ty] }, &[]);
        self.network.inputs_mut()[i] = InputPort { node, name, element, perm, batch };
        self.touched.extend([old, node]);
        node.into()
    }

    /// Changes how the user sees output `i`, and which value it is.
    pub fn set_output(&mut self, i: usize, port: OutputPort) {
        self.touched.extend([self.network.outputs()[i].value.node, port.value.node]);
        self.network.outputs_mut()[i] = port;
    }

    /// Keeps only the outputs for which `keep` holds.
    pub fn retain_outputs(&mut self, keep: impl Fn(&OutputPort) -> bool) {
        self.network.outputs_mut().retain(keep);
    }

    /// Sets or clears the preprocessing of the first input.
    pub fn set_preprocess(&mut self, preprocess: Option<Preprocess>) {
        self.network.set_preprocess(preprocess);
    }

    /// Makes every reader of `old`, outputs included, read `new`, whose node inherits the names of `old`'s.
    /// Readers that are `new`'s own node keep `old`, so that a value can be wrapped.
    ///
    /// # Errors
    /// Values of different types.
    pub fn replace(&mut self, old: Value, new: Value) -> Result<(), EditError> {
        self.redirect(old, new)?;
        let names = self.network.node(old.node).names.clone();
        if self.network.constant(new).is_none() {
            self.network.node_mut(new.node).names.merge(&names);
        }
        Ok(())
    }

    /// As [`Edit::replace`], but the node of `new` keeps the names that it has: for operators that move.
    ///
    /// # Errors
    /// Values of different types.
    pub fn redirect(&mut self, old: Value, new: Value) -> Result<(), EditError> {
        let (from, to) = (self.network.ty(old), self.network.ty(new));
        if from != to {
            return Err(EditError(format!("{old} of type {from} cannot be replaced by {new} of type {to}")));
        }
        self.touched.extend(self.network.users(old).into_iter().map(|(reader, _)| reader));
        self.touched.extend([old.node, new.node]);
        self.network.redirect(old, new);
        Ok(())
    }

    /// Makes operand `port` of `node` read `new`.
    ///
    /// # Errors
    /// Operands that the operator does not take, or that would change the types of its results.
    pub fn rewire(&mut self, node: NodeId, port: u16, new: Value) -> Result<(), EditError> {
        let mut operands = self.network.operands(node);
        operands[usize::from(port)] = new;
        let types: Vec<&ValueType> = operands.iter().map(|&v| self.network.ty(v)).collect();
        let op = self.network.op(node);
        let results = infer(op, &types).map_err(|why| EditError(format!("{}: {why}", op.name())))?;
        if results != self.network.node(node).results {
            return Err(EditError(format!("{}: a new operand would change its result", op.name())));
        }
        let old = self.network.operands(node)[usize::from(port)];
        self.touched.extend([old.node, node, new.node]);
        self.network.rewire(node, port, new);
        Ok(())
    }

    /// Nodes that were added, or that others began or ceased to read, since the last call; some may be gone.
    pub fn take_touched(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.touched)
    }

    /// Removes `node` where nothing reads it and it is no input of the network, then what it alone read.
    pub fn remove_unread(&mut self, node: NodeId) {
        let mut todo = vec![node];
        while let Some(node) = todo.pop() {
            let kept = !self.network.contains(node)
                || self.network.is_read(node)
                || self.network.inputs().iter().any(|i| i.node == node)
                || self.network.outputs().iter().any(|o| o.value.node == node);
            if kept {
                continue;
            }
            let operands = self.network.operands(node);
            self.network.remove(node);
            self.touched.extend(operands.iter().map(|v| v.node));
            todo.extend(operands.iter().map(|v| v.node));
        }
    }

    /// Adds names to a node.
    pub fn merge_names(&mut self, node: NodeId, names: &Names) {
        self.network.node_mut(node).names.merge(names);
    }

    /// Removes every node that no output depends on, inputs excepted; says how many went.
    pub fn remove_dead(&mut self) -> usize {
        let mut live = std::collections::BTreeSet::new();
        let mut todo: Vec<NodeId> = self.network.outputs().iter().map(|o| o.value.node).collect();
        todo.extend(self.network.inputs().iter().map(|i| i.node));
        while let Some(node) = todo.pop() {
            if live.insert(node) {
                todo.extend(self.network.operands(node).into_iter().map(|v| v.node));
            }
        }
        let dead: Vec<NodeId> = self.network.node_ids().filter(|n| !live.contains(n)).collect();
        for &node in &dead {
            self.network.remove(node);
        }
        dead.len()
    }

    /// Gives every activation `batch` frames.
    ///
    /// # Errors
    /// Where an operator does not allow it; the network is then as it was.
    pub fn set_batch(&mut self, batch: usize) -> Result<(), EditError> {
        let ports = self.network.inputs().iter().filter(|i| i.batch != Batch::Absent);
        let mut new = BTreeMap::new();
        for node in ports.map(|i| i.node) {
            let mut results = self.network.node(node).results.clone();
            if let Some(first) = results[0].shape.0.first_mut() {
                *first = batch;
            }
            new.insert(node, results);
        }
        self.infer_from(new)
    }

    /// Infers the types of all nodes but those in `new`, and sets them once all are known. A slice that took all of
    /// axis 0 takes all of it again.
    fn infer_from(&mut self, mut new: BTreeMap<NodeId, Vec<ValueType>>) -> Result<(), EditError> {
        let order = self.network.topological().ok_or_else(|| EditError("the network has a cycle".into()))?;
        let mut resized = BTreeMap::new();
        for node in order {
            let op = self.network.op(node);
            if matches!(op, Op::Input(_) | Op::Const(_)) {
                continue;
            }
            let operands = self.network.operands(node);
            let ty = |v: &Value| match new.get(&v.node) {
                Some(results) => &results[usize::from(v.port)],
                None => self.network.ty(*v),
            };
            let types: Vec<&ValueType> = operands.iter().map(ty).collect();
            let slice = match op {
                Op::Slice(slice) => all_again(slice, self.network.ty(operands[0]), types[0]),
                _ => None,
            };
            let slice = slice.map(Op::Slice);
            let results = infer(slice.as_ref().unwrap_or(op), &types).map_err(|why| {
                EditError(format!("{} \"{}\": {why}", op.name(), self.network.node(node).names))
            })?;
            new.insert(node, results);
            resized.extend(slice.map(|slice| (node, slice)));
        }
        for (node, slice) in resized {
            self.network.node_mut(node).op = slice;
        }
        for (node, results) in new {
            self.network.node_mut(node).results = results;
        }
        Ok(())
    }
}

/// The slice that takes all of axis 0 of an operand of type `new`, where `slice` took all of it of one of type `old`.
/// Else it would go on taking as many frames as there were, and a sum would spread them over the others.
fn all_again(slice: &Slice, old: &ValueType, new: &ValueType) -> Option<Slice> {
    let (before, now) = (*old.shape.0.first()?, *new.shape.0.first()?);
    let took_all = (slice.start.first()?, slice.step.first()?, slice.len.first()?) == (&0, &1, &before);
    (took_all && before != now).then(|| {
        let mut slice = slice.clone();
        slice.len[0] = now;
        slice
    })
}

/// A network with one input, whose output the caller adds: the start of most hand-made networks.
impl Network {
    /// A network with one f32 input of `shape` (axis 0 the batch, dynamic for the user).
    pub fn with_input(name: &str, shape: impl Into<Shape>) -> (Network, Value) {
        let mut network = Network::new();
        let ty = ValueType::new(Element::F32, shape);
        let value = Edit::new(&mut network).input(name, ty, Batch::Dynamic(None));
        (network, value)
    }
}
