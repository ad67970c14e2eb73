//! Depths of channels from the timing contract, with evidence.
//!
//! - [`timed`]: the stream laid out as [`events`]; [`rules`]: which of them wait for which.
//! - [`forward`]: the recurrence: start times, frame by frame, and hangs.
//! - [`steady`]: from reset on: interval, latency, peaks.
//! - [`periodic`]: schedules that repeat; whether a depth is enough; [`spread`]: how a change of times spreads, in
//!   the order of [`queue`].
//! - [`search`]: the least depths; [`running`]: the least with which the stream runs at all.
//! - [`occupancy`]: how full channels are over the first frame.
//! - [`evidence`]: who waits for whom; [`words`]: the same in words.
//!
//! No device facts here: what depths cost is `bind`'s affair.

mod events;
mod evidence;
mod forward;
mod occupancy;
mod periodic;
mod queue;
mod rules;
mod running;
mod search;
mod spread;
mod steady;
mod timed;
mod words;

pub use evidence::Link;
pub use occupancy::{Occupancy, occupancy, occupancy_of};
pub use words::{Step, Why, why};

use std::borrow::Cow;
use std::sync::Arc;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::stream::{Kind, Stream};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::design::{Options, StreamDesign};
use crate::pass::{Function, Pass, Property};
use forward::{Forward, reach};
use periodic::{Periodic, occupied, paced};
use search::Known;
use steady::Steady;
use timed::Timed;

/// The pass, for the table.
pub(crate) const PASS: Pass = Pass::on_stream("fifo", "exact depth of every channel, with evidence", run)
    .needs(&[Property::Folded])
    .gives(&[Property::Sized])
    .function(Function::Same);

fn run(design: &mut StreamDesign, options: &Options) -> Result<(), Diagnostics> {
    let laid_out = match &design.laid_out {
        Some(laid_out) => Arc::clone(laid_out),
        None => Arc::new(LaidOut::new(&design.stream)),
    };
    design.sizing = Some(size_laid_out(&mut design.stream, &laid_out, &options.fifo)?);
    // A large one takes more memory than it spares time.
    design.laid_out = (laid_out.timed.events.len() <= KEPT_EVENTS).then_some(laid_out);
    Ok(())
}

/// Which depths channels get: the baselines that savings are measured against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The least, all of them.
    #[default]
    Exact,
    /// Skips hold a whole frame, all others the least.
    WholeFrame,
    /// Every channel holds a whole frame.
    AllWholeFrame,
}

impl Mode {
    /// As `--fifos` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Exact => "exact",
            Mode::WholeFrame => "whole-frame",
            Mode::AllWholeFrame => "all-whole-frame",
        }
    }
}

/// How much is spent on proofs.
///
/// Never measured in time, so that results never hang on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Depths that a paced schedule occupies: enough, not the least.
    Fast,
    /// The least depths, each proven.
    Full,
    /// Full where the events near each channel (those of its ends and of the actors next to them) are at most so
    /// many in sum, else fast. The search visits each of them 6 to 8 times in the networks measured.
    Within(u64),
}

impl Effort {
    /// Of a design that is asked for: a few seconds at the most.
    pub const DESIGN: Effort = Effort::Within(20_000_000);

    /// Of a design that is made only to be compared with: a tenth of that.
    pub const COMPARED: Effort = Effort::Within(2_000_000);

    /// Whether depths are searched, and the events that the search may visit.
    fn budget(self, timed: &Timed) -> Option<u64> {
        match self {
            Effort::Fast => None,
            Effort::Full => Some(u64::MAX),
            Effort::Within(most) => (timed.events_near_channels() <= most).then_some(VISITS),
        }
    }
}

impl Default for Effort {
    fn default() -> Self {
        Effort::DESIGN
    }
}

/// How channels are sized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FifoOptions {
    /// Which depths.
    pub mode: Mode,
    /// How much is spent on proofs.
    pub effort: Effort,
    /// Whether it is left open how full channels get: their depths stand for it.
    pub peaks_left_open: bool,
}

/// Events of a layout that is kept for those who come behind, at the most.
const KEPT_EVENTS: usize = 4_000_000;

/// Events that a search may visit where its effort is not said: what is not proven by then stays as it is.
const VISITS: u64 = 400_000_000;

/// Frames that a stream is run to see it settle, where its interval is asked for.
const SETTLE_FRAMES: u64 = 100;

/// Frames that a sized stream is run to see how full channels get whose depth is not proven; a large one only once.
const PEAK_FRAMES: u64 = 2;

/// What is known of one depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A reader needs so many words at once: with one less it waits for ever.
    ReaderHangs,
    /// With one word less a frame takes longer, as this cycle of waiting says; or the stream hangs.
    Cycle(Vec<Link>),
    /// One word is the least there is.
    Single,
    /// Enough for the interval; that less would do was not ruled out.
    Feasible,
    /// The baseline asked for this depth.
    Chosen,
}

impl Evidence {
    /// Whether one word less is known to be too short.
    pub fn proven(&self) -> bool {
        matches!(self, Evidence::ReaderHangs | Evidence::Cycle(_) | Evidence::Single)
    }
}

/// The depth of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Which.
    pub channel: ChannelId,
    /// Words.
    pub words: u64,
    /// Most words held at once from reset on, the stream running as fast as it can: in all frames where the depth is
    /// proven or the stream was seen to settle, else in the frames that were run.
    pub peak_words: u64,
    /// Least words with which the stream runs at all, where the channel carries a skip.
    pub least_running_words: Option<u64>,
    /// Why not one less.
    pub evidence: Evidence,
}

/// Depths, interval and latency.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizing {
    /// How the time passes with these depths.
    pub timing: Timing,
    /// Every channel, in the order of ids.
    pub channels: Vec<Depth>,
}

/// How a stream with given depths runs, from reset on, its pins never waiting.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// Clocks from frame to frame: so many ...
    pub interval_clocks: u64,
    /// ... in so many frames; 1 where every frame takes the same.
    pub interval_frames: u64,
    /// Frames after which every frame is like the one before, where that was seen.
    pub settled_after: Option<u64>,
    /// For each sink, the clock in which the first frame's first beat leaves, and its last.
    pub outputs: Vec<(ActorId, u64, u64)>,
    /// First and last phase with beats of each actor in the first frame.
    pub actors: Vec<(ActorId, u64, u64)>,
    /// Most words of each channel held at once in the frames that were run: in all frames, once settled.
    pub peak_words: Vec<u64>,
}

impl Timing {
    /// Clocks a frame.
    pub fn interval(&self) -> f64 {
        self.interval_clocks as f64 / self.interval_frames as f64
    }

    /// The clock in which the first frame's first beat leaves; 0 where there is no sink.
    pub fn first_output(&self) -> u64 {
        self.outputs.iter().map(|&(_, first, _)| first).min().unwrap_or(0)
    }

    /// The clock in which the first frame's last beat leaves; 0 where there is no sink.
    pub fn last_output(&self) -> u64 {
        self.outputs.iter().map(|&(_, _, last)| last).max().unwrap_or(0)
    }

    /// First and last phase with beats of an actor in the first frame.
    pub fn run_of(&self, actor: ActorId) -> Option<(u64, u64)> {
        self.actors.iter().find(|run| run.0 == actor).map(|&(_, first, last)| (first, last))
    }
}

/// Sizes every channel and writes the depths into the stream.
///
/// # Errors
/// A stream that is too large for the recurrence, or (a fault of nonresc) misses its interval after sizing.
pub fn size(stream: &mut Stream, options: &FifoOptions) -> Result<Sizing, Diagnostics> {
    size_laid_out(stream, &LaidOut::new(stream), options)
}

/// What all ways to size a folded stream have in common; no depth has a part in it.
#[derive(Debug)]
pub(crate) struct LaidOut {
    timed: Timed,
    interval: u64,
    /// The paced schedule.
    paced: Vec<i64>,
    /// Words of each channel that it occupies.
    occupied: Vec<u64>,
}

impl LaidOut {
    fn new(stream: &Stream) -> Self {
        let timed = Timed::new(stream);
        let interval = timed.bottleneck();
        let paced = paced(&timed, interval);
        let channels = (0..timed.channels.len()).into_par_iter();
        let of = |channel| occupied(&timed, interval as i64, channel, |event| paced[event as usize]);
        let occupied = channels.map(of).collect();
        LaidOut { timed, interval, paced, occupied }
    }
}

fn size_laid_out(
    stream: &mut Stream,
    laid_out: &LaidOut,
    options: &FifoOptions,
) -> Result<Sizing, Diagnostics> {
    let LaidOut { timed, interval, paced, occupied } = laid_out;
    let interval = *interval;
    let channels = timed.channels.len();
    let mut start = Cow::Borrowed(&paced[..]);
    let mut chosen = vec![false; channels];
    let mut depths = occupied.clone();
    for (i, c) in timed.channels.iter().enumerate() {
        let skip = stream.channel(c.id).skip.is_some();
        chosen[i] = options.mode == Mode::AllWholeFrame || (options.mode == Mode::WholeFrame && skip);
        if chosen[i] {
            depths[i] = depths[i].max(u64::from(c.beats));
        }
    }
    let fault = |why: String| {
        Diagnostic::new("fifo/interval", "the sized stream", why, "report this as a fault of nonresc")
    };
    let mut known = vec![Known::Enough; channels];
    if let Some(budget) = options.effort.budget(timed)
        && chosen.contains(&false)
        && let Some(mut periodic) = Periodic::new(timed, interval, &start, &depths)
    {
        let free: Vec<bool> = chosen.iter().map(|chosen| !chosen).collect();
        known = search::shorten(timed, &mut periodic, &free, budget);
        if !periodic.keeps_rules() {
            return Err(fault(format!("its schedule does not repeat every {interval} clocks")).into());
        }
        (0..).zip(start.to_mut()).for_each(|(event, at)| *at = periodic.start(event));
        (0..).zip(&mut depths).for_each(|(channel, depth)| *depth = periodic.depth(channel));
    }
    for (c, &depth) in timed.channels.iter().zip(&depths) {
        stream.channel_mut(c.id).depth = Some(depth);
    }
    // The schedule proves that no frame takes longer, the slowest actor's phases that none takes less.
    let proven = known.iter().zip(&chosen).all(|(known, chosen)| *chosen || *known != Known::Enough);
    // Nobody asks how full the channels of a baseline get.
    let one = proven || options.mode != Mode::Exact || timed.events.len() > steady::LARGE;
    let frames = if one { 1 } else { PEAK_FRAMES };
    let mut timing = run_timed(stream, timed, &depths, (frames, !options.peaks_left_open))?;
    if timing.settled_after.is_none() {
        (timing.interval_clocks, timing.interval_frames) = (interval, 1);
    }
    if timing.interval_clocks != interval * timing.interval_frames {
        return Err(fault(format!("its frames take {} clocks, not {interval}", timing.interval())).into());
    }
    for ((peak, known), &depth) in timing.peak_words.iter_mut().zip(&known).zip(&depths) {
        // Were the last word never held, one less would do.
        if *known != Known::Enough {
            *peak = depth;
        }
    }
    let start = &start[..];
    let least = |i| running::least_running(timed, interval, |event| start[event as usize], &depths, i);
    let is_skip =
        |i: usize| stream.channel(timed.channels[i].id).skip.is_some() && options.mode == Mode::Exact;
    let least: Vec<Option<u64>> =
        (0..channels).into_par_iter().map(|i| is_skip(i).then(|| least(i))).collect();
    let depth = |(i, known): (usize, Known)| {
        let id = timed.channels[i].id;
        Depth {
            channel: id,
            words: depths[i],
            peak_words: timing.peak_words[i],
            least_running_words: least[i],
            evidence: match known {
                _ if chosen[i] => Evidence::Chosen,
                Known::Hangs => Evidence::ReaderHangs,
                Known::Slower(cycle) => Evidence::Cycle(evidence::links(timed, &cycle)),
                Known::Single => Evidence::Single,
                Known::Enough => Evidence::Feasible,
            },
        }
    };
    let channels = known.into_iter().enumerate().map(depth).collect();
    Ok(Sizing { timing, channels })
}

/// How a stream runs with the depths that it has.
///
/// # Errors
/// A stream that hangs: the channels that are full, and who waits for whom. A channel without a depth.
pub fn measure(stream: &Stream) -> Result<Timing, Diagnostics> {
    let timed = Timed::new(stream);
    let depths = depths(stream, &timed)?;
    let timing = run_timed(stream, &timed, &depths, (SETTLE_FRAMES, true))?;
    if timing.settled_after.is_none() {
        let why = format!("its frames did not settle into a pattern within {SETTLE_FRAMES}");
        return Err(
            Diagnostic::new("fifo/unsettled", "the stream", why, "give the channels more words").into()
        );
    }
    Ok(timing)
}

/// When phases of an actor start: `(phase of the frame, clock)`, frame by frame.
pub type Starts = Vec<(u64, u64)>;

/// When phases start in the first frames from reset on, the pins never waiting: for each actor, in the order of ids,
/// every phase that time depends on, all that give among them.
///
/// # Errors
/// A stream that hangs, as [`measure`]. A channel without a depth.
pub fn start_times(stream: &Stream, frames: usize) -> Result<Vec<(ActorId, Starts)>, Diagnostics> {
    let timed = Timed::new(stream);
    let depths = depths(stream, &timed)?;
    let mut forward = Forward::from_reset(&timed, &depths, reach(&timed, &depths) as usize + 1);
    let mut starts: Vec<(ActorId, Starts)> = timed.actors.iter().map(|a| (a.id, Vec::new())).collect();
    for _ in 0..frames {
        forward.run_frame().map_err(|hang| evidence::hang(stream, &timed, &hang))?;
        for (a, (_, list)) in timed.actors.iter().zip(&mut starts) {
            let mut phase = 0;
            for id in a.first as usize..a.end as usize {
                phase += u64::from(timed.events[id].gap);
                list.push((phase, forward.starts(0)[id] as u64));
            }
        }
    }
    Ok(starts)
}

/// The depths that the channels have.
fn depths(stream: &Stream, timed: &Timed) -> Result<Vec<u64>, Diagnostics> {
    let mut faults = Diagnostics::default();
    let mut depths = Vec::with_capacity(timed.channels.len());
    for c in &timed.channels {
        match stream.channel(c.id).depth {
            Some(depth @ 1..) => depths.push(depth),
            _ => faults.push(Diagnostic::new(
                "fifo/depth",
                format!("channel {}", c.id),
                "it has no depth, or none that holds a word",
                "size the stream, or give every channel at least one word",
            )),
        }
    }
    faults.or(())?;
    Ok(depths)
}

/// Runs so many frames at the most, finding out how full channels get or not.
fn run_timed(
    stream: &Stream,
    timed: &Timed,
    depths: &[u64],
    (frames, peaks): (u64, bool),
) -> Result<Timing, Diagnostics> {
    let steady =
        steady::steady(timed, depths, frames, peaks).map_err(|hang| evidence::hang(stream, timed, &hang))?;
    Ok(timing(stream, timed, steady))
}

fn timing(stream: &Stream, timed: &Timed, steady: Steady) -> Timing {
    let frames = steady.first_frame.iter();
    let actors: Vec<(ActorId, u64, u64)> = timed
        .actors
        .iter()
        .zip(frames)
        .map(|(a, &(first, last))| (a.id, first as u64, last as u64))
        .collect();
    let sink = |id: ActorId| matches!(stream.actor(id).kind, Kind::Sink(_));
    let (interval_clocks, interval_frames) = steady.growth.unwrap_or((0, 1));
    Timing {
        interval_clocks,
        interval_frames,
        settled_after: steady.growth.map(|_| steady.run),
        outputs: actors.iter().copied().filter(|a| sink(a.0)).collect(),
        actors,
        peak_words: steady.peak,
    }
}
