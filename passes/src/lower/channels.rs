//! Forks: a channel for each reader, all written by the same phases of one producer.
//!
//! Memory primitives have one write and one read port, so two readers of one memory would take a copy each, both as
//! deep as the deeper reader needs. A channel for each is never more words: each is as deep as its own reader needs.
//! It also lets each carry its own width. Sharing one memory between readers is a rewrite of the plan.

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::stream::{Channel, Stream};

use super::builder::Builder;

/// Joins the actors, in the order of their ids and of their readers; the faults, where there were any.
pub(super) fn connect(builder: Builder<'_>) -> Result<Stream, Diagnostics> {
    let Builder { mut stream, mut reads, faults, .. } = builder;
    reads.sort_by_key(|read| (read.from, read.reader));
    for read in reads {
        stream.connect(Channel {
            writer: read.from,
            output: 0,
            readers: vec![read.reader],
            map: stream.actor(read.from).kind.output_map(),
            lanes: 1,
            bits: read.width.bits,
            signed: read.width.signed,
            skip: read.skip,
            depth: None,
        });
    }
    faults.or(stream)
}
