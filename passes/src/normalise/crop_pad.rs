//! A slice of a pad is a pad of a slice, or less: what is cut off was never padded.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Edit, Op, Pad, Slice};

use super::rewrite::Outcome;

pub(super) fn crop(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Op::Slice(slice) = edit.op(node) else { return Ok(false) };
    let y = edit.operands(node)[0];
    let Op::Pad(pad) = edit.op(y.node) else { return Ok(false) };
    let x = edit.operands(y.node)[0];
    let Some((below, around)) = exchanged(slice, pad, &edit.ty(x).shape.0) else { return Ok(false) };
    let names = edit.node(node).names.clone();
    let kept = edit.named(names).add(below, &[x])?;
    let names = edit.node(y.node).names.clone();
    let padded = edit.named(names).add(around, &[kept])?;
    edit.redirect(node.into(), padded)?;
    Ok(true)
}

/// The slice of what is padded and the pad around that; nothing where a slice keeps padding alone, or steps over it.
fn exchanged(slice: &Slice, pad: &Pad, extents: &[usize]) -> Option<(Slice, Pad)> {
    let mut below = slice.clone();
    let mut around = Pad { before: Vec::new(), after: Vec::new(), value: pad.value };
    for (axis, &extent) in extents.iter().enumerate() {
        let (before, after) = (pad.before[axis], pad.after[axis]);
        let (start, len) = (slice.start[axis], slice.len[axis]);
        if before == 0 && after == 0 {
            around.before.push(0);
            around.after.push(0);
            continue;
        }
        if slice.step[axis] != 1 && len > 1 {
            return None;
        }
        let (first, end) = (start.saturating_sub(before), (start + len).saturating_sub(before).min(extent));
        if first >= end {
            return None;
        }
        (below.start[axis], below.step[axis], below.len[axis]) = (first, 1, end - first);
        around.before.push(before.saturating_sub(start));
        around.after.push(len - (end - first) - before.saturating_sub(start));
    }
    Some((below, around))
}
