//! The design as hardware: its files, and its proof in simulation.

use std::io;
use std::path::Path;

use nonresc_backends::out::OutFile;
use nonresc_backends::rtl::{Bench, Trial, Verified, project};
use nonresc_backends::transient::Folder;
use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::network::Network;
use nonresc_passes::data::arrays;
use nonresc_passes::design::StreamDesign;
use nonresc_passes::engine::{Engine, Frames, Given};
use nonresc_passes::integers::{Rule, integers};
use nonresc_passes::target::Target;

use super::doing::doing;
use crate::columns::Columns;
use crate::exit::{self, Failure};

/// The files of `rtl/`.
///
/// # Errors
/// Networks of floats; actors without hardware.
pub(super) fn files(
    design: &StreamDesign,
    target: &Target,
    given: Option<&Given>,
) -> Result<Vec<OutFile>, Failure> {
    let integers = integers(&design.source.network, Rule::AsGiven)?;
    let rtl = project(&design.stream, &integers, design.binding.as_ref(), target, given)?;
    let file =
        |(name, text): (String, String)| OutFile { name: format!("rtl/{name}"), bytes: text.into_bytes() };
    Ok(rtl.files.into_iter().map(file).collect())
}

/// Simulates some frames of the design without stalls.
///
/// # Errors
/// What differs from the integer network or the schedule; as [`verify`].
pub(super) fn simulated(design: &StreamDesign, frames: usize, seed: u64) -> Result<Verified, Failure> {
    let folder = folder("verify/folder")?;
    let bench = built(design, &folder)?;
    let free = bench.run(Trial { frames, seed, stalled: false, reset: false })?;
    unequal(free.wrong.iter().map(|why| ("", why)))?;
    Ok(free)
}

/// A folder for the files of a tool; `code` is that of the fault.
///
/// # Errors
/// Where none can be made.
pub(super) fn folder(code: &'static str) -> Result<Folder, Diagnostic> {
    let fault =
        |e: io::Error| Diagnostic::new(code, "a temporary folder", e.to_string(), "make room, or set TMPDIR");
    Folder::new().map_err(fault)
}

fn built<'a>(design: &'a StreamDesign, folder: &'a Folder) -> Result<Bench<'a>, Failure> {
    let _building = doing("building the simulation with Verilator");
    let (stream, network) = (&design.stream, &design.source.network);
    Ok(Bench::build(stream, network, design.binding.as_ref(), folder.path(), None)?)
}

/// A fault for each difference: how it was simulated, and what differs.
fn unequal<'a>(wrong: impl Iterator<Item = (&'a str, &'a String)>) -> Result<(), Failure> {
    let mut faults = Diagnostics::default();
    for (how, why) in wrong {
        let what = format!("the simulated design{how}");
        faults.push(Diagnostic::new("verify/differs", what, why, "report this as a fault of nonresc"));
    }
    faults.or(()).map_err(Failure::Unverified)
}

/// The arrays that `--stimulus` names, which are inputs of the network.
///
/// # Errors
/// A file that cannot be read; arrays of other names or shapes.
pub(super) fn stimulus(file: &Path, network: &Network) -> Result<Given, Diagnostic> {
    let given = arrays::read(file)?;
    Frames::new(network, Engine::Plain)?.check(&given)?;
    Ok(given)
}

/// Simulates the design freely and with random stalls, on random codes or on what is given, and prints what was measured
/// beside the schedule.
///
/// # Errors
/// What differs; networks of floats; actors without hardware; a missing tool.
pub(super) fn verify(
    design: &StreamDesign,
    frames: usize,
    given: Option<&Given>,
    seed: u64,
) -> Result<(), Failure> {
    let folder = folder("verify/folder")?;
    let mut bench = built(design, &folder)?;
    if let Some(given) = given {
        bench.give(given)?;
    }
    let simulating = doing("simulating with Verilator");
    let free = bench.run(Trial { frames, seed, stalled: false, reset: false })?;
    let stalled = bench.run(Trial { frames, seed: seed ^ 1, stalled: true, reset: false })?;
    drop(simulating);
    let of = if given.is_some() { "frames of --stimulus" } else { "frames of random codes" };
    let told = exit::print(printed(design, of, &free, &stalled));
    let wrong =
        free.wrong.iter().map(|why| ("", why)).chain(stalled.wrong.iter().map(|why| (" with stalls", why)));
    // What is wrong is said also where nobody reads what was measured.
    unequal(wrong).and(told)
}

/// Cycles from a sink's phase to its beat at the pin, which stands behind a channel of one stage.
const TO_THE_PIN: u64 = 2;

fn printed(design: &StreamDesign, of: &str, free: &Verified, stalled: &Verified) -> String {
    let mut text = format!(
        "\nSimulated with Verilator: {} {of}, and {} with random stalls at all pins\n",
        free.frames, stalled.frames
    );
    let Some(sizing) = &design.sizing else { return text };
    text += &format!(
        "{} and {} numbers compared with the integer network, {} start times with the schedule: {}\n\n",
        free.numbers,
        stalled.numbers,
        free.starts,
        match free.wrong.len() + stalled.wrong.len() {
            0 => "all equal".to_owned(),
            n => format!("{n} faults"),
        }
    );
    let mut table = Columns::new(["<", "simulated", "schedule"]);
    let timing = &sizing.timing;
    let interval = free.interval.map_or_else(|| "-".to_owned(), |clocks| clocks.to_string());
    table.row(["cycles between frames".into(), interval, format!("{}", timing.interval())]);
    table.row([
        "first output, cycle".into(),
        free.latency.0.to_string(),
        (timing.first_output() + TO_THE_PIN).to_string(),
    ]);
    table.row([
        "last output, cycle".into(),
        free.latency.1.to_string(),
        (timing.last_output() + TO_THE_PIN).to_string(),
    ]);
    let deepest =
        |of: &dyn Fn(&nonresc_passes::fifo::Depth) -> u64| sizing.channels.iter().map(of).sum::<u64>();
    let peaks: u64 = free.peaks.iter().map(|peak| peak.1).sum();
    table.row([
        "fullest, words over all FIFOs".into(),
        peaks.to_string(),
        deepest(&|d| d.peak_words).to_string(),
    ]);
    text + &table.text(100)
}
