//! What becomes of each skip: the plan as data, read from the command line or `plan.json`, and applied.
//!
//! What a skip costs is not asked here; a plan says what is wanted.

mod apply;
mod chain;
mod exact;
mod json;
mod remove;
mod request;
mod rewrite;
mod serve;
mod shorten;

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::network::Network;

use crate::design::{NetworkDesign, Options};
use crate::pass::{Function, Pass, Property};
use crate::residual::{Skip, Skips};
use crate::target::Bits;

pub use apply::apply;
pub use exact::Carry;
pub use request::{Request, Want, Wish, named};
pub use rewrite::{Rewrite, Wanted};
pub use serve::{Serve, Site};

/// The pass, for the table.
pub(crate) const PASS: Pass = Pass::on_network("plan", "what becomes of each skip, and the network so", run)
    .needs(&[Property::NormalForm, Property::SkipsKnown])
    .gives(&[Property::Planned])
    .function(Function::Changed);

fn run(design: &mut NetworkDesign, options: &Options) -> Result<(), Diagnostics> {
    let plan = options.skips.resolve(&design.network, &design.skips)?;
    let planned = apply(&mut design.network, &design.skips, plan)?;
    design.notes.extend(planned.notes());
    design.planned = Some(planned);
    Ok(())
}

/// What is done to one skip of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The skip's label.
    pub skip: String,
    /// The ONNX name of the sum that it ends in; empty where the sum has none.
    pub name: String,
    /// What is done.
    pub rewrite: Rewrite,
}

impl Entry {
    /// That `rewrite` is done to `skip`.
    pub fn new(skip: &Skip, rewrite: Rewrite) -> Entry {
        Entry { skip: skip.label.clone(), name: skip.names.first().unwrap_or_default().to_string(), rewrite }
    }
}

/// A rewrite for every skip of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Digest of the network in normal form that the plan is for.
    pub network: String,
    /// One entry a skip, in the order of the skips.
    pub skips: Vec<Entry>,
    /// Bits of layers by name, for quantisation; a design has the widths of its network's quantisers.
    pub bits: BTreeMap<String, Bits>,
    /// What was wanted and does not fit, so that the skip is kept; not part of the file.
    pub misfits: Vec<Misfit>,
}

impl Plan {
    /// The skips whose rewrite changes what the network computes.
    pub fn changing(&self) -> impl Iterator<Item = &Entry> {
        self.skips.iter().filter(|entry| !entry.rewrite.keeps_function())
    }

    /// The rewrite of a skip.
    pub fn rewrite(&self, label: &str) -> Rewrite {
        self.skips.iter().find(|entry| entry.skip == label).map_or(Rewrite::Keep, |entry| entry.rewrite)
    }
}

/// A rewrite that does not fit a skip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The skip's label.
    pub skip: String,
    /// The rewrite.
    pub rewrite: Rewrite,
    /// Why not.
    pub why: String,
}

impl Misfit {
    fn new(skip: &Skip, rewrite: Rewrite, why: String) -> Misfit {
        Misfit { skip: skip.label.clone(), rewrite, why }
    }

    /// The fault, where the rewrite was wanted of that skip by name.
    pub fn diagnostic(&self) -> Diagnostic {
        let Misfit { skip, rewrite, why } = self;
        let remedy = format!("keep it: {skip}:keep");
        Diagnostic::new("plan/misfit", format!("\"{rewrite}\" does not fit skip {skip}"), why, remedy)
    }
}

/// Whether a rewrite fits a skip of `network`, as far as that can be told without carrying it out.
///
/// # Errors
/// In plain words why it does not.
pub fn fits(network: &Network, skip: &Skip, rewrite: Rewrite) -> Result<(), String> {
    fits_beside(network, skip, rewrite, &[]).map(drop)
}

/// The same beside skips that are served from `sites`; also from where this one is.
fn fits_beside(
    network: &Network,
    skip: &Skip,
    rewrite: Rewrite,
    sites: &[Site],
) -> Result<Option<Site>, String> {
    match rewrite {
        Rewrite::Keep | Rewrite::Remove => Ok(None),
        Rewrite::Tap | Rewrite::Share | Rewrite::Fuse => {
            let site = serve::site(network, skip, rewrite)?;
            match sites.iter().any(|other| site.contradicts(other)) {
                true => Err("the convolution beside it serves another skip in another way".into()),
                false => Ok(Some(site)),
            }
        }
        Rewrite::Exact => exact::way(network, skip).map(|_| None),
        Rewrite::Shorten | Rewrite::ShortenBehind => shorten::check(network, skip).map(|_| None),
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
    /// From where the skips are served that come from a convolution beside them.
    pub sites: Vec<Site>,
    /// The convolutions that hand on what skips carried.
    pub carries: Vec<Carry>,
}

impl Planned {
    /// What the user should know: that the network is no longer the one given, and what was not done.
    pub fn notes(&self) -> Vec<Diagnostic> {
        let mut notes: Vec<Diagnostic> = self.changed().into_iter().collect();
        let mut told: Vec<(Rewrite, &str)> = Vec::new();
        for misfit in &self.plan.misfits {
            let reason = (misfit.rewrite, misfit.why.as_str());
            if !told.contains(&reason) {
                told.push(reason);
            }
        }
        for (rewrite, why) in told {
            let alike = self.plan.misfits.iter().filter(|m| (m.rewrite, m.why.as_str()) == (rewrite, why));
            let labels: Vec<&str> = alike.map(|m| m.skip.as_str()).collect();
            let what = format!("\"{rewrite}\" does not fit {}", some_skips(&labels));
            notes.push(Diagnostic::new("plan/kept", what, why, "such skips are kept"));
        }
        notes.extend(self.widths());
        notes
    }

    /// That widths of layers are for another command.
    fn widths(&self) -> Option<Diagnostic> {
        let layers: Vec<String> = self.plan.bits.keys().map(|name| format!("\"{name}\"")).collect();
        (!layers.is_empty()).then(|| {
            Diagnostic::new(
                "plan/bits",
                format!("the plan's bits of {}", layers.join(", ")),
                "they are for quantisation: a design has the widths of its network's quantisers, and those of --bits \
                 where there is none",
                "quantise the model with this plan: nonresc quantise --skips plan.json",
            )
        })
    }

    fn changed(&self) -> Option<Diagnostic> {
        let removed: Vec<&str> = self.removed.iter().map(|skip| skip.label.as_str()).collect();
        let shortened = |entry: &&Entry| matches!(entry.rewrite, Rewrite::Shorten | Rewrite::ShortenBehind);
        let shortened: Vec<&str> =
            self.plan.skips.iter().filter(shortened).map(|e| e.skip.as_str()).collect();
        let said =
            [(removed, "removed"), (shortened, "shortened")].into_iter().filter(|(all, _)| !all.is_empty());
        let said: Vec<String> = said
            .map(|(labels, word)| {
                let verb = if labels.len() == 1 { "was" } else { "were" };
                format!("{} {verb} {word}", some_skips(&labels))
            })
            .collect();
        if said.is_empty() {
            return None;
        }
        let what = said.join(", ");
        Some(Diagnostic::new(
            "plan/changed",
            what,
            "the network computes another function than the model that was given, with weights trained for that one",
            "retrain it before its accuracy is judged",
        ))
    }
}

/// `skip 1`, `skips 1, 2`.
fn some_skips(labels: &[&str]) -> String {
    let word = if labels.len() == 1 { "skip" } else { "skips" };
    format!("{word} {}", labels.join(", "))
}
