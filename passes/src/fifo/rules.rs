//! The rules of the timing contract between the events of a stream that repeats every T clocks, laid out flat.
//!
//! A rule says that one event starts so many clocks behind another at the least; clocks of an event that lies
//! frames back count T less a frame. Three kinds: an actor's events follow each other; a beat is read once it is
//! visible; a beat is given once its place is free. Only the third kind depends on depths, and is rewritten with
//! them. No start times here.

use super::events::Freed;
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
    /// Room for as many rules of each event as `count` says.
    fn new(count: &[u32]) -> Self {
        let mut first = Vec::with_capacity(count.len() + 1);
        let mut end = 0;
        first.push(end);
        first.extend(count.iter().map(|n| (end += n, end).1));
        Side { first, rules: vec![(0, 0); end as usize] }
    }

    /// Takes the next room of an event; `taken` says how many it has taken.
    fn push(&mut self, event: u32, taken: &mut [u32], other: u32, clocks: i64) -> u32 {
        let rule = self.first[event as usize] + taken[event as usize];
        taken[event as usize] += 1;
        self.rules[rule as usize] = (other, narrow(clocks));
        rule
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
struct Places {
    /// What readers free at once, and the rule of the freeing event on the first place of it.
    freeing: Vec<(Freed, u32)>,
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
            freeing: c.readers.iter().flat_map(|r| r.runs()).map(|run| (run, 0)).collect(),
            giving: vec![0; c.beats as usize * c.readers.len()],
        };
        let (waiting, awaited) = count(timed);
        let mut rules = Rules {
            timed,
            interval,
            places: timed.channels.iter().map(places).collect(),
            waiting: Side::new(&waiting),
            awaited: Side::new(&awaited),
        };
        rules.fill();
        for (channel, &depth) in depth.iter().enumerate() {
            rules.set_depth(channel, depth, |_, _, _| ());
        }
        rules
    }

    fn fill(&mut self) {
        let timed = self.timed;
        let mut waiting = vec![0; timed.events.len()];
        let mut awaited = vec![0; timed.events.len()];
        let mut both = |event: u32, before: u32, clocks: i64| {
            self.waiting.push(before, &mut waiting, event, clocks);
            self.awaited.push(event, &mut awaited, before, clocks);
        };
        for a in &timed.actors {
            for event in a.first..a.end {
                match event > a.first {
                    true => both(event, event - 1, i64::from(timed.events[event as usize].gap)),
                    false => both(event, a.end - 1, i64::from(a.wrap) - self.interval),
                }
                timed.needs_of(a, event).for_each(|(_, by, clocks)| both(event, by, clocks));
            }
        }
        for (c, places) in timed.channels.iter().zip(&mut self.places) {
            for (run, rule) in &mut places.freeing {
                *rule = self.waiting.push(run.by, &mut waiting, NONE, 0);
            }
            let beats = c.given_by.iter().flat_map(|by| std::iter::repeat_n(*by, c.readers.len()));
            for (rule, by) in places.giving.iter_mut().zip(beats) {
                *rule = self.awaited.push(by, &mut awaited, NONE, 0);
            }
        }
    }

    /// Rewrites the rules on the places of a channel; tells each: the freeing event, the giving event, and the
    /// clocks between them at the least.
    pub(super) fn set_depth(&mut self, channel: usize, depth: u64, mut tell: impl FnMut(u32, u32, i32)) {
        let c = &self.timed.channels[channel];
        let places = &self.places[channel];
        let beats = u64::from(c.beats);
        let (frames, shift) = ((depth / beats) as i64, (depth % beats) as u32);
        for &(run, rule) in &places.freeing {
            let (mut beat, mut frames) = (run.place + shift, frames);
            while beat >= c.beats {
                (beat, frames) = (beat - c.beats, frames + 1);
            }
            self.waiting.rules[rule as usize] =
                (c.given_by[beat as usize], narrow(i64::from(run.after) + RELEASE - frames * self.interval));
        }
        let mut rule = places.giving.iter();
        for (beat, &giving) in (0..c.beats).zip(&c.given_by) {
            let (place, frames) =
                if beat < shift { (beat + c.beats - shift, frames + 1) } else { (beat - shift, frames) };
            for (r, &rule) in c.readers.iter().zip(&mut rule) {
                let freeing = r.freed_by[place as usize];
                let after = i64::from(r.freed_after[place as usize]);
                let clocks = narrow(after + RELEASE - (frames + i64::from(place < r.head)) * self.interval);
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

/// How many rules each event has on either side.
fn count(timed: &Timed) -> (Vec<u32>, Vec<u32>) {
    let mut waiting = vec![1; timed.events.len()];
    let mut awaited = waiting.clone();
    for a in &timed.actors {
        for event in a.first..a.end {
            for (_, by, _) in timed.needs_of(a, event) {
                waiting[by as usize] += 1;
                awaited[event as usize] += 1;
            }
        }
    }
    for c in &timed.channels {
        c.readers.iter().flat_map(|r| r.runs()).for_each(|run| waiting[run.by as usize] += 1);
        c.given_by.iter().for_each(|&by| awaited[by as usize] += c.readers.len() as u32);
    }
    (waiting, awaited)
}
