//! Affine maps go into the weights before them, or behind them.
//!
//! Back: into a convolution or dense layer that nobody else reads. Weights are made anew, so that another
//! layer may share the old ones. Forward: into all that read the map, where each is a layer without padding
//! (padded zeros are not mapped, so they may stand around only where the map keeps zeros).

use nonresc_ir::id::NodeId;
use nonresc_ir::network::Edit;

use super::affine::Affine;
use super::linear::Linear;
use super::rewrite::Outcome;

pub(super) fn back(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Some(map) = Affine::of(edit, node) else { return Ok(false) };
    let y = edit.operands(node)[0];
    let Some(layer) = Linear::of(edit, y.node) else { return Ok(false) };
    if edit.sole_reader(y) != Some(node) {
        return Ok(false);
    }
    let names = edit.node(y.node).names.clone();
    let Some(folded) = layer.then(edit, &map).add_to(edit.named(names))? else { return Ok(false) };
    edit.replace(node.into(), folded)?;
    Ok(true)
}

pub(super) fn forward(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Some(map) = Affine::of(edit, node) else { return Ok(false) };
    let readers = edit.users(node.into());
    if readers.is_empty() || edit.is_output(node.into()) {
        return Ok(false);
    }
    let layers: Option<Vec<Linear>> = readers.iter().map(|&(reader, _)| Linear::of(edit, reader)).collect();
    let Some(layers) = layers else { return Ok(false) };
    if layers.iter().any(|layer| layer.is_padded()) && !map.keeps_zero() {
        return Ok(false);
    }
    let (x, names) = (edit.operands(node)[0], edit.node(node).names.clone());
    let mut folded = Vec::with_capacity(layers.len());
    for (layer, &(reader, _)) in layers.iter().zip(&readers) {
        let names = edit.node(reader).names.clone();
        let Some(value) = layer.after(&map, x).add_to(edit.named(names))? else { return Ok(false) };
        folded.push(value);
    }
    for ((reader, _), value) in readers.into_iter().zip(folded) {
        edit.replace(reader.into(), value)?;
        edit.merge_names(value.node, &names);
    }
    Ok(true)
}
