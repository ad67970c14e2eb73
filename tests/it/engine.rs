//! The native engine's kernels against the plain evaluator in double precision, on numbers whose sums single
//! precision holds exactly: whatever tile a result comes from, it is the same to the last bit.

use nonresc_ir::id::Value;
use nonresc_ir::network::{Clip, Conv, Network, Pair, Sides};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::engine::Engine;
use nonresc_tests::networks::Maker;
use nonresc_tests::ported;
use nonresc_tests::seed::Seed;

/// Output channels: parts of a block of sixteen, whole ones, pairs of blocks and what is left of them.
const OUTPUTS: [usize; 9] = [1, 10, 16, 17, 24, 32, 40, 48, 64];

/// Sides of maps: fewer pixels than any tile has, a whole number of tiles, tiles that overlap.
const SIDES: [usize; 5] = [1, 2, 3, 5, 8];

fn input(network: &Network, seed: u64) -> Tensor {
    let mut seed = Seed(seed);
    let shape = network.ty(network.inputs()[0].node.into()).shape.clone();
    let numbers = (0..shape.len()).map(|_| seed.number()).collect();
    Tensor::f32(shape, numbers).unwrap()
}

fn assert_same(name: &str, network: &Network, x: Tensor) {
    let golden = ported::run(network, std::slice::from_ref(&x)).unwrap();
    let given = Engine::Native.load(network).unwrap().run(&[x]).unwrap();
    for (given, golden) in given.iter().zip(&golden) {
        assert_eq!(given.shape(), golden.shape(), "{name}");
        let apart = |(a, b): &(f64, f64)| a != b && !(a.is_nan() && b.is_nan());
        let first = given.to_f64().into_iter().zip(golden.to_f64()).enumerate().find(|(_, pair)| apart(pair));
        assert_eq!(first, None, "{name}: element, what is given, what is right");
    }
}

/// A convolution with bias, held to limits that some results reach.
fn limited(maker: &mut Maker, x: Value, op: Conv, weights: [usize; 4]) {
    let (w, bias) = (maker.constant(&weights), maker.constant(&weights[..1]));
    let sums = maker.op("conv", op, &[x, w, bias]);
    let held = maker.op("clip", Clip { min: -0.75, max: 1.25 }, &[sums]);
    maker.output("y", held);
}

#[test]
fn convolutions_are_exact_in_every_tile() {
    let skewed = Sides { top: 2, left: 0, bottom: 1, right: 3 };
    let forms = [
        ("pointwise", 1, Conv::default()),
        ("padded", 3, Conv { pad: Sides::all(1), ..Conv::default() }),
        ("strided", 3, Conv { stride: Pair::square(2), pad: Sides::all(1), ..Conv::default() }),
        ("dilated", 3, Conv { dilation: Pair { h: 1, w: 2 }, pad: Sides::all(2), ..Conv::default() }),
        ("skewed", 2, Conv { stride: Pair { h: 1, w: 2 }, pad: skewed, ..Conv::default() }),
    ];
    for (form, kernel, op) in forms {
        for outputs in OUTPUTS {
            for side in SIDES {
                let (mut maker, x) = Maker::new(3, side);
                limited(&mut maker, x, op.clone(), [outputs, 3, kernel, kernel]);
                let x = input(&maker.network, (outputs * side) as u64);
                assert_same(&format!("{form} {outputs} of {side}x{side}"), &maker.network, x);
            }
        }
    }
}

#[test]
fn groups_share_no_tile() {
    for (groups, outputs) in [(2, 16), (2, 32), (2, 48), (3, 51), (4, 4), (8, 8), (24, 24)] {
        for per_group in [1, 2] {
            let (mut maker, x) = Maker::new(groups * per_group, 5);
            let op = Conv { groups, pad: Sides::all(1), ..Conv::default() };
            limited(&mut maker, x, op, [outputs, per_group, 3, 3]);
            let x = input(&maker.network, outputs as u64);
            assert_same(&format!("{outputs} in {groups} groups of {per_group}"), &maker.network, x);
        }
    }
}

#[test]
fn dense_layers_are_exact_in_every_tile() {
    for outputs in OUTPUTS {
        let (maker, x) = Maker::new(20, 2);
        let network = maker.classify(x, outputs);
        let x = input(&network, outputs as u64);
        assert_same(&format!("{outputs} classes"), &network, x);
    }
}

#[test]
fn what_is_no_number_stays_so_within_limits() {
    for outputs in OUTPUTS {
        let (mut maker, x) = Maker::new(1, 3);
        limited(&mut maker, x, Conv::default(), [outputs, 1, 1, 1]);
        let mut numbers = vec![0.5; 9];
        numbers[4] = f32::NAN;
        numbers[7] = f32::MAX;
        let x = Tensor::f32([1, 1, 3, 3], numbers).unwrap();
        let given = Engine::Native.load(&maker.network).unwrap().run(std::slice::from_ref(&x)).unwrap();
        let given = given[0].to_f64();
        assert_eq!(given.iter().filter(|y| y.is_nan()).count(), outputs);
        assert!(given.iter().all(|y| y.is_nan() || (-0.75..=1.25).contains(y)), "{outputs}: {given:?}");
        assert_same(&format!("{outputs} with no number"), &maker.network, x);
    }
}
