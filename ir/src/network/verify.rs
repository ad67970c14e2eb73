//! What holds of every network between any two passes, and nothing else: one number an invariant, in the order
//! in which they are asked.
//!
//! - V01 the graph has no cycle.
//! - V02 the operands of a node are numbered from 0 without a gap.
//! - V03 operands and outputs are results of nodes that are there.
//! - V04 a node has as many operands as its operator takes.
//! - V05 the types of a node's results are those that inference gives.
//! - V06 inputs and constants have an element, a rank and a size that a memory can hold, and are not empty.
//! - V07 every input node has one port, and every input port is an input node.
//! - V08 the axes of a port are an order of its value's axes.
//! - V09 inputs have names of their own, and so have outputs.
//! - V10 ports with a batch hold the frames of the network on axis 0, and a fixed batch is not 0.
//! - V11 the network has an output.
//! - V12 preprocessing has a finite factor, and a mean and a positive deviation for each channel.
//! - V13 scales and zero points are constants; scales are positive, zero points within their codes.
//! - V14 constants of narrow integers are within their width.
//! - V15 an output depends on every node but the inputs (of networks in normal form).
//!
//! A fault of one number does not hide those of others, except where a node is too broken to be asked.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Batch, Network};
use super::infer::{MAX_ELEMENTS, MAX_RANK, infer};
use super::op::{Op, Quantise};
use super::types::{Element, Shape, ValueType};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::id::{NodeId, Value};

/// Faults beyond these are not looked for.
const MAX_FAULTS: usize = 100;

/// Holds a network against the invariants V01 to V14.
///
/// # Errors
/// One fault for each that is broken at each place, under the code `verify/V..`.
pub fn verify(network: &Network) -> Result<(), Diagnostics> {
    let mut check = Check { network, faults: Diagnostics::default() };
    if network.topological().is_none() {
        check.fault("verify/V01", "the network", "it has a cycle".into());
    }
    for node in network.node_ids() {
        if check.faults.len() >= MAX_FAULTS {
            break;
        }
        check.node(node);
    }
    check.inputs();
    check.outputs();
    check.names();
    check.batch();
    check.preprocess();
    check.faults.or(())
}

/// Holds a network against V15: in normal form nothing is computed that no output depends on.
///
/// # Errors
/// One fault for each node that nothing needs.
pub fn verify_live(network: &Network) -> Result<(), Diagnostics> {
    let mut live = BTreeSet::new();
    let mut waiting: Vec<NodeId> = network.outputs().iter().map(|o| o.value.node).collect();
    while let Some(node) = waiting.pop() {
        if network.contains(node) && live.insert(node) {
            waiting.extend(network.operands(node).iter().map(|v| v.node));
        }
    }
    let mut check = Check { network, faults: Diagnostics::default() };
    let dead = |n: &NodeId| !live.contains(n) && !matches!(network.op(*n), Op::Input(_));
    for node in network.node_ids().filter(dead).take(MAX_FAULTS) {
        check.at(node, "verify/V15", "no output depends on it".into());
    }
    check.faults.or(())
}

struct Check<'a> {
    network: &'a Network,
    faults: Diagnostics,
}

impl Check<'_> {
    fn fault(&mut self, code: &'static str, what: impl Into<String>, why: String) {
        let remedy = "repair the text; where nonresc itself made the network, report this as its fault";
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Diagnostic::new(code, what, why, remedy));
        }
    }

    fn at(&mut self, node: NodeId, code: &'static str, why: String) {
        let of = self.network.node(node);
        self.fault(code, format!("{node} {} \"{}\"", of.op.name(), of.names), why);
    }

    fn exists(&self, value: Value) -> bool {
        self.network.contains(value.node)
            && usize::from(value.port) < self.network.node(value.node).results.len()
    }

    fn node(&mut self, id: NodeId) {
        let node = self.network.node(id);
        let ports = self.network.operand_ports(id);
        let operands = self.network.operands(id);
        if !ports.iter().copied().map(usize::from).eq(0..ports.len()) {
            return self.at(id, "verify/V02", format!("its operands have the numbers {ports:?}"));
        }
        if let Some(gone) = operands.iter().find(|v| !self.exists(**v)) {
            return self.at(id, "verify/V03", format!("it reads {gone}, which is not there"));
        }
        if !node.op.arity().contains(&operands.len()) {
            return self.at(id, "verify/V04", format!("it has {} operands", operands.len()));
        }
        if matches!(node.op, Op::Input(_) | Op::Const(_)) {
            for ty in &node.results {
                if let Err(why) = size(ty) {
                    self.at(id, "verify/V06", why);
                }
            }
        }
        // What reads a value that no memory holds is not at fault itself.
        if operands.iter().any(|v| size(self.network.ty(*v)).is_err()) {
            return;
        }
        if let Err(why) = self.types(id, &operands) {
            return self.at(id, "verify/V05", why);
        }
        match &node.op {
            Op::Const(_) => {
                let shown = self.network.constant(id.into()).and_then(|t| Some((t.element(), t.to_i64()?)));
                if let Some((element, codes)) = shown
                    && let Some(code) =
                        codes.iter().find(|c| !range(element, false).contains(&i128::from(**c)))
                {
                    self.at(id, "verify/V14", format!("it holds {code}, which is no {element}"));
                }
            }
            Op::Quantise(Quantise { bits, signed, narrow, .. }) => {
                self.quantised(id, Element::Int { bits: *bits, signed: *signed }, *narrow, &operands);
            }
            Op::Dequantise(_) => {
                self.quantised(id, self.network.ty(operands[0]).element, false, &operands);
            }
            _ => {}
        }
    }

    fn types(&self, id: NodeId, operands: &[Value]) -> Result<(), String> {
        let node = self.network.node(id);
        let show = |types: &[ValueType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let expected = match &node.op {
            Op::Input(_) if node.results.len() == 1 => return Ok(()),
            Op::Input(_) => return Err(format!("an input is one value, not {}", node.results.len())),
            // An empty constant is V06's affair.
            Op::Const(t) => vec![ValueType::new(t.element(), t.shape().clone())],
            op => infer(op, &operands.iter().map(|v| self.network.ty(*v)).collect::<Vec<_>>())?,
        };
        if node.results == expected {
            return Ok(());
        }
        Err(format!("its type is {}, but inference gives {}", show(&node.results), show(&expected)))
    }

    fn quantised(&mut self, id: NodeId, codes: Element, narrow: bool, operands: &[Value]) {
        let (Some(scale), Some(zero)) =
            (self.network.constant(operands[1]), self.network.constant(operands[2]))
        else {
            return self.at(id, "verify/V13", "its scale or its zero point is computed".into());
        };
        if let Some(scale) = scale.to_f64().iter().find(|s| !(s.is_finite() && **s > 0.0)) {
            self.at(id, "verify/V13", format!("its scale is {scale}"));
        }
        let zeros = zero.to_i64().unwrap_or_default();
        if let Some(zero) = zeros.iter().find(|z| !range(codes, narrow).contains(&i128::from(**z))) {
            self.at(id, "verify/V13", format!("its zero point is {zero}, which is no code of {codes}"));
        }
    }

    fn inputs(&mut self) {
        let mut ports: BTreeMap<NodeId, usize> = BTreeMap::new();
        for port in self.network.inputs() {
            *ports.entry(port.node).or_default() += 1;
            let what = format!("input \"{}\"", port.name);
            if !self.exists(port.node.into()) {
                self.fault("verify/V03", what, format!("it is {}, which is not there", port.node));
                continue;
            }
            if !matches!(self.network.op(port.node), Op::Input(_)) {
                let op = self.network.op(port.node).name();
                self.fault("verify/V07", what.clone(), format!("it is {}, a node {op}", port.node));
            }
            self.axes(&what, &port.perm, &self.network.ty(port.node.into()).shape);
        }
        for id in self.network.node_ids() {
            let n = ports.get(&id).copied().unwrap_or(0);
            if matches!(self.network.op(id), Op::Input(_)) && n != 1 {
                self.at(id, "verify/V07", format!("{n} input ports are this node"));
            }
        }
    }

    fn outputs(&mut self) {
        if self.network.outputs().is_empty() {
            self.fault("verify/V11", "the network", "it has no output".into());
        }
        for port in self.network.outputs() {
            let what = format!("output \"{}\"", port.name);
            if self.exists(port.value) {
                self.axes(&what, &port.perm, &self.network.ty(port.value).shape);
            } else {
                self.fault("verify/V03", what, format!("it is {}, which is not there", port.value));
            }
        }
    }

    fn axes(&mut self, what: &str, perm: &[usize], shape: &Shape) {
        let mut sorted = perm.to_vec();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..shape.rank()) {
            self.fault("verify/V08", what, format!("axes {perm:?} are no order of those of {shape}"));
        }
    }

    fn names(&mut self) {
        let inputs = self.network.inputs().iter().map(|p| ("input", &p.name));
        let outputs = self.network.outputs().iter().map(|p| ("output", &p.name));
        let mut seen = BTreeSet::new();
        for (kind, name) in inputs.chain(outputs) {
            if name.is_empty() {
                self.fault("verify/V09", format!("an {kind}"), "it has no name".into());
            } else if !seen.insert((kind, name)) {
                self.fault("verify/V09", format!("{kind} \"{name}\""), format!("two {kind}s are called so"));
            }
        }
    }

    fn batch(&mut self) {
        let frames = self.network.batch();
        let inputs = self.network.inputs().iter().map(|p| ("input", &p.name, Value::from(p.node), &p.batch));
        let outputs = self.network.outputs().iter().map(|p| ("output", &p.name, p.value, &p.batch));
        let ports: Vec<_> = inputs.chain(outputs).filter(|p| self.exists(p.2)).collect();
        for (kind, name, value, batch) in ports {
            let what = || format!("{kind} \"{name}\"");
            let shape = &self.network.ty(value).shape;
            if *batch != Batch::Absent && shape.0.first() != Some(&frames) {
                let why = format!("its shape is {shape}, but the network holds {frames} frames on axis 0");
                self.fault("verify/V10", what(), why);
            }
            if *batch == Batch::Fixed(0) {
                self.fault("verify/V10", what(), "its user gives it 0 frames".into());
            }
        }
    }

    fn preprocess(&mut self) {
        let Some(p) = self.network.preprocess() else { return };
        let first = self.network.inputs().first().map(|p| Value::from(p.node)).filter(|v| self.exists(*v));
        let channels = first.and_then(|v| self.network.ty(v).shape.0.get(1).copied());
        let why = if channels != Some(p.mean.len()) || channels != Some(p.std.len()) {
            let (mean, std) = (p.mean.len(), p.std.len());
            let has = channels.map_or("no channels".to_string(), |c| format!("{c} channels"));
            format!("it has {mean} means and {std} deviations, but the first input has {has}")
        } else if !(p.scale.is_finite() && p.scale != 0.0) {
            format!("its factor is {}", p.scale)
        } else if let Some(mean) = p.mean.iter().find(|m| !m.is_finite()) {
            format!("a mean is {mean}")
        } else if let Some(std) = p.std.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
            format!("a deviation is {std}")
        } else {
            return;
        };
        self.fault("verify/V12", "the preprocessing", why);
    }
}

fn size(ty: &ValueType) -> Result<(), String> {
    if let Element::Int { bits: 0 | 65.., .. } = ty.element {
        return Err(format!("there is no element {}", ty.element));
    }
    if ty.shape.rank() > MAX_RANK {
        return Err(format!("it has {} axes; {MAX_RANK} are the most", ty.shape.rank()));
    }
    match ty.shape.checked_len() {
        Some(1..=MAX_ELEMENTS) => Ok(()),
        Some(0) => Err(format!("it is empty: {}", ty.shape)),
        _ => Err(format!("its shape {} has more elements than any memory holds", ty.shape)),
    }
}

/// The codes of an element: all whole numbers for those that are no integers of their own.
fn range(element: Element, narrow: bool) -> std::ops::RangeInclusive<i128> {
    match element {
        Element::Int { bits: bits @ 1..=64, signed: true } => {
            let half = 1i128 << (bits - 1);
            (i128::from(narrow) - half)..=(half - 1)
        }
        Element::Int { bits: bits @ 1..=64, signed: false } => 0..=((1i128 << bits) - 1),
        _ => i128::MIN..=i128::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::verify;
    use crate::id::Value;
    use crate::network::{Add, Batch, Edit, Network};

    /// No edit leaves a gap, so the graph itself is asked to.
    #[test]
    fn v02_gap() {
        let (mut network, x) = Network::with_input("x", [1, 2]);
        let mut edit = Edit::new(&mut network);
        let y = edit.add(Add {}, &[x, x]).expect("equal types add");
        edit.output("y", y, Batch::Dynamic(None));
        verify(&network).expect("the network is sound");
        network.rewire(y.node, 4, Value::from(x.node));
        let faults = verify(&network).expect_err("operands 0, 1 and 4");
        assert_eq!(faults.iter().map(|f| f.code).collect::<Vec<_>>(), ["verify/V02"]);
    }
}
