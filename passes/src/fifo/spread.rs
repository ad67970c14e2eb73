//! How a change of start times spreads from event to event, until every rule is kept again or an event has come to
//! move itself.
//!
//! A schedule leaves most rules some slack. Where a channel loses places, some rules are broken. They can be mended
//! in two ways: the giving events start later, and push those that wait for them; or the freeing events start
//! sooner, and pull those that they wait for. Slack takes up what it can on the way. Events are visited in the order
//! of how far they move, the farthest first, so that seldom one is visited twice (after Cotton and Maler, Fast and
//! Flexible Difference Constraint Propagation for DPLL(T), SAT 2006), those [near by](super::queue) before others.
//! An event that moves because it moved lies on a cycle of rules that nothing can keep. Pushing mostly ends soon
//! where there is a way, pulling where there is none.
//!
//! Times here run in the spread's own way, so that both ways are one algorithm: later is more.

use super::queue::{Near, Queue};
use super::rules::{LATEST, Side};

/// How far a spread has come.
pub(super) enum Progress {
    /// Every rule is kept.
    Settled,
    /// No schedule keeps the rules: events each of which is moved by the one behind it in the list, the last by the
    /// first.
    Cycle(Vec<u32>),
    /// There is more to do.
    Under,
    /// An event would have to move out of the range of times.
    Lost,
}

/// An event's time, and by how much it is to move.
#[derive(Clone, Copy)]
struct Moving {
    at: i32,
    by: i32,
}

/// Events that are moved again before their movers are looked at, at the least.
const PATIENCE: usize = 64;

/// Times of all events, and the moves under way.
pub(super) struct Spread {
    events: Vec<Moving>,
    /// The event that moved each of those that move.
    mover: Vec<u32>,
    /// Events that move.
    touched: Vec<u32>,
    /// Events to visit.
    queue: Queue,
    /// For each event the last walk along movers that passed it.
    walked: Vec<u32>,
    walk: u32,
    /// Moves of events that moved before, until the next walk.
    patience: usize,
    /// An event has moved too far.
    lost: bool,
}

impl Spread {
    pub(super) fn new(times: impl Iterator<Item = i32>) -> Self {
        let events: Vec<Moving> = times.map(|at| Moving { at, by: 0 }).collect();
        Spread {
            mover: vec![0; events.len()],
            touched: Vec::new(),
            queue: Queue::new(),
            walked: vec![0; events.len()],
            walk: 0,
            patience: PATIENCE,
            lost: false,
            events,
        }
    }

    /// The time of an event, without the moves under way.
    #[inline]
    pub(super) fn at(&self, event: u32) -> i32 {
        self.events[event as usize].at
    }

    /// The time of an event as it is moved so far.
    #[inline]
    pub(super) fn moved(&self, event: u32) -> i32 {
        let moving = self.events[event as usize];
        moving.at + moving.by
    }

    /// Asks that `event` be at `at` at the earliest, for the sake of `mover`.
    #[inline]
    pub(super) fn ask(&mut self, event: u32, mover: u32, at: i32, near: &Near<'_>) {
        let moving = &mut self.events[event as usize];
        let by = at - moving.at;
        if by <= moving.by {
            return;
        }
        if moving.by == 0 {
            self.touched.push(event);
        } else {
            self.patience = self.patience.saturating_sub(1);
        }
        self.lost |= i64::from(at) > LATEST;
        moving.by = by;
        self.mover[event as usize] = mover;
        self.queue.push(event, by, near);
    }

    /// Visits so many events at the most; `side` has the rules that lead on from them.
    pub(super) fn run(&mut self, side: &Side, near: &Near<'_>, visits: usize) -> Progress {
        for _ in 0..visits {
            let events = &self.events;
            let Some(event) = self.queue.pop(|event| events[event as usize].by) else {
                return Progress::Settled;
            };
            let Moving { at, by } = self.events[event as usize];
            if self.lost {
                return Progress::Lost;
            }
            for &(next, clocks) in side.of(event) {
                self.ask(next, event, at + by + clocks, near);
            }
            if self.patience == 0
                && let Some(cycle) = self.cycle(event)
            {
                return Progress::Cycle(cycle);
            }
        }
        Progress::Under
    }

    /// Follows movers back until an event comes again.
    fn cycle(&mut self, event: u32) -> Option<Vec<u32>> {
        self.walk += 1;
        let mut at = event;
        let mut steps = 0;
        while self.walked[at as usize] != self.walk {
            if self.events[at as usize].by == 0 {
                self.patience = steps.max(PATIENCE);
                return None;
            }
            self.walked[at as usize] = self.walk;
            at = self.mover[at as usize];
            steps += 1;
        }
        let mut cycle = vec![at];
        let mut next = self.mover[at as usize];
        while next != at {
            cycle.push(next);
            next = self.mover[next as usize];
        }
        Some(cycle)
    }

    /// Moves the events for good; tells each and its new time.
    pub(super) fn accept(&mut self, mut tell: impl FnMut(u32, i32)) {
        for &event in &self.touched {
            let moving = &mut self.events[event as usize];
            moving.at += moving.by;
            tell(event, moving.at);
        }
        self.forget();
    }

    /// Takes over the time of an event.
    pub(super) fn set(&mut self, event: u32, at: i32) {
        self.events[event as usize].at = at;
    }

    /// Gives up the moves under way.
    pub(super) fn forget(&mut self) {
        for event in self.touched.drain(..) {
            self.events[event as usize].by = 0;
        }
        self.queue.clear();
        (self.patience, self.lost) = (PATIENCE, false);
    }
}
