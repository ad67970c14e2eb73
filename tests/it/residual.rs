//! Skips of small networks that show one thing each: what counts, what it spans, what it looks like.

use std::fmt::Write as _;
use std::time::Instant;

use nonresc_ir::id::Value;
use nonresc_ir::network::{Edit, GlobalAvgPool, Mul, Network, Relu};
use nonresc_passes::residual::{SkipShape, Skips, skips};
use nonresc_tests::networks::{Maker, four_way, nested, two_blocks};

fn name(network: &Network, value: Value) -> String {
    network.node(value.node).names.to_string()
}

/// One line a skip, by the names of its nodes.
fn listing(network: &Network, skips: &Skips) -> String {
    let mut text = String::new();
    for skip in skips.iter() {
        let names = |nodes: &[nonresc_ir::id::NodeId]| -> String {
            nodes.iter().map(|n| name(network, (*n).into())).collect::<Vec<_>>().join(" ")
        };
        let _ = write!(
            text,
            "{:<3} {:<17} {} of {}  {} -> {} operand {}",
            skip.label,
            skip.shape.to_string(),
            skip.skip_convolutions,
            skip.convolutions,
            name(network, skip.source),
            skip.names,
            skip.operand
        );
        if !skip.branch.is_empty() {
            let _ = write!(text, "  branch: {}", names(&skip.branch));
        }
        if !skip.encloses.is_empty() {
            let _ = write!(text, "  encloses {:?}", skip.encloses);
        }
        text.push('\n');
    }
    text
}

fn check(case: &str, network: &Network) {
    let text = listing(network, &skips(network));
    crate::snapshot("residual", case, &text);
}

fn none(network: &Network) {
    let found = skips(network);
    assert!(found.is_empty(), "{}", listing(network, &found));
}

/// A stem, so that the input is no source.
fn stem() -> (Maker, Value) {
    let (mut make, x) = Maker::new(3, 8);
    let x = make.conv("stem", x, 4, 3, 1);
    let x = make.relu("stem.relu", x);
    (make, x)
}

#[test]
fn identities_and_projections() {
    check("two_blocks", &two_blocks());
}

#[test]
fn an_outer_skip_encloses_an_inner_one() {
    check("nested", &nested());
}

#[test]
fn operands_of_a_chain_of_adds_are_numbered_by_letters() {
    check("four_way", &four_way());
}

/// An inner sum that someone else reads, or the user, is a sum of its own.
#[test]
fn inner_sums_that_are_read_stand_alone() {
    let (mut make, x) = stem();
    let main = make.two("main", x, 4, 1);
    let short = make.conv("short", x, 4, 3, 1);
    let inner = make.add("inner", main, short);
    let outer = make.add("outer", inner, x);
    make.output("inner", inner);
    check("inner_is_output", &make.classify(outer, 5));
}

#[test]
fn skips_that_cross_leave_where_the_paths_part() {
    let (mut make, a) = stem();
    let y = make.conv("conv1", a, 4, 3, 1);
    let b = make.relu("relu1", y);
    let y = make.conv("conv2", b, 4, 3, 1);
    let y = make.add("add1", y, a);
    let y = make.relu("relu2", y);
    let y = make.conv("conv3", y, 4, 3, 1);
    let y = make.add("add2", y, b);
    check("crossing", &make.classify(y, 5));
}

#[test]
fn one_source_may_have_several_skips() {
    let (mut make, x) = stem();
    let mut y = x;
    for i in 1..=3 {
        y = make.conv(&format!("conv{i}"), y, 4, 3, 1);
        y = make.add(&format!("add{i}"), y, x);
    }
    check("shared_source", &make.classify(y, 5));
}

#[test]
fn a_projection_beside_one_convolution_is_a_skip() {
    let (mut make, x) = stem();
    let main = make.conv("main", x, 6, 3, 2);
    let projection = make.conv("projection", x, 6, 1, 2);
    // The other way round, so that the order of the operands does not decide.
    let y = make.add("add", projection, main);
    check("short", &make.classify(y, 5));
}

#[test]
fn every_shape_is_known() {
    let (mut make, x) = stem();
    let padded = make.padded("padded", x, 2);
    let y = make.two("block1", x, 6, 2);
    let x = make.add("add1", y, padded);
    // The sum goes on raw: normalised and rectified on one path alone.
    let y = make.norm("block2.norm", x);
    let y = make.relu("block2.relu", y);
    let y = make.two("block2", y, 6, 1);
    let y = make.add("add2", y, x);
    let x = make.relu("relu3", y);
    let pooled = make.pool("pool3", x);
    let projected = make.conv("projection3", pooled, 8, 1, 1);
    let y = make.two("block3", x, 8, 2);
    let x = make.add("add3", y, projected);
    let rectified = make.relu("rectified", x);
    let y = make.two("block4", x, 8, 1);
    let x = make.add("add4", y, rectified);
    check("shapes", &make.classify(x, 5));
}

#[test]
fn quantisers_are_passed_through() {
    let (mut make, x) = stem();
    let x = make.rounded("x", x);
    let y = make.conv("conv1", x, 4, 3, 1);
    let y = make.relu("relu1", y);
    let y = make.rounded("y", y);
    let y = make.conv("conv2", y, 4, 3, 1);
    let y = make.rounded("z", y);
    // A quantiser of its own for the skip, as some exporters write it.
    let skip = make.rounded("skip", x);
    let y = make.add("add", y, skip);
    let y = make.rounded("sum", y);
    let projection = make.conv("projection", y, 6, 1, 2);
    let projection = make.rounded("projected", projection);
    let z = make.two("block", y, 6, 2);
    let z = make.rounded("block", z);
    let z = make.add("add2", projection, z);
    check("quantised", &make.classify(z, 5));
}

#[test]
fn a_block_on_a_skip_has_a_skip_of_its_own() {
    let (mut make, x) = stem();
    let main = make.two("main1", x, 4, 1);
    let main = make.relu("main.relu", main);
    let main = make.two("main2", main, 4, 1);
    let side = make.conv("side", x, 4, 3, 1);
    let side = make.add("side.add", side, x);
    let y = make.add("add", main, side);
    // Read twice, so that the side's sum is no operand of the other.
    let twice = make.relu("side.relu", side);
    let y = make.add("add2", y, twice);
    check("block_on_skip", &make.classify(y, 5));
}

#[test]
fn sums_that_are_no_skips() {
    let (mut make, x) = stem();
    let constant = make.constant(&[1, 4, 1, 1]);
    let y = make.conv("conv", x, 4, 3, 1);
    let y = make.add("with_constant", y, constant);
    let y = make.add("with_itself", y, y);
    none(&make.classify(y, 5));

    // As many convolutions on either side.
    let (mut make, x) = stem();
    let (a, b) = (make.conv("a", x, 4, 3, 1), make.conv("b", x, 4, 5, 1));
    let y = make.add("sum", a, b);
    none(&make.classify(y, 5));

    // A product.
    let (mut make, x) = stem();
    let y = make.conv("conv", x, 4, 3, 1);
    let y = make.op("mul", Mul {}, &[y, x]);
    none(&make.classify(y, 5));

    // Two inputs.
    let (mut make, x) = stem();
    let other = make.input("other", 4, 8);
    let y = make.add("sum", x, other);
    none(&make.classify(y, 5));

    // Nobody reads the sum.
    let (mut make, x) = stem();
    let y = make.conv("conv", x, 4, 3, 1);
    make.add("dead", y, x);
    none(&make.classify(y, 5));
}

/// Three times the same value has no shorter operand; beside a convolution each of them is a skip.
#[test]
fn a_value_may_be_added_twice() {
    let (mut make, x) = stem();
    let y = make.conv("conv", x, 4, 3, 1);
    let y = make.add("add1", x, y);
    let y = make.add("add2", y, x);
    check("added_twice", &make.classify(y, 5));
}

#[test]
fn a_gate_may_lie_beside_a_skip() {
    let (mut make, x) = stem();
    let y = make.two("block", x, 4, 1);
    let gate = make.op("squeeze", GlobalAvgPool {}, &[y]);
    let gate = make.conv("excite", gate, 4, 1, 1);
    let gate = make.op("gate", Relu {}, &[gate]);
    let y = make.op("scaled", Mul {}, &[y, gate]);
    let y = make.add("add", y, x);
    check("gate", &make.classify(y, 5));
}

/// Time grows about as the network does: twelve thousand nodes, three thousand skips, and one source of 500.
#[test]
fn large_networks_take_no_time() {
    let (mut make, mut x) = stem();
    for i in 0..3_000 {
        x = make.block(&format!("block{i}"), x, 4, 1);
    }
    let source = x;
    for _ in 0..500 {
        let y = make.conv("", x, 4, 3, 1);
        x = make.add("", y, source);
    }
    let network = make.classify(x, 5);
    let start = Instant::now();
    let found = skips(&network);
    let taken = start.elapsed();
    assert_eq!(found.len(), 3_500);
    assert_eq!(found.iter().last().unwrap().encloses.len(), 499);
    assert!(found.iter().all(|skip| skip.shape == SkipShape::Identity));
    assert!(taken.as_secs() < 5, "{taken:?}");
}

#[test]
fn nothing_is_found_in_an_empty_network() {
    none(&Network::new());
    let (mut network, x) = Network::with_input("x", [1, 3, 8, 8]);
    Edit::new(&mut network).output("y", x, nonresc_ir::network::Batch::Absent);
    none(&network);
}
