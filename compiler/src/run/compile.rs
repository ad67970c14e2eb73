//! `nonresc MODEL`: the passes over one model, then what was asked for: a report, a dump, files.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use nonresc_backends::dot;
use nonresc_backends::out::{self, OutFile};
use nonresc_backends::page::{self, Content};
use nonresc_backends::schedule::{self, Schedule};
use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::{onnx, text};
use nonresc_passes::choose::choose;
use nonresc_passes::cost::{SkipReport, skip_report};
use nonresc_passes::design::{Design, NetworkDesign, Options, StreamDesign};
use nonresc_passes::distill::checkpoint::Checkpoint;
use nonresc_passes::distill::group::Group;
use nonresc_passes::distill::student::is_quantised;
use nonresc_passes::engine::Given;
use nonresc_passes::integers::has_codes;
use nonresc_passes::manager::{self, Checks, Finished};
use nonresc_passes::numerals::grouped;
use nonresc_passes::pass::Pass;
use nonresc_passes::table;

use super::doing::doing;
use super::retrain::{self, Retrained};
use super::verbose::Steps;
use super::{hardware, model, options, synthesis};
use crate::args::{Compile, Dump, Emit, Format, Synthesiser};
use crate::exit::{self, Failure};
use crate::report;

/// Compiles the model; of a group that trains together, the first process does what comes behind the training.
///
/// # Errors
/// Refused models, plans and devices; flags that make no sense together.
pub(super) fn compile(args: &Compile, group: &Group) -> Result<(), Failure> {
    let passes = passes(args)?;
    let whole = passes.len() == table::FPGA.len();
    of_hardware(args, whole)?;
    let mut options = options::options(&args.design, args.depths.fifos, &args.skips)?;
    if group.is_first() {
        writable(args)?;
    }
    let path = args.model.as_deref().expect("the command line asks for a model");
    let mut steps = Steps::new();
    let loaded = model::load(path, &args.reading, &args.output)?;
    steps.read(&loaded.network);
    let asked = args.emit.contains(&Emit::Systemverilog) || args.hardware.runs_tools();
    if whole && asked && !args.retrain.retrain {
        has_codes(&loaded.network)?;
    }
    let stimulus = args.hardware.stimulus.as_deref().map(|file| hardware::stimulus(file, &loaded.network));
    let stimulus = stimulus.transpose()?;
    let mut dumps = Dumps::new(args.dump_ir.as_ref());
    let design = Design::Network(NetworkDesign::new(loaded.network));
    dumps.before(&design, args.stop_after.is_none());
    let (analysing, others) = options::around_plan(passes);
    let mut run = |design, passes, options: &Options, steps: &mut Steps| {
        let finished = manager::run(design, passes, options, &Checks::default(), &mut |pass, design| {
            steps.pass(pass, design);
            dumps.after(pass, design);
        });
        finished.map_err(|failed| failed.faults)
    };
    let Finished { mut design, mut timings } = run(design, analysing, &options, &mut steps)?;
    let mut analysed = design.source().clone();
    let mut retrained = None;
    if !others.is_empty() {
        options.skips = choose(&analysed, &options)?;
        steps.done("choose", || "the rewrite of each skip".into());
        if args.retrain.retrain {
            retrained = Some(retrain::retrain(args, &mut analysed, &mut options, group)?);
            design = Design::Network(analysed.clone());
            steps.done("retrain", || "the layers hold what they learned".into());
        }
        let planned = run(design, others, &options, &mut steps)?;
        design = planned.design;
        timings.extend(planned.timings);
    }
    if !group.is_first() {
        return Ok(());
    }
    if args.dump_ir == Some(Dump::Read) && args.stop_after.is_some() {
        dumps.text = design.to_string();
    }
    let mut remarks = remarks(&loaded.notes, &design);
    remarks.extend(retrained.iter().flat_map(|made| made.remarks.clone()));
    if args.timings {
        print_timings(&timings);
    }
    let mut report = match &mut design {
        Design::Stream(design) if design.binding.is_some() && args.dump_ir.is_none() => {
            let _designing = doing("designing with other skips");
            Some(skip_report(&analysed, design, &options, args.report.into()))
        }
        _ => None,
    };
    if let (Some(report), Some(made)) = (&mut report, &retrained) {
        made.tell(report);
    }
    if let Some(report) = &report {
        steps.done("skips", || {
            format!("{} rows of whole designs, and depths of each skip", report.rows.len())
        });
    }
    let in_codes = retrained.as_ref().filter(|_| whole).and_then(|made| made.in_codes(&options));
    let in_codes = in_codes.map(|(network, options)| {
        options::run(Design::Network(NetworkDesign::new(network)), table::FPGA, &options, &mut steps)
    });
    let in_codes = in_codes.transpose()?;
    let networks = Networks { given: &analysed, rewritten: design.source() };
    let finished = in_codes.as_ref().unwrap_or(&design);
    let made = Made::new((args, &options), networks, finished, retrained, (report, remarks))?;
    let printed = match &args.dump_ir {
        Some(_) => dumps.text.into(),
        None => made.printed(path),
    };
    if let Some(dir) = &args.out {
        let files = made.files(stimulus.as_ref())?;
        out::write(dir, &files)?;
        steps.done("write", || {
            let size: usize = files.iter().map(|file| file.bytes.len()).sum();
            format!("{} files, {} bytes, in {}", files.len(), grouped(size as u64), dir.display())
        });
    }
    match args.hardware.verify {
        Some(_) => exit::print_ahead_of_proof(&*printed)?,
        None => exit::print(&*printed)?,
    }
    if let (Some(frames), Some(design)) = (args.hardware.verify, made.bound()) {
        hardware::verify(design, frames as usize, stimulus.as_ref(), options.target.seed)?;
    }
    if let (Some(Synthesiser::Yosys), Some(design)) = (args.hardware.synth, made.bound()) {
        synthesis::synthesise(design)?;
    }
    Ok(())
}

/// Looks whether the output folder and the checkpoints can be written, before the work.
fn writable(args: &Compile) -> Result<(), Failure> {
    let trains = &args.retrain;
    if let Some(dir) = &args.out {
        let read = [&args.model, &trains.data, &trains.test, &trains.teacher, &trains.checkpoint];
        let read: Vec<&Path> = read.into_iter().flatten().map(PathBuf::as_path).collect();
        out::check(dir, &read)?;
    }
    for checkpoint in trains.checkpoints().into_iter().flatten() {
        Checkpoint::check(&checkpoint)?;
    }
    Ok(())
}

/// Looks whether what is asked of the hardware can be done in a run of these flags; `whole` says that it ends in a
/// design.
fn of_hardware(args: &Compile, whole: bool) -> Result<(), Failure> {
    let hardware = &args.hardware;
    if hardware.stimulus.is_some() && hardware.verify.is_none() && args.out.is_none() {
        return Err(Failure::usage(Diagnostic::new(
            "usage/stimulus",
            "--stimulus",
            "nothing is simulated, and no testbench is written",
            "add --verify, --out, or both",
        )));
    }
    if hardware.runs_tools() && !whole {
        return Err(Failure::usage(Diagnostic::new(
            "usage/hardware",
            "--verify or --synth",
            "the run stops before its last pass, so there is no design",
            "leave out --stop-after and --dump-ir",
        )));
    }
    Ok(())
}

/// The passes to be run.
fn passes(args: &Compile) -> Result<&'static [&'static Pass], Failure> {
    let mut faults = Diagnostics::default();
    let passes: &[&Pass] = match &args.stop_after {
        // The network as read is all that is asked for.
        None if args.dump_ir == Some(Dump::Read) && args.out.is_none() => &[],
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

fn print_timings(timings: &[manager::Timing]) {
    for timing in timings {
        exit::tell(format!("{:<10} {:>9.2} ms\n", timing.pass, timing.time.as_secs_f64() * 1e3));
    }
}

/// A network on its way to a design.
#[derive(Clone, Copy)]
struct Networks<'a> {
    /// As it was given, its skips known.
    given: &'a NetworkDesign,
    /// With its skips rewritten, before a retrained one was put in codes.
    rewritten: &'a NetworkDesign,
}

/// What a run made.
struct Made<'a> {
    networks: Networks<'a>,
    retrained: Option<Retrained>,
    args: &'a Compile,
    options: &'a Options,
    design: &'a Design,
    report: Option<SkipReport>,
    remarks: Vec<Diagnostic>,
    /// What `schedule.json` says, where it is printed or written, or a page is made of it.
    schedule: Option<Schedule>,
    /// The same as text, once it is asked for.
    schedule_text: OnceCell<String>,
}

impl<'a> Made<'a> {
    fn new(
        (args, options): (&'a Compile, &'a Options),
        networks: Networks<'a>,
        design: &'a Design,
        retrained: Option<Retrained>,
        (report, remarks): (Option<SkipReport>, Vec<Diagnostic>),
    ) -> Result<Self, Failure> {
        let (schedule, schedule_text) = (None, OnceCell::new());
        let mut made =
            Made { args, options, networks, retrained, design, report, remarks, schedule, schedule_text };
        let printed = args.format == Format::Json && args.dump_ir.is_none();
        if let Some(design) = made.bound()
            && (printed || made.wanted(Emit::Schedule) || made.wanted(Emit::Html))
        {
            made.schedule = Some(schedule::schedule(design, options, made.report.as_ref(), &made.remarks)?);
        }
        Ok(made)
    }

    fn bound(&self) -> Option<&'a StreamDesign> {
        self.design.stream().filter(|design| design.binding.is_some())
    }

    /// Whether this output is to be written.
    fn wanted(&self, emit: Emit) -> bool {
        self.args.out.is_some() && (self.args.emit.is_empty() || self.args.emit.contains(&emit))
    }

    fn schedule_text(&self) -> Option<&str> {
        let schedule = self.schedule.as_ref()?;
        Some(self.schedule_text.get_or_init(|| schedule::text(schedule)))
    }

    fn printed(&self, path: &Path) -> Cow<'_, str> {
        match (self.bound(), self.args.format) {
            // Stopped early: what was reached is what there is to see.
            (None, _) => self.design.to_string().into(),
            (Some(_), Format::Json) => self.schedule_text().unwrap_or_default().into(),
            (Some(design), Format::Text) => {
                report::text(path, design, self.options, self.report.as_ref(), &self.remarks).into()
            }
        }
    }

    /// The files of the output folder, as far as the run has come.
    fn files(&self, stimulus: Option<&Given>) -> Result<Vec<OutFile>, Failure> {
        let mut files = Vec::new();
        let mut file = |name: &str, bytes| files.push(OutFile { name: name.to_owned(), bytes });
        let source = self.design.source();
        if let Some(planned) = &self.networks.rewritten.planned {
            file("plan.json", planned.plan.to_json().into_bytes());
        }
        if self.wanted(Emit::Onnx) {
            let planned = &self.networks.rewritten.network;
            let name = if is_quantised(planned) { "quantised.onnx" } else { "float.onnx" };
            file(name, onnx::export::export(planned)?);
            if self.retrained.as_ref().is_some_and(|made| made.quantised.is_some()) {
                file("quantised.onnx", onnx::export::export(&source.network)?);
            }
        }
        for (name, history) in self.retrained.iter().flat_map(|made| &made.histories) {
            file(&format!("{name}.json"), history.to_json().into_bytes());
            file(&format!("{name}.csv"), history.to_csv().into_bytes());
            file(&format!("{name}.svg"), history.svg().into_bytes());
        }
        if self.wanted(Emit::Nir) {
            file("network.nir", text::print(&source.network).into_bytes());
            file("network.safetensors", text::weights(&source.network));
        }
        if self.wanted(Emit::Dot) {
            let drawing = match self.design.stream() {
                Some(design) => dot::stream(&design.stream),
                None => dot::network(&source.network),
            };
            file("design.dot", drawing.into_bytes());
        }
        if let Some(text) = self.schedule_text().filter(|_| self.wanted(Emit::Schedule)) {
            file("schedule.json", text.into());
        }
        if let Some(page) = self.page()? {
            file("report.html", page.into_bytes());
        }
        if self.args.emit.contains(&Emit::Gradients) {
            files.extend(retrain::step(
                &self.args.retrain,
                &self.networks.rewritten.network,
                self.retrained.as_ref(),
            )?);
        }
        if let Some(design) = self.bound().filter(|_| self.wanted(Emit::Systemverilog)) {
            let asked = self.args.emit.contains(&Emit::Systemverilog);
            match hardware::files(design, &self.options.target, stimulus) {
                Ok(hardware) => files.extend(hardware),
                Err(Failure::Refused(faults)) if !asked => {
                    let whys: Vec<String> = faults.iter().map(|d| format!("{}: {}", d.what, d.why)).collect();
                    exit::remark(&[format!("no rtl/ is written: {}", whys.join("; "))]);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(files)
    }

    /// The report as a page, where it is wanted and the run has come so far.
    fn page(&self) -> Result<Option<String>, Failure> {
        let (Some(design), Some(schedule), true) = (self.bound(), &self.schedule, self.wanted(Emit::Html))
        else {
            return Ok(None);
        };
        let Networks { given, rewritten } = self.networks;
        let model =
            self.args.model.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let content = Content {
            model: &model,
            schedule,
            design,
            given,
            plan: rewritten.planned.as_ref().map(|planned| &planned.plan),
            trainings: self.retrained.as_ref().map_or(&[], |made| &made.histories),
        };
        Ok(Some(page::page(&content)?))
    }
}
