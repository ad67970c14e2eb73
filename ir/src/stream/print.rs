//! The text of a stream: one line an actor with its attributes and names, one line a channel.
//!
//! Only what differs from the usual is written: strides of 1, no padding, one group and unsized depths are left
//! out. It is printed for people and snapshots, and nothing reads it back.

use std::fmt::{self, Display, Formatter};

use super::actor::{Activation, Carry, Fold, Form, Kind, Map, MatVec, Multiplier, PoolKind, Second, Window};
use super::graph::{Channel, Stream};
use crate::network::{Pair, Sides};

/// `channels x height x width`: `16x32x32`.
impl Display for Map {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// `relu`, `clip 0..6`, `leaky_relu 0.1`; nothing for the identity.
impl Display for Activation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Activation::Identity => Ok(()),
            Activation::Relu => f.write_str("relu"),
            Activation::Clip { min, max } => write!(f, "clip {min}..{max}"),
            Activation::LeakyRelu { alpha } => write!(f, "leaky_relu {alpha}"),
        }
    }
}

/// `kernel 3x3 stride 2x2 pad [1,1,1,1]`, top, left, bottom, right.
impl Display for Window {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "kernel {}", Extent(self.kernel))?;
        if self.stride != Pair::ONE {
            write!(f, " stride {}", Extent(self.stride))?;
        }
        if self.pad != Sides::ZERO {
            let Sides { top, left, bottom, right } = self.pad;
            write!(f, " pad [{top},{left},{bottom},{right}]")?;
        }
        if self.dilation != Pair::ONE {
            write!(f, " dilation {}", Extent(self.dilation))?;
        }
        Ok(())
    }
}

struct Extent(Pair);

impl Display for Extent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.0.h, self.0.w)
    }
}

/// `pe 4 simd 16 held 1 ports 1 dsp`.
impl Display for Fold {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "pe {} simd {} ", self.pe, self.simd)?;
        match self.form {
            Form::Held { slots } => write!(f, "held {slots}")?,
            Form::Direct { taps } => write!(f, "direct {taps}")?,
            Form::Stationary => f.write_str("stationary")?,
        }
        let multiplier = match self.multiplier {
            Multiplier::Dsp => "dsp",
            Multiplier::DspPair => "dsp_pair",
            Multiplier::Lut => "lut",
        };
        write!(f, " ports {} {multiplier}", self.ports)
    }
}

impl Display for MatVec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} {}", self.input, self.output, self.window)?;
        if self.groups != 1 {
            write!(f, " groups {}", self.groups)?;
        }
        write!(f, " weights {} x {} bit", self.weights, self.weight_bits)?;
        if self.bias {
            f.write_str(" bias")?;
        }
        if let Some(add) = self.add {
            activation(f, add.activation)?;
            write!(f, " add {} at {}", add.channels, add.offset)?;
        }
        activation(f, self.activation)?;
        let Carry { passed, taken, offset } = self.carry;
        if passed > 0 {
            write!(f, " passes {passed}")?;
        }
        if taken > 0 {
            write!(f, " takes {taken}")?;
        }
        if self.carry.adds() {
            write!(f, " at {offset}")?;
        }
        match &self.second {
            None => {}
            Some(Second::Tap { row }) => write!(f, " tap row {row}")?,
            Some(Second::Projection(p)) => {
                write!(f, " beside {} weights {} x {} bit", p.channels, p.weights, p.weight_bits)?;
                if p.bias {
                    f.write_str(" bias")?;
                }
                activation(f, p.activation)?;
                write!(f, " pe {} simd {}", p.pe, p.simd)?;
            }
        }
        write!(f, " fold {}", self.fold)
    }
}

fn activation(f: &mut Formatter<'_>, activation: Activation) -> fmt::Result {
    if activation == Activation::Identity { Ok(()) } else { write!(f, " {activation}") }
}

fn pool(kind: PoolKind) -> &'static str {
    match kind {
        PoolKind::Max => "max",
        PoolKind::Average { include_pad: false } => "mean",
        PoolKind::Average { include_pad: true } => "mean with padding",
    }
}

/// The kind's word, what it reads and gives, its attributes.
impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Source(map) => write!(f, "source {map}"),
            Kind::Sink(map) => write!(f, "sink {map}"),
            Kind::MatVec(a) => write!(f, "matrix_vector {a}"),
            Kind::Pool(a) => {
                write!(f, "pool {} -> {} {} {}", a.input, a.output, pool(a.kind), a.window)?;
                activation(f, a.activation)
            }
            Kind::GlobalPool(a) => {
                write!(f, "global_pool {} {}", a.input, pool(a.kind))?;
                activation(f, a.activation)
            }
            Kind::Sum(a) => {
                write!(f, "sum {} add {} at {}", a.output, a.channels, a.offset)?;
                activation(f, a.activation)
            }
            Kind::Select(a) => {
                write!(f, "select {} -> {}", a.input, a.output)?;
                write!(f, " start {} stride {}", Extent(a.start), Extent(a.stride))?;
                write!(f, " first_channel {} zeros_before {}", a.first_channel, a.zeros_before)
            }
            Kind::Activate { map, activation: own } => {
                write!(f, "activate {map}")?;
                activation(f, *own)
            }
            Kind::Convert(map) => write!(f, "convert {map}"),
        }
    }
}

/// `16x32x32 lanes 8 u8 depth 66 skip 1`.
impl Display for Channel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = if self.signed { 'i' } else { 'u' };
        write!(f, "{} lanes {} {sign}{}", self.map, self.lanes, self.bits)?;
        if let Some(depth) = self.depth {
            write!(f, " depth {depth}")?;
        }
        if let Some(skip) = self.skip {
            write!(f, " skip {skip}")?;
        }
        Ok(())
    }
}

/// All actors, then all channels as `#2 @1 -> @3.1 ...` (reader and its input), then the notes.
impl Display for Stream {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for id in self.actors() {
            let actor = self.actor(id);
            writeln!(f, "{id} {}  \"{}\"", actor.kind, actor.names)?;
        }
        for id in self.channels() {
            let channel = self.channel(id);
            write!(f, "{id} {}", channel.writer)?;
            if channel.output != 0 {
                write!(f, ".{}", channel.output)?;
            }
            let readers: Vec<String> =
                channel.readers.iter().map(|r| format!("{}.{}", r.actor, r.input)).collect();
            writeln!(f, " -> {} {channel}", readers.join(" "))?;
        }
        for note in self.notes() {
            writeln!(f, "note: {}: {}; {}", note.what, note.why, note.remedy)?;
        }
        Ok(())
    }
}
