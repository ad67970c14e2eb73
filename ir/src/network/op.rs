//! The operators of a network: each one's attributes, defaults, printer and parser from one table.
//!
//! No rule, cost or engine here: an operator is what it computes. Activations are N C H W.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::attr::Attr;
use super::types::{Element, Pair, Rounding, Shape, Sides};
use crate::tensor::Tensor;

/// Operands are numbered in 16 bits.
const MAX_OPERANDS: usize = 65_535;

fn changed<T: Attr + PartialEq>(
    name: &'static str,
    value: &T,
    default: &T,
) -> Option<(&'static str, String)> {
    (value != default).then(|| (name, value.print()))
}

macro_rules! ops {
    ($(
        $(#[$doc:meta])*
        $Op:ident $name:literal [$arity:expr] {
            $( $(#[$field_doc:meta])* $field:ident: $ty:ty = $default:expr, )*
        }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq)]
            pub struct $Op {
                $( $(#[$field_doc])* pub $field: $ty, )*
            }

            impl Default for $Op {
                fn default() -> Self {
                    $Op { $($field: $default),* }
                }
            }

            impl From<$Op> for Op {
                fn from(op: $Op) -> Op {
                    Op::$Op(op)
                }
            }
        )*

        /// An operator with its attributes.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Op {
            /// A tensor known at compile time.
            Const(Arc<Tensor>),
            $( $(#[$doc])* $Op($Op), )*
        }

        impl Op {
            /// Name in the text form.
            pub fn name(&self) -> &'static str {
                match self {
                    Op::Const(_) => "const",
                    $( Op::$Op(_) => $name, )*
                }
            }

            /// How many operands the operator takes.
            pub fn arity(&self) -> RangeInclusive<usize> {
                match self {
                    Op::Const(_) => 0..=0,
                    $( Op::$Op(_) => $arity, )*
                }
            }

            /// Attributes that differ from their defaults, as the text form writes them, in table order.
            pub fn attributes(&self) -> Vec<(&'static str, String)> {
                match self {
                    Op::Const(_) => Vec::new(),
                    $( Op::$Op(op) => {
                        let default = $Op::default();
                        let _ = (&default, op);
                        let changed: &[Option<(&'static str, String)>] =
                            &[$( changed(stringify!($field), &op.$field, &default.$field) ),*];
                        changed.iter().flatten().cloned().collect()
                    } )*
                }
            }

            /// The operator called `name` with `attributes` over its defaults; a constant has no text of its own.
            ///
            /// # Errors
            /// Names and attributes that there are not, and values that an attribute does not take.
            pub fn from_text(name: &str, attributes: &[(&str, &str)]) -> Result<Op, String> {
                match name {
                    $( $name => {
                        #[allow(unused_mut)]
                        let mut op = $Op::default();
                        for &(key, _text) in attributes {
                            match key {
                                $( stringify!($field) => op.$field = Attr::parse(_text)?, )*
                                _ => return Err(format!("{name} has no attribute '{key}'{}", {
                                    let all: &[&str] = &[$(stringify!($field)),*];
                                    if all.is_empty() { " (it has none)".to_string() } else { format!(" (it has {})", all.join(", ")) }
                                })),
                            }
                        }
                        Ok(Op::$Op(op))
                    } )*
                    _ => Err(format!("there is no operator '{name}'")),
                }
            }

            /// The names of all operators but `const`, in table order.
            pub const NAMES: &[&str] = &[$($name),*];
        }
    };
}

ops! {
    /// A graph input; its type is the node's own.
    Input "input" [0..=0] {}
    /// Rank-2 convolution of `x` (N, C, H, W) with `w` (O, C/groups, Kh, Kw) and optional bias (O).
    Conv "conv" [2..=3] {
        /// Step of the window.
        stride: Pair = Pair::ONE,
        /// Implied zeros around the map.
        pad: Sides = Sides::ZERO,
        /// Distance of the kernel's taps.
        dilation: Pair = Pair::ONE,
        /// Channel groups; each output group sees one input group.
        groups: usize = 1,
    }
    /// `x` (N, F) times `w` (O, F) transposed, plus optional bias (O).
    Dense "dense" [2..=3] {}
    /// Matrix product with the broadcasting of numpy.
    MatMul "matmul" [2..=2] {}
    /// Inference batch normalisation over axis 1: operands x, scale, bias, mean, variance.
    BatchNorm "batch_norm" [5..=5] {
        /// Added to the variance.
        epsilon: f64 = 1e-5,
    }
    /// Sum with the broadcasting of numpy.
    Add "add" [2..=2] {}
    /// Difference with the broadcasting of numpy.
    Sub "sub" [2..=2] {}
    /// Product with the broadcasting of numpy.
    Mul "mul" [2..=2] {}
    /// Quotient with the broadcasting of numpy.
    Div "div" [2..=2] {}
    /// Maximum with zero.
    Relu "relu" [1..=1] {}
    /// Limits to `min..=max`.
    Clip "clip" [1..=1] {
        /// Lower limit.
        min: f64 = f64::NEG_INFINITY,
        /// Upper limit.
        max: f64 = f64::INFINITY,
    }
    /// `x` where positive, else `alpha * x`.
    LeakyRelu "leaky_relu" [1..=1] {
        /// Slope below zero.
        alpha: f64 = 0.01,
    }
    /// Largest value of each window; padding never wins.
    MaxPool "max_pool" [1..=1] {
        /// Extent of the window.
        kernel: Pair = Pair::ONE,
        /// Step of the window.
        stride: Pair = Pair::ONE,
        /// Places outside of the map.
        pad: Sides = Sides::ZERO,
        /// Distance of the window's taps.
        dilation: Pair = Pair::ONE,
    }
    /// Mean of each window.
    AvgPool "avg_pool" [1..=1] {
        /// Extent of the window.
        kernel: Pair = Pair::ONE,
        /// Step of the window.
        stride: Pair = Pair::ONE,
        /// Places outside of the map, counted as zeros where `include_pad`.
        pad: Sides = Sides::ZERO,
        /// Distance of the window's taps.
        dilation: Pair = Pair::ONE,
        /// Whether the divisor counts `pad`.
        include_pad: bool = false,
        /// Rows and columns below and right that rounding up the output's size adds; never counted.
        overhang: Pair = Pair::ZERO,
    }
    /// Mean over height and width, which stay as extents of 1.
    GlobalAvgPool "global_avg_pool" [1..=1] {}
    /// Largest value over height and width, which stay as extents of 1.
    GlobalMaxPool "global_max_pool" [1..=1] {}
    /// Mean over axes.
    ReduceMean "reduce_mean" [1..=1] {
        /// The axes that are averaged, ascending.
        axes: Vec<usize> = Vec::new(),
        /// Whether averaged axes stay as extents of 1.
        keep_axes: bool = true,
    }
    /// Constant values around, per axis.
    Pad "pad" [1..=1] {
        /// Places before the first element of each axis.
        before: Vec<usize> = Vec::new(),
        /// Places after the last element of each axis.
        after: Vec<usize> = Vec::new(),
        /// What stands there.
        value: f64 = 0.0,
    }
    /// `len` elements of each axis from `start` in steps of `step`.
    Slice "slice" [1..=1] {
        /// First element of each axis.
        start: Vec<usize> = Vec::new(),
        /// Step along each axis, never 0.
        step: Vec<i64> = Vec::new(),
        /// How many elements of each axis.
        len: Vec<usize> = Vec::new(),
    }
    /// Operands one behind the other along an axis.
    Concat "concat" [1..=MAX_OPERANDS] {
        /// The axis.
        axis: usize = 1,
    }
    /// The same elements in another shape.
    Reshape "reshape" [1..=1] {
        /// Whether the first axis stays and `dims` are the others.
        keep_batch: bool = true,
        /// The new extents.
        dims: Vec<usize> = Vec::new(),
    }
    /// Axes in another order: output axis i is input axis `perm[i]`.
    Transpose "transpose" [1..=1] {
        /// The order.
        perm: Vec<usize> = Vec::new(),
    }
    /// Normalised exponentials along an axis.
    Softmax "softmax" [1..=1] {
        /// The axis.
        axis: usize = 1,
    }
    /// Conversion of the element type.
    Cast "cast" [1..=1] {
        /// The new element type.
        to: Element = Element::F32,
    }
    /// `clamp(round(x / scale) + zero_point)`: operands x, scale, zero point (scalars, or vectors along `axis`).
    Quantise "quantise" [3..=3] {
        /// Width of the result in bits.
        bits: u8 = 8,
        /// Whether the result is signed.
        signed: bool = true,
        /// Whether the least signed code is left out, so that the range is symmetric.
        narrow: bool = false,
        /// How ties and fractions are rounded.
        rounding: Rounding = Rounding::HalfEven,
        /// The axis that vectors of scales run along.
        axis: usize = 1,
    }
    /// `(x - zero_point) * scale`: operands x, scale, zero point (scalars, or vectors along `axis`).
    Dequantise "dequantise" [3..=3] {
        /// The axis that vectors of scales run along.
        axis: usize = 1,
    }
    /// Convolution of codes `x` less `zero` with whole weights and an optional whole bias, as `conv`.
    IntConv "int_conv" [2..=3] {
        /// Step of the window.
        stride: Pair = Pair::ONE,
        /// Places around the map, which hold `zero`.
        pad: Sides = Sides::ZERO,
        /// Distance of the kernel's taps.
        dilation: Pair = Pair::ONE,
        /// Channel groups; each output group sees one input group.
        groups: usize = 1,
        /// The code that stands for the number 0.
        zero: i64 = 0,
        /// Width of the sums, which are signed.
        bits: u8 = 32,
    }
    /// Product of codes `x` less `zero` with whole weights, plus an optional whole bias, as `dense`.
    IntDense "int_dense" [2..=3] {
        /// The code that stands for the number 0.
        zero: i64 = 0,
        /// Width of the sums, which are signed.
        bits: u8 = 32,
    }
    /// Sum of codes less `zero` in each window.
    IntSumPool "int_sum_pool" [1..=1] {
        /// Extent of the window.
        kernel: Pair = Pair::ONE,
        /// Step of the window.
        stride: Pair = Pair::ONE,
        /// Places outside of the map, which hold `zero`.
        pad: Sides = Sides::ZERO,
        /// Distance of the window's taps.
        dilation: Pair = Pair::ONE,
        /// The code that stands for the number 0.
        zero: i64 = 0,
        /// Width of the sums, which are signed.
        bits: u8 = 32,
    }
    /// `clamp(round((x m + .. + offset) / 2^shift) + zero)`: operands offset, then each x with its factors m (one, or one a
    /// channel).
    Requantise "requantise" [3..=MAX_OPERANDS] {
        /// Bits behind the point of the sum.
        shift: u8 = 0,
        /// The code that stands for the number 0.
        zero: i64 = 0,
        /// Width of the result in bits.
        bits: u8 = 8,
        /// Whether the result is signed.
        signed: bool = true,
        /// Least code that is given.
        min: i64 = i64::MIN,
        /// Largest code that is given.
        max: i64 = i64::MAX,
        /// How ties and fractions are rounded.
        rounding: Rounding = Rounding::HalfEven,
    }
    /// The gradient of a convolution's `x` (N, C, `size`) from that of its result `dy` and its weights `w`: operands dy, w.
    ConvGradX "conv_grad_x" [2..=2] {
        /// Step of the window.
        stride: Pair = Pair::ONE,
        /// Implied zeros around the map.
        pad: Sides = Sides::ZERO,
        /// Distance of the kernel's taps.
        dilation: Pair = Pair::ONE,
        /// Channel groups.
        groups: usize = 1,
        /// Height and width of `x`.
        size: Pair = Pair::ONE,
    }
    /// The gradient of a convolution's weights (O, C/groups, `kernel`) from `x` and the gradient of its result `dy`:
    /// operands x, dy.
    ConvGradW "conv_grad_w" [2..=2] {
        /// Step of the window.
        stride: Pair = Pair::ONE,
        /// Implied zeros around the map.
        pad: Sides = Sides::ZERO,
        /// Distance of the kernel's taps.
        dilation: Pair = Pair::ONE,
        /// Channel groups.
        groups: usize = 1,
        /// Height and width of the weights.
        kernel: Pair = Pair::ONE,
    }
    /// Sum over all axes but axis 1.
    ChannelSum "channel_sum" [1..=1] {}
    /// Mean square of `x` less its channel's mean, over all axes but axis 1: operands x, mean (C).
    ChannelVariance "channel_variance" [2..=2] {}
    /// The gradient of batch normalisation's scale: sum over all axes but axis 1 of `dy (x - mean) / sqrt(variance +
    /// epsilon)`: operands x, mean, variance, dy.
    BatchNormGradScale "batch_norm_grad_scale" [4..=4] {
        /// Added to the variance.
        epsilon: f64 = 1e-5,
    }
    /// The gradient of batch normalisation's `x` where mean and variance are those of `x` itself: operands x, scale, mean,
    /// variance, dy, and the gradients of scale and bias.
    BatchNormGradX "batch_norm_grad_x" [7..=7] {
        /// Added to the variance.
        epsilon: f64 = 1e-5,
    }
    /// `dy` where `min < x < max`, else `below * dy` where `x` is not above `min`, and 0 where it is not below `max`:
    /// operands x, dy.
    Gate "gate" [2..=2] {
        /// Lower limit.
        min: f64 = f64::NEG_INFINITY,
        /// Upper limit.
        max: f64 = f64::INFINITY,
        /// Factor at and below the lower limit.
        below: f64 = 0.0,
    }
    /// The gradient of a max pool's `x`: each window's `dy` goes to the first of its largest numbers: operands x, dy.
    MaxPoolGrad "max_pool_grad" [2..=2] {
        /// Extent of the window.
        kernel: Pair = Pair::ONE,
        /// Step of the window.
        stride: Pair = Pair::ONE,
        /// Places outside of the map.
        pad: Sides = Sides::ZERO,
        /// Distance of the window's taps.
        dilation: Pair = Pair::ONE,
    }
    /// The gradient of an average pool's `x` (N, C, `size`) from that of its result.
    AvgPoolGrad "avg_pool_grad" [1..=1] {
        /// Extent of the window.
        kernel: Pair = Pair::ONE,
        /// Step of the window.
        stride: Pair = Pair::ONE,
        /// Places outside of the map, counted as zeros where `include_pad`.
        pad: Sides = Sides::ZERO,
        /// Distance of the window's taps.
        dilation: Pair = Pair::ONE,
        /// Whether the divisor counts `pad`.
        include_pad: bool = false,
        /// Rows and columns that rounding up the output's size adds; never counted.
        overhang: Pair = Pair::ZERO,
        /// Height and width of `x`.
        size: Pair = Pair::ONE,
    }
    /// The operand's elements from `start` in steps of `step` among zeros, axis 0 as it is: the gradient of a slice.
    Spread "spread" [1..=1] {
        /// Place of the first element, an axis from the second on.
        start: Vec<usize> = Vec::new(),
        /// Distance of elements, an axis from the second on.
        step: Vec<usize> = Vec::new(),
        /// The extents, from the second on.
        dims: Vec<usize> = Vec::new(),
    }
    /// Logarithm of the normalised exponentials along an axis.
    LogSoftmax "log_softmax" [1..=1] {
        /// The axis.
        axis: usize = 1,
    }
}

impl Conv {
    /// Whether weights of this shape make of it a factor and a summand for each channel: batch norm in normal form.
    pub fn maps_channels(&self, weights: &Shape) -> bool {
        let plain = Conv { groups: self.groups, ..Conv::default() };
        matches!(weights.0[..], [channels, 1, 1, 1] if channels == self.groups) && *self == plain
    }
}

impl IntConv {
    /// The convolution of numbers with the same windows.
    pub fn window(&self) -> Conv {
        Conv { stride: self.stride, pad: self.pad, dilation: self.dilation, groups: self.groups }
    }
}

impl Quantise {
    /// The least and the largest code; the width is one that inference takes.
    pub fn limits(&self) -> [i64; 2] {
        let half = 1 << (self.bits - 1);
        match (self.signed, self.narrow) {
            (false, _) => [0, 2 * half - 1],
            (true, narrow) => [i64::from(narrow) - half, half - 1],
        }
    }
}

impl ConvGradX {
    /// The convolution whose gradient it is.
    pub fn window(&self) -> Conv {
        Conv { stride: self.stride, pad: self.pad, dilation: self.dilation, groups: self.groups }
    }
}

impl ConvGradW {
    /// The convolution whose gradient it is.
    pub fn window(&self) -> Conv {
        Conv { stride: self.stride, pad: self.pad, dilation: self.dilation, groups: self.groups }
    }
}

impl MaxPoolGrad {
    /// The pool whose gradient it is.
    pub fn window(&self) -> MaxPool {
        MaxPool { kernel: self.kernel, stride: self.stride, pad: self.pad, dilation: self.dilation }
    }
}

impl AvgPoolGrad {
    /// The pool whose gradient it is.
    pub fn window(&self) -> AvgPool {
        AvgPool {
            kernel: self.kernel,
            stride: self.stride,
            pad: self.pad,
            dilation: self.dilation,
            include_pad: self.include_pad,
            overhang: self.overhang,
        }
    }
}
