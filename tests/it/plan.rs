//! Plans: reading, resolving, refusing, writing, and what removal leaves.

use nonresc_ir::eval::evaluate;
use nonresc_ir::id::Value;
use nonresc_ir::network::{GlobalAvgPool, Network, Op, digest};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::plan::{Planned, Request, Rewrite, apply};
use nonresc_passes::residual::{Skips, skips};
use nonresc_tests::networks::{Maker, four_way, nested, two_blocks};
use nonresc_tests::seed::Seed;

/// The network under the plan that `text` asks for.
fn planned(mut network: Network, text: &str) -> Result<(Network, Planned), String> {
    let found = skips(&network);
    let request = Request::parse(text).map_err(|e| e.to_string())?;
    let plan = request.resolve(&network, &found).map_err(|e| e.to_string())?;
    let planned = apply(&mut network, &found, plan).map_err(|e| e.to_string())?;
    Ok((network, planned))
}

fn refused(network: &Network, text: &str) -> String {
    planned(network.clone(), text).unwrap_err()
}

/// Operators with their names, constants and inputs left out.
fn operators(network: &Network) -> Vec<String> {
    let nodes = network.topological().unwrap();
    let real = nodes.into_iter().filter(|&n| !matches!(network.op(n), Op::Const(_) | Op::Input(_)));
    real.map(|n| network.node(n).names.to_string()).collect()
}

fn labels(skips: &Skips) -> Vec<&str> {
    skips.iter().map(|skip| skip.label.as_str()).collect()
}

/// What the network computes on seeded numbers.
fn output(network: &Network) -> Vec<f64> {
    let mut seed = Seed(7);
    let inputs: Vec<Tensor> = network
        .inputs()
        .iter()
        .map(|port| {
            let shape = network.ty(port.node.into()).shape.clone();
            let numbers = (0..shape.len()).map(|_| seed.number()).collect();
            Tensor::f32(shape, numbers).unwrap()
        })
        .collect();
    evaluate::<f64>(network, &inputs).unwrap()[0].to_f64()
}

/// The removed network against one that was made without the skip.
fn computes_alike(removed: &Network, made: &Network) {
    assert_eq!(output(removed), output(made));
}

fn snapshot(case: &str, text: &str) {
    crate::snapshot("plan", case, text);
}

#[test]
fn keep_changes_nothing() {
    let (network, planned) = planned(two_blocks(), "keep").unwrap();
    assert_eq!(digest(&network), digest(&two_blocks()));
    assert_eq!((labels(&planned.skips), planned.removed.len()), (vec!["1", "2"], 0));
    assert!(planned.notes().is_empty());
}

#[test]
fn remove_takes_sums_and_projections() {
    let (network, planned) = planned(two_blocks(), "remove").unwrap();
    let left = operators(&network);
    assert!(!left.iter().any(|n| n.contains("projection")), "{left:?}");
    assert!(network.node_ids().all(|n| !matches!(network.op(n), Op::Add(_))));
    assert!(planned.skips.is_empty() && skips(&network).is_empty());
    assert_eq!(planned.removed.len(), 2);
    snapshot("note", &planned.notes()[0].to_string());

    let (mut make, x) = Maker::new(3, 8);
    let x = make.conv("stem", x, 4, 3, 1);
    let x = make.relu("stem.relu", x);
    let x = make.two("block1", x, 4, 1);
    let x = make.relu("block1.relu2", x);
    // The generator of the weights goes on as where the projection was made.
    let x = make.two("block2", x, 6, 2);
    make.constant(&[6, 4, 1, 1]);
    let x = make.relu("block2.relu2", x);
    computes_alike(&network, &make.classify(x, 5));
}

#[test]
fn the_inner_of_nested_skips_goes_alone() {
    let (network, planned) = planned(nested(), "1:remove").unwrap();
    assert_eq!(labels(&planned.skips), ["2"]);
    let outer = planned.skips.number(2).unwrap();
    assert_eq!((outer.convolutions, outer.encloses.len()), (3, 0));
    assert_eq!(skips(&network).len(), 1);
}

#[test]
fn the_outer_of_nested_skips_goes_alone() {
    let (network, planned) = planned(nested(), "outer.add:remove").unwrap();
    assert_eq!(labels(&planned.skips), ["1"]);
    assert_eq!(planned.skips.number(1).unwrap().convolutions, 2);
    assert_eq!(skips(&network).len(), 1);
    // The rectifier behind the sum stood behind a rectifier, and went.
    let relus = network.node_ids().filter(|&n| matches!(network.op(n), Op::Relu(_)));
    assert_eq!(relus.count(), 4);
}

/// Every subset of the operands of a sum of four.
#[test]
fn any_operands_of_one_sum_go_together() {
    for subset in 0..8u32 {
        let gone: Vec<&str> = ["1a", "1b", "1c"]
            .into_iter()
            .enumerate()
            .filter(|(i, _)| subset >> i & 1 == 1)
            .map(|(_, label)| label)
            .collect();
        let list: Vec<String> = gone.iter().map(|label| format!("{label}:remove")).collect();
        let request = if list.is_empty() { "keep".to_string() } else { list.join(",") };
        let (network, planned) = planned(four_way(), &request).unwrap();
        let left = labels(&planned.skips);
        assert_eq!(left.len() + gone.len(), 3, "{request}");
        assert!(left.iter().all(|label| !gone.contains(label)), "{request}: {left:?}");
        // Each skip that stays is where it says it is.
        for skip in planned.skips.iter() {
            assert!(matches!(network.op(skip.join), Op::Add(_)), "{request}: {}", skip.label);
            let operand = network.operands(skip.join)[usize::from(skip.operand)];
            let from: Value = skip.branch.last().map_or(skip.source, |&n| n.into());
            assert_eq!(operand, from, "{request}: {}", skip.label);
        }
        computes_alike(&network, &sum_of(&gone));
    }
}

/// The network of `four_way` made without some of its operands.
fn sum_of(gone: &[&str]) -> Network {
    let (mut make, x) = Maker::new(3, 8);
    let x = make.conv("stem", x, 4, 3, 1);
    let x = make.relu("stem.relu", x);
    let main = make.two("main", x, 4, 1);
    let short = make.conv("short", x, 4, 3, 1);
    let projection = make.conv("projection", x, 4, 1, 1);
    let mut sides = [Some(short), Some(projection), Some(x)];
    for (i, label) in ["1a", "1b", "1c"].iter().enumerate() {
        if gone.contains(label) {
            sides[i] = None;
        }
    }
    let left = sides[0].map_or(main, |short| make.add("left", main, short));
    let right = match (sides[1], sides[2]) {
        (Some(a), Some(b)) => Some(make.add("right", a, b)),
        (a, b) => a.or(b),
    };
    let sum = right.map_or(left, |right| make.add("sum", left, right));
    let y = make.relu("sum.relu", sum);
    make.classify(y, 5)
}

/// The main path is a gate of one number a channel: without the skip there is no map.
#[test]
fn what_cannot_stand_alone_is_refused_by_name() {
    let (mut make, x) = Maker::new(3, 8);
    let x = make.conv("stem", x, 4, 3, 1);
    let gate = make.op("squeeze", GlobalAvgPool {}, &[x]);
    let gate = make.conv("excite", gate, 4, 1, 1);
    let y = make.add("broadcast", gate, x);
    let mut network = make.classify(y, 5);
    let before = digest(&network);
    snapshot("cannot_stand_alone", &refused(&network, "remove"));
    let found = skips(&network);
    let plan = Request::REMOVE.resolve(&network, &found).unwrap();
    apply(&mut network, &found, plan).unwrap_err();
    assert_eq!(digest(&network), before, "a refused plan leaves the network as it was");
}

/// The main branch has more convolutions, so the side with its own block is the skip, and takes that block along.
#[test]
fn skips_on_a_branch_go_with_it() {
    let (mut make, x) = Maker::new(3, 8);
    let x = make.conv("stem", x, 4, 3, 1);
    let x = make.relu("stem.relu", x);
    let main = make.two("main1", x, 4, 1);
    let main = make.relu("main.relu", main);
    let main = make.two("main2", main, 4, 1);
    let side = make.conv("side", x, 4, 3, 1);
    let side = make.add("side.add", side, x);
    let side = make.relu("side.relu", side);
    let y = make.add("add", main, side);
    let (network, planned) = planned(make.classify(y, 5), "add:remove").unwrap();
    assert!(planned.skips.is_empty());
    assert_eq!(planned.removed.len(), 2);
    assert!(network.node_ids().all(|n| !matches!(network.op(n), Op::Add(_))));
}

#[test]
fn lists_name_labels_sums_ranges_and_names() {
    let rewrites = |network: &Network, text: &str| -> Vec<Rewrite> {
        let plan = Request::parse(text).unwrap().resolve(network, &skips(network)).unwrap();
        plan.skips.iter().map(|entry| entry.rewrite).collect()
    };
    let (keep, remove) = (Rewrite::Keep, Rewrite::Remove);
    let four = four_way();
    assert_eq!(rewrites(&four, "1b:remove"), [keep, remove, keep]);
    assert_eq!(rewrites(&four, "1:remove"), [remove; 3]);
    assert_eq!(rewrites(&four, "right:remove"), [keep, remove, remove]);
    let two = two_blocks();
    assert_eq!(rewrites(&two, "1-2:remove"), [remove; 2]);
    assert_eq!(rewrites(&two, " 1:keep , block2.add:remove"), [keep, remove]);
    assert_eq!(rewrites(&two, "1-2:remove,2:remove"), [remove; 2]);
}

#[test]
fn faults_of_lists_are_told_at_once() {
    let network = two_blocks();
    let texts = [
        "kep",
        "",
        "1",
        "1:remove,,2:remov",
        "1:fuse,2:exact",
        "1:reus,2:autom",
        "3:remove,blok2.add:remove,0-1:keep,2-1:keep",
        "1-2:remove,2:keep",
    ];
    let text: Vec<String> =
        texts.iter().map(|t| format!("--skips {t}\n{}\n", refused(&network, t))).collect();
    snapshot("faults_of_lists", &text.join("\n"));
    let (mut make, x) = Maker::new(3, 8);
    let x = make.conv("stem", x, 4, 3, 1);
    snapshot("no_skip", &refused(&make.classify(x, 5), "1:remove"));
}

#[test]
fn a_plan_is_written_and_read_back() {
    let network = two_blocks();
    let found = skips(&network);
    let plan = Request::parse("2:remove").unwrap().resolve(&network, &found).unwrap();
    let text = plan.to_json();
    snapshot("plan", &text);
    let read = Request::from_json(&text).unwrap();
    assert_eq!(read, Request::from(plan.clone()));
    assert_eq!(read.resolve(&network, &found).unwrap(), plan);
    // The same structure with other weights is another network.
    let other = nested();
    let fault = read.resolve(&other, &skips(&other)).unwrap_err().to_string();
    assert!(fault.contains("error[plan/network]"), "{fault}");
}

#[test]
fn damaged_plans_are_refused() {
    let network = two_blocks();
    let found = skips(&network);
    let text = Request::REMOVE.resolve(&network, &found).unwrap().to_json();
    let damaged = [
        text.replace("\"version\": 1", "\"version\": 2"),
        text.replace("\"version\": 1,", ""),
        text.replace("\"network\"", "\"graph\""),
        text.replacen("\"remove\"", "\"exact\"", 1).replacen("\"remove\"", "\"lose\"", 1),
        text.replace("\"skip\": \"2\"", "\"skip\": \"3\""),
        text[..text.len() / 2].to_string(),
        "[]".into(),
    ];
    let mut told = String::new();
    for damaged in damaged {
        let fault = match Request::from_json(&damaged) {
            Err(fault) => fault.to_string(),
            Ok(request) => request.resolve(&network, &found).unwrap_err().to_string(),
        };
        told += &format!("{fault}\n\n");
    }
    snapshot("damaged_plans", &told);
}
