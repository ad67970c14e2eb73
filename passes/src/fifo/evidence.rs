//! Why a channel cannot be shorter, and why a stream hangs: who waits for whom, by actors and channels.

use std::fmt::Write as _;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::stream::Stream;

use super::forward::{Hang, Wait};
use super::timed::{Timed, TimedReader};

/// One step of a chain of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Who waits.
    pub waiter: ActorId,
    /// At which channel.
    pub channel: ChannelId,
    /// For a free place (else for a beat).
    pub place: bool,
    /// For whom.
    pub holder: ActorId,
}

/// The cycle of events as links between actors; waiting of an actor for itself is left out.
pub(super) fn links(timed: &Timed, cycle: &[u32]) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for (i, &event) in cycle.iter().enumerate() {
        let cause = cycle[(i + 1) % cycle.len()];
        let link = link(timed, event, cause);
        links.extend(link.filter(|link| links.last() != Some(link)));
    }
    shortest_period(links)
}

/// A cycle that goes round several times in the same way is told once.
fn shortest_period(links: Vec<Link>) -> Vec<Link> {
    let n = links.len();
    let period = (1..=n).find(|p| n.is_multiple_of(*p) && (*p..n).all(|i| links[i] == links[i - p]));
    let mut links = links;
    links.truncate(period.unwrap_or(n));
    links
}

fn link(timed: &Timed, event: u32, cause: u32) -> Option<Link> {
    let (waiter, holder) = (timed.actor_of(event), timed.actor_of(cause));
    if waiter.id == holder.id {
        return None;
    }
    let data = timed.needs(event).find(|(_, by, _)| *by == cause).map(|(channel, _, _)| (channel, false));
    let place = || {
        let written = waiter.outputs.iter().flatten().copied();
        let frees = |&channel: &usize| {
            let of_holder = |r: &&TimedReader| timed.actors[r.actor].id == holder.id;
            timed.channels[channel].readers.iter().filter(of_holder).any(|r| r.is_freed_by(cause))
        };
        written.into_iter().find(frees).map(|channel| (channel, true))
    };
    let (channel, place) = data.or_else(place)?;
    Some(Link { waiter: waiter.id, channel: timed.channels[channel].id, place, holder: holder.id })
}

/// A hang in words: the channels that are full, and the circle of who waits for whom.
pub(super) fn hang(stream: &Stream, timed: &Timed, hang: &Hang) -> Diagnostics {
    let name = |id: ActorId| format!("\"{}\"", stream.actor(id).names);
    let mut full = Vec::new();
    let mut why = String::new();
    for &(actor, wait) in &hang.waits {
        let waiter = name(timed.actors[actor].id);
        let (channel, text) = match wait {
            Wait::Beat(channel) => {
                let writer = name(timed.actors[timed.channels[channel].writer].id);
                (channel, format!("{waiter} waits for a beat of {writer}"))
            }
            Wait::Place(channel, reader) => {
                let reader = name(timed.actors[timed.channels[channel].readers[reader].actor].id);
                full.push(channel);
                (channel, format!("{waiter} waits for a place in its channel to {reader}"))
            }
        };
        let sep = if why.is_empty() { "" } else { "; " };
        let _ = write!(why, "{sep}{text} ({})", timed.channels[channel].id);
    }
    let mut faults = Diagnostics::default();
    for channel in full {
        let c = &timed.channels[channel];
        let readers: Vec<String> = c.readers.iter().map(|r| name(timed.actors[r.actor].id)).collect();
        let depth = stream.channel(c.id).depth.unwrap_or_default();
        faults.push(Diagnostic::new(
            "fifo/hang",
            format!(
                "channel {} from {} to {} with {depth} words is full for ever",
                c.id,
                name(timed.actors[c.writer].id),
                readers.join(", ")
            ),
            why.clone(),
            "give the channel more words, or let nonresc size it",
        ));
    }
    faults
}
