//! Flags of designs side by side.

use std::path::PathBuf;

use clap::Args;

use super::{Design, Fifos, Format, Reading, Synthesiser};

/// `nonresc compare`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nonresc compare resnet8.onnx --skips keep --skips tap --skips remove
  nonresc compare resnet8.onnx resnet20.onnx --device none --fps 5000
  nonresc compare quantised.onnx --fifos whole-frame --fifos exact --skips keep --skips remove \\
      --fps 2000 --synth yosys
  nonresc compare build/kept build/removed

A folder is one that --out wrote; its schedule.json is read as it is, and the flags say nothing of it.")]
pub struct Compare {
    /// ONNX or .nir files, schedule.json files, or folders that hold one
    #[arg(required = true)]
    pub designs: Vec<PathBuf>,

    /// A plan for the skips, as for compiling; each makes a design of each model
    #[arg(long, value_name = "PLAN", default_value = "keep")]
    pub skips: Vec<String>,

    /// How deep FIFOs are, as for compiling; each makes a design of each model and plan
    #[arg(long, value_enum, default_value = "exact")]
    pub fifos: Vec<Fifos>,

    /// Synthesise the designs, simulate them, and hold what is measured against the first
    #[arg(long, value_enum)]
    pub synth: Option<Synthesiser>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub reading: Reading,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub design: Design,

    /// Form of what is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
