//! Random integer layers with the requantisation of their sums on the fast engine, which does both at once where it
//! can: every code is the plain evaluator's.

use nonresc_ir::id::Value;
use nonresc_ir::network::{
    Batch, Edit, Element, IntConv, IntDense, Network, Op, Pair, Requantise, Rounding, Shape, Sides, ValueType,
};
use nonresc_ir::tensor::{Data, Tensor};
use nonresc_passes::engine::Engine;
use nonresc_tests::seed::Seed;

/// Least and largest number of a type.
fn ends(bits: u8, signed: bool) -> (i64, i64) {
    if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}

/// Numbers of a type, its ends more often than others.
fn numbers(seed: &mut Seed, bits: u8, signed: bool, shape: &[usize]) -> Tensor {
    let (low, high) = ends(bits, signed);
    let number = |_| match seed.below(10) {
        0 | 1 => low as f64,
        2 | 3 => high as f64,
        _ => seed.within(low, high) as f64,
    };
    let all: Vec<f64> = (0..shape.iter().product()).map(number).collect();
    Tensor::from_f64(Element::Int { bits, signed }, shape, &all).unwrap()
}

fn whole(numbers: Vec<i64>, scalar: bool) -> Tensor {
    let shape = if scalar { Shape(vec![]) } else { Shape(vec![numbers.len()]) };
    Tensor::new(Element::I64, shape, Data::I64(numbers)).unwrap()
}

/// A layer whose first operand is the input.
struct Layer {
    op: Op,
    x: Vec<usize>,
    w: Vec<usize>,
    outputs: usize,
    x_bits: u8,
    signed: bool,
}

fn layer(seed: &mut Seed) -> Layer {
    let groups = *seed.pick(&[1, 1, 1, 1, 2, 4]);
    let (per_group, outputs) = (seed.between(1, 40), groups * seed.between(1, 40));
    let signed = seed.chance(50);
    let x_bits = *seed.pick(&[8, 8, 8, 4, 2]);
    let (low, high) = ends(x_bits, signed);
    let zero = *seed.pick(&[0, low, high, 3.min(high)]);
    // Sums that need more bits than f32 has, and sums that wrap.
    let bits = *seed.pick(&[32, 32, 26, 24, 20, 14]);
    let frames = seed.between(1, 2);
    if seed.chance(20) {
        let (features, outputs) = (seed.between(1, 200), outputs);
        let op = IntDense { zero, bits }.into();
        return Layer { op, x: vec![frames, features], w: vec![outputs, features], outputs, x_bits, signed };
    }
    let mut pair = |most: usize| Pair { h: seed.between(1, most), w: seed.between(1, most) };
    let (kernel, stride, dilation) = (pair(4), pair(2), pair(2));
    let pad = Sides { top: seed.below(3), left: seed.below(3), bottom: seed.below(3), right: seed.below(3) };
    let op = IntConv { stride, pad, dilation, groups, zero, bits }.into();
    let window = ((kernel.h - 1) * dilation.h + 1, (kernel.w - 1) * dilation.w + 1);
    let x = vec![frames, groups * per_group, window.0 + seed.below(6), window.1 + seed.below(6)];
    Layer { op, x, w: vec![outputs, per_group, kernel.h, kernel.w], outputs, x_bits, signed }
}

/// Factors that bring most sums near the codes, and often between two of them.
fn factors(seed: &mut Seed, count: usize, shift: u8) -> Tensor {
    let scalar = seed.chance(50);
    let most = 1i64 << (shift / 2 + 1).min(28);
    let count = if scalar { 1 } else { count };
    whole((0..count).map(|_| seed.within(-most / 8, most)).collect(), scalar)
}

fn requantise(seed: &mut Seed) -> Requantise {
    use Rounding::{Ceil, Down, Floor, HalfAway, HalfDown, HalfEven, HalfUp, Up};
    let (bits, signed) = (*seed.pick(&[8, 8, 4, 16]), seed.chance(50));
    let (low, high) = ends(bits, signed);
    let rounding = if seed.chance(50) {
        HalfEven
    } else {
        *seed.pick(&[HalfUp, HalfDown, HalfAway, Floor, Ceil, Up, Down])
    };
    let zero = seed.within(low, high);
    let min = if seed.chance(50) { low } else { zero };
    Requantise { shift: seed.between(0, 54) as u8, zero, bits, signed, min, max: high, rounding }
}

/// The network of a layer, its requantisation and what is added before that, and its inputs.
fn network(seed: &mut Seed) -> (Network, Vec<Tensor>) {
    let layer = layer(seed);
    let frames = layer.x[0];
    let mut network = Network::new();
    let mut edit = Edit::new(&mut network);
    let input = |edit: &mut Edit<'_>, name: &str, tensor: &Tensor| {
        edit.input(name, ValueType::new(tensor.element(), tensor.shape().clone()), Batch::Fixed(frames))
    };
    let mut inputs = vec![numbers(seed, layer.x_bits, layer.signed, &layer.x)];
    let x = input(&mut edit, "x", &inputs[0]);
    let sums = |seed: &mut Seed, edit: &mut Edit<'_>| -> Value {
        let bits = seed.between(2, 9) as u8;
        let mut operands = vec![x, edit.constant(numbers(seed, bits, true, &layer.w))];
        if seed.chance(70) {
            operands.push(edit.constant(numbers(seed, 22, true, &[layer.outputs])));
        }
        edit.add(layer.op.clone(), &operands).unwrap()
    };
    let y = sums(seed, &mut edit);
    let ty = edit.ty(y).clone();
    let op = requantise(seed);
    let offset = whole(vec![seed.within(-1 << op.shift, 1 << op.shift)], true);
    let offset = edit.constant(offset);
    let mut terms = vec![y];
    match seed.below(4) {
        0 | 1 => {}
        2 => {
            inputs.push(numbers(seed, 8, true, &ty.shape.0));
            terms.insert(seed.below(2), input(&mut edit, "z", &inputs[1]));
        }
        _ => terms.push(sums(seed, &mut edit)),
    }
    let mut operands = vec![offset];
    for term in terms {
        operands.extend([term, edit.constant(factors(seed, layer.outputs, op.shift))]);
    }
    let codes = edit.add(op, &operands).unwrap();
    edit.output("codes", codes, Batch::Fixed(frames));
    if seed.chance(20) {
        edit.output("sums", y, Batch::Fixed(frames));
    }
    (network, inputs)
}

#[test]
fn layers_with_their_codes_are_those_of_the_plain_evaluator() {
    let mut seed = Seed(41);
    for round in 0..600 {
        let (network, inputs) = network(&mut seed);
        let run = |engine: Engine| engine.load(&network).unwrap().run(&inputs).unwrap();
        // Twice, so that memory of a run before is there.
        let fast = Engine::Native.load(&network).unwrap();
        let (first, second) = (fast.run(&inputs).unwrap(), fast.run(&inputs).unwrap());
        let plain = run(Engine::Plain);
        assert_eq!(first, plain, "round {round}: {}", nonresc_ir::text::print(&network));
        assert_eq!(second, plain, "round {round}, again");
    }
}
