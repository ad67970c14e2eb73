//! An affine map of an affine map that nobody else reads is one.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::Edit;

use super::affine::Affine;
use super::rewrite::Outcome;

pub(super) fn merge(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Some(outer) = Affine::of(edit, node) else { return Ok(false) };
    let y = edit.operands(node)[0];
    let Some(inner) = Affine::of(edit, y.node) else { return Ok(false) };
    if edit.sole_reader(y) != Some(node) {
        return Ok(false);
    }
    let (x, names) = (edit.operands(y.node)[0], edit.node(y.node).names.clone());
    let Some(both) = inner.then(&outer).of_value(edit.named(names), x)? else { return Ok(false) };
    edit.replace(node.into(), both)?;
    Ok(true)
}
