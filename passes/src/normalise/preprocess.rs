//! An affine map at the network's input is taken off the graph, as what is done to pixels before it.
//!
//! Engines apply it and a written file has it again, so the function stays. It is left where the layers behind
//! it are not padded, since there it goes into their weights and hardware may take the pixels as they are.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, Network, Op, Preprocess};

use super::affine::Affine;
use super::affine_of_arithmetic::affine;
use super::linear::Linear;
use super::rewrite::Outcome;

pub(super) fn take(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let Some((x, map)) = map_of(edit, node) else { return Ok(false) };
    let first = edit.inputs().first().is_some_and(|port| Value::from(port.node) == x);
    if !first || edit.sole_reader(x) != Some(node) || edit.is_output(node.into()) {
        return Ok(false);
    }
    if map.scale.contains(&0.0) || goes_into_weights(edit, node.into()) {
        return Ok(false);
    }
    let known = edit.preprocess().cloned();
    let known = known.unwrap_or(Preprocess { scale: 1.0, mean: vec![0.0], std: vec![1.0] });
    let Some(preprocess) = after(&known, &map) else { return Ok(false) };
    edit.set_preprocess(Some(preprocess));
    edit.redirect(node.into(), x)?;
    Ok(true)
}

/// The map that a node is, and what it maps.
fn map_of(network: &Network, node: NodeId) -> Option<(Value, Affine)> {
    match Affine::of(network, node) {
        Some(map) => Some((network.operands(node)[0], map)),
        None => affine(network, node),
    }
}

/// Whether all that reads the value are layers without padding, perhaps behind more maps.
fn goes_into_weights(network: &Network, value: Value) -> bool {
    let mut value = value;
    while let Some(reader) = network.sole_reader(value).filter(|&r| map_of(network, r).is_some()) {
        value = reader.into();
    }
    let padded = |node| Linear::of(network, node).is_none_or(|layer| layer.is_padded());
    !network.users(value).into_iter().any(|(reader, _)| padded(reader) || pads(network, reader))
}

fn pads(network: &Network, node: NodeId) -> bool {
    matches!(network.op(node), Op::Pad(_))
}

/// `map` of `(x * scale - mean) / std`, in the same form; nothing where it has none with deviations above zero.
fn after(p: &Preprocess, map: &Affine) -> Option<Preprocess> {
    let channels = map.scale.len();
    let at = |list: &[f64], c: usize| if list.len() == 1 { list[0] } else { list[c] };
    let untouched = p.mean.iter().all(|&m| m == 0.0) && p.std.iter().all(|&s| s == 1.0);
    if untouched && map.scale.iter().all(|&s| s == map.scale[0]) {
        let mean = map.shift.iter().map(|b| 0.0 - b).collect();
        return Some(Preprocess { scale: p.scale * map.scale[0], mean, std: vec![1.0; channels] });
    }
    let std: Vec<f64> = (0..channels).map(|c| at(&p.std, c) / map.scale[c]).collect();
    let mean: Vec<f64> = (0..channels).map(|c| at(&p.mean, c) - map.shift[c] * std[c]).collect();
    let negated = |list: Vec<f64>| list.into_iter().map(|x| 0.0 - x).collect();
    if std.iter().all(|&s| s > 0.0) {
        Some(Preprocess { scale: p.scale, mean, std })
    } else if std.iter().all(|&s| s < 0.0) {
        Some(Preprocess { scale: -p.scale, mean: negated(mean), std: negated(std) })
    } else {
        None
    }
}
