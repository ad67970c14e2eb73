//! Quantised networks as floats again, to be quantised anew.

use std::fs;
use std::path::Path;

use nonresc_ir::eval::evaluate;
use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Network, Op, Rounding, verify, verify_live};
use nonresc_ir::tensor::Tensor;
use nonresc_ir::text;
use nonresc_passes::integers::{Rule, integers};
use nonresc_passes::quantise::{Method, QuantiseOptions, Quantity, floats, quantise};
use nonresc_tests::random;
use nonresc_tests::seed::Seed;

use crate::program::{home, nonresc_in};
use crate::quantise::{data_of, normal, options, quantised, skips};
use crate::snapshot;

fn case(name: &str) -> Network {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("cases/integers/{name}.nir"));
    text::parse(&fs::read_to_string(path).unwrap(), None).unwrap()
}

fn quantisers(network: &Network) -> usize {
    let is = |n: &NodeId| matches!(network.op(*n), Op::Quantise(_) | Op::Dequantise(_));
    network.node_ids().filter(is).count()
}

#[test]
fn what_goes_and_what_stays() {
    let network = case("dropped");
    let made = floats(&network).unwrap();
    verify(&made).and_then(|()| verify_live(&made)).unwrap();
    snapshot("quantise", "dropped", &text::print(&made));
    // By hand: weights less their zero point times their scale, and limits where 0 is an end of the codes.
    let mut seed = Seed(5);
    for _ in 0..20 {
        let x: Vec<f64> = (0..32).map(|_| f64::from(seed.number())).collect();
        let at = |channel: usize, pixel: usize| x[channel * 16 + pixel];
        let first = |pixel: usize| {
            let sums = [-1.5 * at(0, pixel) + at(1, pixel) + 7.0 / 32.0, -2.5 * at(1, pixel) - 9.0 / 32.0];
            sums.map(|sum: f64| sum.clamp(0.0, 255.0 / 4.0))
        };
        let mut means = [0.0, 0.0];
        for (row, column) in [(0, 0), (0, 2), (2, 0), (2, 2)] {
            let window = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(h, w)| first((row + h) * 4 + column + w));
            let max = [0, 1].map(|c| window.iter().fold(0.0f64, |most, pixel| most.max(pixel[c])));
            let second = [0.5 * max[0] + max[1], -0.75 * max[0] + 0.5 * max[1]];
            (0..2).for_each(|c| means[c] += (second[c] + max[c]).max(0.0) / 4.0);
        }
        let input = Tensor::f32([1, 2, 4, 4], x.iter().map(|&x| x as f32).collect()).unwrap();
        let found = evaluate::<f64>(&made, &[input]).unwrap().remove(0).to_f64();
        assert!(found.iter().zip(means).all(|(f, e)| (f - e).abs() < 1e-9), "{found:?} {means:?}");
    }
}

/// Random networks: in wide codes the floats are those of before, and codes of weights are chosen again as they were.
#[test]
fn floats_are_near_and_codes_come_again() {
    const FRAMES: u64 = 4;
    let home = tempfile::tempdir().unwrap();
    let (mut near, mut again) = (0, 0);
    for seed in 0..40 {
        let network = normal(random::network(seed));
        let data = data_of(&network, home.path(), FRAMES);
        let wide = QuantiseOptions { method: Method::MinMax, ..options(16, 16) };
        let Ok(made) = quantise(&network, Some(&data), &wide) else { continue };
        let back = floats(&normal(made.network)).unwrap();
        assert_eq!(quantisers(&back), 0, "seed {seed}");
        for frame in 0..FRAMES {
            let run = |network: &Network| evaluate::<f64>(network, &random::input(network, frame)).unwrap();
            for (found, golden) in run(&back).iter().zip(run(&network)) {
                let range = golden.to_f64().iter().fold(0.0f64, |most, x| most.max(x.abs()));
                let apart = found.to_f64().into_iter().zip(golden.to_f64()).map(|(f, g)| (f - g).abs());
                // Only weights and biases were rounded: to 2^-15 of the largest of their channel.
                assert!(apart.fold(0.0, f64::max) <= 2e-3 * range.max(1e-3), "seed {seed}");
            }
            near += 1;
        }
        let narrow = QuantiseOptions { bias_correction: false, ..options(8, 8) };
        let made = quantise(&network, None, &narrow).unwrap();
        let back = normal(floats(&normal(made.network.clone())).unwrap());
        let twice = quantise(&back, None, &narrow).unwrap();
        let weights = |network: &Network| {
            let float = floats(&normal(network.clone())).unwrap();
            let of = |n: NodeId| match float.op(n) {
                Op::Conv(_) | Op::Dense(_) => {
                    Some((float.node(n).names.to_string(), float.constant(float.operands(n)[1])?.to_f64()))
                }
                _ => None,
            };
            float.node_ids().filter_map(of).collect::<std::collections::BTreeMap<_, _>>()
        };
        assert_eq!(weights(&made.network), weights(&twice.network), "seed {seed}");
        again += 1;
    }
    assert!(near > 60 && again > 15, "{near} frames, {again} networks");
}

/// A network that this program quantised gets the quantisers that it would have got from floats, and no others.
#[test]
fn a_network_can_be_quantised_anew() {
    for (first, second) in [((8, 8), (4, 5)), ((16, 16), (8, 8)), ((6, 6), (1, 3))] {
        let made = quantised(skips(), &options(first.0, first.1));
        let back = floats(&normal(made.network)).unwrap();
        let twice = quantised(back, &options(second.0, second.1));
        let direct = quantised(skips(), &options(second.0, second.1));
        let rows = |made: &nonresc_passes::quantise::Quantised| {
            made.rows
                .iter()
                .map(|row| (row.layer.clone(), row.tensor, row.bits, row.signed))
                .collect::<Vec<_>>()
        };
        assert_eq!(rows(&twice), rows(&direct), "{first:?} to {second:?}");
        assert!(twice.rows.iter().any(|row| row.tensor == Quantity::Result));
        integers(&normal(twice.network), Rule::All(Rounding::HalfUp)).unwrap();
    }
}

#[test]
fn what_cannot_become_floats_is_refused() {
    let codes = floats(&case("waiting")).unwrap_err();
    let made = integers(&normal(case("residual")), Rule::AsGiven).unwrap().network;
    let whole = floats(&made).unwrap_err();
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/integers/dropped.nir")).unwrap();
    let other = text.replace("dequantise %25, %14, %19", "dequantise %25, %10, %19");
    let other = floats(&text::parse(&other, None).unwrap()).unwrap_err();
    snapshot("quantise", "not_floats", &format!("{codes}\n\n{whole}\n\n{other}"));
}

#[test]
fn the_program_drops_quantisers_where_it_is_asked_to() {
    let home = home();
    let in_home = |arguments: &[&str]| nonresc_in(home.path(), arguments);
    in_home(&["quantise", "resnet8.onnx", "--out", "q"]).done();
    for file in ["q/quantised.onnx", "q/quantised.qonnx.onnx", "q/network.nir"] {
        let refused = in_home(&["quantise", file]).refused(1);
        assert!(refused.contains("the network is quantised already"), "{refused}");
        assert!(refused.contains("--requantise"), "{refused}");
        let printed = in_home(&["quantise", file, "--requantise", "--bits", "w3a5"]).done();
        let weights: Vec<&str> = printed.lines().filter(|line| line.contains(" weights ")).collect();
        assert!(weights.len() > 8 && weights.iter().all(|line| line.contains(" i3 ")), "{printed}");
        assert!(printed.contains(" u5 "), "{printed}");
    }
}
