//! Model-local functions are written out where they are called, so that no later step knows of them.

use std::collections::BTreeMap;

use super::super::messages::{AttributeProto, FunctionProto, NodeProto};
use super::model::{domain, operator_sets};
use super::structure::{label, place, quoted};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// Deepest nesting of calls.
const MAX_DEPTH: usize = 32;

/// A node still to be written out: itself, how deep it was called, and by which functions.
struct Pending {
    node: NodeProto,
    depth: usize,
}

/// The nodes with each call replaced by the function's body. The result may take a small multiple of the
/// file's `bytes`; beyond that the call is refused.
pub(super) fn inline(
    nodes: Vec<NodeProto>,
    functions: &[FunctionProto],
    opsets: &BTreeMap<String, i64>,
    bytes: usize,
    faults: &mut Diagnostics,
) -> Vec<NodeProto> {
    if functions.is_empty() {
        return nodes;
    }
    let mut known: BTreeMap<(&str, &str), &FunctionProto> = BTreeMap::new();
    for function in functions {
        known.insert((domain(function.domain()), function.name()), function);
    }
    let mut room = bytes.saturating_mul(4).saturating_add(1 << 20);
    let mut done = Vec::new();
    let mut todo: Vec<Pending> = nodes.into_iter().rev().map(|node| Pending { node, depth: 0 }).collect();
    let mut calls = 0usize;
    while let Some(Pending { node, depth }) = todo.pop() {
        let Some(function) = known.get(&(domain(node.domain()), node.op_type())) else {
            done.push(node);
            continue;
        };
        calls += 1;
        let cost: usize = function.node.iter().map(|n| 64 + prost::Message::encoded_len(n)).sum();
        let cost = cost.saturating_add(function.node.len().saturating_mul(label(&node).len()));
        let outcome = match room.checked_sub(cost) {
            Some(_) if depth >= MAX_DEPTH => Err(format!("calls are nested more than {MAX_DEPTH} deep")),
            Some(left) => {
                room = left;
                body(&node, function, calls, opsets)
            }
            None => Err("written out, the functions are far larger than the file".into()),
        };
        match outcome {
            Ok(body) => {
                todo.extend(body.into_iter().rev().map(|node| Pending { node, depth: depth + 1 }));
            }
            Err(why) => {
                faults.push(Diagnostic::new(
                    "import/function",
                    place(&node),
                    why,
                    "export the model with its functions inlined",
                ));
                if faults.len() > 20 {
                    return done;
                }
            }
        }
    }
    done
}

/// The function's nodes with the call's tensors and attributes in place of its own.
fn body(
    call: &NodeProto,
    function: &FunctionProto,
    number: usize,
    opsets: &BTreeMap<String, i64>,
) -> Result<Vec<NodeProto>, String> {
    let mut faults = Diagnostics::default();
    for (name, version) in operator_sets(&function.opset_import, &mut faults) {
        if opsets.get(&name).is_some_and(|&v| v != version) {
            return Err(format!(
                "its function means version {version} of domain \"{name}\", the model another"
            ));
        }
    }
    if call.input.len() > function.input.len() || call.output.len() > function.output.len() {
        return Err("it has more inputs or outputs than its function".into());
    }
    if let Some(extra) = call.attribute.iter().find(|a| {
        !function.attribute.iter().any(|n| n == a.name())
            && !function.attribute_proto.iter().any(|p| p.name() == a.name())
    }) {
        return Err(format!("it has an attribute {}, which its function has not", quoted(extra.name())));
    }
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    for (i, formal) in function.input.iter().enumerate() {
        names.insert(formal, call.input.get(i).cloned().unwrap_or_default());
    }
    for (formal, actual) in function.output.iter().zip(&call.output).filter(|(_, a)| !a.is_empty()) {
        if names.insert(formal, actual.clone()).is_some() {
            return Err(format!("its function gives its own input {} out", quoted(formal)));
        }
    }
    let prefix = format!("{}/{number}/", label(call));
    let rename = |tensor: &String, names: &BTreeMap<&str, String>| match names.get(tensor.as_str()) {
        Some(name) => name.clone(),
        None if tensor.is_empty() => String::new(),
        None => format!("{prefix}{tensor}"),
    };
    function
        .node
        .iter()
        .map(|node| {
            Ok(NodeProto {
                input: node.input.iter().map(|t| rename(t, &names)).collect(),
                output: node.output.iter().map(|t| rename(t, &names)).collect(),
                name: Some(format!("{}/{}", label(call), label(node))),
                attribute: node
                    .attribute
                    .iter()
                    .filter_map(|a| attribute(a, call, function).transpose())
                    .collect::<Result<_, String>>()?,
                ..node.clone()
            })
        })
        .collect()
}

/// An attribute of a function's node, with the call's value where it refers to one; none where the call
/// leaves it to the operator's default.
fn attribute(
    attribute: &AttributeProto,
    call: &NodeProto,
    function: &FunctionProto,
) -> Result<Option<AttributeProto>, String> {
    let wanted = attribute.ref_attr_name();
    if wanted.is_empty() {
        return Ok(Some(attribute.clone()));
    }
    let given = call.attribute.iter().chain(&function.attribute_proto).find(|a| a.name() == wanted);
    if given.is_some_and(|g| !g.ref_attr_name().is_empty()) {
        return Err(format!("its attribute {} refers to a function that it is not in", quoted(wanted)));
    }
    Ok(given.map(|g| AttributeProto { name: attribute.name.clone(), ..g.clone() }))
}
