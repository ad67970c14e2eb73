//! Pools with a window in generated hardware: random windows and lanes on their own, and in random networks.

use nonresc_ir::id::Value;
use nonresc_ir::network::{
    AvgPool, Batch, Conv, Edit, Element, MaxPool, Network, Op, Pair, Relu, Shape, Sides, ValueType,
};
use nonresc_ir::stream::{Fold, Form, Kind};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::design::StreamDesign;
use nonresc_passes::fifo::{self, FifoOptions};
use nonresc_passes::quantise::Scales;
use nonresc_passes::target::Rate;
use nonresc_tests::hardware::{designed, faults};
use nonresc_tests::quantised::{options, quantised};
use nonresc_tests::random;
use nonresc_tests::seed::Seed;

fn has_pool(design: &StreamDesign) -> bool {
    let stream = &design.stream;
    stream.actors().any(|id| matches!(stream.actor(id).kind, Kind::Pool(_)))
}

/// Kernel, stride, padding before and behind, and dilation of an axis, with which no window lies in padding alone.
fn axis(s: &mut Seed, map: usize) -> (usize, usize, [usize; 2], usize) {
    loop {
        let (kernel, stride) = (s.between(1, 4), s.between(1, 4));
        let dilation = if s.chance(60) { 1 } else { s.between(1, 3) };
        let extent = (kernel - 1) * dilation + 1;
        let pad = if s.chance(40) { [0, 0] } else { [s.below(extent), s.below(extent)] };
        if map + pad[0] + pad[1] < extent {
            continue;
        }
        let outputs = (map + pad[0] + pad[1] - extent) / stride + 1;
        let lies_on_map = |o: usize| {
            let mut taps = (0..kernel).map(|k| o * stride + k * dilation);
            taps.any(|at| at >= pad[0] && at < pad[0] + map)
        };
        let straddles = dilation > map && pad != [0, 0];
        if (0..outputs).all(lies_on_map) && !straddles {
            return (kernel, stride, pad, dilation);
        }
    }
}

/// A pool between layers of one pixel, its lanes in and out, and all of it in words.
fn pool(seed: u64) -> (Network, [usize; 2], String) {
    let mut s = Seed(seed);
    let map = Pair { h: s.between(1, 9), w: s.between(1, 9) };
    let channels = s.between(1, 7);
    let (rows, columns) = (axis(&mut s, map.h), axis(&mut s, map.w));
    let pad = Sides { top: rows.2[0], left: columns.2[0], bottom: rows.2[1], right: columns.2[1] };
    let (kernel, stride) = (Pair { h: rows.0, w: columns.0 }, Pair { h: rows.1, w: columns.1 });
    let dilation = Pair { h: rows.3, w: columns.3 };
    let (largest, relu) = (s.chance(50), s.chance(50));
    let op = match largest {
        true => Op::MaxPool(MaxPool { kernel, stride, pad, dilation }),
        false => {
            let include_pad = pad != Sides::ZERO;
            Op::AvgPool(AvgPool { kernel, stride, pad, dilation, include_pad, ..AvgPool::default() })
        }
    };
    let lanes = s.between(1, channels);
    let lanes = [lanes, if s.chance(60) { lanes } else { s.between(1, channels) }];
    let [(kh, sh, ph, dh), (kw, sw, pw, dw)] = [rows, columns];
    let shown = format!(
        "{channels}x{}x{} {} kernel {kh}x{kw} stride {sh}x{sw} pad {ph:?} {pw:?} dilation {dh}x{dw} relu {relu} \
         lanes {lanes:?}",
        map.h,
        map.w,
        op.name()
    );

    let mut network = Network::default();
    let mut edit = Edit::new(&mut network);
    let ty = ValueType { element: Element::F32, shape: Shape(vec![1, channels, map.h, map.w]) };
    let input = edit.input("x", ty, Batch::Dynamic(None));
    let mut weights = || {
        let numbers = (0..channels * channels).map(|_| s.number()).collect();
        edit.constant(Tensor::f32([channels, channels, 1, 1], numbers).unwrap())
    };
    let weights = [weights(), weights()];
    let mut add = |op: Op, operands: &[Value]| edit.add(op, operands).unwrap();
    // Unsigned codes behind a relu, signed ones without.
    let mut value = add(Conv::default().into(), &[input, weights[0]]);
    if relu {
        value = add(Relu {}.into(), &[value]);
    }
    value = add(op, &[value]);
    let value = add(Conv::default().into(), &[value, weights[1]]);
    edit.output("y", value, Batch::Dynamic(None));
    (network, lanes, shown)
}

/// Holds a design against integers and schedule; whether there is hardware.
fn holds(design: &StreamDesign, shown: &str) -> bool {
    let Ok((_, wrong)) = faults(design, 3) else { return false };
    assert_eq!(wrong, Vec::<String>::new(), "{shown}");
    true
}

#[test]
fn pools_of_random_windows_and_lanes_run_as_scheduled() {
    for seed in 0..4 {
        let (network, lanes, shown) = pool(seed);
        let network = quantised(&network, &options(seed, None)).expect(&shown);
        let mut design = designed(&network, "keep", Rate::Fastest).unwrap();
        assert!(has_pool(&design), "{shown}");
        let ids: Vec<_> = design.stream.channels().collect();
        for id in ids {
            let writer = &design.stream.actor(design.stream.channel(id).writer).kind;
            let lanes = if matches!(writer, Kind::Pool(_)) { lanes[1] } else { lanes[0] };
            let channel = design.stream.channel_mut(id);
            (channel.lanes, channel.depth) = (lanes, None);
        }
        // Slow enough for any lanes.
        let ids: Vec<_> = design.stream.actors().collect();
        let first = ids.iter().copied().find(|&id| matches!(design.stream.actor(id).kind, Kind::MatVec(_)));
        for id in ids {
            if let Kind::MatVec(a) = &mut design.stream.actor_mut(id).kind {
                let lanes = lanes[usize::from(Some(id) != first)];
                a.fold = Fold { pe: 1, simd: lanes, form: Form::Direct { taps: 1 }, ..a.fold };
            }
        }
        design.sizing = Some(fifo::size(&mut design.stream, &FifoOptions::default()).unwrap());
        assert!(holds(&design, &format!("pool {seed}: {shown}")), "{shown}");
    }
}

#[test]
fn random_networks_with_pools_run_as_scheduled() {
    let mut done = 0;
    for seed in 11..13 {
        let network = random::network(seed);
        for scales in [Some(Scales::PowerOfTwo), None] {
            let Some(network) = quantised(&network, &options(seed, scales)) else { continue };
            let rate = if seed % 2 == 0 { Rate::Fastest } else { Rate::Fps(100e6 / 3000.0) };
            let Ok(design) = designed(&network, "keep", rate) else { continue };
            if !has_pool(&design) {
                continue;
            }
            done += usize::from(holds(&design, &format!("network {seed} {scales:?}")));
        }
    }
    assert!(done > 1, "{done} networks have hardware");
}
