//! A small design: parts joined by wires, with their weights; how it looks to the model, and what it computes.

use nonresc_ir::id::ActorId;
use nonresc_ir::names::Names;
use nonresc_ir::network::{Pair, Sides};
use nonresc_ir::stream::{
    Activation, Actor, Carry, Channel, Fold, Form, Kind, Map, MatVec, MergedAdd, Multiplier, Reader, Second,
    Stream, Window,
};

use crate::reference::conv::{self, Conv, Skip, Tensor};
use crate::seed::Seed;

/// How a number of eight bits is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// Two's complement.
    pub signed: bool,
    /// The number that stands for zero.
    pub zero: i64,
}

impl Format {
    /// Least and largest number.
    pub fn limits(self) -> (i64, i64) {
        if self.signed { (-128, 127) } else { (0, 255) }
    }
}

/// A matrix-vector actor in the held form.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What is read, in which lanes, and how its numbers are read.
    pub input: Map,
    /// Lanes of the input.
    pub lanes_in: usize,
    /// Format of the input.
    pub format_in: Format,
    /// What is given.
    pub output: Map,
    /// Lanes of the output.
    pub lanes_out: usize,
    /// Format of the output.
    pub format_out: Format,
    /// Where the window lies.
    pub window: Window,
    /// Groups of channels.
    pub groups: usize,
    /// Inputs multiplied side by side.
    pub simd: usize,
    /// Output channels computed side by side.
    pub pe: usize,
    /// Slots of staging.
    pub slots: usize,
    /// 1, or the kernel's height.
    pub ports: usize,
    /// Two products a multiplier.
    pub pair: bool,
    /// The kernel row whose fetches go out at output 1.
    pub tap: Option<usize>,
    /// Channels of the skip and the first output channel that it is added to.
    pub add: Option<(usize, usize)>,
    /// Format of the skip.
    pub format_add: Format,
    /// Factor of the skip.
    pub skip_scale: i64,
    /// Weights, bias and scales.
    pub values: Conv,
}

impl Layer {
    /// Inputs of one output number.
    pub fn flat(&self) -> usize {
        self.window.kernel.h * self.window.kernel.w * self.input.channels / self.groups
    }

    /// Whether an output beat takes one of the skip.
    pub fn takes_skip(&self, beat: usize) -> bool {
        let lanes = beat * self.lanes_out..(beat + 1) * self.lanes_out;
        self.add.is_some_and(|(channels, offset)| (offset..offset + channels).any(|c| lanes.contains(&c)))
    }
}

/// What a part is.
#[derive(Clone, Debug)]
pub enum Part {
    /// The pins' way in.
    Source,
    /// The pins' way out.
    Sink,
    /// A matrix-vector actor.
    Layer(Box<Layer>),
}

/// A channel.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Part and output that write it.
    pub writer: (usize, usize),
    /// Parts and inputs that read it.
    pub readers: Vec<(usize, usize)>,
    /// Pixels of a frame.
    pub map: Map,
    /// Numbers a beat.
    pub lanes: usize,
    /// How a number is read.
    pub format: Format,
}

impl Wire {
    /// Beats of a row, and of a frame.
    pub fn beats(&self) -> (usize, usize) {
        let row = self.map.width * self.map.channels.div_ceil(self.lanes);
        (row, row * self.map.height)
    }
}

/// A design; part 0 is the source, the last one the sink.
#[derive(Clone, Debug)]
pub struct Design {
    /// Name of the test case.
    pub name: String,
    /// Actors.
    pub parts: Vec<Part>,
    /// Channels.
    pub wires: Vec<Wire>,
}

/// What a layer looks like before its place in a design is known.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Kernel rows, columns.
    pub kernel: (usize, usize),
    /// Step by rows, by columns.
    pub stride: (usize, usize),
    /// Above, left, below, right.
    pub pad: (usize, usize, usize, usize),
    /// Output channels.
    pub outputs: usize,
    /// Groups of channels.
    pub groups: usize,
    /// Inputs and outputs multiplied side by side.
    pub fold: (usize, usize),
    /// Lanes of the output.
    pub lanes: usize,
    /// Slots of staging.
    pub slots: usize,
    /// Whether all rows of the kernel are fetched at once.
    pub banked: bool,
    /// Two products a multiplier.
    pub pair: bool,
    /// Kernel row of the tap.
    pub tap: Option<usize>,
    /// Format of the output.
    pub format: Format,
    /// Weights and inputs at their limits more often than not.
    pub extreme: bool,
}

impl Shape {
    /// A square kernel with step 1 and the map's size kept; one fold, all channels in a beat.
    pub fn same(kernel: usize, outputs: usize, fold: (usize, usize), lanes: usize) -> Self {
        let p = kernel / 2;
        Shape {
            kernel: (kernel, kernel),
            stride: (1, 1),
            pad: (p, p, p, p),
            outputs,
            groups: 1,
            fold,
            lanes,
            slots: 1,
            banked: false,
            pair: false,
            tap: None,
            format: Format::default(),
            extreme: false,
        }
    }

    /// The same with another step.
    pub fn step(self, s: usize) -> Self {
        Shape { stride: (s, s), ..self }
    }
}

impl Design {
    /// A design that begins with frames of `map` in `lanes` lanes.
    pub fn new(name: &str, map: Map, lanes: usize, format: Format) -> Self {
        let wire = Wire { writer: (0, 0), readers: vec![], map, lanes, format };
        Design { name: name.to_owned(), parts: vec![Part::Source], wires: vec![wire] }
    }

    /// Adds a layer that reads `wire` and adds `skip` (its wire and first output channel); gives its wire.
    pub fn layer(
        &mut self,
        wire: usize,
        shape: Shape,
        skip: Option<(usize, usize)>,
        rng: &mut Seed,
    ) -> usize {
        let part = self.parts.len();
        let from = self.wires[wire].clone();
        let size = |n: usize, pad: usize, k: usize, s: usize| (n + pad - k) / s + 1;
        let (k, s, p) = (shape.kernel, shape.stride, shape.pad);
        let output = Map {
            channels: shape.outputs,
            height: size(from.map.height, p.0 + p.2, k.0, s.0),
            width: size(from.map.width, p.1 + p.3, k.1, s.1),
        };
        let flat = k.0 * k.1 * from.map.channels / shape.groups;
        let values = values(&shape, flat, from.format, rng);
        self.wires[wire].readers.push((part, 0));
        let add = skip.map(|(w, offset)| {
            self.wires[w].readers.push((part, 1));
            (self.wires[w].map.channels, offset)
        });
        self.parts.push(Part::Layer(Box::new(Layer {
            input: from.map,
            lanes_in: from.lanes,
            format_in: from.format,
            output,
            lanes_out: shape.lanes,
            format_out: shape.format,
            window: Window {
                kernel: Pair { h: k.0, w: k.1 },
                stride: Pair { h: s.0, w: s.1 },
                pad: Sides { top: p.0, left: p.1, bottom: p.2, right: p.3 },
                dilation: Pair::ONE,
            },
            groups: shape.groups,
            simd: shape.fold.0,
            pe: shape.fold.1,
            slots: shape.slots,
            ports: if shape.banked { k.0 } else { 1 },
            pair: shape.pair,
            tap: shape.tap,
            add,
            format_add: skip.map_or(Format::default(), |(w, _)| self.wires[w].format),
            skip_scale: rng.within(1 << (values.shift.min(15) - 4), (1 << values.shift.min(15)) - 1),
            values,
        })));
        let wire = |output_index: usize, map, lanes, format| Wire {
            writer: (part, output_index),
            readers: vec![],
            map,
            lanes,
            format,
        };
        self.wires.push(wire(0, output, shape.lanes, shape.format));
        if shape.tap.is_some() {
            self.wires.push(wire(1, from.map, from.lanes, from.format));
            return self.wires.len() - 2;
        }
        self.wires.len() - 1
    }

    /// A second channel with the beats of `wire`: a fork into the producer.
    pub fn fork(&mut self, wire: usize) -> usize {
        let copy = Wire { readers: vec![], ..self.wires[wire].clone() };
        self.wires.push(copy);
        self.wires.len() - 1
    }

    /// Ends the design with what `wire` carries.
    pub fn sink(mut self, wire: usize) -> Self {
        let part = self.parts.len();
        self.wires[wire].readers.push((part, 0));
        self.parts.push(Part::Sink);
        self
    }

    /// The wire that a part's input reads.
    pub fn input(&self, part: usize, input: usize) -> usize {
        self.wires.iter().position(|w| w.readers.contains(&(part, input))).expect("every input is wired")
    }

    /// Banks of a wire's memory: as many as the kernel rows that a reader fetches at once.
    pub fn banks(&self, wire: usize) -> usize {
        let ports = |&(part, input): &(usize, usize)| match &self.parts[part] {
            Part::Layer(a) if input == 0 => a.ports,
            _ => 1,
        };
        self.wires[wire].readers.iter().map(ports).max().unwrap_or(1)
    }

    /// The design as the model sees it.
    pub fn stream(&self) -> Stream {
        let mut stream = Stream::new();
        let map = |wire: Option<&Wire>| wire.map_or(self.wires[0].map, |w| w.map);
        for (i, part) in self.parts.iter().enumerate() {
            let kind = match part {
                Part::Source => Kind::Source(self.wires[0].map),
                Part::Sink => Kind::Sink(map(self.wires.iter().find(|w| w.readers.contains(&(i, 0))))),
                Part::Layer(a) => Kind::MatVec(matvec(a)),
            };
            stream.add(Actor { names: Names::one(format!("part{i}")), kind });
        }
        for wire in &self.wires {
            let id = |part: usize| ActorId(part as u32);
            stream.connect(Channel {
                writer: id(wire.writer.0),
                output: wire.writer.1 as u16,
                readers: wire
                    .readers
                    .iter()
                    .map(|&(p, i)| Reader { actor: id(p), input: i as u16 })
                    .collect(),
                map: wire.map,
                lanes: wire.lanes,
                bits: 8,
                signed: wire.format.signed,
                value: None,
                skip: wire.readers.iter().any(|r| r.1 == 1).then_some(wire.writer.0),
                depth: None,
            });
        }
        stream
    }

    /// What the design computes of one frame: what each wire carries.
    pub fn expect(&self, frame: &Tensor) -> Vec<Tensor> {
        let mut known: Vec<Tensor> = Vec::new();
        for wire in &self.wires {
            let (part, output) = wire.writer;
            let tensor = match &self.parts[part] {
                Part::Layer(a) if output == 0 => {
                    let skip = a.add.map(|(_, offset)| Skip {
                        tensor: &known[self.input(part, 1)],
                        zero: a.format_add.zero,
                        scale: a.skip_scale,
                        offset,
                    });
                    let x = &known[self.input(part, 0)];
                    conv::conv(x, &a.values, skip, a.output.channels, (a.output.height, a.output.width))
                }
                Part::Layer(_) => known[self.input(part, 0)].clone(),
                _ => frame.clone(),
            };
            known.push(tensor);
        }
        known
    }
}

fn matvec(a: &Layer) -> MatVec {
    MatVec {
        input: a.input,
        output: a.output,
        window: a.window,
        groups: a.groups,
        bias: true,
        weights: String::new(),
        weight_bits: 8,
        add: a.add.map(|(channels, offset)| MergedAdd {
            channels,
            offset,
            activation: Activation::Identity,
            rounded: false,
        }),
        activation: Activation::Identity,
        second: a.tap.map(|row| Second::Tap { row }),
        carry: Carry::NONE,
        fold: Fold {
            pe: a.pe,
            simd: a.simd,
            form: Form::Held { slots: a.slots },
            ports: a.ports,
            multiplier: if a.pair { Multiplier::DspPair } else { Multiplier::Dsp },
        },
    }
}

fn values(shape: &Shape, flat: usize, input: Format, rng: &mut Seed) -> Conv {
    let outputs = shape.outputs;
    let mut weight = || match (shape.extreme, rng.chance(25)) {
        (true, false) => {
            if rng.chance(50) {
                -128
            } else {
                127
            }
        }
        _ => rng.within(-128, 127),
    };
    let weights = (0..flat * outputs).map(|_| weight()).collect();
    // A sum of `flat` products spreads by about 128 / 3 each; most results shall lie inside of the limits.
    let spread = 64.0 * 64.0 * (flat as f64).sqrt();
    Conv {
        kernel: shape.kernel,
        stride: shape.stride,
        pad: (shape.pad.0, shape.pad.1),
        groups: shape.groups,
        weights,
        bias: (0..outputs).map(|_| rng.within(-2000, 9000)).collect(),
        zero: input.zero,
        scale: (0..outputs).map(|_| rng.within(200, 1000)).collect(),
        shift: (spread * 600.0 / 100.0).log2().round() as u32,
        out_zero: shape.format.zero,
        limits: shape.format.limits(),
    }
}
