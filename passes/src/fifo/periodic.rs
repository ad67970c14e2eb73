//! Schedules that repeat every T clocks: the proof that depths are enough, or the cycle that says they are not.
//!
//! A stream reaches interval T exactly where start times exist that repeat every T clocks and keep every rule of
//! the timing contract (Baccelli et al., Synchronization and Linearity, 1992: the interval is the largest mean
//! weight of a cycle of rules). To try one channel with fewer places, the recurrence runs on behind the known
//! schedule. Where a frame grows by no more than T anywhere, its times are the new schedule. Where following
//! causes back finds an event that determined itself some frames later, by more than T a frame, that cycle is the
//! proof that T cannot be had.

use super::forward::{Forward, Seen, reach};
use super::timed::{NONE, RELEASE, Timed};

/// How a probe ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// The depth is enough; the schedule has been brought up to it.
    Enough,
    /// It is not: the cycle of events that forbids it, each determined by the one behind it in the list; empty
    /// where the stream hangs.
    TooShort(Vec<u32>),
    /// Neither was known within the frames that are tried.
    Undecided,
}

/// Frames that a probe runs at the most.
const MOST_FRAMES: usize = 40;

/// Start times that repeat every `interval` clocks, and the depths that let them.
pub(super) struct Periodic<'a> {
    timed: &'a Timed,
    interval: i64,
    /// Start of each event in one frame.
    start: Vec<i64>,
    /// Places of each channel.
    pub(super) depth: Vec<u64>,
    /// Events computed in all probes.
    pub(super) computed: u64,
    seen: Seen,
}

impl<'a> Periodic<'a> {
    /// The earliest schedule without limits on depths, the sources spread over the interval; depths are what it
    /// occupies.
    pub(super) fn paced(timed: &'a Timed, interval: u64) -> Self {
        let mut periodic = Periodic {
            timed,
            interval: interval as i64,
            start: vec![0; timed.events.len()],
            depth: vec![1; timed.channels.len()],
            computed: 0,
            seen: Seen::new(timed),
        };
        for &actor in &timed.order {
            periodic.earliest(actor);
        }
        for channel in 0..timed.channels.len() {
            periodic.depth[channel] = periodic.occupied(channel);
        }
        periodic
    }

    /// Earliest starts of an actor whose writers have theirs.
    fn earliest(&mut self, actor: usize) {
        let a = &self.timed.actors[actor];
        let spread = a.inputs.is_empty();
        let count = i64::from(a.end - a.first);
        // From rest, then once more behind the frame before.
        for pass in 0..2 {
            let mut at = match pass {
                0 => 0,
                _ => self.start[a.end as usize - 1] + i64::from(a.wrap) - self.interval,
            };
            for (k, id) in (a.first..a.end).enumerate() {
                let event = &self.timed.events[id as usize];
                if k > 0 || pass == 0 {
                    at += i64::from(event.gap);
                }
                for (input, &beat) in event.need.iter().enumerate().filter(|(_, beat)| **beat != NONE) {
                    let c = &self.timed.channels[a.inputs[input].0];
                    at = at.max(self.start[c.given_by[beat as usize] as usize] + c.latency);
                }
                if spread {
                    at = at.max(k as i64 * self.interval / count);
                }
                at = at.max(self.start[id as usize]);
                self.start[id as usize] = at;
            }
        }
    }

    /// Places that the schedule occupies in a channel: the least depth with which it is a schedule.
    pub(super) fn occupied(&self, channel: usize) -> u64 {
        let c = &self.timed.channels[channel];
        let beats = i64::from(c.beats);
        let mut most = 1;
        for r in &c.readers {
            let release = |place: i64| {
                let (in_frame, frame) = (place.rem_euclid(beats), place.div_euclid(beats));
                let of = frame - i64::from(in_frame < i64::from(r.head));
                self.start[r.freed_by[in_frame as usize] as usize] + of * self.interval + RELEASE
            };
            // Far enough back that everything was free as the first beat is given.
            let back = (self.start[c.given_by[0] as usize] - release(beats - 1)).div_euclid(self.interval);
            let mut freed = (back.min(0) - 1) * beats;
            for (beat, &by) in c.given_by.iter().enumerate() {
                while freed <= beat as i64 && release(freed) <= self.start[by as usize] {
                    freed += 1;
                }
                most = most.max(beat as i64 + 1 - freed);
            }
        }
        most as u64
    }

    /// Tries a channel with fewer places than it has. The schedule and the depth change only where it is enough.
    pub(super) fn probe(&mut self, channel: usize, depth: u64) -> Probe {
        let mut depths = self.depth.clone();
        depths[channel] = depth;
        let span = reach(self.timed, &depths) as usize;
        let mut forward = Forward::behind(self.timed, &depths, &self.start, self.interval);
        let mut calm = 0;
        for run in 0..MOST_FRAMES {
            if forward.run_frame().is_err() {
                return Probe::TooShort(Vec::new());
            }
            self.computed += self.timed.events.len() as u64;
            let growth = forward.starts(0).iter().zip(forward.starts(1)).map(|(x, y)| x - y);
            let most = growth.max().unwrap_or(0);
            calm = if most <= self.interval { calm + 1 } else { 0 };
            if calm >= span {
                self.start.copy_from_slice(forward.starts(0));
                self.depth = depths;
                return Probe::Enough;
            }
            if run > 0
                && calm == 0
                && let Some(cycle) = self.cycle(&forward)
            {
                return Probe::TooShort(cycle);
            }
        }
        Probe::Undecided
    }

    /// A cycle of causes through the event that has fallen back most in the newest frame.
    fn cycle(&mut self, forward: &Forward<'_>) -> Option<Vec<u32>> {
        let growth = forward.starts(0).iter().zip(forward.starts(1)).map(|(x, y)| x - y);
        let (event, _) = growth.enumerate().max_by_key(|&(i, growth)| (growth, std::cmp::Reverse(i)))?;
        forward.cycle(event as u32, self.interval, &mut self.seen)
    }
}
