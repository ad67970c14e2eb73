//! The one definition of the command line; help, completions and the manual page are made from it.
//!
//! Here text becomes values and nonsense becomes a usage error. Nothing is read, run or printed here.

mod compare;
mod hardware;
mod images;
mod quantise;
mod retrain;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use nonresc_passes::target::Bits;

pub use compare::Compare;
pub use hardware::{Emit, Hardware, Synthesiser};
pub use images::Images;
pub use quantise::{Quantise, ScaleKind};
pub use retrain::Retrain;
use values::{bits, clock, divisors, dump, extents, factor, numbers, rate};

/// Compiles ONNX residual networks to exactly sized streaming FPGA schedules, with or without their skips.
#[derive(Debug, Parser)]
#[command(
    name = "nonresc",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true,
    after_help = AFTER_HELP,
)]
pub struct Cli {
    /// What to do; without a word here, MODEL is compiled.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Say nothing on standard error but faults: no remarks, no progress
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Say on standard error what each step did: counts and time
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub compile: Compile,
}

const AFTER_HELP: &str = "\
Examples:
  nonresc resnet8.onnx --target fpga                      the schedule and what its skips cost
  nonresc resnet8.onnx --device xc7z020 --clock 100       for another part, at 100 MHz
  nonresc resnet8.onnx --fps 20000 --out build            no faster than needed; write the files
  nonresc resnet8.onnx --skips 1:remove                   without the first skip
  nonresc resnet8.onnx --dump-ir                          how the file was understood
  nonresc resnet8.onnx --skips remove --retrain --data cifar-10-batches-bin --out build   without skips, and trained so
  nonresc eval resnet8.onnx --data cifar-10-batches-bin   accuracy of the network as given
  nonresc quantise resnet8.onnx --data cifar-10-batches-bin --out q   the same in integer codes

A model whose file is named like a command is written ./run.
Exit codes: 0 done, 1 input refused, 2 usage, 3 a needed tool is missing, 4 verification failed,
130 ended by Ctrl-C.";

/// Everything that is not compiling.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the network on inputs of your own and write its outputs
    Run(Run),
    /// Measure the network's accuracy on a labelled data set
    Eval(Eval),
    /// Turn a network of floats into one of integer codes, by calibration on images
    #[command(alias = "quantize")]
    Quantise(Quantise),
    /// Say why a skip costs what it costs, and what each rewrite would do with it
    Explain(Explain),
    /// Hold designs against each other: of several models, or of one under several plans
    Compare(Compare),
    /// List the known devices and what each has
    Devices(Devices),
    /// Print shell completions
    #[command(hide = true)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(hide = true)]
    Man,
}

/// What a model's file leaves open.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub struct Reading {
    /// Shape of the first input without its batch, where the file leaves it open, such as 3x32x32
    #[arg(long, value_name = "CxHxW", value_parser = extents)]
    pub input_shape: Option<Extents>,

    /// Raw pixels are multiplied by this first, such as 1/255
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub scale: Option<f64>,

    /// Then this is subtracted, one number or one a channel, such as 0.4914,0.4822,0.4465
    #[arg(long, value_name = "NUMBERS", value_parser = numbers, allow_hyphen_values = true)]
    pub mean: Option<Numbers>,

    /// Then it is divided by this, one number or one a channel, such as 0.2470,0.2435,0.2616
    #[arg(long, value_name = "NUMBERS", value_parser = divisors)]
    pub std: Option<Numbers>,
}

/// What a design is made for.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Design")]
pub struct Design {
    /// The part: a name that `nonresc devices` lists, `none` for no limits, or a .toml file of your own
    #[arg(long, value_name = "NAME|none|FILE", default_value = "xck26")]
    pub device: String,

    /// Clock in MHz (default: the device's usual one)
    #[arg(long, value_name = "MHZ", value_parser = clock)]
    pub clock: Option<f64>,

    /// Frames a second that are enough; the cheapest such design is made (default: the fastest that fits)
    #[arg(long, value_name = "N", value_parser = rate)]
    pub fps: Option<f64>,

    /// Bits of weights and of activations, 1 to 16 each
    #[arg(long, value_name = "wNaM", value_parser = bits, default_value = "w8a8")]
    pub bits: Bits,

    /// How much is spent on proofs that no FIFO can be shorter [default: full where the events near each channel
    /// are at most 20 million in sum, else fast]
    #[arg(long, value_enum)]
    pub effort: Option<Effort>,

    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// How deep the FIFOs of a design are.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Design")]
pub struct Depths {
    /// How deep FIFOs are: exact, whole-frame (skips hold a frame), all-whole-frame (every FIFO does)
    #[arg(long, value_enum, default_value_t = Fifos::Exact)]
    pub fifos: Fifos,
}

/// `nonresc MODEL`.
#[derive(Debug, Args)]
pub struct Compile {
    /// The network: an ONNX file, or a .nir file as --dump-ir prints it
    #[arg(required_unless_present_any = ["list_passes"])]
    pub model: Option<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub reading: Reading,

    /// Keep this output of an ONNX graph; once for each that is wanted, needed where it has several (default: the
    /// only one)
    #[arg(long, value_name = "NAME")]
    pub output: Vec<String>,

    /// What to compile for
    #[arg(long, value_enum, default_value_t = TargetKind::Fpga)]
    pub target: TargetKind,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub design: Design,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub depths: Depths,

    /// What becomes of the skips: keep, reuse, tap, share, fuse, exact, shorten, shorten-behind,
    /// remove or auto for all of them, a list such as 1-3:remove,4:reuse (numbers or ONNX names), or a plan.json
    #[arg(long, value_name = "PLAN", default_value = "keep", help_heading = "Design")]
    pub skips: String,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub retrain: Retrain,

    /// Write the outputs to this folder, whole or not at all
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,

    /// Which outputs to write; plan.json is always there [default: all]
    #[arg(
        long,
        value_enum,
        value_name = "LIST",
        value_delimiter = ',',
        requires = "out",
        help_heading = "Output"
    )]
    pub emit: Vec<Emit>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub hardware: Hardware,

    /// Form of what is printed
    #[arg(long, value_enum, default_value_t = Format::Text, help_heading = "Output")]
    pub format: Format,

    /// How much the report says of skips: each rewrite of all of them, or of each one alone as well
    #[arg(long, value_enum, default_value_t = Report::Fast, help_heading = "Output")]
    pub report: Report,

    /// Print the intermediate representation instead of the report: as read from the file (with --stop-after:
    /// as that pass leaves it), after one pass, or after every pass
    #[arg(
        long, value_name = "after:PASS|all", num_args = 0..=1, require_equals = true,
        default_missing_value = "read", value_parser = dump, help_heading = "Looking inside"
    )]
    pub dump_ir: Option<Dump>,

    /// Stop after this pass; nothing behind it runs
    #[arg(long, value_name = "PASS", help_heading = "Looking inside")]
    pub stop_after: Option<String>,

    /// List the passes in their order, and what each does
    #[arg(long, help_heading = "Looking inside")]
    pub list_passes: bool,

    /// Print what each pass took, in milliseconds, to standard error
    #[arg(long, help_heading = "Looking inside")]
    pub timings: bool,
}

/// `nonresc run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  nonresc run resnet8.onnx --input x.npz --output y.npz

The .npz holds one array an input, named like the graph's input, or `input` where there is one alone.
Any number of samples is taken, also where the model's batch is fixed.")]
pub struct Run {
    /// The network: an ONNX or .nir file
    pub model: PathBuf,

    /// The inputs: a .npz, or a .npy for a network with one input
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,

    /// Where the outputs go: a .npz with one array an output, or a .npy for a network with one output
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub reading: Reading,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub computing: Computing,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub numbers: Numbering,
}

/// In which numbers a network is computed.
#[derive(Clone, Copy, Debug, Args)]
pub struct Numbering {
    /// Compute a quantised network in integers, as hardware does
    #[arg(long)]
    pub integer: bool,

    /// How integers are rounded
    #[arg(long, value_enum, default_value_t = Rounding::File, requires = "integer")]
    pub rounding: Rounding,
}

/// `nonresc eval`.
#[derive(Debug, Args)]
#[command(after_help = EVAL_HELP)]
pub struct Eval {
    /// The network: an ONNX or .nir file
    pub model: PathBuf,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub reading: Reading,

    /// The output that holds the scores of the classes, where the network has several
    #[arg(long, value_name = "NAME")]
    pub output: Option<String>,

    /// The labelled images
    #[arg(long, value_name = "DATA")]
    pub data: PathBuf,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub images: Images,

    /// Use only so many images from the beginning
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub computing: Computing,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub numbers: Numbering,

    /// Instead of accuracy, how far each layer's codes are from floats, and which is the first to leave them; on 64
    /// images unless --limit says more
    #[arg(long, requires = "integer")]
    pub layers: bool,

    /// Form of what is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// Say how many images a second were done: on standard error, or in the JSON document
    #[arg(long)]
    pub timings: bool,
}

const EVAL_HELP: &str = "\
Examples:
  nonresc eval resnet8.onnx --data cifar-10-batches-bin
  nonresc eval resnet20.onnx --data cifar-10-batches-bin/test_batch.bin \\
      --scale 1/255 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
  nonresc eval resnet50.onnx --data val --labels classes.txt --resize 256 --crop 224 \\
      --scale 1/255 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225

DATA is a CIFAR-10 or CIFAR-100 binary file or the folder of them (its test file is used), a .npz with arrays
x and y, a .npy with --labels, or a folder with one folder of PNG or JPEG images a class, whose sorted names
are the classes unless --labels gives their order. Images are RGB and count from 0 to 255 before --scale.";

/// `nonresc explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  nonresc explain resnet8.onnx 1

All other skips are kept.")]
pub struct Explain {
    /// The network: an ONNX or .nir file
    pub model: PathBuf,

    /// The skip: its number, or the ONNX name of its sum
    pub skip: String,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub reading: Reading,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub design: Design,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub depths: Depths,
}

/// `nonresc devices`.
#[derive(Debug, Args)]
pub struct Devices {
    /// Form of what is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What a design is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TargetKind {
    /// A streaming design for a field-programmable gate array
    Fpga,
}

/// How deep FIFOs are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fifos {
    /// The least depths that keep the rate
    Exact,
    /// Skips hold a whole frame, all others are exact
    WholeFrame,
    /// Every FIFO holds a whole frame
    AllWholeFrame,
}

/// How much is spent on proofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Effort {
    /// Depths that a schedule occupies in which frames come evenly: enough, not the least
    Fast,
    /// The least depths, each proven, however long that takes
    Full,
}

/// How much the report says of skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Report {
    /// Kept and removed beside the baselines, other rewrites of all skips with exact FIFOs
    Fast,
    /// Every rewrite of all skips beside the baselines, and of each skip alone
    Full,
}

impl From<Report> for nonresc_passes::cost::Extent {
    fn from(report: Report) -> Self {
        match report {
            Report::Fast => Self::Fast,
            Report::Full => Self::Full,
        }
    }
}

/// Form of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables of at most 100 columns
    Text,
    /// One JSON document
    Json,
}

/// What computes, and where it lies.
#[derive(Clone, Debug, Args)]
pub struct Computing {
    /// What computes
    #[arg(long, value_enum, default_value_t = Engine::Native)]
    pub engine: Engine,

    /// The library of onnxruntime for --engine ort [default: that of ORT_DYLIB_PATH, else the system's]
    #[arg(long, value_name = "FILE")]
    pub onnxruntime: Option<PathBuf>,
}

/// What computes a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// Our own kernels
    Native,
    /// The plain evaluator: slow and obviously right
    Plain,
    /// tract, an independent ONNX runtime; in builds with `--features engine` alone
    Tract,
    /// onnxruntime, of a library of yours; in builds with `--features ort` alone
    Ort,
}

/// How integers are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rounding {
    /// As each quantiser of the file says
    File,
    /// To the nearest, ties to even, as ONNX says
    HalfEven,
    /// To the nearest, ties up
    HalfUp,
    /// As TensorFlow Lite's reference kernels do
    Tflite,
}

impl From<Rounding> for nonresc_passes::integers::Rule {
    fn from(rounding: Rounding) -> Self {
        match rounding {
            Rounding::File => Self::AsGiven,
            Rounding::HalfEven => Self::All(nonresc_ir::network::Rounding::HalfEven),
            Rounding::HalfUp => Self::All(nonresc_ir::network::Rounding::HalfUp),
            Rounding::Tflite => Self::TfLite,
        }
    }
}

/// Which dump of the intermediate representation is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dump {
    /// The network as read, or as `--stop-after` leaves it.
    Read,
    /// What the named pass leaves.
    After(String),
    /// What every pass leaves.
    All,
}

/// Extents of an input without its batch axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extents(pub Vec<usize>);

/// One number, or one a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers(pub Vec<f64>);
