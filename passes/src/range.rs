//! Between which limits the numbers of a value are known to lie, from the activation that they come from.

use nonresc_ir::id::Value;
use nonresc_ir::network::{Network, Op};

/// Nodes that one question looks at; beyond them nothing is known.
const MOST_NODES: usize = 64;

/// The limits of a value's numbers, infinite where nothing is known.
pub(crate) fn bounds(network: &Network, value: Value) -> (f64, f64) {
    let (mut value, mut low) = (value, f64::NEG_INFINITY);
    for _ in 0..MOST_NODES {
        match network.op(value.node) {
            Op::Relu(_) => low = low.max(0.0),
            Op::Clip(a) => return (low.max(a.min), a.max),
            // Each gives numbers that it reads, or means of them.
            Op::MaxPool(_) | Op::GlobalAvgPool(_) | Op::GlobalMaxPool(_) | Op::Slice(_) | Op::Reshape(_) => {}
            _ => break,
        }
        value = network.operands(value.node)[0];
    }
    (low, f64::INFINITY)
}
