//! `schedule.json`: a finished design as data. The serde types are the schema; `docs/schedule.md` explains them.
//!
//! Figures are copied from what the passes found, with their units in the names; nothing is computed here that a
//! pass could.

mod actors;
mod channels;
mod ports;
mod skips;

pub use actors::{Actor, Area, Fold};
pub use channels::{Channel, Evidence, Memory, Wait};
pub use ports::Port;
pub use skips::{Figures, Row, Skip, SkipChannel, SkipReport};

use std::ops::AddAssign;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::network::digest;
use nonresc_passes::bind::Usage;
use nonresc_passes::cost;
use nonresc_passes::design::{Options, StreamDesign};
use nonresc_passes::width;
use serde::Serialize;

/// Version of the form of `schedule.json`: the first number rises when a reader must change.
pub const VERSION: &str = "1.0";

/// What `schedule.json` says that it is.
pub const FORMAT: &str = "nonresc schedule";

/// A whole design.
#[derive(Clone, Debug, Serialize)]
pub struct Schedule {
    /// [`FORMAT`].
    pub format: &'static str,
    /// [`VERSION`].
    pub version: &'static str,
    /// What wrote it.
    pub generator: String,
    /// Digest of the network that was scheduled, in normal form and as the plan left it.
    pub network: String,
    /// What the design is for.
    pub target: Target,
    /// How the time passes.
    pub timing: Timing,
    /// What it takes of the device.
    pub resources: Resources,
    /// The network's inputs, one AXI4-Stream each.
    pub inputs: Vec<Port>,
    /// The network's outputs, one AXI4-Stream each.
    pub outputs: Vec<Port>,
    /// All actors, in the order of ids.
    pub actors: Vec<Actor>,
    /// All channels, in the order of ids.
    pub channels: Vec<Channel>,
    /// Memories that actors hold: weights, biases, partial results.
    pub memories: Vec<Memory>,
    /// What the skips cost.
    pub skip_report: Option<SkipReport>,
    /// Remarks.
    pub notes: Vec<Note>,
}

/// What the design is for.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// The part, or `none`.
    pub device: String,
    /// The clock that was asked for, or the device's usual one.
    pub clock_mhz: f64,
    /// Bits of a weight.
    pub weight_bits: u32,
    /// Bits of an activation.
    pub activation_bits: u32,
    /// How FIFOs were sized.
    pub fifos: &'static str,
    /// Seed of everything random.
    pub seed: u64,
}

/// How the time passes, from reset on, pins never waiting.
#[derive(Clone, Debug, Serialize)]
pub struct Timing {
    /// Initiation interval: clocks of `interval_frames` frames.
    pub interval_clocks: u64,
    /// 1 where every frame takes the same.
    pub interval_frames: u64,
    /// Frames a second at the target's clock.
    pub frames_per_second: f64,
    /// The slowest actor's id: what the interval is bound by.
    pub bottleneck: u32,
    /// The clock in which the first frame's first beat leaves the first output that has one.
    pub first_output_clock: u64,
    /// The clock in which the first frame's last beat leaves the last output.
    pub last_output_clock: u64,
    /// Products of a frame, padding included.
    pub products_per_frame: u64,
    /// Multipliers times the interval.
    pub product_slots: u64,
}

/// What the design takes, and what there is; nothing of the latter where there are no limits.
#[derive(Clone, Debug, Serialize)]
pub struct Resources {
    /// What is taken. `luts` and `ffs` are estimates.
    pub taken: Amount,
    /// What the device has.
    pub available: Option<Amount>,
    /// Which of the figures are estimates.
    pub estimates: [&'static str; 2],
    /// Bits of channels that are read in order, skips included.
    pub fifo_bits: u64,
    /// Those of them that carry skips.
    pub skip_bits: u64,
    /// Bits of channels that windows are read from.
    pub line_buffer_bits: u64,
    /// Bits of window registers.
    pub window_bits: u64,
    /// Bits of staging registers in front of windows.
    pub staging_bits: u64,
    /// Bits of weights and biases.
    pub constant_bits: u64,
    /// Bits of partial results.
    pub private_bits: u64,
}

/// An amount of each resource.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[allow(missing_docs, reason = "the names of the primitives")]
pub struct Amount {
    pub luts: u64,
    pub memory_luts: u64,
    pub ffs: u64,
    pub dsps: u64,
    pub bram18: u64,
    pub urams: u64,
}

impl From<Usage> for Amount {
    fn from(u: Usage) -> Self {
        let Usage { luts, memory_luts, ffs, dsps, bram18, urams } = u;
        Amount { luts, memory_luts, ffs, dsps, bram18, urams }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        let Amount { luts, memory_luts, ffs, dsps, bram18, urams } = other;
        self.luts += luts;
        self.memory_luts += memory_luts;
        self.ffs += ffs;
        self.dsps += dsps;
        self.bram18 += bram18;
        self.urams += urams;
    }
}

/// A remark: what, why, and what can be done.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the fields of a diagnostic")]
pub struct Note {
    pub code: &'static str,
    pub what: String,
    pub why: String,
    pub remedy: String,
}

impl From<&Diagnostic> for Note {
    fn from(d: &Diagnostic) -> Self {
        Note { code: d.code, what: d.what.clone(), why: d.why.clone(), remedy: d.remedy.clone() }
    }
}

/// The schedule of a finished design, or the pass that has not been run on it.
///
/// # Errors
/// Where the design was stopped before its memories were bound.
pub fn schedule(
    design: &StreamDesign,
    options: &Options,
    skips: Option<&cost::SkipReport>,
    remarks: &[Diagnostic],
) -> Result<Schedule, Diagnostic> {
    let (Some(folding), Some(sizing), Some(binding)) = (&design.folding, &design.sizing, &design.binding)
    else {
        return Err(unfinished("the schedule"));
    };
    let timing = &sizing.timing;
    let limits = binding.device.limits;
    let bits = width::usual(design, options.target.bits);
    Ok(Schedule {
        format: FORMAT,
        version: VERSION,
        generator: format!("nonresc {}", env!("CARGO_PKG_VERSION")),
        network: digest(&design.source.network),
        target: Target {
            device: binding.device.name.clone(),
            clock_mhz: options.target.clock_mhz,
            weight_bits: bits.weights,
            activation_bits: bits.activations,
            fifos: options.fifo.mode.name(),
            seed: options.target.seed,
        },
        timing: Timing {
            interval_clocks: timing.interval_clocks,
            interval_frames: timing.interval_frames,
            frames_per_second: options.target.fps(timing.interval()),
            bottleneck: folding.bottleneck.0,
            first_output_clock: timing.first_output(),
            last_output_clock: timing.last_output(),
            products_per_frame: folding.products,
            product_slots: folding.slots,
        },
        resources: Resources {
            taken: binding.total.into(),
            available: limits.map(|l| Amount {
                luts: l.luts,
                memory_luts: l.memory_luts,
                ffs: l.ffs,
                dsps: l.dsps,
                bram18: l.bram18,
                urams: l.urams,
            }),
            estimates: ["luts", "ffs"],
            fifo_bits: binding.bits.fifo,
            skip_bits: binding.bits.skip,
            line_buffer_bits: binding.bits.line_buffer,
            window_bits: binding.bits.window,
            staging_bits: binding.bits.staging,
            constant_bits: binding.bits.constants,
            private_bits: binding.bits.private,
        },
        inputs: ports::inputs(design),
        outputs: ports::outputs(design),
        actors: actors::actors(design, folding, sizing, binding),
        channels: channels::channels(design, sizing, binding),
        memories: channels::private(binding),
        skip_report: skips.map(skips::skip_report),
        notes: remarks.iter().map(Note::from).collect(),
    })
}

/// That `what` is asked for of a design that is not finished.
pub(crate) fn unfinished(what: &str) -> Diagnostic {
    Diagnostic::new(
        "schedule/unfinished",
        what,
        "the design has no folding, depths or memories yet",
        "run all passes",
    )
}

/// The schedule as text, its last line ended.
///
/// # Panics
/// Never: the types hold nothing that JSON cannot.
pub fn text(schedule: &Schedule) -> String {
    let mut text = serde_json::to_string_pretty(schedule).expect("strings, numbers and lists alone");
    text.push('\n');
    text
}
