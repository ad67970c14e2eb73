//! When every phase starts, straight from the timing contract: the largest of a few times, phase by phase.
//!
//! A phase starts one cycle after the phase before it at the earliest; when the beats that it needs are visible,
//! `stages + 1` cycles after the phase that gave them; and when each channel that it gives to has a place, one cycle
//! after the phase in which the last of its readers released it. Actors at pins wait for the pins' pattern too.

/// What a phase does at one input: how far the two cumulative counts rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Take {
    /// Beats that must be visible, more than before.
    pub need: u64,
    /// Places released, more than before.
    pub free: u64,
}

/// One phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phase {
    /// For each input.
    pub takes: Vec<Take>,
    /// For each output.
    pub gives: Vec<bool>,
}

/// What lies outside of an actor at a pin.
#[derive(Clone, Debug)]
pub enum Pin {
    /// No pin.
    None,
    /// A feeder that offers a beat from a cycle in which its pattern is set, and keeps offering it.
    Feeder(Vec<bool>, u64),
    /// A taker that takes only in cycles in which its pattern is set.
    Taker(Vec<bool>),
}

/// An actor: one frame of phases, repeated.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The phases of a frame.
    pub phases: Vec<Phase>,
    /// For each input: beats that count as visible, and places that count as released, before the first frame.
    pub preset: Vec<(u64, u64)>,
    /// What lies outside.
    pub pin: Pin,
}

/// A channel.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Actor and output that write it.
    pub writer: (usize, usize),
    /// Actors and inputs that read it.
    pub readers: Vec<(usize, usize)>,
    /// Register stages from the writer's phase to the storage.
    pub stages: u64,
    /// Places.
    pub depth: u64,
}

/// Start times of the first `limit(actor)` phases of every actor, as far as they come; the rest waits for ever.
pub fn start_times(actors: &[Actor], channels: &[Channel], limit: &dyn Fn(usize) -> usize) -> Vec<Vec<u64>> {
    let mut starts: Vec<Vec<u64>> = vec![Vec::new(); actors.len()];
    let mut visible: Vec<Vec<u64>> = vec![Vec::new(); channels.len()];
    let mut released: Vec<Vec<Vec<u64>>> =
        channels.iter().map(|c| vec![Vec::new(); c.readers.len()]).collect();
    let mut need: Vec<Vec<u64>> = actors.iter().map(|a| vec![0; a.preset.len()]).collect();
    // Places that count as released from the start are free in cycle 0.
    let ahead = |c: &Channel, r: usize| actors[c.readers[r].0].preset[c.readers[r].1].1;
    loop {
        let before: usize = starts.iter().map(Vec::len).sum();
        for (a, actor) in actors.iter().enumerate() {
            while starts[a].len() < limit(a) {
                let phase = &actor.phases[starts[a].len() % actor.phases.len()];
                let Some(start) =
                    earliest(a, actor, phase, channels, &starts[a], &visible, &released, &need[a], &ahead)
                else {
                    break;
                };
                for (c, channel) in channels.iter().enumerate() {
                    if channel.writer.0 == a && phase.gives[channel.writer.1] {
                        visible[c].push(start + channel.stages + 1);
                    }
                    for (r, &(reader, input)) in channel.readers.iter().enumerate() {
                        if reader == a {
                            released[c][r].extend((0..phase.takes[input].free).map(|_| start + 1));
                        }
                    }
                }
                for (total, take) in need[a].iter_mut().zip(&phase.takes) {
                    *total += take.need;
                }
                starts[a].push(start);
            }
        }
        if starts.iter().map(Vec::len).sum::<usize>() == before {
            return starts;
        }
    }
}

/// The start of an actor's next phase, or nothing while something that it waits for is not known.
#[expect(clippy::too_many_arguments, reason = "the whole state of the recurrence, used once")]
fn earliest(
    a: usize,
    actor: &Actor,
    phase: &Phase,
    channels: &[Channel],
    starts: &[u64],
    visible: &[Vec<u64>],
    released: &[Vec<Vec<u64>>],
    need: &[u64],
    ahead: &dyn Fn(&Channel, usize) -> u64,
) -> Option<u64> {
    let after = starts.last().map_or(0, |s| s + 1);
    let mut start = after;
    for (c, channel) in channels.iter().enumerate() {
        for &(_, input) in channel.readers.iter().filter(|r| r.0 == a) {
            let beats = (need[input] + phase.takes[input].need).saturating_sub(actor.preset[input].0);
            if beats > 0 {
                start = start.max(*visible[c].get(beats as usize - 1)?);
            }
        }
        if channel.writer.0 == a && phase.gives[channel.writer.1] {
            let beat = visible[c].len() as u64;
            for (r, times) in released[c].iter().enumerate() {
                if let Some(place) = beat.checked_sub(channel.depth + ahead(channel, r)) {
                    start = start.max(*times.get(place as usize)?);
                }
            }
        }
    }
    let willing = |from: u64, pattern: &[bool]| {
        (from..).find(|&c| pattern.get(c as usize).copied().unwrap_or(true)).expect("the pattern ends")
    };
    match &actor.pin {
        Pin::None => Some(start),
        Pin::Feeder(_, beats) if starts.len() as u64 >= *beats => None,
        Pin::Feeder(pattern, _) => Some(start.max(willing(after, pattern))),
        Pin::Taker(pattern) => Some(willing(start, pattern)),
    }
}
