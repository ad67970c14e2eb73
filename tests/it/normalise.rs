//! The rules of the normal form, each on a network in `tests/cases/normalise` that shows one thing: what comes
//! out, that it computes the same, and that it is its own normal form.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nonresc_ir::network::{Network, digest, verify, verify_live};
use nonresc_ir::text;
use nonresc_passes::normalise::{normalise, rules};
use nonresc_tests::corpus::distance;
use nonresc_tests::double::in_double;
use nonresc_tests::ported::{random_inputs, run};
use nonresc_tests::random;
use nonresc_tests::seed::Seed;
use nonresc_tests::shuffle::shuffled;

fn cases() -> Vec<(String, Network)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/normalise");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let read = |file: std::path::PathBuf| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_string();
        let text = fs::read_to_string(&file).unwrap();
        let network = text::parse(&text, None).unwrap_or_else(|e| panic!("{name}: {e}"));
        (name, network)
    };
    files.into_iter().map(read).collect()
}

fn normal(name: &str, network: &Network) -> (Network, Vec<String>) {
    let mut normal = network.clone();
    let applied = normalise(&mut normal).unwrap_or_else(|e| panic!("{name}: {e}"));
    let sound = verify(&normal).and_then(|()| verify_live(&normal));
    sound.unwrap_or_else(|e| panic!("{name}: {e}"));
    (normal, applied.into_iter().map(|a| format!("{} of {}", a.rule, a.names)).collect())
}

#[test]
fn cases_come_out_as_shown() {
    for (name, network) in cases() {
        let (normal, applied) = normal(&name, &network);
        crate::snapshot("normalise", &name, &format!("{}\n{}", text::print(&normal), applied.join("\n")));
    }
}

#[test]
fn cases_compute_the_same() {
    for (name, network) in cases() {
        let network = in_double(&network);
        let (normal, _) = normal(&name, &network);
        for seed in 0..4 {
            let inputs = random_inputs(&network, &mut Seed(seed));
            let (golden, given) = (run(&network, &inputs).unwrap(), run(&normal, &inputs).unwrap());
            for (i, (golden, given)) in golden.iter().zip(&given).enumerate() {
                let far = distance(given, golden);
                assert!(far <= 1e-12, "{name}: output {i} is {far:.2e} apart");
            }
        }
    }
}

#[test]
fn every_rule_has_a_case() {
    let mut seen = BTreeSet::new();
    for (_, mut network) in cases() {
        seen.extend(normalise(&mut network).unwrap().into_iter().map(|a| a.rule));
    }
    let missing: Vec<&str> = rules().filter(|rule| !seen.contains(rule)).collect();
    assert!(missing.is_empty(), "no case shows {missing:?}");
}

#[test]
fn random_networks_compute_the_same() {
    random::for_each(0..150, |network| {
        let before = in_double(network);
        let mut after = before.clone();
        normalise(&mut after).map_err(|e| e.to_string())?;
        let inputs = random_inputs(&before, &mut Seed(1));
        for (golden, given) in run(&before, &inputs)?.iter().zip(&run(&after, &inputs)?) {
            let far = distance(given, golden);
            if far > 1e-12 {
                return Err(format!("an output is {far:.2e} apart"));
            }
        }
        Ok(())
    });
}

#[test]
fn the_manual_names_every_rule() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/passes.md");
    let manual = fs::read_to_string(manual).unwrap();
    let missing: Vec<&str> = rules().filter(|rule| !manual.contains(&format!("`{rule}`"))).collect();
    assert!(missing.is_empty(), "docs/passes.md does not name {missing:?}");
}

#[test]
fn a_normal_form_is_its_own() {
    for (name, network) in cases() {
        let (normal, _) = normal(&name, &network);
        let mut again = normal.clone();
        let applied = normalise(&mut again).unwrap();
        assert!(applied.is_empty(), "{name}: {applied:?}");
        assert_eq!(text::print(&again), text::print(&normal), "{name}");
    }
}

#[test]
fn the_order_of_nodes_does_not_matter() {
    for (name, network) in cases() {
        let (normal, _) = normal(&name, &network);
        for seed in 0..8 {
            let mut other = shuffled(&network, &mut Seed(seed));
            normalise(&mut other).unwrap();
            assert_eq!(digest(&other), digest(&normal), "{name}, seed {seed}");
        }
    }
}
