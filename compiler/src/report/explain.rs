//! One skip in words: where it goes, what its channels hold and why not less, and what each rewrite would do with it.

use std::fmt::Write as _;
use std::path::Path;

use nonresc_ir::id::ActorId;
use nonresc_passes::cost::{self, Row};
use nonresc_passes::design::{NetworkDesign, Options, StreamDesign};
use nonresc_passes::fifo::{Depth, Evidence, Link};
use nonresc_passes::plan::Rewrite;
use nonresc_passes::residual::Skip;

use super::WIDTH;
use crate::columns::{Columns, grouped, kbit, wrapped};

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
    let less = grouped(depth.words.saturating_sub(1));
    let why = match &depth.evidence {
        Evidence::ReaderHangs => {
            format!("With {less} it hangs: {} needs {words} words at once.", readers.join(" or "))
        }
        Evidence::Single => "One word is the least there is.".to_string(),
        Evidence::Feasible => "That less would do was not ruled out.".to_string(),
        Evidence::Chosen => "A whole frame was asked for.".to_string(),
        Evidence::Cycle(links) => {
            let each: Vec<String> = links.iter().map(|link| in_words(design, link)).collect();
            format!(
                "With {less} each frame would take longer, since these wait for each other in a circle: {}.",
                each.join("; ")
            )
        }
    };
    out.push_str(&wrapped(&why, WIDTH, 2));
}

/// One step of a circle of waiting.
fn in_words(design: &StreamDesign, link: &Link) -> String {
    let (waiter, holder) = (name(design, link.waiter), name(design, link.holder));
    let c = design.stream.channel(link.channel);
    let which = match (c.skip, link.place) {
        (Some(_), _) => "the skip".to_string(),
        (None, true) => format!("its channel to {holder}"),
        (None, false) => format!("its channel from {holder}"),
    };
    if link.place {
        format!("{waiter} waits until {holder} frees a place of {which}")
    } else {
        format!("{waiter} waits for data of {holder} in {which}")
    }
}

fn rewrites(
    out: &mut String,
    design: &StreamDesign,
    options: &Options,
    rows: &[(Rewrite, Result<Row, String>)],
) {
    let cycles = design.sizing.as_ref().map_or(0.0, |s| s.timing.interval());
    let _ = writeln!(
        out,
        "\nWhat each rewrite of it alone makes of the whole design, at no more than {} cycles a frame ({} frames/s); buffers in kbit:",
        grouped(cycles.round() as u64),
        grouped(options.target.fps(cycles) as u64)
    );
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
            Ok(f) => table.row([
                rewrite.to_string(),
                kbit(f.fifo_bits),
                kbit(f.line_buffer_bits),
                kbit(f.allocated_bits),
                kbit(f.register_bits),
                grouped(f.usage.bram18),
                grouped(f.usage.memory_luts),
                grouped(f.usage.luts),
                grouped(f.usage.dsps),
                grouped(f.latency_clocks),
                if rewrite.keeps_function() { "same".into() } else { "retrain".into() },
            ]),
            Err(why) => remarks.push(format!("{rewrite}: no: {why}")),
        }
    }
    out.push_str(&table.text(WIDTH));
    for remark in remarks {
        out.push_str(&wrapped(&remark, WIDTH, 2));
    }
}
