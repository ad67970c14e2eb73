//! The skip report: whole designs with and without skips, and each skip's depths.

use std::fmt::Write as _;

use nonresc_passes::cost::{self, Figures, SkipReport, Variant};
use nonresc_passes::fifo::Mode;

use super::WIDTH;
use crate::columns::{Columns, grouped, kbit, wrapped};

/// Adds the section to a report.
pub(super) fn section(out: &mut String, report: &SkipReport) {
    if report.skips.is_empty() {
        let _ = writeln!(out, "\nThe network has no skips.");
        return;
    }
    designs(out, report);
    savings(out, report);
    depths(out, report);
}

fn designs(out: &mut String, report: &SkipReport) {
    let header = [
        "<skips",
        "<FIFOs",
        "FIFO kbit",
        "line kbit",
        "reg kbit",
        "BRAM18",
        "LUT~",
        "DSP",
        "cycles",
        "latency",
        "frames/s",
    ];
    let mut table = Columns::new(header);
    let mut remarks = Vec::new();
    for row in &report.rows {
        let (skips, fifos) = (row.variant.name(), row.mode.name());
        match &row.figures {
            Ok(f) => {
                let mut mark = "";
                if let Some(over) = &f.over {
                    mark = "*";
                    remarks.push(format!("* {skips}, {fifos}: does not fit the device: {over}"));
                }
                table.row(figures(skips, &format!("{fifos}{mark}"), f));
                let (proven, all) = f.proven;
                if proven < all {
                    remarks
                        .push(format!("{skips}, {fifos}: {proven} of {all} depths proven, others feasible"));
                }
            }
            Err(faults) => remarks.push(format!("{skips}, {fifos}: {}", cost::reason(faults))),
        }
    }
    let _ = write!(out, "\nWhat the skips cost, all designs at least as fast:\n{}", table.text(WIDTH));
    for remark in remarks {
        out.push_str(&wrapped(&remark, WIDTH, 2));
    }
}

fn figures(skips: &str, fifos: &str, f: &Figures) -> [String; 11] {
    [
        skips.to_string(),
        fifos.to_string(),
        kbit(f.fifo_bits),
        kbit(f.line_buffer_bits),
        kbit(f.register_bits),
        grouped(f.usage.bram18),
        grouped(f.usage.luts),
        grouped(f.usage.dsps),
        grouped(f.interval_clocks.round() as u64),
        grouped(f.latency_clocks),
        grouped(f.fps as u64),
    ]
}

/// How much of what removal saves is had by exact sizing alone.
fn savings(out: &mut String, report: &SkipReport) {
    let buffers = |v: Variant, m: Mode| {
        let row = report.rows.iter().find(|row| row.variant == v && row.mode == m)?;
        row.figures.as_ref().ok().map(|f| f.fifo_bits + f.line_buffer_bits)
    };
    let (Some(whole), Some(exact), Some(removed)) = (
        buffers(Variant::Kept, Mode::WholeFrame),
        buffers(Variant::Kept, Mode::Exact),
        buffers(Variant::Removed, Mode::Exact),
    ) else {
        return;
    };
    let change = |from: u64, to: u64| {
        let word = if to <= from { "less" } else { "more" };
        format!("{} kbit {word}", kbit(from.abs_diff(to)))
    };
    let by_size = format!(
        "Exact FIFOs instead of whole-frame skips: {}, the function unchanged.",
        change(whole, exact)
    );
    out.push_str(&wrapped(&by_size, WIDTH, 2));
    let rest = if removed < exact && whole > removed {
        let share = 100.0 * whole.saturating_sub(exact) as f64 / (whole - removed) as f64;
        format!(" Exact sizing alone gives {share:.0} % of both.")
    } else {
        " Removal saves no buffer beyond exact sizing.".to_string()
    };
    let by_removal =
        format!("Removing the skips as well: {}, weights to be retrained.{rest}", change(exact, removed));
    out.push_str(&wrapped(&by_removal, WIDTH, 2));
}

fn depths(out: &mut String, report: &SkipReport) {
    let mut table = Columns::new([
        "<sum",
        "<skip",
        "<shape",
        "runs with",
        "full rate",
        "allocated",
        "frame",
        "bits",
        "<made of",
        "<proof",
    ]);
    for skip in &report.skips {
        let row = |rest: [String; 7]| {
            let [runs, rate, held, frame, bits, made_of, proof] = rest;
            let name = skip.names.first().unwrap_or("").to_string();
            [name, skip.label.clone(), skip.shape.to_string(), runs, rate, held, frame, bits, made_of, proof]
        };
        let own: Vec<_> = report.depths.iter().filter(|d| d.skip == skip.number).collect();
        for d in &own {
            table.row(row([
                d.depth.least_running_words.map_or_else(String::new, grouped),
                grouped(d.depth.words),
                grouped(d.allocated_words),
                grouped(d.frame_words),
                grouped(d.word_bits),
                d.made_of.clone(),
                super::proof(&d.depth.evidence).to_string(),
            ]));
        }
        if own.is_empty() {
            table.row(row(std::array::from_fn(|_| "-".to_string())));
        }
    }
    let _ = write!(
        out,
        "\nWords that each skip needs to run at all, needs at full rate, and gets:\n{}",
        table.text(WIDTH)
    );
}
