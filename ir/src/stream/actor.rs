//! The kinds of actors: what each computes and how it is folded. Shapes are maps of pixels in raster order.

use crate::names::Names;
use crate::network::{Pair, Sides};

/// The pixels that flow through a channel each frame: `height x width` pixels of `channels` numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Map {
    /// Numbers a pixel.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Pixels a row.
    pub width: usize,
}

impl Map {
    /// Pixels a frame.
    pub fn pixels(self) -> usize {
        self.height * self.width
    }

    /// Beats a pixel takes in `lanes` lanes.
    pub fn beats(self, lanes: usize) -> usize {
        self.channels.div_ceil(lanes)
    }
}

/// An activation that is computed where the result is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// The result as it is.
    #[default]
    Identity,
    /// Maximum with zero.
    Relu,
    /// Limits.
    Clip {
        /// Lower limit.
        min: f64,
        /// Upper limit.
        max: f64,
    },
    /// A slope below zero.
    LeakyRelu {
        /// The slope.
        alpha: f64,
    },
}

/// Where a window lies on its map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Extent.
    pub kernel: Pair,
    /// Step.
    pub stride: Pair,
    /// Places outside of the map, implied.
    pub pad: Sides,
    /// Distance of the taps.
    pub dilation: Pair,
}

impl Window {
    /// A window of one pixel.
    pub const POINT: Window =
        Window { kernel: Pair::ONE, stride: Pair::ONE, pad: Sides::ZERO, dilation: Pair::ONE };

    /// Rows and columns of the kernel's taps that are read side by side, where `taps` are: whole rows, or parts of one
    /// into which it is cut evenly.
    pub fn side_by_side(&self, taps: usize) -> Pair {
        let (rows, columns) = (self.kernel.h.max(1), self.kernel.w.max(1));
        match taps.max(1) {
            taps if taps >= columns => Pair { h: (taps / columns).min(rows), w: columns },
            taps => Pair { h: 1, w: taps },
        }
    }

    /// Whether so many taps are read side by side without a bank being asked for two words at once.
    pub fn reads_side_by_side(&self, taps: usize) -> bool {
        let Pair { h, w } = self.side_by_side(taps);
        taps == h * w && self.kernel.w.is_multiple_of(w)
    }

    /// The tap that lies on the pixel at `stride x` the output's place, where one does.
    pub fn own_tap(&self) -> Option<Pair> {
        let tap = |pad: usize, taps: usize, dilation: usize| {
            (pad.is_multiple_of(dilation) && pad / dilation < taps).then(|| pad / dilation)
        };
        let Window { kernel, pad, dilation, .. } = *self;
        Some(Pair { h: tap(pad.top, kernel.h, dilation.h)?, w: tap(pad.left, kernel.w, dilation.w)? })
    }

    /// Rows of output, of which there are `height`, that the pixels of a tap at kernel row `row` lag behind; nothing
    /// where no pixel of the tap lies in that row of every window behind those rows.
    pub fn tap_lag(&self, row: usize, height: usize) -> Option<usize> {
        let above = self.pad.top.checked_sub(row.checked_mul(self.dilation.h)?)?;
        let reaches = (self.kernel.w - 1) * self.dilation.w >= self.pad.left;
        (row < self.kernel.h && above.is_multiple_of(self.stride.h.max(1)) && reaches)
            .then(|| above / self.stride.h.max(1))
            .filter(|&lag| lag < height)
    }
}

/// How a matrix-vector actor gets at its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// The window sits in registers; `slots` advances of staging are in front of it.
    Held {
        /// Advances that can wait in staging registers, at least 1.
        slots: usize,
    },
    /// `taps` x lanes words are read from the channel's banks in every phase, again for each output fold.
    Direct {
        /// Kernel taps read side by side.
        taps: usize,
    },
    /// Each beat is multiplied for all outputs before the next is taken; all outputs' accumulators are private
    /// memory. Only where the window is the whole map and there are no groups; `simd` is the input's lanes.
    Stationary,
}

/// What multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Multiplier {
    /// One product a DSP block.
    Dsp,
    /// Two products with a shared operand a DSP block.
    DspPair,
    /// Look-up tables.
    Lut,
}

/// How a matrix-vector actor is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fold {
    /// Output channels computed side by side.
    pub pe: usize,
    /// Inputs of the flattened window (kernel rows, kernel columns, channels) multiplied side by side.
    pub simd: usize,
    /// How the window is read.
    pub form: Form,
    /// Beats that can be fetched a phase (held form): 1, or the kernel's height (row banks).
    pub ports: usize,
    /// What multiplies.
    pub multiplier: Multiplier,
}

/// A convolution, grouped or depthwise convolution, or dense layer.
///
/// Inputs: 0 the map; 1, where `add` is there, the skip that is summed in the giving phase. Outputs: 0 the result; 1,
/// where there is a `second`, what that gives.
#[derive(Clone, Debug, PartialEq)]
pub struct MatVec {
    /// What is read.
    pub input: Map,
    /// What is given.
    pub output: Map,
    /// Where the window lies.
    pub window: Window,
    /// Channel groups.
    pub groups: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// Digest of weights and bias, so that equal memories can be known as equal.
    pub weights: String,
    /// Bits of a weight.
    pub weight_bits: u32,
    /// The sum that is merged into the giving phase.
    pub add: Option<MergedAdd>,
    /// Applied last.
    pub activation: Activation,
    /// What is given on output 1, where a skip is served from here.
    pub second: Option<Second>,
    /// Channels that are carried through and not multiplied.
    pub carry: Carry,
    /// How it is folded.
    pub fold: Fold,
}

/// Channels that a matrix-vector actor in held form carries through, from the pixel of its window that lies at
/// `stride x` the output's place. They are wires: no product is spent on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Carry {
    /// The last channels of the output, which are the last ones of the input.
    pub passed: usize,
    /// The last channels of the input, which are not multiplied.
    pub taken: usize,
    /// Where nothing is passed: the first output channel that those are added to, in front of the activation.
    pub offset: usize,
}

impl Carry {
    /// Nothing is carried.
    pub const NONE: Carry = Carry { passed: 0, taken: 0, offset: 0 };

    /// Whether what is taken is added to the actor's own results.
    pub fn adds(self) -> bool {
        self.taken > 0 && self.passed == 0
    }
}

/// What a matrix-vector actor in held form gives on output 1: one pixel for each pixel of output 0, the one at
/// `stride x` its place, from the input that the actor has read anyway.
#[derive(Clone, Debug, PartialEq)]
pub enum Second {
    /// The beats of the input as they pass the fetch port for kernel row `row`; what no window has in that row is
    /// fetched once more behind the frame's last window.
    Tap {
        /// Kernel row.
        row: usize,
    },
    /// A convolution of one pixel, computed from the held window beside the actor's own.
    Projection(Projection),
}

/// A convolution of one pixel beside another convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// Numbers a pixel that are given.
    pub channels: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// Digest of weights and bias.
    pub weights: String,
    /// Bits of a weight.
    pub weight_bits: u32,
    /// Applied last.
    pub activation: Activation,
    /// Output channels computed side by side.
    pub pe: usize,
    /// Channels of the pixel multiplied side by side.
    pub simd: usize,
}

impl Projection {
    /// Phases over the input channels, of which there are `channels`.
    pub fn input_folds(&self, channels: usize) -> usize {
        channels.div_ceil(self.simd.max(1))
    }

    /// Phases over the outputs.
    pub fn output_folds(&self) -> usize {
        self.channels.div_ceil(self.pe.max(1))
    }
}

impl MatVec {
    /// What output 1 gives, where there is a second.
    pub fn second_map(&self) -> Option<Map> {
        let channels = match self.second.as_ref()? {
            Second::Tap { .. } => self.input.channels,
            Second::Projection(p) => p.channels,
        };
        Some(Map { channels, ..self.output })
    }

    /// The projection that is computed beside, where there is one.
    pub fn projection(&self) -> Option<&Projection> {
        match &self.second {
            Some(Second::Projection(p)) => Some(p),
            _ => None,
        }
    }

    /// Rows of output that the pixels of a tap at kernel row `row` lag behind those of output 0, as
    /// [`Window::tap_lag`].
    pub fn tap_lag(&self, row: usize) -> Option<usize> {
        self.window.tap_lag(row, self.output.height)
    }

    /// Inputs of one output number: kernel taps times channels of a group, those that are carried left out.
    pub fn flat(&self) -> usize {
        self.window.kernel.h * self.window.kernel.w * (self.input.channels - self.carry.taken) / self.groups
    }

    /// Channels of the output that are computed and not passed through.
    pub fn computed(&self) -> usize {
        self.output.channels - self.carry.passed
    }

    /// Phases over the inputs: SF. In the direct form SIMD is taps x lanes of one group, in the stationary form
    /// the input's lanes.
    pub fn input_folds(&self) -> usize {
        let (taps, channels) =
            (self.window.kernel.h * self.window.kernel.w, self.input.channels / self.groups);
        match self.fold.form {
            Form::Held { .. } => self.flat().div_ceil(self.fold.simd),
            Form::Direct { taps: side_by_side } => {
                let lanes = (self.fold.simd / side_by_side).max(1);
                taps.div_ceil(side_by_side) * channels.div_ceil(lanes)
            }
            Form::Stationary => self.input.pixels() * self.input.channels.div_ceil(self.fold.simd),
        }
    }

    /// Phases over the outputs: NF.
    pub fn output_folds(&self) -> usize {
        self.computed().div_ceil(self.fold.pe)
    }

    /// Products a frame, padding and the projection beside included.
    pub fn products(&self) -> u64 {
        let beside = self.projection().map_or(0, |p| p.channels * self.input.channels);
        self.output.pixels() as u64 * (self.computed() * self.flat() + beside) as u64
    }

    /// Multipliers: SIMD x PE, those of the projection beside included.
    pub fn multipliers(&self) -> u64 {
        let beside = self.projection().map_or(0, |p| p.pe * p.simd);
        (self.fold.pe * self.fold.simd + beside) as u64
    }
}

/// A sum merged into the giving phase of a matrix-vector actor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MergedAdd {
    /// Channels of the skip; the others of the output get nothing added.
    pub channels: usize,
    /// The first output channel that the skip is added to, in whole lanes.
    pub offset: usize,
    /// Applied to the matrix-vector's own result before the sum.
    pub activation: Activation,
    /// Whether that result is rounded to codes of its own before the sum.
    pub rounded: bool,
}

/// A largest-value or mean pool with a window. Input 0, output 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// What is read.
    pub input: Map,
    /// What is given.
    pub output: Map,
    /// Where the window lies.
    pub window: Window,
    /// What is computed.
    pub kind: PoolKind,
    /// Applied last.
    pub activation: Activation,
}

/// What a pool computes of its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoolKind {
    /// The largest value; padding never wins.
    Max,
    /// The mean.
    Average {
        /// Whether the divisor counts padding.
        include_pad: bool,
    },
}

/// A pool over the whole map. Input 0, output 0.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalPool {
    /// What is read.
    pub input: Map,
    /// What is computed.
    pub kind: PoolKind,
    /// Applied last.
    pub activation: Activation,
}

/// A sum of two streams of equal lanes. Inputs 0 and 1, output 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    /// What is given; input 0 has this map.
    pub output: Map,
    /// Channels of input 1; the others of the output get nothing added.
    pub channels: usize,
    /// The first output channel that input 1 is added to, in whole lanes.
    pub offset: usize,
    /// Applied last.
    pub activation: Activation,
}

/// A rectangle of pixels, every `stride`th of them, with zero channels before and behind. Input 0, output 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// What is read.
    pub input: Map,
    /// What is given.
    pub output: Map,
    /// First row and column.
    pub start: Pair,
    /// Step.
    pub stride: Pair,
    /// First channel that is kept.
    pub first_channel: usize,
    /// Zero channels in front of the kept ones.
    pub zeros_before: usize,
}

/// What an actor computes.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "most actors are matrix-vectors")]
pub enum Kind {
    /// The frames' way in; output 0. `pace` is the clocks between beats at the least (1: as fast as may be).
    Source(Map),
    /// The frames' way out; input 0.
    Sink(Map),
    /// Convolutions and dense layers.
    MatVec(MatVec),
    /// Pools with a window.
    Pool(Pool),
    /// Pools over the whole map.
    GlobalPool(GlobalPool),
    /// Sums that are not merged.
    Sum(Sum),
    /// Subsampling, cropping and zero channels.
    Select(Select),
    /// An activation or requantisation on its own. Input 0, output 0.
    Activate {
        /// What is read and given.
        map: Map,
        /// What is applied.
        activation: Activation,
    },
    /// The same pixels in other lanes. Input 0, output 0.
    Convert(Map),
}

impl Kind {
    /// The map that input `i` reads.
    pub fn input_map(&self, i: u16) -> Map {
        match self {
            Kind::Source(map) | Kind::Sink(map) | Kind::Convert(map) | Kind::Activate { map, .. } => *map,
            Kind::MatVec(a) => match (i, a.add) {
                (1, Some(add)) => Map { channels: add.channels, ..a.output },
                _ => a.input,
            },
            Kind::Pool(a) => a.input,
            Kind::GlobalPool(a) => a.input,
            Kind::Sum(a) if i == 1 => Map { channels: a.channels, ..a.output },
            Kind::Sum(a) => a.output,
            Kind::Select(a) => a.input,
        }
    }

    /// The map that output `i` gives.
    pub fn output_map(&self, i: u16) -> Map {
        match self {
            Kind::MatVec(a) if i == 1 => a.second_map().unwrap_or(a.output),
            Kind::Source(map) | Kind::Sink(map) | Kind::Convert(map) | Kind::Activate { map, .. } => *map,
            Kind::MatVec(a) => a.output,
            Kind::Pool(a) => a.output,
            Kind::GlobalPool(a) => Map { channels: a.input.channels, height: 1, width: 1 },
            Kind::Sum(a) => a.output,
            Kind::Select(a) => a.output,
        }
    }

    /// How many inputs the actor has.
    pub fn inputs(&self) -> u16 {
        match self {
            Kind::Source(_) => 0,
            Kind::MatVec(MatVec { add: Some(_), .. }) | Kind::Sum(_) => 2,
            _ => 1,
        }
    }

    /// How many outputs the actor has.
    pub fn outputs(&self) -> u16 {
        match self {
            Kind::Sink(_) => 0,
            Kind::MatVec(MatVec { second: Some(_), .. }) => 2,
            _ => 1,
        }
    }
}

/// An actor: what it computes and the ONNX names behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Actor {
    /// The ONNX names behind it.
    pub names: Names,
    /// What it computes.
    pub kind: Kind,
}
