//! Activations: merged into the actor that gives their operand, else an actor of their own.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::Op;
use nonresc_ir::stream::{Activation, Kind};

use super::builder::Builder;

pub(super) fn activate(b: &mut Builder<'_>, node: NodeId, activation: Activation) {
    let operand = b.network.operands(node)[0];
    let mut place = if zero_stays_zero(activation) { b.place(operand) } else { b.whole(operand) };
    let alone = b.read_by_alone(operand, node) && rounds_as_before(b, operand, node);
    let slot = slot(&mut b.stream.actor_mut(place.actor).kind).filter(|_| alone);
    if let Some((slot, both)) = slot.and_then(|slot| then(*slot, activation).map(|both| (slot, both))) {
        *slot = both;
        b.merge_names(place.actor, node);
    } else {
        let actor = b.actor(node, Kind::Activate { map: place.map, activation });
        b.read(actor, 0, place, None);
        place.actor = actor;
    }
    place.width.signed &= !never_negative(activation);
    b.set(node.into(), place);
}

/// Whether an activation of codes is rounded to codes of the same kind, if it is of codes at all: limits in the codes'
/// own rounding then do, where other codes would have to be rounded a second time.
fn rounds_as_before(b: &Builder<'_>, operand: Value, node: NodeId) -> bool {
    let rounds = |&(user, _): &(NodeId, u16)| {
        matches!(b.network.op(user), Op::Quantise(_)) && b.same_codes(operand, user.into())
    };
    !matches!(b.network.op(operand.node), Op::Dequantise(_))
        || b.network.users(node.into()).iter().all(rounds)
}

/// The activation that a kind of actor applies last.
fn slot(kind: &mut Kind) -> Option<&mut Activation> {
    match kind {
        Kind::MatVec(a) => Some(&mut a.activation),
        Kind::Pool(a) => Some(&mut a.activation),
        Kind::GlobalPool(a) => Some(&mut a.activation),
        Kind::Sum(a) => Some(&mut a.activation),
        Kind::Activate { activation, .. } => Some(activation),
        Kind::Source(_) | Kind::Sink(_) | Kind::Select(_) | Kind::Convert(_) => None,
    }
}

/// `second` of `first` as one activation, where there is one.
fn then(first: Activation, second: Activation) -> Option<Activation> {
    if first == Activation::Identity {
        return Some(second);
    }
    let ((low, high), (min, max)) = (limits(first)?, limits(second)?);
    let limit = |x: f64| x.max(min).min(max);
    Some(match (limit(low), limit(high)) {
        (min, max) if min == 0.0 && max == f64::INFINITY => Activation::Relu,
        (min, max) => Activation::Clip { min, max },
    })
}

fn limits(activation: Activation) -> Option<(f64, f64)> {
    match activation {
        Activation::Identity => Some((f64::NEG_INFINITY, f64::INFINITY)),
        Activation::Relu => Some((0.0, f64::INFINITY)),
        Activation::Clip { min, max } => Some((min, max)),
        Activation::LeakyRelu { .. } => None,
    }
}

fn never_negative(activation: Activation) -> bool {
    limits(activation).is_some_and(|(low, _)| low >= 0.0)
}

fn zero_stays_zero(activation: Activation) -> bool {
    limits(activation).is_none_or(|(low, high)| low <= 0.0 && high >= 0.0)
}
