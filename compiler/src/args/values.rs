//! Text of single arguments to values, nonsense to usage errors.

use std::str::FromStr;

use nonresc_passes::quantise::Method;
use nonresc_passes::target::Bits;

use super::{Dump, Extents, Numbers};

pub(super) fn dump(text: &str) -> Result<Dump, String> {
    match text.split_once(':') {
        None if text == "all" => Ok(Dump::All),
        None if text == "read" => Ok(Dump::Read),
        Some(("after", pass)) if !pass.is_empty() => Ok(Dump::After(pass.to_string())),
        _ => Err("write --dump-ir, --dump-ir=after:PASS or --dump-ir=all".into()),
    }
}

/// Largest extent of an input axis that is believed.
const MAX_EXTENT: usize = 1 << 20;

pub(super) fn extents(text: &str) -> Result<Extents, String> {
    let extent = |part: &str| part.parse().ok().filter(|n| (1..=MAX_EXTENT).contains(n));
    let all: Option<Vec<usize>> = text.split(['x', 'X']).map(extent).collect();
    match all {
        Some(all) if all.len() <= 4 => Ok(Extents(all)),
        _ => Err(format!("write channels x height x width, such as 3x32x32, each from 1 to {MAX_EXTENT}")),
    }
}

/// A side of a square, or height x width.
pub(super) fn square(text: &str) -> Result<Extents, String> {
    match extents(text) {
        Ok(all) if all.0.len() <= 2 => Ok(all),
        _ => Err(format!("write a number of pixels, or height x width, each from 1 to {MAX_EXTENT}")),
    }
}

fn finite(text: &str) -> Result<f64, String> {
    f64::from_str(text.trim()).ok().filter(|x| x.is_finite()).ok_or_else(|| format!("'{text}' is no number"))
}

fn within(text: &str, least: f64, most: f64, unit: &str) -> Result<f64, String> {
    let x = finite(text)?;
    if (least..=most).contains(&x) { Ok(x) } else { Err(format!("must be from {least} to {most} {unit}")) }
}

pub(super) fn clock(text: &str) -> Result<f64, String> {
    within(text, 1.0, 2000.0, "MHz")
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    finite(text).ok().filter(|&x| x > 0.0).ok_or_else(|| "must be a number above 0".into())
}

pub(super) fn not_negative(text: &str) -> Result<f64, String> {
    finite(text).ok().filter(|&x| x >= 0.0).ok_or_else(|| "must be a number, 0 or above".into())
}

/// A share that is neither nothing nor all.
pub(super) fn share(text: &str) -> Result<f64, String> {
    finite(text).ok().filter(|&x| x > 0.0 && x < 1.0).ok_or_else(|| "must be above 0 and below 1".into())
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    within(text, 1e-3, 1e9, "frames a second")
}

/// A number or a quotient of two, not zero.
pub(super) fn factor(text: &str) -> Result<f64, String> {
    let value = match text.split_once('/') {
        Some((a, b)) => finite(a)? / finite(b)?,
        None => finite(text)?,
    };
    if value.is_finite() && value != 0.0 {
        Ok(value)
    } else {
        Err("must be a finite number other than 0".into())
    }
}

pub(super) fn numbers(text: &str) -> Result<Numbers, String> {
    text.split(',').map(finite).collect::<Result<_, _>>().map(Numbers)
}

pub(super) fn divisors(text: &str) -> Result<Numbers, String> {
    let numbers = numbers(text)?;
    if numbers.0.iter().all(|&x| x > 0.0) { Ok(numbers) } else { Err("must be above 0".into()) }
}

pub(super) fn bits(text: &str) -> Result<Bits, String> {
    let width = |digits: &str| digits.parse().ok().filter(|n| Bits::RANGE.contains(n));
    text.strip_prefix('w')
        .and_then(|rest| rest.split_once('a'))
        .and_then(|(w, a)| Some(Bits { weights: width(w)?, activations: width(a)? }))
        .ok_or_else(|| "write w8a8: bits of weights, then of activations, 1 to 16 each".into())
}

/// A layer's name and its bits.
pub(super) fn layer_bits(text: &str) -> Result<(String, Bits), String> {
    match text.rsplit_once('=') {
        Some((name, widths)) if !name.is_empty() => Ok((name.to_string(), bits(widths)?)),
        _ => Err("write NAME=w4a8: a layer by its name, then its bits".into()),
    }
}

/// Percent of the numbers that are not clipped, where none are said.
const PERCENT: f64 = 99.99;

pub(super) fn calibration(text: &str) -> Result<Method, String> {
    match text.split_once('=') {
        None if text == "mse" => Ok(Method::Mse),
        None if text == "min-max" => Ok(Method::MinMax),
        None if text == "percentile" => Ok(Method::Percentile(PERCENT)),
        Some(("percentile", percent)) => within(percent, 50.0, 100.0, "percent").map(Method::Percentile),
        _ => Err("write mse, min-max, percentile, or percentile=99.9".into()),
    }
}
