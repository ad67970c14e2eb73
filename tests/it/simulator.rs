//! Sized streams, simulated cycle by cycle: the simulator by hand, and the recurrence against the simulator.

use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::network::{Pair, Sides};
use nonresc_ir::stream::{Activation, Kind, Map, Pool, PoolKind, Stream, Sum, Window, verify};
use nonresc_passes::fifo::{FifoOptions, Timing, measure, occupancy_of, size};
use nonresc_passes::fold::fold;
use nonresc_passes::target::Rate;
use nonresc_tests::reference::simulator::{Run, Stop, levels, simulate};
use nonresc_tests::streams::{Builder, resnet8, square};
use nonresc_tests::target::unlimited;

const MOST_FRAMES: u64 = 2_000;

/// The stream folded for so many cycles a frame, without a device's limits, and sized.
fn sized(mut stream: Stream, cycles: u32) -> Stream {
    fold(&mut stream, &unlimited(Rate::Cycles(cycles.into()))).unwrap();
    size(&mut stream, &FifoOptions::default()).unwrap();
    verify(&stream).unwrap();
    stream
}

/// Both see the same.
fn agree(stream: &Stream, timing: &Timing, run: &Run) {
    assert_eq!(
        timing.interval_clocks * run.frames,
        run.clocks * timing.interval_frames,
        "interval\n{stream}"
    );
    assert_eq!(timing.actors, run.first_frame, "first and last events of the first frame\n{stream}");
    assert_eq!(timing.peak_words, run.peaks, "peaks\n{stream}");
}

fn with_depths(mut stream: Stream, depths: &[u64]) -> Stream {
    let channels: Vec<ChannelId> = stream.channels().collect();
    for (channel, &depth) in channels.into_iter().zip(depths) {
        stream.channel_mut(channel).depth = Some(depth);
    }
    stream
}

/// A source and a sink: a beat can be read one clock after it was given, its place be taken one clock after that.
#[test]
fn a_channel_by_hand() {
    let mut b = Builder::default();
    let x = b.source(square(1, 4));
    let stream = b.finish(x);
    let full_rate = simulate(&with_depths(stream.clone(), &[2]), 10).unwrap();
    assert_eq!((full_rate.clocks, full_rate.frames), (16, 1));
    assert_eq!(full_rate.first_frame, [(ActorId(0), 0, 15), (ActorId(1), 1, 16)]);
    assert_eq!(full_rate.peaks, [2]);
    let one_place = simulate(&with_depths(stream, &[1]), 10).unwrap();
    assert_eq!((one_place.clocks, one_place.frames), (32, 1));
    assert_eq!(one_place.first_frame, [(ActorId(0), 0, 30), (ActorId(1), 1, 31)]);
}

/// A window over all of 2x2 pixels, one multiplier, columns one by one: beats 0, 2, 1, 3 are fetched in clocks 1, 3, 4
/// and 5, the first two as they come. The load is with the last fetch, four products follow, so the beat is given in
/// clock 9, and visible 8 registers and a clock later.
#[test]
fn a_held_convolution_by_hand() {
    let mut b = Builder::default();
    let x = b.source(square(1, 2));
    let y = b.dense("conv", x, 1);
    let stream = b.finish(y);
    let run = simulate(&with_depths(stream.clone(), &[4, 2]), 10).unwrap();
    assert_eq!(run.first_frame, [(ActorId(0), 0, 3), (ActorId(1), 1, 9), (ActorId(2), 18, 18)]);
    // Four fetches and four products.
    assert_eq!((run.clocks, run.frames), (8, 1));
    assert_eq!(run.peaks, [4, 2]);
    // One place passes a beat every 8 + 2 clocks.
    let one_place = simulate(&with_depths(stream, &[4, 1]), 10).unwrap();
    assert_eq!((one_place.clocks, one_place.frames), (10, 1));
}

/// A skip around a convolution: source 0, convolution 1, sum 2, sink 3.
fn around_a_convolution() -> Stream {
    let mut b = Builder::default();
    let x = b.source(square(1, 4));
    let y = b.conv("conv", x, 1, 3, 1, None);
    let sum = Sum { output: square(1, 4), channels: 1, offset: 0, activation: Activation::Relu };
    let z = b.add("sum", Kind::Sum(sum), &[y, x]);
    b.mark_skip(1);
    b.finish(z)
}

#[test]
fn a_skip_too_short_hangs_and_says_who_waits_for_whom() {
    // Row 1's first three pixels are in the window of the first output: 4 + 2 beats are read before it.
    let stream = with_depths(around_a_convolution(), &[8, 4, 4, 4]);
    let Err(Stop::Hangs(waits)) = simulate(&stream, 10) else { panic!("it should hang") };
    let skip = stream.channels().find(|&c| stream.channel(c).skip == Some(1)).unwrap();
    let source = waits.iter().find(|w| w.actor == ActorId(0)).unwrap();
    assert_eq!((source.channel, source.waits_for, source.full), (skip, ActorId(2), true));
    let sum = waits.iter().find(|w| w.actor == ActorId(2)).unwrap();
    assert_eq!((sum.waits_for, sum.full), (ActorId(1), false));
    let conv = waits.iter().find(|w| w.actor == ActorId(1)).unwrap();
    assert_eq!((conv.waits_for, conv.full), (ActorId(0), false));
    let hang = measure(&stream).unwrap_err().to_string();
    assert!(hang.contains("error[fifo/hang]") && hang.contains(&format!("{skip}")), "{hang}");
}

fn small_streams() -> Vec<(&'static str, Stream)> {
    let pool = |b: &mut Builder, x: ActorId, kernel: usize, stride: usize, kind: PoolKind| {
        let input = b.map(x);
        let places = |extent: usize| (extent - kernel) / stride + 1;
        let output =
            Map { channels: input.channels, height: places(input.height), width: places(input.width) };
        let (kernel, stride) = (Pair { h: kernel, w: kernel }, Pair { h: stride, w: stride });
        let window = Window { kernel, stride, pad: Sides::ZERO, dilation: Pair::ONE };
        b.add(
            "pool",
            Kind::Pool(Pool { input, output, window, kind, activation: Activation::Identity }),
            &[x],
        )
    };
    let mut all = vec![("around a convolution", around_a_convolution())];
    let mut b = Builder::default();
    let x = b.source(square(3, 9));
    let x = b.conv("conv", x, 5, 3, 2, None);
    let y = pool(&mut b, x, 3, 1, PoolKind::Max);
    let y = b.dense("dense", y, 7);
    all.push(("strided convolution, overlapping pool, dense layer", b.finish(y)));
    let mut b = Builder::default();
    let x = b.source(square(4, 8));
    let y = b.conv("conv1", x, 8, 3, 2, None);
    let s = b.select("select", x, 8, 2);
    let y = b.conv("conv2", y, 8, 3, 1, Some(s));
    b.mark_skip(1);
    let y = pool(&mut b, y, 2, 2, PoolKind::Average { include_pad: true });
    all.push(("zero channels, mean pool", b.finish(y)));
    let mut b = Builder::default();
    let x = b.source(square(2, 6));
    let y = b.add("relu", Kind::Activate { map: square(2, 6), activation: Activation::Relu }, &[x]);
    let z = b.conv("point", y, 6, 1, 2, None);
    let z = b.mean("mean", z);
    all.push(("activation, unread rows, mean", b.finish(z)));
    all
}

/// Words of each channel over the first clocks, clock by clock and in coarser stretches of them.
pub(crate) fn agree_over_time(stream: &Stream, clocks: u64) {
    let seen = levels(stream, clocks);
    for stretches in [clocks, 7, 1] {
        let found = occupancy_of(stream, clocks, stretches).unwrap().unwrap();
        for ((words, level), channel) in found.most.iter().zip(&seen).zip(stream.channels()) {
            let mut most = vec![0; stretches as usize];
            for (clock, &level) in (0..).zip(level) {
                let stretch = (clock * stretches / clocks) as usize;
                most[stretch] = level.max(most[stretch]);
            }
            assert!(*words == most, "{channel} in {stretches} stretches\n{words:?}\n{most:?}\n{stream}");
        }
    }
}

#[test]
fn channels_are_as_full_over_time_as_the_simulator_sees() {
    for (_, stream) in small_streams() {
        for (cycles, clocks) in [(1_200, 4_000), (400, 333)] {
            agree_over_time(&sized(stream.clone(), cycles), clocks);
        }
    }
    agree_over_time(&sized(resnet8(), 5_500), 12_000);
}

#[test]
fn the_recurrence_is_what_the_simulator_sees() {
    for (name, stream) in small_streams() {
        for cycles in [1_200, 400] {
            let stream = sized(stream.clone(), cycles);
            let run = simulate(&stream, MOST_FRAMES).unwrap_or_else(|e| panic!("{name}, {cycles}: {e:?}"));
            agree(&stream, &measure(&stream).unwrap(), &run);
        }
    }
}

#[test]
fn resnet8_is_what_the_simulator_sees() {
    let stream = sized(resnet8(), 5_500);
    let run = simulate(&stream, MOST_FRAMES).unwrap();
    agree(&stream, &measure(&stream).unwrap(), &run);
}

/// Too little room in any one channel: both see the same interval, or both see it hang.
#[test]
fn the_recurrence_is_what_the_simulator_sees_where_depths_are_short() {
    for (name, stream) in small_streams() {
        let mut stream = sized(stream, 600);
        let channels: Vec<ChannelId> = stream.channels().collect();
        for channel in channels {
            let depth = stream.channel(channel).depth.unwrap();
            for depth in [depth - 1, depth / 2].into_iter().filter(|&depth| depth > 0) {
                let sized = stream.channel_mut(channel).depth.replace(depth);
                match (simulate(&stream, MOST_FRAMES), measure(&stream)) {
                    (Ok(run), Ok(timing)) => agree(&stream, &timing, &run),
                    (Err(Stop::Hangs(_)), Err(fault)) => assert!(fault.to_string().contains("fifo/hang")),
                    (run, timing) => panic!("{name}: {channel} of {depth}: {run:?}, {timing:?}\n{stream}"),
                }
                stream.channel_mut(channel).depth = sized;
            }
        }
    }
}
