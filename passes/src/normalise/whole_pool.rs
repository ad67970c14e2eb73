//! A window that sees the whole map is a global pool.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Edit, GlobalAvgPool, GlobalMaxPool, Op, Pair, Sides};

use super::rewrite::Outcome;

pub(super) fn global(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Some(&x) = edit.operands(node).first() else { return Ok(false) };
    let (Some((_, h, w)), Some((_, 1, 1))) = (edit.ty(x).shape.chw(), edit.ty(node.into()).shape.chw())
    else {
        return Ok(false);
    };
    let sees = |kernel: Pair, pad: Sides, dilation: Pair| {
        let axis = |extent, before, kernel, dilation: usize| {
            (dilation == 1 || extent == 1) && kernel >= before + extent
        };
        axis(h, pad.top, kernel.h, dilation.h) && axis(w, pad.left, kernel.w, dilation.w)
    };
    let op: Op = match edit.op(node) {
        Op::AvgPool(a) if sees(a.kernel, a.pad, a.dilation) && (!a.include_pad || a.pad == Sides::ZERO) => {
            GlobalAvgPool {}.into()
        }
        Op::MaxPool(a) if sees(a.kernel, a.pad, a.dilation) => GlobalMaxPool {}.into(),
        _ => return Ok(false),
    };
    let names = edit.node(node).names.clone();
    let value = edit.named(names).add(op, &[x])?;
    edit.replace(node.into(), value)?;
    Ok(true)
}
