//! Integer networks: what becomes of quantised networks that each show one thing, that every number is the one that
//! exact arithmetic gives, and what is refused.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use nonresc_ir::eval::{self, evaluate};
use nonresc_ir::network::{Conv, Element, Network, Op, Requantise, Rounding, Sides, verify, verify_live};
use nonresc_ir::tensor::{Data, Tensor};
use nonresc_ir::text;
use nonresc_passes::engine::{Engine, Frames, Given};
use nonresc_passes::integers::{Integers, Rule, integers};
use nonresc_passes::lower::{Skipped, lower};
use nonresc_passes::normalise::normalise;
use nonresc_passes::residual::skips;
use nonresc_passes::target::Rate;
use nonresc_tests::networks::Maker;
use nonresc_tests::seed::Seed;
use nonresc_tests::target::unlimited;
use serde_json::Value as Json;

fn case(name: &str) -> Network {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("cases/integers/{name}.nir"));
    let mut network = text::parse(&fs::read_to_string(path).unwrap(), None).unwrap();
    normalise(&mut network).unwrap();
    network
}

/// The integer network, and how its codes are made.
fn shown(network: &Network) -> String {
    let made = integers(network, Rule::AsGiven).unwrap();
    verify(&made.network).and_then(|()| verify_live(&made.network)).unwrap();
    let mut shown = text::print(&made.network);
    for rounded in &made.roundings {
        let (names, bits, shift, proof) = (&rounded.names, rounded.factor_bits, rounded.shift, rounded.proof);
        let _ = writeln!(shown, "# {names}: factors of {bits} bits, shift {shift}, {proof:?}");
    }
    shown
}

#[test]
fn cases_come_out_as_shown() {
    for name in ["residual", "waiting"] {
        insta::with_settings!({ snapshot_path => "../snapshots/integers", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, shown(&case(name)));
        });
    }
}

#[test]
fn refusals_name_every_operator() {
    let faults = integers(&case("refused"), Rule::AsGiven).unwrap_err();
    insta::with_settings!({ snapshot_path => "../snapshots/integers", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("refused", faults.to_string());
    });
    let float = text::parse(
        "nir 1\ninput \"x\" %0 batch=\"N\"\noutput \"y\" %2 batch=\"N\"\n\n%0 = input : f32 1x2x4x4 \"x\"\n\
         %1 = const seed=1 : f32 2x2x1x1\n%2 = conv %0, %1 : f32 1x2x4x4 \"y\"\n",
        None,
    );
    let faults = integers(&float.unwrap(), Rule::AsGiven).unwrap_err();
    assert!(faults.len() == 1 && faults.to_string().contains("it has no quantised layer"), "{faults}");
}

/// Codes in f64 are those of the reals: no sum of these networks comes nearer to a tie than f64 is off. Ties themselves may
/// go either way where a factor cannot be the exact ratio.
#[test]
fn codes_are_those_of_exact_arithmetic() {
    for name in ["residual", "waiting"] {
        let network = case(name);
        let Integers { network: made, quantisers, .. } = integers(&network, Rule::AsGiven).unwrap();
        let mut seed = Seed(7);
        for _ in 0..50 {
            let shape = network.ty(network.inputs()[0].node.into()).shape.clone();
            let numbers = (0..shape.len()).map(|_| (seed.below(4000) as f32 - 1000.0) / 100.0).collect();
            let input = Tensor::f32(shape, numbers).unwrap();
            let exact = eval::trace::<f64>(&network, std::slice::from_ref(&input)).unwrap();
            let whole = eval::trace::<f32>(&made, std::slice::from_ref(&input)).unwrap();
            for &(quantiser, codes) in &quantisers {
                let operands = network.operands(quantiser);
                let (x, scale) =
                    (exact[&operands[0]].to_f64(), network.constant(operands[1]).unwrap().to_f64());
                let [found, golden] =
                    [&whole[&codes], &exact[&quantiser.into()]].map(|codes| codes.to_i64().unwrap());
                assert_eq!(found.len(), golden.len());
                for (i, (f, g)) in found.iter().zip(&golden).enumerate() {
                    let is_tie = (x[i] / scale[0]).fract().abs() == 0.5;
                    let names = &network.node(quantiser).names;
                    assert!(f == g || is_tie && f.abs_diff(*g) == 1, "{name}: {names}, {f} and {g}");
                }
            }
            let given = Given::from([("x".to_string(), input.clone())]);
            let fast = Frames::new(&made, Engine::Native).unwrap().run(&given).unwrap().remove(0).1;
            let plain = evaluate::<f32>(&made, std::slice::from_ref(&input)).unwrap().remove(0);
            assert_eq!(fast, plain, "{name}");
            let float = evaluate::<f64>(&network, &[input]).unwrap().remove(0);
            let near = |(a, b): (f64, f64)| (a - b).abs() <= 1e-5 * b.abs().max(1.0);
            assert!(plain.to_f64().into_iter().zip(float.to_f64()).all(near), "{name}: {plain:?} {float:?}");
        }
    }
}

fn rounding(name: &str) -> Rounding {
    use Rounding::{Ceil, Down, Floor, HalfAway, HalfDown, HalfEven, HalfUp, Up};
    let all =
        [("half-even", HalfEven), ("half-up", HalfUp), ("half-down", HalfDown), ("half-away", HalfAway)];
    let all = all.into_iter().chain([("floor", Floor), ("ceil", Ceil), ("up", Up), ("down", Down)]);
    all.into_iter().find(|(known, _)| *known == name).unwrap().1
}

/// Vectors that arithmetic of any width made outside of this program: `tests/cases/rounding/make.py`.
#[test]
fn requantise_gives_the_codes_of_golden_vectors() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/rounding/requantise.json");
    let vectors: Vec<Json> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(vectors.len(), 400);
    let mut fast = 0;
    for v in &vectors {
        let number = |key: &str| v[key].as_i64().unwrap();
        let list =
            |key: &str| v[key].as_array().unwrap().iter().map(|x| x.as_i64().unwrap()).collect::<Vec<_>>();
        let op = Requantise {
            shift: number("shift") as u8,
            zero: number("zero"),
            bits: number("bits") as u8,
            signed: v["signed"].as_bool().unwrap(),
            min: number("min"),
            max: number("max"),
            rounding: rounding(v["rounding"].as_str().unwrap()),
        };
        let sums: Vec<f64> = list("sums").iter().map(|&x| x as f64).collect();
        let element = Element::Int { bits: number("sum_bits") as u8, signed: true };
        let sums = Tensor::from_f64(element, [1, 1, 3, 4], &sums).unwrap();
        let whole = |n: i64| Tensor::new(Element::I64, &[][..], Data::I64(vec![n])).unwrap();
        let (offset, factor) = (whole(number("offset")), whole(number("factor")));
        let op = Op::from(op);
        let plain = eval::operator::<f32>(&op, &[&offset, &sums, &factor]).unwrap();
        assert_eq!(plain.to_i64().unwrap(), list("codes"), "{v}");
        fast += usize::from(engine_agrees(&op, &sums, [&offset, &factor], &list("codes")));
    }
    assert!(fast > 300, "{fast} vectors");
}

/// Whether the fast engine gives the codes of sums as a network's only operator.
fn engine_agrees(op: &Op, sums: &Tensor, [offset, factor]: [&Tensor; 2], codes: &[i64]) -> bool {
    use nonresc_ir::network::{Batch, Edit, ValueType};
    let mut network = Network::new();
    let mut edit = Edit::new(&mut network);
    let ty = ValueType::new(sums.element(), sums.shape().clone());
    let x = edit.input("x", ty, Batch::Dynamic(None));
    let (offset, factor) = (edit.constant(offset.clone()), edit.constant(factor.clone()));
    let y = edit.add(op.clone(), &[offset, x, factor]).unwrap();
    edit.output("y", y, Batch::Dynamic(None));
    let session = Engine::Native.load(&network).unwrap();
    let found = session.run(std::slice::from_ref(sums)).unwrap().remove(0);
    assert_eq!(found.to_i64().unwrap(), codes, "{op:?}");
    true
}

/// Of a skip whose quantiser stands in front of the fork codes wait; where it stands behind, sums do.
#[test]
fn a_skip_is_as_wide_as_what_is_forked() {
    let widths = |before: bool| {
        let (mut m, x) = Maker::new(3, 8);
        let x = m.rounded("in", x);
        let weights = m.constant(&[4, 3, 3, 3]);
        let weights = m.rounded("w1", weights);
        let first = m.op("first", Conv { pad: Sides::all(1), ..Conv::default() }, &[x, weights]);
        let (skip, path) = match before {
            true => {
                let rounded = m.rounded("fork", first);
                (rounded, rounded)
            }
            false => (first, m.rounded("path", first)),
        };
        let weights = m.constant(&[4, 4, 3, 3]);
        let weights = m.rounded("w2", weights);
        let second = m.op("second", Conv { pad: Sides::all(1), ..Conv::default() }, &[path, weights]);
        let sum = m.add("sum", second, skip);
        let sum = m.rounded("out", sum);
        m.output("y", sum);
        let mut network = m.network;
        normalise(&mut network).unwrap();
        let found = skips(&network);
        let stream = lower(&network, &Skipped::kept(&found), &unlimited(Rate::Fastest)).unwrap();
        let skip = stream.channels().find(|&c| stream.channel(c).skip.is_some()).unwrap();
        stream.channel(skip).bits
    };
    // Codes of 8 bits; and 27 products of 8 bits with 8 bits.
    assert_eq!((widths(true), widths(false)), (8, 8 + 7 + 5));
}
