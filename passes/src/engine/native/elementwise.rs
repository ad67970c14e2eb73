//! Operators on each element: sums and products with broadcasting, batch norm, activations.

use nonresc_ir::network::{BatchNorm, Op, Shape};
use nonresc_ir::tensor::Tensor;

use super::kernel::{Kernel, Scratch};
use super::layout::stored;
use super::tile::Limits;
use crate::engine::strided::{Axis, loops, steps};

/// An operator on two values with the broadcasting of numpy.
#[derive(Debug)]
pub(super) struct Binary {
    operation: Operation,
    axes: Vec<Axis<3>>,
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Add,
    Sub,
    Mul,
    Div,
}

impl Binary {
    /// Nothing where the operator is another or the shapes do not broadcast to `result`.
    pub(super) fn new(op: &Op, a: &Shape, b: &Shape, result: &Shape) -> Option<Self> {
        let operation = match op {
            Op::Add(_) => Operation::Add,
            Op::Sub(_) => Operation::Sub,
            Op::Mul(_) => Operation::Mul,
            Op::Div(_) => Operation::Div,
            _ => return None,
        };
        let (a, b) = (broadcast(a, result)?, broadcast(b, result)?);
        let axes = loops(&result.0, [&steps(&stored(&result.0)), &a, &b]);
        Some(Binary { operation, axes, limits: Limits::NONE })
    }

    /// Holds results to `limits`.
    pub(super) fn limited(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    fn apply(&self, a: &[f32], b: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32 + Copy) {
        if !y.is_empty() {
            walk(&self.axes, (a, 0), (b, 0), (y, 0), f);
        }
    }
}

/// Steps of a stored operand along the axes of `result`: none along those where it is repeated.
fn broadcast(operand: &Shape, result: &Shape) -> Option<Vec<isize>> {
    let missing = result.rank().checked_sub(operand.rank())?;
    let strides = steps(&stored(&operand.0));
    let step = |axis: usize| match axis.checked_sub(missing) {
        Some(own) if operand.0[own] == result.0[axis] => Some(strides[own]),
        Some(own) if operand.0[own] != 1 => None,
        _ => Some(0),
    };
    (0..result.rank()).map(step).collect()
}

fn walk(
    axes: &[Axis<3>],
    a: (&[f32], usize),
    b: (&[f32], usize),
    y: (&mut [f32], usize),
    f: impl Fn(f32, f32) -> f32 + Copy,
) {
    let at = |start: usize, i: usize, step: isize| start.wrapping_add_signed(i as isize * step);
    match axes {
        [] => y.0[y.1] = f(a.0[a.1], b.0[b.1]),
        [Axis { extent, steps: [1, 1, 1] }] => {
            let (a, b) = (&a.0[a.1..][..*extent], &b.0[b.1..][..*extent]);
            for ((y, a), b) in y.0[y.1..][..*extent].iter_mut().zip(a).zip(b) {
                *y = f(*a, *b);
            }
        }
        [Axis { extent, steps: [1, 1, 0] }] => {
            let b = b.0[b.1];
            for (y, a) in y.0[y.1..][..*extent].iter_mut().zip(&a.0[a.1..][..*extent]) {
                *y = f(*a, b);
            }
        }
        [Axis { extent, steps: [s, t, u] }] => {
            for i in 0..*extent {
                y.0[at(y.1, i, *s)] = f(a.0[at(a.1, i, *t)], b.0[at(b.1, i, *u)]);
            }
        }
        [Axis { extent, steps: [s, t, u] }, rest @ ..] => {
            for i in 0..*extent {
                let y = (&mut *y.0, at(y.1, i, *s));
                walk(rest, (a.0, at(a.1, i, *t)), (b.0, at(b.1, i, *u)), y, f);
            }
        }
    }
}

impl Kernel for Binary {
    fn run(&self, operands: &[&[f32]], y: &mut [f32], _: &mut Scratch) {
        let (a, b, limits) = (operands[0], operands[1], self.limits);
        match self.operation {
            Operation::Add => self.apply(a, b, y, |a, b| limits.hold(a + b)),
            Operation::Sub => self.apply(a, b, y, |a, b| limits.hold(a - b)),
            Operation::Mul => self.apply(a, b, y, |a, b| limits.hold(a * b)),
            Operation::Div => self.apply(a, b, y, |a, b| limits.hold(a / b)),
        }
    }
}

/// A factor and a summand by channel, channels being neighbours.
#[derive(Debug)]
pub(super) struct Affine {
    factors: Vec<f32>,
    summands: Vec<f32>,
    limits: Limits,
}

impl Affine {
    /// Batch norm with known statistics; nothing where channels are not the innermost stored axis.
    pub(super) fn batch_norm(op: &BatchNorm, x: &Shape, known: [&Tensor; 4]) -> Option<Self> {
        if !matches!(x.rank(), 2 | 4) || known.iter().any(|t| t.len() != x.0[1]) {
            return None;
        }
        let [scale, bias, mean, variance] = known.map(Tensor::to_f64);
        let factors: Vec<f64> = scale
            .iter()
            .zip(&variance)
            .map(|(scale, variance)| scale / (variance + op.epsilon).sqrt())
            .collect();
        let summands = (0..factors.len()).map(|c| (bias[c] - mean[c] * factors[c]) as f32).collect();
        let factors = factors.iter().map(|&f| f as f32).collect();
        Some(Affine { factors, summands, limits: Limits::NONE })
    }

    /// Holds results to `limits`.
    pub(super) fn limited(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl Kernel for Affine {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], _: &mut Scratch) {
        let channels = self.factors.len();
        for (y, x) in result.chunks_exact_mut(channels).zip(operands[0].chunks_exact(channels)) {
            for (((y, x), factor), summand) in y.iter_mut().zip(x).zip(&self.factors).zip(&self.summands) {
                *y = self.limits.hold(x * factor + summand);
            }
        }
    }
}

/// An activation.
#[derive(Debug)]
pub(super) struct Unary {
    /// Factor on negative numbers.
    slope: f32,
    limits: Limits,
}

impl Unary {
    /// Nothing where the operator is no activation.
    pub(super) fn new(op: &Op) -> Option<Self> {
        match op {
            Op::LeakyRelu(op) => Some(Unary { slope: op.alpha as f32, limits: Limits::NONE }),
            op => super::kernel::limits(op).map(|limits| Unary { slope: 1.0, limits }),
        }
    }
}

impl Kernel for Unary {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], _: &mut Scratch) {
        for (y, &x) in result.iter_mut().zip(operands[0]) {
            *y = self.limits.hold(if x < 0.0 { x * self.slope } else { x });
        }
    }
}
