//! Rewrites of skips: what each makes of each shape of skip, or why it does not fit; and that those which keep the
//! function do, on random networks, as networks and as streams.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::eval::evaluate;
use nonresc_ir::id::Value;
use nonresc_ir::network::{Conv, Network, Pair, Sides, verify};
use nonresc_ir::stream;
use nonresc_ir::tensor::Tensor;
use nonresc_passes::lower::{Skipped, lower};
use nonresc_passes::plan::{Planned, Request, Rewrite, Serve, Wanted, apply};
use nonresc_passes::residual::skips;
use nonresc_passes::target::Rate;
use nonresc_tests::double::in_double;
use nonresc_tests::networks::{Maker, four_way, nested};
use nonresc_tests::random;
use nonresc_tests::target::unlimited;

use crate::lower_values::computes;

/// The network with a rewrite of all skips that it fits, where there is one.
pub(crate) fn rewritten(
    network: &Network,
    rewrite: Rewrite,
) -> Result<Option<(Network, Planned)>, Diagnostics> {
    let found = skips(network);
    let plan = Request::All(Wanted::This(rewrite)).resolve(network, &found)?;
    if plan.skips.iter().all(|entry| entry.rewrite != rewrite) {
        return Ok(None);
    }
    let mut changed = network.clone();
    let planned = apply(&mut changed, &found, plan)?;
    verify(&changed)?;
    Ok(Some((changed, planned)))
}

/// What each rewrite makes of the skips of a network: the stream that comes of it, but for actors and channels that the
/// kept skips have as well; and why it does not fit some of them.
fn story(network: &Network) -> String {
    let mut text = String::new();
    for skip in skips(network).iter() {
        let _ = writeln!(text, "skip {}: {}, ends in {}", skip.label, skip.shape, skip.names);
    }
    let lines = |network: &Network, skipped: &Skipped<'_>| -> Vec<String> {
        let stream = lower(network, skipped, &unlimited(Rate::Fastest)).unwrap();
        stream::verify(&stream).unwrap();
        stream.to_string().lines().map(str::to_string).collect()
    };
    let kept = lines(network, &Skipped::kept(&skips(network)));
    for rewrite in Rewrite::ALL {
        let _ = writeln!(text, "\n== {rewrite}");
        let found = skips(network);
        let plan = Request::All(Wanted::This(rewrite)).resolve(network, &found);
        match plan {
            Err(faults) => text += &format!("{faults}\n"),
            Ok(plan) => {
                for misfit in &plan.misfits {
                    let _ = writeln!(text, "skip {}: no: {}", misfit.skip, misfit.why);
                }
            }
        }
        match rewritten(network, rewrite) {
            Ok(None) => {}
            Ok(Some((changed, planned))) => {
                let made = lines(&changed, &Skipped::from(&planned));
                made.iter().filter(|line| rewrite == Rewrite::Keep || !kept.contains(line)).for_each(
                    |line| {
                        let _ = writeln!(text, "{line}");
                    },
                );
            }
            Err(why) => text += &format!("{why}\n"),
        }
    }
    text
}

fn snapshot(case: &str, network: &Network) {
    crate::snapshot("rewrites", case, &story(network));
}

/// A block behind a stem whose numbers are not negative.
fn stem(size: usize) -> (Maker, Value) {
    let (mut make, x) = Maker::new(3, size);
    let x = make.conv("stem", x, 4, 3, 1);
    let x = make.relu("stem.relu", x);
    (make, x)
}

#[test]
fn of_an_identity() {
    let (mut make, x) = stem(6);
    let x = make.block("block", x, 4, 1);
    snapshot("identity", &make.classify(x, 5));
}

#[test]
fn of_a_projection() {
    let (mut make, x) = stem(6);
    let x = make.block("block", x, 6, 2);
    snapshot("projection", &make.classify(x, 5));
}

/// Windows that hang over at the end alone, so that the pixel of a stride lies in their corner.
#[test]
fn of_a_projection_that_reads_the_corner() {
    let (mut make, x) = stem(6);
    let w = make.constant(&[6, 4, 3, 3]);
    let pad = Sides { bottom: 1, right: 1, ..Sides::ZERO };
    let y = make.op("block.conv1", Conv { stride: Pair::square(2), pad, ..Conv::default() }, &[x, w]);
    let y = make.relu("block.relu1", y);
    let y = make.conv("block.conv2", y, 6, 3, 1);
    let skip = make.conv("block.projection", x, 6, 1, 2);
    let x = make.add("block.add", y, skip);
    snapshot("projection_of_the_corner", &make.classify(x, 5));
}

#[test]
fn of_a_pool_and_projection() {
    let (mut make, x) = stem(6);
    let y = make.two("block", x, 6, 2);
    let skip = make.pool("block.pool", x);
    let skip = make.conv("block.projection", skip, 6, 1, 1);
    let x = make.add("block.add", y, skip);
    snapshot("pooled", &make.classify(x, 5));
}

#[test]
fn of_subsampled_pixels_with_zero_channels() {
    let (mut make, x) = stem(6);
    let y = make.two("block", x, 6, 2);
    let skip = make.padded("block", x, 2);
    let x = make.add("block.add", y, skip);
    snapshot("padded", &make.classify(x, 5));
}

#[test]
fn of_a_pre_activation() {
    let (mut make, x) = Maker::new(3, 6);
    let x = make.conv("stem", x, 4, 3, 1);
    let y = make.relu("block.relu0", x);
    let y = make.two("block", y, 4, 1);
    let x = make.add("block.add", y, x);
    let x = make.relu("relu", x);
    snapshot("pre_activation", &make.classify(x, 5));
}

#[test]
fn of_nested_skips() {
    snapshot("nested", &nested());
}

#[test]
fn of_two_skips_from_one_source() {
    let (mut make, x) = stem(6);
    let y = make.two("block1", x, 4, 1);
    let y = make.add("block1.add", y, x);
    let y = make.relu("block1.relu2", y);
    let y = make.two("block2", y, 4, 1);
    let y = make.add("block2.add", y, x);
    snapshot("shared_source", &make.classify(y, 5));
}

#[test]
fn of_a_sum_of_four() {
    snapshot("four_way", &four_way());
}

fn outputs(network: &Network, inputs: &[Tensor]) -> Vec<Vec<f64>> {
    let inputs: Vec<Tensor> =
        inputs.iter().map(|x| Tensor::f64(x.shape().clone(), x.to_f64()).unwrap()).collect();
    evaluate::<f64>(&in_double(network), &inputs).unwrap().iter().map(Tensor::to_f64).collect()
}

#[test]
fn rewrites_keep_the_function_of_random_networks() {
    let count = RefCell::new(BTreeMap::<&str, usize>::new());
    for seed in 0..200 {
        random::for_each(seed..seed + 1, |network| {
            for rewrite in Rewrite::ALL.into_iter().filter(|rewrite| rewrite.keeps_function()) {
                let made = rewritten(network, rewrite).map_err(|e| e.to_string())?;
                let Some((changed, planned)) = made else { continue };
                let n = planned.plan.skips.iter().filter(|entry| entry.rewrite == rewrite).count();
                *count.borrow_mut().entry(rewrite.name()).or_default() += n;
                let skipped = Skipped::from(&planned);
                let stream =
                    lower(&changed, &skipped, &unlimited(Rate::Fastest)).map_err(|e| e.to_string())?;
                stream::verify(&stream).map_err(|e| format!("{rewrite}: {e}\n{stream}"))?;
                let fuse = planned.sites.iter().filter(|site| site.how == Serve::Fuse);
                let fused = fuse.filter_map(|site| Some((site.conv, site.reader()?))).collect();
                computes(&stream, &changed, &fused, seed).map_err(|e| format!("{rewrite}: {e}"))?;
                let inputs = random::input(network, seed);
                for (a, b) in outputs(network, &inputs).iter().zip(outputs(&changed, &inputs)) {
                    let largest = a.iter().fold(1.0f64, |m, x| m.max(x.abs()));
                    if a.len() != b.len() || a.iter().zip(&b).any(|(a, b)| (a - b).abs() > 1e-12 * largest) {
                        return Err(format!("{rewrite}: {b:?} instead of {a:?}"));
                    }
                }
            }
            Ok(())
        });
    }
    let count = count.into_inner();
    println!("{count:?}");
    assert!(count.len() == 5 && count.values().all(|&n| n >= 20), "{count:?}");
}
