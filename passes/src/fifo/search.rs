//! The least depths: one channel after the other is made as short as the schedule can bear.
//!
//! Whether depths are enough is monotone: more depth never slows anything. So one pass over the channels, each
//! by bisection, ends where no channel can lose a word: what was too short while others were deeper stays too
//! short when they no longer are. Residual networks repeat themselves, so a channel is first tried with what one
//! like it came to.

use std::collections::BTreeMap;

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

/// Shortens all channels that `free` names, the one with most bits first; visits about `budget` events at the most.
pub(super) fn shorten(timed: &Timed, periodic: &mut Periodic<'_>, free: &[bool], budget: u64) -> Vec<Known> {
    let mut known = vec![Known::Enough; timed.channels.len()];
    let bits = |p: &Periodic<'_>, c: usize| p.depth(c) * timed.channels[c].word_bits;
    let mut order: Vec<usize> = (0..timed.channels.len()).filter(|&c| free[c]).collect();
    order.sort_by_key(|&c| std::cmp::Reverse(bits(periodic, c)));
    // What became of channels that looked alike.
    let mut alike: BTreeMap<(u32, u64, u64), u64> = BTreeMap::new();
    for channel in order {
        periodic.trim(channel, timed.least_depth(channel));
        let c = &timed.channels[channel];
        let key = (c.beats, c.word_bits, periodic.depth(channel));
        known[channel] = shorten_one(timed, periodic, channel, alike.get(&key).copied(), budget);
        alike.insert(key, periodic.depth(channel));
    }
    known
}

/// Shortens a channel; `guess` is what is tried first.
fn shorten_one(
    timed: &Timed,
    periodic: &mut Periodic<'_>,
    channel: usize,
    mut guess: Option<u64>,
    budget: u64,
) -> Known {
    let floor = timed.least_depth(channel);
    let mut known = if floor == 1 { Known::Single } else { Known::Hangs };
    let mut low = floor;
    // Most channels cannot lose a word once those before them have lost theirs, so the first step is one word.
    let mut step = 1;
    while low < periodic.depth(channel) {
        let most = periodic.depth(channel);
        let depth = match guess.take() {
            Some(guess) => guess.clamp(low, most - 1),
            None => most.saturating_sub(step).max(low + (most - low) / 2),
        };
        match periodic.probe(channel, depth, budget.saturating_sub(periodic.visited)) {
            // The new schedule may occupy less than what was asked for.
            Probe::Enough => periodic.trim(channel, floor),
            Probe::TooShort(cycle) => {
                known = Known::Slower(cycle);
                low = depth + 1;
            }
            Probe::Undecided => return Known::Enough,
        }
        step *= 2;
    }
    known
}
