//! Trained numbers back into layers: as floats, or as the codes that stand nearest to them.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, Element, Network, Op, Quantise};
use nonresc_ir::tensor::Tensor;

/// Gives a layer of a network in normal form other weights and another bias.
pub(super) fn put(edit: &mut Edit<'_>, node: NodeId, weight: Vec<f32>, bias: Vec<f32>) -> Result<(), String> {
    let operands = edit.operands(node);
    let new_weight = operand(edit, operands[1], weight)?;
    let has_bias = operands.get(2).copied();
    let new_bias = match has_bias {
        Some(old) => Some(operand(edit, old, bias)?),
        None if bias.iter().all(|&b| b == 0.0) => None,
        None => {
            let len = bias.len();
            Some(edit.constant(Tensor::f32([len], bias).ok_or("a bias of another length")?))
        }
    };
    let (op, names) = (edit.op(node).clone(), edit.node(node).names.clone());
    let all: Vec<Value> = [operands[0], new_weight].into_iter().chain(new_bias).collect();
    let layer = edit.named(names).add(op, &all).map_err(|e| e.to_string())?;
    edit.redirect(node.into(), layer).map_err(|e| e.to_string())
}

/// A constant, or codes behind a dequantiser, with other numbers in the place of those of `old`.
fn operand(edit: &mut Edit<'_>, old: Value, numbers: Vec<f32>) -> Result<Value, String> {
    let shape = edit.ty(old).shape.clone();
    let floats = Tensor::f32(shape, numbers).ok_or("numbers of another shape")?;
    let Op::Dequantise(op) = edit.op(old.node).clone() else {
        let names = edit.node(old.node).names.clone();
        return Ok(edit.named(names).constant(floats));
    };
    let operands = edit.operands(old.node);
    let network: &Network = edit;
    let known = |value: Value| network.constant(value).ok_or("codes that are not known");
    let (stored, scale, zero) = (known(operands[0])?, known(operands[1])?, known(operands[2])?);
    let Element::Int { bits, signed } = stored.element() else {
        return Err("codes that are no integers".into());
    };
    let codes = match bits {
        ..=16 => {
            let least = Quantise { bits, signed, ..Quantise::default() }.limits()[0];
            let narrow = signed && !stored.to_i64().unwrap_or_default().contains(&least);
            let quantise = Quantise { bits, signed, narrow, axis: op.axis, ..Quantise::default() };
            nonresc_ir::eval::operator::<f32>(&quantise.into(), &[&floats, scale, zero])?
        }
        _ => wide(&floats, scale, zero, stored.element())?,
    };
    let names = edit.node(operands[0].node).names.clone();
    let codes = edit.named(names).constant(codes);
    let names = edit.node(old.node).names.clone();
    edit.named(names).add(op, &[codes, operands[1], operands[2]]).map_err(|e| e.to_string())
}

/// Codes of more bits than quantisers give, as biases have: one scale, or one an element.
fn wide(floats: &Tensor, scale: &Tensor, zero: &Tensor, element: Element) -> Result<Tensor, String> {
    let (scale, zero) = (scale.to_f64(), zero.to_f64());
    let of = |list: &[f64], i: usize| if list.len() == 1 { list[0] } else { list[i] };
    let codes: Vec<f64> = floats
        .to_f64()
        .iter()
        .enumerate()
        .map(|(i, x)| (x / of(&scale, i)).round_ties_even() + of(&zero, i))
        .collect();
    Tensor::from_f64(element, floats.shape().clone(), &codes).ok_or_else(|| "a bias beyond its codes".into())
}
