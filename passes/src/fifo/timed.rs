//! A stream as the recurrence sees it: events with their distances, and what each event needs, gives and frees.
//!
//! Everything is laid out flat, since sizing visits events by the million. An *event* is a phase with beats; the
//! events of all actors have one numbering, each actor's in order. No depth and no time is known here.

use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::stream::{PhaseList, Stream, phases, stages};

/// No beat, no event.
pub(super) const NONE: u32 = u32::MAX;

/// Inputs and outputs that an actor may have.
pub(super) const PORTS: usize = 2;

/// A phase with beats.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// The actor, as an index.
    pub(super) actor: u32,
    /// Clocks from the event before it, at the least; of the first event: from the frame's first phase.
    pub(super) gap: u32,
    /// For each input, the last beat of the frame that must be visible, where the need rises.
    pub(super) need: [u32; PORTS],
    /// For each output, the beat of the frame that is given.
    pub(super) give: [u32; PORTS],
    /// For each input, the first place that is freed, counted from the frame's first beat; beyond the frame's
    /// beats where it belongs to the next frame.
    pub(super) freed: [u32; PORTS],
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
    /// For each place, the event that frees it.
    pub(super) freed_by: Vec<u32>,
    /// For each beat, the event that needs it and no later one, where there is one.
    pub(super) needed_by: Vec<u32>,
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
        let lists: Vec<PhaseList> = ids.iter().map(|&id| phases(stream, id)).collect();
        let mut events = Vec::new();
        let mut actors = Vec::with_capacity(ids.len());
        for (&id, list) in ids.iter().zip(&lists) {
            let first = events.len() as u32;
            push_events(actors.len() as u32, list, &mut events);
            let end = events.len() as u32;
            let lead = events.get(first as usize).map_or(0, |e: &Event| e.gap);
            let kind = &stream.actor(id).kind;
            actors.push(TimedActor {
                id,
                first,
                end,
                wrap: lead + list.tail() + 1,
                phases: list.len(),
                inputs: vec![(usize::MAX, 0); usize::from(kind.inputs())],
                outputs: vec![Vec::new(); usize::from(kind.outputs())],
            });
        }
        let mut timed = Timed { events, actors, channels: Vec::new(), order: Vec::new() };
        for id in stream.channels() {
            timed.push_channel(stream, id, &index_of, &lists);
        }
        timed.order =
            stream.topological().map(|order| order.into_iter().map(index_of).collect()).unwrap_or_default();
        timed
    }

    fn push_channel(
        &mut self,
        stream: &Stream,
        id: ChannelId,
        index_of: &impl Fn(ActorId) -> usize,
        lists: &[PhaseList],
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
            readers.push(self.reader(actor, input, beats, &lists[actor]));
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

    fn reader(&self, actor: usize, input: usize, beats: u32, list: &PhaseList) -> TimedReader {
        let port = input as u16;
        let head = list.preset(port).unread_head as u32;
        let mut freed_by = vec![NONE; beats as usize];
        let TimedActor { first, end, .. } = self.actors[actor];
        let mut needed_by = vec![NONE; beats as usize];
        let mut freeing = NONE;
        let mut next = head;
        for id in first..end {
            let event = &self.events[id as usize];
            if event.need[input] != NONE {
                needed_by[event.need[input] as usize] = id;
            }
            if event.freed[input] != NONE {
                fill(&mut freed_by, next, event.freed[input], freeing, beats);
                (next, freeing) = (event.freed[input], id);
            }
        }
        fill(&mut freed_by, next, beats + head, freeing, beats);
        TimedReader { actor, freed_by, needed_by, head, least_depth: list.least_depth(port) }
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

/// Places `from..to` are freed by `event`.
fn fill(freed_by: &mut [u32], from: u32, to: u32, event: u32, beats: u32) {
    for place in from..to {
        freed_by[(place % beats) as usize] = event;
    }
}

fn push_events(actor: u32, list: &PhaseList, events: &mut Vec<Event>) {
    let first = events.len();
    let preset = list.preset(0);
    let mut need = [-(preset.unread_tail as i64), 0];
    let mut free = [preset.unread_head as u32, 0];
    let mut given = [0u32; PORTS];
    for phase in list.iter() {
        let gap = phase.idle + u32::from(events.len() > first);
        let mut event = Event { actor, gap, need: [NONE; PORTS], give: [NONE; PORTS], freed: [NONE; PORTS] };
        for take in &phase.takes {
            let input = usize::from(take.input);
            if take.need > 0 {
                need[input] += i64::from(take.need);
                event.need[input] = (need[input] - 1) as u32;
            }
            if take.free > 0 {
                event.freed[input] = free[input];
                free[input] += take.free;
            }
        }
        for (output, beat) in given.iter_mut().enumerate() {
            if phase.gives >> output & 1 == 1 {
                event.give[output] = *beat;
                *beat += 1;
            }
        }
        events.push(event);
    }
}
