//! Result types from operand types: one function an operator, one file a family, one dispatch.
//!
//! Types alone: no values, no names, no graph. Every sum and product is checked, since extents come from files.

mod conv;
mod elementwise;
mod gradient;
mod integer;
mod pool;
mod quantise;
mod shape;

use super::op::Op;
use super::types::{Element, Shape, ValueType};

/// The most elements that a value may have: beyond any machine, and small enough that byte and work counts
/// made of it fit 64 bits.
pub const MAX_ELEMENTS: usize = 1 << 48;

/// The most axes that a value may have.
pub const MAX_RANK: usize = 64;

/// The types of an operator's results.
///
/// # Errors
/// In plain words why the operands do not fit the operator. Results without elements are refused: no activation is empty.
pub fn infer(op: &Op, operands: &[&ValueType]) -> Result<Vec<ValueType>, String> {
    let results = infer_any(op, operands)?;
    match results.iter().find(|r| r.shape.is_empty()) {
        Some(empty) => Err(format!("its result {empty} has no elements")),
        None => Ok(results),
    }
}

/// As [`infer`], but results may be empty, as they are on the way through chains of constants.
pub(crate) fn infer_any(op: &Op, operands: &[&ValueType]) -> Result<Vec<ValueType>, String> {
    check_arity(op, operands.len())?;
    let result = dispatch(op, operands)?;
    check_size(&result)?;
    Ok(vec![result])
}

fn dispatch(op: &Op, ins: &[&ValueType]) -> Result<ValueType, String> {
    match op {
        Op::Const(tensor) => Ok(ValueType::new(tensor.element(), tensor.shape().clone())),
        Op::Input(_) => Err("the type of an input is given, not inferred".into()),
        Op::Conv(a) => conv::conv(a, ins),
        Op::Dense(_) => conv::dense(ins),
        Op::MatMul(_) => conv::matmul(ins),
        Op::BatchNorm(a) => elementwise::batch_norm(a, ins),
        Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Div(_) => elementwise::binary(ins),
        Op::Relu(_) => elementwise::relu(ins),
        Op::Clip(a) => elementwise::clip(a, ins),
        Op::LeakyRelu(a) => elementwise::leaky_relu(a, ins),
        Op::MaxPool(a) => pool::max_pool(a, ins),
        Op::AvgPool(a) => pool::avg_pool(a, ins),
        Op::GlobalAvgPool(_) => pool::global_avg_pool(ins),
        Op::GlobalMaxPool(_) => pool::global_max_pool(ins),
        Op::ReduceMean(a) => pool::reduce_mean(a, ins),
        Op::Pad(a) => shape::pad(a, ins),
        Op::Slice(a) => shape::slice(a, ins),
        Op::Concat(a) => shape::concat(a, ins),
        Op::Reshape(a) => shape::reshape(a, ins),
        Op::Transpose(a) => shape::transpose(a, ins),
        Op::Softmax(a) => elementwise::along(a.axis, ins),
        Op::Cast(a) => elementwise::cast(a, ins),
        Op::Quantise(a) => quantise::quantise(a, ins),
        Op::Dequantise(a) => quantise::dequantise(a, ins),
        Op::IntConv(a) => integer::conv(a, ins),
        Op::IntDense(a) => integer::dense(a, ins),
        Op::IntSumPool(a) => integer::sum_pool(a, ins),
        Op::Requantise(a) => integer::requantise(a, ins),
        Op::ConvGradX(a) => gradient::conv_x(a, ins),
        Op::ConvGradW(a) => gradient::conv_w(a, ins),
        Op::ChannelSum(_) => gradient::channel_sum(ins),
        Op::ChannelVariance(_) => gradient::channel_variance(ins),
        Op::BatchNormGradScale(a) => gradient::batch_norm_scale(a.epsilon, ins),
        Op::BatchNormGradX(a) => gradient::batch_norm_x(a.epsilon, ins),
        Op::Gate(a) => gradient::gate(a, ins),
        Op::MaxPoolGrad(a) => gradient::max_pool(a, ins),
        Op::AvgPoolGrad(a) => gradient::avg_pool(a, ins),
        Op::Spread(a) => gradient::spread(a, ins),
        Op::LogSoftmax(a) => elementwise::along(a.axis, ins),
    }
}

fn check_arity(op: &Op, given: usize) -> Result<(), String> {
    let arity = op.arity();
    if arity.contains(&given) {
        return Ok(());
    }
    let wanted = match (*arity.start(), *arity.end()) {
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} to {most}"),
    };
    Err(format!("it takes {wanted} operands, not {given}"))
}

/// Refuses more axes or elements than any network has.
fn check_size(ty: &ValueType) -> Result<(), String> {
    if ty.shape.rank() > MAX_RANK {
        return Err(format!("its result has {} axes; {MAX_RANK} are the most", ty.shape.rank()));
    }
    match ty.shape.checked_len() {
        Some(n) if n <= MAX_ELEMENTS => Ok(()),
        _ => Err(format!("its result {ty} has more elements than any memory holds")),
    }
}

fn want_float(what: &str, ty: &ValueType) -> Result<(), String> {
    if ty.element.is_float() { Ok(()) } else { Err(format!("{what} is {}, but must be a float", ty.element)) }
}

fn want_number(what: &str, ty: &ValueType) -> Result<(), String> {
    if ty.element == Element::Bool { Err(format!("{what} is bool, but must be a number")) } else { Ok(()) }
}

fn want_rank(what: &str, ty: &ValueType, rank: usize) -> Result<(), String> {
    if ty.shape.rank() == rank {
        Ok(())
    } else {
        Err(format!("{what} has shape {}: rank {}, but must have rank {rank}", ty.shape, ty.shape.rank()))
    }
}

fn want_axis(axis: usize, ty: &ValueType) -> Result<(), String> {
    let rank = ty.shape.rank();
    if axis < rank { Ok(()) } else { Err(format!("axis {axis} is beyond shape {} (rank {rank})", ty.shape)) }
}

fn want_same_element(a: (&str, &ValueType), b: (&str, &ValueType)) -> Result<(), String> {
    if a.1.element == b.1.element {
        Ok(())
    } else {
        Err(format!("{} is {}, {} is {}: they must be of one type", a.0, a.1.element, b.0, b.1.element))
    }
}

fn sum(terms: &[usize]) -> Result<usize, String> {
    terms
        .iter()
        .try_fold(0usize, |s, &t| s.checked_add(t))
        .ok_or_else(|| format!("{terms:?} add up to more than fits"))
}

/// The shape that `a` and `b` have together by numpy's rule: aligned at the last axis, extents of 1 repeat.
pub(crate) fn broadcast(a: &Shape, b: &Shape) -> Result<Shape, String> {
    let rank = a.rank().max(b.rank());
    let extent = |s: &Shape, i: usize| (i + s.rank()).checked_sub(rank).map_or(1, |j| s.0[j]);
    let join = |i| match (extent(a, i), extent(b, i)) {
        (x, y) if x == y => Ok(x),
        (1, y) => Ok(y),
        (x, 1) => Ok(x),
        (x, y) => Err(format!("shapes {a} and {b} do not fit: extents {x} and {y} at axis {i}")),
    };
    (0..rank).map(join).collect::<Result<_, _>>().map(Shape)
}
