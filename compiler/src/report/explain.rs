//! One skip in words: where it goes, what its channels hold and why not less, and what each rewrite would do with it.

use std::fmt::Write as _;
use std::path::Path;

use nonresc_passes::bind::actor_label;
use nonresc_passes::cost::{self, Row};
use nonresc_passes::design::{NetworkDesign, Options, StreamDesign};
use nonresc_passes::fifo::{self, Depth};
use nonresc_passes::numerals::grouped;
use nonresc_passes::plan::Rewrite;
use nonresc_passes::residual::Skip;
use nonresc_passes::width::late_quantiser;

use super::WIDTH;
use super::skips::taken;
use crate::columns::{Columns, wrapped};

/// The explanation of `skip` of `analysed`, of which `design` keeps all skips; `rows` are its rewrites.
pub fn text(
    path: &Path,
    analysed: &NetworkDesign,
    design: &StreamDesign,
    options: &Options,
    skip: &Skip,
    rows: &[(Rewrite, Result<Row, String>)],
) -> String {
    let mut out = String::new();
    let source = &analysed.network.node(skip.source.node).names;
    let head = format!(
        "Skip {} of {}: {}, from \"{source}\" to \"{}\"; {} on it, {} beside it.",
        skip.label,
        path.file_name().unwrap_or(path.as_os_str()).to_string_lossy(),
        skip.shape,
        skip.names,
        convolutions(skip.skip_convolutions),
        convolutions(skip.convolutions),
    );
    out.push_str(&wrapped(&head, WIDTH, 2));
    if let Some(sizing) = &design.sizing {
        let of_skip = |depth: &&Depth| design.stream.channel(depth.channel).skip == Some(skip.number);
        for depth in sizing.channels.iter().filter(of_skip) {
            channel(&mut out, design, depth);
        }
    }
    rewrites(&mut out, design, options, rows);
    out
}

fn convolutions(n: usize) -> String {
    match n {
        0 => "no convolution".into(),
        1 => "1 convolution".into(),
        n => format!("{n} convolutions"),
    }
}

fn channel(out: &mut String, design: &StreamDesign, depth: &Depth) {
    let c = design.stream.channel(depth.channel);
    let readers: Vec<String> = c.readers.iter().map(|r| actor_label(&design.stream, r.actor)).collect();
    let words = grouped(depth.words);
    let held = design.binding.as_ref().and_then(|b| b.channel(depth.channel));
    let held = held.map_or_else(String::new, |b| {
        format!(
            ", and gets {} in {} {}",
            grouped(b.made_of.allocated_words),
            grouped(b.made_of.count),
            b.made_of.primitive
        )
    });
    let runs = depth.least_running_words.map_or_else(String::new, |least| {
        format!(" With fewer than {} nothing would ever come out.", grouped(least))
    });
    let text = format!(
        "Its FIFO from {} to {} needs {words} words of {} bits{held}; a whole frame would be {}.{runs}",
        actor_label(&design.stream, c.writer),
        readers.join(" and "),
        c.word_bits(),
        grouped(c.beats()),
    );
    let _ = write!(out, "\n{}", wrapped(&text, WIDTH, 2));
    if let Some(late) = late_quantiser(&design.source, c) {
        out.push_str(&wrapped(&format!("{}. {}.", capital(&late.why), capital(&late.remedy)), WIDTH, 2));
    }
    let why = fifo::why(&design.stream, depth);
    if why.circle.is_empty() {
        out.push_str(&wrapped(&why.sentence, WIDTH, 2));
        return;
    }
    // As one line: it may be longer than others.
    let _ = writeln!(out, "{}", why.sentence);
    for fifo::Step { words, times } in why.circle {
        let often = if times > 1 { format!(" ({times} times)") } else { String::new() };
        out.push_str(&wrapped(&format!("- {words}{often}"), WIDTH, 4));
    }
}

/// The words as the beginning of a sentence.
fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn rewrites(
    out: &mut String,
    design: &StreamDesign,
    options: &Options,
    rows: &[(Rewrite, Result<Row, String>)],
) {
    let cycles = design.sizing.as_ref().map_or(0.0, |s| s.timing.interval());
    let head = format!(
        "What each rewrite of it alone makes of the whole design, at the same rate of {} frames/s (FIFO, lines, alloc, \
         regs in kbit):",
        grouped(options.target.fps(cycles) as u64)
    );
    let _ = write!(out, "\n{}", wrapped(&head, WIDTH, 2));
    let mut table = Columns::new([
        "<rewrite",
        "FIFO",
        "lines",
        "alloc",
        "regs",
        "BRAM18",
        "mem LUT",
        "LUT~",
        "DSP",
        "latency",
        "<function",
    ]);
    let mut remarks = Vec::new();
    for (rewrite, row) in rows {
        let figures = match row {
            Ok(row) => row.figures.as_ref().map_err(cost::reason),
            Err(why) => Err(why.clone()),
        };
        match figures {
            Ok(f) => {
                let [fifo, lines, alloc, regs, bram18, memory, luts, dsps] = taken(f);
                let function = if rewrite.keeps_function() { "same" } else { "retrain" };
                let (rewrite, latency, function) =
                    (rewrite.to_string(), grouped(f.latency_clocks), function.to_string());
                table.row([rewrite, fifo, lines, alloc, regs, bram18, memory, luts, dsps, latency, function]);
            }
            Err(why) => remarks.push(format!("{rewrite}: no: {why}")),
        }
    }
    out.push_str(&table.text(WIDTH));
    for remark in remarks {
        out.push_str(&wrapped(&remark, WIDTH, 2));
    }
}
