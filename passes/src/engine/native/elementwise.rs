//! Operators on each element: sums and products with broadcasting, activations and their gradient.

use fearless_simd::{Level, dispatch};
use nonresc_ir::network::{Gate, Op, Shape};

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

    #[inline(always)]
    fn activate(&self, x: &[f32], result: &mut [f32]) {
        for (y, &x) in result.iter_mut().zip(x) {
            *y = self.limits.hold(if x < 0.0 { x * self.slope } else { x });
        }
    }
}

impl Kernel for Unary {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], _: &mut Scratch) {
        dispatch!(Level::new(), _ => self.activate(operands[0], result));
    }
}

/// The gradient of an activation.
#[derive(Debug)]
pub(super) struct Gated {
    limits: Limits,
    below: f32,
}

impl Gated {
    /// Both operands are stored alike.
    pub(super) fn new(op: &Gate) -> Self {
        Gated { limits: Limits { min: op.min as f32, max: op.max as f32 }, below: op.below as f32 }
    }
}

impl Kernel for Gated {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], _: &mut Scratch) {
        let Gated { limits, below } = self;
        dispatch!(Level::new(), _ => gate(operands[0], operands[1], *limits, *below, result));
    }
}

#[inline(always)]
fn gate(x: &[f32], dy: &[f32], limits: Limits, below: f32, result: &mut [f32]) {
    for ((dx, &x), &dy) in result.iter_mut().zip(x).zip(dy) {
        let passed = if x > limits.min { dy } else { below * dy };
        *dx = if x < limits.max { passed } else { 0.0 };
    }
}
