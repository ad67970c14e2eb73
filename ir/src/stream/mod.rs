//! The stream level: actors joined by channels, as the hardware runs them clock by clock.
//!
//! The timing contract lives here as data ([`PhaseList`], [`stages`]) and nowhere else. No device, cost or
//! search here.
//!
//! # The timing contract
//!
//! - An actor runs a fixed cyclic list of phases, the same every frame. A phase takes one clock; in it the
//!   actor gives at most one beat on each output and reads its inputs.
//! - Reading is two cumulative counts a phase, in beats of the producer: `need`, which must be visible, and
//!   `free`, which are released. A place of a channel is free when all its readers have released it.
//! - A phase starts in the first cycle in which the phase before it has started earlier, what it needs is
//!   visible, and each channel that it gives to has a free place.
//! - A beat given by a phase that starts in cycle `t` is visible in cycle `t + p + 1`, `p` being the
//!   producer's [`stages`]; a place released in `t` can be taken in `t + 1`.

mod actor;
mod graph;
mod phases;
mod print;
mod stages;
mod verify;

pub use actor::*;
pub use graph::{Channel, Reader, Stream};
pub use phases::{
    Covered, Fetched, Gathered, HeldActions, Loaded, Phase, PhaseList, PoolActions, Preset, Staged, Take,
    direct_actions, held_actions, phases, pool_actions,
};
pub use stages::stages;
pub use verify::{MAX_PIXELS, verify};
