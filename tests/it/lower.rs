//! Lowering: small networks that show one thing each, and what is refused.

use nonresc_ir::id::Value;
use nonresc_ir::names::Names;
use nonresc_ir::network::{
    Add, AvgPool, Batch, Clip, Conv, Dense, Edit, GlobalAvgPool, GlobalMaxPool, MaxPool, Network, Op, Pad,
    Pair, Relu, Reshape, Sides, Slice, Softmax, Transpose,
};
use nonresc_ir::stream::{Stream, phases};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::lower::{Skipped, lower};
use nonresc_passes::residual::{Skip, SkipShape, Skips};
use nonresc_passes::target::Rate;
use nonresc_tests::target::unlimited;

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
        let target = unlimited(Rate::Fastest);
        let stream =
            lower(&self.network, &Skipped::kept(&Skips(self.skips)), &target).map_err(|e| e.to_string())?;
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

/// Three readers of one value, and a sum of three operands as two sums.
#[test]
fn forks_and_sums_of_three() {
    let (mut net, x) = Net::new(3, 6);
    let x = net.conv("stem", x, 4, 1, 1);
    let a = net.conv("branch_a", x, 4, 3, 1);
    let b = net.conv("branch_b", x, 4, 1, 1);
    let ab = net.join("add_ab", [a, b], 1);
    let y = net.join("add_x", [ab, x], 1);
    let y = net.relu("relu", y);
    net.output("y", y);
    snapshot("forks_and_sums_of_three", net);
}

/// A skip that is a graph output, an output that is read inside, and one value under two names.
#[test]
fn skips_and_inner_values_are_outputs() {
    let (mut net, x) = Net::new(3, 6);
    let x = net.conv("stem", x, 4, 3, 1);
    let x = net.relu("stem_relu", x);
    net.output("skip", x);
    let y = net.conv("conv1", x, 4, 3, 1);
    let y = net.relu("relu1", y);
    net.output("inner", y);
    let y = net.conv("conv2", y, 4, 3, 1);
    let y = net.join("add", [y, x], 1);
    net.output("sum", y);
    net.output("sum_again", y);
    snapshot("skips_and_inner_values_are_outputs", net);
}

#[test]
fn convolutions_of_every_kind() {
    let (mut net, x) = Net::new(4, 9);
    let one = Pair::ONE;
    let conv = |net: &mut Net, name: &str, x: Value, kernel: [usize; 4], a: Conv| {
        let w = net.weights(&kernel);
        net.op(name, a, &[x, w])
    };
    let x = conv(
        &mut net,
        "depthwise",
        x,
        [4, 1, 3, 3],
        Conv { groups: 4, pad: Sides::all(1), ..Conv::default() },
    );
    let x = conv(&mut net, "grouped", x, [6, 2, 1, 1], Conv { groups: 2, ..Conv::default() });
    let dilation = Pair { h: 2, w: 3 };
    let pad = Sides { top: 2, left: 3, bottom: 2, right: 3 };
    let x = conv(&mut net, "dilated", x, [6, 6, 3, 3], Conv { dilation, pad, ..Conv::default() });
    let pad = Sides { top: 0, left: 2, bottom: 0, right: 1 };
    let x = conv(&mut net, "row", x, [6, 6, 1, 4], Conv { pad, ..Conv::default() });
    let stride = Pair { h: 3, w: 2 };
    let x = conv(&mut net, "stride_beyond_kernel", x, [8, 6, 2, 1], Conv { stride, ..Conv::default() });
    let x = conv(&mut net, "point", x, [8, 8, 1, 1], Conv { stride: one, ..Conv::default() });
    net.output("y", x);
    snapshot("convolutions_of_every_kind", net);
}

#[test]
fn pools_of_every_kind() {
    let (mut net, x) = Net::new(4, 12);
    let (two, three) = (Pair::square(2), Pair::square(3));
    let overlapping = MaxPool { kernel: three, stride: two, pad: Sides::all(1), ..MaxPool::default() };
    let x = net.op("overlapping", overlapping, &[x]);
    let pad = Sides { top: 1, left: 0, bottom: 0, right: 2 };
    let counted = AvgPool { kernel: three, pad, include_pad: true, ..AvgPool::default() };
    let x = net.op("padding_counted", counted, &[x]);
    let rounded_up =
        AvgPool { kernel: two, stride: two, overhang: Pair { h: 1, w: 0 }, ..AvgPool::default() };
    let x = net.op("rounded_up", rounded_up, &[x]);
    let x = net.op("dilated", MaxPool { kernel: two, dilation: two, ..MaxPool::default() }, &[x]);
    let x = net.relu("relu", x);
    let a = net.op("mean", GlobalAvgPool {}, &[x]);
    let b = net.op("largest", GlobalMaxPool {}, &[x]);
    net.output("mean", a);
    net.output("largest", b);
    snapshot("pools_of_every_kind", net);
}

#[test]
fn values_whose_layers_read_nothing_are_refused() {
    let (mut net, x) = Net::new(2, 1);
    let w = net.weights(&[2, 2, 2, 2]);
    let apart = Conv { dilation: Pair::square(2), pad: Sides::all(1), ..Conv::default() };
    let y = net.op("taps_beside_the_map", apart, &[x, w]);
    net.output("y", y);
    snapshot("values_whose_layers_read_nothing_are_refused", net);
}

#[test]
fn sums_and_weights_that_cannot_stream_are_refused() {
    let (mut net, x) = Net::new(4, 6);
    let a = net.conv("conv1", x, 1, 3, 1);
    let y = net.op("broadcast", Add {}, &[x, a]);
    let w = net.op(
        "computed_weights",
        Slice { start: vec![0; 4], step: vec![1; 4], len: vec![1, 4, 1, 1] },
        &[y],
    );
    let z = net.op("conv2", Conv::default(), &[y, w]);
    let s = net.op("softmax", Softmax { axis: 1 }, &[z]);
    let c = net.conv("conv3", s, 4, 1, 1);
    let back = Slice { start: vec![0, 3, 0, 0], step: vec![1, -1, 1, 1], len: vec![1, 4, 6, 6] };
    let r = net.op("reversed", back, &[c]);
    net.output("y", r);
    snapshot("sums_and_weights_that_cannot_stream_are_refused", net);
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
