//! Plain integer convolution with requantisation, by the definition: every output number is a sum over its window,
//! places outside of the map add nothing. No order of phases, no packing, no width of an accumulator.

/// A map of integers, channel by channel, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Numbers a row.
    pub width: usize,
    /// The numbers, `(channel, row, column)`.
    pub values: Vec<i64>,
}

impl Tensor {
    /// The number at a place.
    pub fn at(&self, channel: usize, y: usize, x: usize) -> i64 {
        self.values[(channel * self.height + y) * self.width + x]
    }
}

/// A convolution and how its sums become numbers of few bits.
#[derive(Clone, Debug)]
pub struct Conv {
    /// Kernel rows and columns.
    pub kernel: (usize, usize),
    /// Step by rows and by columns.
    pub stride: (usize, usize),
    /// Places outside of the map: above and to the left.
    pub pad: (usize, usize),
    /// Groups of channels.
    pub groups: usize,
    /// `(output channel, input channel of its group, kernel row, kernel column)`.
    pub weights: Vec<i64>,
    /// For each output channel.
    pub bias: Vec<i64>,
    /// The input number that stands for zero.
    pub zero: i64,
    /// For each output channel, the factor of the sum.
    pub scale: Vec<i64>,
    /// The result is divided by `2^shift`, halves rounded up.
    pub shift: u32,
    /// The output number that stands for zero.
    pub out_zero: i64,
    /// Least and largest output number.
    pub limits: (i64, i64),
}

/// A second summand: its tensor, the number that stands for its zero, its factor, and the first output channel
/// that it is added to.
#[derive(Clone, Copy, Debug)]
pub struct Skip<'a> {
    /// The numbers.
    pub tensor: &'a Tensor,
    /// The number that stands for zero.
    pub zero: i64,
    /// Factor.
    pub scale: i64,
    /// First output channel that it is added to.
    pub offset: usize,
}

/// The convolution of `x`, of `outputs` channels of `height x width`, with `skip` added before the rounding.
pub fn conv(x: &Tensor, c: &Conv, skip: Option<Skip<'_>>, outputs: usize, size: (usize, usize)) -> Tensor {
    let (inside, per_group) = (x.channels / c.groups, outputs / c.groups);
    let (height, width) = size;
    let mut values = Vec::with_capacity(outputs * height * width);
    for o in 0..outputs {
        for oy in 0..height {
            for ox in 0..width {
                let mut acc = c.bias[o];
                for i in 0..inside {
                    for ky in 0..c.kernel.0 {
                        for kx in 0..c.kernel.1 {
                            let y = (oy * c.stride.0 + ky).checked_sub(c.pad.0).filter(|&y| y < x.height);
                            let x_at =
                                (ox * c.stride.1 + kx).checked_sub(c.pad.1).filter(|&x_at| x_at < x.width);
                            if let (Some(y), Some(x_at)) = (y, x_at) {
                                let w = c.weights[((o * inside + i) * c.kernel.0 + ky) * c.kernel.1 + kx];
                                acc += w * (x.at(o / per_group * inside + i, y, x_at) - c.zero);
                            }
                        }
                    }
                }
                let mut total = acc * c.scale[o];
                if let Some(s) = skip.filter(|s| o >= s.offset && o < s.offset + s.tensor.channels) {
                    total += (s.tensor.at(o - s.offset, oy, ox) - s.zero) * s.scale;
                }
                let rounded = (2 * total + (1 << c.shift)).div_euclid(2 << c.shift);
                values.push((rounded + c.out_zero).clamp(c.limits.0, c.limits.1));
            }
        }
    }
    Tensor { channels: outputs, height, width, values }
}
