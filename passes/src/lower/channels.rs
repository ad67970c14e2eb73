//! Forks: a channel for each reader, all written by the same phases of one producer.
//!
//! Memory primitives have one write and one read port, so two readers of one memory would take a copy each, both as
//! deep as the deeper reader needs. A channel for each is never more words: each is as deep as its own reader needs.
//! It also lets each carry its own width. Where the plan wants two readers to share a memory, they have one channel.

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::stream::{Channel, Stream};

use super::builder::Builder;
use super::serve::Shared;

/// Joins the actors, in the order of their ids and of their readers; the faults, where there were any.
pub(super) fn connect(builder: Builder<'_>, shared: &Shared) -> Result<Stream, Diagnostics> {
    let Builder { mut stream, mut reads, faults, gone, .. } = builder;
    reads.sort_by_key(|read| (read.from, read.output, read.reader));
    let mut groups: Vec<Channel> = Vec::with_capacity(reads.len());
    for read in reads {
        let pair = shared.iter().find(|pair| pair.contains(&read.reader));
        let partner = pair.and_then(|pair| {
            groups.iter_mut().find(|channel| channel.readers.iter().any(|r| pair.contains(r)))
        });
        if let Some(channel) = partner {
            channel.readers.push(read.reader);
            channel.skip = channel.skip.or(read.skip);
            continue;
        }
        groups.push(Channel {
            writer: read.from,
            output: read.output,
            readers: vec![read.reader],
            map: stream.actor(read.from).kind.output_map(read.output),
            lanes: 1,
            bits: read.width.bits,
            signed: read.width.signed,
            value: read.value,
            skip: read.skip,
            depth: None,
        });
    }
    faults.or(())?;
    for channel in groups {
        stream.connect(channel);
    }
    Ok(stream.without(&gone))
}
