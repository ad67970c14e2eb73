//! From a phase list to the events that time depends on.
//!
//! Two kinds of phases need no event of their own, since nothing else can come of them:
//! - A phase that only *frees* waits for nothing but its actor's phase before, so it starts a fixed number of
//!   clocks after the event before it, and frees its places for that event.
//! - A phase that only *needs* beats is waited for by nothing but its actor's next phase, which then needs them
//!   itself, some clocks earlier.
//!
//! Of two needs of an event only one counts where the writer takes longer between the two beats than the reader.
//! An actor's first phase with beats stays an event, so that its start is known.

use nonresc_ir::stream::PhaseList;

use super::timed::{Event, PORTS};

/// A beat that must be visible some clocks before an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// The event that gives it; while events are read, the beat of the frame.
    pub(super) by: u32,
    /// So many clocks before the event; the last bit says at which of the actor's inputs.
    lead: u32,
}

impl Need {
    fn new(input: usize, beat: u32, lead: u32) -> Self {
        const { assert!(PORTS == 2, "one bit tells inputs apart") };
        Need { by: beat, lead: lead << 1 | input as u32 }
    }

    /// At which of the actor's inputs.
    pub(super) fn input(self) -> usize {
        self.lead as usize & 1
    }

    /// So many clocks before the event.
    pub(super) fn lead(self) -> u32 {
        self.lead >> 1
    }
}

/// Places that are freed at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Freed {
    /// The first, counted from the frame's first beat; beyond the frame's beats where it belongs to the next frame.
    pub(super) place: u32,
    /// The event that frees them, and how many clocks after its start.
    pub(super) by: u32,
    pub(super) after: u32,
}

/// The places that an actor frees at an input in a frame, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// For each, the event that frees it, and how many clocks after its start.
    pub(super) by: Vec<u32>,
    pub(super) after: Vec<u32>,
}

/// One frame of an actor.
#[derive(Default)]
pub(super) struct Frame {
    /// Phases from the first event's to the last's, and from the last event's to the last with beats.
    pub(super) span: u64,
    pub(super) last_after: u32,
    /// For each output, the event that gives each beat.
    pub(super) given_by: [Vec<u32>; PORTS],
    /// For each input, what is freed.
    pub(super) freed: [Places; PORTS],
    /// For each input, the least depth with which the actor cannot hang by itself.
    pub(super) least_depth: [u64; PORTS],
}

/// Reads lists phase by phase, and lays down the events of one actor behind those of another.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) events: Vec<Event>,
    pub(super) needs: Vec<Need>,
    /// For each event, its phase in the frame.
    pub(super) phases: Vec<u32>,
    /// The first event of the actor.
    first: usize,
    /// Needs of phases without an event, and the phase of each.
    pending: Vec<(Need, u32)>,
    frame: Frame,
}

impl Reading {
    /// Appends the events of an actor.
    pub(super) fn read(&mut self, list: &PhaseList) -> Frame {
        self.first = self.events.len();
        let room = |count| Vec::with_capacity(count as usize);
        for port in 0..PORTS {
            let (_, freed) = list.taken(port as u16);
            self.frame.freed[port] = Places { by: room(freed), after: room(freed) };
            self.frame.given_by[port] = room(list.given(port as u16));
        }
        let preset = list.preset(0);
        let mut need = [-(preset.unread_tail as i64), 0];
        let mut free = [preset.unread_head as i64, 0];
        let mut least_depth = [1; PORTS];
        let (mut next, mut last) = (0, 0);
        let rows = list.rows().iter().flat_map(|&(row, times)| std::iter::repeat_n(row, times as usize));
        for phase in rows.flat_map(|row| &list.patterns()[row as usize]) {
            let at = next + phase.idle;
            (next, last) = (at + 1, at);
            for take in phase.takes.iter().filter(|take| take.need > 0) {
                let input = usize::from(take.input);
                need[input] += i64::from(take.need);
                least_depth[input] = (need[input] - free[input]).max(least_depth[input]);
                self.pending.push((Need::new(input, (need[input] - 1) as u32, 0), at));
            }
            let frees = phase.takes.iter().any(|take| take.free > 0);
            let begun = self.events.len() > self.first;
            if phase.gives != 0 || !begun || (frees && !self.pending.is_empty()) {
                self.event(at);
            }
            let by = self.events.len() as u32 - 1;
            for take in &phase.takes {
                let (input, count) = (usize::from(take.input), take.free as usize);
                free[input] += i64::from(take.free);
                let places = &mut self.frame.freed[input];
                places.by.extend(std::iter::repeat_n(by, count));
                places.after.extend(std::iter::repeat_n(at - self.phases[by as usize], count));
            }
            for (output, given_by) in self.frame.given_by.iter_mut().enumerate() {
                if phase.gives >> output & 1 == 1 {
                    given_by.push(by);
                }
            }
        }
        // Needs behind the last event get one of their own.
        if let Some(&(_, at)) = self.pending.last() {
            self.event(at);
        }
        let (begin, end) = (self.phases[self.first..].first(), self.phases.last());
        let (begin, end) = (begin.copied().unwrap_or(0), end.copied().unwrap_or(0));
        Frame {
            span: u64::from(end - begin),
            last_after: last.saturating_sub(end),
            least_depth: least_depth.map(|depth| depth as u64),
            ..std::mem::take(&mut self.frame)
        }
    }

    /// An event in phase `at`, which takes over what is pending.
    fn event(&mut self, at: u32) {
        let before = if self.events.len() > self.first { self.phases.last().copied() } else { None };
        let needs = self.needs.len() as u32;
        let led = |(need, phase): (Need, u32)| Need::new(need.input(), need.by, at - phase);
        self.needs.extend(self.pending.drain(..).map(led));
        self.events.push(Event { gap: at - before.unwrap_or(0), needs });
        self.phases.push(at);
    }
}

/// The needs of an event that are not implied by its others, the last first. A later beat of a channel implies an
/// earlier one where the writer takes no shorter from one to the other; `phase` tells in which phase of the frame it
/// gives each.
pub(super) fn implied(needs: &[Need], phase: impl Fn(u32) -> u32, kept: &mut Vec<Need>) {
    kept.clear();
    let mut last: [Option<(u32, u32)>; PORTS] = [None; PORTS];
    for need in needs.iter().rev() {
        let (at, lead) = (phase(need.by), need.lead());
        let later = &mut last[need.input()];
        if later.is_none_or(|(later, later_lead)| later - at < lead - later_lead) {
            *later = Some((at, lead));
            kept.push(*need);
        }
    }
}
