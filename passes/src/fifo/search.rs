//! The least depths: one channel after the other is made as short as the schedule can bear.
//!
//! Whether depths are enough is monotone: more depth never slows anything. So one pass over the channels, each
//! by binary search, ends where no channel can lose a word: what was too short while others were deeper stays too
//! short when they no longer are.

use super::periodic::{Periodic, Probe};
use super::timed::Timed;

/// What is known of a channel's depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// One word less has a reader that can never go on.
    Hangs,
    /// One word less costs clocks: the events of the cycle that says so.
    Slower(Vec<u32>),
    /// One place is the least there is.
    Single,
    /// Enough; less was not ruled out.
    Enough,
}

/// Shortens all channels that `free` names, the one with most bits first; computes about `budget` events at the most.
pub(super) fn shorten(timed: &Timed, periodic: &mut Periodic<'_>, free: &[bool], budget: u64) -> Vec<Known> {
    let mut known = vec![Known::Enough; timed.channels.len()];
    let bits = |p: &Periodic<'_>, c: usize| p.depth[c] * timed.channels[c].word_bits;
    let mut order: Vec<usize> = (0..timed.channels.len()).filter(|&c| free[c]).collect();
    order.sort_by_key(|&c| std::cmp::Reverse(bits(periodic, c)));
    for channel in order {
        known[channel] = shorten_one(timed, periodic, channel, budget);
    }
    known
}

fn shorten_one(timed: &Timed, periodic: &mut Periodic<'_>, channel: usize, budget: u64) -> Known {
    let floor = timed.least_depth(channel);
    let mut known = if floor == 1 { Known::Single } else { Known::Hangs };
    let mut low = floor;
    periodic.depth[channel] = periodic.occupied(channel).max(floor);
    while low < periodic.depth[channel] {
        if periodic.computed > budget {
            return Known::Enough;
        }
        let middle = low + (periodic.depth[channel] - low) / 2;
        match periodic.probe(channel, middle) {
            // The new schedule may occupy less than what was asked for.
            Probe::Enough => periodic.depth[channel] = periodic.occupied(channel).max(floor),
            Probe::TooShort(cycle) => {
                known = Known::Slower(cycle);
                low = middle + 1;
            }
            Probe::Undecided => return Known::Enough,
        }
    }
    known
}
