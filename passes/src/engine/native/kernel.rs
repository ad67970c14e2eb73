//! What a step of a plan is, and which kernel an operator gets. No kernel's arithmetic here.

use nonresc_ir::network::{Op, Requantise, Shape, ValueType};
use nonresc_ir::tensor::Tensor;

use super::batch_norm::{self, Affine};
use super::bytes;
use super::conv::{Layer, LiveSums, WindowSums};
use super::depthwise::Depthwise;
use super::elementwise::{Binary, Gated, Unary};
use super::grad_w::GradW;
use super::integer;
use super::moves::{Concat, Moved};
use super::pool::Pool;
use super::pool_gradient::{Largest, Shared};
use super::quantisers::{ToCodes, ToNumbers};
use super::round::Rescale;
use super::softmax::Softmax;
use super::statistics::ChannelSums;
use super::tile::{Block, Lanes, Limits};

/// Computes one value from stored f32 operands.
pub(super) trait Kernel: Send + Sync + std::fmt::Debug {
    /// Writes all of `result`, whose length is the value's; `scratch` is room for anything.
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch);

    /// What [`Kernel::run_bytes`] can do.
    fn bytes(&self) -> Bytes {
        Bytes::None
    }

    /// The same where codes are stored as bytes: all operands that are computed, or the result alone.
    fn run_bytes(&self, _: &[Stored<'_>], _: StoredMut<'_>, _: &mut Scratch) {}
}

/// Where codes of up to 8 bits may be bytes: as they are where they have no sign, else with 128 added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bytes {
    /// Nowhere.
    None,
    /// In the result, made of f32.
    Given,
    /// In all operands, and in the result or not.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "byte kernels are of one kind of CPU"))]
    Read,
}

/// The numbers of a value.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "byte kernels are of one kind of CPU"))]
pub(super) enum Stored<'a> {
    Floats(&'a [f32]),
    /// With [`SLACK`] behind them.
    Bytes(&'a [u8]),
}

/// Room for the numbers of a value.
#[derive(Debug)]
pub(super) enum StoredMut<'a> {
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "byte kernels are of one kind of CPU"))]
    Floats(&'a mut [f32]),
    Bytes(&'a mut [u8]),
}

/// Bytes behind those of a value that can be read, and are anything.
pub(super) const SLACK: usize = 3;

/// Memory that kernels leave to each other from run to run.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) floats: Vec<f32>,
    pub(super) more: Vec<f32>,
    pub(super) doubles: Vec<f64>,
    pub(super) lanes: Vec<Lanes>,
    pub(super) winners: Vec<u32>,
    /// Weights of a layer whose operands bring them.
    pub(super) blocks: Vec<Block>,
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "byte kernels are of one kind of CPU")
    )]
    pub(super) bytes: Vec<u8>,
}

/// Room for `len` numbers in memory that only grows; what stands there is anything.
pub(super) fn room<T: Copy + Default>(memory: &mut Vec<T>, len: usize) -> &mut [T] {
    if memory.len() < len {
        memory.resize(len, T::default());
    }
    &mut memory[..len]
}

/// An operand of an operator that wants a kernel: its type, and its numbers where they are known.
pub(super) struct Operand<'a> {
    pub(super) ty: &'a ValueType,
    pub(super) constant: Option<&'a Tensor>,
}

/// A kernel and how many of the operands, from the first, it reads when it runs.
pub(super) struct Chosen {
    pub(super) kernel: Box<dyn Kernel>,
    pub(super) reads: usize,
}

fn boxed(kernel: Box<dyn Kernel>, reads: usize) -> Chosen {
    Chosen { kernel, reads }
}

fn chosen(kernel: impl Kernel + 'static, reads: usize) -> Chosen {
    Chosen { kernel: Box::new(kernel), reads }
}

/// The kernel of an operator whose values are all kept as f32; nothing where the plain evaluator has to do it.
/// Limits other than [`Limits::NONE`] are for operators that [`takes_limits`].
pub(super) fn choose(op: &Op, operands: &[Operand<'_>], result: &Shape, limits: Limits) -> Option<Chosen> {
    let shape = |i: usize| &operands[i].ty.shape;
    let known = |i: usize| operands.get(i).map(|o| o.constant);
    match op {
        Op::Conv(op) => layer(Layer::conv(op, shape(0), shape(1), result)?.limited(limits), operands),
        Op::Dense(_) => layer(Layer::dense(shape(0), shape(1))?.limited(limits), operands),
        Op::MatMul(_) => layer(Layer::mat_mul(shape(0), shape(1))?, operands),
        Op::ConvGradX(op) => layer(Layer::grad_x(op, shape(0), shape(1), result)?, operands),
        Op::ConvGradW(op) => Some(boxed(GradW::boxed(op, shape(0), shape(1), result)?, 2)),
        Op::BatchNorm(op) => match [known(1)?, known(2)?, known(3)?, known(4)?] {
            [Some(scale), Some(bias), Some(mean), Some(variance)] => {
                let known = [scale, bias, mean, variance];
                Some(chosen(Affine::known(op, shape(0), known)?.limited(limits), 1))
            }
            _ => Some(chosen(Affine::live(op, shape(0))?.limited(limits), 5)),
        },
        Op::BatchNormGradX(op) => Some(chosen(batch_norm::GradX::new(op, shape(0))?, 7)),
        Op::ChannelSum(_) | Op::ChannelVariance(_) | Op::BatchNormGradScale(_) | Op::ReduceMean(_) => {
            Some(chosen(ChannelSums::new(op, shape(0))?, operands.len()))
        }
        Op::Gate(op) => Some(chosen(Gated::new(op), 2)),
        Op::MaxPoolGrad(op) => Some(chosen(Largest::new(op, shape(0), shape(1))?, 2)),
        Op::AvgPoolGrad(op) => Some(chosen(Shared::new(op, result, shape(0))?, 1)),
        Op::Softmax(_) | Op::LogSoftmax(_) => Some(chosen(Softmax::new(op, shape(0))?, 1)),
        Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Div(_) => {
            Some(chosen(Binary::new(op, shape(0), shape(1), result)?.limited(limits), 2))
        }
        Op::Relu(_) | Op::Clip(_) | Op::LeakyRelu(_) => Some(chosen(Unary::new(op)?, 1)),
        Op::MaxPool(_) | Op::AvgPool(_) | Op::GlobalAvgPool(_) | Op::GlobalMaxPool(_) => {
            Some(chosen(Pool::new(op, shape(0), result)?, 1))
        }
        Op::Pad(_) | Op::Slice(_) | Op::Spread(_) | Op::Reshape(_) | Op::Transpose(_) => {
            Some(chosen(Moved::new(op, shape(0), result)?, 1))
        }
        Op::Concat(op) => {
            let shapes: Vec<&Shape> = operands.iter().map(|o| &o.ty.shape).collect();
            Some(chosen(Concat::new(op, &shapes, result), operands.len()))
        }
        Op::Quantise(op) => Some(chosen(ToCodes::new(op, operands)?, 1)),
        Op::Dequantise(op) => Some(chosen(ToNumbers::new(op, operands)?, 1)),
        Op::IntConv(op) => Some(boxed(integer::conv(op, operands, result)?, 1)),
        Op::IntDense(op) => Some(boxed(integer::dense(op, operands)?, 1)),
        Op::IntSumPool(op) => Some(boxed(integer::sum_pool(op, &operands[0], result)?, 1)),
        Op::Requantise(op) => {
            Some(boxed(bytes::sums(Rescale::new(op, operands, None)?, result), operands.len()))
        }
        Op::Const(_) | Op::Input(_) | Op::Cast(_) => None,
    }
}

/// The kernel of a layer on the first operand with the weights, and the bias if there is one, that come behind it.
fn layer(layer: Layer, operands: &[Operand<'_>]) -> Option<Chosen> {
    let reads = operands.len();
    let known = operands.get(1).and_then(|w| w.constant);
    let bias = operands.get(2).map(|bias| bias.constant);
    let (Some(w), true) = (known, bias != Some(None)) else {
        return Some(match layer.is_depthwise() {
            true => chosen(Depthwise::live(layer), reads),
            false => chosen(LiveSums(layer), reads),
        });
    };
    Some(boxed(known_layer(layer, w, bias.flatten())?, 1))
}

/// The kernel of a layer with known weights; nothing where the bias is none of the layer's.
pub(super) fn known_layer(layer: Layer, w: &Tensor, bias: Option<&Tensor>) -> Option<Box<dyn Kernel>> {
    Some(match layer.is_depthwise() {
        true => Box::new(Depthwise::known(layer, w, bias)?),
        false => Box::new(WindowSums::new(layer, w, bias)?),
    })
}

/// The kernel of an integer layer and of the requantisation behind it, whose operand `whole` the layer's sums are. It
/// reads the layer's first operand and, where the requantisation has another one, that.
pub(super) fn rescaled(
    op: &Op,
    operands: &[Operand<'_>],
    result: &Shape,
    (rescale, whole): (&Requantise, usize),
    rescaled: &[Operand<'_>],
) -> Option<Box<dyn Kernel>> {
    let rescale = Rescale::new(rescale, rescaled, Some(whole))?;
    match op {
        Op::IntConv(op) => bytes::conv(op, operands, result, Some(rescale)),
        Op::IntDense(op) => bytes::dense(op, operands, Some(rescale)),
        _ => None,
    }
}

/// The limits that an operator puts on its operand, where that is all it does.
pub(super) fn limits(op: &Op) -> Option<Limits> {
    match op {
        Op::Relu(_) => Some(Limits { min: 0.0, max: f32::INFINITY }),
        Op::Clip(op) => Some(Limits { min: op.min as f32, max: op.max as f32 }),
        _ => None,
    }
}

/// Whether an operator does to whole numbers what its kernel does to f32: where sums wrap, it does not.
pub(super) fn is_whole(op: &Op) -> bool {
    match op {
        Op::MaxPool(_)
        | Op::GlobalMaxPool(_)
        | Op::Pad(_)
        | Op::Slice(_)
        | Op::Concat(_)
        | Op::Reshape(_)
        | Op::Transpose(_)
        | Op::Relu(_)
        | Op::Clip(_)
        | Op::Quantise(_)
        | Op::Dequantise(_)
        | Op::IntConv(_)
        | Op::IntDense(_)
        | Op::IntSumPool(_)
        | Op::Requantise(_) => true,
        Op::Const(_)
        | Op::Input(_)
        | Op::Conv(_)
        | Op::Dense(_)
        | Op::MatMul(_)
        | Op::BatchNorm(_)
        | Op::Add(_)
        | Op::Sub(_)
        | Op::Mul(_)
        | Op::Div(_)
        | Op::LeakyRelu(_)
        | Op::AvgPool(_)
        | Op::GlobalAvgPool(_)
        | Op::ReduceMean(_)
        | Op::Softmax(_)
        | Op::Cast(_)
        | nonresc_ir::training_op!() => false,
    }
}

/// Whether an operator's kernel can hold its results to limits.
pub(super) fn takes_limits(op: &Op) -> bool {
    matches!(op, Op::Conv(_) | Op::Dense(_) | Op::BatchNorm(_) | Op::Add(_) | Op::Sub(_))
}
