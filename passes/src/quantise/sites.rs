//! Where an integer network rounds. Structure alone: no number is looked at.

use std::collections::{BTreeMap, BTreeSet};

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Element, Network, Op};

/// What is rounded at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The network's input.
    Input,
    /// The accumulator of a convolution or dense layer.
    Layer,
    /// A sum of activations.
    Sum,
    /// The mean of a window.
    Mean,
    /// Numbers that a clip has held to limits of its own.
    Limit,
}

/// A place where numbers are rounded to codes.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// What makes the numbers.
    pub(super) root: NodeId,
    /// What is rounded: the result of the root, its activation done.
    pub(super) at: Value,
    pub(super) kind: Kind,
    /// The layer in whose accumulator the numbers are made.
    pub(super) layer: Option<NodeId>,
}

/// A convolution or dense layer.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) node: NodeId,
    /// Where its accumulator is rounded; nowhere on the way to an output.
    pub(super) site: Option<usize>,
    /// What a sum adds in its accumulator.
    pub(super) addend: Option<Value>,
}

/// All sites and layers, each in topological order.
#[derive(Debug, Default)]
pub(super) struct Sites {
    pub(super) sites: Vec<Site>,
    pub(super) layers: Vec<Layer>,
    /// The site that each value has its codes from.
    pub(super) codes: BTreeMap<Value, usize>,
    /// Nodes whose numbers are known not to be negative.
    pub(super) nonnegative: BTreeSet<NodeId>,
}

impl Sites {
    /// All values whose numbers have to be known.
    pub(super) fn values(&self, network: &Network) -> BTreeSet<Value> {
        let read = self.layers.iter().map(|layer| network.operands(layer.node)[0]);
        self.sites.iter().map(|site| site.at).chain(read).collect()
    }
}

/// Finds the sites of a network in normal form.
///
/// # Errors
/// Every operator that an integer network cannot have.
pub(super) fn find(network: &Network) -> Result<Sites, Diagnostics> {
    let Some(order) = network.topological() else {
        return Err(Diagnostic::new(
            "quantise/cycle",
            "the network",
            "it has a cycle",
            "report this as a fault of nonresc",
        )
        .into());
    };
    let mut faults = Diagnostics::default();
    let mut told = false;
    for &node in &order {
        let quantised = is_quantised(network.op(node));
        if let Err(fault) = taken(network, node)
            && !(quantised && told)
        {
            faults.push(fault);
        }
        told |= quantised;
    }
    faults.or(())?;
    let merged = merged(network, &order);
    let mut walk = Walk {
        network,
        merged,
        inner: inner(network, &order),
        passed: BTreeSet::new(),
        found: Sites::default(),
    };
    for node in order {
        walk.visit(node);
        if is_nonnegative(network, node, &walk.found.nonnegative) {
            walk.found.nonnegative.insert(node);
        }
    }
    Ok(walk.found)
}

/// Whether the numbers of a node are known not to be negative; `known` says it of its operands.
fn is_nonnegative(network: &Network, node: NodeId, known: &BTreeSet<NodeId>) -> bool {
    let of_operands = || network.operands(node).iter().all(|v| known.contains(&v.node));
    match network.op(node) {
        Op::Relu(_) => true,
        Op::Clip(clip) => clip.min >= 0.0 || clip.max >= 0.0 && of_operands(),
        op => {
            (keeps_scale(op) || matches!(op, Op::Add(_) | Op::AvgPool(_) | Op::GlobalAvgPool(_)))
                && of_operands()
        }
    }
}

/// Whether an operator only moves or compares numbers, so that codes stay codes of the same scale.
fn keeps_scale(op: &Op) -> bool {
    match op {
        Op::Relu(_)
        | Op::MaxPool(_)
        | Op::GlobalMaxPool(_)
        | Op::Pad(_)
        | Op::Slice(_)
        | Op::Reshape(_)
        | Op::Transpose(_)
        | Op::Softmax(_) => true,
        Op::Const(_)
        | Op::Input(_)
        | Op::Conv(_)
        | Op::Dense(_)
        | Op::MatMul(_)
        | Op::BatchNorm(_)
        | Op::Add(_)
        | Op::Sub(_)
        | Op::Mul(_)
        | Op::Div(_)
        | Op::Clip(_)
        | Op::LeakyRelu(_)
        | Op::AvgPool(_)
        | Op::GlobalAvgPool(_)
        | Op::ReduceMean(_)
        | Op::Concat(_)
        | Op::Cast(_)
        | Op::Quantise(_)
        | Op::Dequantise(_)
        | Op::IntConv(_)
        | Op::IntDense(_)
        | Op::IntSumPool(_)
        | Op::Requantise(_)
        | nonresc_ir::training_op!() => false,
    }
}

/// Whether an operator is of a network that is quantised already.
fn is_quantised(op: &Op) -> bool {
    matches!(
        op,
        Op::Quantise(_)
            | Op::Dequantise(_)
            | Op::IntConv(_)
            | Op::IntDense(_)
            | Op::IntSumPool(_)
            | Op::Requantise(_)
    )
}

/// Whether a node can be a part of an integer network; else why not.
fn taken(network: &Network, node: NodeId) -> Result<(), Diagnostic> {
    let op = network.op(node);
    let operands = network.operands(node);
    let known = |v: &Value| network.constant(*v).is_some();
    // Of codes it is said where they are read.
    let stored = |v: &Value| known(v) || matches!(network.op(v.node), Op::Dequantise(_));
    let (why, remedy) = match op {
        Op::Const(_) => return Ok(()),
        _ if network.ty(node.into()).element != Element::F32 && !is_quantised(op) => {
            ("its numbers are not floats of 32 bits", "export the model with floats of 32 bits")
        }
        Op::Conv(_) | Op::Dense(_) if operands[1..].iter().all(stored) => return Ok(()),
        Op::Conv(_) | Op::Dense(_) => (
            "its weights or its bias are computed, not known",
            "quantise the float model, with weights stored as numbers",
        ),
        Op::Add(_) if !operands.iter().any(known) => return Ok(()),
        Op::Pad(pad) if pad.value != 0.0 => ("what it pads with need not be a code", "pad with zeros"),
        Op::Softmax(_) if !network.is_output(node.into()) || network.is_read(node) => (
            "hardware has no exponential",
            "let the network end with its scores; at an output softmax is left to the host",
        ),
        Op::Input(_)
        | Op::Relu(_)
        | Op::Clip(_)
        | Op::MaxPool(_)
        | Op::GlobalMaxPool(_)
        | Op::AvgPool(_)
        | Op::GlobalAvgPool(_)
        | Op::Pad(_)
        | Op::Slice(_)
        | Op::Reshape(_)
        | Op::Transpose(_)
        | Op::Softmax(_) => return Ok(()),
        Op::Quantise(_)
        | Op::Dequantise(_)
        | Op::IntConv(_)
        | Op::IntDense(_)
        | Op::IntSumPool(_)
        | Op::Requantise(_) => (
            "the network is quantised already",
            "give the float model that it was made of, or drop the quantisers: --requantise",
        ),
        Op::BatchNorm(_) | Op::Add(_) => (
            "its numbers went into no layer, and a layer of its own would need scales of its own",
            "put batch norm and constants behind a convolution, so that they can be folded",
        ),
        Op::Sub(_) | Op::Mul(_) | Op::Div(_) => (
            "only convolutions, dense layers, sums and pools have integers",
            "use sums of activations, and convolutions for factors",
        ),
        Op::LeakyRelu(_) => ("its slope would need a scale of its own", "train with relu or a clipped one"),
        Op::MatMul(_) => ("it multiplies by computed numbers", "use dense layers"),
        Op::ReduceMean(_) => {
            ("it takes the mean over other axes than height and width", "use a global average pool")
        }
        Op::Concat(_) => ("what it joins has several scales", "use sums for the shortcuts"),
        Op::Cast(_) => {
            ("it changes the type of numbers inside the network", "keep floats of 32 bits throughout")
        }
        nonresc_ir::training_op!() => ("it is a part of a training step", "give the network that is trained"),
    };
    let what = format!("{} \"{}\"", op.name(), network.node(node).names);
    Err(Diagnostic::new("quantise/operator", what, why, remedy))
}

/// Sums that are made in the accumulator of a layer: the layer of each.
fn merged(network: &Network, order: &[NodeId]) -> BTreeMap<NodeId, NodeId> {
    let mut merged = BTreeMap::new();
    for &node in order {
        if matches!(network.op(node), Op::Conv(_) | Op::Dense(_))
            && let Some(sum) = network.sole_reader(node.into())
            && matches!(network.op(sum), Op::Add(_))
            && network.ty(sum.into()) == network.ty(node.into())
        {
            // The later of two takes the place of the earlier.
            merged.insert(sum, node);
        }
    }
    merged
}

/// Nodes whose result something computes with, over whatever only moves or compares it.
fn inner(network: &Network, order: &[NodeId]) -> BTreeSet<NodeId> {
    let mut inner = BTreeSet::new();
    for &node in order.iter().rev() {
        let computes = |reader: NodeId| {
            let op = network.op(reader);
            !(keeps_scale(op) || matches!(op, Op::Clip(_))) || inner.contains(&reader)
        };
        if network.users(node.into()).iter().any(|&(reader, _)| computes(reader)) {
            inner.insert(node);
        }
    }
    inner
}

struct Walk<'a> {
    network: &'a Network,
    merged: BTreeMap<NodeId, NodeId>,
    inner: BTreeSet<NodeId>,
    /// Activations that belong to what is before them.
    passed: BTreeSet<NodeId>,
    found: Sites,
}

impl Walk<'_> {
    fn visit(&mut self, node: NodeId) {
        let operands = self.network.operands(node);
        match self.network.op(node) {
            Op::Input(_) => {
                self.round(node, Kind::Input, None);
            }
            Op::Conv(_) | Op::Dense(_) => {
                let sum =
                    self.network.sole_reader(node.into()).filter(|sum| self.merged.get(sum) == Some(&node));
                let site = match sum {
                    Some(_) => None,
                    None => self.round(node, Kind::Layer, Some(node)),
                };
                self.found.layers.push(Layer { node, site, addend: None });
            }
            Op::Add(_) => {
                let layer = self.merged.get(&node).copied();
                let site = self.round(node, Kind::Sum, layer);
                if let Some(layer) = self.found.layers.iter_mut().find(|l| Some(l.node) == layer) {
                    layer.site = site;
                    layer.addend = operands.iter().copied().find(|v| v.node != layer.node);
                }
            }
            Op::AvgPool(_) | Op::GlobalAvgPool(_) => {
                self.round(node, Kind::Mean, None);
            }
            Op::Clip(_) if !self.passed.contains(&node) => {
                self.round(node, Kind::Limit, None);
            }
            op if keeps_scale(op) && !self.passed.contains(&node) => {
                if let Some(&site) = self.found.codes.get(&operands[0]) {
                    self.found.codes.insert(node.into(), site);
                }
            }
            // Activations that were passed, constants, and what `taken` refuses.
            _ => {}
        }
    }

    /// The result of a node once its activation is done, as far as nothing else reads what is before it.
    fn tail(&mut self, node: NodeId) -> Value {
        let mut last = node;
        while let Some(reader) = self.network.sole_reader(last.into())
            && matches!(self.network.op(reader), Op::Relu(_) | Op::Clip(_))
        {
            self.passed.insert(reader);
            last = reader;
        }
        last.into()
    }

    /// A site behind a node, where something computes with what it gives.
    fn round(&mut self, root: NodeId, kind: Kind, layer: Option<NodeId>) -> Option<usize> {
        let at = if kind == Kind::Input { root.into() } else { self.tail(root) };
        if !self.inner.contains(&at.node) {
            return None;
        }
        let site = self.found.sites.len();
        self.found.sites.push(Site { root, at, kind, layer });
        self.found.codes.insert(at, site);
        Some(site)
    }
}
