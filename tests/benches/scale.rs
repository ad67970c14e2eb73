//! How the time of a whole compile grows with the network: chains of residual blocks, twice as long each.
//!
//!     cargo bench -p nonresc-tests --bench scale
//!
//! The exponent is that of time as a power of the length: 1 where twice the blocks take twice the time. Times are
//! the least of several runs, and printed, never asserted.

#![allow(missing_docs, reason = "a program")]
#![allow(clippy::print_stdout, reason = "a program that prints figures")]

use std::error::Error;
use std::time::Instant;

use nonresc_passes::cost::{Extent, skip_report};
use nonresc_passes::design::{Design, NetworkDesign, Options};
use nonresc_passes::fifo::{Effort, FifoOptions, Mode};
use nonresc_passes::manager::{self, Checks};
use nonresc_passes::pass::Property;
use nonresc_passes::table;
use nonresc_passes::target::Rate;
use nonresc_tests::networks::chain;
use nonresc_tests::target::unlimited;

const RUNS: usize = 5;

/// Cycles that a frame may take.
const CYCLES: u64 = 12_500;

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:>6} {:<6} {:>9} {:>9}  proven", "blocks", "effort", "ms", "exponent");
    for (effort, name) in [(Effort::Fast, "fast"), (Effort::Full, "full")] {
        let mut before = None;
        for blocks in [125, 250, 500, 1_000] {
            let network = NetworkDesign::new(chain(blocks));
            let (ms, proven) = best(&network, effort)?;
            let exponent = before.map_or(String::new(), |before: f64| format!("{:.2}", (ms / before).log2()));
            println!("{blocks:>6} {name:<6} {ms:>9.1} {exponent:>9}  {proven}");
            before = Some(ms);
        }
    }
    Ok(())
}

/// Milliseconds from the network to the report on skips, and how many channels are proven.
fn best(network: &NetworkDesign, effort: Effort) -> Result<(f64, String), Box<dyn Error>> {
    let fifo = FifoOptions { mode: Mode::Exact, effort, ..FifoOptions::default() };
    let options = Options { fifo, ..Options::of(unlimited(Rate::Cycles(CYCLES))) };
    let (mut best, mut proven) = (f64::MAX, String::new());
    for _ in 0..RUNS {
        let design = Design::Network(network.clone());
        let begin = Instant::now();
        let mut analysed = None;
        let run = manager::run(design, table::FPGA, &options, &Checks::default(), &mut |pass, design| {
            if pass.gives.contains(&Property::SkipsKnown) {
                analysed = Some(design.source().clone());
            }
        });
        let finished = run.map_err(|failed| failed.faults.to_string())?;
        let (Design::Stream(mut design), Some(analysed)) = (finished.design, analysed) else {
            return Err("the pipeline does not end with a stream".into());
        };
        let report = skip_report(&analysed, &mut design, &options, Extent::Fast);
        best = best.min(begin.elapsed().as_secs_f64() * 1e3);
        let depths = design.sizing.map_or(Vec::new(), |sizing| sizing.channels);
        let known = depths.iter().filter(|depth| depth.evidence.proven()).count();
        proven = format!("{known} of {}, {} rows", depths.len(), report.rows.len());
    }
    Ok((best, proven))
}
