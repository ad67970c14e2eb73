//! `nonresc compare`: designs side by side, made here or read from what `--out` wrote.

use std::fs;
use std::path::{Path, PathBuf};

use nonresc_backends::rtl::Known;
use nonresc_backends::schedule;
use nonresc_ir::diagnostic::Diagnostic;
use nonresc_passes::bind::BindOptions;
use nonresc_passes::design::Options;
use nonresc_passes::numerals::{grouped, kbit};
use serde::Serialize;
use serde_json::Value;

use super::measured::{self, Measured};
use super::{model, options};
use crate::args::{Compare, Format, Synthesiser};
use crate::columns::Columns;
use crate::exit::{self, Failure};

/// One design.
#[derive(Debug, Serialize)]
struct Compared {
    /// The file that it was made of or read from.
    design: String,
    /// The plan for its skips, where it was made here.
    skips: Option<String>,
    /// How deep its FIFOs are, where it was made here.
    fifos: Option<&'static str>,
    interval_clocks: f64,
    last_output_clock: u64,
    frames_per_second: f64,
    fifo_bits: u64,
    line_buffer_bits: u64,
    register_bits: u64,
    bram18: u64,
    urams: u64,
    luts: u64,
    dsps: u64,
    /// What synthesis and simulation say, where they were asked for.
    measured: Option<Measured>,
}

/// Prints the designs.
///
/// # Errors
/// Refused models, plans and devices; files that are no schedule of this version.
pub(super) fn compare(args: &Compare) -> Result<(), Failure> {
    let (mut all, mut known) = (Vec::new(), Known::default());
    // Designs that are held against each other are made at one price of a block RAM.
    let mut bind = BindOptions::default();
    for path in &args.designs {
        if let Some(file) = written(path) {
            all.push(Compared::read(path, &file)?);
            continue;
        }
        for (fifos, skips) in args.fifos.iter().flat_map(|&f| args.skips.iter().map(move |s| (f, s))) {
            let options = Options { bind, ..options::options(&args.design, fifos, skips)? };
            let mode = options.fifo.mode.name();
            let made = options::designed(path, &args.reading, options, args.synth.is_some())?;
            let price = made.design.binding.as_ref().map(|binding| binding.block_price);
            bind.block_price = bind.block_price.or(price);
            let schedule = schedule::schedule(&made.design, &made.options, None, &[])?;
            let value = serde_json::to_value(&schedule).expect("strings, numbers and lists alone");
            let mut one = Compared::of(path, Some(skips), &value)?;
            one.fifos = Some(mode);
            if let Some(Synthesiser::Yosys) = args.synth {
                one.measured = Some(Measured::of(&made.design, &made.options.target, &mut known)?);
            }
            all.push(one);
        }
    }
    let text = match args.format {
        Format::Json => exit::document(&all),
        Format::Text => table(&all) + &measured::tables(&named(&all)),
    };
    exit::print(text)
}

/// The schedule that `path` is or holds; nothing for a model.
fn written(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return Some(path.join("schedule.json"));
    }
    model::ends_in(path, "json").then(|| path.to_path_buf())
}

impl Compared {
    fn read(path: &Path, file: &Path) -> Result<Compared, Failure> {
        let text = fs::read_to_string(file).map_err(|e| {
            Diagnostic::new(
                "compare/file",
                format!("schedule {}", file.display()),
                e.to_string(),
                "give a folder that --out wrote with a schedule.json, or a model",
            )
        })?;
        let value = serde_json::from_str(&text).map_err(|e| no_schedule(path, e.to_string()))?;
        Compared::of(path, None, &value)
    }

    /// The figures of a schedule.
    fn of(path: &Path, skips: Option<&str>, value: &Value) -> Result<Compared, Failure> {
        let fault = |why: String| no_schedule(path, why);
        if value["format"] != schedule::FORMAT {
            return Err(
                fault(format!("its format is {}, not \"{}\"", value["format"], schedule::FORMAT)).into()
            );
        }
        // A version that differs behind the point has more fields, and no other ones.
        let first = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
        let version = &value["version"];
        if version.as_str().map(first) != Some(first(schedule::VERSION)) {
            let reads = first(schedule::VERSION);
            return Err(fault(format!("its version is {version}, and this program reads {reads}.x")).into());
        }
        let number = |pointer: &str| {
            value
                .pointer(pointer)
                .and_then(Value::as_f64)
                .ok_or_else(|| fault(format!("it has no number at {pointer}")))
        };
        let whole = |pointer: &str| number(pointer).map(|n| n as u64);
        Ok(Compared {
            design: path.display().to_string(),
            skips: skips.map(str::to_string),
            fifos: None,
            measured: None,
            interval_clocks: number("/timing/interval_clocks")? / number("/timing/interval_frames")?,
            last_output_clock: whole("/timing/last_output_clock")?,
            frames_per_second: number("/timing/frames_per_second")?,
            fifo_bits: whole("/resources/fifo_bits")?,
            line_buffer_bits: whole("/resources/line_buffer_bits")?,
            register_bits: whole("/resources/window_bits")? + whole("/resources/staging_bits")?,
            bram18: whole("/resources/taken/bram18")?,
            urams: whole("/resources/taken/urams")?,
            luts: whole("/resources/taken/luts")?,
            dsps: whole("/resources/taken/dsps")?,
        })
    }
}

fn no_schedule(path: &Path, why: String) -> Diagnostic {
    let remedy = "write it anew with this version: nonresc MODEL --out DIR";
    Diagnostic::new("compare/schedule", format!("schedule {}", path.display()), why, remedy)
}

/// What was measured, with a name for each: what its designs differ in.
fn named(all: &[Compared]) -> Vec<([String; 3], &Measured)> {
    let name = |one: &Compared| {
        let skips = one.skips.clone().unwrap_or_default();
        [one.design.clone(), skips, one.fifos.unwrap_or_default().to_string()]
    };
    all.iter().filter_map(|one| Some((name(one), one.measured.as_ref()?))).collect()
}

fn table(all: &[Compared]) -> String {
    let mut table = Columns::new([
        "<design",
        "<skips",
        "<FIFOs",
        "cycles",
        "latency",
        "frames/s",
        "FIFO kbit",
        "line kbit",
        "reg kbit",
        "BRAM18",
        "URAM",
        "LUT~",
        "DSP",
    ]);
    for one in all {
        table.row([
            one.design.clone(),
            one.skips.clone().unwrap_or_else(|| "as written".into()),
            one.fifos.unwrap_or("as written").to_string(),
            grouped(one.interval_clocks.round() as u64),
            grouped(one.last_output_clock + 1),
            grouped(one.frames_per_second as u64),
            kbit(one.fifo_bits),
            kbit(one.line_buffer_bits),
            kbit(one.register_bits),
            grouped(one.bram18),
            grouped(one.urams),
            grouped(one.luts),
            grouped(one.dsps),
        ]);
    }
    table.text(100)
}
