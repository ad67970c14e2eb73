//! What a value of the quantised network is in the integer network that is being made.

use nonresc_ir::id::Value;
use nonresc_ir::names::Names;
use nonresc_ir::network::Op;

use super::ratio::Ratio;

/// Least and largest number.
pub(super) type Range = (i64, i64);

/// A value of the quantised network.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// A float that the host computes.
    Host(Value),
    /// Codes without a scale.
    Whole(Value, Range),
    /// A number for each code.
    Codes(Codes),
    /// A sum of codes and sums of products.
    Sum(Sum),
    /// What an operator that commutes with rounding does to others, waiting for its quantiser.
    Behind(Op, Names, Vec<Form>),
    /// Something that was refused.
    Broken,
}

impl Form {
    /// The whole numbers behind the value, where it is one list of them.
    pub(super) fn whole_numbers(&self) -> Option<Value> {
        match self {
            Form::Whole(value, _) => Some(*value),
            Form::Codes(codes) => Some(codes.value),
            Form::Sum(Sum { terms, .. }) => match &terms[..] {
                [term] => Some(term.value),
                _ => None,
            },
            Form::Host(_) | Form::Behind(..) | Form::Broken => None,
        }
    }
}

/// `scale * (code - zero)`, limited.
#[derive(Clone, Debug)]
pub(super) struct Codes {
    pub(super) value: Value,
    pub(super) range: Range,
    /// One, or one a channel.
    pub(super) scale: Vec<Ratio>,
    /// One, or one a channel.
    pub(super) zero: Vec<i64>,
    pub(super) limits: Limits,
}

/// The sum of its terms and an offset, limited.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    pub(super) terms: Vec<Term>,
    /// One, or one a channel.
    pub(super) offset: Vec<f64>,
    pub(super) limits: Limits,
}

/// `factor * (x - zero)`; all lists hold one number, or one a channel.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) value: Value,
    pub(super) factor: Vec<Ratio>,
    pub(super) zero: Vec<i64>,
    /// Of x less zero.
    pub(super) range: Vec<Range>,
    pub(super) origin: Origin,
}

/// What a term is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Codes as they are.
    Codes,
    /// The sums of a convolution.
    Products,
    /// The sums of a dense layer.
    Dense,
    /// The sums of windows.
    Mean,
}

/// Between which numbers an activation keeps a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limits {
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Limits {
    pub(super) const NONE: Limits = Limits { min: f64::NEG_INFINITY, max: f64::INFINITY };

    /// These, then others.
    pub(super) fn then(self, min: f64, max: f64) -> Limits {
        Limits { min: self.min.max(min).min(max), max: self.max.min(max).max(min) }
    }
}

/// The number of channel `i` in a list of one or of one a channel.
pub(super) fn at<T: Copy>(list: &[T], i: usize) -> T {
    if list.len() == 1 { list[0] } else { list[i] }
}

impl Codes {
    /// The codes as a sum of one term.
    pub(super) fn sum(&self) -> Sum {
        let count = self.zero.len();
        let range = (0..count).map(|i| (self.range.0 - self.zero[i], self.range.1 - self.zero[i])).collect();
        let term = Term {
            value: self.value,
            factor: self.scale.clone(),
            zero: self.zero.clone(),
            range,
            origin: Origin::Codes,
        };
        Sum { terms: vec![term], offset: vec![0.0], limits: self.limits }
    }

    /// Scale and zero point, where all channels have the same.
    pub(super) fn scalar(&self) -> Option<(Ratio, i64)> {
        let same_scale = self.scale.iter().all(|s| *s == self.scale[0]);
        let same_zero = self.zero.iter().all(|z| *z == self.zero[0]);
        (same_scale && same_zero).then(|| (self.scale[0], self.zero[0]))
    }
}
