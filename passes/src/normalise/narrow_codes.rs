//! Codes that are clipped to the range of fewer bits have fewer bits: files have types of 8 and 16 bits alone.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::names::Names;
use nonresc_ir::network::{Clip, Dequantise, Edit, Element, Network, Op, Quantise};
use nonresc_ir::tensor::Tensor;

use super::rewrite::Outcome;

/// A clip of codes that only dequantisers of the same zero point read: what quantises gives what is left, and they read
/// that.
pub(super) fn narrow(edit: &mut Edit<'_>, node: NodeId) -> Outcome {
    let &Op::Clip(Clip { min, max }) = edit.op(node) else { return Ok(false) };
    let codes = edit.operands(node)[0];
    let Op::Quantise(wide) = edit.op(codes.node).clone() else { return Ok(false) };
    let Some(narrow) = fewer_bits(&wide, min, max) else { return Ok(false) };
    let [x, scale, zero] = edit.operands(codes.node)[..] else { return Ok(false) };
    let Some(readers) = dequantisers(edit, node, zero) else { return Ok(false) };
    let Some(zero) = retyped(edit, zero, &narrow) else { return Ok(false) };

    let zero = edit.named(Names::default()).constant(zero);
    let names = edit.node(node).names.clone();
    let codes = edit.named(names).add(narrow, &[x, scale, zero])?;
    for (reader, op, scale) in readers {
        let names = edit.node(reader).names.clone();
        let values = edit.named(names).add(op, &[codes, scale, zero])?;
        edit.replace(reader.into(), values)?;
    }
    Ok(true)
}

/// The quantiser whose codes have this range, where it has fewer bits.
fn fewer_bits(wide: &Quantise, min: f64, max: f64) -> Option<Quantise> {
    let narrow = |bits: u8| [false, true].map(|narrow| Quantise { bits, narrow, ..wide.clone() });
    let mut all = (1..wide.bits).flat_map(narrow).filter(|q| !q.narrow || q.signed && q.bits > 1);
    all.find(|q| q.limits().map(|code| code as f64) == [min, max])
}

/// A zero point as the codes of another quantiser have it.
fn retyped(edit: &Edit<'_>, zero: Value, codes: &Quantise) -> Option<Tensor> {
    let zero = Network::constant(edit, zero)?;
    let [least, most] = codes.limits().map(|code| code as f64);
    let there = zero.all(|z| least <= z && z <= most);
    let element = Element::Int { bits: codes.bits, signed: codes.signed };
    there.then(|| Tensor::from_f64(element, zero.shape().clone(), &zero.to_f64()))?
}

/// The readers of a value with their scales; nothing where there are none, or others than dequantisers with this zero
/// point.
fn dequantisers(edit: &Edit<'_>, node: NodeId, zero: Value) -> Option<Vec<(NodeId, Dequantise, Value)>> {
    let zero = Network::constant(edit, zero)?;
    let reader = |(reader, _): (NodeId, u16)| match edit.op(reader) {
        Op::Dequantise(op) => {
            let operands = edit.operands(reader);
            let same = Network::constant(edit, operands[2]).is_some_and(|other| other == zero);
            same.then(|| (reader, op.clone(), operands[1]))
        }
        _ => None,
    };
    let readers: Vec<_> = edit.users(node.into()).into_iter().map(reader).collect::<Option<_>>()?;
    (!readers.is_empty()).then_some(readers)
}
