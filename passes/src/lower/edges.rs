//! The network's edges: a source for each input, a sink for each output, and what lies behind the sinks.
//!
//! A softmax, reshape or transpose that only outputs hang on is left to the host: the hardware gives its operand.

use std::collections::BTreeSet;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::id::NodeId;
use nonresc_ir::names::Names;
use nonresc_ir::network::{Network, Op};
use nonresc_ir::stream::Kind;

use super::builder::{Builder, map_of};
use super::refuse;
use crate::known;

/// The operators that are left to the host. Quantisers among them only where they lie behind another of them.
pub(super) fn host_nodes(network: &Network, order: &[NodeId]) -> BTreeSet<NodeId> {
    let mut tail = BTreeSet::new();
    for &node in order.iter().rev() {
        let users = network.users(node.into());
        let used = !users.is_empty() || network.is_output(node.into());
        if is_host(network.op(node)) && used && users.iter().all(|(user, _)| tail.contains(user)) {
            tail.insert(node);
        }
    }
    let mut host = BTreeSet::new();
    for &node in order.iter().filter(|node| tail.contains(node)) {
        let behind = || host.contains(&network.operands(node)[0].node);
        if !is_mark(network.op(node)) || behind() {
            host.insert(node);
        }
    }
    host
}

fn is_mark(op: &Op) -> bool {
    matches!(op, Op::Quantise(_) | Op::Dequantise(_))
}

fn is_host(op: &Op) -> bool {
    is_mark(op) || matches!(op, Op::Softmax(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Cast(_))
}

pub(super) fn input(b: &mut Builder<'_>, node: NodeId) {
    let Some(map) = map_of(b.network, node.into()) else {
        return refuse::rank(b, node);
    };
    if b.network.users(node.into()).is_empty() && !b.network.is_output(node.into()) {
        let names = &b.network.node(node).names;
        b.stream.note(Diagnostic::new(
            "lower/unread",
            format!("input \"{names}\""),
            "no operator reads it",
            "the hardware has no port for it",
        ));
        return;
    }
    let actor = b.actor(node, Kind::Source(map));
    b.give(node, actor, true);
}

pub(super) fn outputs(b: &mut Builder<'_>, host: &BTreeSet<NodeId>) {
    for port in b.network.outputs() {
        let mut value = port.value;
        let mut left = Vec::new();
        while host.contains(&value.node) {
            let node = b.network.node(value.node);
            left.push(format!("{} \"{}\"", node.op.name(), node.names));
            value = b.network.operands(value.node)[0];
        }
        if known::is_constant(b.network, value) {
            b.refuse(refuse::constant_output(&port.name));
            continue;
        }
        let place = b.whole(value);
        let actor = b.actor(value.node, Kind::Sink(place.map));
        b.stream.actor_mut(actor).names = Names::one(port.name.clone());
        b.read(actor, 0, place, None);
        if !left.is_empty() {
            left.reverse();
            b.stream.note(Diagnostic::new(
                "lower/host",
                format!("{} in front of output \"{}\"", left.join(", "), port.name),
                "the hardware gives its operand",
                "the host applies it",
            ));
        }
    }
    if b.network.outputs().is_empty() {
        b.refuse(refuse::no_output());
    }
}
