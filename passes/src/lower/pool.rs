//! Pools: with a window, and over the whole map.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{AvgPool, MaxPool};
use nonresc_ir::stream::{Activation, GlobalPool, Kind, Pool, PoolKind, Window};

use super::builder::{self, Builder, Place, map_of};
use super::refuse;

pub(super) fn max(b: &mut Builder<'_>, node: NodeId, a: &MaxPool) {
    let window = Window { kernel: a.kernel, stride: a.stride, pad: a.pad, dilation: a.dilation };
    pool(b, node, window, PoolKind::Max);
}

/// Rows and columns that rounding up the output's size adds lie behind the map and its padding, so the window's
/// place alone says that they are not counted.
pub(super) fn mean(b: &mut Builder<'_>, node: NodeId, a: &AvgPool) {
    let window = Window { kernel: a.kernel, stride: a.stride, pad: a.pad, dilation: a.dilation };
    pool(b, node, window, PoolKind::Average { include_pad: a.include_pad });
}

fn pool(b: &mut Builder<'_>, node: NodeId, window: Window, kind: PoolKind) {
    let operand = b.network.operands(node)[0];
    let Some(output) = map_of(b.network, node.into()) else {
        return refuse::rank(b, node);
    };
    if refuse::too_large(output, builder::reach(&window)) {
        return refuse::size(b, node, output);
    }
    let place = b.whole(operand);
    let activation = Activation::Identity;
    let actor = b.actor(node, Kind::Pool(Pool { input: place.map, output, window, kind, activation }));
    finish(b, node, actor, place);
}

pub(super) fn global(b: &mut Builder<'_>, node: NodeId, kind: PoolKind) {
    let operand = b.network.operands(node)[0];
    let place = b.whole(operand);
    let activation = Activation::Identity;
    let actor = b.actor(node, Kind::GlobalPool(GlobalPool { input: place.map, kind, activation }));
    finish(b, node, actor, place);
}

/// A pool gives numbers of the kind that it reads.
fn finish(b: &mut Builder<'_>, node: NodeId, actor: nonresc_ir::id::ActorId, place: Place) {
    b.read(actor, 0, place, None);
    b.give(node, actor, place.width.signed);
}
