//! Networks of one operator, or of the few that belong together, for every rule of differentiation.

use nonresc_ir::id::Value;
use nonresc_ir::network::{
    Add, AvgPool, BatchNorm, ChannelVariance, Clip, Concat, Conv, Dense, Div, Element, GlobalAvgPool,
    GlobalMaxPool, LeakyRelu, MaxPool, Mul, Op, Pad, Pair, ReduceMean, Relu, Reshape, Sides, Slice, Sub,
    Transpose,
};

use super::Problem;

type Case = (&'static str, Problem);

/// All of them, with numbers of `element`.
pub fn all(element: Element) -> Vec<Case> {
    let mut cases = Vec::new();
    convolutions(element, &mut cases);
    layers(element, &mut cases);
    norms(element, &mut cases);
    pointwise(element, &mut cases);
    pools(element, &mut cases);
    moves(element, &mut cases);
    cases
}

fn pair(h: usize, w: usize) -> Pair {
    Pair { h, w }
}

fn sides(top: usize, left: usize, bottom: usize, right: usize) -> Sides {
    Sides { top, left, bottom, right }
}

/// One operator on inputs of these shapes.
fn one(element: Element, op: impl Into<Op>, shapes: &[&[usize]]) -> Problem {
    let mut problem = Problem::new(element, shapes.len() as u64);
    let operands: Vec<Value> = shapes.iter().map(|shape| input(&mut problem, shape)).collect();
    let y = problem.op(op, &operands);
    problem.output(y);
    problem
}

fn input(problem: &mut Problem, shape: &[usize]) -> Value {
    match *shape {
        [] => problem.input([]),
        [a] => problem.input([a]),
        [a, b] => problem.input([a, b]),
        [a, b, c, d] => problem.input([a, b, c, d]),
        _ => unreachable!("no case has another rank"),
    }
}

fn convolutions(element: Element, cases: &mut Vec<Case>) {
    let mut case = |name, x: [usize; 4], w: [usize; 4], bias: bool, op: Conv| {
        let bias = if bias { vec![w[0]] } else { vec![] };
        let shapes = [&x[..], &w, &bias];
        cases.push((name, one(element, op, &shapes[..2 + usize::from(!bias.is_empty())])));
    };
    let same = Conv { pad: Sides::all(1), ..Conv::default() };
    case("conv", [2, 3, 5, 4], [4, 3, 3, 3], true, same.clone());
    case("conv without bias", [2, 3, 5, 4], [4, 3, 3, 3], false, same);
    case("conv 1x1", [3, 3, 2, 2], [2, 3, 1, 1], true, Conv::default());
    let op = Conv { stride: Pair::square(2), ..Conv::default() };
    case("conv 1x1 with stride", [2, 2, 5, 6], [3, 2, 1, 1], false, op.clone());
    case("conv that leaves rows out", [2, 2, 6, 8], [3, 2, 3, 2], true, op);
    let op = Conv { stride: pair(2, 3), pad: sides(2, 0, 1, 3), ..Conv::default() };
    case("conv with stride and padding of any side", [2, 2, 6, 7], [3, 2, 3, 4], true, op);
    let op = Conv { stride: pair(3, 1), dilation: pair(2, 3), pad: sides(1, 3, 4, 2), ..Conv::default() };
    case("dilated conv", [2, 2, 6, 5], [2, 2, 3, 2], true, op);
    let op = Conv { pad: Sides::all(2), ..Conv::default() };
    case("conv with more padding than kernel", [1, 2, 3, 3], [2, 2, 2, 1], false, op);
    let op = Conv { groups: 2, pad: Sides::all(1), stride: pair(1, 2), ..Conv::default() };
    case("conv in groups", [2, 4, 4, 5], [6, 2, 3, 3], true, op.clone());
    case("depthwise conv", [2, 3, 4, 5], [3, 1, 3, 3], true, Conv { groups: 3, ..op.clone() });
    let op = Conv { groups: 3, dilation: pair(2, 1), ..op };
    case("depthwise conv of two results a channel", [2, 3, 4, 5], [6, 1, 2, 3], false, op);
    case("conv of a whole map", [3, 2, 3, 4], [5, 2, 3, 4], true, Conv::default());
}

fn layers(element: Element, cases: &mut Vec<Case>) {
    cases.push(("dense", one(element, Dense {}, &[&[3, 5], &[4, 5], &[4]])));
    cases.push(("dense without bias", one(element, Dense {}, &[&[3, 5], &[4, 5]])));
}

/// Batch norm by the statistics of the batch.
fn of_batch(problem: &mut Problem, x: Value, axes: Vec<usize>) {
    let channels = problem.network.ty(x).shape.0[1];
    let (scale, bias) = (problem.input([channels]), problem.input([channels]));
    let mean = problem.op(ReduceMean { axes, keep_axes: false }, &[x]);
    let variance = problem.op(ChannelVariance {}, &[x, mean]);
    let y = problem.op(BatchNorm { epsilon: 1e-3 }, &[x, scale, bias, mean, variance]);
    problem.output(y);
}

fn norms(element: Element, cases: &mut Vec<Case>) {
    let mut problem = Problem::new(element, 1);
    let x = problem.input([3, 4, 2, 3]);
    of_batch(&mut problem, x, vec![0, 2, 3]);
    cases.push(("batch norm of the batch", problem));

    let mut problem = Problem::new(element, 2);
    let x = problem.input([5, 4]);
    of_batch(&mut problem, x, vec![0]);
    cases.push(("batch norm of vectors", problem));

    let mut problem = Problem::new(element, 3);
    let (x, w) = (problem.input([3, 2, 3, 3]), problem.input([4, 2, 2, 2]));
    let sums = problem.op(Conv::default(), &[x, w]);
    of_batch(&mut problem, sums, vec![0, 2, 3]);
    cases.push(("batch norm behind a conv", problem));

    let mut problem = Problem::new(element, 4);
    let (x, scale, bias) = (problem.input([2, 3, 2, 2]), problem.input([3]), problem.input([3]));
    let (mean, variance) = (problem.known(&[0.25, -0.5, 0.125]), problem.known(&[0.5, 2.0, 0.0625]));
    let y = problem.op(BatchNorm::default(), &[x, scale, bias, mean, variance]);
    problem.output(y);
    cases.push(("batch norm of known statistics", problem));
}

fn pointwise(element: Element, cases: &mut Vec<Case>) {
    let map: &[usize] = &[2, 3, 2, 2];
    cases.push(("relu", one(element, Relu {}, &[map])));
    // Inputs lie at odd multiples of 1/48 at which no limit is: of 24 numbers two are 1/12 apart.
    cases.push(("clip", one(element, Clip { min: -0.5, max: 0.75 }, &[map])));
    cases.push(("clip below", one(element, Clip { min: -0.25, ..Clip::default() }, &[map])));
    cases.push(("clip above", one(element, Clip { max: 0.25, ..Clip::default() }, &[map])));
    cases.push(("leaky relu", one(element, LeakyRelu { alpha: 0.125 }, &[map])));
    cases.push(("add", one(element, Add {}, &[map, map])));
    cases.push(("sub", one(element, Sub {}, &[map, map])));
    cases.push(("mul", one(element, Mul {}, &[map, map])));
    let filters: &[usize] = &[3, 2, 2, 1];
    cases.push(("mul by one number", one(element, Mul {}, &[map, &[]])));
    cases.push(("mul of a vector by one number", one(element, Mul {}, &[&[5], &[]])));
    cases.push(("mul by a number a filter", one(element, Mul {}, &[filters, &[3, 1, 1, 1]])));
    cases.push(("mul of rows by a number a row", one(element, Mul {}, &[&[3, 4], &[3, 1]])));
    cases.push(("div by one number", one(element, Div {}, &[map, &[]])));
    cases.push(("div by a number a filter", one(element, Div {}, &[filters, &[3, 1, 1, 1]])));
    let single: &[usize] = &[3, 1, 1, 1];
    cases.push(("div of a number a filter by one", one(element, Div {}, &[single, single])));

    // Read by five, twice by one of them, and given out.
    let mut problem = Problem::new(element, 5);
    let x = problem.input([2, 3, 2, 2]);
    let square = problem.op(Mul {}, &[x, x]);
    let double = problem.op(Add {}, &[x, x]);
    let none = problem.op(Sub {}, &[x, x]);
    let limited = problem.op(Relu {}, &[x]);
    let mut y = problem.op(Mul {}, &[limited, x]);
    for part in [square, double, none] {
        y = problem.op(Add {}, &[y, part]);
    }
    problem.output(y);
    problem.output(square);
    cases.push(("a value of many readers", problem));
}

fn pools(element: Element, cases: &mut Vec<Case>) {
    let map: &[usize] = &[2, 2, 5, 6];
    let mut max = |name, op: MaxPool| cases.push((name, one(element, op, &[map])));
    let three = MaxPool { kernel: Pair::square(3), ..MaxPool::default() };
    max("max pool", MaxPool { kernel: Pair::square(2), stride: Pair::square(2), ..MaxPool::default() });
    max("max pool of overlapping windows", three.clone());
    max(
        "max pool with padding",
        MaxPool { stride: pair(2, 1), pad: sides(1, 2, 0, 1), kernel: pair(2, 3), ..three.clone() },
    );
    max("dilated max pool", MaxPool { kernel: pair(2, 3), dilation: pair(2, 1), ..three.clone() });
    max("max pool that leaves rows out", MaxPool { kernel: pair(1, 2), stride: pair(3, 4), ..three });
    let mut mean = |name, op: AvgPool| cases.push((name, one(element, op, &[map])));
    let plain = AvgPool { kernel: pair(2, 3), stride: pair(1, 2), ..AvgPool::default() };
    let padded = AvgPool { pad: sides(1, 2, 0, 1), ..plain.clone() };
    mean("mean pool", plain.clone());
    mean("mean pool with padding", padded.clone());
    mean("mean pool that counts padding", AvgPool { include_pad: true, ..padded.clone() });
    let over = AvgPool { kernel: pair(2, 3), stride: pair(2, 2), overhang: pair(1, 1), ..plain };
    mean("mean pool with overhang", over.clone());
    let over = AvgPool { kernel: pair(3, 4), pad: sides(1, 1, 0, 2), include_pad: true, ..over };
    mean("mean pool with overhang that counts padding", over);
    cases.push(("global mean", one(element, GlobalAvgPool {}, &[map])));
    cases.push(("global max", one(element, GlobalMaxPool {}, &[map])));
}

fn moves(element: Element, cases: &mut Vec<Case>) {
    let map: &[usize] = &[2, 3, 4, 5];
    let pad = Pad { before: vec![0, 1, 2, 0], after: vec![0, 2, 0, 3], value: 0.5 };
    cases.push(("pad", one(element, pad, &[map])));
    let slice = Slice { start: vec![0, 1, 0, 1], step: vec![1, 1, 2, 3], len: vec![2, 2, 2, 2] };
    cases.push(("slice with steps", one(element, slice, &[map])));
    let slice = Slice { start: vec![0, 0, 1, 0], step: vec![1; 4], len: vec![2, 3, 2, 5] };
    cases.push(("slice", one(element, slice, &[map])));
    let slice = Slice { start: vec![0, 1], step: vec![1, 2], len: vec![3, 2] };
    cases.push(("slice of vectors", one(element, slice, &[&[3, 5]])));
    cases.push(("concat", one(element, Concat { axis: 1 }, &[map, &[2, 1, 4, 5], &[2, 2, 4, 5]])));
    cases.push(("concat of rows", one(element, Concat { axis: 2 }, &[map, &[2, 3, 1, 5]])));
    cases.push(("reshape", one(element, Reshape { keep_batch: true, dims: vec![60] }, &[map])));
    let reshape = Reshape { keep_batch: false, dims: vec![6, 20] };
    cases.push(("reshape of the batch too", one(element, reshape, &[map])));
    cases.push(("transpose", one(element, Transpose { perm: vec![0, 2, 3, 1] }, &[map])));
    cases.push(("transpose of the batch too", one(element, Transpose { perm: vec![2, 0, 1, 3] }, &[map])));
}
