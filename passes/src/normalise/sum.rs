//! Sums of a value with itself, and differences.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Add, Edit, Network, Op};

use super::affine::Affine;
use super::rewrite::Outcome;

/// `x + x` is twice `x`, and no skip.
pub(super) fn double(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let operands = edit.operands(node);
    let ty = edit.ty(node.into());
    if !matches!(edit.op(node), Op::Add(_)) || operands[0] != operands[1] {
        return Ok(false);
    }
    if !ty.element.is_float() || ty.shape.rank() < 2 {
        return Ok(false);
    }
    let channels = ty.shape.0[1];
    let twice = Affine { scale: vec![2.0; channels], shift: vec![0.0; channels] };
    let names = edit.node(node).names.clone();
    let Some(y) = twice.of_value(edit.named(names), operands[0])? else { return Ok(false) };
    edit.replace(node.into(), y)?;
    Ok(true)
}

/// `x - y` is the sum of `x` and of `y` times -1, which goes into weights.
pub(super) fn difference(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let operands = edit.operands(node);
    if !matches!(edit.op(node), Op::Sub(_)) || operands.iter().any(|&v| Network::constant(edit, v).is_some())
    {
        return Ok(false);
    }
    let ty = edit.ty(operands[1]);
    if !ty.element.is_float() || ty.shape.rank() < 2 {
        return Ok(false);
    }
    let channels = ty.shape.0[1];
    let minus = Affine { scale: vec![-1.0; channels], shift: vec![0.0; channels] };
    let names = edit.node(node).names.clone();
    let Some(y) = minus.of_value(edit.named(names), operands[1])? else { return Ok(false) };
    let sum = edit.add(Add {}, &[operands[0], y])?;
    edit.replace(node.into(), sum)?;
    Ok(true)
}
