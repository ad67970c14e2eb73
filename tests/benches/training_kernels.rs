//! What the native engine does of a training step in a second, kernel by kernel, on one thread: layers of ResNet8 and
//! ResNet20 at 32 frames. `training_kernels [PART OF A NAME]`.
//!
//! A run also copies its inputs from the user's layout: an operator's time is that of a network with many of them less that of
//! one with a single one, on the same inputs.

#![allow(clippy::print_stdout, reason = "figures are printed")]

use std::time::Instant;

use nonresc_ir::network::{
    Add, AvgPoolGrad, Batch, BatchNorm, BatchNormGradScale, BatchNormGradX, ChannelSum, ChannelVariance,
    Conv, ConvGradW, ConvGradX, Edit, Element, Gate, GlobalAvgPool, MaxPoolGrad, Network, Op, Pair,
    ReduceMean, Relu, Sides, Slice, Spread, ValueType, infer,
};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::engine::Engine;
use nonresc_tests::seed::Seed;

const FRAMES: usize = 32;

/// How often an operator is in the longer network.
const REPEATS: usize = 3;

/// Runs, of which the fastest counts: others share the machine.
const RUNS: usize = 60;

/// Channels in and out, side of the map, kernel, stride.
const LAYERS: [[usize; 5]; 7] = [
    [3, 16, 32, 3, 1],
    [16, 16, 32, 3, 1],
    [16, 32, 32, 3, 2],
    [32, 32, 16, 3, 1],
    [64, 64, 8, 3, 1],
    [16, 32, 32, 1, 2],
    [32, 64, 16, 1, 2],
];

/// Channels and side of a map.
const MAPS: [[usize; 2]; 3] = [[16, 32], [32, 16], [64, 8]];

/// Seconds of the fastest run of a network with `repeats` copies of an operator.
fn seconds(op: &Op, operands: &[Vec<usize>], repeats: usize) -> f64 {
    let mut network = Network::new();
    let mut edit = Edit::new(&mut network);
    let ty = |shape: &Vec<usize>| ValueType::new(Element::F32, shape.as_slice());
    let inputs: Vec<_> = operands
        .iter()
        .enumerate()
        .map(|(i, s)| edit.input(&format!("x{i}"), ty(s), Batch::Absent))
        .collect();
    let types: Vec<ValueType> = operands.iter().map(ty).collect();
    let types: Vec<&ValueType> = types.iter().collect();
    let rank = infer(op, &types).expect("shapes fit")[0].shape.rank();
    // An output of one number each takes no time.
    for i in 0..repeats {
        let y = edit.add(op.clone(), &inputs).expect("shapes fit");
        let first = Slice { start: vec![0; rank], step: vec![1; rank], len: vec![1; rank] };
        let one = edit.add(first, &[y]).expect("shapes fit");
        edit.output(&format!("y{i}"), one, Batch::Absent);
    }
    let session = Engine::Native.load(&network).expect("the engine runs it");
    let mut seed = Seed(1);
    let mut tensor = |shape: &Vec<usize>| {
        let numbers = (0..shape.iter().product()).map(|_| 0.5 + seed.number().abs()).collect();
        Tensor::f32(shape.as_slice(), numbers).expect("the numbers fill the shape")
    };
    let given: Vec<Tensor> = operands.iter().map(&mut tensor).collect();
    let time = |_| {
        let start = Instant::now();
        session.run(&given).expect("inputs fit");
        start.elapsed().as_secs_f64()
    };
    (0..RUNS).map(time).fold(f64::INFINITY, f64::min)
}

fn main() {
    let only = std::env::args().skip(1).find(|a| a != "--bench").unwrap_or_default();
    let report = |name: &str, what: &str, op: Op, operands: &[Vec<usize>], work: f64, unit: &str| {
        if name.contains(&only) {
            let spent = seconds(&op, operands, REPEATS) - seconds(&op, operands, 1);
            let each = spent / (REPEATS - 1) as f64;
            println!("{name:22} {what:28} {:8.1} us {:8.1} {unit}", each * 1e6, work / each / 1e9);
        }
    };
    for [inputs, outputs, side, kernel, stride] in LAYERS {
        let (stride, pad, groups) = (Pair::square(stride), Sides::all(kernel / 2), 1);
        let out = side / stride.h;
        let (x, w, y) = (
            vec![FRAMES, inputs, side, side],
            vec![outputs, inputs, kernel, kernel],
            vec![FRAMES, outputs, out, out],
        );
        let work = (2 * FRAMES * outputs * out * out * inputs * kernel * kernel) as f64;
        let what = format!("{inputs}->{outputs} {side}x{side} k{kernel} s{}", stride.h);
        let dilation = Pair::ONE;
        let op = Conv { stride, pad, dilation, groups };
        report("conv", &what, op.into(), &[x.clone(), w.clone()], work, "GFLOP/s");
        let op = ConvGradX { stride, pad, dilation, groups, size: Pair::square(side) };
        report("conv_grad_x", &what, op.into(), &[y.clone(), w], work, "GFLOP/s");
        let op = ConvGradW { stride, pad, dilation, groups, kernel: Pair::square(kernel) };
        report("conv_grad_w", &what, op.into(), &[x, y], work, "GFLOP/s");
    }
    for [channels, side] in MAPS {
        let (x, c) = (vec![FRAMES, channels, side, side], vec![channels]);
        let what = format!("{channels} {side}x{side}");
        let bytes = 4.0 * (FRAMES * channels * side * side) as f64;
        let (x, c) = (|| x.clone(), || c.clone());
        let mean = ReduceMean { axes: vec![0, 2, 3], keep_axes: false };
        report("reduce_mean", &what, mean.into(), &[x()], bytes, "GB/s");
        report("channel_sum", &what, ChannelSum {}.into(), &[x()], bytes, "GB/s");
        report("channel_variance", &what, ChannelVariance {}.into(), &[x(), c()], bytes, "GB/s");
        let norm = BatchNorm::default();
        report("batch_norm", &what, norm.into(), &[x(), c(), c(), c(), c()], 2.0 * bytes, "GB/s");
        let scale = BatchNormGradScale::default();
        report("batch_norm_grad_scale", &what, scale.into(), &[x(), c(), c(), x()], 2.0 * bytes, "GB/s");
        let operands = [x(), c(), c(), c(), x(), c(), c()];
        report("batch_norm_grad_x", &what, BatchNormGradX::default().into(), &operands, 3.0 * bytes, "GB/s");
        let gate = Gate { min: 0.0, ..Gate::default() };
        report("gate", &what, gate.into(), &[x(), x()], 3.0 * bytes, "GB/s");
        report("add", &what, Add {}.into(), &[x(), x()], 3.0 * bytes, "GB/s");
        report("relu", &what, Relu {}.into(), &[x()], 2.0 * bytes, "GB/s");
        let (kernel, size) = (Pair::square(side), Pair::square(side));
        let y = vec![FRAMES, channels, 1, 1];
        report("global_avg_pool", &what, GlobalAvgPool {}.into(), &[x()], bytes, "GB/s");
        let grad = AvgPoolGrad { kernel, size, ..AvgPoolGrad::default() };
        report("avg_pool_grad, global", &what, grad.into(), std::slice::from_ref(&y), bytes, "GB/s");
        let (kernel, stride) = (Pair::square(2), Pair::square(2));
        let y = vec![FRAMES, channels, side / 2, side / 2];
        let grad = MaxPoolGrad { kernel, stride, ..MaxPoolGrad::default() };
        report("max_pool_grad k2 s2", &what, grad.into(), &[x(), y.clone()], 2.25 * bytes, "GB/s");
        let dims = vec![channels, side, side];
        let spread = Spread { start: vec![0; 3], step: vec![1, 2, 2], dims };
        let y = vec![FRAMES, channels, side.div_ceil(2), side.div_ceil(2)];
        report("spread by 2", &what, spread.into(), &[y], 1.25 * bytes, "GB/s");
    }
}
