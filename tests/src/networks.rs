//! Networks made by hand, node by node: every node has a name, weights come from a seed.

use nonresc_ir::id::Value;
use nonresc_ir::names::Names;
use nonresc_ir::network::{
    Add, Batch, BatchNorm, Conv, Dense, Dequantise, Edit, Element, GlobalAvgPool, MaxPool, Network, Op, Pad,
    Pair, Quantise, Relu, Reshape, Sides, Slice,
};
use nonresc_ir::tensor::Tensor;

use crate::seed::Seed;

/// A network under construction.
pub struct Maker {
    /// The network as far as it is made.
    pub network: Network,
    seed: Seed,
}

impl Maker {
    /// A network with an input `x` of `channels` x `size` x `size`.
    pub fn new(channels: usize, size: usize) -> (Maker, Value) {
        let (network, x) = Network::with_input("x", [1, channels, size, size]);
        (Maker { network, seed: Seed(1) }, x)
    }

    /// One more input.
    pub fn input(&mut self, name: &str, channels: usize, size: usize) -> Value {
        let ty = nonresc_ir::network::ValueType::new(Element::F32, [1, channels, size, size]);
        Edit::new(&mut self.network).input(name, ty, Batch::Dynamic(None))
    }

    /// Any operator.
    pub fn op(&mut self, name: &str, op: impl Into<Op>, operands: &[Value]) -> Value {
        let mut edit = Edit::new(&mut self.network);
        edit.named(Names::one(name));
        edit.add(op, operands).unwrap()
    }

    /// A constant of random numbers.
    pub fn constant(&mut self, shape: &[usize]) -> Value {
        let numbers = (0..shape.iter().product()).map(|_: usize| self.seed.number()).collect();
        Edit::new(&mut self.network).constant(Tensor::f32(shape, numbers).unwrap())
    }

    fn channels(&self, x: Value) -> usize {
        self.network.ty(x).shape.0[1]
    }

    /// A convolution that keeps the map's size but for its stride.
    pub fn conv(&mut self, name: &str, x: Value, outputs: usize, kernel: usize, stride: usize) -> Value {
        let w = self.constant(&[outputs, self.channels(x), kernel, kernel]);
        let (stride, pad) = (Pair::square(stride), Sides::all(kernel / 2));
        self.op(name, Conv { stride, pad, ..Conv::default() }, &[x, w])
    }

    /// Batch normalisation.
    pub fn norm(&mut self, name: &str, x: Value) -> Value {
        let c = self.channels(x);
        let [scale, bias, mean] = [(); 3].map(|()| self.constant(&[c]));
        let variance = Edit::new(&mut self.network).constant(Tensor::f32([c], vec![0.5; c]).unwrap());
        self.op(name, BatchNorm::default(), &[x, scale, bias, mean, variance])
    }

    /// A rectifier.
    pub fn relu(&mut self, name: &str, x: Value) -> Value {
        self.op(name, Relu {}, &[x])
    }

    /// A sum.
    pub fn add(&mut self, name: &str, a: Value, b: Value) -> Value {
        self.op(name, Add {}, &[a, b])
    }

    /// A 2x2 pool of stride 2.
    pub fn pool(&mut self, name: &str, x: Value) -> Value {
        let two = Pair::square(2);
        self.op(name, MaxPool { kernel: two, stride: two, ..MaxPool::default() }, &[x])
    }

    /// Every second pixel, with `more` zero channels behind.
    pub fn padded(&mut self, name: &str, x: Value, more: usize) -> Value {
        let (c, h, w) = self.network.ty(x).shape.chw().unwrap();
        let len = vec![1, c, h.div_ceil(2), w.div_ceil(2)];
        let x =
            self.op(&format!("{name}.slice"), Slice { start: vec![0; 4], step: vec![1, 1, 2, 2], len }, &[x]);
        let pad = Pad { before: vec![0; 4], after: vec![0, more, 0, 0], value: 0.0 };
        self.op(&format!("{name}.pad"), pad, &[x])
    }

    /// Rounded to signed bytes in steps of 1/16 and read back.
    pub fn rounded(&mut self, name: &str, x: Value) -> Value {
        let scale = Edit::new(&mut self.network).constant(Tensor::f32([], vec![0.0625]).unwrap());
        let zero = Edit::new(&mut self.network).constant(Tensor::from_f64(Element::I8, [], &[0.0]).unwrap());
        let codes = self.op(&format!("{name}.q"), Quantise::default(), &[x, scale, zero]);
        self.op(&format!("{name}.dq"), Dequantise::default(), &[codes, scale, zero])
    }

    /// Convolution, rectifier, convolution: `name.conv1` and so on.
    pub fn two(&mut self, name: &str, x: Value, outputs: usize, stride: usize) -> Value {
        let y = self.conv(&format!("{name}.conv1"), x, outputs, 3, stride);
        let y = self.relu(&format!("{name}.relu1"), y);
        self.conv(&format!("{name}.conv2"), y, outputs, 3, 1)
    }

    /// A block of two convolutions with a skip around them, which is a 1x1 convolution where the shape changes.
    pub fn block(&mut self, name: &str, x: Value, outputs: usize, stride: usize) -> Value {
        let y = self.two(name, x, outputs, stride);
        let same = stride == 1 && self.channels(x) == outputs;
        let skip = if same { x } else { self.conv(&format!("{name}.projection"), x, outputs, 1, stride) };
        let sum = self.add(&format!("{name}.add"), y, skip);
        self.relu(&format!("{name}.relu2"), sum)
    }

    /// The mean over the map and a dense layer, as output `y`.
    pub fn classify(mut self, x: Value, classes: usize) -> Network {
        let channels = self.channels(x);
        let x = self.op("pool", GlobalAvgPool {}, &[x]);
        let x = self.op("flatten", Reshape { keep_batch: true, dims: vec![channels] }, &[x]);
        let w = self.constant(&[classes, channels]);
        let y = self.op("classifier", Dense {}, &[x, w]);
        self.output("y", y);
        self.network
    }

    /// Makes a value an output.
    pub fn output(&mut self, name: &str, value: Value) {
        Edit::new(&mut self.network).output(name, value, Batch::Dynamic(None));
    }
}

/// So many blocks of two convolutions and an identity, on maps of 8 x 8 x 8: what grows with the length of a network.
pub fn chain(blocks: usize) -> Network {
    let (mut make, x) = Maker::new(3, 8);
    let stem = make.conv("stem", x, 8, 3, 1);
    let mut x = make.relu("stem.relu", stem);
    for i in 0..blocks {
        x = make.block(&format!("block{i}"), x, 8, 1);
    }
    make.classify(x, 10)
}

/// Two blocks, the second with a projection: the least network with two shapes of skips.
pub fn two_blocks() -> Network {
    let (mut make, x) = Maker::new(3, 8);
    let x = make.conv("stem", x, 4, 3, 1);
    let x = make.relu("stem.relu", x);
    let x = make.block("block1", x, 4, 1);
    let x = make.block("block2", x, 6, 2);
    make.classify(x, 5)
}

/// A skip around three convolutions, with one around the last two within.
pub fn nested() -> Network {
    let (mut make, x) = Maker::new(3, 8);
    let x = make.conv("stem", x, 4, 3, 1);
    let outer = make.relu("stem.relu", x);
    let y = make.conv("first", outer, 4, 3, 1);
    let inner = make.relu("first.relu", y);
    let y = make.two("inner", inner, 4, 1);
    let y = make.add("inner.add", y, inner);
    let y = make.relu("inner.relu2", y);
    let y = make.add("outer.add", y, outer);
    let y = make.relu("outer.relu", y);
    make.classify(y, 5)
}

/// A sum of four: a main path of two convolutions, a shorter one, a projection and the source itself, written as
/// `(main + short) + (projection + source)`.
pub fn four_way() -> Network {
    let (mut make, x) = Maker::new(3, 8);
    let x = make.conv("stem", x, 4, 3, 1);
    let x = make.relu("stem.relu", x);
    let main = make.two("main", x, 4, 1);
    let short = make.conv("short", x, 4, 3, 1);
    let projection = make.conv("projection", x, 4, 1, 1);
    let left = make.add("left", main, short);
    let right = make.add("right", projection, x);
    let y = make.add("sum", left, right);
    let y = make.relu("sum.relu", y);
    make.classify(y, 5)
}
