//! Quantisers: from sums to codes; and from codes to the numbers that they stand for.

use std::sync::Arc;

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::names::Names;
use nonresc_ir::network::{Add, Clip, Dequantise, Element, Op, Quantise, Requantise, Rounding};
use nonresc_ir::tensor::{Data, Tensor};

use super::form::{Codes, Form, Limits, Range, Sum, at};
use super::ratio::Ratio;
use super::rescale::{self, Operand, Proof};
use super::{Making, Outcome, Refusal, Rounded, Rule};

/// What a quantiser gives.
pub(super) struct Quantiser {
    pub(super) scale: Vec<Ratio>,
    pub(super) zero: i64,
    pub(super) element: Element,
    /// Codes that it can give.
    codes: Range,
    rounding: Rounding,
    pub(super) names: Names,
}

impl Making<'_, '_> {
    /// Scales and zero points of a quantiser or dequantiser.
    fn parameters(&self, node: NodeId, axis: usize) -> Result<(Vec<Ratio>, Vec<i64>), Refusal> {
        let operands = self.from.operands(node);
        let refusal = || Refusal::new("its scale or zero point is computed", "make both constants");
        let scale = self.from.constant(operands[1]).ok_or_else(refusal)?.to_f64();
        let zero = self.from.constant(operands[2]).and_then(|zero| zero.to_i64()).ok_or_else(refusal)?;
        if scale.len().max(zero.len()) > 1 && axis != 1 {
            return Err(Refusal::new(
                format!("its scales run along axis {axis}, not along the channels"),
                "use one scale for all, or one a channel",
            ));
        }
        let scale: Option<Vec<Ratio>> = scale.into_iter().map(Ratio::of).collect();
        let scale = scale.ok_or_else(|| Refusal::new("a scale is not above zero", "export it anew"))?;
        Ok((scale, zero))
    }

    pub(super) fn quantiser(&mut self, node: NodeId, a: &Quantise, x: &Form) -> Outcome {
        let (scale, zero) = self.parameters(node, a.axis)?;
        let element = Element::Int { bits: a.bits, signed: a.signed };
        let codes = a.limits().into();
        if let Form::Host(value) = x {
            return match self.from.operands(node)[0] == *value {
                true => Ok(Form::Whole(node.into(), codes)),
                // What the host makes of the network's codes it rounds as well.
                false => self.host(node, &[Some(x.clone()), None, None]),
            };
        }
        let zero = match zero[..] {
            [zero] => zero,
            _ => {
                return Err(Refusal::new(
                    "its zero points differ from channel to channel",
                    "use one zero point for all",
                ));
            }
        };
        let names = self.from.node(node).names.clone();
        let rounding = match self.rule {
            Rule::AsGiven | Rule::TfLite => a.rounding,
            Rule::All(rounding) => rounding,
        };
        self.round(x, &Quantiser { scale, zero, element, codes, rounding, names })
    }

    pub(super) fn dequantiser(&mut self, node: NodeId, axis: usize, value: Value, range: Range) -> Outcome {
        let (scale, zero) = self.parameters(node, axis)?;
        Ok(Form::Codes(Codes { value, range, scale, zero, limits: Limits::NONE }))
    }

    /// The codes of a value.
    fn round(&mut self, x: &Form, q: &Quantiser) -> Outcome {
        match x {
            Form::Codes(codes) if self.is_same(codes, q) => Ok(Form::Whole(codes.value, codes.range)),
            Form::Codes(codes) => self.rescale(&codes.sum(), q),
            Form::Sum(sum) => self.rescale(sum, q),
            Form::Behind(op, names, parts) => {
                let mut range = (i64::MAX, i64::MIN);
                let mut values = Vec::with_capacity(parts.len());
                for part in parts {
                    let Form::Whole(value, of) = self.round(part, q)? else { return Ok(Form::Broken) };
                    values.push(value);
                    range = (range.0.min(of.0), range.1.max(of.1));
                }
                self.edit.named(names.clone());
                let (op, range) = match op {
                    Op::Relu(_) => activation(0.0, f64::INFINITY, q),
                    Op::Clip(a) => activation(a.min, a.max, q),
                    op => (self.on_codes(op, q.zero), range),
                };
                Ok(Form::Whole(self.edit.add(op, &values)?, range))
            }
            Form::Host(_) | Form::Whole(..) | Form::Broken => Ok(Form::Broken),
        }
    }

    /// Whether codes are those that a quantiser would give of their numbers.
    fn is_same(&self, codes: &Codes, q: &Quantiser) -> bool {
        codes.scale == q.scale
            && codes.zero == [q.zero]
            && codes.limits == Limits::NONE
            && self.edit.ty(codes.value).element == q.element
            && q.codes.0 <= codes.range.0
            && codes.range.1 <= q.codes.1
    }

    fn rescale(&mut self, sum: &Sum, q: &Quantiser) -> Outcome {
        let (min, max) = limits(sum.limits, q);
        if self.rule == Rule::TfLite {
            self.edit.named(q.names.clone());
            return self.as_tflite(sum, q, (min, max));
        }
        let window = (min - q.zero, max - q.zero);
        let mut operands = Vec::with_capacity(sum.terms.len());
        for term in &sum.terms {
            let count = term.factor.len().max(q.scale.len());
            let ratio = (0..count).map(|i| at(&term.factor, i).over(at(&q.scale, i))).collect::<Option<_>>();
            operands.push(Operand { ratio: ratio.ok_or_else(far)?, range: &term.range });
        }
        let count = sum.offset.len().max(q.scale.len());
        let steps: Vec<f64> = (0..count).map(|i| at(&sum.offset, i) / at(&q.scale, i).value()).collect();
        let made = rescale::choose(&operands, &steps, window, q.rounding, self.proofs).ok_or_else(far)?;

        let lists = sum.terms.iter().zip(&made.factors).flat_map(|(term, m)| [term.zero.len(), m.len()]);
        let count = lists.chain([made.offsets.len()]).max().unwrap_or(1);
        let offset = |i: usize| {
            let mut terms = sum.terms.iter().zip(&made.factors);
            terms.try_fold(at(&made.offsets, i), |offset, (term, m)| {
                offset.checked_sub(at(m, i).checked_mul(at(&term.zero, i))?)
            })
        };
        let offsets = (0..count).map(offset).collect::<Option<Vec<i64>>>().ok_or_else(far)?;
        self.edit.named(q.names.clone());
        let mut values = vec![self.whole(&offsets)];
        for (term, factors) in sum.terms.iter().zip(&made.factors) {
            values.extend([term.value, self.whole(factors)]);
        }
        let Element::Int { bits, signed } = q.element else { return Ok(Form::Broken) };
        let op = Requantise { shift: made.shift, zero: q.zero, bits, signed, min, max, rounding: q.rounding };
        let value = self.edit.add(op, &values)?;
        let widest = made.factors.iter().flatten().max().copied().unwrap_or(0);
        self.rounded(q, widest, made.shift, made.proof);
        Ok(Form::Whole(value, (min, max)))
    }

    /// Notes how a quantiser's codes are made.
    pub(super) fn rounded(&mut self, q: &Quantiser, widest: i64, shift: u8, proof: Proof) {
        let factor_bits = i64::BITS - widest.leading_zeros();
        self.roundings.push(Rounded { names: q.names.clone(), factor_bits, shift, proof });
    }

    /// Whole numbers as a constant: one, or one a channel.
    pub(super) fn whole(&mut self, numbers: &[i64]) -> Value {
        let all_equal = numbers.iter().all(|n| *n == numbers[0]);
        let (dims, numbers) = match all_equal {
            true => (vec![], &numbers[..1]),
            false => (vec![numbers.len()], numbers),
        };
        let tensor = Tensor::new(Element::I64, &dims[..], Data::I64(numbers.to_vec()));
        self.edit.constant(tensor.expect("as many numbers as the shape has places"))
    }

    /// Codes with their limits carried out.
    pub(super) fn within_limits(&mut self, codes: &Codes) -> Result<Codes, Refusal> {
        if codes.limits == Limits::NONE {
            return Ok(codes.clone());
        }
        let refusal = || {
            Refusal::new(
                "an activation's limit lies between two codes, and its result is not rounded to codes",
                super::ROUND_FIRST,
            )
        };
        let (scale, zero) = codes.scalar().ok_or_else(refusal)?;
        let code = |limit: f64, beyond: i64| {
            let code = limit / scale.value() + zero as f64;
            // An infinite limit has an infinite code.
            if code.is_infinite() {
                Ok(beyond)
            } else {
                (code.fract() == 0.0).then_some(code as i64).ok_or_else(refusal)
            }
        };
        let (min, max) = codes.range;
        let (low, high) = (code(codes.limits.min, min)?, code(codes.limits.max, max)?);
        let range = (min.clamp(low, high.max(low)), max.clamp(low.min(high), high));
        if range == codes.range {
            return Ok(Codes { limits: Limits::NONE, ..codes.clone() });
        }
        let value = self.edit.add(Clip { min: range.0 as f64, max: range.1 as f64 }, &[codes.value])?;
        Ok(Codes { value, range, limits: Limits::NONE, ..codes.clone() })
    }

    /// A value as the float or code that its reader in the quantised network expects.
    pub(super) fn number(&mut self, form: &Form, of: Value) -> Result<Value, Refusal> {
        let element = self.from.ty(of).element;
        match form {
            Form::Host(value) | Form::Whole(value, _) => Ok(*value),
            Form::Codes(codes) => self.sum_of(&codes.sum(), element),
            Form::Sum(sum) => self.sum_of(sum, element),
            Form::Behind(op, names, parts) => {
                let values = parts.iter().map(|part| self.number(part, of)).collect::<Result<Vec<_>, _>>()?;
                self.edit.named(names.clone());
                Ok(self.edit.add(op.clone(), &values)?)
            }
            Form::Broken => Err(Refusal::new("it is not known", "mend what is named beside it")),
        }
    }

    fn sum_of(&mut self, sum: &Sum, element: Element) -> Result<Value, Refusal> {
        let list = |numbers: &[f64], element: Element| {
            let dims = if numbers.len() == 1 { vec![] } else { vec![numbers.len()] };
            Tensor::from_f64(element, &dims[..], numbers).map(Arc::new)
        };
        let refusal =
            || Refusal::new("its numbers do not fit their type", "report this as a fault of nonresc");
        let mut total = None;
        for term in &sum.terms {
            let factor: Vec<f64> = term.factor.iter().map(|f| f.value()).collect();
            let zero: Vec<f64> = term.zero.iter().map(|&z| z as f64).collect();
            let codes = self.edit.ty(term.value).element;
            let factor = self.edit.constant(list(&factor, element).ok_or_else(refusal)?);
            let zero = self.edit.constant(list(&zero, codes).ok_or_else(refusal)?);
            let number = self.edit.add(Dequantise { axis: 1 }, &[term.value, factor, zero])?;
            total = Some(match total {
                Some(total) => self.edit.add(Add {}, &[total, number])?,
                None => number,
            });
        }
        let mut total = total.ok_or_else(refusal)?;
        if sum.offset.iter().any(|&o| o != 0.0) {
            let rank = self.edit.ty(total).shape.rank();
            let mut dims = vec![1; rank];
            if sum.offset.len() > 1 {
                dims[1] = sum.offset.len();
            }
            let offset = Tensor::from_f64(element, &dims[..], &sum.offset).ok_or_else(refusal)?;
            let offset = self.edit.constant(offset);
            total = self.edit.add(Add {}, &[total, offset])?;
        }
        if sum.limits != Limits::NONE {
            total = self.edit.add(Clip { min: sum.limits.min, max: sum.limits.max }, &[total])?;
        }
        Ok(total)
    }
}

/// Scales that no factors bring together.
pub(super) fn far() -> Refusal {
    Refusal::new("the scales in front of it and its own are too far apart", "export it with other scales")
}

/// An activation on codes, and the codes that it gives.
fn activation(min: f64, max: f64, q: &Quantiser) -> (Op, Range) {
    let range = limits(Limits { min, max }, q);
    (Clip { min: range.0 as f64, max: range.1 as f64 }.into(), range)
}

/// The codes between which a quantiser keeps a value that has limits of its own.
fn limits(limits: Limits, q: &Quantiser) -> Range {
    let scale = q.scale[0].value();
    let code = |limit: f64, beyond: i64| match limit.is_infinite() {
        true => beyond,
        // A quantiser is monotone: what is limited first and then rounded is as well rounded first.
        false => {
            let code = q.rounding.round(limit / scale) + q.zero as f64;
            code.clamp(q.codes.0 as f64, q.codes.1 as f64) as i64
        }
    };
    (code(limits.min, q.codes.0), code(limits.max, q.codes.1))
}
