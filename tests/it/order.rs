//! Canonical order: networks made in any order have one, whatever symmetry they have.

use nonresc_ir::id::Value;
use nonresc_ir::network::{Add, Batch, Conv, Edit, Mul, Network, Op, Relu, Sides, canonicalise, digest};
use nonresc_ir::onnx::import::{ImportOptions, import_bytes};
use nonresc_ir::tensor::Tensor;
use nonresc_tests::model::{bytes, residual};
use nonresc_tests::seed::Seed;
use nonresc_tests::shuffle::shuffled;

/// Everything that a network holds.
fn listing(network: &Network) -> String {
    let nodes: Vec<String> =
        network.node_ids().map(|n| format!("{n} {:?} {:?}", network.node(n), network.operands(n))).collect();
    format!("{}\n{:?}\n{:?}", nodes.join("\n"), network.inputs(), network.outputs())
}

/// Fails unless `tries` random orders of the network have one canonical order and one digest.
fn one_order(network: &Network, tries: u64) {
    let canonical = canonicalise(network);
    let order: Vec<_> = canonical.node_ids().collect();
    assert_eq!(canonical.topological().unwrap(), order, "ids are in topological order");
    assert_eq!(canonical.len(), network.len());
    let expected = listing(&canonical);
    assert_eq!(listing(&canonicalise(&canonical)), expected, "canonical order is its own canonical order");
    for seed in 0..tries {
        let other = shuffled(network, &mut Seed(seed));
        assert_eq!(listing(&canonicalise(&other)), expected, "seed {seed}");
        assert_eq!(digest(&other), digest(network), "seed {seed}");
    }
}

fn weights(seed: u64) -> Tensor {
    let mut seed = Seed(seed);
    Tensor::f32([2, 2, 3, 3], (0..36).map(|_| seed.number()).collect()).unwrap()
}

fn same_conv() -> Conv {
    Conv { pad: Sides::all(1), ..Conv::default() }
}

fn conv(network: &mut Network, x: Value, numbers: u64) -> Value {
    let mut edit = Edit::new(network);
    let w = edit.constant(weights(numbers));
    edit.add(same_conv(), &[x, w]).unwrap()
}

fn add(network: &mut Network, a: Value, b: Value) -> Value {
    Edit::new(network).add(Add {}, &[a, b]).unwrap()
}

fn named(network: &mut Network, name: &str, op: impl Into<Op>, operands: &[Value]) -> Value {
    let names = nonresc_ir::names::Names::one(name);
    Edit::new(network).named(names).add(op, operands).unwrap()
}

#[test]
fn a_residual_network_has_one_order() {
    let imported = import_bytes(bytes(&residual()), "residual", &ImportOptions::default()).unwrap();
    one_order(&imported.network, 50);
}

#[test]
fn towers_of_equal_weights_have_one_order() {
    let (mut network, x) = Network::with_input("x", [1, 2, 5, 5]);
    let mut sums = Vec::new();
    for _ in 0..4 {
        let a = conv(&mut network, x, 1);
        let b = conv(&mut network, x, 2);
        let b = conv(&mut network, b, 1);
        sums.push(add(&mut network, a, b));
    }
    while sums.len() > 1 {
        let (a, b) = (sums.remove(0), sums.remove(0));
        sums.push(add(&mut network, a, b));
    }
    Edit::new(&mut network).output("y", sums[0], Batch::Dynamic(None));
    one_order(&network, 50);
}

/// Both operands compute the same; what tells them apart is who else reads them, further on each time.
#[test]
fn readers_tell_equal_operands_apart() {
    for distance in 0..4 {
        let (mut network, x) = Network::with_input("x", [1, 2, 5, 5]);
        let (a, b) = (conv(&mut network, x, 1), conv(&mut network, x, 1));
        let y = add(&mut network, a, b);
        let mut side = b;
        for _ in 0..distance {
            side = Edit::new(&mut network).add(Relu {}, &[side]).unwrap();
        }
        let mut edit = Edit::new(&mut network);
        edit.output("side", side, Batch::Dynamic(None));
        edit.output("y", y, Batch::Dynamic(None));
        one_order(&network, 20);
    }
}

#[test]
fn names_tell_apart_what_structure_does_not() {
    let (mut network, x) = Network::with_input("x", [1, 2, 5, 5]);
    let towers = ["d", "b", "a", "c"].map(|name| {
        let w = Edit::new(&mut network).constant(weights(3));
        let y = named(&mut network, name, same_conv(), &[x, w]);
        named(&mut network, "", Relu {}, &[y])
    });
    let left = named(&mut network, "", Add {}, &[towers[0], towers[1]]);
    let right = named(&mut network, "", Add {}, &[towers[2], towers[3]]);
    let y = named(&mut network, "", Mul {}, &[left, right]);
    Edit::new(&mut network).output("y", y, Batch::Dynamic(None));
    one_order(&network, 50);

    let mut renamed = shuffled(&network, &mut Seed(9));
    let before = digest(&renamed);
    Edit::new(&mut renamed).merge_names(y.node, &nonresc_ir::names::Names::one("product"));
    assert_eq!(digest(&renamed), before, "a digest knows no names");
}

#[test]
fn a_block_comes_before_its_skip() {
    let (mut network, x) = Network::with_input("x", [1, 2, 5, 5]);
    let inner = conv(&mut network, x, 1);
    let outer = conv(&mut network, inner, 2);
    let sum = add(&mut network, x, outer);
    Edit::new(&mut network).output("y", sum, Batch::Dynamic(None));
    let canonical = canonicalise(&network);
    let last = canonical.outputs()[0].value.node;
    let depths: Vec<u32> = canonical.operands(last).iter().map(|v| v.node.0).collect();
    assert_eq!(depths, [4, 0], "%4 is the second convolution, %0 the input");
}

#[test]
fn digests_differ_where_structure_or_weights_do() {
    let network = |stride: usize, numbers: u64, swapped: bool, twice: bool| {
        let (mut network, x) = Network::with_input("x", [1, 2, 5, 5]);
        let w = Edit::new(&mut network).constant(weights(numbers));
        let w2 = if twice { Edit::new(&mut network).constant(weights(numbers)) } else { w };
        let mut edit = Edit::new(&mut network);
        let op = || Conv { stride: nonresc_ir::network::Pair { h: stride, w: 1 }, ..same_conv() };
        let (a, b) = (edit.add(op(), &[x, w]).unwrap(), edit.add(op(), &[x, w2]).unwrap());
        let b = edit.add(Relu {}, &[b]).unwrap();
        let (a, b) = if swapped { (b, a) } else { (a, b) };
        let y = edit.add(nonresc_ir::network::Sub {}, &[a, b]).unwrap();
        edit.output("y", y, Batch::Dynamic(None));
        network
    };
    let base = digest(&network(1, 1, false, false));
    assert_eq!(base, digest(&network(1, 1, false, false)));
    let others = [
        network(2, 1, false, false),
        network(1, 2, false, false),
        network(1, 1, true, false),
        network(1, 1, false, true),
    ];
    for (i, other) in others.iter().enumerate() {
        assert_ne!(base, digest(other), "{i}");
    }
    let mut wide = network(1, 1, false, false);
    Edit::new(&mut wide).set_batch(7).unwrap();
    assert_eq!(base, digest(&wide), "a digest knows no batch");
}

/// Deep and wide graphs: no recursion, no square of the number of nodes.
#[test]
fn large_graphs_are_ordered() {
    let (mut chain, mut x) = Network::with_input("x", [1, 2, 2, 2]);
    for i in 0..5_000 {
        let mut edit = Edit::new(&mut chain);
        let one = edit.constant(Tensor::f32([], vec![i as f32]).unwrap());
        x = edit.add(Add {}, &[one, x]).unwrap();
    }
    Edit::new(&mut chain).output("y", x, Batch::Dynamic(None));
    one_order(&chain, 2);

    let (mut wide, x) = Network::with_input("x", [1, 2, 2, 2]);
    let mut sums: Vec<Value> = (0..4_096).map(|_| Edit::new(&mut wide).add(Relu {}, &[x]).unwrap()).collect();
    while sums.len() > 1 {
        sums = sums.chunks(2).map(|pair| add(&mut wide, pair[0], pair[1])).collect();
    }
    Edit::new(&mut wide).output("y", sums[0], Batch::Dynamic(None));
    one_order(&wide, 2);
}

#[test]
fn a_batch_that_does_not_fit_leaves_the_network_as_it_was() {
    let (mut network, x) = Network::with_input("x", [1, 2, 5, 5]);
    let mut edit = Edit::new(&mut network);
    let y = edit.add(Relu {}, &[x]).unwrap();
    let fixed = nonresc_ir::network::Reshape { keep_batch: false, dims: vec![1, 50] };
    let y = edit.add(fixed, &[y]).unwrap();
    edit.output("y", y, Batch::Dynamic(None));
    let before = listing(&network);
    assert!(Edit::new(&mut network).set_batch(3).is_err());
    assert_eq!(listing(&network), before);
}
