//! A network as text.

use std::fmt::Write as _;

use super::HEADER;
use super::quote::quote;
use super::{interface, numbers, sidecar};
use crate::id::NodeId;
use crate::network::{Network, Op, canonicalise};

/// The network as text, in canonical order; ids are those of [`canonicalise`].
///
/// # Panics
/// Where an output is a value of a node that is not there.
pub fn print(network: &Network) -> String {
    let network = canonicalise(network);
    let mut text = format!("{HEADER}\n");
    interface::print(&mut text, &network);
    text.push('\n');
    for node in network.node_ids() {
        line(&mut text, &network, node);
    }
    text
}

fn line(text: &mut String, network: &Network, id: NodeId) {
    let node = network.node(id);
    let _ = write!(text, "{id} = {}", node.op.name());
    if let Op::Const(tensor) = &node.op {
        let numbers = numbers::list(tensor).unwrap_or_else(|| format!("blake3:{}", sidecar::key(tensor)));
        let _ = write!(text, " {numbers}");
    }
    for (i, operand) in network.operands(id).iter().enumerate() {
        let _ = write!(text, "{} {operand}", if i == 0 { "" } else { "," });
    }
    for (key, value) in node.op.attributes() {
        let _ = write!(text, " {key}={value}");
    }
    let types: Vec<String> = node.results.iter().map(ToString::to_string).collect();
    let _ = write!(text, " : {}", types.join(", "));
    for name in node.names.iter() {
        let _ = write!(text, " {}", quote(name));
    }
    text.push('\n');
}
