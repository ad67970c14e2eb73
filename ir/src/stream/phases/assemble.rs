//! From rows of events to a phase list: what each phase needs and frees, and equal rows stored once.
//!
//! Knows no actor: a row says which beats of input 0 it reads when, and when it gives.

use std::collections::BTreeMap;

use super::list::{Phase, PhaseList, Preset, Take};

/// What happens in one phase.
#[derive(Clone, Debug, Default)]
pub(super) struct Event {
    /// The phase, counted from the row's first.
    pub(super) at: u64,
    /// Least and largest beat of input 0 that is read, relative to the row's base.
    pub(super) read: Option<(i64, i64)>,
    /// Input 1 gives up one beat.
    pub(super) second: bool,
    /// Bit `i` is set where output `i` gets a beat.
    pub(super) gives: u32,
}

/// A run of phases. Rows of equal key have equal events relative to their bases.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Phases of the row.
    pub(super) len: u64,
    /// What beats of its events are relative to.
    pub(super) base: i64,
    /// Least and largest beat of input 0 that the row reads, counted in the frame.
    pub(super) reads: Option<(i64, i64)>,
    /// What makes the row differ from others.
    pub(super) key: Vec<i64>,
}

/// Merges events of reading (and what is given of it at once) and of giving, each ascending, at most one of a kind a
/// phase.
pub(super) fn merge(reads: Vec<Event>, gives: Vec<Event>) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::with_capacity(reads.len() + gives.len());
    let (mut reads, mut gives) = (reads.into_iter().peekable(), gives.into_iter().peekable());
    loop {
        let (read, give) = (reads.peek().map(|e| e.at), gives.peek().map(|e| e.at));
        match (read, give) {
            (None, None) => return all,
            (Some(r), Some(g)) if r == g => {
                let read = reads.next().unwrap_or_default();
                all.extend(gives.next().map(|e| Event {
                    at: e.at,
                    read: read.read,
                    second: e.second || read.second,
                    gives: e.gives | read.gives,
                }));
            }
            (Some(r), g) if g.is_none_or(|g| r < g) => all.extend(reads.next()),
            _ => all.extend(gives.next()),
        }
    }
}

/// What makes two rows the same phases: what the row does, and the counts and the future relative to its base.
type RowKey<'a> = (&'a [i64], [i64; 4]);

/// The list of `rows` over a frame of `total` beats of input 0; `events(i)` makes row i's, ascending.
///
/// `need` is one more than the largest beat read so far; `free` is the longest prefix that no later phase reads,
/// frames to come included.
pub(super) fn assemble(total: u64, rows: &[Row], mut events: impl FnMut(usize) -> Vec<Event>) -> PhaseList {
    let total = total as i64;
    let head = rows.iter().filter_map(|r| r.reads).map(|(lo, _)| lo).min().unwrap_or(0);
    let last = rows.iter().filter_map(|r| r.reads).map(|(_, hi)| hi + 1).max().unwrap_or(0);
    let mut future = vec![total + head; rows.len()];
    for i in (1..rows.len()).rev() {
        future[i - 1] = rows[i].reads.map_or(future[i], |(lo, _)| future[i].min(lo));
    }

    let mut list = PhaseList::new();
    list.set_preset(Preset { unread_tail: (total - last) as u64, unread_head: head as u64 });
    let mut known: BTreeMap<RowKey<'_>, (Option<u32>, State)> = BTreeMap::new();
    let mut now = State { need: last - total, free: head, idle: 0 };
    for (i, row) in rows.iter().enumerate() {
        let relative = State { need: now.need - row.base, free: now.free - row.base, idle: now.idle };
        let future = future[i] - row.base;
        let place = [relative.need, relative.free, relative.idle as i64, future];
        let (pattern, after) = *known.entry((&row.key, place)).or_insert_with(|| {
            let (phases, after) = row_phases(row.len, &events(i), relative, future);
            ((!phases.is_empty()).then(|| list.pattern(phases)), after)
        });
        if let Some(pattern) = pattern {
            list.push_pattern(pattern, 1);
        }
        now = State { need: after.need + row.base, free: after.free + row.base, idle: after.idle };
    }
    list.set_tail(narrow(now.idle));
    list
}

/// Where a row begins: both counts, and the idle phases before it that no phase has carried yet.
#[derive(Clone, Copy, Debug)]
struct State {
    need: i64,
    free: i64,
    idle: u64,
}

/// Counts of a frame fit 32 bits; what does not is refused by the verifier.
fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The phases with beats of one row, and the state behind it; all counts relative to the row's base.
fn row_phases(len: u64, events: &[Event], mut now: State, future: i64) -> (Vec<Phase>, State) {
    let mut later = vec![future; events.len()];
    for i in (1..events.len()).rev() {
        later[i - 1] = events[i].read.map_or(later[i], |(lo, _)| later[i].min(lo));
    }
    let mut phases = Vec::with_capacity(events.len());
    let mut next = 0;
    for (event, later) in events.iter().zip(later) {
        let mut takes = Vec::with_capacity(usize::from(event.second) + 1);
        if let Some((_, hi)) = event.read {
            let (need, free) = (now.need.max(hi + 1), now.free.max(later));
            if need > now.need || free > now.free {
                let (need, free) = ((need - now.need) as u64, (free - now.free) as u64);
                takes.push(Take { input: 0, need: narrow(need), free: narrow(free) });
            }
            (now.need, now.free) = (need, free);
        }
        if event.second {
            takes.push(Take { input: 1, need: 1, free: 1 });
        }
        if takes.is_empty() && event.gives == 0 {
            continue;
        }
        phases.push(Phase { idle: narrow(now.idle + event.at - next), takes, gives: event.gives });
        (now.idle, next) = (0, event.at + 1);
    }
    now.idle += len - next;
    (phases, now)
}
