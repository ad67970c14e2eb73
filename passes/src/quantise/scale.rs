//! The choice of a scale: for activations from what calibration saw, for weights from the weights themselves.

use nonresc_ir::network::Element;

use super::calibrate::Observed;
use super::{Method, Scales};

/// Halvings of the scale that clips nothing which are tried for the least error.
const HALVINGS: i32 = 8;
/// Scales that are tried for the least error, as parts of the one that clips nothing.
const PARTS: u32 = 100;
/// Exponents of scales: so that products of two, and a quarter of those, are normal floats of 32 bits.
const LEAST_EXPONENT: i32 = -50;
const MOST_EXPONENT: i32 = 50;

/// The codes that a number can be rounded to. Signed ones of one bit are -1 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Codes {
    /// Width of a code, 1 to 16.
    pub(super) bits: u32,
    pub(super) signed: bool,
    /// Whether the least signed code is left out.
    narrow: bool,
}

impl Codes {
    pub(super) fn new(bits: u32, signed: bool, narrow: bool) -> Self {
        Codes { bits, signed, narrow }
    }

    /// Whether there are two codes, and 0 is none of them.
    fn is_bipolar(self) -> bool {
        self.signed && self.bits == 1
    }

    /// The type that codes have: the narrowest that holds them.
    pub(super) fn element(self) -> Element {
        let bits = if self.signed { self.bits.max(2) } else { self.bits };
        Element::Int { bits: bits as u8, signed: self.signed }
    }

    /// The least code.
    pub(super) fn least(self) -> i64 {
        match self.signed {
            _ if self.is_bipolar() => -1,
            true => i64::from(self.narrow) - (1 << (self.bits - 1)),
            false => 0,
        }
    }

    /// The largest code.
    pub(super) fn most(self) -> i64 {
        if self.is_bipolar() { 1 } else { (1 << (self.bits - u32::from(self.signed))) - 1 }
    }

    /// The code of a number, ties to even; of one bit, its sign.
    pub(super) fn of(self, x: f64, scale: f64) -> i64 {
        if self.is_bipolar() {
            return if x < 0.0 { -1 } else { 1 };
        }
        (x / scale).round_ties_even().clamp(self.least() as f64, self.most() as f64) as i64
    }

    fn error(self, x: f64, scale: f64) -> f64 {
        x - self.of(x, scale) as f64 * scale
    }

    /// The least scale whose codes reach from `least` to `most`; 0 where both are zero, or on the side without codes.
    fn around(self, least: f64, most: f64) -> f64 {
        let above = most.max(0.0) / self.most().max(1) as f64;
        let below = if self.least() < 0 { least.min(0.0) / self.least() as f64 } else { 0.0 };
        above.max(below)
    }
}

/// The scale of an activation.
pub(super) fn of_activations(seen: &Observed, codes: Codes, method: Method, scales: Scales) -> f32 {
    let whole = codes.around(seen.least, seen.most);
    if whole == 0.0 {
        // Any scale holds zeros; this one is no finer than what else there is.
        return 1.0;
    }
    let scale = match method {
        Method::MinMax => allowed(whole, scales),
        Method::Percentile(percent) => {
            let magnitude = percentile(seen, percent);
            let within = codes.around(seen.least.max(-magnitude), seen.most.min(magnitude));
            allowed(within, scales)
        }
        Method::Mse => best(whole, scales, |scale| squared_error(seen, codes, scale)),
    };
    scale as f32
}

/// The scale of weights that share one, none of which clips more than the least error asks for where `search` says to
/// look for it; nothing where all are zero.
pub(super) fn of_weights(weights: &[f64], codes: Codes, scales: Scales, search: bool) -> Option<f32> {
    let most = weights.iter().fold(0.0f64, |most, w| most.max(w.abs()));
    let whole = most / codes.most() as f64;
    if whole == 0.0 {
        return None;
    }
    let error = |scale: f64| weights.iter().map(|&w| codes.error(w, scale).powi(2)).sum();
    if codes.is_bipolar() && scales == Scales::Free {
        // Of signs the mean magnitude has the least squared error.
        let mean = weights.iter().map(|w| w.abs()).sum::<f64>() / weights.len() as f64;
        return Some(allowed(mean, scales) as f32);
    }
    Some(if search { best(whole, scales, error) } else { allowed(whole, scales) } as f32)
}

/// The least allowed scale that is no smaller.
pub(super) fn allowed(scale: f64, scales: Scales) -> f64 {
    match scales {
        Scales::PowerOfTwo => power(exponent(scale)),
        Scales::Free => f64::from(scale.clamp(power(LEAST_EXPONENT), power(MOST_EXPONENT)) as f32),
    }
}

/// The scale of the least error among some that are no larger than the allowed one for `whole`; of equal ones the
/// largest.
fn best(whole: f64, scales: Scales, error: impl Fn(f64) -> f64) -> f64 {
    let most = exponent(whole);
    let candidates: Vec<f64> = match scales {
        Scales::PowerOfTwo => {
            (0..=HALVINGS).map(|n| most - n).filter(|&e| e >= LEAST_EXPONENT).map(power).collect()
        }
        Scales::Free => {
            (1..=PARTS).rev().map(|n| allowed(whole * f64::from(n) / f64::from(PARTS), scales)).collect()
        }
    };
    let with_error = candidates.into_iter().map(|scale| (scale, error(scale)));
    let better = |best: (f64, f64), next: (f64, f64)| if next.1 < best.1 { next } else { best };
    with_error.reduce(better).map_or_else(|| allowed(whole, scales), |(scale, _)| scale)
}

/// The exponent of the least power of two that is no smaller, within limits.
fn exponent(scale: f64) -> i32 {
    let mut e = scale.log2().ceil().clamp(f64::from(LEAST_EXPONENT), f64::from(MOST_EXPONENT)) as i32;
    // A logarithm is rounded.
    while e > LEAST_EXPONENT && power(e - 1) >= scale {
        e -= 1;
    }
    while e < MOST_EXPONENT && power(e) < scale {
        e += 1;
    }
    e
}

fn power(e: i32) -> f64 {
    2f64.powi(e)
}

/// The magnitude that so many percent of the numbers do not exceed, to a bin.
fn percentile(seen: &Observed, percent: f64) -> f64 {
    let may_exceed = (seen.total as f64 * (1.0 - percent / 100.0)).floor() as u64;
    let mut by_size: Vec<(f64, u64)> = seen.bins().map(|(x, n)| (x.abs(), n)).collect();
    by_size.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut exceed = 0;
    for (magnitude, n) in by_size {
        exceed += n;
        if exceed > may_exceed {
            return magnitude + seen.width / 2.0;
        }
    }
    0.0
}

/// The sum of the squared errors of all numbers that were seen. Where bins are coarser than steps a number is anywhere
/// between two codes.
fn squared_error(seen: &Observed, codes: Codes, scale: f64) -> f64 {
    let (low, high) = (codes.least() as f64 * scale, codes.most() as f64 * scale);
    let fine = scale < 4.0 * seen.width;
    seen.bins()
        .map(|(x, n)| {
            let within = (low..=high).contains(&x);
            let squared = if fine && within { scale * scale / 12.0 } else { codes.error(x, scale).powi(2) };
            n as f64 * squared
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_the_least_that_are_no_smaller() {
        for (scale, power) in [(1.0, 1.0), (1.01, 2.0), (0.5, 0.5), (0.3, 0.5), (0.0, 2f64.powi(-50))] {
            assert_eq!(allowed(scale, Scales::PowerOfTwo), power, "{scale}");
        }
    }

    #[test]
    fn codes_are_those_of_their_width() {
        let limits = |bits, signed, narrow| {
            let codes = Codes::new(bits, signed, narrow);
            (codes.least(), codes.most())
        };
        assert_eq!(limits(8, true, false), (-128, 127));
        assert_eq!(limits(8, true, true), (-127, 127));
        assert_eq!(limits(8, false, false), (0, 255));
        assert_eq!(limits(1, false, false), (0, 1));
        assert_eq!(limits(2, true, true), (-1, 1));
        assert_eq!(limits(1, true, true), (-1, 1));
    }

    #[test]
    fn signs_have_the_scale_of_the_least_error() {
        let weights = [0.9, -0.3, 0.0, -0.2, 0.1];
        let codes = Codes::new(1, true, true);
        assert_eq!(weights.map(|w| codes.of(w, 1.0)), [1, -1, 1, -1, 1]);
        let error = |scale: f64| weights.iter().map(|w: &f64| (w.abs() - scale).powi(2)).sum::<f64>();
        for scales in [Scales::Free, Scales::PowerOfTwo] {
            let scale = f64::from(of_weights(&weights, codes, scales, true).unwrap());
            for other in (-5..=2).map(|e| scale * 2f64.powi(e)) {
                assert!(error(scale) <= error(other), "{scales:?}: {scale} and {other}");
            }
        }
    }

    #[test]
    fn the_least_error_clips_what_stands_alone() {
        let mut weights = vec![0.0; 1000];
        weights.iter_mut().enumerate().for_each(|(i, w)| *w = (i as f64 - 500.0) / 500.0);
        weights.push(100.0);
        let codes = Codes::new(8, true, true);
        assert_eq!(of_weights(&weights, codes, Scales::PowerOfTwo, false), Some(1.0));
        weights[1000] = 1.01;
        assert_eq!(of_weights(&weights, codes, Scales::PowerOfTwo, false), Some(1.0 / 64.0));
        assert_eq!(of_weights(&weights, codes, Scales::PowerOfTwo, true), Some(1.0 / 128.0));
        assert_eq!(of_weights(&[0.0], codes, Scales::PowerOfTwo, true), None);
    }
}
