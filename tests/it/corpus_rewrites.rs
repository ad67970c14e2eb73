//! Carried skips of a trained network: the same logits, and no more DSP blocks than with the skips kept.

use nonresc_ir::eval::evaluate;
use nonresc_ir::network::Network;
use nonresc_ir::tensor::Tensor;
use nonresc_passes::design::{Design, NetworkDesign, Options};
use nonresc_passes::device::Device;
use nonresc_passes::manager::{self, Checks};
use nonresc_passes::plan::{Request, Rewrite, Wanted, apply};
use nonresc_passes::residual::skips;
use nonresc_passes::target::{Bits, Rate, Target};
use nonresc_tests::corpus::normal_networks;
use nonresc_tests::double::in_double;
use nonresc_tests::seed::Seed;

fn logits(network: &Network) -> Vec<f64> {
    let network = in_double(network);
    let shape = network.ty(network.inputs()[0].node.into()).shape.clone();
    let mut seed = Seed(3);
    let numbers = (0..shape.len()).map(|_| f64::from(seed.number())).collect();
    evaluate::<f64>(&network, &[Tensor::f64(shape, numbers).unwrap()]).unwrap()[0].to_f64()
}

fn dsps(network: &Network, rewrite: Rewrite) -> u64 {
    let device = Device::find("xck26").unwrap();
    let target = Target {
        device,
        clock_mhz: 250.0,
        rate: Rate::Cycles(20_000),
        bits: Bits { weights: 8, activations: 8 },
        seed: 0,
    };
    let skips = Request::All(Wanted::This(rewrite));
    let options = Options { skips, ..Options::of(target) };
    let design = Design::Network(NetworkDesign::new(network.clone()));
    let finished = manager::compile(design, &options, &Checks::default()).unwrap();
    finished.design.stream().unwrap().binding.as_ref().unwrap().total.dsps
}

#[test]
fn carried_skips_of_resnet20() {
    let network = normal_networks().remove("resnet20_ts13_fold").unwrap();
    let found = skips(&network);
    let plan = Request::All(Wanted::This(Rewrite::Exact)).resolve(&network, &found).unwrap();
    assert!(plan.skips.iter().all(|entry| entry.rewrite == Rewrite::Exact) && plan.skips.len() == 9);
    let mut carried = network.clone();
    apply(&mut carried, &found, plan).unwrap();
    assert!(skips(&carried).is_empty());
    let (before, after) = (logits(&network), logits(&carried));
    let largest = before.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    let worst = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0f64, f64::max);
    println!("largest logit {largest:.3}, largest difference {worst:e}");
    assert!(worst <= 1e-12 * largest, "{worst} of {largest}");
    assert_eq!(dsps(&network, Rewrite::Exact), dsps(&network, Rewrite::Keep));
}
