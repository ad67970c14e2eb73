//! The arithmetic of TensorFlow Lite's reference kernels for int8, in whole numbers.
//!
//! Factors have 31 bits. Dense layers round once, halves up. Convolutions round twice: behind 31 bits, halves up, then
//! behind the rest, halves away from zero. Sums do so three times: both operands, moved up by 20 bits, are brought to
//! twice the larger scale, then their sum to the result's. Means of windows keep their scale and round the mean of the
//! codes, halves away from zero. Found by holding every layer of a network against what TensorFlow 2.21 gives.

use nonresc_ir::id::Value;
use nonresc_ir::network::{Element, Requantise, Rounding};

use super::codes::{Quantiser, far};
use super::form::{Form, Origin, Range, Sum, Term, at};
use super::ratio::Ratio;
use super::rescale::Proof;
use super::{Making, Outcome, Refusal};

/// Bits by which the operands of a sum are moved up.
const LEFT: u8 = 20;

/// Bits behind the point of a factor.
const POINT: u8 = 31;

/// A positive number as `factor / 2^31 * 2^exponent`, the factor of 31 bits.
#[derive(Clone, Copy)]
struct Multiplier {
    factor: i64,
    exponent: i32,
}

impl Multiplier {
    fn of(x: f64) -> Option<Multiplier> {
        let ratio = Ratio::of(x)?;
        let mut exponent = ratio.value().log2().floor() as i32 + 1;
        let mut factor = (x * 2f64.powi(i32::from(POINT) - exponent)).round() as i64;
        if factor == 1 << POINT {
            (factor, exponent) = (factor / 2, exponent + 1);
        }
        (factor >= 1 << (POINT - 1)).then_some(Multiplier { factor, exponent })
    }
}

impl Making<'_, '_> {
    /// The codes of a sum, `limits` being those of its codes.
    pub(super) fn as_tflite(&mut self, sum: &Sum, q: &Quantiser, limits: Range) -> Outcome {
        let [scale] = q.scale[..] else {
            return Err(Refusal::new("its scales differ from channel to channel", "use one scale for all"));
        };
        if sum.offset.iter().any(|&o| o != 0.0) {
            return Err(Refusal::new(
                "what is added to it is not whole in steps of its products",
                "use another --rounding",
            ));
        }
        let (value, widest, shift) = match &sum.terms[..] {
            [term] if term.origin == Origin::Mean => self.mean_as_tflite(term, scale, q, limits)?,
            [term] => self.products_as_tflite(term, scale, q, limits)?,
            [a, b] if a.origin == Origin::Codes && b.origin == Origin::Codes => {
                self.sum_as_tflite([a, b], scale, q, limits)?
            }
            _ => {
                return Err(Refusal::new(
                    "it adds what TensorFlow Lite would have rounded before",
                    "use another --rounding",
                ));
            }
        };
        self.rounded(q, widest, shift, Proof::Given);
        Ok(Form::Whole(value, limits))
    }

    /// A layer, or codes of another scale.
    fn products_as_tflite(
        &mut self,
        term: &Term,
        scale: Ratio,
        q: &Quantiser,
        limits: Range,
    ) -> Result<(Value, i64, u8), Refusal> {
        let step = |f: &Ratio| match term.origin {
            // The product of a dense layer's scales is rounded to f32.
            Origin::Dense => f64::from(f.value() as f32),
            Origin::Codes | Origin::Products | Origin::Mean => f.value(),
        };
        let multipliers: Option<Vec<Multiplier>> =
            term.factor.iter().map(|f| Multiplier::of(step(f) / scale.value())).collect();
        let multipliers = multipliers.ok_or_else(far)?;
        if let (Origin::Dense, [m]) = (term.origin, &multipliers[..]) {
            return self.once(term, *m, q, limits);
        }
        if multipliers.iter().any(|m| -m.exponent > i32::from(POINT)) {
            return Err(far());
        }
        let factors: Vec<i64> = multipliers.iter().map(|m| m.factor).collect();
        let count = factors.len().max(term.zero.len());
        let offsets: Vec<i64> = (0..count).map(|i| -at(&factors, i) * at(&term.zero, i)).collect();
        let last = self.last(0, Rounding::HalfAway, q, limits)?;
        let value = self.rounded_twice((term.value, &factors, &offsets), &multipliers, Some(last))?;
        Ok((value, factors.iter().copied().max().unwrap_or(0), POINT))
    }

    /// A dense layer's product, rounded once.
    fn once(
        &mut self,
        term: &Term,
        m: Multiplier,
        q: &Quantiser,
        limits: Range,
    ) -> Result<(Value, i64, u8), Refusal> {
        let shift = u8::try_from(i32::from(POINT) - m.exponent).map_err(|_| far())?;
        let op = self.last(shift, Rounding::HalfUp, q, limits)?;
        let (offset, factor) = (self.whole(&[0]), self.whole(&[m.factor]));
        Ok((self.edit.add(op, &[offset, term.value, factor])?, m.factor, shift))
    }

    /// The mean of raw codes, which keep their scale.
    fn mean_as_tflite(
        &mut self,
        term: &Term,
        scale: Ratio,
        q: &Quantiser,
        limits: Range,
    ) -> Result<(Value, i64, u8), Refusal> {
        let places = at(&term.factor, 0).over(scale).map(|r| 1.0 / r.value()).ok_or_else(far)?;
        let shift = places.log2();
        if shift.fract() != 0.0 || term.factor.len() != 1 {
            return Err(Refusal::new(
                "its window has no power of two of places, or its result another scale than its codes",
                "use another --rounding",
            ));
        }
        // Zero points were taken from the codes and are the result's: with them the mean is that of the raw codes.
        let shift = shift as u8;
        let op = Requantise { zero: 0, ..self.last(shift, Rounding::HalfAway, q, limits)? };
        let offset = self.whole(&[q.zero << shift]);
        let one = self.whole(&[1]);
        Ok((self.edit.add(op, &[offset, term.value, one])?, 1, shift))
    }

    fn sum_as_tflite(
        &mut self,
        terms: [&Term; 2],
        scale: Ratio,
        q: &Quantiser,
        limits: Range,
    ) -> Result<(Value, i64, u8), Refusal> {
        let scales = terms.map(|term| at(&term.factor, 0).value());
        let twice = 2.0 * scales[0].max(scales[1]);
        let mut values = Vec::with_capacity(2);
        for (term, own) in terms.into_iter().zip(scales) {
            let m = Multiplier::of(own / twice).ok_or_else(far)?;
            let factor = m.factor << LEFT;
            let offset = factor.checked_mul(-at(&term.zero, 0)).ok_or_else(far)?;
            values.push(self.rounded_twice((term.value, &[factor], &[offset]), &[m], None)?);
        }
        let one = self.whole(&[1]);
        let none = self.whole(&[0]);
        let sum = self.edit.add(wide(0, Rounding::HalfUp), &[none, values[0], one, values[1], one])?;
        let m = Multiplier::of(twice / (2f64.powi(LEFT.into()) * scale.value())).ok_or_else(far)?;
        let last = self.last(0, Rounding::HalfAway, q, limits)?;
        Ok((self.rounded_twice((sum, &[m.factor], &[0]), &[m], Some(last))?, m.factor, POINT))
    }

    /// Products rounded behind 31 bits, then behind the multipliers' exponents, by `last` where they become codes;
    /// one number for all channels, or one for each.
    fn rounded_twice(
        &mut self,
        (x, factors, offsets): (Value, &[i64], &[i64]),
        multipliers: &[Multiplier],
        last: Option<Requantise>,
    ) -> Result<Value, Refusal> {
        let rests: Option<Vec<u8>> = multipliers.iter().map(|m| u8::try_from(-m.exponent).ok()).collect();
        let rests = rests.ok_or_else(far)?;
        let rest = rests.iter().copied().max().unwrap_or(0);
        // One shift for all channels: those that move less are moved up by the difference first.
        let up: Vec<i64> = rests.iter().map(|&own| 1 << (rest - own)).collect();
        let (offsets, factors) = (self.whole(offsets), self.whole(factors));
        let high = self.edit.add(wide(POINT, Rounding::HalfUp), &[offsets, x, factors])?;
        let (none, up) = (self.whole(&[0]), self.whole(&up));
        let op = match last {
            Some(last) => Requantise { shift: rest, ..last },
            None => wide(rest, Rounding::HalfAway),
        };
        Ok(self.edit.add(op, &[none, high, up])?)
    }

    /// The rounding that gives a quantiser's codes.
    fn last(
        &self,
        shift: u8,
        rounding: Rounding,
        q: &Quantiser,
        limits: Range,
    ) -> Result<Requantise, Refusal> {
        let Element::Int { bits, signed } = q.element else { return Err(far()) };
        Ok(Requantise { shift, zero: q.zero, bits, signed, min: limits.0, max: limits.1, rounding })
    }
}

/// A rounding on the way.
fn wide(shift: u8, rounding: Rounding) -> Requantise {
    Requantise { shift, bits: 32, rounding, ..Requantise::default() }
}
