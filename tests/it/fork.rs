//! Where quantisers stand at a fork: equal ones behind it are one in front of it, to the bit the same, so that skips carry
//! codes; where that would round what a skip adds, a remark says so.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use nonresc_ir::eval;
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, Network, Op, canonicalise};
use nonresc_ir::stream::Stream;
use nonresc_ir::tensor::Tensor;
use nonresc_ir::text;
use nonresc_passes::arithmetic::arithmetic;
use nonresc_passes::design::NetworkDesign;
use nonresc_passes::integers::{Rule, integers};
use nonresc_passes::lower::{Skipped, lower};
use nonresc_passes::normalise::normalise;
use nonresc_passes::residual::skips;
use nonresc_passes::target::Rate;
use nonresc_passes::width::late_quantiser;
use nonresc_tests::hardware::{designed, faults};
use nonresc_tests::quantised::{options, quantised};
use nonresc_tests::random;
use nonresc_tests::target::unlimited;

use crate::program::nonresc_in;
use crate::snapshot;

fn case(name: &str) -> Network {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("cases/fork/{name}.nir"));
    text::parse(&fs::read_to_string(path).unwrap(), None).unwrap()
}

/// Bits of the channels that leave the actor with a name.
fn bits_behind(stream: &Stream, name: &str) -> Vec<u32> {
    let of_actor = |&id: &_| stream.actor(stream.channel(id).writer).names.iter().any(|n| n == name);
    stream.channels().filter(of_actor).map(|id| stream.channel(id).bits).collect()
}

/// Bits of what each skip adds.
fn bits_of_skips(stream: &Stream) -> Vec<u32> {
    let channels = stream.channels().map(|id| stream.channel(id));
    channels.filter(|channel| channel.skip.is_some()).map(|channel| channel.bits).collect()
}

/// Whether two networks give the same, as floats and as integers, to the bit.
fn same(one: &Network, other: &Network, seed: u64) -> Result<(), String> {
    let input = random::input(one, seed);
    let floats = |network: &Network| eval::evaluate::<f32>(network, &input).map_err(|e| e.to_string());
    if bits(&floats(one)?) != bits(&floats(other)?) {
        return Err(format!("floats differ: {:?} {:?}", floats(one)?, floats(other)?));
    }
    let (one, other) = match (integers(one, Rule::AsGiven), integers(other, Rule::AsGiven)) {
        (Ok(one), Ok(other)) => (one.network, other.network),
        (Err(one), Err(other)) if one.to_string() == other.to_string() => return Ok(()),
        (one, other) => return Err(format!("only one has integers: {:?} {:?}", one.err(), other.err())),
    };
    if bits(&floats(&one)?) != bits(&floats(&other)?) {
        return Err(format!("integers differ: {:?} {:?}", floats(&one)?, floats(&other)?));
    }
    Ok(())
}

fn bits(tensors: &[Tensor]) -> Vec<u64> {
    tensors.iter().flat_map(|tensor| tensor.to_f64()).map(f64::to_bits).collect()
}

#[test]
fn equal_quantisers_behind_a_fork_are_one_in_front_of_it() {
    for name in ["late", "option_a"] {
        let network = case(name);
        let late = lower(&network, &Skipped::kept(&skips(&network)), &unlimited(Rate::Fastest)).unwrap();
        assert!(bits_behind(&late, "stem").into_iter().max() > Some(16), "{name}: {late}");
        let design = designed(&network, "keep", Rate::Fastest).unwrap();
        assert_eq!(bits_behind(&design.stream, "stem"), [8, 8], "{name}: {}", design.stream);
        assert_eq!(bits_of_skips(&design.stream), [8], "{name}: {}", design.stream);
        assert!(design.stream.notes().is_empty(), "{name}: {:?}", design.stream.notes());
        snapshot("fork", name, &text::print(&design.source.network));
        for seed in 0..50 {
            same(&network, &design.source.network, seed).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
        // What both branches read is one value, so that the convolution can hand it on.
        let tapped = designed(&network, "tap", Rate::Fastest).unwrap();
        assert_eq!(tapped.source.planned.unwrap().sites.len(), 1, "{name}");
    }
}

#[test]
fn hardware_has_codes_in_the_skip() {
    let (found, wrong) = faults(&designed(&case("option_a"), "keep", Rate::Fastest).unwrap(), 3).unwrap();
    assert_eq!(wrong, Vec::<String>::new());
    assert!(found.numbers > 0 && found.starts > 0);
}

#[test]
fn a_skip_that_carries_sums_says_why() {
    let design = designed(&case("sums"), "keep", Rate::Fastest).unwrap();
    let [wide] = bits_of_skips(&design.stream)[..] else { panic!("{}", design.stream) };
    assert!(wide > 16, "{}", design.stream);
    let [note] = design.stream.notes() else { panic!("{:?}", design.stream.notes()) };
    assert_eq!((note.code, note.what.as_str()), ("width/sums", "skip 1"));
    assert!(note.why.contains(&format!("{wide} bits")) && note.why.contains("\"q for conv1\""), "{note}");
    assert!(note.remedy.contains("8 bits"), "{note}");
    let made = integers(&design.source.network, Rule::AsGiven).unwrap();
    let refused = arithmetic(&design.stream, &made).unwrap_err().to_string();
    assert!(refused.contains("rounded in different ways"), "{refused}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/fork");
    let explained = nonresc_in(&folder, &["explain", "sums.nir", "1", "--device", "none"]).done();
    snapshot("fork", "sums", &explained);
}

/// Operators that map each element by itself, as they stand behind `from`, which comes first.
fn chain(network: &Network, value: Value) -> (Value, Vec<NodeId>) {
    let (mut from, mut nodes) = (value, Vec::new());
    while matches!(network.op(from.node), Op::Quantise(_) | Op::Dequantise(_) | Op::Relu(_) | Op::Clip(_)) {
        nodes.push(from.node);
        from = network.operands(from.node)[0];
    }
    nodes.reverse();
    (from, nodes)
}

/// The same operators behind another value, with constants of their own.
fn repeated(edit: &mut Edit<'_>, nodes: &[NodeId], from: Value) -> Value {
    let mut value = from;
    for &node in nodes {
        let (op, names, operands) =
            (edit.op(node).clone(), edit.node(node).names.clone(), edit.operands(node));
        let mut copies = vec![value];
        for &parameter in &operands[1..] {
            let tensor = Tensor::clone(Network::constant(edit, parameter).unwrap());
            copies.push(edit.constant(tensor));
        }
        value = edit.named(names).add(op, &copies).unwrap();
    }
    value
}

/// The network as an exporter might have written it: every reader behind a fork has quantisers and activations of its own,
/// behind its slice or max pool where it is one. How many readers got their own, and how many of these move.
fn apart(network: &Network) -> (Network, usize, usize) {
    let mut apart = network.clone();
    let (mut own, mut moving) = (0, 0);
    let forks: Vec<NodeId> =
        network.node_ids().filter(|&node| network.users(node.into()).len() > 1).collect();
    let mut edit = Edit::new(&mut apart);
    for fork in forks {
        let (from, nodes) = chain(network, fork.into());
        let rounded = nodes.iter().any(|&node| matches!(network.op(node), Op::Quantise(_)));
        if !rounded || network.constant(from).is_some() {
            continue;
        }
        for &(user, port) in &network.users(fork.into())[1..] {
            own += 1;
            match network.op(user).clone() {
                op @ (Op::Slice(_) | Op::MaxPool(_)) => {
                    moving += 1;
                    let names = network.node(user).names.clone();
                    let moved = edit.named(names).add(op, &[from]).unwrap();
                    let value = repeated(&mut edit, &nodes, moved);
                    edit.redirect(user.into(), value).unwrap();
                }
                _ => {
                    let value = repeated(&mut edit, &nodes, from);
                    edit.rewire(user, port, value).unwrap();
                }
            }
        }
    }
    edit.remove_dead();
    (apart, own, moving)
}

/// The operators in canonical order, constants aside.
fn operators(network: &Network) -> Vec<String> {
    let network = canonicalise(network);
    let nodes = network.node_ids().map(|node| network.node(node));
    let computing = nodes.filter(|node| !matches!(node.op, Op::Const(_)));
    computing.map(|node| format!("{} {} {:?}", node.op.name(), node.names, node.results)).collect()
}

/// How many random networks are taken apart.
const NETWORKS: u64 = 200;

#[test]
fn random_networks_are_put_together_to_the_bit() {
    let (owns, movings) = (Cell::new(0), Cell::new(0));
    for seed in 0..NETWORKS {
        random::for_each(seed..seed + 1, |network| {
            let Some(mut network) = quantised(network, &options(seed, None)) else { return Ok(()) };
            let faults = |e: nonresc_ir::diagnostic::Diagnostics| e.to_string();
            normalise(&mut network).map_err(faults)?;
            let (apart, own, moving) = apart(&network);
            let mut together = apart.clone();
            normalise(&mut together).map_err(faults)?;
            same(&apart, &together, seed)?;
            if operators(&together) != operators(&network) {
                return Err(format!("put together it is\n{}", text::print(&canonicalise(&together))));
            }
            owns.set(owns.get() + own);
            movings.set(movings.get() + moving);
            Ok(())
        });
    }
    println!("{} readers with quantisers of their own, {} of them move", owns.get(), movings.get());
    assert!(owns.get() > 100 && movings.get() > 10, "{} {}", owns.get(), movings.get());
}

/// The joins and operands of skips that carry sums because of a quantiser behind their fork.
fn late(network: &Network) -> Result<Vec<(NodeId, u16)>, String> {
    let mut design = NetworkDesign::new(network.clone());
    design.skips = skips(network);
    let stream = lower(network, &Skipped::kept(&design.skips), &unlimited(Rate::Fastest));
    let stream = stream.map_err(|faults| faults.to_string())?;
    let channels = stream.channels().map(|id| stream.channel(id));
    let late = channels.filter(|channel| late_quantiser(&design, channel).is_some());
    let skip = |number: Option<usize>| design.skips.number(number?).map(|skip| (skip.join, skip.operand));
    Ok(late.filter_map(|channel| skip(channel.skip)).collect())
}

/// Networks that round in front of their forks have no remark; one whose skip no longer takes part in that has one.
#[test]
fn random_skips_that_are_no_longer_rounded_say_why() {
    let made = Cell::new(0);
    random::for_each(0..NETWORKS, |network| {
        let Some(mut network) = quantised(network, &options(network.len() as u64, None)) else {
            return Ok(());
        };
        normalise(&mut network).map_err(|faults| faults.to_string())?;
        let Ok(none) = late(&network) else { return Ok(()) };
        if !none.is_empty() {
            return Err(format!("its skips carry codes: {none:?}"));
        }
        for skip in skips(&network).iter() {
            let carried = network.operands(skip.join)[usize::from(skip.operand)];
            let (from, nodes) = chain(&network, carried);
            let rounded = nodes.iter().any(|&node| matches!(network.op(node), Op::Quantise(_)));
            let forks = carried == skip.source && network.users(carried).len() > 1;
            if !rounded || !forks || matches!(network.op(from.node), Op::Input(_)) {
                continue;
            }
            let mut raw = network.clone();
            Edit::new(&mut raw).rewire(skip.join, skip.operand, from).unwrap();
            let found = late(&raw)?;
            if !found.contains(&(skip.join, skip.operand)) {
                return Err(format!("skip {} has no remark: {found:?}", skip.label));
            }
            made.set(made.get() + 1);
        }
        Ok(())
    });
    println!("{} skips", made.get());
    assert!(made.get() > 20, "{}", made.get());
}
