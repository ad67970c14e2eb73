//! Small residual networks, as targets make them.
#![allow(dead_code, reason = "each target uses some of it")]

use nonresc_ir::id::Value;
use nonresc_ir::names::Names;
use nonresc_ir::network::{
    Add, Batch, Conv, Edit, GlobalAvgPool, MaxPool, Network, Op, Pad, Pair, Relu, Sides, Slice,
};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::residual::{Skips, skips};

/// A network under construction, and how many nodes it has.
pub struct Maker(pub Network, usize);

impl Maker {
    /// A node.
    pub fn op(&mut self, op: impl Into<Op>, operands: &[Value]) -> Value {
        self.1 += 1;
        let mut edit = Edit::new(&mut self.0);
        edit.named(Names::one(format!("n{}", self.1)));
        edit.add(op, operands).expect("the networks are sound")
    }

    pub fn conv(&mut self, x: Value, outputs: usize, kernel: usize, stride: usize) -> Value {
        let inputs = self.0.ty(x).shape.0[1];
        let numbers = vec![0.5; outputs * inputs * kernel * kernel];
        let weights = Tensor::f32([outputs, inputs, kernel, kernel], numbers).expect("as many as the shape has");
        let weights = Edit::new(&mut self.0).constant(weights);
        let conv = Conv { stride: Pair::square(stride), pad: Sides::all(kernel / 2), ..Conv::default() };
        self.op(conv, &[x, weights])
    }

    pub fn two(&mut self, x: Value, outputs: usize, stride: usize) -> Value {
        let y = self.conv(x, outputs, 3, stride);
        let y = self.op(Relu {}, &[y]);
        self.conv(y, outputs, 3, 1)
    }

    pub fn joined(&mut self, a: Value, b: Value) -> Value {
        let sum = self.op(Add {}, &[a, b]);
        self.op(Relu {}, &[sum])
    }

    pub fn finish(mut self, x: Value) -> (Network, Skips) {
        let y = self.op(GlobalAvgPool {}, &[x]);
        Edit::new(&mut self.0).output("y", y, Batch::Dynamic(None));
        let found = skips(&self.0);
        (self.0, found)
    }
}

/// A map of 2 channels.
pub fn stem() -> (Maker, Value) {
    let (network, x) = Network::with_input("x", [1, 2, 8, 8]);
    let mut make = Maker(network, 0);
    let x = make.conv(x, 2, 3, 1);
    let x = make.op(Relu {}, &[x]);
    (make, x)
}

/// Identity, projection, subsampled pixels with zero channels, pool and projection, one after the other.
pub fn blocks() -> (Network, Skips) {
    let (mut make, x) = stem();
    let y = make.two(x, 2, 1);
    let x = make.joined(y, x);
    let (y, projection) = (make.two(x, 3, 2), make.conv(x, 3, 1, 2));
    let x = make.joined(y, projection);
    let y = make.two(x, 4, 2);
    let slice = Slice { start: vec![0; 4], step: vec![1, 1, 2, 2], len: vec![1, 3, 2, 2] };
    let pixels = make.op(slice, &[x]);
    let pad = Pad { before: vec![0; 4], after: vec![0, 1, 0, 0], value: 0.0 };
    let padded = make.op(pad, &[pixels]);
    let x = make.joined(y, padded);
    let y = make.two(x, 4, 2);
    let two = Pair::square(2);
    let pooled = make.op(MaxPool { kernel: two, stride: two, ..MaxPool::default() }, &[x]);
    let projection = make.conv(pooled, 4, 1, 1);
    let x = make.joined(y, projection);
    make.finish(x)
}

/// Nested skips, two from one source, a sum of four, a raw sum that is carried on.
pub fn crossed() -> (Network, Skips) {
    let (mut make, outer) = stem();
    let y = make.conv(outer, 2, 3, 1);
    let inner = make.op(Relu {}, &[y]);
    let y = make.two(inner, 2, 1);
    let y = make.joined(y, inner);
    let x = make.joined(y, outer);
    let y = make.two(x, 2, 1);
    let y = make.op(Add {}, &[y, outer]);
    let short = make.conv(x, 2, 3, 1);
    let projection = make.conv(x, 2, 1, 1);
    let (left, right) = (make.op(Add {}, &[y, short]), make.op(Add {}, &[projection, x]));
    let raw = make.op(Add {}, &[left, right]);
    let y = make.op(Relu {}, &[raw]);
    let y = make.two(y, 2, 1);
    let x = make.op(Add {}, &[y, raw]);
    make.finish(x)
}
