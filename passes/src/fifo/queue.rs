//! Events to visit: of those near by, the one that moves farthest comes first.
//!
//! Most cycles of rules lie among the neighbours of the channel that is tried, while moves spread over the whole
//! stream. So events of actors far off wait until nothing is left to do near by. Order alone is decided here: it
//! says how soon a spread ends, never how.

use super::timed::Timed;

/// Lists of events that move less than this, one a clock; beyond that a list is a part of an octave.
const EXACT: u32 = 1 << 11;

/// Lists of an octave.
const PARTS: u32 = 1 << 10;

/// Moves are less than 2 to the power of 31.
const LISTS: usize = (EXACT + (31 - EXACT.ilog2()) * PARTS) as usize;

/// Hops that are counted, and rings of actors: the last holds all beyond.
const HOPS: u32 = 8;
const RINGS: usize = ring_of(HOPS) as usize + 2;

/// Ring 0 holds a channel's ends and whom channels join to them, ring 1 those of one hop more, each further ring as
/// many hops as all before it.
const fn ring_of(hops: u32) -> u8 {
    (u32::BITS - hops.saturating_sub(1).leading_zeros()) as u8
}

/// How far actors are from a channel.
pub(super) struct Near<'a> {
    timed: &'a Timed,
    ring: Vec<u8>,
    /// Actors that are not in the last ring.
    counted: Vec<usize>,
}

impl<'a> Near<'a> {
    pub(super) fn new(timed: &'a Timed) -> Self {
        Near { timed, ring: vec![RINGS as u8 - 1; timed.actors.len()], counted: Vec::new() }
    }

    /// Counts from another channel.
    pub(super) fn count_from(&mut self, channel: usize) {
        for actor in self.counted.drain(..) {
            self.ring[actor] = RINGS as u8 - 1;
        }
        let timed = self.timed;
        timed.ends(channel).for_each(|actor| self.count(actor, 0));
        let mut begin = 0;
        for hops in 1..=HOPS {
            let end = self.counted.len();
            for i in begin..end {
                timed.neighbours(self.counted[i]).for_each(|actor| self.count(actor, hops));
            }
            begin = end;
        }
    }

    fn count(&mut self, actor: usize, hops: u32) {
        if self.ring[actor] == RINGS as u8 - 1 {
            self.ring[actor] = ring_of(hops);
            self.counted.push(actor);
        }
    }

    #[inline]
    fn ring(&self, event: u32) -> usize {
        usize::from(self.ring[self.timed.actor_index(event)])
    }
}

/// Events to visit.
pub(super) struct Queue {
    /// By how far they move.
    lists: Vec<Vec<u32>>,
    /// No list above this one holds anything.
    top: usize,
    /// Those of actors beyond the horizon, by rings.
    beyond: Vec<Vec<u32>>,
    /// The farthest ring whose events are visited.
    horizon: usize,
}

impl Queue {
    pub(super) fn new() -> Self {
        Queue { lists: vec![Vec::new(); LISTS], top: 0, beyond: vec![Vec::new(); RINGS], horizon: 0 }
    }

    /// Takes in an event that moves by `by`; again where it moves farther than before.
    #[inline]
    pub(super) fn push(&mut self, event: u32, by: i32, near: &Near<'_>) {
        let ring = near.ring(event);
        if ring > self.horizon {
            self.beyond[ring].push(event);
        } else {
            self.list(event, by);
        }
    }

    #[inline]
    fn list(&mut self, event: u32, by: i32) {
        let list = list(by);
        self.lists[list].push(event);
        self.top = self.top.max(list);
    }

    /// The next event; `by` says how far each moves by now.
    pub(super) fn pop(&mut self, by: impl Fn(u32) -> i32) -> Option<u32> {
        loop {
            match self.lists[self.top].pop() {
                // Where it has been moved farther since, it has been visited.
                Some(event) if list(by(event)) == self.top => return Some(event),
                Some(_) => {}
                None if self.top > 0 => self.top -= 1,
                None => {
                    self.horizon = self.beyond.iter().position(|ring| !ring.is_empty())?;
                    for event in std::mem::take(&mut self.beyond[self.horizon]) {
                        self.list(event, by(event));
                    }
                }
            }
        }
    }

    /// Forgets all events.
    pub(super) fn clear(&mut self) {
        self.lists[..=self.top].iter_mut().for_each(Vec::clear);
        self.beyond.iter_mut().for_each(Vec::clear);
        (self.top, self.horizon) = (0, 0);
    }
}

/// Where an event is listed that moves by so much.
fn list(by: i32) -> usize {
    let by = by as u32;
    if by < EXACT {
        return by as usize;
    }
    let octave = by.ilog2();
    let part = (by >> (octave - PARTS.ilog2())) % PARTS;
    (EXACT + (octave - EXACT.ilog2()) * PARTS + part) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_ascend_with_moves() {
        let moves: Vec<i32> =
            (0..31).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + (1 << bit) / 3]).collect();
        let lists: Vec<usize> = moves.iter().map(|&by| list(by)).collect();
        assert!(lists.is_sorted(), "{lists:?}");
        assert!(lists.iter().all(|&list| list < LISTS) && list(i32::MAX) == LISTS - 1);
    }
}
