//! Lowering: small networks that show one thing each, and what is refused.

use nonresc_ir::id::Value;
use nonresc_ir::names::Names;
use nonresc_ir::network::{
    Add, Batch, Clip, Conv, Dense, Edit, GlobalAvgPool, MaxPool, Network, Op, Pad, Pair, Relu, Reshape,
    Sides, Slice, Softmax, Transpose,
};
use nonresc_ir::stream::{Stream, phases};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::device::Device;
use nonresc_passes::lower::lower;
use nonresc_passes::residual::{Skip, SkipShape, Skips};
use nonresc_passes::target::{Bits, Rate, Target};

/// A network that is built node by node; names are given to every node.
struct Net {
    network: Network,
    skips: Vec<Skip>,
}

impl Net {
    fn new(channels: usize, size: usize) -> (Net, Value) {
        let (network, x) = Network::with_input("x", [1, channels, size, size]);
        (Net { network, skips: Vec::new() }, x)
    }

    fn op(&mut self, name: &str, op: impl Into<Op>, operands: &[Value]) -> Value {
        let mut edit = Edit::new(&mut self.network);
        edit.named(Names::one(name));
        edit.add(op, operands).unwrap()
    }

    fn weights(&mut self, shape: &[usize]) -> Value {
        let numbers = (0..shape.iter().product()).map(|i: usize| i as f32).collect();
        Edit::new(&mut self.network).constant(Tensor::f32(shape, numbers).unwrap())
    }

    fn channels(&self, x: Value) -> usize {
        self.network.ty(x).shape.0[1]
    }

    /// A convolution that keeps the map's size but for its stride.
    fn conv(&mut self, name: &str, x: Value, outputs: usize, kernel: usize, stride: usize) -> Value {
        let w = self.weights(&[outputs, self.channels(x), kernel, kernel]);
        let bias = self.weights(&[outputs]);
        let (stride, pad) = (Pair::square(stride), Sides::all(kernel / 2));
        self.op(name, Conv { stride, pad, ..Conv::default() }, &[x, w, bias])
    }

    fn relu(&mut self, name: &str, x: Value) -> Value {
        self.op(name, Relu {}, &[x])
    }

    /// A sum whose operand `skip` is a skip.
    fn join(&mut self, name: &str, operands: [Value; 2], skip: u16) -> Value {
        let join = self.op(name, Add {}, &operands);
        let number = self.skips.len() + 1;
        self.skips.push(Skip {
            number,
            label: number.to_string(),
            join: join.node,
            operand: skip,
            source: operands[usize::from(skip)],
            shape: SkipShape::Identity,
            skip_convolutions: 0,
            convolutions: 1,
            branch: Vec::new(),
            encloses: Vec::new(),
            names: Names::one(name),
        });
        join
    }

    fn output(&mut self, name: &str, value: Value) {
        Edit::new(&mut self.network).output(name, value, Batch::Dynamic(None));
    }

    fn lower(self) -> Result<Stream, String> {
        let target = Target {
            device: Device::find("none").unwrap(),
            clock_mhz: 200.0,
            rate: Rate::Fastest,
            bits: Bits { weights: 8, activations: 8 },
            seed: 0,
        };
        let stream = lower(&self.network, &Skips(self.skips), &target).map_err(|e| e.to_string())?;
        balanced(&stream);
        Ok(stream)
    }
}

/// Every channel's beats are given and taken once a frame.
fn balanced(stream: &Stream) {
    for id in stream.channels() {
        let channel = stream.channel(id);
        let beats = channel.beats();
        assert_eq!(phases(stream, channel.writer).given(channel.output), beats, "{id} is written");
        for reader in &channel.readers {
            let list = phases(stream, reader.actor);
            assert_eq!(list.taken(reader.input), (beats, beats), "{id} is read by {}", reader.actor);
        }
    }
}

fn snapshot(name: &str, net: Net) {
    let text = match net.lower() {
        Ok(stream) => stream.to_string(),
        Err(faults) => faults,
    };
    insta::with_settings!({snapshot_path => "../snapshots/lower", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn basic_blocks() {
    let (mut net, x) = Net::new(3, 8);
    let x = net.conv("stem", x, 4, 3, 1);
    let x = net.relu("stem_relu", x);
    let y = net.conv("conv1", x, 4, 3, 1);
    let y = net.relu("relu1", y);
    let y = net.conv("conv2", y, 4, 3, 1);
    let y = net.join("add1", [y, x], 1);
    let x = net.relu("relu2", y);
    let y = net.conv("conv3", x, 8, 3, 2);
    let y = net.op("clip", Clip { min: 0.0, max: 6.0 }, &[y]);
    let y = net.conv("conv4", y, 8, 3, 1);
    let p = net.conv("projection", x, 8, 1, 2);
    let y = net.join("add2", [p, y], 0);
    let y = net.relu("relu3", y);
    let y = net.op("mean", GlobalAvgPool {}, &[y]);
    let y = net.op("flatten", Reshape { dims: vec![8], ..Reshape::default() }, &[y]);
    let w = net.weights(&[10, 8]);
    let y = net.op("fc", Dense {}, &[y, w]);
    let y = net.op("softmax", Softmax { axis: 1 }, &[y]);
    net.output("classes", y);
    snapshot("basic_blocks", net);
}

fn option_a(before: usize, after: usize) -> Net {
    let (mut net, x) = Net::new(4, 8);
    let y = net.conv("conv1", x, 4 + before + after, 3, 2);
    let y = net.relu("relu1", y);
    let y = net.conv("conv2", y, 4 + before + after, 3, 1);
    let s = net.op(
        "every_second",
        Slice { start: vec![0; 4], step: vec![1, 1, 2, 2], len: vec![1, 4, 4, 4] },
        &[x],
    );
    let pad = Pad { before: vec![0, before, 0, 0], after: vec![0, after, 0, 0], value: 0.0 };
    let s = net.op("zeros", pad, &[s]);
    let y = net.join("add", [y, s], 1);
    net.output("y", y);
    net
}

#[test]
fn zero_channels_behind_are_implied() {
    snapshot("zero_channels_behind_are_implied", option_a(0, 4));
}

#[test]
fn zero_channels_in_front_are_given() {
    snapshot("zero_channels_in_front_are_given", option_a(2, 2));
}

#[test]
fn dense_behind_a_map_is_a_window() {
    let (mut net, x) = Net::new(3, 8);
    let x = net.op(
        "pool",
        MaxPool { kernel: Pair::square(2), stride: Pair::square(2), ..MaxPool::default() },
        &[x],
    );
    let y = net.op("flatten", Reshape { dims: vec![48], ..Reshape::default() }, &[x]);
    let w = net.weights(&[10, 48]);
    let y = net.op("fc", Dense {}, &[y, w]);
    net.output("y", y);
    snapshot("dense_behind_a_map_is_a_window", net);
}

#[test]
fn outputs_read_inside_and_sums_not_merged() {
    let (mut net, x) = Net::new(4, 6);
    let a = net.conv("conv1", x, 4, 3, 1);
    net.output("inside", a);
    let r = net.relu("relu1", a);
    let b = net.conv("conv2", r, 4, 3, 1);
    let b = net.relu("relu2", b);
    let y = net.join("add", [a, x], 1);
    let y = net.join("three_way", [y, b], 0);
    net.output("sum", y);
    snapshot("outputs_read_inside_and_sums_not_merged", net);
}

#[test]
fn everything_that_cannot_stream_is_refused_at_once() {
    let (mut net, x) = Net::new(4, 6);
    let t = net.op("turn", Transpose { perm: vec![0, 1, 3, 2] }, &[x]);
    let c = net.op("join", nonresc_ir::network::Concat { axis: 1 }, &[t, x]);
    let y = net.conv("conv", c, 4, 3, 1);
    let m = net.op("product", nonresc_ir::network::Mul {}, &[y, x]);
    let r = net.op("reshape", Reshape { dims: vec![36, 4], ..Reshape::default() }, &[m]);
    let one = net.weights(&[36, 4]);
    let z = net.op("offset", Add {}, &[r, one]);
    net.output("y", z);
    snapshot("everything_that_cannot_stream_is_refused_at_once", net);
}
