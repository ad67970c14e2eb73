//! Weights of one bit: signs, in both dialects and as integers.

use nonresc_ir::eval::evaluate;
use nonresc_ir::network::{Network, Op};
use nonresc_ir::onnx::export::{export, export_qonnx};
use nonresc_ir::onnx::import::{ImportOptions, import_bytes};
use nonresc_passes::integers::{Rule, integers};
use nonresc_passes::quantise::{Granularity, QuantiseOptions, Quantity, Scales};
use nonresc_tests::random;

use crate::quantise::{normal, options, quantised, skips};

/// Signs are two numbers in whatever is written, and codes that integers are made of.
#[test]
fn weights_of_one_bit_are_two_numbers() {
    for (scales, weights) in [
        (Scales::PowerOfTwo, Granularity::Channel),
        (Scales::Free, Granularity::Tensor),
        (Scales::Free, Granularity::Channel),
    ] {
        let options = QuantiseOptions { scales, weights, ..options(1, 4) };
        let made = quantised(skips(), &options);
        let read = |bytes| {
            let read = import_bytes(bytes, "q.onnx", &ImportOptions::default()).unwrap().network;
            let whole = integers(&normal(read), Rule::AsGiven).unwrap().network;
            let codes = whole.node_ids().filter_map(|node| match whole.op(node) {
                Op::IntConv(_) | Op::IntDense(_) => whole.constant(whole.operands(node)[1])?.to_i64(),
                _ => None,
            });
            let codes: Vec<Vec<i64>> = codes.collect();
            (codes, whole)
        };
        let files = [export(&made.network).unwrap(), export_qonnx(&made.network).unwrap()];
        let [(codes, qdq), (others, qonnx)] = files.map(read);
        let layers = made.rows.iter().filter(|row| row.tensor == Quantity::Weights && row.bits == 1).count();
        assert_eq!(codes.len(), layers);
        assert!(codes.iter().flatten().all(|&code| code == 1 || code == -1), "{codes:?}");
        assert!(codes.iter().all(|layer| layer.contains(&1) && layer.contains(&-1)), "{codes:?}");
        assert_eq!(codes, others);
        for seed in 0..4 {
            let input = random::input(&qdq, seed);
            let run = |network: &Network| evaluate::<f32>(network, &input).unwrap();
            assert_eq!(run(&qdq), run(&qonnx), "{scales:?} {weights:?}, input {seed}");
        }
    }
}
