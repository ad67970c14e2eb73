//! Which way each memory is made, so that all fit the device: the cheapest first, then what is over is relieved
//! where that costs least a unit.
//!
//! A block is worth the device's LUTs a block: it is used where it saves more than that. The result depends on the
//! order of the memories alone.

use super::candidate::{Candidate, Usage, candidates};
use crate::area::Memory;
use crate::device::{Family, Limits};

/// What one unit of each resource is worth in LUTs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prices {
    bram18: f64,
    uram: f64,
    dsp: f64,
}

/// A part has about two flip-flops a LUT.
const LUTS_A_FLIP_FLOP: f64 = 0.5;

impl Prices {
    /// By what the device has; without limits, about what UltraScale+ parts have.
    pub(crate) fn of(limits: Option<&Limits>) -> Prices {
        let ratio = |part: u64, fallback: f64| match limits {
            Some(have) if part > 0 => have.luts as f64 / part as f64,
            _ => fallback,
        };
        Prices {
            bram18: ratio(limits.map_or(0, |l| l.bram18), 400.0),
            uram: ratio(limits.map_or(0, |l| l.urams), 1800.0),
            dsp: ratio(limits.map_or(0, |l| l.dsps), 94.0),
        }
    }

    pub(crate) fn of_usage(&self, u: &Usage) -> f64 {
        u.luts as f64
            + u.ffs as f64 * LUTS_A_FLIP_FLOP
            + u.bram18 as f64 * self.bram18
            + u.urams as f64 * self.uram
            + u.dsps as f64 * self.dsp
    }
}

/// The cheapest way to make a memory where nothing is short.
pub(crate) fn cheapest(m: &Memory, family: Family, prices: &Prices) -> Candidate {
    let all = candidates(m, family);
    let mut best = all[0];
    for &c in &all[1..] {
        if prices.of_usage(&c.usage) < prices.of_usage(&best.usage) {
            best = c;
        }
    }
    best
}

/// Resources that memories take, as far as they can be relieved by making a memory another way.
const RESOURCES: [fn(&Usage) -> u64; 5] =
    [|u| u.bram18, |u| u.urams, |u| u.memory_luts, |u| u.luts, |u| u.ffs];

fn limit_of(limits: &Limits) -> [u64; 5] {
    [limits.bram18, limits.urams, limits.memory_luts, limits.luts, limits.ffs]
}

/// A way for each memory; `used` is what is taken beside them. What does not fit is left over the limit.
pub(crate) fn choose(
    memories: &[Memory],
    family: Family,
    limits: Option<&Limits>,
    used: Usage,
) -> Vec<Candidate> {
    let prices = Prices::of(limits);
    let mut chosen: Vec<Candidate> = memories.iter().map(|m| cheapest(m, family, &prices)).collect();
    let Some(limits) = limits else {
        return chosen;
    };
    let ways: Vec<Vec<Candidate>> = memories.iter().map(|m| candidates(m, family)).collect();
    let limit = limit_of(limits);
    let mut total = used;
    for c in &chosen {
        total += c.usage;
    }
    // Relieving one resource may fill another; two rounds let the later ones' room be used by the first.
    for k in (0..RESOURCES.len()).chain(0..RESOURCES.len()) {
        while RESOURCES[k](&total) > limit[k] {
            let Some((memory, way)) = best_move(k, &chosen, &ways, &total, &limit, &prices) else { break };
            total = after(&total, &chosen[memory].usage, &way.usage);
            chosen[memory] = way;
        }
    }
    chosen
}

fn after(total: &Usage, old: &Usage, new: &Usage) -> Usage {
    Usage {
        luts: total.luts - old.luts + new.luts,
        memory_luts: total.memory_luts - old.memory_luts + new.memory_luts,
        ffs: total.ffs - old.ffs + new.ffs,
        dsps: total.dsps,
        bram18: total.bram18 - old.bram18 + new.bram18,
        urams: total.urams - old.urams + new.urams,
    }
}

/// The change of one memory that takes less of resource `k`, overfills nothing else, and costs least a unit.
fn best_move(
    k: usize,
    chosen: &[Candidate],
    ways: &[Vec<Candidate>],
    total: &Usage,
    limit: &[u64; 5],
    prices: &Prices,
) -> Option<(usize, Candidate)> {
    let mut best: Option<(f64, usize, Candidate)> = None;
    for (i, (old, ways)) in chosen.iter().zip(ways).enumerate() {
        for &way in ways {
            let (before, now) = (RESOURCES[k](&old.usage), RESOURCES[k](&way.usage));
            if now >= before {
                continue;
            }
            let next = after(total, &old.usage, &way.usage);
            let room = (0..RESOURCES.len())
                .all(|j| j == k || RESOURCES[j](&next) <= limit[j].max(RESOURCES[j](total)));
            if !room {
                continue;
            }
            let extra = prices.of_usage(&way.usage) - prices.of_usage(&old.usage);
            let rate = extra / (before - now) as f64;
            if best.is_none_or(|(least, ..)| rate < least) {
                best = Some((rate, i, way));
            }
        }
    }
    best.map(|(_, i, way)| (i, way))
}
