//! Largest value and mean of windows, channels side by side.

use nonresc_ir::network::{AvgPool, IntSumPool, Op, Pair, Shape, Sides};

use super::kernel::{Kernel, Scratch};

/// A pool as one list of input pixels for each output pixel.
#[derive(Debug)]
pub(super) struct Pool {
    channels: usize,
    mean: bool,
    /// For each output pixel where its inputs start in `inputs`, and what their sum is divided by.
    windows: Vec<Window>,
    inputs: Vec<usize>,
}

#[derive(Debug)]
struct Window {
    first: usize,
    len: usize,
    divisor: f32,
}

/// A window's form, and which places outside of the map the divisor counts.
struct Form {
    kernel: Pair,
    stride: Pair,
    pad: Sides,
    dilation: Pair,
    counted: Option<Sides>,
}

impl Pool {
    /// The sums of windows.
    pub(super) fn sum(op: &IntSumPool, x: &Shape, y: &Shape) -> Option<Self> {
        let mean = AvgPool {
            kernel: op.kernel,
            stride: op.stride,
            pad: op.pad,
            dilation: op.dilation,
            ..AvgPool::default()
        };
        let mut pool = Pool::new(&mean.into(), x, y)?;
        pool.windows.iter_mut().for_each(|window| window.divisor = 1.0);
        Some(pool)
    }

    /// Nothing where the operator is no pool, or its value no map.
    pub(super) fn new(op: &Op, x: &Shape, y: &Shape) -> Option<Self> {
        let (channels, height, width) = x.chw()?;
        let global = || Form {
            kernel: Pair { h: height, w: width },
            stride: Pair::ONE,
            pad: Sides::ZERO,
            dilation: Pair::ONE,
            counted: None,
        };
        let (form, mean) = match op {
            Op::MaxPool(op) => {
                let form = Form {
                    kernel: op.kernel,
                    stride: op.stride,
                    pad: op.pad,
                    dilation: op.dilation,
                    counted: None,
                };
                (form, false)
            }
            Op::AvgPool(op) => {
                let counted = op.include_pad.then_some(op.pad);
                let form = Form {
                    kernel: op.kernel,
                    stride: op.stride,
                    pad: op.pad,
                    dilation: op.dilation,
                    counted,
                };
                (form, true)
            }
            Op::GlobalAvgPool(_) => (global(), true),
            Op::GlobalMaxPool(_) => (global(), false),
            _ => return None,
        };
        let (_, out_h, out_w) = y.chw()?;
        let mut pool = Pool { channels, mean, windows: Vec::new(), inputs: Vec::new() };
        for frame in 0..x.0[0] {
            for row in 0..out_h {
                let rows = taps(row, form.kernel.h, form.stride.h, form.dilation.h, form.pad.top);
                for column in 0..out_w {
                    let columns = taps(column, form.kernel.w, form.stride.w, form.dilation.w, form.pad.left);
                    pool.window(frame, (height, &rows), (width, &columns), form.counted);
                }
            }
        }
        Some(pool)
    }

    /// Each window's input pixels, and what their sum is divided by.
    pub(super) fn windows(&self) -> impl Iterator<Item = (&[usize], f32)> {
        self.windows.iter().map(|window| (&self.inputs[window.first..][..window.len], window.divisor))
    }

    fn window(
        &mut self,
        frame: usize,
        (height, rows): (usize, &[isize]),
        (width, columns): (usize, &[isize]),
        counted: Option<Sides>,
    ) {
        let first = self.inputs.len();
        let mut places = 0usize;
        for &row in rows {
            for &column in columns {
                let inside = (0..height as isize).contains(&row) && (0..width as isize).contains(&column);
                if inside {
                    self.inputs.push((frame * height + row as usize) * width + column as usize);
                }
                let below = counted.map_or(0, |pad| pad.bottom) + height;
                let right = counted.map_or(0, |pad| pad.right) + width;
                places += usize::from(
                    inside || counted.is_some() && row < below as isize && column < right as isize,
                );
            }
        }
        self.windows.push(Window { first, len: self.inputs.len() - first, divisor: places as f32 });
    }
}

/// The rows (or columns) of the map that an output row reads; those outside of the map included.
fn taps(output: usize, kernel: usize, stride: usize, dilation: usize, before: usize) -> Vec<isize> {
    (0..kernel).map(|k| (output * stride + k * dilation) as isize - before as isize).collect()
}

impl Kernel for Pool {
    fn run(&self, operands: &[&[f32]], result: &mut [f32], _: &mut Scratch) {
        let start = if self.mean { 0.0 } else { f32::NEG_INFINITY };
        for (y, (pixels, divisor)) in result.chunks_exact_mut(self.channels).zip(self.windows()) {
            y.fill(start);
            for pixel in pixels {
                let x = &operands[0][pixel * self.channels..][..self.channels];
                if self.mean {
                    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
                } else {
                    y.iter_mut().zip(x).for_each(|(y, &x)| *y = if x <= *y { *y } else { x });
                }
            }
            if self.mean {
                y.iter_mut().for_each(|y| *y /= divisor);
            }
        }
    }
}
