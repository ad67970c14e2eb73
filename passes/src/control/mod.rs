//! What the control of each actor runs: its phases, with what the data path does in each, as a program of nested loops.
//!
//! Needs: a folded stream whose channels have depths, and where their beats lie ([`Layout`]). Gives for an actor: its
//! phases ([`Steps`]); the place of its first read; the words of its program, and the bits of a word, a flow
//! and a counter ([`Program`]). Where a channel is made of shift registers the steps between its words have other
//! numbers; there are as many words, and they are as wide. Read by `area` (which memories are there) and by the
//! hardware's text (what is in them).
//!
//! - [`steps`]: phases, and what an actor begins with; [`layout`]: banks and words of a channel.
//! - [`held`], [`direct`], [`pixelwise`], [`pool`]: micro words, by what reads.
//! - [`program`], [`loops`]: phases as words.

mod direct;
mod held;
mod layout;
mod loops;
mod pixelwise;
mod pool;
mod program;
mod steps;

use std::collections::BTreeMap;

use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::stream::{Form, Kind, MatVec, PhaseList, Stream, phases};

pub use held::fresh;
pub use layout::{At, Layout, Storage};
pub use loops::{Entry, LEVELS};
pub use pool::Given;
pub use program::Program;
pub use steps::{Start, Step, Steps};

use steps::{Micro, ahead_of_reader};

/// Why there is no hardware, and what to do.
pub type Refusal = (String, &'static str);

/// What an actor's control runs.
#[derive(Clone, Debug)]
pub struct Control {
    /// The phases of a frame.
    pub steps: Steps,
    /// Where input 0 is read first; nothing of actors that take what comes.
    pub first: Option<At>,
    /// How the beats of a pool with a window are given.
    pub given: Given,
    /// What the actor begins with.
    pub start: Start,
    /// Bits of a micro word.
    micro: usize,
    /// Outputs.
    outputs: usize,
}

impl Control {
    /// The words.
    pub fn program(&self) -> Program {
        Program::new(&self.steps, self.micro, self.outputs, &self.start)
    }
}

/// Bits of an unsigned number up to `largest`, at least one.
pub fn unsigned(largest: u64) -> usize {
    (u64::BITS - largest.leading_zeros()).max(1) as usize
}

/// Bits of a signed number of at most this magnitude.
pub fn signed(magnitude: i128) -> usize {
    (i128::BITS - magnitude.unsigned_abs().leading_zeros()) as usize + 1
}

/// The links of an actor: each reader of each channel of output 0, then of output 1.
pub fn links(stream: &Stream, actor: ActorId) -> Vec<(ChannelId, usize)> {
    let of = |output| stream.outputs(actor, output).into_iter();
    let readers = |c: ChannelId| (0..stream.channel(c).readers.len()).map(move |r| (c, r));
    of(0).chain(of(1)).flat_map(readers).collect()
}

/// Beats that a source's pin holds.
const SOURCE_PLACES: u64 = 2;

/// Beats that a sink's pin holds.
pub(crate) const SINK_PLACES: u64 = 4;

/// What the control of an actor runs; `layouts` are those of its inputs.
///
/// # Errors
/// Why there is no hardware.
pub fn control(
    stream: &Stream,
    actor: ActorId,
    layouts: &BTreeMap<ChannelId, Layout>,
) -> Result<Control, Refusal> {
    let list = phases(stream, actor);
    let mut steps = Steps::of(&list);
    let kind = &stream.actor(actor).kind;
    let layout = stream.input(actor, 0).and_then(|id| layouts.get(&id));
    let (mut first, mut given) = (None, Given::default());
    let micro = match (kind, layout) {
        (Kind::Source(_), _) => {
            // The pin is one more input of one beat a phase that gives.
            steps.change_all(|step| {
                if step.gives > 0 {
                    (step.need[0], step.free[0]) = (1, 1);
                }
            });
            ends_frame(&mut steps)
        }
        (Kind::Sink(_), _) => {
            // The pin is one more output.
            steps.change_all(|step| {
                if step.need[0] > 0 {
                    step.gives = 1;
                }
            });
            ends_frame(&mut steps)
        }
        (_, None) => return Err(("its input has no memory".into(), "report this as a fault of nonresc")),
        (Kind::MatVec(a), Some(layout)) => match a.fold.form {
            Form::Held { .. } => {
                if a.fold.ports > 1 && a.window.dilation.h > 1 {
                    return Err(("rows that are apart cannot be fetched at once".into(), "fold it slower"));
                }
                first = held::fill(&mut steps, stream, actor, a, layout);
                held::bits(a, layout)
            }
            Form::Direct { taps } => {
                let lanes = stream.input(actor, 0).map_or(1, |id| stream.channel(id).lanes);
                if !a.is_regular_direct(taps, lanes) {
                    let why = format!("{taps} taps in {lanes} lanes cannot be read at once");
                    return Err((why, "fold it otherwise"));
                }
                let side = a.window.side_by_side(taps);
                first = direct::fill(&mut steps, stream, actor, a, side, layout);
                direct::bits(side, layout)
            }
            Form::Stationary => stationary(&mut steps, a, layout),
        },
        (Kind::Pool(a), Some(layout)) => {
            let micro;
            (first, given, micro) = pool::fill(&mut steps, &list, stream, actor, a, layout)?;
            micro
        }
        (Kind::GlobalPool(a), Some(layout)) => {
            let reads = pixelwise::reads(&steps, &list);
            first = pixelwise::fill(&mut steps, &reads, a.input, layout, 2);
            let of_first_pixel = reads.iter().take(layout.beats);
            steps.change(
                of_first_pixel
                    .map(|&(phase, _)| (phase..phase + 1, |read: &mut Step| Micro(read).set(1, 1, 1))),
            );
            10 + layout.address
        }
        (Kind::Sum(_), _) => {
            steps.change_all(takes_both);
            2
        }
        (Kind::Select(a), Some(layout)) => {
            let reads = pixelwise::reads(&steps, &list);
            first = pixelwise::fill(&mut steps, &reads, a.input, layout, 1);
            9 + layout.address
        }
        (Kind::Convert(map) | Kind::Activate { map, .. }, Some(layout)) => {
            let reads = pixelwise::reads(&steps, &list);
            first = pixelwise::fill(&mut steps, &reads, *map, layout, 1);
            9 + layout.address
        }
    };
    let outputs = if kind.outputs() > 1 { 2 } else { 1 };
    Ok(Control { start: start(stream, actor, &list), steps, first, given, micro, outputs })
}

/// Marks the last beat of a frame; gives the bits of a micro word.
fn ends_frame(steps: &mut Steps) -> usize {
    let last = steps.runs().filter(|(_, step)| step.gives > 0 || step.need[0] > 0).last();
    let last = last.map(|(phases, _)| phases.end - 1..phases.end);
    steps.change(last.map(|last| (last, |step: &mut Step| Micro(step).set(0, 1, 1))));
    1
}

/// Sets bit 0 where input 0 is read and bit 1 where input 1 is.
fn takes_both(step: &mut Step) {
    let (read, take) = (u64::from(step.need[0] > 0), u64::from(step.need[1] > 0));
    let mut micro = Micro(step);
    micro.set(0, 1, read);
    micro.set(1, 1, take);
}

/// The micro words of a layer whose window is the whole map: reading, computing, taking of input 1.
fn stationary(steps: &mut Steps, a: &MatVec, layout: &Layout) -> usize {
    let computing = (a.input.pixels() * layout.beats * a.output_folds()) as u64;
    let computing = 0..computing.min(steps.count());
    steps.change_all(|step| {
        let (read, take) = (u64::from(step.need[0] > 0), u64::from(step.need[1] > 0));
        let mut micro = Micro(step);
        micro.set(0, 1, read);
        micro.set(2, 1, take);
    });
    steps.change([(computing, |step: &mut Step| Micro(step).set(1, 1, 1))]);
    3
}

fn start(stream: &Stream, actor: ActorId, list: &PhaseList) -> Start {
    let kind = &stream.actor(actor).kind;
    let mut start = Start::default();
    let depth = |c: ChannelId| stream.channel(c).depth.unwrap_or(1);
    for i in 0..kind.inputs() {
        start.visible.push(list.preset(i).unread_tail);
        start.depth.push(stream.input(actor, i).map_or(1, depth));
    }
    let links = links(stream, actor);
    for &(channel, reader) in &links {
        let reader = stream.channel(channel).readers[reader];
        let list = phases(stream, reader.actor);
        start.places.push(depth(channel) + list.preset(reader.input).unread_head);
        start.most = start.most.max(depth(channel) + ahead_of_reader(&list, reader.input));
    }
    start.first = links.iter().filter(|(c, _)| stream.channel(*c).output == 0).count();
    match kind {
        Kind::Source(_) => {
            start.visible.push(0);
            start.depth.push(SOURCE_PLACES);
        }
        Kind::Sink(_) => {
            start.places.push(SINK_PLACES);
            start.first = 1;
        }
        _ => {}
    }
    start
}
