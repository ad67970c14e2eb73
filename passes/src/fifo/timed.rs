//! A stream as the recurrence sees it: events with their distances, and what each event needs, gives and frees.
//!
//! Everything is laid out flat, since sizing visits events by the million. An *event* is a phase that time depends
//! on (see [`events`](super::events)); the events of all actors have one numbering, each actor's in order. No depth
//! and no start time is known here.

use std::collections::BTreeSet;

use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::stream::{PhaseList, Stream, phases, stages};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::events::{self, Frame, Freed, Need, Places, Reading};

/// No event.
pub(super) const NONE: u32 = u32::MAX;

/// Inputs and outputs that an actor may have.
pub(super) const PORTS: usize = 2;

/// A phase that time depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// Clocks from the event before it, at the least; of the first event: from the frame's first phase.
    pub(super) gap: u32,
    /// The first of its needs; they end where those of the next event begin.
    pub(super) needs: u32,
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
    /// For each block of event numbers, the actor of its first.
    blocks: Vec<u32>,
}

/// Event numbers of a block.
const BLOCK: u32 = 1 << 12;

impl Timed {
    /// Lays a verified stream out.
    pub(super) fn new(stream: &Stream) -> Self {
        let ids: Vec<ActorId> = stream.actors().collect();
        let index_of = |id: ActorId| ids.binary_search(&id).expect("ids of a stream ascend");
        let lists: Vec<PhaseList> = ids.par_iter().map(|&id| phases(stream, id)).collect();
        let mut reading = Reading::default();
        let mut actors = Vec::with_capacity(ids.len());
        let mut frames = Vec::with_capacity(ids.len());
        for (&id, list) in ids.iter().zip(&lists) {
            let first = reading.events.len() as u32;
            let frame = reading.read(list);
            let kind = &stream.actor(id).kind;
            actors.push(TimedActor {
                id,
                first,
                end: reading.events.len() as u32,
                wrap: (list.len() - frame.span) as u32,
                last_after: frame.last_after,
                phases: list.len(),
                inputs: vec![(usize::MAX, 0); usize::from(kind.inputs())],
                outputs: vec![Vec::new(); usize::from(kind.outputs())],
            });
            frames.push(frame);
        }
        let Reading { mut events, needs, phases, .. } = reading;
        events.shrink_to_fit();
        let blocks = blocks(&actors, events.len());
        let mut timed = Timed { events, needs, actors, channels: Vec::new(), order: Vec::new(), blocks };
        for id in stream.channels() {
            timed.push_channel(stream, id, &index_of, &lists, &mut frames);
        }
        timed.drop_implied(&phases);
        timed.order =
            stream.topological().map(|order| order.into_iter().map(index_of).collect()).unwrap_or_default();
        timed
    }

    /// Drops the needs of events for which later beats of the same channel are enough. `phases` tells for each event
    /// its phase in the frame.
    fn drop_implied(&mut self, phases: &[u32]) {
        let mut kept = 0;
        let mut begin = 0;
        let mut fewer = Vec::new();
        for actor in 0..self.actors.len() {
            let a = &self.actors[actor];
            for event in a.first..a.end {
                let end = self.needs_end(event);
                for need in &mut self.needs[begin..end] {
                    need.by = self.channels[a.inputs[need.input()].0].given_by[need.by as usize];
                }
                events::implied(&self.needs[begin..end], |by| phases[by as usize], &mut fewer);
                self.events[event as usize].needs = kept as u32;
                for &need in fewer.iter().rev() {
                    self.needs[kept] = need;
                    kept += 1;
                }
                begin = end;
            }
        }
        self.needs.truncate(kept);
        self.needs.shrink_to_fit();
    }

    /// Where the needs of an event end.
    #[inline]
    fn needs_end(&self, event: u32) -> usize {
        self.events.get(event as usize + 1).map_or(self.needs.len(), |next| next.needs as usize)
    }

    /// What an event needs, by its actor's inputs.
    #[inline]
    pub(super) fn needs_at(&self, event: u32) -> &[Need] {
        &self.needs[self.events[event as usize].needs as usize..self.needs_end(event)]
    }

    /// What an event of an actor needs: the channel, the event that gives the beat, and clocks between the two at the
    /// least.
    #[inline]
    pub(super) fn needs_of(&self, a: &TimedActor, event: u32) -> impl Iterator<Item = (usize, u32, i64)> {
        self.needs_at(event).iter().map(|need| {
            let channel = a.inputs[need.input()].0;
            (channel, need.by, self.channels[channel].latency + i64::from(need.lead()))
        })
    }

    /// The same of an event whose actor is not at hand.
    pub(super) fn needs(&self, event: u32) -> impl Iterator<Item = (usize, u32, i64)> {
        self.needs_of(self.actor_of(event), event)
    }

    fn push_channel(
        &mut self,
        stream: &Stream,
        id: ChannelId,
        index_of: &impl Fn(ActorId) -> usize,
        lists: &[PhaseList],
        frames: &mut [Frame],
    ) {
        let channel = stream.channel(id);
        let index = self.channels.len();
        let writer = index_of(channel.writer);
        let output = usize::from(channel.output);
        self.actors[writer].outputs[output].push(index);
        let beats = channel.beats() as u32;
        let given_by = match self.actors[writer].outputs[output][..] {
            // One phase gives to all channels of an output.
            [first, _, ..] => self.channels[first].given_by.clone(),
            _ => std::mem::take(&mut frames[writer].given_by[output]),
        };
        let mut readers = Vec::with_capacity(channel.readers.len());
        for (at, reader) in channel.readers.iter().enumerate() {
            let actor = index_of(reader.actor);
            let input = usize::from(reader.input);
            self.actors[actor].inputs[input] = (index, at);
            let frame = &mut frames[actor];
            let head = lists[actor].preset(reader.input).unread_head as u32;
            let places = std::mem::take(&mut frame.freed[input]);
            readers.push(TimedReader::new(actor, head, frame.least_depth[input], places));
        }
        self.channels.push(TimedChannel {
            id,
            writer,
            beats,
            given_by,
            latency: i64::from(stages(stream, channel.writer, channel.output)) + 1,
            readers,
            word_bits: channel.word_bits(),
        });
    }

    /// Whether an event gives beat `beat` to the channels of an output, where it has given those before.
    #[inline]
    pub(super) fn gives(&self, channels: &[usize], beat: u32, event: u32) -> bool {
        let by = channels.first().and_then(|&channel| self.channels[channel].given_by.get(beat as usize));
        by == Some(&event)
    }

    /// The actor of an event.
    pub(super) fn actor_of(&self, event: u32) -> &TimedActor {
        &self.actors[self.actor_index(event)]
    }

    /// The actor of an event, as an index.
    #[inline]
    pub(super) fn actor_index(&self, event: u32) -> usize {
        let mut actor = self.blocks[(event / BLOCK) as usize] as usize;
        while self.actors[actor].end <= event {
            actor += 1;
        }
        actor
    }

    /// The events of each channel's ends and of the actors next to them, summed over all channels.
    pub(super) fn events_near_channels(&self) -> u64 {
        let events = |&actor: &usize| u64::from(self.actors[actor].end - self.actors[actor].first);
        let near = |channel| {
            let near: BTreeSet<usize> = self.ends(channel).flat_map(|end| self.neighbours(end)).collect();
            near.iter().map(events).sum::<u64>()
        };
        (0..self.channels.len()).map(near).sum()
    }

    /// The actors that write and read a channel.
    pub(super) fn ends(&self, channel: usize) -> impl Iterator<Item = usize> + '_ {
        let c = &self.channels[channel];
        std::iter::once(c.writer).chain(c.readers.iter().map(|r| r.actor))
    }

    /// The actors at the channels of an actor, itself among them.
    pub(super) fn neighbours(&self, actor: usize) -> impl Iterator<Item = usize> + '_ {
        let a = &self.actors[actor];
        let channels = a.inputs.iter().map(|input| input.0).chain(a.outputs.iter().flatten().copied());
        channels.flat_map(|channel| self.ends(channel))
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
    /// `places` are those that the reader frees in a frame, in order, with the event and the clocks behind it; the
    /// frame's first that it frees is place `head`.
    fn new(actor: usize, head: u32, least_depth: u64, places: Places) -> Self {
        let Places { mut by, mut after } = places;
        by.rotate_right(head as usize);
        after.rotate_right(head as usize);
        TimedReader { actor, freed_by: by, freed_after: after, head, least_depth }
    }

    /// Places that are freed at once, in the order of events, by their first, counted from the frame's first place;
    /// beyond the frame's beats where it belongs to the next frame.
    pub(super) fn runs(&self) -> impl Iterator<Item = Freed> + '_ {
        let head = self.head as usize;
        let places = (head..self.freed_by.len()).chain(0..head);
        let freed = (self.head..).zip(places.map(|place| (self.freed_by[place], self.freed_after[place])));
        let mut before = None;
        freed.filter_map(move |(place, (by, after))| {
            let first = before.replace((by, after)) != Some((by, after));
            first.then_some(Freed { place, by, after })
        })
    }

    /// Whether an event frees places.
    pub(super) fn is_freed_by(&self, event: u32) -> bool {
        let (next, own) = self.freed_by.split_at(self.head as usize);
        own.binary_search(&event).is_ok() || next.binary_search(&event).is_ok()
    }
}

/// For each block of event numbers, the actor of its first.
fn blocks(actors: &[TimedActor], events: usize) -> Vec<u32> {
    let mut actor = 0;
    let of = |event: usize| {
        while actors[actor].end as usize <= event {
            actor += 1;
        }
        actor as u32
    };
    (0..events).step_by(BLOCK as usize).map(of).collect()
}
