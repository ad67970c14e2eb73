//! Sizing of channels on the streams of ResNet8 and ResNet20: interval, bits, proofs, hangs.

use nonresc_ir::stream::Stream;
use nonresc_passes::device::Device;
use nonresc_passes::fifo::{Effort, FifoOptions, Mode, Sizing, measure, size};
use nonresc_passes::fold::fold;
use nonresc_passes::target::{Bits, Rate, Target};
use nonresc_tests::reference::simulator::simulate;
use nonresc_tests::streams::{resnet8, resnet20};

const MOST_FRAMES: u64 = 5_000;

/// The stream folded for so many cycles a frame on a KV260's part.
fn folded(mut stream: Stream, cycles: u32) -> (Stream, u64) {
    let device = Device::find("xck26").unwrap();
    let clock_mhz = device.clock_mhz;
    let rate = Rate::Fps(clock_mhz * 1e6 / f64::from(cycles));
    let target = Target { device, clock_mhz, rate, bits: Bits { weights: 8, activations: 8 }, seed: 0 };
    let folding = fold(&mut stream, &target).unwrap();
    (stream, folding.interval)
}

fn sized(stream: Stream, cycles: u32, options: &FifoOptions) -> (Stream, Sizing) {
    let (mut stream, interval) = folded(stream, cycles);
    let sizing = size(&mut stream, options).unwrap();
    assert_eq!((sizing.timing.interval_clocks, sizing.timing.interval_frames), (interval, 1));
    (stream, sizing)
}

fn bits(stream: &Stream) -> u64 {
    stream.channels().map(|c| stream.channel(c).word_bits() * stream.channel(c).depth.unwrap()).sum()
}

#[test]
fn channels_of_resnet8_and_resnet20_are_small_and_proven() {
    for (stream, cycles, most_bits) in
        [(resnet8(), 8_192, 81_000), (resnet8(), 5_500, 78_000), (resnet20(), 20_000, 243_000)]
    {
        let (stream, sizing) = sized(stream, cycles, &FifoOptions::default());
        assert!(bits(&stream) < most_bits, "{cycles}: {} bits", bits(&stream));
        let unproven: Vec<_> = sizing.channels.iter().filter(|d| !d.evidence.proven()).collect();
        assert!(unproven.is_empty(), "{unproven:?}");
        for depth in &sizing.channels {
            assert!(depth.peak_words <= depth.words, "{depth:?}");
        }
    }
}

#[test]
fn one_word_less_is_slower_or_hangs() {
    let (mut stream, sizing) = sized(resnet8(), 5_500, &FifoOptions::default());
    let interval = sizing.timing.interval();
    for depth in sizing.channels.iter().filter(|d| d.words > 1) {
        stream.channel_mut(depth.channel).depth = Some(depth.words - 1);
        let slower = measure(&stream).map_or(true, |timing| timing.interval() > interval);
        assert!(slower, "{depth:?}");
        stream.channel_mut(depth.channel).depth = Some(depth.words);
    }
}

/// As the simulator sees it; channels of all stages, those between the stages among them.
#[test]
fn one_word_less_of_resnet20_is_slower() {
    let (mut stream, sizing) = sized(resnet20(), 20_000, &FifoOptions::default());
    let interval = sizing.timing.interval_clocks;
    let run = simulate(&stream, MOST_FRAMES).unwrap();
    assert_eq!((run.clocks, run.frames), (interval, 1));
    assert_eq!(run.peaks, sizing.timing.peak_words);
    for depth in sizing.channels.iter().filter(|d| d.words > 1).skip(1).step_by(9) {
        stream.channel_mut(depth.channel).depth = Some(depth.words - 1);
        let shorter = simulate(&stream, MOST_FRAMES);
        let slower = shorter.map_or(true, |run| run.clocks > interval * run.frames);
        assert!(slower, "{depth:?}");
        stream.channel_mut(depth.channel).depth = Some(depth.words);
    }
}

#[test]
fn skips_run_with_their_least_words_and_hang_with_one_less() {
    let (mut stream, sizing) = sized(resnet8(), 5_500, &FifoOptions::default());
    let mut skips = 0;
    for depth in &sizing.channels {
        let Some(least) = depth.least_running_words else { continue };
        skips += 1;
        stream.channel_mut(depth.channel).depth = Some(least);
        assert!(measure(&stream).is_ok(), "{depth:?}");
        if least > 1 {
            stream.channel_mut(depth.channel).depth = Some(least - 1);
            let hang = measure(&stream).unwrap_err().to_string();
            assert!(hang.contains("error[fifo/hang]") && hang.contains("waits for a place"), "{hang}");
            assert!(hang.contains(&format!("{} from", depth.channel)), "{hang}");
        }
        stream.channel_mut(depth.channel).depth = Some(depth.words);
    }
    assert_eq!(skips, 3);
}

#[test]
fn baselines_hold_whole_frames() {
    let exact = bits(&sized(resnet8(), 5_500, &FifoOptions::default()).0);
    let options = |mode| FifoOptions { mode, ..FifoOptions::default() };
    let (skips, sizing) = sized(resnet8(), 5_500, &options(Mode::WholeFrame));
    for depth in &sizing.channels {
        let channel = skips.channel(depth.channel);
        if channel.skip.is_some() {
            assert!(depth.words >= channel.beats());
        }
    }
    let all = bits(&sized(resnet8(), 5_500, &options(Mode::AllWholeFrame)).0);
    assert!(exact < bits(&skips) && bits(&skips) < all, "{exact} {} {all}", bits(&skips));
}

fn with_effort(effort: Effort) -> FifoOptions {
    FifoOptions { effort, ..FifoOptions::default() }
}

#[test]
fn fast_effort_is_enough_and_no_less_than_the_least() {
    let (full, _) = sized(resnet20(), 20_000, &with_effort(Effort::Full));
    let (fast, sizing) = sized(resnet20(), 20_000, &with_effort(Effort::Fast));
    assert!(bits(&fast) > bits(&full));
    assert!(sizing.channels.iter().all(|d| !d.evidence.proven()));
    let run = simulate(&fast, MOST_FRAMES).unwrap();
    assert_eq!(run.clocks, sizing.timing.interval_clocks * run.frames);
}

#[test]
fn effort_is_full_where_events_are_few_and_else_fast() {
    let (full, all) = sized(resnet8(), 8_192, &with_effort(Effort::Full));
    assert!(all.channels.iter().all(|d| d.evidence.proven()));
    let (within, sizing) = sized(resnet8(), 8_192, &with_effort(Effort::Within(u64::MAX)));
    assert_eq!((bits(&within), sizing), (bits(&full), all));
    let (beyond, sizing) = sized(resnet8(), 8_192, &with_effort(Effort::Within(1)));
    let (fast, paced) = sized(resnet8(), 8_192, &with_effort(Effort::Fast));
    assert_eq!((bits(&beyond), sizing), (bits(&fast), paced));
}
