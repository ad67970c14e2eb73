//! What skips cost: the network with its skips kept and with each rewrite of all of them, under each way to size FIFOs,
//! and each skip's depths.
//!
//! Every figure comes from a whole design made by a trial. All designs are folded for the rate that is asked for, or
//! where it is to be as fast as may be, for that of the user's own design; so what is compared is the cost of one rate. Which rewrite is best is not decided here.

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::id::ChannelId;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::bind::{self, BindOptions, Usage};
use crate::design::{NetworkDesign, Options, StreamDesign};
use crate::fifo::{Depth, Effort, FifoOptions, Mode};
use crate::manager::{Checks, Failed};
use crate::plan::{Plan, Request, Rewrite, Wanted, fits};
use crate::residual::Skip;
use crate::target::{Rate, Target};
use crate::trial;

/// What becomes of the skips in a row of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Each of them gets this rewrite, as far as it fits; the others stay.
    All(Rewrite),
    /// As the user's plan says, where that is none of the others.
    Planned,
    /// The skip with this number alone gets a rewrite.
    One(usize, Rewrite),
}

impl Variant {
    /// The word for what becomes of them.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Planned => "planned",
            Variant::All(rewrite) | Variant::One(_, rewrite) => match rewrite {
                Rewrite::Keep => "kept",
                Rewrite::Tap => "tapped",
                Rewrite::Share => "shared",
                Rewrite::Fuse => "fused",
                Rewrite::Exact => "exact",
                Rewrite::Shorten => "shortened",
                Rewrite::ShortenBehind => "shortened behind",
                Rewrite::Remove => "removed",
            },
        }
    }

    /// All skips kept.
    pub const KEPT: Variant = Variant::All(Rewrite::Keep);
    /// All skips removed.
    pub const REMOVED: Variant = Variant::All(Rewrite::Remove);
}

/// What became of the skips in a row, in words: of the skip `one` alone, or `name` of so many of `all`. A plan of several
/// rewrites has no count.
pub fn fate(name: &str, one: Option<&str>, rewritten: usize, all: usize) -> String {
    match one {
        Some(label) => format!("{label} {name}"),
        None if rewritten > 0 && rewritten < all && name != Variant::Planned.name() => {
            format!("{rewritten} of {all} {name}")
        }
        None => name.to_string(),
    }
}

/// How much a report holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Kept and removed under the baselines, other rewrites of all skips with exact FIFOs.
    #[default]
    Fast,
    /// Every rewrite of all skips under the baselines, and of each skip alone with exact FIFOs where there are at most
    /// 200; depths proven, unless no proofs are wanted.
    Full,
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
    /// Bits that the primitives of all channels hold, copies included.
    pub allocated_bits: u64,
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
    /// How many skips are not kept.
    pub rewritten: usize,
    /// The share of test images that a network of this row was measured to be right about, as floats.
    pub accuracy: Option<f64>,
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
    /// Kept, planned, and the rewrites of all skips, each under its baselines; then the rewrites of each skip alone.
    pub rows: Vec<Row>,
    /// All skips of the network as given.
    pub skips: Vec<Skip>,
    /// Their channels in the design that keeps them, FIFOs exact; empty where there is no such design.
    pub depths: Vec<SkipDepth>,
}

impl SkipReport {
    /// Says what was measured of the network as `given`, and as it was `trained` under `plan`: the first holds in all rows
    /// that keep its function, unless the plan does too, the second in those that do what the plan does.
    pub fn measured(&mut self, given: f64, trained: f64, plan: &Plan) {
        let changed: Vec<(&str, Rewrite)> =
            plan.changing().map(|entry| (entry.skip.as_str(), entry.rewrite)).collect();
        let number = |skip: &str| self.skips.iter().find(|s| s.label == skip).map(|s| s.number);
        for row in &mut self.rows {
            let is_planned = match row.variant {
                Variant::Planned => true,
                Variant::All(wanted) | Variant::One(_, wanted) if wanted.keeps_function() => {
                    row.accuracy = (!changed.is_empty()).then_some(given);
                    changed.is_empty()
                }
                Variant::All(wanted) => {
                    changed.len() == row.rewritten && changed.iter().all(|(_, rewrite)| *rewrite == wanted)
                }
                Variant::One(one, wanted) => match changed[..] {
                    [(skip, rewrite)] => number(skip) == Some(one) && rewrite == wanted,
                    _ => false,
                },
            };
            if is_planned {
                row.accuracy = Some(trained);
            }
        }
    }
}

/// The skip report of a design that was made of `analysed` under `options`.
///
/// Other designs are folded for the same rate. Where one of them cannot be made, its row says
/// why; where it does not fit the device, its row says so and gives its figures all the same. A rewrite that fits no
/// skip has no row.
pub fn skip_report(
    analysed: &NetworkDesign,
    design: &mut StreamDesign,
    options: &Options,
    extent: Extent,
) -> SkipReport {
    let phases = phases(design);
    let one_by_one = phases > HUGE;
    let report = Reporter { analysed, design, options, extent, one_by_one };
    let variants = report.variants(phases > LARGE);
    let made: Vec<Made> = if one_by_one {
        // One after the other, since each takes much memory; the user's own first, which is laid out already.
        let mut order: Vec<usize> = (0..variants.len()).collect();
        order.sort_by_key(|&i| !report.is_own(&variants[i].1));
        let mut made: Vec<Option<Made>> = variants.iter().map(|_| None).collect();
        for i in order {
            let report = Reporter { analysed, design, options, extent, one_by_one };
            made[i] = Some(report.variant(variants[i].0, variants[i].1.clone()));
            design.laid_out = None;
        }
        made.into_iter().flatten().collect()
    } else {
        variants.into_par_iter().map(|(variant, plan)| report.variant(variant, plan)).collect()
    };
    let kept = made.iter().find(|made| made.rows.iter().all(|row| row.variant == Variant::KEPT));
    let depths = kept.and_then(|made| made.exact.as_ref()).map_or_else(Vec::new, skip_depths);
    let rows = made.into_iter().flat_map(|made| made.rows).collect();
    SkipReport { rows, skips: analysed.skips.iter().cloned().collect(), depths }
}

/// Skips beyond which none is rewritten alone: a report would take hours.
const MOST_ALONE: usize = 200;

/// Phases of all actors beyond which a fast report has no rewrites but removal.
const LARGE: u64 = 5_000_000;

/// Phases of all actors beyond which designs are made one after the other.
const HUGE: u64 = 50_000_000;

/// Phases of a frame of all actors.
fn phases(design: &StreamDesign) -> u64 {
    design.folding.as_ref().map_or(0, |folding| folding.actors.iter().map(|actor| actor.phases).sum())
}

/// What each rewrite of `skip` alone makes of the design; or why it does not fit.
pub fn rewrites_of(
    analysed: &NetworkDesign,
    design: &StreamDesign,
    options: &Options,
    skip: &Skip,
) -> Vec<(Rewrite, Result<Row, String>)> {
    let one_by_one = phases(design) > HUGE;
    let report = Reporter { analysed, design, options, extent: Extent::Fast, one_by_one };
    let one = |rewrite: Rewrite| {
        if let Err(why) = fits(&analysed.network, skip, rewrite) {
            return (rewrite, Err(why));
        }
        let made = match report.plan(&Request::only(skip, rewrite)) {
            Ok(plan) => report.variant(Variant::One(skip.number, rewrite), plan).rows.pop(),
            Err(faults) => return (rewrite, Err(reason(&faults))),
        };
        (rewrite, made.ok_or_else(|| "no design was made".to_string()))
    };
    match one_by_one {
        true => Rewrite::ALL.into_iter().map(one).collect(),
        false => Rewrite::ALL.into_par_iter().map(one).collect(),
    }
}

/// The rows of a variant, and its design with exact FIFOs.
struct Made {
    rows: Vec<Row>,
    exact: Option<StreamDesign>,
}

struct Reporter<'a> {
    analysed: &'a NetworkDesign,
    design: &'a StreamDesign,
    options: &'a Options,
    extent: Extent,
    /// Whether designs are made one after the other, since each takes much memory.
    one_by_one: bool,
}

impl Reporter<'_> {
    /// What is reported, and the plan of each; plans that are equal once.
    fn variants(&self, large: bool) -> Vec<(Variant, Plan)> {
        let own = self.design.source.planned.as_ref().map(|planned| &planned.plan);
        let mut all: Vec<(Variant, Plan)> = Vec::new();
        let mut push = |variant: Variant, plan: Plan| {
            let rewrites = |plan: &Plan| plan.skips.iter().map(|e| e.rewrite).collect::<Vec<Rewrite>>();
            if all.iter().all(|(_, other)| rewrites(other) != rewrites(&plan)) {
                all.push((variant, plan));
            }
        };
        for rewrite in Rewrite::ALL {
            let told = match rewrite {
                Rewrite::Keep | Rewrite::Remove => true,
                Rewrite::Tap | Rewrite::Fuse | Rewrite::Exact => !large || self.extent == Extent::Full,
                Rewrite::Share | Rewrite::Shorten | Rewrite::ShortenBehind => self.extent == Extent::Full,
            };
            if !told {
                continue;
            }
            if let Ok(plan) = self.plan(&Request::All(Wanted::This(rewrite))) {
                push(Variant::All(rewrite), plan);
            }
        }
        if let Some(own) = own {
            push(Variant::Planned, own.clone());
        }
        if self.extent == Extent::Full && self.analysed.skips.len() <= MOST_ALONE {
            for skip in self.analysed.skips.iter() {
                for rewrite in Rewrite::ALL.into_iter().skip(1) {
                    if let Ok(plan) = self.plan(&Request::only(skip, rewrite)) {
                        push(Variant::One(skip.number, rewrite), plan);
                    }
                }
            }
        }
        all
    }

    /// Whether a plan is that of the user's own design.
    fn is_own(&self, plan: &Plan) -> bool {
        self.design.source.planned.as_ref().is_some_and(|planned| planned.plan.skips == plan.skips)
    }

    fn plan(&self, request: &Request) -> Result<Plan, Diagnostics> {
        request.resolve(&self.analysed.network, &self.analysed.skips)
    }

    /// Makes a variant's designs.
    fn variant(&self, variant: Variant, plan: Plan) -> Made {
        let rewritten = plan.skips.iter().filter(|entry| entry.rewrite != Rewrite::Keep).count();
        let row = |mode: Mode, figures| Row { variant, mode, rewritten, accuracy: None, figures };
        let exact = match self.folded(&plan) {
            Ok(exact) => exact,
            Err(failed) => return Made { rows: vec![row(Mode::Exact, Err(failed.faults))], exact: None },
        };
        let has_skips = exact.stream.channels().any(|c| exact.stream.channel(c).skip.is_some());
        let compared = match variant {
            Variant::One(..) => false,
            Variant::Planned | Variant::KEPT | Variant::REMOVED => true,
            Variant::All(_) => self.extent == Extent::Full,
        };
        let mut modes = vec![Mode::AllWholeFrame, Mode::WholeFrame, Mode::Exact];
        // Without skips nothing tells a baseline from exact sizing.
        modes.retain(|&mode| mode == Mode::Exact || compared && (mode == Mode::AllWholeFrame || has_skips));
        let made = |mode: Mode| {
            let figures = match mode {
                Mode::Exact => Ok(self.figures(&exact)),
                Mode::WholeFrame | Mode::AllWholeFrame => {
                    self.resized(&exact, mode).map(|d| self.figures(&d)).map_err(|f| f.faults)
                }
            };
            row(mode, figures)
        };
        let rows = match self.one_by_one {
            true => modes.into_iter().map(made).collect(),
            false => modes.into_par_iter().map(made).collect(),
        };
        // The layout of events is large, and nobody asks for it again.
        Made { rows, exact: Some(StreamDesign { laid_out: None, ..exact }) }
    }

    /// The design of a plan with exact FIFOs, folded for the same cycles a frame.
    fn folded(&self, plan: &Plan) -> Result<StreamDesign, Failed> {
        if self.is_own(plan) {
            if self.options.fifo.mode == Mode::Exact {
                return Ok(self.design.clone());
            }
            return self.resized(self.design, Mode::Exact);
        }
        let rate = match (self.options.target.rate, &self.design.folding) {
            (Rate::Fastest, Some(folding)) => Rate::Cycles(folding.interval),
            (rate, _) => rate,
        };
        let options = Options {
            trained: None,
            skips: Request::from(plan.clone()),
            target: Target { rate, ..self.options.target.clone() },
            fifo: self.fifo(Mode::Exact),
            bind: self.bind(),
        };
        also_too_large(options, |options| trial::planned(self.analysed, options, &Checks::default()))
    }

    fn resized(&self, design: &StreamDesign, mode: Mode) -> Result<StreamDesign, Failed> {
        let options = Options {
            trained: None,
            target: self.options.target.clone(),
            fifo: self.fifo(mode),
            bind: self.bind(),
            skips: self.options.skips.clone(),
        };
        also_too_large(options, |options| trial::resized(design, options, &Checks::default()))
    }

    /// Designs beside the user's own are proven only where that takes little, so that they do not multiply its time; in
    /// a full report all are, unless the user wants no proofs.
    fn fifo(&self, mode: Mode) -> FifoOptions {
        let effort = match self.options.fifo.effort {
            Effort::Fast => Effort::Fast,
            _ if self.extent == Extent::Full => Effort::Full,
            Effort::Full | Effort::Within(_) => Effort::COMPARED,
        };
        FifoOptions { mode, effort, peaks_left_open: true }
    }

    /// All designs are made at one price of a block RAM, so that they differ by their skips alone.
    fn bind(&self) -> BindOptions {
        BindOptions { block_price: self.design.binding.as_ref().map(|binding| binding.block_price) }
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
            allocated_bits: binding.allocated_bits(),
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
