//! A row of features that was given extents of 1 stays a row behind what maps each element by itself, so that the
//! bias of a dense layer stands behind it.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Edit, Network, Op, Reshape};
use nonresc_ir::tensor::Tensor;

use super::rewrite::Outcome;

pub(super) fn sink(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let operands = edit.operands(node);
    let Some(place) = operands.iter().position(|&v| matches!(edit.op(v.node), Op::Reshape(_))) else {
        return Ok(false);
    };
    let y = operands[place];
    let Op::Reshape(reshape @ Reshape { keep_batch: true, .. }) = edit.op(y.node).clone() else {
        return Ok(false);
    };
    let x = edit.operands(y.node)[0];
    let &[_, features] = &edit.ty(x).shape.0[..] else { return Ok(false) };
    if edit.ty(node.into()).shape != edit.ty(y).shape || edit.ty(y).shape.rank() == 2 {
        return Ok(false);
    }
    let op = edit.op(node).clone();
    let operands = match &op {
        Op::Relu(_) | Op::Clip(_) | Op::LeakyRelu(_) | Op::Cast(_) => vec![x],
        Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Div(_) => {
            let Some(tensor) = Network::constant(edit, operands[1 - place]).cloned() else {
                return Ok(false);
            };
            let Some(row) = row(&tensor, features) else { return Ok(false) };
            let row = edit.constant(row);
            if place == 0 { vec![x, row] } else { vec![row, x] }
        }
        _ => return Ok(false),
    };
    let names = edit.node(node).names.clone();
    let below = edit.named(names).add(op, &operands)?;
    let names = edit.node(y.node).names.clone();
    let value = edit.named(names).add(reshape, &[below])?;
    edit.redirect(node.into(), value)?;
    Ok(true)
}

/// A constant that broadcasts against a reshaped row, as it does against the row itself.
fn row(tensor: &Tensor, features: usize) -> Option<Tensor> {
    match tensor.len() {
        1 => tensor.reshaped([]),
        n if n == features => tensor.reshaped([features]),
        _ => None,
    }
}
