//! The recurrence: when every phase starts, frame by frame, with given depths.
//!
//! Start times are maxima and sums alone, so this is no simulation of clocks: each event is computed once, as soon
//! as what it waits for is known. Where nothing more can be computed the stream has hung, and who waits for whom is
//! handed back.

use std::collections::VecDeque;

use super::timed::{PORTS, RELEASE, Timed, TimedActor};

/// What an actor waits for when a stream hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// A beat of the channel.
    Beat(usize),
    /// A place in the channel, until the given reader (an index of its readers) frees it.
    Place(usize, usize),
}

/// A stream that hangs: what each actor that is stuck waits for.
#[derive(Clone, Debug)]
pub(super) struct Hang {
    pub(super) waits: Vec<(usize, Wait)>,
}

/// Start times of the frames that still matter.
pub(super) struct Forward<'a> {
    timed: &'a Timed,
    depth: &'a [u64],
    /// Frames done.
    frame: u64,
    /// Start times of the newest frames, the newest last.
    frames: VecDeque<Vec<i64>>,
    /// Frames that are kept, the one under way among them: one more than the recurrence looks back, or all that are run.
    keep: usize,
    /// The frame under way; empty between frames.
    now: Vec<i64>,
    /// Next event of each actor.
    next: Vec<u32>,
    /// Next beat of each actor's outputs.
    beat: Vec<[u32; PORTS]>,
}

impl<'a> Forward<'a> {
    /// A stream at reset.
    pub(super) fn from_reset(timed: &'a Timed, depth: &'a [u64], keep: usize) -> Self {
        Forward {
            timed,
            depth,
            frame: 0,
            frames: VecDeque::new(),
            keep,
            now: Vec::new(),
            next: vec![0; timed.actors.len()],
            beat: vec![[0; PORTS]; timed.actors.len()],
        }
    }

    /// Start times of the frame that lies `back` frames behind the newest.
    pub(super) fn starts(&self, back: usize) -> &[i64] {
        &self.frames[self.frames.len() - 1 - back]
    }

    /// Frames whose start times are kept.
    pub(super) fn kept(&self) -> usize {
        self.frames.len()
    }

    /// Runs all actors to the end of the next frame.
    pub(super) fn run_frame(&mut self) -> Result<(), Hang> {
        let timed = self.timed;
        let room = if self.frames.len() >= self.keep { self.frames.pop_front() } else { None };
        self.now = room.unwrap_or_else(|| vec![0; timed.events.len()]);
        for (next, a) in self.next.iter_mut().zip(&timed.actors) {
            *next = a.first;
        }
        self.beat.fill([0; PORTS]);
        // Actors that may be able to go on: those whose neighbours have.
        let mut ready: VecDeque<usize> = timed.order.iter().copied().collect();
        let mut is_ready = vec![true; timed.actors.len()];
        while let Some(actor) = ready.pop_front() {
            is_ready[actor] = false;
            let begin = self.next[actor];
            self.advance(actor);
            if self.next[actor] > begin {
                for near in timed.neighbours(actor).filter(|&near| near != actor) {
                    if self.next[near] < timed.actors[near].end
                        && !std::mem::replace(&mut is_ready[near], true)
                    {
                        ready.push_back(near);
                    }
                }
            }
        }
        if timed.actors.iter().zip(&self.next).any(|(a, &next)| next < a.end) {
            return Err(self.hang());
        }
        self.frames.push_back(std::mem::take(&mut self.now));
        self.frame += 1;
        Ok(())
    }

    fn hang(&mut self) -> Hang {
        let timed = self.timed;
        let stuck = timed.order.iter().copied().filter(|&a| self.next[a] < timed.actors[a].end);
        let stuck: Vec<usize> = stuck.collect();
        Hang { waits: stuck.into_iter().filter_map(|a| self.advance(a).map(|wait| (a, wait))).collect() }
    }

    /// Computes the actor's events as far as what they wait for is known; says what the next one waits for, unless
    /// it was the frame's last.
    fn advance(&mut self, actor: usize) -> Option<Wait> {
        let timed = self.timed;
        let a = &timed.actors[actor];
        let mut now = std::mem::take(&mut self.now);
        let mut beats = self.beat[actor];
        let mut id = self.next[actor];
        let mut before = if id > a.first { now[id as usize - 1] } else { self.before_frame(a) };
        // Of each input: its channel, the first event of its writer that is not known, and the clocks behind it.
        let inputs: [(usize, u32, i64); PORTS] = std::array::from_fn(|input| {
            a.inputs.get(input).map_or((0, 0, 0), |&(channel, _)| {
                let c = &timed.channels[channel];
                (channel, self.next[c.writer], c.latency)
            })
        });
        let gives: [&[u32]; PORTS] = std::array::from_fn(|output| {
            let first = a.outputs.get(output).and_then(|channels| channels.first());
            first.map_or(&[][..], |&channel| &timed.channels[channel].given_by[..])
        });
        let mut wait = None;
        'events: while id < a.end {
            // The clocks before the first event of a frame are the wrap's.
            let gap = if id > a.first { i64::from(timed.events[id as usize].gap) } else { 0 };
            let mut at = before + gap;
            for need in timed.needs_at(id) {
                let (channel, known, latency) = inputs[need.input()];
                if need.by >= known {
                    wait = Some(Wait::Beat(channel));
                    break 'events;
                }
                at = at.max(now[need.by as usize] + latency + i64::from(need.lead()));
            }
            let mut given = beats;
            for ((beat, gives), channels) in given.iter_mut().zip(gives).zip(&a.outputs) {
                if gives.get(*beat as usize) == Some(&id) {
                    for &channel in channels {
                        match self.credit(&now, channel, i64::from(*beat)) {
                            Ok(free) => at = at.max(free),
                            Err(place) => {
                                wait = Some(place);
                                break 'events;
                            }
                        }
                    }
                    *beat += 1;
                }
            }
            beats = given;
            now[id as usize] = at;
            before = at;
            id += 1;
        }
        self.now = now;
        self.beat[actor] = beats;
        self.next[actor] = id;
        wait
    }

    /// When the first event of a frame can be for its own actor's sake.
    fn before_frame(&self, a: &TimedActor) -> i64 {
        match self.frames.back() {
            Some(before) => before[a.end as usize - 1] + i64::from(a.wrap),
            None => i64::from(self.timed.events[a.first as usize].gap),
        }
    }

    /// When a channel has a place for a beat of the frame under way.
    #[inline]
    fn credit(&self, now: &[i64], channel: usize, beat: i64) -> Result<i64, Wait> {
        let c = &self.timed.channels[channel];
        let beats = i64::from(c.beats);
        // The place that is taken was last held by the beat `depth` before this one.
        let (mut place, mut back) = (beat - self.depth[channel] as i64, 0u64);
        if place < 0 {
            // Before the first frame all places were free.
            if self.frame == 0 {
                return Ok(i64::MIN);
            }
            // Divisions take longer than all the rest.
            let frames = if place >= -beats { 1 } else { -place.div_euclid(beats) };
            (place, back) = (place + frames * beats, frames as u64);
            if back > self.frame {
                return Ok(i64::MIN);
            }
        }
        let mut latest = i64::MIN;
        for (reader, r) in c.readers.iter().enumerate() {
            let back = back + u64::from(place < i64::from(r.head));
            let by = r.freed_by[place as usize];
            let freed = match back {
                0 if by >= self.next[r.actor] => return Err(Wait::Place(channel, reader)),
                0 => now[by as usize],
                _ if back > self.frame => continue,
                _ => self.frames[self.frames.len() - back as usize][by as usize],
            };
            latest = latest.max(freed + i64::from(r.freed_after[place as usize]) + RELEASE);
        }
        Ok(latest)
    }
}

/// Frames that the recurrence looks back.
pub(super) fn reach(timed: &Timed, depth: &[u64]) -> u64 {
    let of = |(c, &d): (&super::timed::TimedChannel, &u64)| {
        let head = c.readers.iter().any(|r| r.head > 0);
        d.div_ceil(u64::from(c.beats.max(1))) + u64::from(head)
    };
    timed.channels.iter().zip(depth).map(of).max().unwrap_or(1).max(1)
}
