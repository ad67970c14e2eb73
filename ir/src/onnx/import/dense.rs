//! Matrix products: Gemm and MatMul, as dense layers where the right factor is a matrix.

use std::sync::Arc;

use super::attribute::{Attribute, Kind};
use super::call::{Call, Fault};
use super::importer::Item;
use super::table::Operator;
use super::{constant, shape};
use crate::network::{Add, Dense, MatMul, Mul, Shape, Transpose};
use crate::tensor::Tensor;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Gemm", (2, 3), gemm).with(&[
        Attribute::new("alpha", Kind::Float),
        Attribute::new("beta", Kind::Float),
        Attribute::new("transA", Kind::Int),
        Attribute::new("transB", Kind::Int),
    ]),
    Operator::new("MatMul", (2, 2), |call| {
        let (a, b) = (call.operand(0)?, call.operand(1)?);
        product(call, &a, &b)
    }),
];

/// `a` times `b`, as a dense layer where both are matrices.
pub(super) fn product(call: &mut Call<'_, '_>, a: &Item, b: &Item) -> Result<Item, Fault> {
    let matrices = call.shape(a).rank() == 2 && call.shape(b).rank() == 2;
    let folds = matches!((a, b), (Item::Const(_), Item::Const(_)));
    if matrices && !folds && matches!(b, Item::Const(_) | Item::Value { fixed: true, .. }) {
        let w = transposed(call, b)?;
        return call.emit(Dense {}, &[a, &w]);
    }
    call.emit(MatMul {}, &[a, b])
}

pub(super) fn transposed(call: &mut Call<'_, '_>, matrix: &Item) -> Result<Item, Fault> {
    let shape = call.shape(matrix);
    if shape.rank() != 2 {
        return Err(format!("a factor has shape {shape}, but must have rank 2").into());
    }
    call.emit(Transpose { perm: vec![1, 0] }, &[matrix])
}

fn gemm(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let (a, b) = (call.operand(0)?, call.parameter(1, "weight")?);
    let c = if call.has(2) { Some(call.parameter(2, "bias")?) } else { None };
    let (alpha, beta) = (call.float("alpha").unwrap_or(1.0), call.float("beta").unwrap_or(1.0));
    if !alpha.is_finite() || !beta.is_finite() {
        return Err(format!("its alpha {alpha} or beta {beta} is not finite").into());
    }
    let a = if truth(call, "transA") { transposed(call, &a)? } else { a };
    let w = if truth(call, "transB") { b } else { transposed(call, &b)? };
    let w = scaled(call, &w, alpha)?;
    let c = match c {
        Some(c) if beta != 0.0 => Some(scaled(call, &c, beta)?),
        _ => None,
    };
    dense(call, &a, &w, c.as_ref())
}

/// Whole-number attributes of Gemm count as true where they are not 0 (ONNX Gemm).
pub(super) fn truth(call: &Call<'_, '_>, name: &str) -> bool {
    call.int(name).unwrap_or(0) != 0
}

/// A dense layer with `w` [O,F] and whatever ONNX lets a bias be.
pub(super) fn dense(call: &mut Call<'_, '_>, x: &Item, w: &Item, bias: Option<&Item>) -> Result<Item, Fault> {
    let Some(bias) = bias else { return call.emit(Dense {}, &[x, w]) };
    let outputs = call.shape(w).0.first().copied().unwrap_or(0);
    let shape = call.shape(bias);
    let vector = shape.rank() <= 2 && shape.len() == outputs && shape.0.last() == Some(&outputs);
    if vector {
        let bias = shape::reshaped(call, bias, vec![outputs])?;
        return call.emit(Dense {}, &[x, w, &bias]);
    }
    if let (Item::Const(tensor), 1) = (bias, shape.len()) {
        let spread = Shape(vec![outputs]);
        call.importer.budget.take(tensor.element(), &spread)?;
        let spread = constant::picked(tensor, spread, |_| 0)?;
        return call.emit(Dense {}, &[x, w, &Item::Const(Arc::new(spread))]);
    }
    let product = call.emit(Dense {}, &[x, w])?;
    let sum = call.emit(Add {}, &[&product, bias])?;
    if call.shape(&sum) != call.shape(&product) {
        return Err(format!("its bias of shape {shape} is larger than its product").into());
    }
    Ok(sum)
}

fn scaled(call: &mut Call<'_, '_>, item: &Item, factor: f64) -> Result<Item, Fault> {
    if factor == 1.0 {
        return Ok(item.clone());
    }
    let factor = Tensor::from_f64(call.ty(item).element, [], &[factor])
        .ok_or("a factor does not fit the type of its operand")?;
    call.emit(Mul {}, &[item, &Item::Const(Arc::new(factor))])
}
