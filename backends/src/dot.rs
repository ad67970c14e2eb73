//! Either level as a drawing in the DOT language of Graphviz, skips in colour.
//!
//! Drawings show names, shapes and depths that others decided; nothing is computed here.

use std::fmt::Write as _;

use nonresc_ir::id::ChannelId;
use nonresc_ir::network::{Network, Op};
use nonresc_ir::stream::{Kind, Stream};

/// A network: operators as boxes with the user's names, values as edges with their types. Constants are left out.
pub fn network(network: &Network) -> String {
    let mut out = String::from("digraph network {\n  rankdir=TB;\n  node [shape=box, fontname=monospace];\n");
    for id in network.topological().unwrap_or_default() {
        let node = network.node(id);
        if matches!(node.op, Op::Const(_)) {
            continue;
        }
        let _ = writeln!(out, "  n{} [label={}];", id.0, quoted(&[node.op.name(), &node.names.to_string()]));
        for value in network.operands(id) {
            if network.constant(value).is_none() {
                let label = quoted(&[&network.ty(value).to_string()]);
                let _ = writeln!(out, "  n{} -> n{} [label={label}];", value.node.0, id.0);
            }
        }
    }
    out.push_str("}\n");
    out
}

/// A stream: actors with their folding, channels with lanes and depth; what carries a skip is red.
pub fn stream(stream: &Stream) -> String {
    let mut out = String::from("digraph stream {\n  rankdir=LR;\n  node [shape=box, fontname=monospace];\n");
    for id in stream.actors() {
        let actor = stream.actor(id);
        let map = actor.kind.output_map(0);
        let shape = format!("{}x{}x{}", map.channels, map.height, map.width);
        let label = match &actor.kind {
            Kind::MatVec(m) => {
                let fold = format!("PE {} SIMD {}", m.fold.pe, m.fold.simd);
                quoted(&[kind_name(&actor.kind), &actor.names.to_string(), &shape, &fold])
            }
            kind => quoted(&[kind_name(kind), &actor.names.to_string(), &shape]),
        };
        let _ = writeln!(out, "  a{} [label={label}];", id.0);
    }
    for id in stream.channels() {
        channel(&mut out, stream, id);
    }
    out.push_str("}\n");
    out
}

fn channel(out: &mut String, stream: &Stream, id: ChannelId) {
    let channel = stream.channel(id);
    let depth = channel.depth.map_or("unsized".to_string(), |d| format!("{d} words"));
    let label = quoted(&[&id.to_string(), &format!("{depth} x {} bit", channel.word_bits())]);
    let colour = if channel.skip.is_some() { ", color=red, fontcolor=red" } else { "" };
    for reader in &channel.readers {
        let _ = writeln!(out, "  a{} -> a{} [label={label}{colour}];", channel.writer.0, reader.actor.0);
    }
}

/// The word for an actor's kind.
pub(crate) fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Source(_) => "source",
        Kind::Sink(_) => "sink",
        Kind::MatVec(m) if m.window.kernel.h * m.window.kernel.w == 1 && m.input.pixels() == 1 => "dense",
        Kind::MatVec(_) => "conv",
        Kind::Pool(_) => "pool",
        Kind::GlobalPool(_) => "global pool",
        Kind::Sum(_) => "add",
        Kind::Select(_) => "select",
        Kind::Activate { .. } => "activate",
        Kind::Convert(_) => "width converter",
    }
}

/// A DOT string of several lines; quotes and backslashes of a user's names are escaped.
fn quoted(lines: &[&str]) -> String {
    let escape = |line: &&str| line.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
    format!("\"{}\"", lines.iter().map(escape).collect::<Vec<_>>().join("\\n"))
}
