//! Which rewrite a skip gets where the user leaves a choice: the cheapest by whole designs, all folded for the same
//! rate.
//!
//! Coordinate descent: it starts from the cheapest plan that gives every skip with a choice the same rewrite, as far
//! as that fits, and then takes the skips in order, each with every other of its candidates, and keeps what is
//! cheaper. So the plan is never dearer than the best single rewrite. What is compared is the worth of what the whole
//! design takes of the device ([`bind::worth`]), then the bits of its channels; of equals the earlier candidate stays.

use std::cmp::Ordering;

use nonresc_ir::diagnostic::Diagnostics;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::bind;
use crate::design::{NetworkDesign, Options, StreamDesign};
use crate::manager::Checks;
use crate::plan::{Entry, Plan, Request, Rewrite, Want, fits};
use crate::target::{Rate, Target};
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
    let choosing = Choosing { analysed, options: for_one_rate(analysed, &plan, options)? };
    let mut cost = choosing.cost(&plan)?;
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

/// The options with a rate: the one that is asked for, else that of the design that the plan makes.
fn for_one_rate(analysed: &NetworkDesign, plan: &Plan, options: &Options) -> Result<Options, Diagnostics> {
    let options = Options { skips: Request::from(plan.clone()), ..options.clone() };
    if options.target.rate != Rate::Fastest {
        return Ok(options);
    }
    let design = trial::planned(analysed, &options, &Checks::default()).map_err(|failed| failed.faults)?;
    let cycles = design.folding.map_or(u64::MAX, |folding| folding.interval);
    Ok(Options { target: Target { rate: Rate::Cycles(cycles), ..options.target.clone() }, ..options })
}

struct Choosing<'a> {
    analysed: &'a NetworkDesign,
    options: Options,
}

impl Choosing<'_> {
    fn cost(&self, plan: &Plan) -> Result<Cost, Diagnostics> {
        let options = Options { skips: Request::from(plan.clone()), ..self.options.clone() };
        let made = trial::planned(self.analysed, &options, &Checks::default());
        made.map(|design| cost(&design, &self.options)).map_err(|failed| failed.faults)
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

fn cost(design: &StreamDesign, options: &Options) -> Cost {
    let binding = design.binding.as_ref().expect("the pipeline binds every stream");
    let worth = bind::worth(&binding.total, options.target.device.limits.as_ref());
    (worth, binding.bits.fifo + binding.bits.line_buffer)
}
