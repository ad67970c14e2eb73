//! A skip becomes several that span one convolution each. The function changes.
//!
//! Two forms are published: the sum stands in front of the activation, as in a ShortResNet, or behind it, as Tailor's
//! SkipShortener has it. A short skip is the identity where the convolution keeps the shape; the skip's own branch
//! where that gives what the convolution gives; else a new convolution of one pixel, whose weights begin as far as
//! they go as the identity and want training.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::names::Names;
use nonresc_ir::network::{Add, Conv, Edit, EditError, Network, Op};
use nonresc_ir::tensor::Tensor;

use super::chain::{Link, chain};
use crate::residual::Skip;

/// Where the sums stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sums {
    /// In front of the activations.
    InFront,
    /// Behind them.
    Behind,
}

/// Whether the skip can be shortened; else why not.
pub(super) fn check(network: &Network, skip: &Skip) -> Result<Vec<Link>, String> {
    let links = chain(network, skip)?;
    if links.len() < 2 {
        return Err("it spans one convolution already".into());
    }
    let map = |value: Value| network.ty(value).shape.chw();
    if links.iter().any(|link| map(link.conv.into()).is_none()) || map(skip.source).is_none() {
        return Err("it carries no map".into());
    }
    Ok(links)
}

/// Shortens the skip; gives the operands of the new sums that the short skips end in.
pub(super) fn rewrite(network: &mut Network, skip: &Skip, sums: Sums) -> Result<Vec<(NodeId, u16)>, String> {
    let links = check(network, skip)?;
    let failed = |fault: EditError| fault.to_string();
    let branch = network.operands(skip.join)[usize::from(skip.operand)];
    let join_names = network.node(skip.join).names.clone();
    // The activation behind the join, where it alone reads that.
    let behind = match network.users(skip.join.into())[..] {
        [(node, 0)] if matches!(network.op(node), Op::Relu(_) | Op::Clip(_) | Op::LeakyRelu(_)) => Some(node),
        _ => None,
    };
    let (mut edit, mut places, mut x) = (Edit::new(network), Vec::new(), skip.source);
    let last = links.len() - 1;
    for (i, link) in links.iter().enumerate() {
        let operands = edit.operands(link.conv);
        let (op, names) = (edit.op(link.conv).clone(), edit.node(link.conv).names.clone());
        edit.named(names);
        let y = edit.add(op, &[&[x], &operands[1..]].concat()).map_err(failed)?;
        let short = short_skip(&mut edit, x, y, (i == 0).then_some(branch), link.conv).map_err(failed)?;
        let activation = if i == last { behind } else { link.then };
        // The sum's own place for the last one; the activation that is there stays behind it.
        let activated = |edit: &mut Edit<'_>, value: Value| match activation {
            Some(node) => {
                let (op, names) = (edit.op(node).clone(), edit.node(node).names.clone());
                edit.named(names);
                edit.add(op, &[value])
            }
            None => Ok(value),
        };
        let summand = if sums == Sums::Behind { activated(&mut edit, y).map_err(failed)? } else { y };
        edit.named(if i == last { join_names.clone() } else { Names::default() });
        let sum = edit.add(Add {}, &[summand, short]).map_err(failed)?;
        places.push((sum.node, 1));
        x = if sums == Sums::InFront { activated(&mut edit, sum).map_err(failed)? } else { sum };
    }
    let old = behind.unwrap_or(skip.join);
    edit.named(Names::default());
    edit.redirect(old.into(), x).map_err(failed)?;
    edit.remove_dead();
    Ok(places)
}

/// What goes from `x` around the convolution that gives `y`.
fn short_skip(
    edit: &mut Edit<'_>,
    x: Value,
    y: Value,
    branch: Option<Value>,
    conv: NodeId,
) -> Result<Value, EditError> {
    if edit.ty(x) == edit.ty(y) {
        return Ok(x);
    }
    if let Some(branch) = branch.filter(|&branch| edit.ty(branch) == edit.ty(y)) {
        return Ok(branch);
    }
    let (element, stride) = (
        edit.ty(y).element,
        match edit.op(conv) {
            Op::Conv(a) => a.stride,
            _ => Conv::default().stride,
        },
    );
    let channels = |value: Value| edit.ty(value).shape.0[1];
    let (outputs, inputs) = (channels(y), channels(x));
    let mut numbers = vec![0.0; outputs * inputs];
    (0..outputs.min(inputs)).for_each(|c| numbers[c * inputs + c] = 1.0);
    let weights = Tensor::from_f64(element, [outputs, inputs, 1, 1], &numbers)
        .ok_or_else(|| EditError("weights of another element than the map's".into()))?;
    edit.named(Names::default());
    let weights = edit.constant(weights);
    edit.add(Conv { stride, ..Conv::default() }, &[x, weights])
}
