//! What synthesis and simulation make of designs, beside each other: amounts, and what they are against the first.

use nonresc_backends::rtl::Known;
use nonresc_passes::design::StreamDesign;
use nonresc_passes::numerals::grouped;
use nonresc_passes::target::Target;
use serde::Serialize;

use super::{hardware, synthesis};
use crate::columns::Columns;
use crate::exit::Failure;

/// Frames that are simulated: the last two are in steady state.
const FRAMES: usize = 3;

/// The figures of a design.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    luts: u64,
    memory_luts: u64,
    ffs: u64,
    dsps: u64,
    /// Block RAMs of 18,432 bits, a pair as two.
    bram18: u64,
    urams: u64,
    /// Cycles between frames in simulation.
    interval_clocks: u64,
    frames_per_second: f64,
}

impl Measured {
    /// Synthesises and simulates a design.
    ///
    /// # Errors
    /// Networks of floats, actors without hardware, missing tools; numbers or times that differ.
    pub(super) fn of(design: &StreamDesign, target: &Target, known: &mut Known) -> Result<Measured, Failure> {
        let simulated = hardware::simulated(design, FRAMES, target.seed)?;
        let binding = design.binding.as_ref().expect("the pipeline ends with a binding");
        let cells = synthesis::synthesised(design, binding, known)?.total;
        let interval_clocks = simulated.interval.unwrap_or(0);
        Ok(Measured {
            luts: cells.luts(),
            memory_luts: cells.memory_luts(),
            ffs: cells.ffs,
            dsps: cells.dsps,
            bram18: cells.blocks(),
            urams: cells.urams,
            interval_clocks,
            frames_per_second: target.clock_mhz * 1e6 / interval_clocks.max(1) as f64,
        })
    }

    /// What is printed of it, in the order of the columns.
    fn figures(&self) -> [f64; 8] {
        let whole =
            [self.bram18, self.urams, self.luts, self.memory_luts, self.ffs, self.dsps, self.interval_clocks];
        let whole = whole.map(|n| n as f64);
        let [bram18, urams, luts, memory, ffs, dsps, cycles] = whole;
        [bram18, urams, luts, memory, ffs, dsps, cycles, self.frames_per_second]
    }
}

/// Amounts, then changes against the first; nothing where nothing was measured.
pub(super) fn tables(all: &[([String; 3], &Measured)]) -> String {
    let Some((_, first)) = all.first() else { return String::new() };
    let first = first.figures();
    let amount = |n: f64, _: f64| grouped(n as u64);
    let change = |n: f64, of: f64| match (n, of) {
        (0.0, 0.0) => "0.0 %".to_owned(),
        (_, 0.0) => "-".to_owned(),
        _ => format!("{:+.1} %", 100.0 * (n / of - 1.0)),
    };
    let one = |cell: &dyn Fn(f64, f64) -> String| {
        let mut table = Columns::new([
            "<design",
            "<skips",
            "<FIFOs",
            "BRAM18",
            "URAM",
            "LUT",
            "as memory",
            "FF",
            "DSP",
            "cycles",
            "frames/s",
        ]);
        for ([design, skips, fifos], measured) in all {
            let all = measured.figures();
            let [a, b, c, d, e, f, g, h] = std::array::from_fn(|i| cell(all[i], first[i]));
            table.row([design.clone(), skips.clone(), fifos.clone(), a, b, c, d, e, f, g, h]);
        }
        table.text(100)
    };
    format!(
        "\nSynthesised with Yosys, without place and route; simulated with Verilator\n\n{}\nAgainst the first\n\n{}",
        one(&amount),
        one(&change)
    )
}
