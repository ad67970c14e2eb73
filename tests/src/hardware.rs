//! Designs of quantised networks, simulated and held against integers and schedule.

use nonresc_backends::rtl::{Bench, Trial, Verified};
use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::network::Network;
use nonresc_passes::choose::choose;
use nonresc_passes::design::{Design, NetworkDesign, Options, StreamDesign};
use nonresc_passes::fifo::FifoOptions;
use nonresc_passes::manager::{self, Checks};
use nonresc_passes::pass::Property;
use nonresc_passes::plan::Request;
use nonresc_passes::table;
use nonresc_passes::target::Rate;

use crate::target::unlimited;

/// The design of a network under a plan, as fast as it may be or for so many frames a second at 100 MHz.
///
/// # Errors
/// What the passes refuse.
///
/// # Panics
/// With a plan that says nothing that can be understood.
pub fn designed(network: &Network, plan: &str, rate: Rate) -> Result<StreamDesign, Diagnostics> {
    let skips = Request::parse(plan).unwrap();
    let options = Options { target: unlimited(rate), skips, fifo: FifoOptions::default() };
    let run = |design, passes, options: &Options| {
        let finished = manager::run(design, passes, options, &Checks::default(), &mut |_, _| {});
        finished.map(|finished| finished.design).map_err(|failed| failed.faults)
    };
    let plan = table::FPGA.iter().position(|pass| pass.gives.contains(&Property::Planned)).unwrap();
    let (analysing, others) = table::FPGA.split_at(plan);
    let analysed = run(Design::Network(NetworkDesign::new(network.clone())), analysing, &options)?;
    let skips = choose(analysed.source(), &options)?;
    let options = Options { skips, ..options };
    match run(analysed, others, &options)? {
        Design::Stream(design) => Ok(design),
        Design::Network(_) => unreachable!("the pipeline ends on the stream level"),
    }
}

/// Simulates a design in all ways: free and stalled, and reset in the middle of a frame; everything that was wrong.
///
/// # Errors
/// Actors without hardware.
///
/// # Panics
/// Where there is no room for a temporary folder.
pub fn proven(design: &StreamDesign, frames: usize) -> Result<Vec<Verified>, Diagnostics> {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::build(&design.stream, &design.source.network, folder.path())?;
    let trial = |seed, stalled, reset| bench.run(Trial { frames, seed, stalled, reset });
    Ok(vec![trial(1, false, false)?, trial(2, true, false)?, trial(3, false, true)?])
}
