//! How long exact sizing takes on the streams of ResNet8 and ResNet20: best of some runs, one thread.
//!
//!     cargo bench -p nonresc-tests --bench size

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::error::Error;
use std::time::Instant;

use nonresc_ir::stream::Stream;
use nonresc_passes::device::Device;
use nonresc_passes::fifo::{FifoOptions, Mode, size};
use nonresc_passes::fold::fold;
use nonresc_passes::target::{Bits, Rate, Target};
use nonresc_tests::streams::{resnet8, resnet20};

const RUNS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:<10} {:>8} {:<14} {:>8} {:>10}  proven", "stream", "cycles", "sizing", "ms", "bits");
    for (name, stream, cycles) in
        [("resnet8", resnet8(), 8_192), ("resnet8", resnet8(), 5_500), ("resnet20", resnet20(), 20_000)]
    {
        let (stream, interval) = folded(stream, cycles)?;
        for mode in [Mode::Exact, Mode::WholeFrame, Mode::AllWholeFrame] {
            let label = mode.name();
            let (ms, bits, proven) = best(&stream, mode)?;
            println!("{name:<10} {interval:>8} {label:<14} {ms:>8.1} {bits:>10}  {proven}");
        }
    }
    Ok(())
}

/// The stream folded for so many cycles a frame on a KV260's part, and the interval that it has.
fn folded(mut stream: Stream, cycles: u32) -> Result<(Stream, u64), Box<dyn Error>> {
    let device = Device::find("xck26").map_err(|faults| faults.to_string())?;
    let clock_mhz = device.clock_mhz;
    let rate = Rate::Fps(clock_mhz * 1e6 / f64::from(cycles));
    let target = Target { device, clock_mhz, rate, bits: Bits { weights: 8, activations: 8 }, seed: 0 };
    let folding = fold(&mut stream, &target).map_err(|faults| faults.to_string())?;
    Ok((stream, folding.interval))
}

/// Milliseconds, bits of all channels, and how many of them are proven.
fn best(stream: &Stream, mode: Mode) -> Result<(f64, u64, String), Box<dyn Error>> {
    let mut best = f64::MAX;
    let mut result = (0, String::new());
    for _ in 0..RUNS {
        let mut stream = stream.clone();
        let begin = Instant::now();
        let sizing = size(&mut stream, &FifoOptions { mode, ..FifoOptions::default() })
            .map_err(|faults| faults.to_string())?;
        best = best.min(begin.elapsed().as_secs_f64() * 1e3);
        let bits = sizing.channels.iter().map(|d| d.words * stream.channel(d.channel).word_bits()).sum();
        let proven = sizing.channels.iter().filter(|d| d.evidence.proven()).count();
        result = (bits, format!("{proven} of {}", sizing.channels.len()));
    }
    Ok((best, result.0, result.1))
}
