//! Factors and shifts that take sums to codes as the exact ratio of their scales does.
//!
//! A code is `round(r_1 x_1 + .. + o)` in the reals. Hardware has `(m_1 x_1 + .. + O) >> shift` with whole `m` and `O`.
//! Where every ratio ends behind the binary point, `m` is `r` and nothing is lost. Else `m = round(r 2^shift)` is off
//! by half a unit at most, and the shift is taken so large that no sum that can occur is moved over a rounding
//! boundary: every sum whose code is not clamped is looked at.

use nonresc_ir::network::Rounding;

use super::form::{Range, at};
use super::ratio::Ratio;

/// Bits of the widest factor.
pub const FACTOR_BITS: u8 = 32;

/// Sums that are looked at for one channel at the most.
const MOST_SUMS: i64 = 1 << 22;

/// What is known of a way to codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The factors are the ratios.
    Exact,
    /// No sum that can occur gets another code than the ratios give it; but for so many that lie half way between two
    /// codes, which may get the other one.
    Proven {
        /// Sums half way, over all channels.
        ties: u64,
    },
    /// Not known: sums of several scales over many numbers, or a margin too thin for the widest factors.
    Open,
    /// The rule that was asked for names the factors.
    Given,
}

/// One operand: its ratios to the result's scale and the range of its numbers, one or one a channel.
pub(super) struct Operand<'a> {
    pub(super) ratio: Vec<Ratio>,
    pub(super) range: &'a [Range],
}

/// Factors of each operand and offsets, one or one a channel, in units of `2^-shift`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rescale {
    pub(super) shift: u8,
    pub(super) factors: Vec<Vec<i64>>,
    pub(super) offsets: Vec<i64>,
    pub(super) proof: Proof,
}

/// Chooses factors. `offsets` are in steps of the result, `window` is the range of codes less the zero point.
/// Without `proofs` the widest factors are taken unseen.
/// Nothing where no factors hold the ratios: they are too far apart, or a code's step is beyond 62 bits.
pub(super) fn choose(
    operands: &[Operand<'_>],
    offsets: &[f64],
    window: Range,
    rounding: Rounding,
    proofs: bool,
) -> Option<Rescale> {
    if let Some(shift) = exact_shift(operands, offsets)
        && let Some(exact) = with_shift(operands, offsets, shift, Proof::Exact)
    {
        return Some(exact);
    }
    let widest = widest_shift(operands, offsets)?;
    let needed = if proofs { needed_shift(operands, offsets, window, rounding) } else { None };
    let (shift, proof) = match needed {
        Some((shift, ties)) if shift <= widest => (shift, Proof::Proven { ties }),
        _ => (widest, Proof::Open),
    };
    with_shift(operands, offsets, shift, proof)
}

/// The shift with which all factors and offsets are whole.
fn exact_shift(operands: &[Operand<'_>], offsets: &[f64]) -> Option<u8> {
    let behind = |offset: &f64| match Ratio::of(offset.abs()) {
        Some(ratio) => ratio.bits_behind_point(),
        None => (*offset == 0.0).then_some(0),
    };
    let ratios = operands.iter().flat_map(|operand| &operand.ratio).map(|ratio| ratio.bits_behind_point());
    let most = ratios.chain(offsets.iter().map(behind)).try_fold(0, |most, bits| Some(most.max(bits?)))?;
    u8::try_from(most).ok().filter(|&shift| shift <= 62)
}

/// Factors and offsets at a shift; nothing where a sum could outgrow 62 bits.
fn with_shift(operands: &[Operand<'_>], offsets: &[f64], shift: u8, proof: Proof) -> Option<Rescale> {
    let unit = 2f64.powi(shift.into());
    let offsets: Vec<i64> = offsets.iter().map(|o| (o * unit).round() as i64).collect();
    let mut largest = offsets.iter().map(|o| i128::from(o.unsigned_abs())).max().unwrap_or(0);
    let mut factors = Vec::with_capacity(operands.len());
    for operand in operands {
        let of: Vec<i64> = operand.ratio.iter().map(|ratio| ratio.shifted(shift)).collect::<Option<_>>()?;
        let factor = of.iter().copied().max().unwrap_or(0);
        let number = operand.range.iter().map(|(lo, hi)| lo.unsigned_abs().max(hi.unsigned_abs())).max();
        largest += i128::from(factor) * i128::from(number.unwrap_or(0));
        factors.push(of);
    }
    (largest < 1 << 62).then_some(Rescale { shift, factors, offsets, proof })
}

/// The largest shift at which no factor is wider than [`FACTOR_BITS`] and sums fit.
fn widest_shift(operands: &[Operand<'_>], offsets: &[f64]) -> Option<u8> {
    (0..=62).rev().find(|&shift| {
        with_shift(operands, offsets, shift, Proof::Open)
            .is_some_and(|made| made.factors.iter().flatten().all(|&m| m < 1 << FACTOR_BITS))
    })
}

/// The least shift at which rounded factors move no sum over a boundary, and the sums that lie on one.
fn needed_shift(
    operands: &[Operand<'_>],
    offsets: &[f64],
    window: Range,
    rounding: Rounding,
) -> Option<(u8, u64)> {
    let lists = operands.iter().flat_map(|operand| [operand.ratio.len(), operand.range.len()]);
    let channels = lists.chain([offsets.len()]).max()?;
    let (mut shift, mut ties) = (0, 0);
    for channel in 0..channels {
        let margin = Margin::of(operands, at(offsets, channel), channel, window, rounding)?;
        // Each factor is off by half a unit at most, and so is the offset.
        let units = (margin.numbers + 1.0) / 2.0;
        let needed = (units / margin.distance).log2().floor() + 1.0;
        shift = shift.max(needed.max(0.0) as u32);
        ties += margin.ties;
    }
    Some((u8::try_from(shift).ok()?, ties))
}

/// How near sums come to a rounding boundary.
struct Margin {
    /// The least distance in steps, of sums that do not lie on one.
    distance: f64,
    /// The largest sum of magnitudes of the operands' numbers.
    numbers: f64,
    ties: u64,
}

/// Distances below this may be rounding errors of the search itself.
const NOISE: f64 = 1e-9;

impl Margin {
    /// Looks at every sum of one channel that is not clamped.
    fn of(
        operands: &[Operand<'_>],
        offset: f64,
        channel: usize,
        window: Range,
        rounding: Rounding,
    ) -> Option<Margin> {
        let (ratio, range) = match operands {
            [one] => (at(&one.ratio, channel), at(one.range, channel)),
            [a, b] => return Margin::of_pairs(a, b, offset, channel, window, rounding),
            _ => return None,
        };
        let r = ratio.value();
        let first = ((window.0 as f64 - 1.0 - offset) / r).floor().max(range.0 as f64) as i64;
        let last = ((window.1 as f64 + 1.0 - offset) / r).ceil().min(range.1 as f64) as i64;
        if last.saturating_sub(first) > MOST_SUMS {
            return None;
        }
        let mut margin = Margin { distance: 0.5, numbers: first.abs().max(last.abs()) as f64, ties: 0 };
        for n in first..=last {
            let distance = distance(n as f64 * r + offset, rounding);
            if distance > NOISE {
                margin.distance = margin.distance.min(distance);
            } else if offset == 0.0 && is_half(rounding) && ratio.ties_at(n) {
                margin.ties += 1;
            } else if n != 0 {
                return None;
            }
        }
        Some(margin)
    }

    /// The same of two operands of few numbers each.
    fn of_pairs(
        a: &Operand<'_>,
        b: &Operand<'_>,
        offset: f64,
        channel: usize,
        window: Range,
        rounding: Rounding,
    ) -> Option<Margin> {
        let (ra, rb) = (at(&a.ratio, channel).value(), at(&b.ratio, channel).value());
        let (of_a, of_b) = (at(a.range, channel), at(b.range, channel));
        let pairs = (of_a.1 - of_a.0 + 1).checked_mul(of_b.1 - of_b.0 + 1)?;
        if pairs > MOST_SUMS {
            return None;
        }
        let largest = |range: Range| range.0.abs().max(range.1.abs()) as f64;
        let mut margin = Margin { distance: 0.5, numbers: largest(of_a) + largest(of_b) + 1.0, ties: 0 };
        let inside = window.0 as f64 - 1.0..=window.1 as f64 + 1.0;
        for i in of_a.0..=of_a.1 {
            for j in of_b.0..=of_b.1 {
                let sum = i as f64 * ra + j as f64 * rb + offset;
                if !inside.contains(&sum) {
                    continue;
                }
                let distance = distance(sum, rounding);
                if distance > NOISE {
                    margin.distance = margin.distance.min(distance);
                } else if (i, j) != (0, 0) {
                    return None;
                }
            }
        }
        Some(margin)
    }
}

fn is_half(rounding: Rounding) -> bool {
    matches!(rounding, Rounding::HalfEven | Rounding::HalfUp | Rounding::HalfDown | Rounding::HalfAway)
}

/// How far a number is from where rounding changes its code.
fn distance(x: f64, rounding: Rounding) -> f64 {
    let frac = x - x.floor();
    if is_half(rounding) { (frac - 0.5).abs() } else { frac.min(1.0 - frac) }
}
