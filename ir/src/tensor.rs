//! Dense tensors: an element type, a shape and the numbers in row-major order.

use std::fmt;
use std::sync::OnceLock;

use blake3::Hash;
use half::f16;

use crate::network::{Element, Shape};

/// The numbers of a tensor, each in the smallest machine type that holds its element.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Data {
    F16(Vec<f16>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    I8(Vec<i8>),
    U8(Vec<u8>),
    I16(Vec<i16>),
    U16(Vec<u16>),
    I32(Vec<i32>),
    U32(Vec<u32>),
    I64(Vec<i64>),
    U64(Vec<u64>),
    Bool(Vec<bool>),
}

/// Evaluates `$body` with `$v` bound to the vector inside of a [`Data`] whose numbers are not truth values,
/// and `$bools` with the vector of truth values.
#[macro_export]
macro_rules! with_data {
    ($data:expr, $v:ident => $body:expr, $bools:ident => $bool_body:expr) => {
        match $data {
            $crate::tensor::Data::F16($v) => $body,
            $crate::tensor::Data::F32($v) => $body,
            $crate::tensor::Data::F64($v) => $body,
            $crate::tensor::Data::I8($v) => $body,
            $crate::tensor::Data::U8($v) => $body,
            $crate::tensor::Data::I16($v) => $body,
            $crate::tensor::Data::U16($v) => $body,
            $crate::tensor::Data::I32($v) => $body,
            $crate::tensor::Data::U32($v) => $body,
            $crate::tensor::Data::I64($v) => $body,
            $crate::tensor::Data::U64($v) => $body,
            $crate::tensor::Data::Bool($bools) => $bool_body,
        }
    };
}

/// Evaluates `$body` with `$numbers` bound to an iterator over the numbers inside of a [`Data`] as f64.
macro_rules! with_f64s {
    ($data:expr, $numbers:ident => $body:expr) => {{
        macro_rules! with {
            ($v:expr, $convert:expr) => {{
                #[allow(unused_mut)]
                let mut $numbers = $v.iter().map($convert);
                $body
            }};
        }
        match $data {
            Data::F16(v) => with!(v, |x| x.to_f64()),
            Data::F32(v) => with!(v, |&x| f64::from(x)),
            Data::F64(v) => with!(v, |&x| x),
            Data::I8(v) => with!(v, |&x| f64::from(x)),
            Data::U8(v) => with!(v, |&x| f64::from(x)),
            Data::I16(v) => with!(v, |&x| f64::from(x)),
            Data::U16(v) => with!(v, |&x| f64::from(x)),
            Data::I32(v) => with!(v, |&x| f64::from(x)),
            Data::U32(v) => with!(v, |&x| f64::from(x)),
            Data::I64(v) => with!(v, |&x| x as f64),
            Data::U64(v) => with!(v, |&x| x as f64),
            Data::Bool(v) => with!(v, |&x| f64::from(u8::from(x))),
        }
    }};
}

impl Data {
    /// Number of elements.
    pub fn len(&self) -> usize {
        with_data!(self, v => v.len(), b => b.len())
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for just so many more elements.
    pub(crate) fn reserve(&mut self, more: usize) {
        with_data!(self, v => v.reserve_exact(more), b => b.reserve_exact(more));
    }

    /// Puts numbers of the same type behind these.
    ///
    /// # Panics
    /// Where they are of another type.
    pub(crate) fn append(&mut self, more: Data) {
        macro_rules! append {
            ($($type:ident)*) => {
                match (self, more) {
                    $((Data::$type(all), Data::$type(more)) => all.extend(more),)*
                    _ => unreachable!("numbers of one tensor are of one type"),
                }
            };
        }
        append!(F16 F32 F64 I8 U8 I16 U16 I32 U32 I64 U64 Bool);
    }
}

/// A tensor whose data length equals its shape's.
///
/// Integers narrower than 8 bits are stored in the next wider machine type.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    element: Element,
    shape: Shape,
    data: Data,
    digest: Digest,
}

/// The digest of a tensor once it was asked for: its numbers never change, and weights are asked for theirs in every
/// trial. It is no part of the value.
#[derive(Clone, Default)]
struct Digest(OnceLock<Hash>);

impl PartialEq for Digest {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl Tensor {
    /// A tensor, or nothing where data and shape or element do not agree.
    pub fn new(element: Element, shape: impl Into<Shape>, data: Data) -> Option<Self> {
        let shape = shape.into();
        let fits = matches!(
            (element, &data),
            (Element::F16, Data::F16(_))
                | (Element::F32, Data::F32(_))
                | (Element::F64, Data::F64(_))
                | (Element::Bool, Data::Bool(_))
                | (Element::Int { bits: 1..=8, signed: true }, Data::I8(_))
                | (Element::Int { bits: 1..=8, signed: false }, Data::U8(_))
                | (Element::Int { bits: 9..=16, signed: true }, Data::I16(_))
                | (Element::Int { bits: 9..=16, signed: false }, Data::U16(_))
                | (Element::Int { bits: 17..=32, signed: true }, Data::I32(_))
                | (Element::Int { bits: 17..=32, signed: false }, Data::U32(_))
                | (Element::Int { bits: 33..=64, signed: true }, Data::I64(_))
                | (Element::Int { bits: 33..=64, signed: false }, Data::U64(_))
        );
        (fits && shape.checked_len() == Some(data.len())).then_some(Tensor {
            element,
            shape,
            data,
            digest: Digest::default(),
        })
    }

    /// A tensor of f32, or nothing where the lengths do not agree.
    pub fn f32(shape: impl Into<Shape>, data: Vec<f32>) -> Option<Self> {
        Tensor::new(Element::F32, shape, Data::F32(data))
    }

    /// A tensor of f64, or nothing where the lengths do not agree.
    pub fn f64(shape: impl Into<Shape>, data: Vec<f64>) -> Option<Self> {
        Tensor::new(Element::F64, shape, Data::F64(data))
    }

    /// A vector of i64, as ONNX shapes are.
    pub fn i64s(data: Vec<i64>) -> Self {
        let shape = Shape(vec![data.len()]);
        Tensor { element: Element::I64, shape, data: Data::I64(data), digest: Digest::default() }
    }

    /// What one element is.
    pub fn element(&self) -> Element {
        self.element
    }

    /// The extent of each axis.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The numbers in row-major order.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The same numbers in another shape of equal length.
    pub fn reshaped(&self, shape: impl Into<Shape>) -> Option<Tensor> {
        Tensor::new(self.element, shape, self.data.clone())
    }

    /// The digest that `find` finds, which is called once.
    pub(crate) fn digest(&self, find: impl FnOnce(&Tensor) -> Hash) -> Hash {
        *self.digest.0.get_or_init(|| find(self))
    }

    /// The numbers as little-endian bytes, truth values as 0 and 1.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        with_data!(
            &self.data,
            v => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            bools => bools.iter().map(|&b| u8::from(b)).collect()
        )
    }

    /// Tells the bytes of [`Tensor::to_le_bytes`], a few thousand at once.
    pub(crate) fn tell_le_bytes(&self, mut tell: impl FnMut(&[u8])) {
        const NUMBERS: usize = 1 << 10;
        let mut bytes: Vec<u8> = Vec::with_capacity(8 * NUMBERS);
        macro_rules! tell_all {
            ($v:expr, $x:ident => $bytes_of:expr) => {
                for part in $v.chunks(NUMBERS) {
                    bytes.clear();
                    part.iter().for_each(|$x| bytes.extend_from_slice(&$bytes_of));
                    tell(&bytes);
                }
            };
        }
        with_data!(&self.data, v => tell_all!(v, x => x.to_le_bytes()), b => tell_all!(b, x => [u8::from(*x)]));
    }

    /// All numbers as f64; 64-bit integers above 2^53 are rounded.
    pub fn to_f64(&self) -> Vec<f64> {
        with_f64s!(&self.data, numbers => numbers.collect())
    }

    /// Whether all numbers, as f64, are such.
    pub fn all(&self, is: impl FnMut(f64) -> bool) -> bool {
        with_f64s!(&self.data, numbers => numbers.all(is))
    }

    /// All numbers as f32.
    pub fn to_f32(&self) -> Vec<f32> {
        match &self.data {
            Data::F32(v) => v.clone(),
            Data::I8(v) => v.iter().map(|&x| x.into()).collect(),
            Data::U8(v) => v.iter().map(|&x| x.into()).collect(),
            _ => self.to_f64().into_iter().map(|x| x as f32).collect(),
        }
    }

    /// All numbers as i64, or nothing where the elements are no integers or do not fit.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        match &self.data {
            Data::I8(v) => Some(v.iter().map(|&x| x.into()).collect()),
            Data::U8(v) => Some(v.iter().map(|&x| x.into()).collect()),
            Data::I16(v) => Some(v.iter().map(|&x| x.into()).collect()),
            Data::U16(v) => Some(v.iter().map(|&x| x.into()).collect()),
            Data::I32(v) => Some(v.iter().map(|&x| x.into()).collect()),
            Data::U32(v) => Some(v.iter().map(|&x| x.into()).collect()),
            Data::I64(v) => Some(v.clone()),
            Data::U64(v) => v.iter().map(|&x| x.try_into().ok()).collect(),
            Data::Bool(v) => Some(v.iter().map(|&x| x.into()).collect()),
            Data::F16(_) | Data::F32(_) | Data::F64(_) => None,
        }
    }

    /// A tensor of `element`s from f64 numbers: floats are rounded to nearest, integers must be whole and fit.
    pub fn from_f64(element: Element, shape: impl Into<Shape>, values: &[f64]) -> Option<Self> {
        fn whole<T: TryFrom<i64>>(values: &[f64]) -> Option<Vec<T>> {
            let exact = |x: f64| (x.fract() == 0.0 && x.abs() < 9.3e18).then_some(x as i64);
            values.iter().map(|&x| exact(x).and_then(|i| T::try_from(i).ok())).collect()
        }
        let data = match element {
            Element::F16 => Data::F16(values.iter().map(|&x| f16::from_f64(x)).collect()),
            Element::F32 => Data::F32(values.iter().map(|&x| x as f32).collect()),
            Element::F64 => Data::F64(values.to_vec()),
            Element::Bool => Data::Bool(values.iter().map(|&x| x != 0.0).collect()),
            Element::Int { bits: ..=8, signed: true } => Data::I8(whole(values)?),
            Element::Int { bits: ..=8, signed: false } => Data::U8(whole(values)?),
            Element::Int { bits: ..=16, signed: true } => Data::I16(whole(values)?),
            Element::Int { bits: ..=16, signed: false } => Data::U16(whole(values)?),
            Element::Int { bits: ..=32, signed: true } => Data::I32(whole(values)?),
            Element::Int { bits: ..=32, signed: false } => Data::U32(whole(values)?),
            Element::Int { signed: true, .. } => Data::I64(whole(values)?),
            Element::Int { signed: false, .. } => Data::U64(whole(values)?),
        };
        Tensor::new(element, shape, data)
    }
}
