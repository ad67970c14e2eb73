//! Operators that only move elements: pad, slice and its gradient, concatenation, reshape, transposition.

use nonresc_ir::network::{self, Op, Shape};

use super::kernel::{Kernel, Scratch, room};
use super::layout::stored;
use crate::engine::strided::{StridedCopy, row_major, steps};

/// Elements of one operand in other places.
#[derive(Debug)]
pub(super) struct Moved {
    /// What stands where no element goes.
    fill: Option<f32>,
    /// Into row-major order first, where the operator goes by it.
    to_row_major: Option<StridedCopy>,
    copy: StridedCopy,
}

impl Moved {
    /// Nothing where the operator computes.
    pub(super) fn new(op: &Op, x: &Shape, y: &Shape) -> Option<Self> {
        let (from, to) = (steps(&stored(&x.0)), stored(&y.0));
        let plain = |copy| Some(Moved { fill: None, to_row_major: None, copy });
        match op {
            Op::Pad(op) => {
                let offset = to.iter().zip(&op.before).map(|(stride, before)| stride * before).sum();
                let copy = StridedCopy::new(&x.0, (0, &from), (offset, &to));
                Some(Moved { fill: Some(op.value as f32), to_row_major: None, copy })
            }
            Op::Spread(op) => {
                let offset = to[1..].iter().zip(&op.start).map(|(stride, start)| stride * start).sum();
                let steps = [1].iter().chain(&op.step);
                let to: Vec<usize> = to.iter().zip(steps).map(|(stride, step)| stride * step).collect();
                let copy = StridedCopy::new(&x.0, (0, &from), (offset, &to));
                Some(Moved { fill: Some(0.0), to_row_major: None, copy })
            }
            Op::Slice(op) => {
                let offset =
                    from.iter().zip(&op.start).map(|(&stride, &start)| stride as usize * start).sum();
                let from: Vec<isize> =
                    from.iter().zip(&op.step).map(|(stride, &step)| stride * step as isize).collect();
                plain(StridedCopy::new(&op.len, (offset, &from), (0, &to)))
            }
            Op::Transpose(op) => {
                let from: Vec<isize> = op.perm.iter().map(|&axis| from[axis]).collect();
                plain(StridedCopy::new(&y.0, (0, &from), (0, &to)))
            }
            Op::Reshape(_) => Some(Moved {
                fill: None,
                to_row_major: Some(StridedCopy::new(&x.0, (0, &from), (0, &row_major(&x.0)))),
                copy: StridedCopy::new(&y.0, (0, &steps(&row_major(&y.0))), (0, &to)),
            }),
            _ => None,
        }
    }
}

impl Kernel for Moved {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], scratch: &mut Scratch) {
        if let Some(value) = self.fill {
            result.fill(value);
        }
        match &self.to_row_major {
            None => self.copy.run(operands[0], result),
            Some(first) => {
                let scratch = room(&mut scratch.floats, operands[0].len());
                first.run(operands[0], scratch);
                self.copy.run(scratch, result);
            }
        }
    }
}

/// Operands one behind the other.
#[derive(Debug)]
pub(super) struct Concat {
    copies: Vec<StridedCopy>,
}

impl Concat {
    pub(super) fn new(op: &network::Concat, operands: &[&Shape], result: &Shape) -> Self {
        let to = stored(&result.0);
        let mut before = 0;
        let mut copies = Vec::with_capacity(operands.len());
        for x in operands {
            let from = steps(&stored(&x.0));
            copies.push(StridedCopy::new(&x.0, (0, &from), (before * to[op.axis], &to)));
            before += x.0[op.axis];
        }
        Concat { copies }
    }
}

impl Kernel for Concat {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], _: &mut Scratch) {
        for (copy, operand) in self.copies.iter().zip(operands) {
            copy.run(operand, result);
        }
    }
}
