//! What flows through the passes: the network with its skips and plan, then the stream with its folding,
//! depths and memories, each with the facts that hold of it.
//!
//! Data only: nothing is computed here.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::network::Network;
use nonresc_ir::stream::Stream;
use nonresc_ir::text;

use crate::bind::{BindOptions, Binding};
use crate::distill::state::State;
use crate::fifo::{FifoOptions, LaidOut, Sizing};
use crate::fold::Folding;
use crate::normalise::Applied;
use crate::pass::Property;
use crate::plan::{Planned, Request};
use crate::residual::Skips;
use crate::target::Target;

/// The options of all passes, each struct defined in its pass's own file.
#[derive(Clone, Debug)]
pub struct Options {
    /// Device, clock, rate, widths and seed: what several passes share.
    pub target: Target,
    /// What the user wants done to the skips.
    pub skips: Request,
    /// What retraining gave the layers that only the plan makes; the others have it already.
    pub trained: Option<Arc<State>>,
    /// How FIFOs are sized.
    pub fifo: FifoOptions,
    /// How memories are chosen.
    pub bind: BindOptions,
}

impl Options {
    /// What the command line does without flags: skips kept, FIFOs exact.
    pub fn of(target: Target) -> Options {
        Options {
            target,
            skips: Request::KEEP,
            trained: None,
            fifo: FifoOptions::default(),
            bind: BindOptions::default(),
        }
    }
}

/// A design while it is a network.
#[derive(Clone, Debug)]
pub struct NetworkDesign {
    /// The network as it stands.
    pub network: Network,
    /// The rules that normalisation applied, in order.
    pub applied: Vec<Applied>,
    /// The skips of the network before the plan changed it; empty until they are analysed.
    pub skips: Skips,
    /// The plan, and what it left of the skips.
    pub planned: Option<Planned>,
    /// Remarks for the user.
    pub notes: Vec<Diagnostic>,
    pub(crate) properties: BTreeSet<Property>,
}

impl NetworkDesign {
    /// An imported network of which nothing is known yet.
    pub fn new(network: Network) -> Self {
        NetworkDesign {
            network,
            applied: Vec::new(),
            skips: Skips::default(),
            planned: None,
            notes: Vec::new(),
            properties: BTreeSet::new(),
        }
    }

    /// The skips that the network has as it stands: what the plan left, or all of them before a plan.
    pub fn live_skips(&self) -> &Skips {
        self.planned.as_ref().map_or(&self.skips, |planned| &planned.skips)
    }

    /// What is known to hold.
    pub fn properties(&self) -> &BTreeSet<Property> {
        &self.properties
    }
}

/// A design from `lower` on.
#[derive(Clone, Debug)]
pub struct StreamDesign {
    /// The network that was lowered, its skips and its plan.
    pub source: NetworkDesign,
    /// Actors and channels.
    pub stream: Stream,
    /// Why actors are folded as they are.
    pub folding: Option<Folding>,
    /// Depths, interval, and their evidence.
    pub sizing: Option<Sizing>,
    /// Memories and what they take of the device.
    pub binding: Option<Binding>,
    /// The folded stream as sizing sees it, shared by all ways to size it; nothing before it was sized, or
    /// where it is large.
    pub(crate) laid_out: Option<Arc<LaidOut>>,
}

/// A design on the level that it has reached.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "one design lives at a time")]
pub enum Design {
    /// Before `lower`.
    Network(NetworkDesign),
    /// From `lower` on.
    Stream(StreamDesign),
}

impl Design {
    /// The network with its skips, plan and notes, on either level.
    pub fn source(&self) -> &NetworkDesign {
        match self {
            Design::Network(design) => design,
            Design::Stream(design) => &design.source,
        }
    }

    /// The stream design, where `lower` has been run.
    pub fn stream(&self) -> Option<&StreamDesign> {
        match self {
            Design::Network(_) => None,
            Design::Stream(design) => Some(design),
        }
    }
}

/// The text of a dump: the network as `.nir` with its skips as remarks, or the stream.
impl fmt::Display for Design {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Design::Network(design) => {
                for skip in design.live_skips().iter() {
                    let (label, shape, names) = (&skip.label, skip.shape, &skip.names);
                    writeln!(
                        f,
                        "# skip {label}: {shape}, ends in {names}, beside {} conv",
                        skip.convolutions
                    )?;
                }
                f.write_str(&text::print(&design.network))
            }
            Design::Stream(design) => write!(f, "{}", design.stream),
        }
    }
}
