//! Operators that move no number: reshapes between a map and its flattened form, and quantisers, which only mark
//! widths.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Element, Op, Quantise};
use nonresc_ir::stream::{Activation, Kind};

use super::builder::{Builder, Place, Width};
use super::refuse;
use crate::known;

pub(super) fn reshape(b: &mut Builder<'_>, node: NodeId) {
    let operand = b.network.operands(node)[0];
    let (from, to) = (b.network.ty(operand).shape.0.clone(), b.network.ty(node.into()).shape.0.clone());
    let place = b.place(operand);
    let map = place.map;
    let channels = map.channels + place.zeros;
    let flat = match to[..] {
        _ if from.first() != to.first() => None,
        _ if from == to => Some(place.flat),
        [_, numbers] if numbers == channels * map.pixels() => Some(map.pixels() > 1),
        [_, c, h, w] if (c, h, w) == (channels, map.height, map.width) => Some(false),
        _ => None,
    };
    match flat {
        Some(flat) => {
            let place = if flat { b.whole(operand) } else { place };
            b.moved(node.into(), Place { flat, ..place });
        }
        None => refuse::reshape(b, node),
    }
}

/// Codes of a float are a mark; codes of other codes are rounded by an actor.
pub(super) fn quantise(b: &mut Builder<'_>, node: NodeId, a: &Quantise) {
    let width = Width { bits: u32::from(a.bits), signed: a.signed };
    let operand = b.network.operands(node)[0];
    let again =
        matches!(b.network.op(operand.node), Op::Dequantise(_)) && !b.same_codes(operand, node.into());
    if !again || known::is_constant(b.network, operand) {
        return mark(b, node, Some(width));
    }
    let place = b.whole(operand);
    let actor = b.actor(node, Kind::Activate { map: place.map, activation: Activation::Identity });
    b.read(actor, 0, place, None);
    b.set(node.into(), Place { actor, width, ..place });
}

pub(super) fn dequantise(b: &mut Builder<'_>, node: NodeId) {
    let width = match b.network.ty(b.network.operands(node)[0]).element {
        Element::Int { bits, signed } => Some(Width { bits: u32::from(bits), signed }),
        _ => None,
    };
    mark(b, node, width);
}

fn mark(b: &mut Builder<'_>, node: NodeId, width: Option<Width>) {
    let operand = b.network.operands(node)[0];
    if known::is_constant(b.network, operand) {
        return;
    }
    let place = b.place(operand);
    b.set(node.into(), Place { width: width.unwrap_or(place.width), ..place });
}
