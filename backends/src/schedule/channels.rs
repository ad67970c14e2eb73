//! Channels and memories: words needed, words allocated, primitives, and why a channel is not shorter.

use nonresc_ir::stream::Stream;
use nonresc_passes::area::Role;
use nonresc_passes::bind::{Binding, Bound};
use nonresc_passes::design::StreamDesign;
use nonresc_passes::fifo::{self, Sizing};
use serde::Serialize;

use super::Amount;

/// A channel.
#[derive(Clone, Debug, Serialize)]
pub struct Channel {
    /// Its id.
    pub id: u32,
    /// Id of the actor that writes it.
    pub writer: u32,
    /// Ids of the actors that read it, each with the number of its input.
    pub readers: Vec<(u32, u16)>,
    /// `fifo`, or `line buffer` where a window is read from it.
    #[serde(rename = "use")]
    pub use_: &'static str,
    /// Channels x height x width of what passes each frame.
    pub map: String,
    /// Numbers a beat.
    pub lanes: usize,
    /// Bits of a number.
    pub bits: u32,
    /// Whether the numbers are signed.
    pub signed: bool,
    /// Beats a frame.
    pub beats: u64,
    /// The number of the skip that it carries.
    pub skip: Option<usize>,
    /// Depth: the words that are needed.
    pub needed_words: u64,
    /// Most words held at once.
    pub peak_words: u64,
    /// Least words with which the stream runs at all; for skips.
    pub least_running_words: Option<u64>,
    /// Why not one word less.
    pub evidence: Evidence,
    /// What it is made of.
    pub memory: Option<Memory>,
}

/// Why a channel is as deep as it is.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// `reader hangs`, `slower`, `single word` (all three: one word less is known to be too short), `feasible`
    /// (enough; less was not ruled out) or `chosen` (by a baseline).
    pub kind: &'static str,
    /// Whether one word less is known to be too short.
    pub proven: bool,
    /// The cycle of waiting that one word less would bring; empty where the stream would hang.
    pub cycle: Vec<Wait>,
}

/// One step of a cycle of waiting.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Wait {
    /// Id of the actor that waits.
    pub waiter: u32,
    /// `place` or `beat`.
    #[serde(rename = "for")]
    pub for_: &'static str,
    /// Id of the channel.
    pub channel: u32,
    /// Id of the actor that is waited for.
    pub holder: u32,
}

/// A memory and what it is made of.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    /// Whom it serves.
    pub label: String,
    /// Words that are needed.
    pub needed_words: u64,
    /// Bits of a word.
    pub width_bits: u64,
    /// Banks that are read side by side.
    pub banks: u64,
    /// Readers, each with a copy where the primitive has one read port.
    pub readers: u64,
    /// The primitive.
    pub primitive: String,
    /// Its mode, depth x width.
    pub shape: Option<String>,
    /// Words that the primitives hold.
    pub allocated_words: u64,
    /// How many primitives, copies included.
    pub count: u64,
    /// What it takes, control included.
    pub taken: Amount,
}

pub(super) fn channels(design: &StreamDesign, sizing: &Sizing, binding: &Binding) -> Vec<Channel> {
    sizing.channels.iter().map(|depth| channel(&design.stream, depth, binding)).collect()
}

fn channel(stream: &Stream, depth: &fifo::Depth, binding: &Binding) -> Channel {
    let channel = stream.channel(depth.channel);
    let bound = binding.channel(depth.channel);
    let line_buffer = bound.is_some_and(|b| matches!(b.memory.role, Role::LineBuffer(_)));
    Channel {
        id: depth.channel.0,
        writer: channel.writer.0,
        readers: channel.readers.iter().map(|r| (r.actor.0, r.input)).collect(),
        use_: if line_buffer { "line buffer" } else { "fifo" },
        map: channel.map.to_string(),
        lanes: channel.lanes,
        bits: channel.bits,
        signed: channel.signed,
        beats: channel.beats(),
        skip: channel.skip,
        needed_words: depth.words,
        peak_words: depth.peak_words,
        least_running_words: depth.least_running_words,
        evidence: evidence(&depth.evidence),
        memory: bound.map(memory),
    }
}

fn evidence(evidence: &fifo::Evidence) -> Evidence {
    let (kind, cycle) = match evidence {
        fifo::Evidence::ReaderHangs => ("reader hangs", Vec::new()),
        fifo::Evidence::Cycle(links) => {
            let wait = |link: &fifo::Link| Wait {
                waiter: link.waiter.0,
                for_: if link.place { "place" } else { "beat" },
                channel: link.channel.0,
                holder: link.holder.0,
            };
            ("slower", links.iter().map(wait).collect())
        }
        fifo::Evidence::Single => ("single word", Vec::new()),
        fifo::Evidence::Feasible => ("feasible", Vec::new()),
        fifo::Evidence::Chosen => ("chosen", Vec::new()),
    };
    Evidence { kind, proven: evidence.proven(), cycle }
}

/// Memories that no channel is.
pub(super) fn private(binding: &Binding) -> Vec<Memory> {
    let own = |b: &&Bound| !matches!(b.memory.role, Role::Fifo(_) | Role::LineBuffer(_));
    binding.memories.iter().filter(own).map(memory).collect()
}

fn memory(bound: &Bound) -> Memory {
    Memory {
        label: bound.label.clone(),
        needed_words: bound.memory.words,
        width_bits: bound.memory.width,
        banks: bound.memory.banks,
        readers: bound.memory.readers,
        primitive: bound.made_of.primitive.to_string(),
        shape: bound.made_of.shape.map(|s| format!("{}x{}", s.depth, s.width)),
        allocated_words: bound.made_of.allocated_words,
        count: bound.made_of.count,
        taken: bound.made_of.usage.into(),
    }
}
