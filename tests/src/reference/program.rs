//! What an actor does in each clock of a frame, written out: which beats it reads, whether it gives one.
//!
//! Derived from kernel, stride, padding, dilation, groups and fold for each output pixel on its own, every beat by
//! its number in the frame. There are no counts here: what a phase needs and what it frees follows from the beats
//! that it and the later phases read ([`Program::needs`], [`Program::frees`]), straight from the words of the
//! timing contract.

use nonresc_ir::id::ActorId;
use nonresc_ir::stream::{Fold, Form, Kind, MatVec, Second, Stream};

use super::{matvec, pixelwise, pool};

/// One clock of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Input and beat of everything that is read.
    pub reads: Vec<(u16, u64)>,
    /// Whether each output gets a beat.
    pub gives: [bool; 2],
}

/// Numbers a beat on both sides of an actor.
#[derive(Clone, Copy, Debug)]
pub struct Lanes {
    /// Of input 0.
    pub input: usize,
    /// Of output 0.
    pub output: usize,
    /// Of output 1.
    pub second: usize,
}

/// One frame of an actor.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its clocks.
    pub steps: Vec<Step>,
    /// Beats a frame of each input.
    pub beats: Vec<u64>,
}

impl Program {
    /// The frame of an actor of a stream.
    pub fn of(stream: &Stream, actor: ActorId) -> Program {
        let kind = &stream.actor(actor).kind;
        let inputs: Vec<_> = (0..kind.inputs()).map(|i| stream.input(actor, i).unwrap()).collect();
        let output = stream.outputs(actor, 0).first().copied();
        let lanes = Lanes {
            input: inputs.first().map_or(1, |&c| stream.channel(c).lanes),
            output: output.map_or(1, |c| stream.channel(c).lanes),
            second: stream.outputs(actor, 1).first().map_or(1, |&c| stream.channel(c).lanes),
        };
        let beats = inputs.iter().map(|&c| {
            let (map, lanes) = (stream.channel(c).map, stream.channel(c).lanes);
            (map.height * map.width * map.channels.div_ceil(lanes)) as u64
        });
        Program { steps: steps(kind, lanes), beats: beats.collect() }
    }

    /// For each clock, how many beats of the frame must be visible: all that were read so far, and those before them.
    pub fn needs(&self, input: u16) -> Vec<u64> {
        let mut need = 0;
        let of = |step: &Step| {
            for &(_, beat) in step.reads.iter().filter(|r| r.0 == input) {
                need = need.max(beat + 1);
            }
            need
        };
        self.steps.iter().map(of).collect()
    }

    /// For each clock, how many places are free behind it, counted from the frame's first: the beats before the
    /// first one that any later clock reads, in this frame or the next.
    pub fn frees(&self, input: u16) -> Vec<u64> {
        let mut later = self.beats[usize::from(input)] + self.unread_head(input);
        let mut frees = vec![0; self.steps.len()];
        for (step, free) in self.steps.iter().zip(&mut frees).rev() {
            *free = later;
            for &(_, beat) in step.reads.iter().filter(|r| r.0 == input) {
                later = later.min(beat);
            }
        }
        frees
    }

    /// Beats at the frame's start that are never read: free before the frame begins.
    pub fn unread_head(&self, input: u16) -> u64 {
        let reads = self.steps.iter().flat_map(|s| &s.reads).filter(|r| r.0 == input);
        reads.map(|r| r.1).min().unwrap()
    }
}

fn steps(kind: &Kind, lanes: Lanes) -> Vec<Step> {
    match kind {
        Kind::Source(map) => pixelwise::source(*map, lanes.output),
        Kind::Sink(map) => pixelwise::sink(*map, lanes.input),
        Kind::MatVec(a) => match a.fold.form {
            Form::Held { slots } => matvec::held(a, slots, lanes),
            Form::Direct { taps } => matvec::direct(a, taps, lanes),
            Form::Stationary => matvec::stationary(a, lanes),
        },
        Kind::Pool(a) => pool::windowed(a, lanes),
        Kind::GlobalPool(a) => pool::global(a.input, lanes),
        Kind::Sum(a) => pixelwise::sum(a, lanes.output),
        Kind::Select(a) => pixelwise::select(a, lanes),
        Kind::Activate { map, .. } | Kind::Convert(map) => pixelwise::convert(*map, lanes),
    }
}

/// Registers from a phase that gives on `output` to the write port of the storage.
pub fn registers(kind: &Kind, output: u16) -> u64 {
    match kind {
        Kind::MatVec(a) if output == 1 => match &a.second {
            // What the fetch reads is written.
            Some(Second::Tap { .. }) => 1,
            // As the layer itself, without a sum with a skip.
            Some(Second::Projection(p)) => {
                let fold = Fold { simd: p.simd, ..a.fold };
                registers(&Kind::MatVec(MatVec { add: None, second: None, fold, ..a.clone() }), 0)
            }
            None => panic!("no second output"),
        },
        Kind::Source(_) | Kind::Sink(_) => 0,
        Kind::Select(_) | Kind::Convert(_) => 2,
        Kind::Activate { .. } => 4,
        Kind::Sum(_) => 4,
        Kind::Pool(_) => 6,
        Kind::GlobalPool(_) => 5,
        Kind::MatVec(a) => {
            let mut tree = 0;
            while 1 << tree < a.fold.simd {
                tree += 1;
            }
            // Channel, staging, operands, product, (tree,) accumulator, beat, scale, rounding; and what is not always
            // there: the sum with a skip.
            let reading = if matches!(a.fold.form, Form::Held { .. }) { 8 } else { 7 };
            reading
                + tree
                + a.add.map_or(0, |add| if add.rounded { 3 } else { 1 })
                + u64::from(a.carry.taken > 0 && a.carry.passed == 0)
        }
    }
}

/// When a pixel's beats are given, in a run of pixels `period` clocks apart: each when it is complete or in the clock
/// after the one before it, whatever pixel that belongs to. The first pixels might give earlier than those behind
/// them; all do as those behind.
pub(super) fn give_times(complete: &[usize], period: usize) -> Vec<usize> {
    let mut before = Vec::new();
    let mut last = i64::MIN;
    loop {
        let mut now = Vec::new();
        for &complete in complete {
            last = (complete as i64).max(last.saturating_add(1));
            now.push(last as usize);
        }
        if now == before {
            return now;
        }
        before = now;
        last -= period as i64;
    }
}

/// The beats of a skip that a sum reads with each beat of an output pixel: the skip's `channels` are added to the
/// output's from `offset` on.
pub(super) fn skip_beats(outputs: usize, channels: usize, offset: usize, lanes: usize) -> Vec<Option<usize>> {
    let beats = outputs.div_ceil(lanes);
    let mut next = 0;
    let mut all = Vec::new();
    for beat in 0..beats {
        let adds = (beat * lanes..(beat + 1) * lanes).any(|c| (offset..offset + channels).contains(&c));
        all.push(adds.then_some(next));
        next += usize::from(adds);
    }
    all
}
