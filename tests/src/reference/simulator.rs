//! Whole streams, cycle by cycle, under the timing contract: every actor steps through its own program, and what it
//! waits for is looked up in every cycle.
//!
//! - A step starts in the first cycle after the step before it in which all that it reads is visible and every
//!   channel that it gives to has a free place.
//! - A beat given in cycle t is visible from cycle t + p + 1 on, p being the giver's registers, and holds its place
//!   from cycle t on.
//! - Places are freed in order, by all readers; freed in cycle t, one can be taken from cycle t + 1 on.
//!
//! The state is the place of every actor in its program and the beats under way in every channel. Where it was seen
//! before, a whole number of frames ago, what follows is known: the interval. Channels hold the numbers of their
//! beats, so a read of a beat that is gone or was never there is seen.

use std::collections::{BTreeMap, VecDeque};

use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::stream::{self, Kind, Stream};

use super::program::{Program, registers};

/// What was seen until the stream repeated itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Clocks of the frames between two equal states.
    pub clocks: u64,
    /// How many frames that were.
    pub frames: u64,
    /// In which clock of the first frame each actor first and last read or gave.
    pub first_frame: Vec<(ActorId, u64, u64)>,
    /// Most places held at once in each channel.
    pub peaks: Vec<u64>,
}

/// Why a stream does not repeat itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing can ever start again: who waits, and for what.
    Hangs(Vec<Wait>),
    /// The frames ran out.
    Unsettled,
}

/// An actor that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Who.
    pub actor: ActorId,
    /// At which channel.
    pub channel: ChannelId,
    /// For whom: the channel's writer where a beat is missing, the reader that frees no place where it is full.
    pub waits_for: ActorId,
    /// Whether the channel is full.
    pub full: bool,
}

/// Runs a stream whose channels have depths until it repeats itself.
///
/// # Errors
/// Where it hangs, or does not repeat itself within `most_frames`.
pub fn simulate(stream: &Stream, most_frames: u64) -> Result<Run, Stop> {
    let mut simulator = Simulator::new(stream);
    let mut seen: BTreeMap<Vec<i64>, (u64, u64)> = BTreeMap::new();
    let pace = simulator.actors.iter().position(|a| a.outputs.is_empty()).expect("a stream has a sink");
    for clock in 0.. {
        let frame = simulator.actors[pace].frame;
        let started = simulator.cycle(clock);
        if !started && simulator.channels.iter().all(|c| c.under_way.is_empty()) {
            return Err(Stop::Hangs(simulator.waits()));
        }
        let now = simulator.actors[pace].frame;
        if now > frame {
            if let Some((before, at)) = seen.insert(simulator.state(clock, now), (now, clock)) {
                let first_frame = simulator.actors.iter().map(|a| (a.id, a.first, a.last)).collect();
                let peaks = simulator.channels.iter().map(|c| c.peak).collect();
                return Ok(Run { clocks: clock - at, frames: now - before, first_frame, peaks });
            }
            if now >= most_frames {
                return Err(Stop::Unsettled);
            }
        }
    }
    unreachable!("clocks do not run out")
}

/// How many words each channel holds in each of the first clocks from reset on: those given by then, less those whose
/// places can be taken again.
pub fn levels(stream: &Stream, clocks: u64) -> Vec<Vec<u64>> {
    let mut simulator = Simulator::new(stream);
    let mut levels = vec![Vec::new(); simulator.channels.len()];
    for clock in 0..clocks {
        let freed: Vec<i64> = simulator.channels.iter().map(Channel::freed).collect();
        simulator.cycle(clock);
        for ((level, channel), freed) in levels.iter_mut().zip(&simulator.channels).zip(freed) {
            level.push((channel.given - freed).max(0) as u64);
        }
    }
    levels
}

struct Actor {
    id: ActorId,
    program: Program,
    /// For each input, places free behind each step.
    frees: Vec<Vec<u64>>,
    inputs: Vec<usize>,
    /// For each output, the channels that it gives to, and its registers.
    outputs: Vec<(Vec<usize>, u64)>,
    frame: u64,
    step: usize,
    /// Clock in which the first frame's first and last step with beats started.
    first: u64,
    last: u64,
}

struct Channel {
    id: ChannelId,
    writer: usize,
    depth: i64,
    /// Beats whose giving has started.
    given: i64,
    /// Clock in which each beat that was given and cannot be read yet can be.
    under_way: VecDeque<u64>,
    readers: Vec<Reader>,
    /// The beat in each place.
    places: Vec<i64>,
    peak: u64,
}

impl Channel {
    fn visible(&self) -> i64 {
        self.given - self.under_way.len() as i64
    }

    fn reader(&mut self, actor: usize, input: u16) -> &mut Reader {
        let reader = self.readers.iter_mut().find(|r| (r.actor, r.input) == (actor, input));
        reader.expect("who reads a channel is among its readers")
    }

    fn freed(&self) -> i64 {
        self.readers.iter().map(|r| r.freed).min().expect("a channel has a reader")
    }
}

struct Reader {
    actor: usize,
    input: u16,
    /// Places freed.
    freed: i64,
}

struct Simulator {
    actors: Vec<Actor>,
    channels: Vec<Channel>,
}

impl Simulator {
    fn new(stream: &Stream) -> Self {
        let ids: Vec<ActorId> = stream.actors().collect();
        let index = |id: ActorId| ids.iter().position(|&other| other == id).unwrap();
        let mut channels: Vec<Channel> = stream
            .channels()
            .map(|id| {
                let channel = stream.channel(id);
                let depth = channel.depth.expect("the channels have depths");
                let reader = |r: &stream::Reader| Reader { actor: index(r.actor), input: r.input, freed: 0 };
                Channel {
                    id,
                    writer: index(channel.writer),
                    depth: depth as i64,
                    given: 0,
                    under_way: VecDeque::new(),
                    readers: channel.readers.iter().map(reader).collect(),
                    places: vec![-1; depth as usize],
                    peak: 0,
                }
            })
            .collect();
        let mut actors = Vec::new();
        for (i, &id) in ids.iter().enumerate() {
            let kind: &Kind = &stream.actor(id).kind;
            let program = Program::of(stream, id);
            let inputs: Vec<usize> =
                (0..kind.inputs()).map(|input| stream.input(id, input).unwrap().index()).collect();
            for (input, &channel) in (0..).zip(&inputs) {
                channels[channel].reader(i, input).freed = program.unread_head(input) as i64;
            }
            actors.push(Actor {
                id,
                frees: (0..kind.inputs()).map(|input| program.frees(input)).collect(),
                program,
                inputs,
                outputs: (0..kind.outputs())
                    .map(|output| {
                        let channels = stream.outputs(id, output).into_iter().map(ChannelId::index);
                        (channels.collect(), registers(kind, output))
                    })
                    .collect(),
                frame: 0,
                step: 0,
                first: u64::MAX,
                last: 0,
            });
        }
        Simulator { actors, channels }
    }

    /// The beats that the next step of an actor reads: channel, beat since reset.
    fn reads(&self, actor: usize) -> impl Iterator<Item = (usize, i64)> + '_ {
        let a = &self.actors[actor];
        a.program.steps[a.step].reads.iter().map(move |&(input, beat)| {
            let beats = a.program.beats[usize::from(input)];
            (a.inputs[usize::from(input)], (a.frame * beats + beat) as i64)
        })
    }

    fn missing(&self, actor: usize) -> Option<usize> {
        self.reads(actor).find(|&(channel, beat)| beat >= self.channels[channel].visible()).map(|read| read.0)
    }

    fn full(&self, actor: usize) -> Option<usize> {
        let a = &self.actors[actor];
        let full = |c: &Channel| c.given - c.freed() >= c.depth;
        let given = a.outputs.iter().zip(a.program.steps[a.step].gives).filter(|(_, gives)| *gives);
        given.flat_map(|(output, _)| output.0.iter().copied()).find(|&channel| full(&self.channels[channel]))
    }

    /// One clock; whether any step started.
    fn cycle(&mut self, clock: u64) -> bool {
        for channel in &mut self.channels {
            while channel.under_way.front().is_some_and(|&at| at <= clock) {
                channel.under_way.pop_front();
            }
        }
        let starts: Vec<usize> = (0..self.actors.len())
            .filter(|&actor| self.missing(actor).is_none() && self.full(actor).is_none())
            .collect();
        for &actor in &starts {
            self.check(actor);
        }
        // All places are taken before any is freed, since one that is freed now can be taken in the next clock.
        for &actor in &starts {
            self.give(actor, clock);
        }
        for &actor in &starts {
            self.free(actor, clock);
        }
        !starts.is_empty()
    }

    /// All that the step reads is there.
    fn check(&self, actor: usize) {
        for (channel, beat) in self.reads(actor) {
            let channel = &self.channels[channel];
            let place = (beat % channel.depth) as usize;
            assert_eq!(channel.places[place], beat, "{} reads what is not there", self.actors[actor].id);
        }
    }

    fn give(&mut self, actor: usize, clock: u64) {
        let a = &self.actors[actor];
        let given = a.outputs.iter().zip(a.program.steps[a.step].gives).filter(|(_, gives)| *gives);
        for ((channels, registers), _) in given {
            for &channel in channels {
                let channel = &mut self.channels[channel];
                let place = (channel.given % channel.depth) as usize;
                channel.places[place] = channel.given;
                channel.given += 1;
                channel.under_way.push_back(clock + registers + 1);
                channel.peak = channel.peak.max((channel.given - channel.freed()).max(0) as u64);
            }
        }
    }

    fn free(&mut self, actor: usize, clock: u64) {
        let a = &mut self.actors[actor];
        for (input, &channel) in (0..).zip(&a.inputs) {
            let at = usize::from(input);
            let freed = a.frame * a.program.beats[at] + a.frees[at][a.step];
            self.channels[channel].reader(actor, input).freed = freed as i64;
        }
        let step = &a.program.steps[a.step];
        if a.frame == 0 && (step.gives != [false; 2] || !step.reads.is_empty()) {
            (a.first, a.last) = (a.first.min(clock), clock);
        }
        a.step += 1;
        if a.step == a.program.steps.len() {
            (a.frame, a.step) = (a.frame + 1, 0);
        }
    }

    /// All that the future hangs on, relative to a clock and a frame.
    fn state(&self, clock: u64, frame: u64) -> Vec<i64> {
        let mut state = Vec::new();
        for a in &self.actors {
            state.extend([a.frame as i64 - frame as i64, a.step as i64]);
        }
        for channel in &self.channels {
            state.push(channel.under_way.len() as i64);
            state.extend(channel.under_way.iter().map(|&at| (at - clock) as i64));
        }
        state
    }

    fn waits(&self) -> Vec<Wait> {
        let wait = |actor: usize| {
            let id = self.actors[actor].id;
            if let Some(channel) = self.missing(actor) {
                let channel = &self.channels[channel];
                let waits_for = self.actors[channel.writer].id;
                return Wait { actor: id, channel: channel.id, waits_for, full: false };
            }
            let channel = &self.channels[self.full(actor).expect("who does not start waits")];
            let slowest = channel.readers.iter().min_by_key(|r| r.freed).expect("a channel has a reader");
            Wait { actor: id, channel: channel.id, waits_for: self.actors[slowest.actor].id, full: true }
        };
        (0..self.actors.len()).map(wait).collect()
    }
}
