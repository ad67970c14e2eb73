//! The same function in another spelling, as exporters have them: what a network in normal form could have come
//! from.
//!
//! Factors are powers of two, so that nothing is rounded and the normal form must come out to the bit.

use std::collections::BTreeMap;

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{
    Add, BatchNorm, Cast, Clip, Concat, Conv, Edit, MatMul, Mul, Network, Op, Pad, ReduceMean, Relu, Reshape,
    Sides, Transpose,
};
use nonresc_ir::tensor::Tensor;

use crate::seed::Seed;

const TO_NHWC: [usize; 4] = [0, 2, 3, 1];
const TO_NCHW: [usize; 4] = [0, 3, 1, 2];

/// The network with every operator spelled in one of the ways that mean it, at random.
///
/// # Panics
/// Where the network has a cycle.
pub fn disguised(network: &Network, seed: &mut Seed) -> Network {
    let mut made = Network::new();
    let mut speller = Speller { edit: Edit::new(&mut made), seed };
    let mut ids: BTreeMap<NodeId, Value> = BTreeMap::new();
    for port in network.inputs() {
        let ty = network.ty(port.node.into()).clone();
        ids.insert(port.node, speller.edit.input(&port.name, ty, port.batch.clone()));
    }
    for node in network.topological().expect("a network has no cycle") {
        if !ids.contains_key(&node) {
            let operands: Vec<Value> = network.operands(node).iter().map(|v| ids[&v.node]).collect();
            speller.edit.named(network.node(node).names.clone());
            ids.insert(node, speller.spell(network.op(node), &operands));
        }
    }
    for port in network.outputs() {
        speller.edit.output(&port.name, ids[&port.value.node], port.batch.clone());
    }
    made
}

struct Speller<'a, 's> {
    edit: Edit<'a>,
    seed: &'s mut Seed,
}

impl Speller<'_, '_> {
    fn add(&mut self, op: impl Into<Op>, operands: &[Value]) -> Value {
        self.edit.add(op, operands).unwrap()
    }

    fn numbers(&mut self, shape: &[usize], numbers: Vec<f32>) -> Value {
        self.edit.constant(Tensor::f32(shape, numbers).unwrap())
    }

    fn spell(&mut self, op: &Op, operands: &[Value]) -> Value {
        let value = match op {
            Op::Const(tensor) => return self.edit.constant(tensor.clone()),
            Op::Conv(conv) => self.conv(conv, operands),
            Op::Dense(_) => self.dense(op, operands),
            Op::Relu(_) => self.relu(operands[0]),
            Op::Add(_) if self.rank(operands[0]) == 4 && self.seed.chance(30) => {
                let moved: Vec<Value> = operands.iter().map(|&v| self.moved(v, &TO_NHWC)).collect();
                let sum = self.add(Add {}, &moved);
                self.moved(sum, &TO_NCHW)
            }
            Op::GlobalAvgPool(_) if self.seed.chance(60) => {
                let columns = self.add(ReduceMean { axes: vec![3], keep_axes: true }, operands);
                self.add(ReduceMean { axes: vec![2], keep_axes: true }, &[columns])
            }
            Op::Pad(pad) => self.pad(pad, operands[0]),
            op => self.add(op.clone(), operands),
        };
        match self.seed.below(10) {
            0 => self.add(Cast { to: self.edit.ty(value).element }, &[value]),
            1 => {
                let dims = self.edit.ty(value).shape.0[1..].to_vec();
                let flat =
                    self.add(Reshape { keep_batch: true, dims: vec![dims.iter().product()] }, &[value]);
                self.add(Reshape { keep_batch: true, dims }, &[flat])
            }
            2 if self.rank(value) == 4 => {
                let moved = self.moved(value, &TO_NHWC);
                self.moved(moved, &TO_NCHW)
            }
            _ => value,
        }
    }

    fn rank(&self, value: Value) -> usize {
        self.edit.ty(value).shape.rank()
    }

    fn moved(&mut self, value: Value, perm: &[usize]) -> Value {
        self.add(Transpose { perm: perm.to_vec() }, &[value])
    }

    /// Padding before it, a factor and a bias behind it.
    fn conv(&mut self, conv: &Conv, operands: &[Value]) -> Value {
        let (mut x, mut conv) = (operands[0], conv.clone());
        if conv.pad != Sides::ZERO && self.seed.chance(40) {
            let Sides { top, left, bottom, right } = conv.pad;
            let pad = Pad { before: vec![0, 0, top, left], after: vec![0, 0, bottom, right], value: 0.0 };
            x = self.add(pad, &[x]);
            conv.pad = Sides::ZERO;
        }
        let op = Op::from(conv);
        match self.seed.below(4) {
            0 => self.biased_behind(op, x, operands, |c| vec![c, 1, 1]),
            1 => self.scaled(&op, x, operands),
            _ => self.add(op, &[&[x], &operands[1..]].concat()),
        }
    }

    fn biased_behind(
        &mut self,
        op: Op,
        x: Value,
        operands: &[Value],
        shape: impl Fn(usize) -> Vec<usize>,
    ) -> Value {
        let y = self.add(op, &[x, operands[1]]);
        let Some(&bias) = operands.get(2) else { return y };
        let bias = Network::constant(&self.edit, bias).unwrap().to_f32();
        let bias = self.numbers(&shape(bias.len()), bias);
        self.add(Add {}, &[bias, y])
    }

    /// Half the weights, and twice the result: as a product or as a batch normalisation.
    fn scaled(&mut self, op: &Op, x: Value, operands: &[Value]) -> Value {
        let mut halves = vec![x];
        for &operand in &operands[1..] {
            let tensor = Network::constant(&self.edit, operand).unwrap().clone();
            let half = tensor.to_f32().iter().map(|w| w / 2.0).collect();
            halves.push(self.numbers(&tensor.shape().0, half));
        }
        let y = self.add(op.clone(), &halves);
        if self.seed.chance(50) {
            let two = self.numbers(&[], vec![2.0]);
            return self.add(Mul {}, &[y, two]);
        }
        let channels = self.edit.ty(y).shape.0[1];
        let parameters = [4.0, 1.0, 0.5, 4.0].map(|p| self.numbers(&[channels], vec![p; channels]));
        self.add(BatchNorm { epsilon: 0.0 }, &[&[y], &parameters[..]].concat())
    }

    fn dense(&mut self, op: &Op, operands: &[Value]) -> Value {
        if self.seed.chance(50) {
            return self.biased_behind(op.clone(), operands[0], operands, |c| vec![c]);
        }
        let weights = self.add(Transpose { perm: vec![1, 0] }, &[operands[1]]);
        let product = self.add(MatMul {}, &[operands[0], weights]);
        match operands.get(2) {
            Some(&bias) => self.add(Add {}, &[product, bias]),
            None => product,
        }
    }

    fn relu(&mut self, x: Value) -> Value {
        match self.seed.below(4) {
            0 => self.add(Clip { min: 0.0, ..Clip::default() }, &[x]),
            1 => {
                let once = self.add(Relu {}, &[x]);
                self.add(Relu {}, &[once])
            }
            2 if self.rank(x) == 4 => {
                let moved = self.moved(x, &TO_NHWC);
                let relu = self.add(Relu {}, &[moved]);
                self.moved(relu, &TO_NCHW)
            }
            _ => self.add(Relu {}, &[x]),
        }
    }

    /// Zero channels as operands of a join.
    fn pad(&mut self, pad: &Pad, x: Value) -> Value {
        let channels_alone = |sides: &[usize]| sides.iter().enumerate().all(|(axis, &n)| axis == 1 || n == 0);
        if pad.value != 0.0
            || !channels_alone(&pad.before)
            || !channels_alone(&pad.after)
            || self.seed.chance(40)
        {
            return self.add(pad.clone(), &[x]);
        }
        let mut operands = vec![x];
        for (place, n) in [(0, pad.before[1]), (operands.len() + 1, pad.after[1])] {
            if n > 0 {
                let mut shape = self.edit.ty(x).shape.0.clone();
                shape[1] = n;
                let zeros = self.numbers(&shape, vec![0.0; shape.iter().product()]);
                operands.insert(place.min(operands.len()), zeros);
            }
        }
        self.add(Concat { axis: 1 }, &operands)
    }
}
