//! What an operator is to a path that runs through it, and what a path of such operators looks like.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Conv, Element, Network, Op, Pair, Sides};

use super::SkipShape;

/// What one operator does to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Another writing of the same numbers: quantisation, its clip of integers, casts.
    Writing,
    /// A convolution that sees one pixel, or a dense layer.
    Narrow,
    /// A convolution that sees several pixels.
    Wide,
    /// A factor and a term per channel.
    Affine,
    /// A non-linearity.
    Activation,
    /// A pool.
    Pool,
    /// Pixels left out.
    Subsample,
    /// Zeros added.
    Zeros,
    /// Anything else.
    Other,
}

impl Step {
    /// What the operator of `node` is.
    pub(super) fn of(network: &Network, node: NodeId) -> Step {
        match network.op(node) {
            Op::Conv(a) => convolution(network, node, a),
            Op::Dense(_) | Op::MatMul(_) => Step::Narrow,
            Op::BatchNorm(_) => Step::Affine,
            Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Div(_) => with_constant(network, node),
            Op::Relu(_) | Op::LeakyRelu(_) => Step::Activation,
            Op::Clip(_) => clip(network, node),
            Op::MaxPool(_) | Op::AvgPool(_) | Op::GlobalAvgPool(_) | Op::GlobalMaxPool(_) => Step::Pool,
            Op::Slice(_) => Step::Subsample,
            Op::Pad(a) => zeros(a.value == 0.0),
            Op::Concat(_) => zeros(joins_zeros(network, node)),
            Op::Quantise(_) | Op::Dequantise(_) | Op::Cast(_) => Step::Writing,
            Op::Const(_) | Op::Input(_) | Op::ReduceMean(_) => Step::Other,
            Op::Reshape(_) | Op::Transpose(_) | Op::Softmax(_) => Step::Other,
            Op::IntConv(_) | Op::IntDense(_) | Op::IntSumPool(_) | Op::Requantise(_) => Step::Other,
            nonresc_ir::training_op!() => Step::Other,
        }
    }
}

/// A depthwise convolution of one pixel is how normal form writes a factor and a term per channel.
fn convolution(network: &Network, node: NodeId, conv: &Conv) -> Step {
    let weights = network.operands(node).get(1).map(|&w| network.ty(w).shape.0.clone());
    let one_pixel = weights.as_ref().is_some_and(|w| w.ends_with(&[1, 1])) && conv.pad == Sides::default();
    match weights.as_deref() {
        Some(&[channels, 1, 1, 1])
            if one_pixel && channels > 1 && conv.groups == channels && conv.stride == Pair::square(1) =>
        {
            Step::Affine
        }
        _ if one_pixel => Step::Narrow,
        _ => Step::Wide,
    }
}

fn with_constant(network: &Network, node: NodeId) -> Step {
    let constant = network.operands(node).iter().any(|&v| network.constant(v).is_some());
    if constant { Step::Affine } else { Step::Other }
}

fn clip(network: &Network, node: NodeId) -> Step {
    match network.ty(node.into()).element {
        Element::Int { .. } => Step::Writing,
        _ => Step::Activation,
    }
}

fn zeros(are_zeros: bool) -> Step {
    if are_zeros { Step::Zeros } else { Step::Other }
}

/// Whether all operands but one are zeros known at compile time.
fn joins_zeros(network: &Network, node: NodeId) -> bool {
    let operands = network.operands(node);
    let zeros = |v: &&nonresc_ir::id::Value| network.constant(**v).is_some_and(|t| t.all(|x| x == 0.0));
    operands.iter().filter(zeros).count() + 1 == operands.len()
}

/// The shape of a skip whose path is the chain `steps`, from its source on; `raw` says whether the path
/// beside it begins with the activation.
pub(super) fn shape(steps: &[Step], raw: bool) -> SkipShape {
    let steps: Vec<Step> = steps.iter().copied().filter(|&s| s != Step::Writing).collect();
    let all = |kinds: &[Step]| steps.iter().all(|s| kinds.contains(s));
    let has = |kind: Step| steps.contains(&kind);
    let first_convolution = steps.iter().position(|&s| s == Step::Narrow);
    let pool_behind = steps.iter().skip(first_convolution.unwrap_or(0)).any(|&s| s == Step::Pool);
    if steps.is_empty() {
        if raw { SkipShape::PreActivation } else { SkipShape::Identity }
    } else if first_convolution.is_some()
        && !pool_behind
        && all(&[Step::Narrow, Step::Affine, Step::Pool, Step::Subsample])
    {
        SkipShape::Projection { pooled: has(Step::Pool) }
    } else if all(&[Step::Pool]) {
        SkipShape::Pool
    } else if (has(Step::Subsample) || has(Step::Zeros)) && all(&[Step::Subsample, Step::Zeros, Step::Pool]) {
        SkipShape::Padded
    } else {
        SkipShape::General
    }
}
