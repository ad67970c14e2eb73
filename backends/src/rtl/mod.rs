//! The design as SystemVerilog: hand-written modules, and a generated top that only instantiates them.
//!
//! Needs: a stream that is folded and sized, and the numbers of its actors ([`nonresc_passes::arithmetic`]). Gives: the
//! files of `rtl/`. The modules lie in `backends/rtl`, one a file; they are written out as they are.
//!
//! - [`top`]: the top, channels and actors joined; [`instance`]: text of an instance.
//! - [`actor`], [`matvec`], [`pool`]: the instance of an actor, by its kind.
//! - [`beats`]: where the channels of output beats come from.
//! - [`bench`], [`scripts`]: what lies beside: testbench and a page, scripts; [`mod@reference`]: what comes out for what
//!   goes in.
//! - [`simulate`], [`verify`]: the design in Verilator.
//! - [`memory`]: what a channel is made of; [`numbers`]: ways to codes; [`word`]: images, whose words are
//!   found in [`nonresc_passes::images`].

mod actor;
mod beats;
mod bench;
mod instance;
mod matvec;
mod memory;
mod numbers;
mod pool;
mod reference;
mod scripts;
mod simulate;
mod synthesis;
mod top;
mod verify;
mod word;

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::stream::Stream;
use nonresc_passes::arithmetic::{Arithmetic, arithmetic};
use nonresc_passes::bind::Binding;
use nonresc_passes::engine::Given;
use nonresc_passes::integers::Integers;
use nonresc_passes::target::Target;

pub use simulate::{Run, Seen, Simulator};
pub use synthesis::{Cells, Known, Synthesised, channel_name, synthesise};
pub use top::{Pin, TOP, names};
pub use verify::{Bench, Misplaced, Observed, Trial, Verified};

/// The modules that every design is made of: file and text.
const MODULES: &[(&str, &str)] = &[
    ("choose.sv", include_str!("../../rtl/choose.sv")),
    ("control.sv", include_str!("../../rtl/control.sv")),
    ("delay.sv", include_str!("../../rtl/delay.sv")),
    ("direct.sv", include_str!("../../rtl/direct.sv")),
    ("dot.sv", include_str!("../../rtl/dot.sv")),
    ("dot_pair.sv", include_str!("../../rtl/dot_pair.sv")),
    ("fold_map.sv", include_str!("../../rtl/fold_map.sv")),
    ("folds.sv", include_str!("../../rtl/folds.sv")),
    ("gather.sv", include_str!("../../rtl/gather.sv")),
    ("held.sv", include_str!("../../rtl/held.sv")),
    ("multiply.sv", include_str!("../../rtl/multiply.sv")),
    ("operands.sv", include_str!("../../rtl/operands.sv")),
    ("partial.sv", include_str!("../../rtl/partial.sv")),
    ("pool.sv", include_str!("../../rtl/pool.sv")),
    ("regroup.sv", include_str!("../../rtl/regroup.sv")),
    ("requantise.sv", include_str!("../../rtl/requantise.sv")),
    ("rom.sv", include_str!("../../rtl/rom.sv")),
    ("scale.sv", include_str!("../../rtl/scale.sv")),
    ("sink.sv", include_str!("../../rtl/sink.sv")),
    ("source.sv", include_str!("../../rtl/source.sv")),
    ("stationary.sv", include_str!("../../rtl/stationary.sv")),
    ("storage.sv", include_str!("../../rtl/storage.sv")),
    ("sum.sv", include_str!("../../rtl/sum.sv")),
    ("taking.sv", include_str!("../../rtl/taking.sv")),
    ("tally.sv", include_str!("../../rtl/tally.sv")),
    ("tree.sv", include_str!("../../rtl/tree.sv")),
    ("walk.sv", include_str!("../../rtl/walk.sv")),
    ("window.sv", include_str!("../../rtl/window.sv")),
];

/// An instance of the top.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its module, parameters and images: what is equal where all that it is made of is.
    pub contents: String,
    /// Products side by side: by far the most of the time that synthesis takes.
    pub multipliers: u64,
}

/// A design as files.
#[derive(Clone, Debug, Default)]
pub struct Rtl {
    /// Name and text of each file.
    pub files: BTreeMap<String, String>,
    /// The AXI4-Stream pins, in the order of the stream's sources and sinks.
    pub pins: Vec<Pin>,
    /// The instances of the top.
    pub parts: BTreeMap<String, Part>,
    /// Cycles for which the design holds its own reset behind the pin's.
    pub settling: usize,
}

/// The files of a design. Every channel of `stream` has a depth. Synthesis makes memories as bound, where they are.
///
/// # Errors
/// Every actor that there is no hardware for, by its names.
pub fn rtl(stream: &Stream, arithmetic: &Arithmetic, bound: Option<&Binding>) -> Result<Rtl, Diagnostics> {
    let mut rtl = top::top(stream, arithmetic, bound)?;
    rtl.files.extend(MODULES.iter().map(|&(file, text)| (file.to_owned(), text.to_owned())));
    Ok(rtl)
}

/// The files of a design with a testbench, scripts for the target's family and a page beside them. The testbench streams
/// the frames that are given by the names of the network's inputs, or random codes.
///
/// # Errors
/// As [`rtl`]; arrays that are not the network's inputs.
pub fn project(
    stream: &Stream,
    integers: &Integers,
    bound: Option<&Binding>,
    target: &Target,
    given: Option<&Given>,
) -> Result<Rtl, Diagnostics> {
    let mut rtl = rtl(stream, &arithmetic(stream, integers)?, bound)?;
    let beside = bench::files(stream, integers, &rtl, target, given)?;
    rtl.files.extend(beside);
    Ok(rtl)
}
