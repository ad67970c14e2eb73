//! What a value is: its element and its shape; and the small types that attributes are made of.

use std::fmt;

/// The element type of a value or tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Element {
    /// IEEE binary16.
    F16,
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
    /// An integer of 1 to 64 bits.
    Int {
        /// Width in bits.
        bits: u8,
        /// Two's complement, or unsigned.
        signed: bool,
    },
    /// A truth value.
    Bool,
}

impl Element {
    /// Signed 64-bit integers, the type of ONNX shapes.
    pub const I64: Element = Element::Int { bits: 64, signed: true };
    /// Signed 32-bit integers.
    pub const I32: Element = Element::Int { bits: 32, signed: true };
    /// Signed bytes.
    pub const I8: Element = Element::Int { bits: 8, signed: true };
    /// Unsigned bytes.
    pub const U8: Element = Element::Int { bits: 8, signed: false };

    /// Whether values are floating point.
    pub fn is_float(self) -> bool {
        matches!(self, Element::F16 | Element::F32 | Element::F64)
    }
}

/// `f32`, `i8`, `u4`, `bool`.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::F16 => f.write_str("f16"),
            Element::F32 => f.write_str("f32"),
            Element::F64 => f.write_str("f64"),
            Element::Bool => f.write_str("bool"),
            Element::Int { bits, signed } => write!(f, "{}{bits}", if *signed { 'i' } else { 'u' }),
        }
    }
}

impl std::str::FromStr for Element {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let int = |digits: &str, signed| match digits.parse() {
            Ok(bits @ 1..=64) => Ok(Element::Int { bits, signed }),
            _ => Err(format!("'{text}' is no element type: integers have 1 to 64 bits")),
        };
        match text {
            "f16" => Ok(Element::F16),
            "f32" => Ok(Element::F32),
            "f64" => Ok(Element::F64),
            "bool" => Ok(Element::Bool),
            _ => match text.split_at_checked(1) {
                Some(("i", digits)) => int(digits, true),
                Some(("u", digits)) => int(digits, false),
                _ => Err(format!("'{text}' is no element type (f16, f32, f64, bool, iN or uN)")),
            },
        }
    }
}

/// The extent of each axis; the first axis of an activation is the batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape(pub Vec<usize>);

impl Shape {
    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Number of elements, or nothing where it does not fit a `usize`.
    pub fn checked_len(&self) -> Option<usize> {
        self.0.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
    }

    /// Number of elements; a graph holds only shapes whose length fits.
    pub fn len(&self) -> usize {
        self.checked_len().unwrap_or(usize::MAX)
    }

    /// Whether an axis is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `(channels, height, width)` of an N C H W value.
    pub fn chw(&self) -> Option<(usize, usize, usize)> {
        match self.0[..] {
            [_, c, h, w] => Some((c, h, w)),
            _ => None,
        }
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Shape(dims.to_vec())
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        Shape(dims.to_vec())
    }
}

/// `1x16x32x32`; `scalar` for rank 0.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("scalar");
        }
        for (i, d) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("x")?;
            }
            write!(f, "{d}")?;
        }
        Ok(())
    }
}

/// Element and shape of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ValueType {
    /// What one element is.
    pub element: Element,
    /// The extent of each axis.
    pub shape: Shape,
}

impl ValueType {
    /// A value of `element`s in `shape`.
    pub fn new(element: Element, shape: impl Into<Shape>) -> Self {
        ValueType { element, shape: shape.into() }
    }
}

/// `f32 1x16x32x32`.
impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.element, self.shape)
    }
}

/// A height and a width: of a kernel, a stride, a dilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
}

impl Pair {
    /// `1x1`.
    pub const ONE: Pair = Pair { h: 1, w: 1 };
    /// `0x0`.
    pub const ZERO: Pair = Pair { h: 0, w: 0 };

    /// A square.
    pub const fn square(n: usize) -> Self {
        Pair { h: n, w: n }
    }
}

/// Rows and columns added on the four sides of a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sides {
    /// Rows above.
    pub top: usize,
    /// Columns to the left.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Sides {
    /// Nothing on any side.
    pub const ZERO: Sides = Sides { top: 0, left: 0, bottom: 0, right: 0 };

    /// The same on all sides.
    pub const fn all(n: usize) -> Self {
        Sides { top: n, left: n, bottom: n, right: n }
    }
}

/// How a quantiser rounds a real number to an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// To the nearest, ties to the even neighbour (ONNX QuantizeLinear).
    HalfEven,
    /// To the nearest, ties towards plus infinity.
    HalfUp,
    /// To the nearest, ties towards minus infinity.
    HalfDown,
    /// To the nearest, ties away from zero.
    HalfAway,
    /// Towards minus infinity.
    Floor,
    /// Towards plus infinity.
    Ceil,
    /// Away from zero.
    Up,
    /// Towards zero.
    Down,
}

/// The one definition of rounding: for numbers, and for whole numbers with bits behind the point.
impl Rounding {
    /// The whole number that a number is rounded to.
    pub fn round(self, x: f64) -> f64 {
        match self {
            Rounding::HalfEven => x.round_ties_even(),
            Rounding::HalfUp => x.floor() + f64::from(u8::from(x - x.floor() >= 0.5)),
            Rounding::HalfDown => x.ceil() - f64::from(u8::from(x.ceil() - x >= 0.5)),
            Rounding::HalfAway => x.round(),
            Rounding::Floor => x.floor(),
            Rounding::Ceil => x.ceil(),
            Rounding::Up => x.signum() * x.abs().ceil(),
            Rounding::Down => x.trunc(),
        }
    }

    /// The whole number that `x / 2^shift` is rounded to; `shift` is below 127.
    pub fn shifted(self, x: i128, shift: u8) -> i128 {
        let floor = x >> shift;
        let rest = x - (floor << shift);
        let (none, half) = (rest == 0, rest << 1 == 1 << shift);
        let above = rest << 1 > 1 << shift;
        let up = match self {
            Rounding::HalfEven => above || (half && floor & 1 == 1),
            Rounding::HalfUp => above || half,
            Rounding::HalfDown => above,
            Rounding::HalfAway => above || (half && x > 0),
            Rounding::Floor => false,
            Rounding::Ceil => !none,
            Rounding::Up => !none && x > 0,
            Rounding::Down => !none && x < 0,
        };
        floor + i128::from(up)
    }
}
