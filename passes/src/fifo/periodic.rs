//! Schedules that repeat every T clocks: the proof that depths are enough, or the cycle that says they are not.
//!
//! A stream reaches interval T exactly where start times exist that repeat every T clocks and keep every rule of
//! the timing contract (Baccelli et al., Synchronization and Linearity, 1992: the interval is the largest mean
//! weight of a cycle of rules). To try one channel with fewer places, its rules are changed and the known schedule
//! is mended, in both ways at once: whichever ends first says whether it can be. Either way takes turns of as many
//! visits, and both end their turn before either's outcome is looked at, so that two threads change nothing.
//!
//! An outcome holds in whatever order events are visited: a schedule is one because it keeps every rule, a cycle
//! forbids one because its rules add up to more clocks than its frames have. So order is free to be chosen for
//! speed: one broken rule alone first, and what is [near by](super::queue) before the rest.

use super::queue::Near;
use super::rules::{LATEST, Rules, Side};
use super::spread::{Progress, Spread};
use super::timed::{RELEASE, Timed};

/// How a probe ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// The depth is enough; the schedule has been brought up to it.
    Enough,
    /// It is not: the cycle of events that forbids it, each of which waits for the one behind it in the list.
    TooShort(Vec<u32>),
    /// Neither was known when the budget was spent.
    Undecided,
}

/// Events that a spread visits before the other has its turn, at first and at the most; long turns are taken at
/// once, in two threads.
const FIRST_TURN: usize = 256;
const LONG_TURN: usize = 1 << 13;

/// So many broken rules are all mended at once.
const FEW: usize = 1 << 15;

/// Start times that repeat every `interval` clocks, and the depths that let them.
pub(super) struct Periodic<'a> {
    timed: &'a Timed,
    interval: i64,
    rules: Rules<'a>,
    /// Start times, and how they move later.
    later: Spread,
    /// The same backwards in time.
    sooner: Spread,
    /// Places of each channel.
    depth: Vec<u64>,
    /// How far actors are from the channel that is tried.
    near: Near<'a>,
    /// Rules that a probe begins with.
    broken: Vec<Broken>,
    /// Events visited in all probes.
    pub(super) visited: u64,
}

impl<'a> Periodic<'a> {
    /// The schedule `start`, which keeps all rules with the places that `depth` says. None where times are so
    /// large that 32 bits do not hold them.
    pub(super) fn new(timed: &'a Timed, interval: u64, start: &[i64], depth: &[u64]) -> Option<Self> {
        let interval = interval as i64;
        let fit = interval < LATEST && start.iter().all(|at| at.abs() < LATEST);
        fit.then(|| Periodic {
            timed,
            interval,
            rules: Rules::new(timed, interval, depth),
            later: Spread::new(start.iter().map(|&at| at as i32)),
            sooner: Spread::new(start.iter().map(|&at| -at as i32)),
            depth: depth.to_vec(),
            near: Near::new(timed),
            broken: Vec::new(),
            visited: 0,
        })
    }

    /// Start of an event.
    pub(super) fn start(&self, event: u32) -> i64 {
        i64::from(self.later.at(event))
    }

    /// Places of a channel.
    pub(super) fn depth(&self, channel: usize) -> u64 {
        self.depth[channel]
    }

    /// Whether the schedule keeps all rules with the places that the channels now have.
    pub(super) fn keeps_rules(&self) -> bool {
        self.rules.kept(|event| self.later.at(event))
    }

    /// Takes from a channel what the schedule does not occupy, down to `floor`.
    pub(super) fn trim(&mut self, channel: usize, floor: u64) {
        let depth = occupied(self.timed, self.interval, channel, |event| self.start(event)).max(floor);
        if depth < self.depth[channel] {
            self.depth[channel] = depth;
            self.rules.set_depth(channel, depth, |_, _, _| ());
        }
    }

    /// Tries a channel with fewer places than it has, visiting about `budget` events at the most. The schedule and
    /// the depth change only where it is enough.
    pub(super) fn probe(&mut self, channel: usize, depth: u64, budget: u64) -> Probe {
        self.near.count_from(channel);
        let mut broken = std::mem::take(&mut self.broken);
        self.rules.set_depth(channel, depth, |freeing, giving, clocks| {
            if self.later.at(freeing) + clocks > self.later.at(giving) {
                broken.push((freeing, giving, clocks));
            }
        });
        let (mut visits, mut turn, mut pulls) = (0, FIRST_TURN, true);
        let mut pull = Mending { broken: &broken, backwards: true, asked: Asked::Nothing };
        let mut push = Mending { broken: &broken, backwards: false, asked: Asked::Nothing };
        let probe = loop {
            if visits > budget {
                break Probe::Undecided;
            }
            let both = if pulls { 2 } else { 1 };
            visits += both * turn as u64;
            let (sooner, later) = (&mut self.sooner, &mut self.later);
            let mut pulled = || pull.run(sooner, &self.rules.awaited, &self.near, turn);
            let mut pushed = || push.run(later, &self.rules.waiting, &self.near, turn);
            let (pulled, pushed) = match pulls {
                true if turn == LONG_TURN => rayon::join(pulled, pushed),
                true => (pulled(), pushed()),
                false => (Progress::Under, pushed()),
            };
            turn = (2 * turn).min(LONG_TURN);
            match (pulled, pushed) {
                (Progress::Cycle(mut cycle), _) => {
                    cycle.reverse();
                    break Probe::TooShort(cycle);
                }
                (_, Progress::Cycle(cycle)) => break Probe::TooShort(cycle),
                // There is a way; that of the later starts keeps the schedule an early one.
                (_, Progress::Settled) => break Probe::Enough,
                (_, Progress::Lost) => break Probe::Undecided,
                (Progress::Settled | Progress::Lost, Progress::Under) => pulls = false,
                (Progress::Under, Progress::Under) => {}
            }
        };
        if probe == Probe::Enough {
            self.later.accept(|event, at| self.sooner.set(event, -at));
            self.depth[channel] = depth;
        } else {
            self.rules.set_depth(channel, self.depth[channel], |_, _, _| ());
        }
        self.later.forget();
        self.sooner.forget();
        broken.clear();
        self.broken = broken;
        self.visited += visits;
        probe
    }
}

/// A broken rule: who frees, who gives, the clocks between them.
type Broken = (u32, u32, i32);

/// Which broken rules a spread has been asked to mend.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    /// The one that is missed by most clocks: mostly a cycle can be reached from any.
    Worst,
    All,
}

/// The mending of broken rules in one of the two ways.
struct Mending<'a> {
    broken: &'a [Broken],
    /// Whether freeing events start sooner (else giving ones later).
    backwards: bool,
    asked: Asked,
}

impl Mending<'_> {
    /// Visits about so many events.
    fn run(&mut self, spread: &mut Spread, side: &Side, near: &Near<'_>, visits: usize) -> Progress {
        loop {
            match spread.run(side, near, visits) {
                Progress::Settled if self.asked != Asked::All => self.ask_more(spread, near),
                progress => return progress,
            }
        }
    }

    fn ask_more(&mut self, spread: &mut Spread, near: &Near<'_>) {
        let backwards = self.backwards;
        let turned = |&(freeing, giving, clocks): &Broken| match backwards {
            true => (giving, freeing, clocks),
            false => (freeing, giving, clocks),
        };
        let ask = |rule: &Broken, spread: &mut Spread| {
            let (mover, event, clocks) = turned(rule);
            spread.ask(event, mover, spread.moved(mover) + clocks, near);
        };
        if self.asked == Asked::Nothing && self.broken.len() > FEW {
            self.asked = Asked::Worst;
            let missed = |rule: &&Broken| {
                let (mover, event, clocks) = turned(rule);
                spread.at(mover) + clocks - spread.at(event)
            };
            if let Some(worst) = self.broken.iter().max_by_key(missed) {
                ask(worst, spread);
            }
        } else {
            self.asked = Asked::All;
            self.broken.iter().for_each(|rule| ask(rule, spread));
        }
    }
}

/// The earliest start times without limits on depths, the sources spread over the interval.
pub(super) fn paced(timed: &Timed, interval: u64) -> Vec<i64> {
    let mut start = vec![0; timed.events.len()];
    for &actor in &timed.order {
        earliest(timed, interval as i64, actor, &mut start);
    }
    start
}

/// Earliest starts of an actor whose writers have theirs.
fn earliest(timed: &Timed, interval: i64, actor: usize, start: &mut [i64]) {
    let a = &timed.actors[actor];
    let spread = a.inputs.is_empty();
    let count = i64::from(a.end - a.first);
    // From rest, then once more behind the frame before.
    for pass in 0..2 {
        let mut at = match pass {
            0 => 0,
            _ => start[a.end as usize - 1] + i64::from(a.wrap) - interval,
        };
        for (k, id) in (a.first..a.end).enumerate() {
            let event = &timed.events[id as usize];
            if k > 0 || pass == 0 {
                at += i64::from(event.gap);
            }
            for (_, by, clocks) in timed.needs_of(a, id) {
                at = at.max(start[by as usize] + clocks);
            }
            if spread {
                at = at.max(k as i64 * interval / count);
            }
            at = at.max(start[id as usize]);
            start[id as usize] = at;
        }
    }
}

/// Places that a schedule occupies in a channel: the least depth with which it is a schedule.
pub(super) fn occupied(timed: &Timed, interval: i64, channel: usize, start: impl Fn(u32) -> i64) -> u64 {
    let c = &timed.channels[channel];
    let beats = i64::from(c.beats);
    let mut most = 1;
    for r in &c.readers {
        let release = |place: usize, frame: i64| {
            let frame = frame - i64::from(place < r.head as usize);
            start(r.freed_by[place]) + i64::from(r.freed_after[place]) + frame * interval + RELEASE
        };
        // Far enough back that everything was free as the first beat is given.
        let back = (start(c.given_by[0]) - release(c.beats as usize - 1, 0)).div_euclid(interval);
        // The first place that is not known to be free: so many frames on, and which.
        let (mut frame, mut place) = (back.min(0) - 1, 0);
        for (beat, &by) in (0..).zip(&c.given_by) {
            let given = start(by);
            while frame * beats + place as i64 <= beat && release(place, frame) <= given {
                place += 1;
                if place == c.beats as usize {
                    (frame, place) = (frame + 1, 0);
                }
            }
            most = most.max(beat + 1 - (frame * beats + place as i64));
        }
    }
    most as u64
}
