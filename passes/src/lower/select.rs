//! Slices and channel padding: subsampling, cropping, and the zero channels of option A.
//!
//! Zero channels behind the given ones are implied until somebody needs them; in front of them they are given as
//! words, since a sum adds an offset only in whole lanes and lanes are chosen later.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Pad, Pair, Slice};
use nonresc_ir::stream::{Kind, Map, Select};

use super::builder::{Builder, Place, map_of};
use super::refuse;

pub(super) fn slice(b: &mut Builder<'_>, node: NodeId, a: &Slice) {
    let operand = b.network.operands(node)[0];
    let (Some(output), Some(input)) = (map_of(b.network, node.into()), map_of(b.network, operand)) else {
        return refuse::rank(b, node);
    };
    let batch_stays = a.start[0] == 0 && a.step[0] == 1 && a.len[0] == b.network.ty(operand).shape.0[0];
    let steps: Option<Vec<usize>> = a.step.iter().map(|&step| usize::try_from(step).ok()).collect();
    let steps = match steps {
        Some(steps) if batch_stays && (steps[1] == 1 || output.channels == 1) => steps,
        _ => return refuse::slice(b, node),
    };
    let place = b.whole(operand);
    if output == input {
        b.set(node.into(), place);
        return;
    }
    if place.flat && place.map.pixels() > 1 {
        return refuse::flat(b, node);
    }
    let axis = |i: usize| (a.start.get(i).copied().unwrap_or(0), steps.get(i).copied().unwrap_or(1));
    let ((top, down), (left, right)) = (axis(2), axis(3));
    let kind = Kind::Select(Select {
        input: place.map,
        output,
        start: Pair { h: top, w: left },
        stride: Pair { h: down, w: right },
        first_channel: a.start[1],
        zeros_before: 0,
    });
    let actor = b.actor(node, kind);
    b.read(actor, 0, place, None);
    b.set(node.into(), Place { actor, map: output, ..place });
}

pub(super) fn pad(b: &mut Builder<'_>, node: NodeId, a: &Pad) {
    let operand = b.network.operands(node)[0];
    let others = |sides: &[usize]| sides.iter().enumerate().any(|(axis, &n)| axis != 1 && n > 0);
    if others(&a.before) || others(&a.after) || a.value != 0.0 || map_of(b.network, node.into()).is_none() {
        return refuse::pad(b, node);
    }
    let (before, after) = (a.before[1], a.after[1]);
    if before == 0 {
        let place = b.place(operand);
        if place.flat && place.map.pixels() > 1 && after > 0 {
            return refuse::flat(b, node);
        }
        if matches!(b.stream.actor(place.actor).kind, Kind::Select(_)) {
            b.merge_names(place.actor, node);
        }
        b.moved(node.into(), Place { zeros: place.zeros + after, ..place });
        return;
    }
    let place = b.whole(operand);
    if place.flat && place.map.pixels() > 1 {
        return refuse::flat(b, node);
    }
    let output = Map { channels: before + place.map.channels + after, ..place.map };
    let alone = b.read_by_alone(operand, node);
    if let Kind::Select(select) = &mut b.stream.actor_mut(place.actor).kind
        && alone
        && select.zeros_before == 0
        && select.first_channel + select.output.channels == select.input.channels
    {
        (select.output, select.zeros_before) = (output, before);
        b.merge_names(place.actor, node);
        b.set(node.into(), Place { map: output, ..place });
        return;
    }
    let kind = Kind::Select(Select {
        input: place.map,
        output,
        start: Pair::ZERO,
        stride: Pair::ONE,
        first_channel: 0,
        zeros_before: before,
    });
    let actor = b.actor(node, kind);
    b.read(actor, 0, place, None);
    b.set(node.into(), Place { actor, map: output, ..place });
}
