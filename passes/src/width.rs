//! Exact widths of channels and weights: those of the whole numbers that they are.
//!
//! Needs: a stream. Gives: for a quantised network, channels as wide as the codes and sums of its integer network are,
//! sums with the range that their weights and biases allow. A network of floats keeps the widths that it was lowered
//! with, and so do channels of numbers that integers are not made of. Keeps the function. Says which skips carry sums
//! because what rounds them stands behind their fork: to move that would change the function.

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Element, Network, Op};
use nonresc_ir::stream::{Channel, Kind, Second, Stream};

use crate::arithmetic::arithmetic;
use crate::design::{NetworkDesign, Options, StreamDesign};
use crate::integers::{self, Integers};
use crate::pass::{Function, Pass, Property};
use crate::target::Bits;

/// The pass, for the table.
pub(crate) const PASS: Pass = Pass::on_stream("width", "exact widths of channels and weights", run)
    .needs(&[Property::Streaming])
    .gives(&[Property::Widths])
    .function(Function::Same);

fn run(design: &mut StreamDesign, _: &Options) -> Result<(), Diagnostics> {
    // What integers are not made of is refused where hardware is asked for, not where it is estimated.
    if let Ok(made) = integers::without_proofs(&design.source.network) {
        set(&mut design.stream, &made);
    }
    let stream = &design.stream;
    let late: Vec<Diagnostic> =
        stream.channels().filter_map(|id| late_quantiser(&design.source, stream.channel(id))).collect();
    late.into_iter().for_each(|note| design.stream.note(note));
    Ok(())
}

/// Bits of a design's weights and activations: those that were asked for, or where the network is in codes those of most
/// layers and of what most of them read.
pub fn usual(design: &StreamDesign, asked: Bits) -> Bits {
    if integers::has_codes(&design.source.network).is_err() {
        return asked;
    }
    let stream = &design.stream;
    let widths = stream.actors().filter_map(|id| match &stream.actor(id).kind {
        Kind::MatVec(layer) => Some((layer.weight_bits, stream.channel(stream.input(id, 0)?).bits)),
        _ => None,
    });
    let (weights, read): (Vec<u32>, Vec<u32>) = widths.unzip();
    Bits {
        weights: most_common(weights).unwrap_or(asked.weights),
        activations: most_common(read).unwrap_or(asked.activations),
    }
}

/// What occurs most often, of several the largest.
fn most_common(widths: Vec<u32>) -> Option<u32> {
    let mut counts = BTreeMap::new();
    widths.into_iter().for_each(|width| *counts.entry(width).or_insert(0) += 1);
    counts.into_iter().max_by_key(|&(_, count)| count).map(|(width, _)| width)
}

/// As wide as the whole numbers are.
fn set(stream: &mut Stream, made: &Integers) {
    let channels: Vec<_> = stream.channels().collect();
    for id in channels {
        let value = stream.channel(id).value.and_then(|value| made.of(value));
        if let Some(Element::Int { bits, signed }) = value.map(|value| made.network.ty(value).element) {
            let channel = stream.channel_mut(id);
            (channel.bits, channel.signed) = (bits.into(), signed);
        }
    }
    let Ok(numbers) = arithmetic(stream, made) else { return };
    let actors: Vec<_> = stream.actors().collect();
    for id in actors {
        let [own, beside] = numbers.weight_bits(id);
        if let Kind::MatVec(a) = &mut stream.actor_mut(id).kind {
            a.weight_bits = own.unwrap_or(a.weight_bits);
            if let Some(Second::Projection(p)) = &mut a.second {
                p.weight_bits = beside.unwrap_or(p.weight_bits);
            }
        }
    }
}

/// The remark that the skip of a channel carries sums, where a quantiser behind its fork makes codes of them for others:
/// how wide it is, and what would make it as narrow as they are.
pub fn late_quantiser(source: &NetworkDesign, channel: &Channel) -> Option<Diagnostic> {
    let (network, skip) = (&source.network, source.live_skips().number(channel.skip?)?);
    let quantiser = rounds_beside(network, channel.value?)?;
    let Op::Quantise(a) = network.op(quantiser) else { return None };
    let names = &network.node(quantiser).names;
    Some(Diagnostic::new(
        "width/sums",
        format!("skip {}", skip.label),
        format!(
            "it carries sums of {} bits, since the quantiser \"{names}\" stands behind its fork, on the other branch",
            channel.bits
        ),
        format!(
            "with that in front of the fork it would carry codes of {} bits; this would round what the skip adds, so \
             that the file has to say it",
            a.bits
        ),
    ))
}

/// The quantiser of another branch that rounds sums which a value has taken over from a fork; nothing of codes.
fn rounds_beside(network: &Network, value: Value) -> Option<NodeId> {
    let mut way = vec![value];
    let mut from = value;
    while takes_over(network.op(from.node)) {
        from = network.operands(from.node)[0];
        way.push(from);
    }
    if matches!(network.op(from.node), Op::Input(_) | Op::Const(_) | Op::Quantise(_) | Op::Dequantise(_)) {
        return None;
    }
    let users = way.into_iter().map(|value| network.users(value)).filter(|users| users.len() > 1);
    users.flatten().find_map(|(user, _)| rounds(network, user))
}

/// The quantiser that `node` is, or that alone reads what it takes over.
fn rounds(network: &Network, node: NodeId) -> Option<NodeId> {
    let mut node = node;
    while takes_over(network.op(node)) {
        let [(user, _)] = network.users(node.into())[..] else { return None };
        node = user;
    }
    matches!(network.op(node), Op::Quantise(_)).then_some(node)
}

/// Whether an operator hands on numbers that it reads, or limits of them, as wide as they are.
fn takes_over(op: &Op) -> bool {
    matches!(
        op,
        Op::Relu(_)
            | Op::Clip(_)
            | Op::MaxPool(_)
            | Op::GlobalMaxPool(_)
            | Op::Slice(_)
            | Op::Pad(_)
            | Op::Reshape(_)
    )
}
