//! Designs of quantised networks, simulated and held against integers and schedule.

use std::path::{Path, PathBuf};

use nonresc_backends::rtl::{Bench, Trial, Verified, rtl};
use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::network::Network;
use nonresc_ir::stream::Kind;
use nonresc_passes::arithmetic;
use nonresc_passes::choose::choose;
use nonresc_passes::design::{Design, NetworkDesign, Options, StreamDesign};
use nonresc_passes::device::{Device, Family};
use nonresc_passes::manager::{self, Checks};
use nonresc_passes::pass::Property;
use nonresc_passes::plan::Request;
use nonresc_passes::table;
use nonresc_passes::target::{Rate, Target};

use crate::quantised::{options, quantised};
use crate::target::unlimited;
use crate::{random, stalled};

/// The design of a network under a plan, as fast as it may be or for so many frames a second at 100 MHz.
///
/// # Errors
/// What the passes refuse.
///
/// # Panics
/// With a plan that says nothing that can be understood.
pub fn designed(network: &Network, plan: &str, rate: Rate) -> Result<StreamDesign, Diagnostics> {
    designed_for(network, plan, unlimited(rate))
}

/// The design of a network under a plan, for a target.
///
/// # Errors
/// What the passes refuse.
///
/// # Panics
/// With a plan that says nothing that can be understood.
pub fn designed_for(network: &Network, plan: &str, target: Target) -> Result<StreamDesign, Diagnostics> {
    let skips = Request::parse(plan).unwrap();
    let options = Options { skips, ..Options::of(target) };
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

/// The design that the figures of a family are held against: a random quantised network, one of several plans, slow or
/// slower, on a device of that family that has enough of everything; nothing where there is no hardware for it.
///
/// # Panics
/// Where the device's own text is not understood.
pub fn counted(seed: u64, family: Family) -> Option<StreamDesign> {
    let network = quantised(&random::network(seed), &options(seed, None))?;
    let plan = ["keep", "reuse", "keep", "remove"][(seed / 2 % 4) as usize];
    let cycles = if seed.is_multiple_of(2) { 3_000.0 } else { 20_000.0 };
    let text = format!(
        "name = \"enough\"\nfamily = \"{}\"\nluts = 400000\nmemory_luts = 200000\nffs = 800000\ndsps = 10000\n\
         bram18 = 4000\nclock_mhz = 100\n",
        family.name()
    );
    let device = Device::parse(&text, "enough.toml").unwrap();
    let target = Target { device, ..unlimited(Rate::Fps(100e6 / cycles)) };
    let design = designed_for(&network, plan, target).ok()?;
    let numbers = arithmetic::of_network(&design.stream, &design.source.network)?;
    rtl(&design.stream, &numbers, design.binding.as_ref()).ok()?;
    Some(design)
}

/// Where Verilator's library is kept from one simulator to the next.
fn library() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/verilated");
    let folder =
        std::env::var_os("CARGO_TARGET_DIR").map_or(folder, |target| Path::new(&target).join("verilated"));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The simulator of a design, in a folder of its own; its memories as bound, or of any depth.
///
/// # Errors
/// Actors without hardware.
pub fn bench<'a>(design: &'a StreamDesign, folder: &Path, bound: bool) -> Result<Bench<'a>, Diagnostics> {
    let bound = design.binding.as_ref().filter(|_| bound);
    Bench::build(&design.stream, &design.source.network, bound, folder, Some(&library()))
}

/// Everything that is wrong with a design in simulation: running freely, with random stalls, reset in the middle of a
/// frame. Of the first, numbers, start times, the interval and how full channels get; of the others, numbers.
///
/// # Errors
/// Actors without hardware.
///
/// # Panics
/// Where there is no room for a temporary folder.
pub fn faults(design: &StreamDesign, frames: usize) -> Result<(Verified, Vec<String>), Diagnostics> {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench(design, folder.path(), true)?;
    let free = bench.run(Trial { frames, seed: 1, stalled: false, reset: false })?;
    let mut wrong = free.wrong.clone();
    let sizing = design.sizing.as_ref().unwrap();
    if sizing.timing.settled_after.is_some_and(|settled| settled + 2 <= frames as u64) {
        let interval = free.interval.unwrap();
        if interval as f64 != sizing.timing.interval() {
            wrong.push(format!("the interval is {interval} and not {}", sizing.timing.interval()));
        }
    }
    for (depth, &(id, peak)) in sizing.channels.iter().zip(&free.peaks) {
        assert_eq!(depth.channel, id);
        if peak > depth.peak_words {
            wrong.push(format!("{id} holds {peak} words and not {}", depth.peak_words));
        }
    }
    let pins = design
        .stream
        .actors()
        .filter(|&id| matches!(design.stream.actor(id).kind, Kind::Source(_) | Kind::Sink(_)));
    if pins.count() == 2 {
        let seen = bench.observe(Trial { frames, seed: 7, stalled: true, reset: false })?;
        let (compared, differs) = stalled::differs(&design.stream, frames, &seen);
        assert!(compared > 0);
        wrong.extend(differs.map(|why| format!("with stalls: {why}")));
    }
    for (seed, stalled) in [(2, true), (3, false), (4, true)] {
        let found = bench.run(Trial { frames, seed, stalled, reset: !stalled })?;
        wrong.extend(found.wrong.iter().map(|why| format!("seed {seed}, stalled {stalled}: {why}")));
    }
    Ok((free, wrong))
}

/// For each skip, by its number: the cycles between frames in simulation where its FIFO has a word less; nothing where not
/// all of the frames come out.
///
/// # Errors
/// Actors without hardware.
///
/// # Panics
/// Where numbers differ, or a simulation stops whose frames all come out.
pub fn with_shorter_skips(
    design: &StreamDesign,
    frames: usize,
) -> Result<Vec<(usize, Option<u64>)>, Diagnostics> {
    let skip_of = |id| Some((id, design.stream.channel(id).skip?));
    let skips: Vec<_> = design.stream.channels().filter_map(skip_of).collect();
    let shorter = skips.iter().map(|&(id, skip)| {
        let mut stream = design.stream.clone();
        let depth = stream.channel(id).depth.unwrap();
        stream.channel_mut(id).depth = Some(depth - 1);
        (skip, stream)
    });
    let shorter: Vec<_> = shorter.collect();
    let folder = tempfile::tempdir().unwrap();
    let mut bench = bench(design, folder.path(), false)?;
    let mut all = Vec::new();
    for (skip, stream) in &shorter {
        bench = bench.with_depths(stream)?.expect("a word less changes no width");
        let interval = match bench.run(Trial { frames, seed: 5, stalled: false, reset: false }) {
            // The schedule says that it hangs.
            Err(_) => {
                assert!(bench.frames_out(frames)? < frames);
                None
            }
            Ok(found) => {
                assert_eq!(found.wrong, Vec::<String>::new());
                found.interval
            }
        };
        all.push((*skip, interval));
    }
    Ok(all)
}
