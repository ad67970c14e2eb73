//! What a pass is: its name, what it needs and gives, what it does to the function, and on which level it runs.
//!
//! No pass lives here and none is run here. The two levels are two types: a pass over networks takes a
//! [`NetworkDesign`], a pass over streams a [`StreamDesign`], and [`Pass::lowering`] is the one way between
//! them, so that a pass on the wrong level does not compile.

use std::fmt;

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::stream::Stream;

use crate::design::{NetworkDesign, Options, StreamDesign};

/// A fact about a design that passes need or give. Passes know these, not each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// The network is in normal form: see `normalise`.
    NormalForm,
    /// The skips are known.
    SkipsKnown,
    /// Each skip has its rewrite, and the network is as the plan says.
    Planned,
    /// There is a stream of actors and channels.
    Streaming,
    /// Channels are as wide as what they carry.
    Widths,
    /// Actors are folded, and channels have their lanes.
    Folded,
    /// Channels have their depths.
    Sized,
    /// Memories are bound to the device's primitives.
    Bound,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Property::NormalForm => "normal form",
            Property::SkipsKnown => "skips known",
            Property::Planned => "planned",
            Property::Streaming => "streaming",
            Property::Widths => "widths",
            Property::Folded => "folded",
            Property::Sized => "sized",
            Property::Bound => "bound",
        })
    }
}

/// What a pass does to the function that the network computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Another form of the same function.
    Same,
    /// Another function, where the plan asks for one.
    Changed,
    /// Nothing: facts are added.
    ReadOnly,
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Function::Same => "same",
            Function::Changed => "changed",
            Function::ReadOnly => "read-only",
        })
    }
}

/// The level a pass runs on, and what it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Run {
    /// Over the network.
    Network(fn(&mut NetworkDesign, &Options) -> Result<(), Diagnostics>),
    /// From the network to the stream.
    Lowering(fn(&NetworkDesign, &Options) -> Result<Stream, Diagnostics>),
    /// Over the stream.
    Stream(fn(&mut StreamDesign, &Options) -> Result<(), Diagnostics>),
}

/// A pass. Its file exports one constant of this type, and `table.rs` lists them all.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// As `--stop-after` takes it.
    pub name: &'static str,
    /// One line, as `--list-passes` prints it.
    pub summary: &'static str,
    /// What must hold before.
    pub needs: &'static [Property],
    /// What holds afterwards.
    pub gives: &'static [Property],
    /// What becomes of the function.
    pub function: Function,
    pub(crate) run: Run,
}

impl Pass {
    const fn new(name: &'static str, summary: &'static str, run: Run) -> Self {
        Pass { name, summary, needs: &[], gives: &[], function: Function::ReadOnly, run }
    }

    /// A pass over networks.
    pub const fn on_network(
        name: &'static str,
        summary: &'static str,
        run: fn(&mut NetworkDesign, &Options) -> Result<(), Diagnostics>,
    ) -> Self {
        Pass::new(name, summary, Run::Network(run))
    }

    /// The step from the network to the stream.
    pub const fn lowering(
        name: &'static str,
        summary: &'static str,
        run: fn(&NetworkDesign, &Options) -> Result<Stream, Diagnostics>,
    ) -> Self {
        Pass::new(name, summary, Run::Lowering(run))
    }

    /// A pass over streams.
    pub const fn on_stream(
        name: &'static str,
        summary: &'static str,
        run: fn(&mut StreamDesign, &Options) -> Result<(), Diagnostics>,
    ) -> Self {
        Pass::new(name, summary, Run::Stream(run))
    }

    /// Says what must hold before.
    pub const fn needs(self, needs: &'static [Property]) -> Self {
        Pass { needs, ..self }
    }

    /// Says what holds afterwards.
    pub const fn gives(self, gives: &'static [Property]) -> Self {
        Pass { gives, ..self }
    }

    /// Says what becomes of the function.
    pub const fn function(self, function: Function) -> Self {
        Pass { function, ..self }
    }

    /// The level that the pass runs on: `network`, `network to stream` or `stream`.
    pub fn level(&self) -> &'static str {
        match self.run {
            Run::Network(_) => "network",
            Run::Lowering(_) => "network to stream",
            Run::Stream(_) => "stream",
        }
    }
}
