//! An affine map that no weights could take becomes a depthwise convolution of one pixel, so that hardware
//! needs one kind of actor for both.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Edit, Reshape};

use super::affine::Affine;
use super::linear::Linear;
use super::rewrite::Outcome;

pub(super) fn convolve(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Some(map) = Affine::of(edit, node) else { return Ok(false) };
    let x = edit.operands(node)[0];
    let channels = map.scale.len();
    let names = edit.node(node).names.clone();
    edit.named(names);
    match edit.ty(x).shape.rank() {
        4 => {
            let Some(conv) = Linear::by_channel(&map, x).add_to(edit)? else { return Ok(false) };
            edit.replace(node.into(), conv)?;
        }
        2 => {
            let x = edit.add(Reshape { keep_batch: true, dims: vec![channels, 1, 1] }, &[x])?;
            let Some(conv) = Linear::by_channel(&map, x).add_to(edit)? else { return Ok(false) };
            let y = edit.add(Reshape { keep_batch: true, dims: vec![channels] }, &[conv])?;
            edit.replace(node.into(), y)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}
