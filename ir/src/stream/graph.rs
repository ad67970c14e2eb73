//! Actors and channels as a graph: who writes a channel, who reads it, how wide and how deep it is.

use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};

use super::actor::{Actor, Map};
use crate::diagnostic::Diagnostic;
use crate::id::{ActorId, ChannelId, Value};

/// One reader of a channel: the actor and its input port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reader {
    /// Who reads.
    pub actor: ActorId,
    /// At which of its inputs.
    pub input: u16,
}

/// A channel: storage that one actor writes and one or more read. A line buffer is a channel like any other.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// Who writes.
    pub writer: ActorId,
    /// At which of its outputs.
    pub output: u16,
    /// Who reads; a place is free when all of them have released it.
    pub readers: Vec<Reader>,
    /// The pixels that pass each frame.
    pub map: Map,
    /// Numbers a beat.
    pub lanes: usize,
    /// Bits of one number.
    pub bits: u32,
    /// Whether the numbers are signed.
    pub signed: bool,
    /// The value of the network that was lowered whose numbers these are.
    pub value: Option<Value>,
    /// The skip that this channel carries (its number in the plan), where it is one.
    pub skip: Option<usize>,
    /// Places for words, once sized.
    pub depth: Option<u64>,
}

impl Channel {
    /// Beats a frame.
    pub fn beats(&self) -> u64 {
        (self.map.pixels() * self.map.beats(self.lanes)) as u64
    }

    /// Bits of a place.
    pub fn word_bits(&self) -> u64 {
        self.lanes as u64 * u64::from(self.bits)
    }
}

/// A streaming design.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    graph: StableDiGraph<Actor, ChannelId>,
    channels: Vec<Channel>,
    /// By the index of an actor: the channels that it writes, ascending.
    written: Vec<Vec<ChannelId>>,
    notes: Vec<Diagnostic>,
}

fn index(id: ActorId) -> NodeIndex {
    NodeIndex::new(id.index())
}

impl Stream {
    /// A stream without actors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an actor; its channels are added by [`Stream::connect`].
    pub fn add(&mut self, actor: Actor) -> ActorId {
        self.written.push(Vec::new());
        ActorId(self.graph.add_node(actor).index() as u32)
    }

    /// Adds a channel; its map and readers must fit the actors (the verifier says so).
    pub fn connect(&mut self, channel: Channel) -> ChannelId {
        let id = ChannelId(self.channels.len() as u32);
        for reader in &channel.readers {
            self.graph.add_edge(index(channel.writer), index(reader.actor), id);
        }
        self.written[channel.writer.index()].push(id);
        self.channels.push(channel);
        id
    }

    /// Puts `actor` (one input, one output) between a channel and some of its readers; `lanes` is what it gives in.
    pub fn insert(&mut self, channel: ChannelId, readers: &[Reader], actor: Actor, lanes: usize) -> ActorId {
        let old = self.channels[channel.index()].clone();
        let map = actor.kind.output_map(0);
        let new = self.add(actor);
        for reader in readers {
            let edge = self
                .graph
                .edges_connecting(index(old.writer), index(reader.actor))
                .find(|e| *e.weight() == channel)
                .map(|e| petgraph::visit::EdgeRef::id(&e));
            if let Some(edge) = edge {
                self.graph.remove_edge(edge);
            }
        }
        let kept = &mut self.channels[channel.index()].readers;
        kept.retain(|r| !readers.contains(r));
        kept.push(Reader { actor: new, input: 0 });
        self.graph.add_edge(index(old.writer), index(new), channel);
        self.connect(Channel { writer: new, output: 0, readers: readers.to_vec(), map, lanes, ..old });
        new
    }

    /// The stream without actors that no channel leads to or from; the ids of others may change.
    pub fn without(self, gone: &[ActorId]) -> Stream {
        if gone.is_empty() {
            return self;
        }
        let mut left = Stream { notes: self.notes.clone(), ..Stream::new() };
        let mut ids = vec![None; self.graph.node_count()];
        for id in self.actors().filter(|id| !gone.contains(id)) {
            ids[id.index()] = Some(left.add(self.actor(id).clone()));
        }
        let new = |id: ActorId| ids[id.index()].unwrap_or(id);
        for channel in &self.channels {
            let readers = channel.readers.iter().map(|r| Reader { actor: new(r.actor), ..*r }).collect();
            left.connect(Channel { writer: new(channel.writer), readers, ..channel.clone() });
        }
        left
    }

    /// Adds a remark for the user.
    pub fn note(&mut self, note: Diagnostic) {
        self.notes.push(note);
    }

    /// Remarks for the user, such as what is left to the host.
    pub fn notes(&self) -> &[Diagnostic] {
        &self.notes
    }

    /// The actor of an id that this stream gave out.
    pub fn actor(&self, id: ActorId) -> &Actor {
        &self.graph[index(id)]
    }

    /// The actor, to be changed.
    pub fn actor_mut(&mut self, id: ActorId) -> &mut Actor {
        &mut self.graph[index(id)]
    }

    /// The channel of an id that this stream gave out.
    pub fn channel(&self, id: ChannelId) -> &Channel {
        &self.channels[id.index()]
    }

    /// The channel, to be changed; writer and readers must stay.
    pub fn channel_mut(&mut self, id: ChannelId) -> &mut Channel {
        &mut self.channels[id.index()]
    }

    /// All actors in the order of their ids.
    pub fn actors(&self) -> impl Iterator<Item = ActorId> + '_ {
        self.graph.node_indices().map(|i| ActorId(i.index() as u32))
    }

    /// All channels in the order of their ids.
    pub fn channels(&self) -> impl Iterator<Item = ChannelId> + '_ {
        (0..self.channels.len() as u32).map(ChannelId)
    }

    /// The channel at input `i` of an actor.
    pub fn input(&self, actor: ActorId, i: u16) -> Option<ChannelId> {
        let reader = Reader { actor, input: i };
        let read = self.graph.edges_directed(index(actor), Direction::Incoming).map(|edge| *edge.weight());
        read.filter(|&c| self.channel(c).readers.contains(&reader)).min()
    }

    /// The channels at output `i` of an actor; several where a fork has a channel for each reader.
    pub fn outputs(&self, actor: ActorId, i: u16) -> Vec<ChannelId> {
        self.written[actor.index()].iter().copied().filter(|&c| self.channel(c).output == i).collect()
    }

    /// All actors, writers before readers, the least id first among those that are ready; nothing where there
    /// is a cycle.
    pub fn topological(&self) -> Option<Vec<ActorId>> {
        let mut missing = vec![0usize; self.graph.node_count()];
        for channel in &self.channels {
            for reader in &channel.readers {
                missing[reader.actor.index()] += 1;
            }
        }
        let mut ready: std::collections::BTreeSet<ActorId> =
            self.actors().filter(|a| missing[a.index()] == 0).collect();
        let mut order = Vec::with_capacity(missing.len());
        while let Some(actor) = ready.pop_first() {
            order.push(actor);
            for &channel in &self.written[actor.index()] {
                for reader in &self.channel(channel).readers {
                    missing[reader.actor.index()] -= 1;
                    if missing[reader.actor.index()] == 0 {
                        ready.insert(reader.actor);
                    }
                }
            }
        }
        (order.len() == missing.len()).then_some(order)
    }
}
