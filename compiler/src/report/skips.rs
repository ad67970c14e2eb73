//! The skip report: whole designs with and without skips, and each skip's depths.

use std::fmt::Write as _;

use nonresc_passes::cost::{self, Figures, Row, SkipReport, Variant};
use nonresc_passes::fifo::Mode;
use nonresc_passes::numerals::{grouped, kbit};
use nonresc_passes::plan::Rewrite;

use super::WIDTH;
use crate::columns::{Columns, wrapped};

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
        "<skips", "<FIFOs", "FIFO", "lines", "alloc", "regs", "BRAM18", "mem LUT", "LUT~", "DSP", "cycles",
        "latency", "top-1 %",
    ];
    let mut table = Columns::new(header);
    if report.rows.iter().all(|row| row.accuracy.is_none()) {
        table.hide(header.len() - 1);
    }
    let mut remarks = Vec::new();
    for row in &report.rows {
        let skips = word(report, row);
        let (skips, fifos) = (skips.as_str(), row.mode.name());
        match &row.figures {
            Ok(f) => {
                let mut mark = "";
                if let Some(over) = &f.over {
                    mark = "*";
                    remarks.push(format!("* {skips}, {fifos}: does not fit the device: {over}"));
                }
                table.row(figures(skips, &format!("{fifos}{mark}"), row.accuracy, f));
                let (proven, all) = f.proven;
                if proven < all {
                    remarks
                        .push(format!("{skips}, {fifos}: {proven} of {all} depths proven, others feasible"));
                }
            }
            Err(faults) => remarks.push(format!("{skips}, {fifos}: {}", cost::reason(faults))),
        }
    }
    let _ = write!(
        out,
        "\nWhat the skips cost, all designs at least as fast (FIFO, lines, alloc, regs in kbit):\n{}",
        table.text(WIDTH)
    );
    for remark in remarks {
        out.push_str(&wrapped(&remark, WIDTH, 2));
    }
}

/// What becomes of the skips in a row, and of how many of them.
fn word(report: &SkipReport, row: &Row) -> String {
    let one = match row.variant {
        Variant::One(number, _) => report.skips.iter().find(|skip| skip.number == number),
        Variant::All(_) | Variant::Planned => None,
    };
    let label = one.map(|skip| skip.label.as_str());
    cost::fate(row.variant.name(), label, row.rewritten, report.skips.len())
}

fn figures(skips: &str, fifos: &str, accuracy: Option<f64>, f: &Figures) -> [String; 13] {
    let [fifo, lines, alloc, regs, bram18, memory, luts, dsps] = taken(f);
    let (skips, fifos) = (skips.to_string(), fifos.to_string());
    let (cycles, latency) = (grouped(f.interval_clocks.round() as u64), grouped(f.latency_clocks));
    let accuracy = accuracy.map_or_else(|| "-".to_string(), |share| format!("{:.2}", 100.0 * share));
    [skips, fifos, fifo, lines, alloc, regs, bram18, memory, luts, dsps, cycles, latency, accuracy]
}

/// What a design takes: its buffers in kbit (FIFOs, lines, allocated, registers), block RAMs, LUTs that are memory, all
/// LUTs, DSP blocks.
pub(super) fn taken(f: &Figures) -> [String; 8] {
    [
        kbit(f.fifo_bits),
        kbit(f.line_buffer_bits),
        kbit(f.allocated_bits),
        kbit(f.register_bits),
        grouped(f.usage.bram18),
        grouped(f.usage.memory_luts),
        grouped(f.usage.luts),
        grouped(f.usage.dsps),
    ]
}

/// How much of what removal saves is had by exact sizing alone.
fn savings(out: &mut String, report: &SkipReport) {
    let buffers = |v: Variant, m: Mode| {
        let row = report.rows.iter().find(|row| row.variant == v && row.mode == m)?;
        row.figures.as_ref().ok().map(|f| f.fifo_bits + f.line_buffer_bits)
    };
    let (Some(whole), Some(exact), Some(removed)) = (
        buffers(Variant::KEPT, Mode::WholeFrame),
        buffers(Variant::KEPT, Mode::Exact),
        buffers(Variant::REMOVED, Mode::Exact),
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
    // The cheapest of those that keep the function and need no whole frame.
    let same =
        |row: &&Row| matches!(row.variant, Variant::All(r) if r != Rewrite::Keep && r.keeps_function());
    let cheapest = report.rows.iter().filter(same).filter(|row| row.mode == Mode::Exact).filter_map(|row| {
        let figures = row.figures.as_ref().ok()?;
        Some((figures.fifo_bits + figures.line_buffer_bits, row))
    });
    if let Some((bits, row)) = cheapest.min_by_key(|(bits, _)| *bits).filter(|(bits, _)| *bits < exact) {
        let of_removal = match exact.checked_sub(removed).filter(|&saved| saved > 0) {
            Some(saved) => {
                format!(" ({:.0} % of what removal saves)", 100.0 * (exact - bits) as f64 / saved as f64)
            }
            None => String::new(),
        };
        let by_rewrite = format!(
            "With skips {}: {} again{of_removal}, the function unchanged as well.",
            row.variant.name(),
            change(exact, bits)
        );
        out.push_str(&wrapped(&by_rewrite, WIDTH, 2));
    }
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
