//! Which way each memory is made, so that all fit the device: what is cheapest by what a block RAM is worth, then what is
//! over is relieved where that costs least a unit.
//!
//! A block RAM is worth the device's LUTs a block, or less where more than half of the LUTs would be taken: place and
//! route get harder from there on. What is taken of each resource beyond half is made least, in the sum of squares.
//! Each memory is chosen by that price alone, so that two designs of one price differ in no memory that both have.
//! The result depends on the order of the memories alone.

use std::f64::consts::FRAC_1_SQRT_2;

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

    /// The same with block RAMs at this share of their price.
    pub(crate) fn with_blocks_at(self, share: f64) -> Prices {
        Prices { bram18: self.bram18 * share, ..self }
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
    cheapest_of(&candidates(m, family), prices)
}

fn cheapest_of(ways: &[Candidate], prices: &Prices) -> Candidate {
    let mut best = ways[0];
    for &way in &ways[1..] {
        if prices.of_usage(&way.usage) < prices.of_usage(&best.usage) {
            best = way;
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

/// Shares of the price of a block RAM that are tried: halves of it down to a thirty-second, by the root of two.
const SHARES: i32 = 10;

/// Which share of the price of a block RAM fills the device with most ease; all of it without limits.
fn easiest(ways: &[Vec<Candidate>], prices: &Prices, limits: Option<&Limits>, used: &Usage) -> f64 {
    let Some(limits) = limits else { return 1.0 };
    let strain = |share: f64| {
        let prices = prices.with_blocks_at(share);
        let mut total = *used;
        ways.iter().for_each(|ways| total += cheapest_of(ways, &prices).usage);
        strain_of(&total, limits)
    };
    let shares = (0..=SHARES).map(|k| 2f64.powi(-k / 2) * if k % 2 == 0 { 1.0 } else { FRAC_1_SQRT_2 });
    let mut best = (f64::INFINITY, 1.0);
    for share in shares {
        let found = strain(share);
        if found < best.0 {
            best = (found, share);
        }
    }
    best.1
}

/// The share of a resource that is taken without ado.
const EASY: f64 = 0.5;

/// The sum of the squares of what is taken of each resource beyond that.
fn strain_of(total: &Usage, limits: &Limits) -> f64 {
    let square = |(amount, limit): (&fn(&Usage) -> u64, u64)| match amount(total) {
        0 => 0.0,
        taken => (taken as f64 / limit as f64 - EASY).max(0.0).powi(2),
    };
    RESOURCES.iter().zip(limit_of(limits)).map(square).sum()
}

/// A way for each memory, and the share of its price that a block RAM was taken to be worth: the one that is given, else
/// the one that fills the device with most ease. `used` is what is taken beside them. What does not fit is left over the
/// limit.
pub(crate) fn choose(
    memories: &[Memory],
    family: Family,
    limits: Option<&Limits>,
    used: Usage,
    price: Option<f64>,
) -> (Vec<Candidate>, f64) {
    let ways: Vec<Vec<Candidate>> = memories.iter().map(|m| candidates(m, family)).collect();
    let prices = Prices::of(limits);
    let price = price.unwrap_or_else(|| easiest(&ways, &prices, limits, &used));
    let prices = prices.with_blocks_at(price);
    let mut chosen: Vec<Candidate> = ways.iter().map(|ways| cheapest_of(ways, &prices)).collect();
    let Some(limits) = limits else {
        return (chosen, price);
    };
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
    (chosen, price)
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
