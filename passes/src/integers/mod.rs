//! From a quantised network to an exact integer network: what hardware computes, number by number.
//!
//! Needs: a network in normal form with quantisers wherever values are rounded. Gives: the same ports, and between
//! the first quantisers and the last dequantisers integers alone: sums of products of codes, and their way back to
//! codes. Keeps the function, but for what float arithmetic rounds on the way: scales are read as the exact numbers
//! that they are, sums never round, and each quantiser rounds once.
//!
//! - [`form`]: what a value is while it has no code of its own yet: codes with scales, sums with factors.
//! - [`affine`]: what constants are multiplied by and added to.
//! - [`layer`]: convolutions, dense layers, sums of windows.
//! - [`moves`]: operators that commute with rounding.
//! - [`codes`]: quantisers; the way back to floats at the outputs.
//! - [`rescale`], [`ratio`]: factors that give the codes that the exact ratio of scales gives.
//! - [`tflite`]: the arithmetic of TensorFlow Lite instead, where that is asked for.

mod affine;
mod codes;
mod form;
mod layer;
mod moves;
mod ratio;
mod rescale;
mod tflite;

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::names::Names;
use nonresc_ir::network::{Edit, EditError, Element, Network, Op, Rounding};

use form::{Codes, Form, Limits, Range, Sum, Term};
use ratio::Ratio;
pub use rescale::{FACTOR_BITS, Proof};

/// How codes are rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// As each quantiser says, with the exact ratios of scales.
    #[default]
    AsGiven,
    /// All quantisers in one way, with the exact ratios of scales.
    All(Rounding),
    /// As TensorFlow Lite's reference kernels do.
    TfLite,
}

/// An integer network, and how each of its quantisers came to be.
#[derive(Clone, Debug)]
pub struct Integers {
    /// The network.
    pub network: Network,
    /// Every place where sums become codes, in the order of the network.
    pub roundings: Vec<Rounded>,
    /// Every quantiser of the quantised network that gives codes here, and its codes, in the order of that network.
    pub quantisers: Vec<(NodeId, Value)>,
    values: BTreeMap<NodeId, Value>,
}

impl Integers {
    /// The whole numbers that a value of the quantised network is here, where it is such without being rounded anew:
    /// codes, or sums of one scale.
    pub fn of(&self, value: Value) -> Option<Value> {
        self.values.get(&value.node).copied()
    }
}

/// A place where sums become codes.
#[derive(Clone, Debug)]
pub struct Rounded {
    /// The names of the quantiser.
    pub names: Names,
    /// Bits of its widest factor.
    pub factor_bits: u32,
    /// Bits behind the point.
    pub shift: u8,
    /// Whether it gives the codes of the exact ratios.
    pub proof: Proof,
}

/// Makes the integer network of a quantised one in normal form.
///
/// # Errors
/// Every operator between quantisers that integers cannot compute, by its ONNX name; a network without quantisers.
pub fn integers(network: &Network, rule: Rule) -> Result<Integers, Diagnostics> {
    make(network, rule, true)
}

/// The same without looking for factors that are proven: all numbers have the types and ranges that they have there.
pub(crate) fn without_proofs(network: &Network) -> Result<Integers, Diagnostics> {
    make(network, Rule::AsGiven, false)
}

fn make(network: &Network, rule: Rule, proofs: bool) -> Result<Integers, Diagnostics> {
    let order =
        network.topological().ok_or_else(|| fault("the network", "it has a cycle", "break the cycle"))?;
    has_codes(network)?;
    let mut integer = network.clone();
    let mut making = Making {
        from: network,
        rule,
        proofs,
        edit: Edit::new(&mut integer),
        forms: BTreeMap::new(),
        roundings: Vec::new(),
        quantisers: Vec::new(),
        faults: Diagnostics::default(),
    };
    for node in order {
        making.node(node);
    }
    making.outputs();
    let Making { roundings, mut quantisers, faults, mut edit, forms, .. } = making;
    faults.or(())?;
    edit.remove_dead();
    if roundings.is_empty() && !has_sums(&integer) {
        return Err(no_codes().into());
    }
    quantisers.retain(|(_, codes)| integer.contains(codes.node));
    let mut values: BTreeMap<NodeId, Value> =
        forms.iter().filter_map(|(&node, form)| Some((node, form.whole_numbers()?))).collect();
    values.retain(|_, value| integer.contains(value.node));
    Ok(Integers { network: integer, roundings, quantisers, values })
}

/// Whether a network, in normal form or not, could have integers at all.
///
/// # Errors
/// As [`integers`], of a network without quantisers.
pub fn has_codes(network: &Network) -> Result<(), Diagnostics> {
    if is_quantised(network) { Ok(()) } else { Err(no_codes().into()) }
}

/// Whether quantisers say where values are rounded.
fn is_quantised(network: &Network) -> bool {
    let has_codes = |node: NodeId| {
        let marks = matches!(network.op(node), Op::Quantise(_) | Op::Dequantise(_));
        marks && network.constant(network.operands(node)[0]).is_none()
    };
    network.node_ids().any(has_codes)
}

fn no_codes() -> Diagnostic {
    fault(
        "the network",
        "it has no quantised layer, so there are no integers to compute with",
        "quantise it first: nonresc quantise MODEL --data IMAGES --out DIR makes DIR/quantised.onnx",
    )
}

fn has_sums(network: &Network) -> bool {
    network.node_ids().any(|node| matches!(network.op(node), Op::IntConv(_) | Op::IntDense(_)))
}

fn fault(what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) -> Diagnostic {
    Diagnostic::new("integers/operator", what, why, remedy)
}

/// Why an operator is refused, and what to do.
struct Refusal {
    why: String,
    remedy: &'static str,
}

impl Refusal {
    fn new(why: impl Into<String>, remedy: &'static str) -> Refusal {
        Refusal { why: why.into(), remedy }
    }
}

impl From<EditError> for Refusal {
    fn from(error: EditError) -> Refusal {
        Refusal::new(error.to_string(), "report this as a fault of nonresc")
    }
}

type Outcome = Result<Form, Refusal>;

/// The remedy where a sum meets something that needs codes.
const ROUND_FIRST: &str = "put a quantiser between the two";

/// The integer network under way.
struct Making<'a, 'e> {
    from: &'a Network,
    rule: Rule,
    proofs: bool,
    edit: Edit<'e>,
    forms: BTreeMap<NodeId, Form>,
    roundings: Vec<Rounded>,
    quantisers: Vec<(NodeId, Value)>,
    faults: Diagnostics,
}

impl Making<'_, '_> {
    fn node(&mut self, node: NodeId) {
        let names = self.from.node(node).names.clone();
        self.edit.named(names.clone());
        let form = match self.form(node) {
            Ok(form) => form,
            Err(Refusal { why, remedy }) => {
                let what = format!("{} \"{names}\"", self.from.op(node).name());
                self.faults.push(fault(what, why, remedy));
                Some(Form::Broken)
            }
        };
        if let (Op::Quantise(_), Some(Form::Whole(codes, _))) = (self.from.op(node), &form) {
            self.quantisers.push((node, *codes));
        }
        if let Some(form) = form {
            self.forms.insert(node, form);
        }
    }

    /// What a node is; nothing where it hangs on constants alone.
    fn form(&mut self, node: NodeId) -> Result<Option<Form>, Refusal> {
        let op = self.from.op(node);
        if let Op::Input(_) = op {
            return Ok(Some(match self.from.ty(node.into()).element {
                element @ Element::Int { .. } => Form::Whole(node.into(), range_of(element)),
                _ => Form::Host(node.into()),
            }));
        }
        let operands = self.from.operands(node);
        let forms: Vec<Option<Form>> = operands.iter().map(|v| self.forms.get(&v.node).cloned()).collect();
        if forms.iter().all(Option::is_none) {
            return Ok(None);
        }
        if forms.iter().flatten().any(|form| matches!(form, Form::Broken)) {
            return Ok(Some(Form::Broken));
        }
        self.computed(node, &operands, &forms).map(Some)
    }

    fn computed(&mut self, node: NodeId, operands: &[Value], forms: &[Option<Form>]) -> Outcome {
        let from = self.from;
        match (from.op(node), forms[0].as_ref()) {
            (Op::Quantise(a), Some(x)) => self.quantiser(node, a, x),
            (Op::Dequantise(a), Some(Form::Whole(value, range))) => {
                self.dequantiser(node, a.axis, *value, *range)
            }
            _ if forms.iter().flatten().all(|form| matches!(form, Form::Host(_))) => self.host(node, forms),
            (Op::Conv(a), Some(x)) => self.conv(node, a, x),
            (Op::Dense(_), Some(x)) => self.dense(node, x),
            (Op::Relu(_), Some(x)) => self.limited(node, x, 0.0, f64::INFINITY),
            (Op::Clip(a), Some(x)) => self.limited(node, x, a.min, a.max),
            (Op::Add(_), _) => self.add(node, operands, forms),
            (Op::Mul(_), _) => self.product(node, operands, forms),
            (Op::Cast(a), Some(Form::Whole(value, range))) if a.to.is_float() => Ok(Form::Codes(Codes {
                value: *value,
                range: *range,
                scale: Ratio::of(1.0).into_iter().collect(),
                zero: vec![0],
                limits: Limits::NONE,
            })),
            (Op::AvgPool(a), Some(x)) => self.window_mean(a, x),
            (Op::GlobalAvgPool(_), Some(x)) => self.whole_mean(node, x),
            (
                Op::MaxPool(_)
                | Op::GlobalMaxPool(_)
                | Op::Slice(_)
                | Op::Reshape(_)
                | Op::Transpose(_)
                | Op::Pad(_)
                | Op::Concat(_),
                _,
            ) => self.moved(node, forms),
            _ => self.host(node, forms),
        }
    }

    /// An operator that the host computes on numbers.
    pub(super) fn host(&mut self, node: NodeId, forms: &[Option<Form>]) -> Outcome {
        let op = self.from.op(node);
        if matches!(op, Op::Conv(_) | Op::Dense(_)) {
            return Err(Refusal::new(
                "what it reads is computed in floats",
                "put a quantiser in front of it",
            ));
        }
        let operands = self.from.operands(node);
        let early = forms.iter().flatten().all(|f| matches!(f, Form::Host(v) if operands.contains(v)));
        if early {
            return Ok(Form::Host(node.into()));
        }
        let mut values = Vec::with_capacity(operands.len());
        for (form, operand) in forms.iter().zip(operands) {
            values.push(match form {
                Some(form) => self.number(form, operand)?,
                None => operand,
            });
        }
        let op = op.clone();
        Ok(Form::Host(self.edit.add(op, &values)?))
    }

    /// A value behind an activation.
    fn limited(&mut self, node: NodeId, x: &Form, min: f64, max: f64) -> Outcome {
        Ok(match x {
            Form::Codes(codes) => {
                let limited = Codes { limits: codes.limits.then(min, max), ..codes.clone() };
                // A quantiser carries limits out for nothing; others read codes that keep them.
                let rounded = |&(user, _): &(NodeId, u16)| matches!(self.from.op(user), Op::Quantise(_));
                let all_round = self.from.users(node.into()).iter().all(rounded);
                match all_round {
                    true => Form::Codes(limited),
                    false => Form::Codes(self.within_limits(&limited).unwrap_or(limited)),
                }
            }
            Form::Sum(sum) => Form::Sum(Sum { limits: sum.limits.then(min, max), ..sum.clone() }),
            Form::Whole(value, range) => {
                let op = self.from.op(node).clone();
                let limit = |x: i64| (x as f64).max(min).min(max) as i64;
                Form::Whole(self.edit.add(op, &[*value])?, (limit(range.0), limit(range.1)))
            }
            Form::Behind(..) => {
                Form::Behind(self.from.op(node).clone(), self.from.node(node).names.clone(), vec![x.clone()])
            }
            Form::Host(_) | Form::Broken => Form::Broken,
        })
    }

    /// A sum of two values, or of one and a constant.
    fn add(&mut self, node: NodeId, operands: &[Value], forms: &[Option<Form>]) -> Outcome {
        let (a, b) = match forms {
            [Some(a), Some(b)] => (self.as_sum(a)?, self.as_sum(b)?),
            [Some(form), None] => return self.shifted(node, form, operands[1]),
            [None, Some(form)] => return self.shifted(node, form, operands[0]),
            _ => return Ok(Form::Broken),
        };
        let shape = &self.from.ty(node.into()).shape;
        let count = a.offset.len().max(b.offset.len());
        let offset = (0..count).map(|i| form::at(&a.offset, i) + form::at(&b.offset, i)).collect();
        let terms: Vec<Term> = a.terms.into_iter().chain(b.terms).collect();
        if terms.iter().any(|term| self.edit.ty(term.value).shape != *shape) {
            return Err(Refusal::new("its operands have different shapes", "add maps of one shape"));
        }
        Ok(Form::Sum(Sum { terms, offset, limits: Limits::NONE }))
    }

    /// A value as a sum without limits.
    fn as_sum(&mut self, form: &Form) -> Result<Sum, Refusal> {
        match form {
            Form::Codes(codes) => Ok(self.within_limits(codes)?.sum()),
            Form::Sum(sum) if sum.limits == Limits::NONE => Ok(sum.clone()),
            Form::Sum(_) => Err(Refusal::new(
                "an activation stands in front of it whose result is not rounded to codes",
                ROUND_FIRST,
            )),
            Form::Behind(op, names, _) => Err(Refusal::new(
                format!("the result of {} \"{names}\" is not rounded to codes", op.name()),
                ROUND_FIRST,
            )),
            Form::Host(_) | Form::Whole(..) | Form::Broken => {
                Err(Refusal::new("one of its operands is not quantised", "put a quantiser in front of it"))
            }
        }
    }

    fn outputs(&mut self) {
        for output in self.from.outputs() {
            let Some(form) = self.forms.get(&output.value.node).cloned() else { continue };
            self.edit.named(self.from.node(output.value.node).names.clone());
            let replaced = self.number(&form, output.value).and_then(|value| {
                if value != output.value {
                    self.edit.redirect(output.value, value)?;
                }
                Ok(())
            });
            if let Err(Refusal { why, remedy }) = replaced
                && !matches!(form, Form::Broken)
            {
                self.faults.push(fault(format!("output \"{}\"", output.name), why, remedy));
            }
        }
    }
}

/// The numbers that an integer type holds; of 64 bits, those of 63.
pub(crate) fn range_of(element: Element) -> Range {
    match element {
        Element::Int { bits, signed: true } => {
            let half = 1i64 << (bits.clamp(1, 63) - 1);
            (-half, half - 1)
        }
        Element::Int { bits, signed: false } => (0, (1i64 << bits.min(62)) - 1),
        _ => (0, 1),
    }
}
