//! From flags to the passes' options, and from a model to a design, for every command that makes designs.

use std::fs;
use std::path::Path;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_passes::bind::BindOptions;
use nonresc_passes::choose::choose;
use nonresc_passes::design::{Design, NetworkDesign, Options, StreamDesign};
use nonresc_passes::device::Device;
use nonresc_passes::fifo::{self, FifoOptions, Mode};
use nonresc_passes::integers::has_codes;
use nonresc_passes::manager::{self, Checks};
use nonresc_passes::pass::{Pass, Property};
use nonresc_passes::plan::Request;
use nonresc_passes::table;
use nonresc_passes::target::{Rate, Target};

use super::model;
use super::verbose::Steps;
use crate::args::{self, Effort, Fifos, Reading};
use crate::exit::Failure;

/// The passes' options for these flags.
///
/// # Errors
/// Devices that are not known, files that cannot be read, plans that say nothing that can be understood.
pub(super) fn options(args: &args::Design, fifos: Fifos, skips: &str) -> Result<Options, Failure> {
    let device = device(&args.device)?;
    let skips = request(skips)?;
    let mode = match fifos {
        Fifos::Exact => Mode::Exact,
        Fifos::WholeFrame => Mode::WholeFrame,
        Fifos::AllWholeFrame => Mode::AllWholeFrame,
    };
    let effort = match args.effort {
        Some(Effort::Fast) => fifo::Effort::Fast,
        Some(Effort::Full) => fifo::Effort::Full,
        None => fifo::Effort::DESIGN,
    };
    Ok(Options {
        target: Target {
            clock_mhz: args.clock.unwrap_or(device.clock_mhz),
            device,
            rate: args.fps.map_or(Rate::Fastest, Rate::Fps),
            bits: args.bits,
            seed: args.seed,
        },
        skips,
        trained: None,
        fifo: FifoOptions { mode, effort, ..FifoOptions::default() },
        bind: BindOptions::default(),
    })
}

/// A known part, or the user's own file where the name ends like one.
fn device(name: &str) -> Result<Device, Failure> {
    if !model::ends_in(name, "toml") {
        return Device::find(name).map_err(Failure::Usage);
    }
    let text = file_text(name, "device/file", "device file", "give a file that can be read")?;
    Ok(Device::parse(&text, name)?)
}

/// `keep`, `remove`, a list, or a plan where the name ends like one.
///
/// # Errors
/// Files that cannot be read, plans that say nothing that can be understood.
pub(super) fn request(skips: &str) -> Result<Request, Failure> {
    if !model::ends_in(skips, "json") {
        return Request::parse(skips).map_err(Failure::usage);
    }
    let text = file_text(skips, "plan/file", "plan", "give a plan.json that can be read")?;
    Ok(Request::from_json(&text)?)
}

fn file_text(name: &str, code: &'static str, what: &str, remedy: &str) -> Result<String, Diagnostic> {
    fs::read_to_string(name)
        .map_err(|e| Diagnostic::new(code, format!("{what} {name}"), e.to_string(), remedy))
}

/// The passes up to the plan, which is made by the first of the others.
pub(super) fn around_plan(
    passes: &'static [&'static Pass],
) -> (&'static [&'static Pass], &'static [&'static Pass]) {
    let plan = passes.iter().position(|pass| pass.gives.contains(&Property::Planned));
    passes.split_at(plan.unwrap_or(passes.len()))
}

/// A finished design, the network that it was made of, and the options that it was made with.
pub(super) struct Designed {
    /// The network with its skips known and no plan yet.
    pub(super) analysed: NetworkDesign,
    /// The design.
    pub(super) design: StreamDesign,
    /// The options, every choice made.
    pub(super) options: Options,
}

/// The design of a model; `in_codes` where tools are to run over it.
///
/// # Errors
/// Refused models, plans and devices; networks of floats where codes are needed.
pub(super) fn designed(
    path: &Path,
    reading: &Reading,
    options: Options,
    in_codes: bool,
) -> Result<Designed, Failure> {
    let mut steps = Steps::new();
    let loaded = model::load(path, reading, &[])?;
    steps.read(&loaded.network);
    if in_codes {
        has_codes(&loaded.network)?;
    }
    let (analysing, others) = around_plan(table::FPGA);
    let analysed = run(Design::Network(NetworkDesign::new(loaded.network)), analysing, &options, &mut steps)?;
    let analysed = analysed.source().clone();
    let skips = choose(&analysed, &options)?;
    let options = Options { skips, ..options };
    match run(Design::Network(analysed.clone()), others, &options, &mut steps)? {
        Design::Stream(design) => Ok(Designed { analysed, design, options }),
        Design::Network(_) => unreachable!("the pipeline ends on the stream level"),
    }
}

/// Runs passes over a design, and tells of each.
///
/// # Errors
/// What they refuse.
pub(super) fn run(
    design: Design,
    passes: &'static [&'static Pass],
    options: &Options,
    steps: &mut Steps,
) -> Result<Design, Failure> {
    let finished = manager::run(design, passes, options, &Checks::default(), &mut |pass, design| {
        steps.pass(pass, design);
    });
    Ok(finished.map_err(|failed| failed.faults)?.design)
}
