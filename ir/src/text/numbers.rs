//! The numbers of constants: few stand in the line, many are named by digest; a text made by hand may also
//! ask for made-up ones (`seed=7`) or equal ones (`all=0.5`).

use half::f16;

use crate::network::{Element, Shape};
use crate::tensor::{Data, Tensor};
use crate::with_data;

/// Constants of so many numbers or fewer are printed in the line.
const INLINE: usize = 8;

/// The most numbers that `seed` and `all` make for one text: lines are short, and what they ask for is not.
pub(super) const MAX_MADE: usize = 1 << 20;

/// The numbers as a list, where they are few; NaNs have bits that no list shows.
pub(super) fn list(tensor: &Tensor) -> Option<String> {
    let nan = match tensor.data() {
        Data::F16(v) => v.iter().any(|x| x.is_nan()),
        Data::F32(v) => v.iter().any(|x| x.is_nan()),
        Data::F64(v) => v.iter().any(|x| x.is_nan()),
        _ => false,
    };
    if tensor.len() > INLINE || nan {
        return None;
    }
    // Debug of a float is the shortest text that reads back to it, and shows that it is one.
    let items: Vec<String> = match tensor.data() {
        Data::F16(v) => v.iter().map(|x| format!("{:?}", x.to_f32())).collect(),
        other => with_data!(
            other,
            v => v.iter().map(|x| format!("{x:?}")).collect(),
            bools => bools.iter().map(|b| b.to_string()).collect()
        ),
    };
    Some(format!("[{}]", items.join(",")))
}

/// The tensor of a list in brackets.
pub(super) fn read(element: Element, shape: &Shape, list: &str) -> Result<Tensor, String> {
    let inner = list
        .strip_prefix('[')
        .and_then(|l| l.strip_suffix(']'))
        .ok_or("expected numbers as [1.0,2.0], blake3:DIGEST, seed=N or all=N")?;
    let items: Vec<&str> = if inner.is_empty() { Vec::new() } else { inner.split(',').collect() };
    if shape.checked_len() != Some(items.len()) {
        return Err(format!("{} numbers stand here, shape {shape} has {}", items.len(), shape.len()));
    }
    let data = data(element, &items)?;
    Tensor::new(element, shape.clone(), data).ok_or_else(|| format!("there is no tensor of {element}"))
}

fn data(element: Element, items: &[&str]) -> Result<Data, String> {
    macro_rules! numbers {
        ($variant:ident) => {
            Data::$variant(
                items
                    .iter()
                    .map(|i| i.parse().map_err(|_| format!("'{i}' is no number of {element}")))
                    .collect::<Result<_, String>>()?,
            )
        };
    }
    Ok(match element {
        Element::F16 => {
            let parse = |i: &&str| i.parse().map(f16::from_f32).map_err(|_| format!("'{i}' is no number"));
            Data::F16(items.iter().map(parse).collect::<Result<_, String>>()?)
        }
        Element::F32 => numbers!(F32),
        Element::F64 => numbers!(F64),
        Element::Bool => numbers!(Bool),
        Element::Int { bits: ..=8, signed: true } => numbers!(I8),
        Element::Int { bits: ..=8, signed: false } => numbers!(U8),
        Element::Int { bits: ..=16, signed: true } => numbers!(I16),
        Element::Int { bits: ..=16, signed: false } => numbers!(U16),
        Element::Int { bits: ..=32, signed: true } => numbers!(I32),
        Element::Int { bits: ..=32, signed: false } => numbers!(U32),
        Element::Int { signed: true, .. } => numbers!(I64),
        Element::Int { signed: false, .. } => numbers!(U64),
    })
}

/// A tensor whose elements are all `value`.
pub(super) fn all(element: Element, shape: &Shape, value: &str) -> Result<Tensor, String> {
    let value: f64 = value.parse().map_err(|_| format!("'{value}' is no number"))?;
    Tensor::from_f64(element, shape.clone(), &vec![value; shape.len()])
        .ok_or_else(|| format!("{value} is no number of {element}"))
}

/// Made-up weights: multiples of 1/64 from -1 to 1, divided by the power of two that is nearest to the root of
/// the fan-in, so that activations neither vanish nor grow; whole numbers within the type and -64 ..= 63.
pub(super) fn seeded(element: Element, shape: &Shape, seed: &str) -> Result<Tensor, String> {
    let seed: u64 = seed.parse().map_err(|_| format!("'{seed}' is no whole number"))?;
    let mut bytes = vec![0u8; shape.len()];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    let fan_in = shape.0.get(1..).unwrap_or_default().iter().product::<usize>().max(1) as f64;
    let scale = (fan_in.log2() / 2.0).round().exp2() * 64.0;
    let number = |&byte: &u8| match element {
        Element::F16 | Element::F32 | Element::F64 => (f64::from(byte % 129) - 64.0) / scale,
        Element::Bool => f64::from(byte % 2),
        Element::Int { bits, signed: true } => {
            let half = f64::from(1 << (bits.min(7) - 1));
            f64::from(byte).rem_euclid(2.0 * half) - half
        }
        Element::Int { bits, signed: false } => f64::from(u32::from(byte) % (1 << bits.min(6))),
    };
    let numbers: Vec<f64> = bytes.iter().map(number).collect();
    Tensor::from_f64(element, shape.clone(), &numbers)
        .ok_or_else(|| format!("there is no tensor of {element}"))
}
