//! Types of the operators of integer networks: codes in, sums or codes out.

use super::super::op::{IntConv, IntDense, IntSumPool, Requantise};
use super::super::types::{Element, Pair, ValueType};
use super::{conv, pool};

/// Widest sum.
const MAX_BITS: u8 = 48;

/// Bits behind the point of a sum at the most.
const MAX_SHIFT: u8 = 62;

pub(super) fn conv(a: &IntConv, ins: &[&ValueType]) -> Result<ValueType, String> {
    want_whole(ins)?;
    Ok(ValueType::new(sums(a.bits)?, conv::conv_shape(&a.window(), ins)?))
}

pub(super) fn dense(a: &IntDense, ins: &[&ValueType]) -> Result<ValueType, String> {
    want_whole(ins)?;
    Ok(ValueType::new(sums(a.bits)?, conv::dense_shape(ins)?))
}

pub(super) fn sum_pool(a: &IntSumPool, ins: &[&ValueType]) -> Result<ValueType, String> {
    want_whole(ins)?;
    let result = pool::window(ins[0], a.kernel, a.stride, a.pad, a.dilation, Pair::ZERO)?;
    Ok(ValueType::new(sums(a.bits)?, result.shape))
}

pub(super) fn requantise(a: &Requantise, ins: &[&ValueType]) -> Result<ValueType, String> {
    want_whole(ins)?;
    if ins.len().is_multiple_of(2) {
        return Err("its last operand has no factors".into());
    }
    if !(1..=32).contains(&a.bits) {
        return Err(format!("it gives {} bits; 1 to 32 can be had", a.bits));
    }
    if a.shift > MAX_SHIFT {
        return Err(format!("it shifts by {} bits; {MAX_SHIFT} are the most", a.shift));
    }
    if a.min > a.max {
        return Err(format!("its least code {} is above its largest {}", a.min, a.max));
    }
    let x = ins[1];
    let channels =
        x.shape.0.get(1).copied().ok_or_else(|| format!("x has shape {} without channels", x.shape))?;
    for pair in ins[1..].chunks(2) {
        if pair[0].shape != x.shape {
            return Err(format!("its operands have the shapes {} and {}", x.shape, pair[0].shape));
        }
    }
    for factors in [ins[0]].into_iter().chain(ins[1..].iter().skip(1).step_by(2).copied()) {
        if !(factors.shape.0.is_empty() || factors.shape.0 == [channels]) {
            return Err(format!(
                "an offset or factors have shape {}, but must be a scalar or a number for each of {channels} channels",
                factors.shape
            ));
        }
    }
    Ok(ValueType::new(Element::Int { bits: a.bits, signed: a.signed }, x.shape.clone()))
}

fn sums(bits: u8) -> Result<Element, String> {
    match bits {
        1..=MAX_BITS => Ok(Element::Int { bits, signed: true }),
        _ => Err(format!("its sums have {bits} bits; 1 to {MAX_BITS} can be had")),
    }
}

fn want_whole(ins: &[&ValueType]) -> Result<(), String> {
    match ins.iter().find(|ty| !matches!(ty.element, Element::Int { .. })) {
        Some(other) => Err(format!("an operand is {}, but must be an integer", other.element)),
        None => Ok(()),
    }
}
