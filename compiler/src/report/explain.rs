//! One skip in words: where it goes, what its channels hold and why not less, and what each rewrite would do with it.

use std::fmt::Write as _;
use std::path::Path;

use nonresc_ir::id::ActorId;
use nonresc_passes::cost::{self, Row};
use nonresc_passes::design::{NetworkDesign, Options, StreamDesign};
use nonresc_passes::fifo::{Depth, Evidence, Link};
use nonresc_passes::plan::Rewrite;
use nonresc_passes::residual::Skip;
use nonresc_passes::width::late_quantiser;

use super::WIDTH;
use super::skips::taken;
use crate::columns::{Columns, grouped, wrapped};

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

fn name(design: &StreamDesign, actor: ActorId) -> String {
    design.stream.actor(actor).names.first().map_or_else(|| actor.to_string(), str::to_string)
}

fn channel(out: &mut String, design: &StreamDesign, depth: &Depth) {
    let c = design.stream.channel(depth.channel);
    let readers: Vec<String> = c.readers.iter().map(|r| name(design, r.actor)).collect();
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
        name(design, c.writer),
        readers.join(" and "),
        c.word_bits(),
        grouped(c.beats()),
    );
    let _ = write!(out, "\n{}", wrapped(&text, WIDTH, 2));
    if let Some(late) = late_quantiser(&design.source, c) {
        out.push_str(&wrapped(&format!("{}. {}.", capital(&late.why), capital(&late.remedy)), WIDTH, 2));
    }
    let less = grouped(depth.words.saturating_sub(1));
    let why = match &depth.evidence {
        Evidence::ReaderHangs => {
            format!("With {less} it hangs: {} needs {words} words at once.", readers.join(" or "))
        }
        Evidence::Single => "One word is the least there is.".to_string(),
        Evidence::Feasible => "That less would do was not ruled out.".to_string(),
        Evidence::Chosen => "A whole frame was asked for.".to_string(),
        Evidence::Cycle(links) => {
            let mut each: Vec<(String, usize)> = Vec::new();
            for link in links {
                let words = in_words(design, link);
                match each.iter_mut().find(|(known, _)| *known == words) {
                    Some((_, times)) => *times += 1,
                    None => each.push((words, 1)),
                }
            }
            let mut why = format!(
                "With {less} each frame would take longer, since these wait for each other in a circle of {} steps:\n",
                grouped(links.len() as u64)
            );
            for (words, times) in each {
                let often = if times > 1 { format!(" ({times} times)") } else { String::new() };
                why += &wrapped(&format!("- {words}{often}"), WIDTH, 4);
            }
            out.push_str(&why);
            return;
        }
    };
    out.push_str(&wrapped(&why, WIDTH, 2));
}

/// The words as the beginning of a sentence.
fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// One step of a circle of waiting.
fn in_words(design: &StreamDesign, link: &Link) -> String {
    let (waiter, holder) = (name(design, link.waiter), name(design, link.holder));
    let c = design.stream.channel(link.channel);
    match (c.skip, link.place) {
        (Some(_), true) => format!("{waiter} waits until {holder} frees a place of the skip"),
        (Some(_), false) => format!("{waiter} waits for data of {holder} in the skip"),
        (None, true) => format!("{waiter} waits until {holder} frees a place of the channel between them"),
        (None, false) => format!("{waiter} waits for data of {holder}"),
    }
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
