//! The phase list of every actor kind against a program that was written out beat by beat: what each clock needs,
//! frees and gives, on random geometries, folds and lanes, with shrinking.

use nonresc_ir::id::ActorId;
use nonresc_ir::names::Names;
use nonresc_ir::network::{Pair, Sides};
use nonresc_ir::stream::{
    Activation, Actor, Carry, Channel, Fold, Form, GlobalPool, Kind, Map, MatVec, MergedAdd, Multiplier,
    PhaseList, Pool, PoolKind, Projection, Reader, Second, Select, Stream, Sum, Window, phases, stages,
    verify,
};
use nonresc_passes::fold::{Counter, Lanes};
use nonresc_tests::reference::program::{Program, registers};
use nonresc_tests::streams::Builder;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// An actor between sources and a sink, with the lanes of its input and output.
#[derive(Clone, Debug)]
struct Case {
    kind: Kind,
    input_lanes: usize,
    output_lanes: usize,
    second_lanes: usize,
}

impl Case {
    /// The stream, and the actor in it.
    fn stream(&self) -> (Stream, ActorId) {
        let mut b = Builder::default();
        let sources: Vec<ActorId> =
            (0..self.kind.inputs()).map(|i| b.source(self.kind.input_map(i))).collect();
        let actor = b.add("actor", self.kind.clone(), &sources);
        let mut stream = b.finish(actor);
        for (i, lanes) in [self.input_lanes, self.output_lanes].into_iter().enumerate() {
            let channel = stream.input(actor, i as u16);
            channel.into_iter().for_each(|c| stream.channel_mut(c).lanes = lanes);
        }
        for channel in stream.outputs(actor, 0) {
            stream.channel_mut(channel).lanes = self.output_lanes;
        }
        if self.kind.outputs() == 2 {
            let map = self.kind.output_map(1);
            let sink = stream.add(Actor { names: Names::one("second"), kind: Kind::Sink(map) });
            let first = stream.channel(stream.outputs(actor, 0)[0]).clone();
            let (readers, lanes) = (vec![Reader { actor: sink, input: 0 }], self.second_lanes);
            stream.connect(Channel { output: 1, readers, map, lanes, ..first });
        }
        (stream, actor)
    }
}

/// Runs a property over `cases` random values, always the same.
fn check<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    TestRunner::new_with_rng(config, rng).run(strategy, property).unwrap_or_else(|e| panic!("{e}"));
}

/// Cumulative counts of an input behind each clock of the list, counted from the frame's first beat, and gives.
fn written_out(list: &PhaseList, input: u16) -> (Vec<u64>, Vec<u64>, Vec<[bool; 2]>) {
    let preset = list.preset(input);
    let (mut need, mut free) = (-(preset.unread_tail as i64), preset.unread_head);
    let (mut needs, mut frees, mut gives) = (Vec::new(), Vec::new(), Vec::new());
    for phase in list.iter() {
        for idle in (0..=phase.idle).rev() {
            if idle == 0 {
                for take in phase.takes.iter().filter(|t| t.input == input) {
                    need += i64::from(take.need);
                    free += u64::from(take.free);
                }
            }
            needs.push(need.max(0) as u64);
            frees.push(free);
            gives.push([0, 1].map(|output| idle == 0 && phase.gives >> output & 1 == 1));
        }
    }
    for _ in 0..list.tail() {
        needs.push(need as u64);
        frees.push(free);
        gives.push([false; 2]);
    }
    (needs, frees, gives)
}

/// The most beats that are needed at once and not freed by the clocks before.
fn least_depth(program: &Program, input: u16) -> u64 {
    let freed = [vec![program.unread_head(input)], program.frees(input)].concat();
    let held = program.needs(input).into_iter().zip(freed).map(|(need, free)| need.saturating_sub(free));
    held.max().unwrap().max(1)
}

fn agrees(case: &Case) -> Result<(), TestCaseError> {
    let (stream, actor) = case.stream();
    let list = phases(&stream, actor);
    let program = Program::of(&stream, actor);
    for output in 0..case.kind.outputs() {
        prop_assert_eq!(u64::from(stages(&stream, actor, output)), registers(&case.kind, output));
    }
    prop_assert_eq!(list.len(), program.steps.len() as u64, "phases of a frame\n{}", stream);
    for input in 0..case.kind.inputs() {
        let (needs, frees, gives) = written_out(&list, input);
        prop_assert_eq!(needs, program.needs(input), "needs of input {}\n{}", input, stream);
        prop_assert_eq!(frees, program.frees(input), "places freed of input {}\n{}", input, stream);
        let least = least_depth(&program, input);
        prop_assert_eq!(list.least_depth(input), least, "least depth of input {}\n{}", input, stream);
        let given: Vec<[bool; 2]> = program.steps.iter().map(|s| s.gives).collect();
        prop_assert_eq!(gives, given, "beats given\n{}", stream);
    }
    if !matches!(case.kind, Kind::MatVec(MatVec { fold: Fold { form: Form::Held { slots: 2.. }, .. }, .. })) {
        let lanes = Lanes { input: case.input_lanes, output: case.output_lanes, second: case.second_lanes };
        let counted = Counter::new(&case.kind).phases(lanes);
        prop_assert_eq!(counted, list.len(), "phases in closed form\n{}", stream);
    }
    let verdict = verify(&stream).map_err(|faults| faults.to_string());
    prop_assert_eq!(verdict, Ok(()), "\n{}", stream);
    Ok(())
}

/// Places of a window along an axis; a pool may round up, so that its last window begins on the map.
fn places(
    extent: usize,
    before: usize,
    after: usize,
    reach: usize,
    stride: usize,
    up: bool,
) -> Option<usize> {
    let room = (extent + before + after).checked_sub(reach)?;
    let whole = room / stride + 1;
    let one_more = up && !room.is_multiple_of(stride) && whole * stride < extent + before;
    Some(whole + usize::from(one_more))
}

/// A window, the extents of the map under it, and those of what it gives; every window covers some of the map.
fn window() -> impl Strategy<Value = (Window, Pair, Pair)> {
    let axis = || (1usize..=3, 1usize..=4, 1usize..=3, 0usize..=3, 0usize..=3, 1usize..=7, any::<bool>());
    let of = |(dilation, stride, kernel, before, after, extent, up): (usize, _, usize, _, _, _, _)| {
        let reach = (kernel - 1) * dilation + 1;
        let places = places(extent, before, after, reach, stride, up)?;
        let under =
            |o: usize| (0..kernel).any(|t| (before..before + extent).contains(&(o * stride + t * dilation)));
        (0..places).all(under).then_some((dilation, stride, kernel, before, after, extent, places))
    };
    let axis = move || axis().prop_filter_map("a window on the map", of);
    (axis(), axis()).prop_map(|(v, h)| {
        let window = Window {
            dilation: Pair { h: v.0, w: h.0 },
            stride: Pair { h: v.1, w: h.1 },
            kernel: Pair { h: v.2, w: h.2 },
            pad: Sides { top: v.3, bottom: v.4, left: h.3, right: h.4 },
        };
        (window, Pair { h: v.5, w: h.5 }, Pair { h: v.6, w: h.6 })
    })
}

/// As [`window`], as many places as fit wholly.
fn whole_window() -> impl Strategy<Value = (Window, Pair, Pair)> {
    window().prop_filter("whole windows", |(window, input, output)| {
        let Window { kernel, stride, pad, dilation } = *window;
        let (down, across) = ((kernel.h - 1) * dilation.h + 1, (kernel.w - 1) * dilation.w + 1);
        places(input.h, pad.top, pad.bottom, down, stride.h, false) == Some(output.h)
            && places(input.w, pad.left, pad.right, across, stride.w, false) == Some(output.w)
    })
}

fn map(channels: usize, extent: Pair) -> Map {
    Map { channels, height: extent.h, width: extent.w }
}

/// A skip added to `channels` outputs, in whole lanes; nothing where `choice` is 0.
fn merged(channels: usize, lanes: usize, choice: usize) -> Option<MergedAdd> {
    let offset = (choice / 3 * lanes) % channels.next_multiple_of(lanes);
    let summed = (channels - offset).min(1 + choice % 5);
    let activation = Activation::Identity;
    (!choice.is_multiple_of(3)).then_some(MergedAdd { channels: summed, offset, activation, rounded: false })
}

#[derive(Clone, Copy, Debug)]
enum Reading {
    Held,
    Direct,
}

fn convolution(reading: Reading) -> impl Strategy<Value = Case> {
    let channels = (1usize..=3, 1usize..=4, 1usize..=4);
    let fold = (1usize..=12, 1usize..=40, 1usize..=3, any::<bool>());
    let lanes = (1usize..=6, 1usize..=6, 0usize..=20);
    (whole_window(), channels, fold, lanes).prop_map(move |(window, channels, fold, lanes)| {
        let (window, input, output) = window;
        let (groups, each_in, each_out) = channels;
        let (inputs, outputs) = (groups * each_in, groups * each_out);
        let (input_lanes, output_lanes) = (lanes.0.min(inputs), lanes.1.min(outputs));
        let taps = window.kernel.h * window.kernel.w;
        let (form, simd) = match reading {
            Reading::Held => (Form::Held { slots: fold.2 }, fold.1.min(taps * each_in)),
            Reading::Direct => {
                let side_by_side = fold.1.min(taps);
                (Form::Direct { taps: side_by_side }, side_by_side * input_lanes.min(each_in))
            }
        };
        let ports = if fold.3 { window.kernel.h } else { 1 };
        let multiplier = if fold.0 % 2 == 0 { Multiplier::DspPair } else { Multiplier::Dsp };
        Case {
            kind: Kind::MatVec(MatVec {
                input: map(inputs, input),
                output: map(outputs, output),
                window,
                groups,
                bias: true,
                weights: String::new(),
                weight_bits: 8,
                add: merged(outputs, output_lanes, lanes.2),
                activation: Activation::Relu,
                second: None,
                carry: Carry::NONE,
                fold: Fold { pe: fold.0.min(outputs), simd, form, ports, multiplier },
            }),
            input_lanes,
            output_lanes,
            second_lanes: 1,
        }
    })
}

#[test]
fn held_convolutions() {
    check(3_000, &convolution(Reading::Held), |case| agrees(&case));
}

/// Held convolutions with a second output, as far as their windows can have it.
fn with_second() -> impl Strategy<Value = Case> {
    let beside = (1usize..=5, 1usize..=5, 1usize..=5, 1usize..=5, 0usize..=3);
    (convolution(Reading::Held), beside).prop_filter_map("a second output", |(mut case, beside)| {
        let (channels, pe, simd, lanes, row) = beside;
        let Kind::MatVec(a) = &mut case.kind else { return None };
        (a.second, case.second_lanes) = if row == 3 {
            let (pe, simd) = (pe.min(channels), simd.min(a.input.channels));
            let projection = Projection {
                channels,
                bias: true,
                weights: String::new(),
                weight_bits: 8,
                activation: Activation::Identity,
                pe,
                simd,
            };
            (Some(Second::Projection(projection)), lanes.min(channels))
        } else {
            (Some(Second::Tap { row }), case.input_lanes)
        };
        verify(&case.stream().0).is_ok().then_some(case)
    })
}

#[test]
fn second_outputs_of_held_convolutions() {
    let seen = std::cell::RefCell::new([0; 3]);
    check(2_000, &with_second(), |case| {
        let Kind::MatVec(a) = &case.kind else { unreachable!("only convolutions are made") };
        let which = match &a.second {
            Some(Second::Tap { row }) => usize::from(a.tap_lag(*row) > Some(0)),
            _ => 2,
        };
        seen.borrow_mut()[which] += 1;
        agrees(&case)
    });
    let seen = seen.into_inner();
    assert!(seen.iter().all(|&n| n >= 100), "taps without lag, with lag, projections: {seen:?}");
}

#[test]
fn direct_convolutions() {
    check(3_000, &convolution(Reading::Direct), |case| agrees(&case));
}

/// A pixel-wise map and lanes.
fn pixels() -> impl Strategy<Value = (Map, usize, usize)> {
    (1usize..=9, 1usize..=4, 1usize..=4, 1usize..=9, 1usize..=9)
        .prop_map(|(channels, h, w, i, o)| (map(channels, Pair { h, w }), i.min(channels), o.min(channels)))
}

#[test]
fn stationary_dense_layers() {
    let cases = (pixels(), 1usize..=9, 1usize..=9, 0usize..=20).prop_map(|(place, outputs, pe, add)| {
        let (input, input_lanes, output_lanes) = place;
        let kernel = Pair { h: input.height, w: input.width };
        let (form, pe, output_lanes) = (Form::Stationary, pe.min(outputs), output_lanes.min(outputs));
        let kind = Kind::MatVec(MatVec {
            input,
            output: Map { channels: outputs, height: 1, width: 1 },
            window: Window { kernel, ..Window::POINT },
            groups: 1,
            bias: true,
            weights: String::new(),
            weight_bits: 8,
            add: merged(outputs, output_lanes, add),
            activation: Activation::Identity,
            second: None,
            carry: Carry::NONE,
            fold: Fold { pe, simd: input_lanes, form, ports: 1, multiplier: Multiplier::Dsp },
        });
        Case { kind, input_lanes, output_lanes, second_lanes: 1 }
    });
    check(1_000, &cases, |case| agrees(&case));
}

#[test]
fn pools_with_a_window() {
    let lanes = (1usize..=7, 1usize..=7, 1usize..=7);
    let cases = (window(), lanes, any::<bool>()).prop_map(|((window, input, output), lanes, mean)| {
        let (channels, i, o) = lanes;
        let kind = if mean { PoolKind::Average { include_pad: true } } else { PoolKind::Max };
        let (input, output) = (map(channels, input), map(channels, output));
        let kind = Kind::Pool(Pool { input, output, window, kind, activation: Activation::Identity });
        Case { kind, input_lanes: i.min(channels), output_lanes: o.min(channels), second_lanes: 1 }
    });
    check(3_000, &cases, |case| agrees(&case));
}

#[test]
fn pools_over_the_whole_map_and_changes_of_lanes() {
    let cases = (pixels(), 0usize..4).prop_map(|((map, input_lanes, output_lanes), which)| {
        let activation = Activation::LeakyRelu { alpha: 0.1 };
        let kind = match which {
            0 => Kind::GlobalPool(GlobalPool { input: map, kind: PoolKind::Max, activation }),
            1 => {
                let kind = PoolKind::Average { include_pad: false };
                Kind::GlobalPool(GlobalPool { input: map, kind, activation })
            }
            2 => Kind::Activate { map, activation },
            _ => Kind::Convert(map),
        };
        Case { kind, input_lanes, output_lanes, second_lanes: 1 }
    });
    check(2_000, &cases, |case| agrees(&case));
}

#[test]
fn selections() {
    let channels = (1usize..=6, 0usize..=5, 0usize..=9, 0usize..=4);
    let axis = || (0usize..=2, 1usize..=3, 1usize..=3, 0usize..=2);
    let lanes = (1usize..=9, 1usize..=9);
    let cases = (channels, axis(), axis(), lanes).prop_map(|(channels, down, across, lanes)| {
        let (kept, first_channel, zeros_before, behind) = channels;
        let extent = |(start, stride, places, rest): (usize, usize, usize, usize)| {
            start + (places - 1) * stride + 1 + rest
        };
        let input = Map { channels: first_channel + kept, height: extent(down), width: extent(across) };
        let output = Map { channels: zeros_before + kept + behind, height: down.2, width: across.2 };
        let (start, stride) = (Pair { h: down.0, w: across.0 }, Pair { h: down.1, w: across.1 });
        Case {
            kind: Kind::Select(Select { input, output, start, stride, first_channel, zeros_before }),
            input_lanes: lanes.0.min(input.channels),
            output_lanes: lanes.1.min(output.channels),
            second_lanes: 1,
        }
    });
    check(3_000, &cases, |case| agrees(&case));
}

#[test]
fn sums_and_edges() {
    let cases = (pixels(), 1usize..=40, 0usize..3).prop_map(|((map, _, lanes), choice, which)| {
        let kind = match (which, merged(map.channels, lanes, choice)) {
            (0, _) | (_, None) => Kind::Sink(map),
            (_, Some(add)) => {
                let (channels, offset, activation) = (add.channels, add.offset, add.activation);
                Kind::Sum(Sum { output: map, channels, offset, activation })
            }
        };
        Case { kind, input_lanes: lanes, output_lanes: lanes, second_lanes: 1 }
    });
    check(500, &cases, |case| {
        if let Kind::Sink(map) = case.kind { edges(map, case.input_lanes) } else { agrees(&case) }
    });
}

/// Source and sink of a channel.
fn edges(map: Map, lanes: usize) -> Result<(), TestCaseError> {
    let mut b = Builder::default();
    let x = b.source(map);
    let mut stream = b.finish(x);
    stream.channel_mut(stream.outputs(x, 0)[0]).lanes = lanes;
    for actor in stream.actors() {
        let (list, program) = (phases(&stream, actor), Program::of(&stream, actor));
        prop_assert_eq!(list.len(), program.steps.len() as u64);
        let (needs, frees, gives) = written_out(&list, 0);
        let given: Vec<[bool; 2]> = program.steps.iter().map(|s| s.gives).collect();
        prop_assert_eq!(gives, given);
        if !program.beats.is_empty() {
            prop_assert_eq!((needs, frees), (program.needs(0), program.frees(0)));
        }
    }
    Ok(())
}
