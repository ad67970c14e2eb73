//! What makes a graph an image network: axis 0 stays the batch, and softmax stands at the end.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::id::NodeId;
use crate::network::{Network, Op};

/// Why a node does not keep axis 0 of its activations what it is: `frames` samples that know nothing of each
/// other. `fixed` says which operands depend on constants alone.
pub(super) fn keeps_batch(
    network: &Network,
    node: NodeId,
    fixed: &[bool],
    frames: usize,
) -> Result<(), String> {
    let result = &network.ty(node.into()).shape;
    let operands = network.operands(node);
    let shape = |i: usize| &network.ty(operands[i]).shape.0;
    let touched = |how: &str| Err(format!("it {how} the batch (axis 0 of {result})"));
    match network.op(node) {
        Op::Const(_) | Op::Input(_) => {}
        Op::Conv(_) | Op::Dense(_) | Op::BatchNorm(_) => {
            let names = ["input", "weight", "bias", "mean", "variance"];
            if let Some(i) = (1..fixed.len()).find(|&i| !fixed[i]) {
                return Err(format!("its {} is computed from the image", names[i.min(4)]));
            }
        }
        Op::MatMul(_) if !fixed[1] => return Err("its right factor is computed from the image".into()),
        Op::MatMul(_) if shape(1).len() > shape(0).len() => return touched("repeats"),
        Op::MatMul(_) if shape(0).len() < 2 => return touched("sums over"),
        Op::ReduceMean(a) if a.axes.contains(&0) => return touched("averages over"),
        Op::Concat(a) if a.axis == 0 => return touched("joins along"),
        Op::Transpose(a) if a.perm.first() != Some(&0) => return touched("moves"),
        Op::Pad(a) if a.before[0] + a.after[0] > 0 => return touched("pads"),
        Op::Slice(a) if a.len[0] != frames || a.step[0] < 0 => return touched("cuts"),
        Op::Reshape(a) if !a.keep_batch => return touched("mixes other axes into"),
        Op::Softmax(a) if a.axis == 0 => return touched("normalises over"),
        Op::Quantise(a) if a.axis == 0 && shape(1).iter().any(|&d| d > 1) => return touched("scales along"),
        Op::Dequantise(a) if a.axis == 0 && shape(1).iter().any(|&d| d > 1) => {
            return touched("scales along");
        }
        Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Div(_) => {
            for (i, &fixed) in fixed.iter().enumerate() {
                let rank = shape(i).len();
                if !fixed && rank < result.rank() {
                    return touched("shifts");
                }
                if fixed && rank == result.rank() && shape(i)[0] != 1 {
                    return touched("has a constant for each frame of");
                }
            }
        }
        Op::MatMul(_)
        | Op::Relu(_)
        | Op::Clip(_)
        | Op::LeakyRelu(_)
        | Op::MaxPool(_)
        | Op::AvgPool(_)
        | Op::GlobalAvgPool(_)
        | Op::GlobalMaxPool(_)
        | Op::ReduceMean(_)
        | Op::Pad(_)
        | Op::Slice(_)
        | Op::Concat(_)
        | Op::Reshape(_)
        | Op::Transpose(_)
        | Op::Softmax(_)
        | Op::Cast(_)
        | Op::Quantise(_)
        | Op::Dequantise(_)
        | Op::IntConv(_)
        | Op::IntDense(_)
        | Op::IntSumPool(_)
        | Op::Requantise(_)
        | crate::training_op!() => {}
    }
    match result.0.first() {
        Some(&n) if n == frames => Ok(()),
        _ => Err(format!("its result {result} no longer has the {frames} frames of the batch on axis 0")),
    }
}

/// What the whole network breaks.
pub(super) fn check(network: &Network) -> Diagnostics {
    let mut faults = Diagnostics::default();
    for node in network.node_ids() {
        if matches!(network.op(node), Op::Softmax(_))
            && let Some(reader) = computes_on(network, node)
        {
            faults.push(Diagnostic::new(
                "import/softmax",
                format!("Softmax \"{}\"", network.node(node).names),
                format!(
                    "{} \"{}\" computes on its result; a softmax can only stand at the end, where the host does it",
                    network.op(reader).name(),
                    network.node(reader).names
                ),
                "remove the softmax from the body of the network",
            ));
        }
    }
    faults
}

/// A reader of a softmax, behind operators that only move or convert elements, that computes.
fn computes_on(network: &Network, softmax: NodeId) -> Option<NodeId> {
    let mut todo = vec![softmax];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(node) = todo.pop() {
        for (reader, _) in network.users(node.into()) {
            match network.op(reader) {
                Op::Reshape(_) | Op::Transpose(_) | Op::Cast(_) | Op::Quantise(_) | Op::Dequantise(_) => {
                    if seen.insert(reader) {
                        todo.push(reader);
                    }
                }
                _ => return Some(reader),
            }
        }
    }
    None
}
