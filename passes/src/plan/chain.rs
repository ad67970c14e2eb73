//! The path beside a skip, where it is a chain of convolutions with an activation behind each, and the skip's own path.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Conv, Network, Op, Pair, Sides};
use nonresc_ir::stream::Window;

use crate::known;
use crate::residual::Skip;

/// A convolution of the chain and the activation between it and the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) conv: NodeId,
    pub(super) then: Option<NodeId>,
}

/// What the skip is added to.
pub(super) fn other_operand(network: &Network, skip: &Skip) -> Value {
    network.operands(skip.join)[usize::from(1 - skip.operand)]
}

/// The chain from the skip's source to its join, the source's reader first; else why it is none.
pub(super) fn chain(network: &Network, skip: &Skip) -> Result<Vec<Link>, String> {
    let mut links = Vec::new();
    let mut value = other_operand(network, skip);
    let mut then = None;
    while value != skip.source {
        let node = value.node;
        if network.users(value).len() != 1 || network.is_output(value) {
            return Err("what is computed beside it is read by others too".into());
        }
        match network.op(node) {
            Op::Conv(_) => links.push(Link { conv: node, then: then.take() }),
            Op::Relu(_) | Op::Clip(_) | Op::LeakyRelu(_) if then.is_none() && !links.is_empty() => {
                then = Some(node);
            }
            _ => return Err("beside it are not just convolutions with an activation between each two".into()),
        }
        value = network.operands(node)[0];
    }
    if then.is_some() {
        return Err("beside it an activation stands in front of the first convolution".into());
    }
    links.reverse();
    if links.is_empty() { Err("beside it is no convolution".into()) } else { Ok(links) }
}

/// The operands of nodes by which the skip's data go, from the join up to the operator that reads the source; nothing
/// where one of them has several operands that depend on the source.
pub(super) fn path(network: &Network, skip: &Skip) -> Option<Vec<(NodeId, u16)>> {
    let mut path = vec![(skip.join, skip.operand)];
    loop {
        let &(node, operand) = path.last()?;
        let value = network.operands(node)[usize::from(operand)];
        if value == skip.source {
            return Some(path);
        }
        let operands = network.operands(value.node);
        let variable: Vec<u16> =
            (0..).zip(&operands).filter(|(_, v)| !known::is_constant(network, **v)).map(|(i, _)| i).collect();
        match variable[..] {
            [operand] => path.push((value.node, operand)),
            _ => return None,
        }
    }
}

/// Where a convolution's window lies on its map.
pub(super) fn window(network: &Network, conv: NodeId, a: &Conv) -> Window {
    let weights = network.operands(conv).get(1).and_then(|&w| network.ty(w).shape.chw());
    let kernel = weights.map_or(Pair::ONE, |(_, h, w)| Pair { h, w });
    Window { kernel, stride: a.stride, pad: a.pad, dilation: a.dilation }
}

/// Rows and columns of a map.
pub(super) fn extent(network: &Network, value: Value) -> Option<Pair> {
    network.ty(value).shape.chw().map(|(_, h, w)| Pair { h, w })
}

/// Whether a convolution is one of a single pixel.
pub(super) fn is_point(network: &Network, conv: NodeId, a: &Conv) -> bool {
    window(network, conv, a).kernel == Pair::ONE && a.pad == Sides::ZERO
}
