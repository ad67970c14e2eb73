//! What stands between the network and an output becomes a fact of its port: a layout, a type of float.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Edit, Op, OutputPort};

use super::rewrite::Outcome;

/// Gives out what `node` reads instead of its result.
fn give_operand(edit: &mut Edit<'_>, node: NodeId, change: impl Fn(&mut OutputPort)) -> Outcome {
    let x = edit.operands(node)[0];
    // An input that is given out as it is has no node for its name.
    if matches!(edit.op(x.node), Op::Input(_)) {
        return Ok(false);
    }
    let mut matched = false;
    for i in 0..edit.outputs().len() {
        if edit.outputs()[i].value == node.into() {
            let mut port = OutputPort { value: x, ..edit.outputs()[i].clone() };
            change(&mut port);
            edit.set_output(i, port);
            matched = true;
        }
    }
    Ok(matched)
}

pub(super) fn layout(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Op::Transpose(transpose) = edit.op(node).clone() else { return Ok(false) };
    give_operand(edit, node, |port| {
        port.perm.iter_mut().for_each(|axis| *axis = transpose.perm[*axis]);
    })
}

pub(super) fn cast(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Op::Cast(cast) = edit.op(node) else { return Ok(false) };
    let from = edit.ty(edit.operands(node)[0]).element;
    if !cast.to.is_float() || !from.is_float() {
        return Ok(false);
    }
    give_operand(edit, node, |_| {})
}
