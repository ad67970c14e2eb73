//! Operators that give codes that they read, or the largest of some: they do to codes what they do to numbers.
//!
//! On codes of one scale they are carried out at once. On sums, and on codes of several scales, they wait for their
//! quantiser: rounding first and moving then gives the same codes.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Op, Pad};

use super::form::{Codes, Form, Limits, Range};
use super::{Making, Outcome, Refusal};

impl Making<'_, '_> {
    pub(super) fn moved(&mut self, node: NodeId, forms: &[Option<Form>]) -> Outcome {
        let op = self.from.op(node).clone();
        let Some(forms) = forms.iter().cloned().collect::<Option<Vec<Form>>>() else {
            return Err(Refusal::new("it joins codes and constants", "pad with zeros instead"));
        };
        if let Some((values, range)) = whole(&forms) {
            return Ok(Form::Whole(self.edit.add(op, &values)?, range));
        }
        if let Op::Pad(a) = &op
            && a.value != 0.0
        {
            return Err(Refusal::new(
                format!("it pads with {}", a.value),
                "pad with zeros, which every scale has a code for",
            ));
        }
        if forms.iter().any(|form| matches!(form, Form::Host(_) | Form::Whole(..))) {
            return Err(Refusal::new(
                "one of its operands is not quantised",
                "put a quantiser in front of it",
            ));
        }
        let codes: Option<Vec<&Codes>> = forms
            .iter()
            .map(|form| match form {
                Form::Codes(codes) => Some(codes),
                _ => None,
            })
            .collect();
        if let Some(codes) = codes
            && let Some((scale, zero)) = codes[0].scalar()
            && codes.iter().all(|c| c.scalar() == Some((scale, zero)) && c.limits == codes[0].limits)
            && codes.iter().all(|c| self.edit.ty(c.value).element == self.edit.ty(codes[0].value).element)
        {
            let limits = codes[0].limits;
            let range = codes.iter().map(|c| c.range).reduce(join).unwrap_or((0, 0));
            let values: Vec<Value> = codes.iter().map(|c| c.value).collect();
            let padded = matches!(op, Op::Pad(_));
            // What is padded is not limited; zero lies within the limits of every activation but a clip above it.
            if padded && limits != Limits::NONE && !(limits.min..=limits.max).contains(&0.0) {
                return Ok(Form::Behind(op, self.from.node(node).names.clone(), forms));
            }
            let range = if padded { join(range, (zero, zero)) } else { range };
            let op = self.on_codes(&op, zero);
            let value = self.edit.add(op, &values)?;
            return Ok(Form::Codes(Codes { value, range, scale: vec![scale], zero: vec![zero], limits }));
        }
        Ok(Form::Behind(op, self.from.node(node).names.clone(), forms))
    }

    /// An operator on numbers as it is on codes whose 0 is `zero`.
    pub(super) fn on_codes(&self, op: &Op, zero: i64) -> Op {
        match op {
            Op::Pad(a) => Pad { value: zero as f64, ..a.clone() }.into(),
            _ => op.clone(),
        }
    }
}

fn join(a: Range, b: Range) -> Range {
    (a.0.min(b.0), a.1.max(b.1))
}

/// Operands that are all codes without scales, and the numbers that they may hold.
fn whole(forms: &[Form]) -> Option<(Vec<Value>, Range)> {
    let mut values = Vec::with_capacity(forms.len());
    let mut range = (i64::MAX, i64::MIN);
    for form in forms {
        let Form::Whole(value, of) = form else { return None };
        values.push(*value);
        range = join(range, *of);
    }
    Some((values, range))
}
