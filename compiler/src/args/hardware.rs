//! What the compiler writes, and what is done with the hardware once it is written.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Proofs of the hardware.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Hardware {
    /// Build the design with Verilator and stream so many frames of random codes through it: every number against the
    /// integer network, every start time against the schedule [default with the flag alone: 3]
    #[arg(
        long, value_name = "FRAMES", num_args = 0..=1, require_equals = true, default_missing_value = "3",
        value_parser = clap::value_parser!(u32).range(2..=1000), help_heading = "Hardware"
    )]
    pub verify: Option<u32>,

    /// Arrays, as for `nonresc run`, whose frames the testbench and --verify stream in place of random codes; again from
    /// the first where they are fewer
    #[arg(long, value_name = "FILE", help_heading = "Hardware")]
    pub stimulus: Option<PathBuf>,

    /// Synthesise the design for the device's family, and print what it takes beside what was predicted, in all and by
    /// actor
    #[arg(long, value_name = "TOOL", help_heading = "Hardware")]
    pub synth: Option<Synthesiser>,
}

impl Hardware {
    /// Whether a tool is to run over the design.
    pub fn runs_tools(&self) -> bool {
        self.verify.is_some() || self.synth.is_some()
    }
}

/// A program that synthesises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Synthesiser {
    /// Yosys, 0.23 or later
    Yosys,
}

/// An output of the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Emit {
    /// schedule.json: the design as data
    Schedule,
    /// report.html: the report as one page, with pictures
    Html,
    /// float.onnx, or quantised.onnx of a quantised model: the network as planned, with the model's own inputs and
    /// outputs
    Onnx,
    /// network.nir and network.safetensors: the same as text with its weights, to be read back
    Nir,
    /// design.dot: actors and channels as a drawing
    Dot,
    /// rtl/: the design as SystemVerilog, for networks of integer codes; `rtl` is the same word
    #[value(alias = "rtl")]
    Systemverilog,
    /// step.onnx: one step of training as ordinary ONNX, parameters in, gradients out; after --retrain step.npz, the
    /// parameters; only where it is named
    Gradients,
}
