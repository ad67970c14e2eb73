//! The manager of passes: order, needs, levels, where a run stops, what is handed out after each pass, and that a
//! pass which breaks a promise is named.

use std::collections::BTreeSet;

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::id::Value;
use nonresc_ir::network::{Edit, LeakyRelu, Network, Op, Relu};
use nonresc_passes::design::{Design, NetworkDesign, Options};
use nonresc_passes::device::Device;
use nonresc_passes::manager::{Checks, Failed, Finished, run};
use nonresc_passes::pass::{Function, Pass, Property};
use nonresc_passes::table;
use nonresc_passes::target::{Bits, Rate, Target};
use nonresc_tests::networks::two_blocks;

fn options() -> Options {
    let device = Device::find("none").unwrap();
    let target = Target {
        clock_mhz: device.clock_mhz,
        device,
        rate: Rate::Fastest,
        bits: Bits { weights: 8, activations: 8 },
        seed: 0,
    };
    Options::of(target)
}

/// Runs `passes` over a small network; gives what was handed out after each pass, too.
fn over(
    network: Network,
    passes: &[&'static Pass],
    checks: &Checks,
) -> (Result<Finished, Failed>, Vec<(&'static str, Network)>) {
    let design = Design::Network(NetworkDesign::new(network));
    let mut seen = Vec::new();
    let mut after =
        |pass: &'static Pass, design: &Design| seen.push((pass.name, design.source().network.clone()));
    let finished = run(design, passes, &options(), checks, &mut after);
    (finished, seen)
}

fn refused(network: Network, passes: &[&'static Pass], checks: &Checks) -> (Option<&'static str>, String) {
    let failed = over(network, passes, checks).0.expect_err("a pass that is at fault");
    (failed.pass, failed.faults.to_string())
}

type Outcome = Result<(), Diagnostics>;

/// The first rectifier of a network.
fn rectifier(network: &Network) -> Value {
    let found = network.node_ids().find(|&n| matches!(network.op(n), Op::Relu(_)));
    found.expect("the networks of these tests have one").into()
}

/// A pass that does nothing.
const NOTHING: Pass = Pass::on_network("nothing", "does nothing", |_, _| Ok(()));
static READS: Pass = NOTHING.gives(&[Property::NormalForm]);
static READS_TOO: Pass = NOTHING.needs(&[Property::NormalForm]).gives(&[Property::SkipsKnown]);
static NEEDS: Pass = NOTHING.needs(&[Property::SkipsKnown, Property::Sized]);
static SAME: Pass = NOTHING.function(Function::Same);

static ADDS: Pass =
    Pass::on_network("adds", "puts a rectifier behind another", adds).function(Function::Same);

fn adds(design: &mut NetworkDesign, _: &Options) -> Outcome {
    let first = rectifier(&design.network);
    let mut edit = Edit::new(&mut design.network);
    let second = edit.add(Relu {}, &[first]).unwrap();
    for (reader, port) in edit.users(first) {
        if reader != second.node {
            edit.rewire(reader, port, second).unwrap();
        }
    }
    Ok(())
}

static CHANGES: Pass =
    Pass::on_network("changes", "weakens a rectifier", changes).function(Function::Changed);
static LIES: Pass = CHANGES.function(Function::Same);
static WRITES: Pass = ADDS.function(Function::ReadOnly);

fn changes(design: &mut NetworkDesign, _: &Options) -> Outcome {
    let old = rectifier(&design.network);
    let mut edit = Edit::new(&mut design.network);
    let x = edit.operands(old.node)[0];
    let new = edit.add(LeakyRelu { alpha: 0.5 }, &[x]).unwrap();
    edit.replace(old, new).unwrap();
    edit.remove_dead();
    Ok(())
}

static BREAKS: Pass = Pass::on_network("breaks", "leads a rectifier back to itself", |design, _| {
    let relu = rectifier(&design.network);
    Edit::new(&mut design.network).rewire(relu.node, 0, relu).unwrap();
    Ok(())
});

static LITTERS: Pass = Pass::on_network("litters", "leaves a node that no one reads", |design, _| {
    let relu = rectifier(&design.network);
    Edit::new(&mut design.network).add(Relu {}, &[relu]).unwrap();
    Ok(())
})
.gives(&[Property::NormalForm]);

#[test]
fn passes_run_in_order_and_hand_out_what_they_left() {
    let before = two_blocks().len();
    let (finished, seen) = over(two_blocks(), &[&READS, &ADDS, &READS_TOO], &Checks::all());
    let finished = finished.unwrap();
    assert_eq!(finished.timings.iter().map(|t| t.pass).collect::<Vec<_>>(), ["nothing", "adds", "nothing"]);
    assert_eq!(seen.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["nothing", "adds", "nothing"]);
    let counts: Vec<usize> = seen.iter().map(|(_, network)| network.len()).collect();
    assert_eq!(counts, [before, before + 1, before + 1]);
    let properties = BTreeSet::from([Property::NormalForm, Property::SkipsKnown]);
    assert_eq!(*finished.design.source().properties(), properties);
}

#[test]
fn what_a_pass_needs_must_be_there() {
    let (pass, faults) = refused(two_blocks(), &[&NEEDS], &Checks::default());
    assert_eq!(pass, Some("nothing"));
    crate::snapshot("manager", "needs", &faults);
}

#[test]
fn a_pass_that_breaks_an_invariant_is_named() {
    let checks = Checks { verify: true, ..Checks::default() };
    let (pass, faults) = refused(two_blocks(), &[&READS, &BREAKS, &READS], &checks);
    assert_eq!(pass, Some("breaks"));
    crate::snapshot("manager", "breaks", &faults);
    let (pass, faults) = refused(two_blocks(), &[&LITTERS], &checks);
    assert_eq!(pass, Some("litters"));
    crate::snapshot("manager", "litters", &faults);
    // Unverified, no one sees it.
    let unchecked = Checks { verify: false, execute: None };
    assert!(over(two_blocks(), &[&READS, &BREAKS, &READS], &unchecked).0.is_ok());
}

#[test]
fn a_design_that_comes_broken_is_no_fault_of_a_pass() {
    let mut design = NetworkDesign::new(two_blocks());
    let relu = rectifier(&design.network);
    Edit::new(&mut design.network).rewire(relu.node, 0, relu).unwrap();
    let (pass, faults) = refused(design.network, &[&READS], &Checks { verify: true, execute: None });
    assert_eq!(pass, None);
    assert!(faults.contains("error[verify/V01]") && !faults.contains("pass"), "{faults}");
}

#[test]
fn a_pass_that_changes_what_it_promised_to_keep_is_named() {
    over(two_blocks(), &[&SAME, &ADDS, &CHANGES], &Checks::all()).0.unwrap();
    let (pass, faults) = refused(two_blocks(), &[&SAME, &LIES], &Checks::all());
    assert_eq!(pass, Some("changes"));
    // The numbers hang on the kernels; the rest does not.
    let words: Vec<&str> = faults.lines().map(|l| l.split(": number").next().unwrap()).collect();
    crate::snapshot("manager", "function", &words.join("\n"));
    let (pass, faults) = refused(two_blocks(), &[&WRITES], &Checks::all());
    assert_eq!(pass, Some("adds"));
    crate::snapshot("manager", "reads", &faults);
}

/// What is given out ends where the first fault is.
#[test]
fn nothing_runs_behind_a_fault() {
    let (finished, seen) = over(two_blocks(), &[&READS, &LIES, &READS], &Checks::all());
    assert!(finished.is_err());
    assert_eq!(seen.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["nothing"]);
}

#[test]
fn a_run_stops_after_the_named_pass() {
    for (i, pass) in table::FPGA.iter().enumerate() {
        let until = table::up_to(pass.name).unwrap();
        assert_eq!(until.len(), i + 1);
        assert_eq!(until.last().unwrap().name, pass.name);
    }
    crate::snapshot("manager", "unknown_pass", &table::up_to("residul").unwrap_err().to_string());
}

/// Every need of the pipeline is given by an earlier pass, and every name is there once.
#[test]
fn the_pipeline_gives_what_it_needs() {
    let mut given: BTreeSet<Property> = BTreeSet::new();
    let mut names = BTreeSet::new();
    for pass in table::FPGA {
        assert!(pass.needs.iter().all(|need| given.contains(need)), "{} needs more", pass.name);
        assert!(names.insert(pass.name), "{} is there twice", pass.name);
        given.extend(pass.gives);
    }
    crate::snapshot("manager", "listing", &table::listing());
}

/// A pass over networks has nothing to run on behind lowering.
#[test]
fn levels_are_told_apart() {
    let lower = *table::FPGA.iter().find(|pass| pass.name == "lower").unwrap();
    static ANYWHERE: Pass = NOTHING;
    let mut design = NetworkDesign::new(two_blocks());
    design.skips = nonresc_passes::residual::skips(&design.network);
    static ALL: Pass = NOTHING.gives(&[Property::NormalForm, Property::SkipsKnown, Property::Planned]);
    let design = Design::Network(design);
    let failed = run(design, &[&ALL, lower, &ANYWHERE], &options(), &Checks::default(), &mut |_, _| {});
    let failed = failed.expect_err("a network pass on a stream");
    assert_eq!(failed.pass, Some("nothing"));
    crate::snapshot("manager", "level", &failed.faults.to_string());
}
