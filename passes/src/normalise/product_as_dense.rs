//! A product with a constant matrix is a dense layer: of rows of features, or of features that extents of 1
//! stand in front of.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Edit, Network, Op, Reshape};

use super::linear::Linear;
use super::rewrite::Outcome;

pub(super) fn recognise(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    if !matches!(edit.op(node), Op::MatMul(_)) {
        return Ok(false);
    }
    let operands = edit.operands(node);
    let x = operands[0];
    let Some(weights) = Network::constant(edit, operands[1]).cloned() else { return Ok(false) };
    let (from, to) = (edit.ty(x).shape.0.clone(), edit.ty(node.into()).shape.0.clone());
    let is_row = matches!(from[..], [_, .., features] if from[1..].iter().product::<usize>() == features);
    if !is_row || from.len() != to.len() || !edit.ty(x).element.is_float() {
        return Ok(false);
    }
    let names = edit.node(node).names.clone();
    edit.named(names);
    let flat = match from.len() {
        2 => x,
        _ => edit.add(Reshape { keep_batch: true, dims: from[from.len() - 1..].to_vec() }, &[x])?,
    };
    let Some(layer) = Linear::product(&weights, flat) else { return Ok(false) };
    let Some(dense) = layer.add_to(edit)? else { return Ok(false) };
    let value = match to.len() {
        2 => dense,
        _ => edit.add(Reshape { keep_batch: true, dims: to[1..].to_vec() }, &[dense])?,
    };
    edit.replace(node.into(), value)?;
    Ok(true)
}
