//! `nonresc MODEL`: the passes over one model, then what was asked for: a report, a dump, files.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use nonresc_backends::out::{self, OutFile};
use nonresc_backends::{dot, schedule};
use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::{onnx, text};
use nonresc_passes::cost::{SkipReport, skip_report};
use nonresc_passes::design::{Design, NetworkDesign, Options, StreamDesign};
use nonresc_passes::device::Device;
use nonresc_passes::fifo::{FifoOptions, Mode};
use nonresc_passes::manager::{self, Checks};
use nonresc_passes::pass::{Pass, Property};
use nonresc_passes::plan::Request;
use nonresc_passes::table;
use nonresc_passes::target::{Rate, Target};

use super::model;
use crate::args::{Compile, Dump, Emit, Fifos, Format};
use crate::exit::Failure;
use crate::report;

/// Compiles the model.
///
/// # Errors
/// Refused models, plans and devices; flags that make no sense together.
pub(super) fn compile(args: &Compile) -> Result<(), Failure> {
    let passes = passes(args)?;
    let options = options(args)?;
    if let Some(dir) = &args.out {
        out::check(dir)?;
    }
    let path = args.model.as_deref().expect("the command line asks for a model");
    let loaded = model::load(path, &args.reading, &args.output)?;
    let mut dumps = Dumps::new(args.dump_ir.as_ref());
    let design = Design::Network(NetworkDesign::new(loaded.network));
    dumps.before(&design, passes.is_empty() || args.stop_after.is_none());
    let only_read = matches!(args.dump_ir, Some(Dump::Read)) && args.stop_after.is_none();
    let passes = if only_read && args.out.is_none() { &[] } else { passes };
    let mut analysed = None;
    let finished = manager::run(design, passes, &options, &Checks::default(), &mut |pass, design| {
        dumps.after(pass, design);
        if pass.gives.contains(&Property::SkipsKnown) {
            analysed = Some(design.source().clone());
        }
    })
    .map_err(|failed| failed.faults)?;
    if args.dump_ir == Some(Dump::Read) && args.stop_after.is_some() {
        dumps.text = finished.design.to_string();
    }
    let remarks = remarks(&loaded.notes, &finished.design);
    if args.timings {
        timings(&finished.timings)?;
    }
    let report = match (&finished.design, &analysed) {
        (Design::Stream(design), Some(analysed)) if design.binding.is_some() && args.dump_ir.is_none() => {
            Some(skip_report(analysed, design, &options))
        }
        _ => None,
    };
    let made = Made { args, options: &options, design: &finished.design, report, remarks };
    let printed = match &args.dump_ir {
        Some(_) => dumps.text,
        None => made.printed(path)?,
    };
    if let Some(dir) = &args.out {
        out::write(dir, &made.files()?)?;
    }
    Ok(io::stdout().lock().write_all(printed.as_bytes())?)
}

/// The passes to be run.
fn passes(args: &Compile) -> Result<&'static [&'static Pass], Failure> {
    let mut faults = Diagnostics::default();
    let passes = match &args.stop_after {
        None => table::FPGA,
        Some(name) => table::up_to(name).unwrap_or_else(|unknown| {
            faults.push(unknown);
            &[]
        }),
    };
    if let Some(Dump::After(name)) = &args.dump_ir {
        match table::up_to(name) {
            Err(unknown) => faults.push(unknown),
            Ok(until) if until.len() > passes.len() && faults.is_empty() => faults.push(Diagnostic::new(
                "usage/dump",
                format!("--dump-ir=after:{name}"),
                "the run stops before that pass",
                "name an earlier pass, or a later one with --stop-after",
            )),
            Ok(until) if args.out.is_none() => return faults.or(until).map_err(Failure::Usage),
            Ok(_) => {}
        }
    }
    faults.or(passes).map_err(Failure::Usage)
}

fn options(args: &Compile) -> Result<Options, Failure> {
    let device = device(&args.device)?;
    let skips = request(&args.skips)?;
    let mode = match args.fifos {
        Fifos::Exact => Mode::Exact,
        Fifos::WholeFrame => Mode::WholeFrame,
        Fifos::AllWholeFrame => Mode::AllWholeFrame,
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
        fifo: FifoOptions { mode, ..FifoOptions::default() },
    })
}

/// A known part, or the user's own file where the name ends like one.
fn device(name: &str) -> Result<Device, Failure> {
    if !Path::new(name).extension().is_some_and(|e| e.eq_ignore_ascii_case("toml")) {
        return Device::find(name).map_err(Failure::Usage);
    }
    let text = fs::read_to_string(name).map_err(|e| {
        Diagnostic::new(
            "device/file",
            format!("device file {name}"),
            e.to_string(),
            "give a file that can be read",
        )
    })?;
    Ok(Device::parse(&text, name)?)
}

/// `keep`, `remove`, a list, or a plan where the name ends like one.
fn request(skips: &str) -> Result<Request, Failure> {
    if !Path::new(skips).extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
        return Request::parse(skips).map_err(Failure::usage);
    }
    let text = fs::read_to_string(skips).map_err(|e| {
        Diagnostic::new(
            "plan/file",
            format!("plan {skips}"),
            e.to_string(),
            "give a plan.json that can be read",
        )
    })?;
    Ok(Request::from_json(&text)?)
}

/// What `--dump-ir` asks for, gathered as the passes run.
struct Dumps<'a> {
    wanted: Option<&'a Dump>,
    text: String,
}

impl<'a> Dumps<'a> {
    fn new(wanted: Option<&'a Dump>) -> Self {
        Dumps { wanted, text: String::new() }
    }

    fn before(&mut self, design: &Design, as_read: bool) {
        match self.wanted {
            Some(Dump::Read) if as_read => self.text = design.to_string(),
            Some(Dump::All) => self.headed("as read", design),
            _ => {}
        }
    }

    fn after(&mut self, pass: &Pass, design: &Design) {
        match self.wanted {
            Some(Dump::After(name)) if name == pass.name => self.text = design.to_string(),
            Some(Dump::All) => self.headed(&format!("after {}", pass.name), design),
            _ => {}
        }
    }

    fn headed(&mut self, when: &str, design: &Design) {
        let _ = write!(self.text, "# ==== {when}\n{design}\n");
    }
}

/// All remarks of a run, in the order in which they arose.
fn remarks(of_import: &[String], design: &Design) -> Vec<Diagnostic> {
    let import = of_import.iter().map(|note| Diagnostic::new("import/note", note, "", ""));
    let mut all: Vec<Diagnostic> = import.collect();
    all.extend(design.source().notes.iter().cloned());
    if let Some(stream) = design.stream() {
        all.extend(stream.stream.notes().iter().cloned());
    }
    all
}

fn timings(timings: &[manager::Timing]) -> io::Result<()> {
    let mut out = io::stderr().lock();
    for timing in timings {
        writeln!(out, "{:<10} {:>9.2} ms", timing.pass, timing.time.as_secs_f64() * 1e3)?;
    }
    Ok(())
}

/// What a run made.
struct Made<'a> {
    args: &'a Compile,
    options: &'a Options,
    design: &'a Design,
    report: Option<SkipReport>,
    remarks: Vec<Diagnostic>,
}

impl Made<'_> {
    fn printed(&self, path: &Path) -> Result<String, Failure> {
        match self.bound() {
            // Stopped early: what was reached is what there is to see.
            None => Ok(self.design.to_string()),
            Some(design) => match self.args.format {
                Format::Text => {
                    Ok(report::text(path, design, self.options, self.report.as_ref(), &self.remarks))
                }
                Format::Json => Ok(schedule::text(&self.schedule(design)?)),
            },
        }
    }

    fn bound(&self) -> Option<&StreamDesign> {
        self.design.stream().filter(|design| design.binding.is_some())
    }

    fn schedule(&self, design: &StreamDesign) -> Result<schedule::Schedule, Failure> {
        let mut schedule = schedule::schedule(design, self.options, self.report.as_ref())?;
        schedule.notes = self.remarks.iter().map(schedule::Note::from).collect();
        Ok(schedule)
    }

    /// The files of the output folder, as far as the run has come.
    fn files(&self) -> Result<Vec<OutFile>, Failure> {
        let wanted = |emit| self.args.emit.is_empty() || self.args.emit.contains(&emit);
        let mut files = Vec::new();
        let source = self.design.source();
        if let Some(planned) = &source.planned {
            files.push(OutFile { name: "plan.json", bytes: planned.plan.to_json().into_bytes() });
        }
        if wanted(Emit::Onnx) {
            files.push(OutFile { name: "float.onnx", bytes: onnx::export::export(&source.network)? });
        }
        if wanted(Emit::Nir) {
            files.push(OutFile { name: "network.nir", bytes: text::print(&source.network).into_bytes() });
            files.push(OutFile { name: "network.safetensors", bytes: text::weights(&source.network) });
        }
        if wanted(Emit::Dot) {
            let drawing = match self.design.stream() {
                Some(design) => dot::stream(&design.stream),
                None => dot::network(&source.network),
            };
            files.push(OutFile { name: "design.dot", bytes: drawing.into_bytes() });
        }
        if let Some(design) = self.bound().filter(|_| wanted(Emit::Schedule)) {
            files.push(schedule::file(&self.schedule(design)?));
        }
        Ok(files)
    }
}
