//! One node on its way in: its operands and attributes, and the operators that it becomes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::messages::NodeProto;
use super::attribute::{check, find};
use super::constant;
use super::importer::{Importer, Item};
use super::model::{domain, shown};
use super::ports::MAX_FRAME;
use super::structure::{label, place, quoted};
use super::table::Operator;
use super::{Level, rules};
use crate::diagnostic::Diagnostic;
use crate::id::Value;
use crate::names::Names;
use crate::network::{Edit, Element, Op, Shape, ValueType};
use crate::tensor::Tensor;

/// Why a node gives no value.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// An operand is unknown, for a reason that is reported already.
    Known,
    /// A fault of the node itself.
    New { why: String, remedy: String },
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Fault::New { why, remedy: "correct the node, or export the model again".into() }
    }
}

impl From<&str> for Fault {
    fn from(why: &str) -> Self {
        why.to_string().into()
    }
}

/// A fault with its own remedy.
pub(super) fn fault(why: impl Into<String>, remedy: impl Into<String>) -> Fault {
    Fault::New { why: why.into(), remedy: remedy.into() }
}

/// A node and the import that it belongs to.
pub(super) struct Call<'i, 'm> {
    pub(super) importer: &'i mut Importer<'m>,
    pub(super) node: &'m NodeProto,
    /// Version of the node's operator set.
    pub(super) opset: i64,
}

impl<'m> Call<'_, 'm> {
    /// Holds the node against its operator's table: operands, results, attributes.
    pub(super) fn checked(
        &mut self,
        operator: &Operator,
        readers: &BTreeMap<&str, usize>,
    ) -> Result<(), Fault> {
        let given = self.node.input.len();
        let trailing = self.node.input.iter().rev().take_while(|i| i.is_empty()).count();
        let (least, most) = operator.inputs;
        let mut wrong = check(self.node, operator.attributes, operator.ignored, self.opset);
        if given > most || given - trailing < least {
            let wanted = match (least, most) {
                (l, m) if l == m => format!("{l}"),
                (l, usize::MAX) => format!("at least {l}"),
                (l, m) => format!("{l} to {m}"),
            };
            wrong.push(format!("it has {} inputs, but its operator takes {wanted}", given - trailing));
        }
        if let Some(missing) = self.node.input.iter().take(least).position(String::is_empty) {
            wrong.push(format!("its input {missing} is left out, but the operator needs it"));
        }
        if self.node.output.first().is_some_and(String::is_empty) {
            wrong.push("its first output has no name".into());
        }
        for extra in self.node.output.iter().skip(1).filter(|o| readers.contains_key(o.as_str())) {
            wrong.push(format!(
                "its result {} is read, but only its first result is supported",
                quoted(extra)
            ));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ").into()) }
    }

    /// The message of a fault of this node, its operands listed.
    pub(super) fn diagnostic(&mut self, why: String, remedy: String) -> Diagnostic {
        let version = format!("(opset {} of {})", self.opset, shown(domain(self.node.domain())));
        let mut operands = Vec::new();
        for name in self.node.input.iter().filter(|i| !i.is_empty()).take(9) {
            let ty = match self.importer.item(name) {
                Item::Unknown { .. } => continue,
                item => self.ty(&item),
            };
            operands.push(format!("{} {ty}", quoted(name)));
        }
        let reads =
            if operands.is_empty() { String::new() } else { format!("; it reads {}", operands.join(", ")) };
        Diagnostic::new("import/node", format!("{} {version}", place(self.node)), why + &reads, remedy)
    }

    /// Whether operand `i` is there.
    pub(super) fn has(&self, i: usize) -> bool {
        self.node.input.get(i).is_some_and(|name| !name.is_empty())
    }

    /// How many operands there are.
    pub(super) fn len(&self) -> usize {
        self.node.input.len()
    }

    /// The name of operand `i`, in quotes.
    pub(super) fn name(&self, i: usize) -> String {
        quoted(self.node.input.get(i).map_or("", String::as_str))
    }

    /// Operand `i`.
    pub(super) fn operand(&mut self, i: usize) -> Result<Item, Fault> {
        let node = self.node;
        let name = node.input.get(i).filter(|n| !n.is_empty()).ok_or(format!("its input {i} is missing"))?;
        match self.importer.item(name) {
            Item::Unknown { .. } => Err(Fault::Known),
            item => Ok(item),
        }
    }

    /// Operand `i`, which must be known here and now.
    pub(super) fn constant(&mut self, i: usize, what: &str) -> Result<Arc<Tensor>, Fault> {
        let node = self.node;
        match node.input.get(i).map(|name| self.importer.item(name)) {
            Some(Item::Const(tensor)) => Ok(tensor),
            Some(Item::Unknown { fixed: true }) => Err(Fault::Known),
            None => Err(format!("its {what} is missing").into()),
            Some(_) => Err(fault(
                format!("its {what} {} is not constant", self.name(i)),
                "export the model with constant folding, or with that value as an initialiser",
            )),
        }
    }

    /// Operand `i`, which in an image network may not depend on the image.
    pub(super) fn parameter(&mut self, i: usize, what: &str) -> Result<Item, Fault> {
        let node = self.node;
        let fixed = node.input.get(i).is_none_or(|name| self.importer.item(name).fixed());
        if !fixed && self.importer.level == Level::Network {
            return Err(fault(
                format!("its {what} {} is computed from the image, or given from outside", self.name(i)),
                "give it as an initialiser",
            ));
        }
        self.operand(i)
    }

    /// Operand `i` where it is given, which then must be known here and now.
    pub(super) fn optional(&mut self, i: usize, what: &str) -> Result<Option<Arc<Tensor>>, Fault> {
        if self.has(i) { self.constant(i, what).map(Some) } else { Ok(None) }
    }

    /// Whole numbers of operand `i` where it is given.
    pub(super) fn optional_ints(&mut self, i: usize, what: &str) -> Result<Option<Vec<i64>>, Fault> {
        let Some(tensor) = self.optional(i, what)? else { return Ok(None) };
        if tensor.shape().rank() > 1 {
            return Err(format!("its {what} has shape {}, but must be a list", tensor.shape()).into());
        }
        let ints = tensor.to_i64().filter(|_| tensor.element() != Element::Bool);
        ints.map(Some).ok_or_else(|| format!("its {what} is {}, not whole", tensor.element()).into())
    }

    /// One number of operand `i` where it is given.
    pub(super) fn optional_scalar(&mut self, i: usize, what: &str) -> Result<Option<f64>, Fault> {
        let Some(tensor) = self.optional(i, what)? else { return Ok(None) };
        match tensor.to_f64()[..] {
            [one] if tensor.shape().rank() <= 1 => Ok(Some(one)),
            _ => Err(format!("its {what} has shape {}, but must be one number", tensor.shape()).into()),
        }
    }

    /// The type of an item; that of an unknown one is never asked for.
    pub(super) fn ty(&self, item: &Item) -> ValueType {
        match item {
            Item::Const(t) => ValueType::new(t.element(), t.shape().clone()),
            Item::Value { value, .. } => self.importer.network.ty(*value).clone(),
            Item::Unknown { .. } => ValueType::new(Element::F32, Shape::default()),
        }
    }

    /// The shape of an item.
    pub(super) fn shape(&self, item: &Item) -> Shape {
        self.ty(item).shape
    }

    /// Applies an operator. Constants are folded; values go into the network.
    pub(super) fn emit(&mut self, op: impl Into<Op>, operands: &[&Item]) -> Result<Item, Fault> {
        let op = op.into();
        if let Some(tensors) = constants(operands)
            && !matches!(op, Op::Quantise(_) | Op::Dequantise(_))
        {
            return self.fold(&op, &tensors);
        }
        let fixed: Vec<bool> = operands.iter().map(|o| o.fixed()).collect();
        let values = operands.iter().map(|o| self.value(o)).collect::<Result<Vec<Value>, Fault>>()?;
        let mut edit = Edit::new(&mut self.importer.network);
        let new = edit.named(Names::one(label(self.node))).add(op, &values).map_err(|e| Fault::from(e.0))?;
        let shape = &self.importer.network.ty(new).shape;
        if shape.len() / self.importer.frames > MAX_FRAME {
            return Err(format!("its result {shape} is larger than any image").into());
        }
        let all_fixed = fixed.iter().all(|&f| f);
        if self.importer.level == Level::Network && !all_fixed {
            rules::keeps_batch(&self.importer.network, new.node, &fixed, self.importer.frames)
                .map_err(|why| fault(why, "keep the batch on axis 0 of every activation"))?;
        }
        Ok(Item::Value { value: new, fixed: all_fixed })
    }

    fn fold(&mut self, op: &Op, tensors: &[&Arc<Tensor>]) -> Result<Item, Fault> {
        let folded = constant::fold(op, tensors, &mut self.importer.budget)?;
        Ok(Item::Const(Arc::new(folded)))
    }

    /// An item as a value of the network.
    fn value(&mut self, item: &Item) -> Result<Value, Fault> {
        match item {
            Item::Value { value, .. } => Ok(*value),
            Item::Unknown { .. } => Err(Fault::Known),
            Item::Const(tensor) => {
                if self.importer.level == Level::Network {
                    self.plain(tensor)?;
                }
                Ok(self.importer.constant(tensor))
            }
        }
    }

    /// Numbers that a network computes with are there and finite.
    fn plain(&mut self, tensor: &Arc<Tensor>) -> Result<(), Fault> {
        let wrong = if tensor.is_empty() {
            "has no numbers"
        } else if tensor.element().is_float() && !tensor.all(f64::is_finite) {
            "holds numbers that are not finite"
        } else {
            return Ok(());
        };
        let node = self.node;
        let same = |item: Item| matches!(&item, Item::Const(t) if Arc::ptr_eq(t, tensor));
        let name = node.input.iter().find(|&n| same(self.importer.item(n)));
        let name = name.map_or_else(|| "a constant".to_string(), |n| quoted(n));
        Err(fault(format!("{name} {wrong}"), "train or export the model again"))
    }

    /// A whole-number attribute.
    pub(super) fn int(&self, name: &str) -> Option<i64> {
        find(self.node, name).map(|a| a.i())
    }

    /// A list of whole numbers.
    pub(super) fn ints(&self, name: &str) -> Option<&'m [i64]> {
        find(self.node, name).map(|a| &a.ints[..])
    }

    /// A number.
    pub(super) fn float(&self, name: &str) -> Option<f64> {
        find(self.node, name).map(|a| f64::from(a.f()))
    }

    /// A text, shown with replacement characters where it is no UTF-8.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        find(self.node, name).map(|a| String::from_utf8_lossy(a.s()).into_owned())
    }

    /// A truth value written as 0 or 1.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Fault> {
        match self.int(name) {
            None => Ok(default),
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(n) => Err(format!("its {name} is {n}, but must be 0 or 1").into()),
        }
    }
}

/// The tensors behind operands that are all constant.
fn constants<'a>(operands: &[&'a Item]) -> Option<Vec<&'a Arc<Tensor>>> {
    operands.iter().map(|o| if let Item::Const(tensor) = o { Some(tensor) } else { None }).collect()
}

/// An axis that may count from the end.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let from_front = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    match from_front.and_then(|a| usize::try_from(a).ok()) {
        Some(a) if a < rank => Ok(a),
        _ => Err(format!("axis {axis} is beyond rank {rank}").into()),
    }
}

/// Axes that may count from the end, ascending; one named twice is a fault.
pub(super) fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>, Fault> {
    let mut axes = list.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    match axes.windows(2).find(|w| w[0] == w[1]) {
        Some(twice) => Err(format!("axis {} is named twice in {list:?}", twice[0]).into()),
        None => Ok(axes),
    }
}
