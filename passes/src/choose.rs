//! Which rewrite a skip gets where the user leaves a choice: the cheapest by whole designs, all folded for the same
//! rate.
//!
//! Coordinate descent: it starts from the cheapest plan that gives every skip with a choice the same rewrite, as far
//! as that fits, and then takes the skips in order, each with every other of its candidates, and keeps what is
//! cheaper. So the plan is never dearer than the best single rewrite. What is compared is the worth of what the whole
//! design takes of the device ([`Binding::worth`](crate::bind::Binding::worth)), then the bits of its channels; of equals the earlier candidate stays.

use std::cmp::Ordering;

use nonresc_ir::diagnostic::Diagnostics;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::design::{NetworkDesign, Options, StreamDesign};
use crate::manager::Checks;
use crate::plan::{Entry, Plan, Request, Rewrite, Want, fits};
use crate::target::Rate;
use crate::trial;

/// What a design costs: the worth of what it takes, then the bits of its channels.
type Cost = (f64, u64);

/// The request with every choice made; as it is where it leaves none.
///
/// # Errors
/// As [`Request::resolve`]; and what the passes refuse where no combination of candidates makes a design.
pub fn choose(analysed: &NetworkDesign, options: &Options) -> Result<Request, Diagnostics> {
    let (network, skips) = (&analysed.network, &analysed.skips);
    if skips.is_empty() || !options.skips.leaves_a_choice() {
        return Ok(options.skips.clone());
    }
    let wants = options.skips.wants(network, skips)?;
    // What no candidate fits is told as ever.
    let mut plan = options.skips.resolve(network, skips)?;
    let candidates: Vec<Vec<Rewrite>> = skips
        .iter()
        .zip(&wants)
        .map(|(skip, Want { wanted, .. })| {
            let all = wanted.candidates().iter().copied();
            all.filter(|&rewrite| fits(network, skip, rewrite).is_ok()).collect()
        })
        .collect();
    let (choosing, mut cost) = Choosing::from(analysed, &plan, options)?;
    let starts: Vec<Plan> = Rewrite::ALL
        .into_iter()
        .filter(|rewrite| candidates.iter().any(|all| all.len() > 1 && all.contains(rewrite)))
        .map(|rewrite| with(&plan, |i| candidates[i].contains(&rewrite).then_some(rewrite)))
        .collect();
    choosing.cheaper(&mut plan, &mut cost, &starts);
    for (i, all) in candidates.iter().enumerate().filter(|(_, all)| all.len() > 1) {
        let others: Vec<Plan> = all
            .iter()
            .filter(|&&rewrite| rewrite != plan.skips[i].rewrite)
            .map(|&rewrite| with(&plan, |at| (at == i).then_some(rewrite)))
            .collect();
        choosing.cheaper(&mut plan, &mut cost, &others);
    }
    Ok(Request::from(plan))
}

/// The plan with other rewrites of some skips.
fn with(plan: &Plan, rewrite: impl Fn(usize) -> Option<Rewrite>) -> Plan {
    let entry =
        |(i, entry): (usize, &Entry)| Entry { rewrite: rewrite(i).unwrap_or(entry.rewrite), ..entry.clone() };
    Plan {
        network: plan.network.clone(),
        skips: plan.skips.iter().enumerate().map(entry).collect(),
        bits: plan.bits.clone(),
        misfits: Vec::new(),
    }
}

struct Choosing<'a> {
    analysed: &'a NetworkDesign,
    options: Options,
}

impl<'a> Choosing<'a> {
    /// From a first plan, and what it costs. All others are for one rate, the one that is asked for or that of the first,
    /// and at the first one's price of a block RAM.
    fn from(
        analysed: &'a NetworkDesign,
        plan: &Plan,
        options: &Options,
    ) -> Result<(Choosing<'a>, Cost), Diagnostics> {
        let mut options = Options { skips: Request::from(plan.clone()), ..options.clone() };
        let made = trial::planned(analysed, &options, &Checks::default());
        let design = made.map_err(|failed| failed.faults)?;
        if let (Rate::Fastest, Some(folding)) = (options.target.rate, &design.folding) {
            options.target.rate = Rate::Cycles(folding.interval);
        }
        options.bind.block_price = design.binding.as_ref().map(|binding| binding.block_price);
        Ok((Choosing { analysed, options }, cost(&design)))
    }

    fn cost(&self, plan: &Plan) -> Result<Cost, Diagnostics> {
        let options = Options { skips: Request::from(plan.clone()), ..self.options.clone() };
        let made = trial::planned(self.analysed, &options, &Checks::default());
        made.map(|design| cost(&design)).map_err(|failed| failed.faults)
    }

    /// Takes the cheapest of `others`, where it is cheaper. Those that make no design are passed over.
    fn cheaper(&self, plan: &mut Plan, least: &mut Cost, others: &[Plan]) {
        let costs: Vec<Option<Cost>> = others.par_iter().map(|other| self.cost(other).ok()).collect();
        for (other, cost) in others.iter().zip(costs) {
            if let Some(cost) = cost.filter(|cost| cost.partial_cmp(least) == Some(Ordering::Less)) {
                (*plan, *least) = (other.clone(), cost);
            }
        }
    }
}

fn cost(design: &StreamDesign) -> Cost {
    let binding = design.binding.as_ref().expect("the pipeline binds every stream");
    (binding.worth(), binding.bits.fifo + binding.bits.line_buffer)
}
