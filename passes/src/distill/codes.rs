//! Trained numbers back into layers: as floats, or as the codes that stand nearest to them.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, Element, Network, Op, Quantise};
use nonresc_ir::tensor::Tensor;

use super::ties::Parts;

/// Gives a layer of a network in normal form other weights and another bias, this in whole steps of its sums and a part of
/// one, where these are said by channel.
pub(super) fn put(
    edit: &mut Edit<'_>,
    node: NodeId,
    weight: Vec<f32>,
    mut bias: Vec<f32>,
    parts: Option<Parts>,
) -> Result<(), String> {
    let operands = edit.operands(node);
    let new_weight = operand(edit, operands[1], weight)?;
    let has_bias = operands.get(2).copied();
    for (bias, (step, part)) in bias.iter_mut().zip(parts.into_iter().flatten()) {
        *bias = (((f64::from(*bias) / step - part).round_ties_even() + part) * step) as f32;
    }
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

/// Whether an operator puts numbers in other places, and no more.
pub(super) fn is_move(op: &Op) -> bool {
    matches!(
        op,
        Op::Pad(_) | Op::Slice(_) | Op::Reshape(_) | Op::MaxPool(_) | Op::GlobalMaxPool(_) | Op::Transpose(_)
    )
}

/// The value whose numbers a value holds in other places.
pub(super) fn moved_from(network: &Network, mut value: Value) -> Value {
    while is_move(network.op(value.node)) {
        value = network.operands(value.node)[0];
    }
    value
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
    let codes = match quantiser_of(stored, op.axis) {
        Some(quantise) => {
            let zero = zero_of(zero, &quantise).ok_or("a zero point beyond its codes")?;
            nonresc_ir::eval::operator::<f32>(&quantise.into(), &[&floats, scale, &zero])?
        }
        None => wide(&floats, scale, zero, stored.element())?,
    };
    // A file may hold codes in a wider type than they need.
    let codes = Tensor::from_f64(stored.element(), codes.shape().clone(), &codes.to_f64());
    let codes = codes.ok_or("a code beyond its type")?;
    let names = edit.node(operands[0].node).names.clone();
    let codes = edit.named(names).constant(codes);
    let names = edit.node(old.node).names.clone();
    edit.named(names).add(op, &[codes, operands[1], operands[2]]).map_err(|e| e.to_string())
}

/// The quantiser that gives codes like these: of the fewest bits that hold them all, 2 at least, and without the least code
/// where none has it. Nothing for what is no integer, of one bit, or of more bits than quantisers give.
pub(super) fn quantiser_of(stored: &Tensor, axis: usize) -> Option<Quantise> {
    let Element::Int { bits: bits @ 2..=16, signed } = stored.element() else { return None };
    let codes = stored.to_i64()?;
    let of = |bits: u8, narrow: bool| Quantise { bits, signed, narrow, axis, ..Quantise::default() };
    let holds = |quantise: &Quantise| {
        let [least, most] = quantise.limits();
        codes.iter().all(|code| (least..=most).contains(code))
    };
    (2..=bits).flat_map(|bits| [of(bits, signed), of(bits, false)]).find(holds)
}

/// Zero points as codes of a quantiser.
pub(super) fn zero_of(zero: &Tensor, quantise: &Quantise) -> Option<Tensor> {
    let element = Element::Int { bits: quantise.bits, signed: quantise.signed };
    Tensor::from_f64(element, zero.shape().clone(), &zero.to_f64())
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
