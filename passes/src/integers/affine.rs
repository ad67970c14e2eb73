//! Constants that a value is multiplied by and that are added to it: they go into factors, offsets and limits.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::Conv;

use super::form::{Codes, Form, Limits, at};
use super::ratio::Ratio;
use super::{Making, Outcome, ROUND_FIRST, Refusal};

impl Making<'_, '_> {
    /// A value times a constant above zero, one or one a channel.
    pub(super) fn product(&mut self, node: NodeId, operands: &[Value], forms: &[Option<Form>]) -> Outcome {
        let (form, constant) = match forms {
            [Some(form), None] => (form, operands[1]),
            [None, Some(form)] => (form, operands[0]),
            _ => {
                return Err(Refusal::new(
                    "it multiplies two computed values",
                    "integers are multiplied by constants",
                ));
            }
        };
        let factors = self.per_channel(node, constant)?;
        self.scaled(form, &factors, &[0.0])
    }

    /// A value plus a constant, one or one a channel.
    pub(super) fn shifted(&mut self, node: NodeId, form: &Form, constant: Value) -> Outcome {
        let summands = self.per_channel(node, constant)?;
        self.scaled(form, &[1.0], &summands)
    }

    /// A value times factors above zero, plus summands; one or one a channel.
    pub(super) fn scaled(&mut self, form: &Form, factors: &[f64], summands: &[f64]) -> Outcome {
        let mut sum = match form {
            Form::Sum(sum) => sum.clone(),
            form => self.as_sum(form)?,
        };
        let ratios: Option<Vec<Ratio>> = factors.iter().map(|&f| Ratio::of(f)).collect();
        let ratios = ratios.ok_or_else(|| {
            Refusal::new("it multiplies by a number that is not above zero", "fold it into weights")
        })?;
        for term in &mut sum.terms {
            let count = term.factor.len().max(ratios.len());
            let factor: Option<Vec<Ratio>> =
                (0..count).map(|i| at(&term.factor, i).times(at(&ratios, i))).collect();
            term.factor = factor.ok_or_else(|| {
                Refusal::new("its factors are too far apart", "export it with other scales")
            })?;
        }
        let count = sum.offset.len().max(factors.len()).max(summands.len());
        let offset = |i| at(&sum.offset, i) * at(factors, i) + at(summands, i);
        sum.offset = (0..count).map(offset).collect();
        sum.limits = moved(sum.limits, factors, summands)?;
        // Codes of one scale stay codes, which layers can read.
        match (form, &sum.terms[..]) {
            (Form::Codes(codes), [term]) if sum.offset.iter().all(|&o| o == 0.0) => Ok(Form::Codes(Codes {
                value: term.value,
                range: codes.range,
                scale: term.factor.clone(),
                zero: codes.zero.clone(),
                limits: Limits::NONE,
            })),
            _ => Ok(Form::Sum(sum)),
        }
    }

    /// A factor and a summand for each channel, where that is all that a layer of float weights does: batch norm in
    /// normal form.
    pub(super) fn affine(&self, node: NodeId, a: &Conv) -> Option<(Vec<f64>, Vec<f64>)> {
        let operands = self.from.operands(node);
        let weights = self.from.constant(operands[1])?;
        a.maps_channels(weights.shape()).then_some(())?;
        let summands = match operands.get(2) {
            Some(&bias) => self.from.constant(bias)?.to_f64(),
            None => vec![0.0],
        };
        Some((weights.to_f64(), summands))
    }

    /// The numbers of a constant that is the same in all places of a channel: one, or one a channel.
    fn per_channel(&self, node: NodeId, value: Value) -> Result<Vec<f64>, Refusal> {
        let channels = self.from.ty(node.into()).shape.0.get(1).copied().unwrap_or(1);
        let refusal = || {
            Refusal::new(
                "it adds a constant that is not one number a channel",
                "fold the constant into a bias",
            )
        };
        let numbers = self.from.constant(value).ok_or_else(refusal)?;
        let dims = &numbers.shape().0;
        match dims[..] {
            _ if numbers.len() == 1 => Ok(numbers.to_f64()),
            [1, c, 1, 1] | [c, 1, 1] if c == channels => Ok(numbers.to_f64()),
            [1, c] if c == channels => Ok(numbers.to_f64()),
            _ => Err(refusal()),
        }
    }
}

/// The limits of what is limited and then multiplied and added to.
fn moved(limits: Limits, factors: &[f64], summands: &[f64]) -> Result<Limits, Refusal> {
    if limits == Limits::NONE {
        return Ok(limits);
    }
    let same = |list: &[f64]| list.iter().all(|x| *x == list[0]).then_some(list[0]);
    match (same(factors), same(summands)) {
        (Some(factor), Some(summand)) => {
            Ok(Limits { min: limits.min * factor + summand, max: limits.max * factor + summand })
        }
        _ => Err(Refusal::new(
            "an activation stands in front of it whose result is not rounded to codes",
            ROUND_FIRST,
        )),
    }
}
