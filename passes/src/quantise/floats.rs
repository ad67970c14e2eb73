//! A quantised network as floats again: its quantisers go, and weights and biases are the numbers that their codes stand
//! for.
//!
//! What is rounded no longer is. What is limited stays limited where 0 is an end of the codes and no activation in front
//! has seen to that: it has gone into the quantiser, and the network would be another one without it. A constant that does nothing but break
//! the ties of a quantiser goes with it.

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::names::Names;
use nonresc_ir::network::{Clip, Edit, EditError, Element, Network, Op, Quantise};

use crate::{known, range};

/// The float network of a quantised one in normal form; one without quantisers comes out as it is. The result need not
/// be in normal form.
///
/// # Errors
/// Inputs and outputs that are codes; whatever computes with codes, by name; codes that are read with another scale than
/// they were made with.
pub fn floats(network: &Network) -> Result<Network, Diagnostics> {
    let order = network
        .topological()
        .ok_or_else(|| fault("the network", "it has a cycle", "report this as a fault of nonresc"))?;
    let mut floats = network.clone();
    let mut work = Dropping { from: network, edit: Edit::new(&mut floats), codes: BTreeMap::new() };
    let mut faults = Diagnostics::default();
    for node in order {
        let what = || format!("{} \"{}\"", network.op(node).name(), network.node(node).names);
        match work.node(node) {
            Ok(Ok(())) => {}
            Ok(Err((why, remedy))) => faults.push(fault(what(), why, remedy)),
            Err(error) => faults.push(fault(what(), &error.to_string(), "report this as a fault of nonresc")),
        }
    }
    for output in network.outputs().iter().filter(|output| is_code(network, output.value)) {
        faults.push(fault(
            format!("output \"{}\"", output.name),
            "it is codes, and without its quantiser it would have another type",
            "export the model with outputs that are floats",
        ));
    }
    work.edit.remove_dead();
    faults.or(floats)
}

fn fault(what: impl Into<String>, why: &str, remedy: &str) -> Diagnostic {
    Diagnostic::new("quantise/floats", what, why, remedy)
}

fn is_code(network: &Network, value: Value) -> bool {
    matches!(network.ty(value).element, Element::Int { .. })
}

/// Why a node cannot become floats, and what to do.
type Refusal = (&'static str, &'static str);

/// Numbers that were codes, and the quantiser that made these.
#[derive(Clone, Copy)]
struct Numbers {
    value: Value,
    quantiser: NodeId,
}

struct Dropping<'a, 'e> {
    from: &'a Network,
    edit: Edit<'e>,
    codes: BTreeMap<NodeId, Numbers>,
}

impl Dropping<'_, '_> {
    fn node(&mut self, node: NodeId) -> Result<Result<(), Refusal>, EditError> {
        let operands = self.from.operands(node);
        match self.from.op(node) {
            Op::Const(_) => {}
            Op::Input(_) if is_code(self.from, node.into()) => {
                return Ok(Err((
                    "it is codes, and without its quantiser it would have another type",
                    "export the model with inputs that are floats",
                )));
            }
            Op::Quantise(op) => {
                let value = self.numbers(node, op)?;
                self.codes.insert(node, Numbers { value, quantiser: node });
            }
            Op::Dequantise(_) => {
                match (known::numbers(self.from, node.into()), self.codes.get(&operands[0].node)) {
                    (Some(numbers), _) => {
                        self.edit.named(self.from.node(node).names.clone());
                        let numbers = self.edit.constant(numbers);
                        self.edit.redirect(node.into(), numbers)?;
                    }
                    (None, Some(&Numbers { value, quantiser })) if self.is_undone(quantiser, node) => {
                        self.edit.redirect(node.into(), value)?;
                    }
                    (None, Some(_)) => {
                        return Ok(Err((
                            "it reads codes with another scale or zero point than they were made with",
                            "quantise the float model that it was made of",
                        )));
                    }
                    // Its operand has been refused.
                    (None, None) => {}
                }
            }
            op if is_code(self.from, node.into()) || operands.iter().any(|&v| is_code(self.from, v)) => {
                let moves = matches!(
                    op,
                    Op::MaxPool(_) | Op::GlobalMaxPool(_) | Op::Slice(_) | Op::Reshape(_) | Op::Transpose(_)
                );
                match operands.first().and_then(|x| self.codes.get(&x.node)) {
                    Some(&Numbers { value, quantiser }) if moves => {
                        self.edit.named(self.from.node(node).names.clone());
                        let value = self.edit.add(op.clone(), &[value])?;
                        self.codes.insert(node, Numbers { value, quantiser });
                    }
                    _ => {
                        return Ok(Err((
                            "it computes with codes",
                            "give the network with a quantiser and a dequantiser around each float operator",
                        )));
                    }
                }
            }
            _ => {}
        }
        Ok(Ok(()))
    }

    /// What a quantiser reads, held to the limits of its codes where these end at 0 and it does not.
    fn numbers(&mut self, node: NodeId, op: &Quantise) -> Result<Value, EditError> {
        let mut x = self.edit.operands(node)[0];
        if self.breaks_ties(x, node) {
            x = self.edit.operands(x.node)[0];
        }
        let parameter = |operand: usize| {
            let value = self.from.operands(node)[operand];
            self.from.constant(value).map_or_else(Vec::new, |tensor| tensor.to_f64())
        };
        let (scales, zeros) = (parameter(1), parameter(2));
        let [least, most] = op.limits().map(|code| code as f64);
        let (low, high) = range::bounds(&self.edit, x);
        let all = |end: f64| !zeros.is_empty() && zeros.iter().all(|&zero| zero == end);
        let limits = all(least) && low < 0.0 || all(most) && high > 0.0;
        if !limits || matches!(self.edit.op(x.node), Op::Input(_)) {
            return Ok(x);
        }
        // Of several scales the largest clips least.
        let scale = scales.iter().copied().fold(0.0, f64::max);
        let (min, max) = ((least - zeros[0]) * scale, (most - zeros[0]) * scale);
        let clip = Op::from(Clip { min, max });
        let there = self.edit.users(x).into_iter().map(|(reader, _)| reader);
        if let Some(same) = there.into_iter().find(|&reader| *self.edit.op(reader) == clip) {
            return Ok(same.into());
        }
        self.edit.named(Names::default());
        self.edit.add(clip, &[x])
    }

    /// Whether all that a layer does is to add less than a step of the quantiser that alone reads it.
    fn breaks_ties(&self, x: Value, quantiser: NodeId) -> bool {
        let Op::Conv(op) = self.edit.op(x.node) else { return false };
        let operands = self.edit.operands(x.node);
        let constant = |value: Value| Network::constant(&self.edit, value).map(|tensor| tensor.to_f64());
        let numbers = |i: usize| operands.get(i).and_then(|&v| constant(v));
        let (Some(weights), Some(bias)) = (numbers(1), numbers(2)) else { return false };
        let steps = constant(self.edit.operands(quantiser)[1]).unwrap_or_default();
        let step = steps.into_iter().fold(f64::INFINITY, f64::min);
        op.maps_channels(&self.edit.ty(operands[1]).shape)
            && weights.iter().all(|&w| w == 1.0)
            && bias.iter().all(|b| b.abs() < step)
            && self.edit.users(x).len() == 1
            && !self.edit.is_output(x)
    }

    /// Whether a dequantiser has the scales and zero points of a quantiser.
    fn is_undone(&self, quantiser: NodeId, dequantiser: NodeId) -> bool {
        let constant = |node: NodeId, operand: usize| self.from.constant(self.from.operands(node)[operand]);
        [1, 2]
            .into_iter()
            .all(|i| constant(quantiser, i).is_some() && constant(quantiser, i) == constant(dequantiser, i))
    }
}
