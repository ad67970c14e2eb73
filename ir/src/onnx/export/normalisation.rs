//! Batch norm and its gradients. Statistics that are computed are written as the arithmetic that they go into, since
//! runtimes take BatchNormalization with known ones alone.

use crate::id::NodeId;
use crate::network::{BatchNorm, BatchNormGradScale, BatchNormGradX, Shape};

use super::node::{float, int, ints};
use super::tensor::scalar;
use super::writer::Writer;

/// Steps of one node's arithmetic on values of its shape and on vectors by channel.
struct Steps<'w, 'a> {
    w: &'w mut Writer<'a>,
    node: NodeId,
    title: String,
    /// Rank of the operand that has channels.
    rank: usize,
}

impl<'w, 'a> Steps<'w, 'a> {
    fn new(w: &'w mut Writer<'a>, node: NodeId) -> Self {
        let title = w.title(node);
        let rank = w.network.ty(w.network.operands(node)[0]).shape.rank();
        Steps { w, node, title, rank }
    }

    fn step(&mut self, op_type: &str, what: &str, input: &[&String]) -> String {
        let title = format!("{}_{what}", self.title);
        self.w.step(op_type, &title, input.iter().map(|&s| s.clone()).collect(), vec![])
    }

    fn number(&mut self, what: &str, value: f64) -> String {
        let element = self.w.network.ty(self.w.network.operands(self.node)[0]).element;
        let name = format!("{}_{what}", self.title);
        match scalar(element, value) {
            Some(tensor) => self.w.initializer(&name, &tensor),
            None => name,
        }
    }

    /// A vector by channel as a value that broadcasts along axis 1.
    fn spread(&mut self, vector: &String, what: &str) -> String {
        let mut dims = vec![1; self.rank];
        dims[1] = -1;
        let shape = self.w.vector(&format!("{}_{what}_shape", self.title), dims);
        self.step("Reshape", what, &[vector, &shape])
    }

    /// 1 / sqrt(variance + epsilon), to be broadcast.
    fn inverse(&mut self, variance: &String, epsilon: f64) -> String {
        let variance = self.spread(variance, "variance");
        let epsilon = self.number("epsilon", epsilon);
        let sum = self.step("Add", "sum", &[&variance, &epsilon]);
        let deviation = self.step("Sqrt", "deviation", &[&sum]);
        self.step("Reciprocal", "inverse", &[&deviation])
    }

    /// x less its channel's mean.
    fn centred(&mut self, x: &String, mean: &String) -> String {
        let mean = self.spread(mean, "mean");
        self.step("Sub", "centred", &[x, &mean])
    }

    /// All axes but axis 1.
    fn others(&self) -> Vec<usize> {
        (0..self.rank).filter(|&axis| axis != 1).collect()
    }

    /// The node's result: a sum by channel.
    fn sum(self, value: String) {
        let axes = self.others().iter().map(|&axis| axis as i64).collect();
        let axes = self.w.vector(&format!("{}_axes", self.title), axes);
        self.w.result(self.node, "ReduceSum", vec![value, axes], vec![int("keepdims", 0)]);
    }
}

pub(super) fn batch_norm(w: &mut Writer<'_>, node: NodeId, op: &BatchNorm) {
    let network = w.network;
    if network.operands(node)[1..].iter().all(|&v| network.constant(v).is_some()) {
        return w.simple(node, "BatchNormalization", vec![float("epsilon", op.epsilon)]);
    }
    let [x, scale, bias, mean, variance] = &w.operands(node)[..] else { return };
    let mut s = Steps::new(w, node);
    let centred = s.centred(x, mean);
    let inverse = s.inverse(variance, op.epsilon);
    let normal = s.step("Mul", "normal", &[&centred, &inverse]);
    let scale = s.spread(scale, "scale");
    let scaled = s.step("Mul", "scaled", &[&normal, &scale]);
    let bias = s.spread(bias, "bias");
    s.w.result(node, "Add", vec![scaled, bias], vec![]);
}

pub(super) fn channel_sum(w: &mut Writer<'_>, node: NodeId) {
    let x = w.operands(node).swap_remove(0);
    Steps::new(w, node).sum(x);
}

pub(super) fn channel_variance(w: &mut Writer<'_>, node: NodeId) {
    let [x, mean] = &w.operands(node)[..] else { return };
    let mut s = Steps::new(w, node);
    let centred = s.centred(x, mean);
    let square = s.step("Mul", "square", &[&centred, &centred]);
    let attributes = vec![ints("axes", &s.others()), int("keepdims", 0)];
    s.w.result(node, "ReduceMean", vec![square], attributes);
}

pub(super) fn grad_scale(w: &mut Writer<'_>, node: NodeId, op: &BatchNormGradScale) {
    let [x, mean, variance, dy] = &w.operands(node)[..] else { return };
    let mut s = Steps::new(w, node);
    let centred = s.centred(x, mean);
    let inverse = s.inverse(variance, op.epsilon);
    let normal = s.step("Mul", "normal", &[&centred, &inverse]);
    let product = s.step("Mul", "product", &[&normal, dy]);
    s.sum(product);
}

pub(super) fn grad_x(w: &mut Writer<'_>, node: NodeId, op: &BatchNormGradX) {
    let Shape(extents) = w.network.ty(node.into()).shape.clone();
    let count = extents.iter().product::<usize>() / extents[1];
    let [x, scale, mean, variance, dy, dscale, dbias] = &w.operands(node)[..] else { return };
    let mut s = Steps::new(w, node);
    let count = s.number("count", count as f64);
    let centred = s.centred(x, mean);
    let inverse = s.inverse(variance, op.epsilon);
    let normal = s.step("Mul", "normal", &[&centred, &inverse]);
    let mean_of = |s: &mut Steps<'_, '_>, vector: &String, what: &str| {
        let spread = s.spread(vector, what);
        s.step("Div", &format!("{what}_mean"), &[&spread, &count])
    };
    let dbias = mean_of(&mut s, dbias, "dbias");
    let dscale = mean_of(&mut s, dscale, "dscale");
    let along = s.step("Mul", "along", &[&normal, &dscale]);
    let less = s.step("Sub", "less", &[dy, &dbias]);
    let rest = s.step("Sub", "rest", &[&less, &along]);
    let scale = s.spread(scale, "scale");
    let factor = s.step("Mul", "factor", &[&scale, &inverse]);
    s.w.result(node, "Mul", vec![rest, factor], vec![]);
}
