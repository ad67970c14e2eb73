//! The native engine's kernels of training steps, whose weights and statistics are inputs, against the plain evaluator in
//! double precision, over seeded shapes; and that a kernel, not the plain evaluator, did them.

use nonresc_ir::eval::evaluate;
use nonresc_ir::network::{
    AvgPool, AvgPoolGrad, Batch, BatchNorm, BatchNormGradScale, BatchNormGradX, ChannelSum, ChannelVariance,
    Conv, ConvGradW, ConvGradX, Dense, Edit, Element, Gate, LogSoftmax, MatMul, MaxPool, MaxPoolGrad,
    Network, Op, Pair, ReduceMean, Relu, Shape, Sides, Softmax, Spread, Transpose, ValueType, infer,
};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::engine::Session;
use nonresc_passes::engine::native::Native;
use nonresc_tests::seed::Seed;

/// Largest error, of the largest number of the result.
const BOUND: f64 = 1e-5;

/// What an operand's numbers are like.
#[derive(Clone, Copy)]
enum Like {
    /// Any in -1 ..= 1.
    Any,
    /// Any, far from zero beside how they differ.
    Far,
    /// Variances.
    Positive,
    /// Few different ones, so that some are the same.
    Coarse,
}

fn tensor(shape: &[usize], like: Like, seed: &mut Seed) -> Tensor {
    let number = |seed: &mut Seed| (seed.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0;
    let one = |seed: &mut Seed| match like {
        Like::Any => number(seed),
        Like::Far => 3.0 + number(seed),
        Like::Positive => 0.25 + number(seed).abs(),
        Like::Coarse => seed.within(-4, 4) as f32 / 4.0,
    };
    let shape = Shape::from(shape);
    let numbers = (0..shape.len()).map(|_| one(seed)).collect();
    Tensor::f32(shape, numbers).unwrap()
}

fn ty(shape: &[usize]) -> ValueType {
    ValueType::new(Element::F32, shape)
}

/// Holds one operator, and what comes behind it, against the plain evaluator.
fn check_with(what: &str, op: Op, behind: Option<Op>, operands: &[(&[usize], Like)], seed: &mut Seed) {
    let mut network = Network::new();
    let mut edit = Edit::new(&mut network);
    let inputs: Vec<_> = operands
        .iter()
        .enumerate()
        .map(|(i, (shape, _))| edit.input(&format!("x{i}"), ty(shape), Batch::Absent))
        .collect();
    let mut y = edit.add(op.clone(), &inputs).unwrap();
    if let Some(behind) = behind {
        y = edit.add(behind, &[y]).unwrap();
    }
    edit.output("y", y, Batch::Absent);
    let given: Vec<Tensor> = operands.iter().map(|(shape, like)| tensor(shape, *like, seed)).collect();
    let golden = evaluate::<f64>(&network, &given).unwrap().remove(0);
    let native = Native::new(&network).unwrap();
    let left: Vec<&str> = native.left_to_plain().map(Op::name).collect();
    assert!(left.is_empty(), "{what}: {left:?} of {op:?} have no kernel");
    // Twice: what a run leaves in memory may not show in the next one.
    for run in 0..2 {
        let found = native.run(&given).unwrap().remove(0);
        assert_eq!(found.shape(), golden.shape(), "{what}: {op:?}");
        let (found, golden) = (found.to_f64(), golden.to_f64());
        let largest = golden.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        let bound = BOUND * largest;
        let apart = found.iter().zip(&golden).position(|(a, b)| (a - b).abs() > bound || a.is_nan());
        if let Some(i) = apart {
            let shapes: Vec<_> = operands.iter().map(|(shape, _)| shape).collect();
            panic!("{what}, run {run}: {op:?} of {shapes:?}: element {i} is {}, not {}", found[i], golden[i]);
        }
    }
}

fn check(what: &str, op: impl Into<Op>, operands: &[(&[usize], Like)], seed: &mut Seed) {
    check_with(what, op.into(), None, operands, seed);
}

/// A window and the shapes of a map, of weights and of the result.
struct Layer {
    op: Conv,
    x: Vec<usize>,
    w: Vec<usize>,
    y: Vec<usize>,
}

impl Layer {
    /// Nothing where the kernel is larger than the map.
    fn new(op: Conv, x: [usize; 4], w: [usize; 4]) -> Option<Layer> {
        let y = infer(&op.clone().into(), &[&ty(&x), &ty(&w)]).ok()?[0].shape.0.clone();
        Some(Layer { op, x: x.to_vec(), w: w.to_vec(), y })
    }
}

/// Layers of which not all frames, and in gradients not all pixels, are done at a time.
fn large() -> [Layer; 3] {
    let of = |stride, groups, x, w| {
        let op = Conv { stride: Pair::square(stride), pad: Sides::all(1), groups, ..Conv::default() };
        Layer::new(op, x, w).unwrap()
    };
    [
        of(1, 1, [5, 16, 32, 32], [16, 16, 3, 3]),
        of(2, 1, [2, 40, 40, 40], [48, 40, 3, 3]),
        of(1, 24, [4, 24, 48, 48], [24, 1, 3, 3]),
    ]
}

/// These and `count` small ones.
fn layers(count: usize, seed: &mut Seed) -> Vec<Layer> {
    let mut layers = Vec::from(large());
    while layers.len() < count + large().len() {
        let kernel = match seed.below(3) {
            0 => [1, *seed.pick(&[3, 5])],
            1 => [*seed.pick(&[2, 3, 7]), 1],
            _ => [*seed.pick(&[1, 3, 5, 7]); 2],
        };
        let groups = *seed.pick(&[1, 1, 1, 2, 3, 16, 20]);
        let (each_in, each_out) = match groups {
            1 => (*seed.pick(&[1, 3, 5, 16, 24, 32]), *seed.pick(&[1, 10, 16, 24, 32, 35, 48])),
            2 | 3 => (*seed.pick(&[1, 2, 8]), *seed.pick(&[1, 5, 16, 17, 32])),
            _ => (1, *seed.pick(&[1, 1, 2])),
        };
        let mut side = || seed.between(0, 4).saturating_sub(1);
        let pad = Sides { top: side(), left: side(), bottom: side(), right: side() };
        let op = Conv {
            stride: Pair { h: seed.between(1, 3), w: seed.between(1, 3) },
            dilation: Pair { h: seed.between(1, 2), w: seed.between(1, 2) },
            pad,
            groups,
        };
        let x = [*seed.pick(&[1, 5]), groups * each_in, seed.between(1, 12), seed.between(1, 12)];
        layers.extend(Layer::new(op, x, [groups * each_out, each_in, kernel[0], kernel[1]]));
    }
    layers
}

#[test]
fn layers_whose_weights_are_inputs_are_as_the_evaluator_has_them() {
    let mut seed = Seed(1);
    for Layer { op, x, w, .. } in layers(150, &mut seed) {
        check("conv", op.clone(), &[(&x, Like::Any), (&w, Like::Any)], &mut seed);
        let operands = [(&x[..], Like::Any), (&w, Like::Any), (&w[..1], Like::Any)];
        check_with("conv", op.into(), Some(Relu {}.into()), &operands, &mut seed);
    }
}

#[test]
fn gradients_of_maps_are_as_the_evaluator_has_them() {
    let mut seed = Seed(2);
    for Layer { op, x, w, y } in layers(250, &mut seed) {
        let Conv { stride, pad, dilation, groups } = op;
        let size = Pair { h: x[2], w: x[3] };
        let op = ConvGradX { stride, pad, dilation, groups, size };
        check("gradient of x", op, &[(&y, Like::Any), (&w, Like::Any)], &mut seed);
    }
}

#[test]
fn gradients_of_weights_are_as_the_evaluator_has_them() {
    let mut seed = Seed(3);
    for Layer { op, x, w, y } in layers(250, &mut seed) {
        let Conv { stride, pad, dilation, groups } = op;
        let kernel = Pair { h: w[2], w: w[3] };
        let op = ConvGradW { stride, pad, dilation, groups, kernel };
        check("gradient of weights", op, &[(&x, Like::Any), (&y, Like::Any)], &mut seed);
    }
}

#[test]
fn products_are_as_the_evaluator_has_them() {
    let mut seed = Seed(4);
    for outputs in [1, 10, 16, 17, 32, 64] {
        for features in [1, 10, 64, 100] {
            for frames in [1, 5, 32] {
                let (x, w) = ([frames, features], [outputs, features]);
                check("dense", Dense {}, &[(&x, Like::Any), (&w, Like::Any)], &mut seed);
                let operands = [(&x[..], Like::Any), (&w[..], Like::Any), (&w[..1], Like::Any)];
                check("dense", Dense {}, &operands, &mut seed);
                let w = [features, outputs];
                check("matmul", MatMul {}, &[(&x, Like::Any), (&w, Like::Any)], &mut seed);
                check("transpose", Transpose { perm: vec![1, 0] }, &[(&x, Like::Any)], &mut seed);
            }
        }
    }
}

/// Shapes of values with channels.
fn shapes() -> Vec<Vec<usize>> {
    let mut shapes = Vec::new();
    for channels in [1, 3, 10, 16, 24, 64, 300] {
        shapes.extend([vec![1, channels], vec![37, channels]]);
        shapes.extend([vec![1, channels, 1, 1], vec![5, channels, 7, 3], vec![3, channels, 16, 16]]);
    }
    shapes.push(vec![32, 16, 32, 32]);
    shapes
}

#[test]
fn statistics_are_as_the_evaluator_has_them() {
    let mut seed = Seed(5);
    for x in shapes() {
        let c = &x[1..2];
        for like in [Like::Any, Like::Far] {
            check("channel_sum", ChannelSum {}, &[(&x, like)], &mut seed);
            let axes: Vec<usize> = (0..x.len()).filter(|&axis| axis != 1).collect();
            for keep_axes in [false, true] {
                check("reduce_mean", ReduceMean { axes: axes.clone(), keep_axes }, &[(&x, like)], &mut seed);
            }
            check("channel_variance", ChannelVariance {}, &[(&x, like), (c, like)], &mut seed);
            let epsilon = *seed.pick(&[1e-5, 0.1]);
            let scale = BatchNormGradScale { epsilon };
            let operands = [(&x[..], like), (c, like), (c, Like::Positive), (&x, like)];
            check("batch_norm_grad_scale", scale, &operands, &mut seed);
        }
    }
}

#[test]
fn batch_norm_with_inputs_for_all_is_as_the_evaluator_has_it() {
    let mut seed = Seed(6);
    for x in shapes() {
        let c = (&x[1..2], Like::Any);
        let variance = (&x[1..2], Like::Positive);
        let (any, far) = ((&x[..], Like::Any), (&x[..], Like::Far));
        for x in [any, far] {
            let op = BatchNorm { epsilon: 1e-3 };
            check("batch_norm", op.clone(), &[x, c, c, c, variance], &mut seed);
            check_with("batch_norm", op.into(), Some(Relu {}.into()), &[x, c, c, c, variance], &mut seed);
            let op = BatchNormGradX { epsilon: 1e-5 };
            check("batch_norm_grad_x", op, &[x, c, c, variance, any, c, c], &mut seed);
        }
    }
}

#[test]
fn gates_and_spreads_are_as_the_evaluator_has_them() {
    let mut seed = Seed(7);
    let (inf, none) = (f64::INFINITY, f64::NEG_INFINITY);
    for x in shapes().into_iter().chain([vec![7], vec![2, 3, 4]]) {
        for (min, max, below) in [(0.0, inf, 0.0), (0.0, 0.75, 0.0), (0.0, inf, 0.125), (none, 0.5, 0.0)] {
            check("gate", Gate { min, max, below }, &[(&x, Like::Coarse), (&x, Like::Any)], &mut seed);
        }
        let mut spread = || Spread {
            start: x[1..].iter().map(|_| seed.below(3)).collect(),
            step: x[1..].iter().map(|_| seed.between(1, 3)).collect(),
            dims: Vec::new(),
        };
        let mut op = spread();
        let last = |axis: usize| op.start[axis] + (x[axis + 1] - 1) * op.step[axis];
        op.dims = (0..x.len() - 1).map(|axis| last(axis) + 1 + axis).collect();
        check("spread", op, &[(&x, Like::Any)], &mut seed);
    }
}

#[test]
fn gradients_of_pools_are_as_the_evaluator_has_them() {
    let mut seed = Seed(8);
    let mut found = 0;
    while found < 150 {
        let x = [*seed.pick(&[1, 5]), *seed.pick(&[1, 3, 16, 20]), seed.between(1, 9), seed.between(1, 9)];
        let kernel = match seed.below(4) {
            0 => Pair { h: x[2], w: x[3] },
            _ => Pair { h: seed.between(1, 3), w: seed.between(1, 3) },
        };
        let stride = Pair { h: seed.between(1, 3), w: seed.between(1, 3) };
        let pad = Sides { top: seed.below(kernel.h), left: seed.below(kernel.w), bottom: 0, right: 0 };
        let dilation = Pair { h: seed.between(1, 2), w: 1 };
        let pool = MaxPool { kernel, stride, pad, dilation };
        let Ok(y) = infer(&pool.into(), &[&ty(&x)]) else { continue };
        let y = y[0].shape.0.clone();
        found += 1;
        let op = MaxPoolGrad { kernel, stride, pad, dilation };
        check("max_pool_grad", op, &[(&x, Like::Coarse), (&y, Like::Any)], &mut seed);
        let AvgPool { overhang, .. } = AvgPool::default();
        let size = Pair { h: x[2], w: x[3] };
        let include_pad = seed.chance(50);
        let op = AvgPoolGrad { kernel, stride, pad, dilation, include_pad, overhang, size };
        check("avg_pool_grad", op, &[(&y, Like::Any)], &mut seed);
    }
}

#[test]
fn softmax_and_its_logarithm_are_as_the_evaluator_has_them() {
    let mut seed = Seed(9);
    for x in shapes() {
        check("softmax", Softmax { axis: 1 }, &[(&x, Like::Far)], &mut seed);
        check("log_softmax", LogSoftmax { axis: 1 }, &[(&x, Like::Far)], &mut seed);
    }
}
