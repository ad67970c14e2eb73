//! A product with a known matrix is a dense layer: of rows of features, or of features that extents of 1 stand
//! in front of.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Dense, Edit, Network, Op, Reshape, Transpose};

use super::rewrite::Outcome;

pub(super) fn recognise(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    if !matches!(edit.op(node), Op::MatMul(_)) {
        return Ok(false);
    }
    let operands = edit.operands(node);
    let (x, matrix) = (operands[0], operands[1]);
    let (from, to) = (edit.ty(x).shape.0.clone(), edit.ty(node.into()).shape.0.clone());
    let is_row = matches!(from[..], [_, .., features] if from[1..].iter().product::<usize>() == features);
    let fits = is_row && from.len() == to.len() && edit.ty(matrix).shape.rank() == 2;
    if !fits || !is_known(edit, matrix) || is_known(edit, x) {
        return Ok(false);
    }
    let names = edit.node(node).names.clone();
    edit.named(names);
    let weights = edit.add(Transpose { perm: vec![1, 0] }, &[matrix])?;
    let value = if from.len() == 2 {
        edit.add(Dense {}, &[x, weights])?
    } else {
        let flat = edit.add(Reshape { keep_batch: true, dims: from[from.len() - 1..].to_vec() }, &[x])?;
        let dense = edit.add(Dense {}, &[flat, weights])?;
        edit.add(Reshape { keep_batch: true, dims: to[1..].to_vec() }, &[dense])?
    };
    edit.replace(node.into(), value)?;
    Ok(true)
}

/// Whether a value is constant, as numbers or as codes.
fn is_known(network: &Network, value: Value) -> bool {
    match network.op(value.node) {
        Op::Const(_) => true,
        Op::Dequantise(_) => network.constant(network.operands(value.node)[0]).is_some(),
        _ => false,
    }
}
