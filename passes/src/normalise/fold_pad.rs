//! Pads around the map go into the window behind them: zeros into a convolution or an average pool that counts
//! them, and into a maximum where nothing is below what they hold. A pad that others read as well stays for those.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{AvgPool, Conv, Edit, Element, MaxPool, Op, Pad, Sides};

use super::nonnegative::is_nonnegative;
use super::rewrite::Outcome;

pub(super) fn fold(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Some(&y) = edit.operands(node).first() else { return Ok(false) };
    let Op::Pad(pad) = edit.op(y.node) else { return Ok(false) };
    let Some(sides) = around_map(pad) else { return Ok(false) };
    let (value, x) = (pad.value, edit.operands(y.node)[0]);
    let folded: Op = match edit.op(node) {
        Op::Conv(conv) if value == 0.0 => Conv { pad: sum(conv.pad, sides), ..conv.clone() }.into(),
        Op::AvgPool(pool) if value == 0.0 && (pool.include_pad || pool.pad == Sides::ZERO) => {
            AvgPool { pad: sum(pool.pad, sides), include_pad: true, ..pool.clone() }.into()
        }
        Op::MaxPool(pool)
            if value <= least(edit.ty(x).element) || (value <= 0.0 && is_nonnegative(edit, x)) =>
        {
            MaxPool { pad: sum(pool.pad, sides), ..pool.clone() }.into()
        }
        _ => return Ok(false),
    };
    let names = edit.node(node).names.clone();
    let operands = [&[x], &edit.operands(node)[1..]].concat();
    // A window that would see padding alone is no pool: then the pad stays.
    let Ok(folded) = edit.named(names).add(folded, &operands) else { return Ok(false) };
    edit.replace(node.into(), folded)?;
    edit.merge_names(folded.node, &edit.node(y.node).names.clone());
    Ok(true)
}

/// What no number of a type of float is below.
fn least(element: Element) -> f64 {
    match element {
        Element::F16 => -65504.0,
        Element::F32 => f64::from(f32::MIN),
        _ => f64::NEG_INFINITY,
    }
}

/// The sides of a pad that leaves batch and channels alone.
fn around_map(pad: &Pad) -> Option<Sides> {
    match (&pad.before[..], &pad.after[..]) {
        (&[0, 0, top, left], &[0, 0, bottom, right]) => Some(Sides { top, left, bottom, right }),
        _ => None,
    }
}

fn sum(a: Sides, b: Sides) -> Sides {
    Sides { top: a.top + b.top, left: a.left + b.left, bottom: a.bottom + b.bottom, right: a.right + b.right }
}
