//! The recurrence: when every phase starts, frame by frame, with given depths.
//!
//! Start times are maxima and sums alone, so this is no simulation of clocks: each event is computed once, as soon
//! as what it waits for is known. Where nothing more can be computed the stream has hung, and who waits for whom is
//! handed back. It begins at reset, or behind frames that are given.

use std::collections::VecDeque;

use super::timed::{Event, NONE, RELEASE, Timed, TimedActor};

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

/// An event, and how many frames before the current one.
#[derive(Clone, Copy, Debug)]
struct Cause(u32);

/// Bits of a cause that hold the event.
const EVENT_BITS: u32 = 26;

impl Cause {
    const NOBODY: Cause = Cause(NONE);

    fn new(event: u32, back: u64) -> Self {
        Cause(((back as u32) << EVENT_BITS) | event)
    }

    /// The event and the frames it lies back, but for events without a cause.
    fn get(self) -> Option<(u32, u64)> {
        (self.0 != NONE).then_some((self.0 & ((1 << EVENT_BITS) - 1), u64::from(self.0 >> EVENT_BITS)))
    }
}

/// Start times of the frames that still matter.
pub(super) struct Forward<'a> {
    timed: &'a Timed,
    depth: &'a [u64],
    /// Where set, not clocks are computed but how many beats of this channel must be given before an event can be,
    /// whatever the channel's own depth.
    counted: Option<usize>,
    /// 1, or 0 where beats are counted instead of clocks.
    clock: i64,
    /// Frames done, those given included.
    frame: u64,
    /// Start times of the newest frames, the newest last.
    frames: VecDeque<Vec<i64>>,
    /// Frames that are kept at the least.
    keep: usize,
    /// Who determined each event, where that is recorded: one list a frame that was run.
    causes: Option<VecDeque<Vec<Cause>>>,
    /// The frame under way.
    now: Vec<i64>,
    now_causes: Vec<Cause>,
    /// Next event of each actor.
    next: Vec<u32>,
}

impl<'a> Forward<'a> {
    /// A stream at reset.
    pub(super) fn from_reset(timed: &'a Timed, depth: &'a [u64], keep: usize) -> Self {
        Forward {
            timed,
            depth,
            counted: None,
            clock: 1,
            frame: 0,
            frames: VecDeque::new(),
            keep: keep.max(reach(timed, depth) as usize),
            causes: None,
            now: vec![0; timed.events.len()],
            now_causes: Vec::new(),
            next: vec![0; timed.actors.len()],
        }
    }

    /// Counts the beats of `channel` that come before each event, instead of clocks.
    pub(super) fn counting(timed: &'a Timed, depth: &'a [u64], channel: usize) -> Self {
        Forward { counted: Some(channel), clock: 0, ..Forward::from_reset(timed, depth, 2) }
    }

    /// A stream whose frames so far started at `start`, one every `interval` clocks; causes are recorded.
    pub(super) fn behind(timed: &'a Timed, depth: &'a [u64], start: &[i64], interval: i64) -> Self {
        let mut forward = Forward::from_reset(timed, depth, 1);
        forward.keep = usize::MAX;
        let given = reach(timed, depth);
        for back in (1..=given as i64).rev() {
            forward.frames.push_back(start.iter().map(|s| s - back * interval).collect());
        }
        forward.frame = given;
        forward.causes = Some(VecDeque::new());
        forward.now_causes = vec![Cause::NOBODY; timed.events.len()];
        forward
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
        for (next, a) in self.next.iter_mut().zip(&timed.actors) {
            *next = a.first;
        }
        loop {
            let (mut moved, mut behind) = (false, false);
            for &actor in &timed.order {
                let begin = self.next[actor];
                while self.next[actor] < timed.actors[actor].end && self.step(actor).is_ok() {}
                moved |= self.next[actor] > begin;
                behind |= self.next[actor] < timed.actors[actor].end;
            }
            if !behind {
                break;
            }
            if !moved {
                return Err(self.hang());
            }
        }
        let room = if self.frames.len() >= self.keep { self.frames.pop_front() } else { None };
        let room = room.unwrap_or_else(|| vec![0; timed.events.len()]);
        self.frames.push_back(std::mem::replace(&mut self.now, room));
        if let Some(causes) = &mut self.causes {
            let room = vec![Cause::NOBODY; timed.events.len()];
            causes.push_back(std::mem::replace(&mut self.now_causes, room));
        }
        self.frame += 1;
        Ok(())
    }

    fn hang(&mut self) -> Hang {
        let timed = self.timed;
        let stuck = timed.order.iter().copied().filter(|&a| self.next[a] < timed.actors[a].end);
        let stuck: Vec<usize> = stuck.collect();
        Hang { waits: stuck.into_iter().filter_map(|a| self.step(a).err().map(|wait| (a, wait))).collect() }
    }

    /// Computes the actor's next event, or says what it waits for.
    #[inline]
    fn step(&mut self, actor: usize) -> Result<(), Wait> {
        let timed = self.timed;
        let a = &timed.actors[actor];
        let id = self.next[actor];
        let event = &timed.events[id as usize];
        let mut best = self.own(a, id, event);
        for (input, &beat) in event.need.iter().enumerate() {
            if beat == NONE {
                continue;
            }
            let channel = a.inputs[input].0;
            let c = &timed.channels[channel];
            let by = c.given_by[beat as usize];
            if by >= self.next[c.writer] {
                return Err(Wait::Beat(channel));
            }
            let at = self.now[by as usize] + c.latency * self.clock;
            if at > best.0 {
                best = (at, Cause::new(by, 0));
            }
        }
        for (output, &beat) in event.give.iter().enumerate() {
            if beat != NONE {
                for &channel in &a.outputs[output] {
                    let credit = self.credit(channel, i64::from(beat))?;
                    if credit.0 > best.0 {
                        best = credit;
                    }
                }
            }
        }
        self.now[id as usize] = best.0;
        if self.causes.is_some() {
            self.now_causes[id as usize] = best.1;
        }
        self.next[actor] = id + 1;
        Ok(())
    }

    /// When an event can be for its own actor's sake.
    fn own(&self, a: &TimedActor, id: u32, event: &Event) -> (i64, Cause) {
        if id > a.first {
            return (self.now[id as usize - 1] + i64::from(event.gap) * self.clock, Cause::new(id - 1, 0));
        }
        match self.frames.back() {
            Some(before) => {
                (before[a.end as usize - 1] + i64::from(a.wrap) * self.clock, Cause::new(a.end - 1, 1))
            }
            None => (i64::from(event.gap) * self.clock, Cause::NOBODY),
        }
    }

    /// When a channel has a place for a beat of the frame under way.
    fn credit(&self, channel: usize, beat: i64) -> Result<(i64, Cause), Wait> {
        let c = &self.timed.channels[channel];
        let beats = i64::from(c.beats);
        let mut latest = (i64::MIN, Cause::NOBODY);
        if self.counted == Some(channel) {
            return Ok((self.frame as i64 * beats + beat + 1, Cause::NOBODY));
        }
        // The place that is taken was last held by the beat `depth` before this one.
        let (mut place, mut back) = (beat - self.depth[channel] as i64, 0u64);
        if place < 0 {
            let frames = -place.div_euclid(beats);
            (place, back) = (place + frames * beats, frames as u64);
        }
        for (reader, r) in c.readers.iter().enumerate() {
            let back = back + u64::from(place < i64::from(r.head));
            let by = r.freed_by[place as usize];
            let freed = match back {
                0 if by >= self.next[r.actor] => return Err(Wait::Place(channel, reader)),
                0 => self.now[by as usize],
                _ if back > self.frame => continue,
                _ => self.frames[self.frames.len() - back as usize][by as usize],
            };
            if freed + RELEASE * self.clock > latest.0 {
                latest = (freed + RELEASE * self.clock, Cause::new(by, back));
            }
        }
        Ok(latest)
    }

    /// Follows causes back from an event of the newest frame until an event comes again; hands back the cycle if
    /// its weight is more than `interval` a frame.
    pub(super) fn cycle(&self, event: u32, interval: i64, seen: &mut Seen) -> Option<Vec<u32>> {
        let causes = self.causes.as_ref()?;
        let newest = self.frame - 1;
        let first = self.frame - causes.len() as u64;
        let start = |event: u32, frame: u64| self.starts((newest - frame) as usize)[event as usize];
        seen.walk += 1;
        let (mut event, mut frame) = (event, newest);
        let mut path: Vec<u32> = Vec::new();
        while frame >= first {
            if let Some((before, at)) = seen.before(event) {
                let weight = start(event, before) - start(event, frame);
                if weight > interval * (before - frame) as i64 {
                    return Some(path.split_off(at));
                }
            }
            seen.note(event, frame, path.len());
            path.push(event);
            let (cause, back) = causes[(frame - first) as usize][event as usize].get()?;
            (event, frame) = (cause, frame.checked_sub(back)?);
        }
        None
    }
}

/// Where a walk along causes has been.
pub(super) struct Seen {
    walk: u32,
    /// For each event: the walk, the frame, and the place in its path.
    notes: Vec<(u32, u64, usize)>,
}

impl Seen {
    pub(super) fn new(timed: &Timed) -> Self {
        Seen { walk: 0, notes: vec![(0, 0, 0); timed.events.len()] }
    }

    fn before(&self, event: u32) -> Option<(u64, usize)> {
        let (walk, frame, at) = self.notes[event as usize];
        (walk == self.walk).then_some((frame, at))
    }

    fn note(&mut self, event: u32, frame: u64, at: usize) {
        self.notes[event as usize] = (self.walk, frame, at);
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
