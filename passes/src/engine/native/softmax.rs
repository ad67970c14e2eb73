//! Softmax and its logarithm over channels.

use nonresc_ir::network::{Op, Shape};

use super::kernel::{Kernel, Scratch};
use super::statistics::channels;

/// Over axis 1, which is the innermost stored one.
#[derive(Debug)]
pub(super) struct Softmax {
    channels: usize,
    logarithm: bool,
}

impl Softmax {
    /// Nothing where the operator is another, or goes over another axis.
    pub(super) fn new(op: &Op, x: &Shape) -> Option<Self> {
        let (axis, logarithm) = match op {
            Op::Softmax(op) => (op.axis, false),
            Op::LogSoftmax(op) => (op.axis, true),
            _ => return None,
        };
        let channels = channels(x)?;
        (axis == 1).then_some(Softmax { channels, logarithm })
    }
}

impl Kernel for Softmax {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], _: &mut Scratch) {
        let rows = operands[0].chunks_exact(self.channels);
        for (y, x) in result.chunks_exact_mut(self.channels).zip(rows) {
            let largest = x.iter().fold(x[0], |m, &x| if x > m { x } else { m });
            y.iter_mut().zip(x).for_each(|(y, x)| *y = (x - largest).exp());
            let sum: f32 = y.iter().sum();
            if self.logarithm {
                let logarithm = sum.ln();
                y.iter_mut().zip(x).for_each(|(y, x)| *y = x - largest - logarithm);
            } else {
                y.iter_mut().for_each(|y| *y /= sum);
            }
        }
    }
}
