//! With how few words a channel lets the stream run at all, however slowly.
//!
//! A place can be taken again only once it is freed; where that waits for a beat `depth` places on, the stream
//! hangs. So the depth is the largest count of beats that must be given before a place is freed, less the place.
//! What must come before an event is found backwards along the rules, with a schedule that keeps them as a guide:
//! what is no later in it than a beat that is known to be needed cannot need a later beat.

use super::timed::{PORTS, Timed, TimedActor};

/// The least depth of a channel with which the stream runs at all, all other depths given. `start` are times that
/// repeat every `interval` clocks and keep all rules with these depths.
pub(super) fn least_running(
    timed: &Timed,
    interval: u64,
    start: impl Fn(u32) -> i64,
    depth: &[u64],
    channel: usize,
) -> u64 {
    let c = &timed.channels[channel];
    let mut least = 1;
    for r in &c.readers {
        let mut needed = Needed::new(timed, interval as i64, &start, depth, (channel, r.actor));
        for (place, &by) in (0..).zip(&r.freed_by) {
            needed.expand(Instance {
                actor: r.actor,
                event: by,
                frame: -i64::from(place < i64::from(r.head)),
            });
            least = least.max(needed.beats - place);
        }
    }
    least as u64
}

/// An event of one frame.
#[derive(Clone, Copy, Debug)]
struct Instance {
    actor: usize,
    event: u32,
    frame: i64,
}

/// The beats of a channel that must be given before the events seen so far.
struct Needed<'a, S> {
    timed: &'a Timed,
    interval: i64,
    start: &'a S,
    depth: &'a [u64],
    channel: usize,
    /// How many, counted from the first beat of frame 0.
    beats: i64,
    /// When the last of them is given.
    at: i64,
    /// Actors that are joined to the writer other than through the reader: what lies beyond either is waited for
    /// by their own events alone, in an order that is known.
    inside: Vec<bool>,
    /// For each actor, the last event that is known to come before, as frames and events in one count.
    known: Vec<i64>,
    /// For each actor, the frame of that event, and the beats of each output that are given in it by then.
    given: Vec<(i64, [usize; PORTS])>,
    stack: Vec<Instance>,
}

impl<'a, S: Fn(u32) -> i64> Needed<'a, S> {
    fn new(
        timed: &'a Timed,
        interval: i64,
        start: &'a S,
        depth: &'a [u64],
        (channel, reader): (usize, usize),
    ) -> Self {
        let at = start(timed.channels[channel].given_by[0]);
        let known = vec![i64::MIN; timed.actors.len()];
        let inside = inside(timed, timed.channels[channel].writer, reader);
        let given = vec![(i64::MIN, [0; PORTS]); timed.actors.len()];
        let stack = Vec::new();
        Needed { timed, interval, start, depth, channel, beats: 1, at, inside, known, given, stack }
    }

    fn at(&self, i: Instance) -> i64 {
        (self.start)(i.event) + i.frame * self.interval
    }

    /// Takes in an event and all that must come before it.
    fn expand(&mut self, last: Instance) {
        self.stack.push(last);
        while let Some(last) = self.stack.pop() {
            if last.actor == self.timed.channels[self.channel].writer {
                self.give(last);
            } else {
                self.expand_actor(last);
            }
        }
    }

    /// The writer has come so far: its beats are given, and what it waits for itself asks for none after them.
    fn give(&mut self, last: Instance) {
        let c = &self.timed.channels[self.channel];
        let (in_frame, beats) = (c.given_by.partition_point(|&by| by <= last.event), i64::from(c.beats));
        let given = last.frame * beats + in_frame as i64;
        if given > self.beats {
            let (frame, beat) = ((given - 1).div_euclid(beats), (given - 1).rem_euclid(beats));
            self.beats = given;
            self.at = self.at(Instance { event: c.given_by[beat as usize], frame, ..last });
        }
    }

    /// Takes in an actor's events up to `last`, the latest first: their own order is implied.
    fn expand_actor(&mut self, last: Instance) {
        let a = &self.timed.actors[last.actor];
        let (known, mut i) = (self.known[last.actor], last);
        if number(a, last) <= known {
            return;
        }
        self.known[last.actor] = number(a, last);
        let mut given = self.given_until(last);
        while number(a, i) > known && self.at(i) > self.at {
            self.push_awaited(a, i, &mut given);
            i = match i.event > a.first {
                true => Instance { event: i.event - 1, ..i },
                false => {
                    given = self.given_in_frame(a);
                    Instance { event: a.end - 1, frame: i.frame - 1, ..i }
                }
            };
        }
    }

    /// For each output of an event's actor, the beats that are given in the frame by the end of the event. Counts on
    /// from the last event that was asked for.
    fn given_until(&mut self, last: Instance) -> [usize; PORTS] {
        let (frame, given) = &mut self.given[last.actor];
        if std::mem::replace(frame, last.frame) != last.frame {
            *given = [0; PORTS];
        }
        for (given, channels) in given.iter_mut().zip(&self.timed.actors[last.actor].outputs) {
            let Some(&channel) = channels.first() else { continue };
            let later = &self.timed.channels[channel].given_by[*given..];
            *given += later.iter().take_while(|&&by| by <= last.event).count();
        }
        *given
    }

    /// For each output of an actor, the beats of a frame.
    fn given_in_frame(&self, a: &TimedActor) -> [usize; PORTS] {
        let mut given = [0; PORTS];
        for (given, channels) in given.iter_mut().zip(&a.outputs) {
            *given = channels.first().map_or(0, |&channel| self.timed.channels[channel].beats as usize);
        }
        given
    }

    /// Notes what an event of another actor waits for. `given` are the beats given by its end, and behind it those
    /// given before it.
    fn push_awaited(&mut self, a: &TimedActor, i: Instance, given: &mut [usize; PORTS]) {
        let timed = self.timed;
        for (channel, event, _) in timed.needs_of(a, i.event) {
            self.push(Instance { actor: timed.channels[channel].writer, event, ..i });
        }
        for (channels, given) in a.outputs.iter().zip(given) {
            let Some(beat) = given.checked_sub(1).filter(|&beat| timed.gives(channels, beat as u32, i.event))
            else {
                continue;
            };
            *given = beat;
            for &channel in channels {
                let c = &timed.channels[channel];
                let (beats, mut place, mut frame) = (i64::from(c.beats), beat as i64, i.frame);
                place -= self.depth[channel] as i64;
                if place < 0 {
                    frame += place.div_euclid(beats);
                    place = place.rem_euclid(beats);
                }
                for r in &c.readers {
                    let frame = frame - i64::from(place < i64::from(r.head));
                    self.push(Instance { actor: r.actor, event: r.freed_by[place as usize], frame });
                }
            }
        }
    }

    #[inline]
    fn push(&mut self, i: Instance) {
        let is_new = || number(&self.timed.actors[i.actor], i) > self.known[i.actor];
        if self.inside[i.actor] && is_new() && self.at(i) > self.at {
            self.stack.push(i);
        }
    }
}

/// An event's number among all of its actor, frame by frame.
fn number(a: &TimedActor, i: Instance) -> i64 {
    i.frame * i64::from(a.end - a.first) + i64::from(i.event - a.first)
}

/// Actors that channels join to `from` other than through `to`; with both.
fn inside(timed: &Timed, from: usize, to: usize) -> Vec<bool> {
    let mut inside = vec![false; timed.actors.len()];
    (inside[from], inside[to]) = (true, true);
    let mut stack = vec![from];
    while let Some(actor) = stack.pop() {
        for near in timed.neighbours(actor) {
            if !std::mem::replace(&mut inside[near], true) {
                stack.push(near);
            }
        }
    }
    inside
}
