//! How parallel each actor is: PE, SIMD, lanes, form, ports and multipliers, for a rate on a device.
//!
//! Given the cycles T that a frame may take, actors are independent but for the lanes of their channels, which are
//! equal at sums and forks ([`classes`]). So the least area at T is a minimum an actor ([`layer`]), "as fast as
//! fits" a bisection over T, and only where DSP blocks run out do actors compete for them ([`search`]). Phase
//! counts are those of the phase lists, in closed form ([`count`]).

mod classes;
mod count;
mod layer;
mod report;
mod search;

pub use count::{Counter, Lanes};

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::id::ActorId;
use nonresc_ir::stream::Stream;

use crate::arithmetic::{self, Arithmetic};
use crate::design::{Options, StreamDesign};
use crate::pass::{Function, Pass, Property};
use crate::target::Target;

/// The pass, for the table.
pub(crate) const PASS: Pass =
    Pass::on_stream("fold", "parallelism of each actor: PE, SIMD, lanes, form, ports", run)
        .needs(&[Property::Widths])
        .gives(&[Property::Folded])
        .function(Function::Same);

fn run(design: &mut StreamDesign, options: &Options) -> Result<(), Diagnostics> {
    let arithmetic = arithmetic::of_network(&design.stream, &design.source.network);
    design.folding = Some(fold_codes(&mut design.stream, &options.target, arithmetic.as_ref())?);
    design.laid_out = None;
    Ok(())
}

/// What one actor was given, and what it makes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Which.
    pub actor: ActorId,
    /// Its name.
    pub label: String,
    /// Phases of a frame: the least interval that the actor allows.
    pub phases: u64,
    /// Numbers a beat of its first input.
    pub lanes_in: usize,
    /// Numbers a beat of its first output.
    pub lanes_out: usize,
    /// Products of a frame, padding included; 0 where nothing is multiplied by weights.
    pub products: u64,
    /// Multipliers: SIMD x PE, those of a projection beside included.
    pub multipliers: u64,
    /// DSP blocks.
    pub dsps: u64,
    /// Its fold in words: `held 29x16` is SIMD 29, PE 16.
    pub fold: String,
}

/// Why the stream is folded as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Folding {
    /// Cycles that a frame was allowed to take.
    pub allowed: u64,
    /// Phases of the slowest actor: the interval of a frame in cycles, once FIFOs are deep enough.
    pub interval: u64,
    /// The slowest actor.
    pub bottleneck: ActorId,
    /// Frames a second at the target's clock and that interval.
    pub fps: f64,
    /// Every actor, in the order of ids.
    pub actors: Vec<Decision>,
    /// DSP blocks of all.
    pub dsps: u64,
    /// Products of a frame.
    pub products: u64,
    /// Product slots of an interval: multipliers x interval.
    pub slots: u64,
}

/// Folds every actor and sets the lanes of every channel.
///
/// # Errors
/// What no folding can reach on the device: which actor cannot be faster, or what there is too little of.
pub fn fold(stream: &mut Stream, target: &Target) -> Result<Folding, Diagnostics> {
    fold_codes(stream, target, None)
}

/// As [`fold`]; where numbers are known, so are the DSP blocks of their scales.
fn fold_codes(
    stream: &mut Stream,
    target: &Target,
    arithmetic: Option<&Arithmetic>,
) -> Result<Folding, Diagnostics> {
    let plan = search::search(stream, target, arithmetic)?;
    plan.apply(stream);
    Ok(report::folding(stream, target, &plan))
}
