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

use super::timed::{Event, NONE, PORTS};

/// A beat that must be visible some clocks before an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// Which of the actor's inputs.
    pub(super) input: u32,
    /// The beat of the frame.
    pub(super) beat: u32,
    /// So many clocks before the event.
    pub(super) lead: u32,
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

/// One frame of an actor.
pub(super) struct Frame {
    /// Phases from the first event's to the last's, and from the last event's to the last with beats.
    pub(super) span: u64,
    pub(super) last_after: u32,
    /// For each input, what is freed, in order.
    pub(super) freed: [Vec<Freed>; PORTS],
    /// For each input, the least depth with which the actor cannot hang by itself.
    pub(super) least_depth: [u64; PORTS],
}

/// Reads a list phase by phase, and lays down its events behind those of other actors.
struct Reading<'a> {
    actor: u32,
    events: &'a mut Vec<Event>,
    needs: &'a mut Vec<Need>,
    /// For each event, its phase in the frame.
    phases: &'a mut Vec<u32>,
    first: usize,
    /// Needs of phases without an event, and the phase of each.
    pending: Vec<(Need, u32)>,
    freed: [Vec<Freed>; PORTS],
}

/// Appends the events of an actor, their needs, and for each event its phase in the frame.
pub(super) fn read(
    actor: u32,
    list: &PhaseList,
    events: &mut Vec<Event>,
    needs: &mut Vec<Need>,
    phases: &mut Vec<u32>,
) -> Frame {
    let first = events.len();
    let preset = list.preset(0);
    let mut need = [-(preset.unread_tail as i64), 0];
    let mut free = [preset.unread_head as u32, 0];
    let mut given = [0u32; PORTS];
    let mut reading =
        Reading { actor, events, needs, phases, first, pending: Vec::new(), freed: Default::default() };
    let mut least_depth = [1; PORTS];
    let (mut next, mut last) = (0, 0);
    let rows = list.rows().iter().flat_map(|&(row, times)| std::iter::repeat_n(row, times as usize));
    for phase in rows.flat_map(|row| &list.patterns()[row as usize]) {
        let at = next + phase.idle;
        (next, last) = (at + 1, at);
        let mut frees = [NONE; PORTS];
        for take in &phase.takes {
            let input = usize::from(take.input);
            if take.need > 0 {
                need[input] += i64::from(take.need);
                least_depth[input] = (need[input] - i64::from(free[input])).max(least_depth[input]);
                let need = Need { input: input as u32, beat: (need[input] - 1) as u32, lead: 0 };
                reading.pending.push((need, at));
            }
            if take.free > 0 {
                frees[input] = free[input];
                free[input] += take.free;
            }
        }
        let mut give = [NONE; PORTS];
        for (output, beat) in given.iter_mut().enumerate() {
            if phase.gives >> output & 1 == 1 {
                give[output] = *beat;
                *beat += 1;
            }
        }
        reading.phase(at, give, frees);
    }
    reading.flush();
    let (begin, end) = (reading.phases[first..].first(), reading.phases.last());
    let (begin, end) = (begin.copied().unwrap_or(0), end.copied().unwrap_or(0));
    Frame {
        span: u64::from(end - begin),
        last_after: last.saturating_sub(end),
        freed: reading.freed,
        least_depth: least_depth.map(|depth| depth as u64),
    }
}

impl Reading<'_> {
    fn phase(&mut self, at: u32, give: [u32; PORTS], frees: [u32; PORTS]) {
        let gives = give != [NONE; PORTS];
        let some = frees != [NONE; PORTS];
        let begun = self.events.len() > self.first;
        if gives || !begun || (some && !self.pending.is_empty()) {
            self.event(at, give);
        }
        for (freed, place) in self.freed.iter_mut().zip(frees).filter(|(_, place)| *place != NONE) {
            let by = self.events.len() as u32 - 1;
            freed.push(Freed { place, by, after: at - self.phases[by as usize] });
        }
    }

    /// An event in phase `at`, which takes over what is pending.
    fn event(&mut self, at: u32, give: [u32; PORTS]) {
        let before = if self.events.len() > self.first { self.phases.last().copied() } else { None };
        let needs = self.needs.len() as u32;
        self.needs.extend(self.pending.drain(..).map(|(need, phase)| Need { lead: at - phase, ..need }));
        self.events.push(Event { actor: self.actor, gap: at - before.unwrap_or(0), needs, give });
        self.phases.push(at);
    }

    /// Needs behind the last event get one of their own.
    fn flush(&mut self) {
        if let Some(&(_, at)) = self.pending.last() {
            self.event(at, [NONE; PORTS]);
        }
    }
}

/// Drops the needs of events for which later beats of the same channel are enough; `given` tells the phase in which
/// the writer of an input gives a beat.
pub(super) fn drop_implied(
    events: &mut [Event],
    needs: &mut Vec<Need>,
    given: impl Fn(&Event, &Need) -> u32,
) {
    let mut kept = Vec::with_capacity(needs.len());
    for i in 0..events.len() {
        let end = events.get(i + 1).map_or(needs.len(), |next| next.needs as usize);
        let event = &mut events[i];
        let all = event.needs as usize..end;
        event.needs = kept.len() as u32;
        let begin = kept.len();
        let mut last: [Option<(u32, u32)>; PORTS] = [None; PORTS];
        for need in needs[all].iter().rev() {
            let at = given(event, need);
            let later = &mut last[need.input as usize];
            if later.is_none_or(|(later, lead)| later - at < need.lead - lead) {
                *later = Some((at, need.lead));
                kept.push(*need);
            }
        }
        kept[begin..].reverse();
    }
    *needs = kept;
}
