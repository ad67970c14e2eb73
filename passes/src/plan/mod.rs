//! What becomes of each skip: the plan as data, read from the command line or `plan.json`, and applied.
//!
//! What a skip costs is not asked here; a plan says what is wanted.

mod json;
mod remove;
mod request;

use std::fmt;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};

use crate::design::{NetworkDesign, Options};
use crate::pass::{Function, Pass, Property};
use crate::residual::{Skip, Skips};

pub use remove::apply;
pub use request::Request;

/// The pass, for the table.
pub(crate) const PASS: Pass = Pass::on_network("plan", "what becomes of each skip, and the network so", run)
    .needs(&[Property::NormalForm, Property::SkipsKnown])
    .gives(&[Property::Planned])
    .function(Function::Changed);

fn run(design: &mut NetworkDesign, options: &Options) -> Result<(), Diagnostics> {
    let plan = options.skips.resolve(&design.network, &design.skips)?;
    let planned = apply(&mut design.network, &design.skips, plan)?;
    design.notes.extend(planned.note());
    design.planned = Some(planned);
    Ok(())
}

/// What is done to a skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rewrite {
    /// It stays: a FIFO from fork to join. The function stays.
    Keep,
    /// It goes, with everything that serves it alone. The function changes.
    Remove,
}

/// As `--skips` and `plan.json` write it.
impl fmt::Display for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rewrite::Keep => "keep",
            Rewrite::Remove => "remove",
        })
    }
}

/// What is done to one skip of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The skip's label; in a request also a range of labels or an ONNX name.
    pub skip: String,
    /// The ONNX name of the sum that it ends in; empty in a request, and where the sum has none.
    pub name: String,
    /// What is done.
    pub rewrite: Rewrite,
}

/// A rewrite for every skip of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Digest of the network in normal form that the plan is for.
    pub network: String,
    /// One entry a skip, in the order of the skips.
    pub skips: Vec<Entry>,
}

impl Plan {
    /// The skips whose rewrite changes what the network computes.
    pub fn changing(&self) -> impl Iterator<Item = &Entry> {
        self.skips.iter().filter(|entry| entry.rewrite != Rewrite::Keep)
    }
}

/// A plan that has been carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The skips that the network still has, under their old numbers and labels.
    pub skips: Skips,
    /// The skips that went: those that the plan removes, and those on the branches that went with them.
    pub removed: Vec<Skip>,
}

impl Planned {
    /// What the user should know of a network that is no longer the one given.
    pub fn note(&self) -> Option<Diagnostic> {
        let labels: Vec<&str> = self.removed.iter().map(|skip| skip.label.as_str()).collect();
        let what = match &labels[..] {
            [] => return None,
            [label] => format!("skip {label} was removed"),
            _ => format!("skips {} were removed", labels.join(", ")),
        };
        Some(Diagnostic::new(
            "plan/changed",
            what,
            "the network computes another function than the model that was given, with weights trained for that one",
            "retrain it before its accuracy is judged",
        ))
    }
}
