//! The report of a finished design: tables of at most 100 columns, every figure with its unit.
//!
//! Figures are those of the passes; what is computed here are shares and units alone.

pub mod explain;
mod skips;

use std::fmt::Write as _;
use std::path::Path;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::id::ActorId;
use nonresc_passes::area::Role;
use nonresc_passes::bind::Binding;
use nonresc_passes::cost::SkipReport;
use nonresc_passes::design::{Options, StreamDesign};
use nonresc_passes::fifo::{Evidence, Sizing};
use nonresc_passes::fold::{Decision, Folding};
use nonresc_passes::numerals::{grouped, kbit};
use nonresc_passes::width;

use crate::columns::{Columns, wrapped};

/// Most characters of a line.
const WIDTH: usize = 100;

/// The report of `design`, which was made of the model at `path`; nothing where the design is unfinished.
pub fn text(
    path: &Path,
    design: &StreamDesign,
    options: &Options,
    skips: Option<&SkipReport>,
    remarks: &[Diagnostic],
) -> String {
    let (Some(folding), Some(sizing), Some(binding)) = (&design.folding, &design.sizing, &design.binding)
    else {
        return String::new();
    };
    let mut out = String::new();
    headline(&mut out, path, design, options);
    resources(&mut out, binding);
    actors(&mut out, folding, sizing);
    channels(&mut out, design, sizing, binding);
    constants(&mut out, binding);
    if let Some(report) = skips {
        skips::section(&mut out, report);
    }
    let legend =
        "kbit: 1,000 bits; ~: an estimate; proof: whether one word less is known to be slower or to hang.";
    let _ = writeln!(out, "\n{legend}");
    for remark in remarks {
        note(&mut out, remark);
    }
    out
}

fn label(folding: &Folding, actor: ActorId) -> &str {
    folding.actors.iter().find(|d| d.actor == actor).map_or("", |d| &d.label)
}

fn headline(out: &mut String, path: &Path, design: &StreamDesign, options: &Options) {
    let (Some(folding), Some(sizing)) = (&design.folding, &design.sizing) else { return };
    let (target, timing) = (&options.target, &sizing.timing);
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let interval = match timing.interval_frames {
        1 => format!("a frame every {} cycles", grouped(timing.interval_clocks)),
        n => format!("{n} frames every {} cycles", grouped(timing.interval_clocks)),
    };
    let what = format!(
        "{name} on {} at {} MHz, {}, FIFOs {}",
        target.device.name,
        target.clock_mhz,
        width::usual(design, target.bits),
        options.fifo.mode.name()
    );
    out.push_str(&wrapped(&what, WIDTH, 2));
    let fps = target.fps(timing.interval());
    let rate = format!(
        "{} frames/s: {interval}, bound by {}",
        grouped(fps as u64),
        label(folding, folding.bottleneck)
    );
    out.push_str(&wrapped(&rate, WIDTH, 2));
    let first = timing.first_output();
    let last = timing.last_output();
    let _ = writeln!(
        out,
        "latency: first output in cycle {}, last in cycle {} ({:.1} us)",
        grouped(first),
        grouped(last),
        (last + 1) as f64 / target.clock_mhz
    );
    let share = 100.0 * folding.products as f64 / folding.slots.max(1) as f64;
    let _ = writeln!(
        out,
        "{} products a frame in {} product slots ({share:.1} %)",
        grouped(folding.products),
        grouped(folding.slots)
    );
}

fn resources(out: &mut String, binding: &Binding) {
    let (taken, have) = (binding.total, binding.device.limits);
    let mut table = Columns::new(["<resource", "taken", "of", "share"]);
    let mut row = |name: &str, taken: u64, have: Option<u64>| {
        let share = match have {
            Some(0) | None => String::new(),
            Some(have) => format!("{:.1} %", 100.0 * taken as f64 / have as f64),
        };
        table.row([name.to_string(), grouped(taken), have.map_or_else(String::new, grouped), share]);
    };
    row("LUT~", taken.luts, have.map(|l| l.luts));
    row("  as memory", taken.memory_luts, have.map(|l| l.memory_luts));
    row("FF~", taken.ffs, have.map(|l| l.ffs));
    row("DSP", taken.dsps, have.map(|l| l.dsps));
    row(binding.device.family.block_name(), taken.bram18, have.map(|l| l.bram18));
    if binding.device.family.uram().is_some() {
        row("URAM288", taken.urams, have.map(|l| l.urams));
    }
    let _ = write!(out, "\n{}", table.text(WIDTH));
    let b = &binding.bits;
    let _ = writeln!(
        out,
        "kbit: FIFOs {} (skips {}), line buffers {}, window registers {}, constants {}",
        kbit(b.fifo),
        kbit(b.skip),
        kbit(b.line_buffer),
        kbit(b.window + b.staging),
        kbit(b.constants)
    );
}

fn actors(out: &mut String, folding: &Folding, sizing: &Sizing) {
    let header = ["<actor", "<fold (SIMD x PE)", "lanes", "DSP", "cycles", "busy", "first", "last"];
    let mut table = Columns::new(header);
    for d in &folding.actors {
        let run = sizing.timing.run_of(d.actor);
        let clock = |clock: Option<u64>| clock.map_or_else(String::new, grouped);
        table.row([
            d.label.clone(),
            d.fold.clone(),
            format!("{}>{}", d.lanes_in, d.lanes_out),
            grouped(d.dsps),
            grouped(d.phases),
            busy(d, folding.interval),
            clock(run.map(|(first, _)| first)),
            clock(run.map(|(_, last)| last)),
        ]);
    }
    let _ = write!(out, "\n{}", table.text(WIDTH));
}

/// Products done of product slots where there are any, else cycles at work of all.
fn busy(d: &Decision, interval: u64) -> String {
    let (done, of) =
        if d.multipliers == 0 { (d.phases, interval) } else { (d.products, d.multipliers * interval) };
    format!("{:.0} %", 100.0 * done as f64 / of.max(1) as f64)
}

fn channels(out: &mut String, design: &StreamDesign, sizing: &Sizing, binding: &Binding) {
    let mut table =
        Columns::new(["<channel", "<use", "needed", "held", "bits", "kbit", "<made of", "<proof"]);
    for depth in &sizing.channels {
        let channel = design.stream.channel(depth.channel);
        let Some(bound) = binding.channel(depth.channel) else { continue };
        let used = match (channel.skip, bound.memory.role) {
            (Some(skip), _) => format!("skip {skip}"),
            (None, Role::LineBuffer(_)) => "lines".to_string(),
            (None, _) => "FIFO".to_string(),
        };
        let shape = bound.made_of.shape.map_or_else(String::new, |s| format!(" {}x{}", s.depth, s.width));
        let name =
            bound.label.split_once(": ").filter(|_| channel.skip.is_some()).map_or(&*bound.label, |l| l.1);
        table.row([
            name.to_string(),
            used,
            grouped(depth.words),
            grouped(bound.made_of.allocated_words),
            grouped(channel.word_bits()),
            kbit(depth.words * channel.word_bits()),
            format!("{} {}{shape}", bound.made_of.count, bound.made_of.primitive),
            proof(&depth.evidence).to_string(),
        ]);
    }
    let _ = write!(out, "\n{}", table.text(WIDTH));
}

fn proof(evidence: &Evidence) -> &'static str {
    match evidence {
        Evidence::Feasible => "feasible",
        Evidence::Chosen => "chosen",
        _ => "proven",
    }
}

/// Weights, biases and partial results: by primitive, since there are many.
fn constants(out: &mut String, binding: &Binding) {
    let mut table = Columns::new(["<memories of actors", "memories", "kbit", "LUT~", "BRAM18", "URAM288"]);
    for kind in ["weights", "biases", "partial results", "factors", "programs"] {
        let mut by: Vec<(String, [u64; 5])> = Vec::new();
        for bound in binding.memories.iter().filter(|b| b.memory.role.content() == kind) {
            let name = format!("{kind} in {}", bound.made_of.primitive);
            let usage = bound.made_of.usage;
            let figures = [1, bound.memory.bits(), usage.luts, usage.bram18, usage.urams];
            match by.iter_mut().find(|(other, _)| *other == name) {
                Some((_, sum)) => sum.iter_mut().zip(figures).for_each(|(s, f)| *s += f),
                None => by.push((name, figures)),
            }
        }
        for (name, [n, bits, luts, blocks, urams]) in by {
            table.row([name, grouped(n), kbit(bits), grouped(luts), grouped(blocks), grouped(urams)]);
        }
    }
    let _ = write!(out, "\n{}", table.text(WIDTH));
}

fn note(out: &mut String, remark: &Diagnostic) {
    let parts = [&remark.what, &remark.why, &remark.remedy];
    let said: Vec<&str> = parts.iter().map(|s| s.as_str()).filter(|s| !s.is_empty()).collect();
    out.push_str(&wrapped(&format!("note: {}", said.join("; ")), WIDTH, 6));
}
