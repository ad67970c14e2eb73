//! A dense layer takes features in the order in which its map streams: a transposition in front of the flattening
//! goes into the order of the weights.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Edit, Op, Reshape};

use super::linear::Linear;
use super::rewrite::Outcome;

pub(super) fn reorder(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Op::Dense(_) = edit.op(node) else { return Ok(false) };
    let flat = edit.operands(node)[0];
    let Op::Reshape(Reshape { keep_batch: true, dims }) = edit.op(flat.node).clone() else {
        return Ok(false);
    };
    let moved = edit.operands(flat.node)[0];
    let Op::Transpose(transpose) = edit.op(moved.node).clone() else { return Ok(false) };
    if transpose.perm[0] != 0 || dims.len() != 1 {
        return Ok(false);
    }
    let Some(layer) = Linear::of(edit, node) else { return Ok(false) };
    let x = edit.operands(moved.node)[0];
    let from = moved_places(&edit.ty(x).shape.0[1..], &transpose.perm[1..]);
    let names = edit.node(flat.node).names.clone();
    let flat = edit.named(names).add(Reshape { keep_batch: true, dims }, &[x])?;
    let names = edit.node(node).names.clone();
    let Some(dense) = layer.with_features(&from, flat).add_to(edit.named(names))? else { return Ok(false) };
    edit.replace(node.into(), dense)?;
    Ok(true)
}

/// For each element of a frame of extents `dims`, row by row, its place in the transposed frame; axes count from
/// the batch's as 0.
fn moved_places(dims: &[usize], perm: &[usize]) -> Vec<usize> {
    let mut steps = vec![0; dims.len()];
    let mut step = 1;
    for &axis in perm.iter().rev() {
        steps[axis - 1] = step;
        step *= dims[axis - 1];
    }
    let mut places = vec![0];
    for (&extent, &step) in dims.iter().zip(&steps) {
        places = places.iter().flat_map(|place| (0..extent).map(move |i| place + i * step)).collect();
    }
    places
}
