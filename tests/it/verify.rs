//! Each invariant of networks has a case that breaks it and nothing else. Cases are texts in
//! `tests/cases/verify`, whose names begin with the number; what no text can say is made here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Batch, Edit, Network, Relu, verify, verify_live};
use nonresc_ir::text;

fn codes(faults: &nonresc_ir::diagnostic::Diagnostics) -> BTreeSet<&'static str> {
    faults.iter().map(|f| f.code).collect()
}

#[test]
fn every_case_breaks_its_invariant_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/verify");
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 15, "{} cases", cases.len());
    let mut shown = String::new();
    for case in cases {
        let name = case.file_stem().unwrap().to_str().unwrap();
        let found = text::parse(&fs::read_to_string(&case).unwrap(), None).and_then(|n| verify_live(&n));
        let faults = found.expect_err(name);
        let expected = format!("verify/{}", name[..3].to_uppercase());
        assert_eq!(codes(&faults), BTreeSet::from([&*expected]), "{name}\n{faults}");
        shown += &format!("{name}\n{faults}\n\n");
    }
    crate::snapshot("verify", "messages", &shown);
}

/// The numbers in the verifier's module doc, and those of the cases and tests that break them.
#[test]
fn every_invariant_has_a_case() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let verifier = fs::read_to_string(tests.join("../ir/src/network/verify.rs")).unwrap();
    let numbers: Vec<String> = verifier
        .lines()
        .filter_map(|l| l.strip_prefix("//! - V"))
        .map(|l| format!("v{}", l.split(' ').next().unwrap()))
        .collect();
    assert!(numbers.len() >= 15, "{numbers:?}");
    let manual = fs::read_to_string(tests.join("../docs/network.md")).unwrap();
    let rows: Vec<String> = manual
        .lines()
        .filter_map(|l| l.strip_prefix("| V")?.strip_suffix(" |"))
        .map(|row| format!("//! - V{}.", row.replacen(" | ", " ", 1)))
        .collect();
    let doc: Vec<&str> = verifier.lines().filter(|l| l.starts_with("//! - V")).collect();
    assert_eq!(rows, doc, "docs/network.md lists the same invariants");
    let here = fs::read_to_string(tests.join("it/verify.rs")).unwrap();
    let cases: Vec<String> = fs::read_dir(tests.join("cases/verify"))
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    for number in &numbers {
        let test = format!("fn {number}_");
        let broken = cases.iter().any(|c| c.starts_with(&format!("{number}_")))
            || here.contains(&test)
            || verifier.contains(&test);
        assert!(broken, "nothing breaks {number}");
    }
}

#[test]
fn all_faults_are_named_at_once() {
    let (mut network, a, b) = two_relus();
    let mut edit = Edit::new(&mut network);
    edit.rewire(a.node, 0, b).unwrap();
    edit.output("y", b, Batch::Fixed(0));
    let faults = codes(&verify(&network).unwrap_err());
    assert_eq!(faults, BTreeSet::from(["verify/V01", "verify/V09", "verify/V10"]));
}

fn two_relus() -> (Network, Value, Value) {
    let (mut network, x) = Network::with_input("x", [1, 2, 4, 4]);
    let mut edit = Edit::new(&mut network);
    let a = edit.add(Relu {}, &[x]).unwrap();
    let b = edit.add(Relu {}, &[a]).unwrap();
    edit.output("y", b, Batch::Dynamic(None));
    verify(&network).unwrap();
    verify_live(&network).unwrap();
    (network, a, b)
}

#[test]
fn v01_cycle() {
    let (mut network, a, b) = two_relus();
    Edit::new(&mut network).rewire(a.node, 0, b).unwrap();
    assert_eq!(codes(&verify(&network).unwrap_err()), BTreeSet::from(["verify/V01"]));
}

#[test]
fn v03_outputs_are_there() {
    for gone in [Value { node: NodeId(1), port: 1 }, Value::from(NodeId(9))] {
        let (mut network, ..) = two_relus();
        let mut port = network.outputs()[0].clone();
        port.value = gone;
        port.name = "gone".into();
        let mut edit = Edit::new(&mut network);
        let y = edit.outputs()[0].value;
        edit.output("other", y, Batch::Dynamic(None));
        edit.set_output(1, port);
        assert_eq!(codes(&verify(&network).unwrap_err()), BTreeSet::from(["verify/V03"]));
    }
}
