//! Carries a plan out on the network: rewrites that change it one after the other, then removal, then from where
//! skips are served, on the network as it then is.
//!
//! Skips that stay are analysed anew and keep their numbers. They are all found again: a sum never loses its main
//! operand, so the longest path to every main operand stays, and paths that go can only shorten a skip. What a skip
//! was shortened to is numbered behind all others.

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::id::NodeId;
use nonresc_ir::network::Network;

use super::exact::{self, Carry};
use super::remove::remove;
use super::shorten::{self, Sums};
use super::{Misfit, Plan, Planned, Rewrite, Site, fits_beside};
use crate::residual::{Skip, Skips, skips as analyse};

/// An operand of a sum.
pub(super) type Place = (NodeId, u16);

/// Carries `plan` out on `network`, whose skips are `skips`. Types of values stay as they are.
///
/// # Errors
/// Sums that cannot lose a skip because what stays has another type, by name; rewrites that do not fit; all of them.
/// The network is then as it was.
pub fn apply(network: &mut Network, skips: &Skips, plan: Plan) -> Result<Planned, Diagnostics> {
    let stays = plan.skips.iter().all(|e| e.rewrite == Rewrite::Keep || e.rewrite.is_served());
    let mut work = Work {
        skips: skips.clone(),
        next: skips.iter().map(|skip| skip.number).max().unwrap_or(0) + 1,
        carries: Vec::new(),
        removed: Vec::new(),
        faults: Diagnostics::default(),
    };
    let changed = if stays { None } else { Some(work.change(network.clone(), &plan)?) };
    let sites = work.sites(changed.as_ref().unwrap_or(network), &plan);
    let Work { skips, carries, removed, faults, .. } = work;
    faults.or(())?;
    if let Some(changed) = changed {
        *network = changed;
    }
    Ok(Planned { plan, skips, removed, sites, carries })
}

/// A plan while it is carried out.
struct Work {
    /// The skips that there are.
    skips: Skips,
    /// The number of the next skip that there was not.
    next: usize,
    carries: Vec<Carry>,
    removed: Vec<Skip>,
    faults: Diagnostics,
}

impl Work {
    fn change(&mut self, mut network: Network, plan: &Plan) -> Result<Network, Diagnostics> {
        for entry in &plan.skips {
            let Some(skip) = self.skips.iter().find(|skip| skip.label == entry.skip).cloned() else {
                continue;
            };
            let made = match entry.rewrite {
                Rewrite::Exact => exact::rewrite(&mut network, &skip).map(|carries| {
                    self.carries.extend(carries);
                    Vec::new()
                }),
                Rewrite::Shorten => shorten::rewrite(&mut network, &skip, Sums::InFront),
                Rewrite::ShortenBehind => shorten::rewrite(&mut network, &skip, Sums::Behind),
                Rewrite::Keep | Rewrite::Tap | Rewrite::Share | Rewrite::Fuse | Rewrite::Remove => continue,
            };
            match made {
                Ok(places) => self.analyse(&network, &BTreeMap::new(), Some(&skip), &places),
                Err(why) => self.faults.push(Misfit::new(&skip, entry.rewrite, why).diagnostic()),
            }
        }
        std::mem::take(&mut self.faults).or(())?;
        let gone = |skip: &&Skip| plan.rewrite(&skip.label) == Rewrite::Remove;
        let gone: Vec<Skip> = self.skips.iter().filter(gone).cloned().collect();
        if !gone.is_empty() {
            let before = self.skips.clone();
            let moved = remove(&mut network, &gone.iter().collect::<Vec<&Skip>>())?;
            self.skips.0.retain(|skip| gone.iter().all(|other| other.number != skip.number));
            self.analyse(&network, &moved, None, &[]);
            let left = &self.skips;
            self.removed = before.iter().filter(|skip| left.number(skip.number).is_none()).cloned().collect();
        }
        Ok(network)
    }

    /// Finds the skips again that are known at their places; `gone` became those at `places`.
    fn analyse(
        &mut self,
        network: &Network,
        moved: &BTreeMap<Place, Place>,
        gone: Option<&Skip>,
        places: &[Place],
    ) {
        let mut known: BTreeMap<Place, Skip> = self
            .skips
            .iter()
            .filter(|skip| gone.is_none_or(|gone| gone.number != skip.number))
            .map(|skip| {
                let place = (skip.join, skip.operand);
                (moved.get(&place).copied().unwrap_or(place), skip.clone())
            })
            .collect();
        for (i, &place) in places.iter().enumerate() {
            if let Some(gone) = gone {
                let (number, label) = (self.next, format!("{}.{}", gone.label, i + 1));
                let names = network.node(place.0).names.clone();
                known.insert(place, Skip { number, label, names, ..gone.clone() });
                self.next += 1;
            }
        }
        self.skips = relabelled(&analyse(network), &known);
    }

    fn sites(&mut self, network: &Network, plan: &Plan) -> Vec<Site> {
        let mut sites = Vec::new();
        for skip in self.skips.iter() {
            let rewrite = plan.rewrite(&skip.label);
            if !rewrite.is_served() {
                continue;
            }
            match fits_beside(network, skip, rewrite, &sites) {
                Ok(site) => sites.extend(site),
                Err(why) => self.faults.push(Misfit::new(skip, rewrite, why).diagnostic()),
            }
        }
        sites
    }
}

/// The skips of `found` that are known at their places, under the numbers, labels and names by which they are known.
fn relabelled(found: &Skips, known: &BTreeMap<Place, Skip>) -> Skips {
    let old = |skip: &Skip| known.get(&(skip.join, skip.operand));
    let number = |new: &usize| found.number(*new).and_then(old).map(|skip| skip.number);
    let known = found.iter().filter_map(|skip| Some((skip, old(skip)?)));
    let skips = known.map(|(skip, old)| Skip {
        number: old.number,
        label: old.label.clone(),
        names: old.names.clone(),
        encloses: skip.encloses.iter().filter_map(number).collect(),
        ..skip.clone()
    });
    let mut skips: Vec<Skip> = skips.collect();
    skips.sort_by_key(|skip| skip.number);
    Skips(skips)
}
