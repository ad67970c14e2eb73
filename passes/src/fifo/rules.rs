//! The rules of the timing contract between the events of a stream that repeats every T clocks, laid out flat.
//!
//! A rule says that one event starts so many clocks behind another at the least; clocks of an event that lies
//! frames back count T less a frame. Three kinds: an actor's events follow each other; a beat is read once it is
//! visible; a beat is given once its place is free. Only the third kind depends on depths, and is rewritten with
//! them. No start times here.

use super::timed::{NONE, RELEASE, Timed, TimedChannel};

/// The rules of each event, in one of the two ways to look at them.
pub(super) struct Side {
    /// For each event, its first rule; one more entry for the end.
    first: Vec<u32>,
    /// The event at each rule's other end, and the clocks from the earlier event to the later one, at the least.
    rules: Vec<(u32, i32)>,
}

/// Start times that are kept lie between this and its negative, so that sums of some of them fit 32 bits.
pub(super) const LATEST: i64 = 1 << 28;

impl Side {
    fn new(events: usize) -> Self {
        let mut first = Vec::with_capacity(events + 1);
        first.push(0);
        Side { first, rules: Vec::with_capacity(3 * events) }
    }

    fn push(&mut self, other: u32, clocks: i64) {
        self.rules.push((other, narrow(clocks)));
    }

    /// Leaves room for a rule that depends on a depth.
    fn reserve(&mut self) -> u32 {
        self.push(NONE, 0);
        self.rules.len() as u32 - 1
    }

    fn end_event(&mut self) {
        self.first.push(self.rules.len() as u32);
    }

    /// The rules of an event: the other event, and the clocks.
    #[inline]
    pub(super) fn of(&self, event: u32) -> &[(u32, i32)] {
        &self.rules[self.first[event as usize] as usize..self.first[event as usize + 1] as usize]
    }
}

/// A rule over more clocks than two start times can lie apart binds as little as this one.
fn narrow(clocks: i64) -> i32 {
    clocks.max(-4 * LATEST) as i32
}

/// Where the rules on the places of one channel lie.
#[derive(Default)]
struct Places {
    /// For each reader, the first place of each run that it frees at once, and the rule of the freeing event.
    freeing: Vec<Vec<(u32, u32)>>,
    /// For each beat and reader, the rule of the giving event.
    giving: Vec<u32>,
}

/// All rules.
pub(super) struct Rules<'a> {
    timed: &'a Timed,
    interval: i64,
    places: Vec<Places>,
    /// For each event, those that wait for it.
    pub(super) waiting: Side,
    /// For each event, those that it waits for.
    pub(super) awaited: Side,
}

impl<'a> Rules<'a> {
    pub(super) fn new(timed: &'a Timed, interval: i64, depth: &[u64]) -> Self {
        let places = |c: &TimedChannel| Places {
            freeing: vec![Vec::new(); c.readers.len()],
            giving: Vec::with_capacity(c.beats as usize * c.readers.len()),
        };
        let events = timed.events.len();
        let mut rules = Rules {
            timed,
            interval,
            places: timed.channels.iter().map(places).collect(),
            waiting: Side::new(events),
            awaited: Side::new(events),
        };
        for actor in 0..timed.actors.len() {
            rules.push_waiting(actor);
            rules.push_awaited(actor);
        }
        for (channel, &depth) in depth.iter().enumerate() {
            rules.set_depth(channel, depth, |_, _, _| ());
        }
        rules
    }

    fn push_waiting(&mut self, actor: usize) {
        let (timed, side) = (self.timed, &mut self.waiting);
        let a = &timed.actors[actor];
        for id in a.first..a.end {
            match timed.events.get(id as usize + 1) {
                Some(next) if id + 1 < a.end => side.push(id + 1, i64::from(next.gap)),
                _ => side.push(a.first, i64::from(a.wrap) - self.interval),
            }
            let event = &timed.events[id as usize];
            for (channels, beat) in a.outputs.iter().zip(event.give).filter(|(_, beat)| *beat != NONE) {
                for c in channels.iter().map(|&channel| &timed.channels[channel]) {
                    let needing = c.readers.iter().map(|r| r.needed_by[beat as usize]);
                    needing.filter(|&by| by != NONE).for_each(|by| side.push(by, c.latency));
                }
            }
            for (&(channel, reader), place) in a.inputs.iter().zip(event.freed) {
                if place != NONE {
                    self.places[channel].freeing[reader].push((place, side.reserve()));
                }
            }
            side.end_event();
        }
    }

    fn push_awaited(&mut self, actor: usize) {
        let (timed, side) = (self.timed, &mut self.awaited);
        let a = &timed.actors[actor];
        for id in a.first..a.end {
            let event = &timed.events[id as usize];
            match id > a.first {
                true => side.push(id - 1, i64::from(event.gap)),
                false => side.push(a.end - 1, i64::from(a.wrap) - self.interval),
            }
            for (&(channel, _), beat) in a.inputs.iter().zip(event.need) {
                if beat != NONE {
                    let c = &timed.channels[channel];
                    side.push(c.given_by[beat as usize], c.latency);
                }
            }
            for (channels, _) in a.outputs.iter().zip(event.give).filter(|(_, beat)| *beat != NONE) {
                for &channel in channels {
                    let readers = 0..timed.channels[channel].readers.len();
                    self.places[channel].giving.extend(readers.map(|_| side.reserve()));
                }
            }
            side.end_event();
        }
    }

    /// Rewrites the rules on the places of a channel; tells each: the freeing event, the giving event, and the
    /// clocks between them at the least.
    pub(super) fn set_depth(&mut self, channel: usize, depth: u64, mut tell: impl FnMut(u32, u32, i32)) {
        let c = &self.timed.channels[channel];
        let places = &self.places[channel];
        let beats = u64::from(c.beats);
        let (frames, shift) = ((depth / beats) as i64, (depth % beats) as u32);
        for &(place, rule) in places.freeing.iter().flatten() {
            let (mut beat, mut frames) = (place + shift, frames);
            while beat >= c.beats {
                (beat, frames) = (beat - c.beats, frames + 1);
            }
            self.waiting.rules[rule as usize] =
                (c.given_by[beat as usize], narrow(RELEASE - frames * self.interval));
        }
        let mut rule = places.giving.iter();
        for (beat, &giving) in (0..c.beats).zip(&c.given_by) {
            let (place, frames) =
                if beat < shift { (beat + c.beats - shift, frames + 1) } else { (beat - shift, frames) };
            for (r, &rule) in c.readers.iter().zip(&mut rule) {
                let freeing = r.freed_by[place as usize];
                let clocks = narrow(RELEASE - (frames + i64::from(place < r.head)) * self.interval);
                self.awaited.rules[rule as usize] = (freeing, clocks);
                tell(freeing, giving, clocks);
            }
        }
    }

    /// Whether start times keep every rule.
    pub(super) fn kept(&self, start: impl Fn(u32) -> i32) -> bool {
        (0..self.timed.events.len() as u32).all(|event| {
            let at = start(event);
            self.awaited.of(event).iter().all(|&(before, clocks)| start(before) + clocks <= at)
        })
    }
}
