//! The stream level: every invariant broken once, text, and what the streams of known networks keep.

use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::names::Names;
use nonresc_ir::network::{Pair, Sides};
use nonresc_ir::stream::{
    Activation, Actor, Carry, Channel, Kind, Map, MatVec, Projection, Reader, Second, Stream, verify,
};
use nonresc_tests::streams::{Builder, resnet8, resnet20, square};

/// One block with a skip: source 0, conv 1, conv 2 (skip merged), conv 3, sink 4.
fn block() -> Stream {
    let mut b = Builder::default();
    let x = b.source(square(3, 8));
    let x = b.conv("conv0", x, 4, 3, 1, None);
    let y = b.conv("conv1", x, 4, 3, 1, None);
    let x = b.conv("conv2", y, 4, 3, 1, Some(x));
    b.mark_skip(1);
    b.finish(x)
}

fn matrix_vector(stream: &mut Stream, actor: u32) -> &mut MatVec {
    match &mut stream.actor_mut(ActorId(actor)).kind {
        Kind::MatVec(a) => a,
        other => panic!("{other} is no matrix-vector"),
    }
}

fn channel(stream: &mut Stream, of: u32) -> &mut Channel {
    let id: ChannelId = stream.input(ActorId(of), 0).unwrap();
    stream.channel_mut(id)
}

fn passing(stream: &mut Stream, from: ActorId, to: ActorId, map: Map) {
    stream.connect(Channel {
        writer: from,
        output: 0,
        readers: vec![Reader { actor: to, input: 0 }],
        map,
        lanes: 1,
        bits: 8,
        signed: false,
        value: None,
        skip: None,
        depth: None,
    });
}

fn add(stream: &mut Stream, name: &str, kind: Kind) -> ActorId {
    stream.add(Actor { names: Names::one(name), kind })
}

/// Exactly the invariant `code` is broken by `change`.
fn breaks(code: &str, change: impl FnOnce(&mut Stream)) {
    let mut stream = block();
    change(&mut stream);
    let faults = verify(&stream).expect_err(code);
    let codes: Vec<&str> = faults.iter().map(|fault| fault.code).collect();
    assert!(codes.iter().all(|c| *c == format!("stream/{code}")), "{code}: {faults}");
}

#[test]
fn streams_of_known_networks_are_sound() {
    for stream in [block(), resnet8(), resnet20()] {
        verify(&stream).unwrap();
    }
}

#[test]
fn s01_cycle() {
    breaks("S01", |s| {
        let map = square(4, 8);
        let a = add(s, "a", Kind::Convert(map));
        let b = add(s, "b", Kind::Convert(map));
        passing(s, a, b, map);
        passing(s, b, a, map);
    });
}

#[test]
fn s02_input_without_a_channel() {
    breaks("S02", |s| {
        let map = square(4, 8);
        let a = add(s, "a", Kind::Convert(map));
        let b = add(s, "b", Kind::Sink(map));
        passing(s, a, b, map);
    });
}

#[test]
fn s02_output_without_a_channel() {
    breaks("S02", |s| {
        add(s, "second", Kind::Source(square(4, 8)));
    });
}

#[test]
fn s02_channel_without_a_reader() {
    breaks("S02", |s| {
        let map = square(4, 8);
        passing(s, ActorId(2), ActorId(0), map);
    });
}

#[test]
fn s03_map_of_a_channel() {
    breaks("S03", |s| channel(s, 1).map.width = 7);
}

#[test]
fn s04_no_bits() {
    breaks("S04", |s| channel(s, 2).bits = 0);
}

#[test]
fn s04_no_lanes() {
    breaks("S04", |s| channel(s, 2).lanes = 0);
}

#[test]
fn s04_no_step() {
    breaks("S04", |s| matrix_vector(s, 1).window.stride = Pair::ZERO);
}

#[test]
fn s05_window_gives_another_map() {
    breaks("S05", |s| matrix_vector(s, 1).window.pad = Sides::ZERO);
}

#[test]
fn s05_rectangle_leaves_the_map() {
    let mut b = Builder::default();
    let x = b.source(square(3, 8));
    let x = b.select("every_second", x, 3, 2);
    let mut stream = b.finish(x);
    verify(&stream).unwrap();
    if let Kind::Select(a) = &mut stream.actor_mut(ActorId(1)).kind {
        a.start.h = 2;
    }
    assert_eq!(verify(&stream).unwrap_err().iter().next().unwrap().code, "stream/S05");
}

#[test]
fn s06_groups() {
    breaks("S06", |s| matrix_vector(s, 1).groups = 2);
}

#[test]
fn s07_folds() {
    breaks("S07", |s| matrix_vector(s, 1).fold.pe = 5);
    breaks("S07", |s| matrix_vector(s, 1).fold.simd = 28);
    breaks("S07", |s| matrix_vector(s, 1).fold.ports = 2);
    breaks("S07", |s| matrix_vector(s, 1).fold.form = nonresc_ir::stream::Form::Stationary);
}

#[test]
fn s08_lanes_of_one_output() {
    breaks("S08", |s| channel(s, 2).lanes = 2);
}

#[test]
fn s09_summand_in_other_lanes() {
    // The lanes of conv2's output, which its skip does not have.
    breaks("S09", |s| channel(s, 4).lanes = 2);
}

#[test]
fn s09_summand_beyond_the_sum() {
    breaks("S09", |s| {
        if let Some(add) = &mut matrix_vector(s, 3).add {
            add.offset = 1;
        }
    });
}

#[test]
fn s10_map_too_large() {
    let mut b = Builder::default();
    let x = b.source(square(1, 5_000));
    let faults = verify(&b.finish(x)).unwrap_err();
    assert!(faults.iter().all(|fault| fault.code == "stream/S10"), "{faults}");
}

#[test]
fn s10_phases_of_a_pixel() {
    let mut b = Builder::default();
    let x = b.source(Map { channels: 100_000, height: 1, width: 1 });
    let x = b.conv("conv", x, 50_000, 1, 1, None);
    let faults = verify(&b.finish(x)).unwrap_err();
    assert!(faults.iter().all(|fault| fault.code == "stream/S10"), "{faults}");
}

#[test]
fn s11_a_window_that_reads_nothing_never_frees() {
    let mut b = Builder::default();
    let x = b.source(square(1, 1));
    let x = b.conv("conv", x, 1, 1, 1, None);
    let mut stream = b.finish(x);
    let window = &mut matrix_vector(&mut stream, 1).window;
    (window.pad.left, window.stride.w) = (3, 4);
    assert_eq!(verify(&stream).unwrap_err().iter().next().unwrap().code, "stream/S11");
}

#[test]
fn s12_no_places() {
    breaks("S12", |s| channel(s, 1).depth = Some(0));
}

/// A block whose first convolution gives a second output to a sink, in these lanes.
fn breaks_with_second(second: Second, lanes: usize) {
    breaks("S13", |s| {
        matrix_vector(s, 2).second = Some(second);
        let map = s.actor(ActorId(2)).kind.output_map(1);
        let sink = s.add(Actor { names: Names::one("second"), kind: Kind::Sink(map) });
        let readers = vec![Reader { actor: sink, input: 0 }];
        let first = channel(s, 1).clone();
        s.connect(Channel { writer: ActorId(2), output: 1, readers, map, lanes, skip: None, ..first });
    });
}

#[test]
fn s13_a_tap_at_a_row_that_not_every_pixel_passes() {
    breaks_with_second(Second::Tap { row: 2 }, 1);
}

#[test]
fn s13_a_tap_in_other_lanes_than_it_reads() {
    breaks_with_second(Second::Tap { row: 1 }, 2);
}

#[test]
fn s13_a_projection_folded_beyond_itself() {
    breaks_with_second(
        Second::Projection(Projection {
            channels: 4,
            bias: false,
            weights: String::new(),
            weight_bits: 8,
            activation: Activation::Identity,
            pe: 1,
            simd: 5,
        }),
        1,
    );
}

#[test]
fn s14_what_is_carried_is_added_beyond_the_output() {
    breaks("S14", |s| matrix_vector(s, 3).carry = Carry { passed: 0, taken: 2, offset: 3 });
}

#[test]
fn s14_all_channels_are_carried() {
    breaks("S14", |s| matrix_vector(s, 3).carry = Carry { passed: 0, taken: 4, offset: 0 });
}

#[test]
fn all_faults_are_found_at_once() {
    let mut stream = block();
    channel(&mut stream, 2).bits = 0;
    channel(&mut stream, 3).depth = Some(0);
    matrix_vector(&mut stream, 1).groups = 2;
    matrix_vector(&mut stream, 2).fold.pe = 5;
    let faults = verify(&stream).unwrap_err();
    let mut codes: Vec<&str> = faults.iter().map(|fault| fault.code).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["stream/S04", "stream/S06", "stream/S07", "stream/S12"], "{faults}");
    assert!(faults.to_string().contains("actor @1 \"conv0\""), "{faults}");
}

#[test]
fn every_invariant_has_a_test() {
    let (rules, tests) = (include_str!("../../ir/src/stream/verify.rs"), include_str!("stream.rs"));
    let numbers: Vec<u32> = (1..100).filter(|n| rules.contains(&format!("//! - **S{n:02}**"))).collect();
    assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>());
    for n in numbers {
        assert!(tests.contains(&format!("fn s{n:02}_")), "S{n:02} has no test");
    }
}

#[test]
fn text_of_a_block() {
    let text = block().to_string();
    let skip = text.lines().find(|line| line.contains("skip 1")).unwrap();
    assert_eq!(skip, "#2 @1 -> @3.1 4x8x8 lanes 1 u8 skip 1");
    assert!(text.contains("@3 matrix_vector 4x8x8 -> 4x8x8 kernel 3x3 pad [1,1,1,1]"), "{text}");
}
