//! What skips cost: the network with its skips and without, under each way to size FIFOs, and each skip's depths.
//!
//! Every figure comes from a whole design made by a trial. All designs are folded for the same cycles a frame, so
//! that what is compared is the cost of one rate. Which rewrite is best is not decided here.

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::id::ChannelId;

use rayon::iter::{IntoParallelIterator, ParallelExtend, ParallelIterator};

use crate::bind::{self, Usage};
use crate::design::{NetworkDesign, Options, StreamDesign};
use crate::fifo::{Depth, Effort, FifoOptions, Mode};
use crate::manager::{Checks, Failed};
use crate::plan::Request;
use crate::residual::Skip;
use crate::target::{Rate, Target};
use crate::trial;

/// What becomes of the skips in a row of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// All of them stay.
    Kept,
    /// As the user's plan says, where that is neither of the others.
    Planned,
    /// All of them go.
    Removed,
}

impl Variant {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Kept => "kept",
            Variant::Planned => "planned",
            Variant::Removed => "removed",
        }
    }
}

/// What a whole design takes, and how fast it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Bits of channels that are read in order, skips included.
    pub fifo_bits: u64,
    /// Those of them that carry skips.
    pub skip_bits: u64,
    /// Bits of channels that windows are read from.
    pub line_buffer_bits: u64,
    /// Bits of windows and their staging, held in registers.
    pub register_bits: u64,
    /// What is taken of the device; LUTs and flip-flops are estimates.
    pub usage: Usage,
    /// Clocks a frame.
    pub interval_clocks: f64,
    /// Clocks from reset to the first frame's last beat at the last output, its own clock included.
    pub latency_clocks: u64,
    /// Frames a second.
    pub fps: f64,
    /// Channels whose depth is proven the least, and all channels whose depth was searched.
    pub proven: (usize, usize),
    /// What the device has too little of, in a line; nothing where the design fits.
    pub over: Option<String>,
}

/// One row: which skips, which FIFOs, and the figures or why there are none.
#[derive(Clone, Debug)]
pub struct Row {
    /// What becomes of the skips.
    pub variant: Variant,
    /// How FIFOs are sized.
    pub mode: Mode,
    /// The whole design's figures.
    pub figures: Result<Figures, Diagnostics>,
}

/// The depths of one channel of a skip that is kept, sized exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct SkipDepth {
    /// The skip's number.
    pub skip: usize,
    /// The channel in the design with all skips kept.
    pub channel: ChannelId,
    /// Bits of a word.
    pub word_bits: u64,
    /// Beats of a frame: what a whole-frame FIFO holds.
    pub frame_words: u64,
    /// Depth in words with evidence.
    pub depth: Depth,
    /// Words that its primitives hold.
    pub allocated_words: u64,
    /// What it is made of, such as `2 SRL`.
    pub made_of: String,
}

/// The skips and what they cost.
#[derive(Clone, Debug)]
pub struct SkipReport {
    /// Kept, planned and removed, each under its baselines.
    pub rows: Vec<Row>,
    /// All skips of the network as given.
    pub skips: Vec<Skip>,
    /// Their channels in the design that keeps them, FIFOs exact; empty where there is no such design.
    pub depths: Vec<SkipDepth>,
}

/// The skip report of a design that was made of `analysed` under `options`.
///
/// Other designs are folded for the cycles a frame that `design` has. Where one of them cannot be made, its row says
/// why; where it does not fit the device, its row says so and gives its figures all the same.
pub fn skip_report(analysed: &NetworkDesign, design: &mut StreamDesign, options: &Options) -> SkipReport {
    let own = variant_of_plan(design);
    let mut variants = vec![Variant::Kept];
    variants.extend((own == Variant::Planned).then_some(Variant::Planned));
    variants.extend((!analysed.skips.is_empty()).then_some(Variant::Removed));
    let order = variants.clone();
    // The user's own comes first, since it is laid out already: two at once take twice the memory.
    variants.sort_by_key(|&variant| variant != own);
    let (mut rows, mut depths) = (Vec::new(), Vec::new());
    for variant in variants {
        let report = Reporter { analysed, design, options };
        let exact = report.variant(variant, &mut rows);
        if let Some(exact) = exact.filter(|_| variant == Variant::Kept) {
            depths = skip_depths(&exact);
        }
        design.laid_out = None;
    }
    rows.sort_by_key(|row: &Row| order.iter().position(|&variant| variant == row.variant));
    SkipReport { rows, skips: analysed.skips.iter().cloned().collect(), depths }
}

/// Which variant a design is.
fn variant_of_plan(design: &StreamDesign) -> Variant {
    match &design.source.planned {
        Some(planned) if planned.removed.is_empty() => Variant::Kept,
        Some(planned) if planned.skips.is_empty() => Variant::Removed,
        _ => Variant::Planned,
    }
}

struct Reporter<'a> {
    analysed: &'a NetworkDesign,
    design: &'a StreamDesign,
    options: &'a Options,
}

impl Reporter<'_> {
    /// Adds the rows of a variant, and gives its design with exact FIFOs.
    fn variant(&self, variant: Variant, rows: &mut Vec<Row>) -> Option<StreamDesign> {
        let exact = self.folded(variant);
        let has_skips = variant != Variant::Removed && !self.analysed.skips.is_empty();
        let exact = match exact {
            Ok(exact) => exact,
            Err(failed) => {
                rows.push(Row { variant, mode: Mode::Exact, figures: Err(failed.faults) });
                return None;
            }
        };
        let mut modes = vec![Mode::AllWholeFrame, Mode::WholeFrame, Mode::Exact];
        // Without skips nothing tells this baseline from exact sizing.
        modes.retain(|&mode| mode != Mode::WholeFrame || has_skips);
        let row = |mode| {
            let figures = match mode {
                Mode::Exact => Ok(self.figures(&exact)),
                Mode::WholeFrame | Mode::AllWholeFrame => {
                    self.resized(&exact, mode).map(|d| self.figures(&d)).map_err(|f| f.faults)
                }
            };
            Row { variant, mode, figures }
        };
        rows.par_extend(modes.into_par_iter().map(row));
        Some(exact)
    }

    /// The variant's design with exact FIFOs, folded for the same cycles a frame.
    fn folded(&self, variant: Variant) -> Result<StreamDesign, Failed> {
        let own = variant_of_plan(self.design) == variant;
        if own && self.options.fifo.mode == Mode::Exact {
            return Ok(self.design.clone());
        }
        if own {
            return self.resized(self.design, Mode::Exact);
        }
        let cycles = self.design.folding.as_ref().map_or(u64::MAX, |folding| folding.interval);
        let skips = match variant {
            Variant::Kept => Request::Keep,
            Variant::Removed => Request::Remove,
            Variant::Planned => self.options.skips.clone(),
        };
        let options = Options {
            skips,
            target: Target { rate: Rate::Cycles(cycles), ..self.options.target.clone() },
            fifo: self.fifo(Mode::Exact),
        };
        also_too_large(options, |options| trial::planned(self.analysed, options, &Checks::default()))
    }

    fn resized(&self, design: &StreamDesign, mode: Mode) -> Result<StreamDesign, Failed> {
        let options = Options {
            target: self.options.target.clone(),
            fifo: self.fifo(mode),
            skips: self.options.skips.clone(),
        };
        also_too_large(options, |options| trial::resized(design, options, &Checks::default()))
    }

    /// Designs beside the user's own are proven only where that takes little, so that they do not multiply its time.
    fn fifo(&self, mode: Mode) -> FifoOptions {
        let effort = match self.options.fifo.effort {
            Effort::Fast => Effort::Fast,
            Effort::Full | Effort::Within(_) => Effort::COMPARED,
        };
        FifoOptions { mode, effort }
    }

    fn figures(&self, design: &StreamDesign) -> Figures {
        let sizing = design.sizing.as_ref().expect("the pipeline sizes every stream");
        let binding = design.binding.as_ref().expect("the pipeline binds every stream");
        let searched = sizing.channels.iter().filter(|d| d.evidence != crate::fifo::Evidence::Chosen);
        let (mut proven, mut all) = (0, 0);
        for depth in searched {
            all += 1;
            proven += usize::from(depth.evidence.proven());
        }
        let interval_clocks = sizing.timing.interval();
        Figures {
            fifo_bits: binding.bits.fifo,
            skip_bits: binding.bits.skip,
            line_buffer_bits: binding.bits.line_buffer,
            register_bits: binding.bits.window + binding.bits.staging,
            usage: binding.total,
            interval_clocks,
            latency_clocks: sizing.timing.last_output() + 1,
            fps: self.options.target.fps(interval_clocks),
            proven: (proven, all),
            over: over(&self.options.target, &binding.total),
        }
    }
}

/// The trial within the device's limits, or without them where they are too tight: a baseline may be larger than the
/// device.
fn also_too_large(
    mut options: Options,
    trial: impl Fn(&Options) -> Result<StreamDesign, Failed>,
) -> Result<StreamDesign, Failed> {
    trial(&options).or_else(|_| {
        options.target.device.limits = None;
        trial(&options)
    })
}

fn over(target: &Target, usage: &Usage) -> Option<String> {
    let limits = target.device.limits?;
    let lacking = bind::lacking(target.device.family, &limits, usage);
    let over: Vec<String> =
        lacking.iter().map(|(r, needed)| format!("{needed} of {} {}", r.have, r.name)).collect();
    (!over.is_empty()).then(|| over.join(", "))
}

fn skip_depths(kept: &StreamDesign) -> Vec<SkipDepth> {
    let (Some(sizing), Some(binding)) = (&kept.sizing, &kept.binding) else {
        return Vec::new();
    };
    let mut depths: Vec<SkipDepth> = sizing
        .channels
        .iter()
        .filter_map(|depth| {
            let channel = kept.stream.channel(depth.channel);
            let skip = channel.skip?;
            let bound = binding.channel(depth.channel)?;
            Some(SkipDepth {
                skip,
                channel: depth.channel,
                word_bits: channel.word_bits(),
                frame_words: channel.beats(),
                depth: depth.clone(),
                allocated_words: bound.made_of.allocated_words,
                made_of: format!("{} {}", bound.made_of.count, bound.made_of.primitive),
            })
        })
        .collect();
    depths.sort_by_key(|d| (d.skip, d.channel));
    depths
}

/// A row's reason where it has no figures, in one line.
pub fn reason(faults: &Diagnostics) -> String {
    faults.iter().next().map_or_else(String::new, |d| format!("{}: {}", d.what, d.why))
}
