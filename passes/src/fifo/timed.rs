//! A stream as the recurrence sees it: events with their distances, and what each event needs, gives and frees.
//!
//! Everything is laid out flat, since sizing visits events by the million. An *event* is a phase that time depends
//! on (see [`events`](super::events)); the events of all actors have one numbering, each actor's in order. No depth
//! and no start time is known here.

use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::stream::{PhaseList, Stream, phases, stages};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::events::{self, Freed, Need};

/// No beat, no event.
pub(super) const NONE: u32 = u32::MAX;

/// Inputs and outputs that an actor may have.
pub(super) const PORTS: usize = 2;

/// A phase that time depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// The actor, as an index.
    pub(super) actor: u32,
    /// Clocks from the event before it, at the least; of the first event: from the frame's first phase.
    pub(super) gap: u32,
    /// The first of its needs; they end where those of the next event begin.
    pub(super) needs: u32,
    /// For each output, the beat of the frame that is given.
    pub(super) give: [u32; PORTS],
}

/// An actor's events and channels.
#[derive(Clone, Debug)]
pub(super) struct TimedActor {
    /// Which.
    pub(super) id: ActorId,
    /// Its first event.
    pub(super) first: u32,
    /// One behind its last event.
    pub(super) end: u32,
    /// Clocks from the last event of a frame to the first of the next, at the least.
    pub(super) wrap: u32,
    /// Clocks from the last event of a frame to the last phase with beats.
    pub(super) last_after: u32,
    /// Phases of a frame.
    pub(super) phases: u64,
    /// The channel at each input, and which of its readers the input is.
    pub(super) inputs: Vec<(usize, usize)>,
    /// The channels at each output.
    pub(super) outputs: Vec<Vec<usize>>,
}

/// One reader of a channel.
#[derive(Clone, Debug)]
pub(super) struct TimedReader {
    /// Who, as an index.
    pub(super) actor: usize,
    /// For each place, the event that frees it, and how many clocks after its start.
    pub(super) freed_by: Vec<u32>,
    pub(super) freed_after: Vec<u32>,
    /// Places that are freed at once, in the order of events.
    pub(super) runs: Vec<Freed>,
    /// Places that are freed in the frame before their own.
    pub(super) head: u32,
    /// Least depth with which the reader cannot hang by itself.
    pub(super) least_depth: u64,
}

/// A channel.
#[derive(Clone, Debug)]
pub(super) struct TimedChannel {
    /// Which.
    pub(super) id: ChannelId,
    /// Who writes, as an index.
    pub(super) writer: usize,
    /// Beats a frame.
    pub(super) beats: u32,
    /// For each beat, the event that gives it.
    pub(super) given_by: Vec<u32>,
    /// Clocks from the start of a giving phase to the first in which the beat can be read: L.
    pub(super) latency: i64,
    /// Who reads.
    pub(super) readers: Vec<TimedReader>,
    /// Bits of a place.
    pub(super) word_bits: u64,
}

/// Clocks from the phase that frees a place to the first in which it can be given to: R of the timing contract.
pub(super) const RELEASE: i64 = 1;

/// A stream, laid out for the recurrence.
#[derive(Clone, Debug)]
pub(super) struct Timed {
    pub(super) events: Vec<Event>,
    /// What events need, event by event.
    pub(super) needs: Vec<Need>,
    pub(super) actors: Vec<TimedActor>,
    pub(super) channels: Vec<TimedChannel>,
    /// Actors, writers before readers, as indices.
    pub(super) order: Vec<usize>,
}

impl Timed {
    /// Lays a verified stream out.
    pub(super) fn new(stream: &Stream) -> Self {
        let ids: Vec<ActorId> = stream.actors().collect();
        let index_of = |id: ActorId| ids.binary_search(&id).expect("ids of a stream ascend");
        let lists: Vec<PhaseList> = ids.par_iter().map(|&id| phases(stream, id)).collect();
        let (mut events, mut needs, mut phases) = (Vec::new(), Vec::new(), Vec::new());
        let mut actors = Vec::with_capacity(ids.len());
        let mut reads = Vec::with_capacity(ids.len());
        for (&id, list) in ids.iter().zip(&lists) {
            let first = events.len() as u32;
            let frame = events::read(actors.len() as u32, list, &mut events, &mut needs, &mut phases);
            let kind = &stream.actor(id).kind;
            actors.push(TimedActor {
                id,
                first,
                end: events.len() as u32,
                wrap: (list.len() - frame.span) as u32,
                last_after: frame.last_after,
                phases: list.len(),
                inputs: vec![(usize::MAX, 0); usize::from(kind.inputs())],
                outputs: vec![Vec::new(); usize::from(kind.outputs())],
            });
            reads.push((frame.freed, frame.least_depth));
        }
        let mut timed = Timed { events, needs, actors, channels: Vec::new(), order: Vec::new() };
        for id in stream.channels() {
            timed.push_channel(stream, id, &index_of, &lists, &mut reads);
        }
        let Timed { events, needs, actors, channels, .. } = &mut timed;
        events::drop_implied(events, needs, |event, need| {
            let channel = actors[event.actor as usize].inputs[need.input as usize].0;
            phases[channels[channel].given_by[need.beat as usize] as usize]
        });
        timed.order =
            stream.topological().map(|order| order.into_iter().map(index_of).collect()).unwrap_or_default();
        timed
    }

    /// What an event needs: the channel, the event that gives the beat, and clocks between the two at the least.
    #[inline]
    pub(super) fn needs(&self, event: u32) -> impl Iterator<Item = (usize, u32, i64)> {
        let e = &self.events[event as usize];
        let end = self.events.get(event as usize + 1).map_or(self.needs.len(), |next| next.needs as usize);
        let inputs = &self.actors[e.actor as usize].inputs;
        self.needs[e.needs as usize..end].iter().map(|need| {
            let channel = inputs[need.input as usize].0;
            let c = &self.channels[channel];
            (channel, c.given_by[need.beat as usize], c.latency + i64::from(need.lead))
        })
    }

    fn push_channel(
        &mut self,
        stream: &Stream,
        id: ChannelId,
        index_of: &impl Fn(ActorId) -> usize,
        lists: &[PhaseList],
        reads: &mut [([Vec<Freed>; PORTS], [u64; PORTS])],
    ) {
        let channel = stream.channel(id);
        let index = self.channels.len();
        let writer = index_of(channel.writer);
        let output = usize::from(channel.output);
        self.actors[writer].outputs[output].push(index);
        let beats = channel.beats() as u32;
        let mut given_by = Vec::with_capacity(beats as usize);
        for event in self.actors[writer].first..self.actors[writer].end {
            if self.events[event as usize].give[output] != NONE {
                given_by.push(event);
            }
        }
        let mut readers = Vec::with_capacity(channel.readers.len());
        for (at, reader) in channel.readers.iter().enumerate() {
            let actor = index_of(reader.actor);
            let input = usize::from(reader.input);
            self.actors[actor].inputs[input] = (index, at);
            let (freed, least_depth) = &mut reads[actor];
            let (runs, least_depth) = (std::mem::take(&mut freed[input]), least_depth[input]);
            let head = lists[actor].preset(reader.input).unread_head as u32;
            readers.push(TimedReader::new(actor, beats, head, least_depth, runs));
        }
        self.channels.push(TimedChannel {
            id,
            writer,
            beats,
            given_by,
            latency: i64::from(stages(stream, channel.writer)) + 1,
            readers,
            word_bits: channel.word_bits(),
        });
    }

    /// The actor of an event.
    pub(super) fn actor_of(&self, event: u32) -> &TimedActor {
        &self.actors[self.events[event as usize].actor as usize]
    }

    /// The least interval that any actor allows.
    pub(super) fn bottleneck(&self) -> u64 {
        self.actors.iter().map(|a| a.phases).max().unwrap_or(1)
    }

    /// The least depth of a channel with which no reader hangs by itself.
    pub(super) fn least_depth(&self, channel: usize) -> u64 {
        self.channels[channel].readers.iter().map(|r| r.least_depth).max().unwrap_or(1)
    }
}

impl TimedReader {
    fn new(actor: usize, beats: u32, head: u32, least_depth: u64, runs: Vec<Freed>) -> Self {
        let mut freed_by = vec![NONE; beats as usize];
        let mut freed_after = vec![0; beats as usize];
        let mut fill = |from: u32, to: u32, run: &Freed| {
            freed_by[from as usize..to as usize].fill(run.by);
            freed_after[from as usize..to as usize].fill(run.after);
        };
        for (i, run) in runs.iter().enumerate() {
            let end = runs.get(i + 1).map_or(beats + head, |next| next.place);
            fill(run.place.min(beats), end.min(beats), run);
            fill(run.place.max(beats) - beats, end.max(beats) - beats, run);
        }
        TimedReader { actor, freed_by, freed_after, runs, head, least_depth }
    }
}
