//! The random networks that other tests lean on: sound, small, varied, and kept by every form they are written in.

use nonresc_ir::eval::evaluate;
use nonresc_ir::network::{Network, Op, canonicalise, digest, verify, verify_live};
use nonresc_ir::onnx::export::export;
use nonresc_ir::onnx::import::{ImportOptions, import_bytes};
use nonresc_ir::text;
use nonresc_passes::lower::{Skipped, lower};
use nonresc_passes::normalise::normalise;
use nonresc_passes::residual::skips;
use nonresc_passes::target::Rate;
use nonresc_tests::random::{self, MAX_NUMBERS};
use nonresc_tests::target::unlimited;

/// Seeds that every property is asked of.
const SEEDS: std::ops::Range<u64> = 0..200;

#[test]
fn networks_are_sound() {
    random::for_each(SEEDS, |network| {
        verify(network).and_then(|()| verify_live(network)).map_err(|faults| faults.to_string())?;
        if text::print(&canonicalise(network)) == text::print(network) { Ok(()) } else { Err("order".into()) }
    });
}

#[test]
fn networks_read_back_from_their_text() {
    random::for_each(SEEDS, |network| {
        let (text, weights) = (text::print(network), text::weights(network));
        let again = text::parse(&text, Some(&weights)).map_err(|faults| faults.to_string())?;
        let same = text::print(&again) == text
            && text::weights(&again) == weights
            && digest(&again) == digest(network);
        if same { Ok(()) } else { Err(format!("read back as\n{}", text::print(&again))) }
    });
}

#[test]
fn networks_come_back_from_onnx_files() {
    random::for_each(SEEDS, |network| {
        let bytes = export(network).map_err(|faults| faults.to_string())?;
        let outputs = network.outputs().iter().map(|o| o.name.clone()).collect();
        let options = ImportOptions { outputs, ..ImportOptions::default() };
        let again = import_bytes(bytes, "random.onnx", &options);
        let again = again.map_err(|faults| faults.to_string())?.network;
        if digest(&again) == digest(network) {
            Ok(())
        } else {
            Err(format!("read back as\n{}\ninstead of\n{}", text::print(&again), text::print(network)))
        }
    });
}

#[test]
fn networks_compute_finite_numbers() {
    let mut largest = 0.0f64;
    for seed in SEEDS {
        let network = random::network(seed);
        for output in evaluate::<f32>(&network, &random::input(&network, seed)).unwrap() {
            let magnitudes = output.to_f64().into_iter().map(f64::abs);
            let most = magnitudes.fold(0.0, |most, x| if x.is_nan() { f64::INFINITY } else { most.max(x) });
            assert!(most.is_finite(), "seed {seed}");
            largest = largest.max(most);
        }
    }
    assert!(largest < 1e4, "{largest}");
}

#[test]
fn networks_are_in_normal_form() {
    random::for_each(SEEDS, |network| {
        let mut normal = network.clone();
        let applied = normalise(&mut normal).map_err(|faults| faults.to_string())?;
        if digest(&normal) == digest(network) {
            Ok(())
        } else {
            Err(format!("{applied:?} made\n{}", text::print(&normal)))
        }
    });
}

#[test]
fn networks_become_streams() {
    let target = unlimited(Rate::Fastest);
    random::for_each(SEEDS, |network| match lower(network, &Skipped::kept(&skips(network)), &target) {
        Ok(_) => Ok(()),
        Err(faults) => Err(faults.to_string()),
    });
}

#[test]
fn networks_are_small_and_varied() {
    let mut numbers: Vec<usize> = SEEDS.map(|seed| random::recipe(seed).build().numbers).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().all(|n| *n <= MAX_NUMBERS));
    let histogram = random::histogram(SEEDS);
    let mut shown = String::new();
    for (kind, count) in &histogram {
        assert!(*count >= 6, "{kind}: {count} of 200");
        shown += &format!("{count:4} {kind}\n");
    }
    shown += &format!(
        "numbers a frame: {} least, {} half, {} most\n",
        numbers[0],
        numbers[numbers.len() / 2],
        numbers[numbers.len() - 1]
    );
    crate::snapshot("random", "histogram", &shown);
}

fn has_max_pool(network: &Network) -> bool {
    network.node_ids().any(|n| matches!(network.op(n), Op::MaxPool(_)))
}

#[test]
fn a_fault_is_shrunk_to_what_causes_it() {
    let seed = SEEDS.into_iter().find(|s| has_max_pool(&random::network(*s))).unwrap();
    let small = random::shrunk(random::recipe(seed), |r| has_max_pool(&r.build().network)).build();
    let text = text::print(&small.network);
    assert!(small.network.len() <= 8, "{text}");
    let fault = std::panic::catch_unwind(|| {
        random::for_each(seed..seed + 1, |n| if has_max_pool(n) { Err("a pool".into()) } else { Ok(()) });
    });
    let message = *fault.unwrap_err().downcast::<String>().unwrap();
    assert!(message.starts_with(&format!("seed {seed}: a pool")), "{message}");
    assert!(message.ends_with(&text), "{message}");
}

#[test]
fn a_seed_always_gives_the_same_network() {
    for seed in [0, 1, 99] {
        assert_eq!(text::print(&random::network(seed)), text::print(&random::network(seed)));
    }
    crate::snapshot("random", "seed_7", &text::print(&random::network(7)));
}
