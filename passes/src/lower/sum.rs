//! Sums: merged into the giving phase of the last matrix-vector among their operands' producers, else an actor.
//!
//! An operand can take the sum in where its producer is a matrix-vector that has no sum yet and the sum alone reads
//! it. A skip takes none in while the path beside it can: what is summed then waits in the skip's channel and not
//! in front of its projection. Between equals the one behind more matrix-vectors is the last.
//!
//! Zero channels that a skip has behind its own (option A of the residual paper) are implied: nothing is added there.

use nonresc_ir::id::NodeId;
use nonresc_ir::stream::{Activation, Kind, MergedAdd, Sum};

use super::builder::{Builder, Place};
use super::refuse;
use crate::known;

pub(super) fn add(b: &mut Builder<'_>, node: NodeId) {
    let operands = b.network.operands(node);
    if operands.iter().any(|&v| known::is_constant(b.network, v)) {
        return refuse::constant_operand(b, node);
    }
    let wanted = &b.network.ty(node.into()).shape;
    if operands.iter().any(|&v| b.network.ty(v).shape != *wanted) {
        return refuse::broadcast(b, node);
    }
    let places = [b.place(operands[0]), b.place(operands[1])];
    if places[0].flat != places[1].flat || whole_map(&places[0]) != whole_map(&places[1]) {
        return refuse::orders_differ(b, node);
    }
    let skip = |i: usize| b.skips.at(node, i as u16).map(|skip| skip.number);
    let skips = [skip(0), skip(1)];
    let takes = |b: &Builder<'_>, i: usize| {
        let kind = &b.stream.actor(places[i].actor).kind;
        matches!(kind, Kind::MatVec(a) if a.add.is_none())
            && places[i].zeros == 0
            && b.read_by_alone(operands[i], node)
    };
    let last = (0..2)
        .filter(|&i| takes(b, i) && (skips[i].is_none() || skips[1 - i].is_some()))
        .max_by_key(|&i| (b.depth(places[i].actor), i));
    let signed = places[0].width.signed || places[1].width.signed;
    let (actor, input, zeros) = match last {
        Some(i) => {
            let other = places[1 - i];
            let rounded = b.unmarked(operands[i]) != operands[i];
            if let Kind::MatVec(a) = &mut b.stream.actor_mut(places[i].actor).kind {
                let activation = std::mem::replace(&mut a.activation, Activation::Identity);
                a.add = Some(MergedAdd { channels: other.map.channels, offset: 0, activation, rounded });
            }
            b.merge_names(places[i].actor, node);
            b.read(places[i].actor, 1, other, skips[1 - i]);
            (places[i].actor, i, 0)
        }
        None => sum(b, node, places, skips),
    };
    let wider = if places[0].width.bits < places[1].width.bits { places[1].width } else { places[0].width };
    let width = b.sum_width(wider, 2, signed);
    let map = b.stream.actor(actor).kind.output_map(0);
    b.set(node.into(), Place { actor, map, zeros, flat: places[input].flat, width, value: None });
}

fn whole_map(place: &Place) -> nonresc_ir::stream::Map {
    nonresc_ir::stream::Map { channels: place.map.channels + place.zeros, ..place.map }
}

/// An actor for the sum, the summand with more channels first; both may lack the same channels.
fn sum(
    b: &mut Builder<'_>,
    node: NodeId,
    places: [Place; 2],
    skips: [Option<usize>; 2],
) -> (nonresc_ir::id::ActorId, usize, usize) {
    let first = usize::from(places[1].map.channels > places[0].map.channels);
    let (wide, narrow) = (places[first], places[1 - first]);
    let kind = Kind::Sum(Sum {
        output: wide.map,
        channels: narrow.map.channels,
        offset: 0,
        activation: Activation::Identity,
    });
    let actor = b.actor(node, kind);
    b.read(actor, 0, wide, skips[first]);
    b.read(actor, 1, narrow, skips[1 - first]);
    (actor, first, wide.zeros)
}
