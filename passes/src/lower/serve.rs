//! Skips that are served by a convolution beside them, as the plan found them: what reads the source for the skip reads
//! the convolution's second output or shares its memory, or is computed by it.

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::id::ActorId;
use nonresc_ir::network::Pair;
use nonresc_ir::stream::{Kind, MatVec, Projection, Reader, Second};

use super::builder::Builder;
use crate::plan::{Serve, Site};

/// Reads that are to be of one channel.
pub(super) type Shared = Vec<[Reader; 2]>;

/// Serves all skips from their sites; gives the pairs of reads that share a memory.
pub(super) fn serve(b: &mut Builder<'_>, sites: &[Site]) -> Shared {
    let mut shared = Vec::new();
    for site in sites {
        match one(b, site, &mut shared) {
            Ok(()) => {}
            Err(why) => {
                let label = b.skips.number(site.skip).map_or("", |skip| &skip.label).to_string();
                b.refuse(Diagnostic::new(
                    "lower/serve",
                    format!("skip {label}"),
                    why,
                    format!("keep it: --skips {label}:keep"),
                ));
            }
        }
    }
    shared
}

fn one(b: &mut Builder<'_>, site: &Site, shared: &mut Shared) -> Result<(), &'static str> {
    let (source, conv) = (b.place(site.source).actor, b.place(site.conv.into()).actor);
    let reader = reader(b, site, source);
    let of =
        |b: &Builder<'_>, reader: Reader| b.reads.iter().position(|r| r.reader == reader && r.from == source);
    let beside = Reader { actor: conv, input: 0 };
    let (Some(skip), Some(beside_read)) = (of(b, reader), of(b, beside)) else {
        return Err("what it and the convolution beside it read is not one stream");
    };
    if b.reads[skip].width.bits != b.reads[beside_read].width.bits {
        return Err("it and the convolution beside it read numbers of different widths");
    }
    match site.how {
        Serve::Share => shared.push([beside, reader]),
        Serve::Tap(row) => {
            second(b, conv, Second::Tap { row });
            (b.reads[skip].from, b.reads[skip].output) = (conv, 1);
            thin(b, reader, conv);
        }
        Serve::Fuse => fuse(b, conv, skip)?,
    }
    Ok(())
}

/// Where the skip reads the source: the first actor on its path, which may be that of the join.
fn reader(b: &mut Builder<'_>, site: &Site, source: ActorId) -> Reader {
    for &(node, _) in site.path[1..].iter().rev() {
        let actor = b.place(node.into()).actor;
        if actor != source {
            return Reader { actor, input: 0 };
        }
    }
    let at_join = b.reads.iter().find(|read| read.skip == Some(site.skip)).map(|read| read.reader);
    at_join.unwrap_or(Reader { actor: source, input: 0 })
}

fn second(b: &mut Builder<'_>, conv: ActorId, second: Second) {
    if let Kind::MatVec(a) = &mut b.stream.actor_mut(conv).kind {
        a.second = Some(second);
    }
}

/// The reader of a tap gets just the pixels that it took from the whole map.
fn thin(b: &mut Builder<'_>, reader: Reader, conv: ActorId) {
    let tapped = b.stream.actor(conv).kind.output_map(1);
    match &mut b.stream.actor_mut(reader.actor).kind {
        Kind::MatVec(a) if reader.input == 0 && a.input != tapped => {
            (a.input, a.window.stride) = (tapped, Pair::ONE);
        }
        Kind::Select(a) if a.input != tapped => (a.input, a.stride) = (tapped, Pair::ONE),
        _ => {}
    }
}

/// The projection's work goes to the convolution; its actor goes.
fn fuse(b: &mut Builder<'_>, conv: ActorId, read: usize) -> Result<(), &'static str> {
    let projection = b.reads[read].reader.actor;
    let Kind::MatVec(p) = b.stream.actor(projection).kind.clone() else {
        return Err("its projection is no convolution of its own in hardware");
    };
    if p.add.is_some() {
        return Err("its projection takes the sum in");
    }
    let MatVec { output, bias, weights, weight_bits, activation, .. } = p;
    let beside =
        Projection { channels: output.channels, bias, weights, weight_bits, activation, pe: 1, simd: 1 };
    second(b, conv, Second::Projection(beside));
    let names = b.stream.actor(projection).names.clone();
    b.stream.actor_mut(conv).names.merge(&names);
    b.reads.remove(read);
    for other in b.reads.iter_mut().filter(|r| r.from == projection) {
        (other.from, other.output) = (conv, 1);
    }
    b.gone.push(projection);
    Ok(())
}
