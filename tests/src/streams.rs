//! Streams built by hand, unfolded, as lowering makes them: what the tests of stream passes start from.

use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::names::Names;
use nonresc_ir::network::{Pair, Sides};
use nonresc_ir::stream::{
    Activation, Actor, Carry, Channel, Fold, Form, GlobalPool, Kind, Map, MatVec, MergedAdd, Multiplier,
    PoolKind, Reader, Select, Stream, Window,
};

/// Builds a stream actor by actor; a value is the actor that gives it.
#[derive(Default)]
pub struct Builder {
    stream: Stream,
    readers: Vec<(ActorId, Reader, Option<usize>)>,
}

/// One multiplier, held.
pub const UNFOLDED: Fold =
    Fold { pe: 1, simd: 1, form: Form::Held { slots: 1 }, ports: 1, multiplier: Multiplier::Dsp };

/// A map of `channels` x `size` x `size`.
pub fn square(channels: usize, size: usize) -> Map {
    Map { channels, height: size, width: size }
}

impl Builder {
    /// An actor that reads what the other actors give.
    pub fn add(&mut self, name: &str, kind: Kind, inputs: &[ActorId]) -> ActorId {
        let id = self.stream.add(Actor { names: Names::one(name), kind });
        for (input, &writer) in inputs.iter().enumerate() {
            self.readers.push((writer, Reader { actor: id, input: input as u16 }, None));
        }
        id
    }

    /// The frames' way in.
    pub fn source(&mut self, map: Map) -> ActorId {
        self.add("input", Kind::Source(map), &[])
    }

    /// The last input of an actor carries this skip, in a channel of its own where others read the same value.
    pub fn mark_skip(&mut self, number: usize) {
        self.readers.last_mut().expect("an actor with inputs was added").2 = Some(number);
    }

    /// What an actor gives.
    pub fn map(&self, id: ActorId) -> Map {
        self.stream.actor(id).kind.output_map(0)
    }

    /// A square convolution padded to the size that its stride gives; `skip` is added to its result.
    pub fn conv(
        &mut self,
        name: &str,
        x: ActorId,
        channels: usize,
        kernel: usize,
        stride: usize,
        skip: Option<ActorId>,
    ) -> ActorId {
        let input = self.map(x);
        let (height, width) = (input.height.div_ceil(stride), input.width.div_ceil(stride));
        let pad = kernel / 2;
        let a = MatVec {
            input,
            output: Map { channels, height, width },
            window: Window {
                kernel: Pair { h: kernel, w: kernel },
                stride: Pair { h: stride, w: stride },
                pad: Sides { top: pad, left: pad, bottom: pad, right: pad },
                dilation: Pair::ONE,
            },
            groups: 1,
            bias: true,
            weights: name.to_string(),
            weight_bits: 8,
            add: skip.map(|s| MergedAdd {
                channels: self.map(s).channels,
                offset: 0,
                activation: Activation::Identity,
                rounded: false,
            }),
            activation: Activation::Relu,
            second: None,
            carry: Carry::NONE,
            fold: UNFOLDED,
        };
        let inputs: Vec<ActorId> = std::iter::once(x).chain(skip).collect();
        self.add(name, Kind::MatVec(a), &inputs)
    }

    /// Every `stride`th pixel with zero channels around: option A of the residual paper.
    pub fn select(&mut self, name: &str, x: ActorId, channels: usize, stride: usize) -> ActorId {
        let input = self.map(x);
        let output =
            Map { channels, height: input.height.div_ceil(stride), width: input.width.div_ceil(stride) };
        let zeros_before = (channels - input.channels) / 2;
        let (start, stride) = (Pair { h: 0, w: 0 }, Pair { h: stride, w: stride });
        let kind = Kind::Select(Select { input, output, start, stride, first_channel: 0, zeros_before });
        self.add(name, kind, &[x])
    }

    /// A dense layer over the whole map.
    pub fn dense(&mut self, name: &str, x: ActorId, outputs: usize) -> ActorId {
        let input = self.map(x);
        let kernel = Pair { h: input.height, w: input.width };
        let a = MatVec {
            input,
            output: square(outputs, 1),
            window: Window { kernel, stride: Pair::ONE, pad: Sides::ZERO, dilation: Pair::ONE },
            groups: 1,
            bias: true,
            weights: name.to_string(),
            weight_bits: 8,
            add: None,
            activation: Activation::Identity,
            second: None,
            carry: Carry::NONE,
            fold: UNFOLDED,
        };
        self.add(name, Kind::MatVec(a), &[x])
    }

    /// The mean of the whole map.
    pub fn mean(&mut self, name: &str, x: ActorId) -> ActorId {
        let kind = PoolKind::Average { include_pad: true };
        let pool = GlobalPool { input: self.map(x), kind, activation: Activation::Identity };
        self.add(name, Kind::GlobalPool(pool), &[x])
    }

    /// The frames' way out, and the stream: one 8-bit channel for each value and one for each skip.
    pub fn finish(mut self, x: ActorId) -> Stream {
        let map = self.map(x);
        self.add("output", Kind::Sink(map), &[x]);
        let writers: Vec<ActorId> = self.stream.actors().collect();
        for writer in writers {
            let reads: Vec<(Reader, Option<usize>)> =
                self.readers.iter().filter(|r| r.0 == writer).map(|r| (r.1, r.2)).collect();
            let mut groups: Vec<(Option<usize>, Vec<Reader>)> = Vec::new();
            for (reader, skip) in reads {
                match groups.iter_mut().find(|g| g.0.is_none() && skip.is_none()) {
                    Some(group) => group.1.push(reader),
                    None => groups.push((skip, vec![reader])),
                }
            }
            for (skip, readers) in groups {
                self.channel(writer, readers, skip);
            }
        }
        self.stream
    }

    fn channel(&mut self, writer: ActorId, readers: Vec<Reader>, skip: Option<usize>) -> ChannelId {
        let map = self.map(writer);
        self.stream.connect(Channel {
            writer,
            output: 0,
            readers,
            map,
            lanes: 1,
            bits: 8,
            signed: false,
            value: None,
            skip,
            depth: None,
        })
    }
}

/// The residual network of eight layers of the MLPerf Tiny benchmark.
pub fn resnet8() -> Stream {
    let mut b = Builder::default();
    let x = b.source(square(3, 32));
    let mut x = b.conv("conv0", x, 16, 3, 1, None);
    for (stage, channels) in [16, 32, 64].into_iter().enumerate() {
        let stride = if stage == 0 { 1 } else { 2 };
        let y = b.conv(&format!("s{stage}.conv1"), x, channels, 3, stride, None);
        let skip = if stage == 0 { x } else { b.conv(&format!("s{stage}.proj"), x, channels, 1, 2, None) };
        x = b.conv(&format!("s{stage}.conv2"), y, channels, 3, 1, Some(skip));
        b.mark_skip(stage + 1);
    }
    let y = b.mean("mean", x);
    let y = b.dense("dense", y, 10);
    b.finish(y)
}

/// The residual network of twenty layers for CIFAR, subsampled skips with zero channels.
pub fn resnet20() -> Stream {
    let mut b = Builder::default();
    let x = b.source(square(3, 32));
    let mut x = b.conv("conv0", x, 16, 3, 1, None);
    let mut number = 0;
    for (stage, channels) in [16, 32, 64].into_iter().enumerate() {
        for block in 0..3 {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let name = format!("s{stage}.b{block}");
            let y = b.conv(&format!("{name}.conv1"), x, channels, 3, stride, None);
            let skip = if stride == 2 { b.select(&format!("{name}.pad"), x, channels, 2) } else { x };
            x = b.conv(&format!("{name}.conv2"), y, channels, 3, 1, Some(skip));
            number += 1;
            b.mark_skip(number);
        }
    }
    let y = b.mean("mean", x);
    let y = b.dense("dense", y, 10);
    b.finish(y)
}
