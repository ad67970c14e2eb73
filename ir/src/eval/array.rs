//! Values under evaluation: floats in one type, everything else in i64.

use half::f16;

use crate::network::{Element, ValueType};
use crate::tensor::{Data, Tensor};

/// A float type that the evaluator can compute in.
pub trait Real:
    Copy
    + PartialOrd
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::AddAssign
{
    /// Zero.
    const ZERO: Self;
    /// The nearest value.
    fn from_f64(x: f64) -> Self;
    /// The same value.
    fn to_f64(self) -> f64;
    /// Numbers of a tensor, rounded to this type.
    fn of(tensor: &Tensor) -> Vec<Self>;
    /// e to the power of the value.
    fn exp(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
}

macro_rules! real {
    ($ty:ident, $of:ident) => {
        impl Real for $ty {
            const ZERO: Self = 0.0;
            fn from_f64(x: f64) -> Self {
                x as $ty
            }
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            fn of(tensor: &Tensor) -> Vec<Self> {
                tensor.$of()
            }
            fn exp(self) -> Self {
                $ty::exp(self)
            }
            fn ln(self) -> Self {
                $ty::ln(self)
            }
            fn sqrt(self) -> Self {
                $ty::sqrt(self)
            }
        }
    };
}

real!(f32, to_f32);
real!(f64, to_f64);

/// The numbers of a value in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Numbers<T> {
    /// Of a float element.
    Real(Vec<T>),
    /// Of an integer element or of truth values.
    Whole(Vec<i64>),
}

impl<T: Real> Numbers<T> {
    pub(super) fn of(tensor: &Tensor) -> Self {
        match tensor.data() {
            Data::F16(_) | Data::F32(_) | Data::F64(_) => Numbers::Real(T::of(tensor)),
            // Unsigned 64-bit numbers wrap, as they do in every arithmetic of that width.
            Data::U64(v) => Numbers::Whole(v.iter().map(|&x| x as i64).collect()),
            _ => Numbers::Whole(tensor.to_i64().unwrap_or_default()),
        }
    }
}

/// A value under evaluation.
#[derive(Clone, Debug)]
pub(super) struct Array<T> {
    pub(super) ty: ValueType,
    pub(super) numbers: Numbers<T>,
}

impl<T: Real> Array<T> {
    pub(super) fn of(tensor: &Tensor) -> Self {
        let ty = ValueType::new(tensor.element(), tensor.shape().clone());
        Array { ty, numbers: Numbers::of(tensor) }
    }

    /// The numbers of a float value.
    pub(super) fn real(&self) -> &[T] {
        match &self.numbers {
            Numbers::Real(real) => real,
            Numbers::Whole(_) => unreachable!("inference gives this operator floats alone"),
        }
    }

    /// The numbers of a value that is no float.
    pub(super) fn whole(&self) -> &[i64] {
        match &self.numbers {
            Numbers::Whole(whole) => whole,
            Numbers::Real(_) => unreachable!("inference gives this operator integers alone"),
        }
    }

    pub(super) fn round_to_f16(&mut self) {
        if let Numbers::Real(real) = &mut self.numbers {
            real.iter_mut().for_each(|x| *x = T::from_f64(f16::from_f64(x.to_f64()).to_f64()));
        }
    }

    /// The value as a tensor of its element.
    pub(super) fn tensor(&self) -> Tensor {
        let shape = self.ty.shape.clone();
        let tensor = match &self.numbers {
            Numbers::Real(v) => {
                Tensor::from_f64(self.ty.element, shape, &v.iter().map(|x| x.to_f64()).collect::<Vec<_>>())
            }
            Numbers::Whole(v) => whole_tensor(self.ty.element, shape, v),
        };
        tensor.expect("kernels give numbers that fit their type")
    }
}

fn whole_tensor(element: Element, shape: crate::network::Shape, v: &[i64]) -> Option<Tensor> {
    let data = match element {
        Element::Int { bits: 33.., signed: true } => Data::I64(v.to_vec()),
        Element::Int { bits: 33.., signed: false } => Data::U64(v.iter().map(|&x| x as u64).collect()),
        _ => return Tensor::from_f64(element, shape, &v.iter().map(|&x| x as f64).collect::<Vec<_>>()),
    };
    Tensor::new(element, shape, data)
}

/// `x` in two's complement of the element's width.
pub(super) fn wrap(x: i64, element: Element) -> i64 {
    match element {
        Element::Int { bits: 64.., .. } => x,
        Element::Int { bits, signed } => {
            let low = x & ((1 << bits) - 1);
            if signed && low >> (bits - 1) == 1 { low - (1 << bits) } else { low }
        }
        _ => x,
    }
}
