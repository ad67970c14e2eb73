//! Numbers of a network that are known before it runs.

use nonresc_ir::eval;
use nonresc_ir::id::Value;
use nonresc_ir::network::{Network, Op};
use nonresc_ir::tensor::Tensor;

/// Numbers that stand in the graph as they are, or as codes.
pub(crate) fn numbers(network: &Network, value: Value) -> Option<Tensor> {
    if let Some(tensor) = network.constant(value) {
        return Some(Tensor::clone(tensor));
    }
    let Op::Dequantise(_) = network.op(value.node) else { return None };
    let operands = network.operands(value.node);
    let tensors: Option<Vec<&Tensor>> =
        operands.iter().map(|&v| network.constant(v).map(AsRef::as_ref)).collect();
    eval::operator::<f64>(network.op(value.node), &tensors?).ok()
}

/// Whether a value hangs on constants alone, be they codes.
pub(crate) fn is_constant(network: &Network, value: Value) -> bool {
    match network.op(value.node) {
        Op::Const(_) => true,
        Op::Quantise(_) | Op::Dequantise(_) => is_constant(network, network.operands(value.node)[0]),
        _ => false,
    }
}
