//! Where a value is known to hold nothing below zero.

use nonresc_ir::id::Value;
use nonresc_ir::network::{Network, Op};

/// Nodes that one question looks at; beyond them the answer is no, so that many questions stay cheap.
const MOST_NODES: usize = 64;

/// Whether no element of the value can be below zero.
pub(super) fn is_nonnegative(network: &Network, value: Value) -> bool {
    let mut todo = vec![value];
    for _ in 0..MOST_NODES {
        let Some(value) = todo.pop() else { return true };
        let operands = network.operands(value.node);
        match network.op(value.node) {
            Op::Relu(_) => {}
            Op::Clip(a) if a.min >= 0.0 => {}
            Op::Const(tensor) if tensor.all(|x| x >= 0.0) => {}
            Op::Dequantise(_) if codes_start_at_zero(network, value) => {}
            Op::Pad(a) if a.value >= 0.0 => todo.push(operands[0]),
            Op::MaxPool(_)
            | Op::AvgPool(_)
            | Op::GlobalAvgPool(_)
            | Op::GlobalMaxPool(_)
            | Op::ReduceMean(_)
            | Op::Slice(_)
            | Op::Reshape(_)
            | Op::Transpose(_)
            | Op::LeakyRelu(_)
            | Op::Softmax(_) => todo.push(operands[0]),
            Op::Add(_) | Op::Mul(_) | Op::Concat(_) => todo.extend(operands),
            _ => return false,
        }
    }
    false
}

/// Whether the least code of an integer stands for zero.
fn codes_start_at_zero(network: &Network, value: Value) -> bool {
    use nonresc_ir::network::Element;
    let operands = network.operands(value.node);
    let unsigned = matches!(network.ty(operands[0]).element, Element::Int { signed: false, .. });
    unsigned && network.constant(operands[2]).is_some_and(|z| z.all(|z| z == 0.0))
}
