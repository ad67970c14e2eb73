//! What each operator computes: one file a family, one dispatch.
//!
//! Operands have the types that inference accepted, so no kernel checks them again.

mod conv;
mod elementwise;
mod gradient;
mod integer;
mod moves;
mod norm;
mod pool;
mod pool_gradient;
mod quantise;

use super::array::{Array, Numbers, Real};
use crate::network::{Op, ValueType};

/// The numbers of an operator's result, whose type is `ty`.
pub(super) fn apply<T: Real>(op: &Op, ins: &[&Array<T>], ty: &ValueType) -> Numbers<T> {
    match op {
        Op::Const(tensor) => Numbers::of(tensor),
        Op::Input(_) => unreachable!("inputs are given, not computed"),
        Op::Conv(a) => Numbers::Real(conv::conv(a, ins, ty)),
        Op::Dense(_) => Numbers::Real(conv::dense(ins, ty)),
        Op::MatMul(_) => Numbers::Real(conv::matmul(ins, ty)),
        Op::BatchNorm(a) => Numbers::Real(norm::batch_norm(a, ins)),
        Op::Add(_) => elementwise::binary(ins, ty, |a, b| a + b, i64::wrapping_add),
        Op::Sub(_) => elementwise::binary(ins, ty, |a, b| a - b, i64::wrapping_sub),
        Op::Mul(_) => elementwise::binary(ins, ty, |a, b| a * b, i64::wrapping_mul),
        Op::Div(_) => elementwise::binary(ins, ty, |a, b| a / b, |a, b| a.checked_div(b).unwrap_or(0)),
        Op::Relu(_) => elementwise::clip(ins[0], 0.0, f64::INFINITY),
        Op::Clip(a) => elementwise::clip(ins[0], a.min, a.max),
        Op::LeakyRelu(a) => elementwise::leaky_relu(a, ins[0]),
        Op::MaxPool(a) => pool::max_pool(a, ins[0], ty),
        Op::AvgPool(a) => Numbers::Real(pool::avg_pool(a, ins[0], ty)),
        Op::GlobalAvgPool(_) => Numbers::Real(pool::global_avg_pool(ins[0])),
        Op::GlobalMaxPool(_) => pool::global_max_pool(ins[0]),
        Op::ReduceMean(a) => Numbers::Real(pool::reduce_mean(a, ins[0], ty)),
        Op::Pad(a) => moves::pad(a, ins[0], ty),
        Op::Slice(a) => moves::slice(a, ins[0], ty),
        Op::Concat(a) => moves::concat(a, ins, ty),
        Op::Reshape(_) => ins[0].numbers.clone(),
        Op::Transpose(a) => moves::transpose(a, ins[0], ty),
        Op::Softmax(a) => Numbers::Real(norm::softmax(a, ins[0])),
        Op::Cast(_) => elementwise::cast(ins[0], ty.element),
        Op::Quantise(a) => Numbers::Whole(quantise::quantise(a, ins)),
        Op::Dequantise(a) => Numbers::Real(quantise::dequantise(a, ins)),
        Op::IntConv(a) => Numbers::Whole(integer::conv(a, ins, ty)),
        Op::IntDense(a) => Numbers::Whole(integer::dense(a, ins, ty)),
        Op::IntSumPool(a) => Numbers::Whole(integer::sum_pool(a, ins, ty)),
        Op::Requantise(a) => Numbers::Whole(integer::requantise(a, ins, ty)),
        Op::ConvGradX(a) => Numbers::Real(gradient::conv_x(&a.window(), ins, ty)),
        Op::ConvGradW(a) => Numbers::Real(gradient::conv_w(&a.window(), ins, ty)),
        Op::ChannelSum(_) => Numbers::Real(gradient::channel_sum(ins[0])),
        Op::ChannelVariance(_) => Numbers::Real(gradient::channel_variance(ins)),
        Op::BatchNormGradScale(a) => Numbers::Real(gradient::batch_norm_scale(a.epsilon, ins)),
        Op::BatchNormGradX(a) => Numbers::Real(gradient::batch_norm_x(a.epsilon, ins)),
        Op::Gate(a) => Numbers::Real(gradient::gate(a, ins)),
        Op::MaxPoolGrad(a) => Numbers::Real(pool_gradient::max(a, ins)),
        Op::AvgPoolGrad(a) => Numbers::Real(pool_gradient::avg(a, ins, ty)),
        Op::Spread(a) => Numbers::Real(gradient::spread(a, ins, ty)),
        Op::LogSoftmax(a) => Numbers::Real(norm::log_softmax(a, ins[0])),
    }
}
