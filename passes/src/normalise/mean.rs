//! Means over height and width, in one step or in two, are global average pools.

use std::collections::BTreeSet;

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Edit, GlobalAvgPool, Op, ReduceMean, Reshape};

use super::rewrite::Outcome;

pub(super) fn pool(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Op::ReduceMean(mean) = edit.op(node).clone() else { return Ok(false) };
    if !mean.keep_axes {
        return keep_axes(edit, node, &mean);
    }
    let y = edit.operands(node)[0];
    let names = edit.node(node).names.clone();
    if let Op::ReduceMean(inner @ ReduceMean { keep_axes: true, .. }) = edit.op(y.node) {
        let axes: BTreeSet<usize> = inner.axes.iter().chain(&mean.axes).copied().collect();
        let both = ReduceMean { axes: axes.into_iter().collect(), keep_axes: true };
        let x = edit.operands(y.node)[0];
        let value = edit.named(names).add(both, &[x])?;
        edit.replace(node.into(), value)?;
        return Ok(true);
    }
    let shape = &edit.ty(y).shape.0;
    let long = |axes: &[usize]| axes.iter().copied().filter(|&a| shape[a] != 1).collect::<Vec<_>>();
    if shape.len() != 4 || long(&mean.axes) != long(&[2, 3]) {
        return under_reshape(edit, node, &mean);
    }
    let value = edit.named(names).add(GlobalAvgPool {}, &[y])?;
    edit.replace(node.into(), value)?;
    Ok(true)
}

/// A mean that drops its axes is one that keeps them, and a reshape.
fn keep_axes(edit: &mut Edit<'_>, node: NodeId, mean: &ReduceMean) -> Outcome {
    let (x, names) = (edit.operands(node)[0], edit.node(node).names.clone());
    let dims = edit.ty(node.into()).shape.0[1..].to_vec();
    let kept = edit.named(names).add(ReduceMean { keep_axes: true, ..mean.clone() }, &[x])?;
    let value = edit.add(Reshape { keep_batch: true, dims }, &[kept])?;
    edit.redirect(node.into(), value)?;
    Ok(true)
}

/// A mean of a reshaped value is the mean over the axes that its own came from, where they came whole.
fn under_reshape(edit: &mut Edit<'_>, node: NodeId, mean: &ReduceMean) -> Outcome {
    let y = edit.operands(node)[0];
    if !matches!(edit.op(y.node), Op::Reshape(Reshape { keep_batch: true, .. })) {
        return Ok(false);
    }
    let x = edit.operands(y.node)[0];
    let (from, to) = (&edit.ty(x).shape.0, &edit.ty(y).shape.0);
    let mut axes = Vec::new();
    for (of_x, of_y) in groups(&from[1..], &to[1..]) {
        let long = |a: &usize| to[a + 1] != 1;
        let (mut reduced, mut all) = (false, true);
        for a in of_y.filter(long) {
            let is = mean.axes.contains(&(a + 1));
            (reduced, all) = (reduced || is, all && is);
        }
        if reduced && !all {
            return Ok(false);
        }
        if reduced {
            axes.extend(of_x.map(|a| a + 1));
        }
    }
    if mean.axes.contains(&0) {
        return Ok(false);
    }
    let names = edit.node(node).names.clone();
    let dims = edit.ty(node.into()).shape.0[1..].to_vec();
    let below = edit.named(names).add(ReduceMean { axes, keep_axes: true }, &[x])?;
    let value = edit.add(Reshape { keep_batch: true, dims }, &[below])?;
    edit.redirect(node.into(), value)?;
    Ok(true)
}

type Range = std::ops::Range<usize>;

/// The least runs of axes of two shapes of equal length that hold the same elements.
pub(super) fn groups(a: &[usize], b: &[usize]) -> Vec<(Range, Range)> {
    let mut groups: Vec<(Range, Range)> = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let start = (i, j);
        let (mut x, mut y) = (a[i], b[j]);
        (i, j) = (i + 1, j + 1);
        while x != y {
            if x < y {
                x *= a[i];
                i += 1;
            } else {
                y *= b[j];
                j += 1;
            }
        }
        groups.push((start.0..i, start.1..j));
    }
    // Extents of 1 are left over at the end of one of them.
    match groups.last_mut() {
        Some(last) => *last = (last.0.start..a.len(), last.1.start..b.len()),
        None => groups.push((0..a.len(), 0..b.len())),
    }
    groups
}
