//! The skip report as data.

use nonresc_passes::cost;
use serde::Serialize;

use super::Amount;

/// What the skips cost: whole designs for the same cycles a frame, and each skip's depths.
#[derive(Clone, Debug, Serialize)]
pub struct SkipReport {
    /// Skips kept, with each rewrite, as planned, under the baselines; then the rewrites of each skip alone.
    pub rows: Vec<Row>,
    /// All skips of the network as given.
    pub skips: Vec<Skip>,
}

/// One design.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What becomes of them: `kept`, `tapped`, `shared`, `fused`, `exact`, `shortened`, `removed`, or `planned`.
    pub skips: &'static str,
    /// The number of the skip that this is said of, where it is said of one alone.
    pub only: Option<usize>,
    /// How many skips are not kept.
    pub rewritten: usize,
    /// The share of test images that the network of this row is right about, as floats, to 6
    /// decimals; after retraining.
    pub accuracy: Option<f64>,
    /// `exact`, `whole-frame` or `all-whole-frame`.
    pub fifos: &'static str,
    /// Its figures, where there is such a design.
    pub figures: Option<Figures>,
    /// Why there is none.
    pub refused: Option<String>,
}

/// What a design takes, and how fast it is.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Bits of channels that are read in order, skips included.
    pub fifo_bits: u64,
    /// Those of them that carry skips.
    pub skip_bits: u64,
    /// Bits of channels that windows are read from.
    pub line_buffer_bits: u64,
    /// Bits that the primitives of all channels hold, copies included.
    pub allocated_bits: u64,
    /// Bits of windows and their staging.
    pub register_bits: u64,
    /// What is taken; `luts` and `ffs` are estimates.
    pub taken: Amount,
    /// Clocks a frame.
    pub interval_clocks: f64,
    /// Clocks until the first frame's last beat has left.
    pub latency_clocks: u64,
    /// Frames a second.
    pub frames_per_second: f64,
    /// Channels whose depth is proven the least ...
    pub proven_channels: usize,
    /// ... of so many that were searched.
    pub searched_channels: usize,
    /// What the device has too little of.
    pub over: Option<String>,
}

/// One skip.
#[derive(Clone, Debug, Serialize)]
pub struct Skip {
    /// Its number, as channels carry it.
    pub number: usize,
    /// Its name in `--skips`.
    pub label: String,
    /// What lies on it.
    pub shape: String,
    /// The ONNX names of its sum.
    pub names: Vec<String>,
    /// Convolutions on it.
    pub skip_convolutions: usize,
    /// Convolutions beside it.
    pub convolutions: usize,
    /// Its channels in the design that keeps it, FIFOs exact.
    pub channels: Vec<SkipChannel>,
}

/// A channel of a skip.
#[derive(Clone, Debug, Serialize)]
pub struct SkipChannel {
    /// Bits of a word.
    pub word_bits: u64,
    /// Least words with which the stream runs at all.
    pub least_running_words: Option<u64>,
    /// Words needed at full rate.
    pub needed_words: u64,
    /// Whether one word less is known to be too short.
    pub proven: bool,
    /// Words that the primitives hold.
    pub allocated_words: u64,
    /// What it is made of.
    pub made_of: String,
    /// Words of a whole frame.
    pub frame_words: u64,
}

pub(super) fn skip_report(report: &cost::SkipReport) -> SkipReport {
    let row = |row: &cost::Row| Row {
        skips: row.variant.name(),
        only: match row.variant {
            cost::Variant::One(number, _) => Some(number),
            cost::Variant::All(_) | cost::Variant::Planned => None,
        },
        rewritten: row.rewritten,
        accuracy: row.accuracy.map(|share| (share * 1e6).round() / 1e6),
        fifos: row.mode.name(),
        figures: row.figures.as_ref().ok().map(figures),
        refused: row.figures.as_ref().err().map(cost::reason),
    };
    let skip = |skip: &nonresc_passes::residual::Skip| Skip {
        number: skip.number,
        label: skip.label.clone(),
        shape: skip.shape.to_string(),
        names: skip.names.iter().map(str::to_string).collect(),
        skip_convolutions: skip.skip_convolutions,
        convolutions: skip.convolutions,
        channels: report.depths.iter().filter(|d| d.skip == skip.number).map(channel).collect(),
    };
    SkipReport { rows: report.rows.iter().map(row).collect(), skips: report.skips.iter().map(skip).collect() }
}

fn figures(f: &cost::Figures) -> Figures {
    Figures {
        fifo_bits: f.fifo_bits,
        skip_bits: f.skip_bits,
        line_buffer_bits: f.line_buffer_bits,
        allocated_bits: f.allocated_bits,
        register_bits: f.register_bits,
        taken: f.usage.into(),
        interval_clocks: f.interval_clocks,
        latency_clocks: f.latency_clocks,
        frames_per_second: f.fps,
        proven_channels: f.proven.0,
        searched_channels: f.proven.1,
        over: f.over.clone(),
    }
}

fn channel(d: &cost::SkipDepth) -> SkipChannel {
    SkipChannel {
        word_bits: d.word_bits,
        least_running_words: d.depth.least_running_words,
        needed_words: d.depth.words,
        proven: d.depth.evidence.proven(),
        allocated_words: d.allocated_words,
        made_of: d.made_of.clone(),
        frame_words: d.frame_words,
    }
}
