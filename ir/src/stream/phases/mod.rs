//! The phase list of every kind of actor: one file a kind, the list itself, and how rows become a list.
//!
//! A list follows from the actor's geometry and fold and from the lanes of its channels alone. No start times,
//! depths or costs here.

mod actions;
mod assemble;
mod direct;
mod give;
mod held;
mod list;
mod pixelwise;
mod pool;
mod window;

pub use actions::{Covered, Fetched, Gathered, HeldActions, Loaded, PoolActions, Staged};
pub use list::{Phase, PhaseList, Preset, Take};

use super::actor::{Form, Kind, Pool};
use super::graph::Stream;
use crate::id::ActorId;

/// Numbers a beat of an actor's channels; 1 where a channel is missing.
#[derive(Clone, Copy, Debug)]
struct Lanes {
    input: usize,
    output: usize,
    /// Of output 1.
    second: usize,
}

impl Lanes {
    fn of(stream: &Stream, actor: ActorId) -> Lanes {
        Lanes {
            input: stream.input(actor, 0).map_or(1, |c| stream.channel(c).lanes.max(1)),
            output: stream.outputs(actor, 0).first().map_or(1, |&c| stream.channel(c).lanes.max(1)),
            second: stream.outputs(actor, 1).first().map_or(1, |&c| stream.channel(c).lanes.max(1)),
        }
    }
}

/// What a matrix-vector actor in held form does in the phases of a frame; nothing of other actors.
pub fn held_actions(stream: &Stream, actor: ActorId) -> Option<HeldActions> {
    match &stream.actor(actor).kind {
        Kind::MatVec(a) => match a.fold.form {
            Form::Held { slots } => Some(held::actions(a, slots.max(1), Lanes::of(stream, actor))),
            Form::Direct { .. } | Form::Stationary => None,
        },
        _ => None,
    }
}

/// The phases of computing of a matrix-vector actor in direct form, ascending, made as they are asked for; none of other
/// actors.
pub fn direct_actions(stream: &Stream, actor: ActorId) -> impl Iterator<Item = Gathered> + use<> {
    let actions = match &stream.actor(actor).kind {
        Kind::MatVec(a) => match a.fold.form {
            Form::Direct { taps } => Some(direct::actions(a, taps.max(1), Lanes::of(stream, actor))),
            Form::Held { .. } | Form::Stationary => None,
        },
        _ => None,
    };
    actions.into_iter().flatten()
}

/// What a pool with a window folds in each row and column.
pub fn pool_actions(a: &Pool) -> PoolActions {
    pool::actions(a)
}

/// The phases of one frame of an actor, from its kind, its fold and the lanes of its channels.
///
/// Fillers of a last beat take a beat's place like all others. The lists of a stream that the verifier accepts
/// read and give each channel's beats exactly once a frame.
pub fn phases(stream: &Stream, actor: ActorId) -> PhaseList {
    let lanes = Lanes::of(stream, actor);
    match &stream.actor(actor).kind {
        Kind::Source(map) => pixelwise::source(*map, lanes.output),
        Kind::Sink(map) => pixelwise::sink(*map, lanes.input),
        Kind::MatVec(a) => match a.fold.form {
            Form::Held { slots } => held::phases(a, slots.max(1), lanes),
            Form::Direct { taps } => direct::phases(a, taps.max(1), lanes),
            Form::Stationary => pixelwise::stationary(a, lanes),
        },
        Kind::Pool(a) => pool::phases(a, lanes),
        Kind::GlobalPool(a) => pixelwise::global_pool(a.input, lanes),
        Kind::Sum(a) => pixelwise::sum(a, lanes),
        Kind::Select(a) => pixelwise::select(a, lanes),
        Kind::Activate { map, .. } | Kind::Convert(map) => pixelwise::convert(*map, lanes),
    }
}
