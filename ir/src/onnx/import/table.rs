//! Every operator that is read: its domain, versions, operand count, attributes, and the function that reads
//! it. The entries themselves stand with their family.

use std::collections::BTreeMap;

use super::super::messages::NodeProto;
use super::attribute::Attribute;
use super::call::{Call, Fault};
use super::importer::{Item, opset};
use super::model::{domain, shown};
use super::structure::place;
use super::{
    activation, arithmetic, conv, dense, norm, pad, pool, qonnx, qoperator, quantise, reduce, shape,
    shape_values, slice,
};
use crate::diagnostic::Diagnostic;

/// One operator of one domain.
pub(super) struct Operator {
    pub(super) name: &'static str,
    /// First and last version of its domain's operator set in which it is read as written here.
    pub(super) opsets: (i64, i64),
    /// Least and most operands.
    pub(super) inputs: (usize, usize),
    pub(super) attributes: &'static [Attribute],
    /// Attributes that change nothing here.
    pub(super) ignored: &'static [&'static str],
    pub(super) import: fn(&mut Call<'_, '_>) -> Result<Item, Fault>,
}

/// The newest version of the default domain.
const NEWEST: i64 = 28;

impl Operator {
    /// An operator without attributes in every version that is read.
    pub(super) const fn new(
        name: &'static str,
        inputs: (usize, usize),
        import: fn(&mut Call<'_, '_>) -> Result<Item, Fault>,
    ) -> Self {
        Operator { name, opsets: (1, NEWEST), inputs, attributes: &[], ignored: &[], import }
    }

    /// The same from version `since` on.
    pub(super) const fn since(self, since: i64) -> Self {
        Operator { opsets: (since, self.opsets.1), ..self }
    }

    /// The same with attributes.
    pub(super) const fn with(self, attributes: &'static [Attribute]) -> Self {
        Operator { attributes, ..self }
    }

    /// The same with attributes that change nothing.
    pub(super) const fn ignoring(self, ignored: &'static [&'static str]) -> Self {
        Operator { ignored, ..self }
    }
}

/// Operators of a domain, family by family.
fn families(domain: &str) -> &'static [&'static [Operator]] {
    match domain {
        "" => &[
            activation::OPERATORS,
            arithmetic::OPERATORS,
            conv::OPERATORS,
            dense::OPERATORS,
            norm::OPERATORS,
            pad::OPERATORS,
            pool::OPERATORS,
            qoperator::OPERATORS,
            quantise::OPERATORS,
            reduce::OPERATORS,
            shape::OPERATORS,
            shape_values::OPERATORS,
            slice::OPERATORS,
        ],
        "com.microsoft" => &[qoperator::MICROSOFT],
        "qonnx.custom_op.general" | "finn.custom_op.general" | "onnx.brevitas" => &[qonnx::OPERATORS],
        _ => &[],
    }
}

/// The entry for a node and the version that it means, or why it cannot be read.
pub(super) fn find(
    node: &NodeProto,
    opsets: &BTreeMap<String, i64>,
) -> Result<(&'static Operator, i64), Diagnostic> {
    let version = opset(node, opsets)?;
    let domain = domain(node.domain());
    let what = format!("{} (opset {version} of {})", place(node), shown(domain));
    let known = families(domain).iter().flat_map(|f| f.iter()).find(|o| o.name == node.op_type());
    match known {
        Some(operator) if version < operator.opsets.0 => Err(Diagnostic::new(
            "import/opset",
            what,
            format!("{} exists from opset {} on", operator.name, operator.opsets.0),
            "export with that opset or a newer one",
        )),
        Some(operator) if version > operator.opsets.1 => Err(Diagnostic::new(
            "import/opset",
            what,
            format!("{} is known up to opset {}", operator.name, operator.opsets.1),
            "export with an older opset",
        )),
        Some(operator) => Ok((operator, version)),
        None => Err(Diagnostic::new(
            "import/operator",
            what,
            format!("operator {} of domain {} is not supported", node.op_type(), shown(domain)),
            "replace it by operators of a residual network (convolution, pooling, addition, activation), or \
             remove it before export",
        )),
    }
}
