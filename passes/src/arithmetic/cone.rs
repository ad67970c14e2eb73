//! The part of the integer network between an actor's inputs and its output.

use nonresc_ir::id::Value;
use nonresc_ir::network::{Network, Op, Requantise};

use crate::integers::range_of;

use super::{Output, Products, QUANTISE, Refusal, Rescale, Source, refusal};

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Sums of products, and a sum with input 1.
    MatVec {
        /// Whether input 1 is added.
        adds: bool,
    },
    /// The largest or the sum of numbers.
    Pool,
    /// A sum of both inputs.
    Sum,
    /// Input 0 with other channels.
    Move,
    /// Input 0 rounded or limited anew.
    Activate,
}

/// A value, and how it is made of the inputs.
pub(super) struct Cone<'a> {
    pub(super) network: &'a Network,
    pub(super) inputs: &'a [Value],
    /// Numbers a pixel of the output.
    pub(super) channels: usize,
}

/// An input of a sum: which, and what stands in channels that it lacks.
struct Summand {
    input: usize,
    channels: usize,
    padding: i64,
}

const UNKNOWN: &str = "report this with the model";

impl Cone<'_> {
    pub(super) fn output(&self, given: Value, place: Place) -> Result<Output, Refusal> {
        let given = self.unshaped(given);
        let element = self.network.ty(given).element;
        let plain = || Rescale::none(self.channels, element);
        match self.network.op(given.node) {
            _ if place == Place::Move => {
                let zero = self.moved(given)?;
                Ok(Output { source: Source::Codes { zero }, inner: None, rescale: plain() })
            }
            Op::Clip(_) | Op::Relu(_) => self.limited(given, place),
            Op::Requantise(a) => self.rounded(given, a, place),
            _ => {
                if matches!(place, Place::Sum | Place::MatVec { adds: true }) {
                    return refusal("its sum is not rounded to codes", QUANTISE);
                }
                Ok(Output { source: self.source(given)?, inner: None, rescale: plain() })
            }
        }
    }

    /// The code of zero in the channels that a chain of slices and pads adds; 0 where it adds none.
    fn moved(&self, given: Value) -> Result<i64, Refusal> {
        let (mut value, mut zero) = (given, 0);
        while value != self.inputs[0] {
            match self.network.op(value.node) {
                Op::Pad(a) => zero = a.value as i64,
                Op::Slice(_) | Op::Reshape(_) => {}
                op => return refusal(format!("{} stands where numbers are only moved", op.name()), UNKNOWN),
            }
            value = self.network.operands(value.node)[0];
        }
        Ok(zero)
    }

    /// An activation on codes.
    fn limited(&self, given: Value, place: Place) -> Result<Output, Refusal> {
        let (low, high) = match self.network.op(given.node) {
            Op::Clip(a) => (a.min, a.max),
            _ => (0.0, f64::INFINITY),
        };
        let (least, most) = range_of(self.network.ty(given).element);
        let limits = (low.max(least as f64) as i64, high.min(most as f64) as i64);
        let inner = self.network.operands(given.node)[0];
        let mut output = if inner == self.inputs[0] {
            let rescale = Rescale::none(self.channels, self.network.ty(given).element);
            Output { source: Source::Codes { zero: 0 }, inner: None, rescale }
        } else {
            self.output(inner, place)?
        };
        let old = output.rescale.limits.unwrap_or((i64::MIN, i64::MAX));
        let clamp = |x: i64| x.clamp(limits.0, limits.1.max(limits.0));
        output.rescale.limits = Some((clamp(old.0), clamp(old.1)));
        Ok(output)
    }

    fn rounded(&self, given: Value, a: &Requantise, place: Place) -> Result<Output, Refusal> {
        let operands = self.network.operands(given.node);
        let (least, most) = range_of(self.network.ty(given).element);
        let mut rescale = Rescale {
            own: Vec::new(),
            skip: None,
            offset: self.list(operands[0])?,
            shift: a.shift,
            zero: a.zero,
            limits: Some((a.min.max(least), a.max.min(most))),
            rounding: a.rounding,
            bits: a.bits,
            signed: a.signed,
        };
        let (mut own, mut inner) = (None, None);
        let adds = matches!(place, Place::Sum | Place::MatVec { adds: true });
        for pair in operands[1..].chunks_exact(2) {
            let factors = self.list(pair[1])?;
            let summand = self.summand(pair[0]).filter(|s| {
                (s.input == 1 && adds)
                    || (s.input == 0 && own.is_none() && matches!(place, Place::Sum | Place::Activate))
            });
            match summand {
                Some(Summand { input: 0, channels, .. }) if channels == self.channels => {
                    own = Some(Source::Codes { zero: 0 });
                    rescale.own = factors;
                }
                Some(summand) if rescale.skip.is_none() => {
                    let (own, offsets) = with_padding(&summand, &factors, &rescale.offset);
                    (rescale.skip, rescale.offset) = (Some(own), offsets);
                }
                _ if own.is_none() => {
                    let (source, codes) = self.own(pair[0])?;
                    (own, inner, rescale.own) = (Some(source), codes, factors);
                }
                _ => return refusal("it sums more than hardware does in one place", UNKNOWN),
            }
        }
        let Some(source) = own else {
            return refusal("its own result is not part of what it gives", UNKNOWN);
        };
        if adds != rescale.skip.is_some() {
            return refusal("the sum that it takes in is not part of what it gives", UNKNOWN);
        }
        Ok(Output { source, inner, rescale })
    }

    /// An actor's own result inside of a sum, with its own rounding where it has one.
    fn own(&self, value: Value) -> Result<(Source, Option<Rescale>), Refusal> {
        match self.network.op(value.node) {
            Op::Requantise(_) | Op::Clip(_) | Op::Relu(_) => {
                let output = self.output(value, Place::MatVec { adds: false })?;
                if output.inner.is_some() {
                    return refusal("it is rounded three times", QUANTISE);
                }
                Ok((output.source, Some(output.rescale)))
            }
            _ => Ok((self.source(value)?, None)),
        }
    }

    fn source(&self, value: Value) -> Result<Source, Refusal> {
        let network = self.network;
        let operands = network.operands(value.node);
        let reads_input =
            || operands.first().is_some_and(|&x| self.unshaped(x) == self.unshaped(self.inputs[0]));
        match network.op(value.node) {
            _ if self.unshaped(value) == self.unshaped(self.inputs[0]) => Ok(Source::Codes { zero: 0 }),
            op if !reads_input() => {
                refusal(format!("{} is made of something that it does not read", op.name()), UNKNOWN)
            }
            Op::IntConv(a) => self.products(&operands, a.zero, a.bits),
            Op::IntDense(a) => self.products(&operands, a.zero, a.bits),
            Op::IntSumPool(a) => Ok(Source::Sums { zero: a.zero, bits: a.bits }),
            Op::MaxPool(_) | Op::GlobalMaxPool(_) => Ok(Source::Largest),
            op => refusal(format!("{} has no hardware", op.name()), UNKNOWN),
        }
    }

    fn products(&self, operands: &[Value], zero: i64, bits: u8) -> Result<Source, Refusal> {
        let numbers = |value: Value| self.network.constant(value).and_then(|tensor| tensor.to_i64());
        let Some(weights) = numbers(operands[1]) else {
            return refusal("its weights are not constant", "make them initializers");
        };
        let narrow: Result<Vec<i32>, _> = weights.into_iter().map(i32::try_from).collect();
        let Ok(weights) = narrow else { return refusal("its weights have more than 32 bits", QUANTISE) };
        let bias = match operands.get(2) {
            Some(&bias) => numbers(bias).map_or_else(|| refusal("its bias is not constant", QUANTISE), Ok)?,
            None => vec![0; self.channels],
        };
        Ok(Source::Products(Products { weights, bias, zero, bits }))
    }

    /// A value without reshapes: the stream is in the order of maps.
    fn unshaped(&self, value: Value) -> Value {
        let mut value = value;
        while let Op::Reshape(_) = self.network.op(value.node) {
            value = self.network.operands(value.node)[0];
        }
        value
    }

    /// An input, channels behind it padded.
    fn summand(&self, value: Value) -> Option<Summand> {
        let (mut at, mut padding) = (value, 0);
        loop {
            let channels = *self.network.ty(at).shape.0.get(1)?;
            let is = |&input: &Value| self.unshaped(at) == self.unshaped(input);
            // Of two inputs that carry the same value the second is the skip.
            if let Some(input) = self.inputs.iter().rposition(is) {
                return Some(Summand { input, channels, padding });
            }
            match self.network.op(at.node) {
                Op::Pad(a) if a.before.iter().all(|&n| n == 0) => padding = a.value as i64,
                Op::Reshape(_) => {}
                _ => return None,
            }
            at = self.network.operands(at.node)[0];
        }
    }

    /// A constant as one number a channel.
    fn list(&self, value: Value) -> Result<Vec<i64>, Refusal> {
        let numbers = self.network.constant(value).and_then(|tensor| tensor.to_i64());
        match numbers.as_deref() {
            Some([one]) => Ok(vec![*one; self.channels]),
            Some(many) if many.len() == self.channels => Ok(many.to_vec()),
            _ => refusal("its factors are not one a channel", UNKNOWN),
        }
    }
}

/// Factors that are zero where a summand has no channel, and offsets that hold what its padding adds there.
fn with_padding(summand: &Summand, factors: &[i64], offsets: &[i64]) -> (Vec<i64>, Vec<i64>) {
    let there = |c: usize| c < summand.channels;
    let own = factors.iter().enumerate().map(|(c, &m)| if there(c) { m } else { 0 }).collect();
    let rest =
        |(c, (&offset, &m)): (usize, (&i64, &i64))| offset + if there(c) { 0 } else { m * summand.padding };
    (own, offsets.iter().zip(factors).enumerate().map(rest).collect())
}
