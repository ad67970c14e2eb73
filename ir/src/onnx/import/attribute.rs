//! Attributes of a node: their kinds, and a check that nothing is there that the operator does not have.

use super::super::messages::attribute_proto::AttributeType;
use super::super::messages::{AttributeProto, NodeProto};
use super::structure::quoted;

/// What an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Ints,
    Float,
    Floats,
    Text,
    Tensor,
}

impl Kind {
    fn message(self) -> AttributeType {
        match self {
            Kind::Int => AttributeType::Int,
            Kind::Ints => AttributeType::Ints,
            Kind::Float => AttributeType::Float,
            Kind::Floats => AttributeType::Floats,
            Kind::Text => AttributeType::String,
            Kind::Tensor => AttributeType::Tensor,
        }
    }
}

/// An attribute that an operator has from opset `since` up to opset `until`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) since: i64,
    pub(super) until: i64,
}

impl Attribute {
    /// An attribute in every opset that is read.
    pub(super) const fn new(name: &'static str, kind: Kind) -> Self {
        Attribute { name, kind, since: 0, until: i64::MAX }
    }

    /// The same from opset `since` on.
    pub(super) const fn since(self, since: i64) -> Self {
        Attribute { since, ..self }
    }

    /// The same up to opset `until`.
    pub(super) const fn until(self, until: i64) -> Self {
        Attribute { until, ..self }
    }
}

/// Everything wrong with a node's attributes, in plain words.
pub(super) fn check(node: &NodeProto, known: &[Attribute], ignored: &[&str], opset: i64) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for attribute in &node.attribute {
        let name = attribute.name();
        if !seen.insert(name) {
            wrong.push(format!("its attribute {} is there twice", quoted(name)));
            continue;
        }
        if !attribute.ref_attr_name().is_empty() {
            wrong.push(format!(
                "its attribute {} refers to {} of a function, but the node is in none",
                quoted(name),
                quoted(attribute.ref_attr_name())
            ));
            continue;
        }
        if ignored.contains(&name) {
            continue;
        }
        match known.iter().find(|k| k.name == name) {
            None => wrong.push(format!("it has an attribute {}, which its operator has not", quoted(name))),
            Some(k) if !(k.since..=k.until).contains(&opset) => wrong.push(format!(
                "it has an attribute {}, which its operator has not at opset {opset}",
                quoted(name)
            )),
            Some(k) if attribute.r#type() != k.kind.message() => wrong.push(format!(
                "its attribute {} is of type {}, not {}",
                quoted(name),
                attribute.r#type().as_str_name(),
                k.kind.message().as_str_name()
            )),
            Some(_) => {}
        }
    }
    wrong
}

/// The attribute of that name.
pub(super) fn find<'n>(node: &'n NodeProto, name: &str) -> Option<&'n AttributeProto> {
    node.attribute.iter().find(|a| a.name() == name)
}
